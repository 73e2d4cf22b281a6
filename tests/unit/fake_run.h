/* fake_run.h — a training run on the fake model, for the suites of the trainer. */
#ifndef FAKE_RUN_H
#define FAKE_RUN_H

#include "fake_model.h"

#include <finetune/train.h>

#include "train/trainer.h"

struct fake_run {
    fine_context *ctx;
    fine_model *model;
    fine_dataset *train, *validation;
    fine_optimizer *optimizer;
    fine_schedule *schedule;
    fine_trainer *trainer;
    struct fine_trainer_options options;
};

enum { FAKE_COUNT = (FAKE_SPECIAL + FAKE_WORDS + FAKE_LABELS) * FAKE_WIDTH + FAKE_LABELS };

/* Everything but the trainer; 53 rows, batches of 8: 7 steps an epoch. */
static inline void
fake_begin_in(struct fake_run *run, fine_context *ctx, enum fine__task task)
{
    struct fine_adamw_options adamw;
    struct fine_schedule_options linear;

    *run = (struct fake_run){ .ctx = ctx };
    run->model = fake_model(ctx, task);
    run->train = fake_rows(ctx, task, 53, 1);
    run->validation = fake_rows(ctx, task, 30, 2);
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 0.05;
    ck_assert_int_eq(fine_optimizer_new_adamw(&run->optimizer, ctx, &adamw), 0);
    fine_schedule_options_init(&linear, sizeof linear);
    linear.warmup = 0.1;
    ck_assert_int_eq(fine_schedule_new(&run->schedule, ctx, "linear", &linear), 0);
    fine_trainer_options_init(&run->options, sizeof run->options);
    run->options.batch_size = 8;
    run->options.steps = 20;
    run->options.seed = 42;
}

static inline void
fake_begin(struct fake_run *run, int n_threads)
{
    fake_begin_in(run, new_context(n_threads), FINE__CLASSIFY);
}

static inline int
fake_start(struct fake_run *run)
{
    return fine_trainer_new(&run->trainer, run->model, run->train, run->optimizer, run->schedule,
                            &run->options);
}

static inline void
fake_end(struct fake_run *run)
{
    fine_trainer_free(run->trainer);
    fine_optimizer_free(run->optimizer);
    fine_schedule_free(run->schedule);
    fine_dataset_free(run->train);
    fine_dataset_free(run->validation);
    fine__model_unref(run->model);
    free_context(run->ctx);
}

static inline void
fake_weights(const fine_model *model, float *out)
{
    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__tensor *tensor = &model->params.list[i].tensor;

        memcpy(out, tensor->data, (size_t)tensor->count * sizeof *out);
        out += tensor->count;
    }
}

#endif
