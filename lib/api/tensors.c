/*
 * tensors.c — the border of io/tensor_set.c: what a caller says is checked here.
 */
#include "io/tensor_set.h"

int
fine_tensors_new(fine_tensors **out, fine_context *context)
{
    if (out == NULL || context == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_new: %s is NULL",
                          out == NULL ? "out" : "context");
    return fine__tensors_new(out, context);
}

int
fine_tensors_open(fine_tensors **out, fine_context *context, const char *path)
{
    if (out == NULL || context == NULL || path == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_open: %s is NULL",
                          out == NULL       ? "out"
                          : context == NULL ? "context"
                                            : "path");
    return fine__tensors_read(out, context, path);
}

void
fine_tensors_free(fine_tensors *tensors)
{
    fine__tensors_free(tensors);
}

int64_t
fine_tensors_count(const fine_tensors *tensors)
{
    return tensors != NULL ? tensors->count : 0;
}

const char *
fine_tensors_name(const fine_tensors *tensors, int64_t i)
{
    return tensors != NULL && i >= 0 && i < tensors->count ? tensors->list[i].weight.name : NULL;
}

int
fine_tensors_get(const fine_tensors *tensors, const char *name, int32_t *type_out,
                 int64_t *n_dims_out, const int64_t **shape_out, const void **data_out)
{
    const struct fine__set_entry *entry;

    if (tensors == NULL || name == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_get: %s is NULL",
                          tensors == NULL ? "tensors" : "name");
    entry = fine__tensors_find(tensors, name);
    if (entry == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_get: there is no tensor '%s'", name);
    if (type_out != NULL)
        *type_out = entry->weight.type;
    if (n_dims_out != NULL)
        *n_dims_out = entry->weight.n_dims;
    if (shape_out != NULL)
        *shape_out = entry->weight.shape;
    if (data_out != NULL)
        *data_out = entry->data;
    return FINE_OK;
}

int
fine_tensors_put(fine_tensors *tensors, const char *name, int32_t type, int64_t n_dims,
                 const int64_t *shape, const void *data)
{
    if (tensors == NULL || name == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_put: %s is NULL",
                          tensors == NULL ? "tensors" : "name");
    if (n_dims < 0 || n_dims > FINE__TENSOR_DIMS)
        return fine__fail(FINE_EINVAL,
                          "fine_tensors_put: '%s' has %lld dimensions; 0 to %d are "
                          "possible",
                          name, (long long)n_dims, FINE__TENSOR_DIMS);
    if (n_dims > 0 && shape == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_put: shape is NULL");
    return fine__tensors_put(tensors, name, type, n_dims, shape, data, NULL);
}

int
fine_tensors_save(const fine_tensors *tensors, const char *path)
{
    if (tensors == NULL || path == NULL)
        return fine__fail(FINE_EINVAL, "fine_tensors_save: %s is NULL",
                          tensors == NULL ? "tensors" : "path");
    return fine__tensors_write(tensors, path);
}
