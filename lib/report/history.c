/*
 * history.c — a run's events, as curves of bounded length and its last word.
 *
 * Steps are gathered in buckets of `stride` each; when all places are taken, buckets
 * are merged in pairs and the stride doubles, so that a point is the mean of its steps
 * and a run of any length has between 1,000 and 2,000 of them.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/page.h"

#define STEP_MAX (INT64_C(1) << 52)     /* exact as a double, and so are halves of it */
#define LINE_MAX (INT64_C(64) << 20)

void
fine__report_data_init(struct fine__report_data *data, fine_context *ctx)
{
    *data = (struct fine__report_data){ .ctx = ctx, .stride = 1, .best_step = -1 };
}

void
fine__report_data_free(struct fine__report_data *data)
{
    fine_context *ctx = data->ctx;

    for (int64_t i = 0; i < data->n_metrics; i++)
        fine__free(ctx, data->metric_names[i]);
    fine__free(ctx, data->steps);
    fine__free(ctx, data->evaluations);
    fine__json_free(data->first);
    fine__json_free(data->best);
    fine__json_free(data->done);
    fine__report_data_init(data, ctx);
}

static double
number(const struct fine__json *object, const char *key)
{
    return fine__json_double(fine__json_get(object, key), NAN);
}

/* ---- steps ---- */

/* The mean of two means; a side that has none leaves the other. */
static double
merged(double a, int64_t n_a, double b, int64_t n_b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    return a + (b - a) * ((double)n_b / (double)(n_a + n_b));
}

static void
merge(struct fine__report_step *into, const struct fine__report_step *from)
{
    const int64_t n = into->count;

    into->loss = merged(into->loss, n, from->loss, from->count);
    into->learning_rate = merged(into->learning_rate, n, from->learning_rate, from->count);
    into->gradient_norm = merged(into->gradient_norm, n, from->gradient_norm, from->count);
    if (!isnan(from->seconds))
        into->seconds = from->seconds;
    into->last = from->last;
    into->count += from->count;
}

static void
merge_pairs(struct fine__report_data *data)
{
    int64_t n = 0;

    for (int64_t i = 0; i < data->n_steps; i += 2) {
        data->steps[n] = data->steps[i];
        if (i + 1 < data->n_steps)
            merge(&data->steps[n], &data->steps[i + 1]);
        n++;
    }
    data->n_steps = n;
    data->stride *= 2;
}

static void
forget(struct fine__json **json, int64_t from)
{
    if (*json != NULL && fine__json_int(fine__json_get(*json, "step"), 0) >= from) {
        fine__json_free(*json);
        *json = NULL;
    }
}

/* Takes back what is at `from` or later. */
static void
take_back(struct fine__report_data *data, int64_t from)
{
    while (data->n_steps > 0 && data->steps[data->n_steps - 1].last >= from)
        data->n_steps--;
    while (data->n_evaluations > 0 && data->evaluations[data->n_evaluations - 1].step >= from)
        data->n_evaluations--;
    forget(&data->first, from);
    forget(&data->best, from);
    fine__json_free(data->done);
    data->done = NULL;
    data->best_step = -1;
    for (int64_t i = 0; i < data->n_evaluations; i++)
        if (data->evaluations[i].best)
            data->best_step = data->evaluations[i].step;
}

static int
add_step(struct fine__report_data *data, int64_t step, const struct fine__json *event)
{
    const struct fine__report_step one = { step,
                                           1,
                                           number(event, "loss"),
                                           number(event, "learning_rate"),
                                           number(event, "gradient_norm"),
                                           number(event, "seconds") };

    if (data->n_steps > 0 && step <= data->steps[data->n_steps - 1].last)
        take_back(data, step);
    if (data->n_steps > 0 && data->steps[data->n_steps - 1].count < data->stride) {
        merge(&data->steps[data->n_steps - 1], &one);
        return 0;
    }
    if (data->n_steps == FINE__REPORT_STEPS)
        merge_pairs(data);
    FINE__TRY(fine__grow(data->ctx, &data->steps, &data->steps_capacity, data->n_steps + 1,
                         sizeof *data->steps));
    data->steps[data->n_steps++] = one;
    return 0;
}

/* ---- evaluations ---- */

/* The place of a metric's numbers; -1: no room, or a name that is none. */
static int
metric_index(struct fine__report_data *data, const char *name, int64_t *out)
{
    *out = -1;
    for (int64_t i = 0; i < data->n_metrics; i++)
        if (strcmp(data->metric_names[i], name) == 0) {
            *out = i;
            return 0;
        }
    if (data->n_metrics == FINE__REPORT_METRICS || strlen(name) > 64)
        return 0;
    data->metric_names[data->n_metrics] = fine__strdup(data->ctx, name);
    if (data->metric_names[data->n_metrics] == NULL)
        return FINE_ENOMEM;
    *out = data->n_metrics++;
    return 0;
}

static int
read_values(struct fine__report_data *data, const struct fine__json *event,
            struct fine__report_evaluation *out)
{
    const struct fine__json *metrics = fine__result_metrics(event);

    for (int64_t i = 0; i < FINE__REPORT_METRICS; i++)
        out->value[i] = NAN;
    for (void *it = fine__json_first(metrics); it != NULL; it = fine__json_next(metrics, it)) {
        const double value = fine__json_double(fine__json_value(it), NAN);
        const char *key = fine__json_key(it);
        int64_t i;

        if (isnan(value) || strcmp(key, "step") == 0 || strcmp(key, "n") == 0
            || strcmp(key, "seconds") == 0 || strcmp(key, "best_step") == 0)
            continue;
        FINE__TRY(metric_index(data, key, &i));
        if (i >= 0)
            out->value[i] = value;
    }
    return 0;
}

/* Every second one goes, but for the best and the first. */
static void
thin_evaluations(struct fine__report_data *data)
{
    int64_t n = 0;

    for (int64_t i = 0; i < data->n_evaluations; i++)
        if (i % 2 == 0 || data->evaluations[i].step == data->best_step)
            data->evaluations[n++] = data->evaluations[i];
    data->n_evaluations = n;
}

/* Keeps the event where it is wanted. */
static int
add_evaluation(struct fine__report_data *data, int64_t step, struct fine__json **event)
{
    struct fine__report_evaluation one = {
        .step = step, .best = fine__json_bool(fine__json_get(*event, "best"), false)
    };

    if (data->n_evaluations > 0 && step <= data->evaluations[data->n_evaluations - 1].step) {
        const int64_t n_steps = data->n_steps;

        take_back(data, step);
        data->n_steps = n_steps;    /* only the evaluation is repeated */
    }
    FINE__TRY(read_values(data, *event, &one));
    if (data->n_evaluations == FINE__REPORT_EVALUATIONS)
        thin_evaluations(data);
    FINE__TRY(fine__grow(data->ctx, &data->evaluations, &data->evaluations_capacity,
                         data->n_evaluations + 1, sizeof *data->evaluations));
    data->evaluations[data->n_evaluations++] = one;
    if (step == 0 && data->first == NULL) {
        data->first = *event;       /* before training: never what is reported as best */
        *event = NULL;
        return 0;
    }
    if (one.best)
        data->best_step = step;
    if (one.best || data->best_step < 0) {
        fine__json_free(data->best);
        data->best = *event;
        *event = NULL;
    }
    return 0;
}

int
fine__report_add_event(struct fine__report_data *data, const char *json_line)
{
    struct fine__json *event = NULL;
    const char *kind;
    int64_t step;
    int rc;

    rc = fine__json_parse(&event, data->ctx, json_line, strlen(json_line), "event");
    if (rc == FINE_ENOMEM)
        return rc;
    kind = fine__json_string(fine__json_get(event, "event"), NULL);
    step = fine__json_int(fine__json_get(event, "step"), -1);
    if (rc < 0 || kind == NULL || step > STEP_MAX) {
        data->n_ignored++;
        rc = 0;
    } else if (strcmp(kind, "step") == 0 && step >= 0) {
        rc = add_step(data, step, event);
    } else if (strcmp(kind, "evaluate") == 0 && step >= 0) {
        rc = add_evaluation(data, step, &event);
    } else if (strcmp(kind, "done") == 0) {
        fine__json_free(data->done);
        data->done = event;
        data->best_step = fine__json_int(fine__json_get(event, "best_step"), data->best_step);
        event = NULL;
    }
    fine__json_free(event);
    return rc;
}

int
fine__report_add_events(struct fine__report_data *data, const char *path)
{
    enum { BLOCK = 1 << 16 };
    struct fine__file file;
    struct fine__buf line;
    char *block = fine__alloc(data->ctx, BLOCK);
    bool overlong = false;
    int rc;

    if (block == NULL)
        return FINE_ENOMEM;
    fine__buf_init(&line, data->ctx);
    rc = fine__file_open(&file, data->ctx, path);
    if (rc < 0) {
        fine__free(data->ctx, block);
        return rc;
    }
    for (int64_t offset = 0; rc == 0 && offset < file.size;) {
        const size_t n = (size_t)(file.size - offset < BLOCK ? file.size - offset : BLOCK);

        rc = fine__file_read_at(&file, block, n, offset);
        offset += (int64_t)n;
        for (size_t i = 0, used; rc == 0 && i < n; i += used) {
            const char *end = memchr(block + i, '\n', n - i);

            used = end != NULL ? (size_t)(end - (block + i)) + 1 : n - i;
            if (line.length + used > LINE_MAX)
                overlong = true;
            if (!overlong)
                fine__buf_append(&line, block + i, end != NULL ? used - 1 : used);
            if (end == NULL && offset < file.size)
                continue;
            rc = fine__buf_status(&line);
            if (rc == 0 && overlong)
                data->n_ignored++;
            else if (rc == 0 && line.length > 0)
                rc = fine__report_add_event(data, fine__buf_cstr(&line));
            fine__buf_clear(&line);
            overlong = false;
        }
    }
    fine__file_close(&file);
    fine__buf_free(&line);
    fine__free(data->ctx, block);
    return rc;
}
