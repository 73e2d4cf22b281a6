/* test_adapter.c — adapter.c: what adapter_config.json may say, and folding in. */
#include "runner.h"

#include <math.h>

#include "models/adapter.h"

static fine_context *ctx;

#define BASE "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"target_modules\": [\"query\"]"

static int
read_config(struct fine__adapter **out, const char *text)
{
    struct fine__json *json;

    ck_assert_int_eq(fine__json_parse(&json, ctx, text, strlen(text), "adapter_config.json"), 0);
    const int rc = fine__adapter_read(out, ctx, json);

    fine__json_free(json);
    return rc;
}

START_TEST(reads_settings)
{
    struct fine__adapter *adapter;

    ctx = new_context(1);
    ck_assert_int_eq(read_config(&adapter, BASE ", \"use_rslora\": true, \"lora_dropout\": 0.25, "
                                 "\"use_dora\": false, \"rank_pattern\": {}, \"bias\": \"none\"}"),
                     0);
    ck_assert_int_eq(adapter->rank, 2);
    ck_assert(adapter->alpha == 4 && adapter->dropout == 0.25 && adapter->rank_stabilised);
    ck_assert_str_eq(adapter->targets[0], "query");
    ck_assert_str_eq(adapter->base, ".");
    fine__adapter_free(adapter);
    ck_assert_int_eq(read_config(&adapter, "{\"peft_type\": \"LORA\", \"target_modules\": "
                                 "\"all-linear\"}"), 0);
    ck_assert_int_eq(adapter->rank, 8);
    fine__adapter_free(adapter);
    fine__adapter_free(NULL);
    free_context(ctx);
}
END_TEST

/* Nothing that would change the mathematics is ignored. */
START_TEST(refuses_what_it_does_not_do)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { BASE ", \"use_dora\": true}", "use_dora" },
        { BASE ", \"rank_pattern\": {\"query\": 4}}", "rank_pattern" },
        { BASE ", \"layers_to_transform\": [0]}", "layers_to_transform" },
        { BASE ", \"bias\": \"all\"}", "bias" },
        { BASE ", \"lora_bias\": true}", "lora_bias" },
        { "{\"peft_type\": \"IA3\", \"target_modules\": [\"query\"]}", "IA3" },
        { "{\"target_modules\": [\"query\"]}", "missing" },
        { "{\"peft_type\": \"LORA\", \"target_modules\": \".*query\"}", "regular expression" },
        { "{\"peft_type\": \"LORA\"}", "target_modules" },
        { "{\"peft_type\": \"LORA\", \"target_modules\": [3]}", "no name" },
        { "{\"peft_type\": \"LORA\", \"r\": 0, \"target_modules\": [\"query\"]}", "'r'" },
        { "{\"peft_type\": \"LORA\", \"r\": \"x\", \"target_modules\": [\"query\"]}", "'r'" },
    };
    struct fine__adapter *none = NULL;

    ctx = new_context(1);
    for (int i = 0; i < FINE__COUNT(cases); i++) {
        ck_assert_msg(read_config(&none, cases[i].text) < 0, "%s", cases[i].text);
        ck_assert_msg(strstr(fine_error_message(), cases[i].says), "%s: %s", cases[i].text,
                      fine_error_message());
        ck_assert_ptr_null(none);
    }
    free_context(ctx);
}
END_TEST

static fine_model *
open_model(const char *const *targets, int64_t n, double dropout)
{
    static const char config[] =
        "{\"model_type\": \"bert\", \"vocab_size\": 30, \"hidden_size\": 16, "
        "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"intermediate_size\": 32, "
        "\"max_position_embeddings\": 16, \"initializer_range\": 0.2}";
    const struct fine_memory_file file = { "config.json", config, sizeof config - 1 };
    struct fine_adapter_options adapter;
    struct fine_model_options options;
    struct fine_task_options task;
    fine_model *model;

    fine_adapter_options_init(&adapter, sizeof adapter);
    adapter.targets = targets;
    adapter.n_targets = n;
    adapter.rank = 3;
    adapter.dropout = dropout;
    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    options.adapter = &adapter;
    if (fine_model_open_memory(&model, ctx, &file, 1, &options) < 0)
        return NULL;
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.n_labels = 3;
    ck_assert_int_eq(fine_model_set_task(model, &task), 0);
    return model;
}

START_TEST(trains_the_changes_and_the_head_alone)
{
    static const char *const targets[] = { "query", "output.dense" };
    int64_t n_adapter = 0;

    ctx = new_context(1);
    fine_model *model = open_model(targets, 2, 0);

    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        struct fine_param_info info = { .struct_size = sizeof info };

        ck_assert_int_eq(fine_model_param(model, i, &info), 0);
        const bool trained = strncmp(info.name, FINE__ADAPTER_PREFIX, 17) == 0;

        ck_assert_msg(info.frozen == !trained, "%s", info.name);
        n_adapter += strstr(info.name, "lora_") != NULL;
    }
    ck_assert_int_eq(n_adapter, 12); /* of two layers: query, attention.output.dense, output.dense */
    ck_assert_int_eq(fine_model_freeze(model, "embeddings..1"), 0);
    ck_assert(!model->stage_trains[1] && model->stage_trains[2]);
    fine_model_free(model);
    ck_assert_ptr_null(open_model((const char *const[]){ "qeury" }, 1, 0));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "there are query, key, value, dense"));
    free_context(ctx);
}
END_TEST

static void
logits_of(fine_model *model, float out[6])
{
    static const int64_t ids[8] = { 2, 5, 6, 7, 3, 8, 9, 10 }, shape[2] = { 2, 4 };
    static const int64_t mask[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    fine_tensors *in, *results;
    const void *logits;
    int32_t type;

    ck_assert_int_eq(fine_tensors_new(&in, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(in, "input_ids", FINE_I64, 2, shape, ids), 0);
    ck_assert_int_eq(fine_tensors_put(in, "attention_mask", FINE_I64, 2, shape, mask), 0);
    ck_assert_int_eq(fine_model_forward(model, in, 0, &results), 0);
    ck_assert_int_eq(fine_tensors_get(results, "logits", &type, NULL, NULL, &logits), 0);
    memcpy(out, logits, 6 * sizeof *out);
    fine_tensors_free(in);
    fine_tensors_free(results);
}

START_TEST(folding_in_changes_no_answer)
{
    static const char *const targets[] = { "all-linear" };
    float base[6], adapted[6], merged[6];
    double moved = 0, off = 0;

    ctx = new_context(2);
    fine_model *model = open_model(targets, 1, 0.5);

    logits_of(model, base);
    for (int64_t i = 0; i < model->params.count; i++) {
        struct fine__param *param = &model->params.list[i];

        for (int64_t k = 0; param->is_adapter && k < param->tensor.count; k++)
            param->tensor.data[k] += (float)(k % 7 - 3) / 50;
    }
    logits_of(model, adapted);
    const int64_t n = model->params.count;

    ck_assert_int_eq(fine_model_has_adapter(model), 1);
    ck_assert_int_eq(fine_model_merge_adapter(model), 0);
    ck_assert_int_eq(fine_model_has_adapter(model), 0);
    ck_assert_int_eq(model->params.count, n - 24);
    ck_assert_str_eq(model->params.list[model->head_from].name, "classifier.weight");
    logits_of(model, merged);
    for (int i = 0; i < 6; i++) {
        moved = fmax(moved, fabs((double)adapted[i] - (double)base[i]));
        off = fmax(off, fabs((double)adapted[i] - (double)merged[i]));
    }
    ck_assert_msg(moved > 1e-3 && off < 1e-5, "moved %g, off %g", moved, off);
    ck_assert_int_eq(fine_model_merge_adapter(model), FINE_ESTATE);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

RUNNER("adapter", reads_settings, refuses_what_it_does_not_do,
       trains_the_changes_and_the_head_alone, folding_in_changes_no_answer)
