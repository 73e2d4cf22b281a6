/* test_lines.c — lines.c: what a document is. */
#include "tables.h"

static struct fine_dataset_options
text_options(const char *documents)
{
    struct fine_dataset_options options = default_options();

    options.task = "language-model";
    options.documents = documents;
    return options;
}

/* The texts as read, "¦" between them, each with its line. */
static void
check_texts(const char *text, const char *documents, const char *expected)
{
    const struct fine_dataset_options options = text_options(documents);
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.txt", text, &options);
    char all[1000] = "";
    size_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%lld:%s", i > 0 ? "|" : "",
                              (long long)d->rows[i].line, fine__dataset_text(d, i));
    ck_assert_str_eq(all, expected);
    ck_assert(!d->has_labels && !d->has_pairs);
    ck_assert_int_eq(fine__dataset_check_task(d, FINE__ROWS_OF_TEXT), d->n_rows > 0 ? 0 : FINE_EDATA);
    fine__dataset_unref(d);
    free_context(ctx);
}

START_TEST(between_blank_lines)
{
    check_texts("a\nb\n\nc\n", NULL, "1:a\nb|4:c");
    check_texts("\n \n\na\nb", "blank-lines", "4:a\nb");
    check_texts("a\n\t \nb\n\n\n", "blank-lines", "1:a|3:b");
    check_texts("  a \n", "blank-lines", "1:  a ");
    check_texts("\n\n", "blank-lines", "");
}
END_TEST

START_TEST(the_file)
{
    check_texts("a\n\nb\n\n", "file", "1:a\n\nb");
    check_texts("a", "file", "1:a");
    check_texts("\n", "file", "");
    check_texts("\xef\xbb\xbf" "a\n", "file", "1:a");
}
END_TEST

START_TEST(each_line)
{
    check_texts("a\n\nb, \"c\n d", "lines", "1:a|3:b, \"c|4: d");
}
END_TEST

START_TEST(any_end_of_a_line)
{
    check_texts("a\r\nb\r\n\r\nc\r\n", NULL, "1:a\nb|4:c");
    check_texts("a\rb\r\rc\r", NULL, "1:a\nb|4:c");
    check_texts("a\rb\nc", "lines", "1:a\rb|2:c");
}
END_TEST

START_TEST(other_encodings)
{
    struct fine_dataset_options options = text_options("lines");
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.encoding = "latin-1";
    d = must_parse(ctx, "t.txt", "\xe9\n\xe8", &options);
    ck_assert_str_eq(fine__dataset_text(d, 0), "\xc3\xa9");
    ck_assert_str_eq(fine__dataset_text(d, 1), "\xc3\xa8");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(what_is_no_text)
{
    struct fine_dataset_options options = text_options(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    assert_contains(findings_of(ctx, "t.txt", "a\nb\n\nc\n\xff\n", &options), "t.txt:5: ");
    options.on_bad_row = "skip";
    d = must_parse(ctx, "t.txt", "a\n\nc\n\xff\n", &options);
    ck_assert_int_eq(d->n_rows, 1);
    ck_assert_int_eq(d->skipped, 1);
    fine__dataset_unref(d);
    options.documents = "pages";
    ck_assert_int_eq(parse(&d, ctx, "t.txt", "a", -1, &options), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(),
                     "data.documents: 'pages' is none of blank-lines, file, lines");
    options = default_options();
    ck_assert_int_eq(parse(&d, ctx, "t.txt", "a", -1, &options), FINE_EDATA);
    options.format = "txt";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "a", -1, &options), FINE_EINVAL);
    assert_contains(fine_error_message(), "txt has texts alone");
    free_context(ctx);
}
END_TEST

/* Tables and lines of JSON without a label, and prompts with completions. */
START_TEST(texts_from_tables)
{
    struct fine_dataset_options options = text_options(NULL);
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,more\na,1\nb,2\n", &options);

    ck_assert_int_eq(d->n_rows, 2);
    ck_assert(!d->has_pairs);
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.csv", "completion,prompt\na,1\n", &options);
    ck_assert_str_eq(fine__dataset_text(d, 0), "1");
    ck_assert_str_eq(fine__dataset_pair(d, 0), "a");
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.jsonl", "{\"prompt\":\"p\",\"completion\":\"c\"}\n", &options);
    ck_assert_str_eq(fine__dataset_text(d, 0), "p");
    ck_assert_str_eq(fine__dataset_pair(d, 0), "c");
    fine__dataset_unref(d);
    assert_contains(findings_of(ctx, "t.jsonl", "{\"prompt\":\"p\"}\n", &options),
                    "no column 'text'");
    options.task = "fill-mask";
    assert_contains(findings_of(ctx, "t.csv", "completion,prompt\na,1\n", &options),
                    "no column 'text'");
    options.task = "language-model";
    options.text = "a";
    options.text_pair = "b";
    d = must_parse(ctx, "t.jsonl", "{\"a\":\"p\",\"b\":\"c\",\"label\":1}\n", &options);
    ck_assert_str_eq(fine__dataset_pair(d, 0), "c");
    ck_assert(!d->has_labels);
    fine__dataset_unref(d);
    options.labels = (const char *const[]){ "x", "y" };
    options.n_labels = 2;
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "a,b\n1,2\n", -1, &options), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

RUNNER("lines", between_blank_lines, the_file, each_line, any_end_of_a_line, other_encodings,
       what_is_no_text, texts_from_tables)
