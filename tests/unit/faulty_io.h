/*
 * faulty_io.h — the table of system calls with a counter: call number fail_at
 * (from 1), and with io_for_ever all later ones too, fails with an error of the
 * test's choice; writes may be short.
 *
 *     use_faulty_io(ctx);
 *     for (io_fail_at = 1;; io_fail_at++) { io_calls = 0; … }
 */
#ifndef FAULTY_IO_H
#define FAULTY_IO_H

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"

static long long io_calls, io_fail_at;
static bool io_for_ever;
static int io_errno = ENOSPC;
static size_t io_most;   /* bytes of one write; 0: all */

static inline bool
io_fails(void)
{
    if (++io_calls != io_fail_at && !(io_for_ever && io_fail_at > 0 && io_calls > io_fail_at))
        return false;
    errno = io_errno;
    return true;
}

static inline int
faulty_open(const char *path, int flags, unsigned mode)
{
    return io_fails() ? -1 : fine__io_system.open(path, flags, mode);
}

static inline ssize_t
faulty_read(int fd, void *bytes, size_t count)
{
    return io_fails() ? -1 : fine__io_system.read(fd, bytes, count);
}

static inline ssize_t
faulty_pread(int fd, void *bytes, size_t count, off_t offset)
{
    return io_fails() ? -1 : fine__io_system.pread(fd, bytes, count, offset);
}

static inline ssize_t
faulty_write(int fd, const void *bytes, size_t count)
{
    if (io_most > 0 && count > io_most)
        count = io_most;
    return io_fails() ? -1 : fine__io_system.write(fd, bytes, count);
}

/* The device isn't waited for: there are thousands of calls. */
static inline int
faulty_fsync(int fd)
{
    (void)fd;
    return io_fails() ? -1 : 0;
}

/* As on Linux, the descriptor is gone even so. */
static inline int
faulty_close(int fd)
{
    const bool fails = io_fails();
    const int rc = fine__io_system.close(fd);

    if (fails)
        errno = io_errno;
    return fails ? -1 : rc;
}

static inline int
faulty_fstat(int fd, struct stat *out)
{
    return io_fails() ? -1 : fine__io_system.fstat(fd, out);
}

static inline int
faulty_stat(const char *path, struct stat *out)
{
    return io_fails() ? -1 : fine__io_system.stat(path, out);
}

static inline int
faulty_lstat(const char *path, struct stat *out)
{
    return io_fails() ? -1 : fine__io_system.lstat(path, out);
}

static inline int
faulty_rename(const char *from, const char *to)
{
    return io_fails() ? -1 : fine__io_system.rename(from, to);
}

static inline int
faulty_mkdir(const char *path, unsigned mode)
{
    return io_fails() ? -1 : fine__io_system.mkdir(path, mode);
}

static inline int
faulty_unlink(const char *path)
{
    return io_fails() ? -1 : fine__io_system.unlink(path);
}

static inline int
faulty_rmdir(const char *path)
{
    return io_fails() ? -1 : fine__io_system.rmdir(path);
}

static inline int
faulty_statvfs(const char *path, struct statvfs *out)
{
    return io_fails() ? -1 : fine__io_system.statvfs(path, out);
}

static const struct fine__io faulty_io = {
    .open = faulty_open,     .read = faulty_read,     .pread = faulty_pread,
    .write = faulty_write,   .fsync = faulty_fsync,   .close = faulty_close,
    .fstat = faulty_fstat,   .stat = faulty_stat,     .lstat = faulty_lstat,
    .rename = faulty_rename, .mkdir = faulty_mkdir,   .unlink = faulty_unlink,
    .rmdir = faulty_rmdir,   .statvfs = faulty_statvfs,
};

static inline void
use_faulty_io(fine_context *ctx)
{
    io_calls = 0;
    io_fail_at = 0;
    io_for_ever = false;
    io_errno = ENOSPC;
    io_most = 0;
    ctx->io = &faulty_io;
}

#endif
