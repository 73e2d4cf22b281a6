/*
 * thin.c — y = x W + b for up to eight rows of x: W is read once, from end to end, by all
 * threads; the arithmetic is nothing beside that. A general product would pack W first, which
 * reads it, writes it and reads it again.
 *
 * Where columns of W are contiguous, a number of y is one dot product, and a tile is a stretch
 * of them. Where rows are, a tile is a stretch of rows, which adds up its own part of y; the
 * parts are added in order.
 */
#include "ops/thin.h"

#include "base/parallel.h"

enum { PARTS = 8, COLUMNS = 256 };

struct job {
    int64_t m, n, k, ldc, each;     /* each: rows of W in a part */
    const fine__real *a, *b, *bias;
    fine__real *c, *parts;          /* parts: (PARTS, m, n) */
};

bool
fine__is_thin(int64_t m, int64_t n, int64_t k)
{
    return m <= FINE__THIN_ROWS && n * k >= 1 << 14;
}

FINE__INLINE fine__real
dot(const fine__real *x, const fine__real *y, int64_t n)
{
    fine__vec sum[4] = { { 0 } };
    int64_t i = 0;

    for (; i + 4 * FINE__LANES <= n; i += 4 * FINE__LANES)
        for (int s = 0; s < 4; s++)
            sum[s] += fine__vec_load(x + i + s * FINE__LANES) *
                      fine__vec_load(y + i + s * FINE__LANES);
    for (; i < n; i += FINE__LANES)
        sum[0] += fine__vec_load_part(x + i, n - i) * fine__vec_load_part(y + i, n - i);
    return fine__vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

FINE__CLONES static void
dots(const struct job *job, int64_t tile)
{
    const int64_t first = tile * COLUMNS;
    const int64_t end = first + COLUMNS < job->n ? first + COLUMNS : job->n;

    for (int64_t j = first; j < end; j++)
        for (int64_t i = 0; i < job->m; i++)
            job->c[i * job->ldc + j] = dot(job->a + i * job->k, job->b + j * job->k, job->k) +
                                       (job->bias != NULL ? job->bias[j] : 0);
}

static void
dots_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    dots(arg, tile);
}

/* part (n) += four rows of W, each times its number. */
FINE__INLINE void
add_four(fine__real *FINE__RESTRICT part, const fine__real *x, const fine__real *rows, int64_t n,
         int64_t stride)
{
    const fine__real a = x[0], b = x[1], c = x[2], d = x[3];

    for (int64_t j = 0; j < n; j++)
        part[j] += (a * rows[j] + b * rows[stride + j]) +
                   (c * rows[2 * stride + j] + d * rows[3 * stride + j]);
}

FINE__CLONES static void
add_part(const struct job *job, int64_t tile)
{
    const int64_t first = tile * job->each;
    const int64_t end = first + job->each < job->k ? first + job->each : job->k;

    for (int64_t i = 0; i < job->m; i++) {
        fine__real *FINE__RESTRICT part = job->parts + (tile * job->m + i) * job->n;
        const fine__real *x = job->a + i * job->k;
        int64_t p = first;

        for (int64_t j = 0; j < job->n; j++)
            part[j] = 0;
        for (; p + 4 <= end; p += 4)
            add_four(part, x + p, job->b + p * job->n, job->n, job->n);
        for (; p < end; p++)
            for (int64_t j = 0; j < job->n; j++)
                part[j] += x[p] * job->b[p * job->n + j];
    }
}

static void
part_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    add_part(arg, tile);
}

FINE__CLONES static void
add_up(const struct job *job)
{
    for (int64_t i = 0; i < job->m; i++) {
        fine__real *FINE__RESTRICT to = job->c + i * job->ldc;

        for (int64_t j = 0; j < job->n; j++)
            to[j] = job->bias != NULL ? job->bias[j] : 0;
        for (int64_t tile = 0; tile < PARTS; tile++) {
            const fine__real *part = job->parts + (tile * job->m + i) * job->n;

            for (int64_t j = 0; j < job->n; j++)
                to[j] += part[j];
        }
    }
}

void
fine__thin_product(struct fine__tape *t, int64_t m, int64_t n, int64_t k, const fine__real *a,
                   struct fine__matrix b, const fine__real *bias, fine__real *c, int64_t ldc)
{
    const struct fine__arena_mark mark = fine__tape_mark(t);
    struct job job = { .m = m, .n = n, .k = k, .ldc = ldc, .a = a, .b = b.data, .bias = bias,
                       .c = c, .each = (k + PARTS - 1) / PARTS };

    if (b.row_stride == 1) {
        fine__parallel_for(t->ctx, (n + COLUMNS - 1) / COLUMNS, dots_tile, &job);
        return;
    }
    job.parts = fine__tape_take(t, PARTS * m * n);
    if (job.parts == NULL)
        return;
    fine__parallel_for(t->ctx, PARTS, part_tile, &job);
    add_up(&job);
    fine__tape_rewind(t, mark);
}
