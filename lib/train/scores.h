/*
 * scores.h — the formulas of the metrics, as functions of counts and of numbers.
 *
 * Each is scikit-learn's or scipy's of the same name (docs/metrics.md); where that
 * one divides 0 by 0, the result is 0 and *defined is set to false.
 */
#ifndef FINE__SCORES_H
#define FINE__SCORES_H

#include <stdbool.h>
#include <stdint.h>

/* Of one label: rows that have it, rows that got it, and rows that are both. */
struct fine__label_counts {
    int64_t truth, predicted, both;
};

/* n counts, one a label; a label that neither occurs nor was predicted plays no part. */
double fine__score_accuracy(const struct fine__label_counts *counts, int64_t n, bool *defined);
double fine__score_f1(const struct fine__label_counts *one);
double fine__score_macro_f1(const struct fine__label_counts *counts, int64_t n, bool *defined);
double fine__score_matthews(const struct fine__label_counts *counts, int64_t n, bool *defined);

double fine__score_rmse(const double *truth, const double *predicted, int64_t n, bool *defined);
double fine__score_pearson(const double *x, const double *y, int64_t n, bool *defined);

struct fine__ranked {
    double value;
    int64_t index;
};

/* Ascending by value, equal values by index. In place, no recursion. */
void fine__sort_ranked(struct fine__ranked *items, int64_t n);
/* Ranks from 1; equal values share the mean of theirs. scratch: n items. */
void fine__ranks(const double *values, int64_t n, struct fine__ranked *scratch, double *out);

#endif
