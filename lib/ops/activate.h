/* activate.h — the activations on 64 bytes, for the op and for those that have one inside. */
#ifndef FINE__ACTIVATE_H
#define FINE__ACTIVATE_H

#include "ops/ops.h"
#include "tensor/vmath.h"

#define FINE__ROOT_8_OVER_PI (fine__real)1.59576912160573071176
#define FINE__GELU_CUBIC (fine__real)0.044715

/* f(x) */
FINE__INLINE fine__vec
fine__activation_value(enum fine__activation f, fine__vec x)
{
    fine__vec s;

    switch (f) {
    case FINE__GELU:
        return x * fine__vec_normal_cdf(x);
    case FINE__GELU_TANH:
        return x * fine__vec_sigmoid(FINE__ROOT_8_OVER_PI * (x + FINE__GELU_CUBIC * x * x * x));
    case FINE__RELU:
        return fine__vec_select(x < 0, FINE__VEC_ZERO, x);     /* NaN stays */
    case FINE__RELU6:
        s = fine__vec_select(x < 0, FINE__VEC_ZERO, x);
        return fine__vec_select(s > 6, fine__vec_set(6), s);
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
fine__activation_slope(enum fine__activation f, fine__vec x, fine__vec *y)
{
    fine__vec s;

    switch (f) {
    case FINE__GELU:
        s = fine__vec_normal_cdf(x);
        *y = x * s;
        return s + x * fine__vec_normal_pdf(x);
    case FINE__GELU_TANH:
        s = fine__vec_sigmoid(FINE__ROOT_8_OVER_PI * (x + FINE__GELU_CUBIC * x * x * x));
        *y = x * s;
        return s + x * s * (1 - s) * FINE__ROOT_8_OVER_PI * (1 + 3 * FINE__GELU_CUBIC * x * x);
    case FINE__RELU:
        *y = fine__activation_value(f, x);
        return fine__vec_select(x > 0, fine__vec_set(1), FINE__VEC_ZERO);
    case FINE__RELU6:
        *y = fine__activation_value(f, x);
        s = fine__vec_select(x > 0, fine__vec_set(1), FINE__VEC_ZERO);
        return fine__vec_select(x < 6, s, FINE__VEC_ZERO);
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

/* loop(kind) with the kind of f as a constant, so that each loop has one kind inside. */
#define FINE__EACH_ACTIVATION(loop)                     \
    switch (f) {                                        \
    case FINE__GELU: loop(FINE__GELU); break;           \
    case FINE__GELU_TANH: loop(FINE__GELU_TANH); break; \
    case FINE__RELU: loop(FINE__RELU); break;           \
    case FINE__SILU: loop(FINE__SILU); break;           \
    case FINE__TANH: loop(FINE__TANH); break;           \
    case FINE__SIGMOID: loop(FINE__SIGMOID); break;     \
    case FINE__RELU6: loop(FINE__RELU6); break;         \
    default: loop(FINE__IDENTITY); break;               \
    }

/* y[i] = f(x[i]) */
void fine__activation_forward(enum fine__activation f, int64_t n, const fine__real *x,
                              fine__real *y);
/* dx[i] = beta dx[i] + dy[i] f'(x[i]), and y[i] = f(x[i]) where y isn't NULL. dx may be dy. */
void fine__activation_backward(enum fine__activation f, int64_t n, const fine__real *x,
                               const fine__real *dy, double beta, fine__real *dx, fine__real *y);

#endif
