/* activate.h — the activations on 64 bytes, for the op and for linear's fused form. */
#ifndef FINE__ACTIVATE_H
#define FINE__ACTIVATE_H

#include "ops/ops.h"

/* y[i] = f(x[i]) */
void fine__activation_forward(enum fine__activation f, int64_t n, const fine__real *x,
                              fine__real *y);
/* dx[i] = beta dx[i] + dy[i] f'(x[i]), and y[i] = f(x[i]) where y isn't NULL. dx may be dy. */
void fine__activation_backward(enum fine__activation f, int64_t n, const fine__real *x,
                               const fine__real *dy, double beta, fine__real *dx, fine__real *y);

#endif
