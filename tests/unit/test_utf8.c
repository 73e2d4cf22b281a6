#include "runner.h"

#include "base/utf8.h"

/* Code points of text; broken bytes appear as -n, n the bytes they took. */
static void
expect(const char *text, size_t length, const int32_t *expected, int n)
{
    int k = 0;

    for (size_t i = 0; i < length; k++) {
        int32_t c;
        bool valid;
        const size_t used = fine__utf8_decode(text + i, length - i, &c, &valid);

        ck_assert_int_lt(k, n);
        if (!valid)
            ck_assert_int_eq(c, 0xfffd);
        ck_assert_int_eq(valid ? c : -(int32_t)used, expected[k]);
        i += used;
    }
    ck_assert_int_eq(k, n);
    ck_assert_int_eq(fine__utf8_count(text, length), n);
}

#define EXPECT(text, ...)                                                                  \
    expect(text, sizeof text - 1, (const int32_t[]){ __VA_ARGS__ },                        \
           (int)(sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)))

START_TEST(decoding)
{
    EXPECT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 'a', 0xe4, 0x20ac, 0x1f600);
    EXPECT("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 0x80,
           0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff);
    EXPECT("\xed\x9f\xbf\xee\x80\x80", 0xd7ff, 0xe000);
    /* The Unicode Standard 15, table 3-8 to 3-11. */
    EXPECT("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", -1, -1, -1, -1, -1, -1, -1, -1, 'A');
    EXPECT("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", -1, -1, -1, -1, -1, -1, -1, -1, 'A');
    EXPECT("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", -1, -1, -1, -1, -1, 'A', -1, -1, 'B');
    EXPECT("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", -2, -1, -3, -2, 'A');
    EXPECT("\xe2\x82", -2);
    EXPECT("\xf0\x9f\x98", -3);
    EXPECT("\xc3", -1);
    ck_assert(fine__utf8_valid("\xc3\xa4", 2));
    ck_assert(!fine__utf8_valid("\xc3\xa4", 1));
    ck_assert(fine__utf8_valid("", 0));
}
END_TEST

START_TEST(every_code_point_goes_round)
{
    for (int32_t c = 0; c <= 0x10ffff; c++) {
        char text[4];
        int32_t back;
        bool valid;
        size_t n;

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        n = fine__utf8_encode(c, text);
        if (fine__utf8_decode(text, n, &back, &valid) != n || back != c || !valid)
            ck_abort_msg("U+%04X", (unsigned)c);
    }
    for (int i = 0; i < 3; i++) {
        static const int32_t bad[] = { 0xd800, 0x110000, -1 };
        char text[4];

        ck_assert_uint_eq(fine__utf8_encode(bad[i], text), 3);
        ck_assert_mem_eq(text, "\xef\xbf\xbd", 3);
    }
}
END_TEST

START_TEST(properties)
{
    int32_t out[18];

    ck_assert_int_eq(fine__utf8_category('a'), FINE__LETTER);
    ck_assert_int_eq(fine__utf8_category(0x4e2d), FINE__LETTER);
    ck_assert_int_eq(fine__utf8_category('7'), FINE__NUMBER);
    ck_assert_int_eq(fine__utf8_category('!'), FINE__PUNCTUATION);
    ck_assert_int_eq(fine__utf8_category('+'), FINE__SYMBOL);
    ck_assert_int_eq(fine__utf8_category(' '), FINE__SEPARATOR);
    ck_assert_int_eq(fine__utf8_category(0x301), FINE__MARK);
    ck_assert_int_eq(fine__utf8_category('\n'), FINE__OTHER);
    ck_assert_int_eq(fine__utf8_category(0x378), FINE__OTHER);   /* unassigned */
    ck_assert_int_eq(fine__utf8_category(-1), FINE__OTHER);
    ck_assert_int_eq(fine__utf8_category(0x110000), FINE__OTHER);
    ck_assert(fine__utf8_is_nonspacing_mark(0x301));
    ck_assert(!fine__utf8_is_nonspacing_mark(0x903));   /* spacing */
    ck_assert(fine__utf8_is_space_separator(0xa0));
    ck_assert(!fine__utf8_is_space_separator('\t'));
    ck_assert(fine__utf8_is_control(0x200d));
    ck_assert(fine__utf8_is_control(0xe000));
    ck_assert(!fine__utf8_is_control('a'));
    ck_assert(fine__utf8_is_white_space(0x3000));
    ck_assert(fine__utf8_is_white_space(0x85));
    ck_assert(!fine__utf8_is_white_space(0x200b));
    ck_assert_int_eq(fine__utf8_lower('A', out), 1);
    ck_assert_int_eq(out[0], 'a');
    ck_assert_int_eq(fine__utf8_lower(0x130, out), 2);
    ck_assert_int_eq(out[0], 'i');
    ck_assert_int_eq(out[1], 0x307);
    ck_assert_int_eq(fine__utf8_lower(0x3a3, out), 1);
    ck_assert_int_eq(out[0], 0x3c3);
    ck_assert_int_eq(fine__utf8_decompose(0x1ec7, out), 3);   /* e, dot below, circumflex */
    ck_assert_int_eq(out[0], 'e');
    ck_assert_int_eq(out[1], 0x323);
    ck_assert_int_eq(out[2], 0x302);
    ck_assert_int_eq(fine__utf8_decompose(0xac01, out), 3);
    ck_assert_int_eq(out[2], 0x11a8);
    ck_assert_int_eq(fine__utf8_decompose(0xfb01, out), 1);   /* only compatibility */
    ck_assert_int_eq(fine__utf8_decompose('x', out), 1);
    ck_assert_int_eq(fine__utf8_decompose(0x110000, out), 1);
    ck_assert_int_eq(fine__utf8_combining_class(0x323), 220);
    ck_assert_int_eq(fine__utf8_combining_class('a'), 0);
}
END_TEST

RUNNER("utf8", decoding, every_code_point_goes_round, properties)
