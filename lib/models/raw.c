/*
 * raw.c — padded tensors from memory through the model, and back.
 *
 * The border between the padded (B,T) world and ours: rows are packed on the way in, and on
 * the way out padded positions hold zero.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/tensor_set.h"
#include "models/family.h"

struct packed {
    fine_context *ctx;
    int64_t n_seqs, padded;         /* B, T */
    int32_t *ids, *types, *labels;
    int64_t *offsets;
    float *values;
    struct fine__batch batch;
};

static void
free_packed(struct packed *p)
{
    fine__free(p->ctx, p->ids);
    fine__free(p->ctx, p->types);
    fine__free(p->ctx, p->labels);
    fine__free(p->ctx, p->offsets);
    fine__free(p->ctx, p->values);
}

/* A (B,T) I64 tensor, or NULL with a finding; optional ones that are absent: no finding. */
static const int64_t *
matrix(const fine_tensors *inputs, const char *name, struct packed *p, bool optional, int *rc)
{
    const struct fine__set_entry *entry = fine__tensors_find(inputs, name);

    if (entry == NULL) {
        if (!optional)
            *rc = fine__fail(FINE_EDATA, "inputs: '%s' is missing", name);
        return NULL;
    }
    const struct fine__weight *w = &entry->weight;

    if (w->type != FINE_I64 || w->n_dims != 2 ||
        (p->n_seqs > 0 && (w->shape[0] != p->n_seqs || w->shape[1] != p->padded))) {
        *rc = fine__fail(FINE_EDATA, "inputs: '%s' must be an I64 matrix of the shape of "
                         "'input_ids' (sequences, positions)", name);
        return NULL;
    }
    p->n_seqs = w->shape[0];
    p->padded = w->shape[1];
    if (w->count == 0)
        *rc = fine__fail(FINE_EDATA, "inputs: '%s' is empty", name);
    return entry->data;
}

/* Lengths of the rows; ones, then zeros, or it isn't padding on the right. */
static int
measure(struct packed *p, const int64_t *mask)
{
    p->offsets[0] = 0;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        int64_t n = 0;

        for (int64_t j = 0; j < p->padded; j++) {
            const int64_t one = mask[i * p->padded + j];

            if ((one != 0 && one != 1) || (one == 1 && n < j))
                return fine__fail(FINE_EDATA, "inputs: row %lld of 'attention_mask' is not ones "
                                  "followed by zeros; only padding on the right is taken",
                                  (long long)i);
            n += one;
        }
        if (n == 0)
            return fine__fail(FINE_EDATA, "inputs: row %lld of 'attention_mask' has no ones",
                              (long long)i);
        p->offsets[i + 1] = p->offsets[i] + n;
    }
    return 0;
}

/* Copies the real positions, which must fit 32 bits. */
static int
pack(const struct packed *p, const int64_t *from, const char *name, int32_t **out)
{
    const int64_t n = p->offsets[p->n_seqs];
    int32_t *to = fine__alloc_array(p->ctx, (size_t)n, sizeof *to);

    *out = to;
    if (to == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++)
        for (int64_t j = p->offsets[i]; j < p->offsets[i + 1]; j++) {
            const int64_t value = from[i * p->padded + j - p->offsets[i]];

            if (value < INT32_MIN || value > INT32_MAX)
                return fine__fail(FINE_EDATA, "inputs: '%s' holds %lld in row %lld, which no "
                                  "model's table has", name, (long long)value, (long long)i);
            to[j] = (int32_t)value;
        }
    return 0;
}

static int
read_labels(fine_model *model, const fine_tensors *inputs, struct packed *p)
{
    const struct fine__set_entry *entry = fine__tensors_find(inputs, "labels");
    const bool regress = model->task == FINE__REGRESS;

    if (entry == NULL)
        return 0;
    if (model->task == FINE__TASK_NONE)
        return fine__fail(FINE_ESTATE, "inputs have labels, but the model has no task; set one "
                          "with fine_model_set_task()");
    if (entry->weight.count != p->n_seqs || entry->weight.type != (regress ? FINE_F32 : FINE_I64))
        return fine__fail(FINE_EDATA, "inputs: 'labels' must be %lld numbers of type %s",
                          (long long)p->n_seqs, regress ? "F32" : "I64");
    if (regress) {
        p->values = fine__alloc_array(p->ctx, (size_t)p->n_seqs, sizeof *p->values);
        if (p->values == NULL)
            return FINE_ENOMEM;
        memcpy(p->values, entry->data, (size_t)p->n_seqs * sizeof *p->values);
        for (int64_t i = 0; i < p->n_seqs; i++)
            if (!isfinite(p->values[i]))
                return fine__fail(FINE_EDATA, "inputs: label %lld is not a finite number",
                                  (long long)i);
        return 0;
    }
    const int64_t *labels = entry->data;

    p->labels = fine__alloc_array(p->ctx, (size_t)p->n_seqs, sizeof *p->labels);
    if (p->labels == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        if (labels[i] != -100 && (labels[i] < 0 || labels[i] >= model->n_labels))
            return fine__fail(FINE_EDATA, "inputs: label %lld of row %lld is not within the %lld "
                              "of the head (-100: not counted)", (long long)labels[i],
                              (long long)i, (long long)model->n_labels);
        p->labels[i] = labels[i] == -100 ? -1 : (int32_t)labels[i];
    }
    return 0;
}

static int
read_inputs(fine_model *model, const fine_tensors *inputs, struct packed *p)
{
    int rc = 0;
    const int64_t *ids = matrix(inputs, "input_ids", p, false, &rc);
    const int64_t *mask = rc == 0 ? matrix(inputs, "attention_mask", p, false, &rc) : NULL;
    const int64_t *types = rc == 0 ? matrix(inputs, "token_type_ids", p, true, &rc) : NULL;

    FINE__TRY(rc);
    p->offsets = fine__alloc_array(p->ctx, (size_t)p->n_seqs + 1, sizeof *p->offsets);
    if (p->offsets == NULL)
        return FINE_ENOMEM;
    FINE__TRY(measure(p, mask));
    FINE__TRY(pack(p, ids, "input_ids", &p->ids));
    if (types != NULL)
        FINE__TRY(pack(p, types, "token_type_ids", &p->types));
    FINE__TRY(read_labels(model, inputs, p));
    p->batch = (struct fine__batch){ .n_seqs = p->n_seqs, .n_tokens = p->offsets[p->n_seqs],
                                     .ids = p->ids, .types = p->types, .offsets = p->offsets,
                                     .labels = p->labels, .values = p->values };
    return 0;
}

static int
run(fine_model *model, struct fine__run *run, int64_t *n_labelled)
{
    const struct fine__batch *batch = run->batch;

    if (model->by_hand == NULL)
        FINE__TRY(fine__runner_new(&model->by_hand, model));
    *n_labelled = 0;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        *n_labelled += batch->labels != NULL ? batch->labels[i] >= 0 : batch->values != NULL;
    if (run->backward && *n_labelled == 0)
        return fine__fail(FINE_ESTATE, "gradients are asked for, but no row has a label");
    if (run->backward)
        run->loss_weight /= (double)*n_labelled;
    return fine__runner_run(model->by_hand, run);
}

/* ---- out ---- */

/* hidden_states.N (B,T,C) with zeros at padded positions. */
static int
put_states(const struct packed *p, const struct fine__run *run, int64_t width, fine_tensors *out)
{
    char name[48];

    for (int64_t s = 0; s < run->n_states; s++) {
        const int64_t shape[3] = { p->n_seqs, p->padded, width };
        void *room;

        snprintf(name, sizeof name, "hidden_states.%lld", (long long)s);
        FINE__TRY(fine__tensors_put(out, name, FINE_F32, 3, shape, NULL, &room));
        for (int64_t i = 0; i < p->n_seqs; i++)
            memcpy((float *)room + i * p->padded * width, run->states[s] + p->offsets[i] * width,
                   (size_t)((p->offsets[i + 1] - p->offsets[i]) * width) * sizeof(float));
    }
    return 0;
}

static int
put_gradients(fine_model *model, fine_tensors *out)
{
    char name[600];

    for (int64_t i = 0; i < model->params.count; i++) {
        struct fine__param *param = &model->params.list[i];

        if (!param->tensor.wants_grad || param->tensor.grad == NULL)
            continue;
        fine__param_fill_gradient(param);
        snprintf(name, sizeof name, "grad.%s", param->name);
        FINE__TRY(fine__tensors_put(out, name, FINE_F32, param->tensor.n_dims,
                                    param->tensor.shape, param->tensor.grad, NULL));
    }
    return 0;
}

static int
put_results(fine_model *model, const struct packed *p, const struct fine__run *r,
            int64_t n_labelled, int32_t flags, fine_tensors *out)
{
    if (r->logits != NULL) {
        const int64_t shape[2] = { p->n_seqs, r->n_logits };

        FINE__TRY(fine__tensors_put(out, "logits", FINE_F32, 2, shape, r->logits, NULL));
    }
    if (n_labelled > 0) {
        const float loss = (float)(r->loss_sum / (double)n_labelled);

        FINE__TRY(fine__tensors_put(out, "loss", FINE_F32, 0, NULL, &loss, NULL));
    }
    if (flags & FINE_HIDDEN_STATES)
        FINE__TRY(put_states(p, r, model->params.list[0].tensor.shape[1], out));
    return flags & FINE_PARAM_GRADIENTS ? put_gradients(model, out) : 0;
}

int
fine__model_forward(fine_model *model, const fine_tensors *inputs, int32_t flags,
                    fine_tensors **out)
{
    struct packed p = { .ctx = model->ctx };
    struct fine__run r = { .batch = &p.batch, .loss_weight = 1,
                           .backward = (flags & FINE_PARAM_GRADIENTS) != 0,
                           .hidden_states = (flags & FINE_HIDDEN_STATES) != 0 };
    fine_tensors *results = NULL;
    int64_t n_labelled = 0;
    int rc = read_inputs(model, inputs, &p);

    if (rc == 0 && r.backward)
        rc = fine__params_make_gradients(&model->params);
    if (rc == 0)
        rc = run(model, &r, &n_labelled);
    if (rc == 0)
        rc = fine__tensors_new(&results, model->ctx);
    if (rc == 0)
        rc = put_results(model, &p, &r, n_labelled, flags, results);
    free_packed(&p);
    if (rc < 0)
        fine__tensors_free(results);
    else
        *out = results;
    return rc;
}

int
fine__model_backward(fine_model *model, const fine_tensors *inputs, double weight,
                     double *loss_out)
{
    struct packed p = { .ctx = model->ctx };
    struct fine__run r = { .batch = &p.batch, .loss_weight = weight, .backward = true };
    int64_t n_labelled = 0;
    int rc = read_inputs(model, inputs, &p);

    if (rc == 0)
        rc = run(model, &r, &n_labelled);
    free_packed(&p);
    if (rc == 0 && loss_out != NULL)
        *loss_out = r.loss_sum / (double)n_labelled;
    return rc;
}
