#include <finetune/dataset.h>
#include <math.h>

#include "tables.h"

START_TEST(adds_rows)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    ck_assert_int_eq(fine_dataset_new(&d, ctx, NULL), 0);
    ck_assert_int_eq(fine_dataset_count(d), 0);
    ck_assert_int_eq(fine_dataset_add(d, "one", NULL, "m", "g"), 0);
    ck_assert_int_eq(fine_dataset_add(d, "", NULL, "z", NULL), 0);
    ck_assert_int_eq(fine_dataset_add(d, "three", NULL, "a", "h"), 0);
    ck_assert_int_eq(fine_dataset_add(d, "four", NULL, "m", "h"), 0);
    /* The labels are sorted at any time. */
    ck_assert_int_eq(fine_dataset_n_labels(d), 3);
    ck_assert_str_eq(fine_dataset_label_name(d, 0), "a");
    ck_assert_str_eq(fine_dataset_label_name(d, 2), "z");
    ck_assert_int_eq(fine_dataset_label(d, 0), 1);
    ck_assert_int_eq(fine_dataset_label(d, 1), 2);
    ck_assert_int_eq(fine_dataset_label(d, 2), 0);
    ck_assert_int_eq(fine_dataset_label(d, 3), 1);
    ck_assert_str_eq(fine_dataset_text(d, 2), "three");
    ck_assert_str_eq(fine_dataset_group(d, 0), "g");
    ck_assert_ptr_null(fine_dataset_group(d, 1));
    ck_assert_ptr_null(fine_dataset_text_pair(d, 0));
    ck_assert(isnan(fine_dataset_value(d, 0)));
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

START_TEST(adds_pairs_and_numbers)
{
    struct fine_dataset_options options;
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    fine_dataset_options_init(&options, sizeof options);
    options.label_is_number = 1;
    ck_assert_int_eq(fine_dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine_dataset_add(d, "a", "b", "2.5", NULL), 0);
    ck_assert_int_eq(fine_dataset_add(d, "a", NULL, "2.5", NULL), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "memory: row 2 has no pair, unlike the rows before");
    ck_assert_int_eq(fine_dataset_add(d, "a", "b", "x", NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: row 2: the label is not a finite number");
    ck_assert_int_eq(fine_dataset_add(d, "a", "b", NULL, NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: row 2 has no label");
    ck_assert_int_eq(fine_dataset_count(d), 1);
    ck_assert_str_eq(fine_dataset_text_pair(d, 0), "b");
    ck_assert(fine_dataset_value(d, 0) == 2.5);
    ck_assert_int_eq(fine_dataset_label(d, 0), -1);
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_bad_rows)
{
    static const char *const names[] = { "no", "yes" };
    struct fine_dataset_options options;
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    fine_dataset_options_init(&options, sizeof options);
    options.labels = names;
    options.n_labels = 2;
    ck_assert_int_eq(fine_dataset_new(&d, ctx, &options), 0);
    ck_assert_int_eq(fine_dataset_add(d, "a", NULL, "CANARY", NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: row 1: the label is none of the 2 that are "
                     "allowed");
    ck_assert_int_eq(fine_dataset_add(d, "a\xc3", NULL, "no", NULL), FINE_EDATA);
    ck_assert_str_eq(fine_error_message(), "memory: row 1: byte 2 of the text is not UTF-8; "
                     "convert it first");
    ck_assert_int_eq(fine_dataset_add(d, "a", NULL, "", NULL), FINE_EDATA);
    ck_assert_int_eq(fine_dataset_add(d, "a", NULL, "yes", NULL), 0);
    ck_assert_int_eq(fine_dataset_label(d, 0), 1);
    ck_assert_ptr_nonnull(fine_dataset_describe(d));
    ck_assert_int_eq(fine_dataset_add(d, "a", NULL, "yes", NULL), FINE_ESTATE);
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

START_TEST(answers_out_of_range)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    ck_assert_int_eq(fine_dataset_new(&d, ctx, NULL), 0);
    for (int64_t row = -1; row < 2; row++) {
        ck_assert_ptr_null(fine_dataset_text(d, row));
        ck_assert_ptr_null(fine_dataset_text_pair(d, row));
        ck_assert_ptr_null(fine_dataset_group(d, row));
        ck_assert_ptr_null(fine_dataset_label_name(d, row));
        ck_assert_int_eq(fine_dataset_label(d, row), -1);
        ck_assert(isnan(fine_dataset_value(d, row)));
        ck_assert_ptr_null(fine_dataset_text(NULL, row));
        ck_assert_ptr_null(fine_dataset_text_pair(NULL, row));
        ck_assert_ptr_null(fine_dataset_group(NULL, row));
        ck_assert_ptr_null(fine_dataset_label_name(NULL, row));
        ck_assert_int_eq(fine_dataset_label(NULL, row), -1);
        ck_assert(isnan(fine_dataset_value(NULL, row)));
    }
    ck_assert_int_eq(fine_dataset_count(NULL), 0);
    ck_assert_int_eq(fine_dataset_skipped(NULL), 0);
    ck_assert_int_eq(fine_dataset_n_labels(NULL), 0);
    ck_assert_ptr_null(fine_dataset_describe(NULL));
    fine_dataset_free(NULL);
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_null)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d, *kept = (fine_dataset *)(void *)ctx;

    d = kept;
    ck_assert_int_eq(fine_dataset_open(NULL, ctx, "x.csv", NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_open(&d, NULL, "x.csv", NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_open(&d, ctx, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_new(NULL, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_new(&d, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_new_encoded(&d, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_add(NULL, "", NULL, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_split(&d, &d, NULL, 0.5, 1), FINE_EINVAL);
    ck_assert_ptr_eq(d, kept);
    ck_assert_int_eq(fine_dataset_new(&d, ctx, NULL), 0);
    ck_assert_int_eq(fine_dataset_add(d, NULL, NULL, "x", NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_split(NULL, &kept, d, 0.5, 1), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_split(&kept, NULL, d, 0.5, 1), FINE_EINVAL);
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

START_TEST(takes_options_of_other_versions)
{
    struct {
        struct fine_dataset_options known;
        int64_t later;
    } options;
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    fine_dataset_options_init(&options.known, sizeof options);
    ck_assert_int_eq(options.known.require_label, 1);
    ck_assert_int_eq(fine_dataset_new(&d, ctx, &options.known), 0);
    fine_dataset_free(d);
    options.later = 1;
    ck_assert_int_eq(fine_dataset_new(&d, ctx, &options.known), FINE_EABI);
    options.known.struct_size = 8;
    ck_assert_int_eq(fine_dataset_new(&d, ctx, &options.known), FINE_EINVAL);
    ck_assert_int_eq(fine_dataset_open(&d, ctx, "x.csv", &options.known), FINE_EINVAL);
    free_context(ctx);
}
END_TEST

/* A refused allocation leaves the set as it was, and the same call then works. */
START_TEST(survives_refused_allocations)
{
    static const char *const labels[] = { "m", "c", "x", "c", "a", "z", "b", "k", "d", "q" };
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    fine_dataset *d;
    long long refused = 0;

    ck_assert_int_eq(fine_dataset_new(&d, ctx, NULL), 0);
    for (int i = 0; i < 400; i++) {
        char text[64];

        snprintf(text, sizeof text, "row %d", i);
        for (long long at = 1;; at++) {
            const int64_t n_labels = fine_dataset_n_labels(d);
            int rc;

            faulty.calls = 0;
            faulty.fail_at = at;
            rc = fine_dataset_add(d, text, NULL, labels[i % 10], "g");
            if (rc == 0)
                break;
            ck_assert_int_eq(rc, FINE_ENOMEM);
            ck_assert_int_eq(fine_dataset_count(d), i);
            ck_assert_int_eq(fine_dataset_n_labels(d), n_labels);
            refused++;
        }
        faulty.fail_at = 0;
    }
    ck_assert_int_ge(refused, 30);
    for (int i = 0; i < 400; i++)
        ck_assert_str_eq(fine_dataset_label_name(d, fine_dataset_label(d, i)), labels[i % 10]);
    fine_dataset_free(d);
    free_context(ctx);
}
END_TEST

RUNNER("rows", adds_rows, adds_pairs_and_numbers, refuses_bad_rows, answers_out_of_range,
       refuses_null, takes_options_of_other_versions, survives_refused_allocations)
