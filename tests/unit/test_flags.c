/* test_flags.c — flags.c: several labels a row, in one cell, in a list, in columns. */
#include "tables.h"

static fine_context *ctx;

static struct fine_dataset_options
flag_options(void)
{
    struct fine_dataset_options options = default_options();

    options.task = "multilabel";
    return options;
}

/* "[text|label,label]" */
static const char *
flags_of(const fine_dataset *d)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (int64_t i = 0; i < d->n_rows; i++) {
        n += (size_t)snprintf(all + n, sizeof all - n, "%s[%s|", i > 0 ? " " : "",
                              fine__dataset_text(d, i));
        for (int64_t k = 0; k < d->rows[i].n_marks; k++) {
            const struct fine__mark *mark = &d->marks[d->rows[i].first_mark + k];

            ck_assert(k == 0 || mark[-1].label < mark->label);
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", k > 0 ? "," : "",
                                  d->labels[mark->label]);
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "]");
    }
    return all;
}

static void
check(const char *name, const char *text, const struct fine_dataset_options *options,
      const char *expected)
{
    fine_dataset *d = must_parse(ctx, name, text, options);

    ck_assert_str_eq(flags_of(d), expected);
    ck_assert(d->has_labels);
    fine__dataset_unref(d);
}

START_TEST(reads_cells)
{
    struct fine_dataset_options options = flag_options();

    ctx = new_context(1);
    check("t.csv", "text,label\na,y|x\nb,\nc, z \nd,x | y|x\n", &options,
          "[a|x,y] [b|] [c|z] [d|x,y]");
    options.label_separator = ", ";
    check("t.csv", "text,label\na,\"y, x\"\nb,\"x,y\"\n", &options, "[a|x,y] [b|x,y]");
    options.label_separator = " ";
    check("t.tsv", "text\tlabel\na\ty x\n", &options, "[a|x,y]");
    free_context(ctx);
}
END_TEST

START_TEST(reads_lists)
{
    struct fine_dataset_options options = flag_options();

    ctx = new_context(1);
    check("t.jsonl", "{\"text\":\"a\",\"label\":[\"y|z\",\"x\"]}\n{\"text\":\"b\",\"label\":[]}\n"
                     "{\"text\":\"c\",\"label\":\"x|w\"}\n{\"text\":\"d\",\"label\":\"\"}\n",
          &options, "[a|x,y|z] [b|] [c|w,x] [d|]");
    ck_assert_str_eq(findings_of(ctx, "t.jsonl", "{\"text\":\"a\",\"label\":null}\n"
                                                 "{\"text\":\"a\",\"label\":[1]}\n"
                                                 "{\"text\":\"a\",\"label\":[\"\"]}\n"
                                                 "{\"text\":\"a\",\"label\":{}}\n", &options),
                     "t.jsonl:1: the label is missing; no label at all is an empty cell\n"
                     "t.jsonl:2: entry 1 of 'label' is a number, but must be a string\n"
                     "t.jsonl:3: a label is empty; no label at all is an empty cell\n"
                     "t.jsonl:4: 'label' is an object, but must be a string or an integer");
    free_context(ctx);
}
END_TEST

START_TEST(reads_columns)
{
    static const char *const columns[] = { "toxic", "rude" };
    static const char *const order[] = { "kind", "rude", "toxic" };
    struct fine_dataset_options options = flag_options();
    fine_dataset *d;

    ctx = new_context(1);
    options.label_columns = columns;
    options.n_label_columns = 2;
    check("t.csv", "text,rude,toxic\na,1,0\nb,0,0\nc,1,1\n", &options,
          "[a|rude] [b|] [c|toxic,rude]");
    check("t.jsonl", "{\"text\":\"a\",\"rude\":1,\"toxic\":0}\n"
                     "{\"text\":\"b\",\"rude\":1,\"toxic\":1}\n", &options,
          "[a|rude] [b|toxic,rude]");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,rude,toxic\na,2,\nb,true,1\nc,1\n", &options),
                     "t.csv:2: 'toxic' is neither 0 nor 1\n"
                     "t.csv:2: 'rude' is neither 0 nor 1\n"
                     "t.csv:3: 'rude' is neither 0 nor 1\n"
                     "t.csv:4: 2 columns, but there should be 3; quote texts that hold a "
                     "separator");
    ck_assert_str_eq(findings_of(ctx, "t.jsonl", "{\"text\":\"a\",\"rude\":true,\"toxic\":0.0}\n"
                                                 "{\"text\":\"a\",\"rude\":1}\n", &options),
                     "t.jsonl:1: 'toxic' is neither 0 nor 1\n"
                     "t.jsonl:1: 'rude' is neither 0 nor 1\n"
                     "t.jsonl:2: 'toxic' is missing");
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,rude\na,1\n", &options),
                     "t.csv: no column 'toxic'; correct data.label");
    ck_assert_str_eq(findings_of(ctx, "t.jsonl", "{\"text\":\"a\",\"rude\":1}\n", &options),
                     "t.jsonl: no column 'toxic'; correct data.label");
    options.labels = order;
    options.n_labels = 3;
    check("t.csv", "text,rude,toxic\nc,1,1\n", &options, "[c|rude,toxic]");
    options.labels = order;
    options.n_labels = 2;
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,rude,toxic\nc,1,1\n", -1, &options),
                     FINE_EINVAL);
    options.n_labels = 0;
    options.require_label = 0;
    d = must_parse(ctx, "t.csv", "text\na\n", &options);
    ck_assert(!d->has_labels);
    fine__dataset_unref(d);
    options.task = "classify";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,rude,toxic\nc,1,1\n", -1, &options),
                     FINE_EINVAL);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_cells)
{
    static const char *const labels[] = { "x", "y" };
    struct fine_dataset_options options = flag_options();
    fine_dataset *d;

    ctx = new_context(1);
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\na,x||y\nb,x|\nc,|\n", &options),
                     "t.csv:2: a label is empty; no label at all is an empty cell\n"
                     "t.csv:3: a label is empty; no label at all is an empty cell\n"
                     "t.csv:4: a label is empty; no label at all is an empty cell\n"
                     "t.csv:4: a label is empty; no label at all is an empty cell");
    options.labels = labels;
    options.n_labels = 2;
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\na,x|z\n", &options),
                     "t.csv:2: a label is none of the 2 in task.labels");
    options.n_labels = 0;
    options.on_bad_row = "skip";
    d = must_parse(ctx, "t.csv", "text,label\na,new||y\nb,x\n", &options);
    ck_assert_int_eq(d->n_labels, 1); /* a row that is left out brings no label in */
    ck_assert_int_eq(d->skipped, 1);
    fine__dataset_unref(d);
    options.label_separator = "";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\na,x\n", -1, &options), FINE_EINVAL);
    options.label_separator = "0123456789abcdef";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\na,x\n", -1, &options), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

START_TEST(describes_and_splits)
{
    struct fine_dataset_options options = flag_options();
    fine_dataset *d, *rest, *held;
    char text[20000] = "text,label\n";
    int n_rare = 0;

    ctx = new_context(1);
    for (int i = 0; i < 200; i++)
        (void)sprintf(text + strlen(text), "t%d,%s\n", i,
                      i % 20 == 0 ? "often|rare" : i % 2 == 0 ? "often" : "");
    d = must_parse(ctx, "t.csv", text, &options);
    assert_contains(fine__dataset_describe(d), "\"labels\":{\"often\":100,\"rare\":10},"
                                               "\"rows_without_labels\":100");
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.2, 1), 0);
    ck_assert_int_eq(held->n_rows, 40);
    for (int64_t i = 0; i < held->n_rows; i++)
        n_rare += held->rows[i].n_marks == 2;
    ck_assert_int_eq(n_rare, 2); /* a row goes with its rarest label */
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(takes_rows_from_memory)
{
    struct fine_dataset_options options = flag_options();
    fine_dataset *d;

    ctx = new_context(1);
    options.label_separator = ";";
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine__dataset_add(d, "a", NULL, "y; z ;y", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "b", NULL, "", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "c", NULL, "x;z", NULL), 0);
    ck_assert_int_eq(fine__dataset_add(d, "d", NULL, "x;;z", NULL), FINE_EDATA);
    ck_assert_int_eq(fine__dataset_add(d, "e", NULL, NULL, NULL), FINE_EDATA);
    ck_assert_str_eq(flags_of(d), "[a|y,z] [b|] [c|x,z]");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(survives_failing_allocations)
{
    static const char *const texts[] = { "text,label\na,y|x\nb,z\nc,\n",
                                         "{\"text\":\"a\",\"label\":[\"y\",\"x\"]}\n"
                                         "{\"text\":\"a\",\"label\":[\"z\",\"x\"]}\n" };
    struct fine_dataset_options options = flag_options();

    for (int k = 0; k < 2; k++)
        for (long long i = 1;; i++) {
            struct faulty faulty;
            fine_dataset *d = NULL;
            int rc;

            ctx = new_faulty_context(&faulty, 1);
            faulty.calls = 0;
            faulty.fail_at = i;
            rc = parse(&d, ctx, k == 0 ? "t.csv" : "t.jsonl", texts[k], -1, &options);
            ck_assert(rc == 0 || rc == FINE_ENOMEM);
            if (rc == 0)
                fine__dataset_unref(d);
            free_context(ctx);
            if (rc == 0 && faulty.calls < i)
                break;
        }
}
END_TEST

RUNNER("flags", reads_cells, reads_lists, reads_columns, refuses_bad_cells, describes_and_splits,
       takes_rows_from_memory, survives_failing_allocations)
