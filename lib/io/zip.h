/*
 * zip.h — the directory of a zip archive whose entries are stored, as torch.save writes.
 *
 * The directory alone is read: where each entry's bytes are. Every place is checked against
 * the file, and no two entries share a byte, so that reading all of them reads the file once.
 */
#ifndef FINE__ZIP_H
#define FINE__ZIP_H

#include "base/map.h"
#include "base/source.h"

struct fine__zip_entry {
    int64_t from, bytes;
    uint32_t crc;
    int32_t method;     /* 0: stored */
    int64_t begin, end; /* with what stands before it */
};

struct fine__zip {
    struct fine__blob *blob; /* borrowed */
    struct fine__zip_entry *list;
    int64_t count;
    struct fine__map names;
    char *folder; /* what the first entry's name begins with, its slash included; "" */
};

/* FINE_EFORMAT: no archive, or damaged; FINE_EUNSUPPORTED: encrypted, or in several volumes;
 * FINE_EIO; FINE_ENOMEM. */
int fine__zip_open(struct fine__zip *zip, fine_context *ctx, struct fine__blob *blob);
void fine__zip_free(struct fine__zip *zip);
/* folder + name; NULL: not there. */
const struct fine__zip_entry *fine__zip_find(const struct fine__zip *zip, const char *name,
                                             size_t length);
/* The same; absent (FINE_EFORMAT) and compressed (FINE_EUNSUPPORTED) are failures. */
int fine__zip_want(const struct fine__zip *zip, const char *name, size_t length,
                   const struct fine__zip_entry **out);
/* Reads all of `bytes` at `from` and compares; what: for the message. */
int fine__zip_check(fine_context *ctx, struct fine__blob *blob, int64_t from, int64_t bytes,
                    uint32_t crc, const char *what);

#endif
