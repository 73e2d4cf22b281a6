/* The pull reader of JSON. */
#include "io/scan.h"
#include "runner.h"

static char text[4096];

static struct fine__scan
scan_of(const char *json)
{
    struct fine__scan scan;

    memcpy(text, json, strlen(json) + 1);
    fine__scan_init(&scan, text, strlen(json), "test");
    return scan;
}

static const struct {
    const char *json, *value;
} strings[] = {
    { "\"\"", "" },
    { " \t\r\n\"abc\"", "abc" },
    { "\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz" },
    { "\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac" },
    { "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
    { "\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80" },
    { "\"\xc3\xa9\"", "\xc3\xa9" },
};

START_TEST(reads_strings_in_place)
{
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct fine__scan scan = scan_of(strings[i].json);
        char *value;
        size_t length;

        ck_assert(fine__scan_string(&scan, &value, &length, "it"));
        ck_assert_str_eq(value, strings[i].value);
        ck_assert_uint_eq(length, strlen(strings[i].value));
        ck_assert(fine__scan_end(&scan));
        ck_assert_int_eq(scan.rc, 0);
    }
}
END_TEST

START_TEST(keeps_a_nul_as_part_of_a_string)
{
    struct fine__scan scan = scan_of("\"a\\u0000b\"");
    char *value;
    size_t length;

    ck_assert(fine__scan_string(&scan, &value, &length, "it"));
    ck_assert_uint_eq(length, 3);
    ck_assert_mem_eq(value, "a\0b", 4);
}
END_TEST

static const char *const bad_strings[] = {
    "",
    "a",
    "'a'",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\udc0\"",
    "\"a\nb\"",
    "\"\x01\"",
    "\"\\ud83d\\",
    "\"\\u",
    "\"\xff\"",
    "\"\xed\xa0\x80\"",
    "\"\xc0\xaf\"",
};

START_TEST(refuses_bad_strings)
{
    for (size_t i = 0; i < sizeof bad_strings / sizeof bad_strings[0]; i++) {
        struct fine__scan scan = scan_of(bad_strings[i]);
        char *value;
        size_t length;

        ck_assert(!fine__scan_string(&scan, &value, &length, "it"));
        ck_assert_int_eq(scan.rc, FINE_EFORMAT);
        ck_assert_ptr_nonnull(strstr(fine_error_message(), "test: "));
    }
}
END_TEST

START_TEST(counts_are_strict)
{
    static const char *const bad[] = { "",
                                       "-1",
                                       "-0",
                                       "+1",
                                       "01",
                                       "1.0",
                                       "1e3",
                                       "1E0",
                                       "0x1",
                                       "true",
                                       "\"1\"",
                                       "9223372036854775808",
                                       "18446744073709551616",
                                       "99999999999999999999999999",
                                       ".5",
                                       "null",
                                       "NaN" };
    struct fine__scan scan = scan_of(" 0");
    int64_t n = -1;

    ck_assert(fine__scan_count(&scan, &n, "n") && fine__scan_end(&scan));
    ck_assert_int_eq(n, 0);
    scan = scan_of("9223372036854775807 ");
    ck_assert(fine__scan_count(&scan, &n, "n") && fine__scan_end(&scan));
    ck_assert(n == INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        scan = scan_of(bad[i]);
        ck_assert_msg(!fine__scan_count(&scan, &n, "n") || !fine__scan_end(&scan), "%s", bad[i]);
        ck_assert_int_eq(scan.rc, FINE_EFORMAT);
    }
}
END_TEST

START_TEST(walks_objects_and_lists)
{
    struct fine__scan scan = scan_of("{ \"a\" : [1, 2 ,3], \"b\":{} , \"c\":[] }");
    bool first = true, inner;
    char *key;
    size_t length;
    int64_t sum = 0, n;

    ck_assert(fine__scan_enter(&scan, '{'));
    ck_assert(fine__scan_member(&scan, &first, &key, &length));
    ck_assert_str_eq(key, "a");
    ck_assert(fine__scan_enter(&scan, '['));
    for (inner = true; fine__scan_element(&scan, &inner) && fine__scan_count(&scan, &n, "n");)
        sum += n;
    ck_assert_int_eq(sum, 6);
    ck_assert(fine__scan_member(&scan, &first, &key, &length));
    ck_assert_str_eq(key, "b");
    inner = true;
    ck_assert(fine__scan_enter(&scan, '{'));
    ck_assert(!fine__scan_member(&scan, &inner, &key, &length));
    ck_assert(fine__scan_member(&scan, &first, &key, &length));
    ck_assert_str_eq(key, "c");
    inner = true;
    ck_assert(fine__scan_enter(&scan, '['));
    ck_assert(!fine__scan_element(&scan, &inner));
    ck_assert(!fine__scan_member(&scan, &first, &key, &length));
    ck_assert(fine__scan_end(&scan));
    ck_assert_int_eq(scan.rc, 0);
}
END_TEST

static const char *const good_values[] = {
    "1",
    "-0",
    "-1.5e+10",
    "0.0",
    "1E5",
    "true",
    "false",
    "null",
    "\"x\"",
    "{}",
    "[]",
    "[[],{}]",
    " [ 1 , [ 2 , { \"a\" : [ ] , \"b\" : null } ] , \"c\" ] ",
    "{\"a\":{\"b\":{\"c\":[1,2,[3]]}},\"d\":1}",
};

static const char *const bad_values[] = {
    "",
    "-",
    "01",
    "1.",
    ".1",
    "1e",
    "1e+",
    "tru",
    "truex",
    "nul",
    "{",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{1:2}",
    "[1 2]",
    "{\"a\":1 \"b\":2}",
    "]",
    "}",
    "[}",
    "{]",
    "[1}",
    "{\"a\":1]",
    "1 2",
    "[] []",
    "NaN",
    "Infinity",
    "+1",
    "'a'",
    "/**/1",
    "[1]]",
};

START_TEST(passes_over_values)
{
    for (size_t i = 0; i < sizeof good_values / sizeof good_values[0]; i++) {
        struct fine__scan scan = scan_of(good_values[i]);

        ck_assert_msg(fine__scan_skip(&scan) && fine__scan_end(&scan), "%s", good_values[i]);
    }
    for (size_t i = 0; i < sizeof bad_values / sizeof bad_values[0]; i++) {
        struct fine__scan scan = scan_of(bad_values[i]);

        ck_assert_msg(!fine__scan_skip(&scan) || !fine__scan_end(&scan), "%s", bad_values[i]);
        ck_assert_int_eq(scan.rc, FINE_EFORMAT);
    }
}
END_TEST

START_TEST(depth_is_bounded)
{
    char deep[300];
    struct fine__scan scan;

    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    deep[128] = '\0';
    scan = scan_of(deep);
    ck_assert(fine__scan_skip(&scan) && fine__scan_end(&scan));
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    scan = scan_of(deep);
    ck_assert(!fine__scan_skip(&scan));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "64"));
}
END_TEST

START_TEST(failure_is_sticky)
{
    struct fine__scan scan = scan_of("[1, x, 2]");
    bool first = true;
    int64_t n;

    ck_assert(fine__scan_enter(&scan, '['));
    ck_assert(fine__scan_element(&scan, &first) && fine__scan_count(&scan, &n, "n"));
    ck_assert(fine__scan_element(&scan, &first) && !fine__scan_count(&scan, &n, "the second"));
    ck_assert_str_eq(
        fine_error_message(),
        "test: at byte 4 of the JSON text: the second must be a whole number, not negative");
    ck_assert(!fine__scan_element(&scan, &first) && !fine__scan_skip(&scan) &&
              !fine__scan_end(&scan));
    ck_assert(!fine__scan_fail(&scan, "later"));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "the second"));
}
END_TEST

RUNNER("scan", reads_strings_in_place, keeps_a_nul_as_part_of_a_string, refuses_bad_strings,
       counts_are_strict, walks_objects_and_lists, passes_over_values, depth_is_bounded,
       failure_is_sticky)
