/*
 * rng.h — one counter-based generator: value = f(key, counter).
 *
 * SplitMix64 (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195), whose n-th
 * output is a function of n alone. A stream is a key made from the seed, the
 * purpose and the place (epoch, step, example); nothing is advanced, so resuming
 * needs no saved state and order of evaluation doesn't matter.
 */
#ifndef FINE__RNG_H
#define FINE__RNG_H

#include <stdint.h>

enum fine__purpose {
    FINE__RNG_INIT = 1, FINE__RNG_SHUFFLE, FINE__RNG_DROPOUT, FINE__RNG_SPLIT,
    FINE__RNG_AUGMENT, FINE__RNG_MASK, FINE__RNG_SAMPLE, FINE__RNG_BENCH
};

uint64_t fine__rng_mix(uint64_t x);                                     /* SplitMix64's finaliser */
uint64_t fine__rng_key(int64_t seed, enum fine__purpose purpose, int64_t a, int64_t b);
uint64_t fine__rng_u64(uint64_t key, uint64_t counter);
double fine__rng_uniform(uint64_t key, uint64_t counter);               /* [0, 1), 53 bits */
int64_t fine__rng_below(uint64_t key, uint64_t counter, int64_t n);     /* [0, n), n >= 1, without bias that matters (64-bit multiply-shift) */
double fine__rng_normal(uint64_t key, uint64_t counter);                /* Box-Muller on counters 2c, 2c+1 */
void fine__rng_shuffle(uint64_t key, int64_t *values, int64_t n);       /* Fisher-Yates */

#endif
