/*
 * binary_cross_entropy — Σ over rows of the mean over columns of
 * log(1 + e^x) − value · x: each column is a yes or no of its own. Written as
 * max(x, 0) − value · x + log(1 + e^−|x|), which no logit is too large for.
 */
#include "ops/op.h"

#include <math.h>

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0];
    const float *values = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < x->count; i++) {
        const double at = (double)x->data[i];

        loss += fmax(at, 0) - (double)values[i] * at + log1p(exp(-fabs(at)));
    }
    n->out->data[0] = (fine__real)(loss * (double)x->shape[0] / (double)x->count);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0];
    const float *values = n->index[0];
    const double seed = (double)n->out->grad[0] * (double)x->shape[0] / (double)x->count;
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < x->count; i++) {
        const double small = exp(-fabs((double)x->data[i]));
        const double p = (x->data[i] < 0 ? small : 1) / (1 + small);

        dx[i] = (fine__real)((beta == 0 ? 0 : (double)dx[i]) + seed * (p - (double)values[i]));
    }
}

static const struct fine__op op = { "binary_cross_entropy", forward, backward };

struct fine__tensor *
fine__binary_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                           const float *values)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1, .index = { values } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__binary_cross_entropy(t, in[0], arg);
}

void
gc_cases(void)
{
    static const float values[] = { 0, 1, 1, 0.25f, 0, 1, 0, 1, 0, 0, 1, 1 };
    static const float none[] = { 0 };

    gc_check("binary_cross_entropy", build, values, 1, gc_input(2, 4, 3));
    gc_check("binary_cross_entropy", build, values, 1, gc_input(2, 12, 1));
    gc_value(build, none, 0.0, 0.693147180559945309);
    gc_value(build, none, 1.0, 1.31326168751822281);
}
#endif
