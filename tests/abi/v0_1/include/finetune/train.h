/*
 * train.h — optimizer, schedule, trainer.
 *
 * The simple way is fine_recipe_run() (recipe.h). This is the way by parts: make an
 * optimizer and a schedule, hand them to a trainer, call fine_trainer_step() until it
 * says 0, or fine_trainer_fit() once.
 */
#ifndef FINETUNE_TRAIN_H
#define FINETUNE_TRAIN_H

#include <finetune/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_optimizer fine_optimizer;
typedef struct fine_schedule fine_schedule;
typedef struct fine_trainer fine_trainer;

/* ---- optimizer ---- */

enum {
    FINE_DECAY_MATRICES = 0,    /* weights of rank 2 and more: not biases, not norms */
    FINE_DECAY_ALL = 1
};

struct fine_adamw_options {     /* Loshchilov & Hutter, arXiv 1711.05101; bias-corrected */
    size_t struct_size;
    double learning_rate;       /* 5e-5 */
    double beta1, beta2;        /* 0.9, 0.999 */
    double epsilon;             /* 1e-8 */
    double weight_decay;        /* 0.01, decoupled */
    int32_t decay;              /* FINE_DECAY_MATRICES */
    int32_t reserved;
    double head_learning_rate;  /* peak rate of a head made anew; 0 (default): learning_rate */
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_adamw_options_init(struct fine_adamw_options *options, size_t size);
/** @return FINE_OK; FINE_EINVAL: out of range; FINE_EABI; FINE_ENOMEM @since 0.1 */
FINE_API int fine_optimizer_new_adamw(fine_optimizer **out, fine_context *context,
                                      const struct fine_adamw_options *options);

struct fine_sgd_options {
    size_t struct_size;
    double learning_rate;       /* 0.01 */
    double momentum;            /* 0 */
    double dampening;           /* 0 */
    double weight_decay;        /* 0, added to the gradient as PyTorch's SGD does */
    int32_t nesterov;           /* 0 */
    int32_t decay;              /* FINE_DECAY_MATRICES */
    double head_learning_rate;  /* peak rate of a head made anew; 0 (default): learning_rate */
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_sgd_options_init(struct fine_sgd_options *options, size_t size);
/** @return as above @since 0.1 */
FINE_API int fine_optimizer_new_sgd(fine_optimizer **out, fine_context *context,
                                    const struct fine_sgd_options *options);

/* Every optimizer by its name; what a type doesn't read is ignored. Defaults depend on the type. */
struct fine_optimizer_options {
    size_t struct_size;
    double learning_rate;       /* adamw, adam, lamb 5e-5; lion 1e-5; adafactor 1 (times its relative
                                 * step); the others 0.01 */
    double beta1, beta2;        /* adamw, adam, lamb: 0.9, 0.999; lion: 0.9, 0.99; adafactor: 0
                                 * (no first moment) */
    double epsilon;             /* adamw, adam, rmsprop 1e-8; lamb 1e-6; adagrad 1e-10 */
    double momentum, dampening; /* sgd, rmsprop (momentum alone): 0 */
    double alpha;               /* rmsprop: how slowly its mean square forgets; 0.99 */
    double weight_decay;        /* adamw, lion: 0.01, decoupled; lamb: 0.01, in its direction;
                                 * adafactor: 0, decoupled; the others: 0, added to the gradient */
    double head_learning_rate;  /* peak rate of a head made anew; 0 (default): learning_rate */
    double layer_decay;         /* 1: a stage's rate is this often that of the stage above, the
                                 * topmost below the head having the rate times this (ULMFiT, arXiv
                                 * 1801.06146; ELECTRA, 2003.10555) */
    int32_t decay;              /* FINE_DECAY_MATRICES */
    int32_t nesterov;           /* sgd: 0 */
    int32_t centered;           /* rmsprop: 0 */
    int32_t relative_step;      /* adafactor: 1: the rate times min(0.01, 1/sqrt(step)) */
    int32_t scale_parameter;    /* adafactor: 1: and times a tensor's root mean square */
    int32_t warmup_init;        /* adafactor: 0; 1: 1e-6 step in place of 0.01 */
};
/** Fills in a type's defaults; an unknown type gets adamw's. @since 0.1 */
FINE_API void fine_optimizer_options_init(struct fine_optimizer_options *options, size_t size,
                                          const char *type);
/**
 * Makes an optimizer by its name: "adamw" (Loshchilov & Hutter, arXiv 1711.05101), "sgd",
 * "adam" (Kingma & Ba, arXiv 1412.6980), "rmsprop" (Hinton; Graves, arXiv 1308.0850),
 * "adagrad" (Duchi et al., JMLR 12), "adafactor" (Shazeer & Stern, arXiv 1804.04235),
 * "lion" (Chen et al., arXiv 2302.06675), "lamb" (You et al., arXiv 1904.00962). Arithmetic
 * as PyTorch's, adafactor's as transformers'.
 *
 * @param options NULL for the type's defaults
 * @return FINE_OK; FINE_EINVAL: unknown type, or out of range; FINE_EABI; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_optimizer_new(fine_optimizer **out, fine_context *context, const char *type,
                                const struct fine_optimizer_options *options);
/** NULL is fine. @since 0.1 */
FINE_API void fine_optimizer_free(fine_optimizer *optimizer);
/** The peak rate it was made with. @since 0.1 */
FINE_API double fine_optimizer_learning_rate(const fine_optimizer *optimizer);
/**
 * One step by hand on the model's gradients; state is made at the first step and
 * belongs to this model from then on.
 *
 * @param rate the learning rate of this step; where a head_learning_rate was given, the
 *             head's is scaled by the same share of its peak
 * @return FINE_OK; FINE_EINVAL; FINE_ESTATE: no gradients, another model, or what is
 *         trained has changed; FINE_ENUMERIC: a gradient is not finite (nothing changed);
 *         FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_optimizer_step(fine_optimizer *optimizer, fine_model *model, double rate);

/* ---- schedule: a pure function of the step ---- */

struct fine_schedule_options {
    size_t struct_size;
    double warmup;              /* below 1: a share of all steps; else a number of steps. 0 */
    double cycles;              /* cosine: 0.5 */
    double power;               /* polynomial: 1 */
    double end;                 /* polynomial, warmup-stable-decay: the last factor; 0. slanted-
                                 * triangular: the first and the last; 0: 1/32 */
    double decay;               /* warmup-stable-decay: the steps at the end in which the rate falls
                                 * along half a cosine, as warmup is given; 0.2 */
    int64_t restarts;           /* cosine-restarts: how many times it begins at the peak; 1 */
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_schedule_options_init(struct fine_schedule_options *options, size_t size);
/**
 * type: "constant", "linear", "cosine", "cosine-restarts", "polynomial", "inverse-sqrt" (after
 * max(warmup, 1) steps the rate falls as 1/sqrt(step)), "warmup-stable-decay": transformers'
 * definitions; "one-cycle": PyTorch's OneCycleLR, from 1/25 up to the peak (warmup: the rise;
 * 0: 0.3) and down to 1/250000, both along half a cosine (Smith & Topin, arXiv 1708.07120);
 * "slanted-triangular": ULMFiT's (Howard & Ruder, arXiv 1801.06146; warmup: the rise; 0: 0.1).
 *
 * @return FINE_OK; FINE_EINVAL: unknown type, or out of range; FINE_EABI; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_schedule_new(fine_schedule **out, fine_context *context, const char *type,
                               const struct fine_schedule_options *options);
/** NULL is fine. @since 0.1 */
FINE_API void fine_schedule_free(fine_schedule *schedule);
/** What the peak rate is multiplied by in step `step` (from 0) of n_steps. @since 0.1 */
FINE_API double fine_schedule_factor(const fine_schedule *schedule, int64_t step, int64_t n_steps);

/* ---- trainer ---- */

enum { FINE_EVENT_STEP = 1, FINE_EVENT_EVALUATE = 2, FINE_EVENT_CHECKPOINT = 3, FINE_EVENT_DONE = 4 };

/* What a callback and fine_trainer_progress() see. Grows at its end only; read no
 * more than struct_size. Borrowed. */
struct fine_progress {
    size_t struct_size;
    int64_t step, n_steps;          /* optimizer steps done, and all of them */
    int64_t epoch;                  /* from 0 */
    int64_t rows;                   /* rows seen since the start, in all epochs */
    double loss;                    /* of this step, before it; dropout on */
    double gradient_norm;           /* before clipping */
    double learning_rate;
    double seconds;                 /* since the start, with earlier runs where resumed */
    double rows_per_second, seconds_left;
    double metric;                  /* EVALUATE: the metric that best is chosen by */
    const char *metric_name;
    const char *json;               /* the event as one line of JSON (as metrics.jsonl holds it) */
    int64_t best_step;              /* -1: none yet */
    int32_t event;                  /* FINE_EVENT_… */
    int32_t reserved;
};

/* Called after every step, evaluation and checkpoint, in the thread that works. Non-zero
 * stops: the running call returns FINE_ECANCELLED with all it did kept, and the run can go
 * on by the next call, or be resumed. A flag set by a signal handler or another thread and
 * read here stops within one step. It must not call the trainer (FINE_ESTATE; freeing it is
 * ignored) and must not leave by longjmp or an exception. */
typedef int (*fine_progress_fn)(const struct fine_progress *progress, void *user);

/* Pictures and texts as they might have been: training data alone are changed. docs/images.md,
 * docs/data.md */
struct fine_augmentation {
    size_t struct_size;
    double crop;                    /* a random part of at least this share of the area becomes the
                                     * whole picture (torchvision: 0.08); 0: off */
    int64_t pad;                    /* black on each side, and of that a random part of the old size */
    double flip;                    /* probability of being mirrored */
    double brightness, contrast, saturation;    /* factors of 1 - x to 1 + x */
    double hue;                     /* turned by up to x of the circle, at most 0.5 */
    double erase;                   /* probability that a random rectangle becomes the mean */
    double mixup, cutmix;           /* concentrations of Beta(a, a); 0: off (arXiv 1710.09412,
                                     * 1905.04899). Both: each row takes one of them */
    double mask_tokens;             /* texts: probability that a token shows the mask */
    double drop_words;              /* texts: probability that a word is missing (ACL 2015, P15-1162) */
};
/** Nothing is on. @since 0.1 */
FINE_API void fine_augmentation_init(struct fine_augmentation *augmentation, size_t size);

struct fine_trainer_options {
    size_t struct_size;
    double epochs;                  /* 3; fractions allowed */
    int64_t steps;                  /* instead of epochs when > 0 */
    int64_t batch_size;             /* 32: rows of a micro-batch */
    int64_t accumulate;             /* 1: micro-batches a step */
    double clip_norm;               /* 1.0; 0: off */
    int64_t seed;
    fine_dataset *validation;       /* NULL: none, the last step is kept */
    double evaluate_every_epochs;   /* 1; 0: never */
    int64_t evaluate_every_steps;   /* instead when > 0 */
    int64_t checkpoint_every_steps; /* 0: only at the end and when stopped */
    const char *folder;             /* run folder: checkpoints/step-N, and best-N; NULL: nothing is
                                     * written, the best is kept in memory. A run that isn't resumed
                                     * replaces the checkpoints of an earlier one with its first */
    const char *metric;             /* best and early stopping by it; default "loss" */
    int64_t patience;               /* evaluations without a better one; 0: no early stopping */
    fine_progress_fn progress;
    void *progress_user;
    int32_t resume;                 /* 1: go on from the newest complete checkpoint in folder */
    int32_t reserved;
    const struct fine_augmentation *augmentation;   /* of pictures; NULL: none. Copied */
    const char *class_weighting;    /* "none" (default), "balanced" (as scikit-learn), "effective"
                                     * (number of samples, arXiv 1901.05555) */
    const double *class_weights;    /* instead: one a label */
    int64_t n_class_weights;
    double label_smoothing;         /* 0: off (arXiv 1512.00567) */
    double focal_gamma;             /* 0: off (arXiv 1708.02002) */
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_trainer_options_init(struct fine_trainer_options *options, size_t size);

/**
 * Makes a trainer: encodes the data, checks every label and length, sets memory aside.
 * Keeps the model, the data, optimizer and schedule alive.
 *
 * @param schedule NULL: constant
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: data that do not fit the task, listed;
 *         FINE_ESTATE: no task, a session or another trainer holds the model; FINE_EBUSY:
 *         another process holds the folder; FINE_EFORMAT: a damaged checkpoint, or one of
 *         another run; FINE_EIO; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_trainer_new(fine_trainer **out, fine_model *model, fine_dataset *dataset,
                              fine_optimizer *optimizer, fine_schedule *schedule,
                              const struct fine_trainer_options *options);
/** NULL is fine. The model's gradients go with it. @since 0.1 */
FINE_API void fine_trainer_free(fine_trainer *trainer);

/**
 * One optimizer step.
 *
 * @return 1: stepped; 0: all steps are done, or patience has run out; FINE_ECANCELLED:
 *         stepped, and the callback says stop; FINE_ENUMERIC: loss or gradient is not
 *         finite, parameters are as before the step; FINE_ESTATE: the best weights were
 *         put back, or called by the callback; FINE_EBUSY: another thread is in it;
 *         FINE_ENOMEM; FINE_EFORK
 * @since 0.1
 */
FINE_API int fine_trainer_step(fine_trainer *trainer);

/** Where it stands. Borrowed; valid until the next call. @since 0.1 */
FINE_API const struct fine_progress *fine_trainer_progress(const fine_trainer *trainer);

/**
 * Scores the validation data, and keeps the weights if they are the best so far.
 *
 * @param out receives the report; may be NULL
 * @return 1: better than ever; 0: not; FINE_ESTATE: no validation data; FINE_ECANCELLED;
 *         FINE_ENUMERIC; FINE_EIO; FINE_ENOMEM; FINE_EFORK
 * @since 0.1
 */
FINE_API int fine_trainer_evaluate(fine_trainer *trainer, fine_report **out);

/** 1 where patience has run out or steps are done. @since 0.1 */
FINE_API int fine_trainer_finished(const fine_trainer *trainer);

/** Which events are due after the last step: evaluation, checkpoint. A mask of
 *  1 << FINE_EVENT_EVALUATE and 1 << FINE_EVENT_CHECKPOINT. @since 0.1 */
FINE_API int fine_trainer_due(const fine_trainer *trainer);

/** Writes a checkpoint into the folder; the last three are kept. @return FINE_OK;
 *  FINE_ESTATE: no folder, or the best weights were put back; FINE_ECANCELLED: written, and
 *  the callback says stop; FINE_EIO; FINE_ENOMEM; FINE_EFORK @since 0.1 */
FINE_API int fine_trainer_checkpoint(fine_trainer *trainer);

/** Puts the best weights back into the model (nothing to do where none were kept, or the
 *  last are the best); then this run is over. @return FINE_OK, FINE_EIO, FINE_EFORMAT,
 *  FINE_ENOMEM, FINE_EFORK @since 0.1 */
FINE_API int fine_trainer_restore_best(fine_trainer *trainer);

/**
 * Ends the run: puts the best weights back, tells the callback FINE_EVENT_DONE.
 *
 * @param out receives a report: steps, n_steps, rows, best_step, stopped_early, metric,
 *            best, metrics.validation (of the best step), seconds, history; may be NULL
 * @return FINE_OK; FINE_EIO, FINE_EFORMAT, FINE_ENOMEM; FINE_EFORK
 * @since 0.1
 */
FINE_API int fine_trainer_finish(fine_trainer *trainer, fine_report **out);

/**
 * The whole loop: steps, evaluations, checkpoints, early stopping, best weights at the
 * end; events go to the progress callback. Written on the functions above alone.
 *
 * @param out receives fine_trainer_finish()'s report; may be NULL
 * @return FINE_OK, FINE_ECANCELLED (a checkpoint was written where there is a folder), or
 *         any error of the functions above
 * @since 0.1
 */
FINE_API int fine_trainer_fit(fine_trainer *trainer, fine_report **out);

#ifdef __cplusplus
}
#endif
#endif
