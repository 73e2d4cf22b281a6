/*
 * head.c — what stands on an encoder for a task, built from a row of the family's table.
 *
 * All heads are one chain, of which a row leaves out what it doesn't have: pick or pool; a
 * layer as wide as the encoder (the encoder's pooler, or one of the head's own), its
 * activation, its norm; dropout; the output. The output may be the word embedding again.
 */
#include <stdio.h>
#include <string.h>

#include "models/adapter.h"
#include "models/family.h"
#include "models/kinds.h"

/* With pool cls or mean there is one layer, and transformers knows no class for it. */
static const struct fine__head plain = { .reads = FINE__FIRST_TOKEN, .out = "classifier",
                                         .bias = "classifier.bias" };

const struct fine__head *
fine__head_find(const struct fine__family *family, enum fine__task task,
                enum fine__pool_kind pool)
{
    if (task == FINE__TASK_NONE)
        return NULL;
    for (const struct fine__head *head = family->heads; head->out != NULL; head++)
        if (head->tasks & FINE__TASK_BIT(task))
            return pool == FINE__POOL_POOLER || fine__kind(task)->per_token ||
                           fine__kind(task)->reads_image
                       ? head : &plain;
    return NULL;
}

static void
declare(fine_model *model, double init_std, int n_dims, int64_t rows, int64_t columns,
        const char *format, const char *name)
{
    const struct fine__param like = { .stage = (int32_t)model->n_layers + 1, .is_head = true,
                                      .padding_row = -1, .init_std = init_std };
    const int64_t shape[2] = { rows, columns };
    char full[160];

    snprintf(full, sizeof full, format, name);
    fine__params_add(&model->params, &like, n_dims, shape, "%s%s%s",
                     model->adapter != NULL ? FINE__ADAPTER_PREFIX : "", model->wrapper, full);
}

/* True where the word embedding is the output's weight. */
static bool
is_tied(const fine_model *model, const struct fine__head *head)
{
    return head->tied && !model->untied;
}

void
fine__head_build(fine_model *model, const struct fine__head *head, int64_t n_outputs)
{
    const int64_t width = model->width;

    if (head->dense != NULL) {
        declare(model, model->init_std, 2, width, width, "%s.weight", head->dense);
        declare(model, 0, 1, width, 0, "%s.bias", head->dense);
    }
    if (head->norm != NULL) {
        declare(model, -1, 1, width, 0, "%s.weight", head->norm);
        declare(model, 0, 1, width, 0, "%s.bias", head->norm);
    }
    if (!is_tied(model, head))
        declare(model, model->init_std, 2, n_outputs, width, "%s.weight", head->out);
    if (head->bias != NULL)
        declare(model, 0, 1, n_outputs, 0, "%s", head->bias);
}

/* The last token that isn't padding, as the reference finds it: by id; the first where all are. */
static struct fine__tensor *
pick_last(const fine_model *model, struct fine__tape *t, struct fine__tensor *x,
          const struct fine__batch *batch)
{
    int64_t *rows = fine__arena_take_array(&t->arena, batch->n_seqs, sizeof *rows);

    if (rows == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return x;
    }
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        const int64_t first = batch->offsets[i];

        rows[i] = batch->offsets[i + 1] - 1;
        while (rows[i] > first && batch->ids[rows[i]] == model->padding_id)
            rows[i]--;
    }
    return fine__pick(t, x, batch->n_seqs, rows);
}

static struct fine__tensor *
read_from(const fine_model *model, struct fine__tape *t, struct fine__tensor *x,
          const struct fine__batch *batch)
{
    if (model->head->reads == FINE__EACH_TOKEN)
        return x;
    if (model->head->reads == FINE__WHOLE_IMAGE)
        return x->n_dims == 4 ? fine__global_pool(t, x) : x;                    /* (B,C) */
    if (model->pool == FINE__POOL_MEAN)
        return fine__pool_mean(t, x, batch->n_seqs, batch->offsets);            /* (B,C) */
    if (model->head->reads == FINE__LAST_TOKEN)
        return pick_last(model, t, x, batch);
    return fine__pick(t, x, batch->n_seqs, batch->offsets);
}

/* All of the chain before the output; *at becomes the index of what the output declares. */
static struct fine__tensor *
before_output(const fine_model *model, struct fine__tape *t, struct fine__tensor *x, bool train,
              int64_t *at)
{
    const struct fine__head *head = model->head;
    const double p = train ? model->head_dropout[model->task] : 0;
    struct fine__param *list = model->params.list;

    *at = model->head_from;
    if (head->pooler) {
        x = fine__linear(t, x, FINE__IDENTITY, &list[model->pooler].tensor,
                         &list[model->pooler + 1].tensor);
        x = fine__activate(t, x, FINE__TANH);
    }
    if (head->dense != NULL) {
        x = fine__dropout(t, x, head->drops_input ? p : 0);
        x = fine__linear(t, x, FINE__IDENTITY, &list[*at].tensor, &list[*at + 1].tensor);
        x = fine__activate(t, x, head->own_activation ? head->activation : model->activation);
        *at += 2;
    }
    if (head->norm != NULL) {
        x = fine__layernorm(t, x, NULL, &list[*at].tensor, &list[*at + 1].tensor, model->eps, 0);
        *at += 2;
    }
    return fine__dropout(t, x, p);
}

struct output {
    struct fine__tensor *weight, *bias;     /* bias may be NULL */
};

static struct output
output_of(const fine_model *model, int64_t at)
{
    struct fine__param *list = model->params.list;
    const bool tied = is_tied(model, model->head);

    return (struct output){ .weight = &list[tied ? FINE__WORDS : at].tensor,
                            .bias = model->head->bias != NULL ? &list[tied ? at : at + 1].tensor
                                                              : NULL };
}

struct fine__tensor *
fine__head_apply(const fine_model *model, struct fine__tape *t, struct fine__tensor *x,
                 const struct fine__batch *batch, bool train)
{
    int64_t at;

    x = before_output(model, t, read_from(model, t, x, batch), train, &at);
    const struct output out = output_of(model, at);

    return fine__linear(t, x, FINE__IDENTITY, out.weight, out.bias);
}

struct fine__tensor *
fine__head_loss(const fine_model *model, struct fine__tape *t, struct fine__tensor *x,
                const int32_t *labels, bool train)
{
    int64_t at;

    x = before_output(model, t, x, train, &at);
    const struct output out = output_of(model, at);

    return fine__linear_cross_entropy(t, x, out.weight, out.bias, labels);
}
