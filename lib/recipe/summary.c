/*
 * summary.c — what a run comes to: the done line, recipe.yaml, and the pages to read.
 *
 * Numbers and names only, never a text of the data.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "models/model.h"
#include "recipe/run.h"
#include "report/report.h"
#include "tensor/gemm.h"
#include <finetune/train.h>
#include <finetune/version.h>

/* ---- writing JSON ---- */

static void
comma(struct fine__buf *out)
{
    char last = out->length > 0 ? out->data[out->length - 1] : '{';

    if (last != '{' && last != '[')
        fine__buf_byte(out, ',');
}

static void
key(struct fine__buf *out, const char *name)
{
    comma(out);
    fine__buf_json_string(out, name, strlen(name));
    fine__buf_byte(out, ':');
}

static void
put_text(struct fine__buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    key(out, name);
    fine__buf_json_string(out, value, strlen(value));
}

static void
put_number(struct fine__buf *out, const char *name, double value)
{
    key(out, name);
    fine__buf_number(out, value);
}

static void
put_integer(struct fine__buf *out, const char *name, int64_t value)
{
    key(out, name);
    fine__buf_printf(out, "%lld", (long long)value);
}

static void
put_json(struct fine__buf *out, const char *name, const struct fine__json *value)
{
    if (!value)
        return;
    key(out, name);
    if (fine__json_write(value, out) < 0)
        out->failed = true;
}

/* ---- done ---- */

/* {"n": …, "loss": …, "accuracy": …, …, "groups": {…}}: a report's metrics made flat. */
static void
put_result(struct fine__buf *out, const char *name, const fine_report *report)
{
    const struct fine__json *root = fine__report_root(report);
    const struct fine__json *metrics = fine__json_get(root, "metrics");
    const struct fine__json *groups = fine__json_get(root, "groups");

    key(out, name);
    fine__buf_byte(out, '{');
    put_json(out, "n", fine__json_get(root, "n"));
    for (void *at = fine__json_first(metrics); at; at = fine__json_next(metrics, at))
        if (strcmp(fine__json_key(at), "n") != 0)
            put_json(out, fine__json_key(at), fine__json_value(at));
    if (fine__json_count(groups) > 0)
        put_json(out, "groups", groups);
    fine__buf_byte(out, '}');
}

static void
put_counts(struct fine__buf *out, const struct fine__inputs *inputs,
           int64_t (*count)(const fine_dataset *), const char *name)
{
    key(out, name);
    fine__buf_byte(out, '{');
    put_integer(out, "train", count(inputs->train));
    if (inputs->validation)
        put_integer(out, "validation", count(inputs->validation));
    if (inputs->test)
        put_integer(out, "test", count(inputs->test));
    fine__buf_byte(out, '}');
}

int
fine__summary_write(const fine_recipe *recipe, const struct fine__inputs *inputs,
                    const struct fine__outcome *outcome, struct fine__buf *out)
{
    const struct fine__json *fit = fine__report_root(outcome->fit);
    char *model = fine__path_join(recipe->ctx, outcome->folder, "model");
    char *page = fine__path_join(recipe->ctx, outcome->folder, "report.html");

    fine__buf_text(out, "{\"event\":\"done\"");
    put_integer(out, "step", outcome->steps);
    put_json(out, "n_steps", fine__json_get(fit, "n_steps"));
    put_integer(out, "best_step", outcome->best_step);
    put_json(out, "stopped_early", fine__json_get(fit, "stopped_early"));
    put_json(out, "metric", fine__json_get(fit, "metric"));
    key(out, "metrics");
    fine__buf_byte(out, '{');
    if (outcome->validation)
        put_result(out, "validation", outcome->validation);
    if (outcome->test)
        put_result(out, "test", outcome->test);
    fine__buf_byte(out, '}');
    put_counts(out, inputs, fine_dataset_count, "rows");
    put_counts(out, inputs, fine_dataset_skipped, "skipped");
    key(out, "truncated");
    fine__buf_byte(out, '{');
    put_integer(out, "train", outcome->n_truncated[0]);
    if (inputs->validation)
        put_integer(out, "validation", outcome->n_truncated[1]);
    fine__buf_byte(out, '}');
    put_text(out, "model", model);
    put_text(out, "report", page);
    put_number(out, "seconds", (double)(int64_t)(outcome->seconds * 1000 + 0.5) / 1000);
    put_integer(out, "peak_bytes", fine_context_peak_bytes(recipe->ctx));
    fine__buf_byte(out, '}');
    if (!model || !page)
        out->failed = true;
    fine__free(recipe->ctx, model);
    fine__free(recipe->ctx, page);
    return fine__buf_status(out);
}

/* ---- recipe.yaml ---- */

/* A path that holds wherever the process goes. */
static char *
absolute(fine_context *ctx, const char *path)
{
    char here[4096];

    if (path[0] == '/' || !getcwd(here, sizeof here))
        return fine__strdup(ctx, path);
    return strcmp(path, ".") == 0 ? fine__strdup(ctx, here) : fine__path_join(ctx, here, path);
}

static int
fill_text(fine_recipe *recipe, int id, const char *text)
{
    struct fine__value *v = &recipe->values[id];
    char **items = fine__alloc_array(recipe->ctx, 1, sizeof *items);

    if (!items)
        return FINE_ENOMEM;
    fine__value_free(recipe->ctx, v);
    v->items = items;
    items[0] = fine__strdup(recipe->ctx, text);
    if (!items[0])
        return FINE_ENOMEM;
    v->n_items = 1;
    v->given = true;
    return FINE_OK;
}

/* Labels that were found are part of what was decided; a list that would make the recipe too
 * long to be read again is left out. */
static int
fill_labels(fine_recipe *recipe, const fine_model *model)
{
    struct fine__value *v = &recipe->values[FINE__TASK_LABELS];
    int64_t n = fine_model_n_labels(model);
    size_t bytes = 0;

    for (int64_t i = 0; i < n; i++)
        bytes += 4 * strlen(fine_model_label(model, i)) + 4;
    if (v->n_items > 0 || n == 0 || bytes > FINE__YAML_MAX_BYTES / 2)
        return FINE_OK;
    v->items = fine__alloc_array(recipe->ctx, (size_t)n, sizeof *v->items);
    if (!v->items)
        return FINE_ENOMEM;
    v->is_list = v->given = true;
    for (; v->n_items < n; v->n_items++) {
        v->items[v->n_items] = fine__strdup(recipe->ctx, fine_model_label(model, v->n_items));
        if (!v->items[v->n_items])
            return FINE_ENOMEM;
    }
    return FINE_OK;
}

/* Defaults that are the task's, and what the training data decided. */
static int
fill_answering(fine_recipe *recipe, const fine_model *model)
{
    static const struct {
        int key;
        const char *text;
    } columns[] = {
        { FINE__DATA_TEXT, "question" },
        { FINE__DATA_TEXT_PAIR, "context" },
        { FINE__DATA_LABEL, "answers" },
    };
    struct fine__value *stride = &recipe->values[FINE__DATA_STRIDE];

    for (int64_t i = 0; i < FINE__COUNT(columns); i++)
        if (!recipe->values[columns[i].key].given)
            FINE__TRY(fill_text(recipe, columns[i].key, columns[i].text));
    stride->integer = model->answering.stride;
    stride->given = stride->integer > 0;
    recipe->values[FINE__TASK_NO_ANSWER].flag = model->answering.no_answer;
    recipe->values[FINE__TASK_NO_ANSWER].given = true;
    return fill_text(recipe, FINE__DATA_OVERLONG,
                     model->overlong_is_error   ? "error"
                     : model->answering.windows ? "window"
                                                : "truncate");
}

static int
fill(fine_recipe *recipe, const struct fine__inputs *inputs, const char *folder)
{
    struct fine__value *longest = &recipe->values[FINE__DATA_MAX_LENGTH];

    FINE__TRY(fill_labels(recipe, inputs->model));
    if (inputs->model->task == FINE__ANSWER)
        FINE__TRY(fill_answering(recipe, inputs->model));
    longest->integer = fine_model_max_length(inputs->model);
    longest->given = true;
    return fill_text(recipe, FINE__OUTPUT_DIR, folder);
}

int
fine__summary_recipe(const fine_recipe *recipe, const struct fine__inputs *inputs,
                     const char *folder, struct fine__buf *out)
{
    fine_recipe *copy = NULL;
    char *base = absolute(recipe->ctx, recipe->folder);
    char *target = absolute(recipe->ctx, folder);
    int rc = base && target ? fine__recipe_copy(&copy, recipe) : FINE_ENOMEM;

    if (rc == FINE_OK)
        rc = fill(copy, inputs, target);
    if (rc == FINE_OK) {
        fine__buf_text(out, "# As resolved by libfinetune " FINE_VERSION_STRING
                            ": every default spelled out, paths absolute.\n");
        fine__recipe_write(copy, out, base);
        rc = fine__buf_status(out);
    }
    fine__recipe_free(copy);
    fine__free(recipe->ctx, base);
    fine__free(recipe->ctx, target);
    return rc;
}

/* ---- pages ---- */

static void
put_key(const fine_recipe *recipe, struct fine__buf *out, int id, const char *name)
{
    const struct fine__key *k = &fine__keys[id];
    struct fine__buf text;

    if (!fine__recipe_applies(recipe, id) || !fine__value_is_set(k, &recipe->values[id]))
        return;
    if (k->kind == FINE__KEY_NUMBER || k->kind == FINE__KEY_POSITIVE) {
        put_number(out, name, recipe->values[id].number);
        return;
    }
    fine__buf_init(&text, out->ctx);
    fine__value_write(&text, k, &recipe->values[id], NULL);
    if (fine__buf_status(&text) < 0)
        out->failed = true;
    put_text(out, name, fine__buf_cstr(&text));
    fine__buf_free(&text);
}

static void
write_training(const fine_recipe *recipe, const fine_model *model, struct fine__buf *out)
{
    fine__buf_byte(out, '{');
    put_key(recipe, out, FINE__TASK_POOL, "pool");
    put_integer(out, "max_length", fine_model_max_length(model));
    put_key(recipe, out, FINE__TRAIN_EPOCHS, "epochs");
    put_key(recipe, out, FINE__TRAIN_STEPS, "steps");
    put_key(recipe, out, FINE__TRAIN_BATCH_SIZE, "batch_size");
    put_key(recipe, out, FINE__TRAIN_ACCUMULATE, "accumulate");
    put_key(recipe, out, FINE__OPTIMIZER_TYPE, "optimizer");
    put_key(recipe, out, FINE__OPTIMIZER_LEARNING_RATE, "learning_rate");
    put_key(recipe, out, FINE__OPTIMIZER_HEAD_LEARNING_RATE, "head_learning_rate");
    put_key(recipe, out, FINE__OPTIMIZER_WEIGHT_DECAY, "weight_decay");
    put_key(recipe, out, FINE__SCHEDULE_TYPE, "schedule");
    put_key(recipe, out, FINE__SCHEDULE_WARMUP, "warmup");
    put_key(recipe, out, FINE__TRAIN_CLIP_NORM, "clip_norm");
    put_key(recipe, out, FINE__TRAIN_FREEZE, "frozen");
    put_key(recipe, out, FINE__TRAIN_SEED, "seed");
    fine__buf_byte(out, '}');
}

static void
write_facts(const fine_recipe *recipe, const struct fine__inputs *inputs,
            const struct fine__outcome *outcome, struct fine__buf *out)
{
    int64_t all = 0, trained = 0;
    struct fine_param_info info = { .struct_size = sizeof info };

    for (int64_t i = 0; fine_model_param(inputs->model, i, &info) == FINE_OK; i++) {
        all += info.count;
        trained += info.frozen ? 0 : info.count;
    }
    fine__buf_byte(out, '{');
    put_text(out, "library version", fine_version());
    put_text(out, "family", fine_model_family(inputs->model));
    put_integer(out, "parameters", all);
    put_integer(out, "trained parameters", trained);
    put_text(out, "base model's fingerprint", fine_model_fingerprint(inputs->model));
    put_text(out, "training data's fingerprint", outcome->fingerprints[0]);
    if (outcome->fingerprints[1][0])
        put_text(out, "validation data's fingerprint", outcome->fingerprints[1]);
    put_integer(out, "n_threads", fine_context_n_threads(recipe->ctx));
    put_text(out, "BLIS architecture", fine__gemm_name(recipe->ctx));
    put_number(out, "seconds", outcome->seconds);
    put_integer(out, "peak_bytes", fine_context_peak_bytes(recipe->ctx));
    fine__buf_byte(out, '}');
}

static void
put_description(struct fine__buf *out, const char *name, fine_dataset *dataset)
{
    const char *text = dataset ? fine_dataset_describe(dataset) : NULL;

    if (!text) {
        out->failed |= dataset != NULL;
        return;
    }
    key(out, name);
    fine__buf_text(out, text);
}

static void
note(struct fine__buf *out, const char *format, int64_t n, int64_t of)
{
    char text[200];

    comma(out);
    (void)snprintf(text, sizeof text, format, (long long)n, (long long)of);
    fine__buf_json_string(out, text, strlen(text));
}

static void
write_notes(const struct fine__inputs *inputs, const struct fine__outcome *outcome,
            struct fine__buf *out)
{
    fine__buf_byte(out, '[');
    if (!outcome->fit)
        note(out, "This run was stopped after step %lld and can go on.", outcome->steps, 0);
    else if (!inputs->validation)
        note(out, "There were no validation data: the weights of the last step, %lld, were kept.",
             outcome->steps, 0);
    if (outcome->n_truncated[0] > 0)
        note(out, "%lld of %lld training texts were longer than the model reads, and were cut.",
             outcome->n_truncated[0], fine_dataset_count(inputs->train));
    if (outcome->n_truncated[1] > 0)
        note(out, "%lld of %lld validation texts were longer than the model reads, and were cut.",
             outcome->n_truncated[1], fine_dataset_count(inputs->validation));
    if (fine_dataset_skipped(inputs->train) > 0)
        note(out, "%lld rows of the training data could not be read and were left out.",
             fine_dataset_skipped(inputs->train), 0);
    fine__buf_byte(out, ']');
}

struct texts {
    struct fine__buf data, facts, training, notes, recipe;
    const char **labels;
    char *model;
};

static int
write_texts(struct texts *t, const fine_recipe *recipe, const struct fine__inputs *inputs,
            const struct fine__outcome *outcome)
{
    struct fine__buf *all[] = { &t->data, &t->facts, &t->training, &t->notes, &t->recipe };
    int64_t n = fine_model_n_labels(inputs->model);

    fine__buf_byte(&t->data, '{');
    put_description(&t->data, "train", inputs->train);
    put_description(&t->data, "validation", inputs->validation);
    put_description(&t->data, "test", inputs->test);
    fine__buf_byte(&t->data, '}');
    write_facts(recipe, inputs, outcome, &t->facts);
    write_training(recipe, inputs->model, &t->training);
    write_notes(inputs, outcome, &t->notes);
    fine__recipe_write(recipe, &t->recipe, NULL);
    t->labels = fine__alloc_array(recipe->ctx, (size_t)n, sizeof *t->labels);
    t->model = fine__path_join(recipe->ctx, outcome->folder, "model");
    if (!t->labels || !t->model)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        t->labels[i] = fine_model_label(inputs->model, i);
    for (int64_t i = 0; i < FINE__COUNT(all); i++)
        FINE__TRY(fine__buf_status(all[i]));
    return FINE_OK;
}

static int
write_pages(struct fine__report_data *data, const struct texts *t, const fine_recipe *recipe,
            const struct fine__inputs *inputs, const struct fine__outcome *outcome,
            struct fine__buf *page, struct fine__buf *card)
{
    data->title = fine__path_name(outcome->folder);
    data->task = fine_model_task(inputs->model);
    data->metric = fine__recipe_text(recipe, FINE__EARLY_METRIC);
    data->base_model = fine__path_name(fine__recipe_text(recipe, FINE__MODEL_PATH));
    data->model_path = t->model;
    data->labels = t->labels;
    data->n_labels = fine_model_n_labels(inputs->model);
    data->data = t->data.data;
    data->facts = t->facts.data;
    data->training = t->training.data;
    data->notes = t->notes.data;
    data->recipe = fine__buf_cstr(&t->recipe);
    FINE__TRY(fine__report_html(data, page));
    return card ? fine__report_card(data, card) : FINE_OK;
}

int
fine__summary_pages(const fine_recipe *recipe, const struct fine__inputs *inputs,
                    const struct fine__outcome *outcome, const char *journal, const char *done,
                    struct fine__buf *page, struct fine__buf *card)
{
    struct fine__report_data data;
    struct texts t = { 0 };
    struct fine__buf *all[] = { &t.data, &t.facts, &t.training, &t.notes, &t.recipe };
    int rc;

    for (int64_t i = 0; i < FINE__COUNT(all); i++)
        fine__buf_init(all[i], recipe->ctx);
    fine__report_data_init(&data, recipe->ctx);
    rc = fine__report_add_events(&data, journal);
    if (rc == FINE_OK && done)
        rc = fine__report_add_event(&data, done);
    if (rc == FINE_OK)
        rc = write_texts(&t, recipe, inputs, outcome);
    if (rc == FINE_OK)
        rc = write_pages(&data, &t, recipe, inputs, outcome, page, card);
    fine__report_data_free(&data);
    for (int64_t i = 0; i < FINE__COUNT(all); i++)
        fine__buf_free(all[i]);
    fine__free(recipe->ctx, t.labels);
    fine__free(recipe->ctx, t.model);
    return rc;
}
