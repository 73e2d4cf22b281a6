/*
 * activate — y = f(x), element by element.
 *
 * gelu: x Φ(x) (Hendrycks & Gimpel, arXiv 1606.08415); gelu_tanh: its tanh form, which is
 * x σ(2u) with u = √(2/π) (x + 0.044715 x³); relu; silu: x σ(x); tanh; sigmoid.
 */
#include "ops/activate.h"

#include "base/parallel.h"
#include "ops/op.h"
#include "tensor/vmath.h"

#define ROOT_8_OVER_PI (fine__real)1.59576912160573071176
#define CUBIC (fine__real)0.044715

FINE__INLINE fine__vec
value(enum fine__activation f, fine__vec x)
{
    switch (f) {
    case FINE__GELU:
        return x * fine__vec_normal_cdf(x);
    case FINE__GELU_TANH:
        return x * fine__vec_sigmoid(ROOT_8_OVER_PI * (x + CUBIC * x * x * x));
    case FINE__RELU:
        return fine__vec_select((x > 0) | (x != x), x, FINE__VEC_ZERO);
    case FINE__SILU:
        return x * fine__vec_sigmoid(x);
    case FINE__TANH:
        return fine__vec_tanh(x);
    case FINE__SIGMOID:
        return fine__vec_sigmoid(x);
    default:
        return x;
    }
}

/* f'(x), and f(x) through *y. */
FINE__INLINE fine__vec
slope(enum fine__activation f, fine__vec x, fine__vec *y)
{
    fine__vec s;

    switch (f) {
    case FINE__GELU:
        s = fine__vec_normal_cdf(x);
        *y = x * s;
        return s + x * fine__vec_normal_pdf(x);
    case FINE__GELU_TANH:
        s = fine__vec_sigmoid(ROOT_8_OVER_PI * (x + CUBIC * x * x * x));
        *y = x * s;
        return s + x * s * (1 - s) * ROOT_8_OVER_PI * (1 + 3 * CUBIC * x * x);
    case FINE__RELU:
        *y = value(f, x);
        return fine__vec_select(x > 0, fine__vec_set(1), FINE__VEC_ZERO);
    case FINE__SILU:
        s = fine__vec_sigmoid(x);
        *y = x * s;
        return s + *y * (1 - s);
    case FINE__TANH:
        *y = fine__vec_tanh(x);
        return 1 - *y * *y;
    case FINE__SIGMOID:
        *y = fine__vec_sigmoid(x);
        return *y * (1 - *y);
    default:
        *y = x;
        return fine__vec_set(1);
    }
}

FINE__INLINE void
forward_loop(enum fine__activation f, int64_t n, const fine__real *x, fine__real *y)
{
    int64_t i = 0;

    for (; i + FINE__LANES <= n; i += FINE__LANES)
        fine__vec_store(y + i, value(f, fine__vec_load(x + i)));
    if (i < n)
        fine__vec_store_part(y + i, value(f, fine__vec_load_part(x + i, n - i)), n - i);
}

FINE__INLINE void
backward_loop(enum fine__activation f, int64_t n, const fine__real *x, const fine__real *dy,
              fine__real beta, fine__real *dx, fine__real *y)
{
    fine__vec v;
    int64_t i = 0;

    for (; i + FINE__LANES <= n; i += FINE__LANES) {
        fine__vec d = fine__vec_load(dy + i) * slope(f, fine__vec_load(x + i), &v);

        if (beta != 0)
            d += beta * fine__vec_load(dx + i);
        fine__vec_store(dx + i, d);
        if (y != NULL)
            fine__vec_store(y + i, v);
    }
    if (i < n) {
        fine__vec d = fine__vec_load_part(dy + i, n - i) *
                      slope(f, fine__vec_load_part(x + i, n - i), &v);

        if (beta != 0)
            d += beta * fine__vec_load_part(dx + i, n - i);
        fine__vec_store_part(dx + i, d, n - i);
        if (y != NULL)
            fine__vec_store_part(y + i, v, n - i);
    }
}

/* The kind is a constant inside each loop. */
#define EACH_KIND(loop)                         \
    switch (f) {                                \
    case FINE__GELU: loop(FINE__GELU); break;   \
    case FINE__GELU_TANH: loop(FINE__GELU_TANH); break; \
    case FINE__RELU: loop(FINE__RELU); break;   \
    case FINE__SILU: loop(FINE__SILU); break;   \
    case FINE__TANH: loop(FINE__TANH); break;   \
    case FINE__SIGMOID: loop(FINE__SIGMOID); break; \
    default: loop(FINE__IDENTITY); break;       \
    }

FINE__CLONES void
fine__activation_forward(enum fine__activation f, int64_t n, const fine__real *x, fine__real *y)
{
#define FORWARD(kind) forward_loop(kind, n, x, y)
    EACH_KIND(FORWARD)
}

FINE__CLONES void
fine__activation_backward(enum fine__activation f, int64_t n, const fine__real *x,
                          const fine__real *dy, double beta, fine__real *dx, fine__real *y)
{
#define BACKWARD(kind) backward_loop(kind, n, x, dy, (fine__real)beta, dx, y)
    EACH_KIND(BACKWARD)
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
                                     0.731058578630004879 };

    for (enum fine__activation f = FINE__IDENTITY; f <= FINE__SIGMOID; f++) {
        gc_check("activate", build, &f, 1, gc_input(2, 5, 11));
        gc_check("activate", build, &f, 1, gc_input(1, 1));
        gc_value(build, &f, 1.0, at_one[f]);
        gc_value(build, &f, 0.0, f == FINE__SIGMOID ? 0.5 : 0.0);
    }
}
#endif
