/*
 * trainer.h — what a training run is made of, for the files that share it: setup.c
 * makes it, trainer.c steps, progress.c tells about it, best.c keeps the best weights, state.c
 * and resume.c write and read checkpoints.
 */
#ifndef FINE__TRAINER_H
#define FINE__TRAINER_H

#include <sys/types.h>

#include "base/buf.h"
#include "io/checkpoint.h"
#include "train/batches.h"
#include "train/evaluate.h"
#include "train/optim.h"
#include "train/schedule.h"
#include "train/weighing.h"

enum { FINE__KEPT_CHECKPOINTS = 3 };

/* A checkpoint of this run, and the best step that it refers to (-1: none). */
struct fine__kept {
    int64_t step, best_step;
};

struct fine_trainer {
    fine_context *ctx;
    fine_model *model;
    fine_optimizer *optimizer;
    fine_schedule *schedule;             /* or NULL */
    struct fine_trainer_options options; /* its strings are ours, its datasets aren't held here */
    struct fine_augmentation augmentation;  /* what options point to */
    struct fine__examples train, validation;
    bool has_validation;
    struct fine__batches batches;
    struct fine__weighing weighing;
    struct fine__runner *runner;
    struct fine__metrics *metrics; /* of the validation data */
    int64_t *scratch;              /* for evaluate.c */
    char *metric, *folder, *checkpoints;
    int lock; /* descriptor; -1: none */

    int64_t step, n_steps, rows;       /* done */
    double seconds_before, started;    /* of earlier runs; the clock when this one began */
    double step_seconds;               /* smoothed */
    int64_t last_evaluated, best_step; /* -1: never, none */
    int64_t n_worse;                   /* evaluations since the best */
    double best_value;
    fine__real *best_weights; /* without a folder; laid out like the gradients */
    struct fine__statistics best_statistics; /* of batch norms */
    struct fine__buf history; /* a JSON array's inside */
    struct fine__kept kept[FINE__KEPT_CHECKPOINTS];
    int n_kept;
    bool dirty;     /* something has happened since the last checkpoint */
    bool cancelled; /* the callback said so */
    bool restored;  /* the weights are the best ones, not the last */
    bool has_gradients; /* the model's go with this trainer */

    struct fine_progress progress;
    struct fine__buf line; /* progress.json */
    pid_t pid;
    atomic_bool busy, in_callback;
};

int fine__trainer_new(fine_trainer **out, fine_model *model, fine_dataset *dataset,
                      fine_optimizer *optimizer, fine_schedule *schedule,
                      const struct fine_trainer_options *options);
void fine__trainer_free(fine_trainer *trainer);
int fine__trainer_step(fine_trainer *trainer);
int fine__trainer_evaluate(fine_trainer *trainer, fine_report **out);
int fine__trainer_checkpoint(fine_trainer *trainer);
int fine__trainer_restore_best(fine_trainer *trainer);
int fine__trainer_finish(fine_trainer *trainer, fine_report **out);
bool fine__trainer_finished(const fine_trainer *trainer);
int fine__trainer_due(const fine_trainer *trainer);

/* progress.c: fills in progress, writes the event's line, asks the callback. 0, or
 * FINE_ECANCELLED. */
double fine__trainer_seconds(const fine_trainer *trainer);
void fine__trainer_tell_nothing(fine_trainer *trainer); /* progress before the first event */
int fine__trainer_tell_step(fine_trainer *trainer, double seconds, int64_t rows);
int fine__trainer_tell_evaluation(fine_trainer *trainer, double value, bool is_best);
int fine__trainer_tell_checkpoint(fine_trainer *trainer, const char *path);
int fine__trainer_tell_done(fine_trainer *trainer);
/* The run as a JSON object, for finish(). */
void fine__trainer_describe(fine_trainer *trainer, struct fine__buf *out);

/* best.c */
int fine__best_keep(fine_trainer *trainer);
int fine__best_restore(fine_trainer *trainer);
void fine__best_name(int64_t step, char *out, size_t size);

/* state.c, resume.c: files of checkpoints. */
int fine__state_write(fine_trainer *trainer, char *name, size_t size);
int fine__state_settings(const fine_trainer *trainer, struct fine__buf *out);
void fine__state_name(int64_t step, char *out, size_t size);
int fine__state_add_weights(struct fine__checkpoint_writer *writer, const fine_model *model);
int fine__state_read_weights(struct fine__source *source, fine_model *model);
/* Repairs and removes what an interrupted write has left. */
int fine__state_tidy(fine_trainer *trainer);
/* The numbers of all folders named prefix + digits, damaged ones too, ascending. */
int fine__state_list(const fine_trainer *trainer, const char *prefix, int64_t **numbers_out,
                     int64_t *n_out);
/* Removes the checkpoints that neither this run's last ones nor its best need. */
void fine__state_prune(fine_trainer *trainer);
/* Goes on from the newest checkpoint that is whole; 0 also where there is none. */
int fine__state_resume(fine_trainer *trainer);

#endif
