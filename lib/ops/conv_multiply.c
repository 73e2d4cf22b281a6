/*
 * conv_multiply.c — a walk of a kernel over images: the output of a convolution, and the
 * gradient of its input, which is a walk over the output's gradient.
 *
 * A tile is a strip of the images and some panels of the weight. Panels are outside, pixels
 * inside, so that a panel stays in the cache while the strip passes; long patches are taken
 * in pieces for the same reason.
 */
#include "base/compiler.h"
#include "base/parallel.h"
#include "ops/conv.h"

#include <string.h>

/* At least so many; places of a patch that are multiplied, and packed, at a time. */
enum { TILES = 16, PIECE = 1536, PLACES = 16 };

int64_t
fine__conv_n_panels(int64_t columns)
{
    const int64_t wide = fine__conv_kernels()->wide.columns;

    return (columns + wide - 1) / wide;
}

const struct fine__conv_kernel *
fine__conv_panel(int64_t columns, int64_t panel, int64_t *first, int64_t *count)
{
    const struct fine__conv_kernels *kernels = fine__conv_kernels();

    *first = panel * kernels->wide.columns;
    *count = columns - *first;
    if (*count <= kernels->narrow.columns)
        return &kernels->narrow;
    if (*count > kernels->wide.columns)
        *count = kernels->wide.columns;
    return &kernels->wide;
}

int64_t
fine__conv_columns(int64_t columns)
{
    int64_t first, count;
    const int64_t last = fine__conv_n_panels(columns) - 1;
    const struct fine__conv_kernel *kernel = fine__conv_panel(columns, last, &first, &count);

    return first + kernel->columns;
}

struct job {
    const struct fine__conv_product *product;
    struct fine__conv_strips strips;
    int64_t n_panels, parts;        /* panels of a group; tiles a strip */
    int64_t places;                 /* of a patch */
    int64_t padded;                 /* columns of a group, with zeros */
    fine__real *packed, *starts;    /* (groups, panels: places, columns); (groups, columns) */
};

/* A panel of a weight that is turned around. */
FINE__INLINE void
pack_by_columns(const struct fine__conv_numbers *w, const fine__real *from, int64_t channels,
                int64_t height, int64_t width, int64_t count, int64_t wide, fine__real *panel)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t a = 0; a < height; a++)
            for (int64_t b = 0; b < width; b++) {
                const fine__real *at = from + c * w->channel + a * w->a + b * w->b;
                fine__real *to = panel + ((a * width + b) * channels + c) * wide;

                if (w->column == 1)
                    memcpy(to, at, (size_t)count * sizeof *to);
                else
                    for (int64_t j = 0; j < count; j++)
                        to[j] = at[j * w->column];
            }
}

/* A panel of a weight as it is stored, each column's places in one run of memory: a few places
 * of all columns at a time, so that lines of both sides stay in the cache. */
FINE__INLINE void
pack_by_places(const struct fine__conv_numbers *w, const fine__real *from, int64_t channels,
               int64_t area, int64_t count, int64_t wide, fine__real *panel)
{
    const int64_t places = channels * area;
    int64_t q = 0, row[PLACES];

    for (; q < places; q += PLACES) {
        const int64_t n = places - q < PLACES ? places - q : PLACES;

        for (int64_t i = 0; i < n; i++)
            row[i] = ((q + i) % area * channels + (q + i) / area) * wide;
        if (n == PLACES)
            for (int64_t j = 0; j < count; j++)
                for (int64_t i = 0; i < PLACES; i++)
                    panel[row[i] + j] = from[j * w->column + q + i];
        else
            for (int64_t j = 0; j < count; j++)
                for (int64_t i = 0; i < n; i++)
                    panel[row[i] + j] = from[j * w->column + q + i];
    }
}

FINE__CLONES static void
pack(const struct job *job, int64_t index)
{
    const struct fine__conv_product *p = job->product;
    const int64_t group = index / job->n_panels, height = p->walk.kernel_height;
    const int64_t width = p->walk.kernel_width, channels = p->walk.channels / p->walk.groups;
    int64_t column, count;
    const int64_t wide = fine__conv_panel(p->columns, index % job->n_panels, &column,
                                          &count)->columns;
    fine__real *panel = job->packed + (group * job->padded + column) * job->places;
    const struct fine__conv_numbers *w = &p->weight;
    const fine__real *from = w->data + group * w->group + column * w->column;

    for (int64_t place = 0; place < job->places; place++)
        for (int64_t j = count; j < wide; j++)
            panel[place * wide + j] = 0;
    if (w->b == 1 && w->a == width && w->channel == height * width)
        pack_by_places(w, from, channels, height * width, count, wide, panel);
    else
        pack_by_columns(w, from, channels, height, width, count, wide, panel);
}

static void
pack_panel(void *arg, int64_t index, int worker)
{
    (void)worker;
    pack(arg, index);
}

/* Goes through a strip's pixels: where it is, and where that is read and written. */
struct cursor {
    int64_t image, row, column;
    const fine__real *from;
    fine__real *to;
};

/* The next eight; what is read of those after the last one is its own. */
static void
next_pixels(const struct job *job, const struct fine__conv_strip *strip, struct cursor *at,
            const fine__real *first, fine__real *to, struct fine__conv_pixels *p)
{
    const struct fine__conv_product *product = job->product;
    const struct fine__conv_strips *s = &job->strips;
    const int64_t step = s->walk.stride, from_step = step * s->walk.channels;

    p->n = 0;
    for (int i = 0; i < FINE__CONV_PIXELS; i++) {
        p->from[i] = at->from;
        p->to[i] = at->to;
        if (at->image == strip->images)
            continue;
        p->n++;
        if (++at->column < s->walk.out_width) {
            at->from += from_step;
            at->to += product->column_step;
            continue;
        }
        at->column = 0;
        if (++at->row == strip->rows) {
            at->row = 0;
            if (++at->image == strip->images)
                continue;
        }
        at->from = first + at->image * s->image_step + at->row * step * s->row_step;
        at->to = to + at->image * product->image_step + at->row * product->row_step;
    }
}

/* All pixels of a strip times one panel. */
static void
multiply_panel(const struct job *job, const struct fine__conv_strip *strip, int64_t group,
               int64_t panel)
{
    const struct fine__conv_product *product = job->product;
    const struct fine__conv_strips *s = &job->strips;
    const int64_t channels = s->walk.channels / s->walk.groups;
    struct fine__conv_pixels p = { .run = s->run };
    int64_t column;
    const struct fine__conv_kernel *kernel = fine__conv_panel(product->columns, panel, &column,
                                                              &p.columns);
    const fine__real *packed = job->packed + (group * job->padded + column) * job->places;
    const fine__real *from = strip->first + group * channels;
    fine__real *to = product->to + strip->image * product->image_step +
                     strip->row * product->row_step + group * product->columns + column;
    const int64_t most = PIECE / s->run > 0 ? PIECE / s->run : 1;

    for (int64_t run = 0; run < s->n_runs; run += most) {
        struct cursor at = { 0, 0, 0, from, to };

        p.offset = s->offset + run;
        p.n_runs = s->n_runs - run < most ? s->n_runs - run : most;
        p.panel = packed + run * s->run * kernel->columns;
        p.add = product->add || run > 0;
        p.start = run == 0 && job->starts != NULL ? job->starts + group * job->padded + column
                                                  : NULL;
        while (at.image < strip->images) {
            next_pixels(job, strip, &at, from, to, &p);
            kernel->pixels(&p);
        }
    }
}

static void
multiply_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const int64_t part = tile % job->parts, n = job->n_panels * job->product->walk.groups;
    const struct fine__conv_strip strip = fine__conv_strip(&job->strips, tile / job->parts,
                                                           worker);

    for (int64_t i = n * part / job->parts; i < n * (part + 1) / job->parts; i++)
        multiply_panel(job, &strip, i / job->n_panels, i % job->n_panels);
}

/* A kernel of one cell over everything: the pixels are one long column. */
static bool
is_flat(const struct fine__conv_product *p)
{
    const struct fine__conv_walk *w = &p->walk;

    return w->kernel_height == 1 && w->kernel_width == 1 && w->stride == 1 && w->top == 0 &&
           w->left == 0 && w->height == w->out_height && w->width == w->out_width &&
           p->row_step == w->width * p->column_step && p->image_step == w->height * p->row_step;
}

static bool
prepare(struct fine__tape *t, struct job *job)
{
    const struct fine__conv_product *p = job->product;
    const int64_t groups = p->walk.groups;

    job->places = p->walk.kernel_height * p->walk.kernel_width * p->walk.channels / groups;
    job->n_panels = fine__conv_n_panels(p->columns);
    job->padded = fine__conv_columns(p->columns);
    job->packed = fine__tape_take(t, groups * job->padded * job->places);
    if (p->bias != NULL)
        job->starts = fine__tape_take(t, groups * job->padded);
    if (t->status < 0)
        return false;
    for (int64_t i = 0; p->bias != NULL && i < groups * job->padded; i++) {
        const int64_t column = i % job->padded;

        job->starts[i] = column < p->columns ? p->bias[i / job->padded * p->columns + column] : 0;
    }
    fine__parallel_for(t->ctx, groups * job->n_panels, pack_panel, job);
    return true;
}

void
fine__conv_multiply(struct fine__tape *t, const struct fine__conv_product *product)
{
    struct fine__conv_product flat = *product;
    struct job job = { .product = &flat };
    const struct fine__arena_mark mark = fine__tape_mark(t);

    if (is_flat(product)) {
        flat.walk.height = flat.walk.out_height = flat.walk.images * flat.walk.height *
                                                  flat.walk.width;
        flat.walk.images = flat.walk.width = flat.walk.out_width = 1;
        flat.row_step = flat.column_step;
    }
    if (flat.walk.images * flat.walk.out_height * flat.walk.out_width == 0)
        return;
    if (prepare(t, &job)) {
        const int64_t n = job.n_panels * flat.walk.groups;

        /* strips first where there are few panels */
        if (fine__conv_cut(t, &flat.walk, (TILES + n - 1) / n, false, &job.strips) &&
            job.strips.n < TILES && job.strips.copied)
            fine__conv_cut(t, &flat.walk, (TILES + n - 1) / n, true, &job.strips);
    }
    if (t->status == 0) {
        const int64_t n = job.n_panels * flat.walk.groups;

        job.parts = (TILES + job.strips.n - 1) / job.strips.n;
        if (job.parts > n)
            job.parts = n;
        fine__parallel_for(t->ctx, job.strips.n * job.parts, multiply_tile, &job);
    }
    fine__tape_rewind(t, mark);
}
