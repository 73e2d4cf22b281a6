/*
 * op.h — what the file of an op includes.
 */
#ifndef FINE__OP_H
#define FINE__OP_H

#include "ops/ops.h"
#include "tensor/gemm.h"
#include "tensor/vec.h"

/* Elements [begin, end) for each tile of a loop over `count` elements; the size of a tile
 * is fixed, so that sums over tiles have one order. */
enum { FINE__TILE = 16384 };

/* grad[j] += sum over i of dy[i][j]: m rows of n numbers, ldy apart; sums by tiles of rows
 * in order. grad may be NULL. */
void fine__add_column_sums(struct fine__tape *tape, int64_t m, int64_t n, const fine__real *dy,
                           int64_t ldy, fine__real *grad);

/* Before a gradient is added to an embedding that serves as a weight too: all its rows take
 * part. */
void fine__wake_rows(struct fine__tensor *weight);

#ifdef FINE__GRADCHECK
#include "gradcheck.h"
#endif

#endif
