/*
 * file.c — the table of system calls, and bounded reading of regular files.
 *
 * Files are opened without blocking, so that a FIFO with nobody at its other end
 * is refused instead of waited for. What a file says about its size is only a
 * hint: it may shrink or grow while it is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

/* Linux moves no more in one call. */
enum { MOST_AT_ONCE = 0x7ffff000 };

static int
system_open(const char *path, int flags, unsigned mode)
{
    return open(path, flags, (mode_t)mode);
}

static int
system_mkdir(const char *path, unsigned mode)
{
    return mkdir(path, (mode_t)mode);
}

static int
system_fstat(int fd, struct stat *out)
{
    return fstat(fd, out);
}

static int
system_stat(const char *path, struct stat *out)
{
    return stat(path, out);
}

static int
system_lstat(const char *path, struct stat *out)
{
    return lstat(path, out);
}

static int
system_statvfs(const char *path, struct statvfs *out)
{
    return statvfs(path, out);
}

const struct fine__io fine__io_system = {
    .open = system_open,
    .read = read,
    .pread = pread,
    .write = write,
    .fsync = fsync,
    .close = close,
    .fstat = system_fstat,
    .stat = system_stat,
    .lstat = system_lstat,
    .rename = rename,
    .mkdir = system_mkdir,
    .unlink = unlink,
    .rmdir = rmdir,
    .statvfs = system_statvfs,
};

static const char *
kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a block device"
           : S_ISSOCK(mode) ? "a socket"
                            : "not a file";
}

int
fine__file_open(struct fine__file *file, fine_context *ctx, const char *path)
{
    struct fine__file f = { .ctx = ctx };
    struct stat status;
    int rc;

    do
        f.fd = ctx->io->open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);
    while (f.fd < 0 && errno == EINTR);
    if (f.fd < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot open '%s'", path);
    if (ctx->io->fstat(f.fd, &status) < 0) {
        rc = fine__fail_errno(FINE_EIO, errno, "cannot examine '%s'", path);
    } else if (!S_ISREG(status.st_mode)) {
        rc = fine__fail(FINE_EIO, "cannot read '%s': it is %s, but must be a regular file", path,
                        kind_of(status.st_mode));
    } else {
        f.size = status.st_size;
        f.path = fine__strdup(ctx, path);
        rc = f.path != NULL ? 0 : FINE_ENOMEM;
    }
    if (rc < 0) {
        ctx->io->close(f.fd);
        return rc;
    }
    *file = f;
    return 0;
}

int
fine__file_read_at(struct fine__file *file, void *out, size_t bytes, int64_t offset)
{
    size_t done = 0;

    while (done < bytes) {
        const size_t left = bytes - done;
        ssize_t n = 0;

        if (offset >= 0 && (uint64_t)offset + bytes <= INT64_MAX)
            n = file->ctx->io->pread(file->fd, (char *)out + done,
                                     left < MOST_AT_ONCE ? left : MOST_AT_ONCE,
                                     (off_t)(offset + (int64_t)done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fine__fail_errno(FINE_EIO, errno, "cannot read '%s' at byte %lld", file->path,
                                    (long long)offset + (long long)done);
        if (n == 0)
            return fine__fail(FINE_EFORMAT,
                              "'%s' is truncated: it ends before byte %lld; copy or download it again",
                              file->path, (long long)((uint64_t)offset + bytes));
        done += (size_t)n;
    }
    return 0;
}

void
fine__file_close(struct fine__file *file)
{
    if (file->path == NULL)
        return;
    file->ctx->io->close(file->fd);
    fine__free(file->ctx, file->path);
    *file = (struct fine__file){ .ctx = file->ctx, .fd = -1 };
}

static int
too_large(const struct fine__file *file, int64_t max_bytes)
{
    return fine__fail(FINE_EFORMAT, "'%s' is larger than %lld bytes, the most that is read of such "
                      "a file", file->path, (long long)max_bytes);
}

/* Reads until the end, wherever that is by then. */
static int
read_all(struct fine__file *file, int64_t max_bytes, struct fine__buf *out)
{
    size_t room;
    ssize_t n;

    if (file->size > max_bytes)
        return too_large(file, max_bytes);
    FINE__TRY(fine__buf_reserve(out, out->length + (size_t)file->size + 1));
    for (int64_t total = 0;;) {
        room = out->capacity - 1 - out->length;
        if (room == 0) {
            FINE__TRY(fine__buf_reserve(out, out->length + out->length / 2 + 4096));
            continue;
        }
        n = file->ctx->io->read(file->fd, out->data + out->length,
                                room < MOST_AT_ONCE ? room : MOST_AT_ONCE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fine__fail_errno(FINE_EIO, errno, "cannot read '%s'", file->path);
        if (n == 0)
            return 0;
        total += n;
        if (total > max_bytes)
            return too_large(file, max_bytes);
        out->length += (size_t)n;
        out->data[out->length] = '\0';
    }
}

int
fine__file_read(fine_context *ctx, const char *path, int64_t max_bytes, struct fine__buf *out)
{
    const size_t before = out->length;
    struct fine__file file;
    int rc;

    FINE__TRY(fine__file_open(&file, ctx, path));
    rc = read_all(&file, max_bytes, out);
    fine__file_close(&file);
    if (rc < 0 && out->data != NULL) {
        out->length = before;
        out->data[before] = '\0';
    }
    return rc;
}

bool
fine__file_exists(fine_context *ctx, const char *path)
{
    struct stat status;

    return ctx->io->stat(path, &status) == 0;
}

bool
fine__is_directory(fine_context *ctx, const char *path)
{
    struct stat status;

    return ctx->io->stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}
