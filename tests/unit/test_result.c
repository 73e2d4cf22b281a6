/* test_result.c — reports: the text, and numbers by path. */
#include "runner.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/result.h"

static fine_report *
make(fine_context *ctx, const char *json)
{
    struct fine__buf text;
    fine_report *report = NULL;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, json);
    ck_assert_int_eq(fine__report_new(&report, ctx, &text), 0);
    ck_assert_uint_eq(text.length, 0);
    fine__buf_free(&text);
    return report;
}

static void
refuses(fine_context *ctx, const char *json, int code)
{
    struct fine__buf text;
    fine_report *report = NULL;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, json);
    ck_assert_int_eq(fine__report_new(&report, ctx, &text), code);
    ck_assert_ptr_null(report);
    ck_assert_str_eq(fine__buf_cstr(&text), json);
    fine__buf_free(&text);
}

START_TEST(numbers_by_path)
{
    static const struct { const char *path; double value; } good[] = {
        { "n", 3 }, { "loss", 0.25 }, { "metrics.accuracy", 0.5 },
        { "groups.amazon.com.accuracy", 0.75 }, { "groups.amazon.accuracy", 0.125 },
        { "history.1.loss", 2 }, { ".x", 9 },
    };
    static const char *const bad[] = {
        "", ".", "metrics", "metrics.", "metrics.accurac", "metrics.accuracy.", "text", "flag",
        "n.n", "history.2.loss", "history.-1.loss", "history.x", "history", "nothing",
        "groups.amazon.com",
    };
    fine_context *ctx = new_context(1);
    fine_report *report = make(ctx, "{\"n\": 3, \"loss\": 0.25, \"metrics\": {\"accuracy\": 0.5}, "
                                    "\"groups\": {\"amazon\": {\"accuracy\": 0.125}, "
                                    "\"amazon.com\": {\"accuracy\": 0.75}}, "
                                    "\"history\": [{\"loss\": 1}, {\"loss\": 2}], "
                                    "\"text\": \"3\", \"flag\": true, \"\": {\"x\": 9}}");
    double value = -1;

    for (int64_t i = 0; i < FINE__COUNT(good); i++) {
        ck_assert_msg(fine_report_number(report, good[i].path, &value) == 0, "%s", good[i].path);
        ck_assert_double_eq(value, good[i].value);
    }
    value = -1;
    for (int64_t i = 0; i < FINE__COUNT(bad); i++) {
        ck_assert_msg(fine_report_number(report, bad[i], &value) == FINE_EINVAL, "%s", bad[i]);
        ck_assert_double_eq(value, -1);
    }
    ck_assert_int_eq(fine_report_number(NULL, "n", &value), FINE_EINVAL);
    ck_assert_int_eq(fine_report_number(report, NULL, &value), FINE_EINVAL);
    ck_assert_int_eq(fine_report_number(report, "n", NULL), FINE_EINVAL);
    fine_report_free(report);
    free_context(ctx);
}
END_TEST

START_TEST(text_is_one_line)
{
    fine_context *ctx = new_context(1);
    fine_report *report = make(ctx, "{\n  \"a\": [1, 0.1],\n  \"b\": \"x\\ny\"\n}");

    ck_assert_str_eq(fine_report_json(report), "{\"a\":[1,0.1],\"b\":\"x\\ny\"}");
    fine_report_free(report);
    report = make(ctx, "{\"a\": 1.50}");     /* one line stays as it was written */
    ck_assert_str_eq(fine_report_json(report), "{\"a\": 1.50}");
    ck_assert_int_eq(fine__json_type(fine__report_root(report)), FINE__JSON_OBJECT);
    fine_report_free(report);
    fine_report_free(NULL);
    ck_assert_ptr_null(fine_report_json(NULL));
    free_context(ctx);
}
END_TEST

START_TEST(broken_text_is_refused)
{
    fine_context *ctx = new_context(1);

    refuses(ctx, "", FINE_EFORMAT);
    refuses(ctx, "[1]", FINE_EFORMAT);
    refuses(ctx, "{\"a\": 1", FINE_EFORMAT);
    refuses(ctx, "{\"a\": nan}", FINE_EFORMAT);
    free_context(ctx);
}
END_TEST

START_TEST(outlives_its_context)
{
    fine_context *ctx = new_context(1);
    fine_report *report = make(ctx, "{\"n\": 1}");
    double value;

    fine_context_free(ctx);
    ck_assert_int_eq(fine_report_number(report, "n", &value), 0);
    fine_report_free(report);
}
END_TEST

START_TEST(out_of_memory)
{
    struct faulty faulty;
    int rc = FINE_ENOMEM;

    for (long long n = 1; rc != 0; n++) {
        fine_context *ctx = new_faulty_context(&faulty, 1);
        fine_report *report = NULL;
        struct fine__buf text;

        faulty.fail_at = n;
        fine__buf_init(&text, ctx);
        fine__buf_text(&text, "{\"a\":\n1}");
        rc = fine__report_new(&report, ctx, &text);
        ck_assert(rc == 0 || (rc == FINE_ENOMEM && report == NULL));
        fine__report_free(report);
        fine__buf_free(&text);
        free_context(ctx);
    }
}
END_TEST

RUNNER("result", numbers_by_path, text_is_one_line, broken_text_is_refused, outlives_its_context,
       out_of_memory)
