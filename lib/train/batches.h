/*
 * batches.h — which rows come when, and how they are packed.
 *
 * The order of an epoch is a function of seed and epoch, so a place in the run is one
 * number, the step. What is counted here as a row is a unit of examples.h: mostly an example.
 */
#ifndef FINE__BATCHES_H
#define FINE__BATCHES_H

#include "train/examples.h"

struct fine__batches {
    fine_context *ctx;
    const struct fine__examples *examples;
    int64_t batch_size, accumulate, seed;
    int64_t batches_per_epoch, steps_per_epoch;
    int64_t *order, ordered_epoch; /* the order of this epoch; -1: none yet */
    int32_t *ids, *types, *labels; /* the packed batch */
    float *values;
    int32_t *starts, *ends;
    int64_t *offsets;
    struct fine__picture_batches *pictures; /* in place of ids; NULL: none */
    struct fine__noise *noise;              /* the texts' augmentation; NULL: none. Freed with this */
    int status;                    /* of the last pack: a picture may be gone. 0, or the error */
};

/* The micro-batches of a step. */
struct fine__step_plan {
    int64_t epoch, first, n_batches, n_rows;
};

int fine__batches_init(struct fine__batches *batches, const struct fine__examples *examples,
                       int64_t batch_size, int64_t accumulate, int64_t seed);
void fine__batches_free(struct fine__batches *batches);
struct fine__step_plan fine__batches_plan(const struct fine__batches *batches, int64_t step);
/* Which units (rows, or blocks of examples) make micro-batch `index` of an epoch; until the next
 * call. */
const int64_t *fine__batches_units(struct fine__batches *batches, int64_t epoch, int64_t index,
                                   int64_t *n_out);
/* Packs micro-batch `index` of an epoch; lives until the next. Allocates nothing. */
struct fine__batch fine__batches_pack(struct fine__batches *batches, int64_t epoch, int64_t index);
/* Rows first to first + n in the order of the data, without copying: for evaluation. */
struct fine__batch fine__batches_slice(const struct fine__examples *examples, int64_t first,
                                       int64_t n, int64_t *offsets);

#endif
