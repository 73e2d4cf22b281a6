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

/* How many examples from `first` on make one batch. */
int64_t fine__examples_that_fit(const struct fine__examples *examples, int64_t first);

/* Logits of rows whose examples reach over batches. To be zeroed but for ctx and per_id; logits
 * are the owner's to free. */
struct fine__gathered {
    fine_context *ctx;
    bool per_id;                    /* logits are one row of numbers an id, else an example */
    fine__real *logits;
    int64_t count, capacity, first; /* numbers that wait; the example that they begin with */
};
/* Examples [first, first + n) have these logits: take() gets those of each row that is whole. */
int fine__gather_rows(struct fine__gathered *g, const struct fine__examples *examples,
                      int64_t first, int64_t n, const fine__real *logits, int64_t n_logits,
                      int (*take)(void *arg, int64_t from, int64_t to, const fine__real *logits,
                                  int64_t n_logits), void *arg);

#endif
