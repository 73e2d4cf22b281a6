/* Resizing is Pillow's to the bit, and a part of it is the same part. */
#include "pictures.h"

static int
filter_of(const char *name, size_t length)
{
    static const char *const names[] = { "nearest", "lanczos", "bilinear",
                                         "bicubic", "box",     "hamming" };

    for (int i = 0; i < (int)FINE__COUNT(names); i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            return i;
    return -1;
}

/* FILE/FILTER/HxW, from FILE/rgb. */
static int
check_resizing(const char *folder)
{
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, folder);
    int n = 0;

    for (int64_t i = 0; i < fine_tensors_count(set); i++) {
        const char *name = fine_tensors_name(set, i);
        const char *label = strchr(name, '/') + 1, *size = strchr(label, '/');
        const int filter = size != NULL ? filter_of(label, (size_t)(size - label)) : -1;
        struct fine__image image, right, resized;
        char source[160];

        if (filter < 0)
            continue;
        file_of(source, name);
        strcat(source, "/rgb");
        image = picture_of(set, source);
        right = picture_of(set, name);
        ck_assert_int_eq(fine__image_resize(&resized, ctx, &image, right.width, right.height,
                                            (enum fine__filter)filter),
                         0);
        same_picture(&resized, set, name);
        fine__image_free(ctx, &resized);
        n++;
    }
    fine_tensors_free(set);
    free_context(ctx);
    return n;
}

START_TEST(resizes_as_pillow)
{
    ck_assert_int_eq(check_resizing(PICTURES), 3 * 6 * 6);
}
END_TEST

START_TEST(resizes_the_golden_pictures)
{
    const int n = check_resizing(GOLDEN_PICTURES);

    if (n > 0)
        ck_assert_int_eq(n, 11 * 8 + 2 * 8);
}
END_TEST

static struct fine__image
noise(fine_context *ctx, int64_t width, int64_t height)
{
    struct fine__image image;
    uint32_t state = 1;

    ck_assert_int_eq(fine__image_new(&image, ctx, width, height), 0);
    for (int64_t i = 0; i < width * height * 3; i++) {
        state = state * 1664525 + 1013904223;
        image.pixels[i] = (uint8_t)(state >> 24);
    }
    return image;
}

START_TEST(a_part_is_the_same_part)
{
    static const struct fine__rectangle parts[] = {
        { 0, 0, 40, 50 }, { 3, 5, 20, 30 }, { 39, 49, 1, 1 }, { -4, -6, 60, 70 },
        { -3, 10, 5, 5 }, { 38, 2, 9, 4 },  { 41, 0, 3, 3 },  { 0, -9, 40, 9 },
    };
    fine_context *ctx = new_context(1);
    const struct fine__image image = noise(ctx, 53, 37);

    for (int filter = 0; filter < 6; filter++) {
        struct fine__image whole, part;
        int64_t n_wrong = 0;

        ck_assert_int_eq(fine__image_resize(&whole, ctx, &image, 40, 50, (enum fine__filter)filter),
                         0);
        for (int64_t i = 0; i < FINE__COUNT(parts); i++) {
            const struct fine__rectangle *r = &parts[i];
            const struct fine__resizing how = {
                (enum fine__filter)filter, { 0, 0, 53, 37 }, 40, 50, *r
            };

            ck_assert_int_eq(fine__image_resize_part(&part, ctx, &image, &how), 0);
            ck_assert_int_eq(part.width, r->width);
            ck_assert_int_eq(part.height, r->height);
            for (int64_t k = 0; k < r->width * r->height * 3; k++) {
                const int64_t x = r->left + k / 3 % r->width, y = r->top + k / 3 / r->width;
                const bool inside = x >= 0 && y >= 0 && x < 40 && y < 50;

                n_wrong += part.pixels[k] != (inside ? whole.pixels[(y * 40 + x) * 3 + k % 3] : 0);
            }
            ck_assert_int_eq(n_wrong, 0);
            fine__image_free(ctx, &part);
        }
        fine__image_free(ctx, &whole);
    }
    fine__image_free(ctx, &(struct fine__image){ image.width, image.height, image.pixels });
    free_context(ctx);
}
END_TEST

/* Resizing a rectangle knows nothing of what lies around it. */
START_TEST(a_rectangle_is_a_picture_of_its_own)
{
    fine_context *ctx = new_context(1);
    struct fine__image image = noise(ctx, 31, 23), cut, one, other;
    const struct fine__rectangle from = { 7, 4, 17, 12 };

    ck_assert_int_eq(fine__image_new(&cut, ctx, from.width, from.height), 0);
    for (int64_t y = 0; y < from.height; y++)
        memcpy(cut.pixels + y * from.width * 3,
               image.pixels + ((y + from.top) * 31 + from.left) * 3, (size_t)from.width * 3);
    for (int filter = 0; filter < 6; filter++)
        for (int size = 0; size < 4; size++) {
            const int64_t width = size & 1 ? 17 : 9, height = size & 2 ? 12 : 20;
            const struct fine__resizing how = {
                (enum fine__filter)filter, from, width, height, { 0, 0, width, height }
            };

            ck_assert_int_eq(fine__image_resize_part(&one, ctx, &image, &how), 0);
            ck_assert_int_eq(fine__image_resize(&other, ctx, &cut, width, height, how.filter), 0);
            ck_assert_mem_eq(one.pixels, other.pixels, (size_t)(width * height * 3));
            fine__image_free(ctx, &one);
            fine__image_free(ctx, &other);
        }
    fine__image_free(ctx, &image);
    fine__image_free(ctx, &cut);
    free_context(ctx);
}
END_TEST

START_TEST(the_extremes)
{
    static const struct {
        int64_t width, height, to_width, to_height;
        int rc;
    } cases[] = {
        { 1, 1, 300, 200, 0 },
        { 1, 1, FINE__IMAGE_MAX_PIXELS, 2, FINE_EFORMAT },
        { 200000, 1, 224, 224, 0 }, /* row by row */
        { 1, 200000, 224, 224, 0 },
        { 1, 2000000, 224, 224, 0 }, /* down first: little lies between the passes */
        { 3, 3, 0, 5, FINE_EFORMAT },
    };
    fine_context *ctx = new_context(1);
    int64_t n_wrong = 0;

    for (int64_t i = 0; i < FINE__COUNT(cases); i++) {
        struct fine__image image = noise(ctx, cases[i].width, cases[i].height), resized = { 0 };
        const int rc = fine__image_resize(&resized, ctx, &image, cases[i].to_width,
                                          cases[i].to_height, FINE__BILINEAR);

        ck_assert_msg(rc == cases[i].rc, "case %lld: %d: %s", (long long)i, rc,
                      fine_error_message());
        if (cases[i].width == 1 && cases[i].height == 1 && rc == 0)
            for (int64_t k = 0; k < resized.width * resized.height * 3; k++)
                n_wrong += resized.pixels[k] != image.pixels[k % 3];
        ck_assert_int_eq(n_wrong, 0);
        fine__image_free(ctx, &resized);
        fine__image_free(ctx, &image);
    }
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    fine_context *plain = new_context(1), *ctx;
    struct fine__image image = noise(plain, 20, 30);
    struct faulty faulty;

    ctx = new_faulty_context(&faulty, 1);
    for (int filter = 0; filter < 6; filter++)
        for (int fail_at = 1;; fail_at++) {
            struct fine__image resized = { 0 };
            int rc;

            ck_assert_int_lt(fail_at, 30);
            faulty = (struct faulty){ .fail_at = fail_at };
            rc = fine__image_resize(&resized, ctx, &image, 11, 12, (enum fine__filter)filter);
            if (faulty.calls < fail_at) {
                ck_assert_int_eq(rc, 0);
                fine__image_free(ctx, &resized);
                break;
            }
            ck_assert_int_eq(rc, FINE_ENOMEM);
            ck_assert_ptr_null(resized.pixels);
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        }
    fine__image_free(plain, &image);
    free_context(plain);
    free_context(ctx);
}
END_TEST

RUNNER("resize", resizes_as_pillow, resizes_the_golden_pictures, a_part_is_the_same_part,
       a_rectangle_is_a_picture_of_its_own, the_extremes, survives_any_failed_allocation)
