/*
 * model.c — a model's life, and the small questions about it.
 */
#include "models/model.h"

#include <string.h>

#include "base/alloc.h"
#include "models/adapter.h"
#include "models/family.h"
#include "text/tokenizer.h"

fine_model *
fine__model_ref(fine_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

static void
free_texts(fine_context *ctx, char **texts, int64_t n)
{
    for (int64_t i = 0; texts != NULL && i < n; i++)
        fine__free(ctx, texts[i]);
    fine__free(ctx, texts);
}

void
fine__preparation_free(fine_context *ctx, struct fine__preparation *p)
{
    fine__free(ctx, p->text);
    fine__free(ctx, p->text_pair);
    fine__free(ctx, p->label);
    fine__free(ctx, p->group);
    fine__free(ctx, p->separator);
    fine__free(ctx, p->quote);
    fine__free(ctx, p->encoding);
    fine__free(ctx, p->format);
    fine__free(ctx, p->documents);
    fine__free(ctx, p->label_separator);
    fine__free(ctx, p->scheme);
    fine__free(ctx, p->offsets);
    free_texts(ctx, p->columns, p->n_columns);
    free_texts(ctx, p->label_columns, p->n_label_columns);
    memset(p, 0, sizeof *p);
}

void
fine__model_unref(fine_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->references, 1) != 1)
        return;
    fine_context *ctx = model->ctx;

    fine__runner_free(model->by_hand);
    fine__tokenizer_unref(model->tokenizer);
    fine__adapter_free(model->adapter);
    fine__params_free(&model->params);
    fine__norms_free(ctx, &model->norms);
    fine__free(ctx, model->config);
    fine__free(ctx, model->stage_trains);
    fine__free(ctx, model->stage_names);
    fine__model_set_labels(model, NULL, 0);
    fine__free(ctx, model->freeze_spec);
    fine__free(ctx, model->prefix);
    fine__free(ctx, model->base_name);
    fine__buf_free(&model->config_text);
    fine__buf_free(&model->preprocessor);
    fine__buf_free(&model->card);
    fine__preparation_free(ctx, &model->preparation);
    fine__free(ctx, model);
    fine__context_unref(ctx);
}

int
fine__model_set_labels(fine_model *model, const char *const *names, int64_t n)
{
    char **labels = NULL;

    if (n > 0) {
        labels = fine__alloc_array(model->ctx, (size_t)n, sizeof *labels);
        if (labels == NULL)
            return FINE_ENOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        labels[i] = fine__strdup(model->ctx, names[i]);
        if (labels[i] == NULL) {
            free_texts(model->ctx, labels, i);
            return FINE_ENOMEM;
        }
    }
    free_texts(model->ctx, model->labels, model->n_labels);
    model->labels = labels;
    model->n_labels = n;
    return 0;
}

const char *
fine__model_family(const fine_model *model)
{
    return model->family->name;
}

static const char *const pools[] = { "pooler", "cls", "mean" };

const char *
fine__pool_name(enum fine__pool_kind pool)
{
    return pools[pool];
}

bool
fine__pool_find(const char *name, enum fine__pool_kind *out)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(pools[i], name) == 0) {
            *out = (enum fine__pool_kind)i;
            return true;
        }
    return false;
}
