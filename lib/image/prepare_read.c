/*
 * prepare_read.c — how a model's pictures were prepared, as its makers wrote it down.
 *
 * transformers' preprocessor_config.json leaves much to the class that it names: defaults, and
 * what a size means. The table has the classes that come with convolutional networks; another
 * class is refused rather than guessed. timm's configurations say everything themselves.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "image/image.h"

enum { MAX_SIDE = 16384 };

#define HALVES \
    { \
        0.5, 0.5, 0.5 \
    }

/* A class of transformers, and what it does where the file is silent. */
struct processor {
    const char *name; /* the class is <name>ImageProcessor… or …FeatureExtractor */
    enum fine__filter filter;
    int64_t size;
    bool size_is_shorter; /* what a size that is one number means */
    int64_t crop;         /* 0: no crop unless do_center_crop says so */
    int64_t crop_when_asked;
    double mean[FINE__IMAGE_CHANNELS], std[FINE__IMAGE_CHANNELS];
};

#define CLIP_MEAN \
    { \
        0.48145466, 0.4578275, 0.40821073 \
    }
#define CLIP_STD \
    { \
        0.26862954, 0.26130258, 0.27577711 \
    }

static const struct processor processors[] = {
    { "ConvNext", FINE__BICUBIC, 384, true, 0, 0, HALVES, HALVES },
    { "EfficientNet", FINE__BICUBIC, 346, false, 0, 289, HALVES, HALVES },
    { "ViT", FINE__BILINEAR, 224, false, 0, 0, HALVES, HALVES },
    { "Bit", FINE__BICUBIC, 224, true, 224, 224, CLIP_MEAN, CLIP_STD },
    { "CLIP", FINE__BICUBIC, 224, true, 224, 224, CLIP_MEAN, CLIP_STD },
    { "DeiT", FINE__BICUBIC, 256, false, 224, 224, HALVES, HALVES },
};

enum { CONVNEXT, EFFICIENTNET, VIT };

/* ConvNext's processor crops below this size, and bends the picture from it on. */
enum { CONVNEXT_BENDS = 384 };

struct reading {
    const struct fine__json *json;
    const char *what;
    int rc;
};

static void
also(struct reading *r, const char *key, const char *wanted)
{
    r->rc = fine__also(FINE_EFORMAT, "%s: '%s' must be %s", r->what, key, wanted);
}

/* NULL where there is nothing, or null. */
static const struct fine__json *
member(const struct reading *r, const char *key)
{
    const struct fine__json *value = fine__json_get(r->json, key);

    return fine__json_type(value) == FINE__JSON_NULL ? NULL : value;
}

static bool
read_bool(struct reading *r, const char *key, bool fallback)
{
    const struct fine__json *value = member(r, key);

    if (value != NULL && fine__json_type(value) != FINE__JSON_BOOL)
        also(r, key, "true or false");
    return fine__json_bool(value, fallback);
}

static double
read_number(struct reading *r, const char *key, double low, double high, double fallback)
{
    double number = fallback;
    int rc;

    if (member(r, key) == NULL)
        return fallback;
    rc = fine__json_want_double(r->json, key, low, high, fallback, &number, r->what);
    if (rc < 0)
        r->rc = rc;
    return number;
}

/* Three numbers, or one for all three. */
static void
read_channels(struct reading *r, const char *key, double low, double *out)
{
    const struct fine__json *value = member(r, key);
    const bool is_list = fine__json_type(value) == FINE__JSON_ARRAY;
    bool good = !is_list || fine__json_count(value) == FINE__IMAGE_CHANNELS;

    if (value == NULL)
        return;
    for (int c = 0; c < FINE__IMAGE_CHANNELS && good; c++) {
        const struct fine__json *one = is_list ? fine__json_at(value, c) : value;
        const double number = fine__json_double(one, NAN);

        good = number >= low && number <= 1e6;
        if (good)
            out[c] = number;
    }
    if (!good)
        also(r, key, low > 0 ? "three numbers above 0" : "three numbers");
}

static int64_t
side(const struct fine__json *value)
{
    const int64_t n = fine__json_int(value, 0);

    return n >= 1 && n <= MAX_SIDE ? n : 0;
}

/* Any of the ways that versions of transformers wrote a size: one number, [height, width],
 * {"shortest_edge"}, {"height", "width"}. *shorter is 0 unless it is the shorter side's. False,
 * and a finding, where it is none of them. */
static bool
read_size(struct reading *r, const char *key, bool one_is_shorter, int64_t *height, int64_t *width,
          int64_t *shorter)
{
    const struct fine__json *value = member(r, key);
    const int64_t n = fine__json_count(value);

    *height = *width = *shorter = 0;
    if (fine__json_type(value) == FINE__JSON_INTEGER) {
        *(one_is_shorter ? shorter : height) = side(value);
        *width = *height;
    } else if (fine__json_type(value) == FINE__JSON_ARRAY && n == 2) {
        *height = side(fine__json_at(value, 0));
        *width = side(fine__json_at(value, 1));
    } else if (fine__json_get(value, "shortest_edge") != NULL && n == 1) {
        *shorter = side(fine__json_get(value, "shortest_edge"));
    } else if (n == 2) {
        *height = side(fine__json_get(value, "height"));
        *width = side(fine__json_get(value, "width"));
    }
    if (*shorter > 0 || (*height > 0 && *width > 0))
        return true;
    also(r, key, "a number, {\"shortest_edge\"}, or {\"height\", \"width\"}, from 1 to 16384");
    return false;
}

static void
read_crop(struct reading *r, struct fine__preparing *p, const struct processor *class)
{
    int64_t shorter;

    if (!read_bool(r, "do_center_crop", class->crop > 0))
        return;
    if (member(r, "crop_size") != NULL) {
        (void)read_size(r, "crop_size", false, &p->crop_height, &p->crop_width, &shorter);
        if (shorter > 0)
            p->crop_height = p->crop_width = shorter;
    } else if (class->crop_when_asked > 0) {
        p->crop_height = p->crop_width = class->crop_when_asked;
    } else {
        also(r, "crop_size", "there, as do_center_crop is true");
    }
}

/* Below 384: larger by 1 / crop_pct, and the middle of that; from 384 on: bent into a square. */
static void
resize_as_convnext(struct reading *r, struct fine__preparing *p)
{
    const double part = read_number(r, "crop_pct", 0.01, 1, 224.0 / 256);

    if (p->fit != FINE__FIT_SHORTER) {
        also(r, "size", "{\"shortest_edge\"} for a ConvNext processor");
    } else if (p->shorter >= CONVNEXT_BENDS) {
        p->fit = FINE__FIT_EXACT;
        p->width = p->height = p->shorter;
    } else if (p->crop_width > 0 && (p->crop_width != p->shorter || p->crop_height != p->shorter)) {
        also(r, "do_center_crop",
             "false for a ConvNext processor, which crops to 'size' by itself");
    } else {
        p->crop_width = p->crop_height = p->shorter;
        p->shorter = (int64_t)((double)p->shorter / part);
    }
}

static void
read_resizing(struct reading *r, struct fine__preparing *p, const struct processor *class)
{
    if (!read_bool(r, "do_resize", true))
        return;
    p->fit = class->size_is_shorter ? FINE__FIT_SHORTER : FINE__FIT_EXACT;
    p->shorter = p->width = p->height = class->size;
    if (member(r, "size") != NULL) {
        if (!read_size(r, "size", class->size_is_shorter, &p->height, &p->width, &p->shorter))
            return;
        p->fit = p->shorter > 0 ? FINE__FIT_SHORTER : FINE__FIT_EXACT;
    }
    if (class == &processors[CONVNEXT])
        resize_as_convnext(r, p);
}

static void
read_filter(struct reading *r, struct fine__preparing *p, const struct processor *class)
{
    int64_t filter = class->filter;
    int rc = 0;

    if (member(r, "resample") != NULL)
        rc = fine__json_want_int(r->json, "resample", FINE__NEAREST, FINE__HAMMING, filter, &filter,
                                 r->what);
    if (rc < 0)
        r->rc = rc;
    else
        p->filter = (enum fine__filter)filter;
}

/* What some processors do and this library doesn't. */
static void
refuse_others(struct reading *r)
{
    static const char *const keys[] = { "do_pad", "do_flip_channel_order", "do_thumbnail",
                                        "do_align_long_axis", "do_image_splitting" };

    for (int64_t i = 0; i < FINE__COUNT(keys); i++)
        if (read_bool(r, keys[i], false))
            r->rc = fine__also(FINE_EUNSUPPORTED, "%s: '%s' is not done by this library", r->what,
                               keys[i]);
}

static const struct processor *
find_processor(const struct reading *r)
{
    static const char *const endings[] = { "ImageProcessor", "FeatureExtractor" };
    const char *name = fine__json_string(fine__json_get(r->json, "image_processor_type"), NULL);

    if (name == NULL)
        name = fine__json_string(fine__json_get(r->json, "feature_extractor_type"), NULL);
    if (name == NULL)
        return fine__json_get(r->json, "crop_pct") != NULL         ? &processors[CONVNEXT]
               : fine__json_get(r->json, "rescale_offset") != NULL ? &processors[EFFICIENTNET]
                                                                   : &processors[VIT];
    for (int64_t i = 0; i < FINE__COUNT(processors); i++) {
        const size_t length = strlen(processors[i].name);

        if (strncmp(name, processors[i].name, length) != 0)
            continue;
        for (int64_t e = 0; e < FINE__COUNT(endings); e++)
            if (strncmp(name + length, endings[e], strlen(endings[e])) == 0)
                return &processors[i];
    }
    fine__fail(FINE_EUNSUPPORTED,
               "%s: pictures are prepared by a '%s', which is not known here; those of ConvNext, "
               "EfficientNet, ViT, Bit, CLIP and DeiT are",
               r->what, name);
    return NULL;
}

static int
read_transformers(struct fine__preparing *out, struct reading *r)
{
    const struct processor *class = find_processor(r);
    struct fine__preparing p = { .centring = FINE__CENTRE_DOWN };

    if (class == NULL)
        return FINE_EUNSUPPORTED;
    fine__error_clear();
    read_crop(r, &p, class);
    read_resizing(r, &p, class);
    read_filter(r, &p, class);
    refuse_others(r);
    p.rescale = read_bool(r, "do_rescale", true);
    p.factor = read_number(r, "rescale_factor", 1e-9, 1e9, 1.0 / 255);
    p.normalize = read_bool(r, "do_normalize", true);
    memcpy(p.mean, class->mean, sizeof p.mean);
    memcpy(p.std, class->std, sizeof p.std);
    read_channels(r, "image_mean", -1e6, p.mean);
    read_channels(r, "image_std", 1e-9, p.std);
    if (read_bool(r, "finetune_centre_even", false))
        p.centring = FINE__CENTRE_EVEN;
    if (read_bool(r, "finetune_cover", false) && p.fit == FINE__FIT_EXACT)
        p.fit = FINE__FIT_COVER;
    if (class == &processors[EFFICIENTNET]) {
        p.offset = read_bool(r, "rescale_offset", false);
        p.again = read_bool(r, "include_top", true);
    }
    if (r->rc < 0)
        return r->rc;
    *out = p;
    return FINE_OK;
}

static void
read_timm_filter(struct reading *r, struct fine__preparing *p)
{
    static const char *const names[] = { "nearest", "lanczos", "bilinear",
                                         "bicubic", "box",     "hamming" };
    const char *name = fine__json_string(fine__json_get(r->json, "interpolation"), NULL);

    p->filter = FINE__BICUBIC;
    if (name == NULL && member(r, "interpolation") == NULL)
        return;
    for (int i = 0; i < (int)FINE__COUNT(names); i++)
        if (name != NULL && strcmp(name, names[i]) == 0) {
            p->filter = (enum fine__filter)i;
            return;
        }
    also(r, "interpolation", "nearest, lanczos, bilinear, bicubic, box or hamming");
}

static void
read_timm_fit(struct reading *r, struct fine__preparing *p)
{
    const double part = read_number(r, "crop_pct", 0.01, 1, 0.875);
    const char *mode = fine__json_string(fine__json_get(r->json, "crop_mode"), NULL);

    p->width = (int64_t)floor((double)p->crop_width / part);
    p->height = (int64_t)floor((double)p->crop_height / part);
    p->shorter = p->width;
    p->fit = p->width == p->height ? FINE__FIT_SHORTER : FINE__FIT_COVER;
    if (mode != NULL && strcmp(mode, "squash") == 0)
        p->fit = FINE__FIT_EXACT;
    else if (mode != NULL && strcmp(mode, "center") != 0)
        r->rc = fine__also(FINE_EUNSUPPORTED,
                           "%s: 'crop_mode' '%s' is not done by this library; center and squash "
                           "are",
                           r->what, mode);
}

static int
read_timm(struct fine__preparing *out, struct reading *r)
{
    const struct fine__json *size = member(r, "input_size");
    struct fine__preparing p;

    fine__preparing_plain(&p);
    p.crop_height = p.crop_width = 224;
    fine__error_clear();
    if (size != NULL) {
        p.crop_height = side(fine__json_at(size, 1));
        p.crop_width = side(fine__json_at(size, 2));
        if (fine__json_count(size) != 3 || fine__json_int(fine__json_at(size, 0), 0) != 3 ||
            p.crop_height == 0 || p.crop_width == 0)
            also(r, "input_size", "[3, height, width], from 1 to 16384");
    }
    read_timm_fit(r, &p);
    read_timm_filter(r, &p);
    read_channels(r, "mean", -1e6, p.mean);
    read_channels(r, "std", 1e-9, p.std);
    if (r->rc < 0)
        return r->rc;
    *out = p;
    return FINE_OK;
}

int
fine__preparing_read(struct fine__preparing *out, const struct fine__json *json, const char *what)
{
    const struct fine__json *timm = fine__json_get(json, "pretrained_cfg");
    struct reading r = { json, what, FINE_OK };

    if (fine__json_type(json) != FINE__JSON_OBJECT)
        return fine__fail(FINE_EFORMAT, "%s: must be an object", what);
    if (fine__json_type(timm) == FINE__JSON_OBJECT)
        r.json = timm;
    else if (fine__json_get(json, "input_size") == NULL)
        return read_transformers(out, &r);
    return read_timm(out, &r);
}
