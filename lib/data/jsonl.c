/*
 * jsonl.c — one JSON object a line.
 *
 * A line is parsed alone, so a broken one costs one row. Columns are the objects'
 * keys; a value that isn't used may be anything. What jansson says about a broken
 * line is cut where it begins to quote the line: rows are private.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/number.h"
#include "data/spans.h"

enum { MAX_LINE = 100000000 };

struct jsonl {
    struct fine__table *t;
    char *text;
    size_t length, at;
    int64_t line;
    bool cr_ends_line, has_row, has_keys;
    struct fine__map seen;          /* keys of all objects */
    char **keys;                    /* in order of appearance */
    int64_t n_keys, key_capacity;
    char number[FINE__ROLES][32];   /* integers as text */
    struct fine__buf list;          /* multilabel: the labels of a list, each with its NUL */
    bool *has_flag;                 /* multilabel: some object has that column */
    struct fine__found_spans spans; /* tag */
};

static const char *
kind_of(const struct fine__json *value)
{
    switch (fine__json_type(value)) {
    case FINE__JSON_OBJECT:
        return "an object";
    case FINE__JSON_ARRAY:
        return "a list";
    case FINE__JSON_STRING:
        return "a string";
    case FINE__JSON_BOOL:
        return "true or false";
    case FINE__JSON_NULL:
        return "null";
    default:
        return "a number";
    }
}

/* The bytes of the line at j->at; moves behind it. */
static size_t
take_line(struct jsonl *j)
{
    const char *start = j->text + j->at;
    const char *end = memchr(start, j->cr_ends_line ? '\r' : '\n', j->length - j->at);
    size_t length = end != NULL ? (size_t)(end - start) : j->length - j->at;

    j->at += length + (end != NULL);
    if (length > 0 && start[length - 1] == '\r')
        length--;
    return length;
}

static bool
is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

/* Whether a line is the first of a value that goes on over several. */
static bool
goes_on(const char *text, size_t length)
{
    int64_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!in_string && (text[i] == '}' || text[i] == ']'))
            depth--;
    }
    return !in_string && depth > 0;
}

/* A file that isn't one object a line at all gets one finding instead of one a line. */
static bool
is_other_json(struct jsonl *j, const char *text, size_t length)
{
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    if (*text == '[') {
        fine__table_bad_file(j->t, j->line, "the file is one JSON list, not one object a line; "
                             "convert it, such as with: jq -c '.[]'");
        return true;
    }
    if (*text == '{' && goes_on(text, length)) {
        fine__table_bad_file(j->t, j->line, "an object goes on over several lines; write one "
                             "object a line, such as with: jq -c .");
        return true;
    }
    return false;
}

/* From "row:1:COLUMN: reason near 'what the line says'" to what may be told. */
static void
note_broken(struct jsonl *j)
{
    const char *message = fine__error_first();
    const char *column = strncmp(message, "row:1:", 6) == 0 ? message + 6 : "";
    const size_t digits = strspn(column, "0123456789");
    const char *reason = column[digits] == ':' ? column + digits + 2 : "not JSON";
    const char *near = strstr(reason, " near "), *unicode = strstr(reason, " '\\u");
    const char *end = near != NULL ? near : unicode != NULL ? unicode : reason + strlen(reason);

    if (digits == 0)
        fine__table_bad_row(j->t, j->line, "not JSON");
    else
        fine__table_bad_row(j->t, j->line, "character %.*s of the line: %.*s", (int)digits, column,
                            (int)(end - reason), reason);
}

static int
remember_keys(struct jsonl *j, const struct fine__json *object)
{
    for (void *it = fine__json_first(object); it != NULL; it = fine__json_next(object, it)) {
        const char *key = fine__json_key(it);
        const int rc = fine__map_put(&j->seen, key, strlen(key), j->n_keys);

        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if (j->n_keys == FINE__MAX_COLUMNS) {
            fine__table_bad_file(j->t, j->line, "more than %d different keys; keep texts in "
                                 "values, not in keys", FINE__MAX_COLUMNS);
            return 1;
        }
        FINE__TRY(fine__grow(j->t->set->ctx, &j->keys, &j->key_capacity, j->n_keys + 1,
                             sizeof(char *)));
        j->keys[j->n_keys] = fine__strdup(j->t->set->ctx, key);
        if (j->keys[j->n_keys] == NULL)
            return FINE_ENOMEM;
        j->n_keys++;
    }
    return 0;
}

/* A value as text, where it may stand in that role. */
static struct fine__cell
cell_of(struct jsonl *j, enum fine__role role, const struct fine__json *value)
{
    const bool is_text = role == FINE__ROLE_TEXT || role == FINE__ROLE_PAIR;
    struct fine__cell cell = { NULL, 0 };

    switch (fine__json_type(value)) {
    case FINE__JSON_NULL:
        return cell;
    case FINE__JSON_STRING:
        cell.text = fine__json_string(value, &cell.length);
        return cell;
    case FINE__JSON_BOOL:
        cell.text = fine__json_bool(value, false) ? "true" : "false";
        break;
    case FINE__JSON_INTEGER:
        snprintf(j->number[role], sizeof j->number[role], "%lld",
                 (long long)fine__json_int(value, 0));
        cell.text = j->number[role];
        break;
    case FINE__JSON_REAL:
        if (role == FINE__ROLE_LABEL && j->t->set->content == FINE__ROWS_OF_NUMBERS)
            cell.text = fine__format_double(j->number[role], fine__json_double(value, 0));
        break;
    default:
        break;
    }
    if (cell.text == NULL || is_text) {
        fine__table_bad_row(j->t, j->line, "'%.60s' is %s, but must be %s", j->t->column[role],
                            fine__json_type(value) == FINE__JSON_REAL ? "a number with a fraction"
                                                                      : kind_of(value),
                            is_text                       ? "a string"
                            : j->t->set->content == FINE__ROWS_OF_NUMBERS && role == FINE__ROLE_LABEL ? "a number"
                                                          : "a string or an integer");
        return (struct fine__cell){ NULL, 0 };
    }
    cell.length = strlen(cell.text);
    return cell;
}

/* multilabel: labels may be a list of strings. */
static struct fine__cell
list_of(struct jsonl *j, const struct fine__json *value)
{
    fine__buf_clear(&j->list);
    for (int64_t i = 0; i < fine__json_count(value); i++) {
        const struct fine__json *item = fine__json_at(value, i);
        size_t length = 0;
        const char *text = fine__json_string(item, &length);

        if (text == NULL) {
            fine__table_bad_row(j->t, j->line, "entry %lld of '%.60s' is %s, but must be a string",
                                (long long)i + 1, j->t->column[FINE__ROLE_LABEL], kind_of(item));
            return (struct fine__cell){ NULL, 0 };
        }
        fine__buf_append(&j->list, text, length);
        fine__buf_byte(&j->list, '\0');
    }
    j->t->label_is_list = true;
    return (struct fine__cell){ fine__buf_cstr(&j->list), j->list.length };
}

/* multilabel: a key for each label, 0 or 1. */
static void
read_flags(struct jsonl *j, const struct fine__json *object)
{
    struct fine__table *t = j->t;

    for (int64_t i = 0; i < t->n_flags; i++) {
        const struct fine__json *value = fine__json_get(object, t->options->label_columns[i]);
        const int64_t number = fine__json_type(value) == FINE__JSON_INTEGER
                                   ? fine__json_int(value, -1) : -1;

        j->has_flag[i] = j->has_flag[i] || value != NULL;
        t->flags[i] = fine__json_type(value) == FINE__JSON_NULL ? (struct fine__cell){ NULL, 0 }
                      : (struct fine__cell){ number == 0 ? "0" : number == 1 ? "1" : "?", 1 };
    }
}

/* A label's cell is made from what its task writes there. */
static int
read_label(struct jsonl *j, const struct fine__json *object, struct fine__cell cells[FINE__ROLES])
{
    struct fine__table *t = j->t;

    /* Files that call spans a label are common. */
    if (t->content == FINE__ROWS_OF_TAGS && t->options->label == NULL && !j->has_row &&
        fine__json_get(object, "spans") == NULL && fine__json_get(object, "label") != NULL)
        t->column[FINE__ROLE_LABEL] = "label";
    const struct fine__json *value = t->column[FINE__ROLE_LABEL] != NULL
                                         ? fine__json_get(object, t->column[FINE__ROLE_LABEL])
                                         : NULL;

    cells[FINE__ROLE_LABEL] = (struct fine__cell){ NULL, 0 };
    t->label_is_list = false;
    read_flags(j, object);
    if (t->content == FINE__ROWS_OF_TAGS)
        return fine__spans_read(t, &j->spans, value, cells, j->line);
    if (t->content == FINE__ROWS_OF_FLAGS && fine__json_type(value) == FINE__JSON_ARRAY)
        cells[FINE__ROLE_LABEL] = list_of(j, value);
    else if (t->column[FINE__ROLE_LABEL] != NULL)
        cells[FINE__ROLE_LABEL] = cell_of(j, FINE__ROLE_LABEL, value);
    return fine__buf_status(&j->list);
}

/* One object's cells, while it lives. */
static int
read_object(struct jsonl *j, const struct fine__json *object)
{
    struct fine__cell cells[FINE__ROLES];
    int rc;

    if (fine__json_type(object) != FINE__JSON_OBJECT) {
        fine__table_bad_row(j->t, j->line, "the line is %s, but must be an object",
                            kind_of(object));
        memset(cells, 0, sizeof cells);
        return fine__table_row(j->t, cells, j->line);
    }
    rc = remember_keys(j, object);
    if (rc != 0)
        return rc;
    if (j->t->set->content == FINE__ROWS_OF_ANSWERS)
        return fine__squad_row(j->t, object, j->line);
    if (!j->has_keys)
        fine__table_guess_pair(j->t, fine__json_get(object, "text") != NULL,
                               fine__json_get(object, "prompt") != NULL &&
                                   fine__json_get(object, "completion") != NULL);
    j->has_keys = true;
    for (int r = 0; r < FINE__ROLES; r++)
        cells[r] = j->t->column[r] != NULL && r != FINE__ROLE_LABEL
                       ? cell_of(j, (enum fine__role)r, fine__json_get(object, j->t->column[r]))
                       : (struct fine__cell){ NULL, 0 };
    FINE__TRY(read_label(j, object, cells));
    return fine__table_row(j->t, cells, j->line);
}

/* 1: the rest of the file isn't worth a look, and why has been noted. */
static int
read_line(struct jsonl *j, const char *text, size_t length)
{
    static const struct fine__cell none[FINE__ROLES];
    const size_t bad = fine__encoding_scan(text, 0, length);
    struct fine__json *object = NULL;
    char why[200];
    int rc;

    if (bad < length) {
        fine__encoding_explain(why, sizeof why, j->t->encoding, text, bad, 0);
        fine__table_bad_row(j->t, j->line, "%s", why);
        return fine__table_row(j->t, none, j->line);
    }
    if (length > MAX_LINE) {
        fine__table_bad_row(j->t, j->line, "the line has %zu bytes, more than the limit of %d",
                            length, MAX_LINE);
        return fine__table_row(j->t, none, j->line);
    }
    rc = fine__json_parse(&object, j->t->set->ctx, text, length, "row");
    if (rc == FINE_ENOMEM)
        return rc;
    if (rc < 0) {
        if (!j->has_row && is_other_json(j, text, length))
            return 1;
        note_broken(j);
        return fine__table_row(j->t, none, j->line);
    }
    if (!j->has_row && fine__json_type(object) == FINE__JSON_ARRAY)
        rc = is_other_json(j, text, length);
    if (rc == 0)
        rc = read_object(j, object);
    j->has_row = true;
    fine__json_free(object);
    return rc;
}

/* A column that no object has is one finding, whatever it did to the rows. */
static void
check_columns(struct jsonl *j)
{
    struct fine__table *t = j->t;
    bool all = true;

    for (int r = 0; r < FINE__ROLES; r++) {
        if (t->column[r] == NULL || fine__map_get_cstr(&j->seen, t->column[r]) >= 0)
            continue;
        if (r == FINE__ROLE_SPLIT && t->options->split_by == NULL)
            continue;   /* the context's, which is told already */
        if (fine__table_needs(t, (enum fine__role)r)) {
            if (all) {
                fine__buf_clear(&t->findings);
                t->n_findings = 0;
            }
            all = false;
            fine__table_missing(t, (enum fine__role)r, j->keys, j->n_keys, "");
        } else {
            t->column[r] = NULL;
        }
    }
    for (int64_t i = 0; i < t->n_flags; i++) {
        if (j->has_flag[i])
            continue;
        if (all) {
            fine__buf_clear(&t->findings);
            t->n_findings = 0;
        }
        all = false;
        fine__table_bad_file(t, 0, "no column '%.60s'; correct data.label",
                             t->options->label_columns[i]);
    }
}

static bool
is_flag(const struct fine__table *t, const char *key)
{
    for (int64_t i = 0; i < t->n_flags; i++)
        if (strcmp(t->options->label_columns[i], key) == 0)
            return true;
    return false;
}

static int
list_columns(struct jsonl *j)
{
    fine_dataset *d = j->t->set;

    d->columns_used = fine__alloc_array(d->ctx, FINE__ROLES + (size_t)j->t->n_flags, sizeof(char *));
    d->columns_unused = fine__alloc_array(d->ctx, (size_t)j->n_keys, sizeof(char *));
    if (d->columns_used == NULL || d->columns_unused == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < j->n_keys; i++) {
        bool used = is_flag(j->t, j->keys[i]);

        for (int r = 0; r < FINE__ROLES; r++)
            used = used || (j->t->column[r] != NULL && strcmp(j->keys[i], j->t->column[r]) == 0);
        if (used)
            d->columns_used[d->n_columns_used++] = j->keys[i];
        else
            d->columns_unused[d->n_columns_unused++] = j->keys[i];
        j->keys[i] = NULL;   /* the set's now */
    }
    return 0;
}

int
fine__jsonl_read(struct fine__table *t)
{
    struct fine__buf *bytes = &t->set->bytes;
    struct jsonl j = {
        .t = t, .text = bytes->data, .length = bytes->length, .at = t->start,
    };
    int rc = 0;

    fine__map_init(&j.seen, t->set->ctx);
    fine__buf_init(&j.list, t->set->ctx);
    if (t->content == FINE__ROWS_OF_TAGS)
        FINE__TRY(fine__spans_begin(&j.spans, t));
    j.has_flag = fine__alloc_array(t->set->ctx, (size_t)t->n_flags, sizeof *j.has_flag);
    if (j.has_flag == NULL)
        return FINE_ENOMEM;
    bytes->length = 0;   /* from here on: of the texts that were kept */
    j.cr_ends_line = memchr(j.text, '\n', j.length) == NULL;
    while (rc == 0 && j.at < j.length) {
        const char *line = j.text + j.at;
        const size_t length = take_line(&j);

        j.line++;
        t->consumed = j.at;
        if (!is_blank(line, length))
            rc = read_line(&j, line, length);
    }
    if (rc == 0 && j.n_keys > 0)
        check_columns(&j);
    if (rc == 0)
        rc = list_columns(&j);
    for (int64_t i = 0; i < j.n_keys; i++)
        fine__free(t->set->ctx, j.keys[i]);
    fine__free(t->set->ctx, j.keys);
    fine__map_free(&j.seen);
    fine__buf_free(&j.list);
    fine__free(t->set->ctx, j.has_flag);
    fine__spans_end(&j.spans, t);
    return rc < 0 ? rc : 0;
}
