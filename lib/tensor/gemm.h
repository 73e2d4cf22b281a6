/*
 * gemm.h — matrix products: BLIS, one thread a tile, tiles spread over the pool.
 *
 * C is row-major with a leading dimension; A and B have a row and a column stride each,
 * so that a transpose is a matter of strides. C = A B + beta C; with beta 0 C isn't
 * read. Tiles are cut from m, n, k alone.
 */
#ifndef FINE__GEMM_H
#define FINE__GEMM_H

#include "base/context.h"
#include "tensor/real.h"

struct fine__matrix {
    const fine__real *data;
    int64_t row_stride, column_stride;
};

/* m x n x k in the calling thread. Dimensions of 0 are fine. */
void fine__gemm_one(fine_context *ctx, int64_t m, int64_t n, int64_t k, struct fine__matrix a,
                    struct fine__matrix b, double beta, fine__real *c, int64_t ldc);

/* The same over the pool; then bias (n numbers; NULL: none) is added to every row. */
void fine__gemm(fine_context *ctx, int64_t m, int64_t n, int64_t k, struct fine__matrix a,
                struct fine__matrix b, const fine__real *bias, double beta, fine__real *c,
                int64_t ldc);

/* Chooses kernels for this processor and has BLIS set itself up; called once when a
 * context is made. FINE_ENOMEM. */
int fine__gemm_open(fine_context *ctx);

/* "zen3", "skx", …; "generic (own kernel: avx512)" where BLIS doesn't know the processor. */
const char *fine__gemm_name(const fine_context *ctx);

#endif
