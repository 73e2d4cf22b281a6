/*
 * max_pool2d — the largest of each window, the cells around the image left out. NaN wins.
 *
 * Backward finds the place again: the first cell of the window, row by row, that is what came
 * out (of a window with NaN: the first cell). One image is one tile, since windows overlap.
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>
#include <math.h>

struct job {
    const struct fine__node *n;
    int64_t size, stride, pad;
    fine__real beta, *dx;
};

/* The cells of the image that a window covers in one direction: [*first, *last). */
FINE__INLINE void
window(const struct job *job, int64_t at, int64_t n, int64_t *first, int64_t *last)
{
    const int64_t begin = at * job->stride - job->pad, end = begin + job->size;

    *first = begin > 0 ? begin : 0;
    *last = end < n ? end : n;
}

FINE__CLONES static void
pool_row(const struct job *job, int64_t row)
{
    const struct fine__tensor *x = job->n->in[0], *y = job->n->out;
    const int64_t channels = x->shape[3], image = row / y->shape[1];
    const fine__real *from = x->data + image * x->shape[1] * x->shape[2] * channels;
    int64_t top, bottom, left, right;

    window(job, row % y->shape[1], x->shape[1], &top, &bottom);
    for (int64_t i = 0; i < y->shape[2]; i++) {
        fine__real *to = y->data + (row * y->shape[2] + i) * channels;

        window(job, i, x->shape[2], &left, &right);
        for (int64_t j = 0; j < channels; j += FINE__LANES) {
            fine__vec best = fine__vec_set(-(fine__real)INFINITY), wrong = FINE__VEC_ZERO;

            for (int64_t h = top; h < bottom; h++)
                for (int64_t w = left; w < right; w++) {
                    const fine__vec v = fine__vec_load_part(
                        from + (h * x->shape[2] + w) * channels + j, channels - j);

                    best = fine__vec_max(v, best);
                    wrong = fine__vec_select(v == v, wrong, v);
                }
            fine__vec_store_part(to + j, best + wrong, channels - j);
        }
    }
}

static void
forward_tile(void *arg, int64_t row, int worker)
{
    (void)worker;
    pool_row(arg, row);
}

/* Gives dy of one window to the first cell that nothing is above. */
FINE__INLINE void
give(const struct job *job, const fine__real *x, fine__real *dx, int64_t image_width,
     const int64_t box[4], fine__vec y, fine__vec dy, int64_t left)
{
    const int64_t channels = job->n->out->shape[3];

    for (int64_t h = box[0]; h < box[1]; h++)
        for (int64_t w = box[2]; w < box[3]; w++) {
            const int64_t at = (h * image_width + w) * channels;
            const fine__vec v = fine__vec_load_part(x + at, left);
            const fine__vec kept = fine__vec_select(v < y, dy, FINE__VEC_ZERO);

            fine__vec_store_part(dx + at, fine__vec_load_part(dx + at, left) + (dy - kept), left);
            dy = kept;
        }
}

FINE__CLONES static void
unpool(const struct job *job, int64_t image)
{
    const struct fine__tensor *x = job->n->in[0], *y = job->n->out;
    const int64_t channels = x->shape[3], size = x->shape[1] * x->shape[2] * channels;
    const fine__real *from = x->data + image * size;
    fine__real *dx = job->dx + image * size;
    int64_t box[4];

    if (job->beta == 0)
        for (int64_t i = 0; i < size; i++)
            dx[i] = 0;
    for (int64_t row = 0; row < y->shape[1]; row++) {
        window(job, row, x->shape[1], &box[0], &box[1]);
        for (int64_t i = 0; i < y->shape[2]; i++) {
            const int64_t at = ((image * y->shape[1] + row) * y->shape[2] + i) * channels;

            window(job, i, x->shape[2], &box[2], &box[3]);
            for (int64_t j = 0; j < channels; j += FINE__LANES)
                give(job, from + j, dx + j, x->shape[2], box,
                     fine__vec_load_part(y->data + at + j, channels - j),
                     fine__vec_load_part(y->grad + at + j, channels - j), channels - j);
        }
    }
}

static void
backward_tile(void *arg, int64_t image, int worker)
{
    (void)worker;
    unpool(arg, image);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n, .size = n->size[0], .stride = n->size[1], .pad = n->size[2] };

    fine__parallel_for(t->ctx, n->out->shape[0] * n->out->shape[1], forward_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n, .size = n->size[0], .stride = n->size[1], .pad = n->size[2] };
    double beta;

    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, n->out->shape[0], backward_tile, &job);
}

static const struct fine__op op = { "max_pool2d", forward, backward };

struct fine__tensor *
fine__max_pool2d(struct fine__tape *t, struct fine__tensor *x, int64_t size, int64_t stride,
                 int64_t pad)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1,
                                  .size = { size, stride, pad } };

    if (t->status < 0)
        return x;
    const int64_t shape[4] = { x->shape[0], (x->shape[1] + 2 * pad - size) / stride + 1,
                               (x->shape[2] + 2 * pad - size) / stride + 1, x->shape[3] };

    /* no window without a cell */
    assert(pad < size && x->shape[1] + 2 * pad >= size && x->shape[2] + 2 * pad >= size);
    return fine__apply(t, &n, 4, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    const int64_t *how = arg;

    return fine__max_pool2d(t, in[0], how[0], how[1], how[2]);
}

void
gc_cases(void)
{
    static const int64_t how[4][3] = { { 3, 2, 1 }, { 2, 2, 0 }, { 3, 1, 1 }, { 1, 1, 0 } };

    for (int i = 0; i < 4; i++) {
        gc_check("max_pool2d", build, how[i], 1, gc_input(4, 2, 9, 8, 3));
        gc_check("max_pool2d", build, how[i], 1, gc_input(4, 3, 4, 7, 11));
        gc_check("max_pool2d", build, how[i], 1, gc_input(4, 1, 2, 2, 1));
    }
}
#endif
