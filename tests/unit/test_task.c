#include "tables.h"

static void
check(const char *text, const struct fine_dataset_options *options, bool regress,
      const char *expected)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", text, options);

    ck_assert_int_eq(fine__dataset_check_task(d, regress ? FINE__ROWS_OF_NUMBERS : FINE__ROWS_OF_CLASSES), expected == NULL ? 0 : FINE_EDATA);
    if (expected != NULL)
        ck_assert_str_eq(fine_error_message(), expected);
    fine__dataset_unref(d);
    free_context(ctx);
}

START_TEST(checks_sets_for_training)
{
    struct fine_dataset_options skip = default_options(), number = default_options();
    struct fine_dataset_options free_of_labels = default_options();

    skip.on_bad_row = "skip";
    number.label_is_number = 1;
    free_of_labels.require_label = 0;
    check("text,label\na,x\nb,y\n", NULL, false, NULL);
    check("text,label\na,1\nb,1\n", &number, true, NULL);
    check("text,label\n", NULL, false, "t.csv: there is no row");
    check("text,label\na\nb\n", &skip, false,
          "t.csv: no row is left, all 2 are bad; set data.on_bad_row: error to see why");
    check("text,label\na,x\nb,x\n", NULL, false,
          "t.csv: all 2 rows have the same label, so there is nothing to tell apart; give rows of "
          "at least two");
    check("text,label\n,x\n,y\n", NULL, false,
          "t.csv: all 2 texts are empty; is data.text the right column?");
    check("text\na\nb\n", &free_of_labels, false,
          "t.csv: there are no labels; add a column and name it in data.label");
    check("text,label\na,x\nb,y\nc,\n", &free_of_labels, false,
          "t.csv: 1 of 3 rows have no label, the first is row 3");
    check("text,label\na,1\nb,2\n", NULL, true,
          "t.csv: labels are names, but a regression needs numbers; read them with "
          "label_is_number");
    check("text,label\na,1\nb,2\n", &number, false,
          "t.csv: labels are numbers to be predicted, but a classification needs names; use "
          "task.type: regress");
}
END_TEST

START_TEST(maps_labels)
{
    static const char *const names[] = { "z", "y", "x" };
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,label\na,x\nb,z\nc,x\n", NULL), *r = NULL;

    ck_assert_int_eq(fine__dataset_relabel(&r, d, names, 3), 0);
    ck_assert_int_eq(r->rows[0].label, 2);
    ck_assert_int_eq(r->rows[1].label, 0);
    ck_assert_int_eq(r->n_labels, 3);
    ck_assert_str_eq(r->labels[1], "y");
    ck_assert_str_eq(rows_of(r), "[a|x] [b|z] [c|x]");
    fine__dataset_unref(r);
    r = NULL;
    ck_assert_int_eq(fine__dataset_relabel(&r, d, names + 1, 2), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.csv:3: the label is none of the model's 2");
    ck_assert_ptr_null(fine_error_next());
    ck_assert_int_eq(fine__dataset_relabel(&r, d, names, 1), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "t.csv:2: the label is none of the model's 1");
    ck_assert_str_eq(fine_error_next(), "t.csv:4: the label is none of the model's 1");
    ck_assert_ptr_null(r);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

/* Ids come with indices, which mean what the model's names say. */
START_TEST(maps_indices)
{
    static const char *const names[] = { "neg", "pos" };
    const int64_t ids[] = { 1, 2 }, mask[] = { 1, 1 }, labels[] = { 1, 0 };
    const struct fine__encoded e = { 2, 1, ids, mask, NULL, labels, NULL };
    fine_context *ctx = new_context(1);
    fine_dataset *d, *r = NULL;

    ck_assert_int_eq(fine__dataset_new_encoded(&d, ctx, &e), 0);
    ck_assert_int_eq(fine__dataset_relabel(&r, d, names, 2), 0);
    ck_assert_int_eq(r->rows[0].label, 1);
    ck_assert_str_eq(r->labels[1], "pos");
    fine__dataset_unref(r);
    r = NULL;
    ck_assert_int_eq(fine__dataset_relabel(&r, d, names, 1), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: row 1: the label is none of the model's 1");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(lists_a_hundred_strangers)
{
    static const char *const names[] = { "a" };
    fine_context *ctx = new_context(1);
    fine_dataset *d, *r = NULL;
    const char *last = NULL;
    int n = 0;

    ck_assert_int_eq(fine__dataset_new(&d, ctx, NULL), 0);
    for (int i = 0; i < 250; i++)
        ck_assert_int_eq(fine__dataset_add(d, "t", NULL, "b", NULL), 0);
    ck_assert_int_eq(fine__dataset_relabel(&r, d, names, 1), FINE_EDATA);
    for (const char *m = fine_error_message(); m != NULL; m = fine_error_next(), n++)
        last = m;
    ck_assert_int_eq(n, 101);
    ck_assert_str_eq(last, "and 150 more");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

RUNNER("task", checks_sets_for_training, maps_labels, maps_indices, lists_a_hundred_strangers)
