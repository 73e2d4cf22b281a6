/*
 * test_efficientnet.c — small EfficientNets through the C interface, held to what PyTorch
 * computes in float64 (make_efficientnet.py): efficientnet_pytorch's names with
 * squeeze-and-excitation, timm's names without and cut at 6; both padded "same" on odd sides,
 * by running statistics and by the batch's own. And torchvision's, from ../shared, under
 * timm's names.
 */
#include "api.h"

#define GOLDEN SOURCE_ROOT "/tests/golden/"
#define SHARED SOURCE_ROOT "/../shared/golden/efficientnet-torchvision"

enum { STEPS = 10, EVALUATION = 0, BY_BATCH = 1 };

static const char *const folders[] = { GOLDEN "efficientnet-pytorch", GOLDEN "efficientnet-lite" };
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

static fine_tensors *
open_tensors(const char *folder, const char *name)
{
    fine_tensors *set;

    OK(fine_tensors_open(&set, ctx, inside(folder, name)));
    return set;
}

static fine_model *
open_folder(const char *folder)
{
    fine_model *model;

    OK(fine_model_open(&model, ctx, folder, NULL));
    return model;
}

static int64_t
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

static double
number(int32_t type, const void *data, int64_t i)
{
    ck_assert(type == FINE_F32 || type == FINE_F64);
    return type == FINE_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* Off by at most `relative` of the largest number, or by `absolute`. */
static void
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

/* ---- one pass ---- */

/* Every expected tensor whose name begins with `before` (or with none of the others'). */
static int
compare_all(const fine_tensors *out, const fine_tensors *expected, int mode)
{
    static const char train[] = "train.";
    int n = 0;

    for (int64_t i = 0; i < fine_tensors_count(expected); i++) {
        const char *full = fine_tensors_name(expected, i), *name = full;
        const bool is_train = strncmp(full, train, strlen(train)) == 0;

        if (is_train != (mode == BY_BATCH) || strncmp(full, "static.", 7) == 0)
            continue;
        name += is_train ? strlen(train) : 0;
        if (strcmp(name, "losses") == 0 || strcmp(name, "norms") == 0)
            continue;
        const bool gradient = strncmp(name, "grad.", 5) == 0;
        const double limit = gradient ? 3e-5 : 1e-5;

        compare(out, name, expected, full, is_train ? 4 * limit : limit, gradient ? 1e-7 : 0);
        n++;
    }
    return n;
}

static void
check_pass(const char *folder, int mode)
{
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors");
    fine_tensors *expected = open_tensors(folder, "expected.safetensors"), *out;
    fine_model *model = open_folder(folder);

    ck_assert_str_eq(fine_model_family(model), "efficientnet");
    ck_assert_str_eq(fine_model_task(model), "classify-image");
    ck_assert_int_eq(fine_model_n_labels(model), 4);
    OK(fine_model_set_batch_statistics(model, mode == BY_BATCH));
    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS, &out));
    ck_assert_int_ge(compare_all(out, expected, mode), 2 + (int)fine_model_n_params(model));
    fine_tensors_free(out);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}

START_TEST(by_running_statistics)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_pass(folders[i], EVALUATION);
}
END_TEST

START_TEST(by_the_batch)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_pass(folders[i], BY_BATCH);
}
END_TEST

/* A stage that is frozen keeps to its running statistics, and they stay. */
START_TEST(frozen_stages_keep_their_statistics)
{
    const char *folder = folders[0];
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors");
    fine_tensors *weights = open_tensors(folder, "model.safetensors"), *out;
    fine_model *model = open_folder(folder);

    OK(fine_model_freeze(model, "all"));
    OK(fine_model_set_batch_statistics(model, 1));
    OK(fine_model_forward(model, inputs, FINE_PARAM_GRADIENTS, &out));
    compare(out, "after._blocks.2._bn1.running_mean", weights, "_blocks.2._bn1.running_mean", 0, 0);
    compare(out, "after._bn1.running_var", weights, "_bn1.running_var", 0, 0);
    ck_assert(fine_tensors_get(out, "grad._conv_head.weight", NULL, NULL, NULL, NULL) < 0);
    fine_tensors_free(out);
    fine_tensors_free(inputs);
    fine_tensors_free(weights);
    fine_model_free(model);
}
END_TEST

/* ---- ten steps ---- */

static void
follow(const char *folder, int n)
{
    fine_tensors *inputs = open_tensors(folder, "inputs.safetensors");
    fine_tensors *expected = open_tensors(folder, "expected.safetensors");
    fine_model *model = open_folder(folder);
    struct fine_adamw_options options;
    fine_optimizer *optimizer;
    const void *losses, *norms;
    double loss, norm;
    int32_t type;

    ck_assert_int_eq(read_tensor(expected, "train.losses", &type, &losses), STEPS);
    ck_assert_int_eq(read_tensor(expected, "train.norms", &type, &norms), STEPS);
    fine_adamw_options_init(&options, sizeof options);
    options.decay = FINE_DECAY_ALL;
    OK(fine_optimizer_new_adamw(&optimizer, ctx, &options));
    OK(fine_model_set_batch_statistics(model, 1));
    for (int i = 0; i < n; i++) {
        OK(fine_model_zero_gradients(model));
        OK(fine_model_backward(model, inputs, 1, &loss));
        OK(fine_model_clip_gradients(model, 0, &norm));
        ck_assert_msg(fabs(loss - number(type, losses, i)) <= 3e-5, "loss %d: %.9g, not %.9g",
                      i, loss, number(type, losses, i));
        ck_assert_msg(fabs(norm - number(type, norms, i)) <= 3e-4,
                      "norm %d: %.9g, not %.9g", i, norm, number(type, norms, i));
        OK(fine_optimizer_step(optimizer, model, 1e-3));
    }
    fine_optimizer_free(optimizer);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}

/* Of the second only those before an activation crosses an edge: PyTorch's own float32 is 6e-5
 * off after that. */
START_TEST(ten_steps)
{
    follow(folders[0], STEPS);
    follow(folders[1], 4);
}
END_TEST

/* ---- other folders ---- */

/* The folder with config.json's `from` made `to`. */
static fine_model *
open_variant(const char *folder, const char *weights, const char *from, const char *to)
{
    char *copy = new_folder(), edited[4096];
    int64_t n;
    char *config = read_file(folder, "config.json", &n), *at = strstr(config, from), *bytes;
    fine_model *model;

    ck_assert_ptr_nonnull(at);
    (void)snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - config), config, to,
                   at + strlen(from));
    write_file(copy, "config.json", edited, strlen(edited));
    bytes = read_file(folder, weights, &n);
    write_file(copy, "model.safetensors", bytes, (size_t)n);
    model = open_folder(copy);
    free(bytes);
    free(config);
    remove_folder(copy);
    return model;
}

/* Padded as images of one size ask for, whatever comes. */
START_TEST(padded_for_one_size)
{
    for (int i = 0; i < COUNT(folders); i++) {
        fine_tensors *inputs = open_tensors(folders[i], "inputs.safetensors"), *out;
        fine_tensors *expected = open_tensors(folders[i], "expected.safetensors");
        fine_model *model = open_variant(folders[i], "model.safetensors", "\"padding\": \"same\"",
                                         "\"padding\": \"same\", \"image_size\": 32");

        OK(fine_model_forward(model, inputs, 0, &out));
        compare(out, "logits", expected, "static.logits", 5e-6, 0);
        compare(out, "loss", expected, "static.loss", 3e-6, 0);
        fine_tensors_free(out);
        fine_tensors_free(inputs);
        fine_tensors_free(expected);
        fine_model_free(model);
    }
}
END_TEST

/* torchvision's network under timm's names: the same numbers. */
START_TEST(names_of_timm)
{
    if (access(SHARED "/model-timm.safetensors", R_OK) != 0) {
        (void)printf("skipped: %s is not there\n", SHARED);
        return;
    }
    fine_tensors *inputs = open_tensors(SHARED, "inputs.safetensors"), *out;
    fine_tensors *expected = open_tensors(SHARED, "expected.safetensors");
    fine_model *model = open_variant(SHARED, "model-timm.safetensors", "{", "{");
    char name[32];

    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS, &out));
    compare(out, "logits", expected, "logits", 5e-6, 0);
    compare(out, "loss", expected, "loss", 3e-6, 0);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "hidden_states.%d", i);
        compare(out, name, expected, name, 1e-5, 0);
    }
    compare(out, "grad.conv_stem.weight", expected, "grad.features.0.0.weight", 3e-5, 0);
    compare(out, "grad.blocks.0.0.conv_pw.weight", expected, "grad.features.1.0.block.2.0.weight",
            3e-5, 0);
    compare(out, "grad.blocks.1.1.se.conv_expand.weight", expected,
            "grad.features.2.1.block.2.fc2.weight", 3e-5, 0);
    compare(out, "grad.bn2.bias", expected, "grad.features.4.1.bias", 3e-5, 0);
    fine_tensors_free(out);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}
END_TEST

/* Saved and opened again: the same bits, under the names that the checkpoint came with. */
START_TEST(saved_and_opened_again)
{
    for (int i = 0; i < COUNT(folders); i++) {
        char *folder = new_folder();
        fine_tensors *inputs = open_tensors(folders[i], "inputs.safetensors"), *out, *other;
        fine_tensors *weights = open_tensors(folders[i], "model.safetensors"), *saved;
        fine_model *model = open_folder(folders[i]), *again;

        OK(fine_model_save(model, folder));
        again = open_folder(folder);
        OK(fine_model_forward(model, inputs, 0, &out));
        OK(fine_model_forward(again, inputs, 0, &other));
        compare(out, "logits", other, "logits", 0, 0);
        saved = open_tensors(folder, "model.safetensors");
        ck_assert_int_eq(fine_tensors_count(saved), fine_tensors_count(weights));
        for (int64_t k = 0; k < fine_tensors_count(weights); k++) {
            const char *name = fine_tensors_name(weights, k);

            if (strstr(name, "num_batches_tracked") == NULL)
                compare(saved, name, weights, name, 0, 0);
        }
        fine_tensors_free(out);
        fine_tensors_free(other);
        fine_tensors_free(saved);
        fine_tensors_free(weights);
        fine_tensors_free(inputs);
        fine_model_free(model);
        fine_model_free(again);
        remove_folder(folder);
    }
}
END_TEST

/* Pads that are made for one size leave too little of an image of one pixel. */
START_TEST(images_of_one_pixel)
{
    static const float pixels[3] = { 1, 2, 3 };
    const int64_t shape[4] = { 1, 3, 1, 1 };
    fine_model *model = open_folder(folders[0]), *fixed;
    fine_tensors *inputs, *out;

    OK(fine_tensors_new(&inputs, ctx));
    OK(fine_tensors_put(inputs, "pixel_values", FINE_F32, 4, shape, pixels));
    OK(fine_model_forward(model, inputs, 0, &out));
    fine_tensors_free(out);
    fixed = open_variant(folders[0], "model.safetensors", "\"padding\": \"same\"",
                         "\"padding\": \"same\", \"image_size\": 32");
    FAILS(FINE_EDATA, fine_model_forward(fixed, inputs, 0, &out));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "1 x 1 are too small"));
    fine_tensors_free(inputs);
    fine_model_free(model);
    fine_model_free(fixed);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { by_running_statistics,
                                   by_the_batch,
                                   frozen_stages_keep_their_statistics,
                                   ten_steps,
                                   padded_for_one_size,
                                   names_of_timm,
                                   saved_and_opened_again,
                                   images_of_one_pixel };

    return run_tests_with(setup, teardown, "efficientnet", tests, COUNT(tests));
}
