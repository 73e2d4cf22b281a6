/*
 * runner.h — main() of a unit test, and contexts to test with.
 *
 *     START_TEST(adds) { … } END_TEST
 *     RUNNER("thing", adds, adds_nothing)
 *
 * Each test runs in a process of its own (CK_FORK=no: all in one).
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/context.h"
#include "base/file.h"

static inline fine_context *
new_context(int n_threads)
{
    struct fine_context_options options;
    fine_context *ctx;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = n_threads;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    return ctx;
}

/* What was made from the context must be gone. */
static inline void
free_context(fine_context *ctx)
{
    ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    fine_context_free(ctx);
}

/* An allocator that refuses call number fail_at (from 1; 0: none), and all later
 * ones when for_ever is set. What it gives is full of NaN. */
struct faulty {
    _Atomic long long calls;
    long long fail_at;
    bool for_ever;
};

static inline bool
faulty_refuses(struct faulty *f)
{
    f->calls++;
    return f->fail_at > 0 && (f->for_ever ? f->calls >= f->fail_at : f->calls == f->fail_at);
}

static inline void *
faulty_allocate(size_t bytes, void *user)
{
    void *block = faulty_refuses(user) ? NULL : malloc(bytes);

    if (block != NULL)
        memset(block, 0xFF, bytes);
    return block;
}

static inline void *
faulty_reallocate(void *block, size_t bytes, void *user)
{
    return faulty_refuses(user) ? NULL : realloc(block, bytes);
}

static inline void
faulty_release(void *block, void *user)
{
    (void)user;
    free(block);
}

/* Counting starts after the context's own block. */
static inline fine_context *
new_faulty_context(struct faulty *f, int n_threads)
{
    struct fine_context_options options;
    fine_context *ctx;

    *f = (struct faulty){ 0, 0, false };
    fine_context_options_init(&options, sizeof options);
    options.allocate = faulty_allocate;
    options.reallocate = faulty_reallocate;
    options.release = faulty_release;
    options.allocator_user = f;
    options.n_threads = n_threads;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    f->calls = 0;
    return ctx;
}

/* A directory of this test's own; remove_folder() removes it with all in it. */
static inline char *
new_folder(void)
{
    char *path = strdup("/tmp/fine-test-XXXXXX");

    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static inline void
remove_folder(fine_context *ctx, char *path)
{
    ck_assert_int_eq(fine__remove_tree(ctx, path), 0);
    free(path);
}

static inline int
run_tests(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define RUNNER(name, ...)                                                    \
    int main(void)                                                           \
    {                                                                        \
        const TTest *const tests[] = { __VA_ARGS__ };                        \
                                                                             \
        return run_tests(name, tests, sizeof tests / sizeof tests[0]);       \
    }

#endif
