/*
 * activate — y = f(x), element by element.
 *
 * gelu: x Φ(x) (Hendrycks & Gimpel, arXiv 1606.08415); gelu_tanh: its tanh form, which is
 * x σ(2u) with u = √(2/π) (x + 0.044715 x³); relu; silu: x σ(x); tanh; sigmoid; relu6:
 * min(max(x, 0), 6).
 */
#include "ops/activate.h"

#include "base/parallel.h"
#include "ops/op.h"

FINE__INLINE void
forward_loop(enum fine__activation f, int64_t n, const fine__real *x, fine__real *y)
{
    int64_t i = 0;

    for (; i + FINE__LANES <= n; i += FINE__LANES)
        fine__vec_store(y + i, fine__activation_value(f, fine__vec_load(x + i)));
    if (i < n)
        fine__vec_store_part(y + i, fine__activation_value(f, fine__vec_load_part(x + i, n - i)), n - i);
}

FINE__INLINE void
backward_loop(enum fine__activation f, int64_t n, const fine__real *x, const fine__real *dy,
              fine__real beta, fine__real *dx, fine__real *y)
{
    fine__vec v;
    int64_t i = 0;

    for (; i + FINE__LANES <= n; i += FINE__LANES) {
        fine__vec d = fine__vec_load(dy + i) * fine__activation_slope(f, fine__vec_load(x + i), &v);

        if (beta != 0)
            d += beta * fine__vec_load(dx + i);
        fine__vec_store(dx + i, d);
        if (y != NULL)
            fine__vec_store(y + i, v);
    }
    if (i < n) {
        fine__vec d = fine__vec_load_part(dy + i, n - i) *
                      fine__activation_slope(f, fine__vec_load_part(x + i, n - i), &v);

        if (beta != 0)
            d += beta * fine__vec_load_part(dx + i, n - i);
        fine__vec_store_part(dx + i, d, n - i);
        if (y != NULL)
            fine__vec_store_part(y + i, v, n - i);
    }
}

FINE__CLONES void
fine__activation_forward(enum fine__activation f, int64_t n, const fine__real *x, fine__real *y)
{
#define FORWARD(kind) forward_loop(kind, n, x, y)
    FINE__EACH_ACTIVATION(FORWARD)
}

FINE__CLONES void
fine__activation_backward(enum fine__activation f, int64_t n, const fine__real *x,
                          const fine__real *dy, double beta, fine__real *dx, fine__real *y)
{
#define BACKWARD(kind) backward_loop(kind, n, x, dy, (fine__real)beta, dx, y)
    FINE__EACH_ACTIVATION(BACKWARD)
}

struct job {
    const struct fine__node *n;
    double beta;
    fine__real *dx;
};

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    const struct fine__node *n = ((struct job *)arg)->n;
    const int64_t begin = tile * FINE__TILE, rest = n->out->count - begin;

    (void)worker;
    fine__activation_forward((enum fine__activation)n->size[0],
                             rest < FINE__TILE ? rest : FINE__TILE, n->in[0]->data + begin,
                             n->out->data + begin);
}

static void
backward_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__node *n = job->n;
    const int64_t begin = tile * FINE__TILE, rest = n->out->count - begin;

    (void)worker;
    fine__activation_backward((enum fine__activation)n->size[0],
                              rest < FINE__TILE ? rest : FINE__TILE, n->in[0]->data + begin,
                              n->out->grad + begin, job->beta, job->dx + begin, NULL);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n };

    fine__parallel_for(t->ctx, (n->out->count + FINE__TILE - 1) / FINE__TILE, forward_tile, &job);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = { .n = n };

    job.dx = fine__grad(t, n->in[0], &job.beta);
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, (n->out->count + FINE__TILE - 1) / FINE__TILE, backward_tile,
                           &job);
}

static const struct fine__op op = { "activate", forward, backward };

struct fine__tensor *
fine__activate(struct fine__tape *t, struct fine__tensor *x, enum fine__activation f)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .size = { (int64_t)f } };

    return fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__activate(t, in[0], *(const enum fine__activation *)arg);
}

void
gc_cases(void)
{
    static const double at_one[] = { 1, 0.841344746068542949, 0.841191990608276, 1,
                                     0.731058578630004879, 0.761594155955764888,
                                     0.731058578630004879, 1 };

    for (enum fine__activation f = FINE__IDENTITY; f <= FINE__RELU6; f++) {
        gc_check("activate", build, &f, 1, gc_input(2, 5, 11));
        gc_check("activate", build, &f, 1, gc_input(1, 1));
        gc_value(build, &f, 1.0, at_one[f]);
        gc_value(build, &f, 0.0, f == FINE__SIGMOID ? 0.5 : 0.0);
    }
}
#endif
