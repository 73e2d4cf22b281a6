#include "runner.h"

#include <float.h>
#include <locale.h>
#include <stdio.h>

#include "base/number.h"
#include "base/numeric.h"

START_TEST(the_hosts_rounding_is_put_aside_and_back)
{
    static const int roundings[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    volatile double one = 1, three = 3;
    const double third = one / three;
    struct fine__numeric saved;
    double value;

    for (int i = 0; i < 3; i++) {
        fesetround(roundings[i]);
        feraiseexcept(FE_INEXACT);
        fine__numeric_enter(&saved);
        ck_assert_int_eq(fegetround(), FE_TONEAREST);
        ck_assert(one / three == third);
        fine__numeric_leave(&saved);
        ck_assert_int_eq(fegetround(), roundings[i]);
        ck_assert_int_eq(fetestexcept(FE_INEXACT), FE_INEXACT);
        ck_assert(fine__parse_double("0.1", 3, &value));
        ck_assert(value == 0.1);
        ck_assert_int_eq(fegetround(), roundings[i]);
    }
}
END_TEST

#if defined __x86_64__
#include <xmmintrin.h>

START_TEST(flush_to_zero_and_traps_too)
{
    volatile double tiny = DBL_MIN, two = 2;
    const unsigned before = _mm_getcsr();
    struct fine__numeric saved;

    _mm_setcsr((before | 0x8040u) & ~0x1f80u);   /* FTZ, DAZ, every trap */
    fine__numeric_enter(&saved);
    ck_assert(tiny / two > 0);
    ck_assert_uint_eq(_mm_getcsr() & 0xffc0u, before & 0xffc0u);
    fine__numeric_leave(&saved);
    ck_assert_uint_eq(_mm_getcsr() & 0xffc0u, (before | 0x8040u) & 0xe07fu & 0xffc0u);
    _mm_setcsr(before);
}
END_TEST
#else
START_TEST(flush_to_zero_and_traps_too)
{
}
END_TEST
#endif

START_TEST(the_hosts_locale_is_put_aside_and_back)
{
    struct fine__numeric saved;
    char text[32];

    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) {
        puts("skipped: no locale with a decimal comma");
        return;
    }
    fine__numeric_enter(&saved);
    snprintf(text, sizeof text, "%.1f", 1.5);
    ck_assert_str_eq(text, "1.5");
    fine__numeric_leave(&saved);
    snprintf(text, sizeof text, "%.1f", 1.5);
    ck_assert_str_eq(text, "1,5");
}
END_TEST

RUNNER("numeric", the_hosts_rounding_is_put_aside_and_back, flush_to_zero_and_traps_too,
       the_hosts_locale_is_put_aside_and_back)
