/*
 * check.c — what a recipe needs as a whole: keys that need each other, and files that
 * must be there. Each finding names the key, its place and what to do; all are told.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "data/dataset.h"
#include "recipe/place.h"
#include "recipe/recipe.h"
#include "train/metrics.h"

static int
at(const fine_recipe *recipe, int key, const char *message)
{
    const struct fine__value *value = &recipe->values[key];

    return fine__complain(recipe->name, value->line, value->column, "'%s' %s",
                          fine__keys[key].name, message);
}

static bool
given(const fine_recipe *recipe, int key)
{
    return recipe->values[key].given;
}

static bool
is_word(const fine_recipe *recipe, int key, const char *word)
{
    const char *text = fine__recipe_text(recipe, key);

    return text && strcmp(text, word) == 0;
}

static int
check_required(const fine_recipe *recipe)
{
    static const struct { int key; const char *message; } required[] = {
        { FINE__MODEL_PATH, "is missing: the pre-trained model's folder" },
        { FINE__TASK_TYPE, "is missing: classify, multilabel, regress, tag, answer, fill-mask, "
                           "language-model" },
        { FINE__DATA_TRAIN, "is missing: the file with the training data" },
    };
    int rc = FINE_OK;

    for (int64_t i = 0; i < FINE__COUNT(required); i++)
        if (!fine__recipe_text(recipe, required[i].key))
            rc = at(recipe, required[i].key, required[i].message);
    if (is_word(recipe, FINE__ADAPTER_TYPE, "lora") && !given(recipe, FINE__ADAPTER_TARGETS))
        rc = at(recipe, FINE__ADAPTER_TARGETS, "is missing: the layers to adapt, such as [query, "
                "value] or [all-linear]");
    return rc;
}

static int
check_optimizer(const fine_recipe *recipe)
{
    const char *type = fine__recipe_text(recipe, FINE__OPTIMIZER_TYPE);
    char message[160];
    int rc = FINE_OK;

    if (!fine__word_among("adamw|adam|lamb", type) &&
        !given(recipe, FINE__OPTIMIZER_LEARNING_RATE)) {
        (void)snprintf(message, sizeof message, "must be given for %s: the default is meant for "
                       "adamw", type);
        rc = at(recipe, FINE__OPTIMIZER_LEARNING_RATE, message);
    }
    for (int i = 0; i < FINE__N_KEYS; i++) {
        int type_key;
        const char *types = fine__recipe_key_types(i, &type_key);

        if (types == NULL || !given(recipe, i) || fine__recipe_applies(recipe, i) ||
            fine__recipe_text(recipe, type_key) == NULL)
            continue;
        (void)snprintf(message, sizeof message, "is for %s, not for %s; take it out", types,
                       fine__recipe_text(recipe, type_key));
        rc = at(recipe, i, message);
    }
    if (is_word(recipe, FINE__OPTIMIZER_TYPE, "sgd") &&
        recipe->values[FINE__OPTIMIZER_NESTEROV].flag &&
        !(recipe->values[FINE__OPTIMIZER_MOMENTUM].number > 0))
        rc = at(recipe, FINE__OPTIMIZER_NESTEROV, "needs a momentum above 0");
    return rc;
}

static int
check_class_weights(const fine_recipe *recipe)
{
    const struct fine__value *v = &recipe->values[FINE__TRAIN_CLASS_WEIGHTS];
    double weight;

    for (int64_t i = 0; v->is_list && i < v->n_items; i++)
        if (!fine__parse_double(v->items[i], strlen(v->items[i]), &weight) || !(weight >= 0))
            return at(recipe, FINE__TRAIN_CLASS_WEIGHTS, "must be none, balanced, effective, or a "
                      "list of numbers from 0 on, one a label");
    if (!v->is_list && v->n_items == 1 && !fine__word_among("none|balanced|effective", v->items[0]))
        return at(recipe, FINE__TRAIN_CLASS_WEIGHTS, "must be none, balanced, effective, or a list "
                  "of numbers, one a label");
    return FINE_OK;
}

static int
check_validation(const fine_recipe *recipe)
{
    const struct fine__value *validation = &recipe->values[FINE__DATA_VALIDATION];
    bool has_validation = fine__value_is_set(&fine__keys[FINE__DATA_VALIDATION], validation);
    int rc = FINE_OK;

    if (given(recipe, FINE__DATA_SPLIT_BY) && !validation->is_number)
        rc = at(recipe, FINE__DATA_SPLIT_BY,
                "needs data.validation as a share to split off; take it out");
    if (has_validation)
        return rc;
    if (given(recipe, FINE__EARLY_METRIC))
        rc = at(recipe, FINE__EARLY_METRIC, "needs data.validation");
    if (recipe->values[FINE__EARLY_PATIENCE].integer > 0)
        rc = at(recipe, FINE__EARLY_PATIENCE, "needs data.validation");
    if (given(recipe, FINE__TRAIN_EVALUATE_EVERY))
        rc = at(recipe, FINE__TRAIN_EVALUATE_EVERY, "needs data.validation");
    return rc;
}

static int
check_task(const fine_recipe *recipe)
{
    const char *task = fine__recipe_text(recipe, FINE__TASK_TYPE);
    const char *metric = fine__recipe_text(recipe, FINE__EARLY_METRIC);
    const struct fine__value *value = &recipe->values[FINE__EARLY_METRIC];
    int rc = FINE_OK;

    if (!task)
        return FINE_OK;
    if (fine__content_find(task) == FINE__ROWS_OF_TEXT && given(recipe, FINE__TASK_LABELS))
        rc = at(recipe, FINE__TASK_LABELS, "have no meaning for plain text; take them out");
    if (strncmp(task, "classify", 8) == 0 && recipe->values[FINE__TASK_LABELS].n_items == 1)
        rc = at(recipe, FINE__TASK_LABELS, "has one entry; to tell texts apart takes two");
    if (recipe->values[FINE__DATA_LABEL].is_list && strcmp(task, "multilabel") != 0)
        rc = at(recipe, FINE__DATA_LABEL, "is a list of columns, which only multilabel reads");
    if (strcmp(task, "regress") == 0 && given(recipe, FINE__TASK_LABELS))
        rc = at(recipe, FINE__TASK_LABELS, "have no meaning for regress; take them out");
    if (strcmp(task, "answer") == 0 && given(recipe, FINE__TASK_LABELS))
        rc = at(recipe, FINE__TASK_LABELS, "have no meaning for answer; take them out");
    if (strcmp(task, "answer") != 0 && is_word(recipe, FINE__DATA_OVERLONG, "window"))
        rc = at(recipe, FINE__DATA_OVERLONG,
                "window is for task.type: answer; use truncate or error");
    if (!fine__metric_valid(task, metric)) {
        const char *const *names = fine__metric_names(task);
        char list[200] = "";
        size_t used = 0;

        for (int i = 0; names && names[i] && used < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                     names[i]);
        rc = fine__complain(recipe->name, value->line, value->column,
                            "'%s: %s' does not fit task.type: %s; known: %s",
                            fine__keys[FINE__EARLY_METRIC].name, metric, task, list);
    }
    return rc;
}

static int
check_file(const fine_recipe *recipe, int key, bool is_folder)
{
    const struct fine__value *value = &recipe->values[key];
    const char *name = fine__keys[key].name;
    char *path;
    int rc = FINE_OK;

    FINE__TRY(fine__recipe_path(recipe, key, &path));
    if (!path)
        return FINE_OK;
    if (!fine__file_exists(recipe->ctx, path) && !fine__is_directory(recipe->ctx, path))
        rc = fine__complain(recipe->name, value->line, value->column,
                            "'%s': there is no '%.200s'; relative paths begin in the recipe's "
                            "folder", name, path);
    else if (is_folder && !given(recipe, FINE__MODEL_ARCHITECTURE) &&
             !fine__is_directory(recipe->ctx, path))
        rc = fine__complain(recipe->name, value->line, value->column,
                            "'%s': '%.200s' is not a folder; give the folder that holds "
                            "config.json", name, path);
    else if (!is_folder && !is_word(recipe, FINE__TASK_TYPE, "classify-image") &&
             fine__is_directory(recipe->ctx, path))
        rc = fine__complain(recipe->name, value->line, value->column,
                            "'%s': '%.200s' is a folder; give a .csv, .tsv or .jsonl file", name,
                            path);
    fine__free(recipe->ctx, path);
    return rc;
}

int
fine__recipe_check(const fine_recipe *recipe)
{
    int results[10], rc = FINE_OK;
    const struct fine__value *steps = &recipe->values[FINE__TRAIN_STEPS];

    fine__error_clear();
    results[0] = check_required(recipe);
    results[1] = check_task(recipe);
    results[2] = steps->given && given(recipe, FINE__TRAIN_EPOCHS)
                     ? at(recipe, FINE__TRAIN_STEPS, "stands beside 'train.epochs'; keep one of them")
                     : FINE_OK;
    results[3] = check_optimizer(recipe);
    results[4] = check_validation(recipe);
    results[5] = check_file(recipe, FINE__MODEL_PATH, true);
    results[6] = check_file(recipe, FINE__DATA_TRAIN, false);
    results[7] = check_file(recipe, FINE__DATA_VALIDATION, false);
    results[8] = check_file(recipe, FINE__DATA_TEST, false);
    results[9] = check_class_weights(recipe);
    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        if (results[i] < 0 && rc != FINE_ENOMEM)
            rc = results[i];
    return rc;
}
