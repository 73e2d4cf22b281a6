/*
 * parallel.h — the context's worker pool: the only file that knows of threads.
 *
 * Work is a number of tiles that depends on the problem alone; threads take
 * tiles in order of arrival. A function must give the same result whichever
 * worker runs a tile. The pool starts at the first call, and anew in a child
 * after fork(). A call while the pool is busy (another session's thread), or
 * from within a tile, runs its tiles in the calling thread. Tiles run under the
 * default floating-point environment, whatever the caller's is.
 *
 * Scratch memory that is indexed by worker belongs to a handle (a session, a
 * trainer), which one thread uses at a time, and never to the context: several
 * threads may run their tiles inline at once, all with the same index.
 */
#ifndef FINE__PARALLEL_H
#define FINE__PARALLEL_H

#include "base/context.h"

/* worker is in [0, fine__n_workers(ctx)): an index for scratch memory. */
typedef void (*fine__tile_fn)(void *arg, int64_t tile, int worker);

void fine__parallel_for(fine_context *ctx, int64_t n_tiles, fine__tile_fn fn, void *arg);
int fine__n_workers(const fine_context *ctx);   /* threads, and one more for calls that run inline */
int fine__n_processors(void);                   /* that this process may use, in [1, 256] */
void fine__pool_free(fine_context *ctx);

/*
 * Work that may wait: workers take its tiles while they have nothing else to do, and finish()
 * does what is left. One job at a time and context; start() where another runs leaves all to
 * finish(). The job and what its tiles touch belong to the pool between the two calls. Tiles are
 * the same as above, but that `worker` is -1: they share no scratch memory by worker.
 */
struct fine__background {
    fine__tile_fn fn;
    void *arg;
    int64_t n_tiles;
    /* the pool's */
    fine_context *ctx;
    int64_t next, n_running;
    int64_t pid;                    /* 0: not started */
};

void fine__background_start(fine_context *ctx, struct fine__background *job);
/* Until all tiles are done. Nothing happens where it wasn't started, or on the wrong side of a
 * fork: the tiles are another process's. */
void fine__background_finish(struct fine__background *job);

#endif
