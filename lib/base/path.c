/*
 * path.c — paths as bytes: joining, folders, names, suffixes.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

char *
fine__path_join(fine_context *ctx, const char *folder, const char *name)
{
    const size_t n_folder = strlen(folder), n_name = strlen(name);
    const bool absolute = name[0] == '/', slash = n_folder > 0 && folder[n_folder - 1] != '/';
    const size_t kept = absolute ? 0 : n_folder;
    char *path = fine__alloc(ctx, n_folder + n_name + 2);

    if (path == NULL)
        return NULL;
    memcpy(path, folder, kept);
    if (!absolute && slash)
        path[n_folder] = '/';
    memcpy(path + kept + (!absolute && slash), name, n_name + 1);
    return path;
}

char *
fine__path_absolute(fine_context *ctx, const char *path)
{
    char real[PATH_MAX];

    return realpath(path, real) != NULL ? fine__strdup(ctx, real) : NULL;
}

char *
fine__path_folder(fine_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return fine__strdup(ctx, ".");
    if (slash == path)
        return fine__strdup(ctx, "/");
    return fine__strndup(ctx, path, (size_t)(slash - path));
}

const char *
fine__path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
fine__path_has_suffix(const char *path, const char *suffix)
{
    const size_t n_path = strlen(path), n_suffix = strlen(suffix);

    if (n_suffix > n_path)
        return false;
    for (size_t i = 0; i < n_suffix; i++)
        if (lower(path[n_path - n_suffix + i]) != lower(suffix[i]))
            return false;
    return true;
}
