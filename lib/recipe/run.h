/*
 * run.h — a whole run as a recipe says.
 *
 * The run is a user of the public functions: datasets, a model, an optimizer, a schedule
 * and a trainer, as a program would put them together. What is its own is the run folder.
 */
#ifndef FINE__RUN_H
#define FINE__RUN_H

#include "recipe/recipe.h"

struct fine__events;

/* ---- inputs.c: what a recipe names, opened ---- */

struct fine__inputs {
    fine_context *ctx;
    struct fine_augmentation augmentation;
    double *class_weights;
    fine_dataset *train, *validation, *test;        /* the last two may be NULL */
    fine_model *model;
    fine_optimizer *optimizer;
    fine_schedule *schedule;
};

/* On error nothing is left open. An argument that the model refuses (a max_length above its
 * own, a freeze pattern that matches nothing) is FINE_ERECIPE with the key's place. */
int fine__inputs_open(struct fine__inputs *out, const fine_recipe *recipe);
void fine__inputs_close(struct fine__inputs *inputs);
/* All but the callback and the folder. */
void fine__inputs_trainer(struct fine__inputs *inputs, const fine_recipe *recipe,
                          struct fine_trainer_options *out);

/* ---- journal.c: metrics.jsonl and TensorBoard's events, as they happen ---- */

struct fine__journal {
    fine_context *ctx;
    char *path;                 /* of metrics.jsonl */
    struct fine__events *events;
    struct fine__buf pending;   /* lines that could not be written yet */
    bool torn;                  /* the file may end within a line */
};

/* Begins anew, or, where step > 0, cuts what is there back to that step: later lines, a
 * done line, and the step's evaluation where it will be done again are left out. */
int fine__journal_open(struct fine__journal *out, fine_context *ctx, const char *folder,
                       int64_t step, bool evaluates_again);
int fine__journal_add(struct fine__journal *journal, const char *line);
void fine__journal_close(struct fine__journal *journal);

/* ---- summary.c: what a run comes to ---- */

struct fine__outcome {
    const char *folder;
    fine_report *fit;               /* fine_trainer_fit()'s; NULL: not finished */
    fine_report *validation, *test; /* of the weights that are kept; NULL: none */
    int64_t steps, best_step;       /* done; the one whose weights are kept */
    int64_t n_truncated[2];         /* rows of the training and the validation data */
    char fingerprints[2][33];       /* of both as they were encoded; "": none */
    double seconds;                 /* with earlier runs where resumed */
};

/* {"event":"done",…} on one line. */
int fine__summary_write(const fine_recipe *recipe, const struct fine__inputs *inputs,
                        const struct fine__outcome *outcome, struct fine__buf *out);
/* recipe.yaml as resolved; needs the model's task. */
int fine__summary_recipe(const fine_recipe *recipe, const struct fine__inputs *inputs,
                         const char *folder, struct fine__buf *out);
/* report.html and the model card from metrics.jsonl. card may be NULL. */
int fine__summary_pages(const fine_recipe *recipe, const struct fine__inputs *inputs,
                        const struct fine__outcome *outcome, const char *journal,
                        const char *done, struct fine__buf *page, struct fine__buf *card);

/* ---- run.c ---- */

int fine__recipe_run(const fine_recipe *recipe, const struct fine_run_options *options,
                     fine_report **out);

#endif
