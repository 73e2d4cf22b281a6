/* Light and colour change as Pillow changes them. */
#include "image/augment.h"
#include "pictures.h"

START_TEST(changes_as_pillow)
{
    static const struct {
        const char *name;
        void (*change)(struct fine__image *image, double factor);
    } kinds[] = { { "brightness", fine__image_brighten },
                  { "contrast", fine__image_contrast },
                  { "saturation", fine__image_saturate } };
    static const int percents[] = { 0, 35, 100, 170 };
    static const int turns[] = { -128, -77, -1, 0, 25, 127 };
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, PICTURES);
    const struct fine__image image = picture_of(set, "jitter/in");
    const size_t n_bytes = (size_t)(image.width * image.height * 3);
    struct fine__image copy;
    char name[64];

    ck_assert_int_eq(fine__image_new(&copy, ctx, image.width, image.height), 0);
    for (int64_t k = 0; k < FINE__COUNT(kinds); k++)
        for (int64_t i = 0; i < FINE__COUNT(percents); i++) {
            memcpy(copy.pixels, image.pixels, n_bytes);
            kinds[k].change(&copy, percents[i] / 100.0);
            (void)snprintf(name, sizeof name, "jitter/%s/%d", kinds[k].name, percents[i]);
            same_picture(&copy, set, name);
        }
    for (int64_t i = 0; i < FINE__COUNT(turns); i++) {
        memcpy(copy.pixels, image.pixels, n_bytes);
        fine__image_turn_hue(&copy, turns[i]);
        (void)snprintf(name, sizeof name, "jitter/hue/%d", turns[i]);
        same_picture(&copy, set, name);
    }
    fine__image_free(ctx, &copy);
    fine_tensors_free(set);
    free_context(ctx);
}
END_TEST

/* Every colour comes back from HSV as bright as it was. */
START_TEST(all_colours)
{
    static uint8_t pixels[256 * 3];
    struct fine__image image = { 256, 1, pixels };
    int n_wrong = 0;

    for (int r = 0; r < 256; r += 5)
        for (int g = 0; g < 256; g += 3) {
            for (int b = 0; b < 256; b++) {
                pixels[b * 3] = (uint8_t)r;
                pixels[b * 3 + 1] = (uint8_t)g;
                pixels[b * 3 + 2] = (uint8_t)b;
            }
            fine__image_turn_hue(&image, 0);
            for (int b = 0; b < 256; b++) {
                const int most = r > g ? (r > b ? r : b) : (g > b ? g : b);
                const uint8_t *p = pixels + b * 3;

                n_wrong += (p[0] > p[1] ? (p[0] > p[2] ? p[0] : p[2])
                                        : (p[1] > p[2] ? p[1] : p[2])) != most;
            }
        }
    ck_assert_int_eq(n_wrong, 0);
}
END_TEST

static int64_t
differences(const struct fine__image *a, const uint8_t *b)
{
    int64_t n = 0;

    for (int64_t i = 0; i < a->width * a->height * 3; i++)
        n += a->pixels[i] != b[i];
    return n;
}

START_TEST(jitter_is_a_function_of_its_key)
{
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, PICTURES);
    const struct fine__image image = picture_of(set, "jitter/in");
    const size_t n_bytes = (size_t)(image.width * image.height * 3);
    struct fine__augmentation how;
    struct fine__image one, other;

    fine__augmentation_init(&how);
    ck_assert_int_eq(fine__image_new(&one, ctx, image.width, image.height), 0);
    ck_assert_int_eq(fine__image_new(&other, ctx, image.width, image.height), 0);
    memcpy(one.pixels, image.pixels, n_bytes);
    fine__image_jitter(&one, &how, 5);
    ck_assert_int_eq(differences(&one, image.pixels), 0);
    how.brightness = how.contrast = how.saturation = 0.4;
    how.hue = 0.1;
    for (uint64_t key = 0; key < 20; key++) {
        memcpy(one.pixels, image.pixels, n_bytes);
        memcpy(other.pixels, image.pixels, n_bytes);
        fine__image_jitter(&one, &how, key);
        fine__image_jitter(&other, &how, key);
        ck_assert_int_eq(differences(&one, other.pixels), 0);
        ck_assert_int_gt(differences(&one, image.pixels), 100);
        memcpy(other.pixels, image.pixels, n_bytes);
        fine__image_jitter(&other, &how, key + 100);
        ck_assert_int_gt(differences(&one, other.pixels), 100);
    }
    fine__image_free(ctx, &one);
    fine__image_free(ctx, &other);
    fine_tensors_free(set);
    free_context(ctx);
}
END_TEST

RUNNER("colour", changes_as_pillow, all_colours, jitter_is_a_function_of_its_key)
