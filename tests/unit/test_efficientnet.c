#include "base/json.h"
#include "models/efficientnet.h"
#include "runner.h"

#include <stdlib.h>
#include <string.h>

/* A model that is configured and built, but has no values. */
static void
begin(fine_model *model, fine_context *ctx)
{
    memset(model, 0, sizeof *model);
    model->ctx = ctx;
    model->prefix = "";
    model->wrapper = "";
    fine__params_init(&model->params, ctx);
}

static void
end(fine_model *model)
{
    fine__params_free(&model->params);
    fine__norms_free(model->ctx, &model->norms);
    fine__free(model->ctx, model->config);
}

static int
configure(fine_model *model, enum fine__school school, const char *text)
{
    struct fine__json *config = NULL;

    fine__error_clear();
    ck_assert_int_eq(fine__json_parse(&config, model->ctx, text, strlen(text), "config.json"), 0);
    const int rc = fine__configure_efficientnet(model, school, config, -1);

    fine__json_free(config);
    return rc;
}

/* ---- names and shapes of whole networks ---- */

static const struct fine__family *const families[FINE__N_SCHOOLS] = {
    [FINE__TRANSFORMERS] = &fine__family_efficientnet,
    [FINE__TIMM] = &fine__family_efficientnet_timm,
    [FINE__TORCHVISION] = &fine__family_efficientnet_torchvision,
    [FINE__EFFICIENTNET_PYTORCH] = &fine__family_efficientnet_pytorch,
};

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t
digest(const fine_model *model, int64_t *n_values)
{
    const int64_t most = model->params.count + 2 * model->norms.count;
    char **lines = calloc((size_t)most, sizeof *lines);
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    int64_t n = 0;

    *n_values = 0;
    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__param *param = &model->params.list[i];
        char line[256];
        int used = snprintf(line, sizeof line, "%s%s", param->is_head ? "" : model->prefix,
                            param->name + (param->is_head ? 0 : strlen(model->prefix)));

        for (int d = 0; d < param->tensor.n_dims; d++)
            used += snprintf(line + used, sizeof line - (size_t)used, " %d",
                             (int)param->tensor.shape[d]);
        lines[n++] = strdup(line);
        *n_values += param->tensor.count;
    }
    for (int64_t i = 0; i < model->norms.count; i++)
        for (int k = 0; k < 2; k++) {
            char line[256];

            (void)snprintf(line, sizeof line, "%s %d", model->norms.list[i].names[k],
                           (int)model->norms.list[i].channels);
            lines[n++] = strdup(line);
        }
    qsort(lines, (size_t)n, sizeof *lines, by_text);
    for (int64_t i = 0; i < n; i++) {
        for (const char *c = lines[i]; *c != '\0'; c++)
            h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
        h = (h ^ '\n') * UINT64_C(0x100000001B3);
        free(lines[i]);
    }
    free(lines);
    return h;
}

START_TEST(names_are_those_of_the_sources)
{
    static const struct {
        enum fine__school school;
        const char *architecture;
        int64_t n_values;
        uint64_t digest;
    } rows[] = {
#include "efficientnet_names.def"
    };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(rows); i++) {
        const struct fine__family *family = families[rows[i].school];
        fine_model model;
        char config[128];
        int64_t n;

        begin(&model, ctx);
        model.family = family;
        model.prefix = (char *)(uintptr_t)family->prefix;
        (void)snprintf(config, sizeof config, "{\"architecture\": \"%s\"}", rows[i].architecture);
        ck_assert_int_eq(configure(&model, rows[i].school, config), 0);
        family->build(&model);
        fine__head_build(&model, &family->heads[0], 1000);
        ck_assert(!model.params.failed);
        const uint64_t found = digest(&model, &n);

        ck_assert_msg(n == rows[i].n_values, "%s: %lld parameters", rows[i].architecture,
                      (long long)n);
        ck_assert_msg(found == rows[i].digest, "%s of school %d has other names or shapes",
                      rows[i].architecture, (int)rows[i].school);
        end(&model);
    }
    free_context(ctx);
}
END_TEST

/* ---- what sources do differently ---- */

static const struct fine__efficientnet *
configured(fine_model *model, fine_context *ctx, enum fine__school school, const char *text)
{
    begin(model, ctx);
    ck_assert_msg(configure(model, school, text) == 0, "%s", fine_error_message());
    return model->config;
}

static void
check_pads(struct fine__pads pads, int64_t before, int64_t after)
{
    ck_assert_int_eq(pads.before, before);
    ck_assert_int_eq(pads.after, after);
}

START_TEST(each_source_has_its_habits)
{
    static const char b1[] = "{\"architecture\": \"efficientnet_b1\"}";
    fine_context *ctx = new_context(1);
    const struct fine__efficientnet *net;
    fine_model model;

    net = configured(&model, ctx, FINE__TRANSFORMERS, b1);
    ck_assert(model.eps == 1e-3 && net->momentum == 0.99 && net->expand_momentum == 0.1);
    ck_assert(net->drops_elements && !net->same && !net->by_stage);
    ck_assert(net->blocks[22].drop == 0.2 * 22 / 23 && net->blocks[0].drop == 0);
    ck_assert(model.head_dropout[FINE__CLASSIFY_IMAGE] == 0.2);
    check_pads(net->stem_pads, 0, 1);
    check_pads(net->blocks[2].pads, 0, 1);
    check_pads(net->blocks[5].pads, 1, 2);
    check_pads(net->blocks[16].pads, 2, 2);         /* depthwise_padding lists it */
    check_pads(net->blocks[0].pads, 1, 1);
    ck_assert_int_eq(model.n_layers, 8);
    ck_assert_int_eq(model.n_states, 24);
    end(&model);

    net = configured(&model, ctx, FINE__TIMM, b1);
    ck_assert(model.eps == 1e-5 && net->momentum == 0.1 && net->expand_momentum == 0.1);
    ck_assert(net->blocks[22].drop == 0 && model.head_dropout[FINE__CLASSIFY_IMAGE] == 0);
    check_pads(net->stem_pads, 1, 1);
    check_pads(net->blocks[5].pads, 2, 2);
    ck_assert_int_eq(model.n_states, 9);
    end(&model);

    net = configured(&model, ctx, FINE__TIMM, "{\"architecture\": \"tf_efficientnet_b1.in1k\", "
                     "\"model_args\": {\"drop_path_rate\": 0.1, \"drop_rate\": 0.3}}");
    ck_assert(net->same && model.eps == 1e-3 && net->momentum == 0.1);
    ck_assert(net->blocks[22].drop == 0.1 * 22 / 23);
    ck_assert(model.head_dropout[FINE__CLASSIFY_IMAGE] == 0.3);
    end(&model);

    net = configured(&model, ctx, FINE__TORCHVISION, b1);
    ck_assert(!net->same && !net->drops_elements && model.eps == 1e-5 && net->momentum == 0.1);
    ck_assert(net->blocks[22].drop == 0.2 * 22 / 23);
    end(&model);
    net = configured(&model, ctx, FINE__TORCHVISION, "{\"architecture\": \"efficientnet_b5\"}");
    ck_assert(model.eps == 1e-3 && net->momentum == 0.01);
    end(&model);

    net = configured(&model, ctx, FINE__EFFICIENTNET_PYTORCH,
                     "{\"architecture\": \"efficientnet-b1\"}");
    ck_assert(!net->same && model.eps == 1e-3 && net->momentum == 0.01);
    check_pads(net->stem_pads, 0, 1);               /* 240 */
    check_pads(net->blocks[5].pads, 1, 2);          /* 60 */
    check_pads(net->blocks[16].pads, 2, 2);         /* 15 */
    end(&model);
    free_context(ctx);
}
END_TEST

/* transformers adds the input from a stage's second block on, the others where shapes allow. */
START_TEST(skips)
{
    static const char plain[] = "{\"architecture\": \"efficientnet\", \"stem\": 8, \"head\": 16, "
        "\"stages\": [{\"expand\": 1, \"kernel\": 3, \"stride\": 1, \"out\": 8, \"repeats\": 2}]}";
    static const char theirs[] = "{\"width_coefficient\": 1, \"depth_coefficient\": 1, "
        "\"hidden_dim\": 1280, \"kernel_sizes\": [3], \"in_channels\": [32], "
        "\"out_channels\": [32], \"strides\": [1], \"num_block_repeats\": [2], "
        "\"expand_ratios\": [1], \"image_size\": 48}";
    fine_context *ctx = new_context(1);
    const struct fine__efficientnet *net;
    fine_model model;

    net = configured(&model, ctx, FINE__TORCHVISION, plain);
    ck_assert(net->blocks[0].skips && net->blocks[1].skips);
    ck_assert_int_eq(net->blocks[0].squeeze, 2);
    end(&model);
    net = configured(&model, ctx, FINE__TRANSFORMERS, theirs);
    ck_assert(!net->blocks[0].skips && net->blocks[1].skips);
    ck_assert_int_eq(model.image_size, 48);
    end(&model);
    free_context(ctx);
}
END_TEST

START_TEST(same_follows_the_image)
{
    check_pads(fine__same_pads(224, 3, 2), 0, 1);
    check_pads(fine__same_pads(225, 3, 2), 1, 1);
    check_pads(fine__same_pads(7, 5, 2), 2, 2);
    check_pads(fine__same_pads(8, 5, 2), 1, 2);
    check_pads(fine__same_pads(1, 5, 2), 2, 2);
    check_pads(fine__same_pads(9, 5, 1), 2, 2);
    check_pads(fine__same_pads(3, 1, 2), 0, 0);
}
END_TEST

START_TEST(knows_architectures)
{
    static const char *const good[] = { "efficientnet_b0", "efficientnet-b7", "tf_efficientnet_b3",
                                        "efficientnet_lite4", "tf_efficientnet_lite0.in1k" };
    static const char *const bad[] = { "", "efficientnet", "efficientnet_b8", "efficientnet_b",
                                       "efficientnet_b00", "efficientnetv2_s", "tf_", "resnet50",
                                       "efficientnet_b0_gn", "efficientnet_lite5" };

    for (int64_t i = 0; i < FINE__COUNT(good); i++)
        ck_assert_msg(fine__is_efficientnet(good[i]), "%s", good[i]);
    for (int64_t i = 0; i < FINE__COUNT(bad); i++)
        ck_assert_msg(!fine__is_efficientnet(bad[i]), "%s", bad[i]);
}
END_TEST

/* ---- configurations that cannot be ---- */

START_TEST(refuses)
{
#define ONE "\"kernel_sizes\": [3], \"in_channels\": [32], \"out_channels\": [16], "            \
            "\"strides\": [1], \"num_block_repeats\": [1]"
#define LIST(stage) "{\"architecture\": \"efficientnet\", \"stem\": 8, \"head\": 8, "           \
                    "\"stages\": [" stage "]}"
    static const struct {
        enum fine__school school;
        const char *config, *finding;
    } cases[] = {
        { FINE__TRANSFORMERS, "{\"width_coefficient\": 0}", "width_coefficient" },
        { FINE__TRANSFORMERS, "{\"width_coefficient\": \"1\"}", "width_coefficient" },
        { FINE__TRANSFORMERS, "{\"width_coefficient\": 64, \"hidden_dim\": 3}", "hidden_dim" },
        { FINE__TRANSFORMERS, "{\"depth_coefficient\": 64}", "at most 64" },
        { FINE__TRANSFORMERS, "{\"depth_divisor\": 0}", "depth_divisor" },
        { FINE__TRANSFORMERS, "{\"hidden_dim\": 1281}", "has 2560 channels" },
        { FINE__TRANSFORMERS, "{\"kernel_sizes\": 3}", "must be a list" },
        { FINE__TRANSFORMERS, "{\"kernel_sizes\": []}", "has 0 numbers" },
        { FINE__TRANSFORMERS, "{\"kernel_sizes\": [3, 3]}", "'in_channels' has 7" },
        { FINE__TRANSFORMERS, "{\"strides\": [1, 2, 2, 2, 1, 2, 3]}", "number 6" },
        { FINE__TRANSFORMERS, "{\"strides\": [1, 2, 2, 2, 1, 2, null]}", "number 6" },
        { FINE__TRANSFORMERS, "{\"kernel_sizes\": [3, 4, 5, 3, 5, 5, 3]}", "odd" },
        { FINE__TRANSFORMERS, "{\"kernel_sizes\": [3, 1, 5, 3, 5, 5, 3]}", "at least 3" },
        { FINE__TRANSFORMERS, "{\"in_channels\": [32, 24, 24, 40, 80, 112, 192]}", "gets 32" },
        { FINE__TRANSFORMERS, "{" ONE ", \"expand_ratios\": [65]}", "expand_ratios" },
        { FINE__TRANSFORMERS, "{\"pooling_type\": \"max\"}", "'mean'" },
        { FINE__TRANSFORMERS, "{\"hidden_act\": \"mish\"}", "hidden_act" },
        { FINE__TRANSFORMERS, "{\"batch_norm_momentum\": 2}", "batch_norm_momentum" },
        { FINE__TRANSFORMERS, "{\"drop_connect_rate\": 1}", "drop_connect_rate" },
        { FINE__TIMM, "{\"model_type\": \"efficientnet\"}", "'architecture'" },
        { FINE__TIMM, "{\"architecture\": \"efficientnet_b0\", \"global_pool\": \"max\"}", "avg" },
        { FINE__TIMM, "{\"architecture\": \"efficientnet_b0\", \"model_args\": "
                      "{\"pad_type\": \"valid\"}}", "pad_type" },
        { FINE__TIMM, "{\"architecture\": \"efficientnet_b0\", \"model_args\": "
                      "{\"act_layer\": \"relu\"}}", "act_layer" },
        { FINE__TORCHVISION, "{\"architecture\": \"efficientnet\"}", "stem" },
        { FINE__TORCHVISION, LIST(""), "1 to 64" },
        { FINE__TORCHVISION, LIST("3"), "no object" },
        { FINE__TORCHVISION, LIST("{\"expand\": 1}"), "kernel" },
        { FINE__TORCHVISION, LIST("{\"expand\": 1, \"kernel\": 2, \"stride\": 1, \"out\": 8, "
                                  "\"repeats\": 1}"), "odd" },
        { FINE__TORCHVISION, LIST("{\"expand\": 64, \"kernel\": 3, \"stride\": 1, \"out\": 16384, "
                                  "\"repeats\": 1}"), "at most" },
    };
    fine_context *ctx = new_context(1);

    for (int64_t i = 0; i < FINE__COUNT(cases); i++) {
        fine_model model;
        bool found = false;

        begin(&model, ctx);
        ck_assert_msg(configure(&model, cases[i].school, cases[i].config) < 0, "%s",
                      cases[i].config);
        for (const char *m = fine_error_message(); m != NULL && !found; m = fine_error_next())
            found = strstr(m, cases[i].finding) != NULL;
        ck_assert_msg(found, "%s: %s", cases[i].config, fine_error_message());
        end(&model);
    }
    free_context(ctx);
}
END_TEST

RUNNER("efficientnet", names_are_those_of_the_sources, each_source_has_its_habits, skips,
       same_follows_the_image, knows_architectures, refuses)
