/*
 * freeze.c — which parameters are trained: stages, ranges of stages, patterns of names.
 *
 * The answer is one flag, wants_grad, on each parameter, and one on each stage: a stage of
 * which nothing is trained runs in evaluation mode.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "models/adapter.h"
#include "models/family.h"

/* Glob with * and ?: the last star is remembered and grown when the rest doesn't fit. */
bool
fine__matches(const char *pattern, int64_t n, const char *name)
{
    const char *end = pattern + n, *star = NULL, *resume = NULL;

    while (*name != '\0') {
        if (pattern < end && *pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (pattern < end && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

/* "embeddings" (of images: "stem"), "head" or a number; -1: none of them. */
static int64_t
stage_of(const fine_model *model, const char *text, int64_t n)
{
    int64_t stage;

    if (n == 10 && memcmp(text, "embeddings", 10) == 0)
        return 0;
    if (n == 4 && model->n_channels > 0 && memcmp(text, "stem", 4) == 0)
        return 0;
    if (n == 4 && memcmp(text, "head", 4) == 0)
        return model->n_layers + 1;
    if (fine__parse_int64(text, (size_t)n, &stage))
        return stage;
    return -1;
}

static int
freeze_stages(const fine_model *model, bool *frozen, int64_t first, int64_t last,
              const char *item, int64_t n)
{
    if (first > last)
        return fine__fail(FINE_EINVAL, "freeze: '%.*s' runs backwards", (int)n, item);
    if (last > model->n_layers)
        return fine__fail(FINE_EINVAL, "freeze: '%.*s' goes beyond the last layer, %lld; the head "
                          "cannot be frozen", (int)n, item, (long long)model->n_layers);
    for (int64_t i = 0; i < model->params.count; i++)
        if (model->params.list[i].stage >= first && model->params.list[i].stage <= last)
            frozen[i] = true;
    return 0;
}

static int
freeze_pattern(const fine_model *model, bool *frozen, const char *item, int64_t n)
{
    const size_t prefix = strlen(model->prefix);
    int64_t n_found = 0;

    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__param *param = &model->params.list[i];
        const char *name = param->name;

        if (!fine__matches(item, n, name) &&
            (strncmp(name, model->prefix, prefix) != 0 || !fine__matches(item, n, name + prefix)))
            continue;
        if (param->is_head)
            return fine__fail(FINE_EINVAL, "freeze: '%.*s' matches the head ('%s'), which cannot "
                              "be frozen", (int)n, item, name);
        frozen[i] = true;
        n_found++;
    }
    if (n_found == 0)
        return fine__fail(FINE_EINVAL, "freeze: '%.*s' matches no parameter and is no stage; "
                          "stages are %s and 1 to %lld, as in '%s..%lld'", (int)n, item,
                          model->stage_names, (long long)model->n_layers, model->stage_names,
                          (long long)(model->n_layers + 1) / 2);
    return 0;
}

static int
freeze_item(const fine_model *model, bool *frozen, const char *item, int64_t n)
{
    for (int64_t i = 0; i + 1 < n; i++) {
        if (item[i] != '.' || item[i + 1] != '.')
            continue;
        const int64_t first = stage_of(model, item, i);
        const int64_t last = stage_of(model, item + i + 2, n - i - 2);

        if (first < 0 || last < 0)
            return fine__fail(FINE_EINVAL, "freeze: '%.*s' is no range of stages; write "
                              "'embeddings..3' or '1..4'", (int)n, item);
        return freeze_stages(model, frozen, first, last, item, n);
    }
    const int64_t stage = stage_of(model, item, n);

    if (stage >= 0)
        return freeze_stages(model, frozen, stage, stage, item, n);
    return freeze_pattern(model, frozen, item, n);
}

static int
read_spec(const fine_model *model, bool *frozen, const char *spec)
{
    if (strcmp(spec, "none") == 0)
        return 0;
    if (strcmp(spec, "all") == 0)
        return freeze_stages(model, frozen, 0, model->n_layers, spec, 3);
    for (const char *item = spec;; item++) {
        const char *end = strchr(item, ',');
        int64_t n = end != NULL ? end - item : (int64_t)strlen(item);

        while (n > 0 && *item == ' ') {
            item++;
            n--;
        }
        while (n > 0 && item[n - 1] == ' ')
            n--;
        if (n == 0)
            return fine__fail(FINE_EINVAL, "freeze: an item is empty; write none, all, "
                              "'embeddings..3' or patterns such as '*.attention.*'");
        FINE__TRY(freeze_item(model, frozen, item, n));
        if (end == NULL)
            return 0;
        item = end;
    }
}

/* The pooler is part of the model only where the task reads it. */
static bool
is_used(const fine_model *model, const struct fine__param *param)
{
    return param->is_head || param->stage <= model->n_layers || model->head == NULL ||
           model->head->pooler;
}

int
fine__model_freeze(fine_model *model, const char *spec)
{
    const int64_t n = model->params.count;
    bool *frozen = fine__alloc_array(model->ctx, (size_t)n, sizeof *frozen);
    char *copy = fine__strdup(model->ctx, spec);
    int rc = frozen == NULL || copy == NULL ? FINE_ENOMEM : read_spec(model, frozen, spec);

    if (rc < 0) {
        fine__free(model->ctx, frozen);
        fine__free(model->ctx, copy);
        return rc;
    }
    for (int64_t i = 0; i < n; i++)
        model->params.list[i].frozen = frozen[i];
    fine__free(model->ctx, frozen);
    fine__free(model->ctx, model->freeze_spec);
    model->freeze_spec = copy;
    fine__model_update_trained(model);
    return 0;
}

void
fine__model_update_trained(fine_model *model)
{
    memset(model->stage_trains, 0, (size_t)(model->n_layers + 2) * sizeof(bool));
    for (int64_t i = 0; i < model->params.count; i++) {
        struct fine__param *param = &model->params.list[i];

        param->tensor.wants_grad = !param->frozen && is_used(model, param) &&
                                   (model->adapter == NULL || param->is_adapter || param->is_head);
        if (param->tensor.wants_grad)
            model->stage_trains[param->stage] = true;
    }
    fine__adapter_link(model);
    /* Gradients of what is frozen now go at once; the others are made when they are needed. */
    fine__params_drop_gradients(&model->params);
}
