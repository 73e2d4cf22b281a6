#include "runner.h"

#include <time.h>

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/parallel.h"

enum { TILES = 500 };

struct sums {
    fine_context *ctx;
    double tiles[TILES];
    int counts[TILES];
    atomic_int bad_workers;
};

static void
add_tile(void *arg, int64_t tile, int worker)
{
    struct sums *s = arg;
    double sum = 0;

    for (int i = 0; i < 200; i++)
        sum += 1.0 / (double)(tile * 200 + i + 1);
    s->tiles[tile] = sum;
    s->counts[tile]++;
    if (worker < 0 || worker >= fine__n_workers(s->ctx) || fegetround() != FE_TONEAREST)
        atomic_fetch_add(&s->bad_workers, 1);
}

static double
harmonic(fine_context *ctx)
{
    struct sums s = { .ctx = ctx };
    double sum = 0;

    fine__parallel_for(ctx, TILES, add_tile, &s);
    ck_assert_int_eq(s.bad_workers, 0);
    for (int i = 0; i < TILES; i++) {
        ck_assert_int_eq(s.counts[i], 1);
        sum += s.tiles[i];
    }
    return sum;
}

START_TEST(same_bits_for_any_number_of_threads)
{
    static const int threads[] = { 1, 2, 3, 5, 16 };
    fine_context *one = new_context(1);
    const double expected = harmonic(one);

    free_context(one);
    for (int i = 0; i < 5; i++) {
        fine_context *ctx = new_context(threads[i]);

        for (int round = 0; round < 200; round++)
            ck_assert(harmonic(ctx) == expected);
        fesetround(FE_UPWARD);
        ck_assert_int_eq(fegetround(), FE_UPWARD);
        fine__parallel_for(ctx, 0, add_tile, NULL);
        fine__parallel_for(ctx, -1, add_tile, NULL);
        {
            struct sums s = { .ctx = ctx };

            fine__parallel_for(ctx, TILES, add_tile, &s);
            ck_assert_int_eq(s.bad_workers, 0);
        }
        ck_assert_int_eq(fegetround(), FE_UPWARD);
        fesetround(FE_TONEAREST);
        free_context(ctx);
    }
}
END_TEST

/* Pauses let workers fall asleep, few tiles leave some of them there. */
START_TEST(small_jobs_and_pauses)
{
    fine_context *ctx = new_context(4);

    for (int round = 0; round < 300; round++) {
        struct sums s = { .ctx = ctx };
        const int n = 1 + round % 7;

        fine__parallel_for(ctx, n, add_tile, &s);
        for (int i = 0; i < TILES; i++)
            ck_assert_int_eq(s.counts[i], i < n);
        if (round % 3 == 0)
            usleep(300);
    }
    free_context(ctx);
}
END_TEST

struct nest {
    fine_context *ctx, *other;
    atomic_int n;
    atomic_int wrong;
};

struct inner {
    struct nest *nest;
    int worker;
};

static void
inner_tile(void *arg, int64_t tile, int worker)
{
    struct inner *in = arg;

    (void)tile;
    atomic_fetch_add(&in->nest->n, 1);
    if (in->worker >= 0 && worker != in->worker)
        atomic_fetch_add(&in->nest->wrong, 1);
}

static void
outer_tile(void *arg, int64_t tile, int worker)
{
    struct nest *nest = arg;
    struct inner same = { nest, worker }, foreign = { nest, -1 };

    (void)tile;
    fine__parallel_for(nest->ctx, 10, inner_tile, &same);
    fine__parallel_for(nest->other, 10, inner_tile, &foreign);
    fine__parallel_for(nest->ctx, 10, inner_tile, &same);
}

START_TEST(nested_calls_run_in_place)
{
    struct nest nest = { .ctx = new_context(3), .other = new_context(2) };

    for (int round = 1; round <= 50; round++) {
        fine__parallel_for(nest.ctx, 20, outer_tile, &nest);
        ck_assert_int_eq(nest.n, round * 20 * 30);
    }
    ck_assert_int_eq(nest.wrong, 0);
    free_context(nest.ctx);
    free_context(nest.other);
}
END_TEST

struct session {
    fine_context *ctx;
    double expected;
    int wrong;
};

static void *
session_main(void *arg)
{
    struct session *s = arg;

    for (int i = 0; i < 300; i++) {
        struct sums sums = { .ctx = s->ctx };
        double sum = 0;

        fine__parallel_for(s->ctx, TILES, add_tile, &sums);
        for (int k = 0; k < TILES; k++) {
            sum += sums.tiles[k];
            s->wrong += sums.counts[k] != 1;
        }
        s->wrong += sum != s->expected;
    }
    return NULL;
}

START_TEST(sessions_in_several_threads)
{
    fine_context *one = new_context(1), *ctx = new_context(2);
    const double expected = harmonic(one);
    struct session sessions[4];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        sessions[i] = (struct session){ ctx, expected, 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, session_main, &sessions[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(sessions[i].wrong, 0);
    }
    free_context(one);
    free_context(ctx);
}
END_TEST

START_TEST(a_child_starts_anew)
{
    fine_context *ctx = new_context(3);
    const double expected = harmonic(ctx);

#if defined __SANITIZE_THREAD__
    puts("skipped: ThreadSanitizer takes the child's threads for the parent's");
    free_context(ctx);
    return;
#endif
    for (int i = 0; i < 20; i++) {
        int status;
        const pid_t child = fork();

        if (child == 0) {
            alarm(10);
            if (i % 4 == 1) {   /* a child of the child */
                const pid_t grandchild = fork();

                if (grandchild != 0)
                    _exit(waitpid(grandchild, &status, 0) == grandchild ? status != 0 : 1);
            }
            if (i % 4 != 2 && harmonic(ctx) != expected)
                _exit(1);
            if (i % 4 != 3)
                fine_context_free(ctx);
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert(harmonic(ctx) == expected);
    }
    free_context(ctx);
}
END_TEST

/* fork() while other threads are in the middle of jobs. The sanitizers' own locks
 * are copied as they are, those of the C library aren't. */
#if defined FINE__ASAN || defined __SANITIZE_THREAD__
START_TEST(a_child_of_a_busy_process)
{
    puts("skipped: not with a sanitizer");
}
END_TEST
#else
START_TEST(a_child_of_a_busy_process)
{
    fine_context *ctx = new_context(2), *one = new_context(1);
    struct session session = { ctx, harmonic(one), 0 };
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, session_main, &session), 0);
    for (int i = 0; i < 20; i++) {
        int status;
        const pid_t child = fork();

        if (child == 0) {
            alarm(10);
            if (harmonic(ctx) != session.expected)
                _exit(1);
            fine_context_free(ctx);
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    pthread_join(thread, NULL);
    ck_assert_int_eq(session.wrong, 0);
    free_context(ctx);
    free_context(one);
}
END_TEST
#endif

static atomic_int wrong_thread;
static pthread_t main_thread;

static void
on_signal(int number)
{
    (void)number;
    if (!pthread_equal(pthread_self(), main_thread))
        atomic_fetch_add(&wrong_thread, 1);
}

START_TEST(signals_stay_with_the_host)
{
    fine_context *ctx = new_context(4);
    sigset_t mask;

    main_thread = pthread_self();
    signal(SIGUSR1, on_signal);
    for (int i = 0; i < 100; i++) {
        kill(getpid(), SIGUSR1);
        harmonic(ctx);
    }
    ck_assert_int_eq(wrong_thread, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGUSR1), 0);
    free_context(ctx);
}
END_TEST

START_TEST(no_memory_for_a_pool)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 4);

    faulty.fail_at = 1;
    faulty.for_ever = true;
    harmonic(ctx);
    faulty.fail_at = 0;
    harmonic(ctx);
    ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    free_context(ctx);
}
END_TEST

/* ---- work that may wait ---- */

enum { SLOW_TILES = 40 };

static void
count_slowly(void *arg, int64_t tile, int worker)
{
    atomic_int *counts = arg;
    const struct timespec nap = { 0, 200000 };

    ck_assert_int_eq(worker, -1);
    nanosleep(&nap, NULL);
    atomic_fetch_add(&counts[tile], 1);
}

static void
count_once(void *arg, int64_t tile, int worker)
{
    atomic_int *counts = arg;

    (void)worker;
    atomic_fetch_add(&counts[tile], 1);
}

/* Each tile runs once, whatever runs meanwhile, and none after finish(). */
START_TEST(background_work)
{
    for (int n_threads = 1; n_threads <= 5; n_threads += 2) {
        fine_context *ctx = new_context(n_threads);

        for (int round = 0; round < 8; round++) {
            atomic_int slow[SLOW_TILES], quick[64], others[SLOW_TILES];
            struct fine__background job = { .fn = count_slowly, .arg = slow,
                                              .n_tiles = SLOW_TILES };
            struct fine__background other = { .fn = count_slowly, .arg = others,
                                                .n_tiles = SLOW_TILES / 8 };

            for (int i = 0; i < SLOW_TILES; i++) {
                atomic_init(&slow[i], 0);
                atomic_init(&others[i], 0);
            }
            for (int i = 0; i < 64; i++)
                atomic_init(&quick[i], 0);
            fine__background_start(ctx, &job);
            fine__background_start(ctx, &other);
            for (int k = 0; k < round; k++)
                fine__parallel_for(ctx, 64, count_once, quick);
            fine__background_finish(&job);
            fine__background_finish(&other);
            fine__background_finish(&job);
            for (int i = 0; i < SLOW_TILES; i++) {
                ck_assert_int_eq(atomic_load(&slow[i]), 1);
                ck_assert_int_eq(atomic_load(&others[i]), i < SLOW_TILES / 8);
            }
            for (int i = 0; i < 64; i++)
                ck_assert_int_eq(atomic_load(&quick[i]), round);
        }
        free_context(ctx);
    }
}
END_TEST

START_TEST(the_number_of_workers)
{
    fine_context *one = new_context(1), *five = new_context(5);

    ck_assert_int_eq(fine__n_workers(one), 1);
    ck_assert_int_eq(fine__n_workers(five), 6);
    ck_assert_int_eq(fine_context_n_threads(five), 5);
    ck_assert_int_ge(fine__n_processors(), 1);
    free_context(one);
    free_context(five);
}
END_TEST

RUNNER("parallel", same_bits_for_any_number_of_threads, small_jobs_and_pauses,
       nested_calls_run_in_place, sessions_in_several_threads, a_child_starts_anew,
       a_child_of_a_busy_process, signals_stay_with_the_host, no_memory_for_a_pool,
       background_work, the_number_of_workers)
