/* Pairs, shares and boxes; what becomes of pixels and labels. */
#include <math.h>

#include "base/rng.h"
#include "image/augment.h"
#include "runner.h"

enum { ROWS = 33, WIDTH = 10, HEIGHT = 8, PIXELS = WIDTH * HEIGHT, DRAWS = 300 };

START_TEST(rows_are_paired)
{
    const struct fine__mixing how = { 0.2, 1.0, 1 };
    struct fine__mix rows[ROWS];
    int n_alone = 0, n_cut = 0, pairs[ROWS] = { 0 };

    for (uint64_t key = 0; key < DRAWS; key++) {
        fine__mix_draw(rows, ROWS, WIDTH, HEIGHT, &how, fine__rng_mix(key));
        for (int64_t i = 0; i < ROWS; i++) {
            const struct fine__mix *r = &rows[i];

            ck_assert(r->partner >= 0 && r->partner < ROWS);
            ck_assert_int_eq(rows[r->partner].partner, i);
            ck_assert(r->share >= 0 && r->share <= 1);
            ck_assert(r->partner != i || (r->share == 1 && r->box.width == 0));
            ck_assert(r->box.left >= 0 && r->box.left + r->box.width <= WIDTH);
            ck_assert(r->box.top >= 0 && r->box.top + r->box.height <= HEIGHT);
            if (r->box.width > 0)
                ck_assert(fabs(r->share - 1 + (double)(r->box.width * r->box.height) / PIXELS) <
                          1e-12);
            n_alone += r->partner == i;
            n_cut += r->box.width > 0;
        }
        pairs[rows[0].partner]++;
    }
    /* An odd row is left over. */
    ck_assert_int_eq(n_alone, DRAWS);
    ck_assert_int_gt(n_cut, DRAWS * ROWS / 3);
    ck_assert_int_lt(n_cut, DRAWS * ROWS / 2);
    for (int i = 0; i < ROWS; i++)
        ck_assert_int_lt(pairs[i], DRAWS / 10);
}
END_TEST

/* Beta(a, a) has mean 1/2 and variance 1 / (8 a + 4). */
START_TEST(shares_are_beta)
{
    static const double concentrations[] = { 0.05, 0.2, 0.4, 1, 3, 20 };

    for (int64_t c = 0; c < FINE__COUNT(concentrations); c++) {
        const struct fine__mixing how = { concentrations[c], 0, 1 };
        struct fine__mix rows[ROWS];
        double sum = 0, squares = 0, variance;
        int n = 0;

        for (uint64_t key = 0; key < DRAWS; key++) {
            fine__mix_draw(rows, ROWS, WIDTH, HEIGHT, &how, fine__rng_mix(key));
            for (int64_t i = 0; i < ROWS; i++) {
                if (rows[i].partner == i)
                    continue;
                sum += rows[i].share;
                squares += rows[i].share * rows[i].share;
                n++;
            }
        }
        variance = squares / n - sum / n * (sum / n);
        ck_assert_msg(fabs(sum / n - 0.5) < 0.02, "%g: %g", concentrations[c], sum / n);
        ck_assert_msg(fabs(variance * (8 * concentrations[c] + 4) - 1) < 0.05, "%g: %g",
                      concentrations[c], variance * (8 * concentrations[c] + 4));
    }
}
END_TEST

START_TEST(pixels_and_labels_agree)
{
    static const struct fine__mixing ways[] = {
        { 1, 0, 1 }, { 0, 1, 1 }, { 1, 1, 0.5 }, { 0, 0, 1 }, { 1, 1, 0 }
    };
    static float pixels[ROWS * PIXELS * 3], targets[ROWS * ROWS];
    int32_t labels[ROWS];
    struct fine__mix rows[ROWS];

    for (int32_t i = 0; i < ROWS; i++)
        labels[i] = ROWS - 1 - i;
    for (int64_t w = 0; w < FINE__COUNT(ways); w++) {
        int n_mixed = 0;

        for (int64_t i = 0; i < ROWS * PIXELS * 3; i++)
            pixels[i] = (float)(i / (PIXELS * 3));
        fine__mix_draw(rows, ROWS, WIDTH, HEIGHT, &ways[w], 4711);
        fine__mix_pixels(pixels, rows, ROWS, WIDTH, HEIGHT);
        fine__mix_targets(targets, rows, labels, ROWS, ROWS, 0);
        for (int64_t i = 0; i < ROWS; i++) {
            const int64_t j = rows[i].partner;
            double mean = 0, sum = 0, expected = 0;

            for (int64_t k = 0; k < PIXELS * 3; k++)
                mean += pixels[i * PIXELS * 3 + k] / (PIXELS * 3.0);
            for (int64_t k = 0; k < ROWS; k++) {
                sum += targets[i * ROWS + k];
                expected += targets[i * ROWS + k] * (double)(ROWS - 1 - k);
            }
            ck_assert_msg(fabs(sum - 1) < 1e-6, "%g", sum);
            /* A picture is its row's number, so the target's mean number is the pixels' mean. */
            ck_assert_msg(fabs(mean - expected) < 1e-4, "%g, %g", mean, expected);
            ck_assert(fabs(mean - rows[i].share * (double)i - (1 - rows[i].share) * (double)j) <
                      1e-4);
            n_mixed += rows[i].share != 1;
            for (int64_t k = 0; rows[i].box.width > 0 && k < PIXELS; k++) {
                const struct fine__rectangle *b = &rows[i].box;
                const int64_t x = k % WIDTH - b->left, y = k / WIDTH - b->top;
                const bool in = x >= 0 && x < b->width && y >= 0 && y < b->height;

                ck_assert(pixels[(i * PIXELS + k) * 3] == (float)(in ? j : i));
            }
        }
        if (w < 2)
            ck_assert_int_ge(n_mixed, ROWS - 4);
        else if (w == 2)
            ck_assert(n_mixed > ROWS / 5 && n_mixed < ROWS * 4 / 5);
        else
            ck_assert_int_eq(n_mixed, 0);
    }
}
END_TEST

START_TEST(targets)
{
    const struct fine__mix rows[] = { { .partner = 1, .share = 0.75 },
                                      { .partner = 0, .share = 0.25 },
                                      { .partner = 2, .share = 1 },
                                      { .partner = 3, .share = 1 } };
    const int32_t labels[] = { 2, 0, 1, -1 };
    /* Smoothing of 0.3: 0.1 for each class, and 0.7 for the labels. */
    const float right[] = { 0.275f, 0.1f, 0.625f, 0.275f, 0.1f, 0.625f, 0.1f, 0.8f, 0.1f, 0, 0, 0 };
    float got[12];

    fine__mix_targets(got, rows, labels, 4, 3, 0.3);
    for (int i = 0; i < 12; i++)
        ck_assert_msg(fabsf(got[i] - right[i]) < 1e-6f, "%d: %g", i, (double)got[i]);
}
END_TEST

RUNNER("mix", rows_are_paired, shares_are_beta, pixels_and_labels_agree, targets)
