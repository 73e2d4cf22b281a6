/*
 * weighing.h — how much each class counts in training: what was asked for, made into numbers.
 */
#ifndef FINE__WEIGHING_H
#define FINE__WEIGHING_H

#include <finetune/train.h>

#include "ops/ops.h"
#include "train/batches.h"

struct fine__weighing {
    fine_context *ctx;
    struct fine__criterion criterion;
    bool differs;                       /* not all classes, or not all rows, count alike */
    float *weights;
};

/* From the trainer's options and the training data. FINE_EINVAL: not for the task, or numbers
 * that can't be weights; FINE_ENOMEM. */
int fine__weighing_init(struct fine__weighing *out, const fine_model *model,
                        const struct fine__examples *examples,
                        const struct fine_trainer_options *options);
void fine__weighing_free(struct fine__weighing *weighing);

/* Over how much the loss of the index-th batch is a sum: its labels' weights. Only where `criterion`
 * has weights, and labels are classes. */
double fine__weighing_of_batch(const struct fine__weighing *weighing,
                               struct fine__batches *batches, int64_t epoch, int64_t index);

#endif
