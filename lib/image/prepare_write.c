/*
 * prepare_write.c — settings as a preprocessor_config.json, for the folder of a saved model.
 *
 * In the words of the transformers class that does the same, so that Python prepares pictures as
 * this library did; what no class has (rounding as torchvision does it) stands in keys of our
 * own, which transformers keeps and ignores. Reading it back gives the same settings.
 */
#include "base/buf.h"
#include "image/image.h"

static void
write_key(struct fine__buf *out, const char *key)
{
    fine__buf_printf(out, ",\n  \"%s\": ", key);
}

static void
write_bool(struct fine__buf *out, const char *key, bool value)
{
    write_key(out, key);
    fine__buf_text(out, value ? "true" : "false");
}

static void
write_size(struct fine__buf *out, const char *key, int64_t height, int64_t width)
{
    write_key(out, key);
    fine__buf_printf(out, "{\"height\": %lld, \"width\": %lld}", (long long)height,
                     (long long)width);
}

static void
write_channels(struct fine__buf *out, const char *key, const double *values)
{
    write_key(out, key);
    for (int c = 0; c < FINE__IMAGE_CHANNELS; c++) {
        fine__buf_text(out, c == 0 ? "[" : ", ");
        fine__buf_number(out, values[c]);
    }
    fine__buf_text(out, "]");
}

int
fine__preparing_write(const struct fine__preparing *p, struct fine__buf *out)
{
    const bool is_efficientnet = p->offset || p->again;

    fine__buf_printf(out, "{\n  \"image_processor_type\": \"%sImageProcessor\"",
                     is_efficientnet ? "EfficientNet" : "Bit");
    write_bool(out, "do_resize", p->fit != FINE__FIT_NONE);
    if (p->fit == FINE__FIT_SHORTER) {
        write_key(out, "size");
        fine__buf_printf(out, "{\"shortest_edge\": %lld}", (long long)p->shorter);
    } else if (p->fit != FINE__FIT_NONE) {
        write_size(out, "size", p->height, p->width);
    }
    write_key(out, "resample");
    fine__buf_printf(out, "%d", (int)p->filter);
    write_bool(out, "do_center_crop", p->crop_width > 0);
    if (p->crop_width > 0)
        write_size(out, "crop_size", p->crop_height, p->crop_width);
    write_bool(out, "do_rescale", p->rescale);
    write_key(out, "rescale_factor");
    fine__buf_number(out, p->factor);
    if (is_efficientnet) {
        write_bool(out, "rescale_offset", p->offset);
        write_bool(out, "include_top", p->again);
    }
    write_bool(out, "do_normalize", p->normalize);
    write_channels(out, "image_mean", p->mean);
    write_channels(out, "image_std", p->std);
    if (p->fit == FINE__FIT_COVER)
        write_bool(out, "finetune_cover", true);
    if (p->centring == FINE__CENTRE_EVEN)
        write_bool(out, "finetune_centre_even", true);
    fine__buf_text(out, "\n}\n");
    return fine__buf_status(out);
}
