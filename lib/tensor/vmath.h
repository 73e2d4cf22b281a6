/*
 * vmath.h — exp, the normal distribution function and the like on 64 bytes at once.
 *
 * In float these are polynomials without branches; the bounds that are stated are
 * held by tests/unit/test_vmath.c over all magnitudes. In double they are libm's, lane
 * by lane: there only correctness counts.
 */
#ifndef FINE__VMATH_H
#define FINE__VMATH_H

#include <math.h>

#include "tensor/vec.h"

#ifdef FINE__DOUBLE

#define FINE__VMATH_LANES(name, expression)            \
    FINE__INLINE fine__vec name(fine__vec v)           \
    {                                                  \
        for (int i = 0; i < FINE__LANES; i++) {        \
            const fine__real x = v[i];                 \
            v[i] = expression;                         \
        }                                              \
        return v;                                      \
    }

FINE__VMATH_LANES(fine__vec_exp, exp(x))
FINE__VMATH_LANES(fine__vec_normal_cdf, 0.5 * erfc(-x * 0.70710678118654752440))
FINE__VMATH_LANES(fine__vec_sqrt, sqrt(x))

#else

/*
 * e^x: relative error below 1.5e-7 on [-87.3, 88.7]; below that 0 (or the smallest
 * normal number), above it the largest float's neighbourhood. NaN stays NaN.
 * x = n ln 2 + r with |r| <= ln 2 / 2, the rest by Taylor's series to r^7 (Muller,
 * Elementary Functions, chapter 11: Cody and Waite's reduction).
 */
FINE__INLINE fine__vec
fine__vec_exp(fine__vec x)
{
    const fine__vec magic = fine__vec_set(12582912.0f);     /* 1.5 * 2^23: rounds to an integer */
    const fine__vec clamped = fine__vec_min(fine__vec_max(x, fine__vec_set(-87.33f)),
                                            fine__vec_set(88.7f));
    const fine__vec n = (clamped * 1.44269504088896341f + magic) - magic;
    const fine__vec r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
    fine__vec y = fine__vec_set(1.0f / 5040);

    y = y * r + 1.0f / 720;
    y = y * r + 1.0f / 120;
    y = y * r + 1.0f / 24;
    y = y * r + 1.0f / 6;
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    /* times 2^n in two halves, so that n = 128 doesn't overflow the exponent */
    const fine__vec_i32 e = __builtin_convertvector(n, fine__vec_i32);
    const fine__vec_i32 half = e >> 1;

    y = y * (fine__vec)((half + 127) << 23) * (fine__vec)((e - half + 127) << 23);
    y = fine__vec_select(x < -87.33f, FINE__VEC_ZERO, y);
    return fine__vec_select(x != x, x, y);
}

/*
 * The normal distribution's Φ(x): absolute error below 1e-7, relative below 5e-6 down
 * to x = -5.5. Φ(-|x|) = e^(-h(|x|)) with h a polynomial of degree 11 on [0, 5.5], fitted
 * by iterated weighted least squares on Chebyshev nodes; beyond, where Φ is below 2e-8, h
 * grows as x² / 2, which makes Φ too large by at most |x| / 5.5.
 */
FINE__INLINE fine__vec
fine__vec_normal_cdf(fine__vec x)
{
    const fine__vec a = fine__vec_abs(x);
    const fine__vec b = fine__vec_min(a, fine__vec_set(5.5f));
    fine__vec h = fine__vec_set(-2.6067508152038954e-09f);

    h = h * b + 8.955429109391844e-08f;
    h = h * b + -1.3762474964096327e-06f;
    h = h * b + 1.2396869351505302e-05f;
    h = h * b + -7.053717126837e-05f;
    h = h * b + 0.00023293921549338847f;
    h = h * b + -5.217636498855427e-05f;
    h = h * b + -0.004775756038725376f;
    h = h * b + 0.03633446246385574f;
    h = h * b + 0.31830984354019165f;
    h = h * b + 0.7978845834732056f;
    h = h * b + 0.6931471824645996f;
    h += (a - b) * (a + b) * 0.5f;
    const fine__vec tail = fine__vec_exp(-h);

    return fine__vec_select(x > 0.0f, 1.0f - tail, tail);
}

FINE__INLINE fine__vec
fine__vec_sqrt(fine__vec v)
{
    for (int i = 0; i < FINE__LANES; i++)
        v[i] = sqrtf(v[i]);
    return v;
}

#endif

/* 1 / (1 + e^-x): relative error below 3e-7 on [-87, 88], absolute below 1.5e-7 anywhere.
 * Exactly 0 below -87.33, so that x σ(x) is 0 however large -x is. */
FINE__INLINE fine__vec
fine__vec_sigmoid(fine__vec x)
{
    return fine__vec_select(x < (fine__real)-87.33, FINE__VEC_ZERO, 1 / (1 + fine__vec_exp(-x)));
}

/* The normal density. */
FINE__INLINE fine__vec
fine__vec_normal_pdf(fine__vec x)
{
    return (fine__real)0.39894228040143267794 * fine__vec_exp((fine__real)-0.5 * x * x);
}

/* tanh: relative error below 5e-7. 1 - 2 / (1 + e^2x) loses digits near 0, where the series
 * to x^11 serves. */
FINE__INLINE fine__vec
fine__vec_tanh(fine__vec x)
{
    const fine__vec square = x * x;
    const fine__vec far = 1 - 2 / (1 + fine__vec_exp(2 * x));
#ifdef FINE__DOUBLE
    fine__vec near = x;

    for (int i = 0; i < FINE__LANES; i++)
        near[i] = tanh(x[i]);
#else
    const fine__vec near = x + x * square *
                           (-1.0f / 3 + square * (2.0f / 15 + square * (-17.0f / 315 +
                            square * (62.0f / 2835 + square * (-1382.0f / 155925)))));
#endif
    return fine__vec_select(square < (fine__real)0.16, near, far);
}

#endif
