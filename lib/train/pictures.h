/*
 * pictures.h — rows that are pictures, made into a batch's pixels when they are needed.
 *
 * Decoding and augmenting run on the pool. What a picture becomes follows from its row, the
 * settings and, in training, from seed and epoch alone. Pictures are kept in memory as far as
 * FINE__KEPT_PICTURES bytes reach, so that a small set is decoded once.
 */
#ifndef FINE__PICTURES_H
#define FINE__PICTURES_H

#include "base/parallel.h"
#include "data/dataset.h"
#include "image/augment.h"

#define FINE__KEPT_PICTURES (INT64_C(512) << 20)

struct fine__pictures {
    fine_context *ctx;
    const fine_dataset *dataset;        /* outlives this */
    struct fine__preparing preparing;
    struct fine__levels levels;
    struct fine__augmentation augmentation;
    int64_t width, height;              /* of all that comes out */
    struct fine__image *kept;           /* one a row: { 0 } where it isn't kept */
    atomic_llong n_kept_bytes;
};

/* Looks at the first picture for the size, where the preparation leaves it open. FINE_EDATA,
 * FINE_ENOMEM. */
int fine__pictures_new(struct fine__pictures **out, const fine_dataset *dataset,
                       const struct fine__preparing *preparing);
/* Fillings that augment do so from now on; before the first. FINE_EINVAL: a crop of pictures
 * that have no fixed size. */
int fine__pictures_augment(struct fine__pictures *pictures,
                           const struct fine__augmentation *augmentation);
void fine__pictures_free(struct fine__pictures *pictures);      /* NULL is fine */

/* Numbers of one picture. */
static inline int64_t
fine__pictures_count(const struct fine__pictures *pictures)
{
    return pictures->width * pictures->height * FINE__IMAGE_CHANNELS;
}

/* n rows into out (n, height, width, 3). */
struct fine__filling {
    struct fine__pictures *pictures;
    const int64_t *rows;
    int64_t n;
    bool augments;
    int64_t seed, epoch;
    float *out;
    int *codes;                         /* n */
    struct fine__background job;
};
/* In the pool, while the caller does something else; until finish() all of it is in use. */
void fine__filling_start(struct fine__filling *filling);
/* 0, or what was wrong with the first row that failed: FINE_EDATA with its place; FINE_ENOMEM. */
int fine__filling_finish(struct fine__filling *filling);

/* Rows one after another, as they are, for evaluation and prediction. To be zeroed but for
 * pictures. */
struct fine__picture_reader {
    struct fine__pictures *pictures;
    int64_t most;                       /* pictures at a time */
    int64_t *rows;
    float *pixels;
    int *codes;
};
/* Rows from `first` on into pixels: how many. 0 at the end; FINE_EDATA, FINE_ENOMEM. */
int64_t fine__pictures_read(struct fine__picture_reader *reader, int64_t first);
void fine__picture_reader_free(struct fine__picture_reader *reader);

#endif
