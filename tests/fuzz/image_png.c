/*
 * A PNG is a picture or an error, and so it is when its checksums are right: a fuzzer cannot guess
 * them, so they are put right first.
 */
#include <string.h>

#include "image/codecs.h"
#include "fuzz.h"

static uint32_t
checksum(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void
mend(uint8_t *bytes, size_t size)
{
    size_t at = 8;

    while (at + 12 <= size) {
        const size_t n = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                         (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        uint32_t crc;

        if (n > size - at - 12)
            return;
        crc = checksum(bytes + at + 4, n + 4);
        for (int i = 0; i < 4; i++)
            bytes[at + 8 + n + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += n + 12;
    }
}

static void
decode(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine__image image;

    if (fine__image_decode(&image, ctx, data, size, "input", true) == 0) {
        volatile uint8_t sum = 0;

        for (int64_t i = 0; i < image.width * image.height * 3; i++)
            sum = (uint8_t)(sum + image.pixels[i]);
        fine__image_free(ctx, &image);
    } else {
        REQUIRE(fine_error_message()[0] != '\0');
    }
    fuzz_context_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    decode(data, size);
    if (copy != NULL) {
        memcpy(copy, data, size);
        mend(copy, size);
        decode(copy, size);
        free(copy);
    }
    return 0;
}
