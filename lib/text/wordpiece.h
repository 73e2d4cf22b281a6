/*
 * wordpiece.h — the WordPiece model: what wordpiece.c and wordpiece_files.c share.
 */
#ifndef FINE__WORDPIECE_H
#define FINE__WORDPIECE_H

#include "text/bert_text.h"
#include "text/kind.h"

enum { FINE__WORDPIECE_MAX_CHARS = 1000 };   /* what a file may ask for as longest word */

struct fine__wordpiece {
    struct fine__trie trie;          /* values: ids */
    struct fine__bert_text text;
    uint32_t continuation;           /* the node of "##"; UINT32_MAX: no piece begins so */
    int32_t unknown;
    int64_t max_chars;               /* a longer word is unknown */
    struct fine__buf prefix;         /* "##" */
    bool clean_up;                   /* decoding leaves out the space before "." and the like */
};

/* Empty, with BERT's defaults. */
int fine__wordpiece_new(struct fine__wordpiece **out, fine_tokenizer *t);
int fine__wordpiece_put(fine_tokenizer *t, const char *piece, size_t length, int64_t id);
/* Fixes the unknown token and the prefix. `what` names the file. */
int fine__wordpiece_finish(fine_tokenizer *t, const char *unknown, const char *prefix,
                           const char *what);

int fine__wordpiece_open_json(fine_tokenizer *t, const struct fine__parsed *parsed);
int fine__wordpiece_open_files(fine_tokenizer *t, const struct fine__parsed *parsed);
int fine__wordpiece_add_special(fine_tokenizer *t, struct fine__added_list *list,
                                const struct fine__parsed *parsed);

#endif
