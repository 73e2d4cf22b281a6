/*
 * cross_entropy — Σ over rows of log Σ e^logit − logit[label]; rows labelled −1 count for
 * nothing. Softmax and logarithm are one, so that large logits are safe. The sum, not the
 * mean: the caller knows how many rows the whole step has. Rows are gone over by tiles and summed in
 * order; a vocabulary's logits are wide.
 *
 * Classes may weigh differently, targets be smoothed (Szegedy et al., arXiv 1512.00567; as
 * PyTorch does, every class with its own weight), or rows that are sure already count less
 * (the focal loss, Lin et al., arXiv 1708.02002).
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

static bool
is_plain(const struct fine__criterion *how)
{
    return how == NULL || (how->weights == NULL && !(how->smoothing > 0) && !(how->focus > 0));
}

static double
weight_of(const struct fine__criterion *how, int64_t class)
{
    return how->weights != NULL ? (double)how->weights[class] : 1;
}

/* How much a row's own loss counts, and the loss of all classes where targets are smoothed. */
static double
weighted_loss(const struct fine__criterion *how, const fine__real *logits, int64_t n,
              int32_t label)
{
    const double own = row_loss(logits, n, label), all = own + (double)logits[label];
    double loss = (1 - how->smoothing) * weight_of(how, label) * own;

    if (how->focus > 0)
        loss *= pow(-expm1(-own), how->focus);
    for (int64_t j = 0; j < n && how->smoothing > 0; j++)
        loss += how->smoothing / (double)n * weight_of(how, j) * (all - (double)logits[j]);
    return loss;
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

    const struct fine__criterion *how = job->n->index[1];

    (void)worker;
    for (int64_t i = first; i < first + tile_rows(logits) && i < logits->shape[0]; i++) {
        const fine__real *row = logits->data + i * width;

        job->losses[i] = labels[i] < 0  ? 0
                         : is_plain(how) ? row_loss(row, width, labels[i])
                                         : weighted_loss(how, row, width, labels[i]);
    }
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
weighted_backward_row(const struct job *job, int64_t i)
{
    const struct fine__criterion *how = job->n->index[1];
    const int64_t n = job->n->in[0]->shape[1];
    const int32_t label = ((const int32_t *)job->n->index[0])[i];
    const fine__real *row = job->n->in[0]->data + i * n;
    fine__real *to = job->dx + i * n;
    const double seed = (double)job->n->out->grad[0];
    const double own = label < 0 ? 0 : row_loss(row, n, label);
    const double all = label < 0 ? 0 : own + (double)row[label];
    double target = label < 0 ? 0 : (1 - how->smoothing) * weight_of(how, label), weights = 0;

    if (label >= 0 && how->focus > 0) {
        const double p = exp(-own), rest = -expm1(-own);

        target *= rest > 0 ? pow(rest, how->focus - 1) * (rest + how->focus * p * own) : 0;
    }
    for (int64_t j = 0; j < n && how->smoothing > 0; j++)
        weights += weight_of(how, j);
    for (int64_t j = 0; j < n; j++) {
        const double p = label < 0 ? 0 : exp((double)row[j] - all);
        double d = target * (p - (j == label ? 1 : 0));

        if (label >= 0 && how->smoothing > 0)
            d += how->smoothing / (double)n * (p * weights - weight_of(how, j));
        to[j] = (fine__real)((job->beta == 0 ? 0 : (double)to[j]) + seed * d);
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
        if (is_plain(job->n->index[1]))
            backward_row(job, i);
        else
            weighted_backward_row(job, i);
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
fine__weighted_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                             const int32_t *labels, const struct fine__criterion *how)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1,
                                  .index = { labels, how } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

struct fine__tensor *
fine__cross_entropy(struct fine__tape *t, struct fine__tensor *logits, const int32_t *labels)
{
    return fine__weighted_cross_entropy(t, logits, labels, NULL);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__cross_entropy(t, in[0], arg);
}

static const int32_t labels[] = { 2, 0, -1, 1, 6 };

static struct fine__tensor *
build_weighted(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__weighted_cross_entropy(t, in[0], labels, arg);
}

void
gc_cases(void)
{
    static const float weights[] = { 0.5f, 2, 1, 0, 1, 3, 0.25f };
    static const struct fine__criterion hows[] = { { .weights = weights },
                                                   { .smoothing = 0.1 },
                                                   { .weights = weights, .smoothing = 0.3 },
                                                   { .weights = weights, .focus = 2 } };

    gc_check("cross_entropy", build, labels, 1, gc_input(2, 5, 7));
    gc_check("cross_entropy", build, labels + 1, 1, gc_input(2, 1, 2));
    for (int i = 0; i < 4; i++)
        gc_check("weighted_cross_entropy", build_weighted, &hows[i], 1, gc_input(2, 5, 7));
}
#endif
