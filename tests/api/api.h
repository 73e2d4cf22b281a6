/*
 * api.h — for tests that see of the library what an application sees: <finetune.h> and the
 * shared library. main(), folders, and a tiny BERT made of nothing.
 */
#ifndef API_H
#define API_H

#include <check.h>
#include <ftw.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <finetune.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define OK(call) \
    do { \
        const int rc_ = (call); \
        if (rc_ < 0) \
            ck_abort_msg("%s: %d: %s", #call, rc_, fine_error_message()); \
    } while (0)
#define FAILS(code, call) \
    do { \
        const int rc_ = (call); \
        if (rc_ != (code)) \
            ck_abort_msg("%s: %d, not %s: %s", #call, rc_, #code, fine_error_message()); \
        if (fine_error_message()[0] == '\0') \
            ck_abort_msg("%s: no message", #call); \
    } while (0)

static inline fine_context *
new_context(int n_threads)
{
    struct fine_context_options options;
    fine_context *ctx;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = n_threads;
    OK(fine_context_new(&ctx, &options));
    return ctx;
}

static inline void
free_context(fine_context *ctx)
{
    ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    fine_context_free(ctx);
}

/* ---- folders ---- */

static inline char *
new_folder(void)
{
    char *path = strdup("/tmp/fine-api-XXXXXX");

    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static inline int
remove_entry(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void
remove_folder(char *path)
{
    ck_assert_int_eq(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
}

/* "folder/name", in a buffer that is overwritten by the eighth call after. */
static inline const char *
inside(const char *folder, const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void
write_file(const char *folder, const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(inside(folder, name), "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert(fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

static inline char *
read_file(const char *folder, const char *name, int64_t *n_out)
{
    FILE *file = fopen(inside(folder, name), "rb");
    char *bytes;
    long n;

    ck_assert_msg(file != NULL, "%s/%s", folder, name);
    ck_assert(fseek(file, 0, SEEK_END) == 0 && (n = ftell(file)) >= 0);
    rewind(file);
    bytes = malloc((size_t)n + 1);
    ck_assert(fread(bytes, 1, (size_t)n, file) == (size_t)n && fclose(file) == 0);
    bytes[n] = '\0';
    *n_out = n;
    return bytes;
}

/* ---- a tiny BERT ---- */

enum { WIDTH = 16, INNER = 24, POSITIONS = 20, LAYERS = 2, WORDS = 40 };

static const char tiny_config[] =
    "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 40, "
    "\"hidden_size\": 16, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "
    "\"intermediate_size\": 24, \"hidden_act\": \"gelu\", \"max_position_embeddings\": 20, "
    "\"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12, \"hidden_dropout_prob\": 0.1, "
    "\"attention_probs_dropout_prob\": 0.1, \"initializer_range\": 0.02, \"pad_token_id\": 0}";

struct shape {
    char name[200];
    int64_t n_dims, sizes[2];
};

enum { MAX_SHAPES = 50 };

static inline void
add_shape(struct shape *list, int *n, const char *prefix, const char *name, int64_t rows,
          int64_t columns)
{
    struct shape *s = &list[(*n)++];

    ck_assert_int_le(*n, MAX_SHAPES);
    (void)snprintf(s->name, sizeof s->name, "%s%s", prefix, name);
    s->n_dims = columns > 0 ? 2 : 1;
    s->sizes[0] = rows;
    s->sizes[1] = columns;
}

static inline void
add_dense(struct shape *list, int *n, const char *prefix, const char *name, int64_t rows,
          int64_t columns)
{
    char full[160];

    (void)snprintf(full, sizeof full, "%s.weight", name);
    add_shape(list, n, prefix, full, rows, columns);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    add_shape(list, n, prefix, full, rows, 0);
}

/* All the tensors of the tiny model; n_outputs 0: no head. */
static inline int
tiny_shapes(struct shape *list, const char *prefix, int64_t n_outputs)
{
    static const char *const norms[] = { "attention.output.LayerNorm", "output.LayerNorm" };
    static const char *const square[] = { "attention.self.query", "attention.self.key",
                                          "attention.self.value", "attention.output.dense" };
    char name[128];
    int n = 0;

    add_shape(list, &n, prefix, "embeddings.word_embeddings.weight", WORDS, WIDTH);
    add_shape(list, &n, prefix, "embeddings.position_embeddings.weight", POSITIONS, WIDTH);
    add_shape(list, &n, prefix, "embeddings.token_type_embeddings.weight", 2, WIDTH);
    add_dense(list, &n, prefix, "embeddings.LayerNorm", WIDTH, 0);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int i = 0; i < COUNT(square); i++) {
            (void)snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, square[i]);
            add_dense(list, &n, prefix, name, WIDTH, WIDTH);
        }
        (void)snprintf(name, sizeof name, "encoder.layer.%d.intermediate.dense", layer);
        add_dense(list, &n, prefix, name, INNER, WIDTH);
        (void)snprintf(name, sizeof name, "encoder.layer.%d.output.dense", layer);
        add_dense(list, &n, prefix, name, WIDTH, INNER);
        for (int i = 0; i < COUNT(norms); i++) {
            (void)snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, norms[i]);
            add_dense(list, &n, prefix, name, WIDTH, 0);
        }
    }
    add_dense(list, &n, prefix, "pooler.dense", WIDTH, WIDTH);
    if (n_outputs > 0)
        add_dense(list, &n, "", "classifier", n_outputs, WIDTH);
    return n;
}

/* In [-1, 1): numbers that depend on the place alone. */
static inline float
noise(uint32_t a, uint32_t b)
{
    uint32_t x = a * 0x9E3779B9u + b * 0x85EBCA6Bu + 1;

    x ^= x >> 15;
    x *= 0x2C1B3C6Du;
    x ^= x >> 12;
    x *= 0x297A2D39u;
    x ^= x >> 15;
    return (float)(x >> 8) / 8388608.0f - 1;
}

static inline void
tiny_values(const struct shape *shape, uint32_t stream, float *to)
{
    const int64_t count = shape->sizes[0] * (shape->n_dims == 2 ? shape->sizes[1] : 1);
    const bool gain = strstr(shape->name, "LayerNorm.weight") != NULL;

    for (int64_t i = 0; i < count; i++)
        to[i] = (gain ? 1 : 0) +
                (gain || shape->n_dims == 1 ? 0.1f : 0.5f) * noise(stream, (uint32_t)i);
}

static inline fine_tensors *
tiny_weights(fine_context *ctx, const char *prefix, int64_t n_outputs)
{
    struct shape shapes[MAX_SHAPES];
    const int n = tiny_shapes(shapes, prefix, n_outputs);
    float values[WORDS * INNER];
    fine_tensors *weights;

    OK(fine_tensors_new(&weights, ctx));
    for (int i = 0; i < n; i++) {
        tiny_values(&shapes[i], (uint32_t)i, values);
        OK(fine_tensors_put(weights, shapes[i].name, FINE_F32, shapes[i].n_dims, shapes[i].sizes,
                            values));
    }
    return weights;
}

/* The set as the bytes of a safetensors file, made here and not by the library (which would
 * also wait for the disk); malloc'ed. */
static inline char *
serialized(const fine_tensors *set, int64_t *n_out)
{
    static const char *const names[] = { "",    "BOOL", "U8",  "I8",  "I16",  "U16", "I32",
                                         "U32", "I64",  "U64", "F16", "BF16", "F32", "F64" };
    static const int64_t sizes[] = { 0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8 };
    const int64_t n = fine_tensors_count(set);
    char *header = malloc(64 + 300 * (size_t)(n + 1)), *at = header + 8, *bytes;
    int64_t end = 0;

    *at++ = '{';
    for (int64_t i = 0; i < n; i++) {
        const int64_t *shape, begin = end;
        int64_t n_dims, count = 1;
        int32_t type;

        OK(fine_tensors_get(set, fine_tensors_name(set, i), &type, &n_dims, &shape, NULL));
        at += sprintf(at, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [", i > 0 ? ", " : "",
                      fine_tensors_name(set, i), names[type]);
        for (int64_t d = 0; d < n_dims; d++) {
            at += sprintf(at, "%s%lld", d > 0 ? ", " : "", (long long)shape[d]);
            count *= shape[d];
        }
        end = begin + count * sizes[type];
        at += sprintf(at, "], \"data_offsets\": [%lld, %lld]}", (long long)begin, (long long)end);
    }
    *at++ = '}';
    while ((at - header) % 8 != 0)
        *at++ = ' ';
    for (int i = 0; i < 8; i++)
        header[i] = (char)((uint64_t)(at - header - 8) >> 8 * i & 255);
    *n_out = at - header + end;
    bytes = malloc((size_t)*n_out);
    memcpy(bytes, header, (size_t)(at - header));
    end = at - header;
    for (int64_t i = 0; i < n; i++) {
        const int64_t *shape;
        const void *data;
        int64_t n_dims, size;
        int32_t type;

        OK(fine_tensors_get(set, fine_tensors_name(set, i), &type, &n_dims, &shape, &data));
        size = sizes[type];
        for (int64_t d = 0; d < n_dims; d++)
            size *= shape[d];
        memcpy(bytes + end, data, (size_t)size);
        end += size;
    }
    free(header);
    return bytes;
}

/* 5 special pieces, 25 words w0 … w24, and the letters a … j. */
static inline const char *
tiny_vocabulary(void)
{
    static char text[512];

    if (text[0] == '\0') {
        char *at = text + sprintf(text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");

        for (int i = 0; i < 25; i++)
            at += sprintf(at, "w%d\n", i);
        for (int i = 0; i < 10; i++)
            at += sprintf(at, "%c\n", 'a' + i);
    }
    return text;
}

static inline void
write_tiny(fine_context *ctx, const char *folder, const char *prefix, int64_t n_outputs)
{
    fine_tensors *weights = tiny_weights(ctx, prefix, n_outputs);

    write_file(folder, "config.json", tiny_config, strlen(tiny_config));
    write_file(folder, "vocab.txt", tiny_vocabulary(), strlen(tiny_vocabulary()));
    int64_t n;
    char *bytes = serialized(weights, &n);

    write_file(folder, "model.safetensors", bytes, (size_t)n);
    free(bytes);
    fine_tensors_free(weights);
}

/* Opens a model from memory; the weights are freed. */
static inline int
open_parts(fine_model **out, fine_context *ctx, const char *config, size_t config_length,
           const char *vocabulary, fine_tensors *weights)
{
    int64_t n;
    char *bytes = serialized(weights, &n);
    const struct fine_memory_file files[] = {
        { "config.json", config, (int64_t)config_length },
        { "model.safetensors", bytes, n },
        { "vocab.txt", vocabulary, vocabulary != NULL ? (int64_t)strlen(vocabulary) : 0 },
    };
    const int rc = fine_model_open_memory(out, ctx, files, vocabulary != NULL ? 3 : 2, NULL);

    free(bytes);
    fine_tensors_free(weights);
    return rc;
}

/* A classifier of n_outputs (1: regression), or with 0 an encoder without a task. */
static inline fine_model *
open_tiny(fine_context *ctx, int64_t n_outputs)
{
    fine_model *model;

    OK(open_parts(&model, ctx, tiny_config, strlen(tiny_config), tiny_vocabulary(),
                  tiny_weights(ctx, n_outputs > 0 ? "bert." : "", n_outputs)));
    return model;
}

/* Three rows of ids, padded; labels of n_outputs where that isn't 0 (1: numbers). */
static inline fine_tensors *
tiny_batch(fine_context *ctx, int64_t n_outputs)
{
    enum { B = 3, T = 6 };
    static const int64_t lengths[B] = { 6, 2, 4 }, shape[2] = { B, T };
    int64_t ids[B * T] = { 0 }, mask[B * T] = { 0 }, types[B * T] = { 0 }, labels[B] = { 0 };
    const float values[B] = { 0.5f, -1, 2 };
    fine_tensors *batch;

    for (int i = 0; i < B; i++) {
        for (int j = 0; j < lengths[i]; j++) {
            ids[i * T + j] = j == 0 ? 2 : 5 + (i * 11 + j * 7) % 30;
            mask[i * T + j] = 1;
            types[i * T + j] = j > 2;
        }
        labels[i] = n_outputs > 0 ? (i + 1) % n_outputs : 0;
    }
    OK(fine_tensors_new(&batch, ctx));
    OK(fine_tensors_put(batch, "input_ids", FINE_I64, 2, shape, ids));
    OK(fine_tensors_put(batch, "attention_mask", FINE_I64, 2, shape, mask));
    OK(fine_tensors_put(batch, "token_type_ids", FINE_I64, 2, shape, types));
    if (n_outputs > 1)
        OK(fine_tensors_put(batch, "labels", FINE_I64, 1, shape, labels));
    if (n_outputs == 1)
        OK(fine_tensors_put(batch, "labels", FINE_F32, 1, shape, values));
    return batch;
}

/* The numbers of a tensor that is there, n of them. */
static inline const float *
floats_of(const fine_tensors *set, const char *name, int64_t n)
{
    const int64_t *shape;
    const void *data;
    int64_t n_dims, count = 1;
    int32_t type;

    ck_assert_msg(fine_tensors_get(set, name, &type, &n_dims, &shape, &data) == 0, "%s", name);
    for (int64_t i = 0; i < n_dims; i++)
        count *= shape[i];
    ck_assert_msg(type == FINE_F32 && (n < 0 || count == n), "%s: type %d, %lld elements", name,
                  (int)type, (long long)count);
    return data;
}

/* A sum over all weights that no change leaves alone. */
static inline uint64_t
hash_of(const fine_model *m)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    uint64_t hash = 1;

    for (int64_t i = 0; i < fine_model_n_params(m); i++) {
        const float *values;
        int64_t count;

        OK(fine_model_param(m, i, &info));
        OK(fine_model_values(m, info.name, &values, &count));
        for (int64_t j = 0; j < count; j++) {
            uint32_t bits;

            memcpy(&bits, &values[j], sizeof bits);
            hash = (hash ^ bits) * 0x100000001b3u;
        }
    }
    return hash;
}

/* Rows that say by their words which label they have. */
static inline fine_dataset *
tiny_rows(fine_context *ctx, int n)
{
    static const char *const labels[] = { "no", "yes" };
    fine_dataset *data;

    OK(fine_dataset_new(&data, ctx, NULL));
    for (int i = 0; i < n; i++) {
        char text[80];

        (void)snprintf(text, sizeof text, "w%d w%d w%d w%d", i % 2 * 12 + i % 7, i % 25,
                       i % 2 * 12 + i % 5, i * 3 % 25);
        OK(fine_dataset_add(data, text, NULL, labels[i % 2], NULL));
    }
    return data;
}

/* setup and teardown may be NULL; each test runs in a process of its own. */
static inline int
run_tests_with(void (*setup)(void), void (*teardown)(void), const char *name,
               const TTest *const *tests, int n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    if (setup != NULL)
        tcase_add_checked_fixture(tcase, setup, teardown);
    for (int i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
