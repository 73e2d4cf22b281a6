/*
 * notes.c — which task an opened model has: what this library noted when it saved the model,
 * or else what config.json and the names of the weights say.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "models/answering.h"
#include "models/open.h"

enum { MAX_NOTES = 64 << 20 };

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
    if (n > FINE__MAX_LABELS)
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

/* Copies a list of texts. */
static int
copy_texts(fine_context *ctx, const struct fine__json *object, const char *key, char ***out,
           int64_t *n_out)
{
    const struct fine__json *list = fine__json_get(object, key);
    const int64_t n = fine__json_count(list);

    if (n == 0 || n > 10000)
        return 0;
    *out = fine__alloc_array(ctx, (size_t)n, sizeof **out);
    if (*out == NULL)
        return FINE_ENOMEM;
    for (; *n_out < n; ++*n_out) {
        const char *name = fine__json_string(fine__json_at(list, *n_out), NULL);

        (*out)[*n_out] = fine__strdup(ctx, name != NULL ? name : "");
        if ((*out)[*n_out] == NULL)
            return FINE_ENOMEM;
    }
    return 0;
}

static int
read_preparation(fine_model *model, const struct fine__json *data)
{
    struct fine__preparation *p = &model->preparation;
    const struct {
        const char *key;
        char **out;
    } texts[] = {
        { "text", &p->text }, { "text_pair", &p->text_pair }, { "label", &p->label },
        { "group", &p->group }, { "separator", &p->separator }, { "quote", &p->quote },
        { "encoding", &p->encoding }, { "format", &p->format },
        { "documents", &p->documents },
        { "label_separator", &p->label_separator }, { "scheme", &p->scheme },
        { "offsets", &p->offsets },
    };

    for (int64_t i = 0; i < FINE__COUNT(texts); i++)
        FINE__TRY(copy_text(model->ctx, data, texts[i].key, texts[i].out));
    p->header = fine__json_bool(fine__json_get(data, "header"), true) ? 1 : 0;
    FINE__TRY(copy_texts(model->ctx, data, "columns", &p->columns, &p->n_columns));
    return copy_texts(model->ctx, data, "label_columns", &p->label_columns, &p->n_label_columns);
}

/* finetune.json: what this library wrote when it saved the model. */
static int
read_notes(struct fine__opening *o)
{
    fine_model *model = o->model;
    struct fine__buf text;
    int rc;

    if (!fine__source_has(o->source, "finetune.json"))
        return 0;
    fine__buf_init(&text, model->ctx);
    rc = fine__source_read(o->source, "finetune.json", MAX_NOTES, &text);
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
    if (model->n_labels < fine__kind(model->task)->least_labels)
        return fine__fail(FINE_EFORMAT, "finetune.json: 'task' has fewer labels than '%s' needs",
                          type);
    model->head = fine__head_find(model->family, model->task, model->pool);
    if (model->head == NULL)
        return fine__fail(FINE_EFORMAT, "finetune.json: a %s model has no task '%s'",
                          model->family->name, type);
    model->max_length = fine__json_int(fine__json_get(task, "max_length"), model->max_positions);
    if (model->n_channels > 0)
        model->max_length = 0;
    else if (model->max_length < 3 || model->max_length > model->max_positions)
        return fine__fail(FINE_EFORMAT, "finetune.json: 'max_length' is not within the model's "
                          "limit of %lld", (long long)model->max_positions);
    const char *overlong = fine__json_string(fine__json_get(task, "overlong"), NULL);

    model->overlong_is_error = overlong != NULL && strcmp(overlong, "error") == 0;
    model->mask_rate = fine__json_double(fine__json_get(task, "mask_rate"), FINE__MASK_RATE);
    model->whole_words = fine__json_bool(fine__json_get(task, "whole_words"), false);
    if (!(model->mask_rate > 0 && model->mask_rate <= 1))
        return fine__fail(FINE_EFORMAT, "finetune.json: 'mask_rate' is not within 0 and 1");
    const char *words = fine__json_string(fine__json_get(task, "words"), NULL);
    const char *pieces = fine__json_string(fine__json_get(task, "label_pieces"), NULL);

    if (words != NULL && !fine__words_find(words, &model->words))
        return fine__fail(FINE_EFORMAT, "finetune.json: 'words' is neither blanks nor tokenizer");
    model->label_all_pieces = pieces != NULL && strcmp(pieces, "all") == 0;
    if (model->task == FINE__ANSWER)
        FINE__TRY(fine__answering_note(&model->answering, task, model->max_length));
    if (base != NULL && strlen(base) == 32)
        memcpy(model->base_fingerprint, base, 33);
    return read_preparation(model, fine__json_get(o->notes, "data"));
}

/* ---- without finetune.json: a checkpoint that brings a head is taken at its word ---- */

/* The name of what a head is known by: its output, or the bias where that is tied. */
static bool
has_head(const struct fine__opening *o, const struct fine__head *head)
{
    char name[160];
    int64_t index;

    if (head->tied && head->bias == NULL)
        return true;
    if (head->tied)
        snprintf(name, sizeof name, "%s%s", o->model->wrapper, head->bias);
    else
        snprintf(name, sizeof name, "%s%s.weight", o->model->wrapper, head->out);
    return fine__opening_head(o, name, &index) != NULL;
}

/* The head of the class that config.json names; else that of any text's class. */
static const struct fine__head *
find_head(const struct fine__opening *o)
{
    const struct fine__json *classes = fine__json_get(o->config, "architectures");
    const char *name = fine__json_string(fine__json_at(classes, 0), NULL);
    const struct fine__head *heads = o->model->family->heads;

    for (const struct fine__head *head = heads; name != NULL && head->out != NULL; head++)
        if (strcmp(head->architecture, name) == 0)
            return has_head(o, head) ? head : NULL;
    return has_head(o, heads) ? heads : NULL;
}

static int
text_task(struct fine__opening *o, int64_t n)
{
    fine_model *model = o->model;
    const char *problem = fine__json_string(fine__json_get(o->config, "problem_type"), NULL);

    model->task = FINE__CLASSIFY;
    if (problem != NULL && strcmp(problem, "multi_label_classification") == 0) {
        model->task = FINE__MULTILABEL;
    } else if (n == 1 || (problem != NULL && strcmp(problem, "regression") == 0)) {
        if (n != 1)
            return fine__fail(FINE_EUNSUPPORTED, "config.json: regression with %lld outputs; only "
                              "one is supported", (long long)n);
        model->task = FINE__REGRESS;
    }
    return 0;
}

static int
task_from_config(struct fine__opening *o)
{
    fine_model *model = o->model;
    const struct fine__head *head = find_head(o);
    char name[160];
    int64_t n = 0;

    if (head == NULL)
        return 0;
    if (!head->tied) {
        snprintf(name, sizeof name, "%s%s.weight", model->wrapper, head->out);
        int64_t index;
        const struct fine__weights *weights = fine__opening_head(o, name, &index);
        const struct fine__weight *weight = fine__weights_at(weights, index);

        n = weight->n_dims == 2 ? weight->shape[0] : 0;
        if (n < 1 || n > FINE__MAX_LABELS)
            return fine__fail(FINE_ESHAPE, "'%s' has no shape that a head could have", name);
    }
    if (head->tasks & FINE__TASK_BIT(FINE__CLASSIFY))
        FINE__TRY(text_task(o, n));
    else
        for (int task = FINE__TASK_NONE + 1; task < FINE__N_TASKS; task++)
            if (head->tasks & FINE__TASK_BIT(task))
                model->task = (enum fine__task)task;
    model->head = head;
    if (model->task == FINE__ANSWER) {
        if (model->max_length > FINE__ANSWER_LENGTH)
            model->max_length = FINE__ANSWER_LENGTH;
        fine__answering_default(&model->answering, model->max_length);
    }
    if (fine__kind(model->task)->least_labels == 0)
        return 0;
    const int64_t said = fine__json_int(fine__json_get(o->config, "num_classes"), n);

    if (said != n)
        return fine__fail(FINE_ESHAPE, "config.json: 'num_classes' is %lld, but '%s' has %lld rows",
                          (long long)said, name, (long long)n);
    if (n < fine__kind(model->task)->least_labels)
        return fine__fail(FINE_ESHAPE, "'%s' has one row, and the task needs two labels", name);
    if (fine__json_count(fine__json_get(o->config, "id2label")) == n)
        return read_labels(model, fine__json_get(o->config, "id2label"), "config.json: id2label");
    if (fine__json_count(fine__json_get(o->config, "label_names")) == n)
        return read_labels(model, fine__json_get(o->config, "label_names"),
                           "config.json: label_names");
    struct fine_task_options options = { .n_labels = n };

    return fine__model_name_labels(model, &options);
}

int
fine__open_notes(struct fine__opening *o)
{
    FINE__TRY(read_notes(o));
    return o->notes == NULL && o->weights != NULL ? task_from_config(o) : 0;
}
