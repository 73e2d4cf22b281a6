/*
 * tape.c — recording, going back, and the step's memory.
 */
#include "tape/tape.h"

#include <assert.h>
#include <string.h>

enum { LARGE = 16384 };             /* elements from which on memory is handed on in backward */

void
fine__tape_init(struct fine__tape *tape, fine_context *ctx)
{
    memset(tape, 0, sizeof *tape);
    tape->ctx = ctx;
    fine__arena_init(&tape->arena, ctx);
}

void
fine__tape_free(struct fine__tape *tape)
{
    fine__arena_free(&tape->arena);
}

void
fine__tape_reset(struct fine__tape *tape, bool recording, uint64_t dropout_key)
{
    fine__arena_reset(&tape->arena);
    tape->last = NULL;
    tape->n_nodes = 0;
    tape->status = 0;
    tape->recording = recording;
    tape->dropout_key = dropout_key;
    tape->n_dropouts = 0;
    tape->n_spare = 0;
}

int
fine__tape_status(const struct fine__tape *tape)
{
    return tape->status;
}

void
fine__tape_fail(struct fine__tape *tape, int code)
{
    if (tape->status == 0)
        tape->status = code;
}

fine__real *
fine__tape_take(struct fine__tape *tape, int64_t count)
{
    fine__real *data = fine__arena_take_array(&tape->arena, count, sizeof *data);

    if (data == NULL)
        fine__tape_fail(tape, FINE_ENOMEM);
    return data;
}

struct fine__arena_mark
fine__tape_mark(const struct fine__tape *tape)
{
    return fine__arena_mark(&tape->arena);
}

void
fine__tape_rewind(struct fine__tape *tape, struct fine__arena_mark mark)
{
    fine__arena_rewind(&tape->arena, mark);
}

static struct fine__tensor *
new_tensor(struct fine__tape *tape, int n_dims, const int64_t *shape)
{
    struct fine__tensor *tensor = fine__arena_take(&tape->arena, sizeof *tensor);

    if (tensor == NULL)
        return NULL;
    memset(tensor, 0, sizeof *tensor);
    tensor->n_dims = n_dims;
    tensor->count = 1;
    for (int i = 0; i < n_dims; i++) {
        tensor->shape[i] = shape[i];
        tensor->count *= shape[i];
    }
    tensor->data = fine__arena_take_array(&tape->arena, tensor->count, sizeof *tensor->data);
    return tensor->data != NULL ? tensor : NULL;
}

bool
fine__records(const struct fine__node *n)
{
    return n->out->wants_grad;
}

struct fine__tensor *
fine__apply(struct fine__tape *tape, const struct fine__node *prototype, int n_dims,
            const int64_t *shape)
{
    struct fine__node node = *prototype, *kept = &node;
    bool wants = false;

    if (tape->status < 0)
        return &tape->inert;
    for (int i = 0; i < node.n_in; i++)
        wants = wants || (node.in[i] != NULL && node.in[i]->wants_grad);
    if (tape->recording && wants) {
        kept = fine__arena_take(&tape->arena, sizeof *kept);
        if (kept != NULL)
            *kept = node;
    }
    struct fine__tensor *out = kept != NULL ? new_tensor(tape, n_dims, shape) : NULL;

    if (out == NULL) {
        fine__tape_fail(tape, FINE_ENOMEM);
        return &tape->inert;
    }
    out->wants_grad = kept != &node;
    kept->out = out;
    kept->op->forward(tape, kept);
    if (tape->status < 0)
        return &tape->inert;
    if (out->wants_grad) {
        kept->previous = tape->last;
        tape->last = kept;
        tape->n_nodes++;
    }
    return out;
}

/* ---- gradients ---- */

static void
hand_on(struct fine__tape *tape, fine__real *data, int64_t count)
{
    if (data != NULL && count >= LARGE && tape->n_spare < FINE__MAX_SPARE)
        tape->spare[tape->n_spare++] = (struct fine__spare){ data, count };
}

/* The smallest spare piece that holds count and wastes at most half of itself. */
static fine__real *
take_spare(struct fine__tape *tape, int64_t count)
{
    int best = -1;

    for (int i = 0; i < tape->n_spare; i++)
        if (tape->spare[i].count >= count && tape->spare[i].count / 2 <= count &&
            (best < 0 || tape->spare[i].count < tape->spare[best].count))
            best = i;
    if (best < 0)
        return NULL;
    fine__real *data = tape->spare[best].data;

    tape->spare[best] = tape->spare[--tape->n_spare];
    return data;
}

fine__real *
fine__grad(struct fine__tape *tape, struct fine__tensor *x, double *beta)
{
    *beta = 1;
    if (x == NULL || !x->wants_grad || tape->status < 0)
        return NULL;
    if (x->grad == NULL) {
        assert(!x->is_param);
        x->grad = take_spare(tape, x->count);
        if (x->grad == NULL)
            x->grad = fine__tape_take(tape, x->count);
        *beta = 0;
    }
    return x->grad;
}

void
fine__backward(struct fine__tape *tape, struct fine__tensor *loss, double seed)
{
    double beta;
    fine__real *grad = fine__grad(tape, loss, &beta);

    if (grad == NULL)
        return;
    grad[0] = (fine__real)((beta == 0 ? 0 : (double)grad[0]) + seed);     /* new memory may hold NaN */
    for (struct fine__node *n = tape->last; n != NULL && tape->status == 0; n = n->previous) {
        if (n->out->grad == NULL)
            continue;
        n->op->backward(tape, n);
        /* Whoever reads this output was recorded later and has been gone through. */
        hand_on(tape, n->out->grad, n->out->count);
        hand_on(tape, n->out->data, n->out->count);
        n->out->grad = NULL;
        n->out->data = NULL;
    }
}

/* ---- scopes ---- */

struct fine__scope
fine__scope(const struct fine__tape *tape)
{
    return (struct fine__scope){ fine__arena_mark(&tape->arena), tape->last };
}

struct fine__tensor *
fine__scope_end(struct fine__tape *tape, struct fine__scope scope, struct fine__tensor *x)
{
    if (tape->status < 0)
        return &tape->inert;
    if (tape->last != scope.last)
        return x;
    const struct fine__tensor old = *x;

    fine__arena_rewind(&tape->arena, scope.mark);
    struct fine__tensor *moved = fine__arena_take(&tape->arena, sizeof *moved);

    if (moved != NULL) {
        *moved = old;
        moved->data = fine__arena_take_moved(&tape->arena, old.data,
                                             (size_t)old.count * sizeof *old.data);
    }
    if (moved == NULL || moved->data == NULL) {
        fine__tape_fail(tape, FINE_ENOMEM);
        return &tape->inert;
    }
    return moved;
}
