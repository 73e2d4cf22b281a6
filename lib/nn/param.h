/*
 * param.h — the parameter table: what a model is made of.
 *
 * A family declares each parameter once with its name, shape and stage. Values lie in
 * one block in order of declaration. Gradients (and optimizer state) exist only for
 * what is trained, in one block too, laid out in the same order.
 */
#ifndef FINE__PARAM_H
#define FINE__PARAM_H

#include "tensor/tensor.h"

struct fine__param {
    struct fine__tensor tensor;
    char *name;                     /* as in the checkpoint, without a prefix such as "bert." */
    int32_t stage;
    bool decays;                    /* rank >= 2: weight decay where decay is "matrices" */
    bool is_embedding;              /* its gradient is sparse by rows */
    bool is_head;                   /* made anew with the task */
    int64_t padding_row;            /* embeddings: this row gets no gradient; -1: none */
    double init_std;                /* new weights: normal(0, std); 0: zeros; -1: ones */
};

struct fine__params {
    fine_context *ctx;
    struct fine__param *list;
    int64_t count, capacity;
    fine__real *gradients;          /* the block, or NULL */
    int64_t n_trained;              /* elements that are trained: the block's length */
    struct fine__params_block *blocks;
    bool failed;                    /* memory ran out while declaring */
};

void fine__params_init(struct fine__params *params, fine_context *ctx);
void fine__params_free(struct fine__params *params);
/* Declares one; returns its index, -1 after a failure. Values have no memory yet. */
int64_t fine__params_add(struct fine__params *params, const struct fine__param *like, int n_dims,
                         const int64_t *shape, const char *name_format, ...) FINE__PRINTF(5, 6);
/* Memory for the values of every parameter that has none yet, in one block. */
int fine__params_allocate(struct fine__params *params);
/* Drops parameters from index `from` on (a head that is replaced). */
void fine__params_truncate(struct fine__params *params, int64_t from);
int64_t fine__params_find(const struct fine__params *params, const char *name);
/* Draws a parameter from its init_std; its stream depends on seed and name alone. */
void fine__param_draw(struct fine__param *param, int64_t seed);

/* Gradients for what is trained now (tensor.wants_grad), zeroed; row flags for embeddings.
 * Does nothing where they are there for the same set. */
int fine__params_make_gradients(struct fine__params *params);
void fine__params_drop_gradients(struct fine__params *params);
void fine__params_zero_gradients(struct fine__params *params);
/* 2-norm over all gradients: per parameter in order, summed in double over fixed tiles. */
double fine__params_gradient_norm(struct fine__params *params);
void fine__params_scale_gradients(struct fine__params *params, double factor);
/* The name of a parameter whose gradient has a NaN or infinity; NULL: none. */
const char *fine__params_not_finite(const struct fine__params *params);

#endif
