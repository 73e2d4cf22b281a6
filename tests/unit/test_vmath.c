/*
 * test_vmath.c — the bounds that vmath.h states, against libm in double: for every
 * exponent of a float and both signs, some hundreds of mantissas; and what has no magnitude.
 * Each loop is there twice, for this processor and for the plainest one, since fused
 * multiply-add changes the last digit.
 */
#include "runner.h"

#include <float.h>
#include <math.h>

#include "tensor/vmath.h"

enum { MANTISSAS = 512 };

enum function { EXP, CDF, PDF, SIGMOID, TANH, SQRT, N_FUNCTIONS };

FINE__INLINE fine__vec
apply(enum function f, fine__vec x)
{
    switch (f) {
    case EXP:
        return fine__vec_exp(x);
    case CDF:
        return fine__vec_normal_cdf(x);
    case PDF:
        return fine__vec_normal_pdf(x);
    case SIGMOID:
        return fine__vec_sigmoid(x);
    case TANH:
        return fine__vec_tanh(x);
    default:
        return fine__vec_sqrt(x);
    }
}

static double
expected(enum function f, double x)
{
    switch (f) {
    case EXP:
        return exp(x);
    case CDF:
        return 0.5 * erfc(-x * 0.70710678118654752440);
    case PDF:
        return 0.39894228040143267794 * exp(-0.5 * x * x);
    case SIGMOID:
        return 1 / (1 + exp(-x));
    case TANH:
        return tanh(x);
    default:
        return sqrt(x);
    }
}

#define EACH(f, x) \
    for (int i = 0; i < MANTISSAS; i += FINE__LANES) \
    fine__vec_store(x + i, apply(f, fine__vec_load(x + i)))

#define ALL(x) \
    switch (f) { \
    case EXP: \
        EACH(EXP, x); \
        break; \
    case CDF: \
        EACH(CDF, x); \
        break; \
    case PDF: \
        EACH(PDF, x); \
        break; \
    case SIGMOID: \
        EACH(SIGMOID, x); \
        break; \
    case TANH: \
        EACH(TANH, x); \
        break; \
    default: \
        EACH(SQRT, x); \
        break; \
    }

FINE__CLONES static void
for_this_processor(enum function f, float *x)
{
    ALL(x)
}

static void
for_any(enum function f, float *x)
{
    ALL(x)
}

static float
from_bits(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

struct bound {
    float from, to;            /* where it holds */
    double relative, absolute; /* either is enough; 0: not stated */
};

static double largest_relative, largest_absolute;

static void
check_stretch(enum function f, const struct bound *b, const float *x, const float *y)
{
    for (int i = 0; i < MANTISSAS; i++) {
        if (!(x[i] >= b->from && x[i] <= b->to))
            continue;
        const double right = expected(f, (double)x[i]), off = fabs((double)y[i] - right);

        largest_absolute = fmax(largest_absolute, off);
        if (right != 0)
            largest_relative = fmax(largest_relative, off / fabs(right));
        if (!(off <= b->absolute || off <= b->relative * fabs(right)))
            ck_abort_msg("function %d of %.9g: %.9g, not %.9g", (int)f, (double)x[i], (double)y[i],
                         right);
    }
}

static void
check(enum function f, struct bound bound)
{
    float x[MANTISSAS], y[MANTISSAS];

    largest_relative = largest_absolute = 0;
    for (uint32_t head = 0; head < 512; head++) {
        if ((head & 255) == 255)
            continue; /* infinities and NaN */
        for (uint32_t i = 0; i < MANTISSAS; i++)
            x[i] = from_bits(head << 23 | (i * 16411u + head * 977u) % (1u << 23));
        memcpy(y, x, sizeof y);
        for_this_processor(f, y);
        check_stretch(f, &bound, x, y);
        memcpy(y, x, sizeof y);
        for_any(f, y);
        check_stretch(f, &bound, x, y);
    }
    if (getenv("FINE_TEST_TELL") != NULL)
        fprintf(stderr, "function %d on [%g, %g]: %.3g relative, %.3g absolute\n", (int)f,
                (double)bound.from, (double)bound.to, largest_relative, largest_absolute);
}

/* Evenly over a stretch, where most values in use are. */
static void
check_evenly(enum function f, struct bound bound)
{
    float x[MANTISSAS], y[MANTISSAS];
    const int n = 400;

    largest_relative = largest_absolute = 0;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < MANTISSAS; i++)
            x[i] = (float)((double)bound.from + ((double)bound.to - (double)bound.from) *
                                                    (k * MANTISSAS + i) / (n * MANTISSAS));
        memcpy(y, x, sizeof y);
        for_this_processor(f, y);
        check_stretch(f, &bound, x, y);
        memcpy(y, x, sizeof y);
        for_any(f, y);
        check_stretch(f, &bound, x, y);
    }
    if (getenv("FINE_TEST_TELL") != NULL)
        fprintf(stderr, "function %d evenly on [%g, %g]: %.3g relative, %.3g absolute\n", (int)f,
                (double)bound.from, (double)bound.to, largest_relative, largest_absolute);
}

static void
check_both(enum function f, struct bound bound)
{
    check(f, bound);
    check_evenly(f, bound);
}

static float
one(enum function f, float value)
{
    float x[MANTISSAS], y[MANTISSAS];

    for (int i = 0; i < MANTISSAS; i++)
        x[i] = y[i] = value;
    for_this_processor(f, x);
    for_any(f, y);
    for (int i = 1; i < MANTISSAS; i++)
        if (memcmp(&x[i], &x[0], sizeof x[0]) != 0)
            ck_abort_msg("function %d of %g: lane %d differs", (int)f, (double)value, i);
    ck_assert_msg(x[0] == y[0] || (isnan(x[0]) && isnan(y[0])) ||
                      fabsf(x[0] - y[0]) <= 4e-7f * fmaxf(1.0f, fabsf(x[0])),
                  "function %d of %g: %g and %g", (int)f, (double)value, (double)x[0],
                  (double)y[0]);
    return x[0];
}

static const float tiny[] = { 0.0f,   -0.0f,   FLT_TRUE_MIN, -FLT_TRUE_MIN,
                              1e-40f, -1e-40f, FLT_MIN,      -FLT_MIN };

START_TEST(exponential)
{
    check_both(EXP, (struct bound){ -87.3f, 88.7f, 1.5e-7, 0 });
    check(EXP, (struct bound){ -FLT_MAX, -87.33f, 0, (double)FLT_MIN * 1.01 });
    check(EXP, (struct bound){ -FLT_MAX, 88.7f, 1.5e-7, (double)FLT_MIN * 1.01 });
    for (int i = 0; i < FINE__COUNT(tiny); i++)
        ck_assert(one(EXP, tiny[i]) == 1.0f);
    ck_assert(one(EXP, -INFINITY) == 0.0f);
    ck_assert(one(EXP, -1e38f) == 0.0f);
    ck_assert(one(EXP, INFINITY) > 3e38f);
    ck_assert(one(EXP, 1e38f) > 3e38f);
    ck_assert(one(EXP, 89.0f) > 3e38f);
    ck_assert(isnan(one(EXP, NAN)) && isnan(one(EXP, -NAN)));
}
END_TEST

START_TEST(normal_distribution)
{
    check(CDF, (struct bound){ -FLT_MAX, FLT_MAX, 0, 1e-7 });
    check_both(CDF, (struct bound){ -5.5f, 10.0f, 5e-6, 1e-44 });
    for (float x = -13.0f; x < -5.5f; x += 0.01f) {
        const double right = expected(CDF, (double)x), got = (double)one(CDF, x);

        if (!(got > right * 0.9999 && got < right * (double)x / -5.4))
            ck_abort_msg("the tail at %g: %g, not %g", (double)x, got, right);
    }
    for (int i = 0; i < FINE__COUNT(tiny); i++)
        ck_assert(fabsf(one(CDF, tiny[i]) - 0.5f) <= 1e-7f);
    ck_assert(one(CDF, INFINITY) == 1.0f && one(CDF, 1e38f) == 1.0f);
    ck_assert(one(CDF, -INFINITY) == 0.0f && one(CDF, -1e38f) == 0.0f);
    ck_assert(isnan(one(CDF, NAN)));
    check(PDF, (struct bound){ -FLT_MAX, FLT_MAX, 0, 1e-7 });
    check_evenly(PDF, (struct bound){ -10.0f, 10.0f, 0, 1e-7 });
    ck_assert(one(PDF, INFINITY) == 0.0f && one(PDF, -INFINITY) == 0.0f);
    ck_assert(one(PDF, 1e38f) == 0.0f && one(PDF, -1e38f) == 0.0f);
    ck_assert(isnan(one(PDF, NAN)));
}
END_TEST

START_TEST(sigmoid)
{
    check(SIGMOID, (struct bound){ -FLT_MAX, FLT_MAX, 0, 1.5e-7 });
    check_evenly(SIGMOID, (struct bound){ -100.0f, 100.0f, 3e-7, 1.5e-38 });
    check(SIGMOID, (struct bound){ -87.0f, FLT_MAX, 3e-7, 0 });
    for (int i = 0; i < FINE__COUNT(tiny); i++)
        ck_assert(one(SIGMOID, tiny[i]) == 0.5f);
    ck_assert(one(SIGMOID, INFINITY) == 1.0f && one(SIGMOID, 1e38f) == 1.0f);
    ck_assert(one(SIGMOID, -INFINITY) == 0.0f && one(SIGMOID, -1e38f) == 0.0f);
    ck_assert(isnan(one(SIGMOID, NAN)));
}
END_TEST

START_TEST(tangent)
{
    check_both(TANH, (struct bound){ -FLT_MAX, FLT_MAX, 5e-7, 0 });
    check_evenly(TANH, (struct bound){ -10.0f, 10.0f, 5e-7, 0 });
    for (int i = 0; i < FINE__COUNT(tiny); i++)
        ck_assert(one(TANH, tiny[i]) == tiny[i]);
    ck_assert(one(TANH, INFINITY) == 1.0f && one(TANH, 1e38f) == 1.0f);
    ck_assert(one(TANH, -INFINITY) == -1.0f && one(TANH, -1e38f) == -1.0f);
    ck_assert(isnan(one(TANH, NAN)));
}
END_TEST

START_TEST(root)
{
    check(SQRT, (struct bound){ 0.0f, FLT_MAX, 6e-8, 0 });
    ck_assert(one(SQRT, INFINITY) == INFINITY);
    ck_assert(isnan(one(SQRT, -1.0f)) && isnan(one(SQRT, NAN)));
}
END_TEST

/* ---- vec.h ---- */

START_TEST(parts_touch_nothing_else)
{
    float from[3 * FINE__LANES], to[3 * FINE__LANES];

    for (int i = 0; i < 3 * FINE__LANES; i++)
        from[i] = (float)(i + 1);
    for (int64_t n = 0; n <= FINE__LANES + 3; n++) {
        const int kept = n < FINE__LANES ? (int)n : FINE__LANES;
        fine__vec v = fine__vec_load_part(from + 5, n);

        for (int i = 0; i < FINE__LANES; i++)
            ck_assert(v[i] == (i < kept ? from[5 + i] : 0));
        memset(to, 0, sizeof to);
        fine__vec_store_part(to + 3, v, n);
        for (int i = 0; i < 3 * FINE__LANES; i++)
            ck_assert(to[i] == (i >= 3 && i < 3 + kept ? from[i + 2] : 0));
    }
}
END_TEST

START_TEST(lanes)
{
    fine__vec a, b;
    float sum = 0;

    for (int i = 0; i < FINE__LANES; i++) {
        a[i] = i % 3 == 0 ? (float)i : (float)-i;
        b[i] = (float)(FINE__LANES - 2 * i);
        sum += a[i];
    }
    for (int i = 0; i < FINE__LANES; i++) {
        ck_assert(fine__vec_max(a, b)[i] == fmaxf(a[i], b[i]));
        ck_assert(fine__vec_min(a, b)[i] == fminf(a[i], b[i]));
        ck_assert(fine__vec_abs(a)[i] == fabsf(a[i]));
        ck_assert(fine__vec_select(a > b, a, b)[i] == fmaxf(a[i], b[i]));
        ck_assert(fine__vec_set(7)[i] == 7);
    }
    ck_assert(fine__vec_sum(a) == sum); /* whole numbers: any order */
    ck_assert(fine__vec_largest(a) == 15);
    ck_assert(fine__vec_largest(-fine__vec_abs(a)) == 0);
}
END_TEST

RUNNER("vmath", exponential, normal_distribution, sigmoid, tangent, root, parts_touch_nothing_else,
       lanes)
