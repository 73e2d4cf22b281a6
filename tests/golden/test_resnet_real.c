/*
 * test_resnet_real.c — ResNet-20 of ../shared, as trained on CIFAR-10: logits, hidden states,
 * ten steps of training, held to PyTorch's. Skipped where ../shared is not there.
 */
#include "images.h"

#define SHARED SOURCE_ROOT "/../shared/"

static const char weights[] = SHARED "weights/resnet-cifar10-akamaster/resnet20-12fca82f.th";
static const char real[] = SHARED "golden/resnet20-real";

/* As torchvision normalises: pixels_u8 (B,H,W,3) to pixel_values (B,3,H,W). */
static fine_tensors *
prepare(const fine_tensors *expected)
{
    static const double mean[] = { 0.485, 0.456, 0.406 }, deviation[] = { 0.229, 0.224, 0.225 };
    const int64_t *shape, n_labels = 32;
    const void *data, *labels;
    int64_t n_dims;
    fine_tensors *inputs;
    float *pixels;

    OK(fine_tensors_get(expected, "pixels_u8", NULL, &n_dims, &shape, &data));
    OK(fine_tensors_get(expected, "labels", NULL, NULL, NULL, &labels));
    const uint8_t *levels = data;
    const int64_t area = shape[1] * shape[2], turned[4] = { shape[0], 3, shape[1], shape[2] };

    ck_assert_int_eq(shape[0], n_labels);
    pixels = malloc((size_t)(shape[0] * area * 3) * sizeof *pixels);
    for (int64_t i = 0; i < shape[0] * area * 3; i++) {
        const int64_t c = i % 3, at = i / 3 % area, image = i / 3 / area;
        const float scaled = (float)levels[i] / 255;

        pixels[(image * 3 + c) * area + at] =
            (scaled - (float)mean[c]) / (float)deviation[c];
    }
    OK(fine_tensors_new(&inputs, ctx));
    OK(fine_tensors_put(inputs, "pixel_values", FINE_F32, 4, turned, pixels));
    OK(fine_tensors_put(inputs, "labels", FINE_I64, 1, &n_labels, labels));
    free(pixels);
    return inputs;
}

/* The first rows of a tensor, as many as there are in `want`. */
static void
compare_beginning(const fine_tensors *got, const fine_tensors *want, const char *name,
                  double absolute)
{
    const void *a, *b;
    int32_t type;
    const int64_t n = read_tensor(want, name, &type, &b);

    ck_assert_int_ge(read_tensor(got, name, &type, &a), n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)((const float *)a)[i] - (double)((const float *)b)[i]) <=
                          absolute, "%s", name);
}

START_TEST(as_trained_on_cifar)
{
    struct fine_model_options options;
    fine_tensors *expected, *inputs, *out;
    fine_model *model;

    if (access(weights, R_OK) != 0) {
        (void)printf("skipped: %s is not there\n", weights);
        return;
    }
    fine_model_options_init(&options, sizeof options);
    options.architecture = "cifar-resnet20";
    OK(fine_model_open(&model, ctx, weights, &options));
    ck_assert_int_eq(fine_model_n_stages(model), 5);
    expected = open_tensors(real, "expected.safetensors");
    inputs = prepare(expected);
    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES, &out));
    compare(out, "logits", expected, "logits_f64", 0, 5e-5);
    for (int i = 0; i < 4; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "hidden_states.%d", i);
        compare_beginning(out, expected, name, 5e-5);
    }
    /* saved, it is a folder that says what it is */
    char *folder = new_folder();
    fine_tensors *other;
    fine_model *again;

    OK(fine_model_save(model, folder));
    again = open_folder(folder);
    OK(fine_model_forward(again, inputs, 0, &other));
    compare(other, "logits", out, "logits", 0, 0);
    fine_tensors_free(other);
    fine_model_free(again);
    remove_folder(folder);
    fine_tensors_free(out);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}
END_TEST

/* Ten steps of SGD with momentum, and the loss by the running statistics after them; the
 * numbers are train.json's. */
START_TEST(trained_on_for_ten_steps)
{
    static const double losses[] = { 0.694935423055959,    0.1799785848065544,
                                     0.013456899585164958, 0.008435034720354331,
                                     0.007050614794479384, 0.005979921290714851,
                                     0.005063440624452779, 0.00434248491723095,
                                     0.0037666994740437492, 0.003253744756209735 };
    struct fine_model_options options;
    struct fine_sgd_options sgd;
    fine_optimizer *optimizer;
    fine_tensors *expected, *inputs;
    fine_model *model;
    double loss;

    if (access(weights, R_OK) != 0) {
        (void)printf("skipped: %s is not there\n", weights);
        return;
    }
    fine_model_options_init(&options, sizeof options);
    options.architecture = "cifar-resnet20";
    OK(fine_model_open(&model, ctx, weights, &options));
    expected = open_tensors(real, "expected.safetensors");
    inputs = prepare(expected);
    fine_sgd_options_init(&sgd, sizeof sgd);
    sgd.momentum = 0.9;
    sgd.weight_decay = 1e-4;
    sgd.decay = FINE_DECAY_ALL;
    OK(fine_optimizer_new_sgd(&optimizer, ctx, &sgd));
    OK(fine_model_set_batch_statistics(model, 1));
    for (int i = 0; i < COUNT(losses); i++) {
        OK(fine_model_zero_gradients(model));
        OK(fine_model_backward(model, inputs, 1, &loss));
        ck_assert_msg(fabs(loss - losses[i]) <= 5e-5, "loss %d: %.9g", i, loss);
        OK(fine_optimizer_step(optimizer, model, 0.01));
    }
    OK(fine_model_set_batch_statistics(model, 0));
    OK(fine_model_zero_gradients(model));
    OK(fine_model_backward(model, inputs, 1, &loss));
    ck_assert_msg(fabs(loss - 0.07197925302911767) <= 5e-5, "loss after: %.9g", loss);
    fine_optimizer_free(optimizer);
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    fine_model_free(model);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { as_trained_on_cifar, trained_on_for_ten_steps };

    return run_tests_with(setup, teardown, "resnet-real", tests, COUNT(tests));
}
