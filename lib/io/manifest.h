/*
 * manifest.h — the list of a checkpoint's files: names, sizes, XXH3-128 checksums.
 *
 * The text ends with the checksum of everything before it, so no byte of it can change
 * unnoticed either. docs/checkpoints.md describes it.
 */
#ifndef FINE__MANIFEST_H
#define FINE__MANIFEST_H

#include "base/buf.h"

#define FINE__MANIFEST_NAME "manifest.json"
enum { FINE__MANIFEST_VERSION = 1, FINE__MANIFEST_MAX = 1 << 20 };

struct fine__manifest {
    fine_context *ctx;
    struct fine__manifest_file {
        char *name;
        int64_t bytes;
        char checksum[33];
    } * files;
    int64_t count, capacity;
};

void fine__manifest_init(struct fine__manifest *manifest, fine_context *ctx);
void fine__manifest_free(struct fine__manifest *manifest);
/* FINE_EINVAL: not a plain name, the manifest's own, or there already. */
int fine__manifest_add(struct fine__manifest *manifest, const char *name, int64_t bytes,
                       const char *checksum);
int fine__manifest_write(const struct fine__manifest *manifest, struct fine__buf *out);
/* The text is changed by reading it. FINE_EFORMAT: damaged; FINE_EUNSUPPORTED: written by a
 * newer version. */
int fine__manifest_parse(struct fine__manifest *manifest, char *text, size_t length,
                         const char *what);

#endif
