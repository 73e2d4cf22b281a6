/* PNGs that lie, and that cost more than they are worth. */
#include "pictures.h"

static int
decode(fine_context *ctx, const struct fine__buf *bytes)
{
    struct fine__image image = { 0 };
    const int rc = fine__image_decode(&image, ctx, bytes->data, bytes->length, "x", true);

    fine__image_free(ctx, &image);
    return rc;
}

/* The checksum of PNG, a bit at a time. */
static uint32_t
checksum(const char *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void
put_32(struct fine__buf *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fine__buf_byte(out, (char)(value >> shift & 0xff));
}

static void
put_chunk(struct fine__buf *out, const char *kind, const void *bytes, size_t n)
{
    const size_t start = out->length + 4;

    put_32(out, (uint32_t)n);
    fine__buf_append(out, kind, 4);
    fine__buf_append(out, bytes, n);
    put_32(out, checksum(out->data + start, n + 4));
}

static void
put_header(struct fine__buf *out, uint32_t width, uint32_t height, const char *rest)
{
    struct fine__buf header;

    fine__buf_init(&header, out->ctx);
    put_32(&header, width);
    put_32(&header, height);
    fine__buf_append(&header, rest, 5);
    fine__buf_append(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", header.data, header.length);
    fine__buf_free(&header);
}

START_TEST(sizes_that_lie)
{
    static const struct {
        uint32_t width, height;
        const char *rest, *why;
    } cases[] = {
        { 0x7fffffff, 0x7fffffff, "\10\2\0\0\0", "x: " },
        { 13378, 13378, "\1\0\0\0\0", "13378 x 13378 pixels, more than the limit" },
        { 178956970, 1, "\1\0\0\0\0", "but has only" },
        { 9000, 9000, "\1\0\0\0\0", "9000 x 9000 pixels, but has only" },
        { 0, 5, "\10\2\0\0\0", "damaged PNG" },
        { 5, 5, "\11\2\0\0\0", "damaged PNG" },
        { 5, 5, "\10\2\0\0\3", "damaged PNG" },
        { 5, 5, "\10\3\0\0\0", "damaged PNG" }, /* no palette */
    };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(cases) && CAN_DECODE; i++) {
        struct fine__buf bytes;

        fine__buf_init(&bytes, ctx);
        put_header(&bytes, cases[i].width, cases[i].height, cases[i].rest);
        put_chunk(&bytes, "IDAT", "x\234\3\0\0\0\0\1", 8);
        put_chunk(&bytes, "IEND", "", 0);
        ck_assert_int_eq(decode(ctx, &bytes), FINE_EFORMAT);
        ck_assert_msg(strstr(fine_error_message(), cases[i].why) != NULL, "%s",
                      fine_error_message());
        ck_assert_int_lt(fine_context_peak_bytes(ctx), 1 << 20);
        fine__buf_free(&bytes);
    }
    free_context(ctx);
}
END_TEST

/* Texts, known and unknown chunks, without end or of any size. */
START_TEST(chunks_are_limited)
{
    static const char *const kinds[] = { "tEXt", "zTXt", "iTXt", "sPLT", "abCd", "tIME", "eXIf" };
    fine_context *ctx = new_context(1);
    char *large = calloc(1, 9 << 20);
    struct fine__buf original;

    memcpy(large, "word\0word\0", 10);
    if (CAN_DECODE)
        read_bytes(&original, ctx, "rgb.png");
    for (int64_t k = 0; k < FINE__COUNT(kinds) && CAN_DECODE; k++) {
        struct fine__buf bytes;

        fine__buf_init(&bytes, ctx);
        fine__buf_append(&bytes, original.data, 33);
        for (int i = 0; i < 3000; i++)
            put_chunk(&bytes, kinds[k], "word\0word\0\0\0\0\0", 12);
        fine__buf_append(&bytes, original.data + 33, original.length - 33);
        (void)decode(ctx, &bytes);
        fine__buf_clear(&bytes);
        fine__buf_append(&bytes, original.data, 33);
        if (k % 3 == 0)
            put_chunk(&bytes, kinds[k], large, 9 << 20);
        fine__buf_append(&bytes, original.data + 33, original.length - 33);
        (void)decode(ctx, &bytes);
        fine__buf_free(&bytes);
    }
    /* Twice the file at most, as its bytes are here too. */
    ck_assert_int_lt(fine_context_peak_bytes(ctx), 64 << 20);
    if (CAN_DECODE)
        fine__buf_free(&original);
    free(large);
    free_context(ctx);
}
END_TEST

/* Every bit of a file is held by a checksum, or by a rule. */
START_TEST(any_wrong_byte_is_seen)
{
    static const char *const files[] = { "rgb-interlaced.png", "palette-4.png", "grey-16.png",
                                         "turned.png" };
    fine_context *ctx = new_context(1);

    for (int64_t f = 0; f < FINE__COUNT(files) && CAN_DECODE; f++) {
        struct fine__buf bytes;

        read_bytes(&bytes, ctx, files[f]);
        for (size_t i = 8; i < bytes.length; i++) {
            bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ 0x11);
            if (decode(ctx, &bytes) != FINE_EFORMAT)
                ck_abort_msg("%s, byte %zu", files[f], i);
            bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ 0x11);
        }
        fine__buf_free(&bytes);
    }
    free_context(ctx);
}
END_TEST

START_TEST(memory_is_limited)
{
    struct fine_context_options options;
    fine_context *ctx, *plain = new_context(1);

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 20000;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    if (CAN_DECODE) {
        struct fine__buf bytes;

        read_bytes(&bytes, plain, "rgb.png");
        ck_assert_int_eq(decode(ctx, &bytes), FINE_ENOMEM);
        fine__buf_free(&bytes);
    }
    free_context(ctx);
    free_context(plain);
}
END_TEST

RUNNER("png", sizes_that_lie, chunks_are_limited, any_wrong_byte_is_seen, memory_is_limited)
