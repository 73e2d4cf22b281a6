/*
 * pictures.h — small pictures of every kind with what Pillow makes of them (tests/data/images,
 * by make.py there), and ../shared/golden/images where it is.
 */
#ifndef PICTURES_H
#define PICTURES_H

#include <finetune/tensors.h>

#include "image/image.h"
#include "runner.h"

#define PICTURES SOURCE_ROOT "/tests/data/images/"
#define GOLDEN_PICTURES SOURCE_ROOT "/../shared/golden/images/"

#if defined FINE__IMAGES
enum { CAN_DECODE = 1 };
#else
enum { CAN_DECODE = 0 };
#endif

static inline fine_tensors *
open_pictures(fine_context *ctx, const char *folder)
{
    fine_tensors *set = NULL;
    char path[4096];

    (void)snprintf(path, sizeof path, "%sexpected.safetensors", folder);
    if (access(path, R_OK) != 0) {
        printf("skipped: there is no %s\n", path);
        return NULL;
    }
    ck_assert_int_eq(fine_tensors_open(&set, ctx, path), 0);
    return set;
}

/* NULL where there is none of that name. */
static inline const void *
find_pixels(const fine_tensors *set, const char *name, int64_t *width, int64_t *height)
{
    int32_t type;
    int64_t n_dims;
    const int64_t *shape;
    const void *data;

    *width = *height = 0;
    if (fine_tensors_get(set, name, &type, &n_dims, &shape, &data) < 0)
        return NULL;
    ck_assert_int_eq(n_dims, 3);
    *height = shape[0];
    *width = shape[1];
    return data;
}

/* A picture that is in the set; it is borrowed. */
static inline struct fine__image
picture_of(const fine_tensors *set, const char *name)
{
    struct fine__image image;

    image.pixels = (uint8_t *)(uintptr_t)find_pixels(set, name, &image.width, &image.height);
    ck_assert_msg(image.pixels != NULL, "there is no %s", name);
    return image;
}

static inline void
same_picture(const struct fine__image *got, const fine_tensors *set, const char *name)
{
    const struct fine__image right = picture_of(set, name);

    ck_assert_msg(got->width == right.width && got->height == right.height,
                  "%s: %lld x %lld, not %lld x %lld", name, (long long)got->width,
                  (long long)got->height, (long long)right.width, (long long)right.height);
    for (int64_t i = 0; i < right.width * right.height * 3; i++)
        if (got->pixels[i] != right.pixels[i])
            ck_abort_msg("%s: row %lld, byte %lld: %d, not %d", name,
                         (long long)(i / (right.width * 3)), (long long)(i % (right.width * 3)),
                         got->pixels[i], right.pixels[i]);
}

/* What a test's name of a tensor begins with: "FILE/". */
static inline void
file_of(char *out, const char *tensor)
{
    const char *slash = strchr(tensor, '/');

    ck_assert(slash != NULL && slash - tensor < 100);
    memcpy(out, tensor, (size_t)(slash - tensor));
    out[slash - tensor] = '\0';
}

static inline void
read_picture(struct fine__image *out, fine_context *ctx, const char *folder, const char *file,
             bool upright)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s%s", folder, file);
    ck_assert_msg(fine__image_read(out, ctx, path, upright) == 0, "%s", fine_error_message());
}

/* Of a file in the folder. */
static inline void
read_bytes(struct fine__buf *out, fine_context *ctx, const char *file)
{
    char path[4096];

    fine__buf_init(out, ctx);
    (void)snprintf(path, sizeof path, PICTURES "%s", file);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, out), 0);
}

#endif
