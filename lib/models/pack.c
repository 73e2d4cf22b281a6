/*
 * pack.c — the border between the padded (B,T) world and ours: rows are packed, images are
 * turned to channels last, and every index, number and target is checked on the way in.
 */
#include "models/pack.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/tensor_set.h"
#include "models/family.h"
#include "models/kinds.h"

enum { IGNORED = -100 };            /* a label that doesn't count, as PyTorch writes it */

void
fine__packed_free(struct fine__packed *p)
{
    fine__free(p->ctx, p->ids);
    fine__free(p->ctx, p->types);
    fine__free(p->ctx, p->labels);
    fine__free(p->ctx, p->offsets);
    fine__free(p->ctx, p->values);
    fine__free(p->ctx, p->pixels);
    fine__free(p->ctx, p->starts);
    fine__free(p->ctx, p->ends);
}

/* A (B,T) I64 tensor, or NULL with a finding; optional ones that are absent: no finding. */
static const int64_t *
matrix(const fine_tensors *inputs, const char *name, struct fine__packed *p, bool optional, int *rc)
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
measure(struct fine__packed *p, const int64_t *mask)
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
pack(const struct fine__packed *p, const int64_t *from, const char *name, int32_t **out)
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

/* ---- targets ---- */

/* An array of n numbers of this type and these dimensions, or NULL with a finding. */
static const struct fine__set_entry *
target(const fine_tensors *inputs, const char *name, int32_t type, int64_t n_dims,
       const int64_t shape[2], int *rc)
{
    const struct fine__set_entry *entry = fine__tensors_find(inputs, name);
    const struct fine__weight *w = entry != NULL ? &entry->weight : NULL;
    const int64_t n = n_dims == 2 ? shape[0] * shape[1] : shape[0];

    if (w != NULL && w->type == type && w->count == n &&
        (n_dims == 1 || (w->n_dims == 2 && w->shape[0] == shape[0])))
        return entry;
    *rc = fine__fail(FINE_EDATA, n_dims == 1 ? "inputs: '%s' must be %lld numbers of type %s"
                                             : "inputs: '%s' must be %lld rows of type %s, %lld "
                                               "numbers each",
                     name, (long long)shape[0], fine__type_name(type), (long long)shape[1]);
    return NULL;
}

static int
read_classes(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    const int64_t shape[2] = { p->n_seqs, 0 };
    int rc = 0;
    const struct fine__set_entry *entry = target(inputs, "labels", FINE_I64, 1, shape, &rc);

    FINE__TRY(rc);
    const int64_t *labels = entry->data;

    p->labels = fine__alloc_array(p->ctx, (size_t)p->n_seqs, sizeof *p->labels);
    if (p->labels == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        if (labels[i] != IGNORED && (labels[i] < 0 || labels[i] >= model->n_labels))
            return fine__fail(FINE_EDATA, "inputs: label %lld of row %lld is not within the %lld "
                              "of the head (-100: not counted)", (long long)labels[i],
                              (long long)i, (long long)model->n_labels);
        p->labels[i] = labels[i] == IGNORED ? -1 : (int32_t)labels[i];
    }
    return 0;
}

/* Numbers: one a row, finite. Flags: one a row and label, of [0, 1]. */
static int
read_values(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    const bool flags = fine__kind(model->task)->target == FINE__FLAGS;
    const int64_t shape[2] = { p->n_seqs, flags ? model->n_labels : 1 };
    int rc = 0;
    const struct fine__set_entry *entry = target(inputs, "labels", FINE_F32, flags ? 2 : 1, shape,
                                                 &rc);

    FINE__TRY(rc);
    p->values = fine__alloc_array(p->ctx, (size_t)entry->weight.count, sizeof *p->values);
    if (p->values == NULL)
        return FINE_ENOMEM;
    memcpy(p->values, entry->data, (size_t)entry->weight.count * sizeof *p->values);
    for (int64_t i = 0; i < entry->weight.count; i++)
        if (!isfinite(p->values[i]) || (flags && (p->values[i] < 0 || p->values[i] > 1)))
            return fine__fail(FINE_EDATA, "inputs: label %lld is not %s", (long long)i,
                              flags ? "within 0 and 1" : "a finite number");
    return 0;
}

/* What token j of a row is held against: its own label, or the next one's. */
static int64_t
label_at(const int64_t *row, int64_t j, int64_t length, bool next)
{
    if (!next)
        return row[j];
    return j + 1 < length ? row[j + 1] : IGNORED;
}

static int
read_token_classes(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    const int64_t shape[2] = { p->n_seqs, p->padded }, n_outputs = fine__model_n_outputs(model);
    int rc = 0;
    const struct fine__set_entry *entry = target(inputs, "labels", FINE_I64, 2, shape, &rc);

    FINE__TRY(rc);
    p->labels = fine__alloc_array(p->ctx, (size_t)p->offsets[p->n_seqs], sizeof *p->labels);
    if (p->labels == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        const int64_t *row = (const int64_t *)entry->data + i * p->padded;
        const int64_t first = p->offsets[i], length = p->offsets[i + 1] - first;

        for (int64_t j = 0; j < p->padded; j++) {
            if (row[j] != IGNORED && (row[j] < 0 || row[j] >= n_outputs || j >= length))
                return fine__fail(FINE_EDATA, "inputs: label %lld of row %lld, position %lld, is "
                                  "%s (-100: not counted)", (long long)row[j], (long long)i,
                                  (long long)j, j >= length ? "at a padded position"
                                                            : "not within those of the head");
            if (j >= length)
                continue;
            const int64_t label = label_at(row, j, length, fine__kind(model->task)->next_token);

            p->labels[first + j] = label == IGNORED ? -1 : (int32_t)label;
        }
    }
    return 0;
}

/* A place beyond the row is not counted: a window without the answer. */
static int
read_places(const fine_tensors *inputs, const char *name, const struct fine__packed *p,
            int32_t **out)
{
    const int64_t shape[2] = { p->n_seqs, 0 };
    int rc = 0;
    const struct fine__set_entry *entry = target(inputs, name, FINE_I64, 1, shape, &rc);

    FINE__TRY(rc);
    const int64_t *places = entry->data;

    *out = fine__alloc_array(p->ctx, (size_t)p->n_seqs, sizeof **out);
    if (*out == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        if (places[i] < 0)
            return fine__fail(FINE_EDATA, "inputs: '%s' of row %lld is negative", name,
                              (long long)i);
        (*out)[i] = places[i] < p->offsets[i + 1] - p->offsets[i] ? (int32_t)places[i] : -1;
    }
    return 0;
}

static int
read_targets(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    const enum fine__target kind = fine__kind(model->task)->target;
    const bool spans = fine__tensors_find(inputs, "start_positions") != NULL ||
                       fine__tensors_find(inputs, "end_positions") != NULL;
    const bool labels = fine__tensors_find(inputs, "labels") != NULL;

    if ((labels || spans) && kind == FINE__NO_TARGET)
        return fine__fail(FINE_ESTATE, "inputs have labels, but the model has no task; set one "
                          "with fine_model_set_task()");
    if (kind == FINE__SPANS) {
        if (!spans)
            return 0;
        FINE__TRY(read_places(inputs, "start_positions", p, &p->starts));
        return read_places(inputs, "end_positions", p, &p->ends);
    }
    if (!labels)
        return 0;
    return kind == FINE__CLASSES         ? read_classes(model, inputs, p)
           : kind == FINE__TOKEN_CLASSES ? read_token_classes(model, inputs, p)
                                         : read_values(model, inputs, p);
}

/* ---- images ---- */

/* (C,H,W) → (H,W,C), for the index of a number that isn't finite, or -1. */
static int64_t
turn_image(const float *from, int64_t channels, int64_t area, float *to)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < area; i++) {
            const float value = from[c * area + i];

            if (!isfinite(value))
                return c * area + i;
            to[i * channels + c] = value;
        }
    return -1;
}

static int
pack_images(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    const struct fine__set_entry *entry = fine__tensors_find(inputs, "pixel_values");

    if (entry == NULL)
        return fine__fail(FINE_EDATA, "inputs: 'pixel_values' is missing; a %s model reads images",
                          model->family->name);
    const struct fine__weight *w = &entry->weight;

    if (w->type != FINE_F32 || w->n_dims != 4 || w->shape[1] != model->n_channels || w->count == 0)
        return fine__fail(FINE_EDATA, "inputs: 'pixel_values' must be of type F32 and of the shape "
                          "(images, %lld channels, height, width), none of them 0",
                          (long long)model->n_channels);
    const int64_t area = w->shape[2] * w->shape[3], each = area * model->n_channels;

    p->n_seqs = w->shape[0];
    p->pixels = fine__alloc_array(p->ctx, (size_t)w->count, sizeof *p->pixels);
    if (p->pixels == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        const int64_t bad = turn_image((const float *)entry->data + i * each, model->n_channels,
                                       area, p->pixels + i * each);

        if (bad >= 0)
            return fine__fail(FINE_EDATA, "inputs: image %lld of 'pixel_values' holds a number "
                              "that is not finite, in channel %lld", (long long)i,
                              (long long)(bad / area));
    }
    FINE__TRY(read_targets(model, inputs, p));
    p->batch = (struct fine__batch){ .n_seqs = p->n_seqs, .pixels = p->pixels,
                                     .height = w->shape[2], .width = w->shape[3],
                                     .labels = p->labels };
    return 0;
}

/* ---- all together ---- */

int
fine__pack_inputs(const fine_model *model, const fine_tensors *inputs, struct fine__packed *p)
{
    if (model->n_channels > 0)
        return pack_images(model, inputs, p);
    if (fine__tensors_find(inputs, "input_ids") == NULL &&
        fine__tensors_find(inputs, "pixel_values") != NULL)
        return fine__fail(FINE_EDATA, "inputs: a %s model reads 'input_ids', not 'pixel_values'",
                          model->family->name);
    int rc = 0;
    const int64_t *ids = matrix(inputs, "input_ids", p, false, &rc);
    const int64_t *mask = rc == 0 ? matrix(inputs, "attention_mask", p, false, &rc) : NULL;
    const int64_t *types = rc == 0 ? matrix(inputs, "token_type_ids", p, true, &rc) : NULL;

    FINE__TRY(rc);
    if (types != NULL && model->type_vocab_size == 0)
        return fine__fail(FINE_EDATA, "inputs: a %s model takes no 'token_type_ids'",
                          model->family->name);
    p->offsets = fine__alloc_array(p->ctx, (size_t)p->n_seqs + 1, sizeof *p->offsets);
    if (p->offsets == NULL)
        return FINE_ENOMEM;
    FINE__TRY(measure(p, mask));
    FINE__TRY(pack(p, ids, "input_ids", &p->ids));
    if (types != NULL)
        FINE__TRY(pack(p, types, "token_type_ids", &p->types));
    FINE__TRY(read_targets(model, inputs, p));
    p->batch = (struct fine__batch){ .n_seqs = p->n_seqs, .n_tokens = p->offsets[p->n_seqs],
                                     .ids = p->ids, .types = p->types, .offsets = p->offsets,
                                     .labels = p->labels, .values = p->values,
                                     .starts = p->starts, .ends = p->ends };
    return 0;
}
