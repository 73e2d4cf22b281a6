/*
 * test_resnet.c — what a ResNet's configuration may say, the architectures by name, its
 * stages, and image models where text is meant and the other way round. What it computes is
 * held to PyTorch in tests/golden.
 */
#include "images.h"

#include <math.h>

/* The finding that says this; all of them are looked through. */
static void
assert_said(const char *part)
{
    for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
        if (strstr(m, part) != NULL)
            return;
    ck_abort_msg("nothing says '%s'", part);
}

static const struct {
    const char *config;
    int rc;
    const char *says;
} configs[] = {
    { "{\"model_type\": \"resnet\", \"depths\": [], \"hidden_sizes\": [8]}", FINE_EFORMAT,
      "'depths' must be a list of 1 to 16" },
    { "{\"model_type\": \"resnet\", \"depths\": [1, 0], \"hidden_sizes\": [8, 8]}", FINE_EFORMAT,
      "item 1 of 'depths'" },
    { "{\"model_type\": \"resnet\", \"depths\": [1, 1.5], \"hidden_sizes\": [8, 8]}",
      FINE_EFORMAT, "item 1 of 'depths'" },
    { "{\"model_type\": \"resnet\", \"depths\": 3}", FINE_EFORMAT, "'depths'" },
    { "{\"model_type\": \"resnet\", \"depths\": [1, 1]}", FINE_EFORMAT,
      "'hidden_sizes' has 4 numbers and 'depths' 2" },
    { "{\"model_type\": \"resnet\", \"depths\": [4096, 4096], \"hidden_sizes\": [8, 8]}",
      FINE_EUNSUPPORTED, "8192 blocks" },
    { "{\"model_type\": \"resnet\", \"hidden_sizes\": [8, 8, 3, 8]}", FINE_EFORMAT,
      "item 2 of 'hidden_sizes'" },
    { "{\"model_type\": \"resnet\", \"layer_type\": \"dense\"}", FINE_EUNSUPPORTED,
      "'layer_type' is 'dense'" },
    { "{\"model_type\": \"resnet\", \"layer_type\": 3}", FINE_EUNSUPPORTED, "'layer_type'" },
    { "{\"model_type\": \"resnet\", \"hidden_act\": \"mish\"}", FINE_EUNSUPPORTED, "'hidden_act'" },
    { "{\"model_type\": \"resnet\", \"num_channels\": 0}", FINE_EFORMAT, "'num_channels'" },
    { "{\"model_type\": \"resnet\", \"embedding_size\": \"64\"}", FINE_EFORMAT,
      "'embedding_size'" },
    { "{\"model_type\": \"resnet\", \"problem_type\": \"multi_label_classification\"}",
      FINE_EUNSUPPORTED, "'problem_type'" },
    { "{\"architecture\": \"resnet\", \"block\": \"basic\"}", FINE_EFORMAT, "'layers' is missing" },
    { "{\"architecture\": \"resnet\", \"layers\": [1, 1, 1, 1, 1, 1, 1, 1, 1]}", FINE_EFORMAT,
      "'layers'" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"block\": \"wide\"}", FINE_EUNSUPPORTED,
      "'block' is 'wide'" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"naming\": \"keras\"}", FINE_EUNSUPPORTED,
      "'naming' is 'keras'" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"groups\": 2}", FINE_EUNSUPPORTED,
      "bottleneck blocks" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"block\": \"bottleneck\", \"width\": 3, "
      "\"groups\": 3, \"width_per_group\": 16}", FINE_EFORMAT, "stage 1 are 0 wide" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"batch_norm_eps\": -1}", FINE_EFORMAT,
      "'batch_norm_eps'" },
    { "{\"architecture\": \"resnet\", \"layers\": [1], \"batch_norm_momentum\": \"x\"}",
      FINE_EFORMAT, "'batch_norm_momentum'" },
    { "{\"architecture\": \"resnet18\", \"layers\": [1]}", FINE_EFORMAT, "'layers' is set" },
    { "{\"architecture\": \"resnet18\", \"model_args\": {\"stem_type\": \"deep\"}}",
      FINE_EUNSUPPORTED, "'stem_type'" },
    { "{\"architecture\": \"resnet18\", \"model_args\": {\"in_chans\": 0}}", FINE_EFORMAT,
      "'in_chans'" },
    { "{\"architecture\": \"resnet18\", \"global_pool\": \"max\"}", FINE_EUNSUPPORTED,
      "'global_pool'" },
    { "{\"architecture\": \"resnet50d\"}", FINE_EUNSUPPORTED, "cifar-resnet110" },
    { "{\"architecture\": 3}", FINE_EFORMAT, "'model_type' is missing" },
};

START_TEST(configurations)
{
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(configs); i++) {
        fine_model *model = NULL;

        ck_assert_msg(try_open(&model, ctx, configs[i].config, NULL) == configs[i].rc, "%s: %s",
                      configs[i].config, fine_error_message());
        ck_assert_ptr_null(model);
        assert_said(configs[i].says);
    }
    free_context(ctx);
}
END_TEST

static int64_t
count_parameters(const fine_model *model)
{
    int64_t n = 0;

    for (int64_t i = 0; i < model->params.count; i++)
        n += model->params.list[i].tensor.count;
    return n;
}

START_TEST(architectures)
{
    static const struct {
        const char *name;
        int64_t parameters, stages;
    } nets[] = { { "resnet18", 11176512, 4 }, { "cifar-resnet20", 269072, 3 },
                 { "cifar-resnet56", 852368, 3 } };
    fine_context *ctx = new_context(2);
    fine_model *model = NULL;

    for (int64_t i = 0; i < FINE__COUNT(nets); i++) {
        ck_assert_int_eq(try_open(&model, ctx, NULL, nets[i].name), 0);
        ck_assert_int_eq(count_parameters(model), nets[i].parameters);
        ck_assert_int_eq(fine_model_n_stages(model), nets[i].stages + 2);
        ck_assert_str_eq(fine_model_family(model), "resnet");
        fine_model_free(model);
    }
    model = NULL;
    ck_assert_int_eq(try_open(&model, ctx, NULL, "resnet51"), FINE_EUNSUPPORTED);
    assert_said("'resnet51'");
    ck_assert_int_eq(try_open(&model, ctx, "{\"model_type\": \"timm_wrapper\", \"architecture\": "
                              "\"resnet18.a1_in1k\", \"model_args\": {\"in_chans\": 1}}", NULL),
                     0);
    ck_assert_int_eq(count_parameters(model), 11176512 - 2 * 64 * 49);
    fine_model_free(model);
    model = NULL;
    ck_assert_int_eq(try_open(&model, ctx, BASIC, "resnet18"), FINE_EINVAL);
    assert_said("leave the architecture 'resnet18' out");
    ck_assert_int_eq(try_open(&model, ctx, NULL, NULL), FINE_EIO);
    assert_said("there is no config.json");
    ck_assert_ptr_null(model);
    free_context(ctx);
}
END_TEST

static int64_t
count_frozen(const fine_model *model)
{
    int64_t n = 0;

    for (int64_t i = 0; i < model->params.count; i++)
        n += !model->params.list[i].tensor.wants_grad;
    return n;
}

START_TEST(stages)
{
    static const char *const names[] = { "stem", "1", "2", "head" };
    fine_context *ctx = new_context(1);
    fine_model *model = open_network(ctx, BASIC);
    int64_t frozen;

    ck_assert_int_eq(fine_model_n_stages(model), 4);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(fine_model_stage_name(model, i), names[i]);
    ck_assert_int_eq(fine_model_freeze(model, "stem..1"), 0);
    frozen = count_frozen(model);
    ck_assert_int_eq(frozen, 3 + 6);
    ck_assert_int_eq(fine_model_freeze(model, "embeddings..1"), 0);
    ck_assert_int_eq(count_frozen(model), frozen);
    ck_assert_int_eq(fine_model_freeze(model, "stem,2"), 0);
    ck_assert_int_eq(fine_model_freeze(model, "stem..3"), FINE_EINVAL);
    ck_assert_int_eq(fine_model_freeze(model, "fc.*"), FINE_EINVAL);
    ck_assert_int_eq(fine_model_freeze(model, "trunk"), FINE_EINVAL);
    assert_said("stages are stem and 1 to 2");
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* Weight decay of matrices leaves norms alone, and no decay reaches a buffer. */
START_TEST(what_decays)
{
    fine_context *ctx = new_context(1);
    fine_model *model = open_network(ctx, BASIC);

    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__param *param = &model->params.list[i];

        ck_assert_msg(param->decays == (param->tensor.n_dims > 1), "%s", param->name);
    }
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

START_TEST(tasks)
{
    struct fine_task_options task;
    fine_context *ctx = new_context(1);
    fine_model *model = open_network(ctx, BASIC);
    const float *before, *after;
    float kept;

    ck_assert_int_eq(set_task(model, "classify", 2), FINE_EUNSUPPORTED);
    assert_said("a resnet model reads images and cannot learn classify; use classify-image");
    ck_assert_int_eq(set_task(model, "classify-image", 1), FINE_EINVAL);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify-image";
    task.n_labels = CLASSES;
    task.pool = "mean";
    ck_assert_int_eq(fine_model_set_task(model, &task), FINE_EINVAL);
    task.pool = NULL;
    task.max_length = 128;
    ck_assert_int_eq(fine_model_set_task(model, &task), FINE_EINVAL);
    assert_said("max_length");
    /* a head that fits stays; one of another number of labels is new, by its seed */
    ck_assert_int_eq(fine_model_values(model, "fc.weight", &before, NULL), 0);
    kept = before[0];
    ck_assert_int_eq(set_task(model, "classify-image", CLASSES), 0);
    ck_assert_int_eq(fine_model_values(model, "fc.weight", &after, NULL), 0);
    ck_assert(after[0] == kept);
    ck_assert_int_eq(set_task(model, "classify-image", CLASSES + 2), 0);
    ck_assert_int_eq(model->params.list[model->head_from].tensor.shape[0], CLASSES + 2);
    ck_assert_int_eq(fine_model_max_length(model), 0);
    ck_assert_int_eq(fine_model_vocab_size(model), 0);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

static int
try_pixels(fine_model *model, fine_context *ctx, const char *name, int32_t type, int64_t n_dims,
           const int64_t *shape, const void *data)
{
    fine_tensors *inputs, *out = NULL;

    ck_assert_int_eq(fine_tensors_new(&inputs, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(inputs, name, type, n_dims, shape, data), 0);
    const int rc = fine_model_forward(model, inputs, 0, &out);

    fine_tensors_free(inputs);
    fine_tensors_free(out);
    return rc;
}

START_TEST(inputs)
{
    static const char text[] = "{\"model_type\": \"bert\", \"vocab_size\": 9, \"hidden_size\": 8, "
                               "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
                               "\"intermediate_size\": 8, \"max_position_embeddings\": 8}";
    const int64_t one[4] = { 1, 3, 1, 1 }, grey[4] = { 1, 1, 1, 3 }, none[4] = { 0, 3, 2, 2 };
    const float pixels[3] = { 1, 2, 3 }, broken[3] = { 1, (float)INFINITY, 3 };
    fine_context *ctx = new_context(1);
    fine_model *model = open_network(ctx, BASIC);

    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 4, one, pixels), 0);
    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 4, grey, pixels),
                     FINE_EDATA);
    assert_said("3 channels");
    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 4, none, NULL), FINE_EDATA);
    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 3, one + 1, pixels),
                     FINE_EDATA);
    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 4, one, broken), FINE_EDATA);
    assert_said("image 0 of 'pixel_values' holds a number that is not finite, in channel 1");
    ck_assert_int_eq(try_pixels(model, ctx, "input_ids", FINE_F32, 4, one, pixels), FINE_EDATA);
    assert_said("'pixel_values' is missing; a resnet model reads images");
    fine_model_free(model);
    model = NULL;
    ck_assert_int_eq(try_open(&model, ctx, text, NULL), 0);
    ck_assert_int_eq(try_pixels(model, ctx, "pixel_values", FINE_F32, 4, one, pixels), FINE_EDATA);
    assert_said("a bert model reads 'input_ids', not 'pixel_values'");
    ck_assert_int_eq(set_task(model, "classify-image", 2), FINE_EUNSUPPORTED);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* Prediction and frozen stages take the memory of a few blocks, however many there are. */
static size_t
peak(fine_context *ctx, const char *layers, const char *freeze)
{
    char config[200];
    struct fine__batch batch = make_images();
    struct fine__runner *runner;

    (void)snprintf(config, sizeof config, "{\"architecture\": \"resnet\", \"layers\": %s, "
                   "\"width\": 16}", layers);
    fine_model *model = open_network(ctx, config);

    ck_assert_int_eq(fine_model_freeze(model, freeze), 0);
    ck_assert_int_eq(fine__runner_new(&runner, model), 0);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    const size_t bytes = fine__runner_peak_bytes(runner);

    fine__runner_free(runner);
    fine_model_free(model);
    return bytes;
}

START_TEST(memory_of_one_block)
{
    fine_context *ctx = new_context(1);

    ck_assert_uint_eq(peak(ctx, "[2, 1]", "all"), peak(ctx, "[20, 1]", "all"));
    ck_assert_uint_eq(peak(ctx, "[2, 1]", "stem..1"), peak(ctx, "[20, 1]", "stem..1"));
    ck_assert_uint_lt(peak(ctx, "[2, 1]", "none"), peak(ctx, "[20, 1]", "none"));
    free_context(ctx);
}
END_TEST

RUNNER("resnet", configurations, architectures, stages, what_decays, tasks, inputs,
       memory_of_one_block)
