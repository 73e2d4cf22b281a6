/*
 * folder.c — directories: making, listing, removing, renaming, syncing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"

enum { MAX_TREE_DEPTH = 8, MAX_NAMES = 4000000 };

int
fine__sync_directory(fine_context *ctx, const char *path)
{
    int fd, rc, number;

    do
        fd = ctx->io->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot open the directory '%s'", path);
    do
        rc = ctx->io->fsync(fd);
    while (rc < 0 && errno == EINTR);
    number = rc < 0 ? errno : 0;
    ctx->io->close(fd);
    /* Some file systems can't sync a directory, and say so with EINVAL. */
    if (number != 0 && number != EINVAL)
        return fine__fail_errno(FINE_EIO, number, "cannot write the directory '%s' to the device",
                                path);
    return 0;
}

int
fine__rename(fine_context *ctx, const char *from, const char *to)
{
    char *folder = fine__path_folder(ctx, to);
    int rc;

    if (folder == NULL)
        return FINE_ENOMEM;
    if (ctx->io->rename(from, to) < 0)
        rc = fine__fail_errno(FINE_EIO, errno, "cannot rename '%s' to '%s'", from, to);
    else
        rc = fine__sync_directory(ctx, folder);
    fine__free(ctx, folder);
    return rc;
}

/* The folder that `path` was just made in keeps it. */
static int
sync_parent(fine_context *ctx, const char *path)
{
    char *folder = fine__path_folder(ctx, path);
    const int rc = folder != NULL ? fine__sync_directory(ctx, folder) : FINE_ENOMEM;

    fine__free(ctx, folder);
    return rc;
}

int
fine__mkdirs(fine_context *ctx, const char *path)
{
    char *part = fine__strdup(ctx, path);
    int rc = 0;

    if (part == NULL)
        return FINE_ENOMEM;
    for (char *end = part; rc == 0 && *end != '\0';) {
        char kept;

        end += strspn(end, "/");
        end += strcspn(end, "/");
        kept = *end;
        *end = '\0';
        if (ctx->io->mkdir(part, 0777) == 0) {
            rc = sync_parent(ctx, part);
        } else {
            const int number = errno;

            /* A parent may exist and yet refuse mkdir() with another error. */
            if (!fine__is_directory(ctx, part))
                rc = fine__fail_errno(FINE_EIO, number == EEXIST ? ENOTDIR : number,
                                      "cannot make the directory '%s'", part);
        }
        *end = kept;
    }
    fine__free(ctx, part);
    return rc;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void
fine__names_free(fine_context *ctx, struct fine__names *names)
{
    for (int64_t i = 0; i < names->count; i++)
        fine__free(ctx, names->names[i]);
    fine__free(ctx, names->names);
    *names = (struct fine__names){ NULL, 0 };
}

static int
read_names(fine_context *ctx, DIR *directory, const char *path, struct fine__names *out)
{
    int64_t capacity = 0;

    for (;;) {
        struct dirent *entry;
        char *name;

        errno = 0;
        entry = readdir(directory);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (out->count == MAX_NAMES)
            return fine__fail(FINE_EIO, "the directory '%s' holds more than %d names", path,
                              MAX_NAMES);
        FINE__TRY(fine__grow(ctx, &out->names, &capacity, out->count + 1, sizeof *out->names));
        name = fine__strdup(ctx, entry->d_name);
        if (name == NULL)
            return FINE_ENOMEM;
        out->names[out->count++] = name;
    }
    if (errno != 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot list the directory '%s'", path);
    return 0;
}

static int
list(fine_context *ctx, const char *path, int more_flags, struct fine__names *out)
{
    struct fine__names names = { NULL, 0 };
    DIR *directory;
    int fd, rc;

    do
        fd = ctx->io->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | more_flags, 0);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot list the directory '%s'", path);
    directory = fdopendir(fd);
    if (directory == NULL) {
        rc = fine__fail_errno(FINE_EIO, errno, "cannot list the directory '%s'", path);
        ctx->io->close(fd);
        return rc;
    }
    rc = read_names(ctx, directory, path, &names);
    closedir(directory);
    if (rc < 0) {
        fine__names_free(ctx, &names);
        return rc;
    }
    if (names.count > 1)
        qsort(names.names, (size_t)names.count, sizeof *names.names, compare_names);
    *out = names;
    return 0;
}

int
fine__list_directory(fine_context *ctx, const char *path, struct fine__names *out)
{
    return list(ctx, path, 0, out);
}

/* A directory being emptied. */
struct level {
    char *path;
    struct fine__names names;
    int64_t next;
};

/* Removes what isn't a directory; for one, *deeper is set to its path. */
static int
remove_entry(fine_context *ctx, const char *path, bool *is_directory)
{
    struct stat status;

    *is_directory = false;
    if (ctx->io->lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : fine__fail_errno(FINE_EIO, errno, "cannot remove '%s'", path);
    if (S_ISDIR(status.st_mode)) {
        *is_directory = true;
        return 0;
    }
    if (ctx->io->unlink(path) < 0 && errno != ENOENT)
        return fine__fail_errno(FINE_EIO, errno, "cannot remove '%s'", path);
    return 0;
}

/* Takes path over, in success and failure. */
static int
push(fine_context *ctx, struct level *levels, int *depth, char *path)
{
    int rc;

    if (*depth == MAX_TREE_DEPTH) {
        rc = fine__fail(FINE_EIO, "cannot remove '%s': folders are nested deeper than %d", path,
                        MAX_TREE_DEPTH);
    } else {
        levels[*depth] = (struct level){ .path = path };
        rc = list(ctx, path, O_NOFOLLOW, &levels[*depth].names);
    }
    if (rc < 0)
        fine__free(ctx, path);
    else
        (*depth)++;
    return rc;
}

/* One entry of the deepest level, or the level itself when it is empty. */
static int
remove_step(fine_context *ctx, struct level *levels, int *depth)
{
    struct level *level = &levels[*depth - 1];
    bool is_directory;
    char *path;
    int rc;

    if (level->next == level->names.count) {
        if (ctx->io->rmdir(level->path) < 0 && errno != ENOENT)
            return fine__fail_errno(FINE_EIO, errno, "cannot remove '%s'", level->path);
        fine__names_free(ctx, &level->names);
        fine__free(ctx, level->path);
        (*depth)--;
        return 0;
    }
    path = fine__path_join(ctx, level->path, level->names.names[level->next++]);
    if (path == NULL)
        return FINE_ENOMEM;
    rc = remove_entry(ctx, path, &is_directory);
    if (rc == 0 && is_directory)
        return push(ctx, levels, depth, path);
    fine__free(ctx, path);
    return rc;
}

int
fine__remove_tree(fine_context *ctx, const char *path)
{
    struct level levels[MAX_TREE_DEPTH];
    bool is_directory;
    int depth = 0, rc;

    rc = remove_entry(ctx, path, &is_directory);
    if (rc == 0 && is_directory) {
        char *copy = fine__strdup(ctx, path);

        rc = copy != NULL ? push(ctx, levels, &depth, copy) : FINE_ENOMEM;
    }
    while (rc == 0 && depth > 0)
        rc = remove_step(ctx, levels, &depth);
    while (depth > 0) {
        depth--;
        fine__names_free(ctx, &levels[depth].names);
        fine__free(ctx, levels[depth].path);
    }
    return rc;
}
