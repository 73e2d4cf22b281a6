#include "runner.h"

#include <math.h>

#include "base/buf.h"

START_TEST(appends)
{
    fine_context *ctx = new_context(1);
    struct fine__buf buf;
    char expected[4000] = "";

    fine__buf_init(&buf, ctx);
    ck_assert_str_eq(fine__buf_cstr(&buf), "");
    for (int i = 0; i < 300; i++) {
        fine__buf_printf(&buf, "%d,", i);
        sprintf(expected + strlen(expected), "%d,", i);
        ck_assert_str_eq(fine__buf_cstr(&buf), expected);
    }
    fine__buf_clear(&buf);
    ck_assert_str_eq(fine__buf_cstr(&buf), "");
    fine__buf_text(&buf, "a");
    fine__buf_byte(&buf, 'b');
    fine__buf_append(&buf, "\0c", 2);
    ck_assert_uint_eq(buf.length, 4);
    ck_assert_mem_eq(buf.data, "ab\0c", 5);
    memset(expected, 'x', 3000);
    expected[3000] = '\0';
    fine__buf_clear(&buf);
    fine__buf_printf(&buf, "%s!", expected);
    ck_assert_uint_eq(buf.length, 3001);
    ck_assert_int_eq(fine__buf_status(&buf), 0);
    fine__buf_free(&buf);
    free_context(ctx);
}
END_TEST

START_TEST(writes_json)
{
    fine_context *ctx = new_context(1);
    struct fine__buf buf;
    static const char text[] = "a\"b\\\n\t\r\x01\x7f\xc3\xa4\xff\xed\xa0\x80\0z";

    fine__buf_init(&buf, ctx);
    fine__buf_json_string(&buf, text, sizeof text - 1);
    ck_assert_str_eq(fine__buf_cstr(&buf),
                     "\"a\\\"b\\\\\\n\\t\\r\\u0001\\u007f\xc3\xa4\xef\xbf\xbd"
                     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\u0000z\"");
    fine__buf_clear(&buf);
    fine__buf_json_string(&buf, "", 0);
    fine__buf_number(&buf, 0.1);
    fine__buf_number(&buf, NAN);
    fine__buf_number(&buf, -INFINITY);
    ck_assert_str_eq(fine__buf_cstr(&buf), "\"\"0.1nullnull");
    fine__buf_free(&buf);
    free_context(ctx);
}
END_TEST

START_TEST(failure_sticks)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    struct fine__buf buf;
    char big[1000] = { 0 };

    fine__buf_init(&buf, ctx);
    fine__buf_text(&buf, "kept");
    faulty.fail_at = faulty.calls + 1;
    fine__buf_append(&buf, big, sizeof big);
    ck_assert_int_eq(fine__buf_status(&buf), FINE_ENOMEM);
    fine__buf_text(&buf, "ignored");
    ck_assert_str_eq(fine__buf_cstr(&buf), "kept");
    ck_assert_int_eq(fine__buf_reserve(&buf, 10), FINE_ENOMEM);
    fine__buf_clear(&buf);
    ck_assert_int_eq(fine__buf_status(&buf), 0);
    ck_assert_int_eq(fine__buf_reserve(&buf, SIZE_MAX), FINE_ENOMEM);
    fine__buf_free(&buf);
    free_context(ctx);
}
END_TEST

RUNNER("buf", appends, writes_json, failure_sticks)
