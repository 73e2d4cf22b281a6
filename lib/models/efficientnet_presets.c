/*
 * efficientnet_presets.c — EfficientNets by name.
 *
 * B0 to B7 (Tan and Le, arXiv 1905.11946) are one plan of seven stages, widened and deepened;
 * Lite0 to Lite4 leave out squeeze-and-excitation, cut activations at 6, and scale neither the
 * stem nor the depth of the first and last stage. What sources do differently with the same
 * plan is a row of a table.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "models/efficientnet_plan.h"

static const struct fine__stage base_stages[] = {
    { 1, 3, 1, 32, 16, 1 }, { 6, 3, 2, 16, 24, 2 }, { 6, 5, 2, 24, 40, 2 }, { 6, 3, 2, 40, 80, 3 },
    { 6, 5, 1, 80, 112, 3 }, { 6, 5, 2, 112, 192, 4 }, { 6, 3, 1, 192, 320, 1 },
};
enum { DIVISOR = 8 };

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

int64_t
fine__round_width(double width, int64_t divisor)
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
scale_stages(struct fine__plan *plan, const struct preset *preset)
{
    const double width = preset->width;
    const int64_t n = FINE__COUNT(base_stages);

    plan->n_stages = n;
    plan->stem = preset->lite ? FINE__BASE_STEM
                              : fine__round_width(FINE__BASE_STEM * width, DIVISOR);
    plan->top = preset->lite ? FINE__BASE_TOP : fine__round_width(FINE__BASE_TOP * width, DIVISOR);
    for (int64_t i = 0; i < n; i++) {
        const bool fixed = preset->lite && (i == 0 || i == n - 1);
        struct fine__stage *stage = &plan->stages[i];

        *stage = base_stages[i];
        stage->in = i > 0 ? plan->stages[i - 1].out : plan->stem;
        stage->out = fine__round_width((double)base_stages[i].out * width, DIVISOR);
        if (!fixed)
            stage->repeats = (int64_t)ceil((double)base_stages[i].repeats * preset->depth);
    }
}

/* What each source makes of the same stages. */
static void
follow_habits(struct fine__plan *plan, const struct preset *preset, enum fine__school school,
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
    plan->padding = school == FINE__TRANSFORMERS ? FINE__PAD_TRANSFORMERS : FINE__PAD_SYMMETRIC;
    plan->even = preset->even;
    if (school == FINE__EFFICIENTNET_PYTORCH) {
        plan->padding = FINE__PAD_SAME;
        plan->image_size = preset->image_size;
    } else if (school == FINE__TIMM && tensorflow) {
        plan->padding = FINE__PAD_SAME;
        plan->eps = 1e-3;
    } else if (school == FINE__TORCHVISION && preset->width >= 1.6) {
        plan->eps = 1e-3;           /* B5 to B7, whose weights came from TensorFlow */
        plan->momentum = plan->expand_momentum = 0.01;
    }
}

/* ---- timm's configuration: a name, and what deviates from it ---- */

/* Arguments of timm's that shape the network are read or refused, the others are not for us. */
static int
read_arguments(struct fine__plan *plan, const struct fine__json *config)
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
        plan->padding = FINE__PAD_SAME;
    else if (name != NULL && name[0] == '\0')
        plan->padding = FINE__PAD_SYMMETRIC;
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

/* ---- all together ---- */

bool
fine__is_efficientnet(const char *architecture)
{
    bool tensorflow;

    return find_preset(architecture, &tensorflow) != NULL;
}

int
fine__plan_preset(struct fine__plan *plan, enum fine__school school,
                  const struct fine__json *config, const char *architecture)
{
    bool tensorflow;
    const struct preset *preset = find_preset(architecture, &tensorflow);

    follow_habits(plan, preset, school, tensorflow);
    return read_arguments(plan, config);
}
