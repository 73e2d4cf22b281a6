/*
 * conv_depthwise.c — convolutions where each channel has a kernel of its own: loops over
 * channels, some pixels at a time, since there is no product in them.
 */
#include "base/parallel.h"
#include "ops/conv.h"
#include "tensor/vec.h"

enum { TILES = 16, PIXELS = 4, MOST = 25 };     /* at least; at once; cells of a kernel in registers */

struct job {
    const struct fine__conv_product *product;
    struct fine__conv_strips strips;
    int64_t area, channels;         /* cells of a kernel */
    fine__real *cells;              /* the weight as (area, channels) */
    const fine__real *dy;
    int64_t chunks;                 /* tiles, each with sums of its own */
    fine__real *sums;               /* (chunks, area, channels) */
};

/* `count` pixels beside each other, all channels. */
FINE__INLINE void
pixels(const struct job *job, const fine__real *from, fine__real *to, int64_t count)
{
    const struct fine__conv_product *p = job->product;
    const int64_t channels = job->channels, step = job->strips.walk.stride * channels;
    const int64_t to_step = p->column_step;

    for (int64_t c = 0; c < channels; c += FINE__LANES) {
        const int64_t left = channels - c;
        fine__vec sum[PIXELS];

        FINE__UNROLL
        for (int i = 0; i < PIXELS; i++)
            sum[i] = p->bias != NULL ? fine__vec_load_part(p->bias + c, left) : FINE__VEC_ZERO;
        for (int64_t k = 0; k < job->area; k++) {
            const fine__vec w = fine__vec_load_part(job->cells + k * channels + c, left);
            const fine__real *at = from + job->strips.offset[k] + c;

            FINE__UNROLL
            for (int i = 0; i < PIXELS; i++)
                if (i < count)
                    sum[i] += w * fine__vec_load_part(at + i * step, left);
        }
        FINE__UNROLL
        for (int i = 0; i < PIXELS; i++)
            if (i < count) {
                fine__real *y = to + i * to_step + c;

                if (p->add)
                    sum[i] += fine__vec_load_part(y, left);
                fine__vec_store_part(y, sum[i], left);
            }
    }
}

FINE__CLONES static void
multiply(const struct job *job, const struct fine__conv_strip *strip)
{
    const struct fine__conv_product *p = job->product;
    const struct fine__conv_strips *s = &job->strips;
    const int64_t width = s->walk.out_width, step = s->walk.stride;

    for (int64_t image = 0; image < strip->images; image++)
        for (int64_t row = 0; row < strip->rows; row++) {
            const fine__real *from = strip->first + image * s->image_step +
                                     row * step * s->row_step;
            fine__real *to = p->to + (strip->image + image) * p->image_step +
                             (strip->row + row) * p->row_step;
            int64_t i = 0;

            for (; i + PIXELS <= width; i += PIXELS)
                pixels(job, from + i * step * job->channels, to + i * p->column_step, PIXELS);
            for (; i < width; i++)
                pixels(job, from + i * step * job->channels, to + i * p->column_step, 1);
        }
}

static void
multiply_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__conv_strip strip = fine__conv_strip(&job->strips, tile, worker);

    multiply(job, &strip);
}

void
fine__conv_depthwise(struct fine__tape *t, const struct fine__conv_product *product)
{
    const struct fine__conv_walk *w = &product->walk;
    const struct fine__conv_numbers *from = &product->weight;
    struct job job = { .product = product, .area = w->kernel_height * w->kernel_width,
                       .channels = w->channels };
    const struct fine__arena_mark mark = fine__tape_mark(t);

    if (w->images * w->out_height * w->out_width == 0)
        return;
    job.cells = fine__tape_take(t, job.area * job.channels);
    if (job.cells == NULL || !fine__conv_cut(t, w, TILES, false, &job.strips))
        return;
    for (int64_t k = 0; k < job.area; k++)
        for (int64_t c = 0; c < job.channels; c++)
            job.cells[k * job.channels + c] = from->data[k / w->kernel_width * from->a +
                                                         k % w->kernel_width * from->b +
                                                         c * from->group];
    fine__parallel_for(t->ctx, job.strips.n, multiply_tile, &job);
    fine__tape_rewind(t, mark);
}

/* ---- the weight's gradient ---- */

/* `area` cells' sums over a strip of LANES channels from c on, added to sums. */
FINE__INLINE void
add_cells(const struct job *job, const struct fine__conv_strip *strip, int64_t c, int64_t first,
          int64_t area, fine__real *sums)
{
    const struct fine__conv_strips *s = &job->strips;
    const struct fine__conv_walk *w = &s->walk;
    const int64_t channels = job->channels, left = channels - c;
    fine__vec sum[MOST];

    FINE__UNROLL
    for (int k = 0; k < MOST; k++)
        if (k < area)
            sum[k] = FINE__VEC_ZERO;
    for (int64_t row = 0; row < strip->images * strip->rows; row++) {
        const int64_t image = row / strip->rows, at = row % strip->rows;
        const fine__real *x = strip->first + image * s->image_step +
                              at * w->stride * s->row_step + c;
        const fine__real *dy = job->dy + ((strip->image + image) * w->out_height + strip->row + at) *
                                             w->out_width * channels + c;

        for (int64_t i = 0; i < w->out_width; i++) {
            const fine__vec d = fine__vec_load_part(dy + i * channels, left);

            FINE__UNROLL
            for (int k = 0; k < MOST; k++)
                if (k < area)
                    sum[k] += d * fine__vec_load_part(x + s->offset[first + k], left);
            x += w->stride * channels;
        }
    }
    FINE__UNROLL
    for (int k = 0; k < MOST; k++)
        if (k < area) {
            fine__real *to = sums + (first + k) * channels + c;

            fine__vec_store_part(to, sum[k] + fine__vec_load_part(to, left), left);
        }
}

FINE__CLONES static void
add_strip(const struct job *job, const struct fine__conv_strip *strip, fine__real *sums)
{
    for (int64_t c = 0; c < job->channels; c += FINE__LANES)
        if (job->area == 9)
            add_cells(job, strip, c, 0, 9, sums);
        else if (job->area == 25)
            add_cells(job, strip, c, 0, 25, sums);
        else
            for (int64_t first = 0; first < job->area; first++)
                add_cells(job, strip, c, first, 1, sums);
}

static void
gradient_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const int64_t begin = job->strips.n * tile / job->chunks;
    const int64_t end = job->strips.n * (tile + 1) / job->chunks;
    fine__real *sums = job->sums + tile * job->area * job->channels;

    memset(sums, 0, (size_t)(job->area * job->channels) * sizeof *sums);
    for (int64_t i = begin; i < end; i++) {
        const struct fine__conv_strip strip = fine__conv_strip(&job->strips, i, worker);

        add_strip(job, &strip, sums);
    }
}

void
fine__conv_depthwise_gradient(struct fine__tape *t, const struct fine__conv_walk *walk,
                              const fine__real *dy, double beta, fine__real *dw)
{
    struct job job = { .area = walk->kernel_height * walk->kernel_width,
                       .channels = walk->channels, .dy = dy };
    const struct fine__arena_mark mark = fine__tape_mark(t);

    if (!fine__conv_cut(t, walk, TILES, false, &job.strips))
        return;
    job.chunks = job.strips.n < TILES ? job.strips.n : TILES;
    job.sums = fine__tape_take(t, job.chunks * job.area * job.channels);
    if (job.sums == NULL)
        return;
    fine__parallel_for(t->ctx, job.chunks, gradient_tile, &job);
    for (int64_t c = 0; c < job.channels; c++)
        for (int64_t k = 0; k < job.area; k++) {
            fine__real sum = 0;

            for (int64_t i = 0; i < job.chunks; i++)
                sum += job.sums[(i * job.area + k) * job.channels + c];
            dw[c * job.area + k] = beta == 0 ? sum : dw[c * job.area + k] + sum;
        }
    fine__tape_rewind(t, mark);
}
