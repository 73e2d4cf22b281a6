/*
 * safetensors.c — element types, and writing.
 *
 * A header gives every tensor's name, type, shape and place; it is padded with blanks so
 * that the data begin on a multiple of 8. Reading is in header.c (one file) and weights.c.
 * Reference: github.com/huggingface/safetensors, README "Format".
 */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/utf8.h"
#include "io/safetensors.h"

static const struct {
    char name[8];
    size_t size;
} types[] = {
    [FINE_BOOL] = { "BOOL", 1 }, [FINE_U8] = { "U8", 1 },     [FINE_I8] = { "I8", 1 },
    [FINE_I16] = { "I16", 2 },   [FINE_U16] = { "U16", 2 },   [FINE_I32] = { "I32", 4 },
    [FINE_U32] = { "U32", 4 },   [FINE_I64] = { "I64", 8 },   [FINE_U64] = { "U64", 8 },
    [FINE_F16] = { "F16", 2 },   [FINE_BF16] = { "BF16", 2 }, [FINE_F32] = { "F32", 4 },
    [FINE_F64] = { "F64", 8 },
};

size_t
fine__type_size(int32_t type)
{
    return type > 0 && type < FINE__COUNT(types) ? types[type].size : 0;
}

const char *
fine__type_name(int32_t type)
{
    return fine__type_size(type) > 0 ? types[type].name : NULL;
}

int32_t
fine__type_by_name(const char *name)
{
    for (int32_t i = 1; i < FINE__COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    return 0;
}

int
fine__shape_size(int32_t type, int64_t n_dims, const int64_t *shape, int64_t *count_out,
                 int64_t *bytes_out)
{
    const int64_t size = (int64_t)fine__type_size(type);
    int64_t count = 1;

    if (size == 0)
        return FINE_EINVAL;
    for (int64_t i = 0; i < n_dims; i++) {
        if (shape[i] < 0 || (shape[i] > 0 && count > INT64_MAX / shape[i]))
            return FINE_EINVAL;
        count *= shape[i];
    }
    if (count > INT64_MAX / size)
        return FINE_EINVAL;
    *count_out = count;
    *bytes_out = count * size;
    return 0;
}

/* The header's JSON text; *data_out: the bytes of data that it promises. */
static int
write_header(struct fine__buf *out, const struct fine__weight_out *entries, int64_t count,
             const char *const *metadata, int64_t n_metadata, int64_t *data_out)
{
    struct fine__map seen;
    const char *separator = "";
    int64_t end = 0;
    int rc = 0;

    fine__map_init(&seen, out->ctx);
    fine__buf_byte(out, '{');
    if (n_metadata > 0) {
        fine__buf_text(out, "\"__metadata__\":{");
        for (int64_t i = 0; i < n_metadata; i++) {
            fine__buf_text(out, i > 0 ? "," : "");
            fine__buf_json_string(out, metadata[2 * i], strlen(metadata[2 * i]));
            fine__buf_byte(out, ':');
            fine__buf_json_string(out, metadata[2 * i + 1], strlen(metadata[2 * i + 1]));
        }
        fine__buf_byte(out, '}');
        separator = ",";
    }
    for (int64_t i = 0; i < count; i++) {
        const struct fine__weight_out *entry = &entries[i];
        const size_t length = strlen(entry->name);
        int64_t elements, bytes;

        if (strcmp(entry->name, "__metadata__") == 0 || !fine__utf8_valid(entry->name, length)) {
            rc = fine__fail(FINE_EINVAL,
                            "'%s' cannot be the name of a tensor: it must be UTF-8 "
                            "and not '__metadata__'",
                            entry->name);
            break;
        }
        if (fine__shape_size(entry->type, entry->n_dims, entry->shape, &elements, &bytes) < 0 ||
            bytes > INT64_MAX - end) {
            rc = fine__fail(FINE_EINVAL, "tensor '%s': bad type or shape", entry->name);
            break;
        }
        rc = fine__map_put(&seen, entry->name, length, i);
        if (rc > 0)
            rc = fine__fail(FINE_EINVAL, "two tensors are named '%s'", entry->name);
        if (rc < 0)
            break;
        fine__buf_text(out, separator);
        separator = ",";
        fine__buf_json_string(out, entry->name, length);
        fine__buf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", fine__type_name(entry->type));
        for (int64_t k = 0; k < entry->n_dims; k++)
            fine__buf_printf(out, "%s%lld", k > 0 ? "," : "", (long long)entry->shape[k]);
        fine__buf_printf(out, "],\"data_offsets\":[%lld,%lld]}", (long long)end,
                         (long long)(end + bytes));
        end += bytes;
    }
    *data_out = end;
    fine__map_free(&seen);
    fine__buf_byte(out, '}');
    while (out->length % 8 != 0 && !out->failed)
        fine__buf_byte(out, ' ');
    return rc < 0 ? rc : fine__buf_status(out);
}

/* Where the bytes go. */
struct sink {
    struct fine__writer *writer;
    struct fine__buf *buf;
};

static int
put(const struct sink *sink, const void *bytes, size_t length)
{
    if (sink->writer != NULL)
        return fine__writer_write(sink->writer, bytes, length);
    fine__buf_append(sink->buf, bytes, length);
    return fine__buf_status(sink->buf);
}

static int
write_all(fine_context *ctx, const struct sink *sink, const struct fine__weight_out *entries,
          int64_t count, const char *const *metadata, int64_t n_metadata)
{
    struct fine__buf header;
    unsigned char frame[8];
    int64_t data = 0;
    int rc;

    fine__buf_init(&header, ctx);
    rc = write_header(&header, entries, count, metadata, n_metadata, &data);
    if (rc == 0 && sink->writer != NULL)
        rc = fine__writer_expect(sink->writer, data);
    if (rc == 0) {
        for (int i = 0; i < 8; i++)
            frame[i] = (unsigned char)((uint64_t)header.length >> 8 * i);
        rc = put(sink, frame, sizeof frame);
    }
    if (rc == 0)
        rc = put(sink, header.data, header.length);
    for (int64_t i = 0; rc == 0 && i < count; i++) {
        int64_t elements, bytes;

        rc = fine__shape_size(entries[i].type, entries[i].n_dims, entries[i].shape, &elements,
                              &bytes);
        if (rc == 0 && bytes > 0)
            rc = put(sink, entries[i].data, (size_t)bytes);
    }
    fine__buf_free(&header);
    return rc;
}

int
fine__safetensors_append(struct fine__buf *out, const struct fine__weight_out *entries,
                         int64_t count, const char *const *metadata, int64_t n_metadata)
{
    const struct sink sink = { .buf = out };

    return write_all(out->ctx, &sink, entries, count, metadata, n_metadata);
}

int
fine__safetensors_write_to(struct fine__writer *writer, const struct fine__weight_out *entries,
                           int64_t count, const char *const *metadata, int64_t n_metadata)
{
    const struct sink sink = { .writer = writer };

    return write_all(writer->ctx, &sink, entries, count, metadata, n_metadata);
}

int
fine__safetensors_write(fine_context *ctx, const char *path, const struct fine__weight_out *entries,
                        int64_t count, const char *const *metadata, int64_t n_metadata)
{
    struct fine__writer writer;
    int rc;

    FINE__TRY(fine__writer_open(&writer, ctx, path));
    rc = fine__safetensors_write_to(&writer, entries, count, metadata, n_metadata);
    if (rc < 0) {
        fine__writer_abandon(&writer);
        return rc;
    }
    return fine__writer_commit(&writer);
}
