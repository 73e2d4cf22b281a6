/*
 * evaluate.c — scoring in batches that are bounded by ids, not by rows.
 *
 * Short rows go many at a time and long ones few, so memory stays level. The order of
 * rows is the data's, and sums are taken row by row: batching leaves no trace in them.
 */
#include "train/evaluate.h"

#include "train/batches.h"

int
fine__metrics_for(struct fine__metrics **out, const fine_model *model)
{
    if (model->task == FINE__TASK_NONE)
        return fine__fail(FINE_ESTATE, "the model has no task yet: call fine_model_set_task()");
    if (model->task != FINE__CLASSIFY && model->task != FINE__REGRESS)
        return fine__fail(FINE_EUNSUPPORTED, "only models that classify or regress can be "
                          "evaluated in this version");
    if (model->task == FINE__REGRESS)
        return fine__metrics_new(out, model->ctx, "regress", NULL, 0);
    return fine__metrics_new(out, model->ctx, "classify", (const char *const *)model->labels,
                             model->n_labels);
}

static int64_t
rows_that_fit(const struct fine__examples *examples, int64_t first)
{
    const int64_t limit = examples->offsets[first] + FINE__EVALUATE_IDS;
    int64_t n = 1;

    while (first + n < examples->n_rows && examples->offsets[first + n + 1] <= limit)
        n++;
    return n;
}

static int
add_rows(const fine_model *model, const struct fine__examples *examples, int64_t first,
         const struct fine__run *run, struct fine__metrics *metrics)
{
    for (int64_t i = 0; i < run->batch->n_seqs; i++) {
        const char *group = fine__dataset_group(examples->dataset, first + i);
        const fine__real *logits = run->logits + i * run->n_logits;

        if (model->task == FINE__REGRESS)
            FINE__TRY(
                fine__metrics_add_output(metrics, logits[0], examples->values[first + i], group));
        else
            FINE__TRY(
                fine__metrics_add_logits(metrics, logits, examples->labels[first + i], group));
    }
    return FINE_OK;
}

int
fine__evaluate(struct fine__runner *runner, const fine_model *model,
               const struct fine__examples *examples, struct fine__metrics *metrics,
               int64_t *scratch)
{
    int64_t n;

    fine__metrics_reset(metrics);
    for (int64_t first = 0; first < examples->n_rows; first += n) {
        n = rows_that_fit(examples, first);
        struct fine__batch batch = fine__batches_slice(examples, first, n, scratch);

        /* The metrics take the loss from the logits, in double. */
        batch.labels = NULL;
        batch.values = NULL;
        struct fine__run run = { .batch = &batch };
        int rc = fine__runner_run(runner, &run);

        if (rc == FINE_OK)
            rc = add_rows(model, examples, first, &run, metrics);
        if (rc == FINE_ENUMERIC)
            fine__error_prefix("evaluation on '%s', rows %lld to %lld", examples->dataset->name,
                               (long long)first + 1, (long long)(first + n));
        if (rc < 0)
            return rc;
    }
    return FINE_OK;
}
