/*
 * gradient.c — gradients of what is trained: one block, gone over by tiles.
 *
 * The tiles are cut from the shapes alone and sums are taken tile by tile in order, so
 * a norm has the same bits at any number of threads. An embedding's gradient is live
 * only in the rows that a step used; the others count as zero and are never read.
 */
#include "nn/param.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/parallel.h"

enum { TILE = 16384, LINE = 64 / (int)sizeof(fine__real), LANES = 16 };

static int64_t
padded(int64_t count)
{
    return (count + LINE - 1) / LINE * LINE;
}

static bool
has_rows(const struct fine__param *param)
{
    return param->is_embedding && param->tensor.n_dims == 2;
}

/* Elements of a tile: whole rows for embeddings. */
static int64_t
tile_size(const struct fine__param *param)
{
    if (!has_rows(param))
        return TILE;
    const int64_t width = param->tensor.shape[1];

    return width >= TILE ? width : TILE / width * width;
}

void
fine__params_drop_gradients(struct fine__params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        params->list[i].tensor.grad = NULL;
        params->list[i].tensor.rows = NULL;
    }
    fine__free(params->ctx, params->gradients);
    fine__free(params->ctx, params->tiles);
    fine__free(params->ctx, params->partial);
    fine__free(params->ctx, params->row_flags);
    fine__free(params->ctx, params->rows);
    params->gradients = NULL;
    params->tiles = NULL;
    params->partial = NULL;
    params->row_flags = NULL;
    params->rows = NULL;
    params->n_trained = params->n_gradients = params->n_tiles = 0;
    params->signature = 0;
}

struct sizes {
    int64_t n_trained, n_gradients, n_tiles, n_flags, n_embeddings;
    uint64_t signature;
};

static struct sizes
measure(const struct fine__params *params)
{
    struct sizes sizes = { 0 };

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__param *param = &params->list[i];

        if (!param->tensor.wants_grad)
            continue;
        const int64_t count = param->tensor.count, tile = tile_size(param);
        const uint64_t link[3] = { sizes.signature, (uint64_t)i, (uint64_t)count };

        sizes.signature = fine__hash_u64(link, sizeof link);
        sizes.n_trained += count;
        sizes.n_gradients += padded(count);
        sizes.n_tiles += (count + tile - 1) / tile;
        if (has_rows(param)) {
            sizes.n_embeddings++;
            sizes.n_flags += 2 * param->tensor.shape[0];
        }
    }
    return sizes;
}

/* True where the gradients that are there belong to exactly what is trained now. */
static bool
is_current(const struct fine__params *params, uint64_t signature)
{
    if (params->gradients == NULL || params->signature != signature)
        return false;
    for (int64_t i = 0; i < params->count; i++)
        if (params->list[i].tensor.wants_grad != (params->list[i].tensor.grad != NULL))
            return false;
    return true;
}

static void
lay_out(struct fine__params *params)
{
    fine__real *gradient = params->gradients;
    struct fine__params_tile *tile = params->tiles;
    struct fine__rows *rows = params->rows;
    uint8_t *flags = params->row_flags;

    for (int64_t i = 0; i < params->count; i++) {
        struct fine__param *param = &params->list[i];
        struct fine__tensor *tensor = &param->tensor;

        if (!tensor->wants_grad)
            continue;
        tensor->grad = gradient;
        gradient += padded(tensor->count);
        if (has_rows(param)) {
            const int64_t n_rows = tensor->shape[0];

            *rows = (struct fine__rows){
                .used = flags, .seen = flags + n_rows, .n_rows = n_rows, .width = tensor->shape[1]
            };
            flags += 2 * n_rows;
            tensor->rows = rows++;
        }
        const int64_t size = tile_size(param);

        for (int64_t at = 0; at < tensor->count; at += size)
            *tile++ = (struct fine__params_tile){ .param = i,
                                                  .begin = at,
                                                  .end = tensor->count - at < size ? tensor->count
                                                                                   : at + size };
    }
}

void
fine__params_advise(const struct fine__params *params, fine__real *block)
{
    int64_t dense = 0; /* where the stretch that isn't an embedding begins */

    for (int64_t i = 0; i <= params->count; i++) {
        const struct fine__tensor *tensor = i < params->count ? &params->list[i].tensor : NULL;

        if (tensor != NULL && tensor->rows == NULL)
            continue;
        const int64_t at = tensor != NULL ? tensor->grad - params->gradients : params->n_gradients;

        fine__alloc_advise_huge(params->ctx, block + dense, (size_t)(at - dense) * sizeof *block);
        if (tensor == NULL)
            break;
        fine__alloc_advise_small(params->ctx, block + at, (size_t)tensor->count * sizeof *block);
        dense = at + padded(tensor->count);
    }
}

int
fine__params_make_gradients(struct fine__params *params)
{
    const struct sizes sizes = measure(params);

    if (is_current(params, sizes.signature)) {
        fine__params_zero_gradients(params);
        return FINE_OK;
    }
    fine__params_drop_gradients(params);
    if (sizes.n_trained == 0)
        return FINE_OK;
    fine_context *ctx = params->ctx;

    params->gradients =
        fine__alloc_array(ctx, (size_t)sizes.n_gradients, sizeof *params->gradients);
    params->tiles = fine__alloc_array(ctx, (size_t)sizes.n_tiles, sizeof *params->tiles);
    params->partial = fine__alloc_array(ctx, (size_t)sizes.n_tiles, sizeof *params->partial);
    params->row_flags = fine__alloc_array(ctx, (size_t)sizes.n_flags, 1);
    params->rows = fine__alloc_array(ctx, (size_t)sizes.n_embeddings, sizeof *params->rows);
    if (params->gradients == NULL || params->tiles == NULL || params->partial == NULL ||
        params->row_flags == NULL || params->rows == NULL) {
        fine__params_drop_gradients(params);
        return FINE_ENOMEM;
    }
    params->n_trained = sizes.n_trained;
    params->n_gradients = sizes.n_gradients;
    params->n_tiles = sizes.n_tiles;
    params->signature = sizes.signature;
    lay_out(params);
    fine__params_advise(params, params->gradients);
    return FINE_OK;
}

/* ---- going over them ---- */

/* Calls `each` for every stretch of live gradient in a tile. */
typedef void (*stretch_fn)(fine__real *gradient, int64_t count, void *arg);

static void
visit(const struct fine__params *params, int64_t index, stretch_fn each, void *arg)
{
    const struct fine__params_tile *tile = &params->tiles[index];
    const struct fine__tensor *tensor = &params->list[tile->param].tensor;
    const struct fine__rows *rows = tensor->rows;

    if (rows == NULL) {
        each(tensor->grad + tile->begin, tile->end - tile->begin, arg);
        return;
    }
    for (int64_t at = tile->begin; at < tile->end; at += rows->width)
        if (rows->used[at / rows->width])
            each(tensor->grad + at, rows->width, arg);
}

static void
zero_tile(void *arg, int64_t index, int worker)
{
    const struct fine__params *params = arg;
    const struct fine__params_tile *tile = &params->tiles[index];
    const struct fine__tensor *tensor = &params->list[tile->param].tensor;

    (void)worker;
    if (tensor->rows == NULL)
        memset(tensor->grad + tile->begin, 0,
               (size_t)(tile->end - tile->begin) * sizeof *tensor->grad);
    else
        memset(tensor->rows->used + tile->begin / tensor->rows->width, 0,
               (size_t)((tile->end - tile->begin) / tensor->rows->width));
}

void
fine__params_zero_gradients(struct fine__params *params)
{
    if (params->gradients != NULL)
        fine__parallel_for(params->ctx, params->n_tiles, zero_tile, params);
}

void
fine__param_fill_gradient(struct fine__param *param)
{
    const struct fine__rows *rows = param->tensor.rows;

    if (rows == NULL || param->tensor.grad == NULL)
        return;
    for (int64_t row = 0; row < rows->n_rows; row++)
        if (!rows->used[row])
            memset(param->tensor.grad + row * rows->width, 0,
                   (size_t)rows->width * sizeof *param->tensor.grad);
}

/* Lanes in a fixed order, and products of floats that are exact in double: the same
 * bits whatever the width of the processor's vectors. */
FINE__CLONES static void
add_squares(fine__real *gradient, int64_t count, void *arg)
{
    double lanes[LANES] = { 0 };
    double *sum = arg;
    int64_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += (double)gradient[i + lane] * (double)gradient[i + lane];
    for (int lane = 0; i < count; i++, lane++)
        lanes[lane] += (double)gradient[i] * (double)gradient[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    *sum += lanes[0];
}

static void
norm_tile(void *arg, int64_t index, int worker)
{
    struct fine__params *params = arg;
    double sum = 0;

    (void)worker;
    visit(params, index, add_squares, &sum);
    params->partial[index] = sum;
}

double
fine__params_gradient_norm(struct fine__params *params)
{
    double sum = 0;

    if (params->gradients == NULL)
        return 0;
    fine__parallel_for(params->ctx, params->n_tiles, norm_tile, params);
    for (int64_t i = 0; i < params->n_tiles; i++)
        sum += params->partial[i];
    return sqrt(sum);
}

FINE__CLONES static void
scale(fine__real *gradient, int64_t count, void *arg)
{
    const fine__real factor = *(const fine__real *)arg;

    for (int64_t i = 0; i < count; i++)
        gradient[i] *= factor;
}

struct scaling {
    struct fine__params *params;
    fine__real factor;
};

static void
scale_tile(void *arg, int64_t index, int worker)
{
    struct scaling *scaling = arg;

    (void)worker;
    visit(scaling->params, index, scale, &scaling->factor);
}

void
fine__params_scale_gradients(struct fine__params *params, double factor)
{
    struct scaling scaling = { params, (fine__real)factor };

    if (params->gradients != NULL)
        fine__parallel_for(params->ctx, params->n_tiles, scale_tile, &scaling);
}

const char *
fine__params_not_finite(const struct fine__params *params)
{
    for (int64_t i = 0; i < params->n_tiles; i++) {
        double sum = 0;

        visit(params, i, add_squares, &sum);
        if (!isfinite(sum))
            return params->list[params->tiles[i].param].name;
    }
    return NULL;
}
