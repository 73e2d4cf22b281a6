/*
 * test_oom.c — every allocation of the main job failing in turn, once and from then on: opening,
 * a task, predicting, training, evaluating, saving, resuming, data. Each time FINE_ENOMEM with
 * a message or success; nothing is lost; the same call again succeeds and gives the bits of a
 * run in which nothing failed.
 */
#include "scenarios.h"

enum { EXHAUSTIVE = 400 }; /* up to here every allocation fails, then every seventh */

static void
begin(struct world *w, const struct scenario *s, char *folder)
{
    struct fine_context_options options;

    *w = (struct world){ .folder = folder };
    allocator.fail_at = allocator.live = 0;
    fine_context_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.allocate = allocate;
    options.reallocate = reallocate;
    options.release = release;
    OK(fine_context_new(&w->ctx, &options));
    (void)strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fine-oom-XXXXXX"
                                                       : "/tmp/fine-oom-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    s->prepare(w);
}

static void
end(struct world *w)
{
    fine_session_free(w->session);
    fine_trainer_free(w->trainer);
    fine_optimizer_free(w->optimizer);
    fine_dataset_free(w->data);
    fine_dataset_free(w->other);
    fine_tensors_free(w->batch);
    fine_tensors_free(w->out);
    fine_report_free(w->report);
    fine_model_free(w->model);
    ck_assert_int_eq(fine_context_used_bytes(w->ctx), 0);
    fine_context_free(w->ctx);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(nftw(w->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The first act with allocation n failing; true where it got that far. */
static bool
fail_once(const struct scenario *s, long long n, bool for_ever, uint64_t expected)
{
    char folder[40];
    struct world w;

    begin(&w, s, folder);
    allocator.calls = 0;
    allocator.for_ever = for_ever;
    allocator.fail_at = n;
    const int rc = s->act(&w);
    const bool reached = allocator.calls >= n;

    if (rc != 0 && rc != FINE_ENOMEM)
        ck_abort_msg("%s, allocation %lld: %d, %s", s->name, n, rc, fine_error_message());
    if (rc < 0 && fine_error_message()[0] == '\0')
        ck_abort_msg("%s, allocation %lld: no message", s->name, n);
    if (!reached && rc != 0)
        ck_abort_msg("%s: %s", s->name, fine_error_message());
    allocator.fail_at = 0;
    if (rc < 0) {
        const int again = s->act(&w);

        if (again != 0)
            ck_abort_msg("%s, again after allocation %lld: %d, %s", s->name, n, again,
                         fine_error_message());
    }
    if (s->result(&w) != expected)
        ck_abort_msg("%s, allocation %lld: another result", s->name, n);
    end(&w);
    return reached;
}

START_TEST(each_allocation)
{
    const struct scenario *s = &scenarios[_i / 2];
    char folder[40];
    struct world w;

    begin(&w, s, folder);
    allocator.calls = 0;
    OK(s->act(&w));
    const long long calls = allocator.calls;
    const uint64_t expected = s->result(&w);

    end(&w);
    if (getenv("FINE_TEST_TELL") != NULL)
        fprintf(stderr, "%s: %lld allocations\n", s->name, calls);
    ck_assert_int_gt(calls, 0);
    for (long long n = 1; fail_once(s, n, _i % 2 != 0, expected); n += n < EXHAUSTIVE ? 1 : 7)
        ck_assert_int_le(n, calls + 10);
}
END_TEST

/* A handle whose call failed can be freed without trying again. */
START_TEST(giving_up)
{
    const struct scenario *s = &scenarios[_i];

    for (long long n = 1;; n += 1 + n / 8) {
        char folder[40];
        struct world w;

        begin(&w, s, folder);
        allocator.calls = 0;
        allocator.for_ever = true;
        allocator.fail_at = n;
        const int rc = s->act(&w);

        end(&w); /* while there is still no memory */
        if (rc == 0)
            break;
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("oom");
    TCase *tcase = tcase_create("oom");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_allocation, 0, 2 * COUNT(scenarios));
    tcase_add_loop_test(tcase, giving_up, 0, COUNT(scenarios));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
