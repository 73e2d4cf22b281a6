/*
 * conv_gradient.c — the gradient of a convolution's weight.
 *
 * A tile is some panels of output channels over some of the images' strips. For a block of
 * pixels, dy of one panel is laid side by side; then eight places of the patch at a time are
 * summed over the block in registers, and added to what the tile has. Large weights are cut
 * into panels alone; small ones into images too, each with sums of its own, which are added
 * in order when they are turned to the way the weight is stored.
 */
#include "base/compiler.h"
#include "base/parallel.h"
#include "ops/conv.h"

/* At least so many; tiles that copy a strip each; pixels; places turned at a time. */
enum { TILES = 16, FEW = 4, BLOCK = 256, PLACES = 16 };

struct job {
    struct fine__conv_strips strips;
    const fine__real *dy;
    int64_t out_channels, columns;  /* of all; of a group */
    int64_t n_panels, padded, places;
    int64_t parts, chunks;          /* tiles a strip, tiles a panel */
    int64_t block_images, block_rows;           /* one of the two is 1, or all */
    fine__real *sums;               /* (chunks, groups, panels: places, columns) */
    fine__real *side;               /* dy of a block, for each worker */
    int64_t side_size;
    double beta;
    fine__real *dw;
};

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* `count` of every `step` numbers of n rows, with zeros up to `wide`. */
FINE__CLONES static void
lay(int64_t n, const fine__real *FINE__RESTRICT from, int64_t step, int64_t count, int64_t wide,
    fine__real *FINE__RESTRICT to)
{
    for (int64_t i = 0; i < n; i++, from += step, to += wide) {
        for (int64_t j = 0; j < count; j++)
            to[j] = from[j];
        for (int64_t j = count; j < wide; j++)
            to[j] = 0;
    }
}

struct block {
    int64_t image, images, row, rows;           /* within the strip */
};

static void
add_block(const struct job *job, const struct fine__conv_strip *strip, struct block block,
          int64_t unit, fine__real *sums, bool add, fine__real *side)
{
    const struct fine__conv_strips *s = &job->strips;
    const struct fine__conv_walk *w = &s->walk;
    const int64_t group = unit / job->n_panels, step = w->stride;
    const int64_t pixel = ((strip->image + block.image) * w->out_height + strip->row + block.row) *
                          w->out_width;
    int64_t column, count;
    const struct fine__conv_kernel *kernel = fine__conv_panel(job->columns, unit % job->n_panels,
                                                              &column, &count);
    const fine__real *dy = job->dy + pixel * job->out_channels + group * job->columns + column;
    const fine__real *from = strip->first + group * (w->channels / w->groups) +
                             block.image * s->image_step + block.row * step * s->row_step;
    struct fine__conv_weights p = {
        .n_images = block.images, .n_rows = block.rows, .n_columns = w->out_width,
        .image_step = s->image_step, .row_step = step * s->row_step,
        .column_step = step * w->channels, .dy = dy, .to_step = kernel->columns, .add = add
    };

    if (w->out_width == 1) {        /* one long column: better the kernel's innermost loop */
        p.n_columns = block.rows;
        p.column_step = p.row_step;
        p.n_rows = 1;
    }
    if (job->out_channels != kernel->columns) {
        lay(block.images * block.rows * w->out_width, dy, job->out_channels, count,
            kernel->columns, side);
        p.dy = side;
    }
    p.to = sums + (group * job->padded + column) * job->places;
    for (int64_t r = 0; r < s->n_runs; r++)
        for (int64_t k = 0; k < s->run; k += FINE__CONV_PIXELS) {
            p.from = from + s->offset[r] + k;
            p.n = (int)smaller(s->run - k, FINE__CONV_PIXELS);
            kernel->weights(&p);
            p.to += p.n * kernel->columns;
        }
}

static void
gradient_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__conv_strips *s = &job->strips;
    const int64_t n = job->n_panels * s->walk.groups, part = tile % job->parts;
    const int64_t chunk = tile / job->parts, begin = s->n * chunk / job->chunks;
    const int64_t end = s->n * (chunk + 1) / job->chunks;
    fine__real *sums = job->sums + chunk * s->walk.groups * job->padded * job->places;
    fine__real *side = job->side + worker * job->side_size;
    bool add = false;

    for (int64_t i = begin; i < end; i++) {
        const struct fine__conv_strip strip = fine__conv_strip(s, i, worker);
        struct block b = { 0, 0, 0, 0 };

        for (b.image = 0; b.image < strip.images; b.image += job->block_images)
            for (b.row = 0; b.row < strip.rows; b.row += job->block_rows) {
                b.images = smaller(job->block_images, strip.images - b.image);
                b.rows = smaller(job->block_rows, strip.rows - b.row);
                for (int64_t unit = n * part / job->parts; unit < n * (part + 1) / job->parts;
                     unit++)
                    add_block(job, &strip, b, unit, sums, add, side);
                add = true;
            }
    }
}

/* One panel's sums of all chunks, in order, to where the weight has them. */
FINE__CLONES static void
turn(const struct job *job, int64_t unit)
{
    const struct fine__conv_walk *w = &job->strips.walk;
    const int64_t channels = w->channels / w->groups, area = w->kernel_height * w->kernel_width;
    const int64_t places = job->places, chunk = w->groups * job->padded * places;
    const int64_t group = unit / job->n_panels;
    int64_t column, count;
    const int64_t wide = fine__conv_panel(job->columns, unit % job->n_panels, &column,
                                          &count)->columns;
    const fine__real *sums = job->sums + (group * job->padded + column) * places;
    fine__real *dw = job->dw + (group * job->columns + column) * places;
    const bool fresh = job->beta == 0;

    /* a few places of all columns: lines of both sides stay in the cache */
    for (int64_t q = 0; q < places; q += PLACES) {
        const int64_t n = smaller(places - q, PLACES);
        int64_t row[PLACES];

        for (int64_t i = 0; i < n; i++)
            row[i] = ((q + i) % area * channels + (q + i) / area) * wide;
        for (int64_t j = 0; j < count; j++)
            for (int64_t i = 0; i < n; i++) {
                fine__real *to = dw + j * places + q + i, sum = sums[row[i] + j];

                for (int64_t k = 1; k < job->chunks; k++)
                    sum += sums[k * chunk + row[i] + j];
                *to = fresh ? sum : *to + sum;
            }
    }
}

static void
turn_panel(void *arg, int64_t unit, int worker)
{
    (void)worker;
    turn(arg, unit);
}

/* Pixels of one image after another as one long column, where the kernel is one cell. */
static struct fine__conv_walk
flattened(const struct fine__conv_walk *walk)
{
    struct fine__conv_walk w = *walk;

    if (w.kernel_height != 1 || w.kernel_width != 1 || w.stride != 1 || w.top != 0 ||
        w.left != 0 || w.height != w.out_height || w.width != w.out_width)
        return w;
    w.height = w.out_height = w.images * w.height * w.width;
    w.images = w.width = w.out_width = 1;
    return w;
}

static bool
prepare(struct fine__tape *t, struct job *job, const struct fine__conv_walk *walk)
{
    const struct fine__conv_walk w = flattened(walk);
    const int64_t n = fine__conv_n_panels(job->columns) * w.groups;
    const int64_t pixels = w.out_height * w.out_width;

    job->n_panels = n / w.groups;
    job->padded = fine__conv_columns(job->columns);
    job->places = w.kernel_height * w.kernel_width * w.channels / w.groups;
    job->parts = smaller(n, TILES);
    job->chunks = (TILES + job->parts - 1) / job->parts;
    if (!fine__conv_cut(t, &w, job->chunks, job->parts > FEW, &job->strips))
        return false;
    job->chunks = smaller(job->chunks, job->strips.n);
    job->block_images = pixels < BLOCK ? BLOCK / (pixels > 0 ? pixels : 1) : 1;
    job->block_rows = pixels < BLOCK ? w.out_height : (BLOCK + w.out_width - 1) / w.out_width;
    job->side_size = fine__conv_kernels()->wide.columns *
                     (pixels < BLOCK ? BLOCK : job->block_rows * w.out_width);
    job->sums = fine__tape_take(t, job->chunks * w.groups * job->padded * job->places);
    job->side = fine__tape_take(t, fine__n_workers(t->ctx) * job->side_size);
    return t->status == 0;
}

void
fine__conv_weight_gradient(struct fine__tape *t, const struct fine__conv_walk *walk,
                           int64_t out_channels, const fine__real *dy, double beta, fine__real *dw)
{
    struct job job = { .dy = dy, .out_channels = out_channels,
                       .columns = out_channels / walk->groups, .beta = beta, .dw = dw };
    const struct fine__arena_mark mark = fine__tape_mark(t);

    if (!prepare(t, &job, walk))
        return;
    fine__parallel_for(t->ctx, job.chunks * job.parts, gradient_tile, &job);
    fine__parallel_for(t->ctx, job.n_panels * walk->groups, turn_panel, &job);
    fine__tape_rewind(t, mark);
}
