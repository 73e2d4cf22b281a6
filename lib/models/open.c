/*
 * open.c — a model folder becomes a model.
 *
 * Configuration first, then the weights' headers; everything is checked against everything
 * before memory is asked for or a weight is read, and all findings are reported at once.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "models/adapter.h"
#include "models/open.h"
#include "text/tokenizer.h"

enum { MAX_CONFIG = 1 << 20 };

/* ---- config.json ---- */

static int
unknown_architecture(const struct fine__opening *o, const char *name)
{
    struct fine__buf known;

    fine__buf_init(&known, o->model->ctx);
    fine__family_architectures(&known);
    const int rc = fine__fail(FINE_EUNSUPPORTED, "%s: architecture '%s' is not known to this "
                              "version; it knows %s", fine__source_name(o->source), name,
                              fine__buf_cstr(&known));

    fine__buf_free(&known);
    return rc;
}

static int
find_family(struct fine__opening *o)
{
    const char *type = fine__json_string(fine__json_get(o->config, "model_type"), NULL);
    const char *architecture = fine__json_string(fine__json_get(o->config, "architecture"), NULL);

    /* transformers wraps timm's models without changing them. */
    if (architecture != NULL && (type == NULL || strcmp(type, "timm_wrapper") == 0)) {
        o->model->family = fine__family_by_architecture(architecture);
        return o->model->family != NULL ? 0 : unknown_architecture(o, architecture);
    }
    if (type == NULL)
        return fine__fail(FINE_EFORMAT, "%s/config.json: 'model_type' is missing, and so is "
                          "'architecture'; is this a model folder as Hugging Face's tools or timm "
                          "write it?", fine__source_name(o->source));
    o->model->family = fine__family_find(type);
    if (o->model->family == NULL)
        return fine__fail(FINE_EUNSUPPORTED, "%s/config.json: model_type '%s' is not known to this "
                          "version; it knows %s", fine__source_name(o->source), type,
                          fine__family_names());
    return 0;
}

/* config.json as it is there, or one that says no more than the architecture asked for. */
static int
find_config(struct fine__opening *o)
{
    struct fine__buf *text = &o->model->config_text;
    const char *architecture = o->options->architecture;

    if (fine__source_has(fine__opening_source(o, "config.json"), "config.json")) {
        if (architecture != NULL)
            return fine__fail(FINE_EINVAL, "%s: config.json says what this model is; leave the "
                              "architecture '%s' out", fine__source_name(o->source),
                              architecture);
        return fine__source_read(fine__opening_source(o, "config.json"), "config.json", MAX_CONFIG,
                                 text);
    }
    if (architecture == NULL)
        return fine__fail(FINE_EIO, "%s: there is no config.json; give a model folder, or say "
                          "which architecture the weights have", fine__source_name(o->source));
    if (fine__family_by_architecture(architecture) == NULL)
        return unknown_architecture(o, architecture);
    fine__buf_text(text, "{\"architecture\": ");
    fine__buf_json_string(text, architecture, strlen(architecture));
    fine__buf_text(text, "}");
    return fine__buf_status(text);
}

static int
read_config(struct fine__opening *o)
{
    fine_model *model = o->model;
    struct fine__json *config = NULL;

    FINE__TRY(find_config(o));
    FINE__TRY(fine__json_parse(&config, model->ctx, model->config_text.data,
                               model->config_text.length, "config.json"));
    o->config = config;
    if (fine__json_type(config) != FINE__JSON_OBJECT)
        return fine__fail(FINE_EFORMAT, "config.json: not a JSON object");
    FINE__TRY(find_family(o));
    if (model->family->marker != NULL)  /* names decide which school's configuration it is */
        FINE__TRY(fine__open_weights(o));
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
            snprintf(name, FINE__STAGE_NAME, "%s",
                     i > 0 ? "head" : model->n_channels > 0 ? "stem" : "embeddings");
        else
            snprintf(name, FINE__STAGE_NAME, "%d", (int)i);
    }
    return 0;
}

/* sentence_bert_config.json says how long texts a sentence encoder was made for. */
static int
read_sentence_length(struct fine__opening *o)
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

static int
open_tokenizer(struct fine__opening *o)
{
    fine_model *model = o->model;
    const struct fine__source *source = o->source;

    if (!fine__tokenizer_is_in(source) && o->base_folder != NULL)
        source = o->base_folder;
    if (model->n_channels > 0 || !fine__tokenizer_is_in(source))
        return 0;                   /* batches of ids can be run without one */
    FINE__TRY(fine__tokenizer_open(&model->tokenizer, model->ctx, source));
    const int64_t n = fine__tokenizer_vocab_size(model->tokenizer);

    if (n > model->vocab_size)
        return fine__fail(FINE_ESHAPE, "%s: the tokenizer has %lld ids, the model's vocabulary "
                          "%lld; they do not belong together", fine__source_name(o->source),
                          (long long)n, (long long)model->vocab_size);
    return 0;
}

/* ---- how pictures are prepared: by its own file, by timm's configuration, or as usual ---- */

static int
read_preparing(struct fine__opening *o)
{
    static const char name[] = "preprocessor_config.json";
    struct fine__preparing *preparing = &o->model->preparing;
    struct fine__buf *text = &o->model->preprocessor;
    struct fine__json *json = NULL;
    int rc;

    if (o->model->n_channels == 0)
        return 0;
    if (o->model->image_size == 0)
        o->model->image_size = o->model->family->image_size;
    if (o->model->image_size > 0)
        fine__preparing_default(preparing, o->model->image_size);
    else
        fine__preparing_plain(preparing);
    if (!fine__source_has(fine__opening_source(o, name), name))
        return fine__json_get(o->config, "pretrained_cfg") != NULL
                   ? fine__preparing_read(preparing, o->config, "config.json") : 0;
    rc = fine__source_read(fine__opening_source(o, name), name, MAX_CONFIG, text);
    if (rc == 0)
        rc = fine__json_parse(&json, o->model->ctx, text->data, text->length, name);
    if (rc == 0)
        rc = fine__preparing_read(preparing, json, name);
    fine__json_free(json);
    return rc;
}

/* ---- adapters ---- */

const struct fine__source *
fine__opening_source(const struct fine__opening *o, const char *name)
{
    return o->base_folder != NULL && !fine__source_has(o->source, name) ? o->base_folder
                                                                        : o->source;
}

/* The base's folder, where the adapter's has no weights: as its configuration says, from the
 * adapter's folder on. */
static int
find_base(struct fine__opening *o)
{
    fine_context *ctx = o->model->ctx;
    const char *base = o->model->adapter->base;
    char *path;
    int rc;

    if (fine__weights_are_in(o->source))
        return 0;
    path = base[0] == '/' ? fine__strdup(ctx, base)
                          : fine__path_join(ctx, fine__source_name(o->source), base);
    if (path == NULL)
        return FINE_ENOMEM;
    rc = fine__source_open_folder(&o->base_folder, ctx, path);
    fine__free(ctx, path);
    if (rc < 0)
        fine__error_prefix("%s: the adapter's base, '%.200s' in adapter_config.json",
                           fine__source_name(o->source), base);
    return rc;
}

/* Saving puts the adapter somewhere else, so the base is named from the root. */
static int
name_base(struct fine__opening *o)
{
    struct fine__adapter *adapter = o->model->adapter;
    const struct fine__source *base = o->base_folder != NULL ? o->base_folder : o->source;
    char *path = fine__path_absolute(o->model->ctx, fine__source_name(base));

    if (path == NULL)
        path = fine__strdup(o->model->ctx, ".");        /* from memory */
    if (path == NULL)
        return FINE_ENOMEM;
    fine__free(o->model->ctx, adapter->base);
    adapter->base = path;
    return 0;
}

static int
read_adapter(struct fine__opening *o)
{
    fine_model *model = o->model;
    struct fine__json *config = NULL;
    struct fine__buf text;
    int rc;

    if (!fine__source_has(o->source, "adapter_config.json"))
        return o->options->adapter == NULL
                   ? 0 : fine__adapter_new(&model->adapter, model->ctx, o->options->adapter);
    if (o->options->adapter != NULL)
        return fine__fail(FINE_EINVAL, "%s: there is an adapter already (adapter_config.json); "
                          "merge it first, or open its base", fine__source_name(o->source));
    fine__buf_init(&text, model->ctx);
    rc = fine__source_read(o->source, "adapter_config.json", MAX_CONFIG, &text);
    if (rc == 0)
        rc = fine__json_parse(&config, model->ctx, text.data, text.length, "adapter_config.json");
    if (rc == 0)
        rc = fine__adapter_read(&model->adapter, model->ctx, config);
    fine__json_free(config);
    fine__buf_free(&text);
    if (rc == 0)
        rc = find_base(o);
    if (rc == 0)
        rc = fine__weights_open_file(&o->adapter, model->ctx, o->source,
                                     "adapter_model.safetensors");
    return rc;
}

/* ---- all together ---- */

static int
open_model(struct fine__opening *o)
{
    fine_model *model = o->model;

    FINE__TRY(read_adapter(o));
    if (model->adapter != NULL)
        FINE__TRY(name_base(o));
    FINE__TRY(read_config(o));
    FINE__TRY(read_sentence_length(o));
    FINE__TRY(open_tokenizer(o));
    FINE__TRY(read_preparing(o));
    if (model->prefix == NULL)
        FINE__TRY(fine__open_weights(o));
    FINE__TRY(fine__open_notes(o));
    model->family->build(model);
    if (model->adapter != NULL && !model->params.failed)
        FINE__TRY(fine__adapter_build(model));
    model->head_from = model->params.count;
    if (model->task != FINE__TASK_NONE)
        fine__head_build(model, model->head, fine__model_n_outputs(model));
    if (model->params.failed)
        return FINE_ENOMEM;
    FINE__TRY(fine__match_weights(o));
    FINE__TRY(fine__params_allocate(&model->params));
    FINE__TRY(fine__norms_allocate(model->ctx, &model->norms));
    FINE__TRY(fine__read_weights(o));
    return fine__model_freeze(model, "none");
}

int
fine__model_open(fine_model **out, fine_context *ctx, const struct fine__source *source,
                 const struct fine_model_options *options)
{
    fine_model *model = fine__alloc(ctx, sizeof *model);
    struct fine__opening o = { .model = model, .source = source, .options = options };

    if (model == NULL)
        return FINE_ENOMEM;
    memset(model, 0, sizeof *model);
    atomic_init(&model->references, 1);
    atomic_init(&model->sessions, 0);
    atomic_init(&model->training, false);
    model->ctx = fine__context_ref(ctx);
    model->wrapper = "";
    fine__params_init(&model->params, ctx);
    fine__buf_init(&model->config_text, ctx);
    fine__buf_init(&model->preprocessor, ctx);
    fine__buf_init(&model->card, ctx);
    model->base_name = fine__strdup(ctx, fine__path_name(fine__source_name(source)));
    int rc = model->base_name != NULL ? open_model(&o) : FINE_ENOMEM;

    fine__json_free(o.config);
    fine__json_free(o.notes);
    fine__weights_free(o.weights);
    fine__weights_free(o.head);
    fine__weights_free(o.adapter);
    fine__source_free(o.base_folder);
    fine__free(ctx, o.from);
    fine__free(ctx, o.buffers);
    if (rc < 0) {
        fine__model_unref(model);
        return rc;
    }
    *out = model;
    return 0;
}
