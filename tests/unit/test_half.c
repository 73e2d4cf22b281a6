/* 16-bit numbers: every one of them. */
#include <math.h>

#include "io/half.h"
#include "runner.h"

START_TEST(every_f16_is_exact)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const uint16_t in = (uint16_t)h;
        const int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
        const float sign = h & 0x8000 ? -1.0f : 1.0f;
        float out, expected;
        uint32_t bits;

        fine__f16_to_float(&in, &out, 1);
        memcpy(&bits, &out, sizeof bits);
        if (exponent == 31 && fraction != 0) {
            ck_assert(isnan(out));
            ck_assert_uint_eq(bits, (h & 0x8000) << 16 | 0x7f800000u | (uint32_t)fraction << 13);
            continue;
        }
        expected = exponent == 31  ? sign * INFINITY
                   : exponent == 0 ? sign * ldexpf((float)fraction, -24)
                                   : sign * ldexpf((float)(1024 + fraction), exponent - 25);
        ck_assert_mem_eq(&out, &expected, sizeof out);
    }
}
END_TEST

START_TEST(every_bf16_is_the_upper_half)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const uint16_t in = (uint16_t)h;
        const uint32_t expected = h << 16;
        float out;

        fine__bf16_to_float(&in, &out, 1);
        ck_assert_mem_eq(&out, &expected, sizeof out);
    }
}
END_TEST

RUNNER("half", every_f16_is_exact, every_bf16_is_the_upper_half)
