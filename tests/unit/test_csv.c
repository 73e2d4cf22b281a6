#include "tables.h"

static void
check_rows_named(const char *name, const char *text, const struct fine_dataset_options *options,
                 const char *expected)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, name, text, options);

    ck_assert_str_eq(rows_of(d), expected);
    fine__dataset_unref(d);
    free_context(ctx);
}

static void
check_rows(const char *text, const char *expected)
{
    check_rows_named("t.csv", text, NULL, expected);
}

static void
check_finding(const char *text, const struct fine_dataset_options *options, const char *expected)
{
    fine_context *ctx = new_context(1);

    ck_assert_str_eq(findings_of(ctx, "t.csv", text, options), expected);
    free_context(ctx);
}

START_TEST(reads_plain_fields)
{
    check_rows("text,label\na,x\nb,y\n", "[a|x] [b|y]");
    check_rows("text,label\na,x\nb,y", "[a|x] [b|y]");
    check_rows("label,text\nx,a\ny,\n", "[a|x] [|y]");
    check_rows("text,label\n a , x\n", "[ a | x]");
    check_rows("n,text,more,label\n1,a,2,x\n3,b,4,y\n", "[a|x] [b|y]");
}
END_TEST

START_TEST(reads_quoted_fields)
{
    check_rows("text,label\n\"a,b\",x\n", "[a,b|x]");
    check_rows("text,label\n\"say \"\"hi\"\"\",x\n", "[say \"hi\"|x]");
    check_rows("text,label\n\"\"\"\",x\n", "[\"|x]");
    check_rows("text,label\n\"\",x\n", "[|x]");
    check_rows("text,label\n\"two\nlines\",\"x\"\n", "[two\nlines|x]");
    check_rows("text,label\r\n\"two\r\nlines\",x\r\n", "[two\r\nlines|x]");
    check_rows("\"text\",\"label\"\n\"a\",\"x\"", "[a|x]");
    check_rows("label,text\nx,\"\"\"a\"\",\"\"b\"\"\"\ny,c\n", "[\"a\",\"b\"|x] [c|y]");
}
END_TEST

START_TEST(ends_lines_in_every_way)
{
    check_rows("text,label\r\na,x\r\nb,y\r\n", "[a|x] [b|y]");
    check_rows("text,label\ra,x\rb,y\r", "[a|x] [b|y]");
    check_rows("text,label\na,x\r\nb,y\n", "[a|x] [b|y]");
    /* A carriage return alone is text where lines end with line feeds. */
    check_rows("label,text\nx,a\rb\n", "[a\rb|x]");
    check_rows("text,label\n\na,x\n\r\n\nb,y\n\n", "[a|x] [b|y]");
}
END_TEST

START_TEST(keeps_blank_lines_of_one_column)
{
    struct fine_dataset_options options = default_options();

    options.require_label = 0;
    check_rows_named("t.csv", "text\na\n\nb\n", &options, "[a|] [|] [b|]");
}
END_TEST

START_TEST(skips_byte_order_mark)
{
    check_rows("\xef\xbb\xbftext,label\na,x\n", "[a|x]");
    check_rows("\xef\xbb\xbf\"text\",label\na,x\n", "[a|x]");
}
END_TEST

START_TEST(takes_any_separator)
{
    struct fine_dataset_options options = default_options();

    options.separator = ";";
    check_rows_named("t.csv", "text;label\na,b;x\n", &options, "[a,b|x]");
    options.separator = "|";
    check_rows_named("t.csv", "text|label\n\"a|b\"|x\n", &options, "[a|b|x]");
    options.separator = "\xc2\xa6";   /* a broken bar, and a section sign beside it */
    check_rows_named("t.csv", "text\xc2\xa6label\na\xc2\xa7\xc2\xa6x\n", &options,
                     "[a\xc2\xa7|x]");
    options.separator = "\t";
    check_rows_named("t.csv", "text\tlabel\n\"a\tx\n", &options, "[\"a|x]");
    options.separator = "\\t";
    check_rows_named("t.txt", "text\tlabel\na\tx\n", &options, "[a|x]");
}
END_TEST

START_TEST(doesnt_quote_tab_separated_files)
{
    struct fine_dataset_options options = default_options();

    check_rows_named("t.tsv", "text\tlabel\n\"He said\tx\n\"a\" b\ty\n", NULL,
                     "[\"He said|x] [\"a\" b|y]");
    options.quote = "rfc4180";
    check_rows_named("t.TSV", "text\tlabel\n\"a\tb\"\tx\n", &options, "[a\tb|x]");
    options.quote = "none";
    check_rows_named("t.csv", "text,label\n\"a,x\n", &options, "[\"a|x]");
}
END_TEST

START_TEST(reads_label_and_text)
{
    static const char *const names[] = { "id", "label", "text" };
    struct fine_dataset_options options = default_options();

    options.separator = " ";
    check_rows_named("train", "1 a \"b c\n0  two\n0 x,y \n", &options,
                     "[a \"b c|1] [ two|0] [x,y |0]");
    check_rows_named("train.tsv", "1 a\tb\n", &options, "[a\tb|1]");
    options.columns = names;
    options.n_columns = 3;
    check_rows_named("train", "7 x a b\n8 y c\n", &options, "[a b|x] [c|y]");
}
END_TEST

START_TEST(names_columns)
{
    static const char *const names[] = { "label", "", "text" };
    struct fine_dataset_options options = default_options();

    options.columns = names;
    options.n_columns = 3;
    check_rows_named("t.csv", "x,1,a\ny,2,b\n", &options, "[a|x] [b|y]");
    options.header = 0;
    check_rows_named("t.csv", "x,1,a\ny,2,b\n", &options, "[a|x] [b|y]");
    options = default_options();
    options.text = "#1 String";
    options.text_pair = "#2 String";
    options.label = "Quality";
    check_rows_named("t.tsv", "Quality\t#1 ID\t#1 String\t#2 String\n1\t7\ta\tb\n", &options,
                     "[a/b|1]");
    /* Columns may share, in any order. */
    options.text_pair = "#1 String";
    options.group = options.split_by = "Quality";
    check_rows_named("t.tsv", "Quality\t#1 String\n1\ta\n", &options, "[a/a|1]");
}
END_TEST

START_TEST(keeps_texts_apart_in_any_order)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.text_pair = "pair";
    options.group = "group";
    options.split_by = "split";
    d = must_parse(ctx, "t.csv", "split,pair,group,label,text\n"
                                 "s1,\"p\"\"1\",g1,x,text number one\n,,,y,\ns3,p3,g3,x,t3\n",
                   &options);
    ck_assert_str_eq(fine__dataset_text(d, 0), "text number one");
    ck_assert_str_eq(fine__dataset_pair(d, 0), "p\"1");
    ck_assert_str_eq(fine__dataset_group(d, 0), "g1");
    ck_assert_str_eq(d->bytes.data + d->rows[0].split, "s1");
    ck_assert_str_eq(fine__dataset_text(d, 1), "");
    ck_assert_str_eq(fine__dataset_pair(d, 1), "");
    ck_assert_str_eq(fine__dataset_group(d, 1), "");
    ck_assert_str_eq(fine__dataset_text(d, 2), "t3");
    ck_assert_str_eq(d->bytes.data + d->rows[2].split, "s3");
    ck_assert_int_eq(d->rows[0].line, 2);
    ck_assert_int_eq(d->rows[2].line, 4);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_unclosed_quotes)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);

    check_finding("text,label\na,x\n\"b,y\nc,x\n", NULL,
                  "t.csv:3: a quote opens here and is never closed; close it, or set data.quote: "
                  "none where quotes are ordinary characters");
    /* Where the next row would start isn't known, so this can't be skipped. */
    options.on_bad_row = "skip";
    assert_contains(findings_of(ctx, "t.csv", "text,label\na,x\n\"b,y\nc,x\n", &options),
                    "t.csv:3: a quote opens here");
    check_finding("text,label\na,\"", NULL,
                  "t.csv:2: a quote opens here and is never closed; close it, or set data.quote: "
                  "none where quotes are ordinary characters");
    assert_contains(findings_of(ctx, "t.csv", "text,\"label\na,x\n", &options),
                    "t.csv:1: a quote opens here");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_what_is_not_quoting)
{
    check_finding("text,label\na \"b\" c,x\n", NULL,
                  "t.csv:2: a quote inside a field that doesn't begin with one; quote the field "
                  "and write the quote twice, or set data.quote: none");
    check_finding("text,label\n\"a\" b,x\n", NULL,
                  "t.csv:2: text behind the closing quote of a field that opens on line 2; write "
                  "quotes inside a field twice, or set data.quote: none");
    /* Two stray quotes would swallow the rows between them. */
    check_finding("text,label\n\"a,x\nb,y\n\"c,x\nd,y\n", NULL,
                  "t.csv:4: text behind the closing quote of a field that opens on line 2; write "
                  "quotes inside a field twice, or set data.quote: none");
}
END_TEST

START_TEST(counts_columns)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    check_finding("text,label\na,x\nb\nc,y,z\nd,x,y,z\n", NULL,
                  "t.csv:3: 1 column, but there should be 2; quote texts that hold a separator\n"
                  "t.csv:4: 3 columns, but there should be 2; quote texts that hold a separator\n"
                  "t.csv:5: 4 columns, but there should be 2; quote texts that hold a separator");
    options.on_bad_row = "skip";
    d = must_parse(ctx, "t.csv", "text,label\na,x\nb\nc,y,z\nd,y\n", &options);
    ck_assert_str_eq(rows_of(d), "[a|x] [d|y]");
    ck_assert_int_eq(d->skipped, 2);
    fine__dataset_unref(d);
    options.separator = " ";
    ck_assert_str_eq(findings_of(ctx, "t", "1 a\nb\n", &(struct fine_dataset_options){
                         .separator = " ", .require_label = 1 }),
                     "t:2: 1 column, but there should be 2; a row is one line, and nothing is "
                     "quoted");
    free_context(ctx);
}
END_TEST

START_TEST(names_missing_columns)
{
    static const char *const twice[] = { "text", "label", "text" };
    struct fine_dataset_options options = default_options();

    check_finding("review,stars\na,1\n", NULL,
                  "t.csv: no column 'text'; there are: 'review', 'stars'. Set data.text, or "
                  "data.header: [names] where the first row is data\n"
                  "t.csv: no column 'label'; there are: 'review', 'stars'. Set data.label, or "
                  "data.header: [names] where the first row is data");
    check_finding("a sentence that is longer than any name would be,1\nb,2\n", NULL,
                  "t.csv: no column 'text'; there are: (48 bytes), '1'. Set data.text, or "
                  "data.header: [names] where the first row is data\n"
                  "t.csv: no column 'label'; there are: (48 bytes), '1'. Set data.label, or "
                  "data.header: [names] where the first row is data");
    check_finding("text,label,text\na,1,b\n", NULL,
                  "t.csv: 2 columns are named 'text'; rename all but one");
    options.columns = twice;
    options.n_columns = 3;
    check_finding("a,1,b\n", &options, "t.csv: 2 columns are named 'text'; rename all but one");
    options = default_options();
    options.header = 0;
    check_finding("a,1\n", &options,
                  "t.csv: a table without a header needs names for its columns; give them in "
                  "order, such as data.header: [label, text]");
}
END_TEST

START_TEST(may_have_no_labels)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.require_label = 0;
    d = must_parse(ctx, "t.csv", "id,text\n1,a\n2,b\n", &options);
    ck_assert_str_eq(rows_of(d), "[a|] [b|]");
    ck_assert(!d->has_labels);
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.csv", "label,text\n1,a\n,b\n", &options);
    ck_assert_str_eq(rows_of(d), "[a|1] [b|]");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(reads_empty_tables)
{
    fine_context *ctx = new_context(1);

    check_rows("text,label\n", "");
    check_rows("text,label", "");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "", NULL), "t.csv: the file is empty");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "\n\n", NULL),
                     "t.csv: there is no row with the names of the columns");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "\xef\xbb\xbf", NULL),
                     "t.csv: there is no row with the names of the columns");
    free_context(ctx);
}
END_TEST

START_TEST(bounds_columns)
{
    fine_context *ctx = new_context(1);
    char *many = malloc(40001);

    memset(many, ',', 40000);
    many[40000] = '\0';
    ck_assert_str_eq(findings_of(ctx, "t.csv", many, NULL),
                     "t.csv:1: 40001 columns are more than the limit of 10000");
    memcpy(many, "text,label\na,x\n", 15);
    ck_assert_str_eq(findings_of(ctx, "t.csv", many, NULL),
                     "t.csv:3: 39986 columns, but there should be 2; quote texts that hold a "
                     "separator");
    free(many);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_options)
{
    static const char *const separators[] = { "", ",,", "\n", "\"", "ab", "\xff", "\xc2\xa6\xc2" };
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    for (int i = 0; i < FINE__COUNT(separators); i++) {
        options.separator = separators[i];
        ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\n", -1, &options), FINE_EINVAL);
        assert_contains(fine_error_message(), "data.separator: ");
    }
    options = default_options();
    options.quote = "double";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\n", -1, &options), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "data.quote: 'double' is neither rfc4180 nor none");
    options.quote = "rfc4180";
    options.separator = " ";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\n", -1, &options), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

RUNNER("csv", reads_plain_fields, reads_quoted_fields, ends_lines_in_every_way,
       keeps_blank_lines_of_one_column, skips_byte_order_mark, takes_any_separator,
       doesnt_quote_tab_separated_files, reads_label_and_text, names_columns,
       keeps_texts_apart_in_any_order, refuses_unclosed_quotes, refuses_what_is_not_quoting,
       counts_columns, names_missing_columns, may_have_no_labels, reads_empty_tables,
       bounds_columns, refuses_bad_options)
