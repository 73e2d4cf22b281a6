/* test_examples.c — examples.c: rows to ids in parallel, and every check before training. */
#include "fake_model.h"

#include "train/examples.h"

static fine_context *ctx;
static fine_model *model;

static void
begin(enum fine__task task, int n_threads)
{
    ctx = new_context(n_threads);
    model = fake_model(ctx, task);
}

static void
end(void)
{
    fine__model_unref(model);
    free_context(ctx);
}

static void
must_fail(fine_dataset *dataset, int code, const char *part)
{
    struct fine__examples examples = { .n_rows = -7 };

    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), code);
    ck_assert_int_eq(examples.n_rows, -7);
    ck_assert_msg(strstr(fine_error_message(), part) != NULL, "'%s' isn't in '%s'", part,
                  fine_error_message());
    fine_dataset_free(dataset);
}

static fine_dataset *
rows(const char *const *texts, const char *const *labels, int n)
{
    fine_dataset *dataset;
    struct fine_dataset_options options;

    fine_dataset_options_init(&options, sizeof options);
    options.label_is_number = model->task == FINE__REGRESS;
    options.require_label = 0;
    ck_assert_int_eq(fine_dataset_new(&dataset, ctx, &options), 0);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(fine_dataset_add(dataset, texts[i], NULL, labels[i], NULL), 0);
    return dataset;
}

START_TEST(encodes_in_order)
{
    static const char *const texts[] = { "w0 w1", "", "w39 nothing" };
    static const char *const labels[] = { "ugly", "bad", "good" };
    static const int32_t ids[] = { 2, 5, 6, 3, 2, 3, 2, 44, 1, 3 };
    struct fine__examples examples;

    begin(FINE__CLASSIFY, 2);
    fine_dataset *dataset = rows(texts, labels, 3);

    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
    ck_assert_int_eq(examples.n_rows, 3);
    ck_assert_int_eq(examples.offsets[3], 10);
    ck_assert_mem_eq(examples.ids, ids, sizeof ids);
    ck_assert_ptr_null(examples.types);
    ck_assert_int_eq(examples.longest, 4);
    ck_assert_int_eq(examples.labels[0], 2); /* the model's order, not the data's */
    ck_assert_int_eq(examples.labels[1], 0);
    ck_assert_int_eq(examples.labels[2], 1);
    fine__examples_free(&examples);
    fine__examples_free(&examples);
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(is_the_same_at_any_number_of_threads)
{
    char first[33], again[33];

    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        struct fine__examples examples;

        begin(FINE__CLASSIFY, n_threads);
        fine_dataset *dataset = fake_rows(ctx, FINE__CLASSIFY, 1000, 3);

        ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
        ck_assert_int_eq(fine__examples_fingerprint(&examples, again), 0);
        if (n_threads == 1)
            memcpy(first, again, sizeof first);
        ck_assert_str_eq(first, again);
        examples.labels[999] ^= 1;
        ck_assert_int_eq(fine__examples_fingerprint(&examples, again), 0);
        ck_assert_str_ne(first, again);
        fine__examples_free(&examples);
        fine_dataset_free(dataset);
        end();
    }
}
END_TEST

START_TEST(pairs_have_types)
{
    static const int32_t types[] = { 0, 0, 0, 1, 1, 1 };
    struct fine__examples examples;
    fine_dataset *dataset;

    begin(FINE__CLASSIFY, 1);
    ck_assert_int_eq(fine_dataset_new(&dataset, ctx, NULL), 0);
    ck_assert_int_eq(fine_dataset_add(dataset, "w1", "w2 w3", "bad", NULL), 0);
    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
    ck_assert_int_eq(examples.offsets[1], 6);
    ck_assert_mem_eq(examples.types, types, sizeof types);
    fine__examples_free(&examples);
    fine_dataset_free(dataset);
    end();
}
END_TEST

START_TEST(refuses_bad_rows)
{
    static const char *const texts[] = { "w1", "w2", "w3" };
    static const char *const labels[] = { "good", "bad", "best" };
    static const char *const holes[] = { "good", NULL, "bad" };
    static const char *const numbers[] = { "1.5", NULL, "1e39" };
    static const char *const long_text[] = { "w1 w1 w1 w1 w1 w1 w1 w1 w1 w1 w1" };
    struct fine__examples examples;

    begin(FINE__CLASSIFY, 2);
    must_fail(rows(texts, labels, 0), FINE_EDATA, "no rows");
    must_fail(rows(texts, labels, 3), FINE_EDATA, "row 3: label 'best'");
    must_fail(rows(texts, holes, 3), FINE_EDATA, "row 2: no label");
    model->overlong_is_error = true;
    must_fail(rows(long_text, labels, 1), FINE_EDATA, "1 of 1 rows have more than 12 ids");
    model->overlong_is_error = false;
    fine_dataset *dataset = rows(long_text, labels, 1);

    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
    ck_assert_int_eq(examples.longest, 12);
    ck_assert_int_eq(examples.n_truncated, 1);
    fine__examples_free(&examples);
    fine_dataset_free(dataset);
    model->vocab_size = 6;
    must_fail(rows(texts, labels, 2), FINE_EDATA, "row 1: id 6");
    fine_tokenizer *tokenizer = model->tokenizer;

    model->tokenizer = NULL;
    must_fail(rows(texts, labels, 2), FINE_ESTATE, "no tokenizer");
    model->tokenizer = tokenizer;
    model->task = FINE__TASK_NONE;
    must_fail(rows(texts, labels, 2), FINE_ESTATE, "no task");
    end();
    begin(FINE__REGRESS, 1);
    must_fail(rows(texts, numbers, 3), FINE_EDATA, "row 2: no number");
    ck_assert_ptr_nonnull(fine_error_next());
    end();
}
END_TEST

START_TEST(takes_encoded_rows_as_they_are)
{
    static const int64_t ids[] = { 2, 7, 3, 0, 2, 8, 9, 3 }, mask[] = { 1, 1, 1, 0, 1, 1, 1, 1 };
    static const int64_t shape[] = { 2, 4 }, n_labels[] = { 2 };
    int64_t labels[] = { 1, 2 };
    struct fine__examples examples;
    fine_tensors *tensors;
    fine_dataset *dataset;

    begin(FINE__CLASSIFY, 1);
    ck_assert_int_eq(fine_tensors_new(&tensors, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "input_ids", FINE_I64, 2, shape, ids), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "attention_mask", FINE_I64, 2, shape, mask), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "labels", FINE_I64, 1, n_labels, labels), 0);
    ck_assert_int_eq(fine_dataset_new_encoded(&dataset, ctx, tensors), 0);
    ck_assert_int_eq(fine__examples_encode(&examples, model, dataset, "training data"), 0);
    ck_assert_int_eq(examples.offsets[1], 3);
    ck_assert_int_eq(examples.offsets[2], 7);
    ck_assert_int_eq(examples.labels[1], 2);
    ck_assert_ptr_eq(examples.ids, dataset->ids);
    fine__examples_free(&examples);
    model->max_length = 3;
    must_fail(dataset, FINE_EDATA, "row 2: 4 ids");
    model->max_length = 12;
    labels[0] = 3;
    ck_assert_int_eq(fine_tensors_put(tensors, "labels", FINE_I64, 1, n_labels, labels), 0);
    ck_assert_int_eq(fine_dataset_new_encoded(&dataset, ctx, tensors), 0);
    must_fail(dataset, FINE_EDATA, "row 1: label 3 is not in 0 to 2");
    fine_tensors_free(tensors);
    end();
}
END_TEST

START_TEST(survives_no_memory)
{
    struct faulty faulty;
    int n_failed = 0;

    for (int n_threads = 1; n_threads < 3; n_threads++)
        for (long long n = 1, done = 0; !done; n++) {
            struct fine__examples examples = { .ctx = NULL };

            ctx = new_faulty_context(&faulty, n_threads);
            model = fake_model(ctx, FINE__CLASSIFY);
            fine_dataset *dataset = fake_rows(ctx, FINE__CLASSIFY, 130, 3);

            faulty.calls = 0;
            faulty.fail_at = n;
            faulty.for_ever = n_threads == 1;
            const int rc = fine__examples_encode(&examples, model, dataset, "training data");

            ck_assert(rc == 0 || rc == FINE_ENOMEM);
            if (rc < 0)
                ck_assert_str_ne(fine_error_message(), "");
            n_failed += rc < 0;
            done = rc == 0 && faulty.calls < n;
            fine__examples_free(&examples);
            fine_dataset_free(dataset);
            end();
        }
    ck_assert_int_gt(n_failed, 10);
}
END_TEST

RUNNER("examples", encodes_in_order, is_the_same_at_any_number_of_threads, pairs_have_types,
       refuses_bad_rows, takes_encoded_rows_as_they_are, survives_no_memory)
