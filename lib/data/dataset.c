/*
 * dataset.c — the life of a set of rows, its labels and its getters.
 *
 * All texts lie in one buffer, each with its NUL, and rows hold offsets, so that a
 * set of a million rows is three blocks. Labels are kept in order of appearance
 * while rows come in; settling sorts them bytewise and maps the rows, which makes
 * the indices independent of the order of rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/tags.h"

fine_dataset *
fine__dataset_make(fine_context *ctx, const char *name)
{
    fine_dataset *d = fine__alloc_array(ctx, 1, sizeof *d);

    if (d == NULL)
        return NULL;
    atomic_init(&d->references, 1);
    d->ctx = fine__context_ref(ctx);
    fine__buf_init(&d->bytes, ctx);
    fine__map_init(&d->label_ids, ctx);
    d->name = fine__strdup(ctx, name);
    if (d->name == NULL) {
        fine__dataset_unref(d);
        return NULL;
    }
    return d;
}

struct fine__row
fine__row_empty(void)
{
    return (struct fine__row){ .text = -1, .pair = -1, .group = -1, .split = -1, .id = -1,
                               .label = -1, .value = NAN };
}

int
fine__dataset_mark(fine_dataset *d, struct fine__row *row, struct fine__mark mark)
{
    FINE__TRY(fine__grow(d->ctx, &d->marks, &d->marks_capacity, d->n_marks + 1, sizeof mark));
    if (row->n_marks == 0)
        row->first_mark = d->n_marks;
    row->n_marks++;
    d->marks[d->n_marks++] = mark;
    return 0;
}

/* ---- what rows are for ---- */

enum fine__content
fine__content_find(const char *task)
{
    static const struct {
        const char *task;
        enum fine__content content;
    } table[] = { { "classify", FINE__ROWS_OF_CLASSES }, { "regress", FINE__ROWS_OF_NUMBERS },
                  { "multilabel", FINE__ROWS_OF_FLAGS }, { "tag", FINE__ROWS_OF_TAGS },
                  { "answer", FINE__ROWS_OF_ANSWERS },   { "fill-mask", FINE__ROWS_OF_TEXT },
                  { "language-model", FINE__ROWS_OF_TEXT },
                  { "classify-image", FINE__ROWS_OF_IMAGES } };

    for (int i = 0; i < FINE__COUNT(table); i++)
        if (strcmp(table[i].task, task) == 0)
            return table[i].content;
    return FINE__N_CONTENTS;
}

int
fine__content_of(enum fine__content *out, const struct fine_dataset_options *o)
{
    const bool numbers = o->label_is_number != 0;
    const enum fine__content content =
        o->task != NULL ? fine__content_find(o->task)
                        : numbers ? FINE__ROWS_OF_NUMBERS : FINE__ROWS_OF_CLASSES;

    if (content == FINE__N_CONTENTS)
        return fine__fail(FINE_EINVAL, "task.type: '%.40s' is no task", o->task);
    if (numbers && content != FINE__ROWS_OF_NUMBERS)
        return fine__fail(FINE_EINVAL, "task.type: '%.40s' has labels, and label_is_number says "
                          "they are numbers; take one of both out", o->task);
    *out = content;
    return 0;
}

fine_dataset *
fine__dataset_ref(fine_dataset *dataset)
{
    dataset->used = true;
    atomic_fetch_add(&dataset->references, 1);
    return dataset;
}

static void
free_names(fine_context *ctx, char **names, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        fine__free(ctx, names[i]);
    fine__free(ctx, names);
}

void
fine__dataset_unref(fine_dataset *dataset)
{
    fine_dataset *d = dataset;
    fine_context *ctx;

    if (d == NULL || atomic_fetch_sub(&d->references, 1) > 1)
        return;
    ctx = d->ctx;
    free_names(ctx, d->labels, d->n_labels);
    free_names(ctx, d->columns_used, d->n_columns_used);
    free_names(ctx, d->columns_unused, d->n_columns_unused);
    fine__map_free(&d->label_ids);
    fine__buf_free(&d->bytes);
    fine__free(ctx, d->rows);
    fine__free(ctx, d->marks);
    fine__free(ctx, d->ids);
    fine__free(ctx, d->types);
    fine__free(ctx, d->id_offsets);
    fine__free(ctx, d->description);
    fine__free(ctx, d->name);
    fine__free(ctx, d->folder);
    fine__free(ctx, d);
    fine__context_unref(ctx);
}

int
fine__dataset_copy_names(fine_context *ctx, char ***out, int64_t *n_out,
                         const char *const *names, int64_t n)
{
    char **copy = fine__alloc_array(ctx, (size_t)n, sizeof *copy);

    if (copy == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        copy[i] = fine__strdup(ctx, names[i]);
        if (copy[i] == NULL) {
            free_names(ctx, copy, i);
            return FINE_ENOMEM;
        }
    }
    *out = copy;
    *n_out = n;
    return 0;
}

/* The name is new. */
static int
append_label(fine_dataset *d, const char *name, size_t length)
{
    char *copy;
    int rc;

    FINE__TRY(fine__grow(d->ctx, &d->labels, &d->label_capacity, d->n_labels + 1, sizeof(char *)));
    copy = fine__strndup(d->ctx, name, length);
    if (copy == NULL)
        return FINE_ENOMEM;
    rc = fine__map_put(&d->label_ids, name, length, d->n_labels);
    if (rc < 0) {
        fine__free(d->ctx, copy);
        return rc;
    }
    d->labels[d->n_labels++] = copy;
    return 0;
}

int
fine__dataset_give_labels(fine_dataset *d, const char *const *names, int64_t n)
{
    if (n > FINE__MAX_LABELS)
        return fine__fail(FINE_EINVAL, "task.labels: %lld labels are more than the limit of %d",
                          (long long)n, FINE__MAX_LABELS);
    for (int64_t i = 0; i < n; i++) {
        const size_t length = names[i] != NULL ? strlen(names[i]) : 0;

        if (length == 0)
            return fine__fail(FINE_EINVAL, "task.labels: label %lld is empty", (long long)i + 1);
        if (length > FINE__MAX_LABEL || !fine__utf8_valid(names[i], length))
            return fine__fail(FINE_EINVAL, "task.labels: label %lld is not UTF-8 of at most %d "
                              "bytes", (long long)i + 1, FINE__MAX_LABEL);
        if (fine__map_get(&d->label_ids, names[i], length) >= 0)
            return fine__fail(FINE_EINVAL, "task.labels: '%s' is there twice", names[i]);
        FINE__TRY(append_label(d, names[i], length));
    }
    d->labels_given = true;
    return 0;
}

/* Columns of 0 and 1 are the labels, unless an order is given that has them all. */
static int
take_columns(fine_dataset *d, const struct fine_dataset_options *o)
{
    if (o->label_columns == NULL)
        return fine__fail(FINE_EINVAL, "data.label: n_label_columns without label_columns");
    if (o->n_label_columns > FINE__MAX_COLUMNS)
        return fine__fail(FINE_EINVAL, "data.label: %lld columns are more than the limit of %d",
                          (long long)o->n_label_columns, FINE__MAX_COLUMNS);
    if (o->n_labels == 0)
        return fine__dataset_give_labels(d, o->label_columns, o->n_label_columns);
    FINE__TRY(fine__dataset_give_labels(d, o->labels, o->n_labels));
    for (int64_t i = 0; i < o->n_label_columns; i++)
        if (o->label_columns[i] == NULL ||
            fine__map_get_cstr(&d->label_ids, o->label_columns[i]) < 0)
            return fine__fail(FINE_EINVAL, "data.label: column %lld is none of the labels in "
                              "task.labels; add it there, or take task.labels out",
                              (long long)i + 1);
    return 0;
}

int
fine__dataset_take_labels(fine_dataset *d, const struct fine_dataset_options *o)
{
    const char *separator = o->label_separator != NULL ? o->label_separator : "|";

    if (o->n_label_columns < 0 ||
        (o->n_label_columns > 0 && d->content != FINE__ROWS_OF_FLAGS))
        return fine__fail(FINE_EINVAL, "data.label: only multilabel reads several columns");
    if (separator[0] == '\0' || strlen(separator) >= FINE__MAX_SEPARATOR)
        return fine__fail(FINE_EINVAL, "data.label_separator must have 1 to %d bytes",
                          FINE__MAX_SEPARATOR - 1);
    memcpy(d->label_separator, separator, strlen(separator) + 1);
    if (o->n_label_columns > 0)
        return take_columns(d, o);
    if (o->n_labels == 0)
        return 0;
    return d->content == FINE__ROWS_OF_TAGS
               ? fine__tags_give(d, o->labels, o->n_labels)
               : fine__dataset_give_labels(d, o->labels, o->n_labels);
}

int
fine__dataset_replace_labels(fine_dataset *d, const char *const *names, int64_t n)
{
    char **labels;
    int64_t n_labels;
    struct fine__map ids;
    int rc;

    FINE__TRY(fine__dataset_copy_names(d->ctx, &labels, &n_labels, names, n));
    fine__map_init(&ids, d->ctx);
    rc = 0;
    for (int64_t i = 0; i < n && rc >= 0; i++)
        rc = fine__map_put(&ids, names[i], strlen(names[i]), i);
    if (rc < 0) {
        fine__map_free(&ids);
        free_names(d->ctx, labels, n_labels);
        return rc;
    }
    free_names(d->ctx, d->labels, d->n_labels);
    fine__map_free(&d->label_ids);
    d->labels = labels;
    d->n_labels = d->label_capacity = n_labels;
    d->label_ids = ids;
    d->labels_given = true;
    return 0;
}

int64_t
fine__dataset_label_id(fine_dataset *d, const char *name, size_t length)
{
    const int64_t id = fine__map_get(&d->label_ids, name, length);
    int rc;

    if (id >= 0 || d->labels_given)
        return id;
    if (d->n_labels >= FINE__MAX_LABELS)
        return FINE_EDATA;
    rc = append_label(d, name, length);
    return rc < 0 ? rc : d->n_labels - 1;
}

struct numbered {
    char *name;
    int64_t id;
};

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct numbered *)a)->name, ((const struct numbered *)b)->name);
}

static bool
is_sorted(const fine_dataset *d)
{
    for (int64_t i = 1; i < d->n_labels; i++)
        if (strcmp(d->labels[i - 1], d->labels[i]) > 0)
            return false;
    return true;
}

int
fine__dataset_settle_labels(fine_dataset *d)
{
    const int64_t n = d->n_labels;
    struct numbered *order;
    struct fine__map ids;
    int64_t *rank;
    int rc = FINE_ENOMEM;

    if (d->labels_given || is_sorted(d))
        return 0;
    fine__map_init(&ids, d->ctx);
    order = fine__alloc_array(d->ctx, (size_t)n, sizeof *order);
    rank = fine__alloc_array(d->ctx, (size_t)n, sizeof *rank);
    if (order == NULL || rank == NULL)
        goto out;
    for (int64_t i = 0; i < n; i++)
        order[i] = (struct numbered){ d->labels[i], i };
    qsort(order, (size_t)n, sizeof *order, by_name);
    for (int64_t i = 0; i < n; i++) {
        rank[order[i].id] = i;
        rc = fine__map_put(&ids, order[i].name, strlen(order[i].name), i);
        if (rc < 0)
            goto out;
    }
    for (int64_t i = 0; i < n; i++)
        d->labels[i] = order[i].name;
    for (int64_t i = 0; i < d->n_rows; i++)
        if (d->rows[i].label >= 0)
            d->rows[i].label = rank[d->rows[i].label];
    for (int64_t i = 0; i < d->n_marks; i++)
        if (d->marks[i].label >= 0)
            d->marks[i].label = (int32_t)rank[d->marks[i].label];
    fine__map_free(&d->label_ids);
    d->label_ids = ids;
    fine__map_init(&ids, d->ctx);
    rc = 0;
out:
    fine__map_free(&ids);
    fine__free(d->ctx, order);
    fine__free(d->ctx, rank);
    return rc;
}

void
fine__dataset_defaults(struct fine_dataset_options *options)
{
    *options = (struct fine_dataset_options){
        .struct_size = sizeof *options,
        .header = 1,
        .require_label = 1,
    };
}

static const struct fine__row *
row_at(const fine_dataset *d, int64_t row)
{
    return row >= 0 && row < d->n_rows && d->ids == NULL ? &d->rows[row] : NULL;
}

static const char *
text_at(const fine_dataset *d, int64_t offset)
{
    return offset >= 0 ? d->bytes.data + offset : NULL;
}

const char *
fine__dataset_text(const fine_dataset *dataset, int64_t row)
{
    const struct fine__row *r = row_at(dataset, row);

    return r != NULL ? text_at(dataset, r->text) : NULL;
}

const char *
fine__dataset_pair(const fine_dataset *dataset, int64_t row)
{
    const struct fine__row *r = row_at(dataset, row);

    return r != NULL ? text_at(dataset, r->pair) : NULL;
}

const char *
fine__dataset_group(const fine_dataset *dataset, int64_t row)
{
    const struct fine__row *r = row_at(dataset, row);

    return r != NULL ? text_at(dataset, r->group) : NULL;
}
