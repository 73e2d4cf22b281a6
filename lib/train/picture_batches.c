/*
 * picture_batches.c — two buffers in turn: one that is read, one that is being filled.
 */
#include "train/picture_batches.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

struct slot {
    int64_t epoch, index;               /* index -1: holds nothing */
    int64_t *rows;
    int *codes;
    float *pixels;
    struct fine__filling filling;
};

struct fine__picture_batches {
    fine_context *ctx;
    struct fine__pictures *pictures;
    int64_t size, seed, n_classes;
    struct slot slots[2];
    int32_t *labels;
    struct fine__mixing mixing;
    struct fine__mix *mixes;            /* NULL: nothing is mixed */
    float *shares;
};

void
fine__picture_batches_free(struct fine__picture_batches *b)
{
    if (b == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        fine__background_finish(&b->slots[i].filling.job);
        fine__free(b->ctx, b->slots[i].rows);
        fine__free(b->ctx, b->slots[i].codes);
        fine__free(b->ctx, b->slots[i].pixels);
    }
    fine__free(b->ctx, b->labels);
    fine__free(b->ctx, b->mixes);
    fine__free(b->ctx, b->shares);
    fine__free(b->ctx, b);
}

int
fine__picture_batches_new(struct fine__picture_batches **out, struct fine__pictures *pictures,
                          int64_t size, int64_t seed)
{
    fine_context *ctx = pictures->ctx;
    struct fine__picture_batches *b = fine__alloc_array(ctx, 1, sizeof *b);
    bool failed;

    if (b == NULL)
        return FINE_ENOMEM;
    b->ctx = ctx;
    b->pictures = pictures;
    b->size = size;
    b->seed = seed;
    b->labels = fine__alloc_array(ctx, (size_t)size, sizeof *b->labels);
    failed = b->labels == NULL;
    for (int i = 0; i < 2; i++) {
        struct slot *slot = &b->slots[i];

        slot->index = -1;
        slot->rows = fine__alloc_array(ctx, (size_t)size, sizeof *slot->rows);
        slot->codes = fine__alloc_array(ctx, (size_t)size, sizeof *slot->codes);
        slot->pixels = fine__alloc_array(ctx, (size_t)(size * fine__pictures_count(pictures)),
                                         sizeof *slot->pixels);
        failed = failed || slot->rows == NULL || slot->codes == NULL || slot->pixels == NULL;
    }
    if (failed) {
        fine__picture_batches_free(b);
        return FINE_ENOMEM;
    }
    *out = b;
    return 0;
}

int
fine__picture_batches_mix(struct fine__picture_batches *b, const struct fine__mixing *mixing,
                          int64_t n_classes)
{
    b->mixing = *mixing;
    b->n_classes = n_classes;
    b->mixes = fine__alloc_array(b->ctx, (size_t)b->size, sizeof *b->mixes);
    b->shares = fine__alloc_array(b->ctx, (size_t)(b->size * n_classes), sizeof *b->shares);
    return b->mixes != NULL && b->shares != NULL ? 0 : FINE_ENOMEM;
}

static void
begin(struct fine__picture_batches *b, struct slot *slot, const struct fine__picture_plan *plan)
{
    fine__background_finish(&slot->filling.job);
    memcpy(slot->rows, plan->rows, (size_t)plan->n * sizeof *slot->rows);
    slot->epoch = plan->epoch;
    slot->index = plan->index;
    slot->filling = (struct fine__filling){ .pictures = b->pictures,
                                            .rows = slot->rows,
                                            .n = plan->n,
                                            .augments = true,
                                            .seed = b->seed,
                                            .epoch = plan->epoch,
                                            .out = slot->pixels,
                                            .codes = slot->codes };
    fine__filling_start(&slot->filling);
}

static void
mix(struct fine__picture_batches *b, const struct fine__picture_plan *plan, float *pixels,
    struct fine__batch *out)
{
    const struct fine__pictures *p = b->pictures;
    /* Rows have keys from 0 on. */
    const uint64_t key = fine__rng_key(b->seed, FINE__RNG_AUGMENT, plan->epoch, -1 - plan->index);

    fine__mix_draw(b->mixes, plan->n, p->width, p->height, &b->mixing, key);
    fine__mix_pixels(pixels, b->mixes, plan->n, p->width, p->height);
    fine__mix_targets(b->shares, b->mixes, b->labels, plan->n, b->n_classes, 0);
    out->shares = b->shares;
}

int
fine__picture_batches_pack(struct fine__picture_batches *b, const struct fine__picture_plan *now,
                           const struct fine__picture_plan *next, const int32_t *labels,
                           struct fine__batch *out)
{
    const bool second = b->slots[1].index == now->index && b->slots[1].epoch == now->epoch;
    struct slot *slot = &b->slots[second ? 1 : 0], *other = &b->slots[second ? 0 : 1];

    if (slot->index != now->index || slot->epoch != now->epoch)
        begin(b, slot, now);
    const int rc = fine__filling_finish(&slot->filling);

    slot->index = -1;                   /* mixing changes the pixels: never read twice */
    if (rc < 0)
        return rc;
    if (next->n > 0)
        begin(b, other, next);
    *out = (struct fine__batch){ .n_seqs = now->n,
                                 .pixels = slot->pixels,
                                 .height = b->pictures->height,
                                 .width = b->pictures->width };
    for (int64_t i = 0; labels != NULL && i < now->n; i++)
        b->labels[i] = labels[now->rows[i]];
    if (labels != NULL)
        out->labels = b->labels;
    if (b->mixes != NULL && labels != NULL)
        mix(b, now, slot->pixels, out);
    return 0;
}
