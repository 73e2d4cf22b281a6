/*
 * augment.c — where a picture is looked at, and from which side: crop, pad, mirror, erase.
 *
 * The choices are torchvision's (RandomResizedCrop, RandomCrop with padding,
 * RandomHorizontalFlip, RandomErasing: Zhong et al. 2017, arXiv 1708.04896), each from numbers
 * of its own of the key's stream, so that turning one off changes no other.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "image/augment.h"

/* Places in the key's stream. */
enum { AT_CROP = 0, AT_FLIP = 64, AT_PAD = 66, AT_ERASE = 192, AT_NOISE = 1024 };

enum { TRIES = 10, DRAWS_A_TRY = 4 };

void
fine__augmentation_init(struct fine__augmentation *out)
{
    *out = (struct fine__augmentation){ .scale = { 0.08, 1 },
                                        .ratio = { 3.0 / 4, 4.0 / 3 },
                                        .erase_scale = { 0.02, 0.33 },
                                        .erase_ratio = { 0.3, 3.3 } };
}

static double
between(uint64_t key, uint64_t at, const double range[2])
{
    return range[0] + (range[1] - range[0]) * fine__rng_uniform(key, at);
}

/* Sides of a rectangle with a drawn share of the area and a drawn first side over its second;
 * ratios are drawn evenly by their logarithm. */
static void
draw_sides(uint64_t key, uint64_t at, double area, const double scale[2], const double ratio[2],
           int64_t *first, int64_t *second)
{
    const double logs[2] = { log(ratio[0]), log(ratio[1]) };
    const double target = area * between(key, at, scale), aspect = exp(between(key, at + 1, logs));

    *first = (int64_t)rint(sqrt(target * aspect));
    *second = (int64_t)rint(sqrt(target / aspect));
}

struct fine__rectangle
fine__image_draw_crop(int64_t width, int64_t height, const struct fine__augmentation *how,
                      uint64_t key)
{
    const double aspect = (double)width / (double)height;
    struct fine__rectangle r = { 0, 0, width, height };
    int64_t w, h;

    for (uint64_t at = AT_CROP; at < AT_CROP + TRIES * DRAWS_A_TRY; at += DRAWS_A_TRY) {
        draw_sides(key, at, (double)width * (double)height, how->scale, how->ratio, &w, &h);
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        return (struct fine__rectangle){ fine__rng_below(key, at + 3, width - w + 1),
                                         fine__rng_below(key, at + 2, height - h + 1), w, h };
    }
    /* The middle, as far as the ratio allows. */
    if (aspect < how->ratio[0])
        r.height = (int64_t)rint((double)width / how->ratio[0]);
    else if (aspect > how->ratio[1])
        r.width = (int64_t)rint((double)height * how->ratio[1]);
    r.width = r.width < 1 ? 1 : r.width > width ? width : r.width;
    r.height = r.height < 1 ? 1 : r.height > height ? height : r.height;
    r.left = (width - r.width) / 2;
    r.top = (height - r.height) / 2;
    return r;
}

void
fine__image_mirror(struct fine__image *image)
{
    const int64_t width = image->width;

    for (int64_t y = 0; y < image->height; y++) {
        uint8_t *left = image->pixels + y * width * FINE__IMAGE_CHANNELS;
        uint8_t *right = left + (width - 1) * FINE__IMAGE_CHANNELS;

        for (; left < right; left += FINE__IMAGE_CHANNELS, right -= FINE__IMAGE_CHANNELS)
            for (int c = 0; c < FINE__IMAGE_CHANNELS; c++) {
                const uint8_t kept = left[c];

                left[c] = right[c];
                right[c] = kept;
            }
    }
}

/* The picture moved by up to `pad` each way, black where it was not. */
static int
shift(struct fine__image *image, fine_context *ctx, int64_t pad, uint64_t key)
{
    const struct fine__resizing how = { FINE__NEAREST,
                                        { 0, 0, image->width, image->height },
                                        image->width,
                                        image->height,
                                        { fine__rng_below(key, AT_PAD, 2 * pad + 1) - pad,
                                          fine__rng_below(key, AT_PAD + 1, 2 * pad + 1) - pad,
                                          image->width, image->height } };
    struct fine__image moved;

    FINE__TRY(fine__image_resize_part(&moved, ctx, image, &how));
    fine__image_free(ctx, image);
    *image = moved;
    return FINE_OK;
}

static int
crop(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
     const struct fine__preparing *p, const struct fine__augmentation *how, uint64_t key)
{
    struct fine__resizing resizing = {
        .filter = p->filter, .from = fine__image_draw_crop(image->width, image->height, how, key)
    };

    fine__preparing_size(p, image->width, image->height, &resizing.width, &resizing.height);
    resizing.part = (struct fine__rectangle){ 0, 0, resizing.width, resizing.height };
    return fine__image_resize_part(out, ctx, image, &resizing);
}

int
fine__image_augment(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
                    const struct fine__preparing *p, const struct fine__augmentation *how,
                    uint64_t key)
{
    struct fine__image result;
    int rc = FINE_OK;

    if (how->crop)
        FINE__TRY(crop(&result, ctx, image, p, how, key));
    else
        FINE__TRY(fine__image_fit(&result, ctx, image, p));
    if (how->pad > 0)
        rc = shift(&result, ctx, how->pad, key);
    if (rc < 0) {
        fine__image_free(ctx, &result);
        return rc;
    }
    if (fine__rng_uniform(key, AT_FLIP) < how->flip)
        fine__image_mirror(&result);
    fine__image_jitter(&result, how, key);
    *out = result;
    return FINE_OK;
}

static void
fill(float *row, int64_t n, const struct fine__augmentation *how, uint64_t key, int64_t at)
{
    for (int64_t i = 0; i < n; i++)
        row[i] =
            how->erase_to_noise ? (float)fine__rng_normal(key, (uint64_t)(AT_NOISE + at + i)) : 0;
}

void
fine__image_erase(float *pixels, int64_t width, int64_t height,
                  const struct fine__augmentation *how, uint64_t key)
{
    const uint64_t last = AT_ERASE + TRIES * DRAWS_A_TRY;

    if (fine__rng_uniform(key, AT_ERASE - 1) >= how->erase)
        return;
    for (uint64_t at = AT_ERASE; at < last; at += DRAWS_A_TRY) {
        int64_t w, h, left, top;

        draw_sides(key, at, (double)width * (double)height, how->erase_scale, how->erase_ratio, &h,
                   &w);
        if (w >= width || h >= height)
            continue;
        top = fine__rng_below(key, at + 2, height - h + 1);
        left = fine__rng_below(key, at + 3, width - w + 1);
        for (int64_t y = 0; y < h; y++)
            fill(pixels + ((top + y) * width + left) * FINE__IMAGE_CHANNELS,
                 w * FINE__IMAGE_CHANNELS, how, key, y * w * FINE__IMAGE_CHANNELS);
        return;
    }
}
