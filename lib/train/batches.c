/*
 * batches.c — shuffling by key, and packing rows one after another.
 *
 * A last short batch is kept: every row is seen once an epoch. An epoch's last step may
 * have fewer micro-batches than `accumulate`.
 */
#include "train/batches.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

static int64_t
quotient_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

int
fine__batches_init(struct fine__batches *batches, const struct fine__examples *examples,
                   int64_t batch_size, int64_t accumulate, int64_t seed)
{
    fine_context *ctx = examples->ctx;
    const int64_t n_rows = examples->n_rows, n_ids = examples->offsets[n_rows];
    const int64_t size = batch_size < n_rows ? batch_size : n_rows;
    const int64_t most = examples->longest < n_ids / size ? size * examples->longest : n_ids;

    *batches = (struct fine__batches){ .ctx = fine__context_ref(ctx),
                                       .examples = examples,
                                       .batch_size = size,
                                       .seed = seed,
                                       .ordered_epoch = -1,
                                       .batches_per_epoch = quotient_up(n_rows, size) };
    batches->accumulate =
        accumulate < batches->batches_per_epoch ? accumulate : batches->batches_per_epoch;
    batches->steps_per_epoch = quotient_up(batches->batches_per_epoch, batches->accumulate);
    batches->order = fine__alloc(ctx, (size_t)n_rows * sizeof *batches->order);
    batches->ids = fine__alloc(ctx, (size_t)most * sizeof *batches->ids);
    batches->offsets = fine__alloc(ctx, (size_t)(size + 1) * sizeof *batches->offsets);
    bool failed = batches->order == NULL || batches->ids == NULL || batches->offsets == NULL;

    if (examples->types != NULL) {
        batches->types = fine__alloc(ctx, (size_t)most * sizeof *batches->types);
        failed = failed || batches->types == NULL;
    }
    if (examples->labels != NULL) {
        const int64_t n = examples->labels_per_id ? most : size;

        batches->labels = fine__alloc(ctx, (size_t)n * sizeof *batches->labels);
        failed = failed || batches->labels == NULL;
    }
    if (examples->values != NULL) {
        batches->values = fine__alloc_array(ctx, (size_t)(size * examples->n_values),
                                            sizeof *batches->values);
        failed = failed || batches->values == NULL;
    }
    if (examples->starts != NULL) {
        batches->starts = fine__alloc(ctx, (size_t)size * sizeof *batches->starts);
        batches->ends = fine__alloc(ctx, (size_t)size * sizeof *batches->ends);
        failed = failed || batches->starts == NULL || batches->ends == NULL;
    }
    if (failed)
        fine__batches_free(batches);
    return failed ? FINE_ENOMEM : FINE_OK;
}

void
fine__batches_free(struct fine__batches *batches)
{
    if (batches->ctx == NULL)
        return;
    fine__free(batches->ctx, batches->order);
    fine__free(batches->ctx, batches->ids);
    fine__free(batches->ctx, batches->types);
    fine__free(batches->ctx, batches->labels);
    fine__free(batches->ctx, batches->values);
    fine__free(batches->ctx, batches->starts);
    fine__free(batches->ctx, batches->ends);
    fine__free(batches->ctx, batches->offsets);
    fine__context_unref(batches->ctx);
    *batches = (struct fine__batches){ .ctx = NULL };
}

struct fine__step_plan
fine__batches_plan(const struct fine__batches *batches, int64_t step)
{
    struct fine__step_plan plan = { .epoch = step / batches->steps_per_epoch };
    const int64_t n_rows = batches->examples->n_rows;
    int64_t end;

    plan.first = step % batches->steps_per_epoch * batches->accumulate;
    plan.n_batches = batches->batches_per_epoch - plan.first;
    if (plan.n_batches > batches->accumulate)
        plan.n_batches = batches->accumulate;
    end = (plan.first + plan.n_batches) * batches->batch_size;
    plan.n_rows = (end < n_rows ? end : n_rows) - plan.first * batches->batch_size;
    return plan;
}

static void
put_in_order(struct fine__batches *batches, int64_t epoch)
{
    if (batches->ordered_epoch == epoch)
        return;
    for (int64_t i = 0; i < batches->examples->n_rows; i++)
        batches->order[i] = i;
    fine__rng_shuffle(fine__rng_key(batches->seed, FINE__RNG_SHUFFLE, epoch, 0), batches->order,
                      batches->examples->n_rows);
    batches->ordered_epoch = epoch;
}

/* Example i of the batch, whose ids begin at `at`, is number `row` of all. */
static void
pack_targets(struct fine__batches *batches, int64_t i, int64_t at, int64_t row)
{
    const struct fine__examples *examples = batches->examples;
    const int64_t n = examples->n_values;

    if (batches->labels != NULL && examples->labels_per_id)
        memcpy(batches->labels + at, examples->labels + examples->offsets[row],
               (size_t)(examples->offsets[row + 1] - examples->offsets[row]) *
                   sizeof *batches->labels);
    else if (batches->labels != NULL)
        batches->labels[i] = examples->labels[row];
    if (batches->values != NULL)
        memcpy(batches->values + i * n, examples->values + row * n,
               (size_t)n * sizeof *batches->values);
    if (batches->starts != NULL) {
        batches->starts[i] = examples->starts[row];
        batches->ends[i] = examples->ends[row];
    }
}

struct fine__batch
fine__batches_pack(struct fine__batches *batches, int64_t epoch, int64_t index)
{
    const struct fine__examples *examples = batches->examples;
    const int64_t from = index * batches->batch_size;
    int64_t n = examples->n_rows - from, at = 0;

    put_in_order(batches, epoch);
    if (n > batches->batch_size)
        n = batches->batch_size;
    batches->offsets[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = batches->order[from + i];
        const int64_t first = examples->offsets[row], length = examples->offsets[row + 1] - first;

        memcpy(batches->ids + at, examples->ids + first, (size_t)length * sizeof *batches->ids);
        if (batches->types != NULL)
            memcpy(batches->types + at, examples->types + first,
                   (size_t)length * sizeof *batches->types);
        pack_targets(batches, i, at, row);
        at += length;
        batches->offsets[i + 1] = at;
    }
    return (struct fine__batch){ .n_seqs = n,
                                 .n_tokens = at,
                                 .ids = batches->ids,
                                 .types = batches->types,
                                 .offsets = batches->offsets,
                                 .labels = batches->labels,
                                 .values = batches->values,
                                 .starts = batches->starts,
                                 .ends = batches->ends };
}

struct fine__batch
fine__batches_slice(const struct fine__examples *examples, int64_t first, int64_t n,
                    int64_t *offsets)
{
    const int64_t from = examples->offsets[first];
    struct fine__batch batch = { .n_seqs = n, .ids = examples->ids + from, .offsets = offsets };

    for (int64_t i = 0; i <= n; i++)
        offsets[i] = examples->offsets[first + i] - from;
    batch.n_tokens = offsets[n];
    if (examples->types != NULL)
        batch.types = examples->types + from;
    if (examples->labels != NULL)
        batch.labels = examples->labels + (examples->labels_per_id ? from : first);
    if (examples->values != NULL)
        batch.values = examples->values + first * examples->n_values;
    if (examples->starts != NULL) {
        batch.starts = examples->starts + first;
        batch.ends = examples->ends + first;
    }
    return batch;
}
