/*
 * batch.h — sequences packed one after another: no padding is ever computed.
 */
#ifndef FINE__BATCH_H
#define FINE__BATCH_H

#include <stdint.h>

struct fine__batch {
    int64_t n_seqs, n_tokens;
    const int32_t *ids;             /* n_tokens */
    const int32_t *types;           /* n_tokens; NULL: all 0 */
    const int32_t *positions;       /* filled in by the runner: counted from each sequence's start */
    const int64_t *offsets;         /* n_seqs + 1: sequence i is [offsets[i], offsets[i + 1]) */
    const int32_t *labels;          /* n_seqs class indices, -1: none; or NULL */
    const float *values;            /* n_seqs regression targets; or NULL */
};

#endif
