/*
 * codecs.h — what image.c, jpeg.c, png.c and exif.c know of each other.
 */
#ifndef FINE__CODECS_H
#define FINE__CODECS_H

#include "image/image.h"

/* The bytes begin with the format's signature. *orientation: as Exif numbers it, 1 where there is
 * none. On an error `out` is free of memory. */
int fine__jpeg_decode(struct fine__image *out, int *orientation, fine_context *ctx,
                      const unsigned char *bytes, size_t n_bytes, const char *name);
int fine__png_decode(struct fine__image *out, int *orientation, fine_context *ctx,
                     const unsigned char *bytes, size_t n_bytes, const char *name);

/* The orientation, 1 to 8, in Exif data that begin with a TIFF header; 1 where it isn't there,
 * or isn't one: a picture with foolish Exif data is still a picture. */
int fine__exif_orientation(const unsigned char *tiff, size_t n_bytes);

/* The picture, turned so that orientation 1 is right for it; takes the old pixels' place. */
int fine__image_turn(struct fine__image *image, fine_context *ctx, int orientation);

/* 0, or a finding: the pixels would be more than what is decoded, or more than n_bytes of a
 * file can hold when none of its bytes gives more than `most` pixels. */
int fine__image_check_claim(int64_t width, int64_t height, size_t n_bytes, int64_t most,
                            const char *name);

#endif
