/*
 * tensors.h — a set of named arrays in memory, and its file format, safetensors.
 *
 * For applications that bring batches of their own, look at gradients, or keep
 * their own arrays in the format of the Python world. Data are contiguous,
 * row-major, little-endian.
 */
#ifndef FINETUNE_TENSORS_H
#define FINETUNE_TENSORS_H

#include <finetune/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_tensors fine_tensors;

/* Element types; the values are stable. */
enum {
    FINE_BOOL = 1, FINE_U8 = 2, FINE_I8 = 3, FINE_I16 = 4, FINE_U16 = 5, FINE_I32 = 6,
    FINE_U32 = 7, FINE_I64 = 8, FINE_U64 = 9, FINE_F16 = 10, FINE_BF16 = 11, FINE_F32 = 12,
    FINE_F64 = 13
};

/** An empty set. @return FINE_OK, FINE_EINVAL (NULL), FINE_ENOMEM @since 0.1 */
FINE_API int fine_tensors_new(fine_tensors **out, fine_context *context);

/**
 * Reads a whole file of safetensors, or of PyTorch's (.bin, .pt, .pth, .th): the dictionary of
 * tensors in it, without running anything.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EIO: cannot open or read; FINE_EFORMAT: not
 *         a well-formed file (the finding says which rule is broken);
 *         FINE_EUNSUPPORTED: the pickle asks for something that is no tensor, which the
 *         finding names; FINE_ENOMEM. On error *out is untouched.
 * @since 0.1
 */
FINE_API int fine_tensors_open(fine_tensors **out, fine_context *context, const char *path);

/** NULL is fine. @since 0.1 */
FINE_API void fine_tensors_free(fine_tensors *tensors);

/** How many there are; 0 for NULL. @since 0.1 */
FINE_API int64_t fine_tensors_count(const fine_tensors *tensors);

/** Name of the i-th, in the file's order of data; NULL out of range. Borrowed. @since 0.1 */
FINE_API const char *fine_tensors_name(const fine_tensors *tensors, int64_t i);

/**
 * Looks one up by name. Any of the out-parameters may be NULL.
 *
 * @param type_out  FINE_F32 …
 * @param shape_out borrowed: n_dims numbers
 * @param data_out  borrowed: the elements, 64-byte aligned
 * @return FINE_OK; FINE_EINVAL: NULL, or no such tensor (then out-parameters are untouched)
 * @since 0.1
 */
FINE_API int fine_tensors_get(const fine_tensors *tensors, const char *name, int32_t *type_out,
                              int64_t *n_dims_out, const int64_t **shape_out,
                              const void **data_out);

/**
 * Adds an array, copied; one of the same name is replaced.
 *
 * @param n_dims 0 to 8; a scalar has 0
 * @param data   the elements, row-major; may be NULL for zeros
 * @return FINE_OK; FINE_EINVAL: NULL, bad type, negative or overflowing shape; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_tensors_put(fine_tensors *tensors, const char *name, int32_t type,
                              int64_t n_dims, const int64_t *shape, const void *data);

/**
 * Writes a safetensors file: complete or, on error, not there (an older file of
 * that name stays).
 *
 * @return FINE_OK, FINE_EINVAL, FINE_EIO, FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_tensors_save(const fine_tensors *tensors, const char *path);

#ifdef __cplusplus
}
#endif
#endif
