/*
 * trainer.c — one run: made, stepped, evaluated, finished.
 *
 * All that a step does follows from the step's number and the seed; clocks are only
 * looked at to be shown. A step that fails leaves the weights alone, so that the run can
 * go on, or be resumed, as if it had not been tried.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/numeric.h"
#include "base/result.h"
#include "base/rng.h"

/* ---- who may come in ---- */

static int
enter(fine_trainer *trainer)
{
    if (trainer->pid != getpid())
        return fine__fail(FINE_EFORK, "this trainer belongs to the process that made it: make a "
                                      "new one in the child");
    if (!atomic_exchange(&trainer->busy, true))
        return FINE_OK;
    if (atomic_load(&trainer->in_callback))
        return fine__fail(FINE_ESTATE, "the trainer is at work: its callback can't call it, only "
                                       "return non-zero to stop it");
    return fine__fail(FINE_EBUSY, "the trainer is at work in another thread");
}

static int
leave(fine_trainer *trainer, int rc)
{
    atomic_store(&trainer->busy, false);
    return rc;
}

/* ---- making ---- */

static int
copy_options(fine_trainer *trainer, const struct fine_trainer_options *options)
{
    trainer->options = *options;
    trainer->options.validation = NULL;
    trainer->metric =
        fine__strdup(trainer->ctx, options->metric != NULL ? options->metric : "loss");
    if (trainer->metric == NULL)
        return FINE_ENOMEM;
    trainer->options.metric = trainer->metric;
    trainer->options.folder = NULL;
    if (options->folder != NULL) {
        trainer->folder = fine__strdup(trainer->ctx, options->folder);
        if (trainer->folder == NULL)
            return FINE_ENOMEM;
        trainer->checkpoints = fine__path_join(trainer->ctx, options->folder, "checkpoints");
        if (trainer->checkpoints == NULL)
            return FINE_ENOMEM;
        trainer->options.folder = trainer->folder;
    }
    return FINE_OK;
}

static int
check_metric(const fine_trainer *trainer)
{
    const char *task = trainer->model->task == FINE__REGRESS ? "regress" : "classify";

    if (fine__metric_valid(task, trainer->metric))
        return FINE_OK;
    struct fine__buf names;
    const char *const *name = fine__metric_names(task);

    fine__buf_init(&names, trainer->ctx);
    for (; *name != NULL; name++) {
        fine__buf_text(&names, names.length > 0 ? ", " : "");
        fine__buf_text(&names, *name);
    }
    const int rc = fine__fail(FINE_EINVAL, "'%s' is no metric of the task %s: there are %s",
                              trainer->metric, task, fine__buf_cstr(&names));

    fine__buf_free(&names);
    return rc;
}

static int
take_model(fine_trainer *trainer, fine_model *model)
{
    if (atomic_exchange(&model->training, true))
        return fine__fail(FINE_ESTATE, "another trainer holds this model: free it first");
    trainer->model = fine__model_ref(model);
    if (atomic_load(&model->sessions) > 0)
        return fine__fail(FINE_ESTATE, "sessions read this model's weights: free them before "
                                       "training");
    return FINE_OK;
}

static int
take_data(fine_trainer *trainer, fine_dataset *dataset, fine_dataset *validation)
{
    int64_t n_shared = 0;

    if (trainer->model->task != FINE__TASK_NONE)
        FINE__TRY(fine__dataset_check_task(dataset, trainer->model->task == FINE__REGRESS));
    FINE__TRY(fine__examples_encode(&trainer->train, trainer->model, dataset, "training data"));
    if (validation == NULL)
        return FINE_OK;
    FINE__TRY(
        fine__examples_encode(&trainer->validation, trainer->model, validation, "validation data"));
    trainer->has_validation = true;
    return fine__dataset_overlap(&n_shared, dataset, validation);
}

static int
take_memory(fine_trainer *trainer)
{
    const struct fine_trainer_options *options = &trainer->options;

    FINE__TRY(fine__params_make_gradients(&trainer->model->params));
    FINE__TRY(fine__optimizer_prepare(trainer->optimizer, trainer->model));
    FINE__TRY(fine__batches_init(&trainer->batches, &trainer->train, options->batch_size,
                                 options->accumulate, options->seed));
    FINE__TRY(fine__runner_new(&trainer->runner, trainer->model));
    FINE__TRY(fine__buf_reserve(&trainer->line, 1024));
    if (trainer->has_validation) {
        FINE__TRY(fine__metrics_for(&trainer->metrics, trainer->model));
        trainer->scratch =
            fine__alloc(trainer->ctx, (FINE__EVALUATE_IDS + 1) * sizeof *trainer->scratch);
        if (trainer->scratch == NULL)
            return FINE_ENOMEM;
    }
    return FINE_OK;
}

static int
count_steps(fine_trainer *trainer)
{
    /* The small number keeps 1.1 epochs of 10 steps from becoming 12. */
    const double steps = trainer->options.epochs * (double)trainer->batches.steps_per_epoch;

    if (trainer->options.steps > 0)
        trainer->n_steps = trainer->options.steps;
    else if (steps < 1e15)
        trainer->n_steps = (int64_t)fmax(1, ceil(steps - 1e-9));
    else
        return fine__fail(FINE_EINVAL, "epochs: more steps than can be counted");
    return FINE_OK;
}

static int
take_folder(fine_trainer *trainer)
{
    char *path;

    if (trainer->folder == NULL)
        return FINE_OK;
    FINE__TRY(fine__mkdirs(trainer->ctx, trainer->checkpoints));
    path = fine__path_join(trainer->ctx, trainer->checkpoints, ".lock");
    if (path == NULL)
        return FINE_ENOMEM;
    trainer->lock = fine__lock(trainer->ctx, path);
    fine__free(trainer->ctx, path);
    return trainer->lock < 0 ? trainer->lock : fine__state_tidy(trainer);
}

static int
set_up(fine_trainer *trainer, fine_model *model, fine_dataset *dataset,
       const struct fine_trainer_options *options)
{
    FINE__TRY(copy_options(trainer, options));
    FINE__TRY(take_model(trainer, model));
    FINE__TRY(check_metric(trainer));
    FINE__TRY(take_folder(trainer));
    FINE__TRY(take_data(trainer, dataset, options->validation));
    FINE__TRY(take_memory(trainer));
    FINE__TRY(count_steps(trainer));
    if (options->resume)
        FINE__TRY(fine__state_resume(trainer));
    return FINE_OK;
}

int
fine__trainer_new(fine_trainer **out, fine_model *model, fine_dataset *dataset,
                  fine_optimizer *optimizer, fine_schedule *schedule,
                  const struct fine_trainer_options *options)
{
    fine_trainer *trainer = fine__alloc(model->ctx, sizeof *trainer);
    struct fine__numeric saved;
    int rc;

    if (trainer == NULL)
        return FINE_ENOMEM;
    *trainer = (fine_trainer){ .ctx = fine__context_ref(model->ctx),
                               .lock = -1,
                               .last_evaluated = -1,
                               .best_step = -1,
                               .pid = getpid() };
    atomic_init(&trainer->busy, false);
    atomic_init(&trainer->in_callback, false);
    fine__buf_init(&trainer->history, trainer->ctx);
    fine__buf_init(&trainer->line, trainer->ctx);
    trainer->optimizer = fine__optimizer_ref(optimizer);
    trainer->schedule = fine__schedule_ref(schedule);
    fine__numeric_enter(&saved);
    rc = set_up(trainer, model, dataset, options);
    fine__numeric_leave(&saved);
    if (rc < 0) {
        fine__trainer_free(trainer);
        return rc;
    }
    trainer->started = 0;
    trainer->started = fine__trainer_seconds(trainer) - trainer->seconds_before;
    fine__trainer_tell_nothing(trainer);
    *out = trainer;
    return FINE_OK;
}

void
fine__trainer_free(fine_trainer *trainer)
{
    if (trainer == NULL || atomic_load(&trainer->in_callback))
        return;
    fine_context *ctx = trainer->ctx;

    if (trainer->model != NULL) {
        fine__params_drop_gradients(&trainer->model->params);
        atomic_store(&trainer->model->training, false);
    }
    fine__runner_free(trainer->runner);
    fine__batches_free(&trainer->batches);
    fine__examples_free(&trainer->train);
    fine__examples_free(&trainer->validation);
    fine__metrics_free(trainer->metrics);
    fine__optimizer_unref(trainer->optimizer);
    fine__schedule_unref(trainer->schedule);
    fine__model_unref(trainer->model);
    fine__unlock(ctx, trainer->lock);
    fine__buf_free(&trainer->history);
    fine__buf_free(&trainer->line);
    fine__free(ctx, trainer->scratch);
    fine__free(ctx, trainer->best_weights);
    fine__free(ctx, trainer->metric);
    fine__free(ctx, trainer->folder);
    fine__free(ctx, trainer->checkpoints);
    fine__free(ctx, trainer);
    fine__context_unref(ctx);
}

/* ---- stepping ---- */

/* A loss that isn't finite mostly comes from a weight that isn't: says which. */
static void
explain(const fine_trainer *trainer, int64_t batch)
{
    const struct fine__params *params = &trainer->model->params;

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__tensor *tensor = &params->list[i].tensor;

        for (int64_t j = 0; j < tensor->count; j++)
            if (!isfinite(tensor->data[j])) {
                (void)fine__fail(FINE_ENUMERIC,
                                 "the loss is not finite, since the weight '%s' "
                                 "holds a number that is not: the model's file is damaged",
                                 params->list[i].name);
                i = params->count - 1;
                break;
            }
    }
    fine__error_prefix("step %lld, batch %lld of epoch %lld", (long long)trainer->step + 1,
                       (long long)batch + 1,
                       (long long)(trainer->step / trainer->batches.steps_per_epoch) + 1);
}

static int
take_gradients(fine_trainer *trainer, const struct fine__step_plan *plan, double *loss_out)
{
    double loss = 0;

    fine__params_zero_gradients(&trainer->model->params);
    for (int64_t i = 0; i < plan->n_batches; i++) {
        const int64_t index = plan->first + i;
        const struct fine__batch batch = fine__batches_pack(&trainer->batches, plan->epoch, index);
        struct fine__run run = { .batch = &batch,
                                 .train = true,
                                 .backward = true,
                                 .loss_weight = 1 / (double)plan->n_rows,
                                 .dropout_key = fine__rng_key(
                                     trainer->options.seed, FINE__RNG_DROPOUT, trainer->step, i) };
        const int rc = fine__runner_run(trainer->runner, &run);

        if (rc == FINE_ENUMERIC)
            explain(trainer, index);
        if (rc < 0)
            return rc;
        loss += run.loss_sum;
    }
    *loss_out = loss / (double)plan->n_rows;
    return FINE_OK;
}

static int
take_step(fine_trainer *trainer, const struct fine__step_plan *plan)
{
    fine_optimizer *optimizer = trainer->optimizer;
    const double clip = trainer->options.clip_norm;
    double loss, norm, scale = 1;

    FINE__TRY(take_gradients(trainer, plan, &loss));
    norm = fine__params_gradient_norm(&trainer->model->params);
    if (clip > 0 && clip / (norm + 1e-6) < 1)
        scale = clip / (norm + 1e-6);
    const double factor = fine__schedule_factor(trainer->schedule, trainer->step, trainer->n_steps);
    const double rate = optimizer->learning_rate * factor;
    const double head_rate =
        optimizer->head_learning_rate > 0 ? optimizer->head_learning_rate * factor : rate;
    const int rc = fine__optimizer_apply(optimizer, rate, head_rate, scale, norm);

    if (rc == FINE_ENUMERIC)
        fine__error_prefix("step %lld, batches %lld to %lld of epoch %lld",
                           (long long)trainer->step + 1, (long long)plan->first + 1,
                           (long long)(plan->first + plan->n_batches), (long long)plan->epoch + 1);
    if (rc < 0)
        return rc;
    trainer->step++;
    trainer->rows += plan->n_rows;
    trainer->dirty = true;
    trainer->progress.epoch = plan->epoch;
    trainer->progress.loss = loss;
    trainer->progress.gradient_norm = norm;
    trainer->progress.learning_rate = rate;
    return FINE_OK;
}

bool
fine__trainer_finished(const fine_trainer *trainer)
{
    return trainer->step >= trainer->n_steps ||
           (trainer->options.patience > 0 && trainer->n_worse >= trainer->options.patience);
}

static int
still_training(const fine_trainer *trainer)
{
    if (!trainer->restored)
        return FINE_OK;
    return fine__fail(FINE_ESTATE, "the best weights were put back: this run is over, make a new "
                                   "trainer to train on");
}

int
fine__trainer_step(fine_trainer *trainer)
{
    struct fine__numeric saved;
    int rc;

    FINE__TRY(enter(trainer));
    if (fine__trainer_finished(trainer))
        return leave(trainer, 0);
    rc = still_training(trainer);
    if (rc < 0)
        return leave(trainer, rc);
    const double before = fine__trainer_seconds(trainer);
    const struct fine__step_plan plan = fine__batches_plan(&trainer->batches, trainer->step);

    trainer->cancelled = false;
    fine__numeric_enter(&saved);
    rc = take_step(trainer, &plan);
    fine__numeric_leave(&saved);
    if (rc == FINE_OK)
        rc = fine__trainer_tell_step(trainer, fine__trainer_seconds(trainer) - before, plan.n_rows);
    return leave(trainer, rc < 0 ? rc : 1);
}

/* ---- what is due ---- */

static bool
evaluation_is_due(const fine_trainer *trainer)
{
    const struct fine_trainer_options *options = &trainer->options;
    const double every = options->evaluate_every_epochs * (double)trainer->batches.steps_per_epoch;
    const double step = (double)trainer->step;

    if (!trainer->has_validation || trainer->step == 0 ||
        trainer->last_evaluated == trainer->step || trainer->restored)
        return false;
    if (options->evaluate_every_steps > 0)
        return trainer->step % options->evaluate_every_steps == 0 ||
               fine__trainer_finished(trainer);
    if (!(options->evaluate_every_epochs > 0))
        return false;
    /* The first step at or after a multiple of `every`. */
    return ceil(floor(step / every + 1e-9) * every - 1e-9) == step || every <= 1 ||
           fine__trainer_finished(trainer);
}

static bool
checkpoint_is_due(const fine_trainer *trainer)
{
    const int64_t every = trainer->options.checkpoint_every_steps;

    if (trainer->folder == NULL || !trainer->dirty || trainer->restored)
        return false;
    return trainer->cancelled || fine__trainer_finished(trainer) ||
           (every > 0 && trainer->step % every == 0);
}

int
fine__trainer_due(const fine_trainer *trainer)
{
    return (evaluation_is_due(trainer) ? 1 << FINE_EVENT_EVALUATE : 0) |
           (checkpoint_is_due(trainer) ? 1 << FINE_EVENT_CHECKPOINT : 0);
}

/* ---- evaluating, keeping, finishing ---- */

static int
remember(fine_trainer *trainer)
{
    struct fine__buf *history = &trainer->history;
    const size_t length = history->length;

    fine__buf_printf(history, "%s{\"step\":%lld,\"metrics\":", length > 0 ? "," : "",
                     (long long)trainer->step);
    fine__metrics_write_object(trainer->metrics, history, false);
    fine__buf_byte(history, '}');
    if (fine__buf_status(history) == FINE_OK)
        return FINE_OK;
    history->failed = false; /* what was there before is still whole */
    history->length = length;
    if (history->data != NULL)
        history->data[length] = '\0';
    return FINE_ENOMEM;
}

/* 1: better than ever, and kept; 0: not. */
static int
judge(fine_trainer *trainer, double value)
{
    const int64_t best_step = trainer->best_step;
    const double best_value = trainer->best_value;
    int rc;

    if (best_step >= 0 && !fine__metric_better(trainer->metric, value, best_value)) {
        trainer->n_worse++;
        return 0;
    }
    trainer->best_step = trainer->step;
    trainer->best_value = value;
    rc = fine__best_keep(trainer);
    if (rc < 0) {
        trainer->best_step = best_step;
        trainer->best_value = best_value;
        return rc;
    }
    trainer->n_worse = 0;
    return 1;
}

static int
evaluate(fine_trainer *trainer, double *value_out, struct fine__buf *full)
{
    FINE__TRY(fine__evaluate(trainer->runner, trainer->model, &trainer->validation,
                             trainer->metrics, trainer->scratch));
    FINE__TRY(fine__metrics_number(trainer->metrics, trainer->metric, value_out));
    if (full != NULL) {
        fine__metrics_write(trainer->metrics, full, true);
        FINE__TRY(fine__buf_status(full));
    }
    if (trainer->last_evaluated == trainer->step || trainer->restored)
        return trainer->best_step == trainer->step; /* asked again: nothing new */
    const size_t length = trainer->history.length;

    FINE__TRY(remember(trainer));
    const int rc = judge(trainer, *value_out);

    if (rc < 0) {
        trainer->history.length = length;
        trainer->history.data[length] = '\0';
        return rc;
    }
    trainer->last_evaluated = trainer->step;
    trainer->dirty = true;
    return rc;
}

int
fine__trainer_evaluate(fine_trainer *trainer, fine_report **out)
{
    struct fine__numeric saved;
    struct fine__buf full;
    fine_report *report = NULL;
    double value = 0;
    int rc, told;

    FINE__TRY(enter(trainer));
    if (!trainer->has_validation)
        return leave(trainer, fine__fail(FINE_ESTATE, "this trainer has no validation data: give "
                                                      "some in its options"));
    trainer->cancelled = false;
    fine__buf_init(&full, trainer->ctx);
    fine__numeric_enter(&saved);
    rc = evaluate(trainer, &value, out != NULL ? &full : NULL);
    if (rc >= 0 && out != NULL) {
        told = fine__report_new(&report, trainer->ctx, &full);
        if (told < 0)
            rc = told;
    }
    fine__numeric_leave(&saved);
    fine__buf_free(&full);
    if (rc >= 0) {
        told = fine__trainer_tell_evaluation(trainer, value, rc > 0);
        if (told < 0)
            rc = told;
    }
    if (rc >= 0 && out != NULL)
        *out = report;
    else
        fine__report_free(report);
    return leave(trainer, rc);
}

int
fine__trainer_checkpoint(fine_trainer *trainer)
{
    struct fine__numeric saved;
    char name[64];
    const bool cancelled = trainer->cancelled;
    int rc;

    FINE__TRY(enter(trainer));
    rc = still_training(trainer);
    if (rc == FINE_OK && trainer->folder == NULL)
        rc = fine__fail(FINE_ESTATE, "this trainer has no folder to write checkpoints to");
    if (rc < 0)
        return leave(trainer, rc);
    fine__numeric_enter(&saved);
    rc = fine__state_write(trainer, name, sizeof name);
    fine__numeric_leave(&saved);
    if (rc == FINE_OK) {
        trainer->dirty = false;
        rc = fine__trainer_tell_checkpoint(trainer, name);
    }
    /* It was written because the callback had said stop: that it says so again is no news. */
    return leave(trainer, cancelled && rc == FINE_ECANCELLED ? FINE_OK : rc);
}

static int
restore_best(fine_trainer *trainer)
{
    struct fine__numeric saved;
    int rc;

    if (trainer->best_step < 0 || trainer->best_step == trainer->step || trainer->restored)
        return FINE_OK;
    fine__numeric_enter(&saved);
    rc = fine__best_restore(trainer);
    fine__numeric_leave(&saved);
    if (rc == FINE_OK)
        trainer->restored = true;
    return rc;
}

int
fine__trainer_restore_best(fine_trainer *trainer)
{
    FINE__TRY(enter(trainer));
    return leave(trainer, restore_best(trainer));
}

int
fine__trainer_finish(fine_trainer *trainer, fine_report **out)
{
    fine_report *report = NULL;
    struct fine__buf text;
    int rc;

    FINE__TRY(enter(trainer));
    rc = restore_best(trainer);
    if (rc == FINE_OK && out != NULL) {
        fine__buf_init(&text, trainer->ctx);
        fine__trainer_describe(trainer, &text);
        rc = fine__report_new(&report, trainer->ctx, &text);
        fine__buf_free(&text);
    }
    if (rc == FINE_OK) {
        rc = fine__trainer_tell_done(trainer);
        if (rc == FINE_ECANCELLED) /* there is nothing left to stop */
            rc = FINE_OK;
    }
    if (rc == FINE_OK && out != NULL)
        *out = report;
    else
        fine__report_free(report);
    return leave(trainer, rc);
}
