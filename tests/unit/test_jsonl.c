#include "tables.h"

static void
check_rows(const char *text, const struct fine_dataset_options *options, const char *expected)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.jsonl", text, options);

    ck_assert_str_eq(rows_of(d), expected);
    fine__dataset_unref(d);
    free_context(ctx);
}

static void
check_finding(const char *text, const struct fine_dataset_options *options, const char *expected)
{
    fine_context *ctx = new_context(1);

    ck_assert_str_eq(findings_of(ctx, "t.jsonl", text, options), expected);
    free_context(ctx);
}

START_TEST(reads_objects)
{
    check_rows("{\"text\": \"a\", \"label\": \"x\"}\n{\"label\": \"y\", \"text\": \"b\"}", NULL,
               "[a|x] [b|y]");
    check_rows("\xef\xbb\xbf{\"text\":\"a\",\"label\":\"x\"}\r\n\r\n \t\n"
               "{\"text\":\"\",\"label\":\"y\"}\r\n", NULL, "[a|x] [|y]");
    check_rows("{\"text\":\"\\u00e9\\n\\ud83d\\ude00\",\"label\":\"x\"}\n", NULL,
               "[\xc3\xa9\n\xf0\x9f\x98\x80|x]");
    check_rows("{\"text\":\"a\",\"label\":\"x\"}\r{\"text\":\"b\",\"label\":\"y\"}", NULL,
               "[a|x] [b|y]");
}
END_TEST

START_TEST(reads_labels_of_any_kind)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    check_rows("{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":-2}\n"
               "{\"text\":\"c\",\"label\":true}\n{\"text\":\"d\",\"label\":\"1\"}\n", NULL,
               "[a|1] [b|-2] [c|true] [d|1]");
    options.label_is_number = 1;
    d = must_parse(ctx, "t.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":0.1}\n"
                                   "{\"text\":\"c\",\"label\":\" 2.5 \"}\n", &options);
    ck_assert(d->rows[0].value == 1.0 && d->rows[1].value == 0.1 && d->rows[2].value == 2.5);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_wrong_types)
{
    struct fine_dataset_options options = default_options();

    check_finding("{\"text\":1,\"label\":\"x\"}\n{\"text\":\"a\",\"label\":0.5}\n"
                  "{\"text\":[\"a\"],\"label\":{}}\n{\"text\":null,\"label\":null}\n"
                  "{\"text\":\"a\",\"label\":\" \"}\n[1]\n7\n", NULL,
                  "t.jsonl:1: 'text' is a number, but must be a string\n"
                  "t.jsonl:2: 'label' is a number with a fraction, but must be a string or an "
                  "integer\n"
                  "t.jsonl:3: 'text' is a list, but must be a string\n"
                  "t.jsonl:3: 'label' is an object, but must be a string or an integer\n"
                  "t.jsonl:4: 'text' is missing\n"
                  "t.jsonl:4: the label is missing\n"
                  "t.jsonl:5: the label is empty\n"
                  "t.jsonl:6: the line is a list, but must be an object\n"
                  "t.jsonl:7: the line is a number, but must be an object");
    options.label_is_number = 1;
    check_finding("{\"text\":\"a\",\"label\":true}\n{\"text\":\"a\",\"label\":[]}\n", &options,
                  "t.jsonl:1: the label is not a finite number\n"
                  "t.jsonl:2: 'label' is a list, but must be a number");
}
END_TEST

START_TEST(lets_unused_values_be)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.jsonl",
                                 "{\"text\":\"a\",\"label\":\"x\",\"meta\":{\"deep\":[1,2]}}\n"
                                 "{\"id\":1e999999,\"text\":\"b\",\"label\":\"y\"}\n"
                                 "{\"text\":\"c\",\"label\":\"y\",\"n\":123456789012345678901}\n",
                                 &(struct fine_dataset_options){ .on_bad_row = "skip",
                                                                 .require_label = 1 });

    ck_assert_int_eq(d->n_columns_unused, 2);
    ck_assert_str_eq(d->columns_unused[0], "meta");
    ck_assert_str_eq(rows_of(d), "[a|x] [c|y]");
    ck_assert_int_eq(d->skipped, 1);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(explains_other_kinds_of_json)
{
    check_finding("{\n  \"text\": \"a\",\n  \"label\": \"x\"\n}\n", NULL,
                  "t.jsonl:1: an object goes on over several lines; write one object a line, such "
                  "as with: jq -c .");
    check_finding("[\n{\"text\":\"a\",\"label\":\"x\"},\n{\"text\":\"b\",\"label\":\"x\"}]\n", NULL,
                  "t.jsonl:1: the file is one JSON list, not one object a line; convert it, such "
                  "as with: jq -c '.[]'");
    check_finding("[{\"text\":\"a\",\"label\":\"x\"}]", NULL,
                  "t.jsonl:1: the file is one JSON list, not one object a line; convert it, such "
                  "as with: jq -c '.[]'");
    check_finding("{\"text\": \"a\",\n \"label\": \"x\"}\n", NULL,
                  "t.jsonl:1: an object goes on over several lines; write one object a line, such "
                  "as with: jq -c .");
}
END_TEST

START_TEST(says_where_a_line_breaks_but_not_what_it_holds)
{
    static const char *const broken[] = {
        "{\"text\":\"CANARY\",\"label\":}",
        "{\"text\":\"CANARY\",\"label\":\"x\"} CANARY",
        "{\"text\":\"CANARY",
        "{\"text\":\"CANARY\\q\",\"label\":1}",
        "{\"CANARY\":1,\"CANARY\":2}",
        "CANARY",
        "{\"text\":\"\\ud800CANARY\"}",
        "{\"text\":'CANARY'}",
        "{\"text\":\"CANARY\\u0000\"}",
        "{\"text\":\"CANARY\xff\"}",
        "{\"text\":CANARY1e99999}",
        "\"CANARY\"",
        "{\"text\":{\"CANARY\":\"CANARY\"},\"label\":\"x\"}",
    };
    fine_context *ctx = new_context(1);
    char text[400];

    for (int i = 0; i < FINE__COUNT(broken); i++) {
        snprintf(text, sizeof text, "{\"text\":\"a\",\"label\":\"x\"}\n%s\n", broken[i]);
        const char *said = findings_of(ctx, "t.jsonl", text, NULL);

        ck_assert_msg(strncmp(said, "t.jsonl:2: ", 11) == 0, "%s", said);
        assert_lacks(said, "CANARY");
        assert_lacks(said, "row:1");
    }
    assert_contains(findings_of(ctx, "t.jsonl", "{\"text\":\"a\",\"label\":}\n", NULL),
                    "t.jsonl:1: character 21 of the line: not JSON: unexpected token");
    free_context(ctx);
}
END_TEST

START_TEST(names_missing_columns_once)
{
    struct fine_dataset_options options = default_options();

    check_finding("{\"review\":\"a\",\"label\":\"x\"}\n{\"review\":\"b\",\"stars\":1}\n", NULL,
                  "t.jsonl: no column 'text'; there are: 'review', 'label', 'stars'. Set "
                  "data.text");
    options.on_bad_row = "skip";
    check_finding("{\"review\":\"a\",\"label\":\"x\"}\n", &options,
                  "t.jsonl: no column 'text'; there are: 'review', 'label'. Set data.text");
    /* Missing in some rows is those rows' fault. */
    check_finding("{\"text\":\"a\",\"label\":\"x\"}\n{\"label\":\"x\"}\n{\"text\":\"c\"}\n", NULL,
                  "t.jsonl:2: 'text' is missing\nt.jsonl:3: the label is missing");
    options.require_label = 0;
    check_rows("{\"text\":\"a\"}\n", &options, "[a|]");
}
END_TEST

START_TEST(bounds_keys)
{
    fine_context *ctx = new_context(1);
    struct fine__buf text;
    fine_dataset *d = NULL;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "{\"text\":\"a\",\"label\":\"x\"");
    for (int i = 0; i < 10001; i++)
        fine__buf_printf(&text, ",\"%d\":0", i);
    fine__buf_text(&text, "}\n");
    ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.jsonl", &text, NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.jsonl:1: more than 10000 different keys; keep texts "
                     "in values, not in keys");
    free_context(ctx);
}
END_TEST

START_TEST(shares_columns)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.group = options.split_by = options.text_pair = "g";
    options.text = "t";
    options.label = "g";
    d = must_parse(ctx, "t.jsonl", "{\"g\":\"group\",\"t\":\"\"}\n{\"g\":\"other\",\"t\":\"x\"}\n",
                   &options);
    ck_assert_str_eq(rows_of(d), "[/group|group] [x/other|other]");
    ck_assert_int_eq(d->rows[0].pair, d->rows[0].split);
    ck_assert_int_eq(d->rows[0].pair, d->rows[0].group);
    fine__dataset_unref(d);
    options.text_pair = NULL;
    d = must_parse(ctx, "t.jsonl", "{\"g\":1234567890123456789,\"t\":\"\"}\n", &options);
    ck_assert_str_eq(fine__dataset_group(d, 0), "1234567890123456789");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

RUNNER("jsonl", reads_objects, reads_labels_of_any_kind, refuses_wrong_types,
       lets_unused_values_be, explains_other_kinds_of_json,
       says_where_a_line_breaks_but_not_what_it_holds, names_missing_columns_once, bounds_keys,
       shares_columns)
