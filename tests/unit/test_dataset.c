#include <finetune/dataset.h>

#include "tables.h"

START_TEST(lives_as_long_as_someone_holds_it)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,label\na,x\n", NULL), *held;

    ck_assert(!d->used);
    held = fine__dataset_ref(d);
    ck_assert(d->used);
    fine_dataset_free(d);
    ck_assert_str_eq(fine_dataset_text(held, 0), "a");
    fine_dataset_free(held);
    free_context(ctx);
}
END_TEST

START_TEST(outlives_its_context)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,label\na,x\nb,y\nc,x\nd,y\n", NULL);
    fine_dataset *rest, *held;

    fine_context_free(ctx);
    ck_assert_int_eq(fine_dataset_split(&rest, &held, d, 0.5, 1), 0);
    fine_dataset_free(d);
    ck_assert_int_eq(fine_dataset_count(rest), 2);
    ck_assert_ptr_nonnull(fine_dataset_describe(rest));
    fine_dataset_free(rest);
    ck_assert_int_eq(fine_dataset_count(held), 2);
    fine_dataset_free(held);
}
END_TEST

START_TEST(selects_with_repetition)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    const int64_t rows[] = { 2, 0, 2 };
    fine_dataset *d, *s;

    options.group = options.split_by = "text";
    d = must_parse(ctx, "t.csv", "text,label,n\na,x,1\nb,y,2\nc,x,3\n", &options);
    ck_assert_int_eq(fine__dataset_select(&s, d, rows, 3), 0);
    fine__dataset_unref(d);
    ck_assert_str_eq(rows_of(s), "[c|x] [a|x] [c|x]");
    ck_assert_int_eq(s->n_labels, 2);   /* the names stay, with or without rows */
    ck_assert_int_eq(s->rows[0].line, 4);
    ck_assert_int_eq(s->rows[0].group, s->rows[0].text);
    ck_assert_str_eq(s->columns_unused[0], "n");
    fine__dataset_unref(s);
    free_context(ctx);
}
END_TEST

RUNNER("dataset", lives_as_long_as_someone_holds_it, outlives_its_context,
       selects_with_repetition)
