/*
 * norms.h — the batch norms of a model: what of them is trained, and what only moves.
 *
 * Weight and bias are parameters like any other. The running statistics and the count of
 * batches are buffers: never trained, no part of any total, but read from checkpoints and
 * written to them. A norm goes by the batch's own statistics, and moves the running ones,
 * where it is trained in a training pass; anywhere else it reads the running ones.
 */
#ifndef FINE__NORMS_H
#define FINE__NORMS_H

#include "tensor/tensor.h"

struct fine__weight_out;

/* Of all norms of a model; one block, which begins at batches. */
struct fine__statistics {
    int64_t *batches;               /* one a norm: how many moved it */
    fine__real *values;             /* a norm's means, then its variances */
};

enum fine__buffer { FINE__RUNNING_MEAN, FINE__RUNNING_VARIANCE, FINE__BATCHES, FINE__N_BUFFERS };

struct fine__norm {
    int64_t weight;                 /* index of the parameter; its bias is the next */
    int64_t channels, at;           /* its place in values */
    double eps, momentum;
    char *names[FINE__N_BUFFERS];   /* in the checkpoint, as parameters have theirs */
    bool uncounted;                 /* the checkpoint has no count of batches */
};

struct fine__norms {
    struct fine__norm *list;
    int64_t count, capacity;
    int64_t n_values;
    struct fine__statistics now;
};

void fine__norms_free(fine_context *ctx, struct fine__norms *norms);
/* Declares one; its number, -1 where memory is out. base: NAME of NAME.running_mean. */
int64_t fine__norms_add(fine_context *ctx, struct fine__norms *norms, const struct fine__norm *like,
                        const char *base);
/* Statistics of a model that has seen nothing: means 0, variances 1. */
int fine__norms_allocate(fine_context *ctx, struct fine__norms *norms);

/* Room for a copy; freed with fine__statistics_free(). */
int fine__statistics_new(fine_context *ctx, const struct fine__norms *norms,
                         struct fine__statistics *out);
void fine__statistics_free(fine_context *ctx, struct fine__statistics *statistics);
void fine__statistics_copy(const struct fine__norms *norms, struct fine__statistics *to,
                           const struct fine__statistics *from);

/* A buffer as it goes into a file. */
struct fine__weight_out fine__norm_entry(const struct fine__norm *norm,
                                         const struct fine__norms *norms,
                                         enum fine__buffer buffer);
/* The norm and buffer of this name; false: none. */
bool fine__norms_find(const struct fine__norms *norms, const char *name, int64_t *norm_out,
                      enum fine__buffer *buffer_out);

#endif
