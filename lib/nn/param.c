/*
 * param.c — declaring parameters, and the memory of their values.
 *
 * A block of values remembers which parameter it starts with, so that a head can be
 * replaced without touching the rest. What happens to gradients is in gradient.c.
 */
#include "nn/param.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

enum { MAX_NAME = 512, LINE = 64 / (int)sizeof(fine__real) };

struct fine__params_block {
    struct fine__params_block *next;
    int64_t first; /* index of the first parameter in it */
    fine__real *values;
};

void
fine__params_init(struct fine__params *params, fine_context *ctx)
{
    *params = (struct fine__params){ .ctx = fine__context_ref(ctx) };
}

void
fine__params_free(struct fine__params *params)
{
    if (params->ctx == NULL)
        return;
    fine__params_truncate(params, 0);
    fine__free(params->ctx, params->list);
    fine__context_unref(params->ctx);
    *params = (struct fine__params){ .ctx = NULL };
}

static bool
count_elements(int n_dims, const int64_t *shape, int64_t *out)
{
    int64_t count = 1;

    if (n_dims < 1 || n_dims > FINE__MAX_DIMS)
        return false;
    for (int i = 0; i < n_dims; i++) {
        if (shape[i] < 1 || count > INT64_MAX / 64 / shape[i])
            return false;
        count *= shape[i];
    }
    *out = count;
    return true;
}

int64_t
fine__params_add(struct fine__params *params, const struct fine__param *like, int n_dims,
                 const int64_t *shape, const char *name_format, ...)
{
    char name[MAX_NAME];
    va_list arguments;
    struct fine__param param = { .padding_row = -1 };
    int64_t count;

    if (params->failed)
        return -1;
    params->failed = true;
    va_start(arguments, name_format);
    const int length = vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    if (length < 0 || length >= MAX_NAME) {
        fine__fail(FINE_EINVAL, "a parameter's name is longer than %d bytes", MAX_NAME - 1);
        return -1;
    }
    if (!count_elements(n_dims, shape, &count)) {
        fine__fail(FINE_ENOMEM, "parameter '%s': its shape is larger than any memory", name);
        return -1;
    }
    if (like != NULL)
        param = *like;
    param.tensor = (struct fine__tensor){
        .count = count, .n_dims = n_dims, .wants_grad = true, .is_param = true
    };
    memcpy(param.tensor.shape, shape, (size_t)n_dims * sizeof *shape);
    param.decays = n_dims >= 2;
    if (fine__grow(params->ctx, &params->list, &params->capacity, params->count + 1,
                   sizeof *params->list) < 0)
        return -1;
    param.name = fine__strdup(params->ctx, name);
    if (param.name == NULL)
        return -1;
    params->list[params->count] = param;
    params->failed = false;
    return params->count++;
}

static int64_t
padded(int64_t count)
{
    return (count + LINE - 1) / LINE * LINE;
}

int
fine__params_allocate(struct fine__params *params)
{
    int64_t first = -1, total = 0;

    if (params->failed)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < params->count; i++) {
        if (params->list[i].tensor.data != NULL)
            continue;
        if (first < 0)
            first = i;
        if (total > INT64_MAX / 64 - padded(params->list[i].tensor.count))
            return fine__fail(FINE_ENOMEM, "the parameters are larger than any memory");
        total += padded(params->list[i].tensor.count);
    }
    if (first < 0)
        return FINE_OK;
    struct fine__params_block *block = fine__alloc(params->ctx, sizeof *block);

    if (block == NULL)
        return FINE_ENOMEM;
    block->values = fine__alloc_array(params->ctx, (size_t)total, sizeof *block->values);
    if (block->values == NULL) {
        fine__free(params->ctx, block);
        return FINE_ENOMEM;
    }
    fine__alloc_advise_huge(params->ctx, block->values, (size_t)total * sizeof *block->values);
    block->first = first;
    block->next = params->blocks;
    params->blocks = block;
    fine__real *at = block->values;

    for (int64_t i = first; i < params->count; i++) {
        struct fine__tensor *tensor = &params->list[i].tensor;

        if (tensor->data != NULL)
            continue;
        tensor->data = at;
        at += padded(tensor->count);
    }
    return FINE_OK;
}

void
fine__params_truncate(struct fine__params *params, int64_t from)
{
    struct fine__params_block **link = &params->blocks;

    if (from < params->count)
        fine__params_drop_gradients(params);
    for (int64_t i = from; i < params->count; i++)
        fine__free(params->ctx, params->list[i].name);
    if (from < params->count)
        params->count = from;
    params->failed = false;
    while (*link != NULL) {
        struct fine__params_block *block = *link;

        if (block->first < from) {
            link = &block->next;
            continue;
        }
        *link = block->next;
        fine__free(params->ctx, block->values);
        fine__free(params->ctx, block);
    }
}

void
fine__params_remove(struct fine__params *params, int64_t from, int64_t to)
{
    struct fine__params_block **link = &params->blocks;

    if (from >= to)
        return;
    fine__params_drop_gradients(params);
    for (int64_t i = from; i < to; i++)
        fine__free(params->ctx, params->list[i].name);
    memmove(params->list + from, params->list + to,
            (size_t)(params->count - to) * sizeof *params->list);
    params->count -= to - from;
    /* A block that began before holds others too and stays. */
    while (*link != NULL) {
        struct fine__params_block *block = *link;

        if (block->first >= from && block->first < to) {
            *link = block->next;
            fine__free(params->ctx, block->values);
            fine__free(params->ctx, block);
            continue;
        }
        if (block->first >= to)
            block->first -= to - from;
        link = &block->next;
    }
}

int64_t
fine__params_find(const struct fine__params *params, const char *name)
{
    for (int64_t i = 0; i < params->count; i++)
        if (strcmp(params->list[i].name, name) == 0)
            return i;
    return -1;
}

void
fine__param_draw(struct fine__param *param, int64_t seed)
{
    struct fine__tensor *tensor = &param->tensor;
    const uint64_t name = fine__hash_u64(param->name, strlen(param->name));
    const uint64_t key = fine__rng_key(seed, FINE__RNG_INIT, (int64_t)(name >> 1), 0);

    if (param->init_std > 0)
        for (int64_t i = 0; i < tensor->count; i++)
            tensor->data[i] = (fine__real)(param->init_std * fine__rng_normal(key, (uint64_t)i));
    else
        for (int64_t i = 0; i < tensor->count; i++)
            tensor->data[i] = param->init_std < 0 ? 1 : 0;
    if (param->padding_row >= 0 && tensor->n_dims == 2 && param->padding_row < tensor->shape[0])
        memset(tensor->data + param->padding_row * tensor->shape[1], 0,
               (size_t)tensor->shape[1] * sizeof *tensor->data);
}
