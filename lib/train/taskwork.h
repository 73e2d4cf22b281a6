/*
 * taskwork.h — what a task does with data: rows to examples, logits to numbers and spans.
 *
 * One row a task, each in a file of its own. What a task is to a model (outputs and loss):
 * models/kinds.h.
 */
#ifndef FINE__TASKWORK_H
#define FINE__TASKWORK_H

#include "train/examples.h"
#include "train/metrics_rows.h"

/*
 * How well a task is done, counted row by row in the order of the data. A state is made for
 * the whole and one for each group.
 */
struct fine__measure {
    const char *const *names;       /* of its numbers, "loss" first, NULL at the end; at most
                                     * FINE__N_SCORES after "loss" */
    bool by_loss;                   /* it asks for nothing but the loss: add is NULL, and no
                                     * logits are kept */
    size_t state_size;              /* zeroed memory that open() gets */
    int (*open)(void *state, fine_context *ctx, const fine_model *model);
    void (*close)(void *state);
    void (*reset)(void *state);     /* forgets all rows, keeps the memory */
    /* Row: the examples [from, to) that come from it; their logits one after another, n_logits
     * numbers an example, or an id where the task is per token. *loss and *n_targets: the sum
     * of the losses and over how many targets. FINE_ENUMERIC, FINE_ENOMEM: nothing counted. */
    int (*add)(void *state, const fine_model *model, const struct fine__examples *examples,
               int64_t from, int64_t to, const fine__real *logits, int64_t n_logits,
               double *loss, double *n_targets);
    /* After "loss", in the order of names. mean_loss: of all that was added. */
    void (*numbers)(void *state, double mean_loss, struct fine__scores *out);
    /* More members of the "metrics" object, each behind a comma; may be NULL. */
    void (*write)(void *state, const fine_model *model, struct fine__buf *out);
};

/* Places found in texts: tag: in the text, in order; answer: in the pair, best first, the empty
 * one (0, 0) for "no answer". */
struct fine__span {
    int64_t start, end;             /* bytes */
    int64_t label;                  /* -1: none */
    double score;
};

struct fine__spans {
    fine_context *ctx;
    struct fine__span *list;
    int64_t count, capacity;
};

struct fine__taskwork {
    /* Fills in ids or what stands for them, and targets (all rows have them, unless
     * dataset->require_label is false: then -1 or NULL). ctx, dataset and n_rows (the rows) are
     * set. FINE_EDATA with every finding: `what`, file, line. NULL: not for data. */
    int (*encode)(struct fine__examples *examples, fine_model *model, const char *what);
    const struct fine__measure *measure; /* NULL: classify and regress have metrics.c */
    /* What a row's logits (as in measure->add) say, appended; NULL: scores say it all. */
    int (*decode)(const fine_model *model, const struct fine__examples *examples, int64_t from,
                  int64_t to, const fine__real *logits, struct fine__spans *out);
};

const struct fine__taskwork *fine__taskwork(enum fine__task task);

extern const struct fine__taskwork fine__work_multilabel, fine__work_tag, fine__work_answer,
    fine__work_fill_mask, fine__work_language_model, fine__work_classify_image;

/* examples.c: parts that encoders share. */
int fine__examples_classes(struct fine__examples *examples, const fine_model *model,
                           const char *what);
int fine__examples_numbers(struct fine__examples *examples, const char *what);
int fine__examples_texts(struct fine__examples *examples, const fine_model *model);

#endif
