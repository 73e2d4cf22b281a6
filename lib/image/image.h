/*
 * image.h — pictures: from the bytes of a file to the numbers that a model reads.
 *
 * Everything here is a pure function of its arguments and may run on a worker of the pool:
 * nothing is kept, and all memory is the context's. A failure's text belongs to the thread
 * that saw it; who works on the pool keeps the code and calls once more on its own thread.
 * Exact to the grey level against Pillow, and what the models' own preparation does:
 * docs/images.md.
 */
#ifndef FINE__IMAGE_H
#define FINE__IMAGE_H

#include "base/context.h"

struct fine__buf;
struct fine__json;

/* 8 bits, red, green and blue in turn, row after row: pixels[(y * width + x) * 3 + channel].
 * { 0 } is none. */
struct fine__image {
    int64_t width, height;
    uint8_t *pixels;
};

enum { FINE__IMAGE_CHANNELS = 3 };

/* What is larger isn't decoded, nor made by resizing: Pillow's limit for errors. */
#define FINE__IMAGE_MAX_PIXELS INT64_C(178956970)
#define FINE__IMAGE_MAX_BYTES (INT64_C(256) << 20)

/* ---- image.c ---- */

/* A JPEG or a PNG, found by its first bytes, as Pillow's convert("RGB") gives it: grey three
 * times, alpha dropped. `upright`: turned as its Exif orientation says. `name` is for messages.
 * Errors: FINE_EFORMAT (damaged, cut short, too large), FINE_EUNSUPPORTED (another format, which
 * is named; or a build without images), FINE_ENOMEM. */
int fine__image_decode(struct fine__image *out, fine_context *ctx, const void *bytes,
                       size_t n_bytes, const char *name, bool upright);
/* The same from a file; and FINE_EIO. */
int fine__image_read(struct fine__image *out, fine_context *ctx, const char *path, bool upright);
/* Not initialised; FINE_EFORMAT over the limit. */
int fine__image_new(struct fine__image *out, fine_context *ctx, int64_t width, int64_t height);
void fine__image_free(fine_context *ctx, struct fine__image *image);   /* of { 0 } too */

/* ---- resize.c ---- */

/* Numbered as in Pillow and in preprocessor_config.json. */
enum fine__filter {
    FINE__NEAREST, FINE__LANCZOS, FINE__BILINEAR, FINE__BICUBIC, FINE__BOX, FINE__HAMMING
};

struct fine__rectangle {
    int64_t left, top, width, height;
};

/*
 * `from` of the picture, at least one pixel and within it, is resized to width x height, and of
 * that `part` is kept, which may reach over the edges: black there. The same bytes as resizing
 * all and cropping then, but only the part is computed. Errors: FINE_EFORMAT, FINE_ENOMEM.
 */
struct fine__resizing {
    enum fine__filter filter;
    struct fine__rectangle from;
    int64_t width, height;
    struct fine__rectangle part;
};
int fine__image_resize_part(struct fine__image *out, fine_context *ctx,
                            const struct fine__image *image, const struct fine__resizing *how);
/* All of it. */
int fine__image_resize(struct fine__image *out, fine_context *ctx,
                       const struct fine__image *image, int64_t width, int64_t height,
                       enum fine__filter filter);

/* ---- prepare.c: a picture becomes a model's input ---- */

enum fine__fitting {
    FINE__FIT_NONE,                 /* no resizing */
    FINE__FIT_EXACT,                /* to width x height, whatever that does to the picture */
    FINE__FIT_SHORTER,              /* its shorter side to `shorter`, the longer one rounded down */
    FINE__FIT_COVER                 /* just covers width x height, rounded to nearest */
};

/* Where the crop of a side d pixels longer starts: transformers rounds d / 2 down, torchvision
 * and timm to the nearest, halves to even. */
enum fine__centring { FINE__CENTRE_DOWN, FINE__CENTRE_EVEN };

struct fine__preparing {
    enum fine__fitting fit;
    int64_t width, height;          /* FIT_EXACT, FIT_COVER */
    int64_t shorter;                /* FIT_SHORTER */
    enum fine__filter filter;
    int64_t crop_width, crop_height;    /* 0: no crop; what is smaller gets a black edge */
    enum fine__centring centring;
    bool rescale, offset;           /* value * factor, and then less 1 */
    double factor;
    bool normalize, again;          /* (value - mean) / std, and once more divided by std */
    double mean[FINE__IMAGE_CHANNELS], std[FINE__IMAGE_CHANNELS];
};

/* As torchvision's: the shorter side to size / 0.875 (bilinear), the middle size x size, ImageNet's
 * mean and deviation. */
void fine__preparing_default(struct fine__preparing *out, int64_t size);
/* For pictures that have the model's size: no resizing and no crop. */
void fine__preparing_plain(struct fine__preparing *out);
/* What a preprocessor_config.json says, or a configuration of timm's ("pretrained_cfg", or its
 * members themselves). `what` names the file. All findings at once. Errors: FINE_EFORMAT,
 * FINE_EUNSUPPORTED. */
int fine__preparing_read(struct fine__preparing *out, const struct fine__json *json,
                           const char *what);
/* As a preprocessor_config.json, which transformers reads too; FINE_ENOMEM. */
int fine__preparing_write(const struct fine__preparing *p, struct fine__buf *out);
/* The same settings with another size of the model's input: crop and resizing in proportion. */
void fine__preparing_resize(struct fine__preparing *p, int64_t width, int64_t height);

/* The size of what comes out for a picture of this size; it is the same for all pictures when
 * fine__preparing_is_fixed(). */
void fine__preparing_size(const struct fine__preparing *p, int64_t width, int64_t height,
                            int64_t *out_width, int64_t *out_height);
bool fine__preparing_is_fixed(const struct fine__preparing *p);

/* Resized and cropped. Errors: FINE_EFORMAT (a result over the limit), FINE_ENOMEM. */
int fine__image_fit(struct fine__image *out, fine_context *ctx, const struct fine__image *image,
                    const struct fine__preparing *p);

/* What each of the 256 levels becomes in each channel: made once, read by all. */
struct fine__levels {
    float of[FINE__IMAGE_CHANNELS][256];
};
void fine__levels_make(struct fine__levels *out, const struct fine__preparing *p);
/* out: height x width x 3, channels last as in the picture. */
void fine__image_to_floats(float *out, const struct fine__image *image,
                           const struct fine__levels *levels);

#endif
