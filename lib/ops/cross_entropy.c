/*
 * cross_entropy — Σ over rows of log Σ e^logit − logit[label]; rows labelled −1 count for
 * nothing. Softmax and logarithm are one, so that large logits are safe. The sum, not the
 * mean: the caller knows how many rows the whole step has.
 */
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

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *logits = n->in[0];
    const int64_t width = logits->shape[1];
    const int32_t *labels = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < logits->shape[0]; i++)
        if (labels[i] >= 0)
            loss += row_loss(logits->data + i * width, width, labels[i]);
    n->out->data[0] = (fine__real)loss;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *logits = n->in[0];
    const int64_t width = logits->shape[1];
    const int32_t *labels = n->index[0];
    const double seed = (double)n->out->grad[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    if (dx == NULL)
        return;
    for (int64_t i = 0; i < logits->shape[0]; i++) {
        const fine__real *row = logits->data + i * width;
        fine__real *to = dx + i * width;
        const double log_sum = labels[i] < 0 ? 0 : row_loss(row, width, labels[i]) +
                                                   (double)row[labels[i]];

        for (int64_t j = 0; j < width; j++) {
            const double p = labels[i] < 0 ? 0 : exp((double)row[j] - log_sum) -
                                                 (j == labels[i] ? 1 : 0);

            to[j] = (fine__real)((beta == 0 ? 0 : (double)to[j]) + seed * p);
        }
    }
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
