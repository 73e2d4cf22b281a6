/*
 * train.c — the border of train/: what a caller says is checked here.
 *
 * fine_trainer_fit() alone isn't here: it is written on these functions, in train/fit.c.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include <finetune/train.h>

#include "api/options.h"
#include "base/number.h"
#include "base/numeric.h"
#include "train/trainer.h"

static_assert(offsetof(struct fine_adamw_options, decay) == sizeof(size_t) + 5 * sizeof(double),
              "fields never move");
static_assert(offsetof(struct fine_sgd_options, nesterov) == sizeof(size_t) + 4 * sizeof(double),
              "fields never move");
static_assert(offsetof(struct fine_optimizer_options, decay) == 11 * sizeof(double),
              "fields never move");
static_assert(offsetof(struct fine_trainer_options, resume) == 16 * sizeof(void *),
              "fields never move");

/* The structs as they were in 0.1. */
static const size_t adamw_v1 =
    offsetof(struct fine_adamw_options, head_learning_rate) + sizeof(double);
static const size_t sgd_v1 = offsetof(struct fine_sgd_options, head_learning_rate) + sizeof(double);
static const size_t optimizer_v1 =
    offsetof(struct fine_optimizer_options, warmup_init) + sizeof(int32_t);
static const size_t schedule_v1 = offsetof(struct fine_schedule_options, restarts) + sizeof(int64_t);
static const size_t augmentation_v1 = offsetof(struct fine_augmentation, drop_words) + sizeof(double);
static const size_t trainer_v1 = 
    offsetof(struct fine_trainer_options, focal_gamma) + sizeof(double);

static int
take(void *local, size_t local_size, const void *user, size_t v1_size, const char *what)
{
    if (user == NULL)
        return FINE_OK;
    const int rc = options_in(local, local_size, user, v1_size);

    if (rc == FINE_EINVAL)
        return fine__fail(rc, "%s: struct_size is wrong; call %s_init() first", what, what);
    if (rc < 0)
        return fine__fail(rc,
                          "%s: fields of a newer library are in use; install the libfinetune "
                          "that the program was compiled for",
                          what);
    return rc;
}

static int
is_null(const char *function, const char *what)
{
    return fine__fail(FINE_EINVAL, "%s: %s is NULL", function, what);
}

/* value in [least, most]; NaN is not. */
static int
in_range(const char *what, double value, double least, double most)
{
    char text[3][32];

    if (value >= least && value <= most)
        return FINE_OK;
    return fine__fail(FINE_EINVAL, "%s is %s: it must be in %s to %s", what,
                      fine__format_double(text[0], value), fine__format_double(text[1], least),
                      fine__format_double(text[2], most));
}

static int
at_least(const char *what, int64_t value, int64_t least)
{
    if (value >= least)
        return FINE_OK;
    return fine__fail(FINE_EINVAL, "%s is %lld: it must be %lld or more", what, (long long)value,
                      (long long)least);
}

/* ---- optimizer ---- */

void
fine_adamw_options_init(struct fine_adamw_options *options, size_t size)
{
    const struct fine_adamw_options defaults = { .struct_size = sizeof defaults,
                                                 .learning_rate = 5e-5,
                                                 .beta1 = 0.9,
                                                 .beta2 = 0.999,
                                                 .epsilon = 1e-8,
                                                 .weight_decay = 0.01,
                                                 .decay = FINE_DECAY_MATRICES };

    options_out(options, size, &defaults, sizeof defaults);
}

static int
check_common(double rate, double head_rate, double weight_decay, int32_t decay)
{
    FINE__TRY(in_range("learning_rate", rate, 0, FINE__MAX_RATE));
    FINE__TRY(in_range("head_learning_rate", head_rate, 0, FINE__MAX_RATE));
    FINE__TRY(in_range("weight_decay", weight_decay, 0, FINE__MAX_RATE));
    if (decay != FINE_DECAY_MATRICES && decay != FINE_DECAY_ALL)
        return fine__fail(FINE_EINVAL, "decay is %d: use FINE_DECAY_MATRICES or FINE_DECAY_ALL",
                          (int)decay);
    return FINE_OK;
}

int
fine_optimizer_new_adamw(fine_optimizer **out, fine_context *context,
                         const struct fine_adamw_options *options)
{
    struct fine_adamw_options o;

    if (out == NULL)
        return is_null("fine_optimizer_new_adamw", "out");
    if (context == NULL)
        return is_null("fine_optimizer_new_adamw", "context");
    fine_adamw_options_init(&o, sizeof o);
    FINE__TRY(take(&o, sizeof o, options, adamw_v1, "fine_adamw_options"));
    FINE__TRY(check_common(o.learning_rate, o.head_learning_rate, o.weight_decay, o.decay));
    FINE__TRY(in_range("beta1", o.beta1, 0, 0.999999));
    FINE__TRY(in_range("beta2", o.beta2, 0, 0.9999999));
    FINE__TRY(in_range("epsilon", o.epsilon, 1e-16, 1));
    return fine__optimizer_new(out, context,
                               &(fine_optimizer){ .rule = &fine__rule_adamw,
                                                  .learning_rate = o.learning_rate,
                                                  .head_learning_rate = o.head_learning_rate,
                                                  .weight_decay = o.weight_decay,
                                                  .decay = o.decay,
                                                  .beta1 = o.beta1,
                                                  .beta2 = o.beta2,
                                                  .epsilon = o.epsilon });
}

void
fine_sgd_options_init(struct fine_sgd_options *options, size_t size)
{
    const struct fine_sgd_options defaults = { .struct_size = sizeof defaults,
                                               .learning_rate = 0.01,
                                               .decay = FINE_DECAY_MATRICES };

    options_out(options, size, &defaults, sizeof defaults);
}

int
fine_optimizer_new_sgd(fine_optimizer **out, fine_context *context,
                       const struct fine_sgd_options *options)
{
    struct fine_sgd_options o;

    if (out == NULL)
        return is_null("fine_optimizer_new_sgd", "out");
    if (context == NULL)
        return is_null("fine_optimizer_new_sgd", "context");
    fine_sgd_options_init(&o, sizeof o);
    FINE__TRY(take(&o, sizeof o, options, sgd_v1, "fine_sgd_options"));
    FINE__TRY(check_common(o.learning_rate, o.head_learning_rate, o.weight_decay, o.decay));
    FINE__TRY(in_range("momentum", o.momentum, 0, 0.99999));
    FINE__TRY(in_range("dampening", o.dampening, 0, 1));
    if (o.nesterov != 0 && (!(o.momentum > 0) || o.dampening > 0))
        return fine__fail(FINE_EINVAL, "nesterov needs a momentum above 0 and no dampening");
    return fine__optimizer_new(out, context,
                               &(fine_optimizer){ .rule = &fine__rule_sgd,
                                                  .learning_rate = o.learning_rate,
                                                  .head_learning_rate = o.head_learning_rate,
                                                  .weight_decay = o.weight_decay,
                                                  .decay = o.decay,
                                                  .momentum = o.momentum,
                                                  .dampening = o.dampening,
                                                  .nesterov = o.nesterov != 0 });
}

static const struct fine__rule *const rules[] = {
    &fine__rule_adamw,   &fine__rule_sgd,       &fine__rule_adam, &fine__rule_rmsprop,
    &fine__rule_adagrad, &fine__rule_adafactor, &fine__rule_lion, &fine__rule_lamb
};

static const struct fine__rule *
rule_find(const char *type)
{
    for (int i = 0; type != NULL && i < FINE__COUNT(rules); i++)
        if (strcmp(rules[i]->name, type) == 0)
            return rules[i];
    return NULL;
}

void
fine_optimizer_options_init(struct fine_optimizer_options *options, size_t size, const char *type)
{
    const struct fine__rule *rule = rule_find(type);
    struct fine_optimizer_options o = { .struct_size = sizeof o,
                                        .learning_rate = 5e-5,
                                        .beta1 = 0.9,
                                        .beta2 = 0.999,
                                        .epsilon = 1e-8,
                                        .alpha = 0.99,
                                        .weight_decay = 0.01,
                                        .layer_decay = 1,
                                        .decay = FINE_DECAY_MATRICES,
                                        .relative_step = 1,
                                        .scale_parameter = 1 };

    if (rule == &fine__rule_lion) {
        o.learning_rate = 1e-5;
        o.beta2 = 0.99;
    } else if (rule == &fine__rule_lamb) {
        o.epsilon = 1e-6;
    } else if (rule == &fine__rule_adafactor) {
        o.learning_rate = 1;
        o.beta1 = o.weight_decay = 0;
    } else if (rule != &fine__rule_adamw && rule != NULL) {
        o.learning_rate = rule == &fine__rule_adam ? 5e-5 : 0.01;
        o.epsilon = rule == &fine__rule_adagrad ? 1e-10 : 1e-8;
        o.weight_decay = 0;
    }
    options_out(options, size, &o, sizeof o);
}

int
fine_optimizer_new(fine_optimizer **out, fine_context *context, const char *type,
                   const struct fine_optimizer_options *options)
{
    const struct fine__rule *rule = rule_find(type);
    struct fine_optimizer_options o;

    if (out == NULL || context == NULL || type == NULL)
        return is_null("fine_optimizer_new", out == NULL       ? "out"
                                             : context == NULL ? "context"
                                                               : "type");
    if (rule == NULL)
        return fine__fail(FINE_EINVAL, "unknown optimizer '%.40s': adamw, sgd, adam, rmsprop, "
                          "adagrad, adafactor, lion and lamb are there", type);
    fine_optimizer_options_init(&o, sizeof o, type);
    FINE__TRY(take(&o, sizeof o, options, optimizer_v1, "fine_optimizer_options"));
    FINE__TRY(check_common(o.learning_rate, o.head_learning_rate, o.weight_decay, o.decay));
    FINE__TRY(in_range("beta1", o.beta1, 0, 0.999999));
    FINE__TRY(in_range("beta2", o.beta2, 0, 0.9999999));
    FINE__TRY(in_range("epsilon", o.epsilon, 1e-16, 1));
    FINE__TRY(in_range("momentum", o.momentum, 0, 0.99999));
    FINE__TRY(in_range("dampening", o.dampening, 0, 1));
    FINE__TRY(in_range("alpha", o.alpha, 0, 0.9999999));
    FINE__TRY(in_range("layer_decay", o.layer_decay, 1e-6, 1));
    if (o.nesterov != 0 && (!(o.momentum > 0) || o.dampening > 0))
        return fine__fail(FINE_EINVAL, "nesterov needs a momentum above 0 and no dampening");
    if (o.warmup_init != 0 && o.relative_step == 0)
        return fine__fail(FINE_EINVAL, "warmup_init is the beginning of relative steps: set "
                          "relative_step too");
    return fine__optimizer_new(out, context,
                               &(fine_optimizer){ .rule = rule,
                                                  .learning_rate = o.learning_rate,
                                                  .head_learning_rate = o.head_learning_rate,
                                                  .weight_decay = o.weight_decay,
                                                  .decay = o.decay,
                                                  .beta1 = o.beta1,
                                                  .beta2 = o.beta2,
                                                  .epsilon = o.epsilon,
                                                  .momentum = o.momentum,
                                                  .dampening = o.dampening,
                                                  .nesterov = o.nesterov != 0,
                                                  .alpha = o.alpha,
                                                  .layer_decay = o.layer_decay < 1 ? o.layer_decay : 0,
                                                  .centered = o.centered != 0,
                                                  .relative_step = o.relative_step != 0,
                                                  .scale_parameter = o.scale_parameter != 0,
                                                  .warmup_init = o.warmup_init != 0 });
}

void
fine_optimizer_free(fine_optimizer *optimizer)
{
    fine__optimizer_unref(optimizer);
}

double
fine_optimizer_learning_rate(const fine_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->learning_rate : 0;
}

static int
step_by_hand(fine_optimizer *optimizer, fine_model *model, double rate)
{
    const double head_rate = fine__optimizer_head_rate(optimizer, rate);

    FINE__TRY(in_range("the head's rate", head_rate, 0, FINE__MAX_RATE));
    FINE__TRY(fine__optimizer_prepare(optimizer, model));
    return fine__optimizer_apply(optimizer, rate, head_rate, 1,
                                 fine__params_gradient_norm(&model->params));
}

int
fine_optimizer_step(fine_optimizer *optimizer, fine_model *model, double rate)
{
    struct fine__numeric saved;

    if (optimizer == NULL)
        return is_null("fine_optimizer_step", "optimizer");
    if (model == NULL)
        return is_null("fine_optimizer_step", "model");
    FINE__TRY(in_range("rate", rate, 0, FINE__MAX_RATE));
    if (atomic_load(&model->training) || atomic_load(&model->sessions) > 0)
        return fine__fail(FINE_ESTATE, "fine_optimizer_step: a trainer or a session uses the "
                                       "model: free it first");
    fine__numeric_enter(&saved);
    const int rc = step_by_hand(optimizer, model, rate);

    fine__numeric_leave(&saved);
    return rc;
}

/* ---- schedule ---- */

void
fine_schedule_options_init(struct fine_schedule_options *options, size_t size)
{
    const struct fine_schedule_options defaults = { .struct_size = sizeof defaults,
                                                    .cycles = 0.5,
                                                    .power = 1,
                                                    .decay = 0.2,
                                                    .restarts = 1 };

    options_out(options, size, &defaults, sizeof defaults);
}

int
fine_schedule_new(fine_schedule **out, fine_context *context, const char *type,
                  const struct fine_schedule_options *options)
{
    struct fine_schedule_options o;

    if (out == NULL)
        return is_null("fine_schedule_new", "out");
    if (context == NULL)
        return is_null("fine_schedule_new", "context");
    if (type == NULL)
        return is_null("fine_schedule_new", "type");
    fine_schedule_options_init(&o, sizeof o);
    FINE__TRY(take(&o, sizeof o, options, schedule_v1, "fine_schedule_options"));
    return fine__schedule_new(out, context, type, &o);
}

void
fine_schedule_free(fine_schedule *schedule)
{
    fine__schedule_unref(schedule);
}

double
fine_schedule_factor(const fine_schedule *schedule, int64_t step, int64_t n_steps)
{
    return fine__schedule_factor(schedule, step, n_steps);
}

/* ---- trainer ---- */

void
fine_augmentation_init(struct fine_augmentation *augmentation, size_t size)
{
    const struct fine_augmentation nothing = { .struct_size = sizeof nothing };

    options_out(augmentation, size, &nothing, sizeof nothing);
}

static int
check_augmentation(const struct fine_augmentation *a)
{
    FINE__TRY(in_range("augmentation: crop", a->crop, 0, 1));
    FINE__TRY(in_range("augmentation: pad", (double)a->pad, 0, 10000));
    FINE__TRY(in_range("augmentation: flip", a->flip, 0, 1));
    FINE__TRY(in_range("augmentation: brightness", a->brightness, 0, 100));
    FINE__TRY(in_range("augmentation: contrast", a->contrast, 0, 100));
    FINE__TRY(in_range("augmentation: saturation", a->saturation, 0, 100));
    FINE__TRY(in_range("augmentation: hue", a->hue, 0, 0.5));
    FINE__TRY(in_range("augmentation: erase", a->erase, 0, 1));
    FINE__TRY(in_range("augmentation: mixup", a->mixup, 0, 1000));
    FINE__TRY(in_range("augmentation: cutmix", a->cutmix, 0, 1000));
    FINE__TRY(in_range("augmentation: mask_tokens", a->mask_tokens, 0, 0.99));
    return in_range("augmentation: drop_words", a->drop_words, 0, 0.99);
}

void
fine_trainer_options_init(struct fine_trainer_options *options, size_t size)
{
    const struct fine_trainer_options defaults = { .struct_size = sizeof defaults,
                                                   .epochs = 3,
                                                   .batch_size = 32,
                                                   .accumulate = 1,
                                                   .clip_norm = 1,
                                                   .evaluate_every_epochs = 1 };

    options_out(options, size, &defaults, sizeof defaults);
}

static int
check_options(const struct fine_trainer_options *o)
{
    FINE__TRY(at_least("steps", o->steps, 0));
    if (o->steps == 0)
        FINE__TRY(in_range("epochs", o->epochs, 1e-6, 1e9));
    FINE__TRY(at_least("batch_size", o->batch_size, 1));
    FINE__TRY(at_least("accumulate", o->accumulate, 1));
    FINE__TRY(in_range("clip_norm", o->clip_norm, 0, 1e30));
    FINE__TRY(in_range("evaluate_every_epochs", o->evaluate_every_epochs, 0, 1e9));
    FINE__TRY(at_least("evaluate_every_steps", o->evaluate_every_steps, 0));
    FINE__TRY(at_least("checkpoint_every_steps", o->checkpoint_every_steps, 0));
    FINE__TRY(at_least("patience", o->patience, 0));
    if (o->patience > 0 && o->validation == NULL)
        return fine__fail(FINE_EINVAL, "patience needs validation data: early stopping goes by "
                                       "their metric");
    if ((o->resume != 0 || o->checkpoint_every_steps > 0) && o->folder == NULL)
        return fine__fail(FINE_EINVAL, "checkpoints need a folder: name one, or leave resume and "
                                       "checkpoint_every_steps at 0");
    if (o->folder != NULL && o->folder[0] == '\0')
        return fine__fail(FINE_EINVAL, "folder is empty: name one, or give NULL");
    FINE__TRY(in_range("label_smoothing", o->label_smoothing, 0, 0.999));
    FINE__TRY(in_range("focal_gamma", o->focal_gamma, 0, 100));
    if (o->class_weighting != NULL && strcmp(o->class_weighting, "none") != 0 &&
        strcmp(o->class_weighting, "balanced") != 0 &&
        strcmp(o->class_weighting, "effective") != 0)
        return fine__fail(FINE_EINVAL, "class_weighting '%.40s': none, balanced and effective are "
                          "there", o->class_weighting);
    if (o->n_class_weights < 0 ||
        (o->n_class_weights > 0 && o->class_weights == NULL))
        return fine__fail(FINE_EINVAL, "n_class_weights without class_weights");
    return FINE_OK;
}

int
fine_trainer_new(fine_trainer **out, fine_model *model, fine_dataset *dataset,
                 fine_optimizer *optimizer, fine_schedule *schedule,
                 const struct fine_trainer_options *options)
{
    struct fine_trainer_options o;
    struct fine_augmentation augmentation;

    if (out == NULL)
        return is_null("fine_trainer_new", "out");
    if (model == NULL)
        return is_null("fine_trainer_new", "model");
    if (dataset == NULL)
        return is_null("fine_trainer_new", "dataset");
    if (optimizer == NULL)
        return is_null("fine_trainer_new", "optimizer");
    fine_trainer_options_init(&o, sizeof o);
    FINE__TRY(take(&o, sizeof o, options, trainer_v1, "fine_trainer_options"));
    FINE__TRY(check_options(&o));
    if (o.augmentation != NULL) {
        fine_augmentation_init(&augmentation, sizeof augmentation);
        FINE__TRY(take(&augmentation, sizeof augmentation, o.augmentation, augmentation_v1,
                       "fine_augmentation"));
        FINE__TRY(check_augmentation(&augmentation));
        o.augmentation = &augmentation;
    }
    return fine__trainer_new(out, model, dataset, optimizer, schedule, &o);
}

void
fine_trainer_free(fine_trainer *trainer)
{
    fine__trainer_free(trainer);
}

int
fine_trainer_step(fine_trainer *trainer)
{
    if (trainer == NULL)
        return is_null("fine_trainer_step", "trainer");
    return fine__trainer_step(trainer);
}

const struct fine_progress *
fine_trainer_progress(const fine_trainer *trainer)
{
    return trainer != NULL ? &trainer->progress : NULL;
}

int
fine_trainer_evaluate(fine_trainer *trainer, fine_report **out)
{
    if (trainer == NULL)
        return is_null("fine_trainer_evaluate", "trainer");
    return fine__trainer_evaluate(trainer, out);
}

int
fine_trainer_finished(const fine_trainer *trainer)
{
    if (trainer == NULL)
        return is_null("fine_trainer_finished", "trainer");
    return fine__trainer_finished(trainer);
}

int
fine_trainer_due(const fine_trainer *trainer)
{
    if (trainer == NULL)
        return is_null("fine_trainer_due", "trainer");
    return fine__trainer_due(trainer);
}

int
fine_trainer_checkpoint(fine_trainer *trainer)
{
    if (trainer == NULL)
        return is_null("fine_trainer_checkpoint", "trainer");
    return fine__trainer_checkpoint(trainer);
}

int
fine_trainer_restore_best(fine_trainer *trainer)
{
    if (trainer == NULL)
        return is_null("fine_trainer_restore_best", "trainer");
    return fine__trainer_restore_best(trainer);
}

int
fine_trainer_finish(fine_trainer *trainer, fine_report **out)
{
    if (trainer == NULL)
        return is_null("fine_trainer_finish", "trainer");
    return fine__trainer_finish(trainer, out);
}
