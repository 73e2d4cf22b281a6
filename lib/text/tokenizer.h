/*
 * tokenizer.h — text to ids, whatever the kind of tokenizer.
 *
 * Immutable after opening and shared by reference count; encoding takes a scratch of
 * the caller's, so that threads encode at once.
 */
#ifndef FINE__TOKENIZER_H
#define FINE__TOKENIZER_H

#include "base/buf.h"
#include "base/source.h"
#include <finetune/tokenizer.h>

struct fine__scratch;
struct fine__template;

/* The result of one encoding; reused from call to call. */
struct fine__tokens {
    fine_context *ctx;
    int32_t *ids, *types;           /* count of each */
    int32_t *texts;                 /* count: which text each is of, 0 or 1; -1: an added one */
    int64_t *offsets;               /* 2 * count: start, end in that text */
    bool *goes_on;                  /* count: the tokenizer cut it off the word of the one before */
    int64_t count, capacity;
    int64_t truncated;              /* ids cut off */
    struct fine__scratch *scratch;  /* made at the first encoding */
};

void fine__tokens_init(struct fine__tokens *tokens, fine_context *ctx);
void fine__tokens_free(struct fine__tokens *tokens);
void fine__tokens_shrink(struct fine__tokens *tokens);   /* frees the scratch, keeps the result */

/* FINE_EIO: the source has none. */
int fine__tokenizer_open(fine_tokenizer **out, fine_context *ctx,
                         const struct fine__source *source);
bool fine__tokenizer_is_in(const struct fine__source *source);
/* A folder, a tokenizer.json, a vocab.txt, or a vocab.json with merges.txt beside it. */
int fine__tokenizer_open_path(fine_tokenizer **out, fine_context *ctx, const char *path);
fine_tokenizer *fine__tokenizer_ref(fine_tokenizer *tokenizer);
void fine__tokenizer_unref(fine_tokenizer *tokenizer);
int64_t fine__tokenizer_vocab_size(const fine_tokenizer *tokenizer);
const char *fine__tokenizer_piece(const fine_tokenizer *tokenizer, int64_t id);

/* The ids of special tokens in order; their number. */
int64_t fine__tokenizer_special(const fine_tokenizer *tokenizer, const int32_t **ids);
/* What stands around a single text. */
const struct fine__template *fine__tokenizer_template(const fine_tokenizer *tokenizer);
/* Whether pieces themselves say that they go on with a word, as WordPiece's "##" does. */
bool fine__tokenizer_marks_words(const fine_tokenizer *tokenizer);

/* pair may be NULL. max_length 0: none. offsets_in: FINE_OFFSETS_BYTES or _CHARS. */
int fine__tokenizer_encode(const fine_tokenizer *tokenizer, struct fine__tokens *out,
                           const char *text, size_t length, const char *pair, size_t pair_length,
                           int64_t max_length, int offsets_in, bool add_special);

/* The text of n ids into out, which is emptied before; ids without a piece give none. */
int fine__tokenizer_decode(const fine_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                           bool skip_special, struct fine__buf *out);

/* Writes the tokenizer's files, byte for byte as they were read, into folder. */
int fine__tokenizer_save(const fine_tokenizer *tokenizer, fine_context *ctx, const char *folder);

#endif
