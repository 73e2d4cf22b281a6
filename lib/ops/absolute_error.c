/*
 * absolute_error — Σ |x − value|; what has a value of NaN counts for nothing, and where there is
 * no difference the gradient is zero.
 */
#include "ops/op.h"

#include <math.h>

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const float *values = n->index[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < n->in[0]->count; i++)
        if (!isnan(values[i]))
            loss += fabs((double)n->in[0]->data[i] - (double)values[i]);
    n->out->data[0] = (fine__real)loss;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const float *values = n->index[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < n->in[0]->count; i++) {
        const double d = isnan(values[i]) ? 0 : (double)n->in[0]->data[i] - (double)values[i];

        dx[i] = (fine__real)((beta == 0 ? 0 : (double)dx[i]) +
                             ((d > 0) - (d < 0)) * (double)n->out->grad[0]);
    }
}

static const struct fine__op op = { "absolute_error", forward, backward };

struct fine__tensor *
fine__absolute_error(struct fine__tape *t, struct fine__tensor *x, const float *values)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .index = { values } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__absolute_error(t, in[0], arg);
}

void
gc_cases(void)
{
    static const float values[] = { 0.5f, -1, NAN, 3 };

    gc_check("absolute_error", build, values, 1, gc_input(2, 4, 1));
}
#endif
