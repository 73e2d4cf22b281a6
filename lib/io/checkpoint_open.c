/*
 * checkpoint_open.c — finding, verifying and listing complete folders.
 *
 * Reading changes nothing on disk: where a replacement was interrupted, the folder that
 * stood aside is read where it is. Only a caller that holds the lock may have it put back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/number.h"
#include "io/checkpoint.h"
#include "io/leftover.h"
#include "io/manifest.h"

enum { CHUNK = 1 << 20 };

static int
verify_blob(struct fine__blob *blob, const struct fine__manifest_file *file, void *chunk)
{
    struct fine__hash *hash;
    char checksum[33];
    int rc = 0;
    size_t n;

    FINE__TRY(fine__hash_new(&hash, blob->ctx));
    for (int64_t at = 0; rc == 0 && at < blob->size; at += (int64_t)n) {
        n = blob->size - at < CHUNK ? (size_t)(blob->size - at) : CHUNK;
        rc = fine__blob_read_at(blob, chunk, n, at);
        if (rc == 0)
            fine__hash_update(hash, chunk, n);
    }
    fine__hash_hex(hash, checksum);
    fine__hash_free(hash);
    if (rc == 0 && memcmp(checksum, file->checksum, sizeof checksum) != 0)
        rc = FINE_EFORMAT;
    return rc;
}

/* Adds a finding where the file isn't as the manifest says. */
static int
verify_file(fine_context *ctx, const char *folder, const struct fine__manifest_file *file,
            void *chunk, bool *bad)
{
    char *path = fine__path_join(ctx, folder, file->name);
    struct fine__blob blob;
    int rc = path == NULL ? FINE_ENOMEM : fine__presence(ctx, path);

    if (rc == 0) {
        *bad = true;
        fine__also(FINE_EFORMAT, "%s: damaged: the file is missing", path);
    } else if (rc == 1) {
        rc = fine__blob_open_path(&blob, ctx, path);
        if (rc == 0) {
            const bool same_size = blob.size == file->bytes;

            if (same_size)
                rc = verify_blob(&blob, file, chunk);
            if (!same_size || rc == FINE_EFORMAT) {
                *bad = true;
                rc = 0;
                fine__also(FINE_EFORMAT, "%s: damaged: %s; go on from an earlier checkpoint", path,
                           same_size ? "its checksum is wrong" : "its size is wrong");
            }
            fine__blob_close(&blob);
        }
    }
    fine__free(ctx, path);
    return rc;
}

static int
verify(fine_context *ctx, const char *folder)
{
    char *path = fine__path_join(ctx, folder, FINE__MANIFEST_NAME);
    void *chunk = fine__alloc(ctx, CHUNK);
    struct fine__manifest manifest;
    struct fine__buf text;
    bool bad = false;
    int rc = path == NULL || chunk == NULL ? FINE_ENOMEM : fine__presence(ctx, path);

    fine__manifest_init(&manifest, ctx);
    fine__buf_init(&text, ctx);
    if (rc == 0)
        rc = fine__fail(FINE_EFORMAT,
                        "%s: not a complete checkpoint: there is no " FINE__MANIFEST_NAME
                        "; go on from an earlier one",
                        folder);
    else if (rc == 1)
        rc = fine__file_read(ctx, path, FINE__MANIFEST_MAX, &text);
    if (rc == 0)
        rc = fine__manifest_parse(&manifest, text.data, text.length, path);
    if (rc == 0)
        fine__error_clear();
    for (int64_t i = 0; rc == 0 && i < manifest.count; i++)
        rc = verify_file(ctx, folder, &manifest.files[i], chunk, &bad);
    if (rc == 0 && bad)
        rc = FINE_EFORMAT;
    fine__manifest_free(&manifest);
    fine__buf_free(&text);
    fine__free(ctx, chunk);
    fine__free(ctx, path);
    return rc;
}

/* Where the checkpoint lies: in its place, or where it stood aside when its replacement was
 * interrupted. */
static int
find_place(fine_context *ctx, const char *folder, const char *name, char **out)
{
    char *path = fine__path_join(ctx, folder, name), *standin = NULL;
    int rc = path == NULL ? FINE_ENOMEM : fine__presence(ctx, path);

    if (rc == 0) {
        rc = fine__presence(ctx, folder);
        if (rc == 1)
            rc = fine__find_standin(ctx, folder, name, &standin);
        if (rc == 0 && standin == NULL)
            rc = fine__fail(FINE_EIO, "there is no checkpoint '%s'", path);
        fine__free(ctx, path);
        path = standin;
    }
    if (rc < 0) {
        fine__free(ctx, path);
        return rc;
    }
    *out = path;
    return 0;
}

int
fine__checkpoint_open(struct fine__source **out, fine_context *ctx, const char *folder,
                      const char *name)
{
    char *path;
    int rc;

    if (!fine__name_is_plain(name))
        return fine__fail(FINE_EINVAL, "'%s' cannot be the name of a checkpoint", name);
    FINE__TRY(find_place(ctx, folder, name, &path));
    rc = verify(ctx, path);
    if (rc == 0)
        rc = fine__source_open_folder(out, ctx, path);
    fine__free(ctx, path);
    return rc;
}

/* ---- listing ---- */

/* The number of a name that is prefix + digits; -1: it is none. */
static int64_t
number_of(const char *name, size_t length, const char *prefix)
{
    const size_t start = strlen(prefix);
    int64_t number;

    if (length <= start || memcmp(name, prefix, start) != 0 || name[start] == '-' ||
        !fine__parse_int64(name + start, length - start, &number))
        return -1;
    return number;
}

/* Does the directory's entry count as a checkpoint? */
static int
counts(fine_context *ctx, const char *folder, const char *entry, const char *prefix,
       int64_t *number)
{
    enum fine__leftover kind;
    size_t length = strlen(entry);
    char *path, *name = NULL;
    int rc = 0;

    if (fine__leftover_parse(entry, &kind, &length) && kind == FINE__LEFTOVER_OLD) {
        *number = number_of(entry + 1, length, prefix);
        name = fine__strndup(ctx, entry + 1, length);
        if (name == NULL)
            return FINE_ENOMEM;
    } else {
        *number = number_of(entry, strlen(entry), prefix);
    }
    if (*number >= 0 && name != NULL) { /* counts only where nothing has the name itself */
        path = fine__path_join(ctx, folder, name);
        rc = path == NULL ? FINE_ENOMEM : fine__presence(ctx, path);
        fine__free(ctx, path);
        if (rc == 1)
            *number = -1;
    }
    if (*number >= 0 && rc == 0) {
        path = fine__path_join(ctx, folder, entry);
        rc = path == NULL ? FINE_ENOMEM : fine__is_complete(ctx, path);
        fine__free(ctx, path);
    } else if (rc > 0) {
        rc = 0;
    }
    fine__free(ctx, name);
    return rc;
}

static int
by_number(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

int
fine__checkpoint_list(fine_context *ctx, const char *folder, const char *prefix, bool clean,
                      int64_t **numbers_out, int64_t *count_out)
{
    struct fine__names names = { NULL, 0 };
    int64_t *numbers = NULL;
    int64_t count = 0;
    int rc = fine__presence(ctx, folder);

    if (rc == 1) {
        rc = clean ? fine__clean_leftovers(ctx, folder, NULL, prefix) : 0;
        if (rc == 0)
            rc = fine__list_directory(ctx, folder, &names);
    }
    if (rc == 0) {
        numbers = fine__alloc_array(ctx, (size_t)names.count, sizeof *numbers);
        rc = numbers == NULL ? FINE_ENOMEM : 0;
    }
    for (int64_t i = 0; rc == 0 && i < names.count; i++) {
        int64_t number;

        rc = counts(ctx, folder, names.names[i], prefix, &number);
        if (rc == 1) {
            numbers[count++] = number;
            rc = 0;
        }
    }
    fine__names_free(ctx, &names);
    if (rc < 0) {
        fine__free(ctx, numbers);
        return rc;
    }
    if (count > 1)
        qsort(numbers, (size_t)count, sizeof *numbers, by_number);
    *numbers_out = numbers;
    *count_out = count;
    return 0;
}
