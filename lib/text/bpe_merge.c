/*
 * bpe_merge.c — the merges, and applying them to a word.
 *
 * A word is a linked list of symbols, at first its bytes. Of the pairs that may merge the
 * one of lowest rank does, of these the leftmost; a heap knows it, and what a merge makes
 * stale there is seen when it comes up. So a word of n bytes takes n log n, whatever the
 * merges are.
 * (Sennrich et al.: Neural machine translation of rare words with subword units, ACL 2016.)
 */
#include "base/alloc.h"
#include "text/bpe.h"

static uint64_t
slot_of(uint64_t pair, int shift)
{
    pair *= UINT64_C(0x9e3779b97f4a7c15);
    pair ^= pair >> 32;
    return (pair * UINT64_C(0xd6e8feb86659fd93)) >> shift;
}

static uint64_t
pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* The slot of a pair, or the free one where it belongs. */
static struct fine__merge *
find(struct fine__merge *merges, int64_t n_slots, int shift, uint64_t pair)
{
    const uint64_t mask = (uint64_t)n_slots - 1;
    uint64_t at = slot_of(pair, shift);

    while (merges[at].rank != UINT32_MAX && merges[at].pair != pair)
        at = (at + 1) & mask;
    return &merges[at];
}

static int
enlarge(struct fine__bpe *model, fine_context *ctx)
{
    const int64_t n_slots = model->n_slots == 0 ? 64 : 2 * model->n_slots;
    const int shift = model->n_slots == 0 ? 58 : model->shift - 1;
    struct fine__merge *merges = fine__alloc_array(ctx, (size_t)n_slots, sizeof *merges);

    if (merges == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n_slots; i++)
        merges[i].rank = UINT32_MAX;
    for (int64_t i = 0; i < model->n_slots; i++)
        if (model->merges[i].rank != UINT32_MAX)
            *find(merges, n_slots, shift, model->merges[i].pair) = model->merges[i];
    fine__free(ctx, model->merges);
    model->merges = merges;
    model->n_slots = n_slots;
    model->shift = shift;
    return 0;
}

int
fine__bpe_put_merge(struct fine__bpe *model, fine_context *ctx, int32_t left, int32_t right,
                    uint32_t rank, int32_t id)
{
    struct fine__merge *merge;

    if (2 * (model->n_merges + 1) > model->n_slots)
        FINE__TRY(enlarge(model, ctx));
    merge = find(model->merges, model->n_slots, model->shift, pair_of(left, right));
    model->n_merges += merge->rank == UINT32_MAX;
    *merge = (struct fine__merge){ pair_of(left, right), rank, id };
    return 0;
}

/* The merge of a symbol and the one after it, or NULL. */
static const struct fine__merge *
merge_at(const struct fine__bpe *model, const struct fine__scratch *s, uint32_t left)
{
    const struct fine__symbol *symbol = &s->symbols[left];
    const struct fine__merge *merge;

    if (symbol->next == FINE__NO_SYMBOL || model->n_merges == 0)
        return NULL;
    merge = find(model->merges, model->n_slots, model->shift,
                 pair_of(symbol->id, s->symbols[symbol->next].id));
    return merge->rank != UINT32_MAX ? merge : NULL;
}

/* ---- the heap: rank << 32 | index of the left symbol ---- */

static int
push(const struct fine__bpe *model, struct fine__scratch *s, uint32_t left)
{
    const struct fine__merge *merge = merge_at(model, s, left);
    int64_t at = s->n_queue;
    uint64_t key;

    if (merge == NULL)
        return 0;
    if (s->n_queue == s->queue_capacity)
        FINE__TRY(fine__grow(s->ctx, &s->queue, &s->queue_capacity, s->n_queue + 1,
                             sizeof *s->queue));
    key = (uint64_t)merge->rank << 32 | left;
    s->n_queue++;
    for (; at > 0 && s->queue[(at - 1) / 2] > key; at = (at - 1) / 2)
        s->queue[at] = s->queue[(at - 1) / 2];
    s->queue[at] = key;
    return 0;
}

static uint64_t
pop(struct fine__scratch *s)
{
    const uint64_t least = s->queue[0], key = s->queue[--s->n_queue];
    int64_t at = 0;

    for (;;) {
        int64_t child = 2 * at + 1;

        if (child >= s->n_queue)
            break;
        if (child + 1 < s->n_queue && s->queue[child + 1] < s->queue[child])
            child++;
        if (s->queue[child] >= key)
            break;
        s->queue[at] = s->queue[child];
        at = child;
    }
    s->queue[at] = key;
    return least;
}

/* ---- a word ---- */

static int
begin(const struct fine__bpe *model, struct fine__scratch *s, const char *word, size_t length,
      bool spaced, int64_t *n)
{
    const size_t total = length + spaced;
    bool was_unknown = false;

    *n = 0;
    FINE__TRY(fine__grow(s->ctx, &s->symbols, &s->symbols_capacity, (int64_t)total,
                         sizeof *s->symbols));
    for (size_t i = 0; i < total; i++) {
        const char byte = spaced ? (i == 0 ? ' ' : word[i - 1]) : word[i];
        int32_t id = model->bytes[(unsigned char)byte];
        const bool is_unknown = id < 0;

        if (is_unknown)
            id = was_unknown && model->fuse_unknown ? -1 : model->unknown;
        was_unknown = is_unknown;
        if (id < 0)
            continue;
        s->symbols[*n] = (struct fine__symbol){ id, (uint32_t)i, (uint32_t)*n - 1,
                                                (uint32_t)*n + 1 };
        (*n)++;
    }
    if (*n > 0) {
        s->symbols[0].previous = FINE__NO_SYMBOL;
        s->symbols[*n - 1].next = FINE__NO_SYMBOL;
    }
    return 0;
}

int
fine__bpe_merge(const struct fine__bpe *model, struct fine__scratch *s, const char *word,
                size_t length, bool spaced, int64_t *n)
{
    FINE__TRY(begin(model, s, word, length, spaced, n));
    s->n_queue = 0;
    for (int64_t i = 0; i + 1 < *n; i++)
        FINE__TRY(push(model, s, (uint32_t)i));
    while (s->n_queue > 0) {
        const uint64_t key = pop(s);
        const uint32_t left = (uint32_t)key;
        struct fine__symbol *symbol = &s->symbols[left];
        const struct fine__merge *merge;
        uint32_t right;

        if (symbol->id < 0)
            continue;   /* it is part of another */
        merge = merge_at(model, s, left);
        if (merge == NULL || merge->rank != key >> 32)
            continue;   /* it, or the one after it, has changed */
        right = symbol->next;
        symbol->id = merge->id;
        symbol->next = s->symbols[right].next;
        s->symbols[right].id = -1;
        if (symbol->next != FINE__NO_SYMBOL)
            s->symbols[symbol->next].previous = left;
        if (symbol->previous != FINE__NO_SYMBOL)
            FINE__TRY(push(model, s, symbol->previous));
        FINE__TRY(push(model, s, left));
    }
    return 0;
}
