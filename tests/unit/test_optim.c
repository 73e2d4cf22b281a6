/*
 * test_optim.c — optim.c, adamw.c and sgd.c against PyTorch; rows that no batch used;
 * and what must not change where a number isn't finite.
 */
#include "fake_model.h"

#include <finetune/train.h>

#include "train/optim.h"
#include "io/safetensors.h"

static fine_context *ctx;

/* ---- a small table of our own, from torch 2.13 ---- */

struct expected {
    const char *name;
    bool sgd;
    double rate, decay, beta1, beta2, epsilon, momentum, dampening;
    bool nesterov;
    float weights[6];
};

static const struct expected table[] = {
    { "adamw",
      false,
      0.02,
      0.05,
      0.9,
      0.999,
      1e-8,
      0,
      0,
      false,
      { 0.46727776527404785F, -1.223488211631775F, 1.9654148817062378F, 0.023023420944809914F,
        -0.02677052840590477F, 3.5095505714416504F } },
    { "adamw, other betas",
      false,
      0.1,
      0,
      0.5,
      0.9,
      1e-6,
      0,
      0,
      false,
      { 0.3847164809703827F, -1.1925570964813232F, 1.910956859588623F, 0.06672775745391846F,
        -0.08487311750650406F, 3.5698633193969727F } },
    { "sgd",
      true,
      0.1,
      0,
      0,
      0,
      0,
      0,
      0,
      false,
      { 0.49400001764297485F, -1.25600004196167F, 1.9940000772476196F, -0.00599999725818634F,
        -0.006999996956437826F, 3.49399995803833F } },
    { "sgd, decay",
      true,
      0.1,
      0.05,
      0,
      0,
      0,
      0,
      0,
      false,
      { 0.48419424891471863F, -1.2313659191131592F, 1.9546175003051758F, -0.00637802854180336F,
        -0.006462665740400553F, 3.4239463806152344F } },
    { "sgd, momentum",
      true,
      0.1,
      0.01,
      0,
      0,
      0,
      0.9,
      0.1,
      false,
      { 0.46916624903678894F, -1.211876392364502F, 1.9203693866729736F, 0.0636114850640297F,
        -0.09975306689739227F, 3.57002854347229F } },
    { "sgd, nesterov",
      true,
      0.1,
      0.01,
      0,
      0,
      0,
      0.9,
      0,
      true,
      { 0.4648796319961548F, -1.2203562259674072F, 1.9176669120788574F, 0.043554432690143585F,
        -0.0881492868065834F, 3.5302181243896484F } },
};

static fine_optimizer *
make(const struct expected *e, int32_t decay)
{
    struct fine_adamw_options adamw;
    struct fine_sgd_options sgd;
    fine_optimizer *optimizer;

    fine_adamw_options_init(&adamw, sizeof adamw);
    fine_sgd_options_init(&sgd, sizeof sgd);
    if (e->sgd) {
        sgd.learning_rate = e->rate;
        sgd.weight_decay = e->decay;
        sgd.momentum = e->momentum;
        sgd.dampening = e->dampening;
        sgd.nesterov = e->nesterov;
        sgd.decay = decay;
        ck_assert_int_eq(fine_optimizer_new_sgd(&optimizer, ctx, &sgd), 0);
    } else {
        adamw.learning_rate = e->rate;
        adamw.weight_decay = e->decay;
        adamw.beta1 = e->beta1;
        adamw.beta2 = e->beta2;
        adamw.epsilon = e->epsilon;
        adamw.decay = decay;
        ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), 0);
    }
    return optimizer;
}

/* A model that is parameters alone. */
static fine_model *
bare_model(int n_params, const struct fine__param *like, const int64_t (*shapes)[2])
{
    fine_model *model = fine__alloc_array(ctx, 1, sizeof *model);

    atomic_init(&model->references, 1);
    model->ctx = fine__context_ref(ctx);
    fine__params_init(&model->params, ctx);
    for (int i = 0; i < n_params; i++)
        ck_assert_int_eq(fine__params_add(&model->params, &like[i], shapes[i][1] > 0 ? 2 : 1,
                                          shapes[i], "p%d", i),
                         i);
    ck_assert_int_eq(fine__params_allocate(&model->params), 0);
    return model;
}

START_TEST(agrees_with_pytorch)
{
    static const float start[6] = { 0.5F, -1.25F, 2, 0, -0.001F, 3.5F };
    static const int64_t shape[1][2] = { { 6, 0 } };
    const struct fine__param like = { .padding_row = -1 };

    ctx = new_context(2);
    for (size_t c = 0; c < sizeof table / sizeof table[0]; c++) {
        fine_model *model = bare_model(1, &like, shape);
        fine_optimizer *optimizer = make(&table[c], FINE_DECAY_ALL);
        struct fine__tensor *tensor = &model->params.list[0].tensor;

        memcpy(tensor->data, start, sizeof start);
        ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
        for (int t = 0; t < 4; t++) {
            for (int i = 0; i < 6; i++)
                tensor->grad[i] = (float)(0.1 * (i + 1) * ((i + t) % 2 ? -1 : 1) + 0.01 * t);
            ck_assert_int_eq(fine_optimizer_step(optimizer, model, table[c].rate), 0);
        }
        for (int i = 0; i < 6; i++)
            ck_assert_msg(fabsf(tensor->data[i] - table[c].weights[i]) < 5e-7F,
                          "%s, %d: %.9g, not %.9g", table[c].name, i, (double)tensor->data[i],
                          (double)table[c].weights[i]);
        fine__model_unref(model);
        fine_optimizer_free(optimizer);
    }
    free_context(ctx);
}
END_TEST

/* ---- ../shared/golden/optimizers: stored gradients, tight ---- */

static void
read_floats(struct fine__weights *file, const char *name, int64_t row, float *out, int64_t count)
{
    const int64_t i = fine__weights_find(file, name);
    float *all;

    ck_assert_int_ge(i, 0);
    all = malloc((size_t)fine__weights_at(file, i)->count * sizeof *all);
    ck_assert_int_eq(fine__weights_read_floats(file, i, all), 0);
    memcpy(out, all + row * count, (size_t)count * sizeof *all);
    free(all);
}

static const struct expected golden[] = {
    { .name = "sgd", .sgd = true, .rate = 0.1 },
    { .name = "sgd-wd", .sgd = true, .rate = 0.1, .decay = 0.05 },
    { .name = "sgd-momentum", .sgd = true, .rate = 0.05, .momentum = 0.9 },
    { .name = "sgd-momentum-dampening-wd",
      .sgd = true,
      .rate = 0.05,
      .momentum = 0.9,
      .dampening = 0.1,
      .decay = 0.01 },
    { .name = "sgd-nesterov-wd",
      .sgd = true,
      .rate = 0.05,
      .momentum = 0.9,
      .nesterov = true,
      .decay = 0.01 },
    { .name = "adam", .rate = 0.02, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 },
    { .name = "adamw", .rate = 0.02, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.05 },
    { .name = "adamw-betas-eps",
      .rate = 0.02,
      .beta1 = 0.8,
      .beta2 = 0.95,
      .epsilon = 1e-6,
      .decay = 0.01 },
};

static void
check_golden(fine_optimizer *optimizer, double rate, const char *path)
{
    static const int64_t shapes[3][2] = { { 5, 4 }, { 5, 0 }, { 3, 5 } };
    static const char *const names[3] = { "w", "b", "v" };
    struct fine__param like[3] = { { .padding_row = -1 },
                                   { .padding_row = -1 },
                                   { .padding_row = -1 } };
    struct fine__weights *file;
    fine_model *model = bare_model(3, like, shapes);
    char name[32];
    float expected[32], worst = 0;

    ck_assert_int_eq(fine__weights_open_path(&file, ctx, path), 0);
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int64_t step = 0; step < 20; step++) {
        for (int p = 0; p < 3; p++) {
            struct fine__tensor *tensor = &model->params.list[p].tensor;

            (void)sprintf(name, "param.%s", names[p]);
            if (step == 0)
                read_floats(file, name, 0, tensor->data, tensor->count);
            (void)sprintf(name, "grad.%s", names[p]);
            read_floats(file, name, step, tensor->grad, tensor->count);
        }
        ck_assert_int_eq(fine_optimizer_step(optimizer, model, rate), 0);
        for (int p = 0; p < 3; p++) {
            const struct fine__tensor *tensor = &model->params.list[p].tensor;

            (void)sprintf(name, "param.%s", names[p]);
            read_floats(file, name, step + 1, expected, tensor->count);
            for (int64_t i = 0; i < tensor->count; i++)
                worst = fmaxf(worst, fabsf(expected[i] - tensor->data[i]));
        }
    }
    ck_assert_msg(worst <= 4e-6F, "%s: off by %.3g", path, (double)worst);
    fine__weights_free(file);
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
}

/* The others, by their names. */
struct by_name {
    const char *file, *type;
    double rate, decay, momentum, alpha, beta1;
    bool centered, relative, scaled, warmup;
};

static const struct by_name others[] = {
    { .file = "adam", .type = "adam", .rate = 0.02 },
    { .file = "adam-l2", .type = "adam", .rate = 0.02, .decay = 0.05 },
    { .file = "rmsprop", .type = "rmsprop", .rate = 0.01, .alpha = 0.99 },
    { .file = "rmsprop-centered-momentum", .type = "rmsprop", .rate = 0.01, .alpha = 0.9,
      .momentum = 0.9, .centered = true, .decay = 0.01 },
    { .file = "adagrad", .type = "adagrad", .rate = 0.1 },
    { .file = "adafactor", .type = "adafactor", .rate = 1, .relative = true, .scaled = true },
    { .file = "adafactor-warmup", .type = "adafactor", .rate = 1, .relative = true,
      .scaled = true, .warmup = true },
    { .file = "adafactor-fixed-lr", .type = "adafactor", .rate = 0.02, .decay = 0.01 },
    { .file = "adafactor-beta1", .type = "adafactor", .rate = 0.02, .beta1 = 0.9 },
};

static fine_optimizer *
make_by_name(const struct by_name *n)
{
    struct fine_optimizer_options o;
    fine_optimizer *optimizer;

    fine_optimizer_options_init(&o, sizeof o, n->type);
    o.learning_rate = n->rate;
    o.weight_decay = n->decay;
    o.momentum = n->momentum;
    o.centered = n->centered;
    o.decay = FINE_DECAY_ALL;
    if (n->alpha > 0)
        o.alpha = n->alpha;
    if (strcmp(n->type, "adafactor") == 0) {
        o.relative_step = n->relative;
        o.scale_parameter = n->scaled;
        o.warmup_init = n->warmup;
        o.beta1 = n->beta1;
    }
    ck_assert_int_eq(fine_optimizer_new(&optimizer, ctx, n->type, &o), 0);
    return optimizer;
}

static bool
golden_path(char path[1024], const char *name, bool clip)
{
    (void)snprintf(path, 1024, "%s/../shared/golden/optimizers/%s%s.safetensors", SOURCE_ROOT,
                   name, clip ? "-clip" : "");
    if (fine__file_exists(ctx, path))
        return true;
    (void)printf("skipped: %s is not there\n", path);
    return false;
}

START_TEST(agrees_with_the_golden_trajectories)
{
    char path[1024];

    ctx = new_context(2);
    for (size_t c = 0; c < 2 * sizeof golden / sizeof golden[0]; c++)
        if (golden_path(path, golden[c / 2].name, c % 2 != 0))
            check_golden(make(&golden[c / 2], FINE_DECAY_ALL), golden[c / 2].rate, path);
    for (size_t c = 0; c < 2 * sizeof others / sizeof others[0]; c++)
        if (golden_path(path, others[c / 2].file, c % 2 != 0))
            check_golden(make_by_name(&others[c / 2]), others[c / 2].rate, path);
    free_context(ctx);
}
END_TEST

/* ---- lion and lamb, from the papers' algorithms in double ---- */

struct by_paper {
    double rate, decay, beta1, beta2, epsilon;
};

static void
lion_step(const struct by_paper *o, double *w, double *m, const float *g, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double c = o->beta1 * m[i] + (1 - o->beta1) * (double)g[i];

        w[i] -= o->rate * ((c > 0) - (c < 0) + o->decay * w[i]);
        m[i] = o->beta2 * m[i] + (1 - o->beta2) * (double)g[i];
    }
}

static void
lamb_step(const struct by_paper *o, double *w, double *m, double *v, const float *g, int64_t n,
          int step)
{
    double size = 0, length = 0, direction[64];

    for (int64_t i = 0; i < n; i++) {
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * (double)g[i];
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * (double)g[i] * (double)g[i];
        direction[i] = m[i] / (1 - pow(o->beta1, step)) /
                           (sqrt(v[i] / (1 - pow(o->beta2, step))) + o->epsilon) +
                       o->decay * w[i];
        size += w[i] * w[i];
        length += direction[i] * direction[i];
    }
    for (int64_t i = 0; i < n; i++)
        w[i] -= o->rate * sqrt(size / length) * direction[i];
}

static void
follow_paper(const char *type, int n_threads)
{
    static const int64_t shapes[2][2] = { { 6, 8 }, { 7, 0 } };
    const struct fine__param like[2] = { { .padding_row = -1 }, { .padding_row = -1 } };
    const struct by_paper o = { 0.01, 0.1, 0.9, 0.95, 1e-6 };
    const bool lamb = strcmp(type, "lamb") == 0;
    const uint64_t key = fine__rng_key(3, FINE__RNG_SAMPLE, 0, 0);
    struct fine_optimizer_options options;
    double w[2][64], m[2][64] = { { 0 } }, v[2][64] = { { 0 } }, worst = 0;
    fine_optimizer *optimizer;

    ctx = new_context(n_threads);
    fine_model *model = bare_model(2, like, shapes);

    fine_optimizer_options_init(&options, sizeof options, type);
    options.learning_rate = o.rate;
    options.weight_decay = o.decay;
    options.beta1 = o.beta1;
    options.beta2 = o.beta2;
    options.epsilon = o.epsilon;
    options.decay = FINE_DECAY_ALL;
    ck_assert_int_eq(fine_optimizer_new(&optimizer, ctx, type, &options), 0);
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int step = 0; step <= 20; step++)
        for (int p = 0; p < 2; p++) {
            struct fine__tensor *tensor = &model->params.list[p].tensor;

            for (int64_t i = 0; i < tensor->count; i++) {
                const uint64_t at = (uint64_t)(step * 1000 + p * 100 + i);
                const float x = (float)fine__rng_normal(key, at);

                if (step == 0)
                    tensor->data[i] = x;
                else
                    tensor->grad[i] = x;
                if (step == 0)
                    w[p][i] = (double)x;
            }
            if (step > 0 && lamb)
                lamb_step(&o, w[p], m[p], v[p], tensor->grad, tensor->count, step);
            else if (step > 0)
                lion_step(&o, w[p], m[p], tensor->grad, tensor->count);
            if (step > 0 && p == 1)
                ck_assert_int_eq(fine_optimizer_step(optimizer, model, o.rate), 0);
        }
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < model->params.list[p].tensor.count; i++)
            worst = fmax(worst, fabs(w[p][i] - (double)model->params.list[p].tensor.data[i]));
    ck_assert_msg(worst <= 4e-6, "%s: off by %.3g", type, worst);
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}

START_TEST(lion_and_lamb_follow_their_papers)
{
    follow_paper("lion", 1);
    follow_paper("lion", 3);
    follow_paper("lamb", 1);
    follow_paper("lamb", 3);
}
END_TEST

START_TEST(an_optimizer_by_its_name)
{
    struct fine_optimizer_options o;
    fine_optimizer *none = NULL;

    ctx = new_context(1);
    fine_optimizer_options_init(&o, sizeof o, "lion");
    ck_assert(o.beta2 == 0.99 && o.learning_rate == 1e-5);
    ck_assert_int_eq(fine_optimizer_new(&none, ctx, "sophia", NULL), FINE_EINVAL);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "adafactor"));
    o.beta1 = 1;
    ck_assert_int_eq(fine_optimizer_new(&none, ctx, "lion", &o), FINE_EINVAL);
    fine_optimizer_options_init(&o, sizeof o, "adafactor");
    o.relative_step = 0;
    o.warmup_init = 1;
    ck_assert_int_eq(fine_optimizer_new(&none, ctx, "adafactor", &o), FINE_EINVAL);
    ck_assert_ptr_null(none);
    free_context(ctx);
}
END_TEST

/* Stages 1 and 2 of two layers and the head: rates 0.25, 0.5 and 1 of plain descent. */
START_TEST(lower_layers_move_less)
{
    static const int64_t shapes[3][2] = { { 2, 2 }, { 2, 2 }, { 2, 2 } };
    const struct fine__param like[3] = { { .padding_row = -1, .stage = 1 },
                                         { .padding_row = -1, .stage = 2 },
                                         { .padding_row = -1, .stage = 3, .is_head = true } };
    struct fine_optimizer_options o;
    fine_optimizer *optimizer;

    ctx = new_context(1);
    fine_model *model = bare_model(3, like, shapes);

    model->n_layers = 2;
    fine_optimizer_options_init(&o, sizeof o, "sgd");
    o.layer_decay = 0.5;
    ck_assert_int_eq(fine_optimizer_new(&optimizer, ctx, "sgd", &o), 0);
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 4; i++)
            model->params.list[p].tensor.grad[i] = 1;
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 1), 0);
    for (int p = 0; p < 3; p++)
        ck_assert_float_eq(model->params.list[p].tensor.data[0], p == 0 ? -0.25F : p == 1 ? -0.5F : -1);
    o.layer_decay = 1.5;
    fine_optimizer_free(optimizer);
    ck_assert_int_eq(fine_optimizer_new(&optimizer, ctx, "sgd", &o), FINE_EINVAL);
    fine__model_unref(model);
    free_context(ctx);
}
END_TEST

/* ---- embeddings ---- */

/* The same table as an embedding and as an ordinary matrix: 20 steps on random rows, with
 * stale numbers where the gradient counts as zero. */
static void
compare_rows(const struct expected *e, int n_threads)
{
    static const int64_t shapes[2][2] = { { 700, 33 }, { 700, 33 } };
    const struct fine__param like[2] = { { .is_embedding = true, .padding_row = 0 },
                                         { .padding_row = -1 } };

    ctx = new_context(n_threads);
    fine_model *model = bare_model(2, like, shapes);
    fine_optimizer *optimizer = make(e, FINE_DECAY_MATRICES);
    struct fine__tensor *rows = &model->params.list[0].tensor;
    struct fine__tensor *dense = &model->params.list[1].tensor;
    const uint64_t key = fine__rng_key(1, FINE__RNG_SAMPLE, 0, 0);

    for (int64_t i = 0; i < rows->count; i++)
        rows->data[i] = dense->data[i] = (float)fine__rng_normal(key, (uint64_t)i);
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int step = 0; step < 20; step++) {
        fine__params_zero_gradients(&model->params);
        for (int64_t i = 0; i < rows->count; i++) {
            const uint64_t place = (uint64_t)(step * 1000 + i / 33);
            const bool used = i / 33 > 0 && i / 33 < 600 && fine__rng_below(key, place, 10) == 0;
            const float g = (float)fine__rng_normal(key, (uint64_t)(1000000 + step * 100000 + i));

            rows->rows->used[i / 33] = used;
            if (used)
                rows->grad[i] = dense->grad[i] = g;
        }
        ck_assert_int_eq(fine_optimizer_step(optimizer, model, e->rate), 0);
    }
    for (int64_t row = 0; row < 700; row++)
        ck_assert_msg(memcmp(rows->data + row * 33, dense->data + row * 33, 33 * 4) == 0 ||
                          row / 16384 > 0,
                      "%s: row %lld differs", e->name, (long long)row);
    for (int64_t row = 600; row < 700; row++)
        ck_assert(!rows->rows->seen[row] || e->sgd);
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}

START_TEST(rows_equal_the_dense_update)
{
    for (size_t c = 0; c < sizeof table / sizeof table[0]; c++)
        compare_rows(&table[c], 1 + 2 * (int)(c % 3));
}
END_TEST

START_TEST(untouched_rows_only_decay)
{
    static const int64_t shapes[1][2] = { { 4, 3 } };
    const struct fine__param like = { .is_embedding = true, .padding_row = 0 };

    ctx = new_context(1);
    fine_model *model = bare_model(1, &like, shapes);
    fine_optimizer *optimizer = make(&table[0], FINE_DECAY_MATRICES);
    struct fine__tensor *tensor = &model->params.list[0].tensor;
    float expected = 2;

    for (int i = 0; i < 12; i++)
        tensor->data[i] = 2;
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int step = 0; step < 3; step++) {
        ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.02), 0);
        expected *= (float)(1 - 0.02 * 0.05);
    }
    for (int i = 0; i < 12; i++) /* the padding row too */
        ck_assert_float_eq(tensor->data[i], expected);
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}
END_TEST

/* ---- what decays, and how fast the head learns ---- */

START_TEST(decays_matrices_only)
{
    static const int64_t shapes[2][2] = { { 2, 2 }, { 4, 0 } };
    const struct fine__param like[2] = { { .padding_row = -1 }, { .padding_row = -1 } };

    ctx = new_context(1);
    for (int32_t decay = 0; decay < 2; decay++) {
        fine_model *model = bare_model(2, like, shapes);
        fine_optimizer *optimizer = make(&table[0], decay);

        for (int p = 0; p < 2; p++)
            for (int i = 0; i < 4; i++)
                model->params.list[p].tensor.data[i] = 1;
        ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
        ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.02), 0);
        ck_assert_float_lt(model->params.list[0].tensor.data[0], 1);
        ck_assert(model->params.list[1].tensor.data[0] < 1 ? decay == FINE_DECAY_ALL
                                                           : decay == FINE_DECAY_MATRICES);
        fine__model_unref(model);
        fine_optimizer_free(optimizer);
    }
    free_context(ctx);
}
END_TEST

START_TEST(the_head_has_its_own_rate)
{
    static const int64_t shapes[2][2] = { { 1, 1 }, { 1, 1 } };
    const struct fine__param like[2] = { { .padding_row = -1 },
                                         { .padding_row = -1, .is_head = true } };
    struct fine_sgd_options options;
    fine_optimizer *optimizer;

    ctx = new_context(1);
    fine_model *model = bare_model(2, like, shapes);

    fine_sgd_options_init(&options, sizeof options);
    options.learning_rate = 0.1;
    options.head_learning_rate = 1;
    ck_assert_int_eq(fine_optimizer_new_sgd(&optimizer, ctx, &options), 0);
    ck_assert_double_eq(fine_optimizer_learning_rate(optimizer), 0.1);
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    model->params.list[0].tensor.grad[0] = model->params.list[1].tensor.grad[0] = 1;
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.05), 0);
    ck_assert_float_eq_tol(model->params.list[0].tensor.data[0], -0.05F, 1e-7F);
    ck_assert_float_eq_tol(model->params.list[1].tensor.data[0], -0.5F, 1e-7F);
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}
END_TEST

/* ---- not finite: nothing changes ---- */

static float *
place_of(fine_model *model, fine_optimizer *optimizer, int kind, int param, int64_t at)
{
    struct fine__tensor *tensor = &model->params.list[param].tensor;

    switch (kind) {
    case 0:
        return tensor->data + at;
    case 1:
        return tensor->grad + at;
    default:
        return optimizer->moment[kind - 2] + (tensor->grad - model->params.gradients) + at;
    }
}

START_TEST(refuses_what_is_not_finite)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    static const char *const kinds[] = { "weight", "gradient", "state", "state" };
    int n_injected = 0;

    for (int n_threads = 1; n_threads < 4; n_threads += 2)
        for (size_t c = 0; c < sizeof table / sizeof table[0]; c++) {
            ctx = new_context(n_threads);
            fine_model *model = fake_model(ctx, FINE__CLASSIFY);
            fine_optimizer *optimizer = make(&table[c], FINE_DECAY_MATRICES);
            struct fine__params *params = &model->params;

            ck_assert_int_eq(fine__params_make_gradients(params), 0);
            for (int64_t i = 0; i < params->n_gradients; i++)
                params->gradients[i] = 0.01F;
            memset(params->list[0].tensor.rows->used, 1, 30);
            ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.01), 0);
            for (int kind = 0; kind < 2 + optimizer->rule->n_moments(optimizer); kind++)
                for (int p = 0; p < 3; p++)
                    for (int b = 0; b < 3; b++)
                        for (int64_t end = 0; end < 2; end++) {
                            const int64_t live =
                                p == 0 ? 30 * FAKE_WIDTH : params->list[p].tensor.count;
                            float *place = place_of(model, optimizer, kind, p, end * (live - 1));
                            const float kept = *place;
                            float before[2000], after[2000];

                            *place = bad[b];
                            memcpy(before, params->list[0].tensor.data,
                                   (size_t)params->list[0].tensor.count * sizeof *before);
                            memcpy(before + 1500, params->list[1].tensor.data, 63 * 4);
                            ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.01),
                                             FINE_ENUMERIC);
                            ck_assert_ptr_nonnull(
                                strstr(fine_error_message(), params->list[p].name));
                            ck_assert_ptr_nonnull(strstr(fine_error_message(), kinds[kind]));
                            memcpy(after, params->list[0].tensor.data,
                                   (size_t)params->list[0].tensor.count * sizeof *after);
                            memcpy(after + 1500, params->list[1].tensor.data, 63 * 4);
                            ck_assert_mem_eq(before, after, 900 * 4);
                            ck_assert_mem_eq(before + 1500, after + 1500, 63 * 4);
                            *place = kept;
                            n_injected++;
                        }
            ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.01), 0);
            ck_assert_int_eq(optimizer->n_steps, 2);
            fine__model_unref(model);
            fine_optimizer_free(optimizer);
            free_context(ctx);
        }
    ck_assert_int_ge(n_injected, 300);
}
END_TEST

START_TEST(stays_finite_at_the_limits)
{
    static const int64_t shapes[1][2] = { { 3, 0 } };
    const struct fine__param like = { .padding_row = -1 };

    ctx = new_context(1);
    for (int sgd = 0; sgd < 2; sgd++) {
        const struct expected wild = { .sgd = sgd,
                                       .rate = 1000,
                                       .decay = 1000,
                                       .beta1 = 0.9,
                                       .beta2 = 0.999,
                                       .epsilon = 1e-16,
                                       .momentum = 0.9 };
        fine_model *model = bare_model(1, &like, shapes);
        fine_optimizer *optimizer = make(&wild, FINE_DECAY_ALL);
        struct fine__tensor *tensor = &model->params.list[0].tensor;
        int rc = 0, n_steps = 0;

        ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
        while (rc == 0 && n_steps++ < 100) {
            tensor->grad[0] = 9e14F;
            tensor->grad[1] = -1e-38F;
            tensor->grad[2] = tensor->data[2] / 1e4F;
            rc = fine_optimizer_step(optimizer, model, 1000);
            for (int i = 0; i < 3; i++)
                ck_assert(isfinite(tensor->data[i]));
        }
        ck_assert_int_eq(rc, FINE_ENUMERIC); /* said before a float overflows */
        fine__model_unref(model);
        fine_optimizer_free(optimizer);
    }
    free_context(ctx);
}
END_TEST

/* ---- use and misuse ---- */

START_TEST(belongs_to_one_model)
{
    fine_optimizer *optimizer;

    ctx = new_context(1);
    fine_model *model = fake_model(ctx, FINE__CLASSIFY), *other = fake_model(ctx, FINE__CLASSIFY);

    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, NULL), 0);
    ck_assert_double_eq(fine_optimizer_learning_rate(optimizer), 5e-5);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), FINE_ESTATE); /* no gradients */
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    ck_assert_int_eq(fine__params_make_gradients(&other->params), 0);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), 0);
    ck_assert_int_eq(fine_optimizer_step(optimizer, other, 0.1), FINE_ESTATE);
    model->params.list[0].tensor.wants_grad = false;
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), FINE_ESTATE);
    model->params.list[0].tensor.wants_grad = true;
    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), 0);
    atomic_store(&model->training, true);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), FINE_ESTATE);
    atomic_store(&model->training, false);
    atomic_store(&model->sessions, 1);
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), FINE_ESTATE);
    atomic_store(&model->sessions, 0);
    fine__model_unref(other);
    fine__model_unref(model); /* the optimizer keeps it */
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.1), 0);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_options)
{
    static const double no_rates[] = { -1, 2000, (double)NAN, (double)INFINITY };
    struct fine_adamw_options adamw;
    struct fine_sgd_options sgd;
    fine_optimizer *optimizer = NULL;

    ctx = new_context(1);
    for (int i = 0; i < 4; i++) {
        fine_adamw_options_init(&adamw, sizeof adamw);
        adamw.learning_rate = no_rates[i];
        ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), FINE_EINVAL);
        fine_adamw_options_init(&adamw, sizeof adamw);
        adamw.head_learning_rate = no_rates[i];
        ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), FINE_EINVAL);
        fine_adamw_options_init(&adamw, sizeof adamw);
        adamw.beta2 = i == 0 ? 1 : no_rates[i];
        ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), FINE_EINVAL);
        fine_sgd_options_init(&sgd, sizeof sgd);
        sgd.momentum = no_rates[i];
        ck_assert_int_eq(fine_optimizer_new_sgd(&optimizer, ctx, &sgd), FINE_EINVAL);
    }
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.epsilon = 0;
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), FINE_EINVAL);
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.decay = 2;
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, ctx, &adamw), FINE_EINVAL);
    fine_sgd_options_init(&sgd, sizeof sgd);
    sgd.nesterov = 1;
    ck_assert_int_eq(fine_optimizer_new_sgd(&optimizer, ctx, &sgd), FINE_EINVAL);
    ck_assert_int_eq(fine_optimizer_new_sgd(NULL, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_optimizer_new_sgd(&optimizer, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_optimizer_new_adamw(NULL, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_optimizer_step(NULL, NULL, 1), FINE_EINVAL);
    ck_assert_ptr_null(optimizer);
    fine_optimizer_free(NULL);
    ck_assert_double_eq(fine_optimizer_learning_rate(NULL), 0);
    free_context(ctx);
}
END_TEST

START_TEST(counts_beyond_32_bits)
{
    ctx = new_context(1);
    fine_model *model = fake_model(ctx, FINE__CLASSIFY);
    fine_optimizer *optimizer = make(&table[0], FINE_DECAY_ALL);

    ck_assert_int_eq(fine__params_make_gradients(&model->params), 0);
    for (int i = 0; i < 63; i++)
        model->params.list[1].tensor.grad[i % 60] = 0.1F;
    ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.01), 0);
    optimizer->n_steps = 2147483646;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(fine_optimizer_step(optimizer, model, 0.01), 0);
    ck_assert_int_eq(optimizer->n_steps, 2147483650);
    ck_assert(isfinite(model->params.list[1].tensor.data[0]));
    fine__model_unref(model);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}
END_TEST

RUNNER("optim", agrees_with_pytorch, agrees_with_the_golden_trajectories,
       lion_and_lamb_follow_their_papers, an_optimizer_by_its_name, lower_layers_move_less,
       rows_equal_the_dense_update, untouched_rows_only_decay, decays_matrices_only,
       the_head_has_its_own_rate, refuses_what_is_not_finite, stays_finite_at_the_limits,
       belongs_to_one_model, refuses_options, counts_beyond_32_bits)
