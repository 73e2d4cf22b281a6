#include "runner.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "faulty_io.h"

START_TEST(reads_whole_files)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    static char bytes[300000];
    struct fine__buf buf;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    fine__buf_init(&buf, ctx);
    for (size_t n = 0; n <= sizeof bytes; n = 3 * n + 1) {
        ck_assert_int_eq(fine__file_write(ctx, path, bytes, n), 0);
        fine__buf_clear(&buf);
        ck_assert_int_eq(fine__file_read(ctx, path, (int64_t)n, &buf), 0);
        ck_assert_uint_eq(buf.length, n);
        if (n > 0) {
            ck_assert_mem_eq(buf.data, bytes, n);
            fine__buf_clear(&buf);
            fine__buf_text(&buf, "kept");
            ck_assert_int_eq(fine__file_read(ctx, path, (int64_t)n - 1, &buf), FINE_EFORMAT);
            ck_assert_str_eq(fine__buf_cstr(&buf), "kept");
        }
    }
    ck_assert(fine__file_exists(ctx, path));
    ck_assert(!fine__is_directory(ctx, path));
    ck_assert(fine__is_directory(ctx, folder));
    fine__buf_free(&buf);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(only_regular_files)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *fifo = fine__path_join(ctx, folder, "fifo");
    struct fine__buf buf;
    struct fine__file file;

    fine__buf_init(&buf, ctx);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(fine__file_read(ctx, fifo, 100, &buf), FINE_EIO);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "a pipe"));
    ck_assert_int_eq(fine__file_read(ctx, folder, 100, &buf), FINE_EIO);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "a directory"));
    ck_assert_int_eq(fine__file_read(ctx, "/dev/zero", 100, &buf), FINE_EIO);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "a device"));
    ck_assert_int_eq(fine__file_open(&file, ctx, "/nonexistent/x"), FINE_EIO);
    ck_assert_str_eq(fine_error_message(),
                     "cannot open '/nonexistent/x': no such file or directory");
    fine__buf_free(&buf);
    fine__free(ctx, fifo);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(truncation_is_told)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    struct fine__file file;
    char out[16];

    ck_assert_int_eq(fine__file_write(ctx, path, "0123456789", 10), 0);
    ck_assert_int_eq(fine__file_open(&file, ctx, path), 0);
    ck_assert_int_eq(file.size, 10);
    ck_assert_int_eq(fine__file_read_at(&file, out, 4, 6), 0);
    ck_assert_mem_eq(out, "6789", 4);
    ck_assert_int_eq(fine__file_read_at(&file, out, 0, 0), 0);
    ck_assert_int_eq(fine__file_read_at(&file, out, 5, 6), FINE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "truncated"));
    ck_assert_int_eq(fine__file_read_at(&file, out, 1, INT64_MAX), FINE_EFORMAT);
    ck_assert_int_eq(fine__file_read_at(&file, out, 1, -1), FINE_EFORMAT);
    ck_assert_int_eq(truncate(path, 3), 0);   /* while it is open */
    ck_assert_int_eq(fine__file_read_at(&file, out, 8, 0), FINE_EFORMAT);
    fine__file_close(&file);
    fine__file_close(&file);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(every_call_may_fail)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "f");
    struct fine__buf buf;
    struct fine__file file;
    int rc = -1;
    char byte;

    ck_assert_int_eq(fine__file_write(ctx, path, "text", 4), 0);
    use_faulty_io(ctx);
    io_errno = EIO;
    fine__buf_init(&buf, ctx);
    for (io_fail_at = 1; rc < 0; io_fail_at++) {
        io_calls = 0;
        rc = fine__file_read(ctx, path, 100, &buf);
        ck_assert(rc == 0 || rc == FINE_EIO);
        ck_assert_uint_eq(buf.length, rc == 0 ? 4 : 0);
    }
    ck_assert_int_eq(io_fail_at, 6);   /* open, fstat, read, read; close() of a read file may fail */
    io_errno = EINTR;
    for (io_fail_at = 1; io_fail_at < 6; io_fail_at++) {
        io_calls = 0;
        if (io_fail_at == 2)   /* fstat() isn't interrupted */
            continue;
        fine__buf_clear(&buf);
        ck_assert_int_eq(fine__file_read(ctx, path, 100, &buf), 0);
        ck_assert_str_eq(fine__buf_cstr(&buf), "text");
    }
    io_fail_at = 0;
    ck_assert_int_eq(fine__file_open(&file, ctx, path), 0);
    io_errno = EIO;
    io_fail_at = io_calls + 1;
    ck_assert_int_eq(fine__file_read_at(&file, &byte, 1, 0), FINE_EIO);
    io_errno = EINTR;
    io_fail_at = io_calls + 1;
    ck_assert_int_eq(fine__file_read_at(&file, &byte, 1, 0), 0);
    fine__file_close(&file);
    fine__buf_free(&buf);
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
    ck_assert_int_eq(fine__file_write(ctx, path, "text", 4), 0);
    for (long long n = 1; rc == FINE_ENOMEM; n++) {
        struct fine__buf buf;

        fine__buf_init(&buf, ctx);
        faulty.calls = 0;
        faulty.fail_at = n;
        rc = fine__file_read(ctx, path, 100, &buf);
        fine__buf_free(&buf);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    ck_assert_int_eq(rc, 0);
    faulty.fail_at = 0;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("file", reads_whole_files, only_regular_files, truncation_is_told, every_call_may_fail,
       every_allocation_may_fail)
