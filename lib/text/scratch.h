/*
 * scratch.h — the memory that encoding works in.
 *
 * It grows to what the largest text needs and stays, so that encoding in a steady state
 * allocates nothing. One scratch serves one thread.
 */
#ifndef FINE__SCRATCH_H
#define FINE__SCRATCH_H

#include "base/context.h"
#include "base/utf8.h"

/* An id and the bytes of the text that it stands for. */
struct fine__unit {
    int32_t id;
    uint32_t start, end;
    bool goes_on;             /* the word of the unit before it */
};

/* A character that has a combining class and waits for its place. */
struct fine__mark {
    int32_t c;
    uint32_t from;
    uint8_t class;
    bool fresh;               /* the first of its character's decomposition */
};

/* A piece of a word that byte-level BPE is merging. */
struct fine__symbol {
    int32_t id;               /* -1: it became part of another */
    uint32_t start;           /* in the word */
    uint32_t previous, next;  /* indices, or FINE__NO_SYMBOL */
};

#define FINE__NO_SYMBOL UINT32_MAX

/* An added token found in a text. */
struct fine__span {
    uint32_t start, end;
    int32_t token;            /* index in fine__added */
};

struct fine__scratch {
    fine_context *ctx;

    const char *text;         /* the text at work */
    size_t length;

    /* The normalized text of a part of it that begins at `base`. from[i]: where in text
     * the character begins that byte i came from; not filled in where plain, which
     * says that byte i came from byte base + i. */
    char *norm;
    uint32_t *from;
    int64_t n_norm, norm_capacity, from_capacity;
    size_t base;
    bool plain;

    struct fine__mark *marks, *sorted;
    uint32_t *sources;
    int64_t n_marks, marks_capacity, sorted_capacity, sources_capacity;
    uint32_t last;            /* where the character began that was last put out */

    struct fine__span *hits, *outer, *inner;
    int64_t n_hits, hits_capacity, n_outer, outer_capacity, n_inner, inner_capacity;

    struct fine__symbol *symbols;
    uint64_t *queue;          /* merges that wait for their turn */
    int64_t symbols_capacity, n_queue, queue_capacity;

    struct fine__unit *units;
    int64_t n_units, units_capacity;
    int64_t first_unit;       /* of the text at work */
};

struct fine__scratch *fine__scratch_new(fine_context *ctx);
void fine__scratch_free(struct fine__scratch *s);

/* A new text: the units that are there stay. */
void fine__scratch_begin(struct fine__scratch *s, const char *text, size_t length);

/* Room for `more` bytes of normalized text. */
int fine__scratch_reserve(struct fine__scratch *s, int64_t more);

/* An id for norm[start, end). */
int fine__scratch_unit(struct fine__scratch *s, int32_t id, size_t start, size_t end);
/* An id for text[start, end). */
int fine__scratch_unit_at(struct fine__scratch *s, int32_t id, size_t start, size_t end);

/* Takes that many characters off the last unit, as far as it has them: the white space
 * that its piece begins and ends with. keeps_prefix: one space at the text's beginning is
 * the one that was put before it, so it isn't taken off. */
void fine__scratch_trim(struct fine__scratch *s, size_t leading, size_t trailing,
                        bool keeps_prefix);

/* Puts one character of normalized text out, which came from text at `from`. */
static inline int
fine__scratch_put(struct fine__scratch *s, int32_t c, uint32_t from)
{
    if (s->n_norm + 4 > s->norm_capacity || s->n_norm + 4 > s->from_capacity)
        FINE__TRY(fine__scratch_reserve(s, 4));
    if (c >= 0 && c < 0x80) {
        s->from[s->n_norm] = from;
        s->norm[s->n_norm++] = (char)c;
    } else {
        const size_t n = fine__utf8_encode(c, s->norm + s->n_norm);

        for (size_t i = 0; i < n; i++)
            s->from[s->n_norm++] = from;
    }
    return 0;
}

#endif
