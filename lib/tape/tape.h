/*
 * tape.h — eager operations, recorded where a gradient is wanted.
 *
 * An op runs forward at once. Only if one of its inputs wants a gradient is a node kept;
 * the order of recording is a topological order, so backward is one loop from the end.
 * Frozen therefore means: no node, nothing saved, no gradient. Failure is sticky: after
 * the first one every op returns the inert tensor, and fine__tape_status() tells.
 *
 * Memory: everything of a step comes from one arena. In backward, a gradient is handed
 * out at its first contribution and its memory, like that of activations that nobody
 * needs any more, goes to the next one that asks.
 */
#ifndef FINE__TAPE_H
#define FINE__TAPE_H

#include "base/arena.h"
#include "tensor/tensor.h"

enum { FINE__MAX_IN = 8, FINE__MAX_SPARE = 64 };

struct fine__tape;
struct fine__node;

struct fine__op {
    const char *name;
    /* Fills out->data; takes n->saved from the arena only where fine__records(n). */
    void (*forward)(struct fine__tape *tape, struct fine__node *n);
    /* Adds to fine__grad() of each input that has one. */
    void (*backward)(struct fine__tape *tape, struct fine__node *n);
};

struct fine__node {
    const struct fine__op *op;
    struct fine__node *previous;
    struct fine__tensor *out, *in[FINE__MAX_IN];    /* inputs may be NULL */
    int n_in;
    double arg[4];                  /* eps, probability, weight … */
    int64_t size[4];                /* heads, kinds … */
    const void *index[4];           /* ids, offsets, labels: borrowed for the step */
    fine__real *saved;              /* what forward keeps for backward */
    uint64_t dropout_key;
};

struct fine__spare {
    fine__real *data;
    int64_t count;
};

struct fine__tape {
    fine_context *ctx;
    struct fine__arena arena;
    struct fine__node *last;
    int64_t n_nodes;
    int status;
    bool recording;                 /* false: prediction, nothing is ever recorded */
    uint64_t dropout_key;           /* of this micro-batch; each op with dropout draws its own from it.
                                     * 0: evaluation mode */
    uint64_t n_dropouts;
    struct fine__spare spare[FINE__MAX_SPARE];
    int n_spare;
    struct fine__tensor inert;
};

void fine__tape_init(struct fine__tape *tape, fine_context *ctx);
void fine__tape_free(struct fine__tape *tape);
/* Forgets the step; the memory stays. */
void fine__tape_reset(struct fine__tape *tape, bool recording, uint64_t dropout_key);
int fine__tape_status(const struct fine__tape *tape);
/* Makes a failure sticky; the finding is already recorded. */
void fine__tape_fail(struct fine__tape *tape, int code);

/* Runs an op: a copy of the prototype gets its output. NULL never. */
struct fine__tensor *fine__apply(struct fine__tape *tape, const struct fine__node *prototype,
                                 int n_dims, const int64_t *shape);
/* True where the node will be kept, so that forward must save what backward needs. */
bool fine__records(const struct fine__node *n);

/* From `loss` (one element), whose gradient is `seed`. */
void fine__backward(struct fine__tape *tape, struct fine__tensor *loss, double seed);

/* Where to put the gradient of x: NULL, it wants none (or memory is out). *beta 0: write
 * it, 1: add to it. */
fine__real *fine__grad(struct fine__tape *tape, struct fine__tensor *x, double *beta);

/* Memory of the step; NULL makes the tape fail. */
fine__real *fine__tape_take(struct fine__tape *tape, int64_t count);

/* Temporaries of an op: mark, take, rewind. Take outputs and gradients before the mark. */
struct fine__arena_mark fine__tape_mark(const struct fine__tape *tape);
void fine__tape_rewind(struct fine__tape *tape, struct fine__arena_mark mark);

/* Around layers: where nothing was recorded since the scope began, all memory taken since
 * goes back and only x survives (moved). One scope may be ended after every layer; then the
 * output of the layer before goes too, so that any number of layers runs in the memory of
 * one. */
struct fine__scope {
    struct fine__arena_mark mark;
    const struct fine__node *last;
};
struct fine__scope fine__scope(const struct fine__tape *tape);
struct fine__tensor *fine__scope_end(struct fine__tape *tape, struct fine__scope scope,
                                     struct fine__tensor *x);

#endif
