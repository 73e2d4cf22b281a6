/*
 * image.c — pictures in memory: which format it is, how large it may be, which way up.
 *
 * A format is known by its first bytes and never by a file's name. What isn't read is named,
 * since "convert it" only helps who knows what it is.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "image/codecs.h"

/* Bytes at an offset that tell a format. */
struct signature {
    const char *bytes;
    size_t length, at;
    const char *name;
};

static const struct signature others[] = {
    { "GIF8", 4, 0, "a GIF" },
    { "WEBP", 4, 8, "a WebP" },
    { "BM", 2, 0, "a BMP" },
    { "II*\0", 4, 0, "a TIFF" },
    { "MM\0*", 4, 0, "a TIFF" },
    { "II+\0", 4, 0, "a BigTIFF" },
    { "ftypavif", 8, 4, "an AVIF" },
    { "ftyphei", 7, 4, "a HEIF" },
    { "ftyphev", 7, 4, "a HEIF" },
    { "ftypmif1", 8, 4, "a HEIF" },
    { "\0\0\0\x0cjP  ", 8, 0, "a JPEG 2000" },
    { "\xff\x4f\xff\x51", 4, 0, "a JPEG 2000" },
    { "\0\0\0\x0cJXL ", 8, 0, "a JPEG XL" },
    { "\xff\x0a", 2, 0, "a JPEG XL" },
    { "8BPS", 4, 0, "a Photoshop file" },
    { "DICM", 4, 128, "a DICOM file" },
    { "\0\0\1\0", 4, 0, "an icon" },
    { "P1", 2, 0, "a PNM" },
    { "P2", 2, 0, "a PNM" },
    { "P3", 2, 0, "a PNM" },
    { "P4", 2, 0, "a PNM" },
    { "P5", 2, 0, "a PNM" },
    { "P6", 2, 0, "a PNM" },
    { "%PDF", 4, 0, "a PDF" },
    { "<svg", 4, 0, "an SVG" },
    { "<?xml", 5, 0, "XML" },
    { "<!DOCTYPE", 9, 0, "a web page" },
    { "<html", 5, 0, "a web page" },
    { "\x1f\x8b", 2, 0, "a gzip file" },
    { "PK\3\4", 4, 0, "a zip file" },
    { "version https://git-lfs", 23, 0, "a pointer of Git LFS and no picture" },
};

static bool
has_signature(const unsigned char *bytes, size_t n_bytes, const struct signature *s)
{
    return n_bytes >= s->at + s->length && memcmp(bytes + s->at, s->bytes, s->length) == 0;
}

static int
refuse(const unsigned char *bytes, size_t n_bytes, const char *name)
{
    if (n_bytes == 0)
        return fine__fail(FINE_EFORMAT, "%s: is empty, but must hold a JPEG or a PNG", name);
    for (int64_t i = 0; i < FINE__COUNT(others); i++)
        if (has_signature(bytes, n_bytes, &others[i]))
            return fine__fail(FINE_EUNSUPPORTED,
                              "%s: is %s; JPEG and PNG are read: convert it to one of them", name,
                              others[i].name);
    return fine__fail(FINE_EUNSUPPORTED,
                      "%s: is neither a JPEG nor a PNG, nor another kind of picture that is known "
                      "here: is it a picture?",
                      name);
}

int
fine__image_decode(struct fine__image *out, fine_context *ctx, const void *bytes, size_t n_bytes,
                   const char *name, bool upright)
{
    static const struct signature jpeg = { "\xff\xd8\xff", 3, 0, "a JPEG" };
    static const struct signature png = { "\x89PNG\r\n\x1a\n", 8, 0, "a PNG" };
    struct fine__image image = { 0 };
    int orientation = 1;

    if (!has_signature(bytes, n_bytes, &jpeg) && !has_signature(bytes, n_bytes, &png))
        return refuse(bytes, n_bytes, name);
#if defined FINE__IMAGES
    if (has_signature(bytes, n_bytes, &jpeg))
        FINE__TRY(fine__jpeg_decode(&image, &orientation, ctx, bytes, n_bytes, name));
    else
        FINE__TRY(fine__png_decode(&image, &orientation, ctx, bytes, n_bytes, name));
    if (upright && orientation != 1) {
        const int rc = fine__image_turn(&image, ctx, orientation);

        if (rc < 0) {
            fine__image_free(ctx, &image);
            return rc;
        }
    }
    *out = image;
    return FINE_OK;
#else
    (void)out;
    (void)ctx;
    (void)upright;
    (void)image;
    (void)orientation;
    return fine__fail(FINE_EUNSUPPORTED,
                      "%s: is %s, and this build of the library reads no pictures: build it with "
                      "-Dimages=enabled",
                      name, has_signature(bytes, n_bytes, &jpeg) ? jpeg.name : png.name);
#endif
}

int
fine__image_read(struct fine__image *out, fine_context *ctx, const char *path, bool upright)
{
    struct fine__buf bytes;
    int rc;

    fine__buf_init(&bytes, ctx);
    rc = fine__file_read(ctx, path, FINE__IMAGE_MAX_BYTES, &bytes);
    if (rc == FINE_OK)
        rc = fine__image_decode(out, ctx, fine__buf_cstr(&bytes), bytes.length, path, upright);
    fine__buf_free(&bytes);
    return rc;
}

int
fine__image_check_claim(int64_t width, int64_t height, size_t n_bytes, int64_t most,
                        const char *name)
{
    if (width < 1 || height < 1)
        return fine__fail(FINE_EFORMAT, "%s: claims to be %lld x %lld pixels: it is damaged", name,
                          (long long)width, (long long)height);
    if (height > FINE__IMAGE_MAX_PIXELS / width)
        return fine__fail(FINE_EFORMAT,
                          "%s: claims to be %lld x %lld pixels, more than the limit of %lld: make "
                          "it smaller",
                          name, (long long)width, (long long)height,
                          (long long)FINE__IMAGE_MAX_PIXELS);
    if (most > 0 && width * height / most > (int64_t)n_bytes)
        return fine__fail(FINE_EFORMAT,
                          "%s: claims to be %lld x %lld pixels, but has only %zu bytes: it is cut "
                          "short or damaged",
                          name, (long long)width, (long long)height, n_bytes);
    return FINE_OK;
}

int
fine__image_new(struct fine__image *out, fine_context *ctx, int64_t width, int64_t height)
{
    uint8_t *pixels;

    FINE__TRY(fine__image_check_claim(width, height, 0, 0, "a picture"));
    pixels = fine__alloc(ctx, (size_t)(width * height * FINE__IMAGE_CHANNELS));
    if (pixels == NULL)
        return FINE_ENOMEM;
    *out = (struct fine__image){ width, height, pixels };
    return FINE_OK;
}

void
fine__image_free(fine_context *ctx, struct fine__image *image)
{
    fine__free(ctx, image->pixels);
    *image = (struct fine__image){ 0 };
}

/* Exif's eight ways: 2 to 4 mirror and turn by half, 5 to 8 swap the axes as well. */
int
fine__image_turn(struct fine__image *image, fine_context *ctx, int orientation)
{
    const bool swaps = orientation >= 5;
    const bool flips_x =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flips_y =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const int64_t width = image->width, height = image->height;
    const uint8_t *from = image->pixels;
    struct fine__image turned;
    uint8_t *to;

    FINE__TRY(fine__image_new(&turned, ctx, swaps ? height : width, swaps ? width : height));
    to = turned.pixels;
    for (int64_t y = 0; y < turned.height; y++)
        for (int64_t x = 0; x < turned.width; x++, to += FINE__IMAGE_CHANNELS) {
            const int64_t u = swaps ? y : x, v = swaps ? x : y;
            const int64_t column = flips_x ? width - 1 - u : u;
            const int64_t row = flips_y ? height - 1 - v : v;

            memcpy(to, from + (row * width + column) * FINE__IMAGE_CHANNELS, FINE__IMAGE_CHANNELS);
        }
    fine__image_free(ctx, image);
    *image = turned;
    return FINE_OK;
}
