/*
 * gather.c — a walk over a strided view: an index a dimension, the last runs fastest.
 *
 * Transposed and expanded tensors are written with the bytes that they look at, so reading
 * them means this walk; a stride of 0 repeats what it stands on.
 */
#include <string.h>

#include "io/gather.h"

enum { MAX_DIMS = 64 };

/* n elements that are `step` bytes apart. */
static void
copy_run(unsigned char *out, const unsigned char *from, int64_t step, size_t size, size_t n)
{
    if (step == (int64_t)size) {
        memcpy(out, from, n * size);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned char *element = from + (int64_t)i * step;

        if (size == 4)
            memcpy(out + 4 * i, element, 4);
        else if (size == 2)
            memcpy(out + 2 * i, element, 2);
        else
            memcpy(out + size * i, element, size);
    }
}

void
fine__gather(const struct fine__gather *view, const void *span, size_t first, size_t n, void *out)
{
    const int64_t last = view->n_dims - 1, size = (int64_t)view->size;
    unsigned char *to = out;
    int64_t index[MAX_DIMS], from = 0; /* bytes into the span */
    size_t rest = first;

    if (n == 0)
        return;
    for (int64_t k = last; k >= 0; k--) {
        index[k] = (int64_t)(rest % (size_t)view->shape[k]);
        rest /= (size_t)view->shape[k];
        from += index[k] * view->strides[k] * size;
    }
    for (;;) {
        const size_t left = (size_t)(view->shape[last] - index[last]);
        const size_t run = n < left ? n : left;

        copy_run(to, (const unsigned char *)span + from, view->strides[last] * size, view->size,
                 run);
        to += run * view->size;
        n -= run;
        if (n == 0)
            return;
        /* The last dimension is through: back to its begin, and one on in those above. */
        from -= index[last] * view->strides[last] * size;
        index[last] = 0;
        for (int64_t k = last - 1; k >= 0; k--) {
            from += view->strides[k] * size;
            if (++index[k] < view->shape[k])
                break;
            from -= view->shape[k] * view->strides[k] * size;
            index[k] = 0;
        }
    }
}
