/*
 * masking.h — which tokens a model is to guess, and what stands in their place.
 */
#ifndef FINE__MASKING_H
#define FINE__MASKING_H

#include "train/examples.h"

struct fine__hash;

struct fine__masking {
    double rate;
    int64_t mask_id, n_ids;         /* ids that a random token is drawn from: [0, n_ids) */
    bool whole_words;
    uint8_t *special;               /* n_ids flags: never guessed */
    uint8_t *begins;                /* one an id of the examples: it begins a word; NULL: each does */
};

/* What the model's task asks for, without begins. FINE_EDATA: the tokenizer has no mask token. */
int fine__mask_new(struct fine__masking **out, const fine_model *model);
void fine__mask_free(fine_context *ctx, struct fine__masking *masking);   /* NULL is fine */
void fine__mask_hash(const struct fine__masking *masking, struct fine__hash *hash);
/* The id of "[MASK]" or "<mask>"; -1: the tokenizer has none. */
int64_t fine__mask_id(const fine_tokenizer *tokenizer);

/* Ids and labels of examples [first, first + n), one after another, for one epoch; -1: the data
 * are scored, always with the same masks. */
void fine__mask_examples(const struct fine__examples *examples, int64_t seed, int64_t epoch,
                         int64_t first, int64_t n, int32_t *ids, int32_t *labels);

/* ---- documents.c: plain text to examples ---- */

/* A language model's: cut to the model's longest, each id labelled with the next one; of a
 * prompt with its completion the completion's alone. */
int fine__examples_to_continue(struct fine__examples *examples, const fine_model *model,
                               const char *what);
/* For masks: cut to the model's longest, special ids around each. */
int fine__examples_to_fill(struct fine__examples *examples, const fine_model *model,
                           const char *what);

#endif
