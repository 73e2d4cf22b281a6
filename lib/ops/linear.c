/*
 * linear — y = f(x) Wᵀ + b, for one weight, or three side by side.
 *
 * f is the activation of the layer before: fused, so that f(x) is made twice (here and in
 * backward) and never kept. Three weights (queries, keys, values) that lie one behind the
 * other in memory are one product; param.h lays parameters out in order of declaration, so
 * a family gets this by declaring them in a row. A weight may be stored across, (C,O): to a
 * product that is a matter of strides, and its gradient comes out the same way round.
 *
 * Backward: df = dy W, dx = df f'(x), dW += dyᵀ f(x), db += Σ dy.
 */
#include "base/parallel.h"
#include "ops/activate.h"
#include "ops/op.h"
#include "ops/thin.h"

#include <assert.h>
#include <string.h>

/* in[]: x, then the weights, then the biases. */
static int
n_weights(const struct fine__node *n)
{
    return (n->n_in - 1) / 2;
}

static enum fine__activation
activation(const struct fine__node *n)
{
    return (enum fine__activation)n->size[0];
}

/* The weight is stored (C,O): "across". */
static bool
is_across(const struct fine__node *n)
{
    return n->size[1] != 0;
}

/* Outputs of each weight. */
static int64_t
outputs(const struct fine__node *n)
{
    return n->in[1]->shape[is_across(n) ? 1 : 0];
}

/* Wᵀ (C,O) of the i-th weight, and W (O,C). */
static struct fine__matrix
turned(const struct fine__node *n, int i)
{
    const struct fine__tensor *w = n->in[1 + i];

    return is_across(n) ? (struct fine__matrix){ w->data, w->shape[1], 1 }
                        : (struct fine__matrix){ w->data, 1, w->shape[1] };
}

static struct fine__matrix
straight(const struct fine__node *n, int i)
{
    const struct fine__matrix w = turned(n, i);

    return (struct fine__matrix){ w.data, w.column_stride, w.row_stride };
}

/* True where in[first] … are equally large pieces of one stretch of memory. */
static bool
in_a_row(const struct fine__node *n, int first, bool gradients)
{
    for (int i = 1; i < n_weights(n); i++) {
        const struct fine__tensor *a = n->in[first + i - 1], *b = n->in[first + i];

        if (gradients ? a->grad == NULL || b->grad != a->grad + a->count
                      : b->data != a->data + a->count)
            return false;
    }
    return true;
}

struct job {
    const struct fine__node *n;
    const fine__real *dy;
    fine__real *y, *dx;
    double beta;
};

static void
activate_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;
    const struct fine__tensor *x = job->n->in[0];
    const int64_t begin = tile * FINE__TILE, rest = x->count - begin;
    const int64_t count = rest < FINE__TILE ? rest : FINE__TILE;

    (void)worker;
    if (job->dx == NULL)
        fine__activation_forward(activation(job->n), count, x->data + begin, job->y + begin);
    else
        fine__activation_backward(activation(job->n), count, x->data + begin, job->dy + begin,
                                  job->beta, job->dx + begin,
                                  job->y != NULL ? job->y + begin : NULL);
}

static void
activate_all(struct fine__tape *t, struct job *job)
{
    fine__parallel_for(t->ctx, (job->n->in[0]->count + FINE__TILE - 1) / FINE__TILE,
                       activate_tile, job);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const int64_t out = n->out->shape[1], each = outputs(n);
    const int k = n_weights(n);
    const struct fine__arena_mark mark = fine__tape_mark(t);
    const fine__real *input = n->in[0]->data;

    if (activation(n) != FINE__IDENTITY) {
        struct job job = { .n = n, .y = fine__tape_take(t, n->in[0]->count) };

        if (job.y == NULL)
            return;
        activate_all(t, &job);
        input = job.y;
    }
    const struct fine__matrix x = { input, width, 1 };
    const bool one = in_a_row(n, 1, false) && (n->in[1 + k] == NULL || in_a_row(n, 1 + k, false));
    const bool thin = !t->recording && fine__is_thin(rows, one ? out : each, width);

    for (int i = 0; i < (one ? 1 : k); i++) {
        const struct fine__tensor *bias = n->in[1 + k + i];

        if (thin)
            fine__thin_product(t, rows, one ? out : each, width, input, turned(n, i),
                               bias != NULL ? bias->data : NULL, n->out->data + i * each, out);
        else
            fine__gemm(t->ctx, rows, one ? out : each, width, x, turned(n, i),
                       bias != NULL ? bias->data : NULL, 0, n->out->data + i * each, out);
    }
    fine__tape_rewind(t, mark);
}

/* df = dy W into to */
static void
input_gradient(struct fine__tape *t, const struct fine__node *n, double beta, fine__real *to)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const int64_t out = n->out->shape[1], each = outputs(n);
    const bool one = in_a_row(n, 1, false);

    for (int i = 0; i < (one ? 1 : n_weights(n)); i++) {
        const struct fine__matrix dy = { n->out->grad + i * each, out, 1 };

        fine__gemm(t->ctx, rows, width, one ? out : each, dy, straight(n, i), NULL,
                   i == 0 ? beta : 1, to, width);
    }
}

static void
weight_gradients(struct fine__tape *t, const struct fine__node *n, const fine__real *input)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const int64_t out = n->out->shape[1], each = outputs(n);
    const struct fine__matrix x = { input, width, 1 };
    const int k = n_weights(n);
    const bool one = in_a_row(n, 1, true);

    for (int i = 0; i < k; i++) {
        const struct fine__matrix dy = { n->out->grad + i * each, 1, out };
        double beta;
        fine__real *grad = fine__grad(t, n->in[1 + i], &beta);

        if (grad != NULL)
            fine__wake_rows(n->in[1 + i]);
        if (grad != NULL && is_across(n))
            fine__gemm(t->ctx, width, each, rows, (struct fine__matrix){ input, 1, width },
                       (struct fine__matrix){ n->out->grad, out, 1 }, NULL, beta, grad, each);
        else if (grad != NULL && (!one || i == 0))
            fine__gemm(t->ctx, one ? out : each, width, rows, dy, x, NULL, beta, grad, width);
        grad = fine__grad(t, n->in[1 + k + i], &beta);
        if (grad != NULL && beta == 0)
            for (int64_t j = 0; j < each; j++)
                grad[j] = 0;
        fine__add_column_sums(t, rows, each, n->out->grad + i * each, out, grad);
    }
}

static bool
trains_weights(const struct fine__node *n)
{
    for (int i = 1; i < n->n_in; i++)
        if (n->in[i] != NULL && n->in[i]->wants_grad)
            return true;
    return false;
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);
    const struct fine__arena_mark mark = fine__tape_mark(t);
    const fine__real *input = n->in[0]->data;

    if (activation(n) == FINE__IDENTITY) {
        if (dx != NULL)
            input_gradient(t, n, beta, dx);
    } else {
        struct job job = { .n = n, .dx = dx, .dy = dx, .beta = 0 };

        if (trains_weights(n))
            input = job.y = fine__tape_take(t, n->in[0]->count);
        if (dx != NULL) {
            fine__real *df = beta == 0 ? dx : fine__tape_take(t, n->in[0]->count);

            if (df == NULL)
                return;
            input_gradient(t, n, 0, df);
            job.dy = df;
            job.beta = beta;
        }
        if (t->status < 0)
            return;
        if (job.dx != NULL || job.y != NULL)
            activate_all(t, &job);
    }
    weight_gradients(t, n, input);
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "linear", forward, backward };

static struct fine__tensor *
plain(struct fine__tape *t, struct fine__tensor *x, enum fine__activation f,
      struct fine__tensor *weight, struct fine__tensor *bias)
{
    const struct fine__node n = { .op = &op, .in = { x, weight, bias }, .n_in = 3,
                                  .size = { (int64_t)f } };
    const int64_t shape[2] = { x->shape[0], weight->shape[0] };

    assert(t->status < 0 || x->shape[1] == weight->shape[1]);
    return fine__apply(t, &n, 2, shape);
}

/* y, and in its columns from `first` on what a low-rank change of the weight adds. */
static struct fine__tensor *
adapted(struct fine__tape *t, struct fine__tensor *y, struct fine__tensor *x,
        enum fine__activation f, const struct fine__tensor *weight, int64_t first)
{
    const struct fine__low_rank *change = weight->low_rank;

    if (change == NULL)
        return y;
    x = f != FINE__IDENTITY ? fine__activate(t, x, f) : x;
    x = fine__dropout(t, x, t->dropout_key != 0 && change->a->wants_grad ? change->p : 0);
    x = plain(t, x, FINE__IDENTITY, change->a, NULL);                           /* (N,r) */
    return fine__add_product(t, y, x, change->b, first, change->scale);
}

struct fine__tensor *
fine__linear(struct fine__tape *t, struct fine__tensor *x, enum fine__activation f,
             struct fine__tensor *weight, struct fine__tensor *bias)
{
    return adapted(t, plain(t, x, f, weight, bias), x, f, weight, 0);
}

struct fine__tensor *
fine__linear_across(struct fine__tape *t, struct fine__tensor *x, enum fine__activation f,
                    struct fine__tensor *weight, struct fine__tensor *bias)
{
    const struct fine__node n = { .op = &op, .in = { x, weight, bias }, .n_in = 3,
                                  .size = { (int64_t)f, 1 } };
    const int64_t shape[2] = { x->shape[0], weight->shape[1] };

    assert(t->status < 0 || x->shape[1] == weight->shape[0]);
    return adapted(t, fine__apply(t, &n, 2, shape), x, f, weight, 0);
}

struct fine__tensor *
fine__linear3(struct fine__tape *t, struct fine__tensor *x, struct fine__tensor *const weight[3],
              struct fine__tensor *const bias[3])
{
    const struct fine__node n = { .op = &op, .n_in = 7, .size = { FINE__IDENTITY },
                                  .in = { x, weight[0], weight[1], weight[2], bias[0], bias[1],
                                          bias[2] } };
    const int64_t shape[2] = { x->shape[0], 3 * weight[0]->shape[0] };
    struct fine__tensor *y = fine__apply(t, &n, 2, shape);

    for (int i = 0; i < 3; i++)
        y = adapted(t, y, x, FINE__IDENTITY, weight[i], i * weight[0]->shape[0]);
    return y;
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
single(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__linear(t, in[0], *(const enum fine__activation *)arg, in[1], in[2]);
}

static struct fine__tensor *
across(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__linear_across(t, in[0], *(const enum fine__activation *)arg, in[1], in[2]);
}

static struct fine__tensor *
triple(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    (void)arg;
    return fine__linear3(t, in[0], in + 1, in + 4);
}

void
gc_cases(void)
{
    for (enum fine__activation f = FINE__IDENTITY; f <= FINE__RELU6; f++) {
        gc_check("linear", single, &f, 3, gc_input(2, 7, 5), gc_input(2, 3, 5), gc_input(1, 3));
        gc_check("linear", single, &f, 3, gc_input(2, 1, 1), gc_input(2, 1, 1), gc_input(1, 1));
        gc_check("across", across, &f, 3, gc_input(2, 7, 5), gc_input(2, 5, 3), gc_input(1, 3));
    }
    gc_check("linear3", triple, NULL, 7, gc_input(2, 9, 8), gc_input(2, 8, 8), gc_input(2, 8, 8),
             gc_input(2, 8, 8), gc_input(1, 8), gc_input(1, 8), gc_input(1, 8));
    gc_check("linear3", triple, NULL, 7, gc_input(2, 150, 5), gc_input(2, 3, 5), gc_input(2, 3, 5),
             gc_input(2, 3, 5), gc_input(1, 3), gc_input(1, 3), gc_input(1, 3));
}
#endif
