/*
 * weights.h — how opened weights are kept: one list over all files.
 *
 * Names point into the headers' texts, which are kept; shapes lie one after the other in
 * one array. So a header of a million tensors costs little more than itself. Safetensors and
 * PyTorch's files make the same list.
 */
#ifndef FINE__WEIGHTS_H
#define FINE__WEIGHTS_H

#include "base/map.h"
#include "io/safetensors.h"

struct fine__weights_part {
    struct fine__blob blob;
    char *header; /* names within it are NUL-terminated */
    int64_t data_from;
};

struct fine__weights_entry {
    struct fine__weight weight;
    int64_t shape_at; /* index in shapes, until they stay where they are */
    int64_t from, to; /* within the data of its part */
    int64_t part;
    int64_t strides_at; /* in shapes; 0: elements follow each other */
    int64_t block;      /* index in blocks, plus one; 0: in none */
};

/* Bytes of a file with a checksum, compared before the first of them is used. */
struct fine__weights_block {
    int64_t part, from, bytes;
    uint32_t crc;
    bool is_checked;
};

struct fine__weights {
    fine_context *ctx;
    struct fine__weights_part *parts;
    int64_t n_parts, parts_capacity;
    struct fine__weights_entry *list;
    int64_t count, capacity;
    int64_t *shapes;
    int64_t n_shapes, shapes_capacity;
    struct fine__map names; /* to the index in list */
    bool bad;               /* while opening: a finding was added */
    void *chunk;            /* for conversions, made when first needed */
    struct fine__weights_block *blocks;
    int64_t n_blocks, blocks_capacity;
    void *span; /* where elements don't follow each other: all bytes that they lie among */
};

int fine__weights_new(struct fine__weights **out, fine_context *ctx);
/* Opens one more file. Takes the blob over, in either case. */
int fine__weights_add_part(struct fine__weights *weights, struct fine__blob *blob);
/* Nothing grows any more: sets the shapes' pointers. */
void fine__weights_settle(struct fine__weights *weights);

/* Entries from `begin` on are in place: their names are made known. Names that are there
 * already are findings, with weights->bad set. */
int fine__weights_register(struct fine__weights *weights, int64_t begin);

/* An index and all its shards. */
int fine__shards_open(struct fine__weights **out, fine_context *ctx,
                      const struct fine__source *source, const char *name);

/* Reads and checks the header of parts[part], whose blob is open, and appends its entries
 * in the order of their data, shape_at in place of shape. What is wrong with single tensors
 * are findings added with weights->bad set, and 0; anything else is a failure. */
int fine__header_read(struct fine__weights *weights, int64_t part);

/* The same for a file of PyTorch's, which begins with a zip archive or a pickle. */
int fine__torch_read(struct fine__weights *weights, int64_t part);
bool fine__torch_begins(const unsigned char *bytes, size_t length);

#endif
