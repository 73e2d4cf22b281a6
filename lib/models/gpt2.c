/*
 * gpt2 — the decoder of Radford et al. (Language Models are Unsupervised Multitask Learners,
 * 2019), under the names and conventions of Hugging Face's GPT2Model and its heads.
 *
 * Norms come before what they feed, and the last one after all layers; it belongs to the last
 * layer's stage. Weights are stored (in, out) in its checkpoints and stay that way round here
 * (fine__linear_across), so that values and gradients need no turning.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/family.h"

struct gpt2 {
    int64_t heads, inner;
    double embed_dropout, attention_dropout, residual_dropout;
    bool scales, scales_by_layer;   /* scores by 1/√D; and by 1/(layer + 1) */
};

/* Order of declaration within a layer, counted from the layer's first parameter. */
enum {
    NORM1_W, NORM1_B, QKV_W, QKV_B, OUT_W, OUT_B, NORM2_W, NORM2_B, UP_W, UP_B, DOWN_W, DOWN_B,
    PER_LAYER
};
enum { POSITIONS = FINE__WORDS + 1, LAYERS };

/* ---- config.json ---- */

static int
read_reals(fine_model *model, const struct fine__json *config, double dropout)
{
    struct gpt2 *gpt2 = model->config;
    const struct fine__json *classifier = fine__json_get(config, "classifier_dropout");
    const struct {
        const char *key;
        double *out;
    } dropouts[] = {
        { "embd_pdrop", &gpt2->embed_dropout },
        { "attn_pdrop", &gpt2->attention_dropout },
        { "resid_pdrop", &gpt2->residual_dropout },
    };
    double *tag = &model->head_dropout[FINE__TAG];
    int rc = 0, one;

    for (int64_t i = 0; i < FINE__COUNT(dropouts); i++)
        if ((one = fine__config_dropout(config, dropouts[i].key, 0.1, dropout,
                                        dropouts[i].out)) < 0)
            rc = one;
    *tag = dropout >= 0 ? dropout : 0.1;
    if (fine__json_type(classifier) != FINE__JSON_NULL &&
        (one = fine__config_dropout(config, "classifier_dropout", 0.1, dropout, tag)) < 0)
        rc = one;
    if ((one = fine__config_real(config, "layer_norm_epsilon", 0, 1, 1e-5, &model->eps)) < 0)
        rc = one;
    if ((one = fine__config_real(config, "initializer_range", 0, 10, 0.02, &model->init_std)) < 0)
        rc = one;
    return rc;
}

static int
configure(fine_model *model, const struct fine__json *config, double dropout)
{
    static const char *const flags[] = { "add_cross_attention", "is_encoder_decoder" };
    struct gpt2 *gpt2 = fine__alloc(model->ctx, sizeof *gpt2);

    if (gpt2 == NULL)
        return FINE_ENOMEM;
    memset(gpt2, 0, sizeof *gpt2);
    model->config = gpt2;
    const bool has_inner = fine__json_type(fine__json_get(config, "n_inner")) != FINE__JSON_NULL;
    const struct fine__config_size sizes[] = {
        { "vocab_size", 1, 1 << 24, FINE__REQUIRED, &model->vocab_size },
        { "n_embd", 1, 1 << 16, FINE__REQUIRED, &model->width },
        { "n_layer", 1, 1024, FINE__REQUIRED, &model->n_layers },
        { "n_head", 1, 1 << 12, FINE__REQUIRED, &gpt2->heads },
        { "n_positions", 1, 1 << 20, 1024, &model->max_positions },
        { has_inner ? "n_inner" : NULL, 1, 1 << 18, FINE__REQUIRED, &gpt2->inner },
    };
    const int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));
    const int padding = rc == 0 ? fine__config_padding(model, config, -1) : 0;
    const int reals = read_reals(model, config, dropout);
    const int activation = fine__config_activation(config, "activation_function", "gelu_new",
                                                   &model->activation);
    const int variants = fine__config_refuse(config, flags, FINE__COUNT(flags),
                                             "cross attention is not supported");

    model->end_id = fine__json_int(fine__json_get(config, "eos_token_id"), -1);
    if (rc == 0 && (model->end_id < 0 || model->end_id >= model->vocab_size))
        model->end_id = -1;
    if (!has_inner)
        gpt2->inner = 4 * model->width;
    gpt2->scales = fine__json_bool(fine__json_get(config, "scale_attn_weights"), true);
    gpt2->scales_by_layer =
        fine__json_bool(fine__json_get(config, "scale_attn_by_inverse_layer_idx"), false);
    fine__config_tying(model, config);
    FINE__TRY(rc);
    FINE__TRY(padding);
    FINE__TRY(reals);
    FINE__TRY(activation);
    FINE__TRY(variants);
    return fine__config_heads(model, gpt2->heads, "n_embd", "n_head");
}

/* ---- parameters ---- */

/* Stored (in, out). */
static void
across(fine_model *model, int64_t i, int64_t in, int64_t out, double std, const char *part)
{
    char name[96];

    snprintf(name, sizeof name, "h.%d.%s.weight", (int)i, part);
    fine__declare(model, (int32_t)i + 1, std, 2, in, out, name);
    snprintf(name, sizeof name, "h.%d.%s.bias", (int)i, part);
    fine__declare(model, (int32_t)i + 1, 0, 1, out, 0, name);
}

static void
build_layer(fine_model *model, int64_t i)
{
    const struct gpt2 *gpt2 = model->config;
    const int64_t width = model->width;
    /* What is added to the stream is drawn smaller, the more layers add to it. */
    const double std = model->init_std, small = std / sqrt(2.0 * (double)model->n_layers);
    char name[96];

    snprintf(name, sizeof name, "h.%d.ln_1", (int)i);
    fine__declare_norm(model, (int32_t)i + 1, name);
    across(model, i, width, 3 * width, std, "attn.c_attn");
    across(model, i, width, width, small, "attn.c_proj");
    snprintf(name, sizeof name, "h.%d.ln_2", (int)i);
    fine__declare_norm(model, (int32_t)i + 1, name);
    across(model, i, width, gpt2->inner, std, "mlp.c_fc");
    across(model, i, gpt2->inner, width, small, "mlp.c_proj");
}

static void
build(fine_model *model)
{
    const int64_t words = fine__declare(model, 0, model->init_std, 2, model->vocab_size,
                                        model->width, "wte.weight");

    if (words >= 0)
        model->params.list[words].is_embedding = true;
    fine__declare(model, 0, model->init_std, 2, model->max_positions, model->width, "wpe.weight");
    for (int64_t i = 0; i < model->n_layers; i++)
        build_layer(model, i);
    fine__declare_norm(model, (int32_t)model->n_layers, "ln_f");
}

/* ---- forward ---- */

static struct fine__tensor *
embed(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, double p)
{
    static const int64_t padding[2] = { -1, -1 };
    struct fine__tensor *tables[2] = { fine__weight_of(model, FINE__WORDS),
                                       fine__weight_of(model, POSITIONS) };
    const int32_t *index[2] = { batch->ids, batch->positions };

    return fine__dropout(t, fine__embedding(t, 2, tables, index, batch->n_tokens, padding),
                         p);                                                    /* (N,C) */
}

static double
score_scale(const fine_model *model, int64_t layer)
{
    const struct gpt2 *gpt2 = model->config;
    const double scale = gpt2->scales ? 1 / sqrt((double)(model->width / gpt2->heads)) : 1;

    return gpt2->scales_by_layer ? scale / (double)(layer + 1) : scale;
}

static struct fine__tensor *
layer(const fine_model *model, struct fine__tape *t, struct fine__tensor *x, int64_t i,
      const struct fine__batch *batch, bool drop)
{
    const struct gpt2 *gpt2 = model->config;
    struct fine__param *at = &model->params.list[LAYERS + i * PER_LAYER];
    const double p = drop ? gpt2->residual_dropout : 0;
    const struct fine__attending how = { .n_heads = gpt2->heads, .n_seqs = batch->n_seqs,
                                         .offsets = batch->offsets, .causal = true,
                                         .scale = score_scale(model, i),
                                         .p = drop ? gpt2->attention_dropout : 0 };
    struct fine__tensor *h;

    h = fine__layernorm(t, x, NULL, &at[NORM1_W].tensor, &at[NORM1_B].tensor, model->eps, 0);
    h = fine__linear_across(t, h, FINE__IDENTITY, &at[QKV_W].tensor, &at[QKV_B].tensor);
    h = batch->past != NULL ? fine__attention_onward(t, h, &how, batch->past, i)
                            : fine__attention(t, h, &how);                      /* (N,C) */
    h = fine__linear_across(t, h, FINE__IDENTITY, &at[OUT_W].tensor, &at[OUT_B].tensor);
    x = fine__add(t, x, fine__dropout(t, h, p));
    h = fine__layernorm(t, x, NULL, &at[NORM2_W].tensor, &at[NORM2_B].tensor, model->eps, 0);
    h = fine__linear_across(t, h, FINE__IDENTITY, &at[UP_W].tensor, &at[UP_B].tensor);
    h = fine__linear_across(t, h, model->activation, &at[DOWN_W].tensor, &at[DOWN_B].tensor);
    return fine__add(t, x, fine__dropout(t, h, p));                             /* (N,C) */
}

static struct fine__tensor *
encode(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, bool train,
       struct fine__states *states)
{
    const struct gpt2 *gpt2 = model->config;
    const bool *trains = model->stage_trains;
    struct fine__param *last = &model->params.list[LAYERS + model->n_layers * PER_LAYER];
    const struct fine__scope scope = fine__scope(t);
    struct fine__tensor *x = embed(model, t, batch,
                                   train && trains[0] ? gpt2->embed_dropout : 0);

    if (states == NULL)
        x = fine__scope_end(t, scope, x);
    fine__keep_state(states, x);
    for (int64_t i = 0; i < model->n_layers; i++) {
        x = layer(model, t, x, i, batch, train && trains[i + 1]);
        if (i == model->n_layers - 1)
            x = fine__layernorm(t, x, NULL, &last[0].tensor, &last[1].tensor, model->eps, 0);
        if (states == NULL)
            x = fine__scope_end(t, scope, x);
        fine__keep_state(states, x);
    }
    return x;
}

static const struct fine__head heads[] = {
    { .tasks = FINE__TEXT_TASKS, .architecture = "GPT2ForSequenceClassification",
      .reads = FINE__LAST_TOKEN, .out = "score" },
    { .tasks = FINE__TASK_BIT(FINE__TAG), .architecture = "GPT2ForTokenClassification",
      .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__ANSWER), .architecture = "GPT2ForQuestionAnswering",
      .out = "qa_outputs", .bias = "qa_outputs.bias" },
    { .tasks = FINE__TASK_BIT(FINE__LANGUAGE_MODEL), .architecture = "GPT2LMHeadModel",
      .out = "lm_head", .tied = true },
    { .out = NULL },
};

/* The causal masks, stored as weights by old versions, and the tied output. */
static const char *const ignored[] = { "h.*.attn.bias", "h.*.attn.masked_bias",
                                       "lm_head.weight", NULL };

const struct fine__family fine__family_gpt2 = {
    .name = "gpt2",
    .prefix = "transformer.",
    .bare_architecture = "GPT2Model",
    .heads = heads,
    .causal = true,
    .across = true,
    .ignored = ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};
