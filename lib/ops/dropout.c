/*
 * dropout — elements zeroed with probability p, the others divided by 1 - p (Srivastava et
 * al., JMLR 15, 2014). No mask is stored: the bits are made again (bits.h).
 */
#include "base/parallel.h"
#include "ops/bits.h"
#include "ops/op.h"

uint64_t
fine__bits_key(struct fine__tape *tape)
{
    return fine__rng_mix(tape->dropout_key + ++tape->n_dropouts) | 1;
}

struct job {
    int64_t count;
    uint64_t key;
    uint32_t threshold;
    const fine__real *from;
    fine__real beta, *to;
};

/* Rows of FINE__TILE elements, whatever the tensor's shape. */
FINE__CLONES static void
run(const struct job *job, int64_t tile)
{
    const int64_t begin = tile * FINE__TILE, rest = job->count - begin;
    const int64_t n = rest < FINE__TILE ? rest : FINE__TILE;
    const uint32_t row = fine__bits_row(job->key, tile);
    const fine__real scale = fine__bits_scale(job->threshold);
    const fine__real *from = job->from + begin;
    fine__real *to = job->to + begin;

    for (int64_t i = 0; i < n; i += FINE__LANES) {
        const int64_t part = n - i < FINE__LANES ? n - i : FINE__LANES;
        const fine__vec_mask keep = fine__bits_keep(row, i, job->threshold);
        fine__vec v = fine__vec_select(keep, scale * fine__vec_load_part(from + i, part),
                                       FINE__VEC_ZERO);

        if (job->beta != 0)
            v += job->beta * fine__vec_load_part(to + i, part);
        fine__vec_store_part(to + i, v, part);
    }
}

static void
run_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    run(arg, tile);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .count = n->out->count, .threshold = fine__bits_threshold(n->arg[0]),
                       .from = n->in[0]->data, .to = n->out->data };

    n->dropout_key = job.key = fine__bits_key(t);
    fine__parallel_for(t->ctx, (job.count + FINE__TILE - 1) / FINE__TILE, run_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    double beta;
    struct job job = { .count = n->out->count, .key = n->dropout_key,
                       .threshold = fine__bits_threshold(n->arg[0]), .from = n->out->grad };

    job.to = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.to != NULL)
        fine__parallel_for(t->ctx, (job.count + FINE__TILE - 1) / FINE__TILE, run_tile, &job);
}

static const struct fine__op op = { "dropout", forward, backward };

struct fine__tensor *
fine__dropout(struct fine__tape *t, struct fine__tensor *x, double p)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .arg = { p } };

    return p <= 0 || t->status < 0 ? x : fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__dropout(t, in[0], *(const double *)arg);
}

void
gc_cases(void)
{
    static const double p[] = { 0.1, 0.5, 0.9 };

    for (int i = 0; i < 3; i++) {
        gc_check("dropout", build, &p[i], 1, gc_input(2, 7, 9));
        gc_check("dropout", build, &p[i], 1, gc_input(1, 1));
    }
}
#endif
