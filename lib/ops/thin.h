/*
 * thin.h — products of a few rows with a large matrix, as fast as its memory can be read.
 */
#ifndef FINE__THIN_H
#define FINE__THIN_H

#include "ops/op.h"

enum { FINE__THIN_ROWS = 8 };

/* True where fine__thin_product() is for this: few rows, and enough to read. */
bool fine__is_thin(int64_t m, int64_t n, int64_t k);
/* c (m,n), ldc apart = a (m,k) b + bias; b's rows or columns are contiguous. A row of c has the same
 * bits whatever the others are. */
void fine__thin_product(struct fine__tape *t, int64_t m, int64_t n, int64_t k, const fine__real *a,
                        struct fine__matrix b, const fine__real *bias, fine__real *c, int64_t ldc);

#endif
