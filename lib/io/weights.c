/*
 * weights.c — opened weights: finding the files, and reading single tensors.
 *
 * Data are read when asked for, floats of the right type straight to where they belong,
 * others through at most 1 MB of scratch; a view whose elements don't follow each other (only
 * PyTorch's files have such) through a copy of what it spans. A file's bytes say what it is,
 * but one that calls itself safetensors must be that.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "io/foreign.h"
#include "io/gather.h"
#include "io/half.h"
#include "io/weights.h"
#include "io/zip.h"

#if defined __BYTE_ORDER__ && defined __ORDER_LITTLE_ENDIAN__
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors are little-endian, and read without conversion");
#endif

enum { CHUNK = 1 << 20 };

int
fine__weights_new(struct fine__weights **out, fine_context *ctx)
{
    struct fine__weights *weights = fine__alloc_array(ctx, 1, sizeof *weights);

    if (weights == NULL)
        return FINE_ENOMEM;
    weights->ctx = fine__context_ref(ctx);
    fine__map_init(&weights->names, ctx);
    *out = weights;
    return 0;
}

void
fine__weights_free(struct fine__weights *weights)
{
    fine_context *ctx;

    if (weights == NULL)
        return;
    ctx = weights->ctx;
    for (int64_t i = 0; i < weights->n_parts; i++) {
        fine__blob_close(&weights->parts[i].blob);
        fine__free(ctx, weights->parts[i].header);
    }
    fine__map_free(&weights->names);
    fine__free(ctx, weights->parts);
    fine__free(ctx, weights->list);
    fine__free(ctx, weights->shapes);
    fine__free(ctx, weights->chunk);
    fine__free(ctx, weights->blocks);
    fine__free(ctx, weights->span);
    fine__free(ctx, weights);
    fine__context_unref(ctx);
}

int
fine__weights_add_part(struct fine__weights *w, struct fine__blob *blob)
{
    unsigned char start[FINE__FOREIGN_BYTES];
    const size_t n = blob->size < FINE__FOREIGN_BYTES ? (size_t)blob->size : sizeof start;
    int rc = fine__grow(w->ctx, &w->parts, &w->parts_capacity, w->n_parts + 1, sizeof *w->parts);

    if (rc < 0) {
        fine__blob_close(blob);
        return rc;
    }
    w->parts[w->n_parts++] = (struct fine__weights_part){ .blob = *blob };
    if (fine__path_has_suffix(blob->name, ".safetensors"))
        return fine__header_read(w, w->n_parts - 1);
    FINE__TRY(fine__blob_read_at(&w->parts[w->n_parts - 1].blob, start, n, 0));
    return fine__torch_begins(start, n) ? fine__torch_read(w, w->n_parts - 1)
                                        : fine__header_read(w, w->n_parts - 1);
}

int
fine__weights_register(struct fine__weights *w, int64_t begin)
{
    for (int64_t i = begin; i < w->count; i++) {
        const char *name = w->list[i].weight.name, *file = w->parts[w->list[i].part].blob.name;
        const int rc = fine__map_put(&w->names, name, strlen(name), i);
        int64_t other;

        FINE__TRY(rc);
        if (rc == 0)
            continue;
        w->bad = true;
        other = fine__map_get_cstr(&w->names, name);
        if (other >= begin)
            fine__also(FINE_EFORMAT, "%s: tensor '%s': two tensors have this name", file, name);
        else
            fine__also(FINE_EFORMAT, "tensor '%s' stands in two shards: %s and %s", name,
                       w->parts[w->list[other].part].blob.name, file);
    }
    return 0;
}

void
fine__weights_settle(struct fine__weights *w)
{
    for (int64_t i = 0; i < w->count; i++)
        if (w->list[i].weight.n_dims > 0)
            w->list[i].weight.shape = w->shapes + w->list[i].shape_at;
}

static int
open_blob(struct fine__weights **out, fine_context *ctx, struct fine__blob *blob)
{
    struct fine__weights *w;
    int rc = fine__weights_new(&w, ctx);

    if (rc < 0) {
        fine__blob_close(blob);
        return rc;
    }
    fine__error_clear();
    rc = fine__weights_add_part(w, blob);
    if (rc == 0 && w->bad)
        rc = FINE_EFORMAT;
    if (rc < 0) {
        fine__weights_free(w);
        return rc;
    }
    fine__weights_settle(w);
    *out = w;
    return 0;
}

/* ---- opening ---- */

static const char index_suffix[] = ".index.json";

int
fine__weights_open_file(struct fine__weights **out, fine_context *ctx,
                        const struct fine__source *source, const char *name)
{
    struct fine__blob blob;

    if (fine__path_has_suffix(name, index_suffix))
        return fine__shards_open(out, ctx, source, name);
    FINE__TRY(fine__blob_open(&blob, source, name));
    return open_blob(out, ctx, &blob);
}

/* NULL: the folder has none. */
static const char *
find_weights(const struct fine__source *source)
{
    static const char *const names[] = { "model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin", "pytorch_model.bin.index.json" };
    /* Of a file that is all there is in memory. */
    static const char *const suffixes[] = { ".safetensors", ".bin", ".pt", ".pth", ".th" };

    for (int64_t i = 0; i < FINE__COUNT(names); i++)
        if (fine__source_has(source, names[i]))
            return names[i];
    if (fine__source_is_file(source))
        return fine__source_only(source);
    for (int64_t i = 0; fine__source_only(source) != NULL && i < FINE__COUNT(suffixes); i++)
        if (fine__path_has_suffix(fine__source_only(source), suffixes[i]))
            return fine__source_only(source);
    return NULL;
}

bool
fine__weights_are_in(const struct fine__source *source)
{
    return find_weights(source) != NULL;
}

int
fine__weights_open(struct fine__weights **out, fine_context *ctx, const struct fine__source *source)
{
    static const char *const others[] = { "tf_model.h5", "flax_model.msgpack", "model.onnx" };
    const char *name = find_weights(source);

    if (name != NULL && fine__source_is_file(source) && fine__path_has_suffix(name, index_suffix))
        return fine__fail(FINE_EINVAL,
                          "%s: an index of shards, which lie beside it: give the folder",
                          fine__source_name(source));
    if (name != NULL)
        return fine__weights_open_file(out, ctx, source, name);
    for (int64_t i = 0; i < FINE__COUNT(others); i++)
        if (fine__source_has(source, others[i]))
            return fine__fail(FINE_EUNSUPPORTED,
                              "%s: the weights are only there as '%s'; convert them to "
                              "model.safetensors (in Python: model.save_pretrained(folder, "
                              "safe_serialization=True))",
                              fine__source_name(source), others[i]);
    return fine__fail(FINE_EIO,
                      "%s: there are no weights: neither model.safetensors nor "
                      "pytorch_model.bin is there, nor an index of either's shards",
                      fine__source_name(source));
}

int
fine__weights_open_path(struct fine__weights **out, fine_context *ctx, const char *path)
{
    const bool is_folder = fine__is_directory(ctx, path);
    struct fine__source *source;
    struct fine__blob blob;
    char *folder;
    int rc;

    if (!is_folder && !fine__path_has_suffix(path, index_suffix)) {
        FINE__TRY(fine__blob_open_path(&blob, ctx, path));
        return open_blob(out, ctx, &blob);
    }
    folder = is_folder ? fine__strdup(ctx, path) : fine__path_folder(ctx, path);
    if (folder == NULL)
        return FINE_ENOMEM;
    rc = fine__source_open_folder(&source, ctx, folder);
    fine__free(ctx, folder);
    FINE__TRY(rc);
    rc = is_folder ? fine__weights_open(out, ctx, source)
                   : fine__weights_open_file(out, ctx, source, fine__path_name(path));
    fine__source_free(source);
    return rc;
}

/* ---- looking and reading ---- */

int64_t
fine__weights_count(const struct fine__weights *weights)
{
    return weights->count;
}

const struct fine__weight *
fine__weights_at(const struct fine__weights *weights, int64_t i)
{
    return &weights->list[i].weight;
}

int64_t
fine__weights_find(const struct fine__weights *weights, const char *name)
{
    return fine__map_get_cstr(&weights->names, name);
}

const char *
fine__weights_file(const struct fine__weights *weights, int64_t i)
{
    return weights->parts[weights->list[i].part].blob.name;
}

size_t
fine__weights_bytes(const struct fine__weights *weights, int64_t i)
{
    const struct fine__weight *weight = &weights->list[i].weight;

    return (size_t)weight->count * fine__type_size(weight->type);
}

/* Once for each block, before any of it is used. */
static int
check_block(struct fine__weights *w, const struct fine__weights_entry *entry)
{
    struct fine__weights_block *block;

    if (entry->block == 0 || w->blocks[entry->block - 1].is_checked)
        return 0;
    block = &w->blocks[entry->block - 1];
    FINE__TRY(fine__zip_check(w->ctx, &w->parts[block->part].blob, block->from, block->bytes,
                              block->crc, entry->weight.name));
    block->is_checked = true;
    return 0;
}

static void
drop_span(struct fine__weights *w)
{
    fine__free(w->ctx, w->span);
    w->span = NULL;
}

/* `from` and `bytes` are multiples of the element's size. Before another tensor's, or when
 * nothing more is wanted, call drop_span(). */
static int
read_part(struct fine__weights *w, int64_t i, void *out, int64_t from, size_t bytes)
{
    const struct fine__weights_entry *entry = &w->list[i];
    struct fine__weights_part *part = &w->parts[entry->part];
    const int64_t begin = part->data_from + entry->from;

    FINE__TRY(check_block(w, entry));
    if (entry->strides_at == 0 || bytes == 0)
        return fine__blob_read_at(&part->blob, out, bytes, begin + from);
    if (w->span == NULL) {
        const size_t span = (size_t)(entry->to - entry->from);

        w->span = fine__alloc(w->ctx, span);
        if (w->span == NULL)
            return FINE_ENOMEM;
        FINE__TRY(fine__blob_read_at(&part->blob, w->span, span, begin));
    }
    const struct fine__gather view = { .shape = w->shapes + entry->shape_at,
                                       .strides = w->shapes + entry->strides_at,
                                       .n_dims = entry->weight.n_dims,
                                       .size = fine__type_size(entry->weight.type) };

    fine__gather(&view, w->span, (size_t)from / view.size, bytes / view.size, out);
    return 0;
}

int
fine__weights_read_raw(struct fine__weights *weights, int64_t i, void *out)
{
    const int rc = read_part(weights, i, out, 0, fine__weights_bytes(weights, i));

    drop_span(weights);
    return rc;
}

static int
need_chunk(struct fine__weights *w)
{
    if (w->chunk == NULL)
        w->chunk = fine__alloc(w->ctx, CHUNK);
    return w->chunk == NULL ? FINE_ENOMEM : 0;
}

static void
convert(int32_t type, const void *in, float *out, int64_t n)
{
    const double *doubles = in;

    if (type == FINE_F16) {
        fine__f16_to_float(in, out, n);
    } else if (type == FINE_BF16) {
        fine__bf16_to_float(in, out, n);
    } else {
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)doubles[i];
    }
}

int
fine__weights_read_floats(struct fine__weights *weights, int64_t i, float *out)
{
    const struct fine__weight *weight = &weights->list[i].weight;
    const int64_t size = (int64_t)fine__type_size(weight->type);
    int64_t n;
    int rc = 0;

    if (weight->type == FINE_F32)
        return fine__weights_read_raw(weights, i, out);
    if (weight->type != FINE_F16 && weight->type != FINE_BF16 && weight->type != FINE_F64)
        return fine__fail(FINE_ESHAPE,
                          "%s: tensor '%s' holds %s; weights must be F32, F16, BF16 "
                          "or F64",
                          fine__weights_file(weights, i), weight->name,
                          fine__type_name(weight->type));
    FINE__TRY(need_chunk(weights));
    for (int64_t at = 0; rc == 0 && at < weight->count; at += n) {
        n = weight->count - at < CHUNK / size ? weight->count - at : CHUNK / size;
        rc = read_part(weights, i, weights->chunk, at * size, (size_t)(n * size));
        if (rc == 0)
            convert(weight->type, weights->chunk, out + at, n);
    }
    drop_span(weights);
    return rc;
}

/* ---- the fingerprint ---- */

static int
by_weight_name(const void *left, const void *right)
{
    const struct fine__weights_entry *const *a = left, *const *b = right;

    return strcmp((*a)->weight.name, (*b)->weight.name);
}

static int
hash_weight(struct fine__weights *w, struct fine__hash *hash, int64_t i)
{
    const struct fine__weight *weight = &w->list[i].weight;
    const char *type = fine__type_name(weight->type);
    const size_t bytes = fine__weights_bytes(w, i);
    size_t n;
    int rc = 0;

    /* With its terminator each field ends where it ends. */
    fine__hash_update(hash, weight->name, strlen(weight->name) + 1);
    fine__hash_update(hash, type, strlen(type) + 1);
    fine__hash_update(hash, &weight->n_dims, sizeof weight->n_dims);
    if (weight->n_dims > 0)
        fine__hash_update(hash, weight->shape, (size_t)weight->n_dims * sizeof *weight->shape);
    for (size_t at = 0; rc == 0 && at < bytes; at += n) {
        n = bytes - at < CHUNK ? bytes - at : CHUNK;
        rc = read_part(w, i, w->chunk, (int64_t)at, n);
        if (rc == 0)
            fine__hash_update(hash, w->chunk, n);
    }
    drop_span(w);
    return rc;
}

int
fine__weights_fingerprint(struct fine__weights *weights, char out[33])
{
    const struct fine__weights_entry **sorted = NULL;
    struct fine__hash *hash;
    int rc;

    FINE__TRY(need_chunk(weights));
    FINE__TRY(fine__hash_new(&hash, weights->ctx));
    sorted = fine__alloc_array(weights->ctx, (size_t)weights->count, sizeof *sorted);
    rc = sorted == NULL ? FINE_ENOMEM : 0;
    for (int64_t i = 0; rc == 0 && i < weights->count; i++)
        sorted[i] = &weights->list[i];
    if (rc == 0 && weights->count > 0)
        qsort(sorted, (size_t)weights->count, sizeof *sorted, by_weight_name);
    for (int64_t i = 0; rc == 0 && i < weights->count; i++)
        rc = hash_weight(weights, hash, sorted[i] - weights->list);
    if (rc == 0)
        fine__hash_hex(hash, out);
    fine__hash_free(hash);
    fine__free(weights->ctx, sorted);
    return rc;
}
