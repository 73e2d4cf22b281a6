#include "runner.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"

static struct fine__json *
parsed(fine_context *ctx, const char *text)
{
    struct fine__json *root = NULL;

    ck_assert_msg(fine__json_parse(&root, ctx, text, strlen(text), "test") == 0, "%s: %s", text,
                  fine_error_message());
    return root;
}

START_TEST(values_and_members)
{
    fine_context *ctx = new_context(1);
    struct fine__json *root = parsed(
        ctx, " {\"z\": 1, \"a\": [true, false, null, -2.5e3, \"t\\u00e4\"], \"m\": {}, \"k\": 3}\n");
    const struct fine__json *array = fine__json_get(root, "a");
    static const char *const keys[] = { "z", "a", "m", "k" };
    size_t length;
    int n = 0;

    ck_assert_int_eq(fine__json_type(root), FINE__JSON_OBJECT);
    ck_assert_int_eq(fine__json_count(root), 4);
    ck_assert_int_eq(fine__json_int(fine__json_get(root, "z"), -1), 1);
    ck_assert_int_eq(fine__json_count(array), 5);
    ck_assert(fine__json_bool(fine__json_at(array, 0), false));
    ck_assert(!fine__json_bool(fine__json_at(array, 1), true));
    ck_assert_int_eq(fine__json_type(fine__json_at(array, 2)), FINE__JSON_NULL);
    ck_assert(fine__json_double(fine__json_at(array, 3), 0) == -2500);
    ck_assert(fine__json_double(fine__json_get(root, "z"), 0) == 1);
    ck_assert_str_eq(fine__json_string(fine__json_at(array, 4), &length), "t\xc3\xa4");
    ck_assert_uint_eq(length, 3);
    for (void *it = fine__json_first(root); it != NULL; it = fine__json_next(root, it), n++) {
        ck_assert_str_eq(fine__json_key(it), keys[n]);
        ck_assert_ptr_eq(fine__json_value(it), fine__json_get(root, keys[n]));
    }
    ck_assert_int_eq(n, 4);
    /* What isn't there or is something else. */
    ck_assert_ptr_null(fine__json_get(root, "x"));
    ck_assert_ptr_null(fine__json_get(array, "x"));
    ck_assert_ptr_null(fine__json_get(NULL, "x"));
    ck_assert_ptr_null(fine__json_at(array, 5));
    ck_assert_ptr_null(fine__json_at(array, -1));
    ck_assert_ptr_null(fine__json_at(root, 0));
    ck_assert_ptr_null(fine__json_first(array));
    ck_assert_ptr_null(fine__json_first(NULL));
    ck_assert_int_eq(fine__json_int(fine__json_at(array, 3), 9), 9);
    ck_assert_int_eq(fine__json_int(NULL, 9), 9);
    ck_assert(fine__json_double(array, 9) == 9);
    ck_assert(fine__json_bool(NULL, true));
    ck_assert_ptr_null(fine__json_string(root, NULL));
    ck_assert_int_eq(fine__json_count(NULL), 0);
    fine__json_free(root);
    fine__json_free(NULL);
    free_context(ctx);
}
END_TEST

START_TEST(strictness)
{
    static const char *const bad[] = {
        "", "  \n", "{", "[1,]", "{\"a\":1,\"a\":2}", "[1] x", "{} {}", "nul", "[1e999]", "'a'",
        "[01]", "[1.]", "[.5]", "[+1]", "[NaN]", "[Infinity]", "\"\xff\"", "\"\xed\xa0\x80\"",
        "\"a\nb\"", "\"\\u0000\"", "{\"\\u0000\": 1}", "\"\\ud800\"", "\"\\x\"", "// c\n1",
        "\xef\xbb\xbf{}", "[1 2]", "{\"a\" 1}", "{1:2}",
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fine__json *root = NULL;

        ck_assert_msg(fine__json_parse(&root, ctx, bad[i], strlen(bad[i]), "x.json")
                      == FINE_EFORMAT, "%s", bad[i]);
        ck_assert_ptr_null(root);
        ck_assert_ptr_nonnull(strstr(fine_error_message(), "x.json:"));
    }
    {
        struct fine__json *root = NULL;

        ck_assert_int_eq(fine__json_parse(&root, ctx, "{}\0", 3, "x"), FINE_EFORMAT);
        ck_assert_int_eq(fine__json_parse(&root, ctx, "{\n \"a\": ?}", 10, "x"), FINE_EFORMAT);
        ck_assert_ptr_eq(strstr(fine_error_message(), "x:2:"), fine_error_message());
    }
    free_context(ctx);
}
END_TEST

START_TEST(depth)
{
    fine_context *ctx = new_context(1);
    static char text[2000000];

    for (size_t n = 63; n <= 66; n++) {
        struct fine__json *root;
        int rc;

        memset(text, '[', n);
        memset(text + n, ']', n);
        rc = fine__json_parse(&root, ctx, text, 2 * n, "x");
        ck_assert_int_eq(rc, n <= 64 ? 0 : FINE_EFORMAT);
        if (rc == 0) {
            struct fine__buf buf;

            fine__buf_init(&buf, ctx);
            ck_assert_int_eq(fine__json_write(root, &buf), 0);
            ck_assert_uint_eq(buf.length, 2 * n);
            ck_assert_mem_eq(buf.data, text, 2 * n);
            fine__buf_free(&buf);
            fine__json_free(root);
        }
    }
    {
        struct fine__json *root;

        memset(text, '[', sizeof text);
        ck_assert_int_eq(fine__json_parse(&root, ctx, text, sizeof text, "x"), FINE_EFORMAT);
        ck_assert_str_eq(fine_error_message(), "x:1:65: nested deeper than 64");
    }
    fine__json_free(parsed(ctx, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\""));
    free_context(ctx);
}
END_TEST

START_TEST(large_integers_become_reals)
{
    fine_context *ctx = new_context(1);
    struct fine__json *root = parsed(
        ctx, "{\"a\": 1000000000000000019884624838656, \"b\": -9223372036854775809,"
             " \"c\": 9223372036854775807, \"d\": -9223372036854775808,"
             " \"e\": 1.00000000000000000000001, \"f\": 1e0000000000000000000002,"
             " \"g\": 1e-0000000000000000000002, \"99999999999999999999\": \"99999999999999999999\","
             " \"h\": [99999999999999999999.5, 99999999999999999999e3]}");
    int64_t out = 7;

    ck_assert_int_eq(fine__json_type(fine__json_get(root, "a")), FINE__JSON_REAL);
    ck_assert(fine__json_double(fine__json_get(root, "a"), 0) == 1e30);
    ck_assert(fine__json_double(fine__json_get(root, "b"), 0) == -0x1p63);
    ck_assert_int_eq(fine__json_type(fine__json_get(root, "b")), FINE__JSON_REAL);
    ck_assert_int_eq(fine__json_int(fine__json_get(root, "c"), 0), INT64_MAX);
    ck_assert_int_eq(fine__json_int(fine__json_get(root, "d"), 0), INT64_MIN);
    ck_assert(fine__json_double(fine__json_get(root, "f"), 0) == 100);
    ck_assert(fine__json_double(fine__json_get(root, "g"), 0) == 0.01);
    ck_assert_str_eq(fine__json_string(fine__json_get(root, "99999999999999999999"), NULL),
                     "99999999999999999999");
    fine__error_clear();
    ck_assert_int_eq(fine__json_want_int(root, "a", 0, 100, 5, &out, "x"), FINE_EFORMAT);
    ck_assert_int_eq(out, 7);
    fine__json_free(root);
    free_context(ctx);
}
END_TEST

START_TEST(wanted_members)
{
    fine_context *ctx = new_context(1);
    struct fine__json *root = parsed(ctx, "{\"n\": 5, \"r\": 0.5, \"s\": \"5\", \"null\": null}");
    int64_t n = 0;
    double x = 0;

    ck_assert_int_eq(fine__json_want_int(root, "n", 1, 5, 0, &n, "c"), 0);
    ck_assert_int_eq(n, 5);
    ck_assert_int_eq(fine__json_want_int(root, "absent", 1, 5, 3, &n, "c"), 0);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(fine__json_want_double(root, "r", 0, 1, NAN, &x, "c"), 0);
    ck_assert(x == 0.5);
    ck_assert_int_eq(fine__json_want_double(root, "n", 0, 10, NAN, &x, "c"), 0);
    ck_assert(x == 5);
    ck_assert_int_eq(fine__json_want_double(root, "absent", 0, 1, 0.25, &x, "c"), 0);
    ck_assert(x == 0.25);
    fine__error_clear();
    ck_assert_int_eq(fine__json_want_int(root, "absent", 1, 5, FINE__REQUIRED, &n, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_int(root, "n", 1, 4, 0, &n, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_int(root, "r", 0, 4, 0, &n, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_int(root, "s", 0, 9, 0, &n, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_int(root, "null", 0, 9, 0, &n, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_double(root, "s", 0, 9, 0, &x, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_double(root, "r", 1, 9, 0, &x, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__json_want_double(root, "absent", 1, 9, NAN, &x, "c"), FINE_EFORMAT);
    ck_assert_int_eq(fine__error_count(), 8);
    ck_assert_str_eq(fine_error_message(), "c: 'absent' is missing");
    ck_assert_str_eq(fine_error_next(), "c: 'n' must be an integer from 1 to 4, not 5");
    ck_assert_int_eq(n, 3);
    ck_assert(x == 0.25);
    fine__json_free(root);
    free_context(ctx);
}
END_TEST

static void
rewritten(fine_context *ctx, const char *text, int indent, const char *expected)
{
    struct fine__json *root = parsed(ctx, text);
    struct fine__buf buf;

    fine__buf_init(&buf, ctx);
    ck_assert_int_eq(fine__json_write_indented(root, &buf, indent), 0);
    ck_assert_str_eq(fine__buf_cstr(&buf), expected);
    fine__buf_free(&buf);
    fine__json_free(root);
}

START_TEST(writing)
{
    fine_context *ctx = new_context(1);
    struct fine__buf buf;

    rewritten(ctx, "[ ]", 0, "[]");
    rewritten(ctx, "{ }", 2, "{}");
    rewritten(ctx, "7", 2, "7");
    rewritten(ctx, "{\"b\": [1, 2.0, {\"x\": [[]]}, 0.1], \"a\": \"\\n\\u00e4\", \"t\": true, \"n\": null}",
              0, "{\"b\":[1,2.0,{\"x\":[[]]},0.1],\"a\":\"\\n\xc3\xa4\",\"t\":true,\"n\":null}");
    rewritten(ctx, "{\"b\": [1, [], false], \"a\": {\"c\": 1e-12}}", 2,
              "{\n  \"b\": [\n    1,\n    [],\n    false\n  ],\n  \"a\": {\n    \"c\": 1e-12\n  }\n}");
    fine__buf_init(&buf, ctx);
    ck_assert_int_eq(fine__json_write(NULL, &buf), 0);
    ck_assert_str_eq(fine__buf_cstr(&buf), "null");
    fine__buf_free(&buf);
    free_context(ctx);
}
END_TEST

START_TEST(limits_and_failures)
{
    struct fine_context_options options;
    struct faulty faulty;
    fine_context *ctx;
    struct fine__json *root = NULL;
    static const char text[] = "[1000000000000000000000000]";

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 1000;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    ck_assert_int_eq(fine__json_parse(&root, ctx, "[1,2,3,4,5,6,7,8]", 17, "x"), FINE_ENOMEM);
    fine__json_free(parsed(ctx, "[1]"));
    free_context(ctx);
    ctx = new_faulty_context(&faulty, 1);
    faulty.fail_at = 1;
    ck_assert_int_eq(fine__json_parse(&root, ctx, text, sizeof text - 1, "x"), FINE_ENOMEM);
    ck_assert_ptr_null(root);
    ck_assert_int_eq(fine__json_read(&root, ctx, "/nonexistent.json", 10), FINE_EIO);
    free_context(ctx);
}
END_TEST

START_TEST(a_decimal_comma_changes_nothing)
{
    fine_context *ctx = new_context(1);

    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
        puts("skipped: no locale with a decimal comma");
    rewritten(ctx, "[0.5, 1e-5, 2.0]", 0, "[0.5,1e-05,2.0]");
    free_context(ctx);
}
END_TEST

RUNNER("json", values_and_members, strictness, depth, large_integers_become_reals, wanted_members,
       writing, limits_and_failures, a_decimal_comma_changes_nothing)
