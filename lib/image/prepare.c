/*
 * prepare.c — a picture becomes a model's input: resized, cropped, and its levels made numbers.
 *
 * Only the pixels that the crop keeps are computed, with the same bytes as resizing all of the
 * picture first; so that a picture of one by a million pixels costs no more than another. A
 * level's number depends on the level and the channel alone: a table of 3 x 256 holds it.
 */
#include <math.h>
#include <string.h>

#include "image/image.h"

static const double imagenet_mean[] = { 0.485, 0.456, 0.406 };
static const double imagenet_std[] = { 0.229, 0.224, 0.225 };

void
fine__preparing_plain(struct fine__preparing *out)
{
    *out = (struct fine__preparing){ .fit = FINE__FIT_NONE,
                                     .filter = FINE__BILINEAR,
                                     .centring = FINE__CENTRE_EVEN,
                                     .rescale = true,
                                     .factor = 1.0 / 255,
                                     .normalize = true };
    memcpy(out->mean, imagenet_mean, sizeof imagenet_mean);
    memcpy(out->std, imagenet_std, sizeof imagenet_std);
}

void
fine__preparing_default(struct fine__preparing *out, int64_t size)
{
    fine__preparing_plain(out);
    out->fit = FINE__FIT_SHORTER;
    out->shorter = (int64_t)((double)size / 0.875);
    out->crop_width = out->crop_height = size;
}

static int64_t
in_proportion(int64_t size, int64_t to, int64_t from)
{
    const double scaled = rint((double)size * (double)to / (double)from);

    return scaled < 1 ? 1 : (int64_t)scaled;
}

void
fine__preparing_resize(struct fine__preparing *p, int64_t width, int64_t height)
{
    const int64_t old_width = p->crop_width, old_height = p->crop_height;
    const int64_t shorter = width < height ? width : height;
    const bool has_crop = old_width > 0;

    if (p->fit == FINE__FIT_EXACT || p->fit == FINE__FIT_COVER) {
        p->width = has_crop ? in_proportion(p->width, width, old_width) : width;
        p->height = has_crop ? in_proportion(p->height, height, old_height) : height;
    } else if (p->fit == FINE__FIT_SHORTER) {
        p->shorter = has_crop ? in_proportion(p->shorter, shorter,
                                              old_width < old_height ? old_width : old_height)
                              : shorter;
    }
    if (has_crop || p->fit != FINE__FIT_EXACT) {
        p->crop_width = width;
        p->crop_height = height;
    }
}

bool
fine__preparing_is_fixed(const struct fine__preparing *p)
{
    return p->crop_width > 0 || p->fit == FINE__FIT_EXACT;
}

/* The size of the whole picture, before the crop. */
static void
fitted_size(const struct fine__preparing *p, int64_t width, int64_t height, int64_t *out_width,
            int64_t *out_height)
{
    const int64_t shorter = width < height ? width : height;

    switch (p->fit) {
    case FINE__FIT_EXACT:
        *out_width = p->width;
        *out_height = p->height;
        break;
    case FINE__FIT_SHORTER:
        /* Products of two sizes stay far below 2^63. */
        *out_width = width == shorter ? p->shorter : p->shorter * width / shorter;
        *out_height = height == shorter ? p->shorter : p->shorter * height / shorter;
        break;
    case FINE__FIT_COVER: {
        const double across = (double)width / (double)p->width;
        const double down = (double)height / (double)p->height;
        const double ratio = across < down ? across : down;

        *out_width = (int64_t)rint((double)width / ratio);
        *out_height = (int64_t)rint((double)height / ratio);
        break;
    }
    default:
        *out_width = width;
        *out_height = height;
        break;
    }
}

void
fine__preparing_size(const struct fine__preparing *p, int64_t width, int64_t height,
                     int64_t *out_width, int64_t *out_height)
{
    if (p->crop_width > 0) {
        *out_width = p->crop_width;
        *out_height = p->crop_height;
    } else {
        fitted_size(p, width, height, out_width, out_height);
    }
}

/* Where the crop starts; negative where the picture is smaller, and an edge comes before it. */
static int64_t
crop_start(enum fine__centring centring, int64_t size, int64_t crop)
{
    const int64_t d = size - crop;

    if (centring == FINE__CENTRE_EVEN)
        return d < 0 ? -(-d / 2) : (int64_t)rint((double)d / 2);
    return d < 0 ? -((-d + 1) / 2) : d / 2;
}

int
fine__image_fit(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
                const struct fine__preparing *p)
{
    struct fine__resizing how = { .filter = p->filter,
                                  .from = { 0, 0, image->width, image->height } };

    fitted_size(p, image->width, image->height, &how.width, &how.height);
    how.part = (struct fine__rectangle){ 0, 0, how.width, how.height };
    if (p->crop_width > 0)
        how.part = (struct fine__rectangle){ crop_start(p->centring, how.width, p->crop_width),
                                             crop_start(p->centring, how.height, p->crop_height),
                                             p->crop_width, p->crop_height };
    return fine__image_resize_part(out, ctx, image, &how);
}

/* In the order, and with the precision of each step, that transformers' processors have. */
void
fine__levels_make(struct fine__levels *out, const struct fine__preparing *p)
{
    for (int c = 0; c < FINE__IMAGE_CHANNELS; c++) {
        const float mean = (float)p->mean[c], std = (float)p->std[c];

        for (int i = 0; i < 256; i++) {
            float value = p->rescale ? (float)(i * p->factor) : (float)i;

            if (p->rescale && p->offset)
                value -= 1;
            if (p->normalize)
                value = (value - mean) / std;
            if (p->again)
                value /= std;
            out->of[c][i] = value;
        }
    }
}

void
fine__image_to_floats(float *out, const struct fine__image *image,
                      const struct fine__levels *levels)
{
    const int64_t n = image->width * image->height * FINE__IMAGE_CHANNELS;

    for (int64_t i = 0; i < n; i += FINE__IMAGE_CHANNELS)
        for (int c = 0; c < FINE__IMAGE_CHANNELS; c++)
            out[i + c] = levels->of[c][image->pixels[i + c]];
}
