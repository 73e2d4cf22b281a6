/*
 * huber — Σ of d²/2 where |d| ≤ δ, else δ(|d| − δ/2), d = x − value: squares near, a line far
 * away. What has a value of NaN counts for nothing. Huber, Annals of Mathematical Statistics 35
 * (1964).
 */
#include "ops/op.h"

#include <math.h>

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const float *values = n->index[0];
    const double delta = n->arg[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < n->in[0]->count; i++) {
        const double d = fabs((double)n->in[0]->data[i] - (double)values[i]);

        if (!isnan(values[i]))
            loss += d <= delta ? d * d / 2 : delta * (d - delta / 2);
    }
    n->out->data[0] = (fine__real)loss;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const float *values = n->index[0];
    const double delta = n->arg[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < n->in[0]->count; i++) {
        const double d = isnan(values[i]) ? 0 : (double)n->in[0]->data[i] - (double)values[i];

        dx[i] = (fine__real)((beta == 0 ? 0 : (double)dx[i]) +
                             fmax(-delta, fmin(delta, d)) * (double)n->out->grad[0]);
    }
}

static const struct fine__op op = { "huber", forward, backward };

struct fine__tensor *
fine__huber(struct fine__tape *t, struct fine__tensor *x, const float *values, double delta)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .arg = { delta },
                                  .index = { values } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__huber(t, in[0], arg, 0.75);
}

void
gc_cases(void)
{
    static const float values[] = { 0.5f, -1, NAN, 3, 0.1f, -5 };

    gc_check("huber", build, values, 1, gc_input(2, 6, 1));
}
#endif
