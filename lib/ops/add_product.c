/*
 * add_product — y plus scale · x Wᵀ in some of its columns: how a low-rank change of a weight
 * comes on top of what the weight itself gives (LoRA, Hu et al., arXiv 2106.09685).
 *
 * Backward: dy = dout, dx = scale · dout W, dW += scale · doutᵀ x.
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>
#include <string.h>

struct shape {
    int64_t rows, columns, out, rank, first;
};

static struct shape
shape_of(const struct fine__node *n)
{
    const struct fine__tensor *y = n->in[0], *weight = n->in[2];
    const int64_t columns = y->shape[y->n_dims - 1];

    return (struct shape){ y->count / columns, columns, weight->shape[0],
                           weight->count / weight->shape[0], n->size[0] };
}

/* scale · x, as small as the rank. */
static fine__real *
scaled(struct fine__tape *t, const struct fine__node *n)
{
    const struct fine__tensor *x = n->in[1];
    const fine__real scale = (fine__real)n->arg[0];
    fine__real *to = fine__tape_take(t, x->count);

    for (int64_t i = 0; to != NULL && i < x->count; i++)
        to[i] = scale * x->data[i];
    return to;
}

struct copying {
    const fine__real *from;
    fine__real *to;
    int64_t count;
    bool adds;
};

static void
copy_tile(void *arg, int64_t tile, int worker)
{
    const struct copying *c = arg;
    const int64_t begin = tile * FINE__TILE, rest = c->count - begin;
    const int64_t n = rest < FINE__TILE ? rest : FINE__TILE;

    (void)worker;
    if (!c->adds) {
        memcpy(c->to + begin, c->from + begin, (size_t)n * sizeof *c->to);
        return;
    }
    for (int64_t i = begin; i < begin + n; i++)
        c->to[i] += c->from[i];
}

static void
copy(struct fine__tape *t, const fine__real *from, fine__real *to, int64_t count, bool adds)
{
    struct copying c = { from, to, count, adds };

    fine__parallel_for(t->ctx, (count + FINE__TILE - 1) / FINE__TILE, copy_tile, &c);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct shape s = shape_of(n);
    const struct fine__arena_mark mark = fine__tape_mark(t);
    const fine__real *x = scaled(t, n);

    if (x == NULL)
        return;
    copy(t, n->in[0]->data, n->out->data, n->out->count, false);
    fine__gemm(t->ctx, s.rows, s.out, s.rank, (struct fine__matrix){ x, s.rank, 1 },
               (struct fine__matrix){ n->in[2]->data, 1, s.rank }, NULL, 1,
               n->out->data + s.first, s.columns);
    fine__tape_rewind(t, mark);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const struct shape s = shape_of(n);
    const fine__real *dout = n->out->grad + s.first, scale = (fine__real)n->arg[0];
    double beta, beta_x, beta_w;
    fine__real *dy = fine__grad(t, n->in[0], &beta);
    fine__real *dx = fine__grad(t, n->in[1], &beta_x);
    fine__real *dw = fine__grad(t, n->in[2], &beta_w);
    const struct fine__arena_mark mark = fine__tape_mark(t);

    if (t->status < 0)
        return;
    if (dy != NULL)
        copy(t, n->out->grad, dy, n->out->count, beta != 0);
    if (dx != NULL) {
        fine__real *weight = fine__tape_take(t, n->in[2]->count);

        if (weight == NULL)
            return;
        for (int64_t i = 0; i < n->in[2]->count; i++)
            weight[i] = scale * n->in[2]->data[i];
        fine__gemm(t->ctx, s.rows, s.rank, s.out, (struct fine__matrix){ dout, s.columns, 1 },
                   (struct fine__matrix){ weight, s.rank, 1 }, NULL, beta_x, dx, s.rank);
    }
    if (dw != NULL) {
        const fine__real *x = scaled(t, n);

        if (x == NULL)
            return;
        fine__gemm(t->ctx, s.out, s.rank, s.rows, (struct fine__matrix){ dout, 1, s.columns },
                   (struct fine__matrix){ x, s.rank, 1 }, NULL, beta_w, dw, s.rank);
    }
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "add_product", forward, backward };

struct fine__tensor *
fine__add_product(struct fine__tape *t, struct fine__tensor *y, struct fine__tensor *x,
                  struct fine__tensor *weight, int64_t first, double scale)
{
    const struct fine__node n = { .op = &op, .in = { y, x, weight }, .n_in = 3,
                                  .size = { first }, .arg = { scale } };

    assert(t->status < 0 || first + weight->shape[0] <= y->shape[y->n_dims - 1]);
    return fine__apply(t, &n, y->n_dims, y->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__add_product(t, in[0], in[1], in[2], *(const int64_t *)arg, 0.75);
}

void
gc_cases(void)
{
    static const int64_t first[] = { 0, 4 };

    gc_check("add_product", build, &first[0], 3, gc_input(2, 7, 5), gc_input(2, 7, 2),
             gc_input(2, 5, 2));
    gc_check("add_product", build, &first[1], 3, gc_input(2, 3, 9), gc_input(2, 3, 1),
             gc_input(2, 3, 1));
    gc_check("add_product", build, &first[0], 3, gc_input(4, 2, 3, 2, 4), gc_input(4, 2, 3, 2, 2),
             gc_input(4, 4, 2, 1, 1));
}
#endif
