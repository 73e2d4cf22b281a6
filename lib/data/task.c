/*
 * task.c — whether a set fits a task, and its labels a model's.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/dataset.h"

enum { MAX_FINDINGS = 100 };

static int
check_empty(const fine_dataset *d)
{
    if (d->n_rows > 0)
        return 0;
    if (d->skipped > 0)
        return fine__fail(FINE_EDATA, "%s: no row is left, all %lld are bad; set data.on_bad_row: "
                          "error to see why", d->name, (long long)d->skipped);
    return fine__fail(FINE_EDATA, "%s: there is no row", d->name);
}

static int
check_texts(const fine_dataset *d)
{
    if (d->ids != NULL)
        return 0;
    for (int64_t i = 0; i < d->n_rows; i++)
        if (d->rows[i].text_length > 0 || d->rows[i].pair_length > 0)
            return 0;
    return fine__fail(FINE_EDATA, "%s: all %lld texts are empty; is data.text the right column?",
                      d->name, (long long)d->n_rows);
}

/* Rows without marks are good examples too, but some must have one. */
static int
check_marks(const fine_dataset *d)
{
    if (d->content == FINE__ROWS_OF_TEXT || d->n_marks > 0)
        return 0;
    return fine__fail(FINE_EDATA, "%s: none of the %lld rows has %s", d->name,
                      (long long)d->n_rows,
                      d->content == FINE__ROWS_OF_ANSWERS ? "an answer" : "a label");
}

int
fine__dataset_check_task(const fine_dataset *d, enum fine__content content)
{
    const bool regress = content == FINE__ROWS_OF_NUMBERS;
    int64_t first = -1, missing = 0;
    bool differ = false;

    FINE__TRY(check_empty(d));
    FINE__TRY(check_texts(d));
    if (d->ids != NULL && content == FINE__ROWS_OF_TEXT)
        return 0;
    if (d->content == content && content != FINE__ROWS_OF_CLASSES && !regress &&
        content != FINE__ROWS_OF_IMAGES)
        return check_marks(d);
    if (!d->has_labels)
        return fine__fail(FINE_EDATA, "%s: there are no labels; add a column and name it in "
                          "data.label", d->name);
    if (d->content != content)
        return fine__fail(FINE_EDATA,
                          regress ? "%s: labels are names, but a regression needs numbers; read "
                                    "them with label_is_number"
                                  : "%s: labels are numbers to be predicted, but a classification "
                                    "needs names; use task.type: regress", d->name);
    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];

        if ((regress ? isnan(row->value) : row->label < 0) && missing++ == 0)
            first = i;
    }
    if (missing > 0)
        return fine__fail(FINE_EDATA, "%s: %lld of %lld rows have no label, the first is row %lld",
                          d->name, (long long)missing, (long long)d->n_rows, (long long)first + 1);
    for (int64_t i = 1; i < d->n_rows && !regress && !differ; i++)
        differ = d->rows[i].label != d->rows[0].label;
    if (!regress && !differ)
        return fine__fail(FINE_EDATA, "%s: all %lld rows have the same label, so there is nothing "
                          "to tell apart; give rows of at least two", d->name,
                          (long long)d->n_rows);
    return 0;
}

/* For each label of the set its index among names, or -1. */
static int
map_labels(int64_t *to, const fine_dataset *d, const char *const *names, int64_t n_names)
{
    struct fine__map ids;
    int rc = 0;

    fine__map_init(&ids, d->ctx);
    for (int64_t i = 0; i < n_names && rc >= 0; i++)
        rc = fine__map_put(&ids, names[i], strlen(names[i]), i);
    for (int64_t i = 0; i < d->n_labels && rc >= 0; i++)
        to[i] = d->ids != NULL ? (i < n_names ? i : -1) : fine__map_get_cstr(&ids, d->labels[i]);
    fine__map_free(&ids);
    return rc < 0 ? rc : 0;
}

static bool
row_is_known(const fine_dataset *d, const struct fine__row *row, const int64_t *to)
{
    bool known = row->label < 0 || to[row->label] >= 0;

    for (int64_t i = 0; i < row->n_marks && known; i++) {
        const int32_t label = d->marks[row->first_mark + i].label;

        known = label < 0 || to[label] >= 0;
    }
    return known;
}

/* Every row whose label has no place; the findings say where, not what. */
static int
check_rows(const fine_dataset *d, const int64_t *to, int64_t n_names)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];

        if (row_is_known(d, row, to))
            continue;
        if (n == 0)
            fine__error_clear();
        if (n++ >= MAX_FINDINGS)
            continue;
        if (row->line > 0)
            fine__also(FINE_EDATA, "%s:%lld: the label is none of the model's %lld", d->name,
                       (long long)row->line, (long long)n_names);
        else
            fine__also(FINE_EDATA, "%s: row %lld: the label is none of the model's %lld", d->name,
                       (long long)i + 1, (long long)n_names);
    }
    if (n > MAX_FINDINGS)
        fine__also(FINE_EDATA, "and %lld more", (long long)(n - MAX_FINDINGS));
    return n > 0 ? FINE_EDATA : 0;
}

static int
copy_with(fine_dataset **out, const fine_dataset *d, const int64_t *to, const char *const *names,
          int64_t n_names)
{
    int64_t *all = fine__alloc_array(d->ctx, (size_t)d->n_rows, sizeof *all);
    fine_dataset *copy = NULL;
    int rc;

    if (all == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < d->n_rows; i++)
        all[i] = i;
    rc = fine__dataset_select(&copy, d, all, d->n_rows);
    fine__free(d->ctx, all);
    if (rc == 0)
        rc = fine__dataset_replace_labels(copy, names, n_names);
    if (rc < 0) {
        fine__dataset_unref(copy);
        return rc;
    }
    copy->skipped = d->skipped;
    for (int64_t i = 0; i < copy->n_rows; i++)
        if (copy->rows[i].label >= 0)
            copy->rows[i].label = to[copy->rows[i].label];
    for (int64_t i = 0; i < copy->n_marks; i++)
        if (copy->marks[i].label >= 0)
            copy->marks[i].label = (int32_t)to[copy->marks[i].label];
    *out = copy;
    return 0;
}

int
fine__dataset_relabel(fine_dataset **out, const fine_dataset *d, const char *const *names,
                      int64_t n_names)
{
    int64_t *to = fine__alloc_array(d->ctx, (size_t)d->n_labels, sizeof *to);
    int rc;

    if (to == NULL)
        return FINE_ENOMEM;
    rc = map_labels(to, d, names, n_names);
    if (rc == 0)
        rc = check_rows(d, to, n_names);
    if (rc == 0)
        rc = copy_with(out, d, to, names, n_names);
    fine__free(d->ctx, to);
    return rc;
}
