/*
 * test_runner.c — running a model: what a batch may hold, that frozen layers and prediction
 * take the memory of one layer, that steps take no more memory, and that several runners of
 * one model give the same bits.
 */
#include "runner.h"

#include <math.h>
#include <pthread.h>

#include "models/model.h"

enum { WORDS = 30, WIDTH = 32, POSITIONS = 40, SEQS = 6, TOKENS = 120, CLASSES = 3 };

static fine_model *
open_model(fine_context *ctx, int n_layers, const char *pool)
{
    char config[600];
    struct fine_model_options options;
    struct fine_task_options task;
    fine_model *model;
    const int length =
        snprintf(config, sizeof config,
                 "{\"model_type\": \"bert\", \"vocab_size\": %d, "
                 "\"hidden_size\": %d, \"num_hidden_layers\": %d, \"num_attention_heads\": 4, "
                 "\"intermediate_size\": 64, \"max_position_embeddings\": %d, "
                 "\"initializer_range\": 0.2, \"hidden_dropout_prob\": 0.1, "
                 "\"attention_probs_dropout_prob\": 0.1}",
                 WORDS, WIDTH, n_layers, POSITIONS);
    const struct fine_memory_file file = { "config.json", config, length };

    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    options.seed = 3;
    ck_assert_int_eq(fine_model_open_memory(&model, ctx, &file, 1, &options), 0);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.n_labels = CLASSES;
    task.pool = pool;
    ck_assert_int_eq(fine_model_set_task(model, &task), 0);
    return model;
}

static int32_t ids[TOKENS], types[TOKENS], labels[SEQS];
static int64_t offsets[SEQS + 1];

/* Sequences of very different lengths; every number within its range. */
static struct fine__batch
make_batch(void)
{
    static const int64_t lengths[SEQS] = { 1, 40, 17, 2, 39, 21 };

    for (int i = 0; i < SEQS; i++) {
        offsets[i + 1] = offsets[i] + lengths[i];
        labels[i] = i % 4 == 3 ? -1 : i % CLASSES;
    }
    ck_assert_int_eq(offsets[SEQS], TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = i * 7 % WORDS;
        types[i] = i % 5 == 4;
    }
    return (struct fine__batch){ .n_seqs = SEQS,
                                 .n_tokens = TOKENS,
                                 .ids = ids,
                                 .types = types,
                                 .offsets = offsets,
                                 .labels = labels };
}

static size_t
peak(fine_context *ctx, int n_layers, const char *freeze, bool backward)
{
    const struct fine__batch batch = make_batch();
    struct fine__run run = { .batch = &batch,
                             .train = backward,
                             .backward = backward,
                             .loss_weight = 0.25,
                             .dropout_key = 5 };
    fine_model *model = open_model(ctx, n_layers, "mean");
    struct fine__runner *runner;

    ck_assert_int_eq(fine_model_freeze(model, freeze), 0);
    ck_assert_int_eq(fine__runner_new(&runner, model), 0);
    ck_assert_int_eq(fine__runner_run(runner, &run), 0);
    const size_t bytes = fine__runner_peak_bytes(runner);

    fine__runner_free(runner);
    fine_model_free(model);
    return bytes;
}

START_TEST(frozen_layers_take_the_memory_of_one)
{
    fine_context *ctx = new_context(1);
    const size_t two = peak(ctx, 2, "none", false);

    ck_assert_int_eq((int)peak(ctx, 9, "none", false), (int)two);
    ck_assert_int_eq((int)peak(ctx, 9, "all", true), (int)peak(ctx, 2, "all", true));
    ck_assert_int_eq((int)peak(ctx, 9, "embeddings..7", true),
                     (int)peak(ctx, 3, "embeddings..1", true));
    ck_assert_int_gt((int)peak(ctx, 3, "none", true), (int)peak(ctx, 3, "embeddings..1", true));
    free_context(ctx);
}
END_TEST

START_TEST(steps_call_no_allocator)
{
    static const char *const frozen[] = { "none", "embeddings..1", "all", "*.attention.*" };

    for (int f = 0; f < FINE__COUNT(frozen); f++) {
        fine_context *ctx = new_context(3);
        fine_model *model = open_model(ctx, 3, f % 2 == 0 ? "pooler" : "mean");
        const struct fine__batch batch = make_batch();
        struct fine__run run = {
            .batch = &batch, .train = true, .backward = true, .loss_weight = 0.25
        };
        struct fine__runner *runner;
        int64_t calls = 0;

        ck_assert_int_eq(fine_model_freeze(model, frozen[f]), 0);
        ck_assert_int_eq(fine__runner_new(&runner, model), 0);
        for (int i = 1; i <= 6; i++) {
            run.dropout_key = (uint64_t)i;
            ck_assert_int_eq(fine__runner_run(runner, &run), 0);
            if (i == 2)
                calls = fine_context_allocations(ctx);
        }
        ck_assert_int_eq(fine_context_allocations(ctx), calls);
        fine__runner_free(runner);
        fine_model_free(model);
        free_context(ctx);
    }
}
END_TEST

/* ---- what a batch may hold ---- */

static void
refused(struct fine__runner *runner, const struct fine__batch *batch, const char *word)
{
    struct fine__run run = { .batch = batch };

    ck_assert_int_eq(fine__runner_run(runner, &run), FINE_EDATA);
    ck_assert_msg(strstr(fine_error_message(), word) != NULL, "'%s' lacks '%s'",
                  fine_error_message(), word);
    ck_assert_ptr_null(run.logits);
}

START_TEST(batches_out_of_range)
{
    static const int32_t bad_ids[] = { -1, WORDS, INT32_MAX, INT32_MIN };
    static const int32_t bad_types[] = { -1, 2, INT32_MAX, INT32_MIN };
    static const int32_t bad_labels[] = { -2, CLASSES, INT32_MAX, INT32_MIN };
    fine_context *ctx = new_context(1);
    fine_model *model = open_model(ctx, 1, "cls");
    struct fine__batch batch = make_batch();
    struct fine__runner *runner;

    ck_assert_int_eq(fine__runner_new(&runner, model), 0);
    for (int i = 0; i < 4; i++) {
        ids[TOKENS - 1] = bad_ids[i];
        refused(runner, &batch, "token 119 has id");
        make_batch();
        types[5] = bad_types[i];
        refused(runner, &batch, "token 5 has type");
        make_batch();
        labels[2] = bad_labels[i];
        refused(runner, &batch, "sequence 2 has label");
        make_batch();
    }
    batch.n_seqs = 0;
    refused(runner, &batch, "empty");
    batch = make_batch();
    offsets[1] = 0;
    refused(runner, &batch, "sequence 0 has no ids");
    make_batch();
    offsets[4] = offsets[3] - 1;
    refused(runner, &batch, "sequence 3 has no ids");
    make_batch();
    offsets[1] = offsets[2];
    offsets[2] = offsets[1] + POSITIONS + 1;
    refused(runner, &batch, "at most 40");
    fine__runner_free(runner);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* ---- several at once ---- */

struct job {
    fine_model *model;
    double loss;
    float logits[SEQS * CLASSES];
};

static void *
predict(void *arg)
{
    struct job *job = arg;
    const struct fine__batch batch = { .n_seqs = SEQS,
                                       .n_tokens = TOKENS,
                                       .ids = ids,
                                       .types = types,
                                       .offsets = offsets,
                                       .labels = labels };
    struct fine__run run = { .batch = &batch };
    struct fine__runner *runner;

    if (fine__runner_new(&runner, job->model) < 0)
        return NULL;
    for (int i = 0; i < 20; i++)
        if (fine__runner_run(runner, &run) == 0) {
            job->loss = run.loss_sum;
            memcpy(job->logits, run.logits, sizeof job->logits);
        }
    fine__runner_free(runner);
    return job;
}

START_TEST(runners_in_threads)
{
    fine_context *ctx = new_context(2);
    fine_model *model = open_model(ctx, 2, "pooler");
    struct job jobs[5];
    pthread_t threads[4];

    (void)make_batch();
    for (int i = 0; i < 5; i++)
        jobs[i] = (struct job){ .model = model };
    ck_assert_ptr_nonnull(predict(&jobs[4]));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, predict, &jobs[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *done;

        ck_assert_int_eq(pthread_join(threads[i], &done), 0);
        ck_assert_ptr_nonnull(done);
        ck_assert(jobs[i].loss == jobs[4].loss);
        ck_assert_int_eq(memcmp(jobs[i].logits, jobs[4].logits, sizeof jobs[4].logits), 0);
    }
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* A sequence's answer doesn't depend on its neighbours in the batch. */
START_TEST(sequences_do_not_see_each_other)
{
    fine_context *ctx = new_context(2);
    fine_model *model = open_model(ctx, 2, "mean");
    const struct fine__batch batch = make_batch();
    struct fine__run together = { .batch = &batch }, alone;
    struct fine__runner *runner, *other;

    ck_assert_int_eq(fine__runner_new(&runner, model), 0);
    ck_assert_int_eq(fine__runner_new(&other, model), 0);
    ck_assert_int_eq(fine__runner_run(runner, &together), 0);
    for (int i = 0; i < SEQS; i++) {
        const int64_t ends[2] = { 0, offsets[i + 1] - offsets[i] };
        const struct fine__batch one = { .n_seqs = 1,
                                         .n_tokens = ends[1],
                                         .offsets = ends,
                                         .ids = ids + offsets[i],
                                         .types = types + offsets[i] };

        alone = (struct fine__run){ .batch = &one };
        ck_assert_int_eq(fine__runner_run(other, &alone), 0);
        for (int j = 0; j < CLASSES; j++)
            ck_assert(fabsf(alone.logits[j] - together.logits[i * CLASSES + j]) <= 2e-6f);
    }
    fine__runner_free(runner);
    fine__runner_free(other);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

RUNNER("runner", frozen_layers_take_the_memory_of_one, steps_call_no_allocator,
       batches_out_of_range, runners_in_threads, sequences_do_not_see_each_other)
