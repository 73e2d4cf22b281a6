/*
 * setup.c — making a trainer: everything that can be wrong is found before the first step.
 *
 * Nothing is written and no weight changes until all is there: options, the model to
 * itself, the folder's lock, data that fit, memory; the checkpoint to go on from comes last.
 */
#include "train/trainer.h"

#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/numeric.h"
#include "train/noise.h"
#include "train/picture_batches.h"

static int
copy_options(fine_trainer *trainer, const struct fine_trainer_options *options)
{
    trainer->options = *options;
    trainer->options.validation = NULL;
    if (options->augmentation != NULL) {
        trainer->augmentation = *options->augmentation;
        trainer->options.augmentation = &trainer->augmentation;
    }
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
    const char *task = fine__task_name(trainer->model->task);

    if (trainer->model->task == FINE__TASK_NONE || fine__metric_valid(task, trainer->metric))
        return FINE_OK;
    struct fine__buf names;
    const char *const *name = fine__metric_names(task);

    if (name == NULL)
        return FINE_OK;             /* a task that no data teach, as is said next */

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
        FINE__TRY(fine__dataset_check_task(
            dataset, fine__content_find(fine__task_name(trainer->model->task))));
    FINE__TRY(fine__examples_encode(&trainer->train, trainer->model, dataset, "training data"));
    if (validation == NULL)
        return FINE_OK;
    FINE__TRY(
        fine__examples_encode(&trainer->validation, trainer->model, validation, "validation data"));
    trainer->has_validation = true;
    return fine__dataset_overlap(&n_shared, dataset, validation);
}

static bool
augments(const struct fine_augmentation *a)
{
    return a->crop > 0 || a->pad > 0 || a->flip > 0 || a->brightness > 0 || a->contrast > 0 ||
           a->saturation > 0 || a->hue > 0 || a->erase > 0;
}

/* Of the training data alone. */
static int
take_augmentation(fine_trainer *trainer)
{
    const struct fine_augmentation *a = trainer->options.augmentation;
    struct fine__augmentation how;

    if (a != NULL && trainer->train.pictures != NULL && (a->mask_tokens > 0 || a->drop_words > 0))
        return fine__fail(FINE_EINVAL, "augmentation: mask_tokens and drop_words are for texts");
    if (a == NULL || trainer->train.pictures == NULL)
        return a == NULL || (!augments(a) && !(a->mixup > 0) && !(a->cutmix > 0))
                   ? FINE_OK
                   : fine__fail(FINE_EINVAL, "augmentation: all but mask_tokens and drop_words is for "
                                "pictures, and the task is %s",
                                fine__task_name(trainer->model->task));
    fine__augmentation_init(&how);
    how.crop = a->crop > 0;
    if (how.crop)
        how.scale[0] = a->crop;
    how.pad = a->pad;
    how.flip = a->flip;
    how.brightness = a->brightness;
    how.contrast = a->contrast;
    how.saturation = a->saturation;
    how.hue = a->hue;
    how.erase = a->erase;
    return fine__pictures_augment(trainer->train.pictures, &how);
}

static int
take_mixing(fine_trainer *trainer)
{
    const struct fine_augmentation *a = trainer->options.augmentation;

    if (a == NULL || trainer->batches.pictures == NULL || (!(a->mixup > 0) && !(a->cutmix > 0)))
        return FINE_OK;
    const struct fine__mixing mixing = { .mixup = a->mixup, .cutmix = a->cutmix,
                                         .probability = 1 };

    return fine__picture_batches_mix(trainer->batches.pictures, &mixing,
                                     trainer->model->n_labels);
}

static int
take_noise(fine_trainer *trainer)
{
    const struct fine_augmentation *a = trainer->options.augmentation;

    if (a == NULL || (!(a->mask_tokens > 0) && !(a->drop_words > 0)))
        return FINE_OK;
    return fine__noise_new(&trainer->batches.noise, trainer->model, a->mask_tokens,
                           a->drop_words);
}

static int
take_memory(fine_trainer *trainer)
{
    const struct fine_trainer_options *options = &trainer->options;

    trainer->has_gradients = true;
    FINE__TRY(fine__params_make_gradients(&trainer->model->params));
    FINE__TRY(fine__optimizer_prepare(trainer->optimizer, trainer->model));
    FINE__TRY(fine__batches_init(&trainer->batches, &trainer->train, options->batch_size,
                                 options->accumulate, options->seed));
    FINE__TRY(take_mixing(trainer));
    FINE__TRY(take_noise(trainer));
    FINE__TRY(fine__weighing_init(&trainer->weighing, trainer->model, &trainer->train, options));
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
    FINE__TRY(take_augmentation(trainer));
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
        if (trainer->has_gradients)
            fine__params_drop_gradients(&trainer->model->params);
        atomic_store(&trainer->model->training, false);
    }
    fine__runner_free(trainer->runner);
    fine__batches_free(&trainer->batches);
    fine__weighing_free(&trainer->weighing);
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
    fine__statistics_free(ctx, &trainer->best_statistics);
    fine__free(ctx, trainer->metric);
    fine__free(ctx, trainer->folder);
    fine__free(ctx, trainer->checkpoints);
    fine__free(ctx, trainer);
    fine__context_unref(ctx);
}
