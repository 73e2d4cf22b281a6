/*
 * colour.c — the same scene in another light: brightness, contrast, saturation, hue.
 *
 * On 8-bit levels, as torchvision does with Pillow's pictures: the first three move each level
 * away from, or towards, black, the mean grey and the pixel's own grey; hue goes through HSV.
 * Products come from tables, so that no processor rounds them together with the sum.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "image/augment.h"

enum { CHANNELS = FINE__IMAGE_CHANNELS, AT_ORDER = 80, AT_FACTORS = 96 };

static int64_t
n_levels(const struct fine__image *image)
{
    return image->width * image->height * CHANNELS;
}

/* ITU-R 601, in 16 bits behind the point. */
static int
grey_of(const uint8_t *pixel)
{
    return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

static uint8_t
level(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value;
}

/* The factor times each difference of two levels, from -255 on. */
struct products {
    float of[511];
};

static void
multiply(struct products *out, double factor)
{
    for (int i = 0; i < 511; i++)
        out->of[i] = (float)factor * (float)(i - 255);
}

/* Levels move away from this one. */
static void
move_from(struct fine__image *image, int from, double factor)
{
    struct products products;
    uint8_t table[256];

    multiply(&products, factor);
    for (int i = 0; i < 256; i++)
        table[i] = level((float)from + products.of[i - from + 255]);
    for (int64_t i = 0; i < n_levels(image); i++)
        image->pixels[i] = table[image->pixels[i]];
}

void
fine__image_brighten(struct fine__image *image, double factor)
{
    move_from(image, 0, factor);
}

void
fine__image_contrast(struct fine__image *image, double factor)
{
    const int64_t n = image->width * image->height;
    int64_t sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += grey_of(image->pixels + i * CHANNELS);
    move_from(image, (int)((double)sum / (double)n + 0.5), factor);
}

void
fine__image_saturate(struct fine__image *image, double factor)
{
    struct products products;

    multiply(&products, factor);
    for (int64_t i = 0; i < n_levels(image); i += CHANNELS) {
        uint8_t *pixel = image->pixels + i;
        const int grey = grey_of(pixel);

        for (int c = 0; c < CHANNELS; c++)
            pixel[c] = level((float)grey + products.of[pixel[c] - grey + 255]);
    }
}

/* Pillow's HSV, of 8 bits each, with its roundings: hue and saturation are cut, not rounded. */
struct hsv {
    uint8_t hue, saturation, value;
};

static struct hsv
to_hsv(const uint8_t *pixel)
{
    const int r = pixel[0], g = pixel[1], b = pixel[2];
    const int most = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const int least = r < g ? (r < b ? r : b) : (g < b ? g : b);
    const float range = (float)(most - least);
    float from_r, from_g, from_b, hue;

    if (most == least)
        return (struct hsv){ 0, 0, (uint8_t)most };
    from_r = (float)(most - r) / range;
    from_g = (float)(most - g) / range;
    from_b = (float)(most - b) / range;
    if (r == most)
        hue = from_b - from_g;
    else if (g == most)
        hue = (float)(2.0 + (double)from_r - (double)from_b);
    else
        hue = (float)(4.0 + (double)from_g - (double)from_r);
    hue = (float)fmod((double)hue / 6 + 1, 1);
    return (struct hsv){ (uint8_t)((double)hue * 255),
                         (uint8_t)((double)(range / (float)most) * 255), (uint8_t)most };
}

static void
from_hsv(uint8_t *pixel, struct hsv hsv)
{
    const double turn = hsv.hue * 6.0 / 255, value = hsv.value;
    const int sector = (int)turn;
    const float part = (float)(turn - sector), saturation = (float)(hsv.saturation / 255.0);
    const uint8_t v = hsv.value;
    const uint8_t low = (uint8_t)round(value * (1 - (double)saturation));
    const uint8_t falling = (uint8_t)round(value * (1 - (double)(saturation * part)));
    const uint8_t rising = (uint8_t)round(value * (1 - (double)saturation * (1 - (double)part)));
    const uint8_t sectors[6][CHANNELS] = { { v, rising, low }, { falling, v, low },
                                           { low, v, rising }, { low, falling, v },
                                           { rising, low, v }, { v, low, falling } };

    memcpy(pixel, sectors[sector % 6], CHANNELS);
}

void
fine__image_turn_hue(struct fine__image *image, int steps)
{
    for (int64_t i = 0; i < n_levels(image); i += CHANNELS) {
        struct hsv hsv = to_hsv(image->pixels + i);

        hsv.hue = (uint8_t)(hsv.hue + steps);
        from_hsv(image->pixels + i, hsv);
    }
}

static double
factor(double spread, uint64_t key, uint64_t at)
{
    const double low = spread > 1 ? 0 : 1 - spread;

    return low + (1 + spread - low) * fine__rng_uniform(key, at);
}

void
fine__image_jitter(struct fine__image *image, const struct fine__augmentation *how, uint64_t key)
{
    int64_t order[] = { 0, 1, 2, 3 };

    fine__rng_shuffle(fine__rng_u64(key, AT_ORDER), order, 4);
    for (int i = 0; i < 4; i++) {
        const uint64_t at = AT_FACTORS + (uint64_t)order[i];

        if (order[i] == 0 && how->brightness > 0)
            fine__image_brighten(image, factor(how->brightness, key, at));
        else if (order[i] == 1 && how->contrast > 0)
            fine__image_contrast(image, factor(how->contrast, key, at));
        else if (order[i] == 2 && how->saturation > 0)
            fine__image_saturate(image, factor(how->saturation, key, at));
        else if (order[i] == 3 && how->hue > 0)
            fine__image_turn_hue(image,
                                 (int)(how->hue * (2 * fine__rng_uniform(key, at) - 1) * 255));
    }
}
