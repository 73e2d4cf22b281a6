/*
 * family.h — what a model family tells the rest: one table of functions, one file each.
 */
#ifndef FINE__FAMILY_H
#define FINE__FAMILY_H

#include "models/model.h"
#include "ops/ops.h"

struct fine__json;

/* Where forward puts hidden states when they are asked for. */
struct fine__states {
    struct fine__tensor **list;
    int64_t count, capacity;
};

struct fine__family {
    const char *name;               /* config.json: model_type */
    const char *prefix;             /* of encoder names in a checkpoint with a head: "bert." */
    const char *bare_architecture, *classifier_architecture;   /* transformers' classes */
    /* Tensors of a checkpoint that are no part of the model here: patterns, NULL at the end. */
    const char *const *ignored;
    /* config.json → model->config and the sizes in fine_model. Every finding is added
     * (fine__also); FINE_EFORMAT or FINE_EUNSUPPORTED when there was one. */
    int (*configure)(fine_model *model, const struct fine__json *config, double dropout);
    /* Declares the encoder's parameters, a pooler in the head's stage included. */
    void (*build)(fine_model *model);
    /* Declares the head of model->task, model->pool, n_outputs. */
    void (*build_head)(fine_model *model, int64_t n_outputs);
    /* The last hidden state (N,C). */
    struct fine__tensor *(*encode)(const fine_model *model, struct fine__tape *t,
                                   const struct fine__batch *batch, bool train,
                                   struct fine__states *states);
    /* Logits (B,O). */
    struct fine__tensor *(*head)(const fine_model *model, struct fine__tape *t,
                                 struct fine__tensor *x, const struct fine__batch *batch,
                                 bool train);
};

extern const struct fine__family fine__family_bert;

/* A family by its name, or NULL; names of all, for messages. */
const struct fine__family *fine__family_find(const char *name);
const char *fine__family_names(void);

/* Declares a parameter of a stage; returns its index (-1: memory is out, seen later). */
int64_t fine__declare(fine_model *model, int32_t stage, double init_std, int n_dims,
                      int64_t rows, int64_t columns, const char *name);

#endif
