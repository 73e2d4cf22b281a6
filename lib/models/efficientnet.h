/*
 * efficientnet.h — what an EfficientNet is made of, whoever wrote its checkpoint down.
 *
 * Four sources build the same network and differ in names, in padding, in where the skip is
 * and in the constants of their batch norms. All of that is settled block by block before
 * anything is built (efficientnet_config.c); what builds and runs it (efficientnet.c) asks
 * for a source only to spell a name.
 */
#ifndef FINE__EFFICIENTNET_H
#define FINE__EFFICIENTNET_H

#include "models/family.h"

enum fine__school {
    FINE__TRANSFORMERS, FINE__TIMM, FINE__TORCHVISION, FINE__EFFICIENTNET_PYTORCH, FINE__N_SCHOOLS
};

/* Zeros around an image: before its first row and column, and after its last. */
struct fine__pads {
    int64_t before, after;
};

/* TensorFlow's "same" for one side of an image: ceil(side / stride) numbers come out. */
static inline struct fine__pads
fine__same_pads(int64_t side, int64_t kernel, int64_t stride)
{
    const int64_t needed = ((side + stride - 1) / stride - 1) * stride + kernel;
    const int64_t total = needed > side ? needed - side : 0;

    return (struct fine__pads){ total / 2, total - total / 2 };
}

/* One inverted bottleneck. */
struct fine__mbconv {
    int64_t stage, place;           /* the stage, from 1; the block within it, from 0 */
    int64_t in, middle, out, kernel, stride;
    int64_t squeeze;                /* width within the squeeze-and-excitation; 0: there is none */
    bool expands, skips;
    struct fine__pads pads;         /* of the depthwise convolution, unless they follow the image */
    double drop;                    /* probability that the skip is all that is left of it */
    int64_t first, norm;            /* its first parameter, its first batch norm */
};

struct fine__efficientnet {
    enum fine__school school;
    bool same;                      /* pads follow the image: TensorFlow's "same" */
    bool drops_elements;            /* not whole images, which is what stochastic depth does */
    bool by_stage;                  /* hidden states: one a stage, not one a block */
    enum fine__activation activation;
    double momentum, expand_momentum;   /* of batch norms; of those after an expansion */
    int64_t stem, top, n_stages, n_blocks;
    int64_t first_top, norm_top;    /* the last convolution, its batch norm */
    struct fine__pads stem_pads;
    struct fine__mbconv blocks[];
};

/* Whether a name says all: "tf_efficientnet_b0", "efficientnet-lite0". */
bool fine__is_efficientnet(const char *architecture);
/* fine__family.configure for one of the schools. */
int fine__configure_efficientnet(fine_model *model, enum fine__school school,
                                 const struct fine__json *config, double dropout);

#endif
