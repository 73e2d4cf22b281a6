/*
 * conv2d — two-dimensional convolution of images that lie channels last, in groups, with
 * strides and with zeros around.
 *
 * Nothing is copied into matrices of patches: with channels last, what a kernel sees of one
 * row is one run of memory, so a product can read the image itself (conv_kernel.h). The
 * gradient of the input is a convolution too, of the output's gradient with the weight turned
 * around; with a stride of s, s x s of them: the input's pixels whose places have the same
 * remainder by s are touched by the same cells of the kernel.
 */
#include "ops/conv.h"
#include "ops/op.h"

#include <assert.h>
#include <string.h>

static struct fine__conv_walk
walk_of(const struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0], *w = n->in[1], *y = n->out;

    return (struct fine__conv_walk){
        .x = x->data, .images = x->shape[0], .height = x->shape[1], .width = x->shape[2],
        .channels = x->shape[3], .groups = n->size[0], .stride = n->size[1], .top = n->size[2],
        .left = n->size[3], .kernel_height = w->shape[2], .kernel_width = w->shape[3],
        .out_height = y->shape[1], .out_width = y->shape[2]
    };
}

static bool
is_depthwise(const struct fine__node *n)
{
    return n->size[0] > 1 && n->size[0] == n->in[0]->shape[3] && n->size[0] == n->out->shape[3];
}

static void
multiply(struct fine__tape *t, const struct fine__node *n, const struct fine__conv_product *product)
{
    if (is_depthwise(n))
        fine__conv_depthwise(t, product);
    else
        fine__conv_multiply(t, product);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t *weight = n->in[1]->shape, *y = n->out->shape;
    const int64_t area = weight[2] * weight[3], out = y[3] / n->size[0];
    const struct fine__conv_product product = {
        .walk = walk_of(n),
        .weight = { n->in[1]->data, weight[3], 1, area, weight[1] * area, out * weight[1] * area },
        .bias = n->in[2] != NULL ? n->in[2]->data : NULL,
        .columns = out, .to = n->out->data, .image_step = y[1] * y[2] * y[3],
        .row_step = y[2] * y[3], .column_step = y[3]
    };

    multiply(t, n, &product);
}

/* In one direction: the cells that touch input pixels first, first + stride, … */
struct phase {
    int64_t pixels, cells, last;    /* how many; the last cell comes first, the weight is turned */
    int64_t before;                 /* zeros before the output's gradient */
};

static struct phase
phase_of(int64_t first, int64_t size, int64_t kernel, int64_t before, int64_t stride)
{
    const int64_t cell = (first + before) % stride;
    struct phase p = { .pixels = first < size ? (size - first + stride - 1) / stride : 0 };

    p.cells = cell < kernel ? (kernel - cell + stride - 1) / stride : 0;
    p.last = cell + stride * (p.cells - 1);
    p.before = p.cells - 1 - (first + before - cell) / stride;
    return p;
}

static void
input_gradient(struct fine__tape *t, const struct fine__node *n, double beta, fine__real *dx)
{
    const int64_t *x = n->in[0]->shape, *weight = n->in[1]->shape, *y = n->out->shape;
    const int64_t stride = n->size[1], groups = n->size[0];
    const int64_t area = weight[2] * weight[3], out = y[3] / groups;
    const bool gaps = stride > weight[2] || stride > weight[3];

    if (gaps && beta == 0)          /* no cell touches some pixels */
        memset(dx, 0, (size_t)n->in[0]->count * sizeof *dx);
    for (int64_t i = 0; i < stride * stride; i++) {
        const int64_t row = i / stride, column = i % stride;
        const struct phase v = phase_of(row, x[1], weight[2], n->size[2], stride);
        const struct phase h = phase_of(column, x[2], weight[3], n->size[3], stride);
        const struct fine__conv_product product = {
            .walk = { .x = n->out->grad, .images = y[0], .height = y[1], .width = y[2],
                      .channels = y[3], .groups = groups, .stride = 1, .kernel_height = v.cells,
                      .kernel_width = h.cells, .top = v.before, .left = h.before,
                      .out_height = v.pixels, .out_width = h.pixels },
            .weight = { n->in[1]->data + v.last * weight[3] + h.last, -stride * weight[3], -stride,
                        weight[1] * area, area, out * weight[1] * area },
            .columns = weight[1], .to = dx + (row * x[2] + column) * x[3],
            .image_step = x[1] * x[2] * x[3], .row_step = stride * x[2] * x[3],
            .column_step = stride * x[3], .add = gaps || beta != 0
        };

        if (v.cells > 0 && h.cells > 0 && v.pixels > 0 && h.pixels > 0)
            multiply(t, n, &product);
    }
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t wide = n->out->shape[3];
    const struct fine__conv_walk walk = walk_of(n);
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    if (dx != NULL)
        input_gradient(t, n, beta, dx);
    fine__real *dw = fine__grad(t, n->in[1], &beta);

    if (dw != NULL && is_depthwise(n))
        fine__conv_depthwise_gradient(t, &walk, n->out->grad, beta, dw);
    else if (dw != NULL)
        fine__conv_weight_gradient(t, &walk, wide, n->out->grad, beta, dw);
    fine__real *db = fine__grad(t, n->in[2], &beta);

    if (db != NULL && beta == 0)
        memset(db, 0, (size_t)wide * sizeof *db);
    fine__add_column_sums(t, n->out->count / wide, wide, n->out->grad, wide, db);
}

static const struct fine__op op = { "conv2d", forward, backward };

struct fine__tensor *
fine__conv2d(struct fine__tape *t, struct fine__tensor *x, struct fine__tensor *weight,
             struct fine__tensor *bias, const struct fine__convolving *how)
{
    const struct fine__node n = { .op = &op, .in = { x, weight, bias }, .n_in = 3,
                                  .size = { how->groups, how->stride, how->top, how->left } };
    const int64_t shape[4] = {
        x->shape[0],
        (x->shape[1] + how->top + how->bottom - weight->shape[2]) / how->stride + 1,
        (x->shape[2] + how->left + how->right - weight->shape[3]) / how->stride + 1,
        weight->shape[0]
    };

    assert(t->status < 0 || (x->shape[3] == weight->shape[1] * how->groups &&
                             weight->shape[0] % how->groups == 0));
    assert(t->status < 0 || (x->shape[1] + how->top + how->bottom >= weight->shape[2] &&
                             x->shape[2] + how->left + how->right >= weight->shape[3]));
    return t->status < 0 ? x : fine__apply(t, &n, 4, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
with_bias(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__conv2d(t, in[0], in[1], in[2], arg);
}

static struct fine__tensor *
plain(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__conv2d(t, in[0], in[1], NULL, arg);
}

void
gc_cases(void)
{
    static const struct fine__convolving one = { 1, 1, 0, 0, 0, 0 }, same = { 1, 1, 1, 1, 1, 1 },
        strided = { 1, 2, 0, 0, 0, 0 }, halved = { 1, 2, 1, 1, 1, 1 }, stem = { 1, 2, 3, 3, 3, 3 },
        uneven = { 1, 2, 0, 1, 1, 2 }, third = { 1, 3, 2, 0, 1, 1 };
    static const struct fine__convolving groups = { 2, 1, 1, 1, 1, 1 },
        halved_groups = { 3, 2, 0, 0, 1, 1 }, wide = { 4, 1, 2, 2, 2, 2 },
        deep = { 4, 2, 1, 1, 2, 2 }, odd = { 19, 1, 1, 1, 1, 1 }, far = { 19, 2, 0, 1, 1, 0 };

    gc_check("1x1", plain, &one, 2, gc_input(4, 2, 5, 4, 6), gc_input(4, 5, 6, 1, 1));
    gc_check("1x1", plain, &one, 2, gc_input(4, 3, 1, 1, 1), gc_input(4, 1, 1, 1, 1));
    gc_check("1x1, bias", with_bias, &one, 3, gc_input(4, 2, 5, 4, 17), gc_input(4, 33, 17, 1, 1),
             gc_input(1, 33));
    gc_check("1x1, stride 2", plain, &strided, 2, gc_input(4, 2, 5, 4, 6), gc_input(4, 5, 6, 1, 1));
    gc_check("3x3", plain, &same, 2, gc_input(4, 2, 5, 4, 3), gc_input(4, 5, 3, 3, 3));
    gc_check("3x3, bias", with_bias, &same, 3, gc_input(4, 2, 3, 7, 9), gc_input(4, 20, 9, 3, 3),
             gc_input(1, 20));
    gc_check("3x3 of a pixel", plain, &same, 2, gc_input(4, 2, 1, 1, 4), gc_input(4, 3, 4, 3, 3));
    gc_check("3x3, no zeros", plain, &one, 2, gc_input(4, 1, 6, 5, 4), gc_input(4, 3, 4, 3, 3));
    gc_check("3x3, stride 2", plain, &halved, 2, gc_input(4, 2, 7, 6, 4), gc_input(4, 9, 4, 3, 3));
    gc_check("3x3, stride 3", plain, &third, 2, gc_input(4, 2, 9, 8, 2), gc_input(4, 3, 2, 3, 3));
    gc_check("7x7, stride 2", plain, &stem, 2, gc_input(4, 2, 9, 8, 3), gc_input(4, 8, 3, 7, 7));
    gc_check("uneven", with_bias, &uneven, 3, gc_input(4, 2, 8, 7, 5), gc_input(4, 4, 5, 5, 3),
             gc_input(1, 4));
    gc_check("2x4", plain, &uneven, 2, gc_input(4, 1, 6, 5, 2), gc_input(4, 4, 2, 2, 4));
    gc_check("groups", plain, &groups, 2, gc_input(4, 2, 5, 4, 6), gc_input(4, 4, 3, 3, 3));
    gc_check("groups", with_bias, &halved_groups, 3, gc_input(4, 2, 6, 7, 6),
             gc_input(4, 9, 2, 3, 3), gc_input(1, 9));
    gc_check("depthwise", plain, &wide, 2, gc_input(4, 2, 5, 4, 4), gc_input(4, 4, 1, 5, 5));
    gc_check("depthwise", with_bias, &deep, 3, gc_input(4, 2, 7, 8, 4), gc_input(4, 4, 1, 5, 5),
             gc_input(1, 4));
    gc_check("depthwise", plain, &odd, 2, gc_input(4, 2, 5, 4, 19), gc_input(4, 19, 1, 3, 3));
    gc_check("depthwise", plain, &far, 2, gc_input(4, 2, 6, 9, 19), gc_input(4, 19, 1, 3, 3));
    gc_check("depthwise, two each", plain, &wide, 2, gc_input(4, 2, 4, 3, 4),
             gc_input(4, 8, 1, 5, 5));
}
#endif
