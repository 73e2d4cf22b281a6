/*
 * efficientnet_read.c — EfficientNets that a configuration describes: transformers', or a
 * plain list of stages. Every number has a least and a greatest value, and what no network of
 * ours can do is refused.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "models/efficientnet_plan.h"

/* ---- a list of stages ---- */

static int
read_stage(struct fine__plan *plan, const struct fine__json *json, int64_t i)
{
    struct fine__stage *stage = &plan->stages[i];
    const struct fine__config_size sizes[] = {
        { "expand", 1, 64, FINE__REQUIRED, &stage->expand },
        { "kernel", 1, FINE__MAX_KERNEL, FINE__REQUIRED, &stage->kernel },
        { "stride", 1, 2, FINE__REQUIRED, &stage->stride },
        { "out", 1, FINE__MAX_CHANNELS, FINE__REQUIRED, &stage->out },
        { "repeats", 1, FINE__MAX_REPEATS, FINE__REQUIRED, &stage->repeats },
    };

    if (fine__json_type(json) != FINE__JSON_OBJECT)
        return fine__also(FINE_EFORMAT, "config.json: 'stages': item %lld is no object with "
                          "'expand', 'kernel', 'stride', 'out' and 'repeats'", (long long)i);
    FINE__TRY(fine__config_sizes(json, sizes, FINE__COUNT(sizes)));
    stage->in = i > 0 ? plan->stages[i - 1].out : plan->stem;
    return 0;
}

static int
read_padding(struct fine__plan *plan, const struct fine__json *config)
{
    const struct fine__json *value = fine__json_get(config, "padding");
    const char *name = fine__json_string(value, NULL);

    if (value == NULL || (name != NULL && strcmp(name, "symmetric") == 0))
        plan->padding = FINE__PAD_SYMMETRIC;
    else if (name != NULL && strcmp(name, "same") == 0)
        plan->padding = FINE__PAD_SAME;
    else
        return fine__also(FINE_EUNSUPPORTED, "config.json: 'padding' must be 'symmetric' or "
                          "'same'");
    return 0;
}

int
fine__plan_list(struct fine__plan *plan, const struct fine__json *config)
{
    const struct fine__json *stages = fine__json_get(config, "stages");
    const struct fine__config_size sizes[] = {
        { "stem", 1, FINE__MAX_CHANNELS, FINE__REQUIRED, &plan->stem },
        { "head", 1, FINE__MAX_CHANNELS, FINE__REQUIRED, &plan->top },
        { "image_size", 1, 1 << 16, 0, &plan->image_size },
    };
    int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));

    plan->n_stages = fine__json_count(stages);
    if (fine__json_type(stages) != FINE__JSON_ARRAY || plan->n_stages < 1 ||
        plan->n_stages > FINE__MAX_STAGES)
        return fine__also(FINE_EFORMAT, "config.json: 'stages' must be a list of 1 to %d stages",
                          FINE__MAX_STAGES);
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
    [KERNELS] = { "kernel_sizes", 1, FINE__MAX_KERNEL, { 3, 3, 5, 3, 5, 5, 3 } },
    [INS] = { "in_channels", 1, FINE__MAX_CHANNELS, { 32, 16, 24, 40, 80, 112, 192 } },
    [OUTS] = { "out_channels", 1, FINE__MAX_CHANNELS, { 16, 24, 40, 80, 112, 192, 320 } },
    [STRIDES] = { "strides", 1, 2, { 1, 2, 2, 2, 1, 2, 1 } },
    [REPEATS] = { "num_block_repeats", 1, FINE__MAX_REPEATS, { 1, 2, 2, 3, 3, 4, 1 } },
    [EXPANSIONS] = { "expand_ratios", 1, 64, { 1, 6, 6, 6, 6, 6, 6 } },
};

/* All lists are as long as the first, one number a stage. */
static int
read_lists(const struct fine__json *config, int64_t lists[N_KEYS][FINE__MAX_STAGES], int64_t *n_out)
{
    int rc = 0;

    for (int64_t k = 0; k < N_KEYS; k++) {
        const struct fine__json *list = fine__json_get(config, keys[k].name);
        const int64_t n = list != NULL ? fine__json_count(list) : FINE__COUNT(keys[k].defaults);

        if (list != NULL && fine__json_type(list) != FINE__JSON_ARRAY)
            return fine__also(FINE_EFORMAT, "config.json: '%s' must be a list", keys[k].name);
        if (n < 1 || n > FINE__MAX_STAGES)
            return fine__also(FINE_EFORMAT, "config.json: '%s' has %lld numbers; 1 to %d can be",
                              keys[k].name, (long long)n, FINE__MAX_STAGES);
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
read_stages(struct fine__plan *plan, const struct fine__json *config)
{
    int64_t lists[N_KEYS][FINE__MAX_STAGES], divisor = 0;
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
    plan->stem = fine__round_width(FINE__BASE_STEM * width, divisor);
    plan->top = fine__round_width(FINE__BASE_TOP * width, divisor);
    for (int64_t i = 0; i < plan->n_stages; i++) {
        struct fine__stage *stage = &plan->stages[i];
        const int64_t before = i > 0 ? plan->stages[i - 1].out : plan->stem;

        stage->expand = lists[EXPANSIONS][i];
        stage->kernel = lists[KERNELS][i];
        stage->stride = lists[STRIDES][i];
        stage->in = fine__round_width((double)lists[INS][i] * width, divisor);
        stage->out = fine__round_width((double)lists[OUTS][i] * width, divisor);
        stage->repeats = (int64_t)ceil(depth * (double)lists[REPEATS][i]);
        if (stage->in != before)
            return fine__also(FINE_EFORMAT, "config.json: 'in_channels': stage %lld takes %lld "
                              "channels, but gets %lld", (long long)i, (long long)stage->in,
                              (long long)before);
    }
    return 0;
}

static int
read_pooling(const struct fine__json *config, const struct fine__plan *plan)
{
    const struct fine__json *pooling = fine__json_get(config, "pooling_type");
    const char *name = fine__json_string(pooling, NULL);
    int64_t width = 0;
    const struct fine__config_size sizes[] = {
        { "hidden_dim", 1, 4 * FINE__MAX_CHANNELS, 2560, &width },
    };
    int rc = fine__config_sizes(config, sizes, FINE__COUNT(sizes));

    if (rc == 0 && width != plan->top && plan->top > 0)
        rc = fine__also(FINE_EFORMAT, "config.json: 'hidden_dim' is %lld, but the last "
                        "convolution has %lld channels", (long long)width, (long long)plan->top);
    if (pooling != NULL && (name == NULL || strcmp(name, "mean") != 0))
        rc = fine__also(FINE_EUNSUPPORTED, "config.json: 'pooling_type' must be 'mean'; no other "
                        "is supported");
    return rc;
}

int
fine__plan_transformers(struct fine__plan *plan, const struct fine__json *config)
{
    const bool is_square = fine__json_type(fine__json_get(config, "image_size")) ==
                           FINE__JSON_INTEGER;          /* it may be a list of two */
    const struct fine__config_size sizes[] = {
        { "num_channels", 1, 64, 3, &plan->n_images },
        { is_square ? "image_size" : NULL, 1, 1 << 16, 0, &plan->usual_size },
    };
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

    plan->padding = FINE__PAD_TRANSFORMERS;
    plan->even_list = fine__json_get(config, "depthwise_padding");
    plan->drops_elements = true;
    plan->expand_momentum = 0.1;    /* torch's own: transformers doesn't pass its own on there */
    for (int64_t i = 0; i < FINE__COUNT(results); i++)
        FINE__TRY(results[i]);
    return 0;
}
