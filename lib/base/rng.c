/*
 * rng.c — SplitMix64 as a function of (key, counter).
 *
 * The reference generator adds an odd constant to its state and mixes it, so its
 * n-th output (from 0) is mix(seed + (n + 1) * constant). Steele, Lea, Flood
 * 2014, doi 10.1145/2660193.2660195.
 */
#include <math.h>

#include "base/rng.h"

static const uint64_t increment = 0x9e3779b97f4a7c15u;

uint64_t
fine__rng_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Each part is mixed before the next comes in, so that neighbouring places have
 * unrelated keys and no two parts can trade. */
uint64_t
fine__rng_key(int64_t seed, enum fine__purpose purpose, int64_t a, int64_t b)
{
    uint64_t key = fine__rng_mix((uint64_t)seed + increment);

    key = fine__rng_mix((key ^ (uint64_t)purpose) + increment);
    key = fine__rng_mix((key ^ (uint64_t)a) + increment);
    return fine__rng_mix((key ^ (uint64_t)b) + increment);
}

uint64_t
fine__rng_u64(uint64_t key, uint64_t counter)
{
    return fine__rng_mix(key + (counter + 1) * increment);
}

double
fine__rng_uniform(uint64_t key, uint64_t counter)
{
    return (double)(fine__rng_u64(key, counter) >> 11) * 0x1p-53;
}

/* The upper half of the 128-bit product. */
static uint64_t
multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
    const uint64_t carry = a0 * b1 + (middle & 0xffffffffu);

    return a1 * b1 + (middle >> 32) + (carry >> 32);
}

int64_t
fine__rng_below(uint64_t key, uint64_t counter, int64_t n)
{
    return (int64_t)multiply_high(fine__rng_u64(key, counter), (uint64_t)n);
}

double
fine__rng_normal(uint64_t key, uint64_t counter)
{
    const double u = 1.0 - fine__rng_uniform(key, 2 * counter);   /* (0, 1]: the logarithm is finite */
    const double v = fine__rng_uniform(key, 2 * counter + 1);

    return sqrt(-2.0 * log(u)) * cos(6.28318530717958647692 * v);
}

void
fine__rng_shuffle(uint64_t key, int64_t *values, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = fine__rng_below(key, (uint64_t)i, i + 1);
        const int64_t kept = values[i];

        values[i] = values[j];
        values[j] = kept;
    }
}
