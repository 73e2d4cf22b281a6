/*
 * pick — rows of a matrix by their numbers: each sequence's first token, or its last. No row
 * may be picked twice.
 */
#include <string.h>

#include "ops/op.h"

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t width = n->out->shape[1], *rows = n->index[0];

    (void)t;
    for (int64_t i = 0; i < n->out->shape[0]; i++)
        memcpy(n->out->data + i * width, n->in[0]->data + rows[i] * width,
               (size_t)width * sizeof(fine__real));
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t width = n->out->shape[1], *rows = n->index[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    if (dx == NULL)
        return;
    if (beta == 0)
        memset(dx, 0, (size_t)n->in[0]->count * sizeof *dx);
    for (int64_t i = 0; i < n->out->shape[0]; i++)
        for (int64_t j = 0; j < width; j++)
            dx[rows[i] * width + j] += n->out->grad[i * width + j];
}

static const struct fine__op op = { "pick", forward, backward };

struct fine__tensor *
fine__pick(struct fine__tape *t, struct fine__tensor *x, int64_t n, const int64_t *rows)
{
    const struct fine__node node = { .op = &op, .in = { x }, .n_in = 1, .index = { rows } };
    const int64_t shape[2] = { n, x->shape[1] };

    return fine__apply(t, &node, 2, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__pick(t, in[0], 3, arg);
}

void
gc_cases(void)
{
    static const int64_t first[] = { 0, 4, 5 }, last[] = { 3, 4, 8 };

    gc_check("pick", build, first, 1, gc_input(2, 9, 5));
    gc_check("pick", build, last, 1, gc_input(2, 9, 5));
}
#endif
