/*
 * scores.c — metrics as formulas.
 *
 * Classification needs three counts a label, no more: accuracy, F1 and Matthews'
 * coefficient (the R_K of Gorodkin 2004, doi 10.1016/j.compbiolchem.2004.09.006) are
 * functions of them. Sums run in the order of the labels or rows.
 */
#include <math.h>

#include "train/scores.h"

double
fine__score_accuracy(const struct fine__label_counts *counts, int64_t n, bool *defined)
{
    int64_t rows = 0, both = 0;

    for (int64_t i = 0; i < n; i++) {
        rows += counts[i].truth;
        both += counts[i].both;
    }
    *defined = rows > 0;
    return rows > 0 ? (double)both / (double)rows : 0;
}

double
fine__score_f1(const struct fine__label_counts *one)
{
    const int64_t denominator = one->truth + one->predicted;

    return denominator > 0 ? 2 * (double)one->both / (double)denominator : 0;
}

double
fine__score_macro_f1(const struct fine__label_counts *counts, int64_t n, bool *defined)
{
    int64_t present = 0;
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        if (counts[i].truth + counts[i].predicted == 0)
            continue;
        present++;
        sum += fine__score_f1(&counts[i]);
    }
    *defined = present > 0;
    return present > 0 ? sum / (double)present : 0;
}

double
fine__score_matthews(const struct fine__label_counts *counts, int64_t n, bool *defined)
{
    double rows = 0, both = 0, truth_predicted = 0, truth_truth = 0, predicted_predicted = 0;
    double spread_truth, spread_predicted;

    for (int64_t i = 0; i < n; i++) {
        const double truth = (double)counts[i].truth, predicted = (double)counts[i].predicted;

        rows += truth;
        both += (double)counts[i].both;
        truth_predicted += truth * predicted;
        truth_truth += truth * truth;
        predicted_predicted += predicted * predicted;
    }
    spread_truth = rows * rows - truth_truth;           /* 0: one label only */
    spread_predicted = rows * rows - predicted_predicted;
    *defined = spread_truth > 0 && spread_predicted > 0;
    if (!*defined)
        return 0;
    return (both * rows - truth_predicted) / sqrt(spread_truth * spread_predicted);
}

double
fine__score_rmse(const double *truth, const double *predicted, int64_t n, bool *defined)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        const double d = predicted[i] - truth[i];

        sum += d * d;
    }
    *defined = n > 0;
    return n > 0 ? sqrt(sum / (double)n) : 0;
}

/* The mean, and the greatest distance from it: 0 where all values are the same. */
static double
centre(const double *x, int64_t n, double *reach)
{
    double mean = 0, low = x[0], high = x[0];

    for (int64_t i = 0; i < n; i++) {
        mean += x[i];
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    mean /= (double)n;
    *reach = low < high ? fmax(high - mean, mean - low) : 0;
    return mean;
}

double
fine__score_pearson(const double *x, const double *y, int64_t n, bool *defined)
{
    double mean_x, mean_y, reach_x, reach_y, xx = 0, yy = 0, xy = 0, r;

    *defined = false;
    if (n < 2)
        return 0;
    mean_x = centre(x, n, &reach_x);
    mean_y = centre(y, n, &reach_y);
    if (!(reach_x > 0) || !(reach_y > 0))
        return 0;
    /* Distances are scaled to at most 1, so that no square is lost or too large. */
    for (int64_t i = 0; i < n; i++) {
        const double dx = (x[i] - mean_x) / reach_x, dy = (y[i] - mean_y) / reach_y;

        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    *defined = true;
    r = xy / (sqrt(xx) * sqrt(yy));
    return fmax(-1, fmin(1, r));
}

static bool
less(const struct fine__ranked *a, const struct fine__ranked *b)
{
    return a->value < b->value || (a->value == b->value && a->index < b->index);
}

static void
sink(struct fine__ranked *heap, int64_t root, int64_t n)
{
    const struct fine__ranked item = heap[root];

    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && less(&heap[child], &heap[child + 1]))
            child++;
        if (!less(&item, &heap[child]))
            break;
        heap[root] = heap[child];
    }
    heap[root] = item;
}

void
fine__sort_ranked(struct fine__ranked *items, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(items, i, n);
    for (int64_t end = n - 1; end > 0; end--) {
        const struct fine__ranked top = items[0];

        items[0] = items[end];
        items[end] = top;
        sink(items, 0, end);
    }
}

void
fine__ranks(const double *values, int64_t n, struct fine__ranked *scratch, double *out)
{
    for (int64_t i = 0; i < n; i++)
        scratch[i] = (struct fine__ranked){ values[i], i };
    fine__sort_ranked(scratch, n);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && scratch[end].value == scratch[i].value;)
            end++;
        for (int64_t j = i; j < end; j++)
            out[scratch[j].index] = (double)(i + 1 + end) / 2;
    }
}
