/*
 * efficientnet_plan.h — stages of an EfficientNet and what is done with them, before it is
 * laid out block by block: where every way of saying which network it is leads to.
 */
#ifndef FINE__EFFICIENTNET_PLAN_H
#define FINE__EFFICIENTNET_PLAN_H

#include "models/efficientnet.h"

enum {
    FINE__MAX_STAGES = 64, FINE__MAX_REPEATS = 64, FINE__MAX_CHANNELS = 1 << 14,
    FINE__MAX_KERNEL = 15
};

struct fine__stage {
    int64_t expand, kernel, stride, in, out, repeats;
};

enum fine__padding { FINE__PAD_SYMMETRIC, FINE__PAD_SAME, FINE__PAD_TRANSFORMERS };

struct fine__plan {
    struct fine__stage stages[FINE__MAX_STAGES];
    int64_t n_stages, n_images, stem, top;
    double squeeze;                 /* of a block's input; 0: none */
    enum fine__activation activation;
    double eps, momentum, expand_momentum;
    double dropout, drop;           /* before the head; of a block after the last */
    bool drops_elements;
    enum fine__padding padding;
    int64_t image_size;             /* "same" as for images of this size; 0: as each image asks */
    int64_t usual_size;             /* of images; 0: nobody says */
    /* transformers: blocks whose stride doesn't shift the padding; a list, or up to a -1. */
    const struct fine__json *even_list;
    const int8_t *even;
};

enum { FINE__BASE_STEM = 32, FINE__BASE_TOP = 1280 };

/* Widths are multiples of the divisor, and lose less than a tenth by that. */
int64_t fine__round_width(double width, int64_t divisor);

/* All fill in a plan that is zero but for n_images, and add their findings. By a name that
 * is one (fine__is_efficientnet), with timm's arguments where the configuration has them: */
int fine__plan_preset(struct fine__plan *plan, enum fine__school school,
                      const struct fine__json *config, const char *architecture);
/* a list of stages: */
int fine__plan_list(struct fine__plan *plan, const struct fine__json *config);
/* transformers' configuration: */
int fine__plan_transformers(struct fine__plan *plan, const struct fine__json *config);

#endif
