/*
 * archive.h — zip archives made for tests, entry by entry, as torch.save lays them out.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <string.h>

#include "base/buf.h"
#include "io/crc32.h"

struct archive {
    struct fine__buf file, directory;
    int count;
    /* What the next entry says of itself, where that is to be wrong. */
    int method, flags;
    uint32_t crc_off;
};

static inline void
put_number(struct fine__buf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fine__buf_byte(out, (char)(i < 8 ? value >> 8 * i : 0));
}

static inline void
archive_begin(struct archive *a, fine_context *ctx)
{
    *a = (struct archive){ .count = 0 };
    fine__buf_init(&a->file, ctx);
    fine__buf_init(&a->directory, ctx);
}

static inline uint32_t
crc_of(const void *bytes, size_t n)
{
    struct fine__crc32 crc;

    fine__crc32_begin(&crc);
    fine__crc32_update(&crc, bytes, n);
    return fine__crc32_value(&crc);
}

static inline void
archive_header(struct archive *a, struct fine__buf *out, const char *name, const void *bytes,
               size_t n)
{
    put_number(out, 20, 2);
    put_number(out, (uint64_t)a->flags, 2);
    put_number(out, (uint64_t)a->method, 2);
    put_number(out, 0, 4);
    put_number(out, crc_of(bytes, n) + a->crc_off, 4);
    put_number(out, n, 4);
    put_number(out, n, 4);
    put_number(out, strlen(name), 2);
}

/* The directory says that the entry's own header is at `at`. */
static inline void
archive_list(struct archive *a, const char *name, const void *bytes, size_t n, size_t at)
{
    fine__buf_append(&a->directory, "PK\1\2\0\0", 6);
    archive_header(a, &a->directory, name, bytes, n);
    put_number(&a->directory, 0, 12);
    put_number(&a->directory, at, 4);
    fine__buf_text(&a->directory, name);
    a->count++;
}

static inline void
archive_put(struct archive *a, const char *name, const void *bytes, size_t n)
{
    const size_t at = a->file.length;

    fine__buf_append(&a->file, "PK\3\4", 4);
    archive_header(a, &a->file, name, bytes, n);
    put_number(&a->file, 3, 2);
    fine__buf_text(&a->file, name);
    fine__buf_append(&a->file, "\0\0\0", 3);
    fine__buf_append(&a->file, bytes, n);
    archive_list(a, name, bytes, n, at);
}

/* file is the archive then. */
static inline void
archive_end(struct archive *a)
{
    const size_t at = a->file.length;

    fine__buf_append(&a->file, a->directory.data, a->directory.length);
    fine__buf_append(&a->file, "PK\5\6\0\0\0\0", 8);
    put_number(&a->file, (uint64_t)a->count, 2);
    put_number(&a->file, (uint64_t)a->count, 2);
    put_number(&a->file, a->directory.length, 4);
    put_number(&a->file, at, 4);
    put_number(&a->file, 0, 2);
    fine__buf_free(&a->directory);
}

/* An archive of this pickle and of two storages of 64 bytes, "0" and "1": 0, 1, 2 … */
static inline void
archive_of_pickle(struct fine__buf *out, fine_context *ctx, const void *pickle, size_t n)
{
    unsigned char storage[64];
    struct archive a;

    for (int i = 0; i < 64; i++)
        storage[i] = (unsigned char)i;
    archive_begin(&a, ctx);
    archive_put(&a, "x/data.pkl", pickle, n);
    archive_put(&a, "x/byteorder", "little", 6);
    archive_put(&a, "x/data/0", storage, sizeof storage);
    archive_put(&a, "x/data/1", storage, sizeof storage);
    archive_end(&a);
    *out = a.file;
}

#endif
