/*
 * test_golden.c — a small BERT of odd sizes through the C interface, held to what PyTorch
 * computes in float64 (make_golden.py): outputs, every hidden state, every gradient, two
 * curves of ten steps; other activations, poolings, element types and names of the weights.
 *
 * The limits are several times what float32 itself is away from float64 in PyTorch.
 */
#include "api.h"

#define FOLDER SOURCE_ROOT "/tests/golden/bert"

enum { B = 4, T = 11, STEPS = 10, CLASSES = 5 };

static fine_context *ctx;
static fine_tensors *inputs, *expected;

static void
setup(void)
{
    ctx = new_context(2);
    OK(fine_tensors_open(&inputs, ctx, FOLDER "/inputs.safetensors"));
    OK(fine_tensors_open(&expected, ctx, FOLDER "/expected.safetensors"));
}

static void
teardown(void)
{
    fine_tensors_free(inputs);
    fine_tensors_free(expected);
    free_context(ctx);
}

static fine_model *
open_golden(const char *folder)
{
    fine_model *model;

    OK(fine_model_open(&model, ctx, folder, NULL));
    return model;
}

/* Numbers of any float type, as double. */
static double *
right(const char *name, int64_t *count_out)
{
    const int64_t *shape;
    const void *data;
    int64_t n_dims, count = 1;
    int32_t type;
    double *to;

    ck_assert_msg(fine_tensors_get(expected, name, &type, &n_dims, &shape, &data) == 0, "%s", name);
    ck_assert(type == FINE_F32 || type == FINE_F64);
    for (int64_t i = 0; i < n_dims; i++)
        count *= shape[i];
    to = malloc((size_t)count * sizeof *to);
    for (int64_t i = 0; i < count; i++)
        to[i] = type == FINE_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
    *count_out = count;
    return to;
}

/* Off by at most `relative` of the largest number, or by `absolute`. */
static void
compare(const char *name, const float *got, int64_t n, double relative, double absolute)
{
    int64_t count;
    double *want = right(name, &count), largest = 0, off = 0;

    ck_assert_msg(n == count, "%s: %lld elements, not %lld", name, (long long)n, (long long)count);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(got[i]))
            ck_abort_msg("%s: element %lld is not finite", name, (long long)i);
        largest = fmax(largest, fabs(want[i]));
        off = fmax(off, fabs((double)got[i] - want[i]));
    }
    if (off > absolute && off > relative * largest)
        ck_abort_msg("%s: %.2g off, of %.2g", name, off, largest);
    free(want);
}

static void
compare_logits(const fine_tensors *out, const char *name)
{
    compare(name, floats_of(out, "logits", B * CLASSES), B * CLASSES, 5e-6, 0);
}

START_TEST(outputs_and_gradients)
{
    fine_model *model = open_golden(FOLDER);
    fine_tensors *out;
    int n_gradients = 0;

    ck_assert_str_eq(fine_model_task(model), "classify");
    ck_assert_str_eq(fine_model_pool(model), "pooler");
    ck_assert_int_eq(fine_model_n_labels(model), CLASSES);
    ck_assert_str_eq(fine_model_label(model, 4), "LABEL_4");
    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS, &out));
    compare_logits(out, "logits");
    compare("loss", floats_of(out, "loss", 1), 1, 3e-6, 3e-6);
    for (int64_t i = 0; i < fine_tensors_count(expected); i++) {
        const char *name = fine_tensors_name(expected, i);
        const int64_t *shape;
        const void *data;
        int64_t n_dims, count = 1;
        int32_t type;

        if (strncmp(name, "hidden_states.", 14) != 0 && strncmp(name, "grad.", 5) != 0)
            continue;
        const bool gradient = name[0] == 'g';

        OK(fine_tensors_get(out, name, &type, &n_dims, &shape, &data));
        for (int64_t k = 0; k < n_dims; k++)
            count *= shape[k];
        compare(name, floats_of(out, name, count), count, gradient ? 3e-5 : 1e-5,
                gradient ? 1e-7 : 0);
        n_gradients += gradient;
    }
    ck_assert_int_eq(n_gradients, fine_model_n_params(model));
    ck_assert_int_eq(fine_tensors_count(out), 2 + 3 + n_gradients);
    /* the padding row has none, though its id stands in a text */
    const float *words = floats_of(out, "grad.bert.embeddings.word_embeddings.weight", 61 * 24);

    for (int j = 0; j < 24; j++)
        ck_assert(words[4 * 24 + j] == 0);
    fine_tensors_free(out);
    /* without gradients or labels the same logits come out */
    OK(fine_model_forward(model, inputs, 0, &out));
    compare_logits(out, "logits");
    ck_assert_int_eq(fine_tensors_count(out), 2);
    fine_tensors_free(out);
    fine_model_free(model);
}
END_TEST

/* ---- ten steps ---- */

struct curve {
    const char *name;
    struct fine_adamw_options adamw;
    double clip;
    const char *schedule, *freeze;
};

static void
follow(const struct curve *curve)
{
    char name[64];
    int64_t n;
    double *losses, *norms, *rates = NULL, loss, norm;
    struct fine_schedule_options warmup;
    fine_model *model = open_golden(FOLDER);
    fine_optimizer *optimizer;
    fine_schedule *schedule;

    (void)snprintf(name, sizeof name, "%s.losses", curve->name);
    losses = right(name, &n);
    ck_assert_int_eq(n, STEPS + 1);
    (void)snprintf(name, sizeof name, "%s.norms", curve->name);
    norms = right(name, &n);
    if (strcmp(curve->schedule, "constant") != 0) {
        (void)snprintf(name, sizeof name, "%s.rates", curve->name);
        rates = right(name, &n);
    }
    fine_schedule_options_init(&warmup, sizeof warmup);
    warmup.warmup = rates != NULL ? 3 : 0;
    OK(fine_model_freeze(model, curve->freeze));
    OK(fine_optimizer_new_adamw(&optimizer, ctx, &curve->adamw));
    OK(fine_schedule_new(&schedule, ctx, curve->schedule, &warmup));
    for (int i = 0; i <= STEPS; i++) {
        const double rate = curve->adamw.learning_rate * fine_schedule_factor(schedule, i, STEPS);

        OK(fine_model_zero_gradients(model));
        OK(fine_model_backward(model, inputs, 1, &loss));
        ck_assert_msg(fabs(loss - losses[i]) <= 1e-5, "%s: loss %d is %.9g, not %.9g", curve->name,
                      i, loss, losses[i]);
        if (i == STEPS)
            break;
        OK(fine_model_clip_gradients(model, curve->clip, &norm));
        ck_assert_msg(fabs(norm - norms[i]) <= 1e-4, "%s: norm %d is %.9g, not %.9g", curve->name,
                      i, norm, norms[i]);
        ck_assert(rates == NULL || fabs(rate - rates[i]) <= 1e-12);
        OK(fine_optimizer_step(optimizer, model, rate));
    }
    free(losses);
    free(norms);
    free(rates);
    fine_schedule_free(schedule);
    fine_optimizer_free(optimizer);
    fine_model_free(model);
}

START_TEST(ten_steps_with_a_frozen_part)
{
    struct curve curve = { .name = "frozen", .schedule = "constant", .freeze = "embeddings..1" };

    fine_adamw_options_init(&curve.adamw, sizeof curve.adamw);
    curve.adamw.learning_rate = 1e-3;
    curve.adamw.decay = FINE_DECAY_ALL;
    follow(&curve);
}
END_TEST

START_TEST(ten_steps_with_everything)
{
    struct curve curve = { .name = "trainer", .schedule = "linear", .freeze = "none", .clip = 1 };

    fine_adamw_options_init(&curve.adamw, sizeof curve.adamw);
    curve.adamw.learning_rate = 2e-3;
    curve.adamw.beta1 = 0.8;
    curve.adamw.beta2 = 0.99;
    curve.adamw.epsilon = 1e-6;
    curve.adamw.weight_decay = 0.05;
    follow(&curve);
}
END_TEST

/* ---- variants of the folder ---- */

static fine_tensors *
open_weights(void)
{
    fine_tensors *weights;

    OK(fine_tensors_open(&weights, ctx, FOLDER "/model.safetensors"));
    return weights;
}

/* The folder with another text in place of one in config.json, and other weights. */
static fine_model *
open_variant(const char *from, const char *to, const fine_tensors *weights)
{
    char *folder = new_folder(), edited[4096];
    int64_t n;
    char *config = read_file(FOLDER, "config.json", &n), *at = strstr(config, from);
    fine_model *model;

    ck_assert_ptr_nonnull(at);
    (void)snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - config), config, to,
                   at + strlen(from));
    write_file(folder, "config.json", edited, strlen(edited));
    OK(fine_tensors_save(weights, inside(folder, "model.safetensors")));
    model = open_golden(folder);
    free(config);
    remove_folder(folder);
    return model;
}

START_TEST(activations)
{
    static const char *const names[][2] = { { "gelu", "gelu" },
                                            { "relu", "relu" },
                                            { "silu", "silu" },
                                            { "swish", "silu" },
                                            { "gelu_pytorch_tanh", "gelu_pytorch_tanh" },
                                            { "gelu_fast", "gelu_pytorch_tanh" },
                                            { "tanh", "tanh" },
                                            { "sigmoid", "sigmoid" } };
    fine_tensors *weights = open_weights(), *out;

    for (int i = 0; i < COUNT(names); i++) {
        char key[64];
        fine_model *model;

        (void)snprintf(key, sizeof key, "\"%s\"", names[i][0]);
        model = open_variant("\"gelu_new\"", key, weights);
        OK(fine_model_forward(model, inputs, 0, &out));
        (void)snprintf(key, sizeof key, "logits.%s", names[i][1]);
        compare_logits(out, key);
        fine_tensors_free(out);
        fine_model_free(model);
    }
    fine_tensors_free(weights);
}
END_TEST

START_TEST(poolings)
{
    static const char *const pools[] = { "cls", "mean", "pooler" };
    static const char *const names[] = { "logits.cls", "logits.mean", "logits" };
    fine_tensors *weights = open_weights(), *out;

    for (int i = 0; i < COUNT(pools); i++) {
        fine_model *model = open_golden(FOLDER);
        struct fine_task_options task;

        fine_task_options_init(&task, sizeof task);
        task.type = "classify";
        task.pool = pools[i];
        task.n_labels = CLASSES;
        OK(fine_model_set_task(model, &task));
        /* another pooling makes a new head; the golden one has the same numbers in both */
        OK(fine_model_set_values(model, "classifier.weight",
                                 floats_of(weights, "classifier.weight", CLASSES * 24),
                                 CLASSES * 24));
        OK(fine_model_set_values(model, "classifier.bias",
                                 floats_of(weights, "classifier.bias", CLASSES), CLASSES));
        OK(fine_model_forward(model, inputs, 0, &out));
        compare_logits(out, names[i]);
        fine_tensors_free(out);
        fine_model_free(model);
    }
    fine_tensors_free(weights);
}
END_TEST

/* As torch.save writes it, from memory: transposed views and parts of a shared storage are the
 * same weights, to the last bit. */
START_TEST(a_file_of_pytorch)
{
    static const char *const names[] = { "config.json", "pytorch_model.bin" };
    struct fine_memory_file files[2];
    fine_model *model = open_golden(FOLDER), *other;
    fine_tensors *out, *same;

    for (int i = 0; i < 2; i++) {
        files[i].name = names[i];
        files[i].bytes = read_file(FOLDER, names[i], &files[i].n_bytes);
    }
    OK(fine_model_open_memory(&other, ctx, files, 2, NULL));
    for (int i = 0; i < 2; i++)
        free((void *)files[i].bytes);
    ck_assert_str_eq(fine_model_task(other), "classify");
    OK(fine_model_forward(model, inputs, 0, &out));
    OK(fine_model_forward(other, inputs, 0, &same));
    ck_assert_mem_eq(floats_of(out, "logits", B * CLASSES), floats_of(same, "logits", B * CLASSES),
                     B * CLASSES * sizeof(float));
    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        struct fine_param_info info = { .struct_size = sizeof info };
        const float *values, *others;

        OK(fine_model_param(model, i, &info));
        OK(fine_model_values(model, info.name, &values, NULL));
        OK(fine_model_values(other, info.name, &others, NULL));
        ck_assert_mem_eq(values, others, (size_t)info.count * sizeof *values);
    }
    fine_tensors_free(out);
    fine_tensors_free(same);
    fine_model_free(model);
    fine_model_free(other);
}
END_TEST

/* A float rounded to bfloat16 or to half precision: its bits, and the value they have. */
static uint16_t
to_bf16(float x, float *value)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
    memcpy(value, &bits, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static uint16_t
to_f16(float x, float *value)
{
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    int exponent;
    const double fraction = frexp(fabs((double)x), &exponent); /* in [0.5, 1) */

    if (x == 0) {
        *value = x;
        return sign;
    }
    if (exponent < -13) /* below 2^-14: steps of 2^-24 */
        exponent = -13;
    const double step = ldexp(1, exponent - 11), n = nearbyint(fabs((double)x) / step);

    (void)fraction;
    ck_assert(fabs((double)x) < 60000);
    *value = (float)(sign != 0 ? -n * step : n * step);
    /* n is in [1024, 2048] for normal numbers; 2048 carries into the exponent by itself */
    return (uint16_t)(sign | (uint16_t)((exponent + 13) * 1024 + (int)n));
}

START_TEST(element_types)
{
    static const int32_t types[] = { FINE_F16, FINE_BF16, FINE_F64 };
    fine_tensors *weights = open_weights(), *out, *plain_out;

    for (int k = 0; k < COUNT(types); k++) {
        fine_tensors *other, *plain;
        static union {
            uint16_t bits[4096];
            double wide[4096];
        } numbers;
        static float values[4096];

        OK(fine_tensors_new(&other, ctx));
        OK(fine_tensors_new(&plain, ctx));
        for (int64_t i = 0; i < fine_tensors_count(weights); i++) {
            const char *name = fine_tensors_name(weights, i);
            const float *from = floats_of(weights, name, -1);
            const int64_t *shape;
            int64_t n_dims, count = 1;

            OK(fine_tensors_get(weights, name, NULL, &n_dims, &shape, NULL));
            for (int64_t d = 0; d < n_dims; d++)
                count *= shape[d];
            ck_assert_int_le(count, 4096);
            for (int64_t j = 0; j < count; j++) {
                if (types[k] == FINE_F64) {
                    /* half a step of float away: it rounds back */
                    values[j] = from[j];
                    numbers.wide[j] = (double)from[j] * (1 + 1e-8);
                } else {
                    numbers.bits[j] = types[k] == FINE_F16 ? to_f16(from[j], &values[j])
                                                           : to_bf16(from[j], &values[j]);
                }
            }
            OK(fine_tensors_put(other, name, types[k], n_dims, shape, &numbers));
            OK(fine_tensors_put(plain, name, FINE_F32, n_dims, shape, values));
        }
        fine_model *model = open_variant("\"bert\"", "\"bert\"", other);
        fine_model *same = open_variant("\"bert\"", "\"bert\"", plain);

        OK(fine_model_forward(model, inputs, 0, &out));
        OK(fine_model_forward(same, inputs, 0, &plain_out));
        const float *logits = floats_of(out, "logits", B * CLASSES);

        ck_assert_int_eq(memcmp(logits, floats_of(plain_out, "logits", B * CLASSES),
                                B * CLASSES * sizeof *logits),
                         0);
        compare("logits", logits, B * CLASSES, types[k] == FINE_BF16 ? 0.05 : 0.005, 0);
        fine_tensors_free(out);
        fine_tensors_free(plain_out);
        fine_tensors_free(other);
        fine_tensors_free(plain);
        fine_model_free(model);
        fine_model_free(same);
    }
    fine_tensors_free(weights);
}
END_TEST

/* Names as sentence encoders have them, without "bert."; and what a checkpoint of pre-training
 * has besides. */
START_TEST(names)
{
    fine_tensors *weights = open_weights(), *renamed, *out;
    const int64_t positions[2] = { 1, 37 }, wide[2] = { 61, 24 };
    static float zeros[61 * 24];
    static int64_t counted[37];

    OK(fine_tensors_new(&renamed, ctx));
    for (int64_t i = 0; i < fine_tensors_count(weights); i++) {
        const char *name = fine_tensors_name(weights, i);
        const int64_t *shape;
        const void *data;
        int64_t n_dims;
        int32_t type;

        OK(fine_tensors_get(weights, name, &type, &n_dims, &shape, &data));
        if (strncmp(name, "bert.", 5) == 0)
            name += 5;
        OK(fine_tensors_put(renamed, name, type, n_dims, shape, data));
    }
    OK(fine_tensors_put(renamed, "embeddings.position_ids", FINE_I64, 2, positions, counted));
    OK(fine_tensors_put(renamed, "cls.predictions.decoder.weight", FINE_F32, 2, wide, zeros));
    fine_model *model = open_variant("\"bert\"", "\"bert\"", renamed);

    OK(fine_model_forward(model, inputs, 0, &out));
    compare_logits(out, "logits");
    fine_tensors_free(out);
    fine_model_free(model);
    fine_tensors_free(renamed);
    fine_tensors_free(weights);
}
END_TEST

/* Saved and opened again: the same bits. */
START_TEST(saved_and_opened_again)
{
    char *folder = new_folder();
    fine_model *model = open_golden(FOLDER), *again;
    fine_tensors *out, *other;

    OK(fine_model_save(model, folder));
    again = open_golden(folder);
    OK(fine_model_forward(model, inputs, FINE_HIDDEN_STATES, &out));
    OK(fine_model_forward(again, inputs, FINE_HIDDEN_STATES, &other));
    ck_assert_int_eq(memcmp(floats_of(out, "hidden_states.2", B * T * 24),
                            floats_of(other, "hidden_states.2", B * T * 24),
                            B * T * 24 * sizeof(float)),
                     0);
    compare_logits(other, "logits");
    ck_assert_str_eq(fine_model_fingerprint(again), fine_model_fingerprint(model));
    fine_tensors_free(out);
    fine_tensors_free(other);
    fine_model_free(model);
    fine_model_free(again);
    remove_folder(folder);
}
END_TEST

/* In shards: the same weights, and in one file again. */
START_TEST(saved_in_shards)
{
    char *folder = new_folder();
    fine_model *model = open_golden(FOLDER), *again;

    OK(fine_model_save_sharded(model, folder, 20000));
    ck_assert_int_eq(access(inside(folder, "model-00001-of-00003.safetensors"), R_OK), 0);
    ck_assert_int_ne(access(inside(folder, "model.safetensors"), R_OK), 0);
    again = open_golden(folder);
    ck_assert_str_eq(fine_model_fingerprint(again), fine_model_fingerprint(model));
    OK(fine_model_save(again, folder));
    ck_assert_int_ne(access(inside(folder, "model-00001-of-00003.safetensors"), R_OK), 0);
    fine_model_free(again);
    again = open_golden(folder);
    ck_assert_str_eq(fine_model_fingerprint(again), fine_model_fingerprint(model));
    fine_model_free(again);
    fine_model_free(model);
    remove_folder(folder);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { outputs_and_gradients,
                                   ten_steps_with_a_frozen_part,
                                   ten_steps_with_everything,
                                   activations,
                                   poolings,
                                   a_file_of_pytorch,
                                   element_types,
                                   names,
                                   saved_and_opened_again,
                                   saved_in_shards };

    return run_tests_with(setup, teardown, "golden", tests, COUNT(tests));
}
