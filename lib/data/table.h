/*
 * table.h — from a file's cells to rows: what csv.c and jsonl.c share.
 *
 * The reader finds the columns and hands one row after the other to
 * fine__table_row(), which checks it and either appends it, or notes a finding, or
 * counts it as skipped. Texts move down inside the very buffer that they were read
 * into: a row never needs more bytes than the part of the file that it came from,
 * so reading a file takes no second copy of it.
 *
 * Findings are gathered here instead of in the error store, because a parser that
 * fails on one row (jansson's) starts the store anew. They name lines and columns
 * and never repeat what is in a row.
 */
#ifndef FINE__TABLE_H
#define FINE__TABLE_H

#include "data/dataset.h"

struct fine__json;

enum fine__role {
    FINE__ROLE_TEXT, FINE__ROLE_PAIR, FINE__ROLE_LABEL, FINE__ROLE_GROUP, FINE__ROLE_SPLIT,
    FINE__ROLES
};

/* What a document of a plain text file is; the first is the default. */
enum fine__documents { FINE__BLANK_LINES, FINE__WHOLE_FILE, FINE__LINES };

enum fine__encoding { FINE__UTF_8, FINE__LATIN_1, FINE__CP1252 };

struct fine__cell {
    const char *text;           /* NULL: missing */
    size_t length;
};

/* What squad.c knows from question to question. */
struct fine__questions {
    struct fine__map ids;               /* of those so far */
    int32_t *places;
    int64_t places_capacity, n_plausible;
};
/* The next label of a cell, without the blanks around it: false: there is none left. A cell of
 * blanks has none. *at is where to go on, NULL at first. n_separator 0: a NUL ends each. */
bool fine__flags_next(struct fine__cell *out, struct fine__cell cell, const char **at,
                      const char *separator, size_t n_separator);

struct fine__table {
    fine_dataset *set;
    const struct fine_dataset_options *options;
    const char *column[FINE__ROLES];    /* its name; NULL: the role isn't filled */
    enum fine__role same[FINE__ROLES];  /* the first role with that column */
    enum fine__content content;
    enum fine__encoding encoding;
    bool skip_bad;
    size_t start;                       /* where the text begins, behind a byte order mark */
    size_t consumed;                    /* bytes of the file that rows have used */
    /* Marks of the row at hand: readers of tags add them once the row is known to be good. */
    struct fine__mark *marks;
    int64_t n_marks, marks_capacity;
    /* multilabel: the cells of options->label_columns; or the labels' own cell is a list, each
     * label with its NUL. */
    struct fine__cell *flags;
    int64_t n_flags;                    /* 0: there are no such columns */
    bool label_is_list;
    int64_t n_repeated;                 /* labels that stood twice in one cell */
    struct fine__buf findings;          /* sentences, each with its NUL */
    int64_t n_findings;                 /* all of them, those beyond the first hundred too */
    bool row_is_bad;                    /* something is wrong with the row at hand */
    struct fine__questions questions;   /* rows of answers */
};

/* Takes the text over when it succeeds. */
int fine__table_open(struct fine__table *table, fine_context *ctx, const char *name, struct fine__buf *text, const struct fine_dataset_options *options);
void fine__table_close(struct fine__table *table);

/* Notes what is wrong with the row at hand: "name:line: …". Where bad rows are skipped, only
 * the row is marked. */
void fine__table_bad_row(struct fine__table *table, int64_t line, const char *format, ...) FINE__PRINTF(3, 4);

/* Notes what makes the file unreadable, skipping or not; line 0: not one line's fault. */
void fine__table_bad_file(struct fine__table *table, int64_t line, const char *format, ...) FINE__PRINTF(3, 4);

/* A role's column is not among the names: notes it, listing those that are. The hint ends
 * the sentence: ", or …". */
void fine__table_missing(struct fine__table *table, enum fine__role role, char *const *names, int64_t n, const char *hint);

/* Whether a missing column of that role is an error. */
bool fine__table_needs(const struct fine__table *table, enum fine__role role);

/* One row. Cells that share a column are looked at once. Before the call the reader notes
 * what it found wrong with the row, and sets consumed. 0, or FINE_ENOMEM. */
int fine__table_row(struct fine__table *table, const struct fine__cell cells[FINE__ROLES], int64_t line);

/* What a row's cells lack; then row_is_bad. For readers that must know it before the call above. */
void fine__table_check_cells(struct fine__table *table, const struct fine__cell cells[FINE__ROLES], int64_t line);
/* An entity of the row at hand; its label is allowed, or found and added. 0, FINE_ENOMEM, or
 * FINE_EDATA: more labels than there may be. A label that isn't allowed makes the row bad. */
int fine__table_entity(struct fine__table *table, int64_t start, int64_t end, const char *type, size_t length, int64_t line);
/* flags.c: the labels of a multilabel row, from its cell or from columns of 0 and 1. */
int fine__flags_read(struct fine__table *table, struct fine__cell cell, int64_t line);

/* Settles labels and gives memory back; or reports the findings and fails with FINE_EDATA. */
int fine__table_finish(struct fine__table *table);

/* Where text stops being clean UTF-8 without NULs: an offset, or length. */
size_t fine__encoding_scan(const char *text, size_t from, size_t length);
int fine__encoding_parse(enum fine__encoding *out, const char *name);
/* To UTF-8; bytes that the code page doesn't define become 0xff, which no UTF-8 holds. */
int fine__encoding_convert(struct fine__buf *text, enum fine__encoding encoding);
/* A sentence on why the byte at offset is no text; line_start is where its line begins. */
void fine__encoding_explain(char *out, size_t size, enum fine__encoding encoding, const char *text, size_t offset, size_t line_start);

/* A language model's rows are prompts with completions where the file has columns of these
 * names and none named text, and nothing else was asked for. */
void fine__table_guess_pair(struct fine__table *table, bool has_text, bool has_both);

int fine__csv_read(struct fine__table *table, bool is_tsv);
int fine__lines_read(struct fine__table *table);
int fine__jsonl_read(struct fine__table *table);
/* Questions about texts: SQuAD's object; a line of JSON (the same errors as fine__table_row());
 * and answers from memory, as JSON, whose marks go to the row that is being made. */
int fine__squad_read(struct fine__table *table);
int fine__squad_row(struct fine__table *table, const struct fine__json *object, int64_t line);
int fine__squad_label(fine_dataset *set, const char *context, const char *label, struct fine__row *row);
void fine__squad_warn(const struct fine__table *table);
int fine__conll_read(struct fine__table *table);

#endif
