/*
 * tensor.h — a contiguous row-major array with a gradient beside it.
 *
 * wants_grad is the only thing that says "frozen": a parameter that isn't trained has
 * it false, and what depends on no trained parameter inherits that.
 */
#ifndef FINE__TENSOR_H
#define FINE__TENSOR_H

#include "base/context.h"
#include "tensor/real.h"

enum { FINE__MAX_DIMS = 4 };

/* Which rows of an embedding take part. `used` marks the rows whose gradient is live in
 * this step (all others are zero, whatever the memory holds); `seen` those that ever
 * were, so that the optimizer knows whose moments can't be zero. One byte a row. */
struct fine__rows {
    uint8_t *used, *seen;
    int64_t n_rows, width;
};

struct fine__tensor;

/* A low-rank change of a weight (LoRA): W + scale B A, where the weight itself stays. */
struct fine__low_rank {
    struct fine__tensor *a, *b;     /* a (r,C …), b (O,r …) */
    double scale, p;                /* p: dropout before a, where b or a is trained */
};

struct fine__tensor {
    fine__real *data, *grad;        /* grad NULL: none yet */
    int64_t shape[FINE__MAX_DIMS];
    int64_t count;
    int n_dims;
    bool wants_grad, is_param;
    struct fine__rows *rows;        /* embeddings that are trained, else NULL */
    const struct fine__low_rank *low_rank;  /* weights that are adapted, else NULL */
};

#endif
