/*
 * bpe.h — the byte-level BPE model: what bpe.c, bpe_merge.c and bpe_files.c share.
 */
#ifndef FINE__BPE_H
#define FINE__BPE_H

#include "base/map.h"
#include "text/kind.h"

enum { FINE__BPE_MAX_WHOLE = 255 };

struct fine__bpe {
    struct fine__map vocab;           /* pieces as they are written → ids */
    struct fine__map whole;           /* words, in bytes, that come out as one id */
    size_t longest_whole;             /* bytes; at most FINE__BPE_MAX_WHOLE */
    struct fine__merge {
        uint64_t pair;                /* two ids */
        uint32_t rank;                /* UINT32_MAX: a free slot */
        int32_t id;
    } *merges;                        /* open addressing */
    int64_t n_slots, n_merges;
    int shift;                        /* 64 less the logarithm of n_slots */
    int32_t bytes[256];               /* the id of each byte; -1: none */
    int32_t unknown;                  /* stands for such a byte; -1: it is left out */
    bool fuse_unknown, ignore_merges; /* ignore_merges: a word that is a piece is its id */
    bool use_pattern;                 /* false: a text is one word */
    bool prefix_space;
};

/* ---- bpe_merge.c ---- */

/* A later merge of the same pair takes the place of an earlier one. */
int fine__bpe_put_merge(struct fine__bpe *model, fine_context *ctx, int32_t left, int32_t right,
                        uint32_t rank, int32_t id);

/* A word to s->symbols, linked by `next` from index 0 on; *n is 0 where all of it was left
 * out. With `spaced` a space stands before the word. */
int fine__bpe_merge(const struct fine__bpe *model, struct fine__scratch *s, const char *word,
                    size_t length, bool spaced, int64_t *n);

/* ---- bpe_files.c ---- */

int fine__bpe_open_json(fine_tokenizer *t, const struct fine__parsed *parsed);
int fine__bpe_open_files(fine_tokenizer *t, const struct fine__parsed *parsed);
int fine__bpe_add_special(fine_tokenizer *t, struct fine__added_list *list,
                          const struct fine__parsed *parsed);

/* ---- bpe.c ---- */

int fine__bpe_new(struct fine__bpe **out, fine_tokenizer *t);
int fine__bpe_put(fine_tokenizer *t, const char *piece, size_t length, int64_t id);
/* After vocabulary and merges: the tables made from them. */
int fine__bpe_finish(fine_tokenizer *t, const char *what);

#endif
