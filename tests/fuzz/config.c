/*
 * The input is a config.json alone, with weights that are drawn. Whatever it says, opening
 * ends with a model that answers every question about itself, takes a task, runs and can be
 * frozen, or with an error; within the limit on memory, and with nothing left of it.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "models/model.h"

static fine_context *
small_context(void)
{
    struct fine_context_options options;
    fine_context *ctx = NULL;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.memory_limit = 4 << 20;
    if (fine_context_new(&ctx, &options) < 0)
        abort();
    return ctx;
}

static void
ask(const fine_model *model)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    const int64_t n_stages = fine_model_n_stages(model);

    REQUIRE(n_stages >= 2);
    for (int64_t i = 0; i < n_stages; i++)
        REQUIRE(strlen(fine_model_stage_name(model, i)) > 0);
    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        REQUIRE(fine_model_param(model, i, &info) == 0);
        REQUIRE(info.stage >= 0 && info.stage < n_stages && info.count > 0);
    }
    REQUIRE((model->n_channels > 0) == (fine_model_vocab_size(model) == 0));
}

/* An image of the smallest size, or one id; where memory is out that is an answer too. */
static void
run_once(fine_model *model, fine_context *ctx)
{
    const int64_t image[4] = { 1, model->n_channels, 3, 2 }, ids[2] = { 1, 1 }, one = 1, zero = 0;
    fine_tensors *inputs = NULL, *out = NULL;

    if (fine_tensors_new(&inputs, ctx) < 0)
        return;
    int rc = model->n_channels > 0
                 ? fine_tensors_put(inputs, "pixel_values", FINE_F32, 4, image, NULL)
                 : fine_tensors_put(inputs, "input_ids", FINE_I64, 2, ids, &zero);

    if (rc == 0 && model->n_channels == 0)
        rc = fine_tensors_put(inputs, "attention_mask", FINE_I64, 2, ids, &one);
    if (rc == 0)
        rc = fine_model_forward(model, inputs, FINE_HIDDEN_STATES, &out);
    REQUIRE(rc == 0 || rc == FINE_ENOMEM || rc == FINE_EDATA || rc == FINE_ENUMERIC);
    fine_tensors_free(inputs);
    fine_tensors_free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    const struct fine_memory_file file = { "config.json", size > 0 ? (const void *)input : "",
                                           (int64_t)size };
    fine_context *ctx = small_context();
    struct fine_model_options options;
    struct fine_task_options task;
    fine_model *model = NULL;

    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    const int rc = fine_model_open_memory(&model, ctx, &file, 1, &options);

    REQUIRE((rc == 0) == (model != NULL));
    REQUIRE(rc == 0 || fine_error_message()[0] != '\0');
    if (rc == 0) {
        ask(model);
        fine_task_options_init(&task, sizeof task);
        task.type = model->n_channels > 0 ? "classify-image" : "classify";
        task.n_labels = 2;
        const int given = fine_model_set_task(model, &task);

        REQUIRE(given == 0 || given == FINE_ENOMEM || given == FINE_EINVAL);
        REQUIRE(fine_model_freeze(model, "all") == 0 || fine_error_message()[0] != '\0');
        run_once(model, ctx);
        fine_model_free(model);
    }
    fuzz_context_free(ctx);
    return 0;
}
