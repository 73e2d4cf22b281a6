/*
 * batch.h — sequences packed one after another: no padding is ever computed; or images.
 */
#ifndef FINE__BATCH_H
#define FINE__BATCH_H

#include <stdint.h>

struct fine__criterion;
struct fine__past;
struct fine__statistics;

struct fine__batch {
    int64_t n_seqs, n_tokens;
    const int32_t *ids;             /* n_tokens */
    const int32_t *types;           /* n_tokens; NULL: all 0 */
    const int32_t *positions;       /* filled in by the runner: counted from each sequence's start */
    const int64_t *offsets;         /* n_seqs + 1: sequence i is [offsets[i], offsets[i + 1]) */
    /* What is kept of each sequence, n_seqs of them, where they go on from there: a decoder keeps
     * the new tokens too, and the runner counts them. NULL: sequences are whole. */
    struct fine__past *const *past;
    /* Images in place of ids: n_seqs of them, channels last, normalised; n_tokens is 0. */
    const float *pixels;
    int64_t height, width;
    /* Filled in by the runner: running statistics to read, and to move where a batch norm is
     * trained; NULL: evaluation by the model's own. */
    const struct fine__statistics *statistics;
    /* Targets, NULL where there are none; which of them a task reads: kinds.h. */
    const int32_t *labels;          /* n_seqs or n_tokens class indices, -1: none */
    const float *values;            /* n_seqs numbers, or n_seqs x n labels of [0, 1] */
    const float *shares;            /* images that were mixed: n_seqs x n labels, in place of labels */
    const int32_t *starts, *ends;   /* n_seqs places within the sequence, -1: none */
    const struct fine__criterion *criterion;    /* how the loss counts classes; NULL: all alike */
};

#endif
