/*
 * adapter.c — which weights get a low-rank change, and folding it in.
 *
 * A change's scale is alpha / rank (rank-stabilised: alpha / √rank). A new a is drawn with the
 * variance that PEFT's own start has, a new b is zero: an adapted model begins as its base.
 */
#include "models/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "models/family.h"
#include "tensor/gemm.h"

enum { MAX_RANK = 4096, MAX_TARGETS = 1000 };

static const char all_linear[] = "all-linear";

void
fine__adapter_free(struct fine__adapter *adapter)
{
    if (adapter == NULL)
        return;
    fine_context *ctx = adapter->ctx;

    for (int64_t i = 0; i < adapter->n_targets; i++)
        fine__free(ctx, adapter->targets[i]);
    fine__free(ctx, adapter->targets);
    fine__free(ctx, adapter->base);
    fine__free(ctx, adapter->list);
    fine__free(ctx, adapter->changes);
    fine__free(ctx, adapter);
}

static struct fine__adapter *
make(fine_context *ctx, int64_t n_targets)
{
    struct fine__adapter *adapter = fine__alloc(ctx, sizeof *adapter);

    if (adapter == NULL)
        return NULL;
    *adapter = (struct fine__adapter){ .ctx = ctx };
    adapter->targets = fine__alloc_array(ctx, (size_t)n_targets, sizeof *adapter->targets);
    if (adapter->targets == NULL) {
        fine__adapter_free(adapter);
        return NULL;
    }
    return adapter;
}

static int
add_target(struct fine__adapter *adapter, const char *name)
{
    char *copy = fine__strdup(adapter->ctx, name);

    if (copy == NULL)
        return FINE_ENOMEM;
    adapter->targets[adapter->n_targets++] = copy;
    return 0;
}

/* ---- adapter_config.json ---- */

static bool
is_empty(const struct fine__json *value)
{
    switch (fine__json_type(value)) {
    case FINE__JSON_NULL:
        return true;
    case FINE__JSON_BOOL:
        return !fine__json_bool(value, true);
    case FINE__JSON_ARRAY:
    case FINE__JSON_OBJECT:
        return fine__json_count(value) == 0;
    default:
        return false;
    }
}

/* What this version doesn't do, and would be wrong to ignore. */
static int
refuse_unknown(const struct fine__json *config)
{
    static const char *const keys[] = {
        "use_dora", "lora_bias", "use_qalora", "use_bdlora", "layer_replication",
        "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern",
        "trainable_token_indices", "target_parameters", "exclude_modules",
        "alora_invocation_tokens", "arrow_config"
    };
    const char *bias = fine__json_string(fine__json_get(config, "bias"), NULL);
    int rc = 0;

    for (int64_t i = 0; i < FINE__COUNT(keys); i++)
        if (!is_empty(fine__json_get(config, keys[i])))
            rc = fine__also(FINE_EUNSUPPORTED, "adapter_config.json: '%s' is set, which this "
                            "version doesn't do", keys[i]);
    if (bias != NULL && strcmp(bias, "none") != 0)
        rc = fine__also(FINE_EUNSUPPORTED, "adapter_config.json: 'bias' is '%.40s'; only none is "
                        "done", bias);
    return rc;
}

static int
read_targets(struct fine__adapter *adapter, const struct fine__json *targets)
{
    const char *word = fine__json_string(targets, NULL);

    if (word != NULL) {
        if (strcmp(word, all_linear) != 0)
            return fine__fail(FINE_EUNSUPPORTED, "adapter_config.json: 'target_modules' is the "
                              "regular expression '%.80s'; list the names instead", word);
        return add_target(adapter, word);
    }
    for (int64_t i = 0; i < fine__json_count(targets); i++) {
        const char *name = fine__json_string(fine__json_at(targets, i), NULL);

        if (name == NULL)
            return fine__fail(FINE_EFORMAT, "adapter_config.json: 'target_modules' holds what is "
                              "no name");
        FINE__TRY(add_target(adapter, name));
    }
    return 0;
}

static int
read_settings(struct fine__adapter *adapter, const struct fine__json *config)
{
    static const char what[] = "adapter_config.json";
    const char *type = fine__json_string(fine__json_get(config, "peft_type"), NULL);
    const char *base = fine__json_string(fine__json_get(config, "base_model_name_or_path"), NULL);

    if (type == NULL || strcmp(type, "LORA") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "adapter_config.json: 'peft_type' is '%.40s'; only "
                          "LORA is known to this version", type != NULL ? type : "missing");
    fine__error_clear();
    FINE__TRY(refuse_unknown(config));
    FINE__TRY(fine__json_want_int(config, "r", 1, MAX_RANK, 8, &adapter->rank, what));
    FINE__TRY(fine__json_want_double(config, "lora_alpha", 0, 1e9, 8, &adapter->alpha, what));
    FINE__TRY(fine__json_want_double(config, "lora_dropout", 0, 0.999, 0, &adapter->dropout,
                                     what));
    adapter->rank_stabilised = fine__json_bool(fine__json_get(config, "use_rslora"), false);
    adapter->base = fine__strdup(adapter->ctx, base != NULL ? base : ".");
    if (adapter->base == NULL)
        return FINE_ENOMEM;
    return read_targets(adapter, fine__json_get(config, "target_modules"));
}

int
fine__adapter_read(struct fine__adapter **out, fine_context *ctx, const struct fine__json *config)
{
    const struct fine__json *targets = fine__json_get(config, "target_modules");
    const int64_t n = fine__json_type(targets) == FINE__JSON_STRING ? 1 : fine__json_count(targets);
    struct fine__adapter *adapter;
    int rc;

    if (n < 1 || n > MAX_TARGETS)
        return fine__fail(FINE_EFORMAT, "adapter_config.json: 'target_modules' must name 1 to %d "
                          "layers", MAX_TARGETS);
    adapter = make(ctx, n);
    if (adapter == NULL)
        return FINE_ENOMEM;
    rc = read_settings(adapter, config);
    if (rc < 0)
        fine__adapter_free(adapter);
    else
        *out = adapter;
    return rc;
}

int
fine__adapter_new(struct fine__adapter **out, fine_context *ctx,
                  const struct fine_adapter_options *o)
{
    struct fine__adapter *adapter;
    int rc = 0;

    if (o->rank < 1 || o->rank > MAX_RANK)
        return fine__fail(FINE_EINVAL, "adapter: rank %lld is not in 1 to %d", (long long)o->rank,
                          MAX_RANK);
    if (!(o->alpha > 0 && o->alpha <= 1e9) || !(o->dropout >= 0 && o->dropout < 1))
        return fine__fail(FINE_EINVAL, "adapter: alpha must be above 0, and dropout in [0, 1)");
    if (o->n_targets < 1 || o->n_targets > MAX_TARGETS || o->targets == NULL)
        return fine__fail(FINE_EINVAL, "adapter: 1 to %d targets are needed: the last parts of "
                          "the names of layers, such as query and value, or all-linear",
                          MAX_TARGETS);
    adapter = make(ctx, o->n_targets);
    if (adapter == NULL)
        return FINE_ENOMEM;
    adapter->rank = o->rank;
    adapter->alpha = o->alpha;
    adapter->dropout = o->dropout;
    adapter->rank_stabilised = o->rank_stabilised != 0;
    for (int64_t i = 0; i < o->n_targets && rc == 0; i++)
        rc = o->targets[i] == NULL ? fine__fail(FINE_EINVAL, "adapter: target %lld is NULL",
                                                (long long)i)
                                   : add_target(adapter, o->targets[i]);
    if (rc < 0)
        fine__adapter_free(adapter);
    else
        *out = adapter;
    return rc;
}

/* ---- which weights ---- */

/* NAME of "NAME.weight"; 0: it is no weight. */
static size_t
layer_length(const char *name)
{
    const size_t n = strlen(name);

    return n > 7 && strcmp(name + n - 7, ".weight") == 0 ? n - 7 : 0;
}

static bool
can_be_adapted(const fine_model *model, const struct fine__param *param)
{
    return param->tensor.n_dims == 2 && !param->is_head && param->stage > 0 &&
           param->stage <= model->n_layers && layer_length(param->name) > 0;
}

/* As PEFT: the whole name of the layer, or its end behind a dot. */
static bool
is_named(const char *target, const char *name)
{
    const size_t n = layer_length(name), length = strlen(target);

    return length <= n && memcmp(name + n - length, target, length) == 0 &&
           (length == n || name[n - length - 1] == '.');
}

static bool
is_target(const struct fine__adapter *adapter, const fine_model *model,
          const struct fine__param *param)
{
    if (!can_be_adapted(model, param))
        return false;
    for (int64_t i = 0; i < adapter->n_targets; i++)
        if (strcmp(adapter->targets[i], all_linear) == 0 || is_named(adapter->targets[i], param->name))
            return true;
    return false;
}

/* The ends of names of what could be adapted, each once: the first layer's are all there are. */
static void
list_names(const fine_model *model, struct fine__buf *out)
{
    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__param *param = &model->params.list[i];
        size_t n = layer_length(param->name), from = n;

        if (!can_be_adapted(model, param) || param->stage != 1)
            continue;
        while (from > 0 && param->name[from - 1] != '.')
            from--;
        fine__buf_text(out, out->length > 0 ? ", " : "");
        fine__buf_append(out, param->name + from, n - from);
    }
}

static int
check_targets(const fine_model *model)
{
    const struct fine__adapter *adapter = model->adapter;
    int rc = 0;

    fine__error_clear();
    for (int64_t t = 0; t < adapter->n_targets; t++) {
        bool found = strcmp(adapter->targets[t], all_linear) == 0;
        struct fine__buf names;

        for (int64_t i = 0; i < model->params.count && !found; i++)
            found = can_be_adapted(model, &model->params.list[i]) &&
                    is_named(adapter->targets[t], model->params.list[i].name);
        if (found)
            continue;
        fine__buf_init(&names, model->ctx);
        list_names(model, &names);
        rc = fine__also(FINE_EINVAL, "adapter: no layer of this %s model is named '%.80s'; there "
                        "are %s", model->family->name, adapter->targets[t],
                        fine__buf_cstr(&names));
        fine__buf_free(&names);
    }
    return rc;
}

static int
declare(fine_model *model, struct fine__adapted *entry)
{
    const struct fine__param weight = model->params.list[entry->weight];
    const int64_t rank = model->adapter->rank;
    const int64_t out = weight.tensor.shape[model->family->across ? 1 : 0];
    const int64_t in = weight.tensor.shape[model->family->across ? 0 : 1];
    const int64_t a[2] = { rank, in }, b[2] = { out, rank };
    const int n = (int)layer_length(weight.name);
    struct fine__param like = { .stage = weight.stage, .padding_row = -1, .is_adapter = true,
                                .init_std = 1 / sqrt(3 * (double)in) };

    entry->a = fine__params_add(&model->params, &like, 2, a, FINE__ADAPTER_PREFIX
                                "%.*s.lora_A.weight", n, weight.name);
    like.init_std = 0;
    entry->b = fine__params_add(&model->params, &like, 2, b, FINE__ADAPTER_PREFIX
                                "%.*s.lora_B.weight", n, weight.name);
    return model->params.failed ? FINE_ENOMEM : 0;
}

int
fine__adapter_build(fine_model *model)
{
    struct fine__adapter *adapter = model->adapter;
    const int64_t n = model->params.count;
    int64_t count = 0;

    FINE__TRY(check_targets(model));
    for (int64_t i = 0; i < n; i++)
        count += is_target(adapter, model, &model->params.list[i]);
    if (count == 0)
        return fine__fail(FINE_EUNSUPPORTED, "adapter: a %s model has no layer that this version "
                          "can adapt", model->family->name);
    adapter->list = fine__alloc_array(model->ctx, (size_t)count, sizeof *adapter->list);
    adapter->changes = fine__alloc_array(model->ctx, (size_t)count, sizeof *adapter->changes);
    if (adapter->list == NULL || adapter->changes == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        if (is_target(adapter, model, &model->params.list[i])) {
            adapter->list[adapter->count].weight = i;
            FINE__TRY(declare(model, &adapter->list[adapter->count++]));
        }
    return 0;
}

void
fine__adapter_link(fine_model *model)
{
    struct fine__adapter *adapter = model->adapter;
    struct fine__param *params = model->params.list;

    for (int64_t i = 0; adapter != NULL && i < adapter->count; i++) {
        const struct fine__adapted *entry = &adapter->list[i];
        const double rank = (double)adapter->rank;

        adapter->changes[i] = (struct fine__low_rank){
            .a = &params[entry->a].tensor,
            .b = &params[entry->b].tensor,
            .scale = adapter->alpha / (adapter->rank_stabilised ? sqrt(rank) : rank),
            .p = adapter->dropout,
        };
        params[entry->weight].tensor.low_rank = &adapter->changes[i];
    }
}

const char *
fine__plain_name(const fine_model *model, const struct fine__param *param)
{
    const size_t n = strlen(FINE__ADAPTER_PREFIX);

    return model->adapter != NULL && strncmp(param->name, FINE__ADAPTER_PREFIX, n) == 0
               ? param->name + n : param->name;
}

/* ---- out ---- */

static void
text_member(struct fine__buf *out, const char *key, const char *value)
{
    fine__buf_printf(out, ",\n  \"%s\": ", key);
    fine__buf_json_string(out, value, strlen(value));
}

static const char *
task_type(const fine_model *model)
{
    switch (model->task) {
    case FINE__TAG:
        return "TOKEN_CLS";
    case FINE__ANSWER:
        return "QUESTION_ANS";
    case FINE__LANGUAGE_MODEL:
        return "CAUSAL_LM";
    default:
        return "SEQ_CLS";
    }
}

/* The head's layers, by the first parts of their names. */
static void
write_saved(const fine_model *model, struct fine__buf *out)
{
    const char *last = "";
    size_t last_length = 0;
    bool any = false;

    fine__buf_text(out, ",\n  \"modules_to_save\": [");
    for (int64_t i = model->head_from; i < model->params.count; i++) {
        const char *name = fine__plain_name(model, &model->params.list[i]);
        const size_t n = strcspn(name, ".");

        if (n == last_length && memcmp(name, last, n) == 0)
            continue;
        fine__buf_text(out, any ? ", " : "");
        fine__buf_json_string(out, name, n);
        last = name;
        last_length = n;
        any = true;
    }
    fine__buf_byte(out, ']');
}

void
fine__adapter_write_config(const fine_model *model, struct fine__buf *out)
{
    const struct fine__adapter *adapter = model->adapter;
    const bool all = strcmp(adapter->targets[0], all_linear) == 0;

    fine__buf_printf(out, "{\n  \"peft_type\": \"LORA\",\n  \"task_type\": \"%s\",\n  \"r\": %lld,"
                     "\n  \"lora_alpha\": ", task_type(model), (long long)adapter->rank);
    fine__buf_number(out, adapter->alpha);
    fine__buf_text(out, ",\n  \"lora_dropout\": ");
    fine__buf_number(out, adapter->dropout);
    fine__buf_printf(out, ",\n  \"use_rslora\": %s,\n  \"bias\": \"none\",\n"
                     "  \"fan_in_fan_out\": %s,\n  \"inference_mode\": true",
                     adapter->rank_stabilised ? "true" : "false",
                     model->family->across ? "true" : "false");
    text_member(out, "base_model_name_or_path", adapter->base != NULL ? adapter->base : ".");
    write_saved(model, out);
    fine__buf_text(out, ",\n  \"target_modules\": ");
    if (!all)
        fine__buf_byte(out, '[');
    for (int64_t i = 0; i < (all ? 1 : adapter->n_targets); i++) {
        fine__buf_text(out, i > 0 ? ", " : "");
        fine__buf_json_string(out, adapter->targets[i], strlen(adapter->targets[i]));
    }
    fine__buf_text(out, all ? "\n}\n" : "]\n}\n");
}

/* ---- folding in ---- */

/* W += scale B A, or its transpose where the weight is stored across. */
static int
fold(fine_model *model, const struct fine__low_rank *change, struct fine__tensor *weight)
{
    const int64_t out = change->b->shape[0], rank = change->b->shape[1];
    const int64_t in = change->a->shape[1];
    fine__real *scaled = fine__alloc_array(model->ctx, (size_t)(out * rank), sizeof *scaled);

    if (scaled == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < out * rank; i++)
        scaled[i] = (fine__real)(change->scale * (double)change->b->data[i]);
    if (model->family->across)
        fine__gemm(model->ctx, in, out, rank, (struct fine__matrix){ change->a->data, 1, in },
                   (struct fine__matrix){ scaled, 1, rank }, NULL, 1, weight->data, out);
    else
        fine__gemm(model->ctx, out, in, rank, (struct fine__matrix){ scaled, rank, 1 },
                   (struct fine__matrix){ change->a->data, in, 1 }, NULL, 1, weight->data, in);
    fine__free(model->ctx, scaled);
    return 0;
}

/* Memory for the largest change, so that folding can't stop half-way. */
static int
try_memory(const fine_model *model)
{
    size_t most = 0;

    for (int64_t i = 0; i < model->adapter->count; i++) {
        const size_t n = (size_t)model->adapter->changes[i].b->count;

        most = n > most ? n : most;
    }
    void *block = fine__alloc_array(model->ctx, most, sizeof(fine__real));

    fine__free(model->ctx, block);
    return block != NULL ? 0 : FINE_ENOMEM;
}

int
fine__adapter_merge(fine_model *model)
{
    struct fine__adapter *adapter = model->adapter;
    const int64_t first = adapter->list[0].a, last = adapter->list[adapter->count - 1].b;

    FINE__TRY(try_memory(model));
    for (int64_t i = 0; i < adapter->count; i++) {
        struct fine__tensor *weight = &model->params.list[adapter->list[i].weight].tensor;

        FINE__TRY(fold(model, &adapter->changes[i], weight));
        weight->low_rank = NULL;
    }
    fine__params_remove(&model->params, first, last + 1);
    model->head_from -= last + 1 - first;
    for (int64_t i = model->head_from; i < model->params.count; i++) {
        struct fine__param *param = &model->params.list[i];
        const char *plain = fine__plain_name(model, param);

        memmove(param->name, plain, strlen(plain) + 1);
    }
    model->adapter = NULL;
    fine__adapter_free(adapter);
    fine__model_update_trained(model);
    return 0;
}
