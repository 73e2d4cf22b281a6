/*
 * efficientnet_config.c — from a configuration to the blocks of an EfficientNet: a plan of
 * stages is read, checked, and laid out block by block as its source would.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/efficientnet_plan.h"

/* ---- blocks ---- */

static bool
is_even(const struct fine__plan *plan, int64_t block)
{
    if (plan->even_list == NULL) {
        for (int64_t i = 0; plan->even != NULL && plan->even[i] >= 0; i++)
            if (plan->even[i] == block)
                return true;
        return false;
    }
    for (int64_t i = 0; i < fine__json_count(plan->even_list); i++)
        if (fine__json_int(fine__json_at(plan->even_list, i), -1) == block)
            return true;
    return false;
}

/* transformers pads one less before a convolution of stride 2, but for the listed blocks. */
static struct fine__pads
pads_of(const struct fine__plan *plan, int64_t side, int64_t kernel, int64_t stride, bool even)
{
    const int64_t half = kernel / 2;

    if (plan->padding == FINE__PAD_SAME)
        return fine__same_pads(side, kernel, stride);
    if (plan->padding == FINE__PAD_TRANSFORMERS && stride == 2 && !even)
        return (struct fine__pads){ half - 1, half };
    return (struct fine__pads){ half, half };
}

static int64_t
halved(int64_t side, int64_t stride)
{
    return (side + stride - 1) / stride;
}

static void
lay_blocks(struct fine__efficientnet *net, const struct fine__plan *plan)
{
    int64_t n = 0, side = plan->image_size;

    net->stem_pads = pads_of(plan, side, 3, 2, false);
    side = halved(side, 2);
    for (int64_t i = 0; i < plan->n_stages; i++) {
        const struct fine__stage *stage = &plan->stages[i];

        for (int64_t j = 0; j < stage->repeats; j++, n++) {
            struct fine__mbconv *block = &net->blocks[n];

            block->stage = i + 1;
            block->place = j;
            block->in = j > 0 ? stage->out : stage->in;
            block->out = stage->out;
            block->kernel = stage->kernel;
            block->stride = j > 0 ? 1 : stage->stride;
            block->expands = stage->expand != 1;
            block->middle = block->in * stage->expand;
            block->squeeze = (int64_t)((double)block->in * plan->squeeze);
            if (plan->squeeze > 0 && block->squeeze < 1)
                block->squeeze = 1;
            /* transformers looks at the place, the others at the shapes. */
            block->skips = block->stride == 1 && (plan->padding == FINE__PAD_TRANSFORMERS
                                                      ? j > 0 : block->in == block->out);
            block->pads = pads_of(plan, side, block->kernel, block->stride, is_even(plan, n));
            block->drop = plan->drop * (double)n / (double)net->n_blocks;
            side = halved(side, block->stride);
        }
    }
}

static int
check_plan(const struct fine__plan *plan, int64_t *n_blocks)
{
    int rc = 0;

    *n_blocks = 0;
    for (int64_t i = 0; i < plan->n_stages; i++) {
        const struct fine__stage *stage = &plan->stages[i];
        const int64_t widest = stage->in > stage->out ? stage->in : stage->out;

        *n_blocks += stage->repeats;
        if (stage->kernel % 2 == 0)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has a kernel of %lld; only "
                            "odd sizes are supported", (long long)i, (long long)stage->kernel);
        else if (stage->kernel == 1 && stage->stride == 2)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has a kernel of 1 and a "
                            "stride of 2; a kernel of at least 3 is needed", (long long)i);
        if (stage->repeats > FINE__MAX_REPEATS || widest * stage->expand > 4 * FINE__MAX_CHANNELS)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has %lld blocks of up to "
                            "%lld channels; at most %d of %d are supported", (long long)i,
                            (long long)stage->repeats, (long long)(widest * stage->expand),
                            FINE__MAX_REPEATS, 4 * FINE__MAX_CHANNELS);
    }
    if (plan->top > 4 * FINE__MAX_CHANNELS || plan->stem > FINE__MAX_CHANNELS)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: the stem has %lld channels, the last "
                        "convolution %lld; at most %d and %d are supported", (long long)plan->stem,
                        (long long)plan->top, FINE__MAX_CHANNELS, 4 * FINE__MAX_CHANNELS);
    return rc;
}

static struct fine__efficientnet *
lay(fine_model *model, const struct fine__plan *plan, int64_t n_blocks)
{
    const size_t size = sizeof(struct fine__efficientnet) +
                        (size_t)n_blocks * sizeof(struct fine__mbconv);
    struct fine__efficientnet *net = fine__alloc(model->ctx, size);

    if (net == NULL)
        return NULL;
    memset(net, 0, size);
    net->same = plan->padding == FINE__PAD_SAME && plan->image_size == 0;
    model->image_size = plan->usual_size > 0   ? plan->usual_size
                        : plan->image_size > 0 ? plan->image_size : 224;
    net->drops_elements = plan->drops_elements;
    net->activation = plan->activation;
    net->momentum = plan->momentum;
    net->expand_momentum = plan->expand_momentum;
    net->stem = plan->stem;
    net->top = plan->top;
    net->n_stages = plan->n_stages;
    net->n_blocks = n_blocks;
    lay_blocks(net, plan);
    return net;
}

/* ---- all together ---- */

static int
make_plan(struct fine__plan *plan, enum fine__school school, const struct fine__json *config)
{
    const char *name = fine__json_string(fine__json_get(config, "architecture"), NULL);

    memset(plan, 0, sizeof *plan);
    plan->n_images = 3;
    if (name == NULL)
        return school == FINE__TRANSFORMERS
                   ? fine__plan_transformers(plan, config)
                   : fine__also(FINE_EUNSUPPORTED, "config.json: the weights are not named as "
                                "transformers names them, and no 'architecture' says which "
                                "EfficientNet they are");
    return fine__is_efficientnet(name) ? fine__plan_preset(plan, school, config, name)
                                       : fine__plan_list(plan, config);
}

int
fine__configure_efficientnet(fine_model *model, enum fine__school school,
                             const struct fine__json *config, double dropout)
{
    struct fine__efficientnet *net;
    struct fine__plan plan;
    int64_t n_blocks;

    FINE__TRY(make_plan(&plan, school, config));
    FINE__TRY(check_plan(&plan, &n_blocks));
    FINE__TRY(fine__config_real(config, "initializer_range", 0, 10, 0.02, &model->init_std));
    if (dropout >= 0)
        plan.dropout = dropout;
    if (dropout == 0)
        plan.drop = 0;
    net = lay(model, &plan, n_blocks);
    if (net == NULL)
        return FINE_ENOMEM;
    net->school = school;
    net->by_stage = school == FINE__TIMM || school == FINE__TORCHVISION;
    model->config = net;
    model->n_layers = plan.n_stages + 1;
    model->n_states = net->by_stage ? plan.n_stages + 2 : n_blocks + 1;
    model->n_channels = plan.n_images;
    model->width = plan.top;
    model->eps = plan.eps;
    model->activation = plan.activation;
    model->head_dropout[FINE__CLASSIFY_IMAGE] = plan.dropout;
    return 0;
}
