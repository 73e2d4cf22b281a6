/*
 * metrics.c — rows into counts, for all and for each group.
 *
 * A classification row changes three counts and one cell; everything else is
 * computed from them when asked (scores.c). Memory grows while rows are added,
 * never when metrics are read, so reading cannot fail.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "train/taskwork.h"

static const char *const classify_names[] = { "loss", "accuracy", "macro_f1", "micro_f1",
                                              "matthews", NULL };
static const char *const image_names[] = { "loss", "accuracy", "macro_f1", "micro_f1",
                                           "matthews", "top5_accuracy", NULL };
static const char *const regress_names[] = { "loss", "pearson", "spearman", "rmse", NULL };

const char *const *
fine__metric_names(const char *task)
{
    if (task != NULL && strcmp(task, "classify") == 0)
        return classify_names;
    if (task != NULL && strcmp(task, "classify-image") == 0)
        return image_names;
    if (task != NULL && strcmp(task, "regress") == 0)
        return regress_names;
    enum fine__task found;

    if (task == NULL || !fine__task_find(task, &found) || fine__taskwork(found)->measure == NULL)
        return NULL;
    return fine__taskwork(found)->measure->names;
}

bool
fine__metric_valid(const char *task, const char *name)
{
    const char *const *names = fine__metric_names(task);

    for (int64_t i = 0; names != NULL && names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool
fine__metric_higher_is_better(const char *name)
{
    return strcmp(name, "loss") != 0 && strcmp(name, "rmse") != 0 &&
           strcmp(name, "perplexity") != 0;
}

double
fine__metric_worst(const char *name)
{
    return fine__metric_higher_is_better(name) ? -HUGE_VAL : HUGE_VAL;
}

bool
fine__metric_better(const char *name, double value, double than)
{
    return fine__metric_higher_is_better(name) ? value > than : value < than;
}

static void
free_state(const struct fine__metrics *metrics, void *state)
{
    if (state != NULL && metrics->measure->close != NULL)
        metrics->measure->close(state);
    fine__free(metrics->ctx, state);
}

static int
new_state(const struct fine__metrics *metrics, void **out)
{
    const size_t size = metrics->measure->state_size;
    void *state = fine__alloc_array(metrics->ctx, size > 0 ? size : 1, 1);
    int rc = state != NULL ? FINE_OK : FINE_ENOMEM;

    if (rc == FINE_OK && metrics->measure->open != NULL)
        rc = metrics->measure->open(state, metrics->ctx, metrics->model);
    if (rc < 0)
        fine__free(metrics->ctx, state);
    else
        *out = state;
    return rc;
}

void
fine__metrics_free(struct fine__metrics *metrics)
{
    fine_context *ctx;

    if (metrics == NULL)
        return;
    ctx = metrics->ctx;
    for (int64_t i = 0; metrics->labels != NULL && i < metrics->n_labels; i++)
        fine__free(ctx, metrics->labels[i]);
    free_state(metrics, metrics->state);
    for (int64_t i = 0; i < metrics->n_groups; i++) {
        free_state(metrics, metrics->groups[i].state);
        fine__free(ctx, metrics->groups[i].name);
    }
    fine__map_free(&metrics->group_index);
    fine__free(ctx, metrics->labels);
    fine__free(ctx, metrics->counts);
    fine__free(ctx, metrics->confusion);
    fine__free(ctx, metrics->pairs);
    fine__free(ctx, metrics->truth);
    fine__free(ctx, metrics->predicted);
    fine__free(ctx, metrics->some_truth);
    fine__free(ctx, metrics->some_predicted);
    fine__free(ctx, metrics->group_of);
    fine__free(ctx, metrics->ranked);
    fine__free(ctx, metrics->groups);
    fine__free(ctx, metrics->group_counts);
    fine__free(ctx, metrics);
    fine__context_unref(ctx);
}

static int
make_labels(struct fine__metrics *metrics, const char *const *labels)
{
    const size_t n = (size_t)metrics->n_labels;

    metrics->counts = fine__alloc_array(metrics->ctx, n, sizeof *metrics->counts);
    if (metrics->counts == NULL)
        return FINE_ENOMEM;
    if (n <= FINE__CONFUSION_MAX) {
        metrics->confusion = fine__alloc_array(metrics->ctx, n * n, sizeof *metrics->confusion);
        if (metrics->confusion == NULL)
            return FINE_ENOMEM;
    }
    if (labels == NULL)
        return 0;
    metrics->labels = fine__alloc_array(metrics->ctx, n, sizeof *metrics->labels);
    for (size_t i = 0; metrics->labels != NULL && i < n; i++) {
        metrics->labels[i] = fine__strdup(metrics->ctx, labels[i]);
        if (metrics->labels[i] == NULL)
            return FINE_ENOMEM;
    }
    return metrics->labels != NULL ? 0 : FINE_ENOMEM;
}

int
fine__metrics_new(struct fine__metrics **out, fine_context *ctx, const char *task,
                  const char *const *labels, int64_t n_labels)
{
    const char *const *names = fine__metric_names(task);
    struct fine__metrics *metrics;

    if (names != classify_names && names != image_names && names != regress_names)
        return fine__fail(FINE_EINVAL, "no metrics for task '%s': it must be classify or regress",
                          task != NULL ? task : "");
    if (names != regress_names && (n_labels < 1 || n_labels > INT32_MAX))
        return fine__fail(FINE_EINVAL, "metrics of a classification need 1 to %ld labels, not %lld",
                          (long)INT32_MAX, (long long)n_labels);
    metrics = fine__alloc(ctx, sizeof *metrics);
    if (metrics == NULL)
        return FINE_ENOMEM;
    *metrics = (struct fine__metrics){ .ctx = fine__context_ref(ctx),
                                       .task = names == regress_names  ? "regress"
                                               : names == image_names ? "classify-image"
                                                                      : "classify",
                                       .names = names,
                                       .is_regression = names == regress_names };
    fine__map_init(&metrics->group_index, ctx);
    if (!metrics->is_regression) {
        metrics->n_labels = n_labels;
        if (make_labels(metrics, labels) < 0) {
            fine__metrics_free(metrics);
            return FINE_ENOMEM;
        }
    }
    *out = metrics;
    return 0;
}

int
fine__metrics_new_measured(struct fine__metrics **out, const fine_model *model)
{
    const struct fine__measure *measure = fine__taskwork(model->task)->measure;
    struct fine__metrics *metrics = fine__alloc(model->ctx, sizeof *metrics);
    int rc;

    if (metrics == NULL)
        return FINE_ENOMEM;
    *metrics = (struct fine__metrics){ .ctx = fine__context_ref(model->ctx),
                                       .task = fine__task_name(model->task),
                                       .names = measure->names,
                                       .measure = measure,
                                       .model = model };
    fine__map_init(&metrics->group_index, metrics->ctx);
    rc = new_state(metrics, &metrics->state);
    if (rc < 0) {
        fine__metrics_free(metrics);
        return rc;
    }
    *out = metrics;
    return FINE_OK;
}

static void
reset_state(const struct fine__metrics *metrics, void *state)
{
    if (state != NULL && metrics->measure->reset != NULL)
        metrics->measure->reset(state);
}

void
fine__metrics_reset(struct fine__metrics *metrics)
{
    const size_t n = (size_t)metrics->n_labels;

    metrics->n = metrics->ungrouped = metrics->n_top5 = 0;
    metrics->loss_sum = metrics->weight = 0;
    reset_state(metrics, metrics->state);
    if (metrics->counts != NULL)
        memset(metrics->counts, 0, n * sizeof *metrics->counts);
    if (metrics->confusion != NULL)
        memset(metrics->confusion, 0, n * n * sizeof *metrics->confusion);
    for (int64_t i = 0; i < metrics->pairs_capacity; i++)
        metrics->pairs[i] = (struct fine__pair){ -1, 0 };
    metrics->n_pairs = 0;
    for (int64_t i = 0; i < metrics->n_groups; i++) {
        metrics->groups[i].n = metrics->groups[i].n_top5 = 0;
        metrics->groups[i].loss_sum = metrics->groups[i].weight = 0;
        reset_state(metrics, metrics->groups[i].state);
    }
    if (metrics->group_counts != NULL)
        memset(metrics->group_counts, 0,
               (size_t)metrics->n_groups * n * sizeof *metrics->group_counts);
}

/* ---- groups ---- */

/* Makes a group; -1 where there is no room for another. */
static int
new_group(struct fine__metrics *metrics, const char *name, int64_t *out)
{
    const int64_t n = metrics->n_groups, cells = (n + 1) * metrics->n_labels;
    char *copy;

    *out = -1;
    if (n >= FINE__GROUPS_MAX || cells > FINE__GROUP_CELLS)
        return 0;
    FINE__TRY(fine__grow(metrics->ctx, &metrics->groups, &metrics->groups_capacity, n + 1,
                         sizeof *metrics->groups));
    if (cells > 0) {
        FINE__TRY(fine__grow(metrics->ctx, &metrics->group_counts,
                             &metrics->group_counts_capacity, cells,
                             sizeof *metrics->group_counts));
        memset(metrics->group_counts + n * metrics->n_labels, 0,
               (size_t)metrics->n_labels * sizeof *metrics->group_counts);
    }
    copy = fine__strdup(metrics->ctx, name);
    if (copy == NULL)
        return FINE_ENOMEM;
    struct fine__group group = { .name = copy };
    int rc = metrics->measure != NULL ? new_state(metrics, &group.state) : FINE_OK;

    if (rc == FINE_OK)
        rc = fine__map_put(&metrics->group_index, name, strlen(name), n);
    if (rc < 0) {
        free_state(metrics, group.state);
        fine__free(metrics->ctx, copy);
        return rc;
    }
    metrics->groups[n] = group;
    metrics->n_groups = n + 1;
    *out = n;
    return 0;
}

/* -1: the row has no group, or one without room (*lost). */
static int
find_group(struct fine__metrics *metrics, const char *name, int64_t *out, bool *lost)
{
    *out = -1;
    *lost = false;
    if (name == NULL || name[0] == '\0')
        return 0;
    *out = fine__map_get_cstr(&metrics->group_index, name);
    if (*out < 0)
        FINE__TRY(new_group(metrics, name, out));
    *lost = *out < 0;
    return 0;
}

/* What all rows have; the last thing done to a row, so that a failure counts nothing. */
/* Whether fewer than five labels are likelier. */
static bool
is_in_top5(const struct fine__metrics *metrics, const fine__real *logits, int64_t truth)
{
    int64_t n_likelier = 0;

    for (int64_t i = 0; i < metrics->n_labels; i++)
        n_likelier += logits[i] > logits[truth] || (i < truth && logits[i] >= logits[truth]);
    return n_likelier < 5;
}

static void
count_row(struct fine__metrics *metrics, double loss, double weight, int64_t group, bool lost)
{
    metrics->n++;
    metrics->loss_sum += loss;
    metrics->weight += weight;
    metrics->ungrouped += lost;
    if (group >= 0) {
        metrics->groups[group].n++;
        metrics->groups[group].loss_sum += loss;
        metrics->groups[group].weight += weight;
    }
}

/* Squares of sane numbers, and sums of those, are finite. */
static bool
is_sane(double x)
{
    return fabs(x) <= 1e145;
}

static int
check_loss(double loss, int64_t row)
{
    if (fabs(loss) <= 1e300)
        return 0;
    return fine__fail(FINE_ENUMERIC, "evaluation: the loss of row %lld is not a finite number",
                      (long long)row + 1);
}

/* ---- classify ---- */

static struct fine__pair *
find_pair(struct fine__pair *pairs, int64_t capacity, int64_t code)
{
    uint64_t at = (uint64_t)code * 0x9e3779b97f4a7c15u;

    at ^= at >> 32;
    for (;; at++) {
        struct fine__pair *pair = &pairs[at & ((uint64_t)capacity - 1)];

        if (pair->code == code || pair->code < 0)
            return pair;
    }
}

static int
make_room_for_pair(struct fine__metrics *metrics)
{
    const int64_t capacity = metrics->pairs_capacity > 0 ? 2 * metrics->pairs_capacity : 1024;
    struct fine__pair *pairs;

    if (4 * (metrics->n_pairs + 1) <= 3 * metrics->pairs_capacity)
        return 0;
    pairs = fine__alloc_array(metrics->ctx, (size_t)capacity, sizeof *pairs);
    if (pairs == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < capacity; i++)
        pairs[i].code = -1;
    for (int64_t i = 0; i < metrics->pairs_capacity; i++)
        if (metrics->pairs[i].code >= 0)
            *find_pair(pairs, capacity, metrics->pairs[i].code) = metrics->pairs[i];
    fine__free(metrics->ctx, metrics->pairs);
    metrics->pairs = pairs;
    metrics->pairs_capacity = capacity;
    return 0;
}

static void
count_label(struct fine__label_counts *counts, int64_t truth, int64_t predicted)
{
    counts[truth].truth++;
    counts[predicted].predicted++;
    if (truth == predicted)
        counts[truth].both++;
}

int
fine__metrics_add_class(struct fine__metrics *metrics, int64_t truth, int64_t predicted,
                        double loss, const char *group)
{
    const int64_t n = metrics->n_labels;
    int64_t g;
    bool lost;

    if (truth < 0 || truth >= n || predicted < 0 || predicted >= n)
        return fine__fail(FINE_EDATA, "evaluation: label %lld of row %lld is not below %lld",
                          (long long)(truth < 0 || truth >= n ? truth : predicted),
                          (long long)metrics->n + 1, (long long)n);
    FINE__TRY(check_loss(loss, metrics->n));
    if (metrics->confusion == NULL)
        FINE__TRY(make_room_for_pair(metrics));
    FINE__TRY(find_group(metrics, group, &g, &lost));
    count_label(metrics->counts, truth, predicted);
    if (g >= 0)
        count_label(metrics->group_counts + g * n, truth, predicted);
    if (metrics->confusion != NULL) {
        metrics->confusion[truth * n + predicted]++;
    } else {
        struct fine__pair *pair =
            find_pair(metrics->pairs, metrics->pairs_capacity, truth * n + predicted);

        metrics->n_pairs += pair->code < 0;
        pair->code = truth * n + predicted;
        pair->count++;
    }
    count_row(metrics, loss, 1, g, lost);
    return 0;
}

int
fine__metrics_add_logits(struct fine__metrics *metrics, const fine__real *logits, int64_t truth,
                         const char *group)
{
    int64_t best = 0;
    double sum = 0;

    if (truth < 0 || truth >= metrics->n_labels)
        return fine__metrics_add_class(metrics, truth, 0, 0, group);
    for (int64_t i = 0; i < metrics->n_labels; i++) {
        if (!isfinite(logits[i]))
            return fine__fail(FINE_ENUMERIC, "evaluation: a logit of row %lld is not a finite "
                              "number", (long long)metrics->n + 1);
        if (logits[i] > logits[best])
            best = i;
    }
    for (int64_t i = 0; i < metrics->n_labels; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    FINE__TRY(fine__metrics_add_class(metrics, truth, best,
                                      log(sum) + ((double)logits[best] - (double)logits[truth]),
                                      group));
    if (metrics->names == image_names && is_in_top5(metrics, logits, truth)) {
        const int64_t g = group != NULL && group[0] != '\0'
                              ? fine__map_get_cstr(&metrics->group_index, group) : -1;

        metrics->n_top5++;
        if (g >= 0)
            metrics->groups[g].n_top5++;
    }
    return 0;
}

/* ---- regress ---- */

/* Grows one of the arrays to `capacity` elements. */
static int
widen(struct fine__metrics *metrics, void *array, int64_t capacity, size_t size)
{
    void *old, *block;

    memcpy(&old, array, sizeof old);
    block = fine__realloc(metrics->ctx, old, (size_t)capacity * size);
    if (block == NULL)
        return FINE_ENOMEM;
    memcpy(array, &block, sizeof block);
    return 0;
}

static int
make_room_for_row(struct fine__metrics *metrics)
{
    const int64_t capacity = metrics->capacity > 0 ? metrics->capacity + metrics->capacity / 2 : 256;

    if (metrics->n < metrics->capacity)
        return 0;
    if (capacity > INT64_MAX / 64)
        return fine__fail(FINE_ENOMEM, "out of memory: too many rows to evaluate");
    FINE__TRY(widen(metrics, &metrics->truth, capacity, sizeof *metrics->truth));
    FINE__TRY(widen(metrics, &metrics->predicted, capacity, sizeof *metrics->predicted));
    FINE__TRY(widen(metrics, &metrics->some_truth, capacity, sizeof *metrics->some_truth));
    FINE__TRY(widen(metrics, &metrics->some_predicted, capacity, sizeof *metrics->some_predicted));
    FINE__TRY(widen(metrics, &metrics->group_of, capacity, sizeof *metrics->group_of));
    FINE__TRY(widen(metrics, &metrics->ranked, capacity, sizeof *metrics->ranked));
    metrics->capacity = capacity;
    return 0;
}

int
fine__metrics_add_value(struct fine__metrics *metrics, double truth, double predicted, double loss,
                        const char *group)
{
    int64_t g;
    bool lost;

    if (!is_sane(truth) || !is_sane(predicted))
        return fine__fail(FINE_ENUMERIC, "evaluation: the %s value of row %lld is not a finite "
                          "number", is_sane(truth) ? "predicted" : "true",
                          (long long)metrics->n + 1);
    FINE__TRY(check_loss(loss, metrics->n));
    FINE__TRY(make_room_for_row(metrics));
    FINE__TRY(find_group(metrics, group, &g, &lost));
    metrics->truth[metrics->n] = truth;
    metrics->predicted[metrics->n] = predicted;
    metrics->group_of[metrics->n] = (int32_t)g;
    count_row(metrics, loss, 1, g, lost);
    return 0;
}

int
fine__metrics_add_output(struct fine__metrics *metrics, fine__real output, double truth,
                         const char *group)
{
    const double d = (double)output - truth;

    /* A difference that is too large to be squared comes from a value that is refused. */
    return fine__metrics_add_value(metrics, truth, (double)output, is_sane(d) ? d * d : 0, group);
}

/* ---- measured tasks ---- */

int
fine__metrics_add_measured(struct fine__metrics *metrics, const struct fine__examples *examples,
                           int64_t from, int64_t to, const fine__real *logits, int64_t n_logits,
                           const char *group)
{
    const struct fine__measure *measure = metrics->measure;
    double loss = 0, weight = 0;
    int64_t g;
    bool lost;

    FINE__TRY(find_group(metrics, group, &g, &lost));
    FINE__TRY(measure->add(metrics->state, metrics->model, examples, from, to, logits, n_logits,
                           &loss, &weight));
    FINE__TRY(check_loss(loss, metrics->n));
    if (g >= 0)
        FINE__TRY(measure->add(metrics->groups[g].state, metrics->model, examples, from, to,
                               logits, n_logits, &loss, &weight));
    count_row(metrics, loss, weight, g, lost);
    return FINE_OK;
}

int
fine__metrics_add_loss(struct fine__metrics *metrics, int64_t n_rows, double loss, double n_targets)
{
    FINE__TRY(check_loss(loss, metrics->n));
    metrics->n += n_rows;
    metrics->loss_sum += loss;
    metrics->weight += n_targets;
    return FINE_OK;
}

/* ---- reading ---- */

static void
regress_scores(struct fine__metrics *metrics, int64_t group, struct fine__scores *out)
{
    const double *truth = metrics->truth, *predicted = metrics->predicted;
    int64_t n = metrics->n;

    if (group >= 0) {
        n = 0;
        for (int64_t i = 0; i < metrics->n; i++) {
            if (metrics->group_of[i] != group)
                continue;
            metrics->some_truth[n] = truth[i];
            metrics->some_predicted[n++] = predicted[i];
        }
        truth = metrics->some_truth;
        predicted = metrics->some_predicted;
    }
    out->value[0] = fine__score_pearson(truth, predicted, n, &out->defined[0]);
    out->value[2] = fine__score_rmse(truth, predicted, n, &out->defined[2]);
    if (n > 0) {
        /* A group's values aren't needed any more: their place takes the ranks. */
        fine__ranks(truth, n, metrics->ranked, metrics->some_truth);
        fine__ranks(predicted, n, metrics->ranked, metrics->some_predicted);
    }
    out->value[1] = fine__score_pearson(metrics->some_truth, metrics->some_predicted, n,
                                        &out->defined[1]);
}

void
fine__metrics_scores(struct fine__metrics *metrics, int64_t group, struct fine__scores *out)
{
    const struct fine__label_counts *counts = metrics->counts;

    *out = (struct fine__scores){ .defined = { true, true, true, true } };
    if (metrics->measure != NULL) {
        const struct fine__group *one = group >= 0 ? &metrics->groups[group] : NULL;
        const double sum = one != NULL ? one->loss_sum : metrics->loss_sum;
        const double weight = one != NULL ? one->weight : metrics->weight;

        for (int i = 0; i < FINE__N_SCORES; i++)
            out->defined[i] = true;
        metrics->measure->numbers(one != NULL ? one->state : metrics->state,
                                  fine__mean_loss(sum, weight), out);
        return;
    }
    if (metrics->is_regression) {
        regress_scores(metrics, group, out);
        return;
    }
    if (group >= 0)
        counts = metrics->group_counts + group * metrics->n_labels;
    if (metrics->names == image_names) {
        const int64_t n = group >= 0 ? metrics->groups[group].n : metrics->n;
        const int64_t n_top5 = group >= 0 ? metrics->groups[group].n_top5 : metrics->n_top5;

        out->value[4] = n > 0 ? (double)n_top5 / (double)n : 0;
        out->defined[4] = n > 0;
    }
    out->value[0] = fine__score_accuracy(counts, metrics->n_labels, &out->defined[0]);
    out->value[1] = fine__score_macro_f1(counts, metrics->n_labels, &out->defined[1]);
    /* One prediction a row: every wrong one is a false positive and a false negative. */
    out->value[2] = out->value[0];
    out->defined[2] = out->defined[0];
    out->value[3] = fine__score_matthews(counts, metrics->n_labels, &out->defined[3]);
}

int64_t
fine__metrics_count(const struct fine__metrics *metrics)
{
    return metrics->n;
}

double
fine__mean_loss(double sum, double weight)
{
    return weight > 0 ? sum / weight : 0;
}

int
fine__metrics_number(struct fine__metrics *metrics, const char *name, double *out)
{
    struct fine__scores scores;
    char names[160] = "";
    size_t used = 0;

    for (int64_t i = 0; metrics->names[i] != NULL; i++) {
        if (strcmp(metrics->names[i], name) != 0)
            continue;
        if (i == 0) {
            *out = fine__mean_loss(metrics->loss_sum, metrics->weight);
        } else {
            fine__metrics_scores(metrics, -1, &scores);
            *out = scores.value[i - 1];
        }
        return 0;
    }
    for (int64_t i = 0; metrics->names[i] != NULL && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 i == 0                            ? ""
                                 : metrics->names[i + 1] != NULL ? ", "
                                                                   : " or ",
                                 metrics->names[i]);
    return fine__fail(FINE_EINVAL, "task %s has no metric '%s': choose %s", metrics->task, name,
                      names);
}
