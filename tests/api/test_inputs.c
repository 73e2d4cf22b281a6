/*
 * test_inputs.c — batches by hand, tasks and frozen parts that are out of range in every way:
 * refused, and nothing has changed.
 */
#include "api.h"

enum { B = 3, T = 6 };

static fine_context *ctx;
static fine_model *model;
static fine_tensors *batch;

static void
setup(void)
{
    ctx = new_context(2);
    model = open_tiny(ctx, 3);
    batch = tiny_batch(ctx, 3);
}

static void
teardown(void)
{
    fine_tensors_free(batch);
    fine_model_free(model);
    free_context(ctx);
}

/* Both ways to run a batch refuse it, and the message has the word. */
static void
refused(int code, const char *word)
{
    fine_tensors *out = batch;
    double loss = 4.5;
    const uint64_t hash = hash_of(model);

    for (int i = 0; i < 3; i++) {
        const int rc =
            i < 2 ? fine_model_forward(model, batch, i == 0 ? 0 : FINE_PARAM_GRADIENTS, &out)
                  : fine_model_backward(model, batch, 1, &loss);

        if (rc != code)
            ck_abort_msg("%s: call %d gives %d: %s", word, i, rc, fine_error_message());
        if (strstr(fine_error_message(), word) == NULL)
            ck_abort_msg("'%s' doesn't have '%s'", fine_error_message(), word);
    }
    ck_assert_ptr_eq(out, batch);
    ck_assert(loss > 4 && loss < 5);
    ck_assert(hash_of(model) == hash);
    fine_tensors_free(batch);
    batch = tiny_batch(ctx, 3);
    OK(fine_model_forward(model, batch, FINE_PARAM_GRADIENTS, &out)); /* and all is well */
    fine_tensors_free(out);
}

/* Element `at` of an I64 tensor of the batch becomes `value`. */
static void
set_element(const char *name, int64_t at, int64_t value)
{
    const int64_t *shape;
    const void *data;
    int64_t n_dims, copy[B * T], dims[2] = { 1, 1 };

    OK(fine_tensors_get(batch, name, NULL, &n_dims, &shape, &data));
    for (int64_t i = 0; i < n_dims; i++)
        dims[i] = shape[i];
    memcpy(copy, data, (size_t)(dims[0] * dims[1]) * sizeof copy[0]);
    copy[at] = value;
    OK(fine_tensors_put(batch, name, FINE_I64, n_dims, dims, copy));
}

START_TEST(numbers_out_of_range)
{
    static const int64_t ids[] = { -1, WORDS, 1 << 30, 1ll << 31, 1ll << 32, INT64_MAX, INT64_MIN };
    static const int64_t types[] = { -1, 2, 1ll << 31, 1ll << 33, INT64_MAX, INT64_MIN };
    static const int64_t labels[] = {
        -1, 3, -99, -101, 1ll << 31, 1ll << 32, INT64_MAX, INT64_MIN
    };
    static const int64_t masks[] = { 2, -1, 255, INT64_MAX, INT64_MIN };

    for (int i = 0; i < COUNT(ids); i++) {
        set_element("input_ids", 4, ids[i]);
        refused(FINE_EDATA, "");
    }
    for (int i = 0; i < COUNT(types); i++) {
        set_element("token_type_ids", 0, types[i]);
        refused(FINE_EDATA, "");
    }
    for (int i = 0; i < COUNT(labels); i++) {
        set_element("labels", 1, labels[i]);
        refused(FINE_EDATA, "label");
    }
    for (int i = 0; i < COUNT(masks); i++) {
        set_element("attention_mask", 0, masks[i]);
        refused(FINE_EDATA, "attention_mask");
    }
    set_element("attention_mask", 0, 0); /* padding on the left */
    refused(FINE_EDATA, "row 0");
    set_element("attention_mask", 3, 0); /* a hole */
    refused(FINE_EDATA, "row 0");
    set_element("attention_mask", T, 0);
    set_element("attention_mask", T + 1, 0); /* a row without any */
    refused(FINE_EDATA, "row 1");
}
END_TEST

/* What stands under padding is nobody's business. */
START_TEST(padding_may_hold_anything)
{
    fine_tensors *before, *after;

    OK(fine_model_forward(model, batch, FINE_PARAM_GRADIENTS, &before));
    for (int64_t i = T + 2; i < 2 * T; i++) {
        set_element("input_ids", i, INT64_MIN + i);
        set_element("token_type_ids", i, INT64_MAX);
    }
    OK(fine_model_forward(model, batch, FINE_PARAM_GRADIENTS, &after));
    for (int64_t i = 0; i < fine_tensors_count(before); i++) {
        const char *name = fine_tensors_name(before, i);
        const int64_t *shape;
        int64_t n_dims, count = 1;

        OK(fine_tensors_get(before, name, NULL, &n_dims, &shape, NULL));
        for (int64_t d = 0; d < n_dims; d++)
            count *= shape[d];
        ck_assert_int_eq(memcmp(floats_of(before, name, count), floats_of(after, name, count),
                                (size_t)count * sizeof(float)),
                         0);
    }
    fine_tensors_free(before);
    fine_tensors_free(after);
}
END_TEST

static void
put(const char *name, int32_t type, int64_t n_dims, int64_t rows, int64_t columns)
{
    const int64_t shape[3] = { rows, columns, 1 };

    OK(fine_tensors_put(batch, name, type, n_dims, shape, NULL));
}

START_TEST(shapes_and_types)
{
    static const char *const names[] = { "input_ids", "attention_mask", "token_type_ids" };
    static const int32_t types[] = { FINE_I32, FINE_F32, FINE_U64, FINE_BOOL, FINE_F64 };

    for (int i = 0; i < COUNT(names); i++) {
        for (int k = 0; k < COUNT(types); k++) {
            put(names[i], types[k], 2, B, T);
            refused(FINE_EDATA, names[i]);
        }
        put(names[i], FINE_I64, 1, B * T, 1);
        refused(FINE_EDATA, names[i]);
        put(names[i], FINE_I64, 3, B, T);
        refused(FINE_EDATA, names[i]);
        put(names[i], FINE_I64, 0, 1, 1);
        refused(FINE_EDATA, names[i]);
        put(names[i], FINE_I64, 2, B, T + 1);
        refused(FINE_EDATA, "");
        put(names[i], FINE_I64, 2, B - 1, T);
        refused(FINE_EDATA, "");
        put(names[i], FINE_I64, 2, 0, T);
        refused(FINE_EDATA, "");
        put(names[i], FINE_I64, 2, B, 0);
        refused(FINE_EDATA, "");
    }
    put("labels", FINE_F32, 1, B, 1);
    refused(FINE_EDATA, "labels");
    put("labels", FINE_I32, 1, B, 1);
    refused(FINE_EDATA, "labels");
    put("labels", FINE_I64, 1, B + 1, 1);
    refused(FINE_EDATA, "labels");
    put("labels", FINE_I64, 2, B, T);
    refused(FINE_EDATA, "labels");
}
END_TEST

START_TEST(missing_and_too_long)
{
    static const char *const needed[] = { "input_ids", "attention_mask" };
    const int64_t shape[2] = { 1, POSITIONS + 1 };
    int64_t ones[POSITIONS + 1];

    for (int i = 0; i < COUNT(needed); i++) {
        fine_tensors *whole = batch;
        const int64_t *sizes;
        const void *data;
        int64_t n_dims;
        int32_t type;

        OK(fine_tensors_new(&batch, ctx));
        for (int64_t k = 0; k < fine_tensors_count(whole); k++) {
            const char *name = fine_tensors_name(whole, k);

            OK(fine_tensors_get(whole, name, &type, &n_dims, &sizes, &data));
            if (strcmp(name, needed[i]) != 0)
                OK(fine_tensors_put(batch, name, type, n_dims, sizes, data));
        }
        fine_tensors_free(whole);
        refused(FINE_EDATA, needed[i]);
    }
    for (int i = 0; i <= POSITIONS; i++)
        ones[i] = 1;
    fine_tensors_free(batch);
    OK(fine_tensors_new(&batch, ctx));
    OK(fine_tensors_put(batch, "input_ids", FINE_I64, 2, shape, ones));
    OK(fine_tensors_put(batch, "attention_mask", FINE_I64, 2, shape, ones));
    OK(fine_tensors_put(batch, "labels", FINE_I64, 1, shape, ones));
    refused(FINE_EDATA, "at most 20");
    fine_tensors_free(batch);
    OK(fine_tensors_new(&batch, ctx));
    refused(FINE_EDATA, "input_ids");
}
END_TEST

START_TEST(rows_without_a_label)
{
    fine_tensors *out;
    double loss;

    set_element("labels", 0, -100);
    OK(fine_model_backward(model, batch, 1, &loss));
    ck_assert(isfinite(loss));
    set_element("labels", 1, -100);
    set_element("labels", 2, -100);
    FAILS(FINE_ESTATE, fine_model_backward(model, batch, 1, &loss));
    OK(fine_model_forward(model, batch, 0, &out));
    ck_assert_int_lt(fine_tensors_get(out, "loss", NULL, NULL, NULL, NULL), 0);
    fine_tensors_free(out);
}
END_TEST

START_TEST(regression_labels)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    const int64_t shape[1] = { B };
    double loss;

    fine_model_free(model);
    fine_tensors_free(batch);
    model = open_tiny(ctx, 1);
    batch = tiny_batch(ctx, 1);
    ck_assert_str_eq(fine_model_task(model), "regress");
    OK(fine_model_backward(model, batch, 1, &loss));
    for (int i = 0; i < COUNT(bad); i++) {
        float values[B] = { 0, 1, 2 };

        values[i] = bad[i];
        OK(fine_tensors_put(batch, "labels", FINE_F32, 1, shape, values));
        FAILS(FINE_EDATA, fine_model_backward(model, batch, 1, &loss));
    }
    put("labels", FINE_I64, 1, B, 1);
    FAILS(FINE_EDATA, fine_model_backward(model, batch, 1, &loss));
}
END_TEST

START_TEST(arguments)
{
    const uint64_t hash = hash_of(model);
    const float *values = NULL;
    float zeros[3] = { 0 };
    fine_tensors *out = NULL;
    int64_t count = 77;
    double norm = 3;

    FAILS(FINE_EINVAL, fine_model_forward(model, batch, 4, &out));
    FAILS(FINE_EINVAL, fine_model_forward(model, batch, -1, &out));
    FAILS(FINE_EINVAL, fine_model_backward(model, batch, NAN, NULL));
    FAILS(FINE_EINVAL, fine_model_backward(model, batch, INFINITY, NULL));
    FAILS(FINE_EINVAL, fine_model_clip_gradients(model, -1, &norm));
    FAILS(FINE_EINVAL, fine_model_clip_gradients(model, NAN, &norm));
    FAILS(FINE_EINVAL, fine_model_clip_gradients(model, INFINITY, &norm));
    FAILS(FINE_EINVAL, fine_model_values(model, "classifier.bia", &values, &count));
    FAILS(FINE_EINVAL, fine_model_values(model, "", &values, &count));
    FAILS(FINE_EINVAL, fine_model_gradient(model, "nothing", &values, &count));
    FAILS(FINE_ESTATE, fine_model_gradient(model, "classifier.bias", &values, &count));
    FAILS(FINE_EINVAL, fine_model_set_values(model, "classifier.bias", zeros, 2));
    FAILS(FINE_EINVAL, fine_model_set_values(model, "classifier.bias", zeros, 4));
    FAILS(FINE_EINVAL, fine_model_set_values(model, "classifier.bias", zeros, -3));
    FAILS(FINE_EINVAL, fine_model_set_values(model, "classifier", zeros, 3));
    ck_assert_ptr_null(values);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(count, 77);
    ck_assert(norm > 2);
    ck_assert(hash_of(model) == hash);
    ck_assert_ptr_null(fine_model_stage_name(model, -1));
    ck_assert_ptr_null(fine_model_stage_name(model, LAYERS + 2));
    ck_assert_ptr_null(fine_model_label(model, 3));
    ck_assert_ptr_null(fine_model_label(model, INT64_MIN));
}
END_TEST

START_TEST(tasks_and_freezing)
{
    static const char *const specs[] = { "",
                                         " ",
                                         "everything",
                                         "embeddings..9",
                                         "3..1",
                                         "-1",
                                         "embeddings..",
                                         "..2",
                                         "head",
                                         "0..3",
                                         "nothing.*",
                                         "*",
                                         "classifier.*",
                                         ",",
                                         "1,,2",
                                         "2..head",
                                         "99999999999999999999",
                                         "1..2..3" };
    static const char *const twice[] = { "a", "b", "a" }, *const hole[] = { "a", NULL };
    struct fine_task_options task;
    struct fine_param_info info = { .struct_size = sizeof info };
    const uint64_t hash = hash_of(model);

    OK(fine_model_freeze(model, "embeddings..1"));
    for (int i = 0; i < COUNT(specs); i++)
        FAILS(FINE_EINVAL, fine_model_freeze(model, specs[i]));
    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        OK(fine_model_param(model, i, &info));
        ck_assert_int_eq(info.frozen, info.stage <= 1);
    }
    for (int i = 0; i < 12; i++) {
        fine_task_options_init(&task, sizeof task);
        task.type = "classify";
        task.n_labels = 3;
        switch (i) {
        case 0:
            task.type = NULL;
            break;
        case 1:
            task.n_labels = 1;
            break;
        case 2:
            task.n_labels = 0;
            break;
        case 3:
            task.n_labels = -1;
            break;
        case 4:
            task.n_labels = INT64_MAX;
            break;
        case 5:
            task.pool = "max";
            break;
        case 6:
            task.max_length = POSITIONS + 1;
            break;
        case 7:
            task.max_length = 2;
            break;
        case 8:
            task.max_length = -1;
            break;
        case 9:
            task.overlong = "window";
            break;
        case 10:
            task.labels = twice;
            break;
        default:
            task.labels = hole;
            task.n_labels = 2;
            break;
        }
        FAILS(FINE_EINVAL, fine_model_set_task(model, &task));
    }
    fine_task_options_init(&task, sizeof task);
    task.type = "translate";
    FAILS(FINE_EUNSUPPORTED, fine_model_set_task(model, &task));
    task.type = "regress";
    task.n_labels = 2;
    FAILS(FINE_EINVAL, fine_model_set_task(model, &task));
    ck_assert_str_eq(fine_model_task(model), "classify");
    ck_assert_str_eq(fine_model_pool(model), "pooler");
    ck_assert_int_eq(fine_model_n_labels(model), 3);
    ck_assert_int_eq(fine_model_max_length(model), POSITIONS);
    ck_assert(hash_of(model) == hash);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        numbers_out_of_range, padding_may_hold_anything, shapes_and_types, missing_and_too_long,
        rows_without_a_label, regression_labels,         arguments,        tasks_and_freezing
    };

    return run_tests_with(setup, teardown, "inputs", tests, COUNT(tests));
}
