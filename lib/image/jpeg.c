/*
 * jpeg.c — JPEG by libjpeg-turbo: the only includer of jpeglib.h.
 *
 * The slow integer transform and smooth upsampling, libjpeg's defaults and Pillow's, so that the
 * pixels are Pillow's. libjpeg reports by a call that must not return, hence setjmp; it never
 * gets to print. It would fill what is missing with grey and say so in a warning: a warning that
 * means lost pixels is an error here, and the end of the bytes before the end of the picture is
 * one too. Bounds on hostile files: pixels, pixels a byte (no coded block of 64 takes less than
 * a bit), scans (each may cost three bytes and a pass over all), and memory.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/alloc.h"
#include "image/codecs.h"

enum { PIXELS_A_BYTE = 64 * 8, MAX_SCANS = 256, INKS = 4 };

/* Pixels times scans. */
#define MAX_WORK INT64_C(4000000000)

struct job {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    fine_context *ctx;
    const char *name;
    size_t n_bytes;
    struct fine__image image;
    uint8_t *inks; /* a row of cyan, magenta, yellow and black */
    int rc;        /* recorded already when it isn't 0 */
    char message[JMSG_LENGTH_MAX];
};

/* ---- what libjpeg calls ---- */

static void
give_up(j_common_ptr common)
{
    struct job *job = common->client_data;

    job->errors.format_message(common, job->message);
    longjmp(job->failed, 1);
}

/* Odd, but no pixel is lost. */
static bool
is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
           code == JWRN_BOGUS_ICC || code == JWRN_NOT_SEQUENTIAL;
}

static void
note(j_common_ptr common, int level)
{
    struct job *job = common->client_data;

    if (level < 0 && !is_harmless(job->errors.msg_code))
        give_up(common);
}

static void
print_nothing(j_common_ptr common)
{
    (void)common;
}

static void
do_nothing(j_decompress_ptr info)
{
    (void)info;
}

static void
end_early(struct job *job)
{
    (void)snprintf(job->message, sizeof job->message, "it is cut short after %zu bytes",
                   job->n_bytes);
    longjmp(job->failed, 1);
}

/* All bytes were given at once: there are no more. */
static boolean
want_more(j_decompress_ptr info)
{
    end_early(info->client_data);
    return FALSE;
}

static void
skip(j_decompress_ptr info, long n)
{
    if (n <= 0)
        return;
    if ((size_t)n > info->src->bytes_in_buffer)
        end_early(info->client_data);
    info->src->next_input_byte += n;
    info->src->bytes_in_buffer -= (size_t)n;
}

static void
watch(j_common_ptr common)
{
    struct job *job = common->client_data;
    const int64_t scans = job->info.input_scan_number;

    if (scans <= MAX_SCANS && scans * job->image.width * job->image.height <= MAX_WORK)
        return;
    (void)snprintf(job->message, sizeof job->message, "it has more than %lld scans",
                   (long long)scans - 1);
    longjmp(job->failed, 1);
}

/* ---- */

static void
set_up(struct job *job, const unsigned char *bytes)
{
    struct jpeg_decompress_struct *info = &job->info;

    job->source.next_input_byte = bytes;
    job->source.bytes_in_buffer = job->n_bytes;
    job->source.init_source = do_nothing;
    job->source.fill_input_buffer = want_more;
    job->source.skip_input_data = skip;
    job->source.resync_to_restart = jpeg_resync_to_restart;
    job->source.term_source = do_nothing;
    job->progress.progress_monitor = watch;
    info->src = &job->source;
    info->progress = &job->progress;
}

/* libjpeg allocates for itself. What it needs for the coefficients of a whole picture is what
 * the context's limit leaves, or it says that it has no room. */
static void
limit_memory(struct job *job)
{
    const int64_t limit = job->ctx->options.memory_limit;
    const int64_t left = limit - (int64_t)atomic_load(&job->ctx->used_bytes);

    if (limit > 0)
        job->info.mem->max_memory_to_use = left > 1 ? (long)left : 1;
}

static int
begin(struct job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    const int64_t width = info->image_width, height = info->image_height;

    FINE__TRY(fine__image_check_claim(width, height, job->n_bytes,
                                      info->arith_code ? 0 : PIXELS_A_BYTE, job->name));
    if (info->num_components == 2 || info->num_components > INKS)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: has %d channels; grey, colour and four inks are read: convert it",
                          job->name, info->num_components);
    FINE__TRY(fine__image_new(&job->image, job->ctx, width, height));
    info->out_color_space = JCS_RGB;
    if (info->num_components == INKS) {
        info->out_color_space = JCS_CMYK;
        job->inks = fine__alloc(job->ctx, (size_t)(width * INKS));
        if (job->inks == NULL)
            return FINE_ENOMEM;
    }
    limit_memory(job);
    return FINE_OK;
}

/* a * b / 255, rounded. */
static int
part_of(int a, int b)
{
    const int product = a * b + 128;

    return (product + (product >> 8)) >> 8;
}

/* Inks are stored inverted, as Adobe's programs do and Pillow always assumes. */
static void
mix_inks(uint8_t *to, const uint8_t *inks, int64_t width)
{
    for (int64_t x = 0; x < width; x++, inks += INKS, to += FINE__IMAGE_CHANNELS) {
        const int light = inks[INKS - 1];

        for (int c = 0; c < FINE__IMAGE_CHANNELS; c++)
            to[c] = (uint8_t)(light - part_of(255 - inks[c], light));
    }
}

static void
read_rows(struct job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    const int64_t width = job->image.width;

    while (info->output_scanline < info->output_height) {
        uint8_t *to = job->image.pixels + info->output_scanline * width * FINE__IMAGE_CHANNELS;
        JSAMPROW row = job->inks != NULL ? job->inks : to;

        (void)jpeg_read_scanlines(info, &row, 1);
        if (job->inks != NULL)
            mix_inks(to, job->inks, width);
    }
}

static const unsigned char exif_name[] = { 'E', 'x', 'i', 'f', 0, 0 };

static int
orientation_of(const struct jpeg_decompress_struct *info)
{
    for (const struct jpeg_marker_struct *m = info->marker_list; m != NULL; m = m->next)
        if (m->data_length > sizeof exif_name && memcmp(m->data, exif_name, sizeof exif_name) == 0)
            return fine__exif_orientation(m->data + sizeof exif_name,
                                          m->data_length - sizeof exif_name);
    return 1;
}

/* The only function that setjmp() returns into: it changes no variable of its own. */
static bool
run(struct job *job, int *orientation, const unsigned char *bytes)
{
    if (setjmp(job->failed) != 0)
        return false;
    jpeg_create_decompress(&job->info);
    set_up(job, bytes);
    jpeg_save_markers(&job->info, JPEG_APP0 + 1, 0xffff);
    (void)jpeg_read_header(&job->info, TRUE);
    job->rc = begin(job);
    if (job->rc < 0)
        return false;
    *orientation = orientation_of(&job->info);
    (void)jpeg_start_decompress(&job->info);
    read_rows(job);
    (void)jpeg_finish_decompress(&job->info);
    return true;
}

int
fine__jpeg_decode(struct fine__image *out, int *orientation, fine_context *ctx,
                  const unsigned char *bytes, size_t n_bytes, const char *name)
{
    struct job *job = fine__alloc_array(ctx, 1, sizeof *job);
    int rc = FINE_OK;

    if (job == NULL)
        return FINE_ENOMEM;
    job->ctx = ctx;
    job->name = name;
    job->n_bytes = n_bytes;
    job->info.err = jpeg_std_error(&job->errors);
    job->info.client_data = job;
    job->errors.error_exit = give_up;
    job->errors.emit_message = note;
    job->errors.output_message = print_nothing;
    if (run(job, orientation, bytes)) {
        *out = job->image;
    } else {
        rc = job->rc;
        if (rc == 0 && (job->errors.msg_code == JERR_OUT_OF_MEMORY ||
                        job->errors.msg_code == JERR_NO_BACKING_STORE))
            rc = fine__fail(FINE_ENOMEM,
                            "%s: no memory is left for decoding it; raise memory_limit, or make "
                            "the picture smaller",
                            name);
        else if (rc == 0)
            rc = fine__fail(FINE_EFORMAT, "%s: damaged JPEG: %s", name, job->message);
        fine__image_free(ctx, &job->image);
    }
    jpeg_destroy_decompress(&job->info);
    fine__free(ctx, job->inks);
    fine__free(ctx, job);
    return rc;
}
