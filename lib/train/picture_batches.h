/*
 * picture_batches.h — batches of pictures: while a step computes on one, the next is made.
 */
#ifndef FINE__PICTURE_BATCHES_H
#define FINE__PICTURE_BATCHES_H

#include "train/pictures.h"
#include "models/batch.h"

struct fine__picture_batches;

int fine__picture_batches_new(struct fine__picture_batches **out, struct fine__pictures *pictures,
                              int64_t size, int64_t seed);
void fine__picture_batches_free(struct fine__picture_batches *batches);     /* NULL is fine */
/* Rows are mixed from now on; n_classes labels. FINE_ENOMEM. */
int fine__picture_batches_mix(struct fine__picture_batches *batches,
                              const struct fine__mixing *mixing, int64_t n_classes);

/* Which rows make a batch. */
struct fine__picture_plan {
    int64_t epoch, index, n;
    const int64_t *rows;
};
/* The pictures of `now`, and their labels of all rows' `labels` (NULL: none), into *out; those
 * of `next` (n 0: none) are begun. What is in *out lasts until the next call. FINE_EDATA,
 * FINE_ENOMEM. */
int fine__picture_batches_pack(struct fine__picture_batches *batches,
                               const struct fine__picture_plan *now,
                               const struct fine__picture_plan *next, const int32_t *labels,
                               struct fine__batch *out);

#endif
