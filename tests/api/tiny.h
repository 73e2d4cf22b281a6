/*
 * tiny.h — a tiny model from memory and rows that it can learn, for tests that see the
 * library from outside: they include <finetune.h> and link the shared library.
 */
#ifndef TINY_H
#define TINY_H

#include <finetune.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char tiny_config[] =
    "{\"model_type\": \"bert\", \"vocab_size\": 15, \"hidden_size\": 16, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 32, \"max_position_embeddings\": 32,"
    " \"hidden_dropout_prob\": 0.1, \"attention_probs_dropout_prob\": 0.1}";
static const char tiny_vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nis\nwas\nvery\ngood\ngreat\nbad\nawful\n.\n!\n";
static const char *const tiny_labels[] = { "negative", "positive" };

static inline fine_context *
tiny_context(int32_t n_threads)
{
    struct fine_context_options options;
    fine_context *context = NULL;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = n_threads;
    ck_assert_int_eq(fine_context_new(&context, &options), FINE_OK);
    return context;
}

static inline fine_model *
tiny_model(fine_context *context)
{
    const struct fine_memory_file files[] = {
        { "config.json", tiny_config, (int64_t)strlen(tiny_config) },
        { "vocab.txt", tiny_vocabulary, (int64_t)strlen(tiny_vocabulary) },
    };
    struct fine_model_options options;
    struct fine_task_options task;
    fine_model *model = NULL;

    fine_model_options_init(&options, sizeof options);
    options.seed = 3;
    options.random_weights = 1;
    ck_assert_msg(fine_model_open_memory(&model, context, files, 2, &options) == FINE_OK, "%s",
                  fine_error_message());
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = tiny_labels;
    task.n_labels = 2;
    ck_assert_msg(fine_model_set_task(model, &task) == FINE_OK, "%s", fine_error_message());
    return model;
}

static inline fine_dataset *
tiny_dataset(fine_context *context, int n)
{
    static const char *const texts[] = { "the bad", "is very good", "was awful .", "great !" };
    struct fine_dataset_options options;
    fine_dataset *data = NULL;

    fine_dataset_options_init(&options, sizeof options);
    options.labels = tiny_labels;
    options.n_labels = 2;
    ck_assert_int_eq(fine_dataset_new(&data, context, &options), FINE_OK);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(fine_dataset_add(data, texts[i % 4], NULL, tiny_labels[i % 2], NULL),
                         FINE_OK);
    return data;
}

static inline fine_optimizer *
tiny_optimizer(fine_context *context)
{
    struct fine_adamw_options options;
    fine_optimizer *optimizer = NULL;

    fine_adamw_options_init(&options, sizeof options);
    options.learning_rate = 1e-3;
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, context, &options), FINE_OK);
    return optimizer;
}

static inline fine_trainer *
tiny_trainer(fine_model *model, fine_dataset *data, fine_optimizer *optimizer, int64_t steps)
{
    struct fine_trainer_options options;
    fine_trainer *trainer = NULL;

    fine_trainer_options_init(&options, sizeof options);
    options.steps = steps;
    options.batch_size = 4;
    options.seed = 5;
    ck_assert_msg(fine_trainer_new(&trainer, model, data, optimizer, NULL, &options) == FINE_OK,
                  "%s", fine_error_message());
    return trainer;
}

/* FNV-1a over all weights. */
static inline uint64_t
tiny_hash(const fine_model *model)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    uint64_t hash = 0xcbf29ce484222325u;

    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        const float *values;
        int64_t count;

        ck_assert_int_eq(fine_model_param(model, i, &info), FINE_OK);
        ck_assert_int_eq(fine_model_values(model, info.name, &values, &count), FINE_OK);
        for (size_t k = 0; k < (size_t)count * sizeof *values; k++)
            hash = (hash ^ ((const unsigned char *)values)[k]) * 0x100000001b3u;
    }
    return hash;
}

#endif
