/*
 * open.c — a model folder becomes a model.
 *
 * Configuration first, then the weights' headers; everything is checked against everything
 * before memory is asked for or a weight is read, and all findings are reported at once.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/parallel.h"
#include "io/safetensors.h"
#include "models/family.h"
#include "text/tokenizer.h"

enum { MAX_CONFIG = 1 << 20, MAX_LABELS = 1 << 20 };

struct opening {
    fine_model *model;
    const struct fine__source *source;
    const struct fine_model_options *options;
    struct fine__json *config, *notes;      /* config.json, finetune.json */
    struct fine__weights *weights, *head;   /* head: head.safetensors */
    int64_t *from;                          /* per parameter: index in weights or head; -1: drawn */
};

/* ---- config.json ---- */

static int
find_family(struct opening *o)
{
    const char *type = fine__json_string(fine__json_get(o->config, "model_type"), NULL);

    if (type == NULL)
        return fine__fail(FINE_EFORMAT, "%s/config.json: 'model_type' is missing; is this a model "
                          "folder as Hugging Face's tools write it?", fine__source_name(o->source));
    o->model->family = fine__family_find(type);
    if (o->model->family == NULL)
        return fine__fail(FINE_EUNSUPPORTED, "%s/config.json: model_type '%s' is not known to this "
                          "version; it knows %s", fine__source_name(o->source), type,
                          fine__family_names());
    return 0;
}

static int
read_config(struct opening *o)
{
    fine_model *model = o->model;
    struct fine__json *config = NULL;

    if (!fine__source_has(o->source, "config.json"))
        return fine__fail(FINE_EIO, "%s: there is no config.json; give a model folder",
                          fine__source_name(o->source));
    FINE__TRY(fine__source_read(o->source, "config.json", MAX_CONFIG, &model->config_text));
    FINE__TRY(fine__json_parse(&config, model->ctx, model->config_text.data,
                               model->config_text.length, "config.json"));
    o->config = config;
    if (fine__json_type(config) != FINE__JSON_OBJECT)
        return fine__fail(FINE_EFORMAT, "config.json: not a JSON object");
    FINE__TRY(find_family(o));
    fine__error_clear();
    FINE__TRY(model->family->configure(model, config, o->options->dropout));
    model->max_length = model->embed_max_length = model->max_positions;
    model->stage_trains = fine__alloc_array(model->ctx, (size_t)model->n_layers + 2, sizeof(bool));
    model->stage_names = fine__alloc_array(model->ctx, (size_t)model->n_layers + 2,
                                           FINE__STAGE_NAME);
    if (model->stage_trains == NULL || model->stage_names == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i <= model->n_layers + 1; i++) {
        char *name = model->stage_names + i * FINE__STAGE_NAME;

        if (i == 0 || i > model->n_layers)
            snprintf(name, FINE__STAGE_NAME, "%s", i == 0 ? "embeddings" : "head");
        else
            snprintf(name, FINE__STAGE_NAME, "%d", (int)i);
    }
    return 0;
}

/* sentence_bert_config.json says how long texts a sentence encoder was made for. */
static int
read_sentence_length(struct opening *o)
{
    struct fine__buf text;
    struct fine__json *json = NULL;
    static const char name[] = "sentence_bert_config.json";

    if (!fine__source_has(o->source, name))
        return 0;
    fine__buf_init(&text, o->model->ctx);
    int rc = fine__source_read(o->source, name, MAX_CONFIG, &text);

    if (rc == 0)
        rc = fine__json_parse(&json, o->model->ctx, text.data, text.length, name);
    if (rc == 0) {
        const int64_t length = fine__json_int(fine__json_get(json, "max_seq_length"), 0);

        if (length >= 3 && length <= o->model->max_positions)
            o->model->embed_max_length = length;
    }
    fine__json_free(json);
    fine__buf_free(&text);
    return rc;
}

/* ---- labels and task ---- */

/* An array of texts, or an object "0": text, "1": text … → model->labels. */
static int
read_labels(fine_model *model, const struct fine__json *names, const char *what)
{
    const int64_t n = fine__json_count(names);
    const char **list;
    char key[32];
    int rc = 0;

    if (n == 0)
        return 0;
    if (n > MAX_LABELS)
        return fine__fail(FINE_EFORMAT, "%s: more than a million labels", what);
    list = fine__alloc_array(model->ctx, (size_t)n, sizeof *list);
    if (list == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n && rc == 0; i++) {
        struct fine__buf buf;

        fine__buf_init(&buf, model->ctx);
        fine__buf_printf(&buf, "%lld", (long long)i);
        strncpy(key, fine__buf_cstr(&buf), sizeof key - 1);
        key[sizeof key - 1] = '\0';
        fine__buf_free(&buf);
        list[i] = fine__json_string(fine__json_type(names) == FINE__JSON_ARRAY
                                        ? fine__json_at(names, i) : fine__json_get(names, key),
                                    NULL);
        if (list[i] == NULL)
            rc = fine__fail(FINE_EFORMAT, "%s: label %lld is missing or no text", what,
                            (long long)i);
    }
    if (rc == 0)
        rc = fine__model_set_labels(model, list, n);
    fine__free(model->ctx, list);
    return rc;
}

/* Copies a text member into a preparation. */
static int
copy_text(fine_context *ctx, const struct fine__json *object, const char *key, char **out)
{
    const char *text = fine__json_string(fine__json_get(object, key), NULL);

    if (text != NULL && (*out = fine__strdup(ctx, text)) == NULL)
        return FINE_ENOMEM;
    return 0;
}

static int
read_preparation(fine_model *model, const struct fine__json *data)
{
    struct fine__preparation *p = &model->preparation;
    const struct fine__json *columns = fine__json_get(data, "columns");
    const struct {
        const char *key;
        char **out;
    } texts[] = {
        { "text", &p->text }, { "text_pair", &p->text_pair }, { "label", &p->label },
        { "group", &p->group }, { "separator", &p->separator }, { "quote", &p->quote },
        { "encoding", &p->encoding }, { "format", &p->format },
    };

    for (int64_t i = 0; i < FINE__COUNT(texts); i++)
        FINE__TRY(copy_text(model->ctx, data, texts[i].key, texts[i].out));
    p->header = fine__json_bool(fine__json_get(data, "header"), true) ? 1 : 0;
    const int64_t n = fine__json_count(columns);

    if (n == 0 || n > 10000)
        return 0;
    p->columns = fine__alloc_array(model->ctx, (size_t)n, sizeof *p->columns);
    if (p->columns == NULL)
        return FINE_ENOMEM;
    for (; p->n_columns < n; p->n_columns++) {
        const char *name = fine__json_string(fine__json_at(columns, p->n_columns), NULL);

        p->columns[p->n_columns] = fine__strdup(model->ctx, name != NULL ? name : "");
        if (p->columns[p->n_columns] == NULL)
            return FINE_ENOMEM;
    }
    return 0;
}

/* finetune.json: what this library wrote when it saved the model. */
static int
read_notes(struct opening *o)
{
    fine_model *model = o->model;
    struct fine__buf text;
    int rc;

    if (!fine__source_has(o->source, "finetune.json"))
        return 0;
    fine__buf_init(&text, model->ctx);
    rc = fine__source_read(o->source, "finetune.json", 64 << 20, &text);
    if (rc == 0)
        rc = fine__json_parse(&o->notes, model->ctx, text.data, text.length, "finetune.json");
    fine__buf_free(&text);
    FINE__TRY(rc);
    const struct fine__json *task = fine__json_get(o->notes, "task");
    const char *type = fine__json_string(fine__json_get(task, "type"), NULL);
    const char *pool = fine__json_string(fine__json_get(task, "pool"), NULL);
    const char *base = fine__json_string(fine__json_get(fine__json_get(o->notes, "base"),
                                                        "fingerprint"), NULL);

    if (type == NULL || !fine__task_find(type, &model->task) || pool == NULL ||
        !fine__pool_find(pool, &model->pool))
        return fine__fail(FINE_EFORMAT, "finetune.json: 'task' lacks a type or pool that this "
                          "version knows");
    FINE__TRY(read_labels(model, fine__json_get(task, "labels"), "finetune.json"));
    if (model->task == FINE__CLASSIFY && model->n_labels < 2)
        return fine__fail(FINE_EFORMAT, "finetune.json: 'task' has fewer than two labels");
    model->max_length = fine__json_int(fine__json_get(task, "max_length"), model->max_positions);
    if (model->max_length < 3 || model->max_length > model->max_positions)
        return fine__fail(FINE_EFORMAT, "finetune.json: 'max_length' is not within the model's "
                          "limit of %lld", (long long)model->max_positions);
    const char *overlong = fine__json_string(fine__json_get(task, "overlong"), NULL);

    model->overlong_is_error = overlong != NULL && strcmp(overlong, "error") == 0;
    if (base != NULL && strlen(base) == 32)
        memcpy(model->base_fingerprint, base, 33);
    return read_preparation(model, fine__json_get(o->notes, "data"));
}

/* Without finetune.json: a checkpoint that brings a classification head is taken at its word. */
static int
task_from_config(struct opening *o)
{
    fine_model *model = o->model;
    const int64_t head = fine__weights_find(o->weights, "classifier.weight");
    const char *problem = fine__json_string(fine__json_get(o->config, "problem_type"), NULL);

    if (head < 0)
        return 0;
    const struct fine__weight *weight = fine__weights_at(o->weights, head);
    const int64_t n = weight->n_dims == 2 ? weight->shape[0] : 0;

    if (problem != NULL && strcmp(problem, "multi_label_classification") == 0)
        return fine__fail(FINE_EUNSUPPORTED, "config.json: 'problem_type' multi_label_"
                          "classification is not available in this version");
    if (n < 1 || n > MAX_LABELS)
        return fine__fail(FINE_ESHAPE, "'classifier.weight' has no shape that a head could have");
    if (n == 1 || (problem != NULL && strcmp(problem, "regression") == 0)) {
        if (n != 1)
            return fine__fail(FINE_EUNSUPPORTED, "config.json: regression with %lld outputs; only "
                              "one is supported", (long long)n);
        model->task = FINE__REGRESS;
        return 0;
    }
    model->task = FINE__CLASSIFY;
    if (fine__json_count(fine__json_get(o->config, "id2label")) == n)
        return read_labels(model, fine__json_get(o->config, "id2label"), "config.json: id2label");
    struct fine_task_options options = { .n_labels = n };

    return fine__model_name_labels(model, &options);
}

/* ---- weights ---- */

static int
open_weights(struct opening *o)
{
    fine_model *model = o->model;
    const bool there = fine__source_has(o->source, "model.safetensors") ||
                       fine__source_has(o->source, "model.safetensors.index.json");

    if (!there && o->options->random_weights) {
        model->prefix = fine__strdup(model->ctx, "");
        return model->prefix != NULL ? 0 : FINE_ENOMEM;
    }
    FINE__TRY(fine__weights_open(&o->weights, model->ctx, o->source));
    if (fine__source_has(o->source, "head.safetensors"))
        FINE__TRY(fine__weights_open_file(&o->head, model->ctx, o->source, "head.safetensors"));
    const size_t length = strlen(model->family->prefix);
    bool prefixed = false;

    for (int64_t i = 0; i < fine__weights_count(o->weights); i++)
        prefixed = prefixed || strncmp(fine__weights_at(o->weights, i)->name,
                                       model->family->prefix, length) == 0;
    model->prefix = fine__strdup(model->ctx, prefixed ? model->family->prefix : "");
    return model->prefix != NULL ? 0 : FINE_ENOMEM;
}

static bool
same_shape(const struct fine__tensor *tensor, const struct fine__weight *weight)
{
    return tensor->n_dims == weight->n_dims &&
           memcmp(tensor->shape, weight->shape, (size_t)weight->n_dims * sizeof(int64_t)) == 0;
}

static const char *
shape_text(int64_t n_dims, const int64_t *shape, char *out, size_t size)
{
    size_t used = 0;

    out[used++] = '[';
    for (int64_t i = 0; i < n_dims && used + 24 < size; i++) {
        char digits[24];
        int n = 0;
        int64_t value = shape[i];

        do
            digits[n++] = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        if (i > 0) {
            out[used++] = ',';
            out[used++] = ' ';
        }
        while (n > 0)
            out[used++] = digits[--n];
    }
    out[used++] = ']';
    out[used] = '\0';
    return out;
}

/* The pooler and the old head may be absent: they are drawn. */
static bool
may_be_absent(const fine_model *model, const struct fine__param *param)
{
    return param->stage == model->n_layers + 1 &&
           (!param->is_head || model->task == FINE__TASK_NONE);
}

static int
match_param(struct opening *o, int64_t i)
{
    const struct fine__param *param = &o->model->params.list[i];
    struct fine__weights *weights = param->is_head && o->head != NULL ? o->head : o->weights;
    const struct fine__weight *weight;
    char have[256], want[256];

    o->from[i] = fine__weights_find(weights, param->name);
    if (o->from[i] < 0)
        return may_be_absent(o->model, param)
                   ? 0 : fine__also(FINE_ESHAPE, "%s: weights: '%s' is missing",
                                    fine__source_name(o->source), param->name);
    weight = fine__weights_at(weights, o->from[i]);
    if (!same_shape(&param->tensor, weight))
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has shape %s, but config.json makes "
                          "it %s", fine__source_name(o->source), param->name,
                          shape_text(weight->n_dims, weight->shape, have, sizeof have),
                          shape_text(param->tensor.n_dims, param->tensor.shape, want,
                                     sizeof want));
    if (weight->type != FINE_F32 && weight->type != FINE_F16 && weight->type != FINE_BF16 &&
        weight->type != FINE_F64)
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has element type %s; F32, F16, BF16 "
                          "or F64 is needed", fine__source_name(o->source), param->name, fine__type_name(weight->type));
    return 0;
}

static bool
is_ignored(const fine_model *model, const char *name)
{
    const size_t prefix = strlen(model->prefix);

    if (strncmp(name, model->prefix, prefix) == 0)
        name += prefix;
    for (const char *const *pattern = model->family->ignored; *pattern != NULL; pattern++) {
        const size_t n = strlen(*pattern);

        if ((*pattern)[n - 1] == '*' ? strncmp(name, *pattern, n - 1) == 0
                                     : strcmp(name, *pattern) == 0)
            return true;
    }
    return false;
}

static int
find_left_over(struct opening *o)
{
    const int64_t n = fine__weights_count(o->weights), n_params = o->model->params.count;
    bool *taken = fine__alloc_array(o->model->ctx, (size_t)n, sizeof *taken);
    int64_t n_ignored = 0;
    int rc = 0;

    if (taken == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n_params; i++)
        if (o->from[i] >= 0 && (o->head == NULL || !o->model->params.list[i].is_head))
            taken[o->from[i]] = true;
    for (int64_t i = 0; i < n; i++) {
        const char *name = fine__weights_at(o->weights, i)->name;

        if (taken[i])
            continue;
        if (is_ignored(o->model, name))
            n_ignored++;
        else
            rc = fine__also(FINE_ESHAPE, "%s: weights: '%s' is no part of a %s model of this "
                            "configuration", fine__source_name(o->source), name, o->model->family->name);
    }
    if (n_ignored > 0)
        fine__log(o->model->ctx, FINE_LOG_INFO, "%lld tensor%s of the checkpoint (buffers, heads of "
                  "pre-training) %s not used", (long long)n_ignored, n_ignored == 1 ? "" : "s",
                  n_ignored == 1 ? "is" : "are");
    fine__free(o->model->ctx, taken);
    return rc;
}

static int
match(struct opening *o)
{
    const int64_t n = o->model->params.count;
    int rc = 0;

    o->from = fine__alloc_array(o->model->ctx, (size_t)n, sizeof *o->from);
    if (o->from == NULL)
        return FINE_ENOMEM;
    fine__error_clear();
    for (int64_t i = 0; i < n; i++) {
        o->from[i] = -1;
        if (o->weights != NULL && match_param(o, i) < 0)
            rc = FINE_ESHAPE;
    }
    if (o->weights != NULL) {
        const int left = find_left_over(o);

        rc = rc < 0 ? rc : left;
    }
    return rc;
}

static void
draw_tile(void *arg, int64_t tile, int worker)
{
    struct opening *o = arg;

    (void)worker;
    if (o->from[tile] < 0)
        fine__param_draw(&o->model->params.list[tile], o->options->seed);
}

static int
read_weights(struct opening *o)
{
    fine_model *model = o->model;
    struct fine__params *params = &model->params;

    for (int64_t i = 0; i < params->count; i++) {
        struct fine__param *param = &params->list[i];
        struct fine__weights *weights = param->is_head && o->head != NULL ? o->head : o->weights;

        if (o->from[i] >= 0)
            FINE__TRY(fine__weights_read_floats(weights, o->from[i], param->tensor.data));
        if (param->stage == model->n_layers + 1 && !param->is_head)
            model->has_pooler = o->from[i] >= 0 || o->weights == NULL;
    }
    fine__parallel_for(model->ctx, params->count, draw_tile, o);
    if (o->weights != NULL)
        FINE__TRY(fine__weights_fingerprint(o->weights, model->fingerprint));
    else
        memset(model->fingerprint, '0', 32);
    if (model->base_fingerprint[0] == '\0')
        memcpy(model->base_fingerprint, model->fingerprint, 33);
    return 0;
}

static int
open_tokenizer(struct opening *o)
{
    fine_model *model = o->model;

    if (!fine__tokenizer_is_in(o->source))
        return 0;                   /* batches of ids can be run without one */
    FINE__TRY(fine__tokenizer_open(&model->tokenizer, model->ctx, o->source));
    const int64_t n = fine__tokenizer_vocab_size(model->tokenizer);

    if (n > model->vocab_size)
        return fine__fail(FINE_ESHAPE, "%s: the tokenizer has %lld ids, the model's vocabulary "
                          "%lld; they do not belong together", fine__source_name(o->source),
                          (long long)n, (long long)model->vocab_size);
    return 0;
}

/* ---- all together ---- */

static int
open_model(struct opening *o)
{
    fine_model *model = o->model;

    FINE__TRY(read_config(o));
    FINE__TRY(read_sentence_length(o));
    FINE__TRY(open_tokenizer(o));
    FINE__TRY(open_weights(o));
    FINE__TRY(read_notes(o));
    if (o->notes == NULL && o->weights != NULL)
        FINE__TRY(task_from_config(o));
    model->family->build(model);
    model->head_from = model->params.count;
    if (model->task != FINE__TASK_NONE)
        model->family->build_head(model, fine__model_n_outputs(model));
    if (model->params.failed)
        return FINE_ENOMEM;
    FINE__TRY(match(o));
    FINE__TRY(fine__params_allocate(&model->params));
    FINE__TRY(read_weights(o));
    return fine__model_freeze(model, "none");
}

int
fine__model_open(fine_model **out, fine_context *ctx, const struct fine__source *source,
                 const struct fine_model_options *options)
{
    fine_model *model = fine__alloc(ctx, sizeof *model);
    struct opening o = { .model = model, .source = source, .options = options };

    if (model == NULL)
        return FINE_ENOMEM;
    memset(model, 0, sizeof *model);
    atomic_init(&model->references, 1);
    atomic_init(&model->sessions, 0);
    atomic_init(&model->training, false);
    model->ctx = fine__context_ref(ctx);
    fine__params_init(&model->params, ctx);
    fine__buf_init(&model->config_text, ctx);
    fine__buf_init(&model->card, ctx);
    model->base_name = fine__strdup(ctx, fine__path_name(fine__source_name(source)));
    int rc = model->base_name != NULL ? open_model(&o) : FINE_ENOMEM;

    fine__json_free(o.config);
    fine__json_free(o.notes);
    fine__weights_free(o.weights);
    fine__weights_free(o.head);
    fine__free(ctx, o.from);
    if (rc < 0) {
        fine__model_unref(model);
        return rc;
    }
    *out = model;
    return 0;
}
