#include "runner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "faulty_io.h"

static void
expect_file(fine_context *ctx, const char *path, const char *text)
{
    struct fine__buf buf;

    fine__buf_init(&buf, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 30, &buf), 0);
    ck_assert_str_eq(fine__buf_cstr(&buf), text);
    fine__buf_free(&buf);
}

static int64_t
n_names(fine_context *ctx, const char *folder)
{
    struct fine__names names;
    int64_t n;

    ck_assert_int_eq(fine__list_directory(ctx, folder, &names), 0);
    n = names.count;
    fine__names_free(ctx, &names);
    return n;
}

START_TEST(writes_small_and_large)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    struct fine__writer writer;
    struct fine__hash *hash;
    struct fine__buf all, back;
    static char big[200000];
    char expected[33], got[33];

    fine__buf_init(&all, ctx);
    fine__buf_init(&back, ctx);
    memset(big, 'b', sizeof big);
    ck_assert_int_eq(fine__hash_new(&hash, ctx), 0);
    use_faulty_io(ctx);
    io_most = 1000;
    ck_assert_int_eq(fine__writer_open(&writer, ctx, path), 0);
    writer.hash = hash;
    for (size_t i = 0; i < 300; i++) {
        const size_t n = i % 50 == 49 ? 100000 + i : 13 * i;

        ck_assert_int_eq(fine__writer_write(&writer, big, n), 0);
        fine__buf_append(&all, big, n);
    }
    ck_assert(!fine__file_exists(ctx, path));
    ck_assert_int_eq(writer.written, (int64_t)all.length);
    ck_assert_int_eq(fine__writer_commit(&writer), 0);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 30, &back), 0);
    ck_assert_uint_eq(back.length, all.length);
    ck_assert_mem_eq(back.data, all.data, all.length);
    fine__hash_hex(hash, got);
    fine__hash_hex_once(all.data, all.length, expected);
    ck_assert_str_eq(got, expected);
    ck_assert_int_eq(n_names(ctx, folder), 1);
    fine__hash_free(hash);
    fine__buf_free(&all);
    fine__buf_free(&back);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(modes_follow_the_umask)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    struct fine__writer writer;
    struct stat status;

    umask(0022);
    ck_assert_int_eq(fine__file_write(ctx, path, "", 0), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0644);
    umask(0);
    ck_assert_int_eq(fine__writer_open_private(&writer, ctx, path), 0);
    ck_assert_int_eq(stat(writer.temporary, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    fine__writer_abandon(&writer);
    fine__writer_abandon(&writer);
    ck_assert_int_eq(n_names(ctx, folder), 1);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* Whatever fails: an error, the old file whole, no temporary, no descriptor lost. */
START_TEST(every_call_may_fail)
{
    static const int errors[] = { ENOSPC, EDQUOT, EIO, EROFS, EMFILE, EFBIG };
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    static char big[150000];
    const int free_fd = dup(0);

    close(free_fd);
    memset(big, 'n', sizeof big - 1);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        int rc = -1;

        ctx->io = &fine__io_system;
        ck_assert_int_eq(fine__file_write(ctx, path, "old", 3), 0);
        use_faulty_io(ctx);
        io_errno = errors[e];
        io_most = 20000;
        for (io_fail_at = 1; rc < 0; io_fail_at++) {
            long long used;
            const int fd = dup(0);

            ck_assert_int_eq(fd, free_fd);
            close(fd);
            io_calls = 0;
            rc = fine__file_write(ctx, path, big, sizeof big - 1);
            used = io_calls;
            io_calls = INT64_MIN / 2;   /* looking doesn't fail */
            ck_assert_int_eq(n_names(ctx, folder), 1);
            if (rc < 0) {
                ck_assert_int_eq(rc, FINE_EIO);
                ck_assert_ptr_nonnull(strstr(fine_error_message(), folder));
            } else {
                ck_assert_int_ge(used, 13);
            }
            {
                struct stat status;

                ck_assert_int_eq(stat(path, &status), 0);
                if (status.st_size != 3)   /* renamed; only the directory wasn't synced */
                    ck_assert_int_eq(status.st_size, sizeof big - 1);
                else
                    expect_file(ctx, path, "old");
            }
        }
    }
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(interruptions_are_no_failures)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    int rename_at = 5;   /* open, write, fsync, close, rename, open, fsync, close */

    use_faulty_io(ctx);
    io_errno = EINTR;
    for (io_fail_at = 1; io_fail_at <= 8; io_fail_at++) {
        if (io_fail_at == rename_at)
            continue;
        io_calls = 0;
        ck_assert_int_eq(fine__file_write(ctx, path, "text", 4), 0);
    }
    fine__free(ctx, path);
    io_fail_at = 0;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(a_failed_write_sticks)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    static char big[100000];
    struct fine__writer writer;

    use_faulty_io(ctx);
    ck_assert_int_eq(fine__writer_open(&writer, ctx, path), 0);
    io_fail_at = io_calls + 1;
    ck_assert_int_eq(fine__writer_write(&writer, big, sizeof big), FINE_EIO);
    ck_assert_int_eq(fine__writer_write(&writer, "x", 1), FINE_EIO);
    ck_assert_int_eq(fine__writer_commit(&writer), FINE_EIO);
    ck_assert_int_eq(n_names(ctx, folder), 0);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_folder(), path[100];
    int rc = FINE_ENOMEM;

    snprintf(path, sizeof path, "%s/f", folder);
    for (long long n = 1; rc == FINE_ENOMEM; n++) {
        faulty.calls = 0;
        faulty.fail_at = n;
        rc = fine__file_write(ctx, path, "text", 4);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    ck_assert_int_eq(rc, 0);
    faulty.fail_at = 0;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(targets_that_cannot_be_written)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *inner = fine__path_join(ctx, folder, "d/e");
    char *outer = fine__path_join(ctx, folder, "d");

    ck_assert_int_eq(fine__file_write(ctx, "/nonexistent/x", "", 0), FINE_EIO);
    ck_assert_int_eq(fine__mkdirs(ctx, inner), 0);
    ck_assert_int_eq(fine__file_write(ctx, outer, "", 0), FINE_EIO);   /* a directory */
    ck_assert_int_eq(n_names(ctx, folder), 1);
    fine__free(ctx, inner);
    fine__free(ctx, outer);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(appending)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");

    ck_assert_int_eq(fine__file_append(ctx, path, "one\n", 4), 0);
    use_faulty_io(ctx);
    io_most = 2;
    ck_assert_int_eq(fine__file_append(ctx, path, "two\n", 4), 0);
    expect_file(ctx, path, "one\ntwo\n");
    for (int i = 1; i <= 3; i++) {   /* open, fstat, write */
        io_calls = 0;
        io_fail_at = i;
        ck_assert_int_eq(fine__file_append(ctx, path, "x", 1), FINE_EIO);
    }
    ck_assert_int_eq(fine__file_append(ctx, folder, "x", 1), FINE_EIO);
    ck_assert_int_eq(fine__file_append(ctx, "/dev/null", "x", 1), FINE_EIO);
    expect_file(ctx, path, "one\ntwo\n");
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(locks_exclude)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "lock");
    const int fd = fine__lock(ctx, path);
    int status, again;
    pid_t child;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fine__lock(ctx, path), FINE_EBUSY);   /* another session of this process */
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "locked"));
    child = fork();
    if (child == 0) {
        close(fd);
        _exit(fine__lock(ctx, path) == FINE_EBUSY ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    fine__unlock(ctx, fd);
    again = fine__lock(ctx, path);
    ck_assert_int_ge(again, 0);
    fine__unlock(ctx, again);
    fine__unlock(ctx, -1);
    ck_assert_int_eq(fine__lock(ctx, "/nonexistent/x"), FINE_EIO);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("writer", writes_small_and_large, modes_follow_the_umask, every_call_may_fail,
       interruptions_are_no_failures, a_failed_write_sticks, every_allocation_may_fail,
       targets_that_cannot_be_written, appending, locks_exclude)
