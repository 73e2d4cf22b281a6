/* test_multilabel.c — multilabel.c: rows to zeros and ones, and numbers that scikit-learn
 * (1.9.1) computed. */
#include "fake_model.h"

#include "train/evaluate.h"
#include "train/taskwork.h"

static fine_context *ctx;
static fine_model *model;

static void
begin(int64_t n_labels)
{
    ctx = new_context(2);
    model = fake_model(ctx, FINE__MULTILABEL);
    model->n_labels = n_labels;
    model->labels = fine__alloc_array(ctx, (size_t)n_labels, sizeof *model->labels);
    for (int64_t i = 0; i < n_labels; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "l%d", (int)(n_labels - 1 - i));
        model->labels[i] = fine__strdup(ctx, name);
    }
}

static void
end(void)
{
    fine__model_unref(model);
    free_context(ctx);
}

static fine_dataset *
rows(const char *const *labels, int n, int32_t require_label)
{
    struct fine_dataset_options options;
    fine_dataset *d;

    fine__dataset_defaults(&options);
    options.task = "multilabel";
    options.require_label = require_label;
    ck_assert_int_eq(fine__dataset_new(&d, ctx, &options), 0);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(fine__dataset_add(d, "w1 w2", NULL, labels[i], NULL), 0);
    return d;
}

START_TEST(makes_zeros_and_ones)
{
    static const char *const labels[] = { "l1|l0", "", "l2" };
    static const float values[] = { 0, 1, 1, 0, 0, 0, 1, 0, 0 };
    static const char *const unknown[] = { "l0|l9" };
    struct fine__examples examples;
    fine_dataset *d;

    begin(3);
    d = rows(labels, 3, 1);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), 0);
    ck_assert_int_eq(examples.n_values, 3);
    ck_assert_mem_eq(examples.values, values, sizeof values);
    fine__examples_free(&examples);
    fine__dataset_unref(d);
    d = rows(unknown, 1, 1);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), FINE_EDATA);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "label 'l9' is not one of the model's 3"));
    fine__dataset_unref(d);
    d = rows((const char *const[]){ NULL }, 1, 0);
    ck_assert_int_eq(fine__examples_encode(&examples, model, d, "data"), 0);
    ck_assert_ptr_null(examples.values);
    fine__examples_free(&examples);
    fine__dataset_unref(d);
    end();
}
END_TEST

static uint32_t
draw(uint32_t *state)
{
    *state = (*state * 1103515245U + 12345U) % 0x80000000U;
    return *state >> 16;
}

static void
is_near(struct fine__metrics *metrics, const char *name, double expected)
{
    double number;

    ck_assert_int_eq(fine__metrics_number(metrics, name, &number), 0);
    ck_assert_msg(fabs(number - expected) < 1e-12, "%s is %.17g, not %.17g", name, number,
                  expected);
}

/* Logits are eighths, so that many are equal; the last label never occurs. */
static void
add_rows(struct fine__metrics *metrics, int n, int n_labels, uint32_t levels)
{
    struct fine__examples examples = { .n_values = n_labels };
    uint32_t state = 11;

    for (int i = 0; i < n; i++) {
        float values[8];
        fine__real logits[8];

        for (int j = 0; j < n_labels; j++) {
            const bool is = j < n_labels - 1 && draw(&state) % (uint32_t)(3 + 2 * j) == 0;

            values[j] = is ? 1 : 0;
            logits[j] = (fine__real)(((int)(draw(&state) % levels) - (int)(levels / 2)) / 8.0 +
                                     (is ? 0.75 : -0.5));
        }
        examples.values = values;
        ck_assert_int_eq(fine__metrics_add_measured(metrics, &examples, 0, 1, logits, n_labels,
                                                    i % 2 ? "odd" : NULL), 0);
    }
}

START_TEST(counts_as_scikit_learn_does)
{
    struct fine__metrics *metrics;
    struct fine__buf json;

    begin(5);
    ck_assert_int_eq(fine__metrics_for(&metrics, model), 0);
    for (int pass = 0; pass < 2; pass++) {
        fine__metrics_reset(metrics);
        add_rows(metrics, 300, 5, 40);
        is_near(metrics, "micro_f1", 0.34207240948813983);
        is_near(metrics, "macro_f1", 0.30376843229156847);
        is_near(metrics, "average_precision", 0.46954642529755997);
        is_near(metrics, "accuracy", 0.096666666666666665);
        is_near(metrics, "loss", 0.64600446035902381);
    }
    fine__buf_init(&json, ctx);
    fine__metrics_write(metrics, &json, true);
    ck_assert_ptr_nonnull(strstr(json.data, "\"per_class_f1\":{\"l4\":0.511415"));
    ck_assert_ptr_nonnull(strstr(json.data, "\"odd\":{\"n\":150,"));
    fine__buf_free(&json);
    fine__metrics_free(metrics);
    end();
    begin(3);
    ck_assert_int_eq(fine__metrics_for(&metrics, model), 0);
    add_rows(metrics, 40, 3, 24);
    is_near(metrics, "micro_f1", 0.55072463768115942);
    is_near(metrics, "macro_f1", 0.3942342342342342);
    is_near(metrics, "average_precision", 0.70033633710571364);
    is_near(metrics, "accuracy", 0.45);
    is_near(metrics, "loss", 0.50953068309062277);
    fine__metrics_free(metrics);
    end();
}
END_TEST

START_TEST(knows_what_is_not_defined)
{
    const fine__real logits[] = { -1, -1 }, broken[] = { -1, NAN };
    float values[] = { 0, 0 };
    struct fine__examples examples = { .n_values = 2, .values = values };
    struct fine__metrics *metrics;
    struct fine__buf json;

    begin(2);
    ck_assert_int_eq(fine__metrics_for(&metrics, model), 0);
    fine__buf_init(&json, ctx);
    ck_assert_int_eq(fine__metrics_add_measured(metrics, &examples, 0, 1, logits, 2, NULL), 0);
    ck_assert_int_eq(fine__metrics_add_measured(metrics, &examples, 0, 1, broken, 2, NULL),
                     FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_count(metrics), 1);
    fine__metrics_write(metrics, &json, true);
    ck_assert_ptr_nonnull(strstr(json.data, "\"micro_f1\":0,\"macro_f1\":0,"
                                            "\"average_precision\":0,\"accuracy\":1"));
    ck_assert_ptr_nonnull(strstr(json.data, "\"degenerate\":[\"micro_f1\",\"macro_f1\","
                                            "\"average_precision\"]"));
    ck_assert_ptr_nonnull(strstr(json.data, "\"absent\":[\"l1\",\"l0\"]"));
    fine__buf_free(&json);
    fine__metrics_free(metrics);
    end();
}
END_TEST

RUNNER("multilabel", makes_zeros_and_ones, counts_as_scikit_learn_does, knows_what_is_not_defined)
