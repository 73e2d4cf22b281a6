#include "runner.h"

#include <errno.h>

START_TEST(codes_never_change)
{
    static const struct {
        int code, value;
        const char *text;
    } codes[] = {
        { FINE_OK, 0, "success" },
        { FINE_EINVAL, -1, "invalid argument" },
        { FINE_ENOMEM, -2, "out of memory" },
        { FINE_EIO, -3, "cannot read or write" },
        { FINE_EFORMAT, -4, "malformed file" },
        { FINE_ESHAPE, -5, "weights do not fit the model" },
        { FINE_EUNSUPPORTED, -6, "not supported by this build" },
        { FINE_ERECIPE, -7, "recipe has errors" },
        { FINE_ENUMERIC, -8, "not a finite number" },
        { FINE_ESTATE, -9, "call not allowed now" },
        { FINE_ECANCELLED, -10, "stopped by callback" },
        { FINE_EABI, -11, "caller is newer than the library" },
        { FINE_EBUSY, -12, "in use by another process or thread" },
        { FINE_EFORK, -13, "used on the wrong side of a fork" },
        { FINE_EDATA, -14, "data has errors" },
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        ck_assert_int_eq(codes[i].code, codes[i].value);
        ck_assert_str_eq(fine_strerror(codes[i].code), codes[i].text);
    }
    ck_assert_str_eq(fine_strerror(FINE_ERROR_LAST - 1), "unknown error");
    ck_assert_str_eq(fine_strerror(1), "unknown error");
}
END_TEST

START_TEST(findings_are_walked)
{
    ck_assert_str_eq(fine_error_message(), "");
    ck_assert_ptr_null(fine_error_next());
    ck_assert_int_eq(fine__fail(FINE_EIO, "first %d", 1), FINE_EIO);
    ck_assert_int_eq(fine__also(FINE_EDATA, "second"), FINE_EDATA);
    fine__also(FINE_EDATA, "third");
    ck_assert_int_eq(fine__error_count(), 3);
    for (int round = 0; round < 2; round++) {
        ck_assert_str_eq(fine_error_message(), "first 1");
        ck_assert_str_eq(fine_error_next(), "second");
        ck_assert_str_eq(fine_error_next(), "third");
        ck_assert_ptr_null(fine_error_next());
        ck_assert_ptr_null(fine_error_next());
    }
    fine__error_prefix("file '%s'", "x");
    ck_assert_str_eq(fine_error_message(), "file 'x': first 1");
    ck_assert_str_eq(fine_error_next(), "file 'x': second");
    ck_assert_str_eq(fine_error_next(), "file 'x': third");
    ck_assert_ptr_null(fine_error_next());
    fine__fail(FINE_EIO, "new");
    ck_assert_int_eq(fine__error_count(), 1);
    fine__error_clear();
    ck_assert_str_eq(fine_error_message(), "");
}
END_TEST

START_TEST(too_many_findings_are_counted)
{
    char text[500], name[300];
    const char *finding, *last = NULL;
    int n = 0;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fine__error_clear();
    for (int i = 0; i < 100; i++)
        fine__also(FINE_EDATA, "%s", text);
    ck_assert_int_eq(fine__error_count(), 100);
    for (finding = fine_error_message(); finding != NULL; finding = fine_error_next()) {
        last = finding;
        n++;
    }
    snprintf(name, sizeof name, "and %d more", 100 - (n - 1));
    ck_assert_str_eq(last, name);
    memset(name, 'y', 290);
    name[290] = '\0';
    fine__error_prefix("%s", name);   /* some of those that had room no longer have */
    n = 0;
    for (finding = fine_error_message(); finding != NULL; finding = fine_error_next()) {
        ck_assert_uint_le(strlen(finding), 512);
        last = finding;
        n++;
    }
    snprintf(name, sizeof name, "and %d more", 100 - (n - 1));
    ck_assert_str_eq(last, name);
    ck_assert_int_eq(fine__error_count(), 100);
}
END_TEST

START_TEST(findings_are_short_and_printable)
{
    static char path[5000];
    const char *message;

    memset(path, '\n', sizeof path - 1);
    fine__fail(FINE_EIO, "cannot open '%s'", path);
    message = fine_error_message();
    ck_assert_uint_le(strlen(message), 512);
    ck_assert_ptr_null(strchr(message, '\n'));
    memset(path, 'a', sizeof path - 1);
    fine__fail_errno(FINE_EIO, ENOSPC, "cannot write '%s'", path);
    message = fine_error_message();
    ck_assert_uint_le(strlen(message), 512);
    ck_assert_ptr_nonnull(strstr(message, "...: no space left on the device"));
    fine__fail_errno(FINE_EIO, 9999, "odd");
    ck_assert_str_eq(fine_error_message(), "odd: system error 9999");
}
END_TEST

static const char *
escaped(const char *text, size_t size)
{
    static char out[200];

    memset(out, 'Z', sizeof out);
    ck_assert_ptr_eq(fine__escape(out, size, text, strlen(text)), out);
    ck_assert_int_eq(out[size], 'Z');
    return out;
}

START_TEST(escaping)
{
    ck_assert_str_eq(escaped("plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 100),
                     "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    ck_assert_str_eq(escaped("\033[2J\x7f\xff\xc2\x85", 100), "\\x1b[2J\\x7f\\xff\\xc2\\x85");
    ck_assert_str_eq(escaped("a\xe2\x80\xae" "b", 100), "a\\xe2\\x80\\xaeb");   /* right-to-left override */
    ck_assert_str_eq(escaped("12345678", 9), "12345678");
    ck_assert_str_eq(escaped("123456789", 9), "12345...");
    ck_assert_str_eq(escaped("1234\xe2\x82\xac\xe2\x82\xac", 9), "1234...");
    ck_assert_str_eq(escaped("\n\n\n", 9), "\\x0a...");
    ck_assert_str_eq(escaped("abc", 3), "ab");
    ck_assert_str_eq(escaped("abc", 1), "");
    fine__escape(NULL, 0, "abc", 3);
    ck_assert_str_eq(escaped("\\x0a", 100), "\\x0a");   /* a second time changes nothing */
}
END_TEST

RUNNER("error", codes_never_change, findings_are_walked, too_many_findings_are_counted,
       findings_are_short_and_printable, escaping)
