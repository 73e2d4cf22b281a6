/*
 * table.c — options, roles of columns, checked rows, findings.
 *
 * See table.h for the idea. What makes a row bad is decided here for every format,
 * so that a label means the same in a CSV, a TSV and a JSONL file.
 */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "data/table.h"
#include "data/tags.h"

enum { MAX_FINDINGS = 100 };

static const char *const keys[FINE__ROLES] = { "text", "text_pair", "label", "group", "split_by" };

static void
add_finding(struct fine__table *t, int64_t line, const char *format, va_list arguments)
{
    char sentence[512], name[200];

    if (t->n_findings++ >= MAX_FINDINGS)
        return;
    if (vsnprintf(sentence, sizeof sentence, format, arguments) < 0)
        sentence[0] = '\0';
    fine__escape(name, sizeof name, t->set->name, strlen(t->set->name));
    if (line > 0)
        fine__buf_printf(&t->findings, "%s:%lld: %s", name, (long long)line, sentence);
    else
        fine__buf_printf(&t->findings, "%s: %s", name, sentence);
    fine__buf_byte(&t->findings, '\0');
}

void
fine__table_bad_row(struct fine__table *t, int64_t line, const char *format, ...)
{
    va_list arguments;

    t->row_is_bad = true;
    if (t->skip_bad)
        return;
    va_start(arguments, format);
    add_finding(t, line, format, arguments);
    va_end(arguments);
}

void
fine__table_bad_file(struct fine__table *t, int64_t line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_finding(t, line, format, arguments);
    va_end(arguments);
}

/* Names for a message, as far as there is room. A long one is likely no name but the first
 * row of a file without a header, and that isn't ours to show. */
static void
list_names(char *out, size_t size, char *const *names, int64_t n)
{
    enum { LONGEST = 40, CLOSING = 24 };
    size_t used = 0;

    for (int64_t i = 0; i < n; i++) {
        char name[LONGEST + 16];
        const size_t length = strlen(names[i]);
        size_t need;

        if (length <= LONGEST)
            snprintf(name, sizeof name, "'%s'", names[i]);
        else
            snprintf(name, sizeof name, "(%zu bytes)", length);
        need = strlen(name) + 2;
        if (used + need + CLOSING > size) {
            snprintf(out + used, size - used, " and %lld more", (long long)(n - i));
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", name);
    }
}

void
fine__table_missing(struct fine__table *t, enum fine__role role, char *const *names, int64_t n,
                    const char *hint)
{
    char list[300] = "none";

    list_names(list, sizeof list, names, n);
    fine__table_bad_file(t, 0, "no column '%.60s'; there are: %s. Set data.%s%s", t->column[role],
                         list, keys[role], hint);
}

bool
fine__table_needs(const struct fine__table *t, enum fine__role role)
{
    if (t->column[role] == NULL)
        return false;
    return role != FINE__ROLE_LABEL || t->set->require_label;
}

static void
assign_roles(struct fine__table *t)
{
    const struct fine_dataset_options *o = t->options;
    const bool answers = t->content == FINE__ROWS_OF_ANSWERS;

    t->column[FINE__ROLE_TEXT] = o->text != NULL ? o->text : answers ? "question" : "text";
    t->column[FINE__ROLE_PAIR] = o->text_pair != NULL ? o->text_pair : answers ? "context" : NULL;
    t->column[FINE__ROLE_LABEL] = t->content == FINE__ROWS_OF_TEXT    ? NULL
                                  : t->n_flags > 0                    ? NULL
                                  : o->label != NULL                  ? o->label
                                  : answers                           ? "answers"
                                  : t->content == FINE__ROWS_OF_TAGS ? "spans" : "label";
    t->column[FINE__ROLE_GROUP] = o->group;
    /* Questions about one text share what it says, so they stay on one side of a split. */
    t->column[FINE__ROLE_SPLIT] = o->split_by != NULL ? o->split_by
                                  : answers           ? t->column[FINE__ROLE_PAIR]
                                                      : NULL;
    for (int i = 0; i < FINE__ROLES; i++) {
        t->same[i] = (enum fine__role)i;
        for (int k = 0; k < i && t->column[i] != NULL && i != FINE__ROLE_LABEL; k++)
            if (k != FINE__ROLE_LABEL && t->column[k] != NULL
                && strcmp(t->column[i], t->column[k]) == 0) {
                t->same[i] = (enum fine__role)k;
                break;
            }
    }
}

void
fine__table_guess_pair(struct fine__table *t, bool has_text, bool has_both)
{
    const char *task = t->options->task;

    if (task == NULL || strcmp(task, "language-model") != 0 || has_text || !has_both ||
        t->column[FINE__ROLE_PAIR] != NULL || strcmp(t->column[FINE__ROLE_TEXT], "text") != 0)
        return;
    t->column[FINE__ROLE_TEXT] = "prompt";
    t->column[FINE__ROLE_PAIR] = "completion";
}

static int
check_options(struct fine__table *t)
{
    const struct fine_dataset_options *o = t->options;

    FINE__TRY(fine__encoding_parse(&t->encoding, o->encoding));
    t->skip_bad = o->on_bad_row != NULL && strcmp(o->on_bad_row, "skip") == 0;
    if (o->on_bad_row != NULL && !t->skip_bad && strcmp(o->on_bad_row, "error") != 0)
        return fine__fail(FINE_EINVAL, "data.on_bad_row: '%s' is neither error nor skip",
                          o->on_bad_row);
    if (o->n_columns < 0 || (o->n_columns > 0 && o->columns == NULL))
        return fine__fail(FINE_EINVAL, "data.header: n_columns without columns");
    if (o->n_columns > FINE__MAX_COLUMNS)
        return fine__fail(FINE_EINVAL, "data.header: %lld columns are more than the limit of %d",
                          (long long)o->n_columns, FINE__MAX_COLUMNS);
    for (int64_t i = 0; i < o->n_columns; i++)
        if (o->columns[i] == NULL)
            return fine__fail(FINE_EINVAL, "data.header: column %lld is NULL", (long long)i + 1);
    if (o->n_labels < 0 || (o->n_labels > 0 && o->labels == NULL))
        return fine__fail(FINE_EINVAL, "task.labels: n_labels without labels");
    if (o->n_labels > 0 && t->content == FINE__ROWS_OF_NUMBERS)
        return fine__fail(FINE_EINVAL, "task.labels: a regression has numbers, not labels; take "
                          "them out");
    if (o->n_labels > 0 && t->content == FINE__ROWS_OF_ANSWERS)
        return fine__fail(FINE_EINVAL, "task.labels: answers are places, not labels; take them "
                          "out");
    if (o->n_labels > 0 && t->content == FINE__ROWS_OF_TEXT)
        return fine__fail(FINE_EINVAL, "task.labels: texts have no labels for %s; take them out",
                          o->task);
    return 0;
}

static bool
starts_with(const struct fine__buf *text, const char *bytes, size_t n)
{
    return text->length >= n && memcmp(text->data, bytes, n) == 0;
}

/* The byte order mark, and what it says about the encoding. */
static int
read_mark(struct fine__table *t)
{
    const struct fine__buf *text = &t->set->bytes;

    if (text->length == 0)
        return fine__fail(FINE_EDATA, "%s: the file is empty", t->set->name);
    if (starts_with(text, "\xff\xfe", 2) || starts_with(text, "\xfe\xff", 2))
        return fine__fail(FINE_EDATA, "%s: the file is UTF-16; save it as UTF-8", t->set->name);
    if (!starts_with(text, "\xef\xbb\xbf", 3))
        return 0;
    if (t->encoding != FINE__UTF_8)
        return fine__fail(FINE_EDATA, "%s: the file begins with the mark of UTF-8, but "
                          "data.encoding says %s; set it to utf-8", t->set->name,
                          t->options->encoding);
    t->start = 3;
    return 0;
}

int
fine__table_open(struct fine__table *t, fine_context *ctx, const char *name,
                 struct fine__buf *text, const struct fine_dataset_options *options)
{
    int rc;

    *t = (struct fine__table){ .options = options };
    fine__buf_init(&t->findings, ctx);
    fine__map_init(&t->questions.ids, ctx);
    FINE__TRY(fine__content_of(&t->content, options));
    FINE__TRY(check_options(t));
    t->n_flags = t->content == FINE__ROWS_OF_FLAGS ? options->n_label_columns : 0;
    assign_roles(t);
    t->set = fine__dataset_make(ctx, name);
    if (t->set == NULL)
        return FINE_ENOMEM;
    t->set->content = t->content;
    t->set->require_label = options->require_label != 0 && t->content != FINE__ROWS_OF_TEXT;
    t->set->bytes = *text;
    fine__buf_init(text, ctx);
    t->set->skip_bad = t->skip_bad;
    rc = fine__dataset_take_labels(t->set, options);
    if (rc == 0 && t->n_flags > 0) {
        t->flags = fine__alloc_array(ctx, (size_t)t->n_flags, sizeof *t->flags);
        rc = t->flags != NULL ? 0 : FINE_ENOMEM;
    }
    if (rc == 0)
        rc = read_mark(t);
    if (rc == 0)
        rc = fine__encoding_convert(&t->set->bytes, t->encoding);
    if (rc < 0)
        fine__table_close(t);
    return rc;
}

void
fine__table_close(struct fine__table *t)
{
    fine__buf_free(&t->findings);
    fine__map_free(&t->questions.ids);
    fine__free(t->findings.ctx, t->questions.places);
    fine__free(t->findings.ctx, t->marks);
    fine__free(t->findings.ctx, t->flags);
    fine__dataset_unref(t->set);
    t->set = NULL;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
fine__table_entity(struct fine__table *t, int64_t start, int64_t end, const char *type,
                   size_t length, int64_t line)
{
    fine_dataset *d = t->set;
    const int64_t label = fine__tags_label(d, type, length);

    if (label == FINE_ENOMEM)
        return FINE_ENOMEM;
    if (label == FINE_EDATA)
        return fine__fail(FINE_EDATA, "%s:%lld: more than %d different labels; is '%.60s' the "
                          "right column?", d->name, (long long)line, FINE__MAX_LABELS,
                          t->column[FINE__ROLE_LABEL]);
    if (label < 0) {
        fine__table_bad_row(t, line, "the label is none of the %lld in task.labels",
                            (long long)d->n_labels);
        return 0;
    }
    FINE__TRY(fine__grow(d->ctx, &t->marks, &t->marks_capacity, t->n_marks + 1,
                         sizeof *t->marks));
    t->marks[t->n_marks++] =
        (struct fine__mark){ (int32_t)start, (int32_t)end, (int32_t)label };
    return 0;
}

static void
read_number(struct fine__table *t, struct fine__cell cell, struct fine__row *row, int64_t line)
{
    while (cell.length > 0 && is_blank(cell.text[0])) {
        cell.text++;
        cell.length--;
    }
    while (cell.length > 0 && is_blank(cell.text[cell.length - 1]))
        cell.length--;
    if (!fine__parse_double(cell.text, cell.length, &row->value))
        fine__table_bad_row(t, line, "the label is not a finite number");
}

/* The label's index; what is wrong with it becomes a finding. */
static int
read_label(struct fine__table *t, struct fine__cell cell, struct fine__row *row, int64_t line)
{
    fine_dataset *d = t->set;
    bool empty = true;

    for (size_t i = 0; i < cell.length && empty; i++)
        empty = is_blank(cell.text[i]);
    if (cell.text == NULL || empty) {
        if (d->require_label)
            fine__table_bad_row(t, line, "the label is %s",
                             cell.text == NULL ? "missing" : "empty");
        return 0;
    }
    if (d->content == FINE__ROWS_OF_NUMBERS) {
        read_number(t, cell, row, line);
        return 0;
    }
    if (cell.length > FINE__MAX_LABEL) {
        fine__table_bad_row(t, line, "the label has %zu bytes, more than the limit of %d; is "
                         "'%.60s' the right column?", cell.length, FINE__MAX_LABEL,
                         t->column[FINE__ROLE_LABEL]);
        return 0;
    }
    /* A row that is left out must not bring a label in. */
    if (t->row_is_bad)
        return 0;
    row->label = fine__dataset_label_id(d, cell.text, cell.length);
    if (row->label == FINE_ENOMEM)
        return FINE_ENOMEM;
    if (row->label == FINE_EDATA)
        return fine__fail(FINE_EDATA, "%s:%lld: more than %d different labels; is '%.60s' the "
                          "right column? For numbers use task.type: regress", d->name,
                          (long long)line, FINE__MAX_LABELS, t->column[FINE__ROLE_LABEL]);
    if (row->label < 0)
        fine__table_bad_row(t, line, "the label is none of the %lld in task.labels",
                         (long long)d->n_labels);
    return 0;
}

/* Moves a text down to the end of what has been kept, with a NUL. */
static int64_t
keep(fine_dataset *d, struct fine__cell cell)
{
    const size_t at = d->bytes.length;

    memmove(d->bytes.data + at, cell.text, cell.length);
    d->bytes.data[at + cell.length] = '\0';
    d->bytes.length = at + cell.length + 1;
    return (int64_t)at;
}

/* Keeps each column once. In the order in which they lie in the file, so that no text is
 * moved onto one that is still to be moved. */
static void
keep_cells(struct fine__table *t, const struct fine__cell cells[FINE__ROLES],
           int64_t at[FINE__ROLES])
{
    int order[FINE__ROLES], n = 0;

    for (int i = 0; i < FINE__ROLES; i++) {
        int k = n;

        at[i] = -1;
        if (i == FINE__ROLE_LABEL || t->same[i] != (enum fine__role)i || cells[i].text == NULL)
            continue;
        for (; k > 0 && (uintptr_t)cells[order[k - 1]].text > (uintptr_t)cells[i].text; k--)
            order[k] = order[k - 1];
        order[k] = i;
        n++;
    }
    for (int k = 0; k < n; k++)
        at[order[k]] = keep(t->set, cells[order[k]]);
    for (int i = 0; i < FINE__ROLES; i++)
        if (t->column[i] != NULL)
            at[i] = at[t->same[i]];
    assert(t->set->bytes.length <= t->consumed);
}

void
fine__table_check_cells(struct fine__table *t, const struct fine__cell cells[FINE__ROLES],
                        int64_t line)
{
    for (int i = 0; i < FINE__ROLES; i++) {
        if (t->same[i] != (enum fine__role)i || i == FINE__ROLE_LABEL)
            continue;
        if (cells[i].text == NULL && t->column[i] != NULL)
            fine__table_bad_row(t, line, "'%.60s' is missing", t->column[i]);
        else if (cells[i].length > FINE__MAX_FIELD)
            fine__table_bad_row(t, line, "'%.60s' has %zu bytes, more than the limit of %d",
                             t->column[i], cells[i].length, FINE__MAX_FIELD);
    }
}

int
fine__table_row(struct fine__table *t, const struct fine__cell cells[FINE__ROLES], int64_t line)
{
    fine_dataset *d = t->set;
    struct fine__row row = fine__row_empty();
    int64_t at[FINE__ROLES];

    row.line = line;
    if (!t->row_is_bad) {
        fine__table_check_cells(t, cells, line);
        if (d->content == FINE__ROWS_OF_FLAGS)
            FINE__TRY(fine__flags_read(t, cells[FINE__ROLE_LABEL], line));
        else if (d->content != FINE__ROWS_OF_TAGS)
            FINE__TRY(read_label(t, cells[FINE__ROLE_LABEL], &row, line));
    }
    if (t->row_is_bad) {
        t->row_is_bad = false;
        t->n_marks = 0;
        d->skipped++;
        return 0;
    }
    FINE__TRY(fine__grow(d->ctx, &d->rows, &d->capacity, d->n_rows + 1, sizeof row));
    FINE__TRY(fine__grow(d->ctx, &d->marks, &d->marks_capacity, d->n_marks + t->n_marks,
                         sizeof *d->marks));
    for (int64_t i = 0; i < t->n_marks; i++)
        FINE__TRY(fine__dataset_mark(d, &row, t->marks[i]));
    t->n_marks = 0;
    keep_cells(t, cells, at);
    row.text = at[FINE__ROLE_TEXT];
    row.pair = at[FINE__ROLE_PAIR];
    row.group = at[FINE__ROLE_GROUP];
    row.split = at[FINE__ROLE_SPLIT];
    row.text_length = (int32_t)cells[FINE__ROLE_TEXT].length;
    row.pair_length = (int32_t)cells[FINE__ROLE_PAIR].length;
    d->has_labels = d->has_labels || row.label >= 0 || !isnan(row.value) ||
                    (d->content == FINE__ROWS_OF_FLAGS &&
                     (t->n_flags > 0 || cells[FINE__ROLE_LABEL].text != NULL));
    d->rows[d->n_rows++] = row;
    return 0;
}

static int
report(const struct fine__table *t)
{
    const char *sentence = t->findings.data;

    FINE__TRY(fine__buf_status(&t->findings));
    fine__error_clear();
    for (int64_t i = 0; i < t->n_findings && i < MAX_FINDINGS; i++) {
        fine__also(FINE_EDATA, "%s", sentence);
        sentence += strlen(sentence) + 1;
    }
    if (t->n_findings > MAX_FINDINGS)
        fine__also(FINE_EDATA, "and %lld more", (long long)(t->n_findings - MAX_FINDINGS));
    return FINE_EDATA;
}

int
fine__table_finish(struct fine__table *t)
{
    fine_dataset *d = t->set;
    char *smaller;

    if (t->n_findings > 0)
        return report(t);
    FINE__TRY(fine__dataset_settle_labels(d));
    for (int64_t i = 0; i < d->n_rows && d->content == FINE__ROWS_OF_FLAGS; i++)
        fine__dataset_sort_marks(d, &d->rows[i]);
    if (t->n_repeated > 0)
        fine__log(d->ctx, FINE_LOG_WARNING, "%s: %lld labels stand twice in their cell, and count "
                  "once", d->name, (long long)t->n_repeated);
    d->has_pairs = t->column[FINE__ROLE_PAIR] != NULL;
    d->has_groups = t->column[FINE__ROLE_GROUP] != NULL;
    /* Giving back what the file had beside the texts can't fail in a way that matters. */
    smaller = fine__realloc(d->ctx, d->bytes.data, d->bytes.length + 1);
    if (smaller != NULL) {
        d->bytes.data = smaller;
        d->bytes.capacity = d->bytes.length + 1;
    }
    if (d->bytes.length < d->bytes.capacity)
        d->bytes.data[d->bytes.length] = '\0';
    if (d->skipped > 0)
        fine__log(d->ctx, FINE_LOG_WARNING, "%s: %lld bad rows were skipped, %lld are left",
                  d->name, (long long)d->skipped, (long long)d->n_rows);
    return 0;
}
