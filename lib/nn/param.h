/*
 * param.h — the parameter table: what a model is made of.
 *
 * A family declares each parameter once with its name, shape and stage. Values lie in
 * one block in order of declaration. Gradients (and optimizer state) exist only for
 * what is trained, in one block too, laid out in the same order. Whoever goes over all
 * that is trained does so by tiles, which depend on the shapes alone.
 */
#ifndef FINE__PARAM_H
#define FINE__PARAM_H

#include "tensor/tensor.h"

struct fine__param {
    struct fine__tensor tensor;
    char *name; /* as in the checkpoint, without a prefix such as "bert." */
    int32_t stage;
    bool decays;         /* rank >= 2: weight decay where decay is "matrices" */
    bool is_embedding;   /* its gradient is sparse by rows */
    bool is_head;        /* made anew with the task */
    bool is_adapter;     /* part of a low-rank change of another */
    bool frozen;         /* asked to be; tensor.wants_grad is what comes of it */
    int64_t padding_row; /* embeddings: this row gets no gradient; -1: none */
    double init_std;     /* new weights: normal(0, std); 0: zeros; -1: ones */
};

/* Elements [begin, end) of a trained parameter; whole rows where it is an embedding. */
struct fine__params_tile {
    int64_t param, begin, end;
};

struct fine__params {
    fine_context *ctx;
    struct fine__param *list; /* moves while parameters are added: keep indices */
    int64_t count, capacity;
    fine__real *gradients; /* the block, or NULL */
    int64_t n_trained;     /* elements that are trained */
    int64_t n_gradients;   /* length of the block: each parameter starts on a line of 64 bytes */
    struct fine__params_tile *tiles;
    int64_t n_tiles;
    double *partial;    /* one a tile: scratch for ordered sums */
    uint64_t signature; /* of what is trained: indices and sizes */
    uint8_t *row_flags; /* used and seen of all trained embeddings */
    struct fine__rows *rows;
    struct fine__params_block *blocks;
    bool failed; /* memory ran out while declaring */
};

void fine__params_init(struct fine__params *params, fine_context *ctx);
void fine__params_free(struct fine__params *params);
/* Declares one; returns its index, -1 after a failure. Values have no memory yet; it is
 * trained until it is frozen. Of `like` (may be NULL) stage, is_embedding, is_head,
 * padding_row and init_std are taken. */
int64_t fine__params_add(struct fine__params *params, const struct fine__param *like, int n_dims,
                         const int64_t *shape, const char *name_format, ...) FINE__PRINTF(5, 6);
/* Memory for the values of every parameter that has none yet, in one block; zeros. */
int fine__params_allocate(struct fine__params *params);
/* Drops parameters from index `from` on (a head that is replaced), and all gradients. */
void fine__params_truncate(struct fine__params *params, int64_t from);
/* Drops parameters [from, to), and all gradients; later ones move down. */
void fine__params_remove(struct fine__params *params, int64_t from, int64_t to);
int64_t fine__params_find(const struct fine__params *params, const char *name); /* -1: none */
/* Draws a parameter from its init_std; its stream depends on seed and name alone. */
void fine__param_draw(struct fine__param *param, int64_t seed);

/* Gradients for what is trained now (tensor.wants_grad), zeroed; row flags for embeddings.
 * Does nothing where they are there for the same set. 0 or FINE_ENOMEM (then none). */
int fine__params_make_gradients(struct fine__params *params);
/* A block laid out like the gradients: huge pages where all of it will be used, small ones
 * where an embedding's rows come one by one. */
void fine__params_advise(const struct fine__params *params, fine__real *block);
void fine__params_drop_gradients(struct fine__params *params);
/* Embeddings only forget which rows are used: what those rows hold is stale from then on. */
void fine__params_zero_gradients(struct fine__params *params);
/* Writes the zeros that zero_gradients() left out, for readers of the whole gradient. */
void fine__param_fill_gradient(struct fine__param *param);
/* 2-norm over all gradients: per parameter in order, summed in double over fixed tiles. */
double fine__params_gradient_norm(struct fine__params *params);
void fine__params_scale_gradients(struct fine__params *params, double factor);
/* The name of a parameter whose gradient has a NaN or infinity; NULL: none. */
const char *fine__params_not_finite(const struct fine__params *params);

#endif
