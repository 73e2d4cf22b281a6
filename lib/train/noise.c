/*
 * noise.c — word dropout (Iyyer et al., ACL 2015, section 4) and masked tokens as augmentation.
 *
 * What is drawn is a function of the key, which is the row's and the epoch's, and of the place in
 * the row. A word is its first piece and those that continue it: WordPiece marks the latter with
 * ##, byte-level BPE the former with the space before it.
 */
#include "train/noise.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "models/kinds.h"
#include "text/tokenizer.h"
#include "train/masking.h"

enum { DROPPED, MASKED, PER_TOKEN };

static bool
starts_with(const char *piece, const char *mark)
{
    return piece != NULL && strncmp(piece, mark, strlen(mark)) == 0;
}

static void
sort_ids(struct fine__noise *noise, const fine_tokenizer *tokenizer)
{
    static const char space[] = "\xc4\xa0";     /* how byte-level BPE shows one */
    const int32_t *special = NULL;
    const int64_t n_special = fine__tokenizer_special(tokenizer, &special);
    bool marks_beginnings = true;

    for (int64_t i = 0; i < noise->n_ids; i++)
        if (starts_with(fine__tokenizer_piece(tokenizer, i), "##"))
            marks_beginnings = false;
    for (int64_t i = 0; i < noise->n_ids; i++) {
        const char *piece = fine__tokenizer_piece(tokenizer, i);

        noise->kinds[i] = (marks_beginnings ? !starts_with(piece, space) : starts_with(piece, "##"))
                              ? FINE__NOISE_CONTINUES : FINE__NOISE_BEGINS;
    }
    for (int64_t i = 0; i < n_special; i++)
        if (special[i] >= 0 && special[i] < noise->n_ids)
            noise->kinds[special[i]] = FINE__NOISE_SPECIAL;
}

int
fine__noise_new(struct fine__noise **out, const fine_model *model, double mask, double drop)
{
    const enum fine__target target = fine__kind(model->task)->target;
    const int64_t mask_id = fine__mask_id(model->tokenizer);
    struct fine__noise *noise;

    if (model->tokenizer == NULL || target == FINE__SPANS ||
        (target == FINE__TOKEN_CLASSES && (drop > 0 || model->n_labels == 0)))
        return fine__fail(FINE_EINVAL, "augmentation: words of the task %s can't be %s",
                          fine__task_name(model->task), drop > 0 ? "dropped" : "masked");
    if (mask > 0 && (mask_id < 0 || mask_id >= model->vocab_size))
        return fine__fail(FINE_EINVAL, "augmentation: the tokenizer has no [MASK] or <mask>; leave "
                          "mask_tokens at 0");
    noise = fine__alloc(model->ctx, sizeof *noise);
    if (noise == NULL)
        return FINE_ENOMEM;
    *noise = (struct fine__noise){ .ctx = model->ctx, .mask = mask, .drop = drop,
                                   .mask_id = (int32_t)mask_id, .n_ids = model->vocab_size };
    noise->kinds = fine__alloc_array(model->ctx, (size_t)noise->n_ids, 1);
    if (noise->kinds == NULL) {
        fine__noise_free(noise);
        return FINE_ENOMEM;
    }
    sort_ids(noise, model->tokenizer);
    *out = noise;
    return FINE_OK;
}

void
fine__noise_free(struct fine__noise *noise)
{
    if (noise == NULL)
        return;
    fine__free(noise->ctx, noise->kinds);
    fine__free(noise->ctx, noise);
}

static int
kind_of(const struct fine__noise *noise, int32_t id)
{
    return id >= 0 && id < noise->n_ids ? noise->kinds[id] : FINE__NOISE_BEGINS;
}

static double
uniform(uint64_t key, int64_t i, int which)
{
    return fine__rng_uniform(key, (uint64_t)(PER_TOKEN * i + which));
}

/* The end of the word that begins at i. */
static int64_t
word_end(const struct fine__noise *noise, const int32_t *ids, int64_t i, int64_t n)
{
    for (i++; i < n && kind_of(noise, ids[i]) == FINE__NOISE_CONTINUES;)
        i++;
    return i;
}

/* Where the word begins that stays when all would go; -1: some stay anyway. */
static int64_t
find_survivor(const struct fine__noise *noise, uint64_t key, const int32_t *ids, int64_t n)
{
    int64_t best = -1;
    double most = -1;

    for (int64_t i = 0, end; i < n; i = end) {
        const double value = uniform(key, i, DROPPED);
        const bool is_special = kind_of(noise, ids[i]) == FINE__NOISE_SPECIAL;

        end = is_special ? i + 1 : word_end(noise, ids, i, n);
        if (is_special)
            continue;
        if (value >= noise->drop)
            return -1;
        if (value > most) {
            most = value;
            best = i;
        }
    }
    return best;
}

int64_t
fine__noise_apply(const struct fine__noise *noise, uint64_t key, int32_t *ids, int32_t *types,
                  int64_t n)
{
    const int64_t survivor = noise->drop > 0 ? find_survivor(noise, key, ids, n) : -1;
    int64_t left = 0, end;

    for (int64_t i = 0; i < n; i = end) {
        const bool is_special = kind_of(noise, ids[i]) == FINE__NOISE_SPECIAL;

        end = is_special ? i + 1 : word_end(noise, ids, i, n);
        if (!is_special && i != survivor && uniform(key, i, DROPPED) < noise->drop)
            continue;
        for (int64_t j = i; j < end; j++, left++) {
            ids[left] = !is_special && uniform(key, j, MASKED) < noise->mask ? noise->mask_id
                                                                               : ids[j];
            if (types != NULL)
                types[left] = types[j];
        }
    }
    return left;
}
