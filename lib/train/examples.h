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
    int64_t n_rows;
    const int32_t *ids, *types;   /* types NULL: all 0 */
    const int64_t *offsets;       /* n_rows + 1 */
    int32_t *labels;              /* classify, in the model's order */
    float *values;                /* regress */
    int64_t longest, n_truncated; /* ids of the longest row; rows that lost some */
    int32_t *own_ids, *own_types; /* NULL where the dataset's own are used */
    int64_t *own_offsets;
};

/*
 * Encodes in parallel; the result doesn't depend on the number of threads. Every row is
 * checked: a label the model knows (or a finite number), at most max_length ids, ids of
 * the vocabulary. `what` ("training data") begins the messages.
 * FINE_EDATA with every finding; FINE_ESTATE: no task, or no tokenizer; FINE_ENOMEM.
 */
int fine__examples_encode(struct fine__examples *out, fine_model *model, fine_dataset *dataset,
                          const char *what);
void fine__examples_free(struct fine__examples *examples);
/* XXH3-128 of ids, offsets and targets. */
int fine__examples_fingerprint(const struct fine__examples *examples, char out[33]);

#endif
