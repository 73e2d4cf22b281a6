/*
 * efficientnet_config.c — from a name or a configuration to the blocks of an EfficientNet.
 *
 * EfficientNet-B0 to B7 (Tan and Le, arXiv 1905.11946) are one plan of seven stages, widened
 * and deepened; Lite0 to Lite4 leave out squeeze-and-excitation, cut activations at 6, and
 * scale neither the stem nor the first and last stage. A plan comes from such a name, from
 * transformers' configuration, or from a list of stages. What sources do differently with the
 * same plan is a row of a table here.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/efficientnet.h"

enum { MAX_STAGES = 64, MAX_REPEATS = 64, MAX_WIDTH = 1 << 14, MAX_KERNEL = 15 };

struct stage {
    int64_t expand, kernel, stride, in, out, repeats;
};

struct plan {
    struct stage stages[MAX_STAGES];
    int64_t n_stages, n_images, stem, top;
    double squeeze;                 /* of a block's input; 0: none */
    enum fine__activation activation;
    double eps, momentum, expand_momentum;
    double dropout, drop;           /* before the head; of a block after the last */
    bool drops_elements;
    enum { SYMMETRIC, SAME, TRANSFORMERS } padding;
    int64_t image_size;             /* "same" as for images of this size; 0: as each image asks */
    int64_t usual_size;             /* of images */
    /* transformers: blocks whose stride doesn't shift the padding */
    const struct fine__json *even_list;
    const int8_t *even;
};

/* ---- presets ---- */

static const struct stage base_stages[] = {
    { 1, 3, 1, 32, 16, 1 }, { 6, 3, 2, 16, 24, 2 }, { 6, 5, 2, 24, 40, 2 }, { 6, 3, 2, 40, 80, 3 },
    { 6, 5, 1, 80, 112, 3 }, { 6, 5, 2, 112, 192, 4 }, { 6, 3, 1, 192, 320, 1 },
};
enum { BASE_STEM = 32, BASE_TOP = 1280, DIVISOR = 8 };

struct preset {
    const char *name;
    double width, depth, dropout;
    int64_t image_size;
    bool lite;
    int8_t even[4];                 /* as transformers' converted checkpoints list them; -1 ends */
};

static const struct preset presets[] = {
    { "b0", 1.0, 1.0, 0.2, 224, false, { -1 } },
    { "b1", 1.0, 1.1, 0.2, 240, false, { 16, -1 } },
    { "b2", 1.1, 1.2, 0.3, 260, false, { 5, 8, 16, -1 } },
    { "b3", 1.2, 1.4, 0.3, 300, false, { 5, 18, -1 } },
    { "b4", 1.4, 1.8, 0.4, 380, false, { 6, -1 } },
    { "b5", 1.6, 2.2, 0.4, 456, false, { 13, 27, -1 } },
    { "b6", 1.8, 2.6, 0.5, 528, false, { 31, -1 } },
    { "b7", 2.0, 3.1, 0.5, 600, false, { 18, -1 } },
    { "lite0", 1.0, 1.0, 0.2, 224, true, { -1 } },
    { "lite1", 1.0, 1.1, 0.2, 240, true, { -1 } },
    { "lite2", 1.1, 1.2, 0.3, 260, true, { -1 } },
    { "lite3", 1.2, 1.4, 0.3, 280, true, { -1 } },
    { "lite4", 1.4, 1.8, 0.3, 300, true, { -1 } },
};

/* Widths are multiples of the divisor, and lose less than a tenth by that. */
static int64_t
round_width(double width, int64_t divisor)
{
    const double d = (double)divisor, whole = floor((floor(width + d / 2)) / d) * d;
    const double least = whole < d ? d : whole;

    return (int64_t)(least < 0.9 * width ? least + d : least);
}

/* "tf_efficientnet_b0", "efficientnet-lite0", timm's tags after a dot included: the row, NULL
 * where it is none. */
static const struct preset *
find_preset(const char *architecture, bool *tensorflow)
{
    static const char tf[] = "tf_", base[] = "efficientnet";
    const char *dot;
    size_t length;

    *tensorflow = strncmp(architecture, tf, sizeof tf - 1) == 0;
    if (*tensorflow)
        architecture += sizeof tf - 1;
    if (strncmp(architecture, base, sizeof base - 1) != 0)
        return NULL;
    architecture += sizeof base - 1;
    if (*architecture != '_' && *architecture != '-')
        return NULL;
    architecture++;
    dot = strchr(architecture, '.');
    length = dot != NULL ? (size_t)(dot - architecture) : strlen(architecture);
    for (int64_t i = 0; i < FINE__COUNT(presets); i++)
        if (strlen(presets[i].name) == length && memcmp(presets[i].name, architecture, length) == 0)
            return &presets[i];
    return NULL;
}

static void
scale_stages(struct plan *plan, const struct preset *preset)
{
    const double width = preset->width;
    const int64_t n = FINE__COUNT(base_stages);

    plan->n_stages = n;
    plan->stem = preset->lite ? BASE_STEM : round_width(BASE_STEM * width, DIVISOR);
    plan->top = preset->lite ? BASE_TOP : round_width(BASE_TOP * width, DIVISOR);
    for (int64_t i = 0; i < n; i++) {
        const bool fixed = preset->lite && (i == 0 || i == n - 1);
        struct stage *stage = &plan->stages[i];

        *stage = base_stages[i];
        stage->in = i > 0 ? plan->stages[i - 1].out : plan->stem;
        stage->out = round_width((double)base_stages[i].out * width, DIVISOR);
        if (!fixed)
            stage->repeats = (int64_t)ceil((double)base_stages[i].repeats * preset->depth);
    }
}

/* What each source makes of the same stages. */
static void
plan_preset(struct plan *plan, const struct preset *preset, enum fine__school school,
            bool tensorflow)
{
    static const struct {
        double eps, momentum, expand_momentum, drop;
        bool drops_elements, has_dropout;
    } habits[FINE__N_SCHOOLS] = {
        [FINE__TRANSFORMERS] = { 1e-3, 0.99, 0.1, 0.2, true, true },
        [FINE__TIMM] = { 1e-5, 0.1, 0.1, 0, false, false },
        [FINE__TORCHVISION] = { 1e-5, 0.1, 0.1, 0.2, false, true },
        [FINE__EFFICIENTNET_PYTORCH] = { 1e-3, 0.01, 0.01, 0.2, false, true },
    };

    scale_stages(plan, preset);
    plan->usual_size = preset->image_size;
    plan->squeeze = preset->lite ? 0 : 0.25;
    plan->activation = preset->lite ? FINE__RELU6 : FINE__SILU;
    plan->eps = habits[school].eps;
    plan->momentum = habits[school].momentum;
    plan->expand_momentum = habits[school].expand_momentum;
    plan->drop = habits[school].drop;
    plan->drops_elements = habits[school].drops_elements;
    plan->dropout = habits[school].has_dropout ? preset->dropout : 0;
    plan->padding = school == FINE__TRANSFORMERS ? TRANSFORMERS : SYMMETRIC;
    plan->even = preset->even;
    if (school == FINE__EFFICIENTNET_PYTORCH) {
        plan->padding = SAME;
        plan->image_size = preset->image_size;
    } else if (school == FINE__TIMM && tensorflow) {
        plan->padding = SAME;
        plan->eps = 1e-3;
    } else if (school == FINE__TORCHVISION && preset->width >= 1.6) {
        plan->eps = 1e-3;           /* B5 to B7, whose weights came from TensorFlow */
        plan->momentum = plan->expand_momentum = 0.01;
    }
}

/* ---- a list of stages ---- */

static int
read_stage(struct plan *plan, const struct fine__json *json, int64_t i)
{
    struct stage *stage = &plan->stages[i];
    const struct fine__config_size sizes[] = {
        { "expand", 1, 64, FINE__REQUIRED, &stage->expand },
        { "kernel", 1, MAX_KERNEL, FINE__REQUIRED, &stage->kernel },
        { "stride", 1, 2, FINE__REQUIRED, &stage->stride },
        { "out", 1, MAX_WIDTH, FINE__REQUIRED, &stage->out },
        { "repeats", 1, MAX_REPEATS, FINE__REQUIRED, &stage->repeats },
    };

    if (fine__json_type(json) != FINE__JSON_OBJECT)
        return fine__also(FINE_EFORMAT, "config.json: 'stages': item %lld is no object with "
                          "'expand', 'kernel', 'stride', 'out' and 'repeats'", (long long)i);
    FINE__TRY(fine__config_sizes(json, sizes, FINE__COUNT(sizes)));
    stage->in = i > 0 ? plan->stages[i - 1].out : plan->stem;
    return 0;
}

static int
read_padding(struct plan *plan, const struct fine__json *config)
{
    const struct fine__json *value = fine__json_get(config, "padding");
    const char *name = fine__json_string(value, NULL);

    if (value == NULL || (name != NULL && strcmp(name, "symmetric") == 0))
        plan->padding = SYMMETRIC;
    else if (name != NULL && strcmp(name, "same") == 0)
        plan->padding = SAME;
    else
        return fine__also(FINE_EUNSUPPORTED, "config.json: 'padding' must be 'symmetric' or "
                          "'same'");
    return 0;
}

static int
plan_list(struct plan *plan, const struct fine__json *config)
{
    const struct fine__json *stages = fine__json_get(config, "stages");
    const struct fine__config_size sizes[] = {
        { "stem", 1, MAX_WIDTH, FINE__REQUIRED, &plan->stem },
        { "head", 1, MAX_WIDTH, FINE__REQUIRED, &plan->top },
        { "image_size", 1, 1 << 16, 0, &plan->image_size },
    };
    int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));

    plan->n_stages = fine__json_count(stages);
    if (fine__json_type(stages) != FINE__JSON_ARRAY || plan->n_stages < 1 ||
        plan->n_stages > MAX_STAGES)
        return fine__also(FINE_EFORMAT, "config.json: 'stages' must be a list of 1 to %d stages",
                          MAX_STAGES);
    for (int64_t i = 0; i < plan->n_stages; i++)
        if (read_stage(plan, fine__json_at(stages, i), i) < 0)
            rc = FINE_EFORMAT;
    const int results[] = {
        read_padding(plan, config),
        fine__config_real(config, "squeeze", 0, 1, 0.25, &plan->squeeze),
        fine__config_real(config, "batch_norm_eps", 0, 1, 1e-5, &plan->eps),
        fine__config_real(config, "batch_norm_momentum", 0, 1, 0.1, &plan->momentum),
        fine__config_real(config, "dropout", 0, 0.999, 0, &plan->dropout),
        fine__config_real(config, "drop_path", 0, 0.999, 0, &plan->drop),
        fine__config_activation(config, "activation", "silu", &plan->activation),
    };

    plan->expand_momentum = plan->momentum;
    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        rc = rc < 0 ? rc : results[i];
    return rc;
}

/* ---- transformers' configuration ---- */

struct key {
    const char *name;
    int64_t least, most;
    int64_t defaults[7];
};

enum { KERNELS, INS, OUTS, STRIDES, REPEATS, EXPANSIONS, N_KEYS };
static const struct key keys[N_KEYS] = {
    [KERNELS] = { "kernel_sizes", 1, MAX_KERNEL, { 3, 3, 5, 3, 5, 5, 3 } },
    [INS] = { "in_channels", 1, MAX_WIDTH, { 32, 16, 24, 40, 80, 112, 192 } },
    [OUTS] = { "out_channels", 1, MAX_WIDTH, { 16, 24, 40, 80, 112, 192, 320 } },
    [STRIDES] = { "strides", 1, 2, { 1, 2, 2, 2, 1, 2, 1 } },
    [REPEATS] = { "num_block_repeats", 1, MAX_REPEATS, { 1, 2, 2, 3, 3, 4, 1 } },
    [EXPANSIONS] = { "expand_ratios", 1, 64, { 1, 6, 6, 6, 6, 6, 6 } },
};

/* All lists are as long as the first, one number a stage. */
static int
read_lists(const struct fine__json *config, int64_t lists[N_KEYS][MAX_STAGES], int64_t *n_out)
{
    int rc = 0;

    for (int64_t k = 0; k < N_KEYS; k++) {
        const struct fine__json *list = fine__json_get(config, keys[k].name);
        const int64_t n = list != NULL ? fine__json_count(list) : FINE__COUNT(keys[k].defaults);

        if (list != NULL && fine__json_type(list) != FINE__JSON_ARRAY)
            return fine__also(FINE_EFORMAT, "config.json: '%s' must be a list", keys[k].name);
        if (n < 1 || n > MAX_STAGES)
            return fine__also(FINE_EFORMAT, "config.json: '%s' has %lld numbers; 1 to %d can be",
                              keys[k].name, (long long)n, MAX_STAGES);
        if (k > 0 && n != *n_out)
            return fine__also(FINE_EFORMAT, "config.json: '%s' has %lld numbers, '%s' has %lld",
                              keys[k].name, (long long)n, keys[0].name, (long long)*n_out);
        *n_out = n;
        for (int64_t i = 0; i < n; i++) {
            const int64_t value = list != NULL ? fine__json_int(fine__json_at(list, i), INT64_MIN)
                                               : keys[k].defaults[i];

            lists[k][i] = value;
            if (value < keys[k].least || value > keys[k].most)
                rc = fine__also(FINE_EFORMAT, "config.json: '%s': number %lld must be within %lld "
                                "and %lld", keys[k].name, (long long)i, (long long)keys[k].least,
                                (long long)keys[k].most);
        }
    }
    return rc;
}

/* Stages as they come out of the base ones by the three scales. */
static int
read_stages(struct plan *plan, const struct fine__json *config)
{
    int64_t lists[N_KEYS][MAX_STAGES], divisor = 0;
    double width = 0, depth = 0;
    const struct fine__config_size sizes[] = {
        { "depth_divisor", 1, 1024, 8, &divisor },
    };
    const int results[] = {
        read_lists(config, lists, &plan->n_stages),
        fine__config_sizes(config, sizes, FINE__COUNT(sizes)),
        fine__config_real(config, "width_coefficient", 1e-3, 64, 2.0, &width),
        fine__config_real(config, "depth_coefficient", 1e-3, 64, 3.1, &depth),
    };

    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        FINE__TRY(results[i]);
    plan->stem = round_width(BASE_STEM * width, divisor);
    plan->top = round_width(BASE_TOP * width, divisor);
    for (int64_t i = 0; i < plan->n_stages; i++) {
        struct stage *stage = &plan->stages[i];
        const int64_t before = i > 0 ? plan->stages[i - 1].out : plan->stem;

        stage->expand = lists[EXPANSIONS][i];
        stage->kernel = lists[KERNELS][i];
        stage->stride = lists[STRIDES][i];
        stage->in = round_width((double)lists[INS][i] * width, divisor);
        stage->out = round_width((double)lists[OUTS][i] * width, divisor);
        stage->repeats = (int64_t)ceil(depth * (double)lists[REPEATS][i]);
        if (stage->in != before)
            return fine__also(FINE_EFORMAT, "config.json: 'in_channels': stage %lld takes %lld "
                              "channels, but gets %lld", (long long)i, (long long)stage->in,
                              (long long)before);
    }
    return 0;
}

static int
read_pooling(const struct fine__json *config, const struct plan *plan)
{
    const struct fine__json *pooling = fine__json_get(config, "pooling_type");
    const char *name = fine__json_string(pooling, NULL);
    int64_t width = 0;
    const struct fine__config_size sizes[] = { { "hidden_dim", 1, MAX_WIDTH, 2560, &width } };
    int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));

    if (rc == 0 && width != plan->top && plan->top > 0)
        rc = fine__also(FINE_EFORMAT, "config.json: 'hidden_dim' is %lld, but the last "
                        "convolution has %lld channels", (long long)width, (long long)plan->top);
    if (pooling != NULL && (name == NULL || strcmp(name, "mean") != 0))
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'pooling_type' must be 'mean'; no other "
                        "is supported");
    return rc;
}

static int
plan_transformers(struct plan *plan, const struct fine__json *config)
{
    const struct fine__config_size sizes[] = { { "num_channels", 1, 64, 3, &plan->n_images } };
    const int stages = read_stages(plan, config);
    const int results[] = {
        stages,
        read_pooling(config, plan),
        fine__config_sizes(config, sizes, FINE__COUNT(sizes)),
        fine__config_real(config, "squeeze_expansion_ratio", 1e-6, 1, 0.25, &plan->squeeze),
        fine__config_real(config, "batch_norm_eps", 0, 1, 1e-3, &plan->eps),
        fine__config_real(config, "batch_norm_momentum", 0, 1, 0.99, &plan->momentum),
        fine__config_real(config, "dropout_rate", 0, 0.999, 0.5, &plan->dropout),
        fine__config_real(config, "drop_connect_rate", 0, 0.999, 0.2, &plan->drop),
        fine__config_activation(config, "hidden_act", "swish", &plan->activation),
    };

    plan->padding = TRANSFORMERS;
    plan->even_list = fine__json_get(config, "depthwise_padding");
    plan->drops_elements = true;
    plan->expand_momentum = 0.1;    /* torch's own: transformers doesn't pass its own on there */
    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        FINE__TRY(results[i]);
    return 0;
}

/* ---- timm's configuration: a name, and what deviates from it ---- */

/* Arguments of timm's that shape the network are read or refused, the others are not for us. */
static int
read_arguments(struct plan *plan, const struct fine__json *config)
{
    static const char *const refused[] = { "act_layer", "norm_layer", "aa_layer", "se_layer",
                                           "in_chans", "output_stride", "stem_size",
                                           "channel_multiplier", "depth_multiplier" };
    const struct fine__json *more = fine__json_get(config, "model_args");
    const struct fine__json *pad = fine__json_get(more, "pad_type");
    const char *pooling = fine__json_string(fine__json_get(config, "global_pool"), NULL);
    const char *name = fine__json_string(pad, NULL);
    int rc = 0;

    const int results[] = {
        fine__config_real(more, "drop_rate", 0, 0.999, plan->dropout, &plan->dropout),
        fine__config_real(more, "drop_path_rate", 0, 0.999, plan->drop, &plan->drop),
        fine__config_real(more, "bn_eps", 0, 1, plan->eps, &plan->eps),
        fine__config_real(more, "bn_momentum", 0, 1, plan->momentum, &plan->momentum),
    };

    if (fine__json_get(more, "bn_momentum") != NULL)
        plan->expand_momentum = plan->momentum;
    if (name != NULL && strcmp(name, "same") == 0)
        plan->padding = SAME;
    else if (name != NULL && name[0] == '\0')
        plan->padding = SYMMETRIC;
    else if (pad != NULL)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'model_args': 'pad_type' must be '' or "
                        "'same'");
    if (pooling != NULL && strcmp(pooling, "avg") != 0)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'global_pool' is '%s'; only 'avg' is "
                        "supported", pooling);
    for (int64_t i = 0; i < FINE__COUNT(refused); i++)
        if (fine__json_get(more, refused[i]) != NULL)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'model_args' sets '%s', which this "
                            "version cannot", refused[i]);
    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        rc = rc < 0 ? rc : results[i];
    return rc;
}

/* ---- blocks ---- */

static bool
is_even(const struct plan *plan, int64_t block)
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
pads_of(const struct plan *plan, int64_t side, int64_t kernel, int64_t stride, bool even)
{
    const int64_t half = kernel / 2;

    if (plan->padding == SAME)
        return fine__same_pads(side, kernel, stride);
    if (plan->padding == TRANSFORMERS && stride == 2 && !even)
        return (struct fine__pads){ half - 1, half };
    return (struct fine__pads){ half, half };
}

static int64_t
halved(int64_t side, int64_t stride)
{
    return (side + stride - 1) / stride;
}

static void
lay_blocks(struct fine__efficientnet *net, const struct plan *plan)
{
    int64_t n = 0, side = plan->image_size;

    net->stem_pads = pads_of(plan, side, 3, 2, false);
    side = halved(side, 2);
    for (int64_t i = 0; i < plan->n_stages; i++) {
        const struct stage *stage = &plan->stages[i];

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
            block->skips = block->stride == 1 && (plan->padding == TRANSFORMERS
                                                      ? j > 0 : block->in == block->out);
            block->pads = pads_of(plan, side, block->kernel, block->stride, is_even(plan, n));
            block->drop = plan->drop * (double)n / (double)net->n_blocks;
            side = halved(side, block->stride);
        }
    }
}

static int
check_plan(const struct plan *plan, int64_t *n_blocks)
{
    int rc = 0;

    *n_blocks = 0;
    for (int64_t i = 0; i < plan->n_stages; i++) {
        const struct stage *stage = &plan->stages[i];
        const int64_t widest = stage->in > stage->out ? stage->in : stage->out;

        *n_blocks += stage->repeats;
        if (stage->kernel % 2 == 0)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has a kernel of %lld; only "
                            "odd sizes are supported", (long long)i, (long long)stage->kernel);
        else if (stage->kernel == 1 && stage->stride == 2)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has a kernel of 1 and a "
                            "stride of 2; a kernel of at least 3 is needed", (long long)i);
        if (stage->repeats > MAX_REPEATS || widest * stage->expand > 4 * MAX_WIDTH)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: stage %lld has %lld blocks of up to "
                            "%lld channels; at most %d of %d are supported", (long long)i,
                            (long long)stage->repeats, (long long)(widest * stage->expand),
                            MAX_REPEATS, 4 * MAX_WIDTH);
    }
    if (plan->top > 4 * MAX_WIDTH || plan->stem > MAX_WIDTH)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: the stem has %lld channels, the last "
                        "convolution %lld; at most %d and %d are supported", (long long)plan->stem,
                        (long long)plan->top, MAX_WIDTH, 4 * MAX_WIDTH);
    return rc;
}

static struct fine__efficientnet *
lay(fine_model *model, const struct plan *plan, int64_t n_blocks)
{
    const size_t size = sizeof(struct fine__efficientnet) +
                        (size_t)n_blocks * sizeof(struct fine__mbconv);
    struct fine__efficientnet *net = fine__alloc(model->ctx, size);

    if (net == NULL)
        return NULL;
    memset(net, 0, size);
    net->same = plan->padding == SAME && plan->image_size == 0;
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
make_plan(struct plan *plan, enum fine__school school, const struct fine__json *config)
{
    const char *name = fine__json_string(fine__json_get(config, "architecture"), NULL);
    const struct preset *preset;
    bool tensorflow;

    memset(plan, 0, sizeof *plan);
    plan->n_images = 3;
    if (name == NULL)
        return school == FINE__TRANSFORMERS
                   ? plan_transformers(plan, config)
                   : fine__also(FINE_EUNSUPPORTED, "config.json: the weights are not named as "
                                "transformers names them, and no 'architecture' says which "
                                "EfficientNet they are");
    preset = find_preset(name, &tensorflow);
    if (preset == NULL)
        return plan_list(plan, config);
    plan_preset(plan, preset, school, tensorflow);
    return read_arguments(plan, config);
}

bool
fine__is_efficientnet(const char *architecture)
{
    bool tensorflow;

    return find_preset(architecture, &tensorflow) != NULL;
}

int
fine__configure_efficientnet(fine_model *model, enum fine__school school,
                             const struct fine__json *config, double dropout)
{
    struct fine__efficientnet *net;
    struct plan plan;
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
