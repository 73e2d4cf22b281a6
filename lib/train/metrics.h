/*
 * metrics.h — how good a model is, counted row by row.
 *
 * Rows are added one at a time, in the order of the data; nothing is kept of a
 * row but counts (classify) or its two numbers (regress: ranks need them all).
 * Definitions are scikit-learn's and scipy's, see docs/metrics.md. A quotient
 * that is not defined (0/0: constant input of a correlation, no rows) is 0 and
 * its name stands in "degenerate"; no metric is ever NaN.
 *
 * Memory: 24 bytes a label; 8 bytes a cell of the confusion matrix up to
 * FINE__CONFUSION_MAX labels (2 MiB), beyond it at most 64 bytes for each
 * different pair of truth and prediction that occurs; about 70 bytes a row for
 * regression. Groups are at most FINE__GROUPS_MAX, and their labels' counts at
 * most FINE__GROUP_CELLS of 24 bytes; rows of a group that finds no room count in
 * the whole only, and "ungrouped" says how many they were.
 */
#ifndef FINE__METRICS_H
#define FINE__METRICS_H

#include "base/buf.h"
#include "tensor/real.h"

#define FINE__CONFUSION_MAX 512
#define FINE__GROUPS_MAX 1000
#define FINE__GROUP_CELLS 1000000

struct fine__metrics;

/* task: "classify", "classify-image" or "regress". labels: of the first two, n_labels >= 1 different names
 * in the order of their indices, copied; NULL: "LABEL_0" … . Errors: FINE_EINVAL:
 * another task; FINE_ENOMEM. */
int fine__metrics_new(struct fine__metrics **out, fine_context *ctx, const char *task,
                      const char *const *labels, int64_t n_labels);
void fine__metrics_free(struct fine__metrics *metrics);     /* NULL is fine */

/* Forgets all rows and keeps the memory: a second pass over the same data (same
 * groups, no more rows) allocates nothing. */
void fine__metrics_reset(struct fine__metrics *metrics);

/* One row. loss: this row's own. group: NULL or "": none. 0, FINE_ENOMEM, or
 * FINE_ENUMERIC where loss or a value is not finite or its square would not be
 * (beyond 1e145); then the row isn't counted. */
int fine__metrics_add_class(struct fine__metrics *metrics, int64_t truth, int64_t predicted,
                            double loss, const char *group);
int fine__metrics_add_value(struct fine__metrics *metrics, double truth, double predicted,
                            double loss, const char *group);
/* The same from a row of raw logits: classify: the first highest of n_labels is what is
 * predicted, loss is cross-entropy (in double); regress: one number, squared error. */
int fine__metrics_add_logits(struct fine__metrics *metrics, const fine__real *logits,
                                   int64_t truth, const char *group);
int fine__metrics_add_output(struct fine__metrics *metrics, fine__real logit, double truth,
                                  const char *group);

/* Tasks with a measure of their own (taskwork.h): metrics of a model, which must outlive them;
 * one row of examples [from, to), or a batch's loss where that is all that is asked. */
struct fine_model;
struct fine__examples;
int fine__metrics_new_measured(struct fine__metrics **out, const struct fine_model *model);
int fine__metrics_add_measured(struct fine__metrics *metrics,
                               const struct fine__examples *examples, int64_t from, int64_t to,
                               const fine__real *logits, int64_t n_logits, const char *group);
int fine__metrics_add_loss(struct fine__metrics *metrics, int64_t n_rows, double loss,
                           double n_targets);
double fine__mean_loss(double sum, double weight);

int64_t fine__metrics_count(const struct fine__metrics *metrics);     /* rows added */

/* One number of all rows by its name: "loss", "accuracy", … (a name that
 * fine__metric_names() lists). 0, or FINE_EINVAL with the valid names in the
 * finding. Allocates nothing. */
int fine__metrics_number(struct fine__metrics *metrics, const char *name, double *out);

/*
 * Appends {"n": …, "loss": …, "metrics": {…}, "groups": {name: {"n": …, …}}}.
 * metrics holds "loss" and the task's numbers; in full also "per_class_f1"
 * {label: f1}, "confusion" (rows: truth, columns: prediction, both in the order
 * of the labels; beyond FINE__CONFUSION_MAX labels "confusion_pairs" instead:
 * [truth, predicted, count], the 1,000 most frequent mistakes), "degenerate" and
 * "absent" (labels neither seen nor predicted) where there are any. A group
 * holds n, loss and the numbers, flat. Not full: n, loss and numbers alone.
 */
void fine__metrics_write(struct fine__metrics *metrics, struct fine__buf *out, bool full);
/* The "metrics" object alone, for events. */
void fine__metrics_write_object(struct fine__metrics *metrics, struct fine__buf *out, bool full);

/* The names that a task can be judged by, NULL-terminated, "loss" first; NULL for
 * an unknown task. */
const char *const *fine__metric_names(const char *task);
bool fine__metric_valid(const char *task, const char *name);
bool fine__metric_higher_is_better(const char *name);       /* false: loss, rmse */
/* The worst value: where a search for the best begins (-inf or +inf). */
double fine__metric_worst(const char *name);
bool fine__metric_better(const char *name, double value, double than);

#endif
