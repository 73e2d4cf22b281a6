/*
 * half.c — F16 and BF16 to float with integer operations alone, so that neither a host's
 * rounding mode nor its flushing of small numbers to zero can change a bit.
 */
#include <string.h>

#include "base/compiler.h"
#include "io/half.h"

/* A subnormal's leading bit is found by halving the search: no loop, so that the whole
 * is a chain of selects and the compiler may vectorise it. */
FINE__INLINE uint32_t
widen(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16;
    const uint32_t exponent = half >> 10 & 31u;
    uint32_t fraction = half & 0x3ffu;
    uint32_t shift = 0;

    if (exponent == 31)
        return sign | 0x7f800000u | fraction << 13;
    if (exponent > 0)
        return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0)
        return sign;
    for (uint32_t step = 8; step > 0; step /= 2) {
        if (fraction << step < 0x800u) {
            fraction <<= step;
            shift += step;
        }
    }
    return sign | (113 - shift) << 23 | (fraction & 0x3ffu) << 13;
}

void
fine__f16_to_float(const uint16_t *in, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = widen(in[i]);

        memcpy(&out[i], &bits, sizeof bits);
    }
}

void
fine__bf16_to_float(const uint16_t *in, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)in[i] << 16;

        memcpy(&out[i], &bits, sizeof bits);
    }
}
