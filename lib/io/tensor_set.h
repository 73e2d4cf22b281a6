/*
 * tensor_set.h — fine_tensors: named arrays in memory, in the order they were put in.
 */
#ifndef FINE__TENSOR_SET_H
#define FINE__TENSOR_SET_H

#include "base/map.h"
#include "io/safetensors.h"

enum { FINE__TENSOR_DIMS = 8 }; /* the most that put() takes */

struct fine_tensors {
    fine_context *ctx;
    struct fine__set_entry {
        struct fine__weight weight; /* name and shape are in block */
        void *data, *block;
        size_t n_bytes;
    } * list;
    int64_t count, capacity;
    struct fine__map names;
};

int fine__tensors_new(fine_tensors **out, fine_context *ctx);
void fine__tensors_free(fine_tensors *tensors);
/* NULL: not there. */
const struct fine__set_entry *fine__tensors_find(const fine_tensors *tensors, const char *name);
/* Adds or replaces; data are copied, NULL gives zeros. The room may be filled in afterwards
 * through *room_out (which may be NULL). FINE_EINVAL: an unknown type or a bad shape.
 * On error nothing has changed. */
int fine__tensors_put(fine_tensors *tensors, const char *name, int32_t type, int64_t n_dims,
                      const int64_t *shape, const void *data, void **room_out);
int fine__tensors_read(fine_tensors **out, fine_context *ctx, const char *path);
int fine__tensors_write(const fine_tensors *tensors, const char *path);

#endif
