/* add — a + b, element by element: the way around a layer that is left out. */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>

struct job {
    const fine__real *a, *b;        /* b NULL: a copy of a */
    fine__real *to;
    int64_t count;
};

FINE__CLONES static void
loop(const struct job *job, int64_t begin, int64_t end)
{
    const fine__real *a = job->a, *b = job->b;
    fine__real *to = job->to;

    if (b != NULL)
        for (int64_t i = begin; i < end; i++)
            to[i] = a[i] + b[i];
    else
        for (int64_t i = begin; i < end; i++)
            to[i] = a[i];
}

static void
tile(void *arg, int64_t index, int worker)
{
    const struct job *job = arg;
    const int64_t begin = index * FINE__TILE, end = begin + FINE__TILE;

    (void)worker;
    loop(job, begin, end < job->count ? end : job->count);
}

static void
run(struct fine__tape *t, struct job job)
{
    fine__parallel_for(t->ctx, (job.count + FINE__TILE - 1) / FINE__TILE, tile, &job);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    run(t, (struct job){ .a = n->in[0]->data, .b = n->in[1]->data, .to = n->out->data,
                         .count = n->out->count });
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    for (int k = 0; k < 2; k++) {
        double beta;
        fine__real *grad = fine__grad(t, n->in[k], &beta);

        if (grad != NULL)
            run(t, (struct job){ .a = n->out->grad, .b = beta == 0 ? NULL : grad, .to = grad,
                                 .count = n->out->count });
    }
}

static const struct fine__op op = { "add", forward, backward };

struct fine__tensor *
fine__add(struct fine__tape *t, struct fine__tensor *a, struct fine__tensor *b)
{
    const struct fine__node n = { .op = &op, .in = { a, b }, .n_in = 2 };

    assert(t->status < 0 || a->count == b->count);
    return fine__apply(t, &n, a->n_dims, a->shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    (void)arg;
    return fine__add(t, in[0], in[1]);
}

static struct fine__tensor *
twice(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    (void)arg;
    return fine__add(t, in[0], in[0]);
}

void
gc_cases(void)
{
    gc_check("add", build, NULL, 2, gc_input(2, 9, 5), gc_input(2, 9, 5));
    gc_check("add", build, NULL, 2, gc_input(1, 1), gc_input(1, 1));
    gc_check("add", twice, NULL, 1, gc_input(2, 130, 130));
}
#endif
