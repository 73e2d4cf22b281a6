#include <math.h>

#include "tables.h"

static fine_dataset *
made(fine_context *ctx, int n, int n_labels)
{
    fine_dataset *d;
    char text[32], label[32];

    ck_assert_int_eq(fine__dataset_new(&d, ctx, NULL), 0);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "t%d", i);
        snprintf(label, sizeof label, "%c", 'a' + i % n_labels);
        ck_assert_int_eq(fine__dataset_add(d, text, NULL, label, NULL), 0);
    }
    return d;
}

static int64_t
rows_with(const fine_dataset *d, int64_t label)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++)
        n += d->rows[i].label == label;
    return n;
}

START_TEST(stratifies)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = made(ctx, 1000, 7), *rest, *held;

    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.1, 1), 0);
    ck_assert_int_eq(held->n_rows, 100);
    ck_assert_int_eq(rest->n_rows, 900);
    ck_assert_int_eq(held->n_labels, 7);
    for (int64_t i = 0; i < 7; i++) {
        ck_assert_int_ge(rows_with(held, i), 14);
        ck_assert_int_le(rows_with(held, i), 15);
    }
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

/* Every row is on one side, in the order of before, with all that belongs to it. */
START_TEST(loses_nothing)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = made(ctx, 500, 3), *sides[2];

    ck_assert_int_eq(fine__dataset_split(&sides[0], &sides[1], d, 0.37, -5), 0);
    ck_assert_int_eq(sides[0]->n_rows + sides[1]->n_rows, 500);
    for (int64_t i = 0, at[2] = { 0, 0 }; i < 500; i++) {
        const char *text = fine__dataset_text(d, i);
        const char *held = fine__dataset_text(sides[1], at[1]);
        const int side = held != NULL && strcmp(text, held) == 0;

        ck_assert_str_eq(fine__dataset_text(sides[side], at[side]), text);
        ck_assert_int_eq(sides[side]->rows[at[side]].label, d->rows[i].label);
        at[side]++;
    }
    fine__dataset_unref(sides[0]);
    fine__dataset_unref(sides[1]);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

/* Numbers from the definition: rows in the order of SplitMix64's hashes. They must never
 * change, or yesterday's validation rows become tomorrow's training rows. */
START_TEST(chooses_the_same_rows_for_ever)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = made(ctx, 20, 2), *rest, *held;

    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.3, 7), 0);
    ck_assert_str_eq(rows_of(held), "[t6|a] [t7|b] [t12|a] [t15|b] [t16|a] [t19|b]");
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.3, 8), 0);
    ck_assert_str_ne(rows_of(held), "[t6|a] [t7|b] [t12|a] [t15|b] [t16|a] [t19|b]");
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(leaves_rare_labels_to_learn_from)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d, *rest, *held;

    d = must_parse(ctx, "t.csv", "text,label\na,x\nb,x\nc,x\nd,x\ne,y\nf,y\ng,z\n", NULL);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.9, 3), 0);
    for (int64_t i = 0; i < 3; i++)
        ck_assert_int_eq(rows_with(rest, i), 1);
    ck_assert_int_eq(held->n_rows, 4);
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.csv", "text,label\na,x\nb,y\n", NULL);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.5, 3), FINE_EDATA);
    assert_contains(fine_error_message(), "t.csv: every label has one row");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(splits_without_labels)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d, *rest, *held;

    options.require_label = 0;
    d = must_parse(ctx, "t.csv", "text\na\nb\nc\nd\n", &options);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.001, 3), 0);
    ck_assert_int_eq(held->n_rows, 1);
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.999, 3), 0);
    ck_assert_int_eq(held->n_rows, 3);
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(keeps_groups_together)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    struct fine__buf text;
    fine_dataset *d, *rest, *held;

    options.split_by = "product";
    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "product,text,label\n");
    for (int i = 0; i < 1000; i++)
        fine__buf_printf(&text, "p%d,t%d,%d\n", i * i % 101, i, i % 2);
    ck_assert_int_eq(fine__dataset_parse(&d, ctx, "t.csv", &text, &options), 0);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.2, 11), 0);
    ck_assert_int_eq(rest->n_rows + held->n_rows, 1000);
    ck_assert_int_ge(held->n_rows, 185);
    ck_assert_int_le(held->n_rows, 215);
    for (int64_t i = 0; i < held->n_rows; i++)
        for (int64_t k = 0; k < rest->n_rows; k++)
            ck_assert_str_ne(held->bytes.data + held->rows[i].split,
                             rest->bytes.data + rest->rows[k].split);
    fine__dataset_unref(rest);
    fine__dataset_unref(held);
    fine__dataset_unref(d);

    /* One huge group among small ones isn't held out for a small share. */
    d = must_parse(ctx, "t.csv", "product,text,label\nA,1,x\nA,2,y\nA,3,x\nA,4,y\nA,5,x\nA,6,x\n"
                                 "A,7,x\nA,8,x\nA,9,x\nB,10,y\n", &options);
    for (int64_t seed = 0; seed < 20; seed++) {
        ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.3, seed), 0);
        ck_assert_str_eq(rows_of(held), "[10|y]");
        fine__dataset_unref(rest);
        fine__dataset_unref(held);
    }
    fine__dataset_unref(d);
    d = must_parse(ctx, "t.csv", "product,text,label\nA,1,x\nA,2,y\n", &options);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.3, 1), FINE_EDATA);
    assert_contains(fine_error_message(), "all 2 rows have the same value of data.split_by");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_shares)
{
    const double bad[] = { 0.0, 1.0, -0.1, 1.5, NAN, INFINITY };
    fine_context *ctx = new_context(1);
    fine_dataset *d = made(ctx, 10, 2), *rest = NULL, *held = NULL;

    for (int i = 0; i < FINE__COUNT(bad); i++)
        ck_assert_int_eq(fine__dataset_split(&rest, &held, d, bad[i], 0), FINE_EINVAL);
    fine__dataset_unref(d);
    d = made(ctx, 1, 1);
    ck_assert_int_eq(fine__dataset_split(&rest, &held, d, 0.5, 0), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: 1 row can't be split in two; give more rows, "
                     "or a file for validation");
    ck_assert(rest == NULL && held == NULL);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

RUNNER("split", stratifies, loses_nothing, chooses_the_same_rows_for_ever,
       leaves_rare_labels_to_learn_from, splits_without_labels, keeps_groups_together,
       refuses_bad_shares)
