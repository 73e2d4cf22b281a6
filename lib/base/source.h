/*
 * source.h — the files of a model folder, on disk or in memory.
 *
 * Readers of models and tokenizers take a source, so that opening from a folder,
 * from one file and from an application's assets is the same code. Names are plain:
 * one with '/' or a leading '.' is refused (an index file must not reach outside the
 * folder), except "1_Pooling/config.json"-like names that our own code asks for.
 */
#ifndef FINE__SOURCE_H
#define FINE__SOURCE_H

#include "base/file.h"

struct fine__source;
struct fine_memory_file;

int fine__source_open_folder(struct fine__source **out, fine_context *ctx, const char *path);
/* The bytes are borrowed for the source's life. */
int fine__source_open_memory(struct fine__source **out, fine_context *ctx,
                             const struct fine_memory_file *files, int64_t n_files);
void fine__source_free(struct fine__source *source);
const char *fine__source_name(const struct fine__source *source);      /* for messages: the folder, or "memory" */
bool fine__source_has(const struct fine__source *source, const char *name);
int fine__source_read(const struct fine__source *source, const char *name, int64_t max_bytes,
                      struct fine__buf *out);

/* Random access to one file. */
struct fine__blob {
    struct fine__file file;         /* fd < 0: in memory */
    const unsigned char *bytes;
    int64_t size;
    char *name;                     /* "folder/file" for messages */
    fine_context *ctx;
};
int fine__blob_open(struct fine__blob *out, const struct fine__source *source, const char *name);
int fine__blob_open_path(struct fine__blob *out, fine_context *ctx, const char *path);
int fine__blob_read_at(struct fine__blob *blob, void *out, size_t bytes, int64_t offset);
void fine__blob_close(struct fine__blob *blob);

#endif
