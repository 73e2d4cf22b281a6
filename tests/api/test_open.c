/*
 * test_open.c — opening: from memory as from a folder; and hostile configurations, refused with
 * all findings and before memory for weights is asked for. (Weights: test_misfits.c.)
 */
#include "measured.h"

/* ---- from memory ---- */

struct files {
    struct fine_memory_file list[16];
    int64_t n;
};

static void
add_file(struct files *files, const char *folder, const char *name)
{
    if (access(inside(folder, name), R_OK) != 0)
        return;
    struct fine_memory_file *file = &files->list[files->n++];

    file->name = name;
    file->bytes = read_file(folder, name, &file->n_bytes);
}

static void
read_folder(struct files *files, const char *folder)
{
    static const char *const names[] = { "config.json",       "vocab.txt",
                                         "tokenizer.json",    "tokenizer_config.json",
                                         "model.safetensors", "finetune.json",
                                         "head.safetensors",  "README.md" };

    files->n = 0;
    for (int i = 0; i < COUNT(names); i++)
        add_file(files, folder, names[i]);
}

static void
free_files(struct files *files)
{
    for (int64_t i = 0; i < files->n; i++) {
        char *bytes;

        memcpy(&bytes, &files->list[i].bytes, sizeof bytes);
        free(bytes);
    }
}

static void
same_models(fine_model *a, fine_model *b, int64_t n_outputs)
{
    static const char *const texts[] = { "w1 w2 w3", "a b c w24 w0", "", "zzz" };
    fine_tensors *batch = tiny_batch(ctx, 0), *x, *y;
    fine_session *one, *two;

    ck_assert_str_eq(fine_model_fingerprint(a), fine_model_fingerprint(b));
    ck_assert_str_eq(fine_model_task(a), fine_model_task(b));
    ck_assert_str_eq(fine_model_pool(a), fine_model_pool(b));
    ck_assert_int_eq(fine_model_n_labels(a), fine_model_n_labels(b));
    ck_assert_int_eq(fine_model_max_length(a), fine_model_max_length(b));
    OK(fine_model_forward(a, batch, FINE_HIDDEN_STATES, &x));
    OK(fine_model_forward(b, batch, FINE_HIDDEN_STATES, &y));
    ck_assert_int_eq(memcmp(floats_of(x, "hidden_states.2", 18 * WIDTH),
                            floats_of(y, "hidden_states.2", 18 * WIDTH),
                            18 * WIDTH * sizeof(float)),
                     0);
    fine_tensors_free(x);
    fine_tensors_free(y);
    fine_tensors_free(batch);
    OK(fine_session_new(&one, a));
    OK(fine_session_new(&two, b));
    if (n_outputs > 0) {
        OK(fine_session_predict(one, texts, NULL, COUNT(texts)));
        OK(fine_session_predict(two, texts, NULL, COUNT(texts)));
    }
    for (int i = 0; n_outputs > 0 && i < COUNT(texts); i++)
        ck_assert_int_eq(memcmp(fine_session_scores(one, i), fine_session_scores(two, i),
                                (size_t)n_outputs * sizeof(float)),
                         0);
    fine_session_free(one);
    fine_session_free(two);
}

START_TEST(memory_is_as_a_folder)
{
    static const char *const pools[] = { "pooler", "cls", "mean" };

    for (int64_t n_outputs = 0; n_outputs <= 3; n_outputs++)
        for (int saved = 0; saved < 2; saved++) {
            char *folder = new_folder();
            struct files files;
            fine_model *a, *b;

            write_tiny(ctx, folder, n_outputs % 2 == 0 ? "" : "bert.", n_outputs);
            if (saved) {
                struct fine_task_options task;

                fine_task_options_init(&task, sizeof task);
                task.type = n_outputs == 1 ? "regress" : "classify";
                task.pool = pools[n_outputs % 3];
                task.n_labels = n_outputs == 1 ? 0 : 3;
                OK(fine_model_open(&a, ctx, folder, NULL));
                OK(fine_model_set_task(a, &task));
                OK(fine_model_save(a, folder));
                fine_model_free(a);
            }
            read_folder(&files, folder);
            OK(fine_model_open(&a, ctx, folder, NULL));
            remove_folder(folder);
            OK(fine_model_open_memory(&b, ctx, files.list, files.n, NULL));
            free_files(&files); /* the bytes may go */
            same_models(a, b, saved && n_outputs != 1 ? 3 : n_outputs);
            fine_model_free(a);
            fine_model_free(b);
        }
}
END_TEST

/* ---- configurations ---- */

/* The tiny configuration with `key` saying something else; NULL: nothing at all. */
static const char *
config_with(const char *key, const char *value)
{
    static char text[1200];
    char quoted[64];
    const char *at, *end;

    (void)snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    at = strstr(tiny_config, quoted);
    if (at == NULL) {
        (void)snprintf(text, sizeof text, "%.*s, %s%s}", (int)strlen(tiny_config) - 1, tiny_config,
                       quoted, value);
        return text;
    }
    end = at + strcspn(at, ",}");
    if (value == NULL && *end == ',')
        (void)snprintf(text, sizeof text, "%.*s%s", (int)(at - tiny_config), tiny_config, end + 2);
    else if (value == NULL)
        (void)snprintf(text, sizeof text, "%.*s\"x\": 0%s", (int)(at - tiny_config), tiny_config,
                       end);
    else
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - tiny_config) + (int)strlen(quoted),
                       tiny_config, value, end);
    return text;
}

/* Opening with and without weights beside it: refused, and the message has the word. */
static void
refused(const char *config, size_t length, const char *word)
{
    fine_tensors *weights = tiny_weights(ctx, "", 0);
    int64_t n;
    char *bytes = serialized(weights, &n);
    const struct fine_memory_file files[2] = { { "config.json", config, (int64_t)length },
                                               { "model.safetensors", bytes, n } };
    struct fine_model_options options;
    fine_model *model = (fine_model *)&options;

    fine_tensors_free(weights);
    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    for (int with_weights = 0; with_weights < 2; with_weights++) {
        largest = 0;
        const int64_t before = fine_context_used_bytes(ctx);
        const int rc = fine_model_open_memory(&model, ctx, files, 1 + with_weights, &options);
        const char *message = fine_error_message();

        if (rc != FINE_EFORMAT && rc != FINE_EUNSUPPORTED)
            ck_abort_msg("%.*s: %d", (int)(length < 1000 ? length : 1000), config, rc);
        if (strstr(message, word) == NULL)
            ck_abort_msg("'%s' doesn't name '%s'", message, word);
        ck_assert_ptr_eq(model, (fine_model *)&options);
        ck_assert_uint_le(largest, ENOUGH);
        ck_assert_int_eq(fine_context_used_bytes(ctx), before);
    }
    free(bytes);
}

static void
refused_value(const char *key, const char *value)
{
    const char *config = config_with(key, value);

    /* what is no number at all is JSON's matter, and has a place instead of a name */
    refused(config, strlen(config), value != NULL && strcmp(value, "1e400") == 0 ? value : key);
}

START_TEST(sizes)
{
    static const char *const keys[] = { "vocab_size",        "hidden_size",
                                        "num_hidden_layers", "num_attention_heads",
                                        "intermediate_size", "max_position_embeddings",
                                        "type_vocab_size" };
    static const char *const values[] = { "0",
                                          "-1",
                                          "-2147483648",
                                          "2147483647",
                                          "2147483648",
                                          "4294967296",
                                          "4294967297",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "18446744073709551616",
                                          "18446744073709551617",
                                          "4.5",
                                          "16.5",
                                          "1e30",
                                          "1e400",
                                          "-0.0",
                                          "\"16\"",
                                          "\"\"",
                                          "null",
                                          "true",
                                          "[16]",
                                          "{\"a\": 16}" };

    for (int k = 0; k < COUNT(keys); k++) {
        for (int v = 0; v < COUNT(values); v++)
            refused_value(keys[k], values[v]);
        if (strcmp(keys[k], "type_vocab_size") != 0)
            refused_value(keys[k], NULL);
    }
}
END_TEST

START_TEST(other_keys)
{
    static const char *const cases[][2] = {
        { "num_attention_heads", "3" },
        { "num_attention_heads", "17" },
        { "num_attention_heads", "32" },
        { "num_attention_heads", "5" },
        { "layer_norm_eps", "-1e-12" },
        { "layer_norm_eps", "\"1e-12\"" },
        { "layer_norm_eps", "2" },
        { "layer_norm_eps", "[]" },
        { "hidden_dropout_prob", "1" },
        { "hidden_dropout_prob", "-0.1" },
        { "hidden_dropout_prob", "\"0.1\"" },
        { "attention_probs_dropout_prob", "1.5" },
        { "attention_probs_dropout_prob", "{}" },
        { "classifier_dropout", "7" },
        { "initializer_range", "-1" },
        { "initializer_range", "\"x\"" },
        { "pad_token_id", "40" },
        { "pad_token_id", "-2" },
        { "pad_token_id", "0.5" },
        { "pad_token_id", "\"0\"" },
        { "pad_token_id", "9223372036854775808" },
        { "hidden_act", "\"mish\"" },
        { "hidden_act", "\"\"" },
        { "hidden_act", "3" },
        { "hidden_act", "[\"gelu\"]" },
        { "model_type", "\"roberta-like\"" },
        { "model_type", "\"\"" },
        { "model_type", "3" },
        { "model_type", "null" },
        { "is_decoder", "true" },
        { "add_cross_attention", "true" },
        { "position_embedding_type", "\"relative_key\"" },
    };

    for (int i = 0; i < COUNT(cases); i++)
        refused_value(cases[i][0], cases[i][1]);
    refused_value("model_type", NULL);
}
END_TEST

/* All of them are findings of one failure. */
START_TEST(all_findings)
{
    static const char config[] =
        "{\"model_type\": \"bert\", \"vocab_size\": -5, \"hidden_size\": \"a\", "
        "\"num_attention_heads\": 0, \"intermediate_size\": 1.5, \"type_vocab_size\": null, "
        "\"hidden_act\": \"mish\", \"hidden_dropout_prob\": 9, \"is_decoder\": true}";
    static const char *const words[] = { "vocab_size",          "hidden_size",
                                         "num_hidden_layers",   "num_attention_heads",
                                         "intermediate_size",   "max_position_embeddings",
                                         "type_vocab_size",     "hidden_act",
                                         "hidden_dropout_prob", "is_decoder" };
    const struct fine_memory_file file = { "config.json", config, sizeof config - 1 };
    fine_model *model;

    ck_assert_int_lt(fine_model_open_memory(&model, ctx, &file, 1, NULL), 0);
    for (int i = 0; i < COUNT(words); i++) {
        bool found = false;

        for (const char *m = fine_error_message(); m != NULL && !found; m = fine_error_next())
            found = strstr(m, words[i]) != NULL;
        ck_assert_msg(found, "no finding names %s", words[i]);
    }
}
END_TEST

START_TEST(no_configuration)
{
    static const char *const texts[] = { "",
                                         "{",
                                         "[]",
                                         "3",
                                         "null",
                                         "\"bert\"",
                                         "{}",
                                         "{\"model_type\": \"bert\"} x",
                                         "version https://git-lfs",
                                         "<!DOCTYPE html>",
                                         "\xff\xfe{\0}" };
    char *deep = malloc(200000), *large = malloc(3 << 20);

    for (int i = 0; i < COUNT(texts); i++)
        refused(texts[i], strlen(texts[i]), "");
    refused("{\0}", 3, "");
    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    refused(deep, 200000, "");
    refused(deep, 100000, "");
    free(deep);
    memset(large, ' ', 3 << 20);
    memcpy(large, "{\"model_type\": \"bert\"", 21);
    large[(3 << 20) - 1] = '}';
    refused(large, 3 << 20, "config.json");
    free(large);
    refused("{\"model_type\": \"bert\", \"vocab_size\": 40, \"vocab_size\": 41}", 56, "vocab_size");
}
END_TEST

/* Each number within its range, but together more than any machine has. */
START_TEST(absurd_products)
{
    static const char *const configs[] = {
        "{\"model_type\": \"bert\", \"vocab_size\": 16777216, \"hidden_size\": 65536, "
        "\"num_hidden_layers\": 1024, \"num_attention_heads\": 4096, "
        "\"intermediate_size\": 262144, "
        "\"max_position_embeddings\": 1048576, \"type_vocab_size\": 65536}",
        "{\"model_type\": \"bert\", \"vocab_size\": 40, \"hidden_size\": 16384, "
        "\"num_hidden_layers\": 1024, \"num_attention_heads\": 64, "
        "\"intermediate_size\": 262144, "
        "\"max_position_embeddings\": 20, \"type_vocab_size\": 2}",
    };
    struct fine_context_options limited;
    struct fine_model_options options;
    fine_context *small;
    fine_model *model;

    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    fine_context_options_init(&limited, sizeof limited);
    limited.memory_limit = 64 << 20;
    OK(fine_context_new(&small, &limited));
    for (int i = 0; i < COUNT(configs); i++) {
        const struct fine_memory_file file = { "config.json", configs[i],
                                               (int64_t)strlen(configs[i]) };

        FAILS(FINE_ENOMEM, fine_model_open_memory(&model, small, &file, 1, &options));
        ck_assert_int_le(fine_context_peak_bytes(small), 64 << 20);
        ck_assert_int_eq(fine_context_used_bytes(small), 0);
    }
    fine_context_free(small);
    /* with weights beside it the misfit is seen first */
    for (int i = 0; i < COUNT(configs); i++) {
        char *folder = new_folder();

        write_tiny(ctx, folder, "", 0);
        write_file(folder, "config.json", configs[i], strlen(configs[i]));
        largest = 0;
        FAILS(FINE_ESHAPE, fine_model_open(&model, ctx, folder, NULL));
        ck_assert_uint_le(largest, 8 << 20); /* the table of names of 1024 layers */
        remove_folder(folder);
    }
}
END_TEST

/* A file of weights alone: what it is, the caller says; what lies beside it is not read. */
START_TEST(one_file)
{
    char *folder = new_folder(), *saved = new_folder();
    struct fine_model_options options;
    fine_model *model, *again;

    fine_model_options_init(&options, sizeof options);
    options.architecture = "cifar-resnet20";
    options.random_weights = 1;
    OK(fine_model_open(&model, ctx, folder, &options));
    OK(fine_model_save(model, saved));
    options.random_weights = 0;
    FAILS(FINE_EINVAL, fine_model_open(&again, ctx, saved, &options)); /* config.json says it */
    OK(fine_model_open(&again, ctx, inside(saved, "model.safetensors"), &options));
    ck_assert_str_eq(fine_model_family(again), "resnet");
    FAILS(FINE_EIO, fine_model_open(&again, ctx, inside(saved, "model.safetensors"), NULL));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "architecture its weights have"));
    FAILS(FINE_EINVAL, fine_model_open(&again, ctx, inside(saved, "config.json"), &options));
    fine_model_free(model);
    fine_model_free(again);
    remove_folder(folder);
    remove_folder(saved);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { memory_is_as_a_folder, sizes,           other_keys, all_findings,
                                   no_configuration,      absurd_products, one_file };

    return run_tests_with(setup, teardown, "open", tests, COUNT(tests));
}
