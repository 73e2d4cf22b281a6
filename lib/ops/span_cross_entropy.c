/*
 * span_cross_entropy — where an answer starts and where it ends: a softmax over each
 * sequence's tokens for either, column 0 and column 1 of the logits. The loss is the sum of
 * both columns' −log softmax at the right place, each column with a weight of its own;
 * a place of −1 counts for nothing.
 */
#include "ops/op.h"

#include <math.h>

static double
log_sum(const fine__real *logits, int64_t n)
{
    double largest = (double)logits[0], sum = 0;

    for (int64_t j = 1; j < n; j++)
        largest = fmax(largest, (double)logits[2 * j]);
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)logits[2 * j] - largest);
    return largest + log(sum);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t *offsets = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < n->size[0]; i++)
        for (int side = 0; side < 2; side++) {
            const int32_t place = ((const int32_t *)n->index[1 + side])[i];
            const fine__real *logits = n->in[0]->data + 2 * offsets[i] + side;

            if (place >= 0)
                loss += n->arg[side] * (log_sum(logits, offsets[i + 1] - offsets[i]) -
                                        (double)logits[2 * place]);
        }
    n->out->data[0] = (fine__real)loss;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t *offsets = n->index[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < n->size[0]; i++)
        for (int side = 0; side < 2; side++) {
            const int32_t place = ((const int32_t *)n->index[1 + side])[i];
            const int64_t tokens = offsets[i + 1] - offsets[i];
            const fine__real *logits = n->in[0]->data + 2 * offsets[i] + side;
            fine__real *to = dx + 2 * offsets[i] + side;
            const double whole = place >= 0 ? log_sum(logits, tokens) : 0;
            const double seed = n->arg[side] * (double)n->out->grad[0];

            for (int64_t j = 0; j < tokens; j++) {
                const double p = place < 0 ? 0 : exp((double)logits[2 * j] - whole) -
                                                     (j == place ? 1 : 0);

                to[2 * j] = (fine__real)((beta == 0 ? 0 : (double)to[2 * j]) + seed * p);
            }
        }
}

static const struct fine__op op = { "span_cross_entropy", forward, backward };

struct fine__tensor *
fine__span_cross_entropy(struct fine__tape *t, struct fine__tensor *logits, int64_t n_seqs,
                         const int64_t *offsets, const int32_t *starts, const int32_t *ends,
                         const double weights[2])
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1, .size = { n_seqs },
                                  .arg = { weights[0], weights[1] },
                                  .index = { offsets, starts, ends } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    static const int64_t offsets[] = { 0, 4, 5, 9 };
    static const int32_t starts[] = { 2, 0, -1 }, ends[] = { 3, -1, 0 };

    return fine__span_cross_entropy(t, in[0], 3, offsets, starts, ends, arg);
}

void
gc_cases(void)
{
    static const double weights[2] = { 0.5, 0.75 };

    gc_check("span_cross_entropy", build, weights, 1, gc_input(2, 9, 2));
}
#endif
