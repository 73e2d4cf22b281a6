/*
 * source.c — a folder, one file, or a list of files in memory, behind the same few calls.
 *
 * Whoever reads asks by name and never sees which of them it is. Names are checked
 * here once, so that no reader can be led out of the folder by what a file says.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/source.h"
#include <finetune/model.h>

enum { MAX_NAME = 255 };

struct fine__source {
    fine_context *ctx;
    char *folder;                   /* NULL: in memory */
    char *file;                     /* the path, where the source is one file */
    char *only;                     /* the name, where there is one file only */
    char *scratch;                  /* room for any allowed path: asking can't fail */
    struct fine_memory_file *files; /* their names stand in the map */
    int64_t n_files;
    struct fine__map names;
};

bool
fine__name_is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
           strlen(name) <= MAX_NAME;
}

static bool
is_allowed(const char *name)
{
    const char *slash = strchr(name, '/');
    char first[MAX_NAME + 1];

    if (slash == NULL)
        return fine__name_is_plain(name);
    if (slash - name > MAX_NAME)
        return false;
    memcpy(first, name, (size_t)(slash - name));
    first[slash - name] = '\0';
    return fine__name_is_plain(first) && fine__name_is_plain(slash + 1);
}

static bool
may_name(const struct fine__source *source, const char *name)
{
    return source->file != NULL ? strcmp(name, source->only) == 0 : is_allowed(name);
}

static int
refuse(const struct fine__source *source, const char *name)
{
    return fine__fail(FINE_EINVAL,
                      "%s: the file name '%s' is refused: it must name a file in the folder itself",
                      fine__source_name(source), name);
}

static int
new_source(struct fine__source **out, fine_context *ctx)
{
    struct fine__source *source = fine__alloc_array(ctx, 1, sizeof *source);

    if (source == NULL)
        return FINE_ENOMEM;
    source->ctx = fine__context_ref(ctx);
    fine__map_init(&source->names, ctx);
    *out = source;
    return 0;
}

int
fine__source_open_folder(struct fine__source **out, fine_context *ctx, const char *path)
{
    struct fine__source *source;

    if (!fine__is_directory(ctx, path)) {
        if (fine__file_exists(ctx, path))
            return fine__fail(FINE_EIO, "'%s' is a file; a folder is expected here", path);
        return fine__fail(FINE_EIO, "cannot open the folder '%s': it is not there", path);
    }
    FINE__TRY(new_source(&source, ctx));
    source->folder = fine__strdup(ctx, path);
    source->scratch = fine__alloc(ctx, strlen(path) + 2 * (MAX_NAME + 1) + 1);
    if (source->folder == NULL || source->scratch == NULL) {
        fine__source_free(source);
        return FINE_ENOMEM;
    }
    *out = source;
    return 0;
}

int
fine__source_open_file(struct fine__source **out, fine_context *ctx, const char *path)
{
    struct fine__source *source;

    if (!fine__file_exists(ctx, path))
        return fine__fail(FINE_EIO, "cannot open '%s': it is not there", path);
    FINE__TRY(new_source(&source, ctx));
    source->folder = fine__path_folder(ctx, path);
    source->file = fine__strdup(ctx, path);
    source->only = fine__strdup(ctx, fine__path_name(path));
    if (source->folder == NULL || source->file == NULL || source->only == NULL) {
        fine__source_free(source);
        return FINE_ENOMEM;
    }
    *out = source;
    return 0;
}

int
fine__source_open_memory(struct fine__source **out, fine_context *ctx,
                         const struct fine_memory_file *files, int64_t n_files)
{
    struct fine__source *source;
    int rc = 0;

    FINE__TRY(new_source(&source, ctx));
    source->files = fine__alloc_array(ctx, (size_t)n_files, sizeof *source->files);
    if (source->files == NULL)
        rc = FINE_ENOMEM;
    for (int64_t i = 0; rc == 0 && i < n_files; i++) {
        const char *name = files[i].name;

        if (name == NULL || files[i].n_bytes < 0 ||
            (files[i].bytes == NULL && files[i].n_bytes > 0)) {
            rc = fine__fail(FINE_EINVAL, "memory: file %lld has no name or no bytes", (long long)i);
            break;
        }
        if (!is_allowed(name)) {
            rc = refuse(source, name);
            break;
        }
        source->files[i] = files[i];
        source->n_files++;
        rc = fine__map_put(&source->names, name, strlen(name), i);
        if (rc > 0)
            rc = fine__fail(FINE_EINVAL, "memory: the file '%s' is given twice", name);
    }
    if (rc == 0 && n_files == 1) {
        source->only = fine__strdup(ctx, files[0].name);
        rc = source->only != NULL ? 0 : FINE_ENOMEM;
    }
    if (rc < 0) {
        fine__source_free(source);
        return rc;
    }
    *out = source;
    return 0;
}

void
fine__source_free(struct fine__source *source)
{
    fine_context *ctx;

    if (source == NULL)
        return;
    ctx = source->ctx;
    fine__map_free(&source->names);
    fine__free(ctx, source->files);
    fine__free(ctx, source->scratch);
    fine__free(ctx, source->folder);
    fine__free(ctx, source->file);
    fine__free(ctx, source->only);
    fine__free(ctx, source);
    fine__context_unref(ctx);
}

const char *
fine__source_name(const struct fine__source *source)
{
    return source->file != NULL ? source->file : source->folder != NULL ? source->folder : "memory";
}

const char *
fine__source_only(const struct fine__source *source)
{
    return source->only;
}

bool
fine__source_is_file(const struct fine__source *source)
{
    return source->file != NULL;
}

static const struct fine_memory_file *
find(const struct fine__source *source, const char *name)
{
    const int64_t i = fine__map_get_cstr(&source->names, name);

    return i < 0 ? NULL : &source->files[i];
}

bool
fine__source_has(const struct fine__source *source, const char *name)
{
    if (!may_name(source, name))
        return false;
    if (source->folder == NULL)
        return find(source, name) != NULL;
    if (source->file != NULL)
        return fine__file_exists(source->ctx, source->file);
    strcpy(source->scratch, source->folder);
    strcat(source->scratch, "/");
    strcat(source->scratch, name);
    return fine__file_exists(source->ctx, source->scratch);
}

int
fine__source_read(const struct fine__source *source, const char *name, int64_t max_bytes,
                  struct fine__buf *out)
{
    const struct fine_memory_file *file;

    if (!may_name(source, name))
        return refuse(source, name);
    if (source->folder != NULL) {
        char *path = fine__path_join(source->ctx, source->folder, name);
        const int rc =
            path == NULL ? FINE_ENOMEM : fine__file_read(source->ctx, path, max_bytes, out);

        fine__free(source->ctx, path);
        return rc;
    }
    file = find(source, name);
    if (file == NULL)
        return fine__fail(FINE_EIO, "cannot open 'memory/%s': it is not among the files given",
                          name);
    if (file->n_bytes > max_bytes)
        return fine__fail(FINE_EFORMAT, "'memory/%s' has %lld bytes; at most %lld are read", name,
                          (long long)file->n_bytes, (long long)max_bytes);
    fine__buf_append(out, file->bytes, (size_t)file->n_bytes);
    return fine__buf_status(out);
}

int
fine__blob_open(struct fine__blob *out, const struct fine__source *source, const char *name)
{
    const struct fine_memory_file *file;
    struct fine__blob blob = { .ctx = source->ctx };

    if (!may_name(source, name))
        return refuse(source, name);
    if (source->folder != NULL) {
        char *path = fine__path_join(source->ctx, source->folder, name);
        const int rc = path == NULL ? FINE_ENOMEM : fine__blob_open_path(out, source->ctx, path);

        fine__free(source->ctx, path);
        return rc;
    }
    file = find(source, name);
    if (file == NULL)
        return fine__fail(FINE_EIO, "cannot open 'memory/%s': it is not among the files given",
                          name);
    blob.name = fine__path_join(source->ctx, "memory", name);
    if (blob.name == NULL)
        return FINE_ENOMEM;
    blob.file.fd = -1;
    blob.bytes = file->bytes;
    blob.size = file->n_bytes;
    *out = blob;
    return 0;
}

int
fine__blob_open_path(struct fine__blob *out, fine_context *ctx, const char *path)
{
    struct fine__blob blob = { .ctx = ctx };
    int rc;

    blob.name = fine__strdup(ctx, path);
    if (blob.name == NULL)
        return FINE_ENOMEM;
    rc = fine__file_open(&blob.file, ctx, path);
    if (rc < 0) {
        fine__free(ctx, blob.name);
        return rc;
    }
    blob.size = blob.file.size;
    *out = blob;
    return 0;
}

int
fine__blob_read_at(struct fine__blob *blob, void *out, size_t bytes, int64_t offset)
{
    if (offset < 0 || offset > blob->size || (uint64_t)bytes > (uint64_t)(blob->size - offset))
        return fine__fail(FINE_EFORMAT, "%s: truncated: %llu bytes at %lld of %lld are missing",
                          blob->name, (unsigned long long)bytes, (long long)offset,
                          (long long)blob->size);
    if (bytes == 0)
        return 0;
    if (blob->file.fd >= 0)
        return fine__file_read_at(&blob->file, out, bytes, offset);
    memcpy(out, blob->bytes + offset, bytes);
    return 0;
}

void
fine__blob_close(struct fine__blob *blob)
{
    if (blob->name == NULL)
        return;
    if (blob->file.fd >= 0)
        fine__file_close(&blob->file);
    fine__free(blob->ctx, blob->name);
    blob->name = NULL;
    blob->file.fd = -1;
}
