/*
 * bits.h — the random bits of dropout, made again in backward instead of being stored.
 *
 * Element (row, column) of an op is kept where hash(row key + column) is at least
 * p 2^32. The row key comes from the op's 64-bit key, the columns are hashed 16 at a time
 * with two rounds of multiply and shift (the 32-bit finaliser with the constants that
 * C. Wellons found by search in 2018, bias 0.17).
 */
#ifndef FINE__BITS_H
#define FINE__BITS_H

#include "base/rng.h"
#include "tape/tape.h"
#include "tensor/vec.h"

FINE__INLINE uint32_t
fine__bits_threshold(double p)
{
    return (uint32_t)(p * 4294967296.0);
}

/* Of what is kept: 1 / (1 - p) with the p that the threshold really has. */
FINE__INLINE fine__real
fine__bits_scale(uint32_t threshold)
{
    return (fine__real)(1 / (1 - threshold / 4294967296.0));
}

FINE__INLINE uint32_t
fine__bits_row(uint64_t key, int64_t row)
{
    return (uint32_t)(fine__rng_u64(key, (uint64_t)row) >> 32);
}

/* -1 where element column + lane is kept. */
FINE__INLINE fine__vec_mask
fine__bits_keep(uint32_t row, int64_t column, uint32_t threshold)
{
    fine__vec_u32 x;

    for (int i = 0; i < FINE__LANES; i++)
        x[i] = (uint32_t)i;
    x = (x + (uint32_t)column) * 0x9E3779B9u + row;
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
#ifdef FINE__DOUBLE
    return __builtin_convertvector(x >= threshold, fine__vec_mask);
#else
    return x >= threshold;
#endif
}

/* A key of its own for the next op with dropout; 0 never. */
uint64_t fine__bits_key(struct fine__tape *tape);

#endif
