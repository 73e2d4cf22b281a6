/*
 * examples.h — a dataset as a model reads it: ids of all rows one after another.
 */
#ifndef FINE__EXAMPLES_H
#define FINE__EXAMPLES_H

#include "data/dataset.h"
#include "models/model.h"

struct fine__examples {
    fine_context *ctx;
    fine_dataset *dataset; /* held: groups and names of rows come from it */
    int64_t n_rows;               /* examples: what a batch counts, and an epoch shuffles */
    const int64_t *row_of;        /* the row of the dataset of each, ascending; NULL: its own number */
    const int32_t *ids, *types;   /* types NULL: all 0 */
    const int64_t *offsets;       /* n_rows + 1 */
    /* Targets that the task has; others NULL. Where they are missing in data to predict for: NULL. */
    int32_t *labels;              /* classes in the model's order, one an example */
    bool labels_per_id;           /* or one an id; -1: not counted */
    float *values;                /* n_values an example */
    int64_t n_values;
    int32_t *starts, *ends;       /* answer: places among the example's ids, -1: not counted */
    int32_t *pieces;              /* tag, answer: 2 an id: the bytes of its text that it stands for */
    bool *goes_on;                /* with pieces: the id is of the same word as the one before */
    int64_t *n_lost;              /* with pieces: ids cut off a row */
    struct fine__pictures *pictures; /* classify-image: no ids, pixels are made as needed; or NULL */
    struct fine__masking *masking; /* fill-mask: labels are made anew for each epoch; else NULL */
    int64_t *blocks, n_blocks;    /* n_blocks + 1: block i is examples [blocks[i], blocks[i + 1]),
                                   * which a batch counts as one and an epoch shuffles together;
                                   * NULL: each example is one */
    int64_t longest, n_truncated; /* ids of the longest row; rows that lost some */
    int32_t *own_ids, *own_types; /* NULL where the dataset's own are used */
    int64_t *own_offsets, *own_rows;
    void *own;                    /* the task's own; freed by its drop() */
    void (*drop)(struct fine__examples *examples);
};

/*
 * Encodes in parallel; the result doesn't depend on the number of threads. Every row is
 * checked: a label the model knows (or a finite number), at most max_length ids, ids of
 * the vocabulary. `what` ("training data") begins the messages.
 * FINE_EDATA with every finding; FINE_ESTATE: no task, or no tokenizer; FINE_ENOMEM.
 */
int fine__examples_encode(struct fine__examples *out, fine_model *model, fine_dataset *dataset,
                          const char *what);
/* The row of the dataset that an example comes from. */
static inline int64_t
fine__examples_row(const struct fine__examples *examples, int64_t i)
{
    return examples->row_of != NULL ? examples->row_of[i] : i;
}
/* How many there are of what a batch counts. */
static inline int64_t
fine__examples_units(const struct fine__examples *examples)
{
    return examples->blocks != NULL ? examples->n_blocks : examples->n_rows;
}
/* The first example of a unit; that of the unit after the last is n_rows. */
static inline int64_t
fine__examples_of(const struct fine__examples *examples, int64_t unit)
{
    return examples->blocks != NULL ? examples->blocks[unit] : unit;
}
/* For encoders: where a row stands, for messages: "line 7", "row 7". */
const char *fine__examples_place(const struct fine__examples *examples, int64_t row, char out[40]);
/* Texts to ids, row by row, in parallel: ids, types, offsets; pieces too where asked for. */
int fine__examples_tokenize(struct fine__examples *out, const fine_model *model, bool pieces);
/* The same without special ids and uncut, one example a row; where rows are pairs, types says of
 * which text an id is. */
int fine__examples_tokenize_bare(struct fine__examples *out, const fine_model *model, bool pieces);
void fine__examples_free(struct fine__examples *examples);
/* XXH3-128 of ids, offsets and targets. */
int fine__examples_fingerprint(const struct fine__examples *examples, char out[33]);

#endif
