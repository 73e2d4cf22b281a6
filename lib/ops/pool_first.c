/* pool_first — each sequence's first row, as BERT's pooler reads it. */
#include <string.h>

#include "ops/op.h"

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t width = n->out->shape[1], *offsets = n->index[0];

    (void)t;
    for (int64_t i = 0; i < n->out->shape[0]; i++)
        memcpy(n->out->data + i * width, n->in[0]->data + offsets[i] * width,
               (size_t)width * sizeof(fine__real));
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t width = n->out->shape[1], *offsets = n->index[0];
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    if (dx == NULL)
        return;
    if (beta == 0)
        memset(dx, 0, (size_t)n->in[0]->count * sizeof *dx);
    for (int64_t i = 0; i < n->out->shape[0]; i++)
        for (int64_t j = 0; j < width; j++)
            dx[offsets[i] * width + j] += n->out->grad[i * width + j];
}

static const struct fine__op op = { "pool_first", forward, backward };

struct fine__tensor *
fine__pool_first(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                 const int64_t *offsets)
{
    const struct fine__node n = { .op = &op, .in = { x }, .n_in = 1, .index = { offsets } };
    const int64_t shape[2] = { n_seqs, x->shape[1] };

    return fine__apply(t, &n, 2, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__pool_first(t, in[0], 3, arg);
}

void
gc_cases(void)
{
    static const int64_t offsets[] = { 0, 4, 5, 9 };

    gc_check("pool_first", build, offsets, 1, gc_input(2, 9, 5));
}
#endif
