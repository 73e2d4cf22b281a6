/* Preparation is that of transformers' processors, timm's and torchvision's. */
#include <math.h>

#include "base/json.h"
#include "pictures.h"

static void
close_to(const char *name, const float *got, const float *right, int64_t n, double limit)
{
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - (double)right[i]) <= limit, "%s: number %lld: %g off",
                      name, (long long)i, fabs((double)got[i] - (double)right[i]));
}

START_TEST(prepares_as_transformers)
{
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, PICTURES);
    struct fine__json *all;

    ck_assert_int_eq(fine__json_read(&all, ctx, PICTURES "processors.json", 1 << 20), 0);
    ck_assert_int_eq(fine__json_count(all), 8);
    for (int64_t i = 0; i < fine__json_count(all); i++) {
        struct fine__preparing p;
        struct fine__levels levels;
        struct fine__image image, fitted;
        int64_t width, height, prepared_width, prepared_height;
        const float *right;
        char name[64];
        float *got;

        ck_assert_msg(fine__preparing_read(&p, fine__json_at(all, i), "p") == 0, "%s",
                      fine_error_message());
        (void)snprintf(name, sizeof name, "processor/%lld/in", (long long)i);
        image = picture_of(set, name);
        (void)snprintf(name, sizeof name, "processor/%lld/out", (long long)i);
        right = find_pixels(set, name, &width, &height);
        fine__preparing_size(&p, image.width, image.height, &prepared_width, &prepared_height);
        ck_assert_msg(prepared_width == width && prepared_height == height, "%s", name);
        ck_assert_int_eq(fine__image_fit(&fitted, ctx, &image, &p), 0);
        ck_assert_msg(fitted.width == width && fitted.height == height, "%s", name);
        got = malloc((size_t)(width * height * 3) * sizeof *got);
        fine__levels_make(&levels, &p);
        fine__image_to_floats(got, &fitted, &levels);
        close_to(name, got, right, width * height * 3, 0);
        free(got);
        fine__image_free(ctx, &fitted);
    }
    fine__json_free(all);
    fine_tensors_free(set);
    free_context(ctx);
}
END_TEST

/* Shorter side 32, the middle 24 x 24, ImageNet's mean and deviation; channels first there. */
START_TEST(the_golden_pipeline)
{
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, GOLDEN_PICTURES);
    struct fine__preparing p;
    struct fine__levels levels;
    int n = 0;

    fine__preparing_default(&p, 24);
    p.shorter = 32;
    fine__levels_make(&levels, &p);
    for (int64_t i = 0; i < fine_tensors_count(set); i++) {
        const char *name = fine_tensors_name(set, i);
        struct fine__image image, fitted;
        float got[24 * 24 * 3], turned[3 * 24 * 24];
        int64_t width, height;
        char other[160];

        if (strstr(name, "/pipeline/u8") == NULL)
            continue;
        file_of(other, name);
        strcat(other, "/rgb");
        image = picture_of(set, other);
        ck_assert_int_eq(fine__image_fit(&fitted, ctx, &image, &p), 0);
        same_picture(&fitted, set, name);
        fine__image_to_floats(got, &fitted, &levels);
        for (int64_t k = 0; k < FINE__COUNT(got); k++)
            turned[k % 3 * 24 * 24 + k / 3] = got[k];
        file_of(other, name);
        strcat(other, "/pipeline/f32");
        close_to(other, turned, find_pixels(set, other, &width, &height), FINE__COUNT(got), 1e-6);
        fine__image_free(ctx, &fitted);
        n++;
    }
    if (set != NULL)
        ck_assert_int_eq(n, 10);
    fine_tensors_free(set);
    free_context(ctx);
}
END_TEST

static int
read_from(struct fine__preparing *p, fine_context *ctx, const char *text)
{
    struct fine__json *json;
    int rc;

    ck_assert_msg(fine__json_parse(&json, ctx, text, strlen(text), "p") == 0, "%s",
                  fine_error_message());
    rc = fine__preparing_read(p, json, "p");
    fine__json_free(json);
    return rc;
}

START_TEST(reads_what_is_there)
{
    fine_context *ctx = new_context(1);
    struct fine__preparing p;

    /* As microsoft/resnet-50 has it. */
    ck_assert_int_eq(
        read_from(&p, ctx,
                  "{\"crop_pct\": 0.875, \"do_normalize\": true,"
                  "\"do_resize\": true, \"feature_extractor_type\":"
                  "\"ConvNextFeatureExtractor\", \"image_mean\": [0.485, 0.456, 0.406],"
                  "\"image_std\": [0.229, 0.224, 0.225], \"resample\": 3,"
                  "\"size\": 224}"),
        0);
    ck_assert_int_eq(p.fit, FINE__FIT_SHORTER);
    ck_assert_int_eq(p.shorter, 256);
    ck_assert_int_eq(p.crop_width, 224);
    ck_assert_int_eq(p.crop_height, 224);
    ck_assert_int_eq(p.filter, FINE__BICUBIC);
    ck_assert(p.mean[2] == 0.406 && p.std[0] == 0.229);
    ck_assert(fine__preparing_is_fixed(&p));
    /* A crop to the size that it has already. */
    ck_assert_int_eq(read_from(&p, ctx,
                               "{\"image_processor_type\": \"ConvNextImageProcessor\","
                               "\"size\": {\"shortest_edge\": 112}, \"do_center_crop\": true,"
                               "\"crop_size\": 112}"),
                     0);
    ck_assert_int_eq(p.shorter, 128);
    ck_assert_int_eq(p.crop_width, 112);
    /* Silent but for its class. */
    ck_assert_int_eq(read_from(&p, ctx, "{\"image_processor_type\": \"ConvNextImageProcessor\"}"),
                     0);
    ck_assert_int_eq(p.fit, FINE__FIT_EXACT);
    ck_assert_int_eq(p.width, 384);
    ck_assert_int_eq(p.crop_width, 0);
    ck_assert(p.mean[0] == 0.5);
    ck_assert_int_eq(
        read_from(&p, ctx, "{\"image_processor_type\": \"EfficientNetImageProcessorFast\"}"), 0);
    ck_assert_int_eq(p.width, 346);
    ck_assert(p.again && !p.offset);
    ck_assert_int_eq(read_from(&p, ctx, "{\"size\": [30, 40]}"), 0);
    ck_assert_int_eq(p.height, 30);
    ck_assert_int_eq(p.width, 40);
    ck_assert_int_eq(p.filter, FINE__BILINEAR);
    ck_assert_int_eq(read_from(&p, ctx, "{\"do_resize\": false, \"image_mean\": 0.25}"), 0);
    ck_assert_int_eq(p.fit, FINE__FIT_NONE);
    ck_assert(p.mean[1] == 0.25);
    ck_assert(!fine__preparing_is_fixed(&p));
    /* timm's, within a configuration and alone. */
    ck_assert_int_eq(read_from(&p, ctx,
                               "{\"architecture\": \"resnet18\", \"pretrained_cfg\": {"
                               "\"input_size\": [3, 224, 224], \"interpolation\": \"bilinear\","
                               "\"crop_pct\": 0.95, \"mean\": [0.1, 0.2, 0.3]}}"),
                     0);
    ck_assert_int_eq(p.shorter, 235);
    ck_assert_int_eq(p.fit, FINE__FIT_SHORTER);
    ck_assert_int_eq(p.centring, FINE__CENTRE_EVEN);
    ck_assert(p.mean[2] == 0.3 && p.std[1] == 0.224);
    ck_assert_int_eq(read_from(&p, ctx, "{\"input_size\": [3, 128, 160], \"crop_pct\": 1.0}"), 0);
    ck_assert_int_eq(p.fit, FINE__FIT_COVER);
    ck_assert_int_eq(p.width, 160);
    ck_assert_int_eq(p.filter, FINE__BICUBIC);
    ck_assert_int_eq(read_from(&p, ctx,
                               "{\"input_size\": [3, 128, 160], \"crop_mode\":"
                               "\"squash\", \"crop_pct\": 0.8}"),
                     0);
    ck_assert_int_eq(p.fit, FINE__FIT_EXACT);
    ck_assert_int_eq(p.width, 200);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_what_it_cannot_do)
{
    static const struct {
        const char *text;
        int rc, n;
        const char *first;
    } cases[] = {
        { "[]", FINE_EFORMAT, 1, "p: must be an object" },
        { "{\"image_processor_type\": \"SamImageProcessor\"}", FINE_EUNSUPPORTED, 1,
          "is not known here" },
        { "{\"size\": 0, \"resample\": 9, \"image_std\": [1, 0, 1], \"do_resize\": 1}",
          FINE_EFORMAT, 4, "'do_resize' must be true or false" },
        { "{\"size\": {\"longest_edge\": 3}}", FINE_EFORMAT, 1, "'size' must be" },
        { "{\"size\": {\"shortest_edge\": 3, \"longest_edge\": 9}}", FINE_EFORMAT, 1,
          "'size' must be" },
        { "{\"size\": 100000}", FINE_EFORMAT, 1, "'size' must be" },
        { "{\"do_center_crop\": true}", FINE_EFORMAT, 1, "'crop_size' must be there" },
        { "{\"crop_pct\": 0.5, \"size\": 8, \"do_center_crop\": true, \"crop_size\": 4}",
          FINE_EFORMAT, 1, "crops to 'size' by itself" },
        { "{\"do_pad\": true}", FINE_EUNSUPPORTED, 1, "'do_pad' is not done" },
        { "{\"do_flip_channel_order\": true}", FINE_EUNSUPPORTED, 1, "is not done" },
        { "{\"crop_pct\": 0, \"size\": 8}", FINE_EFORMAT, 1, "crop_pct" },
        { "{\"image_mean\": [1, 2]}", FINE_EFORMAT, 1, "three numbers" },
        { "{\"image_mean\": [1, 2, \"3\"]}", FINE_EFORMAT, 1, "three numbers" },
        { "{\"rescale_factor\": -1}", FINE_EFORMAT, 1, "rescale_factor" },
        { "{\"pretrained_cfg\": {\"input_size\": [1, 8, 8], \"interpolation\": \"x\"}}",
          FINE_EFORMAT, 2, "'input_size' must be" },
        { "{\"input_size\": [3, 8, 8], \"crop_mode\": \"border\"}", FINE_EUNSUPPORTED, 1,
          "'border' is not done" },
    };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(cases); i++) {
        struct fine__preparing p = { .shorter = -5 };
        const int rc = read_from(&p, ctx, cases[i].text);

        ck_assert_msg(rc == cases[i].rc, "%s: %d: %s", cases[i].text, rc, fine_error_message());
        ck_assert_int_eq(fine__error_count(), cases[i].n);
        ck_assert_msg(strstr(fine_error_message(), cases[i].first) != NULL, "%s: %s", cases[i].text,
                      fine_error_message());
        ck_assert_int_eq(p.shorter, -5);
    }
    free_context(ctx);
}
END_TEST

START_TEST(another_size)
{
    fine_context *ctx = new_context(1);
    struct fine__preparing p;

    fine__preparing_default(&p, 224);
    ck_assert_int_eq(p.shorter, 256);
    fine__preparing_resize(&p, 112, 112);
    ck_assert_int_eq(p.shorter, 128);
    ck_assert_int_eq(p.crop_width, 112);
    fine__preparing_plain(&p);
    fine__preparing_resize(&p, 40, 30);
    ck_assert_int_eq(p.fit, FINE__FIT_NONE);
    ck_assert_int_eq(p.crop_width, 40);
    ck_assert_int_eq(p.crop_height, 30);
    ck_assert_int_eq(read_from(&p, ctx, "{\"size\": 224}"), 0);
    fine__preparing_resize(&p, 40, 30);
    ck_assert_int_eq(p.width, 40);
    ck_assert_int_eq(p.height, 30);
    ck_assert_int_eq(p.crop_width, 0);
    free_context(ctx);
}
END_TEST

/* What was written reads back as the same settings. */
START_TEST(writes_what_it_reads)
{
    static const char *const texts[] = {
        "{\"size\": 30}",
        "{\"do_resize\": false, \"do_normalize\": false}",
        "{\"image_processor_type\": \"EfficientNetImageProcessor\", \"rescale_offset\": true}",
        "{\"image_processor_type\": \"ConvNextImageProcessor\", \"size\": 224}",
        "{\"image_processor_type\": \"BitImageProcessor\", \"resample\": 0}",
        "{\"input_size\": [3, 128, 160], \"mean\": [0.1, 0.25, 1e-7]}",
        "{\"input_size\": [3, 64, 64], \"crop_mode\": \"squash\"}",
    };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i <= FINE__COUNT(texts); i++) {
        struct fine__preparing p, again;
        struct fine__levels levels, levels_again;
        struct fine__buf text;

        if (i < FINE__COUNT(texts))
            ck_assert_int_eq(read_from(&p, ctx, texts[i]), 0);
        else
            fine__preparing_default(&p, 100);
        fine__buf_init(&text, ctx);
        ck_assert_int_eq(fine__preparing_write(&p, &text), 0);
        ck_assert_msg(read_from(&again, ctx, text.data) == 0, "%s: %s", text.data,
                      fine_error_message());
        fine__levels_make(&levels, &p);
        fine__levels_make(&levels_again, &again);
        ck_assert_mem_eq(&levels, &levels_again, sizeof levels);
        ck_assert_int_eq(again.filter, p.filter);
        ck_assert_int_eq(again.centring, p.centring);
        for (int64_t side = 1; side < 400; side += 7) {
            struct fine__image image, one, other;

            ck_assert_int_eq(fine__image_new(&image, ctx, side, 90), 0);
            for (int64_t k = 0; k < side * 90 * 3; k++)
                image.pixels[k] = (uint8_t)(k * 7);
            ck_assert_int_eq(fine__image_fit(&one, ctx, &image, &p), 0);
            ck_assert_int_eq(fine__image_fit(&other, ctx, &image, &again), 0);
            ck_assert_int_eq(one.width, other.width);
            ck_assert_int_eq(one.height, other.height);
            ck_assert_mem_eq(one.pixels, other.pixels, (size_t)(one.width * one.height * 3));
            fine__image_free(ctx, &image);
            fine__image_free(ctx, &one);
            fine__image_free(ctx, &other);
        }
        fine__buf_free(&text);
    }
    free_context(ctx);
}
END_TEST

START_TEST(pictures_of_any_shape)
{
    static const int64_t sizes[][2] = { { 1, 1 },     { 1, 5000 },    { 5000, 1 },
                                        { 1, 65500 }, { 1000000, 2 }, { 223, 225 } };
    fine_context *ctx = new_context(1);
    struct fine__preparing p;
    int64_t n_wrong = 0;

    fine__preparing_default(&p, 224);
    for (int64_t i = 0; i < FINE__COUNT(sizes); i++) {
        struct fine__image image, fitted = { 0 };

        ck_assert_int_eq(fine__image_new(&image, ctx, sizes[i][0], sizes[i][1]), 0);
        memset(image.pixels, 77, (size_t)(image.width * image.height * 3));
        ck_assert_msg(fine__image_fit(&fitted, ctx, &image, &p) == 0, "%s", fine_error_message());
        ck_assert_int_eq(fitted.width, 224);
        ck_assert_int_eq(fitted.height, 224);
        for (int64_t k = 0; k < 224 * 224 * 3; k++)
            n_wrong += fitted.pixels[k] != 77;
        ck_assert_int_eq(n_wrong, 0);
        fine__image_free(ctx, &fitted);
        fine__image_free(ctx, &image);
    }
    free_context(ctx);
}
END_TEST

RUNNER("prepare", prepares_as_transformers, the_golden_pipeline, reads_what_is_there,
       refuses_what_it_cannot_do, another_size, writes_what_it_reads, pictures_of_any_shape)
