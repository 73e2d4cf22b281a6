/*
 * global_pool — the mean of each channel over an image's pixels. A row of pixels is summed
 * first, then the rows' sums, which keeps the rounding of large images small.
 */
#include "base/parallel.h"
#include "ops/op.h"

struct job {
    const struct fine__node *n;
    int64_t height, width, channels;
    fine__real beta, *dx;
};

FINE__CLONES static void
average(const struct job *job, int64_t image)
{
    const int64_t channels = job->channels, pixels = job->height * job->width;
    const fine__real *x = job->n->in[0]->data + image * pixels * channels;
    fine__real *y = job->n->out->data + image * channels;

    for (int64_t j = 0; j < channels; j += FINE__LANES) {
        const int64_t left = channels - j;
        fine__vec total = FINE__VEC_ZERO;

        for (int64_t row = 0; row < job->height; row++) {
            const fine__real *from = x + row * job->width * channels + j;
            fine__vec sum = FINE__VEC_ZERO;

            for (int64_t i = 0; i < job->width; i++)
                sum += fine__vec_load_part(from + i * channels, left);
            total += sum;
        }
        fine__vec_store_part(y + j, total / (fine__real)pixels, left);
    }
}

static void
forward_tile(void *arg, int64_t image, int worker)
{
    (void)worker;
    average(arg, image);
}

FINE__CLONES static void
spread(const struct job *job, int64_t image)
{
    const int64_t channels = job->channels, pixels = job->height * job->width;
    const fine__real *dy = job->n->out->grad + image * channels;
    const fine__real share = 1 / (fine__real)pixels;

    for (int64_t i = 0; i < pixels; i++) {
        fine__real *dx = job->dx + (image * pixels + i) * channels;

        if (job->beta == 0)
            for (int64_t j = 0; j < channels; j++)
                dx[j] = dy[j] * share;
        else
            for (int64_t j = 0; j < channels; j++)
                dx[j] += dy[j] * share;
    }
}

static void
backward_tile(void *arg, int64_t image, int worker)
{
    (void)worker;
    spread(arg, image);
}

static struct job
job_of(const struct fine__node *n)
{
    const int64_t *shape = n->in[0]->shape;

    return (struct job){ .n = n, .height = shape[1], .width = shape[2], .channels = shape[3] };
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);

    fine__parallel_for(t->ctx, n->out->shape[0], forward_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);
    double beta;

    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, n->out->shape[0], backward_tile, &job);
}

static const struct fine__op op = { "global_pool", forward, backward };

struct fine__tensor *
fine__global_pool(struct fine__tape *t, struct fine__tensor *x)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1 };
    const int64_t shape[2] = { x->shape[0], x->shape[3] };

    return fine__apply(t, &n, 2, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    (void)arg;
    return fine__global_pool(t, in[0]);
}

void
gc_cases(void)
{
    gc_check("global_pool", build, NULL, 1, gc_input(4, 3, 4, 5, 6));
    gc_check("global_pool", build, NULL, 1, gc_input(4, 2, 3, 1, 33));
    gc_check("global_pool", build, NULL, 1, gc_input(4, 1, 1, 1, 8));
}
#endif
