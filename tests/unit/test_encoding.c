#include "data/table.h"
#include "tables.h"

START_TEST(converts_latin_1)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.encoding = "latin-1";
    d = must_parse(ctx, "t.csv", "text,label\ncaf\xe9\x85\xa0,\xff\n", &options);
    ck_assert_str_eq(rows_of(d), "[caf\xc3\xa9\xc2\x85\xc2\xa0|\xc3\xbf]");
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.jsonl", "{\"text\":\"\xe9\",\"label\":1}\n", &options);
    ck_assert_str_eq(rows_of(d), "[\xc3\xa9|1]");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

/* Unicode's table CP1252.TXT. */
START_TEST(converts_cp1252)
{
    fine_context *ctx = new_context(1);
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "\x80\x82\x8c\x93\x94\x96\x99\x9f\xa0\xe4");
    ck_assert_int_eq(fine__encoding_convert(&text, FINE__CP1252), 0);
    ck_assert_str_eq(text.data, "\xe2\x82\xac\xe2\x80\x9a\xc5\x92\xe2\x80\x9c\xe2\x80\x9d"
                     "\xe2\x80\x93\xe2\x84\xa2\xc5\xb8\xc2\xa0\xc3\xa4");
    fine__buf_free(&text);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_holes_of_cp1252)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);

    options.encoding = "cp1252";
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\n\x80\x80\x81,x\n", &options),
                     "t.csv:2: byte 3 of the line is not defined in cp1252; check data.encoding");
    free_context(ctx);
}
END_TEST

START_TEST(says_where_utf_8_breaks)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\na,x\nb\xe9\xe9,x\nc,x\n\xff,x\n", NULL),
                     "t.csv:3: byte 2 of the line (0xe9) is not UTF-8; if the file is in another "
                     "encoding, set data.encoding to latin-1 or cp1252\n"
                     "t.csv:5: byte 1 of the line (0xff) is not UTF-8; if the file is in another "
                     "encoding, set data.encoding to latin-1 or cp1252");
    /* The line of the byte, not of the row; a column that isn't used counts too. */
    assert_contains(findings_of(ctx, "t.csv", "text,label,n\n\"a\"\"\n\"\"b\",x,\"\n1\xc0\xaf\"\n",
                                NULL),
                    "t.csv:4: byte 2 of the line (0xc0)");
    assert_contains(findings_of(ctx, "t.csv", "te\xfext,label\n", NULL),
                    "t.csv:1: byte 3 of the line (0xfe)");
    assert_contains(findings_of(ctx, "t.jsonl", "\n{\"text\":\"\xed\xa0\x80\",\"label\":1}\n",
                                NULL),
                    "t.jsonl:2: byte 10 of the line (0xed) is not UTF-8");
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\na\0b,x\n", 17, NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.csv:2: byte 2 of the line is 0, which is no text; if "
                     "the file is UTF-16, save it as UTF-8");
    free_context(ctx);
}
END_TEST

START_TEST(knows_byte_order_marks)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);

    ck_assert_str_eq(findings_of(ctx, "t.csv", "\xff\xfet", NULL),
                     "t.csv: the file is UTF-16; save it as UTF-8");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "\xfe\xfft", NULL),
                     "t.csv: the file is UTF-16; save it as UTF-8");
    options.encoding = "latin-1";
    ck_assert_str_eq(findings_of(ctx, "t.csv", "\xef\xbb\xbftext,label\n", &options),
                     "t.csv: the file begins with the mark of UTF-8, but data.encoding says "
                     "latin-1; set it to utf-8");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_other_names)
{
    enum fine__encoding encoding;

    ck_assert_int_eq(fine__encoding_parse(&encoding, "latin1"), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "data.encoding: 'latin1' is none of utf-8, latin-1, "
                     "cp1252");
    ck_assert_int_eq(fine__encoding_parse(&encoding, NULL), 0);
    ck_assert_int_eq(encoding, FINE__UTF_8);
}
END_TEST

/* Every place and every length around the eight bytes that are looked at together. */
START_TEST(scans_every_place)
{
    char text[40];

    for (size_t length = 0; length < sizeof text; length++)
        for (size_t at = 0; at < length; at++) {
            memset(text, '~', sizeof text);
            ck_assert_uint_eq(fine__encoding_scan(text, 0, length), length);
            text[at] = '\0';
            ck_assert_uint_eq(fine__encoding_scan(text, 0, length), at);
            text[at] = '\x80';
            ck_assert_uint_eq(fine__encoding_scan(text, 0, length), at);
            text[at] = '\x01';
            ck_assert_uint_eq(fine__encoding_scan(text, 0, length), length);
            if (at > 0) {
                memcpy(text + at - 1, "\xc3\xa9", 2);
                ck_assert_uint_eq(fine__encoding_scan(text, 0, length), length);
                ck_assert_uint_eq(fine__encoding_scan(text, 0, at), at - 1);
            }
        }
}
END_TEST

RUNNER("encoding", converts_latin_1, converts_cp1252, refuses_holes_of_cp1252,
       says_where_utf_8_breaks, knows_byte_order_marks, refuses_other_names, scans_every_place)
