/*
 * leaves.h — tensors that no op made, as parameters are: with room for a gradient, and
 * filled from a stream of their own.
 */
#ifndef LEAVES_H
#define LEAVES_H

#include "base/rng.h"
#include "runner.h"
#include "tape/tape.h"

static inline struct fine__tensor *
new_leaf(bool wants_grad, int64_t rows, int64_t columns)
{
    struct fine__tensor *x = calloc(1, sizeof *x);

    *x = (struct fine__tensor){ .shape = { rows, columns },
                                .count = rows * columns,
                                .n_dims = 2,
                                .wants_grad = wants_grad,
                                .is_param = true };
    x->data = calloc((size_t)x->count, sizeof *x->data);
    x->grad = wants_grad ? calloc((size_t)x->count, sizeof *x->grad) : NULL;
    return x;
}

static inline struct fine__tensor *
new_vector(bool wants_grad, int64_t count)
{
    struct fine__tensor *x = new_leaf(wants_grad, count, 1);

    x->n_dims = 1;
    return x;
}

static inline void
free_leaf(struct fine__tensor *x)
{
    free(x->data);
    free(x->grad);
    free(x);
}

static inline struct fine__tensor *
draw(struct fine__tensor *x, int stream, double mean, double deviation)
{
    const uint64_t key = fine__rng_key(stream, FINE__RNG_INIT, 0, 0);

    for (int64_t i = 0; i < x->count; i++)
        x->data[i] = (fine__real)(mean + deviation * fine__rng_normal(key, (uint64_t)i));
    return x;
}

#endif
