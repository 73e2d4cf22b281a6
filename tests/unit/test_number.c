#include "runner.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "base/rng.h"

static double
parsed(const char *text)
{
    double value = -12345.5;

    ck_assert_msg(fine__parse_double(text, strlen(text), &value), "%s", text);
    return value;
}

static void
check_doubles(void)
{
    static const char *const bad[] = { "", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "inf",
                                       "nan", "1,5", " 1", "1 ", "1e5.5", "--1", "1e400", "-1e400",
                                       "1_000", "1..2", "infinity", "1f" };
    double value = 7;
    char text[64], long_text[3000];

    ck_assert(parsed("0") == 0 && !signbit(parsed("0")));
    ck_assert(signbit(parsed("-0")));
    ck_assert(parsed("0.1") == 0.1);
    ck_assert(parsed("-1.5e-3") == -1.5e-3);
    ck_assert(parsed("1E+2") == 100);
    ck_assert(parsed("007") == 7);
    ck_assert(parsed("9007199254740993") == 9007199254740992.0);
    ck_assert(parsed("9007199254740993.0000000000000000000000001") == 9007199254740994.0);
    ck_assert(parsed("1.7976931348623157e308") == DBL_MAX);
    ck_assert(parsed("4.9406564584124654e-324") == 0x1p-1074);
    ck_assert(parsed("2.2250738585072011e-308") == 0x0.fffffffffffffp-1022);
    ck_assert(parsed("1e-400") == 0);
    ck_assert(parsed("1e-99999999999999999999999") == 0);
    ck_assert(parsed("0e99999999999999999999999") == 0);
    ck_assert(parsed("123456789012345678901234567890") == 123456789012345678901234567890.0);

    /* A digit far beyond what decides, on either side of a midpoint. */
    memset(long_text, '0', sizeof long_text);
    memcpy(long_text, "9007199254740993.", 17);
    long_text[2998] = '1';
    long_text[2999] = '\0';
    ck_assert(parsed(long_text) == 9007199254740994.0);
    long_text[2998] = '0';
    ck_assert(parsed(long_text) == 9007199254740992.0);
    memset(long_text, '9', 2900);
    memcpy(long_text + 2900, "e-2900", 7);
    ck_assert(parsed(long_text) == 1);
    memset(long_text, '0', 2000);
    memcpy(long_text + 2000, "1e3", 4);
    ck_assert(parsed(long_text) == 1000);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!fine__parse_double(bad[i], strlen(bad[i]), &value), "%s", bad[i]);
        ck_assert(value == 7);
    }
    ck_assert(!fine__parse_double("1\0", 2, &value));

    ck_assert_str_eq(fine__format_double(text, 0.1), "0.1");
    ck_assert_str_eq(fine__format_double(text, 5e-5), "5e-05");
    ck_assert_str_eq(fine__format_double(text, 3), "3");
    ck_assert_str_eq(fine__format_double(text, -0.0), "-0");
    ck_assert_str_eq(fine__format_double(text, 1.0 / 3), "0.3333333333333333");
    ck_assert_str_eq(fine__format_double(text, 0.1 + 0.2), "0.30000000000000004");
    ck_assert_str_eq(fine__format_double(text, NAN), "nan");
    ck_assert_str_eq(fine__format_double(text, INFINITY), "inf");
    ck_assert_str_eq(fine__format_double(text, -INFINITY), "-inf");
    ck_assert_uint_lt(strlen(fine__format_double(text, -DBL_MIN * 1.23456789)), 32);
    for (uint64_t i = 0; i < 100000; i++) {
        const uint64_t bits = fine__rng_u64(1, i);
        double in, out;

        memcpy(&in, &bits, sizeof in);
        if (!isfinite(in))
            continue;
        fine__format_double(text, in);
        out = parsed(text);
        ck_assert_mem_eq(&in, &out, sizeof in);
    }
}

START_TEST(doubles)
{
    check_doubles();
}
END_TEST

START_TEST(doubles_under_a_decimal_comma)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL || strcmp(localeconv()->decimal_point, ",") != 0) {
        puts("skipped: no locale with a decimal comma");
        return;
    }
    check_doubles();
    ck_assert_str_eq(localeconv()->decimal_point, ",");
}
END_TEST

/* The fast way for short numbers agrees with the C library's. */
START_TEST(short_doubles)
{
    for (uint64_t i = 0; i < 200000; i++) {
        const int64_t mantissa = fine__rng_below(2, 2 * i, INT64_C(1) << (i % 60));
        const int64_t exponent = fine__rng_below(2, 2 * i + 1, 50) - 25;
        char text[64];

        snprintf(text, sizeof text, "%" PRId64 "e%" PRId64, mantissa, exponent);
        ck_assert_msg(parsed(text) == strtod(text, NULL), "%s", text);
    }
}
END_TEST

START_TEST(integers)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = { { "0", 0 },
                 { "-0", 0 },
                 { "0012", 12 },
                 { "9223372036854775807", INT64_MAX },
                 { "-9223372036854775808", INT64_MIN },
                 { "-9223372036854775807", -INT64_MAX } };
    static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x1",
                                       "9223372036854775808", "-9223372036854775809",
                                       "99999999999999999999", "1a" };
    int64_t value = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!fine__parse_int64(bad[i], strlen(bad[i]), &value), "%s", bad[i]);
        ck_assert_int_eq(value, 7);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(fine__parse_int64(good[i].text, strlen(good[i].text), &value));
        ck_assert_int_eq(value, good[i].value);
    }
}
END_TEST

START_TEST(sizes)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = { { "0", 0 },
                 { "512", 512 },
                 { "512B", 512 },
                 { "2K", 2000 },
                 { "2k", 2000 },
                 { "2KB", 2000 },
                 { "2Ki", 2048 },
                 { "3MiB", 3 << 20 },
                 { "1.5G", 1500000000 },
                 { "1.5GiB", INT64_C(3) << 29 },
                 { "8TiB", INT64_C(8) << 40 },
                 { "8388607TiB", INT64_C(8388607) << 40 } };
    static const char *const bad[] = { "", "B", "K", "iB", "-1K", "1.5", "1.K", ".5K", "1 K", "1m",
                                       "1KK", "8388608TiB", "1e3", "1.0000001G", "1Kb", "5i", "1.-5K",
                                       "9223372036854775808" };
    int64_t value = 7;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!fine__parse_size(bad[i], strlen(bad[i]), &value), "%s", bad[i]);
        ck_assert_int_eq(value, 7);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(fine__parse_size(good[i].text, strlen(good[i].text), &value), "%s",
                      good[i].text);
        ck_assert_int_eq(value, good[i].value);
    }
}
END_TEST

RUNNER("number", doubles, doubles_under_a_decimal_comma, short_doubles, integers, sizes)
