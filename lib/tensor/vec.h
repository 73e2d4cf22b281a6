/*
 * vec.h — 64 bytes of numbers at once: 16 floats, or 8 doubles where gradients are
 * checked.
 *
 * These are the compiler's vectors, so the same source serves every processor: in a
 * function marked FINE__CLONES the 64 bytes become one, two or four registers. The
 * number of lanes is fixed, and so is the order of every sum.
 */
#ifndef FINE__VEC_H
#define FINE__VEC_H

#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "tensor/real.h"

enum { FINE__LANES = 64 / (int)sizeof(fine__real) };

typedef fine__real fine__vec __attribute__((vector_size(64)));
typedef fine__real fine__vec_unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t fine__vec_i32 __attribute__((vector_size(FINE__LANES * 4)));
typedef uint32_t fine__vec_u32 __attribute__((vector_size(FINE__LANES * 4)));
#ifdef FINE__DOUBLE
typedef int64_t fine__vec_mask __attribute__((vector_size(64)));
#else
typedef int32_t fine__vec_mask __attribute__((vector_size(64)));
#endif

/* Vectors of another size, for a loop that is written once for each width of registers. */
#define FINE__VEC_TYPES(vec, unaligned, bytes)                              \
    typedef fine__real vec __attribute__((vector_size(bytes)));             \
    typedef fine__real unaligned __attribute__((vector_size(bytes), aligned(4), may_alias))

#define FINE__VEC_ZERO ((fine__vec){ 0 })

FINE__INLINE fine__vec
fine__vec_load(const fine__real *p)
{
    return *(const fine__vec_unaligned *)p;
}

FINE__INLINE void
fine__vec_store(fine__real *p, fine__vec v)
{
    *(fine__vec_unaligned *)p = v;
}

/* The first n lanes (all where n is larger); the others are zero, and nothing else is
 * touched. */
FINE__INLINE fine__vec
fine__vec_load_part(const fine__real *p, int64_t n)
{
    fine__vec v = FINE__VEC_ZERO;

    if (n >= FINE__LANES)
        return fine__vec_load(p);
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

FINE__INLINE void
fine__vec_store_part(fine__real *p, fine__vec v, int64_t n)
{
    if (n >= FINE__LANES)
        fine__vec_store(p, v);
    else
        memcpy(p, &v, (size_t)n * sizeof *p);
}

FINE__INLINE fine__vec
fine__vec_set(fine__real x)
{
    return FINE__VEC_ZERO + x;
}

/* mask ? a : b, lane by lane; lanes of a mask are 0 or -1. */
FINE__INLINE fine__vec
fine__vec_select(fine__vec_mask mask, fine__vec a, fine__vec b)
{
    return (fine__vec)(((fine__vec_mask)a & mask) | ((fine__vec_mask)b & ~mask));
}

FINE__INLINE fine__vec
fine__vec_max(fine__vec a, fine__vec b)
{
    return fine__vec_select(a > b, a, b);
}

FINE__INLINE fine__vec
fine__vec_min(fine__vec a, fine__vec b)
{
    return fine__vec_select(a < b, a, b);
}

FINE__INLINE fine__vec
fine__vec_abs(fine__vec a)
{
    return fine__vec_max(a, -a);
}

/* Halves onto halves: always the same order. */
FINE__INLINE fine__real
fine__vec_sum(fine__vec v)
{
    fine__real lane[FINE__LANES];

    memcpy(lane, &v, sizeof v);
    for (int half = FINE__LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

FINE__INLINE fine__real
fine__vec_largest(fine__vec v)
{
    fine__real lane[FINE__LANES], largest;

    memcpy(lane, &v, sizeof v);
    largest = lane[0];
    for (int i = 1; i < FINE__LANES; i++)
        largest = lane[i] > largest ? lane[i] : largest;
    return largest;
}

#endif
