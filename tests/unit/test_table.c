#include <math.h>

#include "tables.h"

START_TEST(finds_labels_sorted_bytewise)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,label\na,b\nb,a\nc,Z\nd,10\ne,9\nf,\xc3\xa9\n"
                                               "g,a\n", NULL);

    ck_assert_int_eq(d->n_labels, 6);
    ck_assert_str_eq(d->labels[0], "10");
    ck_assert_str_eq(d->labels[1], "9");
    ck_assert_str_eq(d->labels[2], "Z");
    ck_assert_str_eq(d->labels[3], "a");
    ck_assert_str_eq(d->labels[4], "b");
    ck_assert_str_eq(d->labels[5], "\xc3\xa9");
    ck_assert_str_eq(rows_of(d), "[a|b] [b|a] [c|Z] [d|10] [e|9] [f|\xc3\xa9] [g|a]");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(keeps_given_labels_in_order)
{
    static const char *const names[] = { "pos", "neg", "never" };
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.labels = names;
    options.n_labels = 3;
    d = must_parse(ctx, "t.csv", "text,label\na,neg\nb,pos\n", &options);
    ck_assert_int_eq(d->rows[0].label, 1);
    ck_assert_int_eq(d->rows[1].label, 0);
    ck_assert_int_eq(d->n_labels, 3);
    fine__dataset_unref(d);
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\na,neg\nb,neu\nc, pos\n", &options),
                     "t.csv:3: the label is none of the 3 in task.labels\n"
                     "t.csv:4: the label is none of the 3 in task.labels");
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_lists_of_labels)
{
    static const char *const twice[] = { "a", "b", "a" }, *const empty[] = { "a", "" };
    static const char *const broken[] = { "\xff" }, *const null[] = { "a", NULL };
    static const struct {
        const char *const *names;
        int64_t n;
        const char *message;
    } cases[] = {
        { twice, 3, "task.labels: 'a' is there twice" },
        { empty, 2, "task.labels: label 2 is empty" },
        { null, 2, "task.labels: label 2 is empty" },
        { broken, 1, "task.labels: label 1 is not UTF-8 of at most 1000 bytes" },
        { NULL, 1, "task.labels: n_labels without labels" },
        { twice, 70000, "task.labels: 70000 labels are more than the limit of 65536" },
    };
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d = NULL;

    for (int i = 0; i < FINE__COUNT(cases); i++) {
        options.labels = cases[i].names;
        options.n_labels = cases[i].n;
        ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\na,x\n", -1, &options), FINE_EINVAL);
        ck_assert_str_eq(fine_error_message(), cases[i].message);
        ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), FINE_EINVAL);
        ck_assert_str_eq(fine_error_message(), cases[i].message);
        ck_assert_ptr_null(d);
    }
    options.labels = twice;
    options.n_labels = 2;
    options.label_is_number = 1;
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\na,x\n", -1, &options), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

START_TEST(reads_numbers)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.label_is_number = 1;
    d = must_parse(ctx, "t.csv", "text,label\na,5.0\nb, -1e-3\t\nc,0\n", &options);
    ck_assert(d->content == FINE__ROWS_OF_NUMBERS && d->has_labels);
    ck_assert(d->rows[0].value == 5.0 && d->rows[1].value == -1e-3 && d->rows[2].value == 0.0);
    ck_assert_int_eq(d->rows[0].label, -1);
    ck_assert_int_eq(d->n_labels, 0);
    fine__dataset_unref(d);
    ck_assert_str_eq(findings_of(ctx, "t.csv", "text,label\na,nan\nb,inf\nc,\nd,1e999\ne,x\n"
                                               "f,\"1,5\"\ng,0x10\nh,1\n", &options),
                     "t.csv:2: the label is not a finite number\n"
                     "t.csv:3: the label is not a finite number\n"
                     "t.csv:4: the label is empty\n"
                     "t.csv:5: the label is not a finite number\n"
                     "t.csv:6: the label is not a finite number\n"
                     "t.csv:7: the label is not a finite number\n"
                     "t.csv:8: the label is not a finite number");
    options.require_label = 0;
    d = must_parse(ctx, "t.csv", "text,label\na,1\nb,\n", &options);
    ck_assert(isnan(d->rows[1].value));
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_empty_and_long_labels)
{
    fine_context *ctx = new_context(1);
    char text[2100] = "text,label\na,\nb, \t\nc,";

    memset(text + strlen(text), 'x', 1001);
    ck_assert_str_eq(findings_of(ctx, "t.csv", text, NULL),
                     "t.csv:2: the label is empty\n"
                     "t.csv:3: the label is empty\n"
                     "t.csv:4: the label has 1001 bytes, more than the limit of 1000; is 'label' "
                     "the right column?");
    free_context(ctx);
}
END_TEST

START_TEST(bounds_the_number_of_labels)
{
    fine_context *ctx = new_context(1);
    struct fine__buf text;
    fine_dataset *d = NULL;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "text,label\n");
    for (int i = 0; i < 65537; i++)
        fine__buf_printf(&text, "t,%d\n", i);
    ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.csv", &text, NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.csv:65538: more than 65536 different labels; is "
                     "'label' the right column? For numbers use task.type: regress");
    free_context(ctx);
}
END_TEST

START_TEST(lists_a_hundred_findings)
{
    fine_context *ctx = new_context(1);
    struct fine__buf text;
    fine_dataset *d = NULL;
    const char *message, *last = NULL;
    int n = 0;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "text,label\n");
    for (int i = 0; i < 1000; i++)
        fine__buf_text(&text, "a,\n");
    ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.csv", &text, NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.csv:2: the label is empty");
    for (message = fine_error_message(); message != NULL; message = fine_error_next()) {
        last = message;
        n++;
    }
    ck_assert_int_eq(n, 101);
    ck_assert_str_eq(last, "and 900 more");
    free_context(ctx);
}
END_TEST

START_TEST(skips_and_counts)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.on_bad_row = "skip";
    d = must_parse(ctx, "t.csv", "text,label\na,x\nb,\nc,y,z\nd \"e\",w\nf\xff,v\ng,y\n", &options);
    ck_assert_str_eq(rows_of(d), "[a|x] [g|y]");
    ck_assert_int_eq(d->skipped, 4);
    ck_assert_int_eq(d->n_labels, 2);   /* rows left out bring no labels */
    fine__dataset_unref(d);
    options.on_bad_row = "ignore";
    ck_assert_int_eq(parse(&d, ctx, "t.csv", "text,label\n", -1, &options), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "data.on_bad_row: 'ignore' is neither error nor skip");
    free_context(ctx);
}
END_TEST

static char logged[1000];

static void
take_log(int level, const char *message, void *user)
{
    (void)level;
    (void)user;
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", message);
}

START_TEST(warns)
{
    struct fine_context_options options;
    struct fine_dataset_options skip = default_options();
    struct fine__buf text;
    fine_context *ctx;
    fine_dataset *d, *other;
    int64_t n;

    fine_context_options_init(&options, sizeof options);
    options.log = take_log;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    skip.on_bad_row = "skip";
    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "text,label\nrare,r\nbad\n");
    for (int i = 0; i < 21; i++)
        fine__buf_printf(&text, "CANARY%d,x\n", i);
    ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.csv", &text, &skip), 0);
    ck_assert_str_eq(logged, "t.csv: 1 bad rows were skipped, 22 are left\n"
                     "t.csv: labels are far from balanced, from 1 to 21 rows; look at macro_f1 "
                     "beside accuracy\n");
    logged[0] = '\0';
    other = must_parse(ctx, "o.csv", "text,label\nCANARY1,x\nrare,x\nnew,r\n", NULL);
    ck_assert_int_eq(fine__dataset_overlap(&n, d, other), 0);
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(logged, "o.csv: 2 of 3 texts stand in the training data too; scores on them "
                     "say little about new texts\n");
    fine__dataset_unref(other);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

/* What rows hold is nobody's business: not one message has any of it. */
START_TEST(never_shows_a_row)
{
    static const char *const texts[] = {
        "text,label\nCANARY,\n", "text,label\nCANARY\n", "text,label\n\"CANARY,x\n",
        "text,label\nCANARY\xff,x\n", "text,label\n\"CANARY\"CANARY,x\n",
        "text,label\nCANARY\"CANARY,x\n", "text,label\nCANARY,x,CANARY\n",
        "text,label\na,CANARY\n", "x,label\nCANARY,CANARY\n",
    };
    static const char *const names[] = { "a" };
    struct fine_dataset_options options = default_options(), number = default_options();
    fine_context *ctx = new_context(1);

    options.labels = names;
    options.n_labels = 1;
    number.label_is_number = 1;
    for (int i = 0; i < FINE__COUNT(texts); i++) {
        assert_lacks(findings_of(ctx, "t.csv", texts[i], &options), "CANARY");
        assert_lacks(findings_of(ctx, "t.csv", texts[i], &number), "CANARY");
    }
    free_context(ctx);
}
END_TEST

START_TEST(bounds_texts)
{
    fine_context *ctx = new_context(1);
    struct fine__buf text;
    fine_dataset *d = NULL;

    for (int more = 0; more < 2; more++) {
        char *field = malloc(16000001);

        memset(field, 'a', 16000001);
        fine__buf_init(&text, ctx);
        fine__buf_text(&text, "text,label\n");
        fine__buf_append(&text, field, (size_t)(16000000 + more));
        fine__buf_text(&text, ",x\n");
        free(field);
        ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.csv", &text, NULL), more ? FINE_EDATA : 0);
        if (more == 0)
            fine__dataset_unref(d);
    }
    ck_assert_str_eq(fine_error_message(),
                     "t.csv:2: 'text' has 16000001 bytes, more than the limit of 16000000");
    free_context(ctx);
}
END_TEST

static void
use_everything(fine_context *ctx, const char *name, const char *text, int *rc)
{
    struct fine_dataset_options options = default_options();
    fine_dataset *d = NULL, *rest = NULL, *held_out = NULL, *other = NULL;
    static const char *const names[] = { "z", "y", "x" };

    options.group = "group";
    options.split_by = "split";
    *rc = parse(&d, ctx, name, text, -1, &options);
    if (*rc == 0 && fine__dataset_describe(d) == NULL)
        *rc = FINE_ENOMEM;
    if (*rc == 0)
        *rc = fine__dataset_split(&rest, &held_out, d, 0.4, 1);
    if (*rc == 0)
        *rc = fine__dataset_relabel(&other, d, names, 3);
    fine__dataset_unref(other);
    fine__dataset_unref(held_out);
    fine__dataset_unref(rest);
    fine__dataset_unref(d);
}

START_TEST(survives_every_refused_allocation)
{
    static const char csv[] =
        "text,label,group,split,more\n\"a\"\"b\",z,g,s,1\nb,y,g,t,2\nc,x,h,u,3\n";
    static const char jsonl[] =
        "{\"text\":\"a\",\"label\":\"y\",\"group\":\"g\",\"split\":1,\"n\":1}\n"
        "{\"text\":\"b\",\"label\":\"x\",\"group\":\"g\",\"split\":2}\n";

    for (int k = 0; k < 4; k++) {
        struct faulty faulty;
        fine_context *ctx = new_faulty_context(&faulty, 1);
        int rc = FINE_ENOMEM;

        faulty.for_ever = k % 2 == 1;
        for (long long i = 1; rc == FINE_ENOMEM; i++) {
            ck_assert_int_lt(i, 10000);
            faulty.calls = 0;
            faulty.fail_at = i;
            use_everything(ctx, k < 2 ? "t.csv" : "t.jsonl", k < 2 ? csv : jsonl, &rc);
            ck_assert_msg(rc == FINE_ENOMEM || rc == 0, "%d at %lld: %s", rc, i,
                          fine_error_message());
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        }
        ck_assert_int_eq(rc, 0);
        free_context(ctx);
    }
}
END_TEST

RUNNER("table", finds_labels_sorted_bytewise, keeps_given_labels_in_order,
       refuses_bad_lists_of_labels, reads_numbers, refuses_empty_and_long_labels,
       bounds_the_number_of_labels, lists_a_hundred_findings, skips_and_counts, warns,
       never_shows_a_row, bounds_texts, survives_every_refused_allocation)
