/* evaluate.h — a model's metrics on encoded rows, batch by batch in their order. */
#ifndef FINE__EVALUATE_H
#define FINE__EVALUATE_H

#include "train/examples.h"
#include "train/metrics.h"

/* Metrics for the model's task and labels. */
int fine__metrics_for(struct fine__metrics **out, const fine_model *model);

/* Resets metrics and adds every row. No more logits are in memory than of one batch; a
 * batch has as many rows as fit FINE__EVALUATE_IDS ids, at least one. scratch holds
 * FINE__EVALUATE_IDS + 1 numbers. FINE_ENUMERIC names the rows; FINE_ENOMEM. */
enum { FINE__EVALUATE_IDS = 4096 };
int fine__evaluate(struct fine__runner *runner, const fine_model *model,
                   const struct fine__examples *examples, struct fine__metrics *metrics,
                   int64_t *scratch);

#endif
