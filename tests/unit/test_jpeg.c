/* JPEGs that lie, and that cost more than they are worth. */

#include "pictures.h"

static int
decode(fine_context *ctx, const struct fine__buf *bytes)
{
    struct fine__image image = { 0 };
    const int rc = fine__image_decode(&image, ctx, bytes->data, bytes->length, "x", true);

    fine__image_free(ctx, &image);
    return rc;
}

/* Where the frame's height is: behind FF C0 or FF C2, a length, and the precision. */
static unsigned char *
frame(const struct fine__buf *bytes)
{
    for (size_t i = 0; i + 9 < bytes->length; i++)
        if ((unsigned char)bytes->data[i] == 0xff && ((unsigned char)bytes->data[i + 1] == 0xc0 ||
                                                      (unsigned char)bytes->data[i + 1] == 0xc2))
            return (unsigned char *)bytes->data + i + 5;
    ck_abort_msg("no frame");
    return NULL;
}

START_TEST(sizes_that_lie)
{
    static const struct {
        unsigned char height[2], width[2];
        const char *why;
    } cases[] = {
        { { 0xff, 0xff }, { 0xff, 0xff }, "damaged JPEG" },
        { { 0xff, 0xdc }, { 0xff, 0xdc }, "65500 x 65500 pixels, more than the limit" },
        { { 0x20, 0x00 }, { 0x20, 0x00 }, "8192 x 8192 pixels, but has only" },
        { { 0, 0 }, { 0, 16 }, "damaged JPEG" },
        { { 0, 0x40 }, { 0, 0x40 }, "damaged JPEG" },
    };
    static const char *const files[] = { "420.jpg", "422-progressive.jpg" };
    fine_context *ctx = new_context(1);

    for (int64_t f = 0; f < FINE__COUNT(files) && CAN_DECODE; f++)
        for (int64_t i = 0; i < FINE__COUNT(cases); i++) {
            struct fine__buf bytes;

            read_bytes(&bytes, ctx, files[f]);
            memcpy(frame(&bytes), cases[i].height, 2);
            memcpy(frame(&bytes) + 2, cases[i].width, 2);
            /* A progressive one may hold blocks beyond its scans, which aren't missed. */
            if (decode(ctx, &bytes) != 0 || i < 4)
                ck_assert_msg(strstr(fine_error_message(), cases[i].why) != NULL, "%s",
                              fine_error_message());
            ck_assert_int_lt(fine_context_peak_bytes(ctx), 1 << 20);
            fine__buf_free(&bytes);
        }
    free_context(ctx);
}
END_TEST

/* Every byte changed, each in several ways: a picture or an error, and no word on stderr. */
START_TEST(survives_damage)
{
    static const char *const files[] = { "422-progressive.jpg", "420-restart.jpg", "cmyk.jpg",
                                         "exif-6.jpg" };
    static const unsigned char flips[] = { 0x01, 0xff, 0x10 };
    fine_context *ctx = new_context(1);

    for (int64_t f = 0; f < FINE__COUNT(files) && CAN_DECODE; f++) {
        struct fine__buf bytes;

        read_bytes(&bytes, ctx, files[f]);
        for (size_t i = 3; i < bytes.length; i++)
            for (int64_t k = 0; k < FINE__COUNT(flips); k++) {
                int rc;

                bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ flips[k]);
                rc = decode(ctx, &bytes);
                bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ flips[k]);
                if (rc != 0 && rc != FINE_EFORMAT && rc != FINE_EUNSUPPORTED)
                    ck_abort_msg("%s, byte %zu: %d: %s", files[f], i, rc, fine_error_message());
            }
        fine__buf_free(&bytes);
    }
    free_context(ctx);
}
END_TEST

/* The last scan again and again: each costs a pass over the picture. */
START_TEST(scans_are_limited)
{
    fine_context *ctx = new_context(1);
    struct fine__buf bytes, bomb;
    size_t scan = 0;

    if (CAN_DECODE) {
        read_bytes(&bytes, ctx, "422-progressive.jpg");
        for (size_t i = 0; i + 1 < bytes.length; i++)
            if ((unsigned char)bytes.data[i] == 0xff && (unsigned char)bytes.data[i + 1] == 0xda)
                scan = i;
        fine__buf_init(&bomb, ctx);
        fine__buf_append(&bomb, bytes.data, scan);
        for (int i = 0; i < 1000; i++)
            fine__buf_append(&bomb, bytes.data + scan, bytes.length - 2 - scan);
        fine__buf_append(&bomb, bytes.data + bytes.length - 2, 2);
        ck_assert_int_eq(decode(ctx, &bomb), FINE_EFORMAT);
        fine__buf_free(&bytes);
        fine__buf_free(&bomb);
    }
    free_context(ctx);
}
END_TEST

/* libjpeg's own memory keeps to what the limit leaves. */
START_TEST(memory_is_limited)
{
    struct fine_context_options options;
    fine_context *ctx, *plain = new_context(1);
    struct fine__buf bytes;

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 20000;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    if (CAN_DECODE) {
        struct fine__buf large;

        read_bytes(&bytes, plain, "422-progressive.jpg");
        /* 200 x 300, said to be enough bytes for it. */
        memcpy(frame(&bytes), "\0\310\1\54", 4);
        fine__buf_init(&large, plain);
        fine__buf_append(&large, bytes.data, bytes.length);
        ck_assert_int_eq(decode(ctx, &large), FINE_ENOMEM);
        fine__buf_free(&large);
        fine__buf_free(&bytes);
    }
    free_context(ctx);
    free_context(plain);
}
END_TEST

RUNNER("jpeg", sizes_that_lie, survives_damage, scans_are_limited, memory_is_limited)
