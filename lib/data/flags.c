/*
 * flags.c — which of several labels a row has: names in one cell, or a column for each.
 *
 * A row is looked at whole before a label is added to the set, so that a row which is left out
 * brings none in. Labels that stand twice in a cell count once; the log says how many did.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/table.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct fine__cell
trimmed(struct fine__cell cell)
{
    while (cell.length > 0 && is_blank(cell.text[0])) {
        cell.text++;
        cell.length--;
    }
    while (cell.length > 0 && is_blank(cell.text[cell.length - 1]))
        cell.length--;
    return cell;
}

/* Where the label at `from` ends. */
static size_t
end_of(struct fine__cell cell, size_t from, const char *separator, size_t n_separator)
{
    for (size_t i = from; i < cell.length; i++)
        if (n_separator == 0 ? cell.text[i] == '\0'
                             : i + n_separator <= cell.length &&
                                   memcmp(cell.text + i, separator, n_separator) == 0)
            return i;
    return cell.length;
}

bool
fine__flags_next(struct fine__cell *out, struct fine__cell cell, const char **at,
                 const char *separator, size_t n_separator)
{
    size_t from, end;

    if (*at == NULL && (n_separator > 0 ? trimmed(cell).length : cell.length) == 0)
        return false;
    from = *at != NULL ? (size_t)(*at - cell.text) : 0;
    /* Behind a last separator comes one more label, an empty one; behind a last NUL none. */
    if (from > cell.length || (n_separator == 0 && from == cell.length))
        return false;
    end = end_of(cell, from, separator, n_separator);
    *out = trimmed((struct fine__cell){ cell.text + from, end - from });
    *at = cell.text + end + (n_separator > 0 && end < cell.length ? n_separator : 1);
    return true;
}

static int
by_label(const void *a, const void *b)
{
    const struct fine__mark *x = a, *y = b;

    return x->label < y->label ? -1 : x->label > y->label;
}

void
fine__dataset_sort_marks(fine_dataset *d, const struct fine__row *row)
{
    if (row->n_marks > 1)
        qsort(d->marks + row->first_mark, (size_t)row->n_marks, sizeof *d->marks, by_label);
}

static int
add(struct fine__table *t, int64_t label)
{
    FINE__TRY(fine__grow(t->set->ctx, &t->marks, &t->marks_capacity, t->n_marks + 1,
                         sizeof *t->marks));
    t->marks[t->n_marks++] = (struct fine__mark){ .label = (int32_t)label };
    return 0;
}

static void
drop_repeated(struct fine__table *t)
{
    int64_t n = 0;

    if (t->n_marks > 1)
        qsort(t->marks, (size_t)t->n_marks, sizeof *t->marks, by_label);
    for (int64_t i = 0; i < t->n_marks; i++)
        if (n == 0 || t->marks[i].label != t->marks[n - 1].label)
            t->marks[n++] = t->marks[i];
    t->n_repeated += t->n_marks - n;
    t->n_marks = n;
}

/* ---- columns of 0 and 1 ---- */

static int
read_columns(struct fine__table *t, int64_t line)
{
    const struct fine_dataset_options *o = t->options;

    for (int64_t i = 0; i < t->n_flags; i++) {
        const struct fine__cell cell = t->flags[i];

        if (cell.text == NULL)
            fine__table_bad_row(t, line, "'%.60s' is missing", o->label_columns[i]);
        else if (cell.length != 1 || (cell.text[0] != '0' && cell.text[0] != '1'))
            fine__table_bad_row(t, line, "'%.60s' is neither 0 nor 1", o->label_columns[i]);
        else if (!t->row_is_bad && cell.text[0] == '1')
            FINE__TRY(add(t, fine__map_get_cstr(&t->set->label_ids, o->label_columns[i])));
    }
    drop_repeated(t);
    return 0;
}

/* ---- several in one cell ---- */

static void
check_label(struct fine__table *t, struct fine__cell label, int64_t line)
{
    const fine_dataset *d = t->set;

    if (label.length == 0)
        fine__table_bad_row(t, line, "a label is empty; no label at all is an empty cell");
    else if (label.length > FINE__MAX_LABEL)
        fine__table_bad_row(t, line, "a label has %zu bytes, more than the limit of %d; is "
                            "'%.60s' the right column, and '%s' between its labels?",
                            label.length, FINE__MAX_LABEL, t->column[FINE__ROLE_LABEL],
                            d->label_separator);
    else if (d->labels_given && fine__map_get(&d->label_ids, label.text, label.length) < 0)
        fine__table_bad_row(t, line, "a label is none of the %lld in task.labels",
                            (long long)d->n_labels);
}

static int
read_cell(struct fine__table *t, struct fine__cell cell, int64_t line)
{
    fine_dataset *d = t->set;
    const size_t n_separator = t->label_is_list ? 0 : strlen(d->label_separator);
    struct fine__cell label;
    const char *at = NULL;

    while (fine__flags_next(&label, cell, &at, d->label_separator, n_separator))
        check_label(t, label, line);
    if (t->row_is_bad)
        return 0;
    at = NULL;
    while (fine__flags_next(&label, cell, &at, d->label_separator, n_separator)) {
        const int64_t id = fine__dataset_label_id(d, label.text, label.length);

        if (id == FINE_EDATA)
            return fine__fail(FINE_EDATA, "%s:%lld: more than %d different labels; is '%.60s' "
                              "the right column, and '%s' between its labels?", d->name,
                              (long long)line, FINE__MAX_LABELS, t->column[FINE__ROLE_LABEL],
                              d->label_separator);
        if (id < 0)
            return (int)id;
        FINE__TRY(add(t, id));
    }
    drop_repeated(t);
    return 0;
}

int
fine__flags_read(struct fine__table *t, struct fine__cell cell, int64_t line)
{
    if (t->n_flags > 0)
        return read_columns(t, line);
    if (cell.text != NULL)
        return read_cell(t, cell, line);
    if (t->set->require_label)
        fine__table_bad_row(t, line, "the label is missing; no label at all is an empty cell");
    return 0;
}
