/*
 * pad_channels — every stride-th row and column of an image, between channels of zeros: the
 * shortcut without parameters of ResNets for small images (He et al., arXiv 1512.03385,
 * section 4.2, option A).
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>

struct job {
    const struct fine__node *n;
    int64_t stride, before;
    fine__real beta, *dx;
};

FINE__CLONES static void
spread(const struct job *job, int64_t row)
{
    const struct fine__tensor *x = job->n->in[0], *y = job->n->out;
    const int64_t channels = x->shape[3], wide = y->shape[3], before = job->before;
    const int64_t image = row / y->shape[1], at = row % y->shape[1] * job->stride;
    const fine__real *from = x->data + (image * x->shape[1] + at) * x->shape[2] * channels;
    fine__real *to = y->data + row * y->shape[2] * wide;

    for (int64_t i = 0; i < y->shape[2]; i++, from += job->stride * channels, to += wide) {
        for (int64_t j = 0; j < before; j++)
            to[j] = 0;
        for (int64_t j = 0; j < channels; j++)
            to[before + j] = from[j];
        for (int64_t j = before + channels; j < wide; j++)
            to[j] = 0;
    }
}

static void
forward_tile(void *arg, int64_t row, int worker)
{
    (void)worker;
    spread(arg, row);
}

/* One row of dx; those that were left out get nothing. */
FINE__CLONES static void
gather(const struct job *job, int64_t row)
{
    const struct fine__tensor *x = job->n->in[0], *y = job->n->out;
    const int64_t channels = x->shape[3], wide = y->shape[3], stride = job->stride;
    const int64_t image = row / x->shape[1], at = row % x->shape[1];
    const fine__real *dy = y->grad + (image * y->shape[1] + at / stride) * y->shape[2] * wide +
                           job->before;
    fine__real *dx = job->dx + row * x->shape[2] * channels;

    if (job->beta == 0)
        for (int64_t j = 0; j < x->shape[2] * channels; j++)
            dx[j] = 0;
    if (at % stride != 0)
        return;
    for (int64_t i = 0; i < y->shape[2]; i++, dy += wide, dx += stride * channels)
        for (int64_t j = 0; j < channels; j++)
            dx[j] += dy[j];
}

static void
backward_tile(void *arg, int64_t row, int worker)
{
    (void)worker;
    gather(arg, row);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n, .stride = n->size[0], .before = n->size[1] };

    fine__parallel_for(t->ctx, n->out->shape[0] * n->out->shape[1], forward_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n, .stride = n->size[0], .before = n->size[1] };
    double beta;

    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, n->in[0]->shape[0] * n->in[0]->shape[1], backward_tile, &job);
}

static const struct fine__op op = { "pad_channels", forward, backward };

struct fine__tensor *
fine__pad_channels(struct fine__tape *t, struct fine__tensor *x, int64_t stride, int64_t before,
                   int64_t after)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .size = { stride, before } };
    const int64_t shape[4] = { x->shape[0], (x->shape[1] + stride - 1) / stride,
                               (x->shape[2] + stride - 1) / stride,
                               before + x->shape[3] + after };

    assert(t->status < 0 || (stride > 0 && before >= 0 && after >= 0));
    return t->status < 0 ? x : fine__apply(t, &n, 4, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    const int64_t *how = arg;

    return fine__pad_channels(t, in[0], how[0], how[1], how[2]);
}

void
gc_cases(void)
{
    static const int64_t how[3][3] = { { 2, 3, 3 }, { 1, 0, 5 }, { 3, 1, 0 } };

    for (int i = 0; i < 3; i++) {
        gc_check("pad_channels", build, how[i], 1, gc_input(4, 3, 5, 4, 6));
        gc_check("pad_channels", build, how[i], 1, gc_input(4, 2, 4, 7, 3));
        gc_check("pad_channels", build, how[i], 1, gc_input(4, 1, 1, 1, 1));
    }
}
#endif
