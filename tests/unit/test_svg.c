/* test_svg.c — charts: ticks, gaps, limits, nothing that a viewer could stumble over. */
#include "runner.h"

#include <locale.h>
#include <math.h>

#include "report/page.h"

static fine_context *ctx;
static struct fine__buf out;

static const char *
draw(const double *x, const double *y, int64_t n, enum fine__line line, bool from_zero)
{
    const struct fine__series series = { "a <b> & \"c\"", x, y, n, 1, line };
    const struct fine__chart chart = {
        .title = "t<", .series = &series, .n_series = 1, .mark = 2, .low = NAN, .high = NAN,
        .from_zero = from_zero
    };

    fine__buf_clear(&out);
    fine__svg_chart(&out, &chart);
    ck_assert_int_eq(fine__buf_status(&out), 0);
    ck_assert_ptr_null(strstr(fine__buf_cstr(&out), "nan"));
    ck_assert_ptr_null(strstr(fine__buf_cstr(&out), "inf"));
    ck_assert_ptr_null(strstr(fine__buf_cstr(&out), "–"));
    ck_assert_ptr_null(strstr(fine__buf_cstr(&out), "<b>"));
    return fine__buf_cstr(&out);
}

static int
count(const char *text, const char *what)
{
    int n = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

static void
begin(void)
{
    ctx = new_context(1);
    fine__buf_init(&out, ctx);
}

static void
end(void)
{
    fine__buf_free(&out);
    free_context(ctx);
}

START_TEST(ticks_are_round)
{
    static const double x[] = { 0, 1, 2, 3, 4 }, y[] = { 0, 0.25, 0.5, 0.75, 1 },
                        rate[] = { 0, 1e-5, 2e-5, 3e-5, 5e-5 },
                        large[] = { 0, 1e6, 2e6, 2.5e6, 3e6 };
    const char *svg;

    begin();
    svg = draw(x, y, 5, FINE__LINE_MARKED, true);
    ck_assert_ptr_nonnull(strstr(svg, ">0.0</text>"));
    ck_assert_ptr_nonnull(strstr(svg, ">0.2</text>"));
    ck_assert_ptr_nonnull(strstr(svg, ">1.0</text>"));
    ck_assert_ptr_nonnull(strstr(svg, ">4</text>"));     /* x: whole steps */
    ck_assert_ptr_null(strstr(svg, ">0.5</text>"));
    ck_assert_int_eq(count(svg, "<circle"), 5);
    ck_assert_int_eq(count(svg, "class=\"mark\""), 1);
    ck_assert_ptr_nonnull(strstr(svg, "a &lt;b&gt; &amp; &quot;c&quot;"));
    svg = draw(x, rate, 5, FINE__LINE_PLAIN, true);
    ck_assert_ptr_nonnull(strstr(svg, ">0</text>"));
    ck_assert_ptr_nonnull(strstr(svg, ">1e-05</text>"));
    ck_assert_int_eq(count(svg, "<circle"), 0);
    svg = draw(x, large, 5, FINE__LINE_PLAIN, true);
    ck_assert_ptr_nonnull(strstr(svg, ">5e+05</text>"));
    ck_assert_ptr_nonnull(strstr(svg, ">2.5e+06</text>"));
    end();
}
END_TEST

START_TEST(odd_numbers_make_gaps)
{
    static const double x[] = { 1, 2, 3, 4, 5, 6 },
                        gap[] = { 1, NAN, 2, HUGE_VAL, -HUGE_VAL, 1e300 },
                        none[] = { NAN, NAN, NAN, NAN, NAN, NAN }, flat[] = { 7, 7, 7, 7, 7, 7 },
                        zero[6] = { 0 }, tiny[] = { 0, 5e-324, 0, 0, 0, 0 },
                        wide[] = { -1e100, 1e100, 0, 0, 0, 0 },
                        close[] = { 1, 1 + 1e-15, 1, 1, 1, 1 };
    static const double *const all[] = { gap, flat, zero, tiny, wide, close };
    const char *svg;

    begin();
    ck_assert_uint_eq(strlen(draw(x, none, 6, FINE__LINE_MARKED, true)), 0);
    ck_assert_uint_eq(strlen(draw(x, gap, 0, FINE__LINE_MARKED, true)), 0);
    svg = draw(x, gap, 6, FINE__LINE_MARKED, true);
    ck_assert_int_eq(count(svg, "<circle"), 2);
    for (int64_t i = 0; i < FINE__COUNT(all); i++)
        for (int64_t n = 1; n <= 6; n++)
            for (int zero_too = 0; zero_too < 2; zero_too++) {
                svg = draw(x, all[i], n, FINE__LINE_MARKED, zero_too);
                ck_assert_int_eq(count(svg, "<svg "), 1);
                ck_assert_int_eq(count(svg, "</svg>"), 1);
                ck_assert_int_le(count(svg, "tick end"), 20);
            }
    end();
}
END_TEST

START_TEST(a_limit_holds)
{
    static const double x[] = { 1, 2 }, y[] = { 1, 1 };
    const struct fine__series series = { NULL, x, y, 2, 0, FINE__LINE_PLAIN };
    const struct fine__chart chart = { .title = "t", .series = &series, .n_series = 1, .mark = NAN,
                                       .low = NAN, .high = 1 };

    begin();
    fine__svg_chart(&out, &chart);
    ck_assert_ptr_nonnull(strstr(fine__buf_cstr(&out), ">1.0"));
    ck_assert_ptr_null(strstr(fine__buf_cstr(&out), ">1.1"));
    end();
}
END_TEST

START_TEST(numbers_for_people)
{
    static const struct { double value; int digits; const char *fixed, *significant; } cases[] = {
        { 0, 2, "0.00", "0" }, { 0.005, 2, "0.01", "0.0050" }, { -0.5, 1, "-0.5", "-0.5" },
        { -0.0001, 2, "0.00", "-1e-04" }, { 1234.5678, 3, "1234.568", "1235" },
        { 0.99996, 4, "1.0000", "1.0000" }, { 9.9996e-5, 3, "0.000", "1e-04" },
        { 5e-5, 3, "0.000", "5e-05" }, { 2.5e-310, 2, "0.00", "2.5e-310" },
        { 1.5e300, 2, "1.5e+300", "1.5e+300" }, { NAN, 2, "–", "–" }, { HUGE_VAL, 0, "–", "–" },
        { 123456, 2, "123456.00", "123456" }, { 1e6, 1, "1000000.0", "1e+06" },
    };

    begin();
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL)
        ck_assert_str_eq(localeconv()->decimal_point, ",");
    for (int64_t i = 0; i < FINE__COUNT(cases); i++) {
        fine__buf_clear(&out);
        fine__put_fixed(&out, cases[i].value, cases[i].digits);
        ck_assert_str_eq(fine__buf_cstr(&out), cases[i].fixed);
        fine__buf_clear(&out);
        fine__put_significant(&out, cases[i].value, cases[i].digits);
        ck_assert_str_eq(fine__buf_cstr(&out), cases[i].significant);
    }
    fine__buf_clear(&out);
    fine__put_count(&out, 0);
    fine__put_count(&out, -1234);
    fine__put_count(&out, 999);
    fine__put_count(&out, 1234567);
    fine__put_count(&out, INT64_MIN);
    ck_assert_str_eq(fine__buf_cstr(&out),
                     "0-1,2349991,234,567-9,223,372,036,854,775,808");
    fine__buf_clear(&out);
    fine__put_bytes(&out, 12);
    fine__buf_byte(&out, '|');
    fine__put_bytes(&out, 1500);
    fine__buf_byte(&out, '|');
    fine__put_bytes(&out, 812345678);
    fine__buf_byte(&out, '|');
    fine__put_seconds(&out, 0.25);
    fine__buf_byte(&out, '|');
    fine__put_seconds(&out, 166.5);
    fine__buf_byte(&out, '|');
    fine__put_seconds(&out, 7260);
    fine__buf_byte(&out, '|');
    fine__put_seconds(&out, NAN);
    ck_assert_str_eq(fine__buf_cstr(&out),
                     "12 bytes|1.5 kB|812 MB|0.25 s|2 min 47 s|2 h 1 min|–");
    fine__buf_clear(&out);
    fine__put_scaled(&out, -123, -5);
    fine__buf_byte(&out, '|');
    fine__put_scaled(&out, 12, 3);
    fine__buf_byte(&out, '|');
    fine__put_scaled(&out, 0, 4);
    fine__buf_byte(&out, '|');
    fine__put_metric(&out, "accuracy", 0.77812);
    fine__buf_byte(&out, '|');
    fine__put_metric(&out, "matthews", 0.5);
    ck_assert_str_eq(fine__buf_cstr(&out), "-0.00123|12000|0|77.8 %|0.500");
    end();
}
END_TEST

START_TEST(text_is_escaped)
{
    begin();
    fine__html_text(&out, "<a href=\"x\" o='y'>&\x01\x7f\xff\xc3\xa4\xed\xa0\x80\n");
    ck_assert_str_eq(fine__buf_cstr(&out),
                     "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;\xef\xbf\xbd\xef\xbf\xbd"
                     "\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n");
    fine__buf_clear(&out);
    fine__markdown_text(&out, "a_b _c_ *d* [e](f)\n# g | `h` <i> http://j k@l x:y 1.5-2");
    ck_assert_str_eq(fine__buf_cstr(&out),
                     "a_b \\_c\\_ \\*d\\* \\[e\\](f) \\# g \\| \\`h\\` &lt;i&gt; http\\://j k\\@l x:y "
                     "1.5-2");
    end();
}
END_TEST

RUNNER("svg", ticks_are_round, odd_numbers_make_gaps, a_limit_holds, numbers_for_people,
       text_is_escaped)
