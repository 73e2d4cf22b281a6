/*
 * leftover.c — what an interrupted write, replacement or removal leaves, and its repair.
 *
 * Each kind of leftover says by its name alone what may be done with it, and no step
 * changes two things: a repair that is interrupted itself leaves a state that the next one
 * understands. Whatever can't be told for certain is left as it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "io/leftover.h"
#include "io/manifest.h"

static const char *const kinds[] = {
    [FINE__LEFTOVER_TMP] = ".tmp-",
    [FINE__LEFTOVER_OLD] = ".old-",
    [FINE__LEFTOVER_DEL] = ".del-",
};

enum { KIND = 5, RANDOM = 16 }; /* characters */

char *
fine__leftover_path(fine_context *ctx, const char *folder, const char *name,
                    enum fine__leftover kind)
{
    const size_t size = strlen(name) + 1 + KIND + RANDOM + 1;
    char *entry = fine__alloc(ctx, size), *path;

    if (entry == NULL)
        return NULL;
    snprintf(entry, size, ".%s%s%016" PRIx64, name, kinds[kind], fine__random_bits(entry, 0));
    path = fine__path_join(ctx, folder, entry);
    fine__free(ctx, entry);
    return path;
}

bool
fine__leftover_parse(const char *entry, enum fine__leftover *kind, size_t *length)
{
    const size_t n = strlen(entry);
    const char *tail = n >= KIND + RANDOM + 2 ? entry + n - KIND - RANDOM : NULL;

    if (tail == NULL || entry[0] != '.' || strspn(tail + KIND, "0123456789abcdef") != RANDOM)
        return false;
    for (int i = FINE__LEFTOVER_TMP; i <= FINE__LEFTOVER_DEL; i++) {
        if (memcmp(tail, kinds[i], KIND) == 0) {
            *kind = (enum fine__leftover)i;
            *length = n - 1 - KIND - RANDOM;
            return true;
        }
    }
    return false;
}

int
fine__presence(fine_context *ctx, const char *path)
{
    struct stat status;

    if (ctx->io->lstat(path, &status) == 0)
        return 1;
    if (errno == ENOENT)
        return 0;
    return fine__fail_errno(FINE_EIO, errno, "cannot examine '%s'", path);
}

/* 1: the file is there with its size. */
static int
has_file(fine_context *ctx, const char *folder, const struct fine__manifest_file *file)
{
    char *path = fine__path_join(ctx, folder, file->name);
    struct stat status;
    int rc;

    if (path == NULL)
        return FINE_ENOMEM;
    if (ctx->io->lstat(path, &status) == 0)
        rc = S_ISREG(status.st_mode) && status.st_size == file->bytes;
    else
        rc = errno == ENOENT ? 0 : fine__fail_errno(FINE_EIO, errno, "cannot examine '%s'", path);
    fine__free(ctx, path);
    return rc;
}

int
fine__is_complete(fine_context *ctx, const char *path)
{
    char *manifest_path = fine__path_join(ctx, path, FINE__MANIFEST_NAME);
    struct fine__manifest manifest;
    struct fine__buf text;
    int rc;

    if (manifest_path == NULL)
        return FINE_ENOMEM;
    fine__manifest_init(&manifest, ctx);
    fine__buf_init(&text, ctx);
    rc = fine__presence(ctx, manifest_path);
    if (rc == 1)
        rc = fine__file_read(ctx, manifest_path, FINE__MANIFEST_MAX, &text);
    else if (rc == 0)
        rc = FINE_EFORMAT;
    if (rc == 0)
        rc = fine__manifest_parse(&manifest, text.data, text.length, manifest_path);
    if (rc == 0)
        rc = 1;
    for (int64_t i = 0; rc == 1 && i < manifest.count; i++)
        rc = has_file(ctx, path, &manifest.files[i]);
    fine__manifest_free(&manifest);
    fine__buf_free(&text);
    fine__free(ctx, manifest_path);
    return rc == FINE_EFORMAT || rc == FINE_EUNSUPPORTED ? 0 : rc;
}

int
fine__discard(fine_context *ctx, const char *folder, const char *entry, const char *name)
{
    char *path = fine__path_join(ctx, folder, entry);
    char *doomed = fine__leftover_path(ctx, folder, name, FINE__LEFTOVER_DEL);
    int rc = FINE_ENOMEM;

    if (path != NULL && doomed != NULL) {
        rc = fine__rename(ctx, path, doomed);
        if (rc == 0)
            rc = fine__remove_tree(ctx, doomed);
    }
    fine__free(ctx, path);
    fine__free(ctx, doomed);
    return rc;
}

static bool
is_of(const char *entry, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(entry + 1, name, length) == 0;
}

int
fine__find_standin(fine_context *ctx, const char *folder, const char *name, char **out)
{
    struct fine__names names;
    int rc = 0;

    *out = NULL;
    FINE__TRY(fine__list_directory(ctx, folder, &names));
    for (int64_t i = 0; rc == 0 && *out == NULL && i < names.count; i++) {
        enum fine__leftover kind;
        size_t length;
        char *path;

        if (!fine__leftover_parse(names.names[i], &kind, &length) || kind != FINE__LEFTOVER_OLD ||
            !is_of(names.names[i], length, name))
            continue;
        path = fine__path_join(ctx, folder, names.names[i]);
        rc = path == NULL ? FINE_ENOMEM : fine__is_complete(ctx, path);
        if (rc == 1) {
            *out = path;
            rc = 0;
        } else {
            fine__free(ctx, path);
        }
    }
    fine__names_free(ctx, &names);
    return rc;
}

/* One that stood aside while it was replaced: goes back where nothing took its place. */
static int
repair_old(fine_context *ctx, const char *folder, const char *entry, const char *name)
{
    char *aside = fine__path_join(ctx, folder, entry), *place = fine__path_join(ctx, folder, name);
    int rc = aside == NULL || place == NULL ? FINE_ENOMEM : fine__presence(ctx, place);

    if (rc == 0) {
        rc = fine__is_complete(ctx, aside);
        if (rc == 1)
            rc = fine__rename(ctx, aside, place);
    } else if (rc == 1) {
        rc = fine__is_complete(ctx, place);
        if (rc == 1) {
            rc = fine__discard(ctx, folder, entry, name);
            if (rc < 0)
                fine__log(ctx, FINE_LOG_WARNING, "%s", fine__error_first());
            rc = 0;
        }
    }
    fine__free(ctx, aside);
    fine__free(ctx, place);
    return rc < 0 ? rc : 0;
}

static int
clean_entry(fine_context *ctx, const char *folder, const char *entry, enum fine__leftover kind,
            const char *name)
{
    char *path;
    int rc;

    if (kind == FINE__LEFTOVER_OLD)
        return repair_old(ctx, folder, entry, name);
    path = fine__path_join(ctx, folder, entry);
    rc = path == NULL ? FINE_ENOMEM : fine__remove_tree(ctx, path);
    fine__free(ctx, path);
    if (rc == FINE_EIO) { /* in nobody's way: the next run tries again */
        fine__log(ctx, FINE_LOG_WARNING, "%s", fine__error_first());
        rc = 0;
    }
    return rc;
}

int
fine__clean_leftovers(fine_context *ctx, const char *folder, const char *name, const char *prefix)
{
    struct fine__names names;
    int rc = 0;

    FINE__TRY(fine__list_directory(ctx, folder, &names));
    for (int64_t i = 0; rc == 0 && i < names.count; i++) {
        const char *entry = names.names[i];
        enum fine__leftover kind;
        size_t length;
        char *of;

        if (!fine__leftover_parse(entry, &kind, &length))
            continue;
        if (name != NULL) {
            if (!is_of(entry, length, name))
                continue;
        } else {
            const size_t start = strlen(prefix);

            if (length <= start || memcmp(entry + 1, prefix, start) != 0 ||
                strspn(entry + 1 + start, "0123456789") < length - start)
                continue;
        }
        of = fine__strndup(ctx, entry + 1, length);
        rc = of == NULL ? FINE_ENOMEM : clean_entry(ctx, folder, entry, kind, of);
        fine__free(ctx, of);
    }
    fine__names_free(ctx, &names);
    return rc;
}

int
fine__remove_leftovers(fine_context *ctx, const char *folder, const char *name)
{
    struct fine__names names;
    int rc = 0;

    FINE__TRY(fine__list_directory(ctx, folder, &names));
    for (int64_t i = 0; rc == 0 && i < names.count; i++) {
        const char *entry = names.names[i];
        enum fine__leftover kind;
        size_t length;

        if (!fine__leftover_parse(entry, &kind, &length) || !is_of(entry, length, name))
            continue;
        rc = kind == FINE__LEFTOVER_OLD ? fine__discard(ctx, folder, entry, name)
                                        : clean_entry(ctx, folder, entry, kind, name);
    }
    fine__names_free(ctx, &names);
    return rc;
}
