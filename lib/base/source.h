/*
 * source.h — the files of a model folder, on disk or in memory.
 *
 * Readers of models and tokenizers take a source, so that opening from a folder,
 * from one file and from an application's assets is the same code. Names are plain
 * ("vocab.txt"), or plain below one plain folder ("1_Pooling/config.json"): nothing
 * outside the folder can be named. A link that lies in the folder is followed, as the
 * caches of Hugging Face's tools are made of them; what it leads to must be a regular
 * file.
 */
#ifndef FINE__SOURCE_H
#define FINE__SOURCE_H

#include "base/file.h"

struct fine__source;
struct fine_memory_file;

int fine__source_open_folder(struct fine__source **out, fine_context *ctx, const char *path);
/* The bytes are borrowed for the source's life; names are copied. */
int fine__source_open_memory(struct fine__source **out, fine_context *ctx,
                             const struct fine_memory_file *files, int64_t n_files);
/* One file that stands for a model; nothing else of its folder can be named. */
int fine__source_open_file(struct fine__source **out, fine_context *ctx, const char *path);
/* That file's name, or the only one's in memory; NULL: there are several, or a folder. */
const char *fine__source_only(const struct fine__source *source);
bool fine__source_is_file(const struct fine__source *source);
void fine__source_free(struct fine__source *source);
/* For messages: the folder, the file, or "memory". */
const char *fine__source_name(const struct fine__source *source);
/* Asked in one thread at a time. */
bool fine__source_has(const struct fine__source *source, const char *name);
/* FINE_EIO: not there, or unreadable; FINE_EFORMAT: more than max_bytes; FINE_EINVAL:
 * a name that is refused. */
int fine__source_read(const struct fine__source *source, const char *name, int64_t max_bytes,
                      struct fine__buf *out);

/* A file's own name: no '/', no leading '.', not empty, at most 255 bytes. What a file says
 * about its neighbours (a shard index) must pass this. */
bool fine__name_is_plain(const char *name);

/* Random access to one file. Not usable after an error of open, and not to be closed then. */
struct fine__blob {
    struct fine__file file; /* fd < 0: in memory */
    const unsigned char *bytes;
    int64_t size;
    char *name; /* "folder/file" for messages */
    fine_context *ctx;
};
int fine__blob_open(struct fine__blob *out, const struct fine__source *source, const char *name);
int fine__blob_open_path(struct fine__blob *out, fine_context *ctx, const char *path);
/* All of them, or FINE_EIO, or FINE_EFORMAT where the file ends before. */
int fine__blob_read_at(struct fine__blob *blob, void *out, size_t bytes, int64_t offset);
void fine__blob_close(struct fine__blob *blob);

#endif
