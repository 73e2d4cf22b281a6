/*
 * augment.h — pictures as they might have been, for training.
 *
 * Pure functions of the picture, the settings and a key: the key of a picture is
 * fine__rng_key(seed, FINE__RNG_AUGMENT, epoch, row), so that the same row is another picture in
 * each epoch, whichever worker makes it, and a resumed run sees what it would have seen. What is
 * drawn is what torchvision draws: docs/images.md.
 */
#ifndef FINE__AUGMENT_H
#define FINE__AUGMENT_H

#include "image/image.h"

/* { 0 } does nothing. Ranges hold from low to high; probabilities are of [0, 1]. */
struct fine__augmentation {
    /* A random rectangle becomes the whole input, in place of the preparation's resizing and crop:
     * its share of the area, its width over its height. */
    bool crop;
    double scale[2], ratio[2];
    /* Black around the prepared picture, on each side, and of that a random part of the old
     * size. */
    int64_t pad;
    double flip;                    /* probability of being mirrored */
    /* Factors of [max(0, 1 - x), 1 + x]; hue: turned by up to x of the circle, at most 0.5. */
    double brightness, contrast, saturation, hue;
    /* Probability that a rectangle is erased, its share of the area, its height over its width;
     * to 0, which after normalising is the mean, or to normal noise. */
    double erase, erase_scale[2], erase_ratio[2];
    bool erase_to_noise;
};

/* torchvision's ranges: scale 0.08 to 1, ratio 3/4 to 4/3; erase scale 0.02 to 0.33, ratio 0.3 to
 * 3.3. Nothing is on. */
void fine__augmentation_init(struct fine__augmentation *out);

/* ---- augment.c ---- */

/* The picture as the model will see it, of the size that fine__preparing_size() tells; a crop
 * wants a preparation of a fixed size. Errors: FINE_EFORMAT, FINE_ENOMEM. */
int fine__image_augment(struct fine__image *out, fine_context *ctx,
                        const struct fine__image *image, const struct fine__preparing *p,
                        const struct fine__augmentation *how, uint64_t key);
/* The last step, on the numbers (height x width x 3) that fine__image_to_floats() made. */
void fine__image_erase(float *pixels, int64_t width, int64_t height,
                       const struct fine__augmentation *how, uint64_t key);
/* The rectangle that `crop` would take. */
struct fine__rectangle fine__image_draw_crop(int64_t width, int64_t height,
                                             const struct fine__augmentation *how, uint64_t key);
void fine__image_mirror(struct fine__image *image);

/* ---- colour.c: in place, as Pillow's ImageEnhance and HSV do ---- */

void fine__image_brighten(struct fine__image *image, double factor);
void fine__image_contrast(struct fine__image *image, double factor);
void fine__image_saturate(struct fine__image *image, double factor);
void fine__image_turn_hue(struct fine__image *image, int steps);    /* of 256 a circle */
/* All four in a random order, by factors of the settings' ranges. */
void fine__image_jitter(struct fine__image *image, const struct fine__augmentation *how,
                        uint64_t key);

/* ---- mix.c: between the pictures of a batch ---- */

/* Concentrations of Beta(a, a), from which a row's share is drawn; 0: that way isn't taken. Where
 * both are set, each row takes one of them. */
struct fine__mixing {
    double mixup, cutmix;
    double probability;             /* that a row is mixed */
};

/* What becomes of a row. Rows are paired: the partner's partner is the row itself. */
struct fine__mix {
    int64_t partner;                /* the row itself where it stays as it is */
    double share;                   /* of its own picture and label, in [0, 1] */
    struct fine__rectangle box;     /* CutMix: what comes from the partner. Width 0: MixUp */
};

/* For the n rows of a batch; key: fine__rng_key(seed, FINE__RNG_AUGMENT, step, -1). */
void fine__mix_draw(struct fine__mix *rows, int64_t n, int64_t width, int64_t height,
                    const struct fine__mixing *how, uint64_t key);
/* pixels: n pictures of height x width x 3, in place. */
void fine__mix_pixels(float *pixels, const struct fine__mix *rows, int64_t n, int64_t width,
                      int64_t height);
/* targets (n, n_classes): share of the row's own label, and the rest of its partner's. A label
 * that isn't in [0, n_classes) leaves the row 0. `smoothing` of all goes to all classes alike. */
void fine__mix_targets(float *targets, const struct fine__mix *rows, const int32_t *labels,
                       int64_t n, int64_t n_classes, double smoothing);

#endif
