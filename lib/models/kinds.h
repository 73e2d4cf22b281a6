/*
 * kinds.h — what a task is to a model: how many outputs, for what, and which loss.
 */
#ifndef FINE__KINDS_H
#define FINE__KINDS_H

#include "models/model.h"
#include "ops/ops.h"

/* Which member of a batch a task learns from. */
enum fine__target {
    FINE__NO_TARGET,
    FINE__CLASSES,                  /* labels, one a sequence */
    FINE__NUMBERS,                  /* values, one a sequence */
    FINE__FLAGS,                    /* values, as many a sequence as there are labels */
    FINE__TOKEN_CLASSES,            /* labels, one a token */
    FINE__SPANS                     /* starts and ends */
};

#define FINE__MASK_RATE 0.15        /* Devlin et al., arXiv 1810.04805, section 3.1 */

enum { FINE__OUTPUTS_LABELS = 0, FINE__OUTPUTS_VOCABULARY = -1 };

struct fine__kind {
    const char *name;
    enum fine__target target;
    bool per_token;                 /* logits for each token, not each sequence */
    bool reads_image;               /* else text */
    bool next_token;                /* a token's logits are for the token after it */
    int64_t least_labels;           /* 0: it has no labels */
    int64_t n_outputs;              /* of the head; FINE__OUTPUTS_… where that depends */
    /* Targets of a batch that count, and the sum of their losses. */
    int64_t (*count)(const struct fine__batch *batch);
    struct fine__tensor *(*loss)(struct fine__tape *t, struct fine__tensor *logits,
                                 const struct fine__batch *batch);
};

/* The row of a task; FINE__TASK_NONE has one too, with the name "". */
const struct fine__kind *fine__kind(enum fine__task task);
/* "classify, regress, …" for messages. */
const char *fine__kind_names(void);
bool fine__batch_has_targets(const struct fine__batch *batch);

#endif
