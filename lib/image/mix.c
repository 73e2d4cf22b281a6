/*
 * mix.c — two pictures in one, and the labels with them.
 *
 * MixUp blends them (Zhang et al. 2018, arXiv 1710.09412), CutMix puts a rectangle of one into
 * the other (Yun et al. 2019, arXiv 1905.04899). Rows are paired at random, and both of a pair
 * are mixed from the two as they were, element by element: no copy of the batch is needed. Each
 * row has a share of its own.
 */
#include <math.h>

#include "base/rng.h"
#include "image/augment.h"

enum { CHANNELS = FINE__IMAGE_CHANNELS, TRIES = 64 };

/* Places in the stream of a row's key. */
enum { AT_MIXED = 0, AT_KIND = 1, AT_CENTRE = 2, AT_FIRST = 16, AT_SECOND = 512 };

/* Gamma(a, 1) by Marsaglia and Tsang (2000, doi 10.1145/358407.358414); of a < 1 from a + 1.
 * They refuse one draw in twenty at most. */
static double
draw_gamma(double a, uint64_t key, uint64_t at)
{
    const double shape = a < 1 ? a + 1 : a;
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    double result = d;

    for (uint64_t i = 0; i < TRIES; i++) {
        /* A normal number is made of the stream's places 2n and 2n + 1. */
        const double x = fine__rng_normal(key, (at + 4 * i) / 2);
        const double u = 1 - fine__rng_uniform(key, at + 4 * i + 2);
        const double v = 1 + c * x;

        if (v <= 0)
            continue;
        result = d * v * v * v;
        if (log(u) < 0.5 * x * x + d - result + d * log(v * v * v))
            break;
    }
    if (a < 1)
        result *= pow(1 - fine__rng_uniform(key, at + 4 * TRIES), 1 / a);
    return result;
}

static double
draw_beta(double a, uint64_t key)
{
    const double x = draw_gamma(a, key, AT_FIRST), y = draw_gamma(a, key, AT_SECOND);

    /* Of a very small concentration both may vanish. */
    return x + y > 0 ? x / (x + y) : fine__rng_uniform(key, AT_CENTRE + 2) < 0.5 ? 0 : 1;
}

static int64_t
within(int64_t x, int64_t n)
{
    return x < 0 ? 0 : x > n ? n : x;
}

/* 1 - share of the area around a random place; what reaches over the edges is lost. */
static void
draw_box(struct fine__mix *mix, int64_t width, int64_t height, uint64_t key)
{
    const double side = sqrt(1 - mix->share);
    const int64_t w = (int64_t)((double)width * side), h = (int64_t)((double)height * side);
    const int64_t x = fine__rng_below(key, AT_CENTRE, width);
    const int64_t y = fine__rng_below(key, AT_CENTRE + 1, height);
    struct fine__rectangle *box = &mix->box;

    box->left = within(x - w / 2, width);
    box->top = within(y - h / 2, height);
    box->width = within(x - w / 2 + w, width) - box->left;
    box->height = within(y - h / 2 + h, height) - box->top;
    mix->share = 1 - (double)(box->width * box->height) / (double)(width * height);
    if (box->width * box->height == 0)
        *box = (struct fine__rectangle){ 0 };
}

static void
draw_row(struct fine__mix *mix, int64_t width, int64_t height, const struct fine__mixing *how,
         uint64_t key)
{
    const bool both = how->mixup > 0 && how->cutmix > 0;
    const bool cuts = both ? fine__rng_uniform(key, AT_KIND) < 0.5 : how->cutmix > 0;
    const double a = cuts ? how->cutmix : how->mixup;

    if (a <= 0 || fine__rng_uniform(key, AT_MIXED) >= how->probability)
        return;
    mix->share = draw_beta(a, key);
    if (cuts)
        draw_box(mix, width, height, key);
}

void
fine__mix_draw(struct fine__mix *rows, int64_t n, int64_t width, int64_t height,
               const struct fine__mixing *how, uint64_t key)
{
    /* Drawn by shuffling; `partner` holds the order until the pairs are known, and box.left the
     * pairs until the order isn't needed. */
    for (int64_t i = 0; i < n; i++)
        rows[i] = (struct fine__mix){ .partner = i, .share = 1 };
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = fine__rng_below(key, (uint64_t)i, i + 1), kept = rows[i].partner;

        rows[i].partner = rows[j].partner;
        rows[j].partner = kept;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t beside = i % 2 == 0 ? (i + 1 < n ? i + 1 : i) : i - 1;

        rows[rows[i].partner].box.left = rows[beside].partner;
    }
    for (int64_t i = 0; i < n; i++) {
        rows[i].partner = rows[i].box.left;
        rows[i].box.left = 0;
        if (rows[i].partner != i)
            draw_row(&rows[i], width, height, how, fine__rng_u64(key, (uint64_t)(n + i)));
    }
}

/* How much of a row of pixels is its own, from x on until *end. */
static float
own_share(const struct fine__mix *mix, int64_t x, int64_t y, int64_t width, int64_t *end)
{
    const struct fine__rectangle *box = &mix->box;
    const int64_t right = box->left + box->width;

    *end = width;
    if (box->width == 0)
        return (float)mix->share;
    if (y < box->top || y >= box->top + box->height || x >= right)
        return 1;
    *end = x < box->left ? box->left : right;
    return x < box->left ? 1 : 0;
}

static void
mix_rows(float *first, float *second, const struct fine__mix *a, const struct fine__mix *b,
         int64_t y, int64_t width)
{
    for (int64_t x = 0, end; x < width; x = end) {
        int64_t other_end;
        const float of_first = own_share(a, x, y, width, &end);
        const float of_second = own_share(b, x, y, width, &other_end);

        end = end < other_end ? end : other_end;
        for (int64_t i = x * CHANNELS; i < end * CHANNELS; i++) {
            const float p = first[i], q = second[i];

            first[i] = of_first * p + (1 - of_first) * q;
            second[i] = of_second * q + (1 - of_second) * p;
        }
    }
}

void
fine__mix_pixels(float *pixels, const struct fine__mix *rows, int64_t n, int64_t width,
                 int64_t height)
{
    const int64_t stride = width * CHANNELS;

    for (int64_t i = 0; i < n; i++) {
        const int64_t j = rows[i].partner;

        for (int64_t y = 0; i < j && y < height; y++)
            mix_rows(pixels + (i * height + y) * stride, pixels + (j * height + y) * stride,
                     &rows[i], &rows[j], y, width);
    }
}

void
fine__mix_targets(float *targets, const struct fine__mix *rows, const int32_t *labels, int64_t n,
                  int64_t n_classes, double smoothing)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t own = labels[i], other = labels[rows[i].partner];
        const bool counts = own >= 0 && own < n_classes && other >= 0 && other < n_classes;
        float *row = targets + i * n_classes;

        for (int64_t k = 0; k < n_classes; k++)
            row[k] = counts ? (float)(smoothing / (double)n_classes) : 0;
        if (!counts)
            continue;
        row[own] += (float)((1 - smoothing) * rows[i].share);
        row[other] += (float)((1 - smoothing) * (1 - rows[i].share));
    }
}
