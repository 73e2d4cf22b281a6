/*
 * csv.c — tables of characters: RFC 4180, tab-separated, and "LABEL text".
 *
 * One pass over the text; a field is unquoted where it lies. Strict on purpose: a
 * quote inside an unquoted field, or text behind a closing quote, is an error, since
 * that is how a file without quoting looks when it is read with it, and a lenient
 * reader would swallow rows without a word. A carriage return alone ends a line only
 * in a file without line feeds.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/table.h"

struct csv {
    struct fine__table *t;
    fine_context *ctx;
    char *text;                     /* NUL-terminated; rows that were kept lie at its start */
    size_t length, at;
    int64_t line;                   /* the line of text[at] */
    char separator[8];
    size_t n_separator;
    bool quoted, cr_ends_line;
    bool last_takes_rest;           /* "LABEL text" */
    bool stops[256];                /* bytes that an unquoted field has to look at */
    size_t bad_at;                  /* the next byte that is no text, or length */
    int64_t bad_line;
    char bad_why[200];
    struct fine__cell *fields;      /* of the row at hand; no more than FINE__MAX_COLUMNS */
    int64_t n_fields, capacity;     /* n_fields counts all of them */
    char **names;                   /* of the columns */
    int64_t n_columns, name_capacity;   /* n_columns is 0 until they have names */
    int64_t column[FINE__ROLES];    /* -1: none */
    int64_t *flag_column;           /* multilabel: of each label that has one */
};

static bool
is_line_end(const struct csv *c, size_t i)
{
    return c->text[i] == '\n'
           || (c->text[i] == '\r' && (c->cr_ends_line || c->text[i + 1] == '\n'));
}

static bool
is_separator(const struct csv *c, size_t i)
{
    return c->text[i] == c->separator[0]
           && (c->n_separator == 1
               || strncmp(c->text + i, c->separator, c->n_separator) == 0);
}

/* Finds the next byte that is no text, before unquoting moves anything. */
static void
look_ahead(struct csv *c)
{
    size_t start = c->at;
    int64_t line = c->line;

    c->bad_at = fine__encoding_scan(c->text, c->at, c->length);
    if (c->bad_at == c->length)
        return;
    for (size_t i = c->at; i < c->bad_at; i++)
        if (c->text[i] == '\n' || (c->text[i] == '\r' && c->cr_ends_line)) {
            start = i + 1;
            line++;
        }
    c->bad_line = line;
    fine__encoding_explain(c->bad_why, sizeof c->bad_why, c->t->encoding, c->text, c->bad_at,
                           start);
}

static int
add_field(struct csv *c, size_t start, size_t length)
{
    if (c->n_fields < FINE__MAX_COLUMNS) {
        FINE__TRY(fine__grow(c->ctx, &c->fields, &c->capacity, c->n_fields + 1,
                             sizeof *c->fields));
        c->fields[c->n_fields] = (struct fine__cell){ c->text + start, length };
    }
    c->n_fields++;
    return 0;
}

/* Moves on to the end of an unquoted field; whether there is a quote in it. */
static bool
skip_plain(struct csv *c)
{
    const bool to_line_end = c->last_takes_rest && c->n_fields == c->n_columns - 1;
    bool has_quote = false;

    for (;; c->at++) {
        while (!c->stops[(unsigned char)c->text[c->at]])
            c->at++;
        if (c->at == c->length || is_line_end(c, c->at)
            || (!to_line_end && is_separator(c, c->at)))
            return has_quote;
        has_quote = has_quote || c->text[c->at] == '"';
    }
}

/* A field whose opening quote is at c->at. 1: the file ended inside. */
static int
read_quoted(struct csv *c)
{
    const size_t start = c->at + 1;
    const int64_t opened = c->line;
    size_t end = start, from = start;   /* the unquoted text is [start, end) */

    for (;;) {
        const char *quote = memchr(c->text + from, '"', c->length - from);
        const size_t stop = quote != NULL ? (size_t)(quote - c->text) : c->length;

        for (size_t i = from; i < stop; i++)
            c->line += c->text[i] == '\n' || (c->cr_ends_line && c->text[i] == '\r');
        if (quote == NULL) {
            fine__table_bad_file(c->t, opened, "a quote opens here and is never closed; close it, "
                                 "or set data.quote: none where quotes are ordinary characters");
            return 1;
        }
        memmove(c->text + end, c->text + from, stop - from);
        end += stop - from;
        from = stop + 1;
        if (c->text[from] != '"')
            break;
        c->text[end++] = '"';
        from++;
    }
    c->at = from;
    FINE__TRY(add_field(c, start, end - start));
    if (c->at < c->length && !is_line_end(c, c->at) && !is_separator(c, c->at)) {
        fine__table_bad_row(c->t, c->line, "text behind the closing quote of a field that opens on "
                            "line %lld; write quotes inside a field twice, or set data.quote: none",
                            (long long)opened);
        skip_plain(c);
    }
    return 0;
}

/* The next row into c->fields; c->at moves behind its line end. 1: no row is left, or
 * the rest can't be read. */
static int
read_row(struct csv *c)
{
    c->n_fields = 0;
    if (c->at == c->length)
        return 1;
    for (;;) {
        if (c->quoted && c->text[c->at] == '"') {
            const int rc = read_quoted(c);

            if (rc != 0)
                return rc;
        } else {
            const size_t start = c->at;

            if (skip_plain(c) && c->quoted)
                fine__table_bad_row(c->t, c->line, "a quote inside a field that doesn't begin with "
                                    "one; quote the field and write the quote twice, or set "
                                    "data.quote: none");
            FINE__TRY(add_field(c, start, c->at - start));
        }
        if (c->at == c->length || is_line_end(c, c->at))
            break;
        c->at += c->n_separator;
    }
    if (c->at < c->length) {
        c->at += c->text[c->at] == '\r' && c->text[c->at + 1] == '\n' ? 2 : 1;
        c->line++;
    }
    return 0;
}

/* read_row() that passes over blank lines and looks at the encoding. */
static int
next_row(struct csv *c, int64_t *line_out)
{
    int rc;

    do {
        *line_out = c->line;
        rc = read_row(c);
        if (rc != 0)
            return rc;
    } while (c->n_fields == 1 && c->fields[0].length == 0 && c->n_columns != 1);
    /* The last line may lack its end, but the text has a NUL there. */
    c->t->consumed = c->at + (c->at == c->length);
    if (c->bad_at < c->at) {
        fine__table_bad_row(c->t, c->bad_line, "%s", c->bad_why);
        look_ahead(c);
    }
    return 0;
}

static int
parse_separator(struct csv *c, bool is_tsv)
{
    const char *given = c->t->options->separator;
    int32_t character;
    bool valid = false;

    if (given == NULL)
        given = is_tsv ? "\t" : ",";
    if (strcmp(given, "\\t") == 0)   /* as people write it where nothing unescapes it */
        given = "\t";
    c->n_separator = strlen(given);
    if (c->n_separator > 0 && c->n_separator <= 4
        && fine__utf8_decode(given, c->n_separator, &character, &valid) != c->n_separator)
        valid = false;
    if (!valid || strchr("\r\n\"", given[0]) != NULL)
        return fine__fail(FINE_EINVAL, "data.separator: '%.20s' must be one character, and no "
                          "quote or line end", given);
    memcpy(c->separator, given, c->n_separator);
    c->last_takes_rest = strcmp(given, " ") == 0;
    return 0;
}

static int
parse_quote(struct csv *c, bool is_tsv)
{
    const char *given = c->t->options->quote;

    if (given == NULL) {
        c->quoted = !is_tsv && c->separator[0] != '\t' && !c->last_takes_rest;
        return 0;
    }
    c->quoted = strcmp(given, "rfc4180") == 0;
    if (!c->quoted && strcmp(given, "none") != 0)
        return fine__fail(FINE_EINVAL, "data.quote: '%.40s' is neither rfc4180 nor none", given);
    if (c->quoted && c->last_takes_rest)
        return fine__fail(FINE_EINVAL, "data.quote: rfc4180 has no meaning where a blank separates "
                          "and the last column takes the rest; take it out");
    return 0;
}

static int
add_name(struct csv *c, const char *name, size_t length)
{
    FINE__TRY(fine__grow(c->ctx, &c->names, &c->name_capacity, c->n_columns + 1, sizeof(char *)));
    c->names[c->n_columns] = fine__strndup(c->ctx, name, length);
    if (c->names[c->n_columns] == NULL)
        return FINE_ENOMEM;
    c->n_columns++;
    return 0;
}

static int
read_header(struct csv *c)
{
    const bool skip_bad = c->t->skip_bad;
    int64_t line;
    int rc;

    c->t->skip_bad = false;   /* without names there are no rows to skip to */
    rc = next_row(c, &line);
    c->t->skip_bad = skip_bad;
    if (rc != 0) {
        if (rc > 0 && c->t->n_findings == 0)
            fine__table_bad_file(c->t, 0, "there is no row with the names of the columns");
        return rc;
    }
    if (c->n_fields > FINE__MAX_COLUMNS)
        fine__table_bad_file(c->t, line, "%lld columns are more than the limit of %d",
                             (long long)c->n_fields, FINE__MAX_COLUMNS);
    if (c->t->n_findings > 0)
        return 1;
    for (int64_t i = 0; i < c->n_fields; i++)
        FINE__TRY(add_name(c, c->fields[i].text, c->fields[i].length));
    return 0;
}

/* 1: the columns have no names, and why has been noted. */
static int
name_columns(struct csv *c)
{
    const struct fine_dataset_options *o = c->t->options;

    if (o->n_columns == 0 && c->last_takes_rest) {
        FINE__TRY(add_name(c, "label", 5));
        return add_name(c, "text", 4);
    }
    if (o->n_columns > 0) {
        for (int64_t i = 0; i < o->n_columns; i++)
            FINE__TRY(add_name(c, o->columns[i], strlen(o->columns[i])));
        return 0;
    }
    if (o->header != 0)
        return read_header(c);
    fine__table_bad_file(c->t, 0, "a table without a header needs names for its columns; give them "
                         "in order, such as data.header: [label, text]");
    return 1;
}

static bool
has_column(const struct csv *c, const char *name)
{
    for (int64_t i = 0; i < c->n_columns; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

/* Multilabel: the column of each label. Without any of them there are no labels, which is well
 * where none are needed. */
static int
find_flags(struct csv *c)
{
    struct fine__table *t = c->t;
    const struct fine_dataset_options *o = t->options;
    int64_t n_found = 0;

    c->flag_column = fine__alloc_array(c->ctx, (size_t)t->n_flags, sizeof *c->flag_column);
    if (c->flag_column == NULL)
        return FINE_ENOMEM;
    for (int64_t k = 0; k < t->n_flags; k++) {
        int n = 0;

        c->flag_column[k] = -1;
        for (int64_t i = 0; i < c->n_columns; i++)
            if (strcmp(c->names[i], o->label_columns[k]) == 0 && n++ == 0)
                c->flag_column[k] = i;
        n_found += n > 0;
        if (n > 1)
            fine__table_bad_file(t, 0, "%d columns are named '%.60s'; rename all but one", n,
                                 o->label_columns[k]);
    }
    if (n_found == 0 && !t->set->require_label)
        t->n_flags = 0;
    for (int64_t k = 0; k < t->n_flags; k++)
        if (c->flag_column[k] < 0)
            fine__table_bad_file(t, 0, "no column '%.60s'; correct data.label",
                                 o->label_columns[k]);
    return 0;
}

static bool
is_flag(const struct csv *c, int64_t column)
{
    for (int64_t k = 0; k < c->t->n_flags; k++)
        if (c->flag_column[k] == column)
            return true;
    return false;
}

/* Finds each role's column and sorts the columns into used and unused. */
static int
find_columns(struct csv *c)
{
    struct fine__table *t = c->t;
    fine_dataset *d = t->set;

    fine__table_guess_pair(t, has_column(c, "text"),
                           has_column(c, "prompt") && has_column(c, "completion"));
    for (int r = 0; r < FINE__ROLES; r++) {
        int n = 0;

        c->column[r] = -1;
        for (int64_t i = 0; i < c->n_columns && t->column[r] != NULL; i++)
            if (strcmp(c->names[i], t->column[r]) == 0 && n++ == 0)
                c->column[r] = i;
        if (n > 1)
            fine__table_bad_file(t, 0, "%d columns are named '%.60s'; rename all but one", n,
                                 t->column[r]);
        else if (n == 0 && fine__table_needs(t, (enum fine__role)r))
            fine__table_missing(t, (enum fine__role)r, c->names, c->n_columns,
                                ", or data.header: [names] where the first row is data");
        else if (n == 0)
            t->column[r] = NULL;
    }
    if (t->n_flags > 0)
        FINE__TRY(find_flags(c));
    if (t->n_findings > 0)
        return 1;
    d->columns_used =
        fine__alloc_array(c->ctx, FINE__ROLES + (size_t)t->n_flags, sizeof(char *));
    d->columns_unused = fine__alloc_array(c->ctx, (size_t)c->n_columns, sizeof(char *));
    if (d->columns_used == NULL || d->columns_unused == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < c->n_columns; i++) {
        bool used = is_flag(c, i);

        for (int r = 0; r < FINE__ROLES; r++)
            used = used || c->column[r] == i;
        if (used)
            d->columns_used[d->n_columns_used++] = c->names[i];
        else
            d->columns_unused[d->n_columns_unused++] = c->names[i];
        c->names[i] = NULL;   /* the set's now */
    }
    return 0;
}

static int
read_rows(struct csv *c)
{
    struct fine__cell cells[FINE__ROLES];
    int64_t line;
    int rc;

    while ((rc = next_row(c, &line)) == 0) {
        if (c->n_fields != c->n_columns)
            fine__table_bad_row(c->t, line, "%lld column%s, but there should be %lld; %s",
                                (long long)c->n_fields, c->n_fields == 1 ? "" : "s",
                                (long long)c->n_columns,
                                c->quoted ? "quote texts that hold a separator"
                                          : "a row is one line, and nothing is quoted");
        for (int r = 0; r < FINE__ROLES; r++) {
            const bool is_there = c->column[r] >= 0 && c->column[r] < c->n_fields;

            cells[r] = is_there ? c->fields[c->column[r]] : (struct fine__cell){ NULL, 0 };
        }
        for (int64_t k = 0; k < c->t->n_flags; k++)
            c->t->flags[k] = c->flag_column[k] < c->n_fields ? c->fields[c->flag_column[k]]
                                                             : (struct fine__cell){ NULL, 0 };
        FINE__TRY(fine__table_row(c->t, cells, line));
    }
    return rc < 0 ? rc : 0;
}

int
fine__csv_read(struct fine__table *t, bool is_tsv)
{
    struct fine__buf *bytes = &t->set->bytes;
    struct csv c = {
        .t = t, .ctx = t->set->ctx, .text = bytes->data, .length = bytes->length,
        .at = t->start, .line = 1,
    };
    int rc;

    FINE__TRY(parse_separator(&c, is_tsv));
    FINE__TRY(parse_quote(&c, is_tsv));
    bytes->length = 0;   /* from here on: of the texts that were kept */
    c.cr_ends_line = memchr(c.text, '\n', c.length) == NULL;
    c.stops['\0'] = c.stops['\n'] = c.stops['\r'] = c.stops['"'] = true;
    c.stops[(unsigned char)c.separator[0]] = true;
    look_ahead(&c);
    rc = name_columns(&c);
    if (rc == 0)
        rc = find_columns(&c);
    if (rc == 0)
        rc = read_rows(&c);
    for (int64_t i = 0; i < c.n_columns; i++)
        fine__free(c.ctx, c.names[i]);
    fine__free(c.ctx, c.names);
    fine__free(c.ctx, c.fields);
    fine__free(c.ctx, c.flag_column);
    return rc < 0 ? rc : 0;
}
