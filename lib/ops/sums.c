/*
 * sums.c — sums down the columns of a matrix, as biases and norms need them.
 *
 * Rows are cut into tiles of fixed size; each tile sums its own, and the tiles' sums are
 * added in order, so that the bits don't depend on who did what.
 */
#include "base/parallel.h"
#include "ops/op.h"

enum { ROWS = 128 };

struct job {
    int64_t m, n, ldy, n_tiles;
    const fine__real *dy;
    fine__real *partial, *grad;
};

FINE__CLONES static void
sum_rows(const struct job *job, int64_t tile)
{
    const int64_t first = tile * ROWS, last = first + ROWS < job->m ? first + ROWS : job->m;
    fine__real *sum = job->partial + tile * job->n;

    for (int64_t j = 0; j < job->n; j++)
        sum[j] = 0;
    for (int64_t i = first; i < last; i++)
        for (int64_t j = 0; j < job->n; j++)
            sum[j] += job->dy[i * job->ldy + j];
}

static void
sum_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    sum_rows(arg, tile);
}

FINE__CLONES static void
add_partial(const struct job *job)
{
    for (int64_t tile = 0; tile < job->n_tiles; tile++)
        for (int64_t j = 0; j < job->n; j++)
            job->grad[j] += job->partial[tile * job->n + j];
}

void
fine__add_column_sums(struct fine__tape *tape, int64_t m, int64_t n, const fine__real *dy,
                      int64_t ldy, fine__real *grad)
{
    struct job job = { .m = m, .n = n, .ldy = ldy, .n_tiles = (m + ROWS - 1) / ROWS, .dy = dy,
                       .grad = grad };
    const struct fine__arena_mark mark = fine__tape_mark(tape);

    if (grad == NULL)
        return;
    job.partial = fine__tape_take(tape, job.n_tiles * n);
    if (job.partial == NULL)
        return;
    fine__parallel_for(tape->ctx, job.n_tiles, sum_tile, &job);
    add_partial(&job);
    fine__tape_rewind(tape, mark);
}

void
fine__wake_rows(struct fine__tensor *weight)
{
    struct fine__rows *rows = weight->rows;

    for (int64_t row = 0; rows != NULL && row < rows->n_rows; row++) {
        if (rows->used[row])
            continue;
        rows->used[row] = 1;
        memset(weight->grad + row * rows->width, 0, (size_t)rows->width * sizeof *weight->grad);
    }
}
