/*
 * conll.c — one word a line, its tag in the last column, a blank line after each sentence.
 *
 * A sentence becomes a row: its words with one blank between them, and its entities as places
 * in that text, so that whatever scheme the tags are written in, all behind this reader knows
 * one thing only. A sentence is looked at whole before anything of it is kept, since a wrong
 * line makes a wrong sentence. Its words move together where they lie.
 * (The shared tasks of CoNLL 2000, 2002 and 2003.)
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "data/table.h"
#include "data/tags.h"

enum { MAX_COLUMNS = 1000 };

struct word {
    size_t token, token_length;     /* where in the text */
    struct fine__tag tag;
    int64_t line;
};

struct conll {
    struct fine__table *t;
    char *text;
    size_t length, at;
    int64_t line;
    bool cr_ends_line;
    char separator;                 /* 0: a tab where a line has one, else blanks */
    int64_t token, tag;             /* columns from 0; tag -1: the last */
    int64_t n_columns;              /* of every line; 0: none was seen yet */
    enum fine__scheme scheme;
    char letter;                    /* scheme auto: the first of E, S, L and U, and where it is */
    int64_t letter_line;
    struct word *words;             /* of the sentence at hand */
    int64_t n_words, capacity;
    struct fine__cell columns[MAX_COLUMNS];
    bool refused;                   /* the rest of the file isn't worth a look */
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t
take_line(struct conll *c)
{
    const char *start = c->text + c->at;
    const char *end = memchr(start, c->cr_ends_line ? '\r' : '\n', c->length - c->at);
    size_t length = end != NULL ? (size_t)(end - start) : c->length - c->at;

    c->at += length + (end != NULL);
    if (length > 0 && start[length - 1] == '\r')
        length--;
    return length;
}

/* The line's columns; their number, which may be more than there is room for. */
static int64_t
split(struct conll *c, const char *line, size_t length)
{
    const char separator = c->separator != 0                     ? c->separator
                           : memchr(line, '\t', length) != NULL ? '\t' : ' ';
    int64_t n = 0;
    size_t at = 0;

    while (separator == ' ' && length > 0 && line[length - 1] == ' ')
        length--;
    for (;;) {
        size_t end;

        while (separator == ' ' && at < length && line[at] == ' ')
            at++;
        for (end = at; end < length && line[end] != separator;)
            end++;
        if (n < MAX_COLUMNS)
            c->columns[n] = (struct fine__cell){ line + at, end - at };
        n++;
        if (end >= length)
            return n;
        at = end + 1;
    }
}

/* ---- lines ---- */

/* A number from 1, or a name where columns have some. */
static int
find_column(struct conll *c, int64_t *out, const char *key, const char *given,
            const char *usual)
{
    const struct fine_dataset_options *o = c->t->options;
    int64_t number;

    for (int64_t i = 0; i < o->n_columns && given != NULL; i++)
        if (strcmp(o->columns[i], given) == 0) {
            *out = i;
            return 0;
        }
    if (given == NULL || strcmp(given, usual) == 0)
        return 0;
    if (!fine__parse_int64(given, strlen(given), &number) || number < 1 || number > MAX_COLUMNS)
        return fine__fail(FINE_EINVAL, "data.%s: a column of a CoNLL file is a number from 1 to "
                          "%d, or one of the names in data.header", key, MAX_COLUMNS);
    *out = number - 1;
    return 0;
}

static int
take_options(struct conll *c)
{
    const struct fine_dataset_options *o = c->t->options;
    const char *separator = o->separator;

    c->tag = -1;
    FINE__TRY(find_column(c, &c->token, "text", o->text, "text"));
    FINE__TRY(find_column(c, &c->tag, "label", o->label, "label"));
    FINE__TRY(fine__scheme_parse(&c->scheme, o->scheme));
    if (o->text_pair != NULL || o->group != NULL || o->split_by != NULL)
        return fine__fail(FINE_EINVAL, "data.%s: a CoNLL file has no such column; take it out",
                          o->text_pair != NULL ? "text_pair"
                          : o->group != NULL   ? "group" : "split_by");
    if (separator != NULL && strcmp(separator, "\\t") == 0)
        separator = "\t";
    if (separator != NULL && (strlen(separator) != 1 || strchr("\r\n", separator[0]) != NULL))
        return fine__fail(FINE_EINVAL, "data.separator: '%.20s' must be one character, and no "
                          "line end", separator);
    c->separator = separator != NULL ? separator[0] : '\0';
    return 0;
}

/* Comments stand before a sentence's first word, and look unlike one: "# id 7". */
static bool
is_comment(struct conll *c, int64_t n)
{
    const struct fine__cell *first = &c->columns[0];
    const int64_t tag = c->tag < 0 ? n - 1 : c->tag;
    struct fine__tag parsed;

    if (c->n_words > 0 || first->length < 1 || first->text[0] != '#')
        return false;
    if (c->n_columns > 0 && n != c->n_columns)
        return true;
    return n < 2 ? memchr(first->text, ' ', first->length) != NULL
                 : tag >= n || tag >= MAX_COLUMNS ||
                       !fine__tag_parse(&parsed, c->columns[tag].text, c->columns[tag].length);
}

static void
check_tag(struct conll *c, struct fine__tag *tag, struct fine__cell cell, int64_t column)
{
    struct fine__table *t = c->t;

    if (!fine__tag_parse(tag, cell.text, cell.length)) {
        fine__table_bad_row(t, c->line, "column %lld must be a tag, O or a letter of B, I, E, S, L "
                            "and U with a name, such as B-NAME", (long long)column + 1);
        *tag = (struct fine__tag){ 'O', 'O', "", 0 };
        return;
    }
    if (!fine__scheme_has(c->scheme, tag->letter))
        fine__table_bad_row(t, c->line, "the tag begins with %c, which data.scheme: %s doesn't "
                            "know", tag->letter, t->options->scheme);
    if (strchr("ESLU", tag->letter) == NULL || c->scheme != FINE__ANY_SCHEME)
        return;
    if (c->letter == '\0') {
        c->letter = tag->letter;
        c->letter_line = c->line;
    }
    if ((strchr("ES", c->letter) != NULL) != (strchr("ES", tag->letter) != NULL))
        fine__table_bad_row(t, c->line, "the tag begins with %c, and that on line %lld with %c: "
                            "no scheme has both", tag->letter, (long long)c->letter_line,
                            c->letter);
}

static int
add_word(struct conll *c, int64_t n)
{
    struct fine__table *t = c->t;
    const int64_t tag = c->tag < 0 ? n - 1 : c->tag;
    const bool has_tags = tag > 0 || c->tag == 0;
    struct word word = { .tag = { 'O', 'O', "", 0 }, .line = c->line };

    if (c->n_columns == 0)
        c->n_columns = n;
    if (n != c->n_columns || n > MAX_COLUMNS) {
        fine__table_bad_row(t, c->line, "%lld column%s, but there should be %lld; a line is a "
                            "word and its tag, and a blank one ends a sentence", (long long)n,
                            n == 1 ? "" : "s", (long long)c->n_columns);
    } else if (c->token >= n || tag >= n) {
        fine__table_bad_file(t, c->line, "there is no column %lld; correct data.%s",
                             (long long)(c->token >= n ? c->token : tag) + 1,
                             c->token >= n ? "text" : "label");
        c->refused = true;
    } else if (!has_tags && t->set->require_label) {
        fine__table_bad_file(t, c->line, "there is one column, so words have no tags; write them "
                             "in a column of their own");
        c->refused = true;
    } else {
        const struct fine__cell token = c->columns[c->token];

        if (token.length == 0)
            fine__table_bad_row(t, c->line, "the word is empty");
        else if (memchr(token.text, ' ', token.length) != NULL ||
                 memchr(token.text, '\t', token.length) != NULL)
            fine__table_bad_row(t, c->line, "the word holds a blank; write one word a line");
        word.token = (size_t)(token.text - c->text);
        word.token_length = token.length;
        t->set->has_labels = t->set->has_labels || has_tags;
        if (has_tags)
            check_tag(c, &word.tag, c->columns[tag], tag);
    }
    FINE__TRY(fine__grow(t->set->ctx, &c->words, &c->capacity, c->n_words + 1, sizeof word));
    c->words[c->n_words++] = word;
    return 0;
}

/* ---- sentences ---- */

static bool
same_type(const struct fine__tag *a, const struct fine__tag *b)
{
    return a->length == b->length && memcmp(a->type, b->type, a->length) == 0;
}

static void
check_sentence(struct conll *c)
{
    struct fine__table *t = c->t;
    size_t total = 0;

    for (int64_t i = 0; i < c->n_words; i++) {
        const struct word *word = &c->words[i];

        total += word->token_length + 1;
        if (!t->row_is_bad && t->set->labels_given && word->tag.place != 'O' &&
            fine__tags_label(t->set, word->tag.type, word->tag.length) < 0)
            fine__table_bad_row(t, word->line, "the tag is of none of the %lld labels in "
                                "task.labels", (long long)t->set->n_labels);
    }
    if (total > FINE__MAX_FIELD)
        fine__table_bad_row(t, c->words[0].line, "the sentence has %zu bytes, more than the limit "
                            "of %d; do blank lines end sentences?", total, FINE__MAX_FIELD);
}

/* Moves the words together and notes the entities. A tag's name is looked at before the next
 * line's word moves; it lies behind all that has moved. */
static int
join(struct conll *c, struct fine__cell *text)
{
    const struct fine__tag outside = { 'O', 'O', "", 0 }, *before = &outside;
    const size_t start = c->words[0].token;
    size_t end = start, from = 0;
    struct fine__tag open = outside;
    char type[FINE__MAX_LABEL];

    for (int64_t i = 0; i <= c->n_words; i++) {
        const struct word *word = i < c->n_words ? &c->words[i] : NULL;
        const struct fine__tag *tag = word != NULL ? &word->tag : &outside;
        const bool same = same_type(&open, tag);

        if (fine__tag_ends(before->place, tag->place, same))
            FINE__TRY(fine__table_entity(c->t, (int64_t)from, (int64_t)(end - start), type,
                                         open.length, c->words[0].line));
        if (word == NULL)
            break;
        if (i > 0)
            c->text[end++] = ' ';
        if (fine__tag_begins(before->place, tag->place, same))
            from = end - start;
        memcpy(type, tag->type, tag->length);
        open = (struct fine__tag){ tag->place, tag->letter, type, tag->length };
        memmove(c->text + end, c->text + word->token, word->token_length);
        end += word->token_length;
        before = tag;
    }
    *text = (struct fine__cell){ c->text + start, end - start };
    return 0;
}

static int
end_sentence(struct conll *c)
{
    struct fine__cell cells[FINE__ROLES] = { { NULL, 0 } };
    int64_t line;

    if (c->n_words == 0 && !c->t->row_is_bad)
        return 0;
    line = c->n_words > 0 ? c->words[0].line : c->line;
    if (!c->t->row_is_bad)
        check_sentence(c);
    if (!c->t->row_is_bad)
        FINE__TRY(join(c, &cells[FINE__ROLE_TEXT]));
    c->n_words = 0;
    return fine__table_row(c->t, cells, line);
}

static int
read_line(struct conll *c, const char *line, size_t length)
{
    const size_t bad = fine__encoding_scan(line, 0, length);
    size_t n_blank = 0;
    char why[200];
    int64_t n;

    if (bad < length) {
        fine__encoding_explain(why, sizeof why, c->t->encoding, line, bad, 0);
        fine__table_bad_row(c->t, c->line, "%s", why);
        return 0;
    }
    while (n_blank < length && is_blank(line[n_blank]))
        n_blank++;
    if (n_blank == length)
        return end_sentence(c);
    n = split(c, line, length);
    /* Where a document begins, in the files of CoNLL 2003. */
    if (c->columns[0].length == 10 && memcmp(c->columns[0].text, "-DOCSTART-", 10) == 0)
        return end_sentence(c);
    return is_comment(c, n) ? 0 : add_word(c, n);
}

static int
read_lines(struct conll *c)
{
    while (c->at < c->length && !c->refused) {
        const char *line = c->text + c->at;
        const size_t length = take_line(c);

        c->line++;
        c->t->consumed = c->at + (c->at == c->length);
        FINE__TRY(read_line(c, line, length));
    }
    return c->refused ? 0 : end_sentence(c);
}

int
fine__conll_read(struct fine__table *t)
{
    struct fine__buf *bytes = &t->set->bytes;
    struct conll *c = fine__alloc(t->set->ctx, sizeof *c);
    int rc;

    if (c == NULL)
        return FINE_ENOMEM;
    *c = (struct conll){ .t = t, .text = bytes->data, .length = bytes->length, .at = t->start };
    rc = take_options(c);
    t->set->blank_words = true;
    t->column[FINE__ROLE_LABEL] = "label";
    if (rc == 0) {
        bytes->length = 0;   /* from here on: of the texts that were kept */
        c->cr_ends_line = memchr(c->text, '\n', c->length) == NULL;
        rc = read_lines(c);
    }
    fine__free(t->set->ctx, c->words);
    fine__free(t->set->ctx, c);
    return rc;
}
