/*
 * tensor_set.c — named arrays in memory, from and to safetensors files.
 *
 * An array's name and shape are one block, its data another, so that data are aligned
 * and replacing an array is the exchange of two pointers.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "io/tensor_set.h"

int
fine__tensors_new(fine_tensors **out, fine_context *ctx)
{
    fine_tensors *tensors = fine__alloc_array(ctx, 1, sizeof *tensors);

    if (tensors == NULL)
        return FINE_ENOMEM;
    tensors->ctx = fine__context_ref(ctx);
    fine__map_init(&tensors->names, ctx);
    *out = tensors;
    return 0;
}

static void
free_entry(fine_context *ctx, struct fine__set_entry *entry)
{
    fine__free(ctx, entry->data);
    fine__free(ctx, entry->block);
}

void
fine__tensors_free(fine_tensors *tensors)
{
    fine_context *ctx;

    if (tensors == NULL)
        return;
    ctx = tensors->ctx;
    for (int64_t i = 0; i < tensors->count; i++)
        free_entry(ctx, &tensors->list[i]);
    fine__map_free(&tensors->names);
    fine__free(ctx, tensors->list);
    fine__free(ctx, tensors);
    fine__context_unref(ctx);
}

const struct fine__set_entry *
fine__tensors_find(const fine_tensors *tensors, const char *name)
{
    const int64_t i = fine__map_get_cstr(&tensors->names, name);

    return i < 0 ? NULL : &tensors->list[i];
}

/* A complete entry of its own, not in any set. */
static int
make_entry(struct fine__set_entry *out, fine_context *ctx, const char *name, int32_t type,
           int64_t n_dims, const int64_t *shape, const void *data)
{
    const size_t name_bytes = strlen(name) + 1, shape_bytes = (size_t)n_dims * sizeof *shape;
    struct fine__set_entry entry = { .weight = { .n_dims = n_dims, .type = type } };
    int64_t n_bytes;
    char *text;

    if (fine__shape_size(type, n_dims, shape, &entry.weight.count, &n_bytes) < 0)
        return fine__fail(FINE_EINVAL,
                          "tensor '%s': an unknown type, a negative size, or more "
                          "than 2^63 - 1 bytes",
                          name);
    if (!fine__utf8_valid(name, name_bytes - 1) || strcmp(name, "__metadata__") == 0)
        return fine__fail(FINE_EINVAL,
                          "'%s' cannot be the name of a tensor: it must be UTF-8 and "
                          "not '__metadata__'",
                          name);
    entry.n_bytes = (size_t)n_bytes;
    entry.block = fine__alloc(ctx, shape_bytes + name_bytes);
    entry.data =
        data == NULL ? fine__alloc_array(ctx, 1, entry.n_bytes) : fine__alloc(ctx, entry.n_bytes);
    if (entry.block == NULL || entry.data == NULL) {
        free_entry(ctx, &entry);
        return FINE_ENOMEM;
    }
    text = (char *)entry.block + shape_bytes;
    memcpy(text, name, name_bytes);
    entry.weight.name = text;
    if (n_dims > 0) {
        memcpy(entry.block, shape, shape_bytes);
        entry.weight.shape = entry.block;
    }
    if (data != NULL && n_bytes > 0)
        memcpy(entry.data, data, entry.n_bytes);
    *out = entry;
    return 0;
}

int
fine__tensors_put(fine_tensors *tensors, const char *name, int32_t type, int64_t n_dims,
                  const int64_t *shape, const void *data, void **room_out)
{
    const int64_t at = fine__map_get_cstr(&tensors->names, name);
    struct fine__set_entry entry;
    int rc;

    FINE__TRY(make_entry(&entry, tensors->ctx, name, type, n_dims, shape, data));
    if (at >= 0) {
        free_entry(tensors->ctx, &tensors->list[at]);
        tensors->list[at] = entry;
    } else {
        rc = fine__grow(tensors->ctx, &tensors->list, &tensors->capacity, tensors->count + 1,
                        sizeof *tensors->list);
        if (rc == 0)
            rc = fine__map_put(&tensors->names, name, strlen(name), tensors->count);
        if (rc < 0) {
            free_entry(tensors->ctx, &entry);
            return rc;
        }
        tensors->list[tensors->count++] = entry;
    }
    if (room_out != NULL)
        *room_out = entry.data;
    return 0;
}

int
fine__tensors_read(fine_tensors **out, fine_context *ctx, const char *path)
{
    fine_tensors *tensors = NULL;
    struct fine__weights *weights;
    int rc;

    FINE__TRY(fine__weights_open_path(&weights, ctx, path));
    rc = fine__tensors_new(&tensors, ctx);
    for (int64_t i = 0; rc == 0 && i < fine__weights_count(weights); i++) {
        const struct fine__weight *weight = fine__weights_at(weights, i);
        void *room = NULL;

        rc = fine__tensors_put(tensors, weight->name, weight->type, weight->n_dims, weight->shape,
                               NULL, &room);
        if (rc == 0)
            rc = fine__weights_read_raw(weights, i, room);
    }
    fine__weights_free(weights);
    if (rc < 0) {
        fine__tensors_free(tensors);
        return rc;
    }
    *out = tensors;
    return 0;
}

int
fine__tensors_write(const fine_tensors *tensors, const char *path)
{
    struct fine__weight_out *entries =
        fine__alloc_array(tensors->ctx, (size_t)tensors->count, sizeof *entries);
    int rc;

    if (entries == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < tensors->count; i++) {
        const struct fine__set_entry *entry = &tensors->list[i];

        entries[i] =
            (struct fine__weight_out){ entry->weight.name, entry->weight.shape,
                                       entry->weight.n_dims, entry->weight.type, entry->data };
    }
    rc = fine__safetensors_write(tensors->ctx, path, entries, tensors->count, NULL, 0);
    fine__free(tensors->ctx, entries);
    return rc;
}
