/*
 * layernorm — y = (s - mean s) / √(var s + ε) · weight + bias over the last axis, where s is
 * x, or residual + dropout(x) (Ba, Kiros & Hinton, arXiv 1607.06450). The variance is the
 * biased one, taken around the mean in a second pass.
 *
 * Backward, with x̂ the normalised row and g = dy · weight:
 *   ds = (g - mean g - x̂ mean(g x̂)) / √(var + ε).
 */
#include "base/parallel.h"
#include "ops/bits.h"
#include "ops/op.h"

#include <math.h>

enum { ROWS = 32 };

struct job {
    const struct fine__node *n;
    int64_t rows, width, n_tiles;
    uint32_t threshold;
    fine__real *sum;                /* s, where it isn't x itself */
    fine__real *moments;            /* mean and 1 / √(var + ε) of each row; NULL: nobody asks */
    fine__real *dx, *dresidual, *partial;
    fine__real beta_x, beta_residual;
};

/* sum[] of one row = residual + dropout(x) */
FINE__INLINE void
add_residual(const struct job *job, int64_t row, fine__real *FINE__RESTRICT sum)
{
    const fine__real *x = job->n->in[0]->data + row * job->width;
    const fine__real *residual = job->n->in[1]->data + row * job->width;
    const int64_t width = job->width;

    if (job->threshold == 0) {
        for (int64_t j = 0; j < width; j++)
            sum[j] = residual[j] + x[j];
        return;
    }
    const uint32_t key = fine__bits_row(job->n->dropout_key, row);
    const fine__real scale = fine__bits_scale(job->threshold);

    for (int64_t j = 0; j < width; j += FINE__LANES) {
        const fine__vec kept = fine__vec_select(fine__bits_keep(key, j, job->threshold),
                                                scale * fine__vec_load_part(x + j, width - j),
                                                FINE__VEC_ZERO);

        fine__vec_store_part(sum + j, kept + fine__vec_load_part(residual + j, width - j),
                             width - j);
    }
}

FINE__CLONES static void
forward_rows(const struct job *job, int64_t tile)
{
    const struct fine__node *n = job->n;
    const int64_t width = job->width, first = tile * ROWS;
    const int64_t last = first + ROWS < job->rows ? first + ROWS : job->rows;
    const fine__real *weight = n->in[2]->data, *bias = n->in[3]->data;

    for (int64_t i = first; i < last; i++) {
        const fine__real *s = n->in[0]->data + i * width;
        fine__real *y = n->out->data + i * width;
        fine__vec total = FINE__VEC_ZERO, squares = FINE__VEC_ZERO;

        if (n->in[1] != NULL) {
            fine__real *sum = job->sum != NULL ? job->sum + i * width : y;

            add_residual(job, i, sum);
            s = sum;
        }
        for (int64_t j = 0; j < width; j += FINE__LANES)
            total += fine__vec_load_part(s + j, width - j);
        const fine__real mean = fine__vec_sum(total) / (fine__real)width;

        for (int64_t j = 0; j < width; j += FINE__LANES) {
            fine__vec d = fine__vec_load_part(s + j, width - j) - mean;

            if (width - j < FINE__LANES)
                for (int64_t lane = width - j; lane < FINE__LANES; lane++)
                    d[lane] = 0;
            squares += d * d;
        }
        const fine__real variance = fine__vec_sum(squares) / (fine__real)width;
        const fine__real inverse = (fine__real)(1 / sqrt((double)variance + n->arg[0]));

        for (int64_t j = 0; j < width; j += FINE__LANES) {
            const fine__vec x = (fine__vec_load_part(s + j, width - j) - mean) * inverse;

            fine__vec_store_part(y + j, x * fine__vec_load_part(weight + j, width - j) +
                                        fine__vec_load_part(bias + j, width - j), width - j);
        }
        if (job->moments != NULL) {
            job->moments[2 * i] = mean;
            job->moments[2 * i + 1] = inverse;
        }
    }
}

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    forward_rows(arg, tile);
}

static struct job
job_of(const struct fine__node *n)
{
    struct job job = { .n = n, .width = n->out->shape[n->out->n_dims - 1],
                       .threshold = fine__bits_threshold(n->arg[1]) };

    job.rows = n->out->count / job.width;
    job.n_tiles = (job.rows + ROWS - 1) / ROWS;
    return job;
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);

    if (job.threshold != 0)
        n->dropout_key = fine__bits_key(t);
    if (fine__records(n)) {
        n->saved = fine__tape_take(t, 2 * job.rows + (n->in[1] != NULL ? n->out->count : 0));
        if (n->saved == NULL)
            return;
        job.moments = n->saved;
        job.sum = n->in[1] != NULL ? n->saved + 2 * job.rows : NULL;
    }
    fine__parallel_for(t->ctx, job.n_tiles, forward_tile, &job);
}

/* to[] = beta to[] + v */
FINE__INLINE void
put(fine__real *to, int64_t left, fine__real beta, fine__vec v)
{
    if (beta != 0)
        v += beta * fine__vec_load_part(to, left);
    fine__vec_store_part(to, v, left);
}

FINE__CLONES static void
backward_rows(const struct job *job, int64_t tile)
{
    const struct fine__node *n = job->n;
    const int64_t width = job->width, first = tile * ROWS;
    const int64_t last = first + ROWS < job->rows ? first + ROWS : job->rows;
    const fine__real *weight = n->in[2]->data;
    const fine__real scale = fine__bits_scale(job->threshold);
    fine__real *dweight = job->partial + 2 * tile * width, *dbias = dweight + width;

    for (int64_t j = 0; j < 2 * width; j++)
        dweight[j] = 0;
    for (int64_t i = first; i < last; i++) {
        const fine__real mean = job->moments[2 * i], inverse = job->moments[2 * i + 1];
        const fine__real *s = (job->sum != NULL ? job->sum : n->in[0]->data) + i * width;
        const fine__real *dy = n->out->grad + i * width;
        const uint32_t key = job->threshold != 0 ? fine__bits_row(n->dropout_key, i) : 0;
        fine__vec sum_g = FINE__VEC_ZERO, sum_gx = FINE__VEC_ZERO;

        for (int64_t j = 0; j < width; j += FINE__LANES) {
            const int64_t left = width - j;
            const fine__vec d = fine__vec_load_part(dy + j, left);
            const fine__vec x = (fine__vec_load_part(s + j, left) - mean) * inverse;
            const fine__vec g = d * fine__vec_load_part(weight + j, left);

            sum_g += g;
            sum_gx += g * x;
            put(dweight + j, left, 1, d * x);
            put(dbias + j, left, 1, d);
        }
        if (job->dx == NULL && job->dresidual == NULL)
            continue;
        const fine__real mean_g = fine__vec_sum(sum_g) / (fine__real)width;
        const fine__real mean_gx = fine__vec_sum(sum_gx) / (fine__real)width;

        for (int64_t j = 0; j < width; j += FINE__LANES) {
            const int64_t left = width - j;
            const fine__vec g = fine__vec_load_part(dy + j, left) *
                                fine__vec_load_part(weight + j, left);
            const fine__vec x = (fine__vec_load_part(s + j, left) - mean) * inverse;
            fine__vec ds = (g - mean_g - x * mean_gx) * inverse;

            if (job->dresidual != NULL)
                put(job->dresidual + i * width + j, left, job->beta_residual, ds);
            if (job->dx == NULL)
                continue;
            if (job->threshold != 0)
                ds = fine__vec_select(fine__bits_keep(key, j, job->threshold), scale * ds,
                                      FINE__VEC_ZERO);
            put(job->dx + i * width + j, left, job->beta_x, ds);
        }
    }
}

static void
backward_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    backward_rows(arg, tile);
}

FINE__CLONES static void
add_partial(const struct job *job, fine__real *dweight, fine__real *dbias)
{
    for (int64_t tile = 0; tile < job->n_tiles; tile++) {
        const fine__real *partial = job->partial + 2 * tile * job->width;

        for (int64_t j = 0; dweight != NULL && j < job->width; j++)
            dweight[j] += partial[j];
        for (int64_t j = 0; dbias != NULL && j < job->width; j++)
            dbias[j] += partial[job->width + j];
    }
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);
    double beta;

    job.moments = n->saved;
    job.sum = n->in[1] != NULL ? n->saved + 2 * job.rows : NULL;
    /* The residual first: x may be the same tensor. */
    job.dresidual = fine__grad(t, n->in[1], &beta);
    job.beta_residual = (fine__real)beta;
    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta_x = (fine__real)beta;
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.partial = fine__tape_take(t, 2 * job.n_tiles * job.width);
    if (job.partial == NULL)
        return;
    fine__parallel_for(t->ctx, job.n_tiles, backward_tile, &job);
    fine__real *dweight = fine__grad(t, n->in[2], &beta);

    if (dweight != NULL && beta == 0)
        for (int64_t j = 0; j < job.width; j++)
            dweight[j] = 0;
    fine__real *dbias = fine__grad(t, n->in[3], &beta);

    if (dbias != NULL && beta == 0)
        for (int64_t j = 0; j < job.width; j++)
            dbias[j] = 0;
    add_partial(&job, dweight, dbias);
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "layernorm", forward, backward };

struct fine__tensor *
fine__layernorm(struct fine__tape *t, struct fine__tensor *x, struct fine__tensor *residual,
                struct fine__tensor *weight, struct fine__tensor *bias, double eps, double p)
{
    const struct fine__node n = { .op = &op, .in = { x, residual, weight, bias }, .n_in = 4,
                                  .arg = { eps, residual != NULL ? p : 0 } };

    return fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
plain(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__layernorm(t, in[0], NULL, in[1], in[2], *(const double *)arg, 0);
}

static struct fine__tensor *
with_residual(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__layernorm(t, in[0], in[1], in[2], in[3], 1e-12, *(const double *)arg);
}

void
gc_cases(void)
{
    static const double eps[] = { 1e-12, 1e-5 }, p[] = { 0, 0.3 };

    for (int i = 0; i < 2; i++) {
        gc_check("layernorm", plain, &eps[i], 3, gc_input(2, 5, 11), gc_input(1, 11),
                 gc_input(1, 11));
        gc_check("layernorm", plain, &eps[i], 3, gc_input(2, 67, 16), gc_input(1, 16),
                 gc_input(1, 16));
        gc_check("layernorm", with_residual, &p[i], 4, gc_input(2, 40, 19), gc_input(2, 40, 19),
                 gc_input(1, 19), gc_input(1, 19));
    }
}
#endif
