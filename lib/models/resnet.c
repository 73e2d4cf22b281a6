/*
 * resnet — the residual networks of He et al. (Deep Residual Learning for Image Recognition,
 * 2016), basic and bottleneck, for ImageNet and for CIFAR.
 *
 * Three schools of names: transformers' (ResNetForImageClassification), torchvision's, which
 * timm shares, and the CIFAR networks', which are torchvision's with another stem and head.
 * What they build is one description, filled in from their configurations; a network is a row
 * of units, each a convolution and its batch norm, and the forward pass walks along that row.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "models/family.h"

enum { MAX_STAGES = 16, MAX_BLOCKS = 4096 };

struct resnet {
    int64_t stem;                   /* channels of the stem */
    int64_t depths[MAX_STAGES], out[MAX_STAGES], inner[MAX_STAGES];
    int64_t first_stride;           /* of the first stage; all others have 2 */
    int64_t groups;                 /* of the 3x3 in bottlenecks */
    bool bottleneck;
    bool early_stride;              /* bottlenecks: the stride is the first 1x1's */
    bool small;                     /* for CIFAR: a 3x3 stem, no pooling, padded shortcuts */
    double eps, momentum;
};

/* ---- names ---- */

struct names {
    const char *stem_conv, *stem_norm;
    int first_stage, first_unit;    /* counted from */
    const char *conv, *norm;        /* stage, block, unit */
    const char *short_conv, *short_norm;
};

static const struct names hugging_names = {
    .stem_conv = "embedder.embedder.convolution", .stem_norm = "embedder.embedder.normalization",
    .conv = "encoder.stages.%d.layers.%d.layer.%d.convolution",
    .norm = "encoder.stages.%d.layers.%d.layer.%d.normalization",
    .short_conv = "encoder.stages.%d.layers.%d.shortcut.convolution",
    .short_norm = "encoder.stages.%d.layers.%d.shortcut.normalization",
};
static const struct names plain_names = {
    .stem_conv = "conv1", .stem_norm = "bn1", .first_stage = 1, .first_unit = 1,
    .conv = "layer%d.%d.conv%d", .norm = "layer%d.%d.bn%d",
    .short_conv = "layer%d.%d.downsample.0", .short_norm = "layer%d.%d.downsample.1",
};

/* ---- architectures by name ---- */

static const struct preset {
    const char *name;
    bool bottleneck, small;
    int64_t depths[4];
    int64_t groups, group_width;    /* 0: 1 and 64 */
} presets[] = {
    { "resnet18", false, false, { 2, 2, 2, 2 }, 0, 0 },
    { "resnet34", false, false, { 3, 4, 6, 3 }, 0, 0 },
    { "resnet26", true, false, { 2, 2, 2, 2 }, 0, 0 },
    { "resnet50", true, false, { 3, 4, 6, 3 }, 0, 0 },
    { "resnet101", true, false, { 3, 4, 23, 3 }, 0, 0 },
    { "resnet152", true, false, { 3, 8, 36, 3 }, 0, 0 },
    { "wide_resnet50_2", true, false, { 3, 4, 6, 3 }, 1, 128 },
    { "wide_resnet101_2", true, false, { 3, 4, 23, 3 }, 1, 128 },
    { "resnext50_32x4d", true, false, { 3, 4, 6, 3 }, 32, 4 },
    { "resnext101_32x8d", true, false, { 3, 4, 23, 3 }, 32, 8 },
    { "resnext101_64x4d", true, false, { 3, 4, 23, 3 }, 64, 4 },
    { "cifar-resnet20", false, true, { 3, 3, 3 }, 0, 0 },
    { "cifar-resnet32", false, true, { 5, 5, 5 }, 0, 0 },
    { "cifar-resnet44", false, true, { 7, 7, 7 }, 0, 0 },
    { "cifar-resnet56", false, true, { 9, 9, 9 }, 0, 0 },
    { "cifar-resnet110", false, true, { 18, 18, 18 }, 0, 0 },
};

/* timm adds how the weights were made: "resnet50.a1_in1k". */
static const struct preset *
find_preset(const char *name)
{
    const size_t length = strcspn(name, ".");

    for (int64_t i = 0; i < FINE__COUNT(presets); i++)
        if (strlen(presets[i].name) == length && strncmp(presets[i].name, name, length) == 0)
            return &presets[i];
    return NULL;
}

static bool
is_plain(const char *name)
{
    const struct preset *preset = find_preset(name);

    return strcmp(name, "resnet") == 0 || (preset != NULL && !preset->small);
}

static bool
is_cifar(const char *name)
{
    const struct preset *preset = find_preset(name);

    return strcmp(name, "cifar-resnet") == 0 || (preset != NULL && preset->small);
}

/* ---- config.json ---- */

/* A text of two that may be; *second_out: it is the second. */
static int
read_choice(const struct fine__json *config, const char *key, const char *first,
            const char *second, bool fallback, bool *second_out)
{
    const struct fine__json *value = fine__json_get(config, key);
    const char *text = fine__json_string(value, NULL);

    *second_out = fallback;
    if (value == NULL)
        return 0;
    *second_out = text != NULL && strcmp(text, second) == 0;
    if (*second_out || (text != NULL && strcmp(text, first) == 0))
        return 0;
    return fine__also(FINE_EUNSUPPORTED, "config.json: '%s' is %s%s%s; this version knows %s and "
                      "%s", key, text != NULL ? "'" : "", text != NULL ? text : "not a text",
                      text != NULL ? "'" : "", first, second);
}

static int
count_stages(fine_model *model, int64_t n_depths, int64_t n_sizes, const char *sizes_key)
{
    const struct resnet *net = model->config;
    int64_t blocks = 0;

    if (n_sizes != n_depths)
        return fine__also(FINE_EFORMAT, "config.json: '%s' has %lld numbers and 'depths' %lld; "
                          "they are one a stage", sizes_key, (long long)n_sizes,
                          (long long)n_depths);
    for (int64_t s = 0; s < n_depths; s++)
        blocks += net->depths[s];
    if (blocks > MAX_BLOCKS)
        return fine__also(FINE_EUNSUPPORTED, "config.json: %lld blocks; at most %d are supported",
                          (long long)blocks, MAX_BLOCKS);
    model->n_layers = n_depths;
    model->width = net->out[n_depths - 1];
    return 0;
}

/* transformers' ResNetConfig. */
static int
read_hugging(fine_model *model, const struct fine__json *config)
{
    static const int64_t depths[] = { 3, 4, 6, 3 }, sizes[] = { 256, 512, 1024, 2048 };
    struct resnet *net = model->config;
    const char *problem = fine__json_string(fine__json_get(config, "problem_type"), NULL);
    const struct fine__config_size numbers[] = {
        { "num_channels", 1, 1024, 3, &model->n_channels },
        { "embedding_size", 1, 1 << 16, 64, &net->stem },
    };
    int64_t n_depths = 4, n_sizes = 4;
    int rc, one;

    memcpy(net->depths, depths, sizeof depths);
    memcpy(net->out, sizes, sizeof sizes);
    rc = fine__config_sizes(config, numbers, FINE__COUNT(numbers));
    if ((one = fine__config_list(config, "depths", 1, MAX_BLOCKS, MAX_STAGES, net->depths,
                                 &n_depths)) < 0)
        rc = one;
    if ((one = fine__config_list(config, "hidden_sizes", 1, 1 << 16, MAX_STAGES, net->out,
                                 &n_sizes)) < 0)
        rc = one;
    if ((one = read_choice(config, "layer_type", "basic", "bottleneck", true,
                           &net->bottleneck)) < 0)
        rc = one;
    if ((one = fine__config_activation(config, "hidden_act", "relu", &model->activation)) < 0)
        rc = one;
    if (problem != NULL && strcmp(problem, "single_label_classification") != 0)
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'problem_type' is '%s'; of image models "
                        "this version knows single_label_classification", problem);
    net->first_stride =
        fine__json_bool(fine__json_get(config, "downsample_in_first_stage"), false) ? 2 : 1;
    net->early_stride = fine__json_bool(fine__json_get(config, "downsample_in_bottleneck"), false);
    for (int64_t s = 0; s < n_sizes; s++) {
        net->inner[s] = net->bottleneck ? net->out[s] / 4 : net->out[s];
        if (net->inner[s] < 1)
            rc = fine__also(FINE_EFORMAT, "config.json: item %lld of 'hidden_sizes' is %lld; a "
                            "bottleneck needs at least 4", (long long)s, (long long)net->out[s]);
    }
    return rc < 0 ? rc : count_stages(model, n_depths, n_sizes, "hidden_sizes");
}

/* timm's arguments of a model that differ from the architecture's own. */
static int
read_arguments(fine_model *model, const struct fine__json *config)
{
    const struct fine__json *args = fine__json_get(config, "model_args");
    bool other;
    int rc = fine__json_want_int(args, "in_chans", 1, 1024, 3, &model->n_channels,
                                 "config.json: model_args") < 0 ? FINE_EFORMAT : 0, one;

    for (void *it = fine__json_first(args); it != NULL; it = fine__json_next(args, it)) {
        const char *key = fine__json_key(it);

        if (strcmp(key, "in_chans") != 0 && strcmp(key, "num_classes") != 0)
            rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'model_args' sets '%s', which this "
                            "version does not know", key);
    }
    if ((one = read_choice(config, "global_pool", "avg", "fast_avg", false, &other)) < 0)
        rc = one;
    return rc;
}

/* Stages double their width; a bottleneck's inside is as wide as its groups. */
static void
widen(fine_model *model, int64_t n_depths, int64_t width, int64_t group_width)
{
    struct resnet *net = model->config;

    net->stem = width;
    for (int64_t s = 0; s < n_depths; s++) {
        const int64_t planes = width << s;

        net->inner[s] = net->bottleneck ? planes * group_width / 64 * net->groups : planes;
        net->out[s] = net->bottleneck ? 4 * planes : planes;
    }
}

/* A list of what shapes the network: "architecture": "resnet" or "cifar-resnet". */
static int
read_list(fine_model *model, const struct fine__json *config)
{
    struct resnet *net = model->config;
    int64_t n_depths = 0, width = 0, group_width = 64;
    const struct fine__config_size numbers[] = {
        { "width", 1, 1 << 12, net->small ? 16 : 64, &width },
        { "groups", 1, 1 << 10, 1, &net->groups },
        { "width_per_group", 1, 1 << 12, 64, &group_width },
    };
    bool is_timm;
    int rc = fine__config_sizes(config, numbers, FINE__COUNT(numbers)), one;

    if ((one = read_choice(config, "block", "basic", "bottleneck", false, &net->bottleneck)) < 0)
        rc = one;
    if ((one = read_choice(config, "naming", "torchvision", "timm", false, &is_timm)) < 0)
        rc = one;
    if (fine__json_get(config, "layers") == NULL)
        rc = fine__also(FINE_EFORMAT, "config.json: 'layers' is missing: the number of blocks of "
                        "each stage");
    /* Widths double from stage to stage: eight of them go far beyond any that is in use. */
    if ((one = fine__config_list(config, "layers", 1, MAX_BLOCKS, 8, net->depths, &n_depths)) < 0)
        rc = one;
    if ((one = fine__config_real(config, "batch_norm_eps", 0, 1, 1e-5, &net->eps)) < 0)
        rc = one;
    if ((one = fine__config_real(config, "batch_norm_momentum", 0, 1, 0.1, &net->momentum)) < 0)
        rc = one;
    if (rc == 0 && !net->bottleneck && (net->groups != 1 || group_width != 64))
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'groups' and 'width_per_group' are for "
                        "bottleneck blocks");
    if (rc == 0) {
        widen(model, n_depths, width, group_width);
        for (int64_t s = 0; s < n_depths; s++)
            if (net->inner[s] < 1 || net->inner[s] % net->groups != 0)
                return fine__also(FINE_EFORMAT, "config.json: blocks of stage %lld are %lld wide "
                                  "inside, which %lld 'groups' do not divide", (long long)s + 1,
                                  (long long)net->inner[s], (long long)net->groups);
    }
    return rc < 0 ? rc : count_stages(model, n_depths, n_depths, "layers");
}

/* A preset is all there is to say. */
static int
read_preset(fine_model *model, const struct fine__json *config, const struct preset *preset)
{
    static const char *const shapes[] = { "layers", "block", "width", "groups",
                                          "width_per_group" };
    struct resnet *net = model->config;
    int64_t n_depths = 0;
    int rc = 0;

    while (n_depths < 4 && preset->depths[n_depths] > 0) {
        net->depths[n_depths] = preset->depths[n_depths];
        n_depths++;
    }
    net->bottleneck = preset->bottleneck;
    net->groups = preset->groups > 0 ? preset->groups : 1;
    widen(model, n_depths, preset->small ? 16 : 64,
          preset->group_width > 0 ? preset->group_width : 64);
    for (int64_t i = 0; i < FINE__COUNT(shapes); i++)
        if (fine__json_get(config, shapes[i]) != NULL)
            rc = fine__also(FINE_EFORMAT, "config.json: '%s' is set, but architecture '%s' says "
                            "it already; write architecture 'resnet'", shapes[i], preset->name);
    return rc < 0 ? rc : count_stages(model, n_depths, n_depths, "layers");
}

static int
configure(fine_model *model, const struct fine__json *config, double dropout)
{
    const char *architecture = fine__json_string(fine__json_get(config, "architecture"), NULL);
    const char *type = fine__json_string(fine__json_get(config, "model_type"), NULL);
    struct resnet *net = fine__alloc(model->ctx, sizeof *net);
    int rc;

    if (net == NULL)
        return FINE_ENOMEM;
    memset(net, 0, sizeof *net);
    net->first_stride = net->groups = 1;
    net->eps = 1e-5;
    net->momentum = 0.1;
    model->config = net;
    model->padding_id = model->end_id = -1;
    model->activation = FINE__RELU;
    model->head_dropout[FINE__CLASSIFY_IMAGE] = dropout >= 0 ? dropout : 0;
    if (type != NULL && strcmp(type, "resnet") == 0) {
        rc = read_hugging(model, config);
    } else {
        const struct preset *preset = find_preset(architecture);

        net->small = is_cifar(architecture);
        const int arguments = read_arguments(model, config);

        rc = preset != NULL ? read_preset(model, config, preset) : read_list(model, config);
        rc = rc < 0 ? rc : arguments;
    }
    if (rc == 0) /* as torch draws them: uniform in ±1/√C */
        model->init_std = 1 / sqrt(3 * (double)model->width);
    return rc;
}

/* ---- parameters ---- */

static const struct names *
names_of(const fine_model *model)
{
    return model->family->variant;
}

static void
build_unit(fine_model *model, int32_t stage, int64_t out, int64_t in, int64_t size,
           const char *conv, const char *norm)
{
    const struct resnet *net = model->config;
    char weight[160];

    (void)snprintf(weight, sizeof weight, "%s.weight", conv);
    fine__declare_conv(model, stage, out, in, size, size, weight);
    fine__declare_batch_norm(model, stage, out, net->eps, net->momentum, norm);
}

static bool
has_shortcut(const struct resnet *net, int64_t s, int64_t block, int64_t in)
{
    return !net->small && block == 0 && (in != net->out[s] || s > 0 || net->first_stride > 1);
}

static void
build_block(fine_model *model, int64_t s, int64_t block, int64_t in)
{
    const struct resnet *net = model->config;
    const struct names *names = names_of(model);
    const int stage = (int)s + names->first_stage, at = (int)block, n = net->bottleneck ? 3 : 2;
    const int64_t inner = net->inner[s], out = net->out[s];
    char conv[160], norm[160];

    for (int u = 0; u < n; u++) {
        const bool reduces = net->bottleneck && u == 0, expands = net->bottleneck && u == 2;
        const int64_t groups = net->bottleneck && u == 1 ? net->groups : 1;

        (void)snprintf(conv, sizeof conv, names->conv, stage, at, u + names->first_unit);
        (void)snprintf(norm, sizeof norm, names->norm, stage, at, u + names->first_unit);
        build_unit(model, (int32_t)s + 1, u == n - 1 ? out : inner,
                   u == 0 ? in : inner / groups, reduces || expands ? 1 : 3, conv, norm);
    }
    if (!has_shortcut(net, s, block, in))
        return;
    (void)snprintf(conv, sizeof conv, names->short_conv, stage, at);
    (void)snprintf(norm, sizeof norm, names->short_norm, stage, at);
    build_unit(model, (int32_t)s + 1, out, in, 1, conv, norm);
}

static void
build(fine_model *model)
{
    const struct resnet *net = model->config;
    int64_t in = net->stem;

    build_unit(model, 0, net->stem, model->n_channels, net->small ? 3 : 7,
               names_of(model)->stem_conv, names_of(model)->stem_norm);
    for (int64_t s = 0; s < model->n_layers; s++)
        for (int64_t block = 0; block < net->depths[s]; block++) {
            build_block(model, s, block, in);
            in = net->out[s];
        }
}

/* ---- forward ---- */

/* Where the walk along the units stands. */
struct walk {
    const fine_model *model;
    struct fine__tape *t;
    const struct fine__batch *batch;
    int64_t unit;                   /* the next one's number, which is its batch norm's */
};

/* Padded so that a stride of 1 keeps the size. */
static struct fine__tensor *
convolve(struct walk *w, struct fine__tensor *x, int64_t unit, int64_t stride, int64_t groups)
{
    const int64_t weight = w->model->norms.list[unit].weight - 1;
    const int64_t pad = w->model->params.list[weight].tensor.shape[2] / 2;
    const struct fine__convolving how = { .groups = groups, .stride = stride, .top = pad,
                                          .left = pad, .bottom = pad, .right = pad };

    return fine__conv2d(w->t, x, fine__weight_of(w->model, weight), NULL, &how);
}

/* f(norm(conv(x)) + residual) */
static struct fine__tensor *
unit(struct walk *w, struct fine__tensor *x, struct fine__tensor *residual, int64_t number,
     int64_t stride, int64_t groups, enum fine__activation f)
{
    x = convolve(w, x, number, stride, groups);
    return fine__batch_norm(w->model, w->t, w->batch, number, x, residual, f);
}

static struct fine__tensor *
shortcut(struct walk *w, struct fine__tensor *x, int64_t s, int64_t block, int64_t stride,
         int64_t number)
{
    const struct resnet *net = w->model->config;
    const int64_t in = block > 0 ? net->out[s] : s > 0 ? net->out[s - 1] : net->stem;

    if (has_shortcut(net, s, block, in))
        return unit(w, x, NULL, number, stride, 1, FINE__IDENTITY);
    if (stride == 1 && in == net->out[s])
        return x;
    /* More channels of zeros on both sides: the networks for CIFAR have no other shortcut. */
    return fine__pad_channels(w->t, x, stride, (net->out[s] - in) / 2,
                              net->out[s] - in - (net->out[s] - in) / 2);
}

/* transformers' hidden_act is that of the stem and of a block's end; inside it is always ReLU. */
static struct fine__tensor *
residual_block(struct walk *w, struct fine__tensor *x, int64_t s, int64_t block)
{
    const struct resnet *net = w->model->config;
    const int64_t stride = block > 0 ? 1 : s > 0 ? 2 : net->first_stride;
    const int64_t in = block > 0 ? net->out[s] : s > 0 ? net->out[s - 1] : net->stem;
    const int64_t first = w->unit, n = net->bottleneck ? 3 : 2;
    struct fine__tensor *h, *r;

    w->unit += n + has_shortcut(net, s, block, in);
    if (net->bottleneck) {
        h = unit(w, x, NULL, first, net->early_stride ? stride : 1, 1, FINE__RELU);
        h = unit(w, h, NULL, first + 1, net->early_stride ? 1 : stride, net->groups, FINE__RELU);
    } else {
        h = unit(w, x, NULL, first, stride, 1, FINE__RELU);
    }
    r = shortcut(w, x, s, block, stride, first + n);
    return unit(w, h, r, first + n - 1, 1, 1, w->model->activation);        /* (N,H',W',O) */
}

static struct fine__tensor *
encode(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch, bool train,
       struct fine__states *states)
{
    const struct resnet *net = model->config;
    const struct fine__scope scope = fine__scope(t);
    struct walk w = { .model = model, .t = t, .batch = batch, .unit = 1 };
    struct fine__tensor *x = fine__images(model, t, batch);

    (void)train; /* nothing is dropped */
    x = unit(&w, x, NULL, 0, net->small ? 1 : 2, 1, model->activation);
    if (!net->small)
        x = fine__max_pool2d(t, x, 3, 2, 1);
    if (states == NULL)
        x = fine__scope_end(t, scope, x);
    fine__keep_state(states, x);
    for (int64_t s = 0; s < model->n_layers; s++) {
        for (int64_t block = 0; block < net->depths[s]; block++) {
            x = residual_block(&w, x, s, block);
            if (states == NULL)
                x = fine__scope_end(t, scope, x);
        }
        fine__keep_state(states, x);
    }
    return x;
}

/* ---- the schools ---- */

static const struct fine__head hugging_heads[] = {
    { .tasks = FINE__TASK_BIT(FINE__CLASSIFY_IMAGE), .architecture = "ResNetForImageClassification",
      .reads = FINE__WHOLE_IMAGE, .out = "classifier.1", .bias = "classifier.1.bias" },
    { .out = NULL },
};
static const struct fine__head plain_heads[] = {
    { .tasks = FINE__TASK_BIT(FINE__CLASSIFY_IMAGE), .architecture = "resnet",
      .reads = FINE__WHOLE_IMAGE, .out = "fc", .bias = "fc.bias" },
    { .out = NULL },
};
static const struct fine__head cifar_heads[] = {
    { .tasks = FINE__TASK_BIT(FINE__CLASSIFY_IMAGE), .architecture = "resnet",
      .reads = FINE__WHOLE_IMAGE, .out = "linear", .bias = "linear.bias" },
    { .out = NULL },
};

static const char *const ignored[] = { NULL };

const struct fine__family fine__family_resnet = {
    .name = "resnet",
    .prefix = "resnet.",
    .bare_architecture = "ResNetModel",
    .image_size = 224,
    .heads = hugging_heads,
    .marker = "encoder.stages.0.layers.0.layer.0.convolution.weight",
    .reads_images = true,
    .variant = &hugging_names,
    .ignored = ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};

const struct fine__family fine__family_resnet_plain = {
    .name = "resnet",
    .prefix = "",
    .image_size = 224,
    .heads = plain_heads,
    .marker = "layer1.0.conv1.weight",
    .is_architecture = is_plain,
    .architectures = "resnet, resnet18, resnet26, resnet34, resnet50, resnet101, resnet152, "
                     "wide_resnet50_2, wide_resnet101_2, resnext50_32x4d, resnext101_32x8d, "
                     "resnext101_64x4d",
    .reads_images = true,
    .variant = &plain_names,
    .ignored = ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};

const struct fine__family fine__family_resnet_cifar = {
    .name = "resnet",
    .prefix = "",
    .heads = cifar_heads,
    .marker = "layer1.0.conv1.weight",
    .is_architecture = is_cifar,
    .architectures = "cifar-resnet, cifar-resnet20, cifar-resnet32, cifar-resnet44, cifar-resnet56, "
                     "cifar-resnet110",
    .reads_images = true,
    .variant = &plain_names,
    .ignored = ignored,
    .configure = configure,
    .build = build,
    .encode = encode,
};
