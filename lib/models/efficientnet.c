/*
 * efficientnet — Tan and Le, arXiv 1905.11946: a stem, stages of inverted bottlenecks, a last
 * 1x1 convolution, the mean over the image.
 *
 * A bottleneck widens its input (1x1), convolves each channel by itself, weighs the channels
 * by what the whole image says (squeeze-and-excitation), narrows again (1x1), and adds its
 * input. Stages are the paper's, and the last convolution is one more, so that a stage has the
 * number that it has in torchvision's names. A frozen stage drops nothing and goes by its
 * running statistics; a block that records nothing leaves its output alone behind.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/efficientnet.h"

/* ---- names ---- */

enum part {
    EXPAND, EXPAND_NORM, DEPTHWISE, DEPTHWISE_NORM, REDUCE, EXCITE, PROJECT, PROJECT_NORM, N_PARTS
};
enum { NARROW, WIDE, N_SHAPES };    /* a block that widens nothing; one that does */
enum { NAME = 128 };

struct names {
    const char *stem, *stem_norm, *top, *top_norm;
    const char *parts[N_SHAPES][N_PARTS];
};

#define PARTS(...) { [NARROW] = { __VA_ARGS__ }, [WIDE] = { __VA_ARGS__ } }

static const struct names names[FINE__N_SCHOOLS] = {
    [FINE__TRANSFORMERS] = {
        "embeddings.convolution", "embeddings.batchnorm", "encoder.top_conv", "encoder.top_bn",
        PARTS("expansion.expand_conv", "expansion.expand_bn", "depthwise_conv.depthwise_conv",
              "depthwise_conv.depthwise_norm", "squeeze_excite.reduce", "squeeze_excite.expand",
              "projection.project_conv", "projection.project_bn"),
    },
    [FINE__TIMM] = {
        "conv_stem", "bn1", "conv_head", "bn2",
        { [NARROW] = { NULL, NULL, "conv_dw", "bn1", "se.conv_reduce", "se.conv_expand",
                       "conv_pw", "bn2" },
          [WIDE] = { "conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand",
                     "conv_pwl", "bn3" } },
    },
    [FINE__TORCHVISION] = {
        "features.0.0", "features.0.1", "0", "1",       /* the last two: after features.N. */
        { [NARROW] = { NULL, NULL, "0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1" },
          [WIDE] = { "0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1" } },
    },
    [FINE__EFFICIENTNET_PYTORCH] = {
        "_conv_stem", "_bn0", "_conv_head", "_bn1",
        PARTS("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand",
              "_project_conv", "_bn2"),
    },
};

static const char *
name_part(const struct fine__efficientnet *net, int64_t n, enum part part, char out[NAME])
{
    const struct fine__mbconv *block = &net->blocks[n];
    const char *name = names[net->school].parts[block->expands ? WIDE : NARROW][part];

    switch (net->school) {
    case FINE__TRANSFORMERS:
        (void)snprintf(out, NAME, "encoder.blocks.%d.%s", (int)n, name);
        break;
    case FINE__TIMM:
        (void)snprintf(out, NAME, "blocks.%d.%d.%s", (int)block->stage - 1, (int)block->place,
                       name);
        break;
    case FINE__TORCHVISION:
        (void)snprintf(out, NAME, "features.%d.%d.block.%s", (int)block->stage,
                       (int)block->place, name);
        break;
    default:
        (void)snprintf(out, NAME, "_blocks.%d.%s", (int)n, name);
        break;
    }
    return out;
}

static const char *
name_top(const struct fine__efficientnet *net, const char *name, char out[NAME])
{
    if (net->school == FINE__TORCHVISION)
        (void)snprintf(out, NAME, "features.%d.%s", (int)net->n_stages + 1, name);
    else
        (void)snprintf(out, NAME, "%s", name);
    return out;
}

/* ---- parameters ---- */

/* A square convolution without bias, drawn by what each of its outputs reaches. */
static int64_t
convolution(fine_model *model, int64_t stage, int64_t out, int64_t in, int64_t groups,
            int64_t kernel, const char *name)
{
    char full[NAME + 8];

    (void)snprintf(full, sizeof full, "%s.weight", name);
    const int64_t i = fine__declare_conv(model, (int32_t)stage, out, in / groups, kernel, kernel,
                                         full);

    if (i >= 0)
        model->params.list[i].init_std *= sqrt((double)groups);
    return i;
}

static int64_t
norm(fine_model *model, int64_t stage, int64_t channels, bool expands, const char *name)
{
    const struct fine__efficientnet *net = model->config;

    return fine__declare_batch_norm(model, (int32_t)stage, channels, model->eps,
                                    expands ? net->expand_momentum : net->momentum, name);
}

static void
dense(fine_model *model, int64_t stage, int64_t out, int64_t in, const char *name)
{
    char full[NAME + 8];

    convolution(model, stage, out, in, 1, 1, name);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, (int32_t)stage, 0, 1, out, 0, full);
}

static void
build_block(fine_model *model, int64_t n)
{
    struct fine__efficientnet *net = model->config;
    struct fine__mbconv *block = &net->blocks[n];
    const int64_t stage = block->stage, middle = block->middle;
    char name[NAME];

    block->first = model->params.count;
    block->norm = model->norms.count;
    if (block->expands) {
        convolution(model, stage, middle, block->in, 1, 1, name_part(net, n, EXPAND, name));
        norm(model, stage, middle, true, name_part(net, n, EXPAND_NORM, name));
    }
    convolution(model, stage, middle, middle, middle, block->kernel,
                name_part(net, n, DEPTHWISE, name));
    norm(model, stage, middle, false, name_part(net, n, DEPTHWISE_NORM, name));
    if (block->squeeze > 0) {
        dense(model, stage, block->squeeze, middle, name_part(net, n, REDUCE, name));
        dense(model, stage, middle, block->squeeze, name_part(net, n, EXCITE, name));
    }
    convolution(model, stage, block->out, middle, 1, 1, name_part(net, n, PROJECT, name));
    norm(model, stage, block->out, false, name_part(net, n, PROJECT_NORM, name));
}

enum { STEM_KERNEL = 3, STEM_STRIDE = 2 };

static void
build(fine_model *model)
{
    struct fine__efficientnet *net = model->config;
    const struct names *all = &names[net->school];
    const int64_t last = net->n_stages + 1, narrow = net->blocks[net->n_blocks - 1].out;
    char name[NAME];

    convolution(model, 0, net->stem, model->n_channels, 1, STEM_KERNEL, all->stem);
    norm(model, 0, net->stem, false, all->stem_norm);
    for (int64_t i = 0; i < net->n_blocks; i++)
        build_block(model, i);
    net->first_top = model->params.count;
    net->norm_top = model->norms.count;
    convolution(model, last, net->top, narrow, 1, 1, name_top(net, all->top, name));
    norm(model, last, net->top, false, name_top(net, all->top_norm, name));
}

/* ---- forward ---- */

struct pass {
    const fine_model *model;
    const struct fine__efficientnet *net;
    struct fine__tape *t;
    const struct fine__batch *batch;
    bool train;
};

/* The next parameter and the next batch norm, in the order of their declaration. */
struct cursor {
    int64_t param, norm;
};

static struct fine__tensor *
next(const struct pass *p, struct cursor *at)
{
    return fine__weight_of(p->model, at->param++);
}

/* f(norm(conv(x)) + residual) */
static struct fine__tensor *
convolve(const struct pass *p, struct cursor *at, struct fine__tensor *x,
         const struct fine__convolving *how, struct fine__tensor *residual,
         enum fine__activation f)
{
    x = fine__conv2d(p->t, x, next(p, at), NULL, how);
    at->param += 2;                 /* the norm's weight and bias */
    return fine__batch_norm(p->model, p->t, p->batch, at->norm++, x, residual, f);
}

/* Fixed pads may leave less of a small image than the kernel needs. */
static struct fine__convolving
padded(const struct pass *p, const struct fine__tensor *x, int64_t groups, int64_t kernel,
       int64_t stride, struct fine__pads fixed)
{
    const bool same = p->net->same;
    const struct fine__pads rows = same ? fine__same_pads(x->shape[1], kernel, stride) : fixed;
    const struct fine__pads columns = same ? fine__same_pads(x->shape[2], kernel, stride) : fixed;
    const int64_t least = kernel - fixed.before - fixed.after;

    if (!same && fine__tape_status(p->t) == 0 && (x->shape[1] < least || x->shape[2] < least))
        fine__tape_fail(p->t, fine__fail(FINE_EDATA, "batch: images of %lld x %lld are too small "
                                         "for this network: a convolution would get %lld x %lld",
                                         (long long)p->batch->height, (long long)p->batch->width,
                                         (long long)x->shape[1], (long long)x->shape[2]));
    return (struct fine__convolving){ .groups = groups, .stride = stride, .top = rows.before,
                                      .bottom = rows.after, .left = columns.before,
                                      .right = columns.after };
}

static const struct fine__convolving pointwise = { .groups = 1, .stride = 1 };

/* Channels times what the mean of all of them says about each. */
static struct fine__tensor *
squeeze_and_excite(const struct pass *p, struct cursor *at, struct fine__tensor *x)
{
    struct fine__tensor *reduce = next(p, at), *reduce_bias = next(p, at);
    struct fine__tensor *excite = next(p, at), *excite_bias = next(p, at), *s;

    s = fine__global_pool(p->t, x);                                             /* (N,C) */
    s = fine__linear(p->t, s, FINE__IDENTITY, reduce, reduce_bias);
    s = fine__linear(p->t, s, p->net->activation, excite, excite_bias);
    return fine__scale_channels(p->t, x, fine__activate(p->t, s, FINE__SIGMOID));
}

static struct fine__tensor *
drop(const struct pass *p, const struct fine__mbconv *block, struct fine__tensor *x)
{
    return p->net->drops_elements ? fine__dropout(p->t, x, block->drop)
                                  : fine__drop_path(p->t, x, block->drop);
}

static struct fine__tensor *
run_block(const struct pass *p, const struct fine__mbconv *block, struct fine__tensor *x)
{
    const enum fine__activation f = p->net->activation;
    const bool drops = p->train && p->model->stage_trains[block->stage] && block->drop > 0 &&
                       block->skips;
    struct cursor at = { block->first, block->norm };
    struct fine__tensor *h = x;
    struct fine__convolving how;

    if (block->expands)
        h = convolve(p, &at, h, &pointwise, NULL, f);
    how = padded(p, h, block->middle, block->kernel, block->stride, block->pads);
    h = convolve(p, &at, h, &how, NULL, f);
    if (block->squeeze > 0)
        h = squeeze_and_excite(p, &at, h);
    h = convolve(p, &at, h, &pointwise, block->skips && !drops ? x : NULL, FINE__IDENTITY);
    return drops ? fine__add(p->t, drop(p, block, h), x) : h;
}

static struct fine__tensor *
encode(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, bool train,
       struct fine__states *states)
{
    const struct fine__efficientnet *net = model->config;
    const struct pass p = { model, net, t, batch, train };
    const struct fine__scope scope = fine__scope(t);
    struct cursor at = { 0, 0 };
    struct fine__tensor *x = fine__images(model, t, batch);                     /* (N,H,W,C) */
    const struct fine__convolving how = padded(&p, x, 1, STEM_KERNEL, STEM_STRIDE,
                                               net->stem_pads);

    x = convolve(&p, &at, x, &how, NULL, net->activation);
    fine__keep_state(states, x);
    for (int64_t i = 0; i < net->n_blocks; i++) {
        const bool ends = i + 1 == net->n_blocks || net->blocks[i + 1].place == 0;

        x = run_block(&p, &net->blocks[i], x);
        if (states == NULL)
            x = fine__scope_end(t, scope, x);
        if (ends || !net->by_stage)
            fine__keep_state(states, x);
    }
    at = (struct cursor){ net->first_top, net->norm_top };
    x = convolve(&p, &at, x, &pointwise, NULL, net->activation);
    if (states == NULL)
        x = fine__scope_end(t, scope, x);
    if (net->by_stage)
        fine__keep_state(states, x);
    return x;
}

/* ---- the schools ---- */

#define CONFIGURE(name, school)                                                             \
    static int name(fine_model *model, const struct fine__json *config, double dropout)     \
    {                                                                                       \
        return fine__configure_efficientnet(model, school, config, dropout);                \
    }

CONFIGURE(configure_transformers, FINE__TRANSFORMERS)
CONFIGURE(configure_timm, FINE__TIMM)
CONFIGURE(configure_torchvision, FINE__TORCHVISION)
CONFIGURE(configure_efficientnet_pytorch, FINE__EFFICIENTNET_PYTORCH)

/* A list of stages goes by the family's bare name. */
static bool
is_list(const char *architecture)
{
    return strcmp(architecture, "efficientnet") == 0;
}

static bool
is_underscored(const char *architecture)
{
    return strchr(architecture, '-') == NULL && fine__is_efficientnet(architecture);
}

static bool
is_hyphened(const char *architecture)
{
    return strchr(architecture, '-') != NULL && fine__is_efficientnet(architecture);
}

#define HEAD(class, name)                                                                   \
    { { .tasks = FINE__TASK_BIT(FINE__CLASSIFY_IMAGE), .architecture = (class),             \
        .reads = FINE__WHOLE_IMAGE, .out = (name), .bias = name ".bias" }, { .out = NULL } }

static const struct fine__head transformers_heads[] =
    HEAD("EfficientNetForImageClassification", "classifier");
static const struct fine__head timm_heads[] = HEAD("EfficientNet", "classifier");
static const struct fine__head torchvision_heads[] = HEAD("EfficientNet", "classifier.1");
static const struct fine__head efficientnet_pytorch_heads[] = HEAD("EfficientNet", "_fc");

static const char *const ignored[] = { NULL };

const struct fine__family fine__family_efficientnet = {
    .name = "efficientnet", .prefix = "efficientnet.", .bare_architecture = "EfficientNetModel",
    .marker = "embeddings.convolution.weight", .reads_images = true, .heads = transformers_heads,
    .ignored = ignored, .configure = configure_transformers, .build = build, .encode = encode,
};
const struct fine__family fine__family_efficientnet_timm = {
    .name = "efficientnet", .prefix = "", .marker = "conv_stem.weight",
    .is_architecture = is_underscored,
    .architectures = "efficientnet_b0 to b7, tf_efficientnet_b0 to b7, efficientnet_lite0 to "
                     "lite4, tf_efficientnet_lite0 to lite4",
    .reads_images = true, .heads = timm_heads, .ignored = ignored, .configure = configure_timm,
    .build = build, .encode = encode,
};
const struct fine__family fine__family_efficientnet_torchvision = {
    .name = "efficientnet", .prefix = "", .marker = "features.0.0.weight",
    .is_architecture = is_list, .architectures = "efficientnet (with a list of stages)",
    .reads_images = true, .heads = torchvision_heads, .ignored = ignored,
    .configure = configure_torchvision, .build = build, .encode = encode,
};
const struct fine__family fine__family_efficientnet_pytorch = {
    .name = "efficientnet", .prefix = "", .marker = "_conv_stem.weight",
    .is_architecture = is_hyphened,
    .architectures = "efficientnet-b0 to b7, efficientnet-lite0 to lite4",
    .reads_images = true, .heads = efficientnet_pytorch_heads, .ignored = ignored,
    .configure = configure_efficientnet_pytorch, .build = build, .encode = encode,
};
