/*
 * weighing.c — class weights from counts.
 *
 * balanced: n / (classes x count), as scikit-learn has it. effective: (1 - b) / (1 - b^count) with
 * b = 0.9999, scaled to a mean of 1 (Cui et al., arXiv 1901.05555). Of several labels a row each is
 * a yes or no of its own: a yes counts as often as there are rows without it for each with it.
 */
#include "train/weighing.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "models/kinds.h"

static const double effective_base = 0.9999;

/* How often each class is a target. */
static void
count_classes(const struct fine__examples *examples, enum fine__target target, int64_t n_classes,
              double *counts)
{
    const int64_t n = examples->labels_per_id ? examples->offsets[examples->n_rows]
                                              : examples->n_rows;

    if (target == FINE__FLAGS) {
        for (int64_t i = 0; i < examples->n_rows * n_classes; i++)
            counts[i % n_classes] += examples->values[i] > 0.5f;
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (examples->labels[i] >= 0)
            counts[examples->labels[i]]++;
}

static double
total_of(const double *counts, int64_t n)
{
    double total = 0;

    for (int64_t i = 0; i < n; i++)
        total += counts[i];
    return total;
}

static void
balance(const double *counts, int64_t n, float *weights)
{
    const double total = total_of(counts, n);

    for (int64_t i = 0; i < n; i++)
        weights[i] = counts[i] > 0 ? (float)(total / ((double)n * counts[i])) : 1;
}

static void
weigh_effectively(const double *counts, int64_t n, float *weights)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        const double seen = counts[i] > 0 ? counts[i] : 1;

        weights[i] = (float)((1 - effective_base) / (1 - pow(effective_base, seen)));
        sum += (double)weights[i];
    }
    for (int64_t i = 0; i < n; i++)
        weights[i] = (float)((double)weights[i] * (double)n / sum);
}

static int
weigh(struct fine__weighing *w, const fine_model *model, const struct fine__examples *examples,
      const char *how)
{
    const enum fine__target target = fine__kind(model->task)->target;
    const int64_t n = model->n_labels;
    double *counts = fine__alloc_array(w->ctx, (size_t)n, sizeof *counts);

    if (counts == NULL)
        return FINE_ENOMEM;
    count_classes(examples, target, n, counts);
    if (target == FINE__FLAGS)
        for (int64_t i = 0; i < n; i++)
            w->weights[i] = counts[i] > 0 ? (float)(((double)examples->n_rows - counts[i]) /
                                                    counts[i]) : 1;
    else if (strcmp(how, "balanced") == 0)
        balance(counts, n, w->weights);
    else
        weigh_effectively(counts, n, w->weights);
    fine__free(w->ctx, counts);
    return 0;
}

static int
take_given(struct fine__weighing *w, const fine_model *model,
           const struct fine_trainer_options *o)
{
    if (o->n_class_weights != model->n_labels)
        return fine__fail(FINE_EINVAL, "class_weights: %lld numbers, and the task has %lld labels",
                          (long long)o->n_class_weights, (long long)model->n_labels);
    for (int64_t i = 0; i < o->n_class_weights; i++) {
        if (!(o->class_weights[i] >= 0 && o->class_weights[i] <= 1e6))
            return fine__fail(FINE_EINVAL, "class_weights: the weight of '%s' is not in 0 to "
                              "1000000", model->labels[i]);
        w->weights[i] = (float)o->class_weights[i];
    }
    return 0;
}

static int
check(const fine_model *model, const struct fine_trainer_options *o, bool weighs)
{
    const enum fine__target target = fine__kind(model->task)->target;
    const bool one_of = target == FINE__CLASSES ||
                        (target == FINE__TOKEN_CLASSES && model->n_labels > 0);

    if (weighs && !one_of && target != FINE__FLAGS)
        return fine__fail(FINE_EINVAL, "class_weights: the task %s has no classes",
                          fine__task_name(model->task));
    if ((o->label_smoothing > 0 || o->focal_gamma > 0) && !one_of)
        return fine__fail(FINE_EINVAL, "label_smoothing and focal_gamma are for one class of "
                          "several, and the task is %s", fine__task_name(model->task));
    if (o->label_smoothing > 0 && o->focal_gamma > 0)
        return fine__fail(FINE_EINVAL, "label_smoothing and focal_gamma go against each other; "
                          "take one of them");
    return 0;
}

int
fine__weighing_init(struct fine__weighing *out, const fine_model *model,
                    const struct fine__examples *examples,
                    const struct fine_trainer_options *o)
{
    const bool by_name = o->class_weighting != NULL && strcmp(o->class_weighting, "none") != 0;
    const bool weighs = by_name || o->n_class_weights > 0;
    struct fine__weighing w = { .ctx = model->ctx };

    w.criterion.smoothing = o->label_smoothing;
    w.criterion.focus = o->focal_gamma;
    *out = w;
    FINE__TRY(check(model, o, weighs));
    if (!weighs && !(o->label_smoothing > 0) && !(o->focal_gamma > 0))
        return 0;
    out->differs = true;
    if (!weighs)
        return 0;
    out->weights = fine__alloc_array(model->ctx, (size_t)model->n_labels, sizeof *out->weights);
    if (out->weights == NULL)
        return FINE_ENOMEM;
    FINE__TRY(o->n_class_weights > 0 ? take_given(out, model, o)
                                     : weigh(out, model, examples, o->class_weighting));
    if (fine__kind(model->task)->target == FINE__FLAGS)
        out->criterion.positive_weights = out->weights;
    else
        out->criterion.weights = out->weights;
    return 0;
}

void
fine__weighing_free(struct fine__weighing *w)
{
    if (w->ctx != NULL)
        fine__free(w->ctx, w->weights);
    *w = (struct fine__weighing){ .ctx = NULL };
}

double
fine__weighing_of_batch(const struct fine__weighing *w, struct fine__batches *batches,
                        int64_t epoch, int64_t index)
{
    const struct fine__examples *examples = batches->examples;
    int64_t n;
    const int64_t *units = fine__batches_units(batches, epoch, index, &n);
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        const int64_t first = fine__examples_of(examples, units[i]);
        const int64_t end = fine__examples_of(examples, units[i] + 1);
        const int64_t from = examples->labels_per_id ? examples->offsets[first] : first;
        const int64_t to = examples->labels_per_id ? examples->offsets[end] : end;

        for (int64_t k = from; k < to; k++)
            sum += examples->labels[k] >= 0 ? (double)w->weights[examples->labels[k]] : 0;
    }
    return sum;
}
