#include "runner.h"

static void
joined(fine_context *ctx, const char *folder, const char *name, const char *expected)
{
    char *path = fine__path_join(ctx, folder, name);

    ck_assert_str_eq(path, expected);
    fine__free(ctx, path);
}

static void
folder(fine_context *ctx, const char *path, const char *expected)
{
    char *got = fine__path_folder(ctx, path);

    ck_assert_str_eq(got, expected);
    fine__free(ctx, got);
}

START_TEST(paths)
{
    fine_context *ctx = new_context(1);

    joined(ctx, "a", "b", "a/b");
    joined(ctx, "a/", "b", "a/b");
    joined(ctx, "/", "b", "/b");
    joined(ctx, "a", "/b", "/b");
    joined(ctx, "", "b", "b");
    folder(ctx, "a/b.c", "a");
    folder(ctx, "b.c", ".");
    folder(ctx, "/b.c", "/");
    folder(ctx, "a/b/c", "a/b");
    ck_assert_str_eq(fine__path_name("a/b.c"), "b.c");
    ck_assert_str_eq(fine__path_name("b.c"), "b.c");
    ck_assert(fine__path_has_suffix("x.CSV", ".csv"));
    ck_assert(fine__path_has_suffix(".csv", ".csv"));
    ck_assert(!fine__path_has_suffix("csv", ".csv"));
    ck_assert(!fine__path_has_suffix("x.csv.gz", ".csv"));
    free_context(ctx);
}
END_TEST

RUNNER("path", paths)
