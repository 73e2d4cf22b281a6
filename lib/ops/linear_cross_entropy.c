/*
 * linear_cross_entropy — Σ over rows of -log softmax(x Wᵀ + b) at the row's label, for a W
 * that is a whole vocabulary: the logits of a few rows exist at a time, never all of them.
 *
 * Rows are gone over in tiles of a bounded number of logits. Forward keeps log Σ e^logit of
 * each row, and the logits of the last tile as they are; backward begins with that tile and
 * makes the others again. A batch of one tile is therefore computed once.
 *
 * Backward: dlogits = seed (softmax - onehot), dx = dlogits W, dW += dlogitsᵀ x, db += Σ dlogits.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "ops/op.h"
#include "tensor/vmath.h"

enum { CHUNK = 64 * FINE__LANES }; /* numbers whose sum is taken in fine__real */

#ifdef FINE__GRADCHECK
enum { MOST_LOGITS = 40, LEAST_ROWS = 2 };
#else
enum { MOST_LOGITS = 1 << 24, LEAST_ROWS = 24 };
#endif

struct job {
    const int32_t *labels;
    fine__real *logits;             /* of the tile */
    int64_t width;
    double *losses, *log_sums;      /* one a row of the tile */
    double seed;
};

/* Rows of a tile; tiles are as equal as whole micro-tiles of the product allow. */
static int64_t
tile_rows(int64_t rows, int64_t width)
{
    const int64_t most = MOST_LOGITS / width > LEAST_ROWS ? MOST_LOGITS / width : LEAST_ROWS;
    const int64_t n_tiles = (rows + most - 1) / most;
    const int64_t each = (rows + n_tiles - 1) / n_tiles;

    return n_tiles == 1 ? rows : (each + LEAST_ROWS - 1) / LEAST_ROWS * LEAST_ROWS;
}

/* log Σ e^x */
FINE__CLONES static double
log_sum(const fine__real *x, int64_t n)
{
    const int64_t whole = n / FINE__LANES * FINE__LANES;
    fine__vec top = fine__vec_set(x[0]);
    fine__real largest;
    double sum = 0;

    for (int64_t j = 0; j < whole; j += FINE__LANES)
        top = fine__vec_max(fine__vec_load(x + j), top);
    largest = fine__vec_largest(top);
    for (int64_t j = whole; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    for (int64_t first = 0; first < whole; first += CHUNK) {
        const int64_t end = first + CHUNK < whole ? first + CHUNK : whole;
        fine__vec part = FINE__VEC_ZERO;

        for (int64_t j = first; j < end; j += FINE__LANES)
            part += fine__vec_exp(fine__vec_load(x + j) - largest);
        sum += (double)fine__vec_sum(part);
    }
    for (int64_t j = whole; j < n; j++)
        sum += exp((double)x[j] - (double)largest);
    return (double)largest + log(sum);
}

/* x becomes seed e^(x - sum). */
FINE__CLONES static void
to_slopes(fine__real *x, int64_t n, fine__real sum, fine__real seed)
{
    const int64_t whole = n / FINE__LANES * FINE__LANES;

    for (int64_t j = 0; j < whole; j += FINE__LANES)
        fine__vec_store(x + j, seed * fine__vec_exp(fine__vec_load(x + j) - sum));
    for (int64_t j = whole; j < n; j++)
        x[j] = (fine__real)((double)seed * exp((double)x[j] - (double)sum));
}

static void
forward_row(void *arg, int64_t i, int worker)
{
    const struct job *job = arg;
    const fine__real *row = job->logits + i * job->width;

    (void)worker;
    job->losses[i] = 0;
    job->log_sums[i] = 0;
    if (job->labels[i] < 0)
        return;
    job->log_sums[i] = log_sum(row, job->width);
    job->losses[i] = job->log_sums[i] - (double)row[job->labels[i]];
}

static void
backward_row(void *arg, int64_t i, int worker)
{
    const struct job *job = arg;
    fine__real *row = job->logits + i * job->width;

    (void)worker;
    if (job->labels[i] < 0) {
        memset(row, 0, (size_t)job->width * sizeof *row);
        return;
    }
    to_slopes(row, job->width, (fine__real)job->log_sums[i], (fine__real)job->seed);
    row[job->labels[i]] -= (fine__real)job->seed;
}

static void
make_logits(struct fine__tape *t, const struct fine__node *n, int64_t first, int64_t rows,
            fine__real *logits)
{
    const struct fine__tensor *x = n->in[0], *weight = n->in[1], *bias = n->in[2];
    const int64_t width = weight->shape[0], in = weight->shape[1];

    fine__gemm(t->ctx, rows, width, in, (struct fine__matrix){ x->data + first * in, in, 1 },
               (struct fine__matrix){ weight->data, 1, in }, bias != NULL ? bias->data : NULL, 0,
               logits, width);
}

/* What backward needs: log sums of all rows, and one tile of logits. */
struct kept {
    double *log_sums;
    fine__real *logits;
};

static bool
take(struct fine__tape *t, int64_t rows, int64_t tile, struct kept *out)
{
    out->log_sums = fine__arena_take_array(&t->arena, rows, sizeof *out->log_sums);
    if (out->log_sums == NULL)
        fine__tape_fail(t, FINE_ENOMEM);
    out->logits = fine__tape_take(t, tile);
    return t->status == 0;
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[1]->shape[0];
    const int64_t each = tile_rows(rows, width);
    struct fine__arena_mark mark = fine__tape_mark(t);
    struct kept *kept = fine__arena_take(&t->arena, sizeof *kept);
    double loss = 0;

    if (kept == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return;
    }
    if (!take(t, rows, each * width, kept))
        return;
    if (fine__records(n)) {
        n->index[1] = kept;
        mark = fine__tape_mark(t);
    }
    double *losses = fine__arena_take_array(&t->arena, rows, sizeof *losses);

    if (losses == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return;
    }
    for (int64_t first = 0; first < rows; first += each) {
        const int64_t some = rows - first < each ? rows - first : each;
        struct job job = { .labels = (const int32_t *)n->index[0] + first,
                           .logits = kept->logits,
                           .width = width,
                           .losses = losses + first,
                           .log_sums = kept->log_sums + first };

        make_logits(t, n, first, some, kept->logits);
        fine__parallel_for(t->ctx, some, forward_row, &job);
    }
    for (int64_t i = 0; i < rows; i++)
        loss += losses[i];
    n->out->data[0] = (fine__real)loss;
    fine__tape_rewind(t, mark);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct fine__tensor *x = n->in[0], *weight = n->in[1], *bias = n->in[2];
    const int64_t rows = x->shape[0], width = weight->shape[0], in = weight->shape[1];
    const int64_t each = tile_rows(rows, width), last = (rows - 1) / each * each;
    const struct kept *kept = n->index[1];
    double beta, weight_beta, bias_beta;
    fine__real *dx = fine__grad(t, x, &beta);
    fine__real *dweight = fine__grad(t, weight, &weight_beta);
    fine__real *dbias = fine__grad(t, bias, &bias_beta);

    if (dweight != NULL)
        fine__wake_rows(weight);
    if (dbias != NULL && bias_beta == 0)
        memset(dbias, 0, (size_t)width * sizeof *dbias);
    for (int64_t first = last; first >= 0 && t->status == 0; first -= each) {
        const int64_t some = rows - first < each ? rows - first : each;
        struct job job = { .labels = (const int32_t *)n->index[0] + first,
                           .logits = kept->logits,
                           .width = width,
                           .log_sums = kept->log_sums + first,
                           .seed = (double)n->out->grad[0] };

        if (first < last)
            make_logits(t, n, first, some, kept->logits);
        fine__parallel_for(t->ctx, some, backward_row, &job);
        if (dx != NULL)
            fine__gemm(t->ctx, some, in, width, (struct fine__matrix){ kept->logits, width, 1 },
                       (struct fine__matrix){ weight->data, in, 1 }, NULL, beta, dx + first * in,
                       in);
        if (dweight != NULL)
            fine__gemm(t->ctx, width, in, some, (struct fine__matrix){ kept->logits, 1, width },
                       (struct fine__matrix){ x->data + first * in, in, 1 }, NULL,
                       first == last ? weight_beta : 1, dweight, in);
        fine__add_column_sums(t, some, width, kept->logits, width, dbias);
    }
}

static const struct fine__op op = { "linear_cross_entropy", forward, backward };

struct fine__tensor *
fine__linear_cross_entropy(struct fine__tape *t, struct fine__tensor *x,
                           struct fine__tensor *weight, struct fine__tensor *bias,
                           const int32_t *labels)
{
    const struct fine__node n = { .op = &op, .in = { x, weight, bias }, .n_in = 3,
                                  .index = { labels } };
    const int64_t shape[1] = { 1 };

    assert(t->status < 0 || x->shape[1] == weight->shape[1]);
    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__linear_cross_entropy(t, in[0], in[1], in[2], arg);
}

static struct fine__tensor *
without_bias(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__linear_cross_entropy(t, in[0], in[1], NULL, arg);
}

void
gc_cases(void)
{
    static const int32_t labels[] = { 2, 0, -1, 18, 6, 3, 8, 1, -1 };

    /* one tile, and five of two rows */
    gc_check("linear_cross_entropy", build, labels, 3, gc_input(2, 2, 5), gc_input(2, 19, 5),
             gc_input(1, 19));
    gc_check("linear_cross_entropy", build, labels, 3, gc_input(2, 9, 5), gc_input(2, 19, 5),
             gc_input(1, 19));
    gc_check("linear_cross_entropy", without_bias, labels + 4, 2, gc_input(2, 5, 3),
             gc_input(2, 9, 3));
}
#endif
