/*
 * file.h — reading with bounds, writing that is complete or absent.
 *
 * No mmap: a file that shrinks while mapped kills the process. Every system
 * call goes through the context's table, so that tests can make the n-th fail.
 * EINTR is retried. Paths are bytes; messages escape them.
 */
#ifndef FINE__FILE_H
#define FINE__FILE_H

#include <sys/types.h>
#include "base/buf.h"

struct stat;
struct statvfs;

struct fine__io {
    int (*open)(const char *path, int flags, unsigned mode);
    ssize_t (*read)(int fd, void *bytes, size_t count);
    ssize_t (*pread)(int fd, void *bytes, size_t count, off_t offset);
    ssize_t (*write)(int fd, const void *bytes, size_t count);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *out);
    int (*stat)(const char *path, struct stat *out);
    int (*lstat)(const char *path, struct stat *out);
    int (*rename)(const char *from, const char *to);
    int (*mkdir)(const char *path, unsigned mode);
    int (*unlink)(const char *path);
    int (*rmdir)(const char *path);
    int (*statvfs)(const char *path, struct statvfs *out);
};

extern const struct fine__io fine__io_system;

/* A regular file opened for reading. Directories, FIFOs and devices are refused
 * with FINE_EIO. */
struct fine__file {
    fine_context *ctx;
    int fd;
    int64_t size;
    char *path;
};

int fine__file_open(struct fine__file *file, fine_context *ctx, const char *path);
int fine__file_read_at(struct fine__file *file, void *out, size_t bytes, int64_t offset); /* all, or FINE_EFORMAT "truncated" */
void fine__file_close(struct fine__file *file);

/* The whole file into buf; more than max_bytes is FINE_EFORMAT. "-" is not
 * special. */
int fine__file_read(fine_context *ctx, const char *path, int64_t max_bytes, struct fine__buf *out);

struct fine__hash;

/* Writing one file: <path>.tmp-XXXXXXXXXXXXXXXX (O_EXCL, O_NOFOLLOW), then fsync,
 * rename, and fsync of the directory. commit() and abandon() both close and
 * free, whatever they return; without success the temporary is gone and path is
 * as it was (only the directory's own fsync may fail after the rename). After a
 * failed write, call abandon(). */
struct fine__writer {
    fine_context *ctx;
    int fd;
    bool failed;
    char *path, *temporary;
    struct fine__buf buffer;   /* small writes are gathered */
    int64_t written;
    struct fine__hash *hash;   /* the caller's, or NULL: is fed all that is written */
};

int fine__writer_open(struct fine__writer *writer, fine_context *ctx, const char *path);          /* 0666 & ~umask */
int fine__writer_open_private(struct fine__writer *writer, fine_context *ctx, const char *path);  /* 0600 */
/* That many bytes are going to be written: FINE_EIO where the file system says that it has
 * less room. Optional; then abandon(). */
int fine__writer_expect(struct fine__writer *writer, int64_t bytes);
int fine__writer_write(struct fine__writer *writer, const void *bytes, size_t length);
int fine__writer_commit(struct fine__writer *writer);
void fine__writer_abandon(struct fine__writer *writer);

/* writer_open + write + commit. */
int fine__file_write(fine_context *ctx, const char *path, const void *bytes, size_t length);

int fine__file_append(fine_context *ctx, const char *path, const void *bytes, size_t length); /* O_APPEND, one write */
bool fine__file_exists(fine_context *ctx, const char *path);
bool fine__is_directory(fine_context *ctx, const char *path);
int fine__mkdirs(fine_context *ctx, const char *path);                       /* like mkdir -p; what is made lasts */
int fine__remove_tree(fine_context *ctx, const char *path);                  /* depth <= 8; never follows links; absent is fine */
int fine__rename(fine_context *ctx, const char *from, const char *to);       /* and fsync of to's directory */
int fine__sync_directory(fine_context *ctx, const char *path);

/* Names in a directory, sorted bytewise, without "." and ".."; free with fine__names_free. */
struct fine__names { char **names; int64_t count; };
int fine__list_directory(fine_context *ctx, const char *path, struct fine__names *out);
void fine__names_free(fine_context *ctx, struct fine__names *names);

/* For a name that nobody can have prepared; place and attempt are stirred in where the
 * system has no random bits yet. */
uint64_t fine__random_bits(const void *place, int attempt);

/* Joined by '/', unless name is absolute: then a copy of name. NULL: no memory. */
char *fine__path_join(fine_context *ctx, const char *folder, const char *name);
/* The same place from anywhere: links and dots are gone. NULL: it is not there, or no memory. */
char *fine__path_absolute(fine_context *ctx, const char *path);
char *fine__path_folder(fine_context *ctx, const char *path);                /* "a/b.c" → "a", "b.c" → "." */
const char *fine__path_name(const char *path);                               /* "a/b.c" → "b.c" */
bool fine__path_has_suffix(const char *path, const char *suffix);            /* case-insensitive (ASCII) */

/* An exclusive lock on a file, made when absent; FINE_EBUSY when another process
 * holds it. Returns a descriptor >= 0. */
int fine__lock(fine_context *ctx, const char *path);
void fine__unlock(fine_context *ctx, int descriptor);

#endif
