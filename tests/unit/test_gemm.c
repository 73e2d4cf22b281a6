/*
 * test_gemm.c — products against the plainest loop in double, for odd sizes, strides, leading
 * dimensions, with and without what was in C; and the same bits at any number of threads.
 */
#include "runner.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "tensor/gemm.h"

static const uint64_t key = 0x5eed;

/* A matrix stored in one of four ways, inside a larger block. */
enum layout { ROWS, COLUMNS, WIDE_ROWS, WIDE_COLUMNS, N_LAYOUTS };

static struct fine__matrix
fill(float *to, int64_t rows, int64_t columns, enum layout layout, uint64_t stream)
{
    struct fine__matrix a = { to, columns, 1 };

    if (layout == COLUMNS)
        a = (struct fine__matrix){ to, 1, rows };
    else if (layout == WIDE_ROWS)
        a = (struct fine__matrix){ to, columns + 3, 1 };
    else if (layout == WIDE_COLUMNS)
        a = (struct fine__matrix){ to, 1, rows + 5 };
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[i * a.row_stride + j * a.column_stride] =
                (float)fine__rng_normal(key + stream, (uint64_t)(i * columns + j));
    return a;
}

static double
at(struct fine__matrix a, int64_t i, int64_t j)
{
    return (double)a.data[i * a.row_stride + j * a.column_stride];
}

struct problem {
    int64_t m, n, k, ldc;
    struct fine__matrix a, b;
    double beta;
    const float *bias;
};

/* Every element, within what float's rounding allows; and nothing beside them. */
static void
check(const struct problem *p, const float *before, const float *after)
{
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            const double old = p->beta == 0 ? 0 : p->beta * (double)before[i * p->ldc + j];

            for (int64_t l = 0; l < p->k; l++) {
                sum += at(p->a, i, l) * at(p->b, l, j);
                size += fabs(at(p->a, i, l) * at(p->b, l, j));
            }
            sum += old + (p->bias != NULL ? (double)p->bias[j] : 0);
            size += fabs(old) + (p->bias != NULL ? fabs((double)p->bias[j]) : 0);
            const double off = fabs((double)after[i * p->ldc + j] - sum);

            if (!(off <= (double)(p->k + 3) * size * (double)FLT_EPSILON / 2))
                ck_abort_msg("%dx%dx%d, element %d, %d: %g, not %g", (int)p->m, (int)p->n,
                             (int)p->k, (int)i, (int)j, (double)after[i * p->ldc + j], sum);
        }
        for (int64_t j = p->n; j < p->ldc; j++)
            if (after[i * p->ldc + j] != before[i * p->ldc + j])
                ck_abort_msg("%dx%dx%d: written beside row %d", (int)p->m, (int)p->n, (int)p->k,
                             (int)i);
    }
}

enum { MOST = 76 };

static void
check_one(fine_context *ctx, int64_t m, int64_t n, int64_t k, unsigned variant)
{
    static float a[MOST * MOST], b[MOST * MOST], before[MOST * MOST], c[MOST * MOST];
    static const double betas[] = { 0, 1, 0.5 };
    float bias[MOST];
    struct problem p = {
        .m = m, .n = n, .k = k, .ldc = n + variant % 2 * 3, .beta = betas[variant % 3]
    };

    p.a = fill(a, m, k, (enum layout)(variant % N_LAYOUTS), variant);
    p.b = fill(b, k, n, (enum layout)(variant / N_LAYOUTS % N_LAYOUTS), variant + 1);
    for (int64_t i = 0; i < MOST * MOST; i++)
        before[i] = (float)fine__rng_normal(key + 99, (uint64_t)i);
    /* With beta 0 nothing that lies there may matter. */
    for (int64_t i = 0; p.beta == 0 && i < m; i++)
        for (int64_t j = 0; j < n; j++)
            before[i * p.ldc + j] = (i + j) % 2 == 0 ? NAN : INFINITY;
    memcpy(c, before, sizeof c);
    fine__gemm_one(ctx, m, n, k, p.a, p.b, p.beta, c, p.ldc);
    check(&p, before, c);
    for (int64_t j = 0; j < n; j++)
        bias[j] = (float)fine__rng_normal(key + 98, (uint64_t)j);
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        p.bias = with_bias ? bias : NULL;
        memcpy(c, before, sizeof c);
        fine__gemm(ctx, m, n, k, p.a, p.b, p.bias, p.beta, c, p.ldc);
        check(&p, before, c);
    }
}

START_TEST(small_sizes)
{
    fine_context *ctx = new_context(2);
    unsigned variant = 0;

    for (int64_t m = 1; m <= 70; m += m < 6 ? 1 : 9)
        for (int64_t n = 1; n <= 70; n += n < 6 ? 1 : 8)
            for (int64_t k = 1; k <= 70; k += k < 4 ? 1 : 11)
                check_one(ctx, m, n, k, variant++);
    free_context(ctx);
}
END_TEST

/* Around the sizes at which kernels and tiles end, in every layout. */
START_TEST(edges)
{
    static const int64_t sizes[] = { 1, 15, 16, 17, 23, 24, 25, 47, 48, 49, 70 };
    fine_context *ctx = new_context(2);
    unsigned variant = 0;

    for (int i = 0; i < FINE__COUNT(sizes); i++)
        for (int j = 0; j < FINE__COUNT(sizes); j++)
            for (int v = 0; v < 5; v++)
                check_one(ctx, sizes[i], sizes[j], sizes[(i * 5 + j + v) % FINE__COUNT(sizes)],
                          variant++);
    for (variant = 0; variant < 48; variant++)
        check_one(ctx, 53, 67, 31, variant);
    free_context(ctx);
}
END_TEST

START_TEST(nothing_to_do)
{
    fine_context *ctx = new_context(1);
    const float a[4] = { 1, 2, 3, 4 };
    const struct fine__matrix none = { a, 1, 1 };
    float c[4] = { 5, 6, 7, 8 }, bias[2] = { 1, 2 };

    fine__gemm(ctx, 0, 3, 2, none, none, NULL, 0, c, 3);
    fine__gemm(ctx, 3, 0, 2, none, none, NULL, 0, c, 1);
    fine__gemm_one(ctx, 0, 0, 0, none, none, 0, c, 1);
    ck_assert(c[0] == 5 && c[1] == 6 && c[2] == 7 && c[3] == 8);
    /* an empty sum */
    fine__gemm(ctx, 2, 2, 0, none, none, NULL, 1, c, 2);
    ck_assert(c[0] == 5 && c[1] == 6 && c[2] == 7 && c[3] == 8);
    fine__gemm(ctx, 2, 2, 0, none, none, bias, 0, c, 2);
    ck_assert(c[0] == 1 && c[1] == 2 && c[2] == 1 && c[3] == 2);
    free_context(ctx);
}
END_TEST

/* What isn't finite in A or B comes out, and stays in its row or column. */
START_TEST(not_a_number_passes_through)
{
    enum { N = 30 };
    static float a[N * N], b[N * N], c[N * N];
    fine_context *ctx = new_context(1);
    const struct fine__matrix ma = fill(a, N, N, ROWS, 1), mb = fill(b, N, N, ROWS, 2);

    a[7 * N + 3] = NAN;
    b[4 * N + 11] = INFINITY;
    fine__gemm(ctx, N, N, N, ma, mb, NULL, 0, c, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if ((isfinite(c[i * N + j]) != 0) != (i != 7 && j != 11))
                ck_abort_msg("element %d, %d: %g", i, j, (double)c[i * N + j]);
    free_context(ctx);
}
END_TEST

START_TEST(same_bits_for_any_number_of_threads)
{
    static const int64_t shapes[][3] = { { 1, 1000, 300 },   { 300, 1, 777 },     { 200, 300, 96 },
                                         { 257, 193, 401 },  { 33, 1152, 384 },   { 1, 1, 2000 },
                                         { 384, 384, 1003 }, { 1030, 1025, 1024 } };
    static const int threads[] = { 1, 2, 5 };

    for (int s = 0; s < FINE__COUNT(shapes); s++) {
        const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        const size_t bytes = (size_t)(m * n) * sizeof(float);
        float *a = malloc((size_t)(m * k) * sizeof *a), *b = malloc((size_t)(n * k) * sizeof *b);
        float *first = malloc(bytes), *c = malloc(bytes), *bias = calloc((size_t)n, sizeof *bias);
        const struct fine__matrix ma = fill(a, m, k, s % 2 == 0 ? ROWS : COLUMNS, 1);
        const struct fine__matrix mb = fill(b, k, n, s % 3 == 0 ? COLUMNS : ROWS, 2);

        for (int64_t j = 0; j < n; j++)
            bias[j] = (float)fine__rng_normal(key, (uint64_t)j);
        for (int i = 0; i < FINE__COUNT(threads); i++) {
            fine_context *ctx = new_context(threads[i]);

            memset(c, 0, bytes);
            fine__gemm(ctx, m, n, k, ma, mb, bias, s % 2, c, n);
            if (i == 0)
                memcpy(first, c, bytes);
            ck_assert_int_eq(memcmp(first, c, bytes), 0);
            free_context(ctx);
        }
        free(a);
        free(b);
        free(c);
        free(first);
        free(bias);
    }
}
END_TEST

START_TEST(kernels_have_a_name)
{
    fine_context *ctx = new_context(1);

    ck_assert_int_gt((int)strlen(fine__gemm_name(ctx)), 1);
    ck_assert_int_lt((int)strlen(fine__gemm_name(ctx)), 64);
    free_context(ctx);
}
END_TEST

RUNNER("gemm", small_sizes, edges, nothing_to_do, not_a_number_passes_through,
       same_bits_for_any_number_of_threads, kernels_have_a_name)
