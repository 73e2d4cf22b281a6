/*
 * lines.c — plain text: a file is documents, and nothing in it is markup.
 *
 * A document is the whole file, what stands between blank lines, or a line
 * (data.documents). Whatever ends a line in the file, in a text it is "\n"; the end of a
 * document's last line belongs to none.
 */
#include <string.h>

#include "data/table.h"

struct lines {
    struct fine__table *t;
    char *text;
    size_t length, at;          /* at: where the next line begins */
    int64_t line;               /* that were taken */
};

static int
parse_kind(enum fine__documents *out, const char *name)
{
    static const char *const names[] = { "blank-lines", "file", "lines" };

    for (int i = 0; i < FINE__COUNT(names); i++)
        if (name == NULL || strcmp(name, names[i]) == 0) {
            *out = (enum fine__documents)i;
            return 0;
        }
    return fine__fail(FINE_EINVAL, "data.documents: '%.40s' is none of blank-lines, file, lines",
                      name);
}

/* "\r\n" becomes "\n", and so does "\r" where the file has no other end of a line. */
static size_t
unify_ends(char *text, size_t from, size_t length)
{
    const bool alone = memchr(text + from, '\n', length - from) == NULL;
    size_t to = from;

    if (memchr(text + from, '\r', length - from) == NULL)
        return length;
    for (size_t i = from; i < length; i++) {
        if (text[i] != '\r')
            text[to++] = text[i];
        else if (alone || i + 1 == length || text[i + 1] != '\n')
            text[to++] = alone ? '\n' : '\r';
    }
    return to;
}

/* The next line without its end. */
static struct fine__cell
take_line(struct lines *l)
{
    const char *start = l->text + l->at;
    const char *end = memchr(start, '\n', l->length - l->at);
    const size_t length = end != NULL ? (size_t)(end - start) : l->length - l->at;

    l->at += length + (end != NULL);
    l->line++;
    return (struct fine__cell){ start, length };
}

static bool
is_blank(struct fine__cell line)
{
    for (size_t i = 0; i < line.length; i++)
        if (line.text[i] != ' ' && line.text[i] != '\t')
            return false;
    return true;
}

static int
add(struct lines *l, struct fine__cell document, int64_t line)
{
    struct fine__cell cells[FINE__ROLES] = { [FINE__ROLE_TEXT] = document };
    const size_t bad = fine__encoding_scan(document.text, 0, document.length);
    char why[200];

    l->t->consumed = l->at + (l->at == l->length);
    if (bad < document.length) {
        size_t start = bad;

        while (start > 0 && document.text[start - 1] != '\n')
            start--;
        for (size_t i = 0; i < start; i++)
            line += document.text[i] == '\n';
        fine__encoding_explain(why, sizeof why, l->t->encoding, document.text, bad, start);
        fine__table_bad_row(l->t, line, "%s", why);
    }
    return fine__table_row(l->t, cells, line);
}

static int
read_file(struct lines *l)
{
    struct fine__cell all = { l->text + l->at, l->length - l->at };

    l->at = l->length;
    while (all.length > 0 && all.text[all.length - 1] == '\n')
        all.length--;
    return all.length > 0 ? add(l, all, 1) : 0;
}

static int
read_lines(struct lines *l)
{
    while (l->at < l->length) {
        const struct fine__cell line = take_line(l);

        if (!is_blank(line))
            FINE__TRY(add(l, line, l->line));
    }
    return 0;
}

static int
read_blocks(struct lines *l)
{
    while (l->at < l->length) {
        struct fine__cell block = take_line(l), line = block;
        const int64_t first = l->line;

        if (is_blank(block))
            continue;
        while (l->at < l->length && !is_blank(line)) {
            block.length = (size_t)(line.text + line.length - block.text);
            line = take_line(l);
        }
        if (!is_blank(line))
            block.length = (size_t)(line.text + line.length - block.text);
        FINE__TRY(add(l, block, first));
    }
    return 0;
}

int
fine__lines_read(struct fine__table *t)
{
    struct fine__buf *bytes = &t->set->bytes;
    struct lines l = { .t = t, .text = bytes->data, .at = t->start };
    enum fine__documents kind = FINE__BLANK_LINES;

    FINE__TRY(parse_kind(&kind, t->options->documents));
    l.length = unify_ends(bytes->data, t->start, bytes->length);
    l.text[l.length] = '\0';
    bytes->length = 0;          /* from here on: of the texts that were kept */
    return kind == FINE__WHOLE_FILE ? read_file(&l)
           : kind == FINE__LINES    ? read_lines(&l)
                                    : read_blocks(&l);
}
