/*
 * images.h — golden folders of image models through the C interface: one pass by running
 * statistics and one by the batch's, curves, saving; the expected tensors' names say which.
 */
#ifndef IMAGES_H
#define IMAGES_H

#include "api.h"

enum { EVALUATION = 0, BY_BATCH = 1 };

static fine_context *ctx;

static void
setup(void)
{
    ctx = new_context(2);
}

static void
teardown(void)
{
    free_context(ctx);
}

static inline fine_tensors *
open_tensors(const char *folder, const char *name)
{
    fine_tensors *set;

    OK(fine_tensors_open(&set, ctx, inside(folder, name)));
    return set;
}

static inline fine_model *
open_folder(const char *folder)
{
    fine_model *model;

    OK(fine_model_open(&model, ctx, folder, NULL));
    return model;
}

static inline int64_t
read_tensor(const fine_tensors *set, const char *name, int32_t *type, const void **data)
{
    const int64_t *shape;
    int64_t n_dims, count = 1;

    ck_assert_msg(fine_tensors_get(set, name, type, &n_dims, &shape, data) == 0, "%s is missing",
                  name);
    for (int64_t i = 0; i < n_dims; i++)
        count *= shape[i];
    return count;
}

static inline double
number(int32_t type, const void *data, int64_t i)
{
    ck_assert(type == FINE_F32 || type == FINE_F64 || type == FINE_I64);
    return type == FINE_F64   ? ((const double *)data)[i]
           : type == FINE_F32 ? (double)((const float *)data)[i]
                              : (double)((const int64_t *)data)[i];
}

/* Off by at most `relative` of the largest number, or by `absolute`. */
static inline void
compare(const fine_tensors *got, const char *got_name, const fine_tensors *want,
        const char *want_name, double relative, double absolute)
{
    const void *a, *b;
    int32_t a_type, b_type;
    const int64_t n = read_tensor(got, got_name, &a_type, &a);
    double largest = 0, off = 0;

    ck_assert_msg(read_tensor(want, want_name, &b_type, &b) == n, "%s: %lld numbers", got_name,
                  (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const double x = number(a_type, a, i), y = number(b_type, b, i);

        ck_assert_msg(isfinite(x), "%s: number %lld is not finite", got_name, (long long)i);
        largest = fmax(largest, fabs(y));
        off = fmax(off, fabs(x - y));
    }
    ck_assert_msg(off <= absolute || off <= relative * largest, "%s: %.2g off, of %.2g", want_name,
                  off, largest);
}

/* Every expected tensor of this mode; how many there are. */
static inline int
compare_all(const fine_tensors *out, const fine_tensors *expected, int mode)
{
    static const char train[] = "train.";
    int n = 0;

    for (int64_t i = 0; i < fine_tensors_count(expected); i++) {
        const char *full = fine_tensors_name(expected, i), *name = full;
        const bool is_train = strncmp(full, train, strlen(train)) == 0;

        name += is_train ? strlen(train) : 0;
        if (is_train != (mode == BY_BATCH) || strcmp(name, "losses") == 0 ||
            strcmp(name, "norms") == 0)
            continue;
        const bool gradient = strncmp(name, "grad.", 5) == 0;
        const double limit = gradient ? 3e-5 : 1e-5;

        compare(out, name, expected, full, is_train ? 3 * limit : limit, gradient ? 1e-7 : 0);
        n++;
    }
    return n;
}

/* Loss, logits, hidden states, every gradient; by the batch the running statistics too. */
static inline void
check_pass(const char *folder, int mode)
{
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors");
    fine_tensors *expected = open_tensors(folder, "expected.safetensors"), *out;
    fine_model *model = open_folder(folder);

    ck_assert_str_eq(fine_model_task(model), "classify-image");
    OK(fine_model_set_batch_statistics(model, mode));
    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS, &out));
    ck_assert_int_ge(compare_all(out, expected, mode), 2 + (int)fine_model_n_params(model));
    fine_tensors_free(out);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}

/* The first n losses and norms of AdamW in training mode. */
static inline void
check_curve(const char *folder, int n)
{
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors");
    fine_tensors *expected = open_tensors(folder, "expected.safetensors");
    fine_model *model = open_folder(folder);
    struct fine_adamw_options options;
    fine_optimizer *optimizer;
    const void *losses, *norms;
    double loss, norm;
    int32_t type;

    ck_assert_int_ge(read_tensor(expected, "train.losses", &type, &losses), n);
    ck_assert_int_ge(read_tensor(expected, "train.norms", &type, &norms), n);
    fine_adamw_options_init(&options, sizeof options);
    options.decay = FINE_DECAY_ALL;
    OK(fine_optimizer_new_adamw(&optimizer, ctx, &options));
    OK(fine_model_set_batch_statistics(model, 1));
    for (int i = 0; i < n; i++) {
        OK(fine_model_zero_gradients(model));
        OK(fine_model_backward(model, inputs, 1, &loss));
        OK(fine_model_clip_gradients(model, 0, &norm));
        ck_assert_msg(fabs(loss - number(type, losses, i)) <= 3e-5, "%s: loss %d: %.9g, not %.9g",
                      folder, i, loss, number(type, losses, i));
        ck_assert_msg(fabs(norm - number(type, norms, i)) <= 3e-4, "%s: norm %d: %.9g, not %.9g",
                      folder, i, norm, number(type, norms, i));
        OK(fine_optimizer_step(optimizer, model, 1e-3));
    }
    fine_optimizer_free(optimizer);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}

/* Opened and saved: the same tensors under the same names, every buffer too, and the folder
 * opens to the same logits. */
static inline void
check_saved(const char *folder)
{
    char *copy = new_folder();
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors"), *out, *other;
    fine_tensors *weights = open_tensors(folder, "model.safetensors"), *saved;
    fine_model *model = open_folder(folder), *again;

    OK(fine_model_save(model, copy));
    again = open_folder(copy);
    ck_assert_int_eq(fine_model_n_labels(again), fine_model_n_labels(model));
    for (int64_t i = 0; i < fine_model_n_labels(model); i++)
        ck_assert_str_eq(fine_model_label(again, i), fine_model_label(model, i));
    OK(fine_model_forward(model, inputs, 0, &out));
    OK(fine_model_forward(again, inputs, 0, &other));
    compare(out, "logits", other, "logits", 0, 0);
    saved = open_tensors(copy, "model.safetensors");
    ck_assert_int_eq(fine_tensors_count(saved), fine_tensors_count(weights));
    for (int64_t i = 0; i < fine_tensors_count(weights); i++)
        compare(saved, fine_tensors_name(weights, i), weights, fine_tensors_name(weights, i), 0, 0);
    fine_tensors_free(out);
    fine_tensors_free(other);
    fine_tensors_free(saved);
    fine_tensors_free(weights);
    fine_tensors_free(inputs);
    fine_model_free(model);
    fine_model_free(again);
    remove_folder(copy);
}

#endif
