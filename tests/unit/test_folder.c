#include "runner.h"

#include "faulty_io.h"

START_TEST(makes_lists_and_removes)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[300];
    struct fine__names names;

    snprintf(path, sizeof path, "%s//a/b/c/", folder);
    ck_assert_int_eq(fine__mkdirs(ctx, path), 0);
    ck_assert_int_eq(fine__mkdirs(ctx, path), 0);
    ck_assert(fine__is_directory(ctx, path));
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "%s/a/f%02d", folder, (7 * i) % 20);
        ck_assert_int_eq(fine__file_write(ctx, path, "", 0), 0);
    }
    ck_assert_int_eq(fine__mkdirs(ctx, path), FINE_EIO);   /* a file */
    snprintf(path, sizeof path, "%s/a/f00/x", folder);
    ck_assert_int_eq(fine__mkdirs(ctx, path), FINE_EIO);
    snprintf(path, sizeof path, "%s/a", folder);
    ck_assert_int_eq(fine__list_directory(ctx, path, &names), 0);
    ck_assert_int_eq(names.count, 21);
    ck_assert_str_eq(names.names[0], "b");
    ck_assert_str_eq(names.names[20], "f19");
    fine__names_free(ctx, &names);
    ck_assert_int_eq(fine__list_directory(ctx, "/nonexistent", &names), FINE_EIO);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(links_are_not_followed)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *other = new_folder(), path[300], link[300];

    snprintf(path, sizeof path, "%s/precious", other);
    ck_assert_int_eq(fine__file_write(ctx, path, "x", 1), 0);
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(symlink(other, link), 0);
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);
    ck_assert(!fine__file_exists(ctx, folder));
    ck_assert(fine__file_exists(ctx, path));
    ck_assert_int_eq(symlink(other, folder), 0);
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);   /* the link itself */
    ck_assert(fine__file_exists(ctx, path));
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);   /* absent */
    free(folder);
    remove_folder(ctx, other);
    free_context(ctx);
}
END_TEST

START_TEST(depth_is_bounded)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[300];

    snprintf(path, sizeof path, "%s/1/2/3/4/5/6/7", folder);
    ck_assert_int_eq(fine__mkdirs(ctx, path), 0);
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);
    strcat(path, "/8");
    ck_assert_int_eq(fine__mkdirs(ctx, path), 0);
    ck_assert_int_eq(fine__remove_tree(ctx, folder), FINE_EIO);
    snprintf(path, sizeof path, "%s/1/2", folder);
    ck_assert_int_eq(fine__remove_tree(ctx, path), 0);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(renaming)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), a[300], b[300];

    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    ck_assert_int_eq(fine__rename(ctx, a, b), FINE_EIO);
    ck_assert_int_eq(fine__file_write(ctx, a, "x", 1), 0);
    ck_assert_int_eq(fine__rename(ctx, a, b), 0);
    ck_assert(!fine__file_exists(ctx, a));
    ck_assert(fine__file_exists(ctx, b));
    ck_assert_int_eq(fine__sync_directory(ctx, folder), 0);
    ck_assert_int_eq(fine__sync_directory(ctx, b), FINE_EIO);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static int
everything(fine_context *ctx, const char *folder)
{
    char path[300];
    struct fine__names names;

    snprintf(path, sizeof path, "%s/x/y", folder);
    FINE__TRY(fine__mkdirs(ctx, path));
    snprintf(path, sizeof path, "%s/x/y/f", folder);
    FINE__TRY(fine__file_write(ctx, path, "x", 1));
    FINE__TRY(fine__list_directory(ctx, folder, &names));
    fine__names_free(ctx, &names);
    snprintf(path, sizeof path, "%s/x", folder);
    return fine__remove_tree(ctx, path);
}

START_TEST(every_call_and_allocation_may_fail)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_folder();
    int rc = -1;

    use_faulty_io(ctx);
    io_errno = EIO;
    for (io_fail_at = 1; rc < 0; io_fail_at++) {
        io_calls = 0;
        rc = everything(ctx, folder);
        ck_assert(rc == 0 || rc == FINE_EIO);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    io_fail_at = 0;
    rc = -1;
    for (long long n = 1; rc < 0; n++) {
        faulty.calls = 0;
        faulty.fail_at = n;
        rc = everything(ctx, folder);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    faulty.fail_at = 0;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("folder", makes_lists_and_removes, links_are_not_followed, depth_is_bounded, renaming,
       every_call_and_allocation_may_fail)
