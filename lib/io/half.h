/*
 * half.h — 16-bit floating-point numbers as float, exactly.
 *
 * F16 is IEEE 754 binary16; BF16 the upper half of a binary32. Every value of both is a
 * float, so nothing is rounded; NaNs keep their payload and stay signalling.
 */
#ifndef FINE__HALF_H
#define FINE__HALF_H

#include <stdint.h>

void fine__f16_to_float(const uint16_t *in, float *out, int64_t n);
void fine__bf16_to_float(const uint16_t *in, float *out, int64_t n);

#endif
