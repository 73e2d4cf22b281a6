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
#include "train/masking.h"
#include "train/noise.h"
#include "train/picture_batches.h"

static int64_t
quotient_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The most ids, and the most sequences, that a unit has. */
static void
find_largest(const struct fine__examples *examples, int64_t *ids, int64_t *sequences)
{
    *ids = examples->longest;
    *sequences = 1;
    for (int64_t i = 0; examples->blocks != NULL && i < examples->n_blocks; i++) {
        const int64_t first = examples->blocks[i], end = examples->blocks[i + 1];
        const int64_t n = examples->offsets[end] - examples->offsets[first];

        *ids = n > *ids ? n : *ids;
        *sequences = end - first > *sequences ? end - first : *sequences;
    }
}

/* How many batches and steps there are; and the order, which every epoch changes. */
static int
count_batches(struct fine__batches *batches, int64_t accumulate)
{
    const int64_t n_units = fine__examples_units(batches->examples);

    batches->batches_per_epoch = quotient_up(n_units, batches->batch_size);
    batches->accumulate =
        accumulate < batches->batches_per_epoch ? accumulate : batches->batches_per_epoch;
    batches->steps_per_epoch = quotient_up(batches->batches_per_epoch, batches->accumulate);
    batches->order = fine__alloc(batches->ctx, (size_t)n_units * sizeof *batches->order);
    return batches->order != NULL ? FINE_OK : FINE_ENOMEM;
}

static int
init_pictures(struct fine__batches *batches, const struct fine__examples *examples,
              int64_t batch_size, int64_t accumulate, int64_t seed)
{
    const int64_t n_rows = examples->n_rows, size = batch_size < n_rows ? batch_size : n_rows;
    int rc;

    *batches = (struct fine__batches){ .ctx = fine__context_ref(examples->ctx),
                                       .examples = examples,
                                       .batch_size = size,
                                       .seed = seed,
                                       .ordered_epoch = -1 };
    rc = count_batches(batches, accumulate);
    if (rc == FINE_OK)
        rc = fine__picture_batches_new(&batches->pictures, examples->pictures, size, seed);
    if (rc < 0)
        fine__batches_free(batches);
    return rc;
}

int
fine__batches_init(struct fine__batches *batches, const struct fine__examples *examples,
                   int64_t batch_size, int64_t accumulate, int64_t seed)
{
    if (examples->pictures != NULL)
        return init_pictures(batches, examples, batch_size, accumulate, seed);
    fine_context *ctx = examples->ctx;
    const int64_t n_units = fine__examples_units(examples);
    const int64_t n_ids = examples->offsets[examples->n_rows];
    const int64_t size = batch_size < n_units ? batch_size : n_units;
    int64_t longest, sequences;

    find_largest(examples, &longest, &sequences);
    const int64_t most = longest < n_ids / size ? size * longest : n_ids;
    const int64_t most_sequences =
        sequences < examples->n_rows / size ? size * sequences : examples->n_rows;

    *batches = (struct fine__batches){ .ctx = fine__context_ref(ctx),
                                       .examples = examples,
                                       .batch_size = size,
                                       .seed = seed,
                                       .ordered_epoch = -1 };
    bool failed = count_batches(batches, accumulate) < 0;

    batches->ids = fine__alloc(ctx, (size_t)most * sizeof *batches->ids);
    batches->offsets = fine__alloc(ctx, (size_t)(most_sequences + 1) * sizeof *batches->offsets);
    failed = failed || batches->ids == NULL || batches->offsets == NULL;

    if (examples->types != NULL) {
        batches->types = fine__alloc(ctx, (size_t)most * sizeof *batches->types);
        failed = failed || batches->types == NULL;
    }
    if (examples->labels != NULL || examples->masking != NULL) {
        const int64_t n = examples->labels_per_id || examples->masking != NULL ? most
                                                                               : most_sequences;

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
    fine__picture_batches_free(batches->pictures);
    fine__noise_free(batches->noise);
    fine__context_unref(batches->ctx);
    *batches = (struct fine__batches){ .ctx = NULL };
}

struct fine__step_plan
fine__batches_plan(const struct fine__batches *batches, int64_t step)
{
    struct fine__step_plan plan = { .epoch = step / batches->steps_per_epoch };
    const int64_t n_rows = fine__examples_units(batches->examples);
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
    const int64_t n = fine__examples_units(batches->examples);

    if (batches->ordered_epoch == epoch)
        return;
    for (int64_t i = 0; i < n; i++)
        batches->order[i] = i;
    fine__rng_shuffle(fine__rng_key(batches->seed, FINE__RNG_SHUFFLE, epoch, 0), batches->order,
                      n);
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

/* Example `row` as the i-th of the batch, its ids from `at` on; where the next one's begin. */
static int64_t
pack_example(struct fine__batches *batches, int64_t epoch, int64_t i, int64_t at, int64_t row)
{
    const struct fine__examples *examples = batches->examples;
    const int64_t first = examples->offsets[row];
    int64_t length = examples->offsets[row + 1] - first;

    if (batches->types != NULL)
        memcpy(batches->types + at, examples->types + first,
               (size_t)length * sizeof *batches->types);
    if (examples->masking != NULL) {
        fine__mask_examples(examples, batches->seed, epoch, row, 1, batches->ids + at,
                            batches->labels + at);
    } else {
        memcpy(batches->ids + at, examples->ids + first, (size_t)length * sizeof *batches->ids);
        pack_targets(batches, i, at, row);
    }
    if (batches->noise != NULL)
        length = fine__noise_apply(
            batches->noise, fine__rng_key(batches->seed, FINE__RNG_AUGMENT, epoch, row),
            batches->ids + at, batches->types != NULL ? batches->types + at : NULL, length);
    batches->offsets[i + 1] = at + length;
    return at + length;
}

const int64_t *
fine__batches_units(struct fine__batches *batches, int64_t epoch, int64_t index, int64_t *n_out)
{
    const int64_t from = index * batches->batch_size;
    const int64_t left = fine__examples_units(batches->examples) - from;

    put_in_order(batches, epoch);
    *n_out = left < batches->batch_size ? left : batches->batch_size;
    return batches->order + from;
}

/* Which rows the index-th batch of an epoch has; none beyond its end. */
static struct fine__picture_plan
plan_pictures(const struct fine__batches *batches, int64_t epoch, int64_t index)
{
    const int64_t from = index * batches->batch_size, left = batches->examples->n_rows - from;

    return (struct fine__picture_plan){ .epoch = epoch,
                                        .index = index,
                                        .n = left < 0 ? 0
                                             : left < batches->batch_size ? left
                                                                          : batches->batch_size,
                                        .rows = batches->order + from };
}

static struct fine__batch
pack_pictures(struct fine__batches *batches, int64_t epoch, int64_t index)
{
    struct fine__batch batch = { 0 };
    const struct fine__picture_plan now = plan_pictures(batches, epoch, index);
    const struct fine__picture_plan next = plan_pictures(batches, epoch, index + 1);

    batches->status = fine__picture_batches_pack(batches->pictures, &now, &next,
                                                 batches->examples->labels, &batch);
    return batch;
}

struct fine__batch
fine__batches_pack(struct fine__batches *batches, int64_t epoch, int64_t index)
{
    const struct fine__examples *examples = batches->examples;
    const int64_t from = index * batches->batch_size;
    int64_t n = fine__examples_units(examples) - from, at = 0, n_seqs = 0;

    put_in_order(batches, epoch);
    if (batches->pictures != NULL)
        return pack_pictures(batches, epoch, index);
    if (n > batches->batch_size)
        n = batches->batch_size;
    batches->offsets[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t unit = batches->order[from + i], end = fine__examples_of(examples, unit + 1);

        for (int64_t row = fine__examples_of(examples, unit); row < end; row++)
            at = pack_example(batches, epoch, n_seqs++, at, row);
    }
    return (struct fine__batch){ .n_seqs = n_seqs,
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
