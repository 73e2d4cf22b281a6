/* test_thin.c — thin.c: what a general product gives, row by row the same bits. */
#include <math.h>

#include "leaves.h"

#include "ops/thin.h"

enum { M = FINE__THIN_ROWS };

static void
check_product(int n_threads, int64_t m, int64_t n, int64_t k, bool across, fine__real *out)
{
    fine_context *context = new_context(n_threads);
    struct fine__tensor *a = draw(new_leaf(false, M, k), 1, 0, 1);
    struct fine__tensor *b = draw(new_leaf(false, n, k), 2, 0, 1);
    struct fine__tensor *bias = draw(new_vector(false, n), 3, 0, 1);
    const struct fine__matrix matrix = { b->data, across ? n : 1, across ? 1 : k };
    struct fine__tape t;

    fine__tape_init(&t, context);
    fine__tape_reset(&t, false, 0);
    fine__thin_product(&t, m, n, k, a->data, matrix, bias->data, out, n);
    ck_assert_int_eq(fine__tape_status(&t), 0);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = (double)bias->data[j], size = 1;

            for (int64_t p = 0; p < k; p++) {
                const double one = (double)a->data[i * k + p] *
                                   (double)b->data[p * matrix.row_stride + j * matrix.column_stride];

                want += one;
                size += fabs(one);
            }
            ck_assert(fabs(want - (double)out[i * n + j]) < 1e-6 * size);
        }
    fine__tape_free(&t);
    free_leaf(a);
    free_leaf(b);
    free_leaf(bias);
    free_context(context);
}

START_TEST(products)
{
    static const int64_t sizes[][2] = { { 300, 64 }, { 257, 100 }, { 1, 77 }, { 48, 3 }, { 40, 1 } };
    static fine__real one[M * 300], all[M * 300], threads[M * 300];

    for (int across = 0; across < 2; across++)
        for (int64_t s = 0; s < FINE__COUNT(sizes); s++) {
            const int64_t n = sizes[s][0], k = sizes[s][1];

            check_product(1, 1, n, k, across, one);
            check_product(1, M, n, k, across, all);
            check_product(3, M, n, k, across, threads);
            ck_assert_mem_eq(one, all, (size_t)n * sizeof *one);
            ck_assert_mem_eq(threads, all, (size_t)(M * n) * sizeof *one);
        }
}
END_TEST

RUNNER("thin", products)
