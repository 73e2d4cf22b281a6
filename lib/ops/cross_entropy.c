/*
 * cross_entropy — Σ over rows of log Σ e^logit − logit[label]; rows labelled −1 count for
 * nothing. Softmax and logarithm are one, so that large logits are safe. The sum, not the
 * mean: the caller knows how many rows the whole step has. Rows are gone over by tiles and summed in
 * order; a vocabulary's logits are wide.
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <math.h>

static double
row_loss(const fine__real *logits, int64_t n, int32_t label)
{
    double largest = (double)logits[0], sum = 0;

    for (int64_t j = 1; j < n; j++)
        largest = (double)logits[j] > largest ? (double)logits[j] : largest;
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)logits[j] - largest);
    return largest + log(sum) - (double)logits[label];
}

/* Rows of a tile: a share of the vocabulary's width alone. */
static int64_t
tile_rows(const struct fine__tensor *logits)
{
    return logits->shape[1] >= FINE__TILE ? 1 : FINE__TILE / logits->shape[1];
}

struct job {
    const struct fine__node *n;
    double *losses;                 /* one a row */
    fine__real *dx;
    double beta;
};

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__tensor *logits = job->n->in[0];
    const int64_t width = logits->shape[1], first = tile * tile_rows(logits);
    const int32_t *labels = job->n->index[0];

    (void)worker;
    for (int64_t i = first; i < first + tile_rows(logits) && i < logits->shape[0]; i++)
        job->losses[i] = labels[i] < 0 ? 0 : row_loss(logits->data + i * width, width, labels[i]);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], each = tile_rows(n->in[0]);
    const struct fine__arena_mark mark = fine__tape_mark(t);
    struct job job = { .n = n,
                       .losses = fine__arena_take_array(&t->arena, rows, sizeof *job.losses) };
    double loss = 0;

    if (job.losses == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return;
    }
    fine__parallel_for(t->ctx, (rows + each - 1) / each, forward_tile, &job);
    for (int64_t i = 0; i < rows; i++)
        loss += job.losses[i];
    fine__tape_rewind(t, mark);
    n->out->data[0] = (fine__real)loss;
}

static void
backward_row(const struct job *job, int64_t i)
{
    const struct fine__tensor *logits = job->n->in[0];
    const int64_t width = logits->shape[1];
    const int32_t label = ((const int32_t *)job->n->index[0])[i];
    const fine__real *row = logits->data + i * width;
    fine__real *to = job->dx + i * width;
    const double seed = (double)job->n->out->grad[0];
    const double log_sum = label < 0 ? 0 : row_loss(row, width, label) + (double)row[label];

    for (int64_t j = 0; j < width; j++) {
        const double p = label < 0 ? 0 : exp((double)row[j] - log_sum) - (j == label ? 1 : 0);

        to[j] = (fine__real)((job->beta == 0 ? 0 : (double)to[j]) + seed * p);
    }
}

static void
backward_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__tensor *logits = job->n->in[0];
    const int64_t first = tile * tile_rows(logits);

    (void)worker;
    for (int64_t i = first; i < first + tile_rows(logits) && i < logits->shape[0]; i++)
        backward_row(job, i);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], each = tile_rows(n->in[0]);
    struct job job = { .n = n };

    job.dx = fine__grad(t, n->in[0], &job.beta);
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, (rows + each - 1) / each, backward_tile, &job);
}

static const struct fine__op op = { "cross_entropy", forward, backward };

struct fine__tensor *
fine__cross_entropy(struct fine__tape *t, struct fine__tensor *logits, const int32_t *labels)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1, .index = { labels } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__cross_entropy(t, in[0], arg);
}

void
gc_cases(void)
{
    static const int32_t labels[] = { 2, 0, -1, 1, 6 };

    gc_check("cross_entropy", build, labels, 1, gc_input(2, 5, 7));
    gc_check("cross_entropy", build, labels + 1, 1, gc_input(2, 1, 2));
}
#endif
