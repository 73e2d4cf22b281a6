/* metrics_rows.h — what metrics.c counts and metrics_json.c writes. */
#ifndef FINE__METRICS_ROWS_H
#define FINE__METRICS_ROWS_H

#include "base/map.h"
#include "train/metrics.h"
#include "train/scores.h"

/* How often one pair of truth and prediction occurred. */
struct fine__pair {
    int64_t code;           /* truth * n_labels + predicted; -1: free */
    int64_t count;
};

struct fine__group {
    char *name;
    int64_t n, n_top5;
    double loss_sum, weight;    /* losses, and over how many targets */
    void *state;                /* measured tasks */
};

struct fine__metrics {
    fine_context *ctx;
    const char *task;
    const char *const *names;   /* of the numbers, "loss" first */
    bool is_regression;
    const struct fine__measure *measure;    /* NULL: classify and regress */
    const fine_model *model;                /* measured tasks; outlives this */
    void *state;
    char **labels;          /* NULL: "LABEL_i" */
    int64_t n_labels, n, ungrouped;
    int64_t n_top5;         /* images: rows whose label is among the five likeliest */
    double loss_sum, weight;
    /* classify */
    struct fine__label_counts *counts;
    int64_t *confusion;     /* n_labels x n_labels, or NULL: pairs */
    struct fine__pair *pairs;
    int64_t pairs_capacity, n_pairs;
    /* regress; each array has `capacity` elements */
    double *truth, *predicted, *some_truth, *some_predicted;
    int32_t *group_of;      /* -1: none */
    struct fine__ranked *ranked;
    int64_t capacity;
    /* groups, in order of first appearance; those with n == 0 are of an earlier pass */
    struct fine__map group_index;
    struct fine__group *groups;
    int64_t n_groups, groups_capacity;
    struct fine__label_counts *group_counts;    /* n_groups x n_labels */
    int64_t group_counts_capacity;
};

#define FINE__N_SCORES 6
/* All that is counted of the rows of one group (-1: of all rows), but the loss. */
struct fine__scores {
    double value[FINE__N_SCORES];
    bool defined[FINE__N_SCORES];
};
/* The names are metrics->names[1 …], after "loss". */
void fine__metrics_scores(struct fine__metrics *metrics, int64_t group, struct fine__scores *out);

#endif
