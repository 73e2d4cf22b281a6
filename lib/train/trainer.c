/*
 * trainer.c — one run: stepped, evaluated, finished.
 *
 * All that a step does follows from the step's number and the seed; clocks are only
 * looked at to be shown. A step that fails leaves the weights alone, so that the run can
 * go on, or be resumed, as if it had not been tried.
 */
#include "train/trainer.h"

#include <math.h>
#include <unistd.h>

#include "base/numeric.h"
#include "base/result.h"
#include "base/rng.h"
#include "models/kinds.h"

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

/* Over how many targets the step's loss is a mean: rows, or the tokens of all its batches that
 * have a label; each with its class's weight. A batch that was packed for that stays packed if it is the only one. */
static double
count_targets(fine_trainer *trainer, const struct fine__step_plan *plan, struct fine__batch *batch)
{
    const struct fine__kind *kind = fine__kind(trainer->model->task);
    double sum = 0;
    int64_t n = 0;

    if (trainer->weighing.criterion.weights != NULL) {
        for (int64_t i = 0; i < plan->n_batches; i++)
            sum += fine__weighing_of_batch(&trainer->weighing, &trainer->batches, plan->epoch,
                                           plan->first + i);
        return sum > 0 ? sum : 1;
    }
    if (!kind->per_token)
        return (double)plan->n_rows;
    for (int64_t i = 0; i < plan->n_batches; i++) {
        *batch = fine__batches_pack(&trainer->batches, plan->epoch, plan->first + i);
        n += kind->count(batch);
    }
    return n > 0 ? (double)n : 1;
}

static int
take_gradients(fine_trainer *trainer, const struct fine__step_plan *plan, double *loss_out)
{
    struct fine__batch batch = { .n_seqs = 0 };
    const double n_targets = count_targets(trainer, plan, &batch);
    double loss = 0;

    fine__params_zero_gradients(&trainer->model->params);
    fine__runner_discard(trainer->runner);
    for (int64_t i = 0; i < plan->n_batches; i++) {
        const int64_t index = plan->first + i;

        if (plan->n_batches > 1 || batch.n_seqs == 0)
            batch = fine__batches_pack(&trainer->batches, plan->epoch, index);
        FINE__TRY(trainer->batches.status);
        batch.criterion = trainer->weighing.differs ? &trainer->weighing.criterion : NULL;
        struct fine__run run = { .batch = &batch,
                                 .train = true,
                                 .backward = true,
                                 .loss_only = true,
                                 .loss_weight = 1 / n_targets,
                                 .dropout_key = fine__rng_key(
                                     trainer->options.seed, FINE__RNG_DROPOUT, trainer->step, i) };
        const int rc = fine__runner_run(trainer->runner, &run);

        if (rc == FINE_ENUMERIC)
            explain(trainer, index);
        if (rc < 0)
            return rc;
        loss += run.loss_sum;
    }
    *loss_out = loss / n_targets;
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
    fine__runner_commit(trainer->runner);
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
