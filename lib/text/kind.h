/*
 * kind.h — what a tokenizer is inside, and what each kind of tokenizer provides.
 *
 * Every kind shares the frame: added tokens are cut out of the text, what lies between
 * is normalized, added tokens that want the normalized text are cut out of that, the
 * rest is split into pieces of the vocabulary, and a template adds [CLS] and [SEP]. A
 * kind is one file with one struct fine__kind, listed in the table of tokenizer.c.
 */
#ifndef FINE__KIND_H
#define FINE__KIND_H

#include "base/json.h"
#include "text/added.h"
#include "text/scratch.h"
#include "text/template.h"
#include "text/tokenizer.h"

/* The pieces in order of their ids, which may have gaps. */
struct fine__pieces {
    fine_context *ctx;
    struct fine__piece {
        int64_t id, text;            /* text: offset of a NUL-terminated string */
    } *items;
    int64_t count, capacity;
    struct fine__buf text;
};

void fine__pieces_init(struct fine__pieces *pieces, fine_context *ctx);
void fine__pieces_free(struct fine__pieces *pieces);
int fine__pieces_add(struct fine__pieces *pieces, const char *text, size_t length, int64_t id);
void fine__pieces_sort(struct fine__pieces *pieces);    /* of one id, the one added last stays */
const char *fine__pieces_get(const struct fine__pieces *pieces, int64_t id);   /* NULL: none */

/* A file as it was read, for saving. */
struct fine__kept {
    struct fine__buf text;
    char *path;               /* for messages */
    bool present;
};

enum fine__kept_name {
    FINE__TOKENIZER_JSON, FINE__VOCAB_TXT, FINE__TOKENIZER_CONFIG, FINE__SPECIAL_TOKENS_MAP,
    FINE__ADDED_TOKENS, FINE__VOCAB_JSON, FINE__MERGES_TXT, FINE__N_KEPT
};

/* What the files say, while a tokenizer is opened; each may be NULL. */
struct fine__parsed {
    struct fine__json *json[FINE__N_KEPT];
    const char *path[FINE__N_KEPT];
};

struct fine_tokenizer {
    fine_context *ctx;
    atomic_int references;
    const struct fine__kind *kind;
    void *model;                         /* the kind's */
    int64_t n_model;                     /* distinct pieces of the model */
    struct fine__pieces pieces;
    struct fine__added plain, normalized;
    struct fine__template single, pair;
    int64_t vocab_size;
    int32_t *special;                    /* the ids of special tokens, in order */
    int64_t n_special;
    struct fine__kept kept[FINE__N_KEPT];
};

struct fine__kind {
    const char *type;                    /* model.type of tokenizer.json */
    enum fine__kept_name file;           /* or the file that says so without one */
    bool trims;                          /* split() heeds single.trim */
    /* Both fill model, n_model and pieces; what they made is freed by close(). */
    int (*open_json)(fine_tokenizer *t, const struct fine__parsed *parsed);
    int (*open_files)(fine_tokenizer *t, const struct fine__parsed *parsed);
    /* Added tokens and templates, for a tokenizer without tokenizer.json. */
    int (*add_special)(fine_tokenizer *t, struct fine__added_list *list,
                       const struct fine__parsed *parsed);
    void (*close)(fine_tokenizer *t);
    int64_t (*lookup)(const fine_tokenizer *t, const char *piece, size_t length);   /* -1: none */
    /* text[start, end) of scratch → its normalized text. */
    int (*normalize)(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end);
    /* Bytes [start, end) of the normalized text → ids. */
    int (*split)(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end);
    /* Appends the text of a piece; is_first: nothing stands before it. The bytes of several
     * pieces may be one character. */
    int (*decode)(const fine_tokenizer *t, const char *piece, bool is_first,
                  struct fine__buf *out);
};

extern const struct fine__kind fine__wordpiece, fine__bpe;

#endif
