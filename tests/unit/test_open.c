#include <finetune/dataset.h>

#include "tables.h"

static void
check_format(const char *name, const char *format, const char *separator, const char *text)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.format = format;
    options.separator = separator;
    d = must_parse(ctx, name, text, &options);
    ck_assert_str_eq(rows_of(d), "[a|x]");
    fine__dataset_unref(d);
    free_context(ctx);
}

START_TEST(goes_by_the_name)
{
    static const char csv[] = "text,label\na,x\n", tsv[] = "text\tlabel\na\tx\n";
    static const char jsonl[] = "{\"text\":\"a\",\"label\":\"x\"}\n";

    check_format("t.csv", NULL, NULL, csv);
    check_format("a.tsv/T.CSV", NULL, NULL, csv);
    check_format("t.tsv", NULL, NULL, tsv);
    check_format("t.tab", NULL, NULL, tsv);
    check_format("t.jsonl", NULL, NULL, jsonl);
    check_format("t.ndjson", NULL, NULL, jsonl);
    check_format("t.txt", "csv", NULL, csv);
    check_format("t.csv", "tsv", NULL, tsv);
    check_format("t", "jsonl", NULL, jsonl);
    check_format("t", NULL, ",", csv);
}
END_TEST

START_TEST(refuses_what_it_doesnt_know)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    ck_assert_str_eq(findings_of(ctx, "t.txt", "a", NULL),
                     "t.txt: the name doesn't say how the rows are written; name the file .csv, "
                     ".tsv, .jsonl or .conll, or set data.separator");
    ck_assert_str_eq(findings_of(ctx, "t.json", "[]", NULL),
                     "t.json: a table in JSON is read with one object a line, from a file named "
                     ".jsonl; convert it, such as with: jq -c '.[]'");
    options.format = "xml";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "a", -1, &options), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(),
                     "data.format: 'xml' is none of csv, tsv, jsonl, squad, txt, conll");
    free_context(ctx);
}
END_TEST

START_TEST(reads_files)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "r.csv");
    fine_dataset *d = NULL;

    ck_assert_int_eq(fine_dataset_open(&d, ctx, path, NULL), FINE_EIO);
    assert_contains(fine_error_message(), "r.csv': no such file or directory");
    ck_assert_int_eq(fine__file_write(ctx, path, "text,label\na,x\nb,\n", 18), 0);
    ck_assert_int_eq(fine_dataset_open(&d, ctx, path, NULL), FINE_EDATA);
    assert_contains(fine_error_message(), "r.csv:3: the label is empty");
    ck_assert_ptr_null(d);
    ck_assert_int_eq(fine__file_write(ctx, path, "text,label\na,x\n", 15), 0);
    ck_assert_int_eq(fine_dataset_open(&d, ctx, path, NULL), 0);
    ck_assert_int_eq(fine_dataset_count(d), 1);
    ck_assert_str_eq(fine_dataset_text(d, 0), "a");
    fine_dataset_free(d);
    fine__free(ctx, path);
    path = fine__path_join(ctx, folder, "");
    ck_assert_int_eq(fine_dataset_open(&d, ctx, folder, NULL) < 0, 1);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* A file larger than the limit on memory is refused before it is read. */
START_TEST(keeps_to_the_memory_limit)
{
    struct fine_context_options options;
    fine_context *ctx, *small;
    char *folder = new_folder(), *path;
    struct fine__buf text;
    fine_dataset *d = NULL;

    ctx = new_context(1);
    path = fine__path_join(ctx, folder, "big.csv");
    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "text,label\n");
    for (int i = 0; i < 100000; i++)
        fine__buf_text(&text, "some text or other,x\n");
    ck_assert_int_eq(fine__file_write(ctx, path, text.data, text.length), 0);
    fine__buf_free(&text);
    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 1000000;
    ck_assert_int_eq(fine_context_new(&small, &options), 0);
    ck_assert_int_eq(fine_dataset_open(&d, small, path, NULL), FINE_ENOMEM);
    ck_assert_ptr_null(d);
    free_context(small);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("open", goes_by_the_name, refuses_what_it_doesnt_know, reads_files,
       keeps_to_the_memory_limit)
