/*
 * safetensors.h — weights as files: one file, or an index and shards; of safetensors, or read
 * only and without running anything, as torch.save writes (torch_file.c).
 *
 * Format: 8 bytes little-endian header length, a JSON header of at most 100 MB, then
 * the data, which the offsets must cover without holes or overlaps
 * (github.com/huggingface/safetensors, README "Format").
 */
#ifndef FINE__SAFETENSORS_H
#define FINE__SAFETENSORS_H

#include "base/source.h"
#include <finetune/tensors.h>

struct fine__weights; /* opened: headers read and checked, data still in the files */

struct fine__weight {
    const char *name;      /* valid UTF-8 */
    const int64_t *shape;  /* NULL where n_dims is 0 */
    int64_t n_dims, count; /* count: elements */
    int32_t type;          /* FINE_F32 … */
};

/* Errors of opening: FINE_EIO: not there or unreadable; FINE_EFORMAT: malformed, or another
 * kind of file; FINE_EUNSUPPORTED: the folder has weights of other kinds only; FINE_ENOMEM.
 * Everything wrong with the layout of a file, or between an index and its shards, is a
 * finding of its own. One thread at a time. */

/* The first of model.safetensors, model.safetensors.index.json and its shards,
 * pytorch_model.bin, pytorch_model.bin.index.json and its shards; or the one file that the
 * source is. */
int fine__weights_open(struct fine__weights **out, fine_context *ctx,
                       const struct fine__source *source);
/* Would that find any? */
bool fine__weights_are_in(const struct fine__source *source);
/* One file of the source by name ("head.safetensors"), or an index ("….index.json"). */
int fine__weights_open_file(struct fine__weights **out, fine_context *ctx,
                            const struct fine__source *source, const char *name);
/* A file, an index, or a folder. */
int fine__weights_open_path(struct fine__weights **out, fine_context *ctx, const char *path);
void fine__weights_free(struct fine__weights *weights);
/* In the order of the data; shards one after the other. */
int64_t fine__weights_count(const struct fine__weights *weights);
const struct fine__weight *fine__weights_at(const struct fine__weights *weights, int64_t i);
int64_t fine__weights_find(const struct fine__weights *weights,
                           const char *name); /* -1: not there */
/* The file that holds it, for messages. */
const char *fine__weights_file(const struct fine__weights *weights, int64_t i);
size_t fine__weights_bytes(const struct fine__weights *weights, int64_t i);
/* Element by element to float (F32 bit for bit, F16, BF16, F64); other types: FINE_ESHAPE. */
int fine__weights_read_floats(struct fine__weights *weights, int64_t i, float *out);
/* The bytes as they are. */
int fine__weights_read_raw(struct fine__weights *weights, int64_t i, void *out);
/* XXH3-128 over the names in bytewise order, and each one's type, shape and bytes: the same
 * for one file and for shards, whatever the order. Reads everything once. */
int fine__weights_fingerprint(struct fine__weights *weights, char out[33]);

size_t fine__type_size(int32_t type);         /* 0: unknown */
const char *fine__type_name(int32_t type);    /* "F32"; NULL: unknown */
int32_t fine__type_by_name(const char *name); /* 0: unknown */
/* Elements of a shape, and bytes. FINE_EINVAL without a finding: unknown type, negative, or
 * beyond 2^63 - 1. */
int fine__shape_size(int32_t type, int64_t n_dims, const int64_t *shape, int64_t *count_out,
                     int64_t *bytes_out);

/* Writing: entries are written in the order given. metadata: pairs key, value (2 * n_metadata
 * texts); may be NULL. FINE_EINVAL: a name that is given twice or can't be written, an unknown
 * type, a bad shape. */
struct fine__weight_out {
    const char *name;
    const int64_t *shape;
    int64_t n_dims;
    int32_t type;
    const void *data;
};
int fine__safetensors_write(fine_context *ctx, const char *path,
                            const struct fine__weight_out *entries, int64_t count,
                            const char *const *metadata, int64_t n_metadata);
/* The same through a writer that is open already; neither commits nor abandons it. */
int fine__safetensors_write_to(struct fine__writer *writer, const struct fine__weight_out *entries,
                               int64_t count, const char *const *metadata, int64_t n_metadata);
/* The same into memory. */
int fine__safetensors_append(struct fine__buf *out, const struct fine__weight_out *entries,
                             int64_t count, const char *const *metadata, int64_t n_metadata);

#endif
