/*
 * bert — the encoder of Devlin et al., arXiv 1810.04805, and those that differ from it by a
 * row of a table: RoBERTa (Liu et al., arXiv 1907.11692), which counts positions from its
 * padding id on, and DistilBERT (Sanh et al., arXiv 1910.01108), which has no token types and
 * no pooler. Names and conventions are those of Hugging Face's classes.
 *
 * Queries, keys and values are declared in a row, so that they are one product (linear.c).
 * A frozen stage runs without dropout, and inside one scope with those below it: together they
 * leave nothing behind but the last one's output.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/family.h"

struct names {
    const char *layer;              /* with %d */
    const char *query_key_value[3], *out, *norm1, *up, *down, *norm2;
};

struct keys {
    const char *width, *layers, *heads, *inner, *activation, *dropout, *attention_dropout;
};

struct variant {
    struct names names;
    struct keys keys;
    double eps;                     /* where the configuration has none; else its default */
    bool fixed_eps;
    int64_t default_types;          /* 0: none ever */
    int64_t default_padding;
    bool counts_from_padding;       /* positions: padding id + 1, … */
    bool drops_attention_output;
};

struct bert {
    int64_t heads, inner, n_positions, first_position;
    double dropout, attention_dropout;
};

/* Order of declaration within a layer, counted from the layer's first parameter. */
enum {
    QUERY_W, KEY_W, VALUE_W, QUERY_B, KEY_B, VALUE_B, OUT_W, OUT_B, NORM1_W, NORM1_B,
    UP_W, UP_B, DOWN_W, DOWN_B, NORM2_W, NORM2_B, PER_LAYER
};
enum { POSITIONS = FINE__WORDS + 1, AFTER_POSITIONS };     /* then types, the norm, the layers */

static const struct variant *
variant_of(const fine_model *model)
{
    return model->family->variant;
}

/* Index of the embeddings' norm; token types stand before it, where there are any. */
static int64_t
embed_norm(const fine_model *model)
{
    return AFTER_POSITIONS + (model->type_vocab_size > 0);
}

/* ---- config.json ---- */

/* What would change the mathematics is refused, never ignored. */
static int
refuse_variants(const struct fine__json *config)
{
    static const char *const flags[] = { "is_decoder", "add_cross_attention",
                                         "is_encoder_decoder" };
    static const char *const sinusoidal[] = { "sinusoidal_pos_embds" };
    const char *position = fine__json_string(fine__json_get(config, "position_embedding_type"),
                                             NULL);
    int rc = fine__config_refuse(config, flags, FINE__COUNT(flags),
                                 "only encoders are supported");

    if (fine__config_refuse(config, sinusoidal, 1, "only learned positions are supported") < 0)
        rc = FINE_EUNSUPPORTED;
    if (position != NULL && strcmp(position, "absolute") != 0)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'position_embedding_type' is '%s'; only "
                        "'absolute' is supported", position);
    return rc;
}

/* classifier_dropout may be null: the encoder's then. DistilBERT has a key for each head. */
static int
read_head_dropouts(fine_model *model, const struct fine__json *config, double dropout)
{
    struct bert *bert = model->config;
    const struct fine__json *classifier = fine__json_get(config, "classifier_dropout");
    double *p = model->head_dropout, sequence = bert->dropout, token = bert->dropout, answer = 0;
    int rc = 0;

    if (variant_of(model)->default_types == 0) {
        const int a = fine__config_dropout(config, "seq_classif_dropout", 0.2, dropout, &sequence);
        const int b = fine__config_dropout(config, "qa_dropout", 0.1, dropout, &answer);

        rc = a < 0 ? a : b;
    } else if (fine__json_type(classifier) != FINE__JSON_NULL) {
        rc = fine__config_dropout(config, "classifier_dropout", 0, dropout, &sequence);
        token = sequence;
    }
    p[FINE__CLASSIFY] = p[FINE__MULTILABEL] = p[FINE__REGRESS] = sequence;
    p[FINE__TAG] = token;
    p[FINE__ANSWER] = answer;
    return rc;
}

static int
read_reals(fine_model *model, const struct fine__json *config, double dropout)
{
    const struct variant *v = variant_of(model);
    struct bert *bert = model->config;
    int rc = 0, one;

    model->eps = v->eps;
    if (!v->fixed_eps &&
        (one = fine__config_real(config, "layer_norm_eps", 0, 1, v->eps, &model->eps)) < 0)
        rc = one;
    if ((one = fine__config_real(config, "initializer_range", 0, 10, 0.02, &model->init_std)) < 0)
        rc = one;
    if ((one = fine__config_dropout(config, v->keys.dropout, 0.1, dropout, &bert->dropout)) < 0)
        rc = one;
    if ((one = fine__config_dropout(config, v->keys.attention_dropout, 0.1, dropout,
                                    &bert->attention_dropout)) < 0)
        rc = one;
    if ((one = read_head_dropouts(model, config, dropout)) < 0)
        rc = one;
    return rc;
}

static int
read_positions(fine_model *model, const struct fine__json *config)
{
    const struct variant *v = variant_of(model);
    struct bert *bert = model->config;

    FINE__TRY(fine__config_padding(model, config, v->default_padding));
    model->max_positions = bert->n_positions;
    if (!v->counts_from_padding)
        return 0;
    if (model->padding_id < 0)
        return fine__also(FINE_EFORMAT, "config.json: 'pad_token_id' is missing, and positions "
                          "are counted from it");
    bert->first_position = model->padding_id + 1;
    model->max_positions -= bert->first_position;
    if (model->max_positions < 1)
        return fine__also(FINE_EFORMAT, "config.json: 'max_position_embeddings' %lld leaves no "
                          "position after 'pad_token_id' %lld", (long long)bert->n_positions,
                          (long long)model->padding_id);
    return 0;
}

static int
configure(fine_model *model, const struct fine__json *config, double dropout)
{
    const struct variant *v = variant_of(model);
    struct bert *bert = fine__alloc(model->ctx, sizeof *bert);

    if (bert == NULL)
        return FINE_ENOMEM;
    memset(bert, 0, sizeof *bert);
    model->config = bert;
    const struct fine__config_size sizes[] = {
        { "vocab_size", 1, 1 << 24, FINE__REQUIRED, &model->vocab_size },
        { v->keys.width, 1, 1 << 16, FINE__REQUIRED, &model->width },
        { v->keys.layers, 1, 1024, FINE__REQUIRED, &model->n_layers },
        { v->keys.heads, 1, 1 << 12, FINE__REQUIRED, &bert->heads },
        { v->keys.inner, 1, 1 << 18, FINE__REQUIRED, &bert->inner },
        { "max_position_embeddings", 1, 1 << 20, FINE__REQUIRED, &bert->n_positions },
        { v->default_types > 0 ? "type_vocab_size" : NULL, 1, 1 << 16, v->default_types,
          &model->type_vocab_size },
    };
    int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));
    const int positions = rc == 0 ? read_positions(model, config) : 0;
    const int reals = read_reals(model, config, dropout);
    const int activation = fine__config_activation(config, v->keys.activation, "gelu",
                                                   &model->activation);
    const int variants = refuse_variants(config);

    fine__config_tying(model, config);
    rc = rc < 0 ? rc : positions < 0 ? positions : reals < 0 ? reals : activation < 0 ? activation
                                                                                      : variants;
    return rc < 0 ? rc : fine__config_heads(model, bert->heads, v->keys.width, v->keys.heads);
}

/* ---- parameters ---- */

static void
dense(fine_model *model, int32_t stage, int64_t out, int64_t in, const char *name)
{
    char full[160];

    snprintf(full, sizeof full, "%s.weight", name);
    fine__declare(model, stage, model->init_std, 2, out, in, full);
    snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, stage, 0, 1, out, 0, full);
}

static void
build_layer(fine_model *model, int64_t i)
{
    const struct names *names = &variant_of(model)->names;
    const struct bert *bert = model->config;
    const int32_t stage = (int32_t)i + 1;
    const int64_t width = model->width;
    char layer[64], name[160];

    snprintf(layer, sizeof layer, "%s.%d", names->layer, (int)i);
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "%s.%s.weight", layer, names->query_key_value[k]);
        fine__declare(model, stage, model->init_std, 2, width, width, name);
    }
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "%s.%s.bias", layer, names->query_key_value[k]);
        fine__declare(model, stage, 0, 1, width, 0, name);
    }
    snprintf(name, sizeof name, "%s.%s", layer, names->out);
    dense(model, stage, width, width, name);
    snprintf(name, sizeof name, "%s.%s", layer, names->norm1);
    fine__declare_norm(model, stage, name);
    snprintf(name, sizeof name, "%s.%s", layer, names->up);
    dense(model, stage, bert->inner, width, name);
    snprintf(name, sizeof name, "%s.%s", layer, names->down);
    dense(model, stage, width, bert->inner, name);
    snprintf(name, sizeof name, "%s.%s", layer, names->norm2);
    fine__declare_norm(model, stage, name);
}

static void
build(fine_model *model)
{
    const struct bert *bert = model->config;
    const int64_t words = fine__declare(model, 0, model->init_std, 2, model->vocab_size,
                                        model->width, "embeddings.word_embeddings.weight");

    if (words >= 0) {
        model->params.list[words].is_embedding = true;
        model->params.list[words].padding_row = model->padding_id;
    }
    fine__declare(model, 0, model->init_std, 2, bert->n_positions, model->width,
                  "embeddings.position_embeddings.weight");
    if (model->type_vocab_size > 0)
        fine__declare(model, 0, model->init_std, 2, model->type_vocab_size, model->width,
                      "embeddings.token_type_embeddings.weight");
    fine__declare_norm(model, 0, "embeddings.LayerNorm");
    for (int64_t i = 0; i < model->n_layers; i++)
        build_layer(model, i);
    model->pooler = model->params.count;
    if (model->family->has_pooler)
        dense(model, (int32_t)model->n_layers + 1, model->width, model->width, "pooler.dense");
}

/* ---- forward ---- */

/* Padding keeps its own position and isn't counted. */
static const int32_t *
positions_of(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch)
{
    const struct bert *bert = model->config;
    int32_t *positions;

    if (bert->first_position == 0)
        return batch->positions;
    positions = fine__arena_take_array(&t->arena, batch->n_tokens, sizeof *positions);
    if (positions == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return batch->positions;
    }
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int32_t next = (int32_t)bert->first_position;

        for (int64_t j = batch->offsets[i]; j < batch->offsets[i + 1]; j++)
            positions[j] = batch->ids[j] == model->padding_id ? (int32_t)model->padding_id
                                                              : next++;
    }
    return positions;
}

static struct fine__tensor *
embed(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, double p)
{
    const struct bert *bert = model->config;
    const int64_t norm = embed_norm(model);
    struct fine__tensor *tables[3] = { fine__weight_of(model, FINE__WORDS),
                                       fine__weight_of(model, POSITIONS),
                                       fine__weight_of(model, AFTER_POSITIONS) };
    const int32_t *index[3] = { batch->ids, positions_of(model, t, batch), batch->types };
    const int64_t padding[3] = { model->padding_id,
                                 bert->first_position > 0 ? model->padding_id : -1, -1 };
    struct fine__tensor *x = fine__embedding(t, model->type_vocab_size > 0 ? 3 : 2, tables, index,
                                             batch->n_tokens, padding);

    x = fine__layernorm(t, x, NULL, fine__weight_of(model, norm), fine__weight_of(model, norm + 1),
                        model->eps, 0);                                         /* (N,C) */
    return fine__dropout(t, x, p);
}

static struct fine__tensor *
layer(const fine_model *model, struct fine__tape *t, struct fine__tensor *x, int64_t i,
      const struct fine__batch *batch, bool drop)
{
    const struct bert *bert = model->config;
    const int64_t first = embed_norm(model) + 2 + i * PER_LAYER;
    struct fine__param *at = &model->params.list[first];
    const double p = drop ? bert->dropout : 0;
    const struct fine__attending how = { .n_heads = bert->heads, .n_seqs = batch->n_seqs,
                                         .offsets = batch->offsets,
                                         .p = drop ? bert->attention_dropout : 0 };
    struct fine__tensor *weight[3], *bias[3], *h;

    for (int k = 0; k < 3; k++) {
        weight[k] = &at[QUERY_W + k].tensor;
        bias[k] = &at[QUERY_B + k].tensor;
    }
    h = fine__linear3(t, x, weight, bias);                                      /* (N,3C) */
    h = fine__attention(t, h, &how);                                            /* (N,C) */
    h = fine__linear(t, h, FINE__IDENTITY, &at[OUT_W].tensor, &at[OUT_B].tensor);
    x = fine__layernorm(t, h, x, &at[NORM1_W].tensor, &at[NORM1_B].tensor, model->eps,
                        variant_of(model)->drops_attention_output ? p : 0);
    h = fine__linear(t, x, FINE__IDENTITY, &at[UP_W].tensor, &at[UP_B].tensor);
    h = fine__linear(t, h, model->activation, &at[DOWN_W].tensor, &at[DOWN_B].tensor);
    return fine__layernorm(t, h, x, &at[NORM2_W].tensor, &at[NORM2_B].tensor, model->eps,
                           p);                                                  /* (N,C) */
}

static struct fine__tensor *
encode(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, bool train,
       struct fine__states *states)
{
    const struct bert *bert = model->config;
    const bool *trains = model->stage_trains;
    const struct fine__scope scope = fine__scope(t);
    struct fine__tensor *x = embed(model, t, batch, train && trains[0] ? bert->dropout : 0);

    if (states == NULL)
        x = fine__scope_end(t, scope, x);
    fine__keep_state(states, x);
    for (int64_t i = 0; i < model->n_layers; i++) {
        x = layer(model, t, x, i, batch, train && trains[i + 1]);
        if (states == NULL)
            x = fine__scope_end(t, scope, x);
        fine__keep_state(states, x);
    }
    return x;
}

/* ---- the families ---- */

#define BERT_NAMES                                                                          \
    { "encoder.layer",                                                                      \
      { "attention.self.query", "attention.self.key", "attention.self.value" },             \
      "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense",         \
      "output.dense", "output.LayerNorm" }
#define BERT_KEYS                                                                           \
    { "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",       \
      "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob" }

static const struct variant bert_variant = {
    .names = BERT_NAMES, .keys = BERT_KEYS, .eps = 1e-12, .default_types = 2,
    .drops_attention_output = true
};
static const struct variant roberta_variant = {
    .names = BERT_NAMES, .keys = BERT_KEYS, .eps = 1e-12, .default_types = 2,
    .default_padding = 1, .counts_from_padding = true, .drops_attention_output = true
};
static const struct variant distilbert_variant = {
    .names = { "transformer.layer",
               { "attention.q_lin", "attention.k_lin", "attention.v_lin" },
               "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2",
               "output_layer_norm" },
    .keys = { "dim", "n_layers", "n_heads", "hidden_dim", "activation", "dropout",
              "attention_dropout" },
    .eps = 1e-12, .fixed_eps = true
};

static const struct fine__head bert_heads[] = {
    { .tasks = FINE__TEXT_TASKS, .architecture = "BertForSequenceClassification",
      .reads = FINE__FIRST_TOKEN, .pooler = true, .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__TAG), .architecture = "BertForTokenClassification",
      .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__ANSWER), .architecture = "BertForQuestionAnswering",
      .out = "qa_outputs", .bias = "qa_outputs.bias" },
    { .tasks = FINE__TASK_BIT(FINE__FILL_MASK), .architecture = "BertForMaskedLM",
      .dense = "cls.predictions.transform.dense", .norm = "cls.predictions.transform.LayerNorm",
      .out = "cls.predictions.decoder", .bias = "cls.predictions.bias", .tied = true },
    { .out = NULL },
};
static const struct fine__head roberta_heads[] = {
    { .tasks = FINE__TEXT_TASKS, .architecture = "RobertaForSequenceClassification",
      .reads = FINE__FIRST_TOKEN, .dense = "classifier.dense", .drops_input = true,
      .own_activation = true, .activation = FINE__TANH, .out = "classifier.out_proj",
      .bias = "classifier.out_proj.bias" },
    { .tasks = FINE__TASK_BIT(FINE__TAG), .architecture = "RobertaForTokenClassification",
      .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__ANSWER), .architecture = "RobertaForQuestionAnswering",
      .out = "qa_outputs", .bias = "qa_outputs.bias" },
    { .tasks = FINE__TASK_BIT(FINE__FILL_MASK), .architecture = "RobertaForMaskedLM",
      .dense = "lm_head.dense", .own_activation = true, .activation = FINE__GELU,
      .norm = "lm_head.layer_norm", .out = "lm_head.decoder", .bias = "lm_head.bias",
      .tied = true },
    { .out = NULL },
};
static const struct fine__head distilbert_heads[] = {
    { .tasks = FINE__TEXT_TASKS, .architecture = "DistilBertForSequenceClassification",
      .reads = FINE__FIRST_TOKEN, .dense = "pre_classifier", .own_activation = true,
      .activation = FINE__RELU, .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__TAG), .architecture = "DistilBertForTokenClassification",
      .out = "classifier", .bias = "classifier.bias" },
    { .tasks = FINE__TASK_BIT(FINE__ANSWER), .architecture = "DistilBertForQuestionAnswering",
      .out = "qa_outputs", .bias = "qa_outputs.bias" },
    { .tasks = FINE__TASK_BIT(FINE__FILL_MASK), .architecture = "DistilBertForMaskedLM",
      .dense = "vocab_transform", .norm = "vocab_layer_norm", .out = "vocab_projector",
      .bias = "vocab_projector.bias", .tied = true },
    { .out = NULL },
};

/* Buffers, and heads that the task at hand has no use for. */
static const char *const bert_ignored[] = { "embeddings.position_ids",
                                            "embeddings.token_type_ids", "cls.*", NULL };
static const char *const roberta_ignored[] = { "embeddings.position_ids",
                                               "embeddings.token_type_ids", "lm_head.*",
                                               "pooler.*", NULL };
static const char *const distilbert_ignored[] = { "embeddings.position_ids", "vocab_*", NULL };

const struct fine__family fine__family_bert = {
    .name = "bert",
    .prefix = "bert.",
    .bare_architecture = "BertModel",
    .heads = bert_heads,
    .has_pooler = true,
    .variant = &bert_variant,
    .ignored = bert_ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};

const struct fine__family fine__family_roberta = {
    .name = "roberta",
    .prefix = "roberta.",
    .bare_architecture = "RobertaModel",
    .heads = roberta_heads,
    .variant = &roberta_variant,
    .ignored = roberta_ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};

const struct fine__family fine__family_distilbert = {
    .name = "distilbert",
    .prefix = "distilbert.",
    .bare_architecture = "DistilBertModel",
    .heads = distilbert_heads,
    .variant = &distilbert_variant,
    .ignored = distilbert_ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};
