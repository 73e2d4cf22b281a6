/* The files of a folder and of memory, through the same calls. */
#include <sys/stat.h>

#include "base/source.h"
#include "runner.h"
#include <finetune/model.h>

static const struct fine_memory_file files[] = {
    { "config.json", "{}", 2 },
    { "1_Pooling/config.json", "[1]", 3 },
    { "empty", NULL, 0 },
};

static void
put_file(fine_context *ctx, const char *folder, const char *name, const char *text)
{
    char *path = fine__path_join(ctx, folder, name);

    ck_assert_int_eq(fine__file_write(ctx, path, text, strlen(text)), 0);
    fine__free(ctx, path);
}

static void
check_reads(fine_context *ctx, const struct fine__source *source)
{
    struct fine__blob blob;
    struct fine__buf text;
    char two[2];

    ck_assert(fine__source_has(source, "config.json"));
    ck_assert(fine__source_has(source, "1_Pooling/config.json"));
    ck_assert(!fine__source_has(source, "vocab.txt"));
    fine__buf_init(&text, ctx);
    ck_assert_int_eq(fine__source_read(source, "config.json", 2, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "{}");
    ck_assert_int_eq(fine__source_read(source, "1_Pooling/config.json", 2, &text), FINE_EFORMAT);
    ck_assert_int_eq(fine__source_read(source, "vocab.txt", 2, &text), FINE_EIO);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "vocab.txt"));
    ck_assert_str_eq(fine__buf_cstr(&text), "{}");
    fine__buf_clear(&text);
    ck_assert_int_eq(fine__source_read(source, "empty", 0, &text), 0);
    ck_assert_uint_eq(text.length, 0);
    fine__buf_free(&text);

    ck_assert_int_eq(fine__blob_open(&blob, source, "1_Pooling/config.json"), 0);
    ck_assert_int_eq(blob.size, 3);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, 2, 1), 0);
    ck_assert_mem_eq(two, "1]", 2);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, 2, 2), FINE_EFORMAT);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, 1, -1), FINE_EFORMAT);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, SIZE_MAX, 1), FINE_EFORMAT);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, 1, INT64_MAX), FINE_EFORMAT);
    ck_assert_int_eq(fine__blob_read_at(&blob, two, 0, 3), 0);
    fine__blob_close(&blob);
    fine__blob_close(&blob);
    ck_assert_int_eq(fine__blob_open(&blob, source, "vocab.txt"), FINE_EIO);
}

/* Nothing else of its folder can be named. */
START_TEST(reads_one_file)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "weights.pth");
    struct fine__source *source;
    struct fine__blob blob;
    struct fine__buf text;

    put_file(ctx, folder, "weights.pth", "abc");
    put_file(ctx, folder, "config.json", "{}");
    ck_assert_int_eq(fine__source_open_file(&source, ctx, path), 0);
    ck_assert(fine__source_is_file(source));
    ck_assert_str_eq(fine__source_only(source), "weights.pth");
    ck_assert_str_eq(fine__source_name(source), path);
    ck_assert(fine__source_has(source, "weights.pth"));
    ck_assert(!fine__source_has(source, "config.json"));
    fine__buf_init(&text, ctx);
    ck_assert_int_eq(fine__source_read(source, "config.json", 9, &text), FINE_EINVAL);
    ck_assert_int_eq(fine__source_read(source, "weights.pth", 9, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "abc");
    fine__buf_free(&text);
    ck_assert_int_eq(fine__blob_open(&blob, source, "config.json"), FINE_EINVAL);
    ck_assert_int_eq(fine__blob_open(&blob, source, "weights.pth"), 0);
    ck_assert_str_eq(blob.name, path);
    fine__blob_close(&blob);
    fine__source_free(source);
    path[strlen(path) - 1] = '\0';
    ck_assert_int_eq(fine__source_open_file(&source, ctx, path), FINE_EIO);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, files, 1), 0);
    ck_assert(!fine__source_is_file(source));
    ck_assert_str_eq(fine__source_only(source), "config.json");
    fine__source_free(source);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, files, 3), 0);
    ck_assert_ptr_null(fine__source_only(source));
    fine__source_free(source);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(reads_memory)
{
    fine_context *ctx = new_context(1);
    struct fine__source *source;

    ck_assert_int_eq(fine__source_open_memory(&source, ctx, files, 3), 0);
    ck_assert_str_eq(fine__source_name(source), "memory");
    check_reads(ctx, source);
    fine__source_free(source);
    fine__source_free(NULL);
    free_context(ctx);
}
END_TEST

START_TEST(reads_a_folder)
{
    fine_context *ctx = new_context(1);
    struct fine__source *source;
    char *folder = new_folder(), *inner = fine__path_join(ctx, folder, "1_Pooling");

    ck_assert_int_eq(mkdir(inner, 0700), 0);
    put_file(ctx, folder, "config.json", "{}");
    put_file(ctx, folder, "1_Pooling/config.json", "[1]");
    put_file(ctx, folder, "empty", "");
    ck_assert_int_eq(fine__source_open_folder(&source, ctx, folder), 0);
    ck_assert_str_eq(fine__source_name(source), folder);
    check_reads(ctx, source);
    fine__source_free(source);
    fine__free(ctx, inner);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_what_is_no_folder)
{
    fine_context *ctx = new_context(1);
    struct fine__source *source = NULL;
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "file");

    put_file(ctx, folder, "file", "x");
    ck_assert_int_eq(fine__source_open_folder(&source, ctx, path), FINE_EIO);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "is a file"));
    ck_assert_int_eq(fine__source_open_folder(&source, ctx, "/nowhere/at/all"), FINE_EIO);
    ck_assert_ptr_null(source);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static const char *const refused[] = {
    "",      ".",    "..", ".hidden", "/etc/passwd", "../x", "a/../b",
    "a/b/c", "a//b", "a/", "/",       "a/.b",        ".a/b", "./a",
};

START_TEST(stays_within_the_folder)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    struct fine__source *source, *memory;
    struct fine__blob blob;
    struct fine__buf text;
    char name[600];

    ck_assert_int_eq(fine__source_open_folder(&source, ctx, folder), 0);
    fine__buf_init(&text, ctx);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const struct fine_memory_file file = { refused[i], "", 0 };

        ck_assert(!fine__source_has(source, refused[i]));
        ck_assert_int_eq(fine__source_read(source, refused[i], 100, &text), FINE_EINVAL);
        ck_assert_int_eq(fine__blob_open(&blob, source, refused[i]), FINE_EINVAL);
        ck_assert_int_eq(fine__source_open_memory(&memory, ctx, &file, 1), FINE_EINVAL);
        ck_assert(!fine__name_is_plain(refused[i]));
    }
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    ck_assert(!fine__name_is_plain(name));
    ck_assert_int_eq(fine__source_read(source, name, 100, &text), FINE_EINVAL);
    name[256] = '/';
    name[258] = '\0';
    ck_assert_int_eq(fine__source_read(source, name, 100, &text), FINE_EINVAL);
    name[255] = '\0';
    ck_assert(fine__name_is_plain(name));
    fine__buf_free(&text);
    fine__source_free(source);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(only_regular_files_are_read)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    char *pipe = fine__path_join(ctx, folder, "pipe"), *link = fine__path_join(ctx, folder, "zero");
    char *good = fine__path_join(ctx, folder, "link"), *inner = fine__path_join(ctx, folder, "dir");
    struct fine__source *source;
    struct fine__blob blob;
    struct fine__buf text;

    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_int_eq(symlink("/dev/zero", link), 0);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    put_file(ctx, folder, "file", "text");
    ck_assert_int_eq(symlink("file", good), 0);
    ck_assert_int_eq(fine__source_open_folder(&source, ctx, folder), 0);
    fine__buf_init(&text, ctx);
    ck_assert_int_eq(fine__source_read(source, "pipe", 100, &text), FINE_EIO);
    ck_assert_int_eq(fine__source_read(source, "zero", 100, &text), FINE_EIO);
    ck_assert_int_eq(fine__source_read(source, "dir", 100, &text), FINE_EIO);
    ck_assert_int_eq(fine__blob_open(&blob, source, "pipe"), FINE_EIO);
    ck_assert_int_eq(fine__source_read(source, "link", 100, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "text");
    fine__buf_free(&text);
    fine__source_free(source);
    fine__free(ctx, pipe);
    fine__free(ctx, link);
    fine__free(ctx, good);
    fine__free(ctx, inner);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(memory_files_are_checked)
{
    static const struct fine_memory_file unnamed = { NULL, "", 0 }, negative = { "a", "", -1 },
                                         missing = { "a", NULL, 1 },
                                         twice[] = { { "a", "", 0 }, { "a", "", 0 } };
    fine_context *ctx = new_context(1);
    struct fine__source *source = NULL;

    ck_assert_int_eq(fine__source_open_memory(&source, ctx, &unnamed, 1), FINE_EINVAL);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, &negative, 1), FINE_EINVAL);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, &missing, 1), FINE_EINVAL);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, twice, 2), FINE_EINVAL);
    ck_assert_ptr_null(source);
    ck_assert_int_eq(fine__source_open_memory(&source, ctx, NULL, 0), 0);
    fine__source_free(source);
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);

    for (int fail_at = 1;; fail_at++) {
        struct fine__source *source = NULL;
        struct fine__blob blob;
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        rc = fine__source_open_memory(&source, ctx, files, 3);
        if (rc == 0) {
            rc = fine__blob_open(&blob, source, "config.json");
            if (rc == 0)
                fine__blob_close(&blob);
            fine__source_free(source);
        }
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, FINE_ENOMEM);
    }
    free_context(ctx);
}
END_TEST

RUNNER("source", reads_one_file, reads_memory, reads_a_folder, refuses_what_is_no_folder,
       stays_within_the_folder, only_regular_files_are_read, memory_files_are_checked,
       survives_any_failed_allocation)
