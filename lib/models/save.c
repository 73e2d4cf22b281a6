/*
 * save.c — a model folder that Hugging Face's tools read.
 *
 * With the family's own head the folder is one of its classes (BertForSequenceClassification)
 * and needs nothing else. With cls or mean pooling transformers has no such class: then it is the bare encoder, the head
 * lies in head.safetensors, and modules.json says how to pool for sentence-transformers.
 * All is written aside and renamed when it is complete (placing.c); the weights come last.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "models/adapter.h"
#include "models/answering.h"
#include "models/family.h"
#include "models/kinds.h"
#include "models/placing.h"
#include "text/tokenizer.h"
#include <finetune/version.h>

struct saving {
    fine_model *model;
    const char *folder;             /* where files are written now */
    bool whole;                     /* the head goes into model.safetensors */
    int64_t max_shard_bytes;
    struct fine__placing placing;
};

static int
write_file(const struct saving *s, const char *name, struct fine__buf *text)
{
    char *path = fine__path_join(s->model->ctx, s->folder, name);
    int rc = fine__buf_status(text);

    if (path == NULL)
        rc = FINE_ENOMEM;
    if (rc == 0)
        rc = fine__file_write(s->model->ctx, path, text->data, text->length);
    fine__free(s->model->ctx, path);
    fine__buf_free(text);
    return rc;
}

static void
json_text(struct fine__buf *out, const char *text)
{
    fine__buf_json_string(out, text, strlen(text));
}

/* ---- config.json: as it was opened, but for what the task changes ---- */

static bool
is_replaced(const struct saving *s, const char *key)
{
    static const char *const keys[] = { "architectures", "id2label", "label2id", "num_labels",
                                        "problem_type", "torch_dtype", "dtype", "_name_or_path" };
    static const char *const plain[] = { "num_classes", "label_names", "label_descriptions",
                                         "labels" };

    if (s->model->family->bare_architecture == NULL) {
        for (int64_t i = 0; i < FINE__COUNT(plain); i++)
            if (strcmp(plain[i], key) == 0)
                return s->model->n_labels > 0;
        return false;
    }
    for (int64_t i = 0; i < FINE__COUNT(keys); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return s->whole && s->model->head->reads == FINE__LAST_TOKEN && s->model->padding_id >= 0 &&
           strcmp(key, "pad_token_id") == 0;
}

/* As transformers calls what its classifiers learn; NULL for other classes. */
static const char *
problem_type(const fine_model *model)
{
    return model->task == FINE__CLASSIFY || model->task == FINE__CLASSIFY_IMAGE
               ? "single_label_classification"
           : model->task == FINE__MULTILABEL ? "multi_label_classification"
           : model->task == FINE__REGRESS    ? "regression" : NULL;
}

static void
write_labels(const fine_model *model, struct fine__buf *out)
{
    const char *single[] = { "LABEL_0" };
    const char *const *names = model->n_labels > 0 ? (const char *const *)model->labels : single;
    const int64_t n = model->n_labels > 0 ? model->n_labels : 1;

    fine__buf_text(out, ",\n  \"id2label\": {");
    for (int64_t i = 0; i < n; i++) {
        fine__buf_printf(out, "%s\"%lld\": ", i > 0 ? ", " : "", (long long)i);
        json_text(out, names[i]);
    }
    fine__buf_text(out, "},\n  \"label2id\": {");
    for (int64_t i = 0; i < n; i++) {
        fine__buf_text(out, i > 0 ? ", " : "");
        json_text(out, names[i]);
        fine__buf_printf(out, ": %lld", (long long)i);
    }
    fine__buf_text(out, "}");
}

static void
write_others(const struct saving *s, const struct fine__json *config, struct fine__buf *out)
{
    for (void *it = fine__json_first(config); it != NULL; it = fine__json_next(config, it)) {
        if (is_replaced(s, fine__json_key(it)))
            continue;
        fine__buf_text(out, out->length > 1 ? ",\n  " : "\n  ");
        json_text(out, fine__json_key(it));
        fine__buf_text(out, ": ");
        fine__json_write(fine__json_value(it), out);
    }
}

/* Of schools that aren't transformers': the number of classes and their names stand beside
 * the rest, where timm looks for them. */
static int
write_plain_config(const struct saving *s, const struct fine__json *config)
{
    const fine_model *model = s->model;
    struct fine__buf out;

    fine__buf_init(&out, model->ctx);
    fine__buf_byte(&out, '{');
    write_others(s, config, &out);
    if (model->n_labels > 0) {
        fine__buf_printf(&out, ",\n  \"num_classes\": %lld,\n  \"label_names\": [",
                         (long long)model->n_labels);
        for (int64_t i = 0; i < model->n_labels; i++) {
            fine__buf_text(&out, i > 0 ? ", " : "");
            json_text(&out, model->labels[i]);
        }
        fine__buf_byte(&out, ']');
    }
    fine__buf_text(&out, "\n}\n");
    return write_file(s, "config.json", &out);
}

static int
write_config(const struct saving *s)
{
    const fine_model *model = s->model;
    struct fine__json *config = NULL;
    struct fine__buf out;

    fine__buf_init(&out, model->ctx);
    FINE__TRY(fine__json_parse(&config, model->ctx, model->config_text.data,
                               model->config_text.length, "config.json"));
    if (model->family->bare_architecture == NULL) {
        const int rc = write_plain_config(s, config);

        fine__json_free(config);
        return rc;
    }
    fine__buf_text(&out, "{\n  \"architectures\": [");
    json_text(&out, s->whole ? model->head->architecture : model->family->bare_architecture);
    fine__buf_text(&out, "],\n  \"dtype\": \"float32\"");
    if (fine__kind(model->task)->least_labels > 0 || model->task == FINE__REGRESS)
        write_labels(model, &out);
    if (problem_type(model) != NULL) {
        fine__buf_text(&out, ",\n  \"problem_type\": ");
        json_text(&out, problem_type(model));
    }
    if (s->whole && model->head->reads == FINE__LAST_TOKEN && model->padding_id >= 0)
        fine__buf_printf(&out, ",\n  \"pad_token_id\": %lld", (long long)model->padding_id);
    write_others(s, config, &out);
    fine__buf_text(&out, "\n}\n");
    fine__json_free(config);
    return write_file(s, "config.json", &out);
}

/* ---- finetune.json ---- */

static void
member(struct fine__buf *out, const char *key, const char *value, bool *first)
{
    if (value == NULL)
        return;
    fine__buf_text(out, *first ? "" : ", ");
    *first = false;
    json_text(out, key);
    fine__buf_text(out, ": ");
    json_text(out, value);
}

/* Behind another member. */
static void
names(struct fine__buf *out, const char *key, char *const *texts, int64_t n)
{
    if (n == 0)
        return;
    fine__buf_printf(out, ", \"%s\": [", key);
    for (int64_t i = 0; i < n; i++) {
        fine__buf_text(out, i > 0 ? ", " : "");
        json_text(out, texts[i]);
    }
    fine__buf_text(out, "]");
}

static void
write_preparation(const struct fine__preparation *p, struct fine__buf *out)
{
    bool first = true;

    fine__buf_text(out, "{");
    member(out, "text", p->text, &first);
    member(out, "text_pair", p->text_pair, &first);
    member(out, "label", p->label, &first);
    member(out, "group", p->group, &first);
    member(out, "separator", p->separator, &first);
    member(out, "quote", p->quote, &first);
    member(out, "encoding", p->encoding, &first);
    member(out, "format", p->format, &first);
    member(out, "documents", p->documents, &first);
    member(out, "label_separator", p->label_separator, &first);
    member(out, "scheme", p->scheme, &first);
    member(out, "offsets", p->offsets, &first);
    fine__buf_printf(out, "%s\"header\": %s", first ? "" : ", ", p->header ? "true" : "false");
    names(out, "columns", p->columns, p->n_columns);
    names(out, "label_columns", p->label_columns, p->n_label_columns);
    fine__buf_text(out, "}");
}

static int
write_notes(const struct saving *s)
{
    const fine_model *model = s->model;
    struct fine__buf out;

    fine__buf_init(&out, model->ctx);
    fine__buf_text(&out, "{\n  \"format\": 1,\n  \"library\": \"libfinetune " FINE_VERSION_STRING
                         "\",\n  \"base\": {\"name\": ");
    json_text(&out, model->base_name);
    fine__buf_text(&out, ", \"fingerprint\": ");
    json_text(&out, model->base_fingerprint);
    fine__buf_text(&out, "},\n  \"task\": {\"type\": ");
    json_text(&out, fine__task_name(model->task));
    fine__buf_text(&out, ", \"pool\": ");
    json_text(&out, fine__pool_name(model->pool));
    if (model->n_channels == 0)
        fine__buf_printf(&out, ", \"max_length\": %lld, \"overlong\": \"%s\"",
                         (long long)model->max_length,
                         model->overlong_is_error                                       ? "error"
                         : model->task == FINE__ANSWER && model->answering.windows ? "window"
                                                                                        : "truncate");
    if (model->task == FINE__FILL_MASK) {
        fine__buf_text(&out, ", \"mask_rate\": ");
        fine__buf_number(&out, model->mask_rate);
        fine__buf_printf(&out, ", \"whole_words\": %s", model->whole_words ? "true" : "false");
    }
    if (model->task == FINE__TAG && model->words != FINE__WORDS_OF_DATA)
        fine__buf_printf(&out, ", \"words\": \"%s\"", fine__words_name(model->words));
    if (model->task == FINE__TAG)
        fine__buf_printf(&out, ", \"label_pieces\": \"%s\"",
                         model->label_all_pieces ? "all" : "first");
    if (model->task == FINE__ANSWER)
        fine__answering_write(&model->answering, &out);
    fine__buf_text(&out, ", \"labels\": [");
    for (int64_t i = 0; i < model->n_labels; i++) {
        fine__buf_text(&out, i > 0 ? ", " : "");
        json_text(&out, model->labels[i]);
    }
    fine__buf_text(&out, "]},\n  \"data\": ");
    write_preparation(&model->preparation, &out);
    fine__buf_text(&out, "\n}\n");
    return write_file(s, "finetune.json", &out);
}

/* ---- preprocessor_config.json ---- */

static int
write_preparing(const struct saving *s)
{
    struct fine__buf out;

    fine__buf_init(&out, s->model->ctx);
    if (s->model->preprocessor.length > 0) {        /* nothing in it has changed */
        fine__buf_append(&out, s->model->preprocessor.data, s->model->preprocessor.length);
        return write_file(s, "preprocessor_config.json", &out);
    }
    const int rc = fine__preparing_write(&s->model->preparing, &out);

    if (rc < 0) {
        fine__buf_free(&out);
        return rc;
    }
    return write_file(s, "preprocessor_config.json", &out);
}

/* ---- for sentence-transformers ---- */

static int
write_pooling(const struct saving *s)
{
    const fine_model *model = s->model;
    struct fine__buf out;
    char *folder = fine__path_join(model->ctx, s->folder, "1_Pooling");
    int rc = folder != NULL ? fine__mkdirs(model->ctx, folder) : FINE_ENOMEM;

    fine__free(model->ctx, folder);
    FINE__TRY(rc);
    fine__buf_init(&out, model->ctx);
    fine__buf_printf(&out, "{\n  \"word_embedding_dimension\": %lld,\n"
                     "  \"pooling_mode_cls_token\": %s,\n  \"pooling_mode_mean_tokens\": %s,\n"
                     "  \"pooling_mode_max_tokens\": false,\n"
                     "  \"pooling_mode_mean_sqrt_len_tokens\": false\n}\n",
                     (long long)model->params.list[0].tensor.shape[1],
                     model->pool == FINE__POOL_CLS ? "true" : "false",
                     model->pool == FINE__POOL_MEAN ? "true" : "false");
    FINE__TRY(write_file(s, "1_Pooling/config.json", &out));
    fine__buf_printf(&out, "{\n  \"max_seq_length\": %lld,\n  \"do_lower_case\": false\n}\n",
                     (long long)model->max_length);
    FINE__TRY(write_file(s, "sentence_bert_config.json", &out));
    fine__buf_text(&out,
                   "[\n  {\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                   "\"sentence_transformers.models.Transformer\"},\n"
                   "  {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
                   "\"sentence_transformers.models.Pooling\"}\n]\n");
    return write_file(s, "modules.json", &out);
}

static int
remove_file(const struct saving *s, const char *name)
{
    char *path = fine__path_join(s->model->ctx, s->folder, name);
    int rc = path != NULL ? fine__remove_tree(s->model->ctx, path) : FINE_ENOMEM;

    fine__free(s->model->ctx, path);
    return rc;
}

static int
remove_pooling(const struct saving *s)
{
    static const char *const names[] = { "head.safetensors", "modules.json", "1_Pooling",
                                         "sentence_bert_config.json" };

    for (int64_t i = 0; i < FINE__COUNT(names); i++)
        FINE__TRY(remove_file(s, names[i]));
    return 0;
}

/* ---- the card, where nobody wrote a better one ---- */

static int
write_card(const struct saving *s)
{
    const fine_model *model = s->model;
    struct fine__buf out;

    fine__buf_init(&out, model->ctx);
    if (model->card.length > 0) {
        fine__buf_append(&out, model->card.data, model->card.length);
    } else {
        fine__buf_text(&out, "# A fine-tuned model\n\nMade with libfinetune " FINE_VERSION_STRING
                             " from `");
        fine__buf_text(&out, model->base_name);
        fine__buf_printf(&out, "` for the task `%s`", fine__task_name(model->task));
        if (model->n_channels == 0)
            fine__buf_printf(&out, " (pooling: %s)", fine__pool_name(model->pool));
        fine__buf_text(&out, ".\n");
    }
    return write_file(s, "README.md", &out);
}

/* ---- weights ---- */

static bool
belongs(const struct saving *s, const struct fine__param *param, bool head_file)
{
    const fine_model *model = s->model;

    if (model->adapter != NULL)     /* what is changed, and the head; the weights stay at home */
        return param->is_adapter || param->is_head;

    if (param->is_head)
        return head_file != s->whole;
    /* A pooler that is neither the checkpoint's nor the task's; or one that the class lacks. */
    if (param->stage == model->n_layers + 1 &&
        (!model->has_pooler || (s->whole && !model->head->pooler)))
        return false;
    return !head_file;
}

/* transformers' names begin as its classes want; of other schools they stay as they came. */
static void
add_name(const struct saving *s, const char *name, bool is_head, struct fine__buf *out)
{
    const fine_model *model = s->model;

    if (model->family->bare_architecture == NULL || (model->adapter != NULL && is_head)) {
        fine__buf_text(out, name);
    } else if (model->adapter != NULL) {
        const char *rest = name + strlen(FINE__ADAPTER_PREFIX) + strlen(model->prefix);

        fine__buf_text(out, FINE__ADAPTER_PREFIX);
        fine__buf_text(out, s->whole ? model->family->prefix : "");
        fine__buf_text(out, rest);
    } else if (is_head) {
        fine__buf_text(out, name + strlen(model->wrapper));
    } else {
        fine__buf_text(out, s->whole ? model->family->prefix : "");
        fine__buf_text(out, name + strlen(model->prefix));
    }
    fine__buf_byte(out, '\0');
}

static bool
is_buffer_written(const struct saving *s, int64_t i, bool head_file)
{
    const struct fine__norm *norm = &s->model->norms.list[i / FINE__N_BUFFERS];

    return !head_file && !(i % FINE__N_BUFFERS == FINE__BATCHES && norm->uncounted);
}

/* What goes into a file, under the names of the model. */
static int64_t
list_weights(const struct saving *s, bool head_file, struct fine__weight_out *list,
             struct fine__buf *names)
{
    const struct fine__params *params = &s->model->params;
    const struct fine__norms *norms = &s->model->norms;
    int64_t n = 0;

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__param *param = &params->list[i];

        if (!belongs(s, param, head_file))
            continue;
        list[n++] = (struct fine__weight_out){ .shape = param->tensor.shape,
                                               .n_dims = param->tensor.n_dims, .type = FINE_F32,
                                               .data = param->tensor.data };
        add_name(s, param->name, param->is_head, names);
    }
    for (int64_t i = 0; i < norms->count * FINE__N_BUFFERS; i++) {
        if (!is_buffer_written(s, i, head_file))
            continue;
        list[n] = fine__norm_entry(&norms->list[i / FINE__N_BUFFERS], norms,
                                   (enum fine__buffer)(i % FINE__N_BUFFERS));
        add_name(s, list[n++].name, false, names);
    }
    return n;
}

/* A head or an adapter as a file of that name; NULL: the model's weights. */
static int
write_weights(struct saving *s, const char *file, bool head_file)
{
    static const char *const metadata[] = { "format", "pt" };
    const fine_model *model = s->model;
    const int64_t most = model->params.count + model->norms.count * FINE__N_BUFFERS;
    struct fine__weight_out *list = fine__alloc_array(model->ctx, (size_t)most, sizeof *list);
    char *path = fine__path_join(model->ctx, s->folder, file != NULL ? file : "");
    struct fine__buf names;
    int64_t n = 0;
    int rc = list == NULL || path == NULL ? FINE_ENOMEM : 0;

    fine__buf_init(&names, model->ctx);
    if (rc == 0) {
        n = list_weights(s, head_file, list, &names);
        rc = fine__buf_status(&names);
    }
    const char *name = names.data;

    for (int64_t i = 0; rc == 0 && i < n; i++, name += strlen(name) + 1)
        list[i].name = name;
    if (rc == 0)
        rc = file != NULL ? fine__safetensors_write(model->ctx, path, list, n, metadata, 1)
                          : fine__placing_write(&s->placing, list, n, s->max_shard_bytes);
    fine__free(model->ctx, list);
    fine__free(model->ctx, path);
    fine__buf_free(&names);
    return rc;
}

/* PEFT's configuration. */
static int
write_adapter(struct saving *s)
{
    struct fine__buf config;

    FINE__TRY(write_weights(s, "adapter_model.safetensors", false));
    fine__buf_init(&config, s->model->ctx);
    fine__adapter_write_config(s->model, &config);
    return write_file(s, "adapter_config.json", &config);
}

/* ---- all together: aside, then into place ---- */

static int
write_all(struct saving *s)
{
    const fine_model *model = s->model;

    FINE__TRY(write_config(s));
    if (model->task != FINE__TASK_NONE)
        FINE__TRY(write_notes(s));
    FINE__TRY(write_card(s));
    if (model->n_channels > 0)
        FINE__TRY(write_preparing(s));
    if (model->tokenizer != NULL)
        FINE__TRY(fine__tokenizer_save(model->tokenizer, model->ctx, s->folder));
    if (model->adapter != NULL)
        return write_adapter(s);
    if (!s->whole && model->task != FINE__TASK_NONE) {
        FINE__TRY(write_pooling(s));
        FINE__TRY(write_weights(s, "head.safetensors", true));
    }
    return write_weights(s, NULL, false);
}

/* Weights that an earlier model left here would pass for the adapter's base. */
static int
place_adapter(struct saving *s)
{
    fine_context *ctx = s->model->ctx;
    char *here = fine__path_absolute(ctx, s->placing.folder);
    const bool at_home = here != NULL && strcmp(here, s->model->adapter->base) == 0;

    fine__free(ctx, here);
    FINE__TRY(fine__placing_move(&s->placing, "adapter_model.safetensors"));
    if (!at_home)
        FINE__TRY(fine__placing_remove_weights(&s->placing));
    return fine__placing_move(&s->placing, "adapter_config.json");
}

static int
place_all(struct saving *s)
{
    FINE__TRY(fine__placing_move_files(&s->placing));
    s->folder = s->placing.folder;
    if (s->model->adapter != NULL)
        return place_adapter(s);
    FINE__TRY(remove_file(s, "adapter_config.json"));
    FINE__TRY(remove_file(s, "adapter_model.safetensors"));
    if (s->whole || s->model->task == FINE__TASK_NONE)
        FINE__TRY(remove_pooling(s));
    return fine__placing_move_weights(&s->placing);
}

int
fine__model_save(fine_model *model, const char *folder, int64_t max_shard_bytes)
{
    struct saving s = { .model = model, .max_shard_bytes = max_shard_bytes };
    int rc;

    s.whole = model->head != NULL && model->head->architecture != NULL;
    FINE__TRY(fine__placing_begin(&s.placing, model->ctx, folder));
    s.folder = s.placing.aside;
    rc = write_all(&s);
    if (rc == 0)
        rc = place_all(&s);
    fine__placing_end(&s.placing);
    return rc;
}
