/*
 * encoded.c — examples that are ids already.
 *
 * What is kept is packed: the ids of a row without its padding, as every batch of the
 * library wants them. All ranges that don't depend on a model are checked here, once.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "data/dataset.h"

/* Sequences longer than any model's. */
enum { MAX_LENGTH = 1 << 20 };

/* The number of ones that a row of the mask begins with; -1: they aren't all at the left. */
static int64_t
length_of(const int64_t *mask, int64_t n)
{
    int64_t length = 0;

    while (length < n && mask[length] == 1)
        length++;
    for (int64_t i = length; i < n; i++)
        if (mask[i] != 0)
            return -1;
    return length;
}

static int
check_shape(const struct fine__encoded *e)
{
    if (e->n_rows < 1 || e->length < 1)
        return fine__fail(FINE_EDATA, "input_ids: the shape (%lld, %lld) holds no example",
                          (long long)e->n_rows, (long long)e->length);
    if (e->length > MAX_LENGTH || e->n_rows > INT64_MAX / 64 / e->length)
        return fine__fail(FINE_EDATA, "input_ids: the shape (%lld, %lld) is larger than any model "
                          "takes", (long long)e->n_rows, (long long)e->length);
    return 0;
}

/* Checks one row's ids and types and appends what isn't padding. */
static int
pack_row(fine_dataset *d, const struct fine__encoded *e, int64_t row)
{
    const int64_t from = row * e->length, at = d->id_offsets[row];
    const int64_t length = length_of(e->mask + from, e->length);

    if (length <= 0)
        return fine__fail(FINE_EDATA, "attention_mask: row %lld is %s; padding must be on the "
                          "right only, zeros after ones", (long long)row,
                          length == 0 ? "without a one" : "not ones and then zeros");
    for (int64_t i = 0; i < length; i++) {
        const int64_t id = e->ids[from + i], type = e->types != NULL ? e->types[from + i] : 0;

        if (id < 0 || id > INT32_MAX)
            return fine__fail(FINE_EDATA, "input_ids: row %lld, position %lld: %lld is no id",
                              (long long)row, (long long)i, (long long)id);
        if (type < 0 || type > INT32_MAX)
            return fine__fail(FINE_EDATA, "token_type_ids: row %lld, position %lld: %lld is no "
                              "type", (long long)row, (long long)i, (long long)type);
        d->ids[at + i] = (int32_t)id;
        if (d->types != NULL)
            d->types[at + i] = (int32_t)type;
    }
    d->id_offsets[row + 1] = at + length;
    return 0;
}

static int
read_label(fine_dataset *d, const struct fine__encoded *e, int64_t row)
{
    struct fine__row *r = &d->rows[row];

    if (e->labels != NULL) {
        if (e->labels[row] < 0 || e->labels[row] >= FINE__MAX_LABELS)
            return fine__fail(FINE_EDATA, "labels: row %lld: %lld is not from 0 to %d",
                              (long long)row, (long long)e->labels[row], FINE__MAX_LABELS - 1);
        r->label = e->labels[row];
    }
    if (e->values != NULL) {
        if (!isfinite(e->values[row]))
            return fine__fail(FINE_EDATA, "labels: row %lld is not a finite number",
                              (long long)row);
        r->value = (double)e->values[row];
    }
    return 0;
}

/* Names "0", "1", … up to the largest index. */
static int
name_labels(fine_dataset *d)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++)
        if (d->rows[i].label >= n)
            n = d->rows[i].label + 1;
    for (int64_t i = 0; i < n; i++) {
        char name[24];

        snprintf(name, sizeof name, "%lld", (long long)i);
        if (fine__dataset_label_id(d, name, strlen(name)) < 0)
            return FINE_ENOMEM;
    }
    return 0;
}

static int
fill(fine_dataset *d, const struct fine__encoded *e)
{
    const size_t n = (size_t)(e->n_rows * e->length);

    d->id_offsets = fine__alloc_array(d->ctx, (size_t)e->n_rows + 1, sizeof *d->id_offsets);
    d->ids = fine__alloc_array(d->ctx, n, sizeof *d->ids);
    if (d->id_offsets == NULL || d->ids == NULL)
        return FINE_ENOMEM;
    if (e->types != NULL) {
        d->types = fine__alloc_array(d->ctx, n, sizeof *d->types);
        if (d->types == NULL)
            return FINE_ENOMEM;
    }
    FINE__TRY(fine__grow(d->ctx, &d->rows, &d->capacity, e->n_rows, sizeof *d->rows));
    for (int64_t i = 0; i < e->n_rows; i++) {
        d->rows[i] = fine__row_empty();
        FINE__TRY(pack_row(d, e, i));
        FINE__TRY(read_label(d, e, i));
        d->n_rows++;
    }
    d->content = e->values != NULL ? FINE__ROWS_OF_NUMBERS : FINE__ROWS_OF_CLASSES;
    d->has_labels = e->labels != NULL || e->values != NULL;
    d->used = true;
    FINE__TRY(name_labels(d));
    d->labels_given = true;   /* in the order of their indices */
    return 0;
}

int
fine__dataset_new_encoded(fine_dataset **out, fine_context *ctx, const struct fine__encoded *e)
{
    fine_dataset *d;
    int rc;

    FINE__TRY(check_shape(e));
    d = fine__dataset_make(ctx, "memory");
    if (d == NULL)
        return FINE_ENOMEM;
    rc = fill(d, e);
    if (rc < 0) {
        fine__dataset_unref(d);
        return rc;
    }
    *out = d;
    return 0;
}
