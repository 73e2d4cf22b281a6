/* A JPEG is a picture or an error, cut anywhere and turned any way; and a copy of it resizes. */
#include "image/codecs.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine__image image, small;
    uint32_t sum = 0;

    if (fine__image_decode(&image, ctx, data, size, "input", true) == 0) {
        for (int64_t i = 0; i < image.width * image.height * 3; i++)
            sum = sum * 31 + image.pixels[i];
        if (fine__image_resize(&small, ctx, &image, 1 + sum % 9, 1 + sum / 9 % 9,
                               (enum fine__filter)(sum / 81 % 6)) == 0)
            fine__image_free(ctx, &small);
        fine__image_free(ctx, &image);
    } else {
        REQUIRE(fine_error_message()[0] != '\0');
    }
    fuzz_context_free(ctx);
    return 0;
}
