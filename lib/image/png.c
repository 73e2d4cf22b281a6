/*
 * png.c — PNG by libpng: the only includer of png.h.
 *
 * libpng unpacks to eight bits and three channels, as Pillow's convert("RGB") does: alpha and
 * transparency are dropped, the gamma ignored, sixteen bits of colour cut to their upper eight.
 * Sixteen bits of grey alone are cut off at 255, since Pillow takes them for numbers. A checksum
 * that is wrong is an error in any chunk. All of libpng's and zlib's memory is the context's.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/alloc.h"
#include "image/codecs.h"

enum {
    PIXELS_A_BYTE = 1032 * 8, /* deflate's best, at one bit a pixel */
    MAX_CHUNKS = 1000,        /* of texts and the like, which libpng would keep */
    MAX_CHUNK_BYTES = 8 << 20,
    MESSAGE_BYTES = 200
};

struct job {
    png_structp png;
    png_infop info;
    jmp_buf failed;
    fine_context *ctx;
    const char *name;
    const unsigned char *bytes;
    size_t n_bytes, at;
    struct fine__image image;
    bool no_memory;
    int rc; /* recorded already when it isn't 0 */
    char message[MESSAGE_BYTES];
};

/* ---- what libpng calls ---- */

static void
give_up(png_structp png, png_const_charp message)
{
    struct job *job = png_get_error_ptr(png);

    (void)snprintf(job->message, sizeof job->message, "%s", message);
    longjmp(job->failed, 1);
}

static void
ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp
allocate(png_structp png, png_alloc_size_t bytes)
{
    struct job *job = png_get_mem_ptr(png);
    void *block = fine__alloc_quietly(job->ctx, bytes);

    if (block == NULL)
        job->no_memory = true;
    return block;
}

static void
release(png_structp png, png_voidp block)
{
    struct job *job = png_get_mem_ptr(png);

    fine__free(job->ctx, block);
}

static void
read_bytes(png_structp png, png_bytep out, size_t n)
{
    struct job *job = png_get_io_ptr(png);

    if (n > job->n_bytes - job->at) {
        (void)snprintf(job->message, sizeof job->message, "it is cut short after %zu bytes",
                       job->n_bytes);
        longjmp(job->failed, 1);
    }
    memcpy(out, job->bytes + job->at, n);
    job->at += n;
}

/* ---- */

static bool
is_wide_grey(const struct job *job)
{
    return png_get_bit_depth(job->png, job->info) == 16 &&
           png_get_color_type(job->png, job->info) == PNG_COLOR_TYPE_GRAY;
}

static int
begin(struct job *job)
{
    const int64_t width = png_get_image_width(job->png, job->info);
    const int64_t height = png_get_image_height(job->png, job->info);

    FINE__TRY(fine__image_check_claim(width, height, job->n_bytes, PIXELS_A_BYTE, job->name));
    return fine__image_new(&job->image, job->ctx, width, height);
}

/* Says what rows shall look like; the number of passes over them. */
static int
unpack(struct job *job)
{
    png_structp png = job->png;
    const int type = png_get_color_type(png, job->info);
    int n_passes;

    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (!is_wide_grey(job)) {
        if ((type & PNG_COLOR_MASK_COLOR) == 0) {
            png_set_expand_gray_1_2_4_to_8(png);
            png_set_gray_to_rgb(png);
        }
        png_set_strip_16(png);
        png_set_strip_alpha(png);
    }
    n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
    return n_passes;
}

/* Numbers of two bytes become three of one, in place: from the end, so that none is overwritten
 * before it was read. */
static void
cut_wide_grey(uint8_t *row, int64_t width)
{
    for (int64_t x = width - 1; x >= 0; x--)
        memset(row + x * 3, row[x * 2] != 0 ? 255 : row[x * 2 + 1], FINE__IMAGE_CHANNELS);
}

static int
orientation_of(const struct job *job)
{
#if defined PNG_eXIf_SUPPORTED
    png_uint_32 n_bytes;
    png_bytep exif;

    if (png_get_eXIf_1(job->png, job->info, &n_bytes, &exif) != 0)
        return fine__exif_orientation(exif, n_bytes);
#else
    (void)job;
#endif
    return 1;
}

static void
read_rows(struct job *job, int n_passes)
{
    const int64_t stride = job->image.width * FINE__IMAGE_CHANNELS;
    const int64_t found = (int64_t)png_get_rowbytes(job->png, job->info);

    if (found != (is_wide_grey(job) ? job->image.width * 2 : stride))
        png_error(job->png, "rows of an unexpected length");
    for (int pass = 0; pass < n_passes; pass++)
        for (int64_t y = 0; y < job->image.height; y++)
            png_read_row(job->png, job->image.pixels + y * stride, NULL);
}

/* The only function that setjmp() returns into: it changes no variable of its own that is used
 * after. */
static bool
run(struct job *job, int *orientation)
{
    if (setjmp(job->failed) != 0)
        return false;
    job->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, job, give_up, ignore, job, allocate,
                                        release);
    if (job->png == NULL)
        return false;
    job->info = png_create_info_struct(job->png);
    if (job->info == NULL)
        return false;
    png_set_read_fn(job->png, job, read_bytes);
    png_set_user_limits(job->png, (png_uint_32)FINE__IMAGE_MAX_PIXELS,
                        (png_uint_32)FINE__IMAGE_MAX_PIXELS);
    png_set_chunk_cache_max(job->png, MAX_CHUNKS);
    png_set_chunk_malloc_max(job->png, MAX_CHUNK_BYTES);
    png_set_crc_action(job->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_check_for_invalid_index(job->png, 0);
    png_read_info(job->png, job->info);
    job->rc = begin(job);
    if (job->rc < 0)
        return false;
    read_rows(job, unpack(job));
    png_read_end(job->png, job->info);
    *orientation = orientation_of(job);
    return true;
}

int
fine__png_decode(struct fine__image *out, int *orientation, fine_context *ctx,
                 const unsigned char *bytes, size_t n_bytes, const char *name)
{
    struct job *job = fine__alloc_array(ctx, 1, sizeof *job);
    int rc;

    if (job == NULL)
        return FINE_ENOMEM;
    job->ctx = ctx;
    job->name = name;
    job->bytes = bytes;
    job->n_bytes = n_bytes;
    /* Where memory was lacking for what matters less, libpng goes on without it. */
    if (run(job, orientation) && !job->no_memory) {
        if (is_wide_grey(job))
            for (int64_t y = 0; y < job->image.height; y++)
                cut_wide_grey(job->image.pixels + y * job->image.width * FINE__IMAGE_CHANNELS,
                              job->image.width);
        *out = job->image;
        rc = FINE_OK;
    } else {
        rc = job->rc;
        if (rc == 0 && job->no_memory)
            rc = fine__fail(FINE_ENOMEM,
                            "%s: no memory is left for decoding it; raise memory_limit, or make "
                            "the picture smaller",
                            name);
        else if (rc == 0)
            rc = fine__fail(FINE_EFORMAT, "%s: damaged PNG: %s", name,
                            job->message[0] != '\0' ? job->message : "it cannot be read");
        fine__image_free(ctx, &job->image);
    }
    png_destroy_read_struct(&job->png, &job->info, NULL);
    fine__free(ctx, job);
    return rc;
}
