/*
 * results.c — what a run comes to: its result, and what that is compared with.
 *
 * Results come from files and may hold anything; what is missing or of another kind
 * reads as nothing.
 */
#include <stdio.h>
#include <string.h>

#include "report/page.h"

int64_t
fine__count_of(const struct fine__json *value)
{
    const int64_t count = fine__json_int(value, 0), most = INT64_C(1) << 40;

    return count < 0 ? 0 : count > most ? most : count;
}

int64_t
fine__rows_of(const struct fine__json *confusion, int64_t truth)
{
    const struct fine__json *row = fine__json_at(confusion, truth);
    const int64_t n = fine__json_count(row);
    int64_t sum = 0;

    for (int64_t j = 0; j < n; j++)
        sum += fine__count_of(fine__json_at(row, j));
    return fine__json_type(row) == FINE__JSON_ARRAY ? sum : -1;
}

const struct fine__json *
fine__result_metrics(const struct fine__json *result)
{
    const struct fine__json *metrics = fine__json_get(result, "metrics");

    return fine__json_type(metrics) == FINE__JSON_OBJECT ? metrics : result;
}

const struct fine__json *
fine__report_result(const struct fine__report_data *data, const char **split)
{
    const struct fine__json *metrics = fine__json_get(data->done, "metrics"), *result;

    *split = "test";
    result = fine__json_get(metrics, "test");
    if (fine__json_type(result) == FINE__JSON_OBJECT)
        return result;
    *split = "validation";
    result = fine__json_get(metrics, "validation");
    return fine__json_type(result) == FINE__JSON_OBJECT ? result : data->best;
}

bool
fine__is_degenerate(const struct fine__json *metrics, const char *name)
{
    const struct fine__json *names = fine__json_get(metrics, "degenerate");
    const int64_t n = fine__json_count(names);

    for (int64_t i = 0; i < n; i++) {
        const char *one = fine__json_string(fine__json_at(names, i), NULL);

        if (one != NULL && strcmp(one, name) == 0)
            return true;
    }
    return false;
}

struct fine__majority
fine__majority(const struct fine__json *metrics)
{
    const struct fine__json *confusion = fine__json_get(metrics, "confusion");
    const int64_t n = fine__json_count(confusion);
    struct fine__majority m = { .label = -1 };
    int64_t most = -1, present = 0;

    for (int64_t i = 0; i < n; i++) {
        const int64_t rows = fine__rows_of(confusion, i);

        m.n += rows > 0 ? rows : 0;
        present += rows > 0;
        if (rows > most) {
            most = rows;
            m.label = i;
        }
    }
    if (m.n > 0) {
        m.share = (double)most / (double)m.n;
        m.macro_f1 = 2 * m.share / (1 + m.share) / (double)present;
    }
    return m;
}

const char *
fine__report_label(const struct fine__report_data *data, const struct fine__json *metrics,
                   int64_t label, char scratch[32])
{
    const struct fine__json *classes = fine__json_get(metrics, "per_class_f1");
    int64_t i = 0;

    if (label >= 0 && label < data->n_labels)
        return data->labels[label];
    /* The object has the labels in their order. */
    for (void *it = fine__json_first(classes); it != NULL; it = fine__json_next(classes, it))
        if (i++ == label)
            return fine__json_key(it);
    snprintf(scratch, 32, "LABEL_%lld", (long long)label);
    return scratch;
}

const char *
fine__report_main_metric(const struct fine__report_data *data, const struct fine__json *metrics)
{
    static const char *const others[] = { "entity_f1", "accuracy", "spearman", "pearson",
                                          "macro_f1", "span_f1", "loss" };

    if (data->metric != NULL && strcmp(data->metric, "loss") != 0
        && fine__json_get(metrics, data->metric) != NULL)
        return data->metric;
    if (fine__json_get(metrics, "average_precision") != NULL)
        return "micro_f1";          /* of many labels most rows have none */
    for (int64_t i = 0; i < FINE__COUNT(others); i++)
        if (fine__json_get(metrics, others[i]) != NULL)
            return others[i];
    return NULL;
}
