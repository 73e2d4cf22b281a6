/*
 * soft_cross_entropy — Σ over rows of −Σ target · log softmax: targets are shares of classes
 * (mixed images, a smoothed label), not one class.
 */
#include "ops/op.h"

#include <math.h>

/* log Σ e^logit of a row. */
static double
log_sum(const fine__real *logits, int64_t n)
{
    double largest = (double)logits[0], sum = 0;

    for (int64_t j = 1; j < n; j++)
        largest = fmax(largest, (double)logits[j]);
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)logits[j] - largest);
    return largest + log(sum);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const float *targets = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < rows; i++) {
        const fine__real *row = n->in[0]->data + i * width;
        const double all = log_sum(row, width);

        for (int64_t j = 0; j < width; j++)
            loss += (double)targets[i * width + j] * (all - (double)row[j]);
    }
    n->out->data[0] = (fine__real)loss;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const double seed = (double)n->out->grad[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < rows; i++) {
        const fine__real *row = n->in[0]->data + i * width;
        const float *target = (const float *)n->index[0] + i * width;
        const double all = log_sum(row, width);
        double share = 0;

        for (int64_t j = 0; j < width; j++)
            share += (double)target[j];
        for (int64_t j = 0; j < width; j++) {
            const double d = share * exp((double)row[j] - all) - (double)target[j];
            fine__real *to = &dx[i * width + j];

            *to = (fine__real)((beta == 0 ? 0 : (double)*to) + seed * d);
        }
    }
}

static const struct fine__op op = { "soft_cross_entropy", forward, backward };

struct fine__tensor *
fine__soft_cross_entropy(struct fine__tape *t, struct fine__tensor *logits, const float *targets)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1, .index = { targets } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__soft_cross_entropy(t, in[0], arg);
}

void
gc_cases(void)
{
    static const float targets[] = { 0.25f, 0.75f, 0, 0, 0, 1, 0.5f, 0.25f, 0.25f, 0, 0, 0 };

    gc_check("soft_cross_entropy", build, targets, 1, gc_input(2, 4, 3));
    gc_check("soft_cross_entropy", build, targets, 1, gc_input(2, 6, 2));
}
#endif
