/*
 * bert — the encoder of Devlin et al., arXiv 1810.04805, with a classification or regression
 * head, under the names and conventions of Hugging Face's BertModel and
 * BertForSequenceClassification.
 *
 * Queries, keys and values are declared in a row, so that they are one product (linear.c).
 * A frozen stage runs without dropout, and inside one scope with those below it: together they
 * leave nothing behind but the last one's output.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/family.h"

struct bert {
    int64_t width, heads, inner;
    double eps, hidden_dropout, attention_dropout, classifier_dropout, init_std;
    int64_t padding_id;
    enum fine__activation activation;
    int64_t pooler;                 /* index of its weight */
};

/* Order of declaration within a layer, counted from the layer's first parameter. */
enum {
    QUERY_W, KEY_W, VALUE_W, QUERY_B, KEY_B, VALUE_B, OUT_W, OUT_B, NORM1_W, NORM1_B,
    UP_W, UP_B, DOWN_W, DOWN_B, NORM2_W, NORM2_B, PER_LAYER
};
enum { WORDS, POSITIONS, TYPES, EMBED_NORM_W, EMBED_NORM_B, LAYERS };

static const struct {
    const char *name;
    enum fine__activation activation;
} activations[] = {
    { "gelu", FINE__GELU },
    { "gelu_new", FINE__GELU_TANH },
    { "gelu_pytorch_tanh", FINE__GELU_TANH },
    { "gelu_fast", FINE__GELU_TANH },
    { "relu", FINE__RELU },
    { "silu", FINE__SILU },
    { "swish", FINE__SILU },
    { "tanh", FINE__TANH },
    { "sigmoid", FINE__SIGMOID },
};

enum { MAX_HEAD = 256 };            /* numbers a head, as attention.c's widest */

/* ---- config.json ---- */

static int
read_activation(struct bert *bert, const struct fine__json *config)
{
    const struct fine__json *value = fine__json_get(config, "hidden_act");
    const char *name = value == NULL ? "gelu" : fine__json_string(value, NULL);

    for (int64_t i = 0; name != NULL && i < FINE__COUNT(activations); i++)
        if (strcmp(activations[i].name, name) == 0) {
            bert->activation = activations[i].activation;
            return 0;
        }
    return fine__also(FINE_EUNSUPPORTED, "config.json: 'hidden_act' is %s%s%s; this version knows "
                      "gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish, tanh and "
                      "sigmoid", name != NULL ? "'" : "", name != NULL ? name : "not a text",
                      name != NULL ? "'" : "");
}

/* What would change the mathematics is refused, never ignored. */
static int
refuse_variants(const struct fine__json *config)
{
    static const char *const flags[] = { "is_decoder", "add_cross_attention", "is_encoder_decoder" };
    const char *position = fine__json_string(fine__json_get(config, "position_embedding_type"),
                                             NULL);
    int rc = 0;

    for (int64_t i = 0; i < FINE__COUNT(flags); i++)
        if (fine__json_bool(fine__json_get(config, flags[i]), false))
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: '%s' is true; only encoders are "
                            "supported", flags[i]);
    if (position != NULL && strcmp(position, "absolute") != 0)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'position_embedding_type' is '%s'; only "
                        "'absolute' is supported", position);
    return rc;
}

static int
read_dropouts(struct bert *bert, const struct fine__json *config, double dropout)
{
    const struct fine__json *classifier = fine__json_get(config, "classifier_dropout");
    int rc = 0;

    if (fine__json_want_double(config, "hidden_dropout_prob", 0, 0.999, 0.1, &bert->hidden_dropout,
                               "config.json") < 0)
        rc = FINE_EFORMAT;
    if (fine__json_want_double(config, "attention_probs_dropout_prob", 0, 0.999, 0.1,
                               &bert->attention_dropout, "config.json") < 0)
        rc = FINE_EFORMAT;
    bert->classifier_dropout = bert->hidden_dropout;
    if (fine__json_type(classifier) != FINE__JSON_NULL &&
        fine__json_want_double(config, "classifier_dropout", 0, 0.999, 0, &bert->classifier_dropout,
                               "config.json") < 0)
        rc = FINE_EFORMAT;
    if (dropout >= 0)
        bert->hidden_dropout = bert->attention_dropout = bert->classifier_dropout = dropout;
    return rc;
}

static int
configure(fine_model *model, const struct fine__json *config, double dropout)
{
    struct bert *bert = fine__alloc(model->ctx, sizeof *bert);
    int rc = 0;

    if (bert == NULL)
        return FINE_ENOMEM;
    memset(bert, 0, sizeof *bert);
    model->config = bert;
    const struct {
        const char *key;
        int64_t least, most, fallback, *out;
    } sizes[] = {
        { "vocab_size", 1, 1 << 24, FINE__REQUIRED, &model->vocab_size },
        { "hidden_size", 1, 1 << 16, FINE__REQUIRED, &bert->width },
        { "num_hidden_layers", 1, 1024, FINE__REQUIRED, &model->n_layers },
        { "num_attention_heads", 1, 1 << 12, FINE__REQUIRED, &bert->heads },
        { "intermediate_size", 1, 1 << 18, FINE__REQUIRED, &bert->inner },
        { "max_position_embeddings", 1, 1 << 20, FINE__REQUIRED, &model->max_positions },
        { "type_vocab_size", 1, 1 << 16, 2, &model->type_vocab_size },
    };

    for (int64_t i = 0; i < FINE__COUNT(sizes); i++)
        if (fine__json_want_int(config, sizes[i].key, sizes[i].least, sizes[i].most,
                                sizes[i].fallback, sizes[i].out, "config.json") < 0)
            rc = FINE_EFORMAT;
    bert->padding_id = -1;
    if (rc == 0 && fine__json_type(fine__json_get(config, "pad_token_id")) != FINE__JSON_NULL &&
        fine__json_want_int(config, "pad_token_id", -1, model->vocab_size - 1, 0,
                            &bert->padding_id, "config.json") < 0)
        rc = FINE_EFORMAT;
    if (fine__json_get(config, "pad_token_id") == NULL)
        bert->padding_id = 0;
    if (fine__json_want_double(config, "layer_norm_eps", 0, 1, 1e-12, &bert->eps,
                               "config.json") < 0 ||
        fine__json_want_double(config, "initializer_range", 0, 10, 0.02, &bert->init_std,
                               "config.json") < 0)
        rc = FINE_EFORMAT;
    const int dropouts = read_dropouts(bert, config, dropout);
    const int activation = read_activation(bert, config), variants = refuse_variants(config);

    rc = rc < 0 ? rc : dropouts < 0 ? dropouts : activation < 0 ? activation : variants;
    if (rc == 0 && bert->width % bert->heads != 0)
        rc = fine__also(FINE_EFORMAT, "config.json: 'hidden_size' %lld is no multiple of "
                        "'num_attention_heads' %lld", (long long)bert->width,
                        (long long)bert->heads);
    if (rc == 0 && bert->width / bert->heads > MAX_HEAD)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: heads of %lld numbers; at most %d are "
                        "supported", (long long)(bert->width / bert->heads), MAX_HEAD);
    return rc;
}

/* ---- parameters ---- */

static void
norm(fine_model *model, int32_t stage, const char *name)
{
    const struct bert *bert = model->config;
    char full[160];

    snprintf(full, sizeof full, "%s.weight", name);
    fine__declare(model, stage, -1, 1, bert->width, 0, full);
    snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, stage, 0, 1, bert->width, 0, full);
}

static void
dense(fine_model *model, int32_t stage, int64_t out, int64_t in, const char *name)
{
    const struct bert *bert = model->config;
    char full[160];

    snprintf(full, sizeof full, "%s.weight", name);
    fine__declare(model, stage, bert->init_std, 2, out, in, full);
    snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, stage, 0, 1, out, 0, full);
}

static void
build_layer(fine_model *model, int64_t i)
{
    static const char *const parts[3] = { "query", "key", "value" };
    const struct bert *bert = model->config;
    const int32_t stage = (int32_t)i + 1;
    char name[128];

    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "encoder.layer.%d.attention.self.%s.weight", (int)i, parts[k]);
        fine__declare(model, stage, bert->init_std, 2, bert->width, bert->width, name);
    }
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "encoder.layer.%d.attention.self.%s.bias", (int)i, parts[k]);
        fine__declare(model, stage, 0, 1, bert->width, 0, name);
    }
    snprintf(name, sizeof name, "encoder.layer.%d.attention.output.dense", (int)i);
    dense(model, stage, bert->width, bert->width, name);
    snprintf(name, sizeof name, "encoder.layer.%d.attention.output.LayerNorm", (int)i);
    norm(model, stage, name);
    snprintf(name, sizeof name, "encoder.layer.%d.intermediate.dense", (int)i);
    dense(model, stage, bert->inner, bert->width, name);
    snprintf(name, sizeof name, "encoder.layer.%d.output.dense", (int)i);
    dense(model, stage, bert->width, bert->inner, name);
    snprintf(name, sizeof name, "encoder.layer.%d.output.LayerNorm", (int)i);
    norm(model, stage, name);
}

static void
build(fine_model *model)
{
    struct bert *bert = model->config;
    const double std = bert->init_std;
    int64_t words;

    words = fine__declare(model, 0, std, 2, model->vocab_size, bert->width,
                          "embeddings.word_embeddings.weight");
    if (words >= 0) {
        model->params.list[words].is_embedding = true;
        model->params.list[words].padding_row = bert->padding_id;
    }
    fine__declare(model, 0, std, 2, model->max_positions, bert->width,
                  "embeddings.position_embeddings.weight");
    fine__declare(model, 0, std, 2, model->type_vocab_size, bert->width,
                  "embeddings.token_type_embeddings.weight");
    norm(model, 0, "embeddings.LayerNorm");
    for (int64_t i = 0; i < model->n_layers; i++)
        build_layer(model, i);
    bert->pooler = model->params.count;
    dense(model, (int32_t)model->n_layers + 1, bert->width, bert->width, "pooler.dense");
}

static void
build_head(fine_model *model, int64_t n_outputs)
{
    const struct bert *bert = model->config;
    const struct fine__param like = { .stage = (int32_t)model->n_layers + 1, .is_head = true,
                                      .padding_row = -1, .init_std = bert->init_std };
    struct fine__param bias = like;
    const int64_t shape[2] = { n_outputs, bert->width };

    bias.init_std = 0;
    fine__params_add(&model->params, &like, 2, shape, "classifier.weight");
    fine__params_add(&model->params, &bias, 1, shape, "classifier.bias");
}

/* ---- forward ---- */

static struct fine__tensor *
param(const fine_model *model, int64_t i)
{
    return &model->params.list[i].tensor;
}

static void
keep_state(struct fine__states *states, struct fine__tensor *x)
{
    if (states != NULL && states->count < states->capacity)
        states->list[states->count++] = x;
}

static struct fine__tensor *
embed(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, double p)
{
    const struct bert *bert = model->config;
    struct fine__tensor *tables[3] = { param(model, WORDS), param(model, POSITIONS),
                                       param(model, TYPES) };
    const int32_t *index[3] = { batch->ids, batch->positions, batch->types };
    struct fine__tensor *x = fine__embedding(t, 3, tables, index, batch->n_tokens,
                                             bert->padding_id);

    x = fine__layernorm(t, x, NULL, param(model, EMBED_NORM_W), param(model, EMBED_NORM_B),
                        bert->eps, 0);                                          /* (N,C) */
    return fine__dropout(t, x, p);
}

static struct fine__tensor *
layer(const fine_model *model, struct fine__tape *t, struct fine__tensor *x, int64_t i,
      const struct fine__batch *batch, bool drop)
{
    const struct bert *bert = model->config;
    const int64_t at = LAYERS + i * PER_LAYER;
    const double p = drop ? bert->hidden_dropout : 0;
    struct fine__tensor *weight[3], *bias[3], *h;

    for (int k = 0; k < 3; k++) {
        weight[k] = param(model, at + QUERY_W + k);
        bias[k] = param(model, at + QUERY_B + k);
    }
    h = fine__linear3(t, x, weight, bias);                                      /* (N,3C) */
    h = fine__attention(t, h, bert->heads, batch->n_seqs, batch->offsets,
                        drop ? bert->attention_dropout : 0);                    /* (N,C) */
    h = fine__linear(t, h, FINE__IDENTITY, param(model, at + OUT_W), param(model, at + OUT_B));
    x = fine__layernorm(t, h, x, param(model, at + NORM1_W), param(model, at + NORM1_B),
                        bert->eps, p);
    h = fine__linear(t, x, FINE__IDENTITY, param(model, at + UP_W), param(model, at + UP_B));
    h = fine__linear(t, h, bert->activation, param(model, at + DOWN_W), param(model, at + DOWN_B));
    return fine__layernorm(t, h, x, param(model, at + NORM2_W), param(model, at + NORM2_B),
                           bert->eps, p);                                       /* (N,C) */
}

static struct fine__tensor *
encode(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, bool train,
       struct fine__states *states)
{
    const struct bert *bert = model->config;
    const bool *trains = model->stage_trains;
    const struct fine__scope scope = fine__scope(t);
    struct fine__tensor *x = embed(model, t, batch,
                                   train && trains[0] ? bert->hidden_dropout : 0);

    if (states == NULL)
        x = fine__scope_end(t, scope, x);
    keep_state(states, x);
    for (int64_t i = 0; i < model->n_layers; i++) {
        x = layer(model, t, x, i, batch, train && trains[i + 1]);
        if (states == NULL)
            x = fine__scope_end(t, scope, x);
        keep_state(states, x);
    }
    return x;
}

static struct fine__tensor *
head(const fine_model *model, struct fine__tape *t, struct fine__tensor *x,
     const struct fine__batch *batch, bool train)
{
    const struct bert *bert = model->config;

    if (model->pool == FINE__POOL_MEAN)
        x = fine__pool_mean(t, x, batch->n_seqs, batch->offsets);               /* (B,C) */
    else
        x = fine__pool_first(t, x, batch->n_seqs, batch->offsets);
    if (model->pool == FINE__POOL_POOLER) {
        x = fine__linear(t, x, FINE__IDENTITY, param(model, bert->pooler),
                         param(model, bert->pooler + 1));
        x = fine__activate(t, x, FINE__TANH);
    }
    x = fine__dropout(t, x, train ? bert->classifier_dropout : 0);
    return fine__linear(t, x, FINE__IDENTITY, param(model, model->head_from),
                        param(model, model->head_from + 1));                    /* (B,O) */
}

/* Buffers, and the heads of pre-training. */
static const char *const ignored[] = { "embeddings.position_ids", "embeddings.token_type_ids",
                                       "cls.*", NULL };

const struct fine__family fine__family_bert = {
    .name = "bert",
    .prefix = "bert.",
    .bare_architecture = "BertModel",
    .classifier_architecture = "BertForSequenceClassification",
    .ignored = ignored,
    .configure = configure,
    .build = build,
    .build_head = build_head,
    .encode = encode,
    .head = head,
};
