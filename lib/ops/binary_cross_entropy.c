/*
 * binary_cross_entropy — Σ over rows of the mean over columns of
 * log(1 + e^x) − value · x: each column is a yes or no of its own. Written as
 * max(x, 0) − value · x + log(1 + e^−|x|), which no logit is too large for.
 *
 * A column may weigh more, and what is 1 in it more than what is 0, as in PyTorch.
 */
#include "ops/op.h"

#include <math.h>

static double
weight_of(const float *weights, int64_t column)
{
    return weights != NULL ? (double)weights[column] : 1;
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0];
    const struct fine__criterion *how = n->index[1];
    const float *values = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < x->count; i++) {
        const double at = (double)x->data[i], value = (double)values[i];
        const double tail = log1p(exp(-fabs(at)));
        const int64_t column = i % x->shape[1];

        if (how == NULL)
            loss += fmax(at, 0) - value * at + tail;
        else    /* −log σ(x) and −log(1 − σ(x)), each with its weight */
            loss += weight_of(how->weights, column) *
                    (weight_of(how->positive_weights, column) * value * (fmax(-at, 0) + tail) +
                     (1 - value) * (fmax(at, 0) + tail));
    }
    n->out->data[0] = (fine__real)(loss * (double)x->shape[0] / (double)x->count);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0];
    const struct fine__criterion *how = n->index[1];
    const float *values = n->index[0];
    const double seed = (double)n->out->grad[0] * (double)x->shape[0] / (double)x->count;
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < x->count; i++) {
        const double small = exp(-fabs((double)x->data[i]));
        const double p = (x->data[i] < 0 ? small : 1) / (1 + small), value = (double)values[i];
        const int64_t column = i % x->shape[1];
        double d = p - value;

        if (how != NULL)
            d = weight_of(how->weights, column) *
                ((1 - value) * p - weight_of(how->positive_weights, column) * value *
                                       ((x->data[i] < 0 ? 1 : small) / (1 + small)));
        dx[i] = (fine__real)((beta == 0 ? 0 : (double)dx[i]) + seed * d);
    }
}

static const struct fine__op op = { "binary_cross_entropy", forward, backward };

struct fine__tensor *
fine__weighted_binary_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                    const float *values, const struct fine__criterion *how)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1,
                                  .index = { values, how } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

struct fine__tensor *
fine__binary_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                           const float *values)
{
    return fine__weighted_binary_cross_entropy(t, logits, values, NULL);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__binary_cross_entropy(t, in[0], arg);
}

static const float values[] = { 0, 1, 1, 0.25f, 0, 1, 0, 1, 0, 0, 1, 1 };

static struct fine__tensor *
build_weighted(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__weighted_binary_cross_entropy(t, in[0], values, arg);
}

void
gc_cases(void)
{
    static const float weights[] = { 0.5f, 2, 1 }, positive[] = { 3, 1, 0.25f };
    static const struct fine__criterion how = { .weights = weights, .positive_weights = positive };
    static const float none[] = { 0 };

    gc_check("binary_cross_entropy", build, values, 1, gc_input(2, 4, 3));
    gc_check("binary_cross_entropy", build, values, 1, gc_input(2, 12, 1));
    gc_check("weighted_binary_cross_entropy", build_weighted, &how, 1, gc_input(2, 4, 3));
    gc_value(build, none, 0.0, 0.693147180559945309);
    gc_value(build, none, 1.0, 1.31326168751822281);
}
#endif
