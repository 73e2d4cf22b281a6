/*
 * scale_channels — y = x · s, one s for each channel of each image: the excitation of
 * squeeze-and-excitation (Hu et al., arXiv 1709.01507).
 *
 * Backward: dx = dy · s, ds = Σ dy x over the image's pixels, a row of them first.
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>

struct job {
    const struct fine__node *n;
    int64_t height, width, channels;
    fine__real beta_x, beta_s, *dx, *ds;
};

FINE__CLONES static void
scale(const struct job *job, int64_t row)
{
    const int64_t channels = job->channels, first = row * job->width * channels;
    const fine__real *FINE__RESTRICT s = job->n->in[1]->data + row / job->height * channels;
    const fine__real *FINE__RESTRICT x = job->n->in[0]->data + first;
    fine__real *FINE__RESTRICT y = job->n->out->data + first;

    for (int64_t i = 0; i < job->width; i++)
        for (int64_t j = 0; j < channels; j++)
            y[i * channels + j] = x[i * channels + j] * s[j];
}

static void
forward_tile(void *arg, int64_t row, int worker)
{
    (void)worker;
    scale(arg, row);
}

/* dx of one image. */
FINE__CLONES static void
scale_back(const struct job *job, int64_t image)
{
    const int64_t channels = job->channels, pixels = job->height * job->width;
    const fine__real *FINE__RESTRICT s = job->n->in[1]->data + image * channels;
    const fine__real *FINE__RESTRICT dy = job->n->out->grad + image * pixels * channels;
    fine__real *FINE__RESTRICT dx = job->dx + image * pixels * channels;

    for (int64_t i = 0; i < pixels; i++)
        if (job->beta_x == 0)
            for (int64_t j = 0; j < channels; j++)
                dx[i * channels + j] = dy[i * channels + j] * s[j];
        else
            for (int64_t j = 0; j < channels; j++)
                dx[i * channels + j] += dy[i * channels + j] * s[j];
}

/* ds of one image. */
FINE__CLONES static void
sum(const struct job *job, int64_t image)
{
    const int64_t channels = job->channels, row_size = job->width * channels;
    const fine__real *x = job->n->in[0]->data + image * job->height * row_size;
    const fine__real *dy = job->n->out->grad + image * job->height * row_size;
    fine__real *ds = job->ds + image * channels;

    for (int64_t j = 0; j < channels; j += FINE__LANES) {
        const int64_t left = channels - j;
        fine__vec total = FINE__VEC_ZERO;

        for (int64_t row = 0; row < job->height; row++) {
            fine__vec part = FINE__VEC_ZERO;

            for (int64_t i = j + row * row_size; i < (row + 1) * row_size; i += channels)
                part += fine__vec_load_part(x + i, left) * fine__vec_load_part(dy + i, left);
            total += part;
        }
        if (job->beta_s != 0)
            total += fine__vec_load_part(ds + j, left);
        fine__vec_store_part(ds + j, total, left);
    }
}

static void
backward_tile(void *arg, int64_t image, int worker)
{
    const struct job *job = arg;

    (void)worker;
    if (job->dx != NULL)
        scale_back(job, image);
    if (job->ds != NULL)
        sum(job, image);
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

    fine__parallel_for(t->ctx, n->out->shape[0] * job.height, forward_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);
    double beta;

    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta_x = (fine__real)beta;
    job.ds = fine__grad(t, n->in[1], &beta);
    job.beta_s = (fine__real)beta;
    fine__parallel_for(t->ctx, n->out->shape[0], backward_tile, &job);
}

static const struct fine__op op = { "scale_channels", forward, backward };

struct fine__tensor *
fine__scale_channels(struct fine__tape *t, struct fine__tensor *x, struct fine__tensor *s)
{
    const struct fine__node n = { .op = &op, .in = { x, s }, .n_in = 2 };

    assert(t->status < 0 || x->shape[0] * x->shape[3] == s->count);
    return fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    (void)arg;
    return fine__scale_channels(t, in[0], in[1]);
}

void
gc_cases(void)
{
    gc_check("scale_channels", build, NULL, 2, gc_input(4, 3, 4, 5, 6), gc_input(2, 3, 6));
    gc_check("scale_channels", build, NULL, 2, gc_input(4, 2, 3, 2, 33), gc_input(2, 2, 33));
    gc_check("scale_channels", build, NULL, 2, gc_input(4, 1, 1, 1, 8), gc_input(2, 1, 8));
}
#endif
