/*
 * multilabel.c — any number of labels for each text: rows to zeros and ones, and how good the
 * guesses are.
 *
 * A label is guessed where its probability is above a half. Counting that needs three numbers a
 * label; average precision needs the logits of all rows in their order, so they are kept.
 * (scikit-learn's f1_score, accuracy_score and average_precision_score.)
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/scores.h"
#include "train/taskwork.h"

/* ---- rows to targets ---- */

/* The model's index of each of the dataset's labels, -1 where it has none. */
static int
map_labels(int64_t **out, const struct fine__examples *examples, const fine_model *model)
{
    const fine_dataset *d = examples->dataset;
    int64_t *map = fine__alloc_array(examples->ctx, (size_t)d->n_labels, sizeof *map);
    struct fine__map ids;
    int rc = map != NULL ? FINE_OK : FINE_ENOMEM;

    fine__map_init(&ids, examples->ctx);
    for (int64_t i = 0; i < model->n_labels && rc >= 0; i++)
        rc = fine__map_put(&ids, model->labels[i], strlen(model->labels[i]), i);
    for (int64_t i = 0; i < d->n_labels && rc >= 0; i++)
        map[i] = fine__map_get_cstr(&ids, d->labels[i]);
    fine__map_free(&ids);
    if (rc < 0) {
        fine__free(examples->ctx, map);
        return rc;
    }
    *out = map;
    return FINE_OK;
}

static int
fill_values(struct fine__examples *examples, const fine_model *model, const int64_t *map,
            const char *what)
{
    const fine_dataset *d = examples->dataset;
    char place[40];
    int rc = FINE_OK;

    fine__error_clear();
    for (int64_t i = 0; i < examples->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];

        for (int64_t k = 0; k < row->n_marks; k++) {
            const int32_t label = d->marks[row->first_mark + k].label;

            if (map[label] >= 0)
                examples->values[i * examples->n_values + map[label]] = 1;
            else
                rc = fine__also(FINE_EDATA, "%s '%s', %s: label '%s' is not one of the model's "
                                "%lld: correct the row, or give the task all labels", what,
                                d->name, fine__examples_place(examples, i, place),
                                d->labels[label], (long long)model->n_labels);
        }
    }
    return rc;
}

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    const fine_dataset *d = examples->dataset;
    int64_t *map;
    int rc;

    if (d->require_label || d->has_labels) {
        if (!d->has_labels)
            return fine__fail(FINE_EDATA, "%s '%s': there are no labels", what, d->name);
        if (examples->n_rows > INT64_MAX / 8 / model->n_labels)
            return fine__fail(FINE_ENOMEM, "out of memory: too many rows and labels");
        examples->n_values = model->n_labels;
        examples->values = fine__alloc_array(examples->ctx,
                                             (size_t)(examples->n_rows * model->n_labels),
                                             sizeof *examples->values);
        if (examples->values == NULL)
            return FINE_ENOMEM;
        FINE__TRY(map_labels(&map, examples, model));
        rc = fill_values(examples, model, map, what);
        fine__free(examples->ctx, map);
        FINE__TRY(rc);
    }
    return fine__examples_texts(examples, model);
}

/* ---- how good ---- */

struct state {
    fine_context *ctx;
    int64_t n_labels, n, n_right;       /* rows; those without a mistake */
    struct fine__label_counts *counts;
    fine__real *logits;                 /* n rows */
    bool *truth;
    struct fine__ranked *ranked;        /* room for n */
    int64_t logits_capacity, truth_capacity, ranked_capacity;
};

static int
open_state(void *state, fine_context *ctx, const fine_model *model)
{
    struct state *s = state;

    s->ctx = ctx;
    s->n_labels = model->n_labels;
    s->counts = fine__alloc_array(ctx, (size_t)s->n_labels, sizeof *s->counts);
    return s->counts != NULL ? FINE_OK : FINE_ENOMEM;
}

static void
close_state(void *state)
{
    struct state *s = state;

    fine__free(s->ctx, s->counts);
    fine__free(s->ctx, s->logits);
    fine__free(s->ctx, s->truth);
    fine__free(s->ctx, s->ranked);
}

static void
reset_state(void *state)
{
    struct state *s = state;

    s->n = s->n_right = 0;
    memset(s->counts, 0, (size_t)s->n_labels * sizeof *s->counts);
}

static int
add(void *state, const fine_model *model, const struct fine__examples *examples, int64_t from,
    int64_t to, const fine__real *logits, int64_t n_logits, double *loss, double *n_targets)
{
    struct state *s = state;
    const float *values = examples->values + from * n_logits;
    const int64_t at = s->n * n_logits;
    bool right = true;
    double sum = 0;

    (void)model;
    (void)to;
    for (int64_t i = 0; i < n_logits; i++)
        if (!isfinite(logits[i]))
            return fine__fail(FINE_ENUMERIC, "evaluation: a logit of row %lld is not a finite "
                              "number", (long long)fine__examples_row(examples, from) + 1);
    FINE__TRY(fine__grow(s->ctx, &s->logits, &s->logits_capacity, at + n_logits,
                         sizeof *s->logits));
    FINE__TRY(fine__grow(s->ctx, &s->truth, &s->truth_capacity, at + n_logits, sizeof *s->truth));
    FINE__TRY(fine__grow(s->ctx, &s->ranked, &s->ranked_capacity, s->n + 1, sizeof *s->ranked));
    for (int64_t i = 0; i < n_logits; i++) {
        const double x = (double)logits[i];
        const bool is = values[i] > 0, guess = x > 0;

        s->logits[at + i] = logits[i];
        s->truth[at + i] = is;
        s->counts[i].truth += is;
        s->counts[i].predicted += guess;
        s->counts[i].both += is && guess;
        right = right && is == guess;
        sum += fmax(x, 0) - (is ? x : 0) + log1p(exp(-fabs(x)));
    }
    s->n++;
    s->n_right += right;
    *loss = sum / (double)n_logits;
    *n_targets = 1;
    return FINE_OK;
}

/* Σ (recall gained) x (precision there) over the thresholds that differ, the highest first. */
static double
average_precision(struct state *s, int64_t label)
{
    const int64_t n = s->n;
    double sum = 0;
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++)
        s->ranked[i] = (struct fine__ranked){ -(double)s->logits[i * s->n_labels + label], i };
    fine__sort_ranked(s->ranked, n);
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t gained = 0;

        for (end = i; end < n && s->ranked[end].value <= s->ranked[i].value; end++)
            gained += s->truth[s->ranked[end].index * s->n_labels + label];
        right += gained;
        sum += (double)gained * ((double)right / (double)end);
    }
    return sum / (double)s->counts[label].truth;
}

static void
numbers(void *state, double mean_loss, struct fine__scores *out)
{
    struct state *s = state;
    struct fine__label_counts all = { 0 };
    double f1 = 0, precision = 0;
    int64_t n_occur = 0;

    (void)mean_loss;
    for (int64_t i = 0; i < s->n_labels; i++) {
        all.truth += s->counts[i].truth;
        all.predicted += s->counts[i].predicted;
        all.both += s->counts[i].both;
        f1 += fine__score_f1(&s->counts[i]);
        if (s->counts[i].truth > 0) {
            n_occur++;
            precision += average_precision(s, i);
        }
    }
    out->value[0] = fine__score_f1(&all);
    out->defined[0] = all.truth + all.predicted > 0;
    out->value[1] = f1 / (double)s->n_labels;
    out->defined[1] = out->defined[0];
    out->value[2] = n_occur > 0 ? precision / (double)n_occur : 0;
    out->defined[2] = n_occur > 0;
    out->value[3] = s->n > 0 ? (double)s->n_right / (double)s->n : 0;
    out->defined[3] = s->n > 0;
}

static void
write(void *state, const fine_model *model, struct fine__buf *out)
{
    const struct state *s = state;
    bool any = false;

    fine__buf_text(out, ",\"per_class_f1\":{");
    for (int64_t i = 0; i < s->n_labels; i++) {
        fine__buf_text(out, i > 0 ? "," : "");
        fine__buf_json_string(out, model->labels[i], strlen(model->labels[i]));
        fine__buf_byte(out, ':');
        fine__buf_number(out, fine__score_f1(&s->counts[i]));
    }
    fine__buf_byte(out, '}');
    for (int64_t i = 0; i < s->n_labels; i++) {
        if (s->counts[i].truth + s->counts[i].predicted > 0)
            continue;
        fine__buf_text(out, any ? "," : ",\"absent\":[");
        fine__buf_json_string(out, model->labels[i], strlen(model->labels[i]));
        any = true;
    }
    fine__buf_text(out, any ? "]" : "");
}

static const char *const names[] = { "loss", "micro_f1", "macro_f1", "average_precision",
                                     "accuracy", NULL };

static const struct fine__measure measure = {
    .names = names,
    .state_size = sizeof(struct state),
    .open = open_state,
    .close = close_state,
    .reset = reset_state,
    .add = add,
    .numbers = numbers,
    .write = write,
};

const struct fine__taskwork fine__work_multilabel = { .encode = encode, .measure = &measure };
