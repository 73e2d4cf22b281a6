/*
 * placing.h — the new files of a model folder, aside until all of them are complete.
 *
 * Everything is written to a hidden folder within the model's first; a full disk or a failed
 * write therefore leaves the old model as it was. Then files are only renamed: weights last,
 * and of several shards the index last, under names that the old index doesn't use.
 */
#ifndef FINE__PLACING_H
#define FINE__PLACING_H

#include "io/safetensors.h"

struct fine__placing {
    fine_context *ctx;
    const char *folder; /* borrowed */
    char *aside;        /* where files are written */
    int64_t n_shards;   /* of the weights: 1: one file; 0: none were written */
    const char *stem;   /* of the names of shards */
};

/* Makes both folders; what an interrupted save left aside is removed. On error nothing is
 * to be ended. */
int fine__placing_begin(struct fine__placing *p, fine_context *ctx, const char *folder);
/* model.safetensors, or above max_bytes of tensors shards and their index. */
int fine__placing_write(struct fine__placing *p, const struct fine__weight_out *list, int64_t n,
                        int64_t max_bytes);
/* One file into its place. */
int fine__placing_move(struct fine__placing *p, const char *name);
/* All but weights and adapter_config.json. */
int fine__placing_move_files(struct fine__placing *p);
/* The weights, after which older ones are removed. */
int fine__placing_move_weights(struct fine__placing *p);
/* Weights of a whole model that lie in the folder, but for those just placed. */
int fine__placing_remove_weights(struct fine__placing *p);
void fine__placing_end(struct fine__placing *p);

#endif
