/*
 * rows.c — rows from memory, added one by one.
 *
 * Each call either adds a whole row or changes nothing: what can fail comes first, and
 * the row is committed by the last line. Labels are settled after each row, so that the
 * getters tell the truth at any time.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"
#include "data/table.h"

int
fine__dataset_new(fine_dataset **out, fine_context *ctx,
                  const struct fine_dataset_options *options)
{
    struct fine_dataset_options defaults;
    enum fine__content content;
    fine_dataset *d;
    int rc = 0;

    fine__dataset_defaults(&defaults);
    if (options == NULL)
        options = &defaults;
    FINE__TRY(fine__content_of(&content, options));
    if (options->n_labels < 0 || (options->n_labels > 0 && options->labels == NULL))
        return fine__fail(FINE_EINVAL, "task.labels: n_labels without labels");
    if (options->n_labels > 0 && content == FINE__ROWS_OF_NUMBERS)
        return fine__fail(FINE_EINVAL, "task.labels: a regression has numbers, not labels; take "
                          "them out");
    d = fine__dataset_make(ctx, "memory");
    if (d == NULL)
        return FINE_ENOMEM;
    d->content = content;
    d->require_label = options->require_label != 0 && content != FINE__ROWS_OF_TEXT;
    if (options->n_labels > 0)
        rc = fine__dataset_give_labels(d, options->labels, options->n_labels);
    if (rc < 0) {
        fine__dataset_unref(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* Says what is wrong with a text from memory, without showing any of it. */
static int
check_text(const fine_dataset *d, const char *text, const char *what)
{
    const size_t length = strlen(text);
    const long long row = (long long)d->n_rows + 1;

    if (length > FINE__MAX_FIELD)
        return fine__fail(FINE_EDATA, "memory: row %lld: the %s has %zu bytes, more than the limit "
                          "of %d", row, what, length, FINE__MAX_FIELD);
    for (size_t i = 0; i < length;) {
        int32_t c;
        bool valid;
        const size_t used = fine__utf8_decode(text + i, length - i, &c, &valid);

        if (!valid)
            return fine__fail(FINE_EDATA, "memory: row %lld: byte %zu of the %s is not UTF-8; "
                              "convert it first", row, i + 1, what);
        i += used;
    }
    return 0;
}

/* A new label takes its place among the sorted ones at once, so that rows from memory
 * are settled after each call; everything that can fail comes before the first change. */
static int64_t
insert_label(fine_dataset *d, const char *name, size_t length)
{
    struct fine__map ids;
    char *copy;
    int64_t at = 0;
    int rc = 0;

    if (d->n_labels >= FINE__MAX_LABELS)
        return FINE_EDATA;
    FINE__TRY(fine__grow(d->ctx, &d->labels, &d->label_capacity, d->n_labels + 1, sizeof(char *)));
    copy = fine__strndup(d->ctx, name, length);
    if (copy == NULL)
        return FINE_ENOMEM;
    while (at < d->n_labels && strcmp(d->labels[at], copy) < 0)
        at++;
    fine__map_init(&ids, d->ctx);
    for (int64_t i = 0; i < d->n_labels && rc == 0; i++)
        rc = fine__map_put(&ids, d->labels[i], strlen(d->labels[i]), i < at ? i : i + 1);
    if (rc == 0)
        rc = fine__map_put(&ids, name, length, at);
    if (rc < 0) {
        fine__map_free(&ids);
        fine__free(d->ctx, copy);
        return rc;
    }
    fine__map_free(&d->label_ids);
    d->label_ids = ids;
    memmove(d->labels + at + 1, d->labels + at, (size_t)(d->n_labels - at) * sizeof(char *));
    d->labels[at] = copy;
    d->n_labels++;
    for (int64_t i = 0; i < d->n_rows; i++)
        d->rows[i].label += d->rows[i].label >= at;
    return at;
}

/* Fills in row's label or value. */
static int
read_label(fine_dataset *d, struct fine__row *row, const char *label)
{
    const long long number = (long long)d->n_rows + 1;
    const size_t length = label != NULL ? strlen(label) : 0;

    if (label == NULL && !d->require_label)
        return 0;
    if (length == 0)
        return fine__fail(FINE_EDATA, "memory: row %lld has no label", number);
    if (d->content == FINE__ROWS_OF_NUMBERS) {
        if (!fine__parse_double(label, length, &row->value))
            return fine__fail(FINE_EDATA, "memory: row %lld: the label is not a finite number",
                              number);
        return 0;
    }
    if (length > FINE__MAX_LABEL)
        return fine__fail(FINE_EDATA, "memory: row %lld: the label has more than %d bytes", number,
                          FINE__MAX_LABEL);
    row->label = fine__map_get(&d->label_ids, label, length);
    if (row->label < 0 && d->labels_given)
        return fine__fail(FINE_EDATA, "memory: row %lld: the label is none of the %lld that are "
                          "allowed", number, (long long)d->n_labels);
    if (row->label < 0)
        row->label = insert_label(d, label, length);
    if (row->label == FINE_EDATA)
        return fine__fail(FINE_EDATA, "memory: row %lld brings more than %d different labels; for "
                          "numbers set label_is_number", number, FINE__MAX_LABELS);
    return row->label < 0 ? (int)row->label : 0;
}

/* The offset of a copy with its NUL; room has been reserved. */
static int64_t
append_text(fine_dataset *d, const char *text)
{
    const int64_t at = (int64_t)d->bytes.length;

    if (text == NULL)
        return -1;
    fine__buf_append(&d->bytes, text, strlen(text) + 1);
    return at;
}

static size_t
size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Room that grows by half, so that adding rows one by one stays linear. */
static int
reserve(fine_dataset *d, size_t more)
{
    const size_t need = d->bytes.length + more;

    if (need < d->bytes.capacity)
        return 0;
    return fine__buf_reserve(&d->bytes, need + need / 2);
}

int
fine__dataset_add(fine_dataset *d, const char *text, const char *pair, const char *label,
                  const char *group)
{
    struct fine__row row = fine__row_empty();

    if (d->used || d->ids != NULL)
        return fine__fail(FINE_ESTATE, "memory: the set is in use, and no row can be added any "
                          "more; make a new one");
    if (d->n_rows > 0 && d->has_pairs != (pair != NULL))
        return fine__fail(FINE_EINVAL, "memory: row %lld has %s, unlike the rows before",
                          (long long)d->n_rows + 1, pair != NULL ? "a pair" : "no pair");
    FINE__TRY(check_text(d, text, "text"));
    if (pair != NULL)
        FINE__TRY(check_text(d, pair, "pair"));
    if (label != NULL)
        FINE__TRY(check_text(d, label, "label"));
    if (group != NULL)
        FINE__TRY(check_text(d, group, "group"));
    FINE__TRY(fine__grow(d->ctx, &d->rows, &d->capacity, d->n_rows + 1, sizeof row));
    if (reserve(d, size_of(text) + size_of(pair) + size_of(group)) < 0) {
        d->bytes.failed = false;   /* the rows so far are whole */
        return FINE_ENOMEM;
    }
    FINE__TRY(d->content == FINE__ROWS_OF_ANSWERS ? fine__squad_label(d, pair, label, &row)
                                                  : read_label(d, &row, label));
    row.text = append_text(d, text);
    row.text_length = (int32_t)strlen(text);
    row.pair = append_text(d, pair);
    row.pair_length = pair != NULL ? (int32_t)strlen(pair) : 0;
    row.group = append_text(d, group);
    d->has_pairs = pair != NULL;
    d->has_groups = d->has_groups || group != NULL;
    d->has_labels = d->has_labels || label != NULL;
    d->rows[d->n_rows++] = row;
    return 0;
}
