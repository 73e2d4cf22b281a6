/*
 * batchnorm2d — y = f((x - mean) / √(var + ε) · weight + bias + residual) for each channel,
 * with the batch's own statistics or running ones (Ioffe & Szegedy, arXiv 1502.03167). What
 * normalises is the biased variance, what is kept the unbiased one, as in PyTorch.
 *
 * All passes see the tensor as rows of `width` numbers, so many pixels that a row is a whole
 * number of vectors: few channels cost no tails. Statistics take one pass over memory: each
 * tile's mean and squares around it while the tile is in the cache, put together in double
 * (Chan, Golub & LeVeque, 1979).
 *
 * Backward, with x̂ the normalised x and g = dy f'(z): dweight = Σ g x̂, dbias = Σ g,
 * dresidual = g, dx = (g - mean g - x̂ mean(g x̂)) · weight / √(var + ε); with running
 * statistics the two means are left out.
 */
#include "base/parallel.h"
#include "ops/activate.h"
#include "ops/op.h"

#include <math.h>
#include <string.h>

enum { LEAST_ROWS = 32 };           /* a tile; its sums shall not weigh much beside it */

struct job {
    const struct fine__node *n;
    enum fine__activation f;
    int64_t rows, channels;
    int64_t group, width;           /* pixels a wide row, and numbers */
    int64_t wide_rows, tile_rows, n_tiles;      /* whole ones; what is left goes with the last tile */
    fine__real *mean, *inverse;     /* of each channel */
    fine__real *spread[6];          /* width numbers each: see below */
    fine__real *partial;            /* two sums of width numbers a tile; NULL: nobody asks */
    fine__real *dx, *dresidual, beta_x, beta_residual;
};

enum { MEAN, INVERSE, SCALE, BIAS, MEAN_G, MEAN_GX };

static struct job
job_of(const struct fine__node *n)
{
    struct job job = { .n = n, .f = (enum fine__activation)n->size[1],
                       .channels = n->out->shape[3], .group = 1 };

    job.rows = n->out->count / job.channels;
    while (job.group * job.channels % FINE__LANES != 0)
        job.group *= 2;
    job.width = job.group * job.channels;
    job.wide_rows = job.rows / job.group;
    job.tile_rows = FINE__TILE / job.width > LEAST_ROWS ? FINE__TILE / job.width : LEAST_ROWS;
    job.n_tiles = (job.wide_rows + job.tile_rows - 1) / job.tile_rows;
    if (job.n_tiles == 0)
        job.n_tiles = 1;
    return job;
}

/* Whole wide rows of a tile. */
static int64_t
rows_of(const struct job *job, int64_t tile)
{
    const int64_t rest = job->wide_rows - tile * job->tile_rows;

    return rest < job->tile_rows ? rest : job->tile_rows;
}

/* Numbers of a tile, those after the last whole row included. */
static int64_t
numbers_of(const struct job *job, int64_t tile)
{
    return tile < job->n_tiles - 1
               ? job->tile_rows * job->width
               : job->rows * job->channels - tile * job->tile_rows * job->width;
}

/* One number a channel, repeated along a wide row. */
static void
repeat(const struct job *job, const fine__real *from, fine__real *to)
{
    for (int64_t i = 0; i < job->group; i++)
        memcpy(to + i * job->channels, from, (size_t)job->channels * sizeof *to);
}

/* ---- statistics ---- */

/* Mean, and squares around it, of each place of a tile's wide rows. */
FINE__CLONES static void
tile_statistics(const struct job *job, int64_t tile)
{
    const int64_t width = job->width, rows = rows_of(job, tile);
    const fine__real *x = job->n->in[0]->data + tile * job->tile_rows * width;
    fine__real *mean = job->partial + 2 * tile * width, *squares = mean + width;
    const fine__real share = rows > 0 ? 1 / (fine__real)rows : 0;

    memset(mean, 0, (size_t)width * sizeof *mean);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j += FINE__LANES)
            fine__vec_store(mean + j, fine__vec_load(mean + j) + fine__vec_load(x + i * width + j));
    for (int64_t j = 0; j < width; j++)
        mean[j] *= share;
    memset(squares, 0, (size_t)width * sizeof *squares);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j += FINE__LANES) {
            const fine__vec d = fine__vec_load(x + i * width + j) - fine__vec_load(mean + j);

            fine__vec_store(squares + j, fine__vec_load(squares + j) + d * d);
        }
}

static void
statistics_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    tile_statistics(arg, tile);
}

/* The mean and the sum of squares around it of channel c. */
static void
put_together(const struct job *job, int64_t c, double *mean, double *squares)
{
    const fine__real *left = job->n->in[0]->data + job->wide_rows * job->width;
    const int64_t n_left = job->rows - job->wide_rows * job->group;
    double sum = 0, around = 0;

    for (int64_t tile = 0; tile < job->n_tiles; tile++)
        for (int64_t i = c; i < job->width; i += job->channels)
            sum += (double)job->partial[2 * tile * job->width + i] * (double)rows_of(job, tile);
    for (int64_t i = 0; i < n_left; i++)
        sum += (double)left[i * job->channels + c];
    *mean = sum / (double)job->rows;
    for (int64_t tile = 0; tile < job->n_tiles; tile++)
        for (int64_t i = c; i < job->width; i += job->channels) {
            const fine__real *part = job->partial + 2 * tile * job->width + i;
            const double off = (double)part[0] - *mean;

            around += (double)part[job->width] + (double)rows_of(job, tile) * off * off;
        }
    for (int64_t i = 0; i < n_left; i++) {
        const double off = (double)left[i * job->channels + c] - *mean;

        around += off * off;
    }
    *squares = around;
}

static void
batch_statistics(struct fine__tape *t, struct job *job, const struct fine__norming *how)
{
    const double m = how->momentum, rows = (double)job->rows;

    job->partial = fine__tape_take(t, 2 * job->n_tiles * job->width);
    if (job->partial == NULL)
        return;
    fine__parallel_for(t->ctx, job->n_tiles, statistics_tile, job);
    for (int64_t c = 0; c < job->channels; c++) {
        double mean, squares;

        put_together(job, c, &mean, &squares);
        job->mean[c] = (fine__real)mean;
        job->inverse[c] = (fine__real)(1 / sqrt(squares / rows + how->eps));
        if (how->new_mean != NULL)
            how->new_mean[c] = (fine__real)((1 - m) * (double)how->mean[c] + m * mean);
        if (how->new_variance != NULL)
            how->new_variance[c] = (fine__real)((1 - m) * (double)how->variance[c] +
                                                m * squares / (rows > 1 ? rows - 1 : 1));
    }
}

/* ---- forward ---- */

/* z of LANES numbers from x, at place j of a wide row. */
FINE__INLINE fine__vec
normalised(const struct job *job, fine__vec x, int64_t j)
{
    return (x - fine__vec_load(job->spread[MEAN] + j)) * fine__vec_load(job->spread[SCALE] + j) +
           fine__vec_load(job->spread[BIAS] + j);
}

FINE__INLINE void
forward_loop(const struct job *job, enum fine__activation f, int64_t tile)
{
    const int64_t first = tile * job->tile_rows * job->width, n = numbers_of(job, tile);
    const fine__real *x = job->n->in[0]->data + first;
    const fine__real *residual = job->n->in[1] != NULL ? job->n->in[1]->data + first : NULL;
    fine__real *y = job->n->out->data + first;

    for (int64_t i = 0; i < n; i += job->width)
        for (int64_t j = 0; j < job->width && i + j < n; j += FINE__LANES) {
            const int64_t left = n - i - j;
            fine__vec z = normalised(job, fine__vec_load_part(x + i + j, left), j);

            if (residual != NULL)
                z += fine__vec_load_part(residual + i + j, left);
            fine__vec_store_part(y + i + j, fine__activation_value(f, z), left);
        }
}

FINE__CLONES static void
normalise(const struct job *job, int64_t tile)
{
    const enum fine__activation f = job->f;

#define FORWARD(kind) forward_loop(job, kind, tile)
    FINE__EACH_ACTIVATION(FORWARD)
}

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    normalise(arg, tile);
}

/* Fills spread[] up to BIAS; spread[0] is room for all of them. */
static void
fill(struct job *job, fine__real *room)
{
    const fine__real *weight = job->n->in[2]->data;

    for (int i = 0; i < 6; i++)
        job->spread[i] = room + i * job->width;
    repeat(job, job->mean, job->spread[MEAN]);
    repeat(job, job->inverse, job->spread[INVERSE]);
    repeat(job, job->n->in[3]->data, job->spread[BIAS]);
    repeat(job, weight, job->spread[SCALE]);
    for (int64_t j = 0; j < job->width; j++)
        job->spread[SCALE][j] *= job->spread[INVERSE][j];
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__norming *how = n->index[0];
    struct job job = job_of(n);

    if (fine__records(n))
        n->saved = fine__tape_take(t, 2 * job.channels);
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.mean = fine__records(n) ? n->saved : fine__tape_take(t, 2 * job.channels);
    fine__real *room = fine__tape_take(t, 6 * job.width);

    if (t->status < 0 || n->out->count == 0)
        return;
    job.inverse = job.mean + job.channels;
    if (how->by_batch)
        batch_statistics(t, &job, how);
    else
        for (int64_t c = 0; c < job.channels; c++) {
            job.mean[c] = how->mean[c];
            job.inverse[c] = (fine__real)(1 / sqrt((double)how->variance[c] + how->eps));
        }
    if (t->status < 0)
        return;
    fill(&job, room);
    fine__parallel_for(t->ctx, job.n_tiles, forward_tile, &job);
    fine__tape_rewind(t, mark);
}

/* ---- backward ---- */

/* dy f'(z) of LANES numbers from `at` on, at place j of a wide row. */
FINE__INLINE fine__vec
through(const struct job *job, enum fine__activation f, int64_t at, int64_t j, int64_t left)
{
    const struct fine__node *n = job->n;
    const fine__vec dy = fine__vec_load_part(n->out->grad + at, left);
    fine__vec y, z;

    if (f == FINE__IDENTITY)
        return dy;
    if (f == FINE__RELU || f == FINE__RELU6) {      /* told by the output */
        y = fine__vec_load_part(n->out->data + at, left);
        z = fine__vec_select(y > 0, dy, FINE__VEC_ZERO);
        return f == FINE__RELU ? z : fine__vec_select(y < 6, z, FINE__VEC_ZERO);
    }
    z = normalised(job, fine__vec_load_part(n->in[0]->data + at, left), j);
    if (n->in[1] != NULL)
        z += fine__vec_load_part(n->in[1]->data + at, left);
    return dy * fine__activation_slope(f, z, &y);
}

/* g in place of dy, and its sums. */
FINE__INLINE void
sums_loop(const struct job *job, enum fine__activation f, int64_t tile)
{
    const int64_t first = tile * job->tile_rows * job->width, n = numbers_of(job, tile);
    const fine__real *x = job->n->in[0]->data + first;
    fine__real *dy = job->n->out->grad + first;
    fine__real *sum = job->partial != NULL ? job->partial + 2 * tile * job->width : NULL;
    fine__real *sum_x = sum != NULL ? sum + job->width : NULL;

    if (sum != NULL)
        memset(sum, 0, 2 * (size_t)job->width * sizeof *sum);
    for (int64_t i = 0; i < n; i += job->width)
        for (int64_t j = 0; j < job->width && i + j < n; j += FINE__LANES) {
            const int64_t left = n - i - j;
            const fine__vec g = through(job, f, first + i + j, j, left);

            if (f != FINE__IDENTITY)
                fine__vec_store_part(dy + i + j, g, left);
            if (sum == NULL)
                continue;
            const fine__vec hat = (fine__vec_load_part(x + i + j, left) -
                                   fine__vec_load(job->spread[MEAN] + j)) *
                                  fine__vec_load(job->spread[INVERSE] + j);

            fine__vec_store(sum + j, fine__vec_load(sum + j) + g);
            fine__vec_store(sum_x + j, fine__vec_load(sum_x + j) + g * hat);
        }
}

FINE__CLONES static void
sums(const struct job *job, int64_t tile)
{
    const enum fine__activation f = job->f;

#define SUMS(kind) sums_loop(job, kind, tile)
    FINE__EACH_ACTIVATION(SUMS)
}

FINE__INLINE void
put(fine__real *to, int64_t left, fine__real beta, fine__vec v)
{
    if (beta != 0)
        v += beta * fine__vec_load_part(to, left);
    fine__vec_store_part(to, v, left);
}

/* Gradients of the inputs from g. */
FINE__CLONES static void
inputs(const struct job *job, int64_t tile)
{
    const int64_t first = tile * job->tile_rows * job->width, n = numbers_of(job, tile);
    const fine__real *x = job->n->in[0]->data, *dy = job->n->out->grad;
    const bool by_batch = job->n->size[0] != 0;

    for (int64_t i = 0; i < n; i += job->width)
        for (int64_t j = 0; j < job->width && i + j < n; j += FINE__LANES) {
            const int64_t left = n - i - j, at = first + i + j;
            fine__vec g = fine__vec_load_part(dy + at, left);

            if (job->dresidual != NULL)
                put(job->dresidual + at, left, job->beta_residual, g);
            if (job->dx == NULL)
                continue;
            if (by_batch)
                g -= fine__vec_load(job->spread[MEAN_G] + j) +
                     (fine__vec_load_part(x + at, left) - fine__vec_load(job->spread[MEAN] + j)) *
                         fine__vec_load(job->spread[MEAN_GX] + j);
            put(job->dx + at, left, job->beta_x, g * fine__vec_load(job->spread[SCALE] + j));
        }
}

static void
sums_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    sums(arg, tile);
}

static void
inputs_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    inputs(arg, tile);
}

/* Where sums don't matter to the inputs: both while the tile is in the cache. */
static void
both_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;

    (void)worker;
    sums(job, tile);
    if (job->dx != NULL || job->dresidual != NULL)
        inputs(job, tile);
}

/* Σ g and Σ g x̂ of each channel: to the parameters, and as means to what dx needs. */
static void
share_sums(struct fine__tape *t, const struct job *job)
{
    double beta_weight, beta_bias;
    fine__real *dweight = fine__grad(t, job->n->in[2], &beta_weight);
    fine__real *dbias = fine__grad(t, job->n->in[3], &beta_bias);

    for (int64_t c = 0; c < job->channels; c++) {
        double g = 0, gx = 0;

        for (int64_t tile = 0; tile < job->n_tiles; tile++)
            for (int64_t i = c; i < job->width; i += job->channels) {
                g += (double)job->partial[2 * tile * job->width + i];
                gx += (double)job->partial[(2 * tile + 1) * job->width + i];
            }
        if (dweight != NULL)
            dweight[c] = (fine__real)(gx + (beta_weight == 0 ? 0 : (double)dweight[c]));
        if (dbias != NULL)
            dbias[c] = (fine__real)(g + (beta_bias == 0 ? 0 : (double)dbias[c]));
        /* (x - mean) is what this is multiplied with */
        job->spread[MEAN_G][c] = (fine__real)(g / (double)job->rows);
        job->spread[MEAN_GX][c] = (fine__real)(gx / (double)job->rows * (double)job->inverse[c]);
    }
    for (int64_t i = 1; i < job->group; i++) {
        memcpy(job->spread[MEAN_G] + i * job->channels, job->spread[MEAN_G],
               (size_t)job->channels * sizeof *job->partial);
        memcpy(job->spread[MEAN_GX] + i * job->channels, job->spread[MEAN_GX],
               (size_t)job->channels * sizeof *job->partial);
    }
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n);
    const bool by_batch = n->size[0] != 0;
    double beta;

    /* The residual first: x may be the same tensor. */
    job.dresidual = fine__grad(t, n->in[1], &beta);
    job.beta_residual = (fine__real)beta;
    job.dx = fine__grad(t, n->in[0], &beta);
    job.beta_x = (fine__real)beta;
    job.mean = n->saved;
    job.inverse = n->saved + job.channels;
    const bool wants_sums = n->in[2]->wants_grad || n->in[3]->wants_grad ||
                            (by_batch && job.dx != NULL);
    const struct fine__arena_mark mark = fine__tape_mark(t);
    fine__real *room = fine__tape_take(t, 6 * job.width);

    if (wants_sums)
        job.partial = fine__tape_take(t, 2 * job.n_tiles * job.width);
    if (t->status < 0 || n->out->count == 0)
        return;
    fill(&job, room);
    fine__parallel_for(t->ctx, job.n_tiles, by_batch ? sums_tile : both_tile, &job);
    if (wants_sums)
        share_sums(t, &job);
    if (by_batch && (job.dx != NULL || job.dresidual != NULL))
        fine__parallel_for(t->ctx, job.n_tiles, inputs_tile, &job);
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "batchnorm2d", forward, backward };

struct fine__tensor *
fine__batchnorm2d(struct fine__tape *t, struct fine__tensor *x, struct fine__tensor *residual,
                  struct fine__tensor *weight, struct fine__tensor *bias,
                  const struct fine__norming *how)
{
    /* `how` is read in forward alone */
    const struct fine__node n = { .op = &op, .in = { x, residual, weight, bias }, .n_in = 4,
                                  .size = { how->by_batch, (int64_t)how->f }, .index = { how } };

    return fine__apply(t, &n, x->n_dims, x->shape);
}

#ifdef FINE__GRADCHECK
enum { MOST = 33 };

struct kind {
    bool by_batch;
    enum fine__activation f;
};

static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor *const in[4], const struct kind *kind)
{
    fine__real mean[MOST], variance[MOST];
    const struct fine__norming how = { .eps = 1e-3, .momentum = 0.1, .by_batch = kind->by_batch,
                                       .mean = mean, .variance = variance, .f = kind->f,
                                       .new_mean = mean, .new_variance = variance };

    for (int i = 0; i < MOST; i++) {
        mean[i] = 0.1 * i - 0.7;
        variance[i] = 0.5 + 0.05 * i;
    }
    return fine__batchnorm2d(t, in[0], in[1], in[2], in[3], &how);
}

static struct fine__tensor *
plain(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return build(t, (struct fine__tensor *const[4]){ in[0], NULL, in[1], in[2] }, arg);
}

static struct fine__tensor *
with_residual(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return build(t, in, arg);
}

static struct fine__tensor *
with_itself(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return build(t, (struct fine__tensor *const[4]){ in[0], in[0], in[1], in[2] }, arg);
}

void
gc_cases(void)
{
    static const enum fine__activation kinds[] = { FINE__IDENTITY, FINE__RELU, FINE__RELU6,
                                                   FINE__SILU };

    for (int i = 0; i < 8; i++) {
        const struct kind kind = { i % 2 != 0, kinds[i / 2] };

        gc_check("batchnorm2d", plain, &kind, 3, gc_input(4, 3, 5, 4, 6), gc_input(1, 6),
                 gc_input(1, 6));
        gc_check("batchnorm2d", plain, &kind, 3, gc_input(4, 2, 1, 3, MOST), gc_input(1, MOST),
                 gc_input(1, MOST));
        gc_check("batchnorm2d", plain, &kind, 3, gc_input(4, 1, 23, 29, 1), gc_input(1, 1),
                 gc_input(1, 1));
        gc_check("batchnorm2d, residual", with_residual, &kind, 4, gc_input(4, 2, 5, 7, 8),
                 gc_input(4, 2, 5, 7, 8), gc_input(1, 8), gc_input(1, 8));
        gc_check("batchnorm2d, residual", with_residual, &kind, 4, gc_input(4, 2, 3, 3, 3),
                 gc_input(4, 2, 3, 3, 3), gc_input(1, 3), gc_input(1, 3));
        gc_check("batchnorm2d, itself", with_itself, &kind, 3, gc_input(4, 2, 9, 4, 5),
                 gc_input(1, 5), gc_input(1, 5));
    }
}
#endif
