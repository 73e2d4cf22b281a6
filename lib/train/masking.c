/*
 * masking.c — masks as BERT has them (Devlin et al., arXiv 1810.04805, section 3.1 and appendix
 * A.1): a share of the tokens is to be guessed; of these eight of ten show the mask, one a random
 * token, one itself.
 *
 * What is drawn is a function of the seed, the epoch and the example, never of the batch or of
 * what was drawn before. Special tokens are not guessed; an example that has others has at least
 * one to guess, so that no step is without.
 */
#include "train/masking.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "text/tokenizer.h"

int64_t
fine__mask_id(const fine_tokenizer *tokenizer)
{
    static const char *const names[] = { "[MASK]", "<mask>" };

    const int32_t *special = NULL;
    const int64_t n = tokenizer != NULL ? fine__tokenizer_special(tokenizer, &special) : 0;

    for (int64_t i = 0; i < n; i++) {
        const char *piece = fine__tokenizer_piece(tokenizer, special[i]);

        for (int k = 0; piece != NULL && k < 2; k++)
            if (strcmp(piece, names[k]) == 0)
                return special[i];
    }
    return -1;
}

int
fine__mask_new(struct fine__masking **out, const fine_model *model)
{
    const fine_tokenizer *tokenizer = model->tokenizer;
    const int64_t mask_id = fine__mask_id(tokenizer);
    struct fine__masking *masking;

    if (mask_id < 0 || mask_id >= model->vocab_size)
        return fine__fail(FINE_EDATA, "the model's tokenizer has no special token [MASK] or <mask> "
                          "within its vocabulary, so nothing can be masked");
    masking = fine__alloc(model->ctx, sizeof *masking);
    if (masking == NULL)
        return FINE_ENOMEM;
    *masking = (struct fine__masking){ .rate = model->mask_rate,
                                       .mask_id = mask_id,
                                       .n_ids = model->vocab_size,
                                       .whole_words = model->whole_words };
    masking->special = fine__alloc_array(model->ctx, (size_t)masking->n_ids, 1);
    if (masking->special == NULL) {
        fine__mask_free(model->ctx, masking);
        return FINE_ENOMEM;
    }
    const int32_t *special = NULL;
    const int64_t n = fine__tokenizer_special(tokenizer, &special);

    for (int64_t i = 0; i < n; i++)
        if (special[i] < masking->n_ids)
            masking->special[special[i]] = 1;
    *out = masking;
    return FINE_OK;
}

void
fine__mask_free(fine_context *ctx, struct fine__masking *masking)
{
    if (masking == NULL)
        return;
    fine__free(ctx, masking->special);
    fine__free(ctx, masking->begins);
    fine__free(ctx, masking);
}

void
fine__mask_hash(const struct fine__masking *masking, struct fine__hash *hash)
{
    const int64_t numbers[2] = { masking->mask_id, masking->whole_words };

    fine__hash_update(hash, &masking->rate, sizeof masking->rate);
    fine__hash_update(hash, numbers, sizeof numbers);
}

/* ---- drawing ---- */

/* Three numbers a token: whether it is chosen, what is shown, and which random token. */
enum { CHOICE, SHOWN, RANDOM, PER_TOKEN };

struct drawing {
    const struct fine__masking *masking;
    const uint8_t *begins;          /* of the example; NULL: each token does */
    uint64_t key;
    int64_t n;
    int32_t *ids, *labels;
};

static double
uniform(const struct drawing *d, int64_t i, int which)
{
    return fine__rng_uniform(d->key, (uint64_t)(PER_TOKEN * i + which));
}

static bool
can_be_guessed(const struct drawing *d, int64_t i)
{
    return d->ids[i] < 0 || d->ids[i] >= d->masking->n_ids || !d->masking->special[d->ids[i]];
}

/* The end of the word that begins at i. */
static int64_t
word_end(const struct drawing *d, int64_t i)
{
    for (i++; d->begins != NULL && i < d->n && !d->begins[i] && can_be_guessed(d, i);)
        i++;
    return i;
}

static void
hide(const struct drawing *d, int64_t i)
{
    const double shown = uniform(d, i, SHOWN);

    d->labels[i] = d->ids[i];
    if (shown < 0.8)
        d->ids[i] = (int32_t)d->masking->mask_id;
    else if (shown < 0.9)
        d->ids[i] = (int32_t)fine__rng_below(d->key, (uint64_t)(PER_TOKEN * i + RANDOM),
                                             d->masking->n_ids);
}

static void
draw(const struct drawing *d)
{
    int64_t least = -1, end, n_chosen = 0;
    double least_value = 2;

    for (int64_t i = 0; i < d->n; i++)
        d->labels[i] = -1;
    for (int64_t i = 0; i < d->n; i = end) {
        end = i + 1;
        if (!can_be_guessed(d, i))
            continue;
        const double value = uniform(d, i, CHOICE);

        end = word_end(d, i);
        if (value < least_value) {
            least_value = value;
            least = i;
        }
        if (value >= d->masking->rate)
            continue;
        n_chosen++;
        for (int64_t j = i; j < end; j++)
            hide(d, j);
    }
    if (n_chosen > 0 || least < 0)
        return;
    end = word_end(d, least);
    for (int64_t j = least; j < end; j++)
        hide(d, j);
}

void
fine__mask_examples(const struct fine__examples *examples, int64_t seed, int64_t epoch,
                    int64_t first, int64_t n, int32_t *ids, int32_t *labels)
{
    const struct fine__masking *masking = examples->masking;

    for (int64_t i = first; i < first + n; i++) {
        const int64_t from = examples->offsets[i], length = examples->offsets[i + 1] - from;
        const struct drawing d = {
            .masking = masking,
            .begins = masking->begins != NULL ? masking->begins + from : NULL,
            .key = fine__rng_key(seed, FINE__RNG_MASK, epoch, i),
            .n = length,
            .ids = ids,
            .labels = labels,
        };

        memcpy(ids, examples->ids + from, (size_t)length * sizeof *ids);
        draw(&d);
        ids += length;
        labels += length;
    }
}
