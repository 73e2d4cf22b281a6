/*
 * writer.c — a file is complete or absent.
 *
 * Everything goes to a temporary beside the target, under a name that nobody can
 * have prepared (O_EXCL, O_NOFOLLOW, random), is synced, and only then renamed
 * over it; the directory is synced so that the new name lasts. A failed fsync
 * isn't tried again: the kernel may have dropped the pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"

enum { GATHERED = 64 << 10, MOST_AT_ONCE = 0x7ffff000, ATTEMPTS = 100 };

uint64_t
fine__random_bits(const void *place, int attempt)
{
    uint64_t bits;
    struct timespec t;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits)
        return bits;
    clock_gettime(CLOCK_REALTIME, &t);   /* O_EXCL makes up for what this lacks */
    return fine__rng_mix((uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 30 ^ (uint64_t)getpid() << 44
                         ^ (uint64_t)(uintptr_t)place ^ (uint64_t)attempt << 56);
}

/* Opens a new temporary of which the name is written to w->temporary. */
static int
open_temporary(struct fine__writer *w, size_t size, unsigned mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(w->temporary, size, "%s.tmp-%016" PRIx64, w->path, fine__random_bits(w, attempt));
        w->fd = w->ctx->io->open(w->temporary, flags, mode);
        if (w->fd >= 0)
            return 0;
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return fine__fail_errno(FINE_EIO, errno, "cannot write '%s'", w->path);
}

static void
release(struct fine__writer *w)
{
    fine__buf_free(&w->buffer);
    fine__free(w->ctx, w->temporary);
    fine__free(w->ctx, w->path);
    *w = (struct fine__writer){ .ctx = w->ctx, .fd = -1 };
}

static int
open_writer(struct fine__writer *writer, fine_context *ctx, const char *path, unsigned mode)
{
    const size_t size = strlen(path) + sizeof ".tmp-0123456789abcdef";
    struct fine__writer w = { .ctx = ctx, .fd = -1 };
    int rc = FINE_ENOMEM;

    fine__buf_init(&w.buffer, ctx);
    w.path = fine__strdup(ctx, path);
    w.temporary = w.path != NULL ? fine__alloc(ctx, size) : NULL;
    if (w.temporary != NULL && fine__buf_reserve(&w.buffer, GATHERED) == 0)
        rc = open_temporary(&w, size, mode);
    if (rc < 0) {
        release(&w);
        return rc;
    }
    *writer = w;
    return 0;
}

int
fine__writer_open(struct fine__writer *writer, fine_context *ctx, const char *path)
{
    return open_writer(writer, ctx, path, 0666);
}

int
fine__writer_open_private(struct fine__writer *writer, fine_context *ctx, const char *path)
{
    return open_writer(writer, ctx, path, 0600);
}

/* 0 or the error's number. */
static int
write_all(const struct fine__io *io, int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t n = io->write(fd, bytes, length < MOST_AT_ONCE ? length : MOST_AT_ONCE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENOSPC;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

static int
put(struct fine__writer *w, const char *bytes, size_t length)
{
    const int number = write_all(w->ctx->io, w->fd, bytes, length);

    if (number == 0)
        return 0;
    w->failed = true;
    return fine__fail_errno(FINE_EIO, number, "cannot write '%s'", w->path);
}

static int
flush(struct fine__writer *w)
{
    const size_t length = w->buffer.length;

    w->buffer.length = 0;
    return put(w, w->buffer.data, length);
}

int
fine__writer_expect(struct fine__writer *writer, int64_t bytes)
{
    struct statvfs status;

    /* Some file systems don't know, and say 0 of 0. */
    if (writer->ctx->io->statvfs(writer->temporary, &status) < 0 || status.f_blocks == 0
        || status.f_frsize == 0 || (uint64_t)bytes / status.f_frsize < status.f_bavail)
        return 0;
    return fine__fail(FINE_EIO, "cannot write '%s': it needs %lld bytes and the device has room for "
                      "%llu; make room, or choose another folder", writer->path, (long long)bytes,
                      (unsigned long long)status.f_bavail * status.f_frsize);
}

int
fine__writer_write(struct fine__writer *writer, const void *bytes, size_t length)
{
    if (writer->failed)
        return fine__fail(FINE_EIO, "cannot write '%s': an earlier write failed", writer->path);
    if (writer->hash != NULL)
        fine__hash_update(writer->hash, bytes, length);
    writer->written += (int64_t)length;
    if (length > GATHERED - writer->buffer.length)
        FINE__TRY(flush(writer));
    if (length >= GATHERED)
        return put(writer, bytes, length);
    fine__buf_append(&writer->buffer, bytes, length);
    return 0;
}

/* Everything in the file and the file closed. */
static int
finish(struct fine__writer *w)
{
    const int fd = w->fd;
    int rc;

    if (w->failed)
        return fine__fail(FINE_EIO, "cannot write '%s': an earlier write failed", w->path);
    FINE__TRY(flush(w));
    do
        rc = w->ctx->io->fsync(fd);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot write '%s' to the device", w->path);
    w->fd = -1;   /* close() gives the descriptor back even when it fails */
    if (w->ctx->io->close(fd) < 0 && errno != EINTR)
        return fine__fail_errno(FINE_EIO, errno, "cannot write '%s'", w->path);
    return 0;
}

int
fine__writer_commit(struct fine__writer *writer)
{
    int rc = finish(writer);

    if (rc == 0 && writer->ctx->io->rename(writer->temporary, writer->path) < 0)
        rc = fine__fail_errno(FINE_EIO, errno, "cannot put '%s' into place", writer->path);
    if (rc < 0) {
        fine__writer_abandon(writer);
        return rc;
    }
    {
        char *folder = fine__path_folder(writer->ctx, writer->path);

        rc = folder != NULL ? fine__sync_directory(writer->ctx, folder) : FINE_ENOMEM;
        fine__free(writer->ctx, folder);
    }
    release(writer);
    return rc;
}

void
fine__writer_abandon(struct fine__writer *writer)
{
    if (writer->path == NULL)
        return;
    if (writer->fd >= 0)
        writer->ctx->io->close(writer->fd);
    writer->ctx->io->unlink(writer->temporary);
    release(writer);
}

int
fine__file_write(fine_context *ctx, const char *path, const void *bytes, size_t length)
{
    struct fine__writer writer;
    int rc;

    FINE__TRY(fine__writer_open(&writer, ctx, path));
    rc = fine__writer_write(&writer, bytes, length);
    if (rc < 0) {
        fine__writer_abandon(&writer);
        return rc;
    }
    return fine__writer_commit(&writer);
}

int
fine__file_append(fine_context *ctx, const char *path, const void *bytes, size_t length)
{
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    struct stat status;
    int fd, number = 0;

    do
        fd = ctx->io->open(path, flags, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot append to '%s'", path);
    if (ctx->io->fstat(fd, &status) < 0)
        number = errno;
    else if (!S_ISREG(status.st_mode))
        number = EINVAL;
    else
        number = write_all(ctx->io, fd, bytes, length);
    if (ctx->io->close(fd) < 0 && errno != EINTR && number == 0)
        number = errno;
    if (number != 0)
        return fine__fail_errno(FINE_EIO, number, "cannot append to '%s'", path);
    return 0;
}

int
fine__lock(fine_context *ctx, const char *path)
{
    int fd, rc;

    do
        fd = ctx->io->open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fine__fail_errno(FINE_EIO, errno, "cannot lock '%s'", path);
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return fd;
    if (errno == EWOULDBLOCK)
        rc = fine__fail(FINE_EBUSY, "'%s' is locked: another process works in this folder; wait for "
                        "it to end, or use another folder", path);
    else
        rc = fine__fail_errno(FINE_EIO, errno, "cannot lock '%s'", path);
    ctx->io->close(fd);
    return rc;
}

void
fine__unlock(fine_context *ctx, int descriptor)
{
    if (descriptor >= 0)
        ctx->io->close(descriptor);
}
