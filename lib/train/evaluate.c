/*
 * evaluate.c — scoring in batches that are bounded by ids, not by rows.
 *
 * Short rows go many at a time and long ones few, so memory stays level. The order of
 * rows is the data's, and sums are taken row by row: batching leaves no trace in them. A row
 * of several examples may reach over batches; its logits wait until the last one is there.
 */
#include "train/evaluate.h"

#include <string.h>

#include "base/alloc.h"
#include "models/kinds.h"
#include "train/batches.h"
#include "train/pictures.h"
#include "train/masking.h"
#include "train/taskwork.h"

int
fine__metrics_for(struct fine__metrics **out, const fine_model *model)
{
    if (model->task == FINE__TASK_NONE)
        return fine__fail(FINE_ESTATE, "the model has no task yet: call fine_model_set_task()");
    if (fine__taskwork(model->task)->measure != NULL)
        return fine__metrics_new_measured(out, model);
    if (model->task != FINE__CLASSIFY && model->task != FINE__REGRESS &&
        model->task != FINE__CLASSIFY_IMAGE)
        return fine__fail(FINE_EUNSUPPORTED, "models that %s can't be evaluated in this version",
                          fine__task_name(model->task));
    if (model->task == FINE__REGRESS)
        return fine__metrics_new(out, model->ctx, "regress", NULL, 0);
    return fine__metrics_new(out, model->ctx, fine__task_name(model->task), (const char *const *)model->labels,
                             model->n_labels);
}

int64_t
fine__examples_that_fit(const struct fine__examples *examples, int64_t first)
{
    const int64_t limit = examples->offsets[first] + FINE__EVALUATE_IDS;
    int64_t n = 1;

    while (first + n < examples->n_rows && examples->offsets[first + n + 1] <= limit)
        n++;
    return n;
}

/* ---- logits of whole rows ---- */

int
fine__gather_rows(struct fine__gathered *g, const struct fine__examples *examples, int64_t first,
                  int64_t n, const fine__real *logits, int64_t n_logits,
                  int (*take)(void *arg, int64_t from, int64_t to, const fine__real *logits,
                              int64_t n_logits), void *arg)
{
    for (int64_t from = first; from < first + n;) {
        const int64_t row = fine__examples_row(examples, from);
        const int64_t begin = g->per_id ? examples->offsets[from] : from;
        const fine__real *some = logits;
        int64_t to = from + 1, count;
        bool whole;

        while (to < first + n && fine__examples_row(examples, to) == row)
            to++;
        whole = to == examples->n_rows || fine__examples_row(examples, to) != row;
        count = ((g->per_id ? examples->offsets[to] : to) - begin) * n_logits;
        logits += count;
        if (g->count > 0 || !whole) {
            FINE__TRY(fine__grow(g->ctx, &g->logits, &g->capacity, g->count + count,
                                 sizeof *g->logits));
            memcpy(g->logits + g->count, some, (size_t)count * sizeof *some);
            g->first = g->count > 0 ? g->first : from;
            g->count += count;
        }
        if (whole) {
            const bool waited = g->count > 0;

            g->count = 0;
            FINE__TRY(take(arg, waited ? g->first : from, to, waited ? g->logits : some, n_logits));
        }
        from = to;
    }
    return FINE_OK;
}

/* ---- scoring ---- */

struct scoring {
    const fine_model *model;
    const struct fine__examples *examples;
    struct fine__metrics *metrics;
    int32_t *ids, *labels;          /* a masked batch; NULL where nothing is masked */
};

/* Room for a batch with masks. */
static int
make_room(struct scoring *s)
{
    const int64_t longest = s->examples->longest;
    const size_t n = (size_t)(longest > FINE__EVALUATE_IDS ? longest : FINE__EVALUATE_IDS);

    if (s->examples->masking == NULL)
        return FINE_OK;
    s->ids = fine__alloc_array(s->model->ctx, 2 * n, sizeof *s->ids);
    if (s->ids == NULL)
        return FINE_ENOMEM;
    s->labels = s->ids + n;
    return FINE_OK;
}

static int
take_row(void *arg, int64_t from, int64_t to, const fine__real *logits, int64_t n_logits)
{
    const struct scoring *s = arg;
    const struct fine__examples *examples = s->examples;
    const char *group =
        fine__dataset_group(examples->dataset, fine__examples_row(examples, from));

    if (fine__taskwork(s->model->task)->measure != NULL)
        return fine__metrics_add_measured(s->metrics, examples, from, to, logits, n_logits, group);
    if (s->model->task == FINE__REGRESS)
        return fine__metrics_add_output(s->metrics, logits[0], examples->values[from], group);
    return fine__metrics_add_logits(s->metrics, logits, examples->labels[from], group);
}

/* How many rows have their last example among [first, first + n). */
static int64_t
rows_that_end(const struct fine__examples *examples, int64_t first, int64_t n)
{
    int64_t rows = 0;

    for (int64_t i = first; i < first + n; i++)
        rows += i + 1 == examples->n_rows ||
                fine__examples_row(examples, i + 1) != fine__examples_row(examples, i);
    return rows;
}

static int
run_batch(struct fine__runner *runner, const struct scoring *s, struct fine__gathered *gathered,
          int64_t first, int64_t n, int64_t *scratch)
{
    const struct fine__measure *measure = fine__taskwork(s->model->task)->measure;
    const bool by_loss = measure != NULL && measure->by_loss;
    struct fine__batch batch = fine__batches_slice(s->examples, first, n, scratch);
    struct fine__run run = { .batch = &batch, .loss_only = by_loss };

    if (s->ids != NULL) {
        fine__mask_examples(s->examples, 0, -1, first, n, s->ids, s->labels);
        batch.ids = s->ids;
        batch.labels = s->labels;
    }
    if (!by_loss) {
        /* The metrics take the loss from the logits, in double. */
        batch.labels = NULL;
        batch.values = NULL;
        batch.starts = batch.ends = NULL;
    }
    FINE__TRY(fine__runner_run(runner, &run));
    if (by_loss)
        return fine__metrics_add_loss(s->metrics, rows_that_end(s->examples, first, n),
                                      run.loss_sum, (double)run.n_labelled);
    return fine__gather_rows(gathered, s->examples, first, n, run.logits, run.n_logits, take_row,
                             (void *)(uintptr_t)s);
}

/* Pictures, a buffer of them at a time. */
static int
evaluate_pictures(struct fine__runner *runner, const struct scoring *s)
{
    struct fine__pictures *pictures = s->examples->pictures;
    struct fine__picture_reader reader = { .pictures = pictures };
    struct fine__gathered none = { .ctx = s->model->ctx };
    int64_t n = 0, first = 0;
    int rc = FINE_OK;

    while (rc == FINE_OK && (n = fine__pictures_read(&reader, first)) > 0) {
        const struct fine__batch batch = { .n_seqs = n, .pixels = reader.pixels,
                                           .height = pictures->height,
                                           .width = pictures->width };
        struct fine__run run = { .batch = &batch };

        rc = fine__runner_run(runner, &run);
        if (rc == FINE_OK)
            rc = fine__gather_rows(&none, s->examples, first, n, run.logits, run.n_logits,
                                   take_row, (void *)(uintptr_t)s);
        first += n;
    }
    fine__picture_reader_free(&reader);
    return rc < 0 ? rc : n < 0 ? (int)n : FINE_OK;
}

int
fine__evaluate(struct fine__runner *runner, const fine_model *model,
               const struct fine__examples *examples, struct fine__metrics *metrics,
               int64_t *scratch)
{
    struct scoring s = { .model = model, .examples = examples, .metrics = metrics };
    struct fine__gathered gathered = { .ctx = model->ctx,
                                       .per_id = fine__kind(model->task)->per_token };
    fine__metrics_reset(metrics);
    if (examples->pictures != NULL)
        return evaluate_pictures(runner, &s);
    int rc = make_room(&s);
    int64_t n;

    for (int64_t first = 0; first < examples->n_rows && rc == FINE_OK; first += n) {
        n = fine__examples_that_fit(examples, first);
        rc = run_batch(runner, &s, &gathered, first, n, scratch);
        if (rc == FINE_ENUMERIC)
            fine__error_prefix("evaluation on '%s', rows %lld to %lld", examples->dataset->name,
                               (long long)fine__examples_row(examples, first) + 1,
                               (long long)fine__examples_row(examples, first + n - 1) + 1);
    }
    fine__free(model->ctx, gathered.logits);
    fine__free(model->ctx, s.ids);
    return rc;
}
