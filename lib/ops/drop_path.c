/*
 * drop_path — whole images of a batch zeroed with probability p, the others divided by 1 - p:
 * before a residual is added, this leaves a layer out (stochastic depth: Huang et al., arXiv
 * 1603.09382). The bits are made again in backward (bits.h).
 */
#include "base/parallel.h"
#include "ops/bits.h"
#include "ops/op.h"

struct job {
    int64_t width;                  /* numbers a row */
    uint64_t key;
    uint32_t threshold;
    const fine__real *from;
    fine__real beta, *to;
};

FINE__CLONES static void
run(const struct job *job, int64_t row)
{
    const bool keep = fine__bits_row(job->key, row) >= job->threshold;
    const fine__real scale = keep ? fine__bits_scale(job->threshold) : 0;
    const fine__real *FINE__RESTRICT from = job->from + row * job->width;
    fine__real *FINE__RESTRICT to = job->to + row * job->width;

    if (!keep && job->beta == 0)        /* not 0 · NaN */
        for (int64_t j = 0; j < job->width; j++)
            to[j] = 0;
    else if (keep && job->beta == 0)
        for (int64_t j = 0; j < job->width; j++)
            to[j] = scale * from[j];
    else if (keep)
        for (int64_t j = 0; j < job->width; j++)
            to[j] += scale * from[j];
}

static void
run_tile(void *arg, int64_t row, int worker)
{
    (void)worker;
    run(arg, row);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->out->shape[0];
    struct job job = { .threshold = fine__bits_threshold(n->arg[0]), .from = n->in[0]->data,
                       .to = n->out->data };

    n->dropout_key = job.key = fine__bits_key(t);
    job.width = rows > 0 ? n->out->count / rows : 0;
    fine__parallel_for(t->ctx, rows, run_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->out->shape[0];
    struct job job = { .threshold = fine__bits_threshold(n->arg[0]), .from = n->out->grad,
                       .key = n->dropout_key };
    double beta;

    job.to = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    job.width = rows > 0 ? n->out->count / rows : 0;
    if (job.to != NULL)
        fine__parallel_for(t->ctx, rows, run_tile, &job);
}

static const struct fine__op op = { "drop_path", forward, backward };

struct fine__tensor *
fine__drop_path(struct fine__tape *t, struct fine__tensor *x, double p)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .arg = { p } };

    return p <= 0 || t->status < 0 ? x : fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__drop_path(t, in[0], *(const double *)arg);
}

void
gc_cases(void)
{
    static const double p[] = { 0.2, 0.5, 0.9 };

    for (int i = 0; i < 3; i++) {
        gc_check("drop_path", build, &p[i], 1, gc_input(4, 7, 2, 3, 5));
        gc_check("drop_path", build, &p[i], 1, gc_input(2, 11, 3));
        gc_check("drop_path", build, &p[i], 1, gc_input(1, 1));
    }
}
#endif
