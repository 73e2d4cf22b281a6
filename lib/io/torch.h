/*
 * torch.h — what a pickle of PyTorch's builds: storages, and tensors that look into them.
 *
 * torch_tensors.c knows the names that such a pickle asks for; torch_file.c knows the two
 * kinds of files, and makes weights of what it finds.
 */
#ifndef FINE__TORCH_H
#define FINE__TORCH_H

#include "base/map.h"
#include "io/pickle.h"

enum fine__torch_kind {
    FINE__TORCH_NAME = FINE__PICKLE_OWNERS, /* at: which of the known names */
    FINE__TORCH_STORAGE,                    /* at: index in views */
    FINE__TORCH_TENSOR                      /* at: index in tensors */
};

enum { FINE__TORCH_DIMS = 64 };

struct fine__torch_storage {
    struct fine__pickle_value key; /* a text */
    int64_t bytes;
    int32_t type;  /* 0: bytes without one */
    int64_t from;  /* in the file; -1: not looked up yet */
    int64_t block; /* in the weights' blocks, plus one; 0: nothing to check */
};

/* A storage, or a part of one as very old files have them. */
struct fine__torch_view {
    int64_t storage;
    int64_t from, bytes; /* within it */
    int32_t type;
};

struct fine__torch_tensor {
    int64_t view;
    int32_t type;
    int64_t offset,
        reach; /* bytes from the view's begin; from the first element to the last's end */
    int64_t n_dims, dims_at; /* n_dims sizes, then n_dims strides in elements */
    int64_t count;
    bool contiguous;
};

struct fine__torch {
    fine_context *ctx;
    const char *what;
    struct fine__pickle pickle;
    struct fine__torch_storage *storages;
    struct fine__torch_view *views;
    struct fine__torch_tensor *tensors;
    int64_t *dims;
    int64_t n_storages, storages_capacity, n_views, views_capacity, n_tensors, tensors_capacity,
        n_dims, dims_capacity;
    struct fine__map keys; /* of storages */
};

void fine__torch_init(struct fine__torch *torch, fine_context *ctx, const char *what);
void fine__torch_free(struct fine__torch *torch);

#endif
