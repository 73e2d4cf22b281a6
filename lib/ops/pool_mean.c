/* pool_mean — the mean over each sequence's rows, as sentence encoders are trained with. */
#include "base/parallel.h"
#include "ops/op.h"

struct job {
    const struct fine__node *n;
    fine__real *dx, beta;
};

FINE__CLONES static void
forward_seq(const struct fine__node *n, int64_t seq)
{
    const int64_t width = n->out->shape[1], *offsets = n->index[0];
    const int64_t first = offsets[seq], tokens = offsets[seq + 1] - first;
    fine__real *FINE__RESTRICT out = n->out->data + seq * width;

    for (int64_t j = 0; j < width; j++)
        out[j] = 0;
    for (int64_t i = first; i < first + tokens; i++)
        for (int64_t j = 0; j < width; j++)
            out[j] += n->in[0]->data[i * width + j];
    for (int64_t j = 0; j < width; j++)
        out[j] /= (fine__real)tokens;
}

FINE__CLONES static void
backward_seq(const struct job *job, int64_t seq)
{
    const struct fine__node *n = job->n;
    const int64_t width = n->out->shape[1], *offsets = n->index[0];
    const int64_t first = offsets[seq], tokens = offsets[seq + 1] - first;
    const fine__real *dy = n->out->grad + seq * width, share = 1 / (fine__real)tokens;

    for (int64_t i = first; i < first + tokens; i++) {
        fine__real *FINE__RESTRICT dx = job->dx + i * width;

        for (int64_t j = 0; j < width; j++)
            dx[j] = (job->beta == 0 ? 0 : dx[j]) + share * dy[j];
    }
}

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    forward_seq(arg, tile);
}

static void
backward_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    backward_seq(arg, tile);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    fine__parallel_for(t->ctx, n->out->shape[0], forward_tile, n);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n };
    double beta;

    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, n->out->shape[0], backward_tile, &job);
}

static const struct fine__op op = { "pool_mean", forward, backward };

struct fine__tensor *
fine__pool_mean(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                const int64_t *offsets)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .index = { offsets } };
    const int64_t shape[2] = { n_seqs, x->shape[1] };

    return fine__apply(t, &n, 2, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__pool_mean(t, in[0], 3, arg);
}

void
gc_cases(void)
{
    static const int64_t offsets[] = { 0, 4, 5, 9 };

    gc_check("pool_mean", build, offsets, 1, gc_input(2, 9, 5));
}
#endif
