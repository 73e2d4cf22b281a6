/*
 * select.c — a set of chosen rows, with bytes of its own.
 *
 * Sets are immutable, so a part of one could point into it; it has a copy instead,
 * that the whole can be freed as soon as its parts are made.
 */
#include <string.h>

#include "base/alloc.h"
#include "data/dataset.h"

static int64_t
copy_text(fine_dataset *to, const fine_dataset *from, int64_t offset)
{
    const int64_t at = (int64_t)to->bytes.length;

    if (offset < 0)
        return -1;
    fine__buf_append(&to->bytes, from->bytes.data + offset,
                     strlen(from->bytes.data + offset) + 1);
    return at;
}

/* There is room for them. */
static void
copy_marks(fine_dataset *to, const fine_dataset *from, struct fine__row *row)
{
    if (row->n_marks > 0)
        memcpy(to->marks + to->n_marks, from->marks + row->first_mark,
               (size_t)row->n_marks * sizeof *to->marks);
    row->first_mark = to->n_marks;
    to->n_marks += row->n_marks;
}

/* Columns that share a text keep sharing it; so do rows one after the other, such as the
 * questions about a context. before: the row that was copied last, or NULL. */
static void
copy_row(fine_dataset *to, const fine_dataset *from, int64_t i, const struct fine__row *before)
{
    const struct fine__row *row = &from->rows[i];
    const struct fine__row *last = before != NULL ? &to->rows[to->n_rows - 1] : NULL;
    struct fine__row copy = *row;

    copy_marks(to, from, &copy);
    copy.id = copy_text(to, from, row->id);
    copy.text = copy_text(to, from, row->text);
    copy.pair = row->pair == row->text                     ? copy.text
                : last != NULL && row->pair == before->pair ? last->pair
                                                            : copy_text(to, from, row->pair);
    copy.group = row->group == row->text                       ? copy.text
                 : row->group == row->pair                     ? copy.pair
                 : last != NULL && row->group == before->group ? last->group
                                                               : copy_text(to, from, row->group);
    copy.split = row->split == row->text                       ? copy.text
                 : row->split == row->pair                     ? copy.pair
                 : row->split == row->group                    ? copy.group
                 : last != NULL && row->split == before->split ? last->split
                                                               : copy_text(to, from, row->split);
    to->rows[to->n_rows++] = copy;
}

static size_t
bytes_of(const fine_dataset *d, int64_t offset)
{
    return offset >= 0 ? strlen(d->bytes.data + offset) + 1 : 0;
}

/* What copy_row() will copy, or a little more. */
static size_t
bytes_of_row(const fine_dataset *d, const struct fine__row *row, const struct fine__row *before)
{
    size_t bytes = bytes_of(d, row->text) + bytes_of(d, row->id);

    if (before == NULL || row->pair != before->pair)
        bytes += bytes_of(d, row->pair);
    if (before == NULL || row->group != before->group)
        bytes += bytes_of(d, row->group);
    if (before == NULL || row->split != before->split)
        bytes += bytes_of(d, row->split);
    return bytes;
}

static int
copy_texts(fine_dataset *to, const fine_dataset *from, const int64_t *rows, int64_t n)
{
    size_t bytes = 0;
    int64_t n_marks = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct fine__row *row = &from->rows[rows[i]];

        n_marks += row->n_marks;
        bytes += bytes_of_row(from, row, i > 0 ? &from->rows[rows[i - 1]] : NULL);
    }
    FINE__TRY(fine__grow(to->ctx, &to->marks, &to->marks_capacity, n_marks, sizeof *to->marks));
    FINE__TRY(fine__buf_reserve(&to->bytes, bytes));
    for (int64_t i = 0; i < n; i++)
        copy_row(to, from, rows[i], i > 0 ? &from->rows[rows[i - 1]] : NULL);
    return fine__buf_status(&to->bytes);
}

static int
copy_ids(fine_dataset *to, const fine_dataset *from, const int64_t *rows, int64_t n)
{
    int64_t total = 0;

    for (int64_t i = 0; i < n; i++)
        total += from->id_offsets[rows[i] + 1] - from->id_offsets[rows[i]];
    to->ids = fine__alloc_array(to->ctx, (size_t)total, sizeof *to->ids);
    to->id_offsets = fine__alloc_array(to->ctx, (size_t)n + 1, sizeof *to->id_offsets);
    if (to->ids == NULL || to->id_offsets == NULL)
        return FINE_ENOMEM;
    if (from->types != NULL) {
        to->types = fine__alloc_array(to->ctx, (size_t)total, sizeof *to->types);
        if (to->types == NULL)
            return FINE_ENOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t start = from->id_offsets[rows[i]], at = to->id_offsets[i];
        const int64_t length = from->id_offsets[rows[i] + 1] - start;

        memcpy(to->ids + at, from->ids + start, (size_t)length * sizeof *to->ids);
        if (to->types != NULL)
            memcpy(to->types + at, from->types + start, (size_t)length * sizeof *to->types);
        to->id_offsets[i + 1] = at + length;
        to->rows[to->n_rows++] = from->rows[rows[i]];
    }
    return 0;
}

/* A list of our own as one that is only read: C has no conversion for it. */
static const char *const *
names_of(char **names)
{
    return (const char *const *)(void *)names;
}

static int
fill(fine_dataset *to, const fine_dataset *from, const int64_t *rows, int64_t n)
{
    to->content = from->content;
    to->require_label = from->require_label;
    if (from->folder != NULL && (to->folder = fine__strdup(to->ctx, from->folder)) == NULL)
        return FINE_ENOMEM;
    to->has_pairs = from->has_pairs;
    to->has_groups = from->has_groups;
    to->has_labels = from->has_labels;
    to->skip_bad = from->skip_bad;
    to->blank_words = from->blank_words;
    memcpy(to->label_separator, from->label_separator, sizeof to->label_separator);
    to->used = true;
    FINE__TRY(fine__dataset_replace_labels(to, names_of(from->labels), from->n_labels));
    to->labels_given = from->labels_given;
    FINE__TRY(fine__dataset_copy_names(to->ctx, &to->columns_used, &to->n_columns_used,
                                       names_of(from->columns_used), from->n_columns_used));
    FINE__TRY(fine__dataset_copy_names(to->ctx, &to->columns_unused, &to->n_columns_unused,
                                       names_of(from->columns_unused), from->n_columns_unused));
    FINE__TRY(fine__grow(to->ctx, &to->rows, &to->capacity, n, sizeof *to->rows));
    return from->ids != NULL ? copy_ids(to, from, rows, n) : copy_texts(to, from, rows, n);
}

int
fine__dataset_select(fine_dataset **out, const fine_dataset *dataset, const int64_t *rows,
                     int64_t n)
{
    fine_dataset *d = fine__dataset_make(dataset->ctx, dataset->name);
    int rc;

    if (d == NULL)
        return FINE_ENOMEM;
    rc = fill(d, dataset, rows, n);
    if (rc < 0) {
        fine__dataset_unref(d);
        return rc;
    }
    *out = d;
    return 0;
}

