/* Crops, shifts, mirrors and erasures are where they may be, as often as they should. */
#include <math.h>

#include "base/rng.h"
#include "image/augment.h"
#include "pictures.h"

enum { DRAWS = 4000 };

START_TEST(crops_have_the_area_and_the_ratio)
{
    struct fine__augmentation how;
    double area = 0, log_ratio = 0, left = 0, top = 0;

    fine__augmentation_init(&how);
    for (uint64_t key = 0; key < DRAWS; key++) {
        const struct fine__rectangle r = fine__image_draw_crop(400, 300, &how, fine__rng_mix(key));
        const double share = (double)(r.width * r.height) / (400.0 * 300);
        const double ratio = (double)r.width / (double)r.height;

        ck_assert(r.left >= 0 && r.top >= 0 && r.width >= 1 && r.height >= 1);
        ck_assert(r.left + r.width <= 400 && r.top + r.height <= 300);
        ck_assert(share > 0.078 && share <= 1);
        ck_assert(ratio > 0.74 && ratio < 1.35);
        area += share / DRAWS;
        log_ratio += log(ratio) / DRAWS;
        left += ((double)r.left + (double)r.width / 2) / 400 / DRAWS;
        top += ((double)r.top + (double)r.height / 2) / 300 / DRAWS;
    }
    /* Large ones are often refused, as they don't fit: torchvision's mean. */
    ck_assert_msg(fabs(area - 0.435) < 0.02, "%g", area);
    ck_assert_msg(fabs(log_ratio) < 0.05, "%g", log_ratio);
    ck_assert_msg(fabs(left - 0.5) < 0.01 && fabs(top - 0.5) < 0.01, "%g %g", left, top);
}
END_TEST

/* Where no drawn rectangle fits, the middle with the nearest ratio. */
START_TEST(crops_of_long_pictures)
{
    static const struct fine__rectangle right[] = { { 4933, 0, 133, 100 },
                                                    { 0, 4933, 100, 133 },
                                                    { 0, 0, 1, 1 } };
    struct fine__augmentation how;

    fine__augmentation_init(&how);
    how.scale[0] = how.scale[1] = 1;
    for (int i = 0; i < 3; i++) {
        const struct fine__rectangle r = fine__image_draw_crop(i == 0   ? 10000
                                                               : i == 1 ? 100
                                                                        : 1,
                                                               i == 0   ? 100
                                                               : i == 1 ? 10000
                                                                        : 1,
                                                               &how, 3);

        ck_assert_int_eq(r.left, right[i].left);
        ck_assert_int_eq(r.top, right[i].top);
        ck_assert_int_eq(r.width, right[i].width);
        ck_assert_int_eq(r.height, right[i].height);
    }
}
END_TEST

/* A picture whose levels tell where they were. */
static struct fine__image
numbered(fine_context *ctx, int64_t width, int64_t height)
{
    struct fine__image image;

    ck_assert_int_eq(fine__image_new(&image, ctx, width, height), 0);
    for (int64_t i = 0; i < width * height; i++) {
        image.pixels[i * 3] = (uint8_t)(1 + i % width);
        image.pixels[i * 3 + 1] = (uint8_t)(1 + i / width);
        image.pixels[i * 3 + 2] = 255;
    }
    return image;
}

START_TEST(shifts_and_mirrors)
{
    fine_context *ctx = new_context(1);
    struct fine__image image = numbered(ctx, 32, 32);
    struct fine__augmentation how;
    struct fine__preparing p;
    int seen[9][9] = { { 0 } }, n_mirrored = 0, n_wrong = 0;

    fine__augmentation_init(&how);
    fine__preparing_plain(&p);
    how.pad = 4;
    how.flip = 0.25;
    for (uint64_t key = 0; key < DRAWS; key++) {
        struct fine__image out;
        const uint8_t *middle;
        int x, y, mirrored;

        ck_assert_int_eq(fine__image_augment(&out, ctx, &image, &p, &how, fine__rng_mix(key)), 0);
        ck_assert_int_eq(out.width, 32);
        ck_assert_int_eq(out.height, 32);
        middle = out.pixels + (16 * 32 + 15) * 3;
        mirrored = middle[0] > middle[3];
        x = mirrored ? middle[3] - 1 - 15 : middle[0] - 1 - 15;
        y = middle[1] - 1 - 16;
        ck_assert(x >= -4 && x <= 4 && y >= -4 && y <= 4);
        for (int64_t i = 0; i < 32 * 32; i++) {
            const int64_t at = i % 32, column = (mirrored ? 31 - at : at) + x, row = i / 32 + y;
            const bool inside = column >= 0 && column < 32 && row >= 0 && row < 32;
            const uint8_t *pixel = out.pixels + i * 3;

            n_wrong += pixel[0] != (inside ? column + 1 : 0) ||
                       pixel[1] != (inside ? row + 1 : 0) || pixel[2] != (inside ? 255 : 0);
        }
        ck_assert_int_eq(n_wrong, 0);
        seen[y + 4][x + 4]++;
        n_mirrored += mirrored;
        fine__image_free(ctx, &out);
    }
    for (int i = 0; i < 81; i++)
        ck_assert_int_gt(seen[i / 9][i % 9], DRAWS / 81 / 3);
    ck_assert_int_gt(n_mirrored, DRAWS / 5);
    ck_assert_int_lt(n_mirrored, DRAWS * 3 / 10);
    fine__image_free(ctx, &image);
    free_context(ctx);
}
END_TEST

START_TEST(nothing_is_the_preparation)
{
    fine_context *ctx = new_context(1);
    struct fine__image image = numbered(ctx, 50, 41), plain, augmented;
    struct fine__augmentation how = { 0 };
    struct fine__preparing p;

    fine__preparing_default(&p, 24);
    ck_assert_int_eq(fine__image_fit(&plain, ctx, &image, &p), 0);
    ck_assert_int_eq(fine__image_augment(&augmented, ctx, &image, &p, &how, 1), 0);
    ck_assert_mem_eq(plain.pixels, augmented.pixels, 24 * 24 * 3);
    fine__image_free(ctx, &augmented);
    /* A crop is cut out and resized to the same size. */
    fine__augmentation_init(&how);
    how.crop = true;
    ck_assert_int_eq(fine__image_augment(&augmented, ctx, &image, &p, &how, 1), 0);
    ck_assert_int_eq(augmented.width, 24);
    ck_assert_int_eq(augmented.height, 24);
    ck_assert_mem_ne(plain.pixels, augmented.pixels, 24 * 24 * 3);
    fine__image_free(ctx, &augmented);
    fine__image_free(ctx, &plain);
    fine__image_free(ctx, &image);
    free_context(ctx);
}
END_TEST

START_TEST(erases_a_rectangle)
{
    enum { WIDTH = 40, HEIGHT = 30, N = WIDTH * HEIGHT };
    static float pixels[N * 3];
    struct fine__augmentation how;
    int n_erased = 0, n_wrong = 0;
    double area = 0;

    fine__augmentation_init(&how);
    how.erase = 0.5;
    for (uint64_t key = 0; key < DRAWS; key++) {
        int64_t n = 0, left = WIDTH, right = -1, top = HEIGHT, bottom = -1;

        for (int64_t i = 0; i < N * 3; i++)
            pixels[i] = 7;
        how.erase_to_noise = key % 2 == 1;
        fine__image_erase(pixels, WIDTH, HEIGHT, &how, fine__rng_mix(key));
        for (int64_t i = 0; i < N; i++) {
            const bool gone = pixels[i * 3] != 7;

            n_wrong += gone != (pixels[i * 3 + 2] != 7);
            if (!gone)
                continue;
            n_wrong += !how.erase_to_noise && pixels[i * 3 + 1] != 0;
            n++;
            left = i % WIDTH < left ? i % WIDTH : left;
            right = i % WIDTH > right ? i % WIDTH : right;
            top = i / WIDTH < top ? i / WIDTH : top;
            bottom = i / WIDTH > bottom ? i / WIDTH : bottom;
        }
        if (n == 0)
            continue;
        ck_assert_int_eq(n, (right - left + 1) * (bottom - top + 1));
        ck_assert((double)n >= N * 0.015 && (double)n <= N * 0.36);
        n_erased++;
        area += (double)n / N;
    }
    ck_assert_int_eq(n_wrong, 0);
    ck_assert_int_gt(n_erased, DRAWS * 45 / 100);
    ck_assert_int_lt(n_erased, DRAWS * 55 / 100);
    ck_assert_msg(fabs(area / n_erased - 0.17) < 0.02, "%g", area / n_erased);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    fine_context *plain = new_context(1), *ctx;
    struct fine__image image = numbered(plain, 50, 41);
    struct fine__augmentation how;
    struct fine__preparing p;
    struct faulty faulty;

    ctx = new_faulty_context(&faulty, 1);
    fine__preparing_default(&p, 24);
    fine__augmentation_init(&how);
    how.pad = 2;
    for (int crop = 0; crop < 2; crop++)
        for (int fail_at = 1;; fail_at++) {
            struct fine__image out = { 0 };
            int rc;

            how.crop = crop == 1;
            ck_assert_int_lt(fail_at, 30);
            faulty = (struct faulty){ .fail_at = fail_at };
            rc = fine__image_augment(&out, ctx, &image, &p, &how, 9);
            if (faulty.calls < fail_at) {
                ck_assert_int_eq(rc, 0);
                fine__image_free(ctx, &out);
                break;
            }
            ck_assert_int_eq(rc, FINE_ENOMEM);
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        }
    fine__image_free(plain, &image);
    free_context(plain);
    free_context(ctx);
}
END_TEST

RUNNER("augment", crops_have_the_area_and_the_ratio, crops_of_long_pictures, shifts_and_mirrors,
       nothing_is_the_preparation, erases_a_rectangle, survives_any_failed_allocation)
