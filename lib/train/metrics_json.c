/*
 * metrics_json.c — the metrics as JSON.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "train/taskwork.h"

#define PAIRS_WRITTEN 1000

static void
write_name(const struct fine__metrics *metrics, int64_t label, struct fine__buf *out)
{
    if (metrics->labels != NULL)
        fine__buf_json_string(out, metrics->labels[label], strlen(metrics->labels[label]));
    else
        fine__buf_printf(out, "\"LABEL_%" PRId64 "\"", label);
}

/* "loss" and the scores, without braces. */
static void
write_numbers(const struct fine__metrics *metrics, const struct fine__scores *scores, double loss,
              struct fine__buf *out)
{
    const char *const *names = metrics->names;

    fine__buf_text(out, "\"loss\":");
    fine__buf_number(out, loss);
    for (int64_t i = 1; names[i] != NULL; i++) {
        fine__buf_printf(out, ",\"%s\":", names[i]);
        fine__buf_number(out, scores->value[i - 1]);
    }
}

/* Names of scores that are 0 because they are not defined. */
static void
write_degenerate(const struct fine__metrics *metrics, const struct fine__scores *scores,
                 struct fine__buf *out)
{
    const char *const *names = metrics->names;
    bool any = false;

    for (int64_t i = 1; names[i] != NULL; i++) {
        if (scores->defined[i - 1])
            continue;
        fine__buf_text(out, any ? "," : ",\"degenerate\":[");
        fine__buf_printf(out, "\"%s\"", names[i]);
        any = true;
    }
    if (any)
        fine__buf_byte(out, ']');
}

static void
write_confusion(const struct fine__metrics *metrics, struct fine__buf *out)
{
    const int64_t n = metrics->n_labels;

    fine__buf_text(out, ",\"confusion\":[");
    for (int64_t i = 0; i < n; i++) {
        fine__buf_text(out, i > 0 ? ",[" : "[");
        for (int64_t j = 0; j < n; j++)
            fine__buf_printf(out, "%s%" PRId64, j > 0 ? "," : "", metrics->confusion[i * n + j]);
        fine__buf_byte(out, ']');
    }
    fine__buf_byte(out, ']');
}

/* The most frequent mistakes, by count and then in the order of the labels. */
static void
write_pairs(const struct fine__metrics *metrics, struct fine__buf *out)
{
    const int64_t n = metrics->n_labels;
    struct fine__ranked *wrong =
        fine__alloc_array(metrics->ctx, (size_t)metrics->n_pairs, sizeof *wrong);
    int64_t n_wrong = 0;

    if (wrong == NULL) {
        out->failed = true;
        return;
    }
    for (int64_t i = 0; i < metrics->pairs_capacity; i++) {
        const struct fine__pair *pair = &metrics->pairs[i];

        if (pair->code >= 0 && pair->code / n != pair->code % n)
            wrong[n_wrong++] = (struct fine__ranked){ -(double)pair->count, pair->code };
    }
    fine__sort_ranked(wrong, n_wrong);
    fine__buf_text(out, ",\"confusion_pairs\":[");
    for (int64_t i = 0; i < n_wrong && i < PAIRS_WRITTEN; i++)
        fine__buf_printf(out, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 "]", i > 0 ? "," : "",
                         wrong[i].index / n, wrong[i].index % n, (int64_t)-wrong[i].value);
    fine__buf_byte(out, ']');
    fine__free(metrics->ctx, wrong);
}

static void
write_labels(const struct fine__metrics *metrics, struct fine__buf *out)
{
    bool any = false;

    fine__buf_text(out, ",\"per_class_f1\":{");
    for (int64_t i = 0; i < metrics->n_labels; i++) {
        if (i > 0)
            fine__buf_byte(out, ',');
        write_name(metrics, i, out);
        fine__buf_byte(out, ':');
        fine__buf_number(out, fine__score_f1(&metrics->counts[i]));
    }
    fine__buf_byte(out, '}');
    if (metrics->confusion != NULL)
        write_confusion(metrics, out);
    else
        write_pairs(metrics, out);
    for (int64_t i = 0; i < metrics->n_labels; i++) {
        if (metrics->counts[i].truth + metrics->counts[i].predicted > 0)
            continue;
        fine__buf_text(out, any ? "," : ",\"absent\":[");
        write_name(metrics, i, out);
        any = true;
    }
    if (any)
        fine__buf_byte(out, ']');
}

void
fine__metrics_write_object(struct fine__metrics *metrics, struct fine__buf *out, bool full)
{
    struct fine__scores scores;

    fine__metrics_scores(metrics, -1, &scores);
    fine__buf_byte(out, '{');
    write_numbers(metrics, &scores, fine__mean_loss(metrics->loss_sum, metrics->weight), out);
    if (full && metrics->measure != NULL && metrics->measure->write != NULL)
        metrics->measure->write(metrics->state, metrics->model, out);
    if (full && metrics->measure == NULL && !metrics->is_regression)
        write_labels(metrics, out);
    if (full)
        write_degenerate(metrics, &scores, out);
    fine__buf_byte(out, '}');
}

void
fine__metrics_write(struct fine__metrics *metrics, struct fine__buf *out, bool full)
{
    bool any = false;

    fine__buf_printf(out, "{\"n\":%" PRId64 ",\"loss\":", metrics->n);
    fine__buf_number(out, fine__mean_loss(metrics->loss_sum, metrics->weight));
    fine__buf_text(out, ",\"metrics\":");
    fine__metrics_write_object(metrics, out, full);
    fine__buf_text(out, ",\"groups\":{");
    for (int64_t i = 0; i < metrics->n_groups; i++) {
        const struct fine__group *group = &metrics->groups[i];
        struct fine__scores scores;

        if (group->n == 0)
            continue;
        fine__metrics_scores(metrics, i, &scores);
        if (any)
            fine__buf_byte(out, ',');
        fine__buf_json_string(out, group->name, strlen(group->name));
        fine__buf_printf(out, ":{\"n\":%" PRId64 ",", group->n);
        write_numbers(metrics, &scores, fine__mean_loss(group->loss_sum, group->weight), out);
        if (full)
            write_degenerate(metrics, &scores, out);
        fine__buf_byte(out, '}');
        any = true;
    }
    fine__buf_byte(out, '}');
    if (metrics->ungrouped > 0)
        fine__buf_printf(out, ",\"ungrouped\":%" PRId64, metrics->ungrouped);
    fine__buf_byte(out, '}');
}
