/*
 * parallel.c — one job at a time, tiles taken by an atomic ticket.
 *
 * A job is announced through the gate, one 64-bit word: the job's number, an
 * open bit, and how many workers are inside. Workers enter an open gate by
 * compare-and-swap; the caller, who works too, closes it when the tickets are
 * gone and waits until nobody is inside. So a worker that wakes too late finds
 * the gate shut, and a small job never waits for sleepers. Whoever waits spins
 * for some microseconds first, since jobs follow each other closely, unless
 * there are more threads than processors.
 */
#define _GNU_SOURCE   /* sched_getaffinity, CPU_COUNT */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/numeric.h"
#include "base/parallel.h"

enum { MAX_THREADS = 256, SPIN_NS = 40000, STACK_BYTES = 1 << 20 };

#define OPEN ((uint64_t)1 << 16)
#define INSIDE (OPEN - 1)          /* the bits that count workers */
#define JOB (OPEN << 1)            /* one job further */

struct worker {
    struct fine__pool *pool;
    pthread_t thread;
    int index;
};

struct fine__pool {
    struct fine__pool *stale;      /* a fork left these behind: memory only, their threads don't exist */
    const fine_context *ctx;
    pid_t pid;
    int n_threads, n_started;
    bool started, may_spin;
    atomic_bool busy;

    /* The job: written while the gate is shut, read inside. */
    fine__tile_fn fn;
    void *arg;
    int64_t n_tiles;
    atomic_llong ticket;

    _Atomic uint64_t gate;
    atomic_int n_sleeping;
    atomic_bool caller_sleeps, stop;
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    struct fine__background *background;    /* under the mutex, as all of its pool's members */
    pthread_cond_t less;                    /* a tile of it is done */
    struct worker workers[MAX_THREADS];
};

/* Where this thread is, while it runs tiles. */
static _Thread_local struct {
    const fine_context *ctx;
    int worker;
} here;

int
fine__n_processors(void)
{
    cpu_set_t set;
    long n;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    else
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

int
fine__n_workers(const fine_context *ctx)
{
    return ctx->n_threads > 1 ? ctx->n_threads + 1 : 1;
}

static int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
run_tiles(struct fine__pool *pool)
{
    for (;;) {
        const int64_t tile = atomic_fetch_add_explicit(&pool->ticket, 1, memory_order_relaxed);

        if (tile >= pool->n_tiles)
            return;
        pool->fn(pool->arg, tile, here.worker);
    }
}

/* Whether there is a job that this worker hasn't been in. */
static bool
has_work(uint64_t gate, uint64_t seen)
{
    return (gate & OPEN) != 0 && gate / JOB != seen;
}

/* The mutex is held, and let go while a tile runs. False: there is none to take. */
static bool
take_background_tile(struct fine__pool *pool)
{
    struct fine__background *job = pool->background;

    if (job == NULL || job->next >= job->n_tiles)
        return false;
    const int64_t tile = job->next++;

    job->n_running++;
    pthread_mutex_unlock(&pool->mutex);
    job->fn(job->arg, tile, -1);
    pthread_mutex_lock(&pool->mutex);
    if (--job->n_running == 0)
        pthread_cond_signal(&pool->less);
    return true;
}

/* Waits for the next job, or the end: false. */
static bool
wait_for_work(struct fine__pool *pool, uint64_t seen)
{
    const int64_t until = pool->may_spin ? now_ns() + SPIN_NS : 0;

    do {
        for (int i = 0; i < 64 && pool->may_spin; i++) {
            if (has_work(atomic_load_explicit(&pool->gate, memory_order_relaxed), seen))
                return true;
            FINE__PAUSE();
        }
    } while (pool->may_spin && !atomic_load(&pool->stop) && now_ns() < until);

    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (!atomic_load(&pool->stop) && !has_work(atomic_load(&pool->gate), seen))
        if (!take_background_tile(pool))
            pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->n_sleeping, 1);
    pthread_mutex_unlock(&pool->mutex);
    return !atomic_load(&pool->stop);
}

static void
leave(struct fine__pool *pool)
{
    const uint64_t gate = atomic_fetch_sub(&pool->gate, 1) - 1;

    if ((gate & (INSIDE | OPEN)) == 0 && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void *
work(void *argument)
{
    struct worker *worker = argument;
    struct fine__pool *pool = worker->pool;
    struct fine__numeric saved;
    uint64_t seen = 0;

    fine__numeric_enter(&saved);   /* threads inherit their maker's environment */
    here.ctx = pool->ctx;
    here.worker = worker->index;
    while (wait_for_work(pool, seen)) {
        uint64_t gate = atomic_load(&pool->gate);

        while (has_work(gate, seen) && !atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1))
            ;
        if (!has_work(gate, seen))   /* shut in the meantime */
            continue;
        seen = gate / JOB;
        run_tiles(pool);
        leave(pool);
    }
    fine__numeric_leave(&saved);
    return NULL;
}

/* Fewer workers than wanted is no failure: the caller does the rest. */
static void
start_workers(struct fine__pool *pool)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    bool has_attributes = pthread_attr_init(&attributes) == 0;

    pool->may_spin = pool->n_threads <= fine__n_processors();
    if (has_attributes)
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);   /* the host's handlers run in the host's threads */
    while (pool->n_started < pool->n_threads - 1) {
        struct worker *worker = &pool->workers[pool->n_started];

        *worker = (struct worker){ .pool = pool, .index = pool->n_started + 1 };
        if (pthread_create(&worker->thread, has_attributes ? &attributes : NULL, work, worker) != 0)
            break;
        pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (has_attributes)
        pthread_attr_destroy(&attributes);
    pool->started = true;
}

static struct fine__pool *
new_pool(fine_context *ctx, struct fine__pool *stale)
{
    struct fine__pool *pool = ctx->options.allocate(sizeof *pool, ctx->options.allocator_user);

    if (pool == NULL)
        return NULL;
    memset(pool, 0, sizeof *pool);
    pool->stale = stale;
    pool->ctx = ctx;
    pool->pid = getpid();
    pool->n_threads = ctx->n_threads;
    atomic_init(&pool->gate, JOB);   /* job 1 is the last; workers have seen 0 and find it shut */
    if (pthread_mutex_init(&pool->mutex, NULL) == 0) {
        if (pthread_cond_init(&pool->work, NULL) == 0) {
            if (pthread_cond_init(&pool->done, NULL) == 0) {
                if (pthread_cond_init(&pool->less, NULL) == 0)
                    return pool;
                pthread_cond_destroy(&pool->done);
            }
            pthread_cond_destroy(&pool->work);
        }
        pthread_mutex_destroy(&pool->mutex);
    }
    ctx->options.release(pool, ctx->options.allocator_user);
    return NULL;
}

static void
destroy_parts(struct fine__pool *pool)
{
    pthread_cond_destroy(&pool->less);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
}

/* This process's pool, made where there is none yet; NULL: no memory for one. */
static struct fine__pool *
pool_of(fine_context *ctx)
{
    struct fine__pool *pool = atomic_load(&ctx->pool);

    while (pool == NULL || pool->pid != getpid()) {
        struct fine__pool *fresh = new_pool(ctx, pool);

        if (fresh == NULL)
            return NULL;
        if (atomic_compare_exchange_strong(&ctx->pool, &pool, fresh))
            return fresh;
        destroy_parts(fresh);   /* another thread was first */
        ctx->options.release(fresh, ctx->options.allocator_user);
    }
    return pool;
}

static void
wake(struct fine__pool *pool, int64_t wanted)
{
    const int sleeping = atomic_load(&pool->n_sleeping);

    if (sleeping == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    if (wanted >= sleeping)
        pthread_cond_broadcast(&pool->work);
    else
        for (int64_t i = 0; i < wanted; i++)
            pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static void
wait_until_empty(struct fine__pool *pool)
{
    int64_t until;

    if ((atomic_load(&pool->gate) & INSIDE) == 0)
        return;
    until = pool->may_spin ? now_ns() + SPIN_NS : 0;
    do {
        for (int i = 0; i < 64 && pool->may_spin; i++) {
            if ((atomic_load(&pool->gate) & INSIDE) == 0)
                return;
            FINE__PAUSE();
        }
    } while (pool->may_spin && now_ns() < until);

    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while ((atomic_load(&pool->gate) & INSIDE) != 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

static void
run_job(struct fine__pool *pool, int64_t n_tiles, fine__tile_fn fn, void *arg)
{
    const uint64_t shut = atomic_load(&pool->gate);

    pool->fn = fn;
    pool->arg = arg;
    pool->n_tiles = n_tiles;
    atomic_store(&pool->ticket, 0);
    atomic_store(&pool->gate, (shut + JOB) | OPEN);
    wake(pool, n_tiles - 1);
    run_tiles(pool);
    atomic_fetch_and(&pool->gate, ~OPEN);
    wait_until_empty(pool);
}

void
fine__parallel_for(fine_context *ctx, int64_t n_tiles, fine__tile_fn fn, void *arg)
{
    const fine_context *outer_ctx = here.ctx;
    const int outer_worker = here.worker;
    const bool nested = outer_ctx == ctx;
    struct fine__pool *pool = NULL;
    struct fine__numeric saved;

    if (n_tiles <= 0)
        return;
    if (!nested && n_tiles > 1 && ctx->n_threads > 1) {
        pool = pool_of(ctx);
        if (pool != NULL && atomic_exchange(&pool->busy, true))
            pool = NULL;
    }
    fine__numeric_enter(&saved);
    if (!nested) {
        here.ctx = ctx;
        here.worker = pool != NULL || ctx->n_threads == 1 ? 0 : ctx->n_threads;
    }
    if (pool != NULL) {
        if (!pool->started)
            start_workers(pool);
        run_job(pool, n_tiles, fn, arg);
        atomic_store(&pool->busy, false);
    } else {
        for (int64_t tile = 0; tile < n_tiles; tile++)
            fn(arg, tile, here.worker);
    }
    here.ctx = outer_ctx;
    here.worker = outer_worker;
    fine__numeric_leave(&saved);
}

/* ---- work that may wait ---- */

void
fine__background_start(fine_context *ctx, struct fine__background *job)
{
    struct fine__pool *pool = ctx->n_threads > 1 && job->n_tiles > 0 ? pool_of(ctx) : NULL;

    job->ctx = ctx;
    job->next = job->n_running = 0;
    job->pid = (int64_t)getpid();
    if (pool == NULL || atomic_exchange(&pool->busy, true))
        return;
    if (!pool->started)
        start_workers(pool);
    pthread_mutex_lock(&pool->mutex);
    if (pool->background == NULL) {
        pool->background = job;
        pthread_cond_broadcast(&pool->work);
    }
    pthread_mutex_unlock(&pool->mutex);
    atomic_store(&pool->busy, false);
}

/* Takes tiles beside the workers, until none is left and none runs. */
static void
finish_in_pool(struct fine__pool *pool, struct fine__background *job)
{
    pthread_mutex_lock(&pool->mutex);
    if (pool->background == job) {
        while (take_background_tile(pool))
            ;
        while (job->n_running > 0)
            pthread_cond_wait(&pool->less, &pool->mutex);
        pool->background = NULL;
    }
    pthread_mutex_unlock(&pool->mutex);
}

void
fine__background_finish(struct fine__background *job)
{
    struct fine__pool *pool;
    struct fine__numeric saved;

    if (job->pid == 0 || job->pid != (int64_t)getpid())
        return;
    pool = atomic_load(&job->ctx->pool);
    fine__numeric_enter(&saved);
    if (pool != NULL && pool->pid == getpid())
        finish_in_pool(pool, job);
    while (job->next < job->n_tiles)    /* another job had the pool, or there is none */
        job->fn(job->arg, job->next++, -1);
    fine__numeric_leave(&saved);
    job->pid = 0;
}

void
fine__pool_free(fine_context *ctx)
{
    struct fine__pool *pool = atomic_exchange(&ctx->pool, NULL);

    if (pool != NULL && pool->pid == getpid()) {
        pthread_mutex_lock(&pool->mutex);
        atomic_store(&pool->stop, true);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
        for (int i = 0; i < pool->n_started; i++)
            pthread_join(pool->workers[i].thread, NULL);
        destroy_parts(pool);
    }
    while (pool != NULL) {
        struct fine__pool *stale = pool->stale;

        ctx->options.release(pool, ctx->options.allocator_user);
        pool = stale;
    }
}
