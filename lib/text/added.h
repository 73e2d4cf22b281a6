/*
 * added.h — added tokens: strings that are one id wherever they stand in a text.
 *
 * The semantics are those of the tokenizers library: of the tokens that begin
 * leftmost the longest is taken; single_word refuses it inside a word; lstrip and
 * rstrip take the white space beside it along. Finding is linear in the text, whatever
 * the tokens are.
 */
#ifndef FINE__ADDED_H
#define FINE__ADDED_H

#include "base/buf.h"
#include "base/map.h"
#include "text/trie.h"

struct fine__scratch;
struct fine__span;

struct fine__added_token {
    int32_t id;
    size_t content, length;       /* in the list's text */
    bool single_word, lstrip, rstrip, normalized, special;
};

/* All of them in the order in which they were added. */
struct fine__added_list {
    fine_context *ctx;
    struct fine__added_token *tokens;
    int64_t count, capacity;
    struct fine__buf text;
    struct fine__map by_content;
    bool warned;                  /* of an id that isn't the one written */
};

void fine__added_list_init(struct fine__added_list *list, fine_context *ctx);
void fine__added_list_free(struct fine__added_list *list);
/* A token with the content of an earlier one takes its place. */
int fine__added_list_put(struct fine__added_list *list, const struct fine__added_token *token,
                         const char *content, size_t length);

/* An automaton over the reversed contents of some of them. */
struct fine__added {
    struct fine__trie trie;       /* values: indices of tokens */
    uint32_t *fail;               /* the longest proper suffix of a node that is a node */
    int32_t *found;               /* the longest token that ends a node's string, or -1 */
    uint32_t root[256];           /* children of node 0 */
    struct fine__added_token *tokens;
    int64_t count, capacity;
};

void fine__added_init(struct fine__added *added, fine_context *ctx);
void fine__added_free(struct fine__added *added);
/* An empty string, or one that is there, is passed over. */
int fine__added_put(struct fine__added *added, const struct fine__added_token *token,
                    const char *content, size_t length);
int fine__added_finish(struct fine__added *added);

/* The tokens in text[start, end), in order, into *spans; text outside isn't looked at. */
int fine__added_find(const struct fine__added *added, struct fine__scratch *s, const char *text,
                     size_t start, size_t end, struct fine__span **spans, int64_t *n_spans,
                     int64_t *capacity);

#endif
