/*
 * resize.c — Pillow's resizing, to the bit.
 *
 * Two passes, one across and one down; each rounds to eight bits. An output pixel is a weighted mean of the
 * input pixels under the filter, which is stretched when the picture becomes smaller, so that
 * none is skipped. Weights are computed in double and rounded to 22 bits behind the point; sums
 * are 32-bit integers. All of that is a part of the result: Pillow's libImaging/Resample.c is the
 * reference, and tests hold this file to what it gives. Across, 16 rows are laid side by side
 * first, so that both passes are the same loop over neighbouring numbers.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "image/image.h"

enum {
    CHANNELS = FINE__IMAGE_CHANNELS,
    FRACTION_BITS = 22,
    ROWS = 16,
    LANES = ROWS * CHANNELS,
    WIDEST_BLOCK = 1 << 16 /* wider rows go one by one: a block of them is 3 MB */
};

/* ---- weights ---- */

static double
box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double
triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double
sinc(double x)
{
    x *= 3.14159265358979323846;
    return x == 0 ? 1 : sin(x) / x;
}

static double
hamming(double x)
{
    x = fabs(x);
    if (x == 0)
        return 1;
    if (x >= 1)
        return 0;
    return sinc(x) * ((double)0.54f + (double)0.46f * cos(x * 3.14159265358979323846));
}

/* Keys' cubic with a = -1/2 (Keys 1981, doi 10.1109/TASSP.1981.1163711). */
static double
cubic(double x)
{
    static const double a = -0.5;

    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double
lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
    double (*of)(double x);
    double support;
} filters[] = {
    [FINE__BOX] = { box, 0.5 },       [FINE__BILINEAR] = { triangle, 1 },
    [FINE__HAMMING] = { hamming, 1 }, [FINE__BICUBIC] = { cubic, 2 },
    [FINE__LANCZOS] = { lanczos, 3 },
};

/* What output pixel i is made of: weights[i * n_most + …] times inputs[first …]. */
struct tap {
    int64_t first, n;
};
struct taps {
    struct tap *of;
    int32_t *weights;
    int64_t n_most;
    int64_t start, end; /* the inputs that any of them needs */
};

static void
weigh(struct taps *taps, double *exact, int64_t i, int64_t at, int64_t n_in, int64_t n_out,
      enum fine__filter filter)
{
    /* Pillow takes the picture's size in single precision. */
    const double scale = (double)(float)n_in / (double)n_out;
    const double stretch = scale < 1 ? 1 : scale;
    const double support = filters[filter].support * stretch;
    const double shrink = 1 / stretch;
    const double centre = ((double)at + 0.5) * scale;
    const double low = centre - support + 0.5, high = centre + support + 0.5;
    const int64_t first = low < 0 ? 0 : (int64_t)low;
    const int64_t end = high > (double)n_in ? n_in : (int64_t)high;
    int32_t *weights = taps->weights + i * taps->n_most;
    double sum = 0;
    int64_t n = end > first ? end - first : 0;

    if (n > taps->n_most)
        n = taps->n_most;
    for (int64_t k = 0; k < n; k++) {
        exact[k] = filters[filter].of(((double)(k + first) - centre + 0.5) * shrink);
        sum += exact[k];
    }
    for (int64_t k = 0; k < n; k++) {
        const double w = (sum != 0 ? exact[k] / sum : exact[k]) * (1 << FRACTION_BITS);

        weights[k] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    taps->of[i] = (struct tap){ first, n };
    if (i == 0 || first < taps->start)
        taps->start = first;
    if (end > taps->end)
        taps->end = end;
}

/* For the outputs [from, from + count) of n_out. */
static int
make_taps(struct taps *taps, fine_context *ctx, int64_t n_in, int64_t n_out, int64_t from,
          int64_t count, enum fine__filter filter)
{
    const double scale = (double)(float)n_in / (double)n_out;
    double *exact;

    taps->n_most = (int64_t)ceil(filters[filter].support * (scale < 1 ? 1 : scale)) * 2 + 1;
    taps->start = taps->end = 0;
    taps->of = fine__alloc(ctx, (size_t)count * sizeof *taps->of);
    taps->weights = fine__alloc(ctx, (size_t)(count * taps->n_most) * sizeof *taps->weights);
    exact = fine__alloc(ctx, (size_t)taps->n_most * sizeof *exact);
    if (taps->of == NULL || taps->weights == NULL || exact == NULL) {
        fine__free(ctx, exact);
        return FINE_ENOMEM;
    }
    for (int64_t i = 0; i < count; i++)
        weigh(taps, exact, i, from + i, n_in, n_out, filter);
    fine__free(ctx, exact);
    return FINE_OK;
}

static void
free_taps(struct taps *taps, fine_context *ctx)
{
    fine__free(ctx, taps->of);
    fine__free(ctx, taps->weights);
}

/* ---- passes ---- */

/* Rows of a picture, or of a part of one. */
struct view {
    uint8_t *pixels;
    int64_t stride; /* bytes from row to row */
};

FINE__INLINE uint8_t
level(uint32_t sum)
{
    const int32_t value = (int32_t)sum >> FRACTION_BITS;

    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* out[i] = the sum over n rows of n_lanes bytes, `stride` apart, each times its weight. Sums wrap
 * as Pillow's do, where millions of pixels become one. */
FINE__INLINE void
blend(uint8_t *FINE__RESTRICT out, const uint8_t *FINE__RESTRICT rows, int64_t stride,
      const int32_t *FINE__RESTRICT weights, int64_t n, int n_lanes)
{
    uint32_t sums[LANES];

    for (int i = 0; i < n_lanes; i++)
        sums[i] = (uint32_t)1 << (FRACTION_BITS - 1);
    for (int64_t k = 0; k < n; k++)
        for (int i = 0; i < n_lanes; i++)
            sums[i] += rows[k * stride + i] * (uint32_t)weights[k];
    for (int i = 0; i < n_lanes; i++)
        out[i] = level(sums[i]);
}

FINE__CLONES static void
blend_block(uint8_t *FINE__RESTRICT out, const uint8_t *FINE__RESTRICT rows, const struct tap *taps,
            const int32_t *weights, int64_t n_most, int64_t start, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        blend(out + i * LANES, rows + (taps[i].first - start) * LANES, LANES, weights + i * n_most,
              taps[i].n, LANES);
}

FINE__CLONES static void
blend_rows(uint8_t *FINE__RESTRICT out, const uint8_t *FINE__RESTRICT rows, int64_t stride,
           const int32_t *weights, int64_t n, int64_t n_bytes)
{
    int64_t i = 0;

    for (; i + LANES <= n_bytes; i += LANES)
        blend(out + i, rows + i, stride, weights, n, LANES);
    if (i < n_bytes)
        blend(out + i, rows + i, stride, weights, n, (int)(n_bytes - i));
}

/* Pixels of ROWS rows lie side by side in a block: block[x * LANES + row * CHANNELS + channel]. */
static void
gather(uint8_t *block, const struct view *from, int64_t n_rows, int64_t width)
{
    for (int64_t y = 0; y < n_rows; y++) {
        const uint8_t *row = from->pixels + y * from->stride;
        uint8_t *to = block + y * CHANNELS;

        for (int64_t x = 0; x < width; x++, row += CHANNELS, to += LANES) {
            to[0] = row[0];
            to[1] = row[1];
            to[2] = row[2];
        }
    }
}

static void
scatter(const struct view *to, const uint8_t *block, int64_t n_rows, int64_t width)
{
    for (int64_t y = 0; y < n_rows; y++) {
        const uint8_t *from = block + y * CHANNELS;
        uint8_t *row = to->pixels + y * to->stride;

        for (int64_t x = 0; x < width; x++, row += CHANNELS, from += LANES) {
            row[0] = from[0];
            row[1] = from[1];
            row[2] = from[2];
        }
    }
}

static void
go_across_plainly(const struct view *to, const struct view *from, int64_t n_rows,
                  const struct taps *taps, int64_t width)
{
    for (int64_t y = 0; y < n_rows; y++)
        for (int64_t x = 0; x < width; x++)
            blend(to->pixels + y * to->stride + x * CHANNELS,
                  from->pixels + y * from->stride + (taps->of[x].first - taps->start) * CHANNELS,
                  CHANNELS, taps->weights + x * taps->n_most, taps->of[x].n, CHANNELS);
}

/* from: the first column that is needed. */
static int
go_across(const struct view *to, const struct view *from, fine_context *ctx, int64_t n_rows,
          const struct taps *taps, int64_t width)
{
    const int64_t n_needed = taps->end - taps->start;
    uint8_t *block, *result;

    if (n_needed + width > WIDEST_BLOCK) {
        go_across_plainly(to, from, n_rows, taps, width);
        return FINE_OK;
    }
    /* Zeroed, since the last block may have fewer rows. */
    block = fine__alloc_array(ctx, (size_t)(n_needed + width), LANES);
    if (block == NULL)
        return FINE_ENOMEM;
    result = block + n_needed * LANES;
    for (int64_t y = 0; y < n_rows; y += ROWS) {
        const int64_t n = n_rows - y < ROWS ? n_rows - y : ROWS;
        const struct view source = { from->pixels + y * from->stride, from->stride };
        const struct view target = { to->pixels + y * to->stride, to->stride };

        gather(block, &source, n, n_needed);
        blend_block(result, block, taps->of, taps->weights, taps->n_most, taps->start, width);
        scatter(&target, result, n, width);
    }
    fine__free(ctx, block);
    return FINE_OK;
}

static void
copy_rows(const struct view *to, const struct view *from, int64_t width, int64_t height)
{
    for (int64_t y = 0; y < height; y++)
        memcpy(to->pixels + y * to->stride, from->pixels + y * from->stride,
               (size_t)(width * CHANNELS));
}

/* Pillow steps from centre to centre, and keeps what rounding adds up to. */
static int
go_nearest(const struct view *to, const struct view *from, fine_context *ctx,
           const struct fine__resizing *how, const struct fine__rectangle *part)
{
    const double across = (double)how->from.width / (double)how->width;
    const double down = (double)how->from.height / (double)how->height;
    int64_t *columns = fine__alloc(ctx, (size_t)part->width * sizeof *columns);
    double at = across * 0.5;

    if (columns == NULL)
        return FINE_ENOMEM;
    for (int64_t x = 0; x < part->left + part->width; x++, at += across)
        if (x >= part->left)
            columns[x - part->left] =
                at < (double)how->from.width ? (int64_t)at : how->from.width - 1;
    at = down * 0.5;
    for (int64_t y = 0; y < part->top + part->height; y++, at += down) {
        const int64_t row = at < (double)how->from.height ? (int64_t)at : how->from.height - 1;

        for (int64_t x = 0; y >= part->top && x < part->width; x++)
            memcpy(to->pixels + (y - part->top) * to->stride + x * CHANNELS,
                   from->pixels + row * from->stride + columns[x] * CHANNELS, CHANNELS);
    }
    fine__free(ctx, columns);
    return FINE_OK;
}

static void
go_down(const struct view *to, const struct view *from, const struct taps *taps, int64_t height,
        int64_t width)
{
    for (int64_t y = 0; y < height; y++)
        blend_rows(to->pixels + y * to->stride,
                   from->pixels + (taps->of[y].first - taps->start) * from->stride, from->stride,
                   taps->weights + y * taps->n_most, taps->of[y].n, width * CHANNELS);
}

static int
new_between(struct fine__image *out, fine_context *ctx, int64_t width, int64_t height,
            const struct fine__resizing *how)
{
    if (height > FINE__IMAGE_MAX_PIXELS / width)
        return fine__fail(FINE_EFORMAT,
                          "a picture of %lld x %lld pixels is too large to be made %lld x %lld",
                          (long long)how->from.width, (long long)how->from.height,
                          (long long)how->width, (long long)how->height);
    return fine__image_new(out, ctx, width, height);
}

/* Since version 13 Pillow goes down first where the height loses more than twice as many pixels
 * as the width; what is rounded in between differs. */
static bool
goes_down_first(const struct fine__resizing *how)
{
    const int64_t less_height = how->from.height - how->height;

    return less_height > 0 && less_height > (how->from.width - how->width) * 2;
}

/* from: the first row and the first column that are needed. */
static int
go_both(const struct view *to, const struct view *from, fine_context *ctx,
        const struct fine__resizing *how, const struct fine__rectangle *part,
        const struct taps *across, const struct taps *down)
{
    const int64_t n_rows = down->end - down->start, n_columns = across->end - across->start;
    struct fine__image between;
    struct view middle;
    int rc;

    if (goes_down_first(how)) {
        FINE__TRY(new_between(&between, ctx, n_columns, part->height, how));
        middle = (struct view){ between.pixels, n_columns * CHANNELS };
        go_down(&middle, from, down, part->height, n_columns);
        rc = go_across(to, &middle, ctx, part->height, across, part->width);
    } else {
        FINE__TRY(new_between(&between, ctx, part->width, n_rows, how));
        middle = (struct view){ between.pixels, part->width * CHANNELS };
        rc = go_across(&middle, from, ctx, n_rows, across, part->width);
        if (rc == FINE_OK)
            go_down(to, &middle, down, part->height, part->width);
    }
    fine__image_free(ctx, &between);
    return rc;
}

static struct view
moved(const struct view *from, int64_t x, int64_t y)
{
    return (struct view){ from->pixels + y * from->stride + x * CHANNELS, from->stride };
}

/* part lies within the resized picture. */
static int
resize(const struct view *to, const struct view *from, fine_context *ctx,
       const struct fine__resizing *how, const struct fine__rectangle *part)
{
    struct taps across = { 0 }, down = { 0 };
    struct view source;
    int rc = FINE_OK;

    if (how->width == how->from.width && how->height == how->from.height) {
        source = moved(from, part->left, part->top);
        copy_rows(to, &source, part->width, part->height);
        return FINE_OK;
    }
    if (how->filter == FINE__NEAREST)
        return go_nearest(to, from, ctx, how, part);
    if (how->width != how->from.width)
        rc = make_taps(&across, ctx, how->from.width, how->width, part->left, part->width,
                       how->filter);
    if (rc == FINE_OK && how->height != how->from.height)
        rc = make_taps(&down, ctx, how->from.height, how->height, part->top, part->height,
                       how->filter);
    if (rc == FINE_OK) {
        source = moved(from, across.of != NULL ? across.start : part->left,
                       down.of != NULL ? down.start : part->top);
        if (down.of == NULL)
            rc = go_across(to, &source, ctx, part->height, &across, part->width);
        else if (across.of == NULL)
            go_down(to, &source, &down, part->height, part->width);
        else
            rc = go_both(to, &source, ctx, how, part, &across, &down);
    }
    free_taps(&across, ctx);
    free_taps(&down, ctx);
    return rc;
}

static int64_t
at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int
fine__image_resize_part(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
                        const struct fine__resizing *how)
{
    const struct fine__rectangle *part = &how->part;
    const int64_t left = part->left > 0 ? part->left : 0, top = part->top > 0 ? part->top : 0;
    const struct fine__rectangle inside = { left, top,
                                            at_most(part->left + part->width, how->width) - left,
                                            at_most(part->top + part->height, how->height) - top };
    const int64_t stride = image->width * CHANNELS;
    const struct view from = { image->pixels + how->from.top * stride + how->from.left * CHANNELS,
                               stride };
    struct fine__image result;
    struct view to;
    int rc = FINE_OK;

    if (how->width < 1 || how->height < 1 || how->width > FINE__IMAGE_MAX_PIXELS ||
        how->height > FINE__IMAGE_MAX_PIXELS || part->width < 1 || part->height < 1 ||
        part->height > FINE__IMAGE_MAX_PIXELS / part->width)
        return fine__fail(FINE_EFORMAT,
                          "a picture of %lld x %lld pixels cannot be made %lld x %lld: its sides "
                          "are too unlike; cut it to its subject",
                          (long long)how->from.width, (long long)how->from.height,
                          (long long)how->width, (long long)how->height);
    FINE__TRY(fine__image_new(&result, ctx, part->width, part->height));
    to.stride = result.width * CHANNELS;
    to.pixels = result.pixels;
    if (inside.width < part->width || inside.height < part->height)
        memset(result.pixels, 0, (size_t)(result.height * to.stride));
    if (inside.width > 0 && inside.height > 0) {
        to.pixels += (top - part->top) * to.stride + (left - part->left) * CHANNELS;
        rc = resize(&to, &from, ctx, how, &inside);
    }
    if (rc < 0)
        fine__image_free(ctx, &result);
    else
        *out = result;
    return rc;
}

int
fine__image_resize(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
                   int64_t width, int64_t height, enum fine__filter filter)
{
    const struct fine__resizing how = {
        filter, { 0, 0, image->width, image->height }, width, height, { 0, 0, width, height }
    };

    return fine__image_resize_part(out, ctx, image, &how);
}
