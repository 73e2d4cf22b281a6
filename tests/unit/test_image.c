/* Decoding is Pillow's; what is no picture is named. */
#include "image/codecs.h"
#include "pictures.h"

/* Every picture of a set as Pillow has it, and turned upright where the set says how. */
static int
check_decoding(const char *folder)
{
    fine_context *ctx = new_context(1);
    fine_tensors *set = open_pictures(ctx, folder);
    int n = 0;

    for (int64_t i = 0; i < fine_tensors_count(set) && CAN_DECODE; i++) {
        const char *name = fine_tensors_name(set, i);
        const char *slash = strchr(name, '/');
        const bool upright = slash != NULL && strcmp(slash, "/upright") == 0;
        struct fine__image image;
        char file[128];

        if (slash == NULL || (!upright && strcmp(slash, "/rgb") != 0))
            continue;
        file_of(file, name);
        read_picture(&image, ctx, folder, file, upright);
        same_picture(&image, set, name);
        fine__image_free(ctx, &image);
        n++;
    }
    fine_tensors_free(set);
    free_context(ctx);
    return n;
}

START_TEST(decodes_as_pillow)
{
    const int n = check_decoding(PICTURES);

    if (CAN_DECODE)
        ck_assert_int_eq(n, 52);
    else
        puts("skipped: this build reads no pictures");
}
END_TEST

START_TEST(decodes_the_golden_pictures)
{
    const int n = check_decoding(GOLDEN_PICTURES);

    if (n > 0)
        ck_assert_int_eq(n, 11);
}
END_TEST

START_TEST(turns)
{
    /* 3 x 2, numbered row by row; what each way makes of it. */
    static const struct {
        int width;
        const char *numbers;
    } ways[9] = { { 0, "" },       { 3, "012345" }, { 3, "210543" },
                  { 3, "543210" }, { 3, "345012" }, { 2, "031425" },
                  { 2, "304152" }, { 2, "524130" }, { 2, "251403" } };
    fine_context *ctx = new_context(1);

    for (int way = 1; way <= 8; way++) {
        struct fine__image image;

        ck_assert_int_eq(fine__image_new(&image, ctx, 3, 2), 0);
        for (int i = 0; i < 18; i++)
            image.pixels[i] = (uint8_t)(i / 3 * 10 + i % 3);
        ck_assert_int_eq(fine__image_turn(&image, ctx, way), 0);
        ck_assert_int_eq(image.width, ways[way].width);
        ck_assert_int_eq(image.height, 6 / ways[way].width);
        for (int i = 0; i < 18; i++)
            ck_assert_msg(image.pixels[i] == (ways[way].numbers[i / 3] - '0') * 10 + i % 3,
                          "way %d, byte %d: %d", way, i, image.pixels[i]);
        fine__image_free(ctx, &image);
    }
    free_context(ctx);
}
END_TEST

static void
refused(fine_context *ctx, const char *bytes, size_t n, int code, const char *why)
{
    struct fine__image image = { 7, 7, NULL };

    ck_assert_int_eq(fine__image_decode(&image, ctx, bytes, n, "x.jpg", true), code);
    ck_assert_msg(strstr(fine_error_message(), why) != NULL, "%s", fine_error_message());
    ck_assert_msg(strncmp(fine_error_message(), "x.jpg: ", 7) == 0, "%s", fine_error_message());
    ck_assert_int_eq(image.width, 7);
}

START_TEST(names_what_it_is_instead)
{
    fine_context *ctx = new_context(1);

    refused(ctx, "", 0, FINE_EFORMAT, "is empty");
    refused(ctx, "GIF89a…", 9, FINE_EUNSUPPORTED, "is a GIF; JPEG and PNG are read: convert it");
    refused(ctx, "RIFF\1\2\3\4WEBPVP8 ", 16, FINE_EUNSUPPORTED, "is a WebP");
    refused(ctx, "BM\1\2\3\4", 6, FINE_EUNSUPPORTED, "is a BMP");
    refused(ctx, "MM\0*\0\0\0\10", 8, FINE_EUNSUPPORTED, "is a TIFF");
    refused(ctx,
            "\0\0\0\x1c"
            "ftypavif\0\0\0\0",
            16, FINE_EUNSUPPORTED, "is an AVIF");
    refused(ctx, "<!DOCTYPE html>", 15, FINE_EUNSUPPORTED, "is a web page");
    refused(ctx, "hello", 5, FINE_EUNSUPPORTED, "is neither a JPEG nor a PNG");
    refused(ctx, "\xff", 1, FINE_EUNSUPPORTED, "is neither");
    refused(ctx, "\x89PN", 3, FINE_EUNSUPPORTED, "is neither");
    refused(ctx, "\xff\xd8\xff", 3, CAN_DECODE ? FINE_EFORMAT : FINE_EUNSUPPORTED, "x.jpg");
    refused(ctx, "\x89PNG\r\n\x1a\n", 8, CAN_DECODE ? FINE_EFORMAT : FINE_EUNSUPPORTED, "x.jpg");
    free_context(ctx);
}
END_TEST

START_TEST(reads_files)
{
    fine_context *ctx = new_context(1);
    struct fine__image image = { 0 };

    ck_assert_int_eq(fine__image_read(&image, ctx, PICTURES "absent.png", true), FINE_EIO);
    ck_assert_int_eq(fine__image_read(&image, ctx, PICTURES, true), FINE_EIO);
    ck_assert_int_eq(fine__image_read(&image, ctx, PICTURES "make.py", true), FINE_EUNSUPPORTED);
    fine__image_free(ctx, &image);
    free_context(ctx);
}
END_TEST

/* Cut at every byte, every file is an error and nothing else. */
START_TEST(cut_short_is_an_error)
{
    static const char *const files[] = { "420.jpg",     "422-progressive.jpg", "420-restart.jpg",
                                         "cmyk.jpg",    "exif-6.jpg",          "rgb-interlaced.png",
                                         "grey-16.png", "palette-4.png",       "turned.png" };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(files) && CAN_DECODE; i++) {
        struct fine__image image = { 0 };
        struct fine__buf bytes;

        read_bytes(&bytes, ctx, files[i]);
        for (size_t n = 8; n < bytes.length; n++) {
            char *copy = malloc(n);

            memcpy(copy, bytes.data, n);
            ck_assert_msg(fine__image_decode(&image, ctx, copy, n, "cut", true) == FINE_EFORMAT,
                          "%s, %zu of %zu bytes", files[i], n, bytes.length);
            free(copy);
        }
        fine__buf_free(&bytes);
    }
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    static const char *const files[] = { "420.jpg", "cmyk-progressive.jpg", "exif-5.jpg",
                                         "palette-4.png", "turned.png" };
    fine_context *plain = new_context(1), *ctx;
    struct faulty faulty;

    ctx = new_faulty_context(&faulty, 1);
    for (int64_t i = 0; i < FINE__COUNT(files) && CAN_DECODE; i++) {
        struct fine__buf bytes;

        read_bytes(&bytes, plain, files[i]);
        for (int fail_at = 1;; fail_at++) {
            struct fine__image image = { 0 };
            int rc;

            ck_assert_int_lt(fail_at, 200);
            faulty = (struct faulty){ .fail_at = fail_at };
            rc = fine__image_decode(&image, ctx, bytes.data, bytes.length, files[i], true);
            if (faulty.calls < fail_at) {
                ck_assert_int_eq(rc, 0);
                fine__image_free(ctx, &image);
                break;
            }
            ck_assert_msg(rc == FINE_ENOMEM, "%s, allocation %d: %d, %s", files[i], fail_at, rc,
                          fine_error_message());
            ck_assert_ptr_null(image.pixels);
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        }
        fine__buf_free(&bytes);
    }
    free_context(plain);
    free_context(ctx);
}
END_TEST

RUNNER("image", decodes_as_pillow, decodes_the_golden_pictures, turns, names_what_it_is_instead,
       reads_files, cut_short_is_an_error, survives_any_failed_allocation)
