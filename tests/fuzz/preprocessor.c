/* Settings that are accepted can be written, read back, and applied to a picture of any size. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"
#include "image/image.h"

static int
read(struct fine__preparing *out, fine_context *ctx, const char *text, size_t length)
{
    struct fine__json *json;
    int rc = fine__json_parse(&json, ctx, text, length, "input");

    if (rc < 0)
        return rc;
    rc = fine__preparing_read(out, json, "input");
    fine__json_free(json);
    return rc;
}

static void
apply(const struct fine__preparing *p, fine_context *ctx, int64_t width, int64_t height)
{
    struct fine__image image, fitted;
    int64_t wanted_width, wanted_height;

    REQUIRE(fine__image_new(&image, ctx, width, height) == 0);
    memset(image.pixels, 9, (size_t)(width * height * 3));
    fine__preparing_size(p, width, height, &wanted_width, &wanted_height);
    if (fine__image_fit(&fitted, ctx, &image, p) == 0) {
        REQUIRE(fitted.width == wanted_width && fitted.height == wanted_height);
        fine__image_free(ctx, &fitted);
    }
    fine__image_free(ctx, &image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine__preparing p, again;
    struct fine__levels levels;
    struct fine__buf text;

    if (read(&p, ctx, (const char *)data, size) == 0) {
        fine__buf_init(&text, ctx);
        REQUIRE(fine__preparing_write(&p, &text) == 0);
        REQUIRE(read(&again, ctx, text.data, text.length) == 0);
        REQUIRE(again.fit == p.fit && again.filter == p.filter && again.factor == p.factor);
        REQUIRE(again.crop_width == p.crop_width && again.crop_height == p.crop_height);
        fine__buf_free(&text);
        fine__levels_make(&levels, &p);
        apply(&p, ctx, 1, 1);
        apply(&p, ctx, 9, 1000);
        apply(&p, ctx, 700, 2);
    } else {
        REQUIRE(fine_error_message()[0] != '\0');
    }
    fuzz_context_free(ctx);
    return 0;
}
