/*
 * test_fit.c — fit.c and everything under it with a real BERT, small and random: the same
 * bits at any number of threads, and after a stop, as promised in docs/determinism.md.
 */
#include "runner.h"

#include <math.h>

#include <finetune.h>

static const char config[] =
    "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 45, "
    "\"hidden_size\": 48, \"num_hidden_layers\": 3, \"num_attention_heads\": 4, "
    "\"intermediate_size\": 96, \"hidden_act\": \"gelu\", \"max_position_embeddings\": 32, "
    "\"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12, \"hidden_dropout_prob\": 0.1, "
    "\"attention_probs_dropout_prob\": 0.1, \"initializer_range\": 0.2, \"pad_token_id\": 0}";

enum { N_WORDS = 40, MAX_VALUES = 200000 };

struct job {
    fine_context *ctx;
    fine_model *model;
    fine_dataset *train, *validation;
    fine_optimizer *optimizer;
    fine_schedule *schedule;
    fine_trainer *trainer;
    struct fine_trainer_options options;
};

static fine_dataset *
rows(fine_context *ctx, int n, int first, int n_words)
{
    static const char *const labels[] = { "no", "yes", "perhaps" };
    fine_dataset *dataset;

    ck_assert_int_eq(fine_dataset_new(&dataset, ctx, NULL), 0);
    for (int i = first; i < first + n; i++) {
        char text[256] = "";
        const int length = n_words > 0 ? n_words : 1 + (i * 7) % 17;

        for (int j = 0; j < length; j++)
            (void)sprintf(text + strlen(text), "w%d ", (i * 31 + j * (i % 5 + 3)) % N_WORDS);
        ck_assert_int_eq(fine_dataset_add(dataset, text, NULL, labels[i * 31 % N_WORDS % 3], NULL),
                         0);
    }
    return dataset;
}

static fine_model *
open_model(fine_context *ctx)
{
    static const char *const labels[] = { "no", "yes", "perhaps" };
    char vocabulary[1024] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    struct fine_model_options options;
    struct fine_task_options task;
    fine_model *model;

    for (int i = 0; i < N_WORDS; i++)
        (void)sprintf(vocabulary + strlen(vocabulary), "w%d\n", i);
    const struct fine_memory_file files[] = {
        { "config.json", config, (int64_t)strlen(config) },
        { "vocab.txt", vocabulary, (int64_t)strlen(vocabulary) },
    };

    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    options.seed = 5;
    ck_assert_int_eq(fine_model_open_memory(&model, ctx, files, 2, &options), 0);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = 3;
    task.seed = 6;
    ck_assert_int_eq(fine_model_set_task(model, &task), 0);
    return model;
}

/* Nothing here loses power, and waiting for the disk takes long. */
static int
no_fsync(int fd)
{
    (void)fd;
    return 0;
}

static void
begin(struct job *job, int n_threads)
{
    static struct fine__io quick_io;
    struct fine_adamw_options adamw;
    struct fine_schedule_options linear;

    *job = (struct job){ .ctx = new_context(n_threads) };
    quick_io = fine__io_system;
    quick_io.fsync = no_fsync;
    job->ctx->io = &quick_io;
    job->model = open_model(job->ctx);
    job->train = rows(job->ctx, 75, 0, 0);
    job->validation = rows(job->ctx, 20, 75, 0);
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 1e-3;
    adamw.head_learning_rate = 1e-2;
    ck_assert_int_eq(fine_optimizer_new_adamw(&job->optimizer, job->ctx, &adamw), 0);
    fine_schedule_options_init(&linear, sizeof linear);
    linear.warmup = 2;
    ck_assert_int_eq(fine_schedule_new(&job->schedule, job->ctx, "linear", &linear), 0);
    fine_trainer_options_init(&job->options, sizeof job->options);
    job->options.steps = 10;
    job->options.batch_size = 8;
    job->options.accumulate = 2;
    job->options.seed = 3;
    job->options.validation = job->validation;
    job->options.evaluate_every_steps = 4;
}

static void
start(struct job *job)
{
    ck_assert_msg(fine_trainer_new(&job->trainer, job->model, job->train, job->optimizer,
                                   job->schedule, &job->options) == 0,
                  "%s", fine_error_message());
}

static void
end(struct job *job)
{
    fine_trainer_free(job->trainer);
    fine_optimizer_free(job->optimizer);
    fine_schedule_free(job->schedule);
    fine_dataset_free(job->train);
    fine_dataset_free(job->validation);
    fine_model_free(job->model);
    free_context(job->ctx);
}

static int64_t
values_of(const fine_model *model, float *out)
{
    int64_t n = 0;

    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        struct fine_param_info info = { .struct_size = sizeof info };
        const float *values;
        int64_t count;

        ck_assert_int_eq(fine_model_param(model, i, &info), 0);
        ck_assert_int_eq(fine_model_values(model, info.name, &values, &count), 0);
        ck_assert_int_le(n + count, MAX_VALUES);
        memcpy(out + n, values, (size_t)count * sizeof *out);
        n += count;
    }
    return n;
}

static float expected[MAX_VALUES], now[MAX_VALUES];

static int
stop_at(const struct fine_progress *progress, void *user)
{
    return progress->event == FINE_EVENT_STEP && progress->step == *(const int64_t *)user;
}

static void
compare(int round, const char *freeze)
{
    static const int threads[] = { 1, 2, 5 };
    struct job job;
    int64_t n = 0;

    for (int t = 0; t < 3; t++) {
        begin(&job, threads[t]);
        ck_assert_int_eq(fine_model_freeze(job.model, freeze), 0);
        start(&job);
        ck_assert_int_eq(fine_trainer_fit(job.trainer, NULL), 0);
        const int64_t count = values_of(job.model, t == 0 ? expected : now);

        if (t == 0)
            n = count;
        else
            ck_assert_mem_eq(expected, now, (size_t)n * sizeof *now);
        end(&job);
    }
    for (int64_t stop = 1; stop <= 10; stop += 3) {
        char *folder = new_folder();

        for (int part = 0; part < 2; part++) {
            begin(&job, threads[(round + part) % 3]);
            ck_assert_int_eq(fine_model_freeze(job.model, freeze), 0);
            job.options.folder = folder;
            job.options.resume = part;
            job.options.progress = part == 0 ? stop_at : NULL;
            job.options.progress_user = &stop;
            start(&job);
            ck_assert_int_eq(fine_trainer_fit(job.trainer, NULL), part == 0 ? FINE_ECANCELLED : 0);
            if (part == 1) {
                (void)values_of(job.model, now);
                ck_assert_mem_eq(expected, now, (size_t)n * sizeof *now);
                remove_folder(job.ctx, folder);
            }
            end(&job);
        }
    }
}

START_TEST(the_same_bits)
{
    compare(0, "none");
    compare(1, "embeddings..2");
    compare(2, "all");
}
END_TEST

START_TEST(learns)
{
    struct job job;
    fine_report *report;
    double first, best;

    begin(&job, 2);
    job.options.steps = 120;
    job.options.accumulate = 1;
    job.options.metric = "accuracy";
    start(&job);
    ck_assert_int_eq(fine_trainer_step(job.trainer), 1);
    first = fine_trainer_progress(job.trainer)->loss;
    ck_assert_int_eq(fine_trainer_fit(job.trainer, &report), 0);
    ck_assert_double_lt(fine_trainer_progress(job.trainer)->loss, 0.5 * first);
    ck_assert_int_eq(fine_report_number(report, "best", &best), 0);
    ck_assert_double_gt(best, 0.5);
    fine_report_free(report);
    end(&job);
}
END_TEST

START_TEST(steps_allocate_nothing)
{
    struct job job;

    begin(&job, 2);
    fine_dataset_free(job.train);
    job.train = rows(job.ctx, 64, 0, 9); /* of one length, so that batches are of one size */
    job.options.validation = NULL;
    start(&job);
    ck_assert_int_eq(fine_trainer_step(job.trainer), 1);
    ck_assert_int_eq(fine_trainer_step(job.trainer), 1);
    const int64_t before = fine_context_allocations(job.ctx);

    while (fine_trainer_step(job.trainer) > 0)
        ck_assert_int_eq(fine_context_allocations(job.ctx), before);
    end(&job);
}
END_TEST

START_TEST(steps_by_hand_equal_the_trainer)
{
    static const int64_t shape[] = { 4, 11 }, n_labels[] = { 4 };
    int64_t ids[44], mask[44], labels[4];
    struct job job;
    fine_tensors *tensors;
    double loss, norm;
    int64_t n;

    begin(&job, 1);
    ck_assert_int_eq(fine_tensors_new(&tensors, job.ctx), 0);
    for (int i = 0; i < 44; i++) {
        ids[i] = i % 11 == 0 ? 2 : 5 + i % 40;
        mask[i] = 1;
    }
    for (int i = 0; i < 4; i++)
        labels[i] = i % 3;
    ck_assert_int_eq(fine_tensors_put(tensors, "input_ids", FINE_I64, 2, shape, ids), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "attention_mask", FINE_I64, 2, shape, mask), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "labels", FINE_I64, 1, n_labels, labels), 0);
    for (int step = 0; step < 5; step++) {
        ck_assert_int_eq(fine_model_zero_gradients(job.model), 0);
        ck_assert_int_eq(fine_model_backward(job.model, tensors, 1, &loss), 0);
        ck_assert_int_eq(fine_model_clip_gradients(job.model, 1, &norm), 0);
        ck_assert_int_eq(fine_optimizer_step(job.optimizer, job.model, 1e-3), 0);
    }
    n = values_of(job.model, now);
    ck_assert_int_gt(n, 10000);
    /* The optimizer's state and the gradients of the hand go on in a trainer. */
    job.options.validation = NULL;
    start(&job);
    ck_assert_int_eq(fine_trainer_step(job.trainer), 1);
    fine_tensors_free(tensors);
    end(&job);
}
END_TEST

START_TEST(a_spoilt_weight_is_named)
{
    struct job job;
    const float *values;
    int64_t count;
    static const char name[] = "encoder.layer.1.output.dense.weight";

    begin(&job, 2);
    ck_assert_int_eq(fine_model_values(job.model, name, &values, &count), 0);
    float *copy = malloc((size_t)count * sizeof *copy);

    memcpy(copy, values, (size_t)count * sizeof *copy);
    copy[7] = copy[count - 1] = (float)NAN;
    ck_assert_int_eq(fine_model_set_values(job.model, name, copy, count), 0);
    start(&job);
    (void)values_of(job.model, expected);
    ck_assert_int_eq(fine_trainer_step(job.trainer), FINE_ENUMERIC);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), name));
    const int64_t n = values_of(job.model, now);

    ck_assert_mem_eq(expected, now, (size_t)n * sizeof *now);
    free(copy);
    end(&job);
}
END_TEST

RUNNER("fit", the_same_bits, learns, steps_allocate_nothing, steps_by_hand_equal_the_trainer,
       a_spoilt_weight_is_named)
