/*
 * gather.h — elements of a strided view, in the order of its indices.
 */
#ifndef FINE__GATHER_H
#define FINE__GATHER_H

#include <stddef.h>
#include <stdint.h>

struct fine__gather {
    const int64_t *shape, *strides; /* in elements; the view's last lies within the span */
    int64_t n_dims;                 /* 1 to 64 */
    size_t size;                    /* of an element in bytes */
};

/* Elements first … first + n - 1 of the view whose element 0 is at span. */
void fine__gather(const struct fine__gather *view, const void *span, size_t first, size_t n,
                  void *out);

#endif
