/*
 * gemm.h — matrix products: BLIS, one thread a tile, tiles spread over the pool.
 *
 * C is row-major with a leading dimension; A and B have a row and a column stride each,
 * so that a transpose is a matter of strides. C = alpha A B + beta C; with beta 0 C isn't
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
void fine__gemm_one(fine_context *ctx, int64_t m, int64_t n, int64_t k, double alpha,
                    struct fine__matrix a, struct fine__matrix b, double beta, fine__real *c,
                    int64_t ldc);

/* The same over the pool. */
void fine__gemm(fine_context *ctx, int64_t m, int64_t n, int64_t k, double alpha,
                struct fine__matrix a, struct fine__matrix b, double beta, fine__real *c,
                int64_t ldc);

/* How many rows of an m-row product make a tile, where a caller cuts by rows itself. */
int64_t fine__gemm_row_tile(int64_t m, int64_t n, int64_t k);

/* Chooses kernels for this processor and has BLIS set itself up; called once when a
 * context is made. FINE_ENOMEM. */
int fine__gemm_open(fine_context *ctx);

/* "zen3", "skx", …; "zen3 (own kernel: avx512)" where BLIS doesn't know the processor. */
const char *fine__gemm_name(const fine_context *ctx);

#endif
