/*
 * safetensors.h — weights as files: one safetensors file, or an index and shards.
 *
 * Format: 8 bytes little-endian header length, a JSON header of at most 100 MB, then
 * the data, which the offsets must cover without holes or overlaps
 * (github.com/huggingface/safetensors, README "Format").
 */
#ifndef FINE__SAFETENSORS_H
#define FINE__SAFETENSORS_H

#include "base/source.h"
#include <finetune/tensors.h>

struct fine__weights;                 /* opened: headers read and checked, data still in the files */

struct fine__weight {
    const char *name;
    const int64_t *shape;
    int64_t n_dims, count;            /* count: elements */
    int32_t type;                     /* FINE_F32 … */
};

/* model.safetensors, or model.safetensors.index.json and its shards. */
int fine__weights_open(struct fine__weights **out, fine_context *ctx, const struct fine__source *source);
/* One file of the source by name ("head.safetensors"). */
int fine__weights_open_file(struct fine__weights **out, fine_context *ctx, const struct fine__source *source, const char *name);
int fine__weights_open_path(struct fine__weights **out, fine_context *ctx, const char *path);
void fine__weights_free(struct fine__weights *weights);
int64_t fine__weights_count(const struct fine__weights *weights);
const struct fine__weight *fine__weights_at(const struct fine__weights *weights, int64_t i);
int64_t fine__weights_find(const struct fine__weights *weights, const char *name);     /* -1: not there */
/* Element by element to float (F32 bit for bit, F16, BF16, F64); other types: FINE_ESHAPE. */
int fine__weights_read_floats(struct fine__weights *weights, int64_t i, float *out);
/* The bytes as they are. */
int fine__weights_read_raw(struct fine__weights *weights, int64_t i, void *out);
size_t fine__type_size(int32_t type);                 /* 0: unknown */

/* Writing: entries are written in the order given. metadata: pairs key, value; may be NULL. */
struct fine__weight_out {
    const char *name;
    const int64_t *shape;
    int64_t n_dims;
    int32_t type;
    const void *data;
};
int fine__safetensors_write(fine_context *ctx, const char *path, const struct fine__weight_out *entries,
                            int64_t count, const char *const *metadata, int64_t n_metadata);
/* The same into memory, for tests and for files of a checkpoint. */
int fine__safetensors_append(struct fine__buf *out, const struct fine__weight_out *entries,
                             int64_t count, const char *const *metadata, int64_t n_metadata);

#endif
