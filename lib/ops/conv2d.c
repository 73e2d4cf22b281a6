/*
 * conv2d — two-dimensional convolution of images that lie channels last, in groups, with
 * strides and with zeros around.
 *
 * Each image's patches (for every output pixel what the kernel sees there) are a matrix, and
 * with the weight turned to (K·L·C, O) the convolution is a product; backward are the two
 * other products, the patches' gradient added back to where they came from.
 */
#include "base/parallel.h"
#include "ops/op.h"

#include <assert.h>
#include <string.h>

struct job {
    fine_context *ctx;
    const struct fine__node *n;
    int64_t groups, stride, top, left;
    int64_t height, width, channels;            /* of x; channels of one group */
    int64_t kernel_height, kernel_width;
    int64_t out_height, out_width, out_channels;        /* channels of one group */
    int64_t patch;                              /* numbers a patch */
    fine__real *turned, *patches, *partial;     /* weight (groups, patch, O/groups); a worker's */
    fine__real *dx;
    double beta;
};

static struct job
job_of(fine_context *ctx, const struct fine__node *n)
{
    const struct fine__tensor *x = n->in[0], *w = n->in[1];
    struct job job = { .ctx = ctx, .n = n, .groups = n->size[0], .stride = n->size[1],
                       .top = n->size[2], .left = n->size[3], .height = x->shape[1],
                       .width = x->shape[2], .channels = w->shape[1],
                       .kernel_height = w->shape[2], .kernel_width = w->shape[3],
                       .out_height = n->out->shape[1], .out_width = n->out->shape[2] };

    job.out_channels = n->out->shape[3] / job.groups;
    job.patch = job.kernel_height * job.kernel_width * job.channels;
    return job;
}

/* Between the weight as it is stored and (groups, K, L, C, O): one way, or added back. */
static void
turn(const struct job *job, const fine__real *from, fine__real *to, bool back, double beta)
{
    const int64_t area = job->kernel_height * job->kernel_width, all = job->groups;

    for (int64_t g = 0; g < all; g++)
        for (int64_t o = 0; o < job->out_channels; o++)
            for (int64_t c = 0; c < job->channels; c++)
                for (int64_t k = 0; k < area; k++) {
                    const int64_t stored = ((g * job->out_channels + o) * job->channels + c) *
                                               area + k;
                    const int64_t turned = ((g * area + k) * job->channels + c) *
                                               job->out_channels + o;

                    if (!back)
                        to[turned] = from[stored];
                    else
                        to[stored] = from[turned] + (beta == 0 ? 0 : to[stored]);
                }
}

/* The image's patches of group g, or the way back: patches added to the image. */
static void
patches(const struct job *job, fine__real *image, int64_t g, fine__real *patches, bool back)
{
    const int64_t channels = job->channels, pixel = channels * job->groups;
    const size_t bytes = (size_t)channels * sizeof *image;
    fine__real *patch = patches;

    for (int64_t i = 0; i < job->out_height * job->out_width; i++)
        for (int64_t k = 0; k < job->kernel_height * job->kernel_width; k++, patch += channels) {
            const int64_t y = i / job->out_width * job->stride + k / job->kernel_width - job->top;
            const int64_t x = i % job->out_width * job->stride + k % job->kernel_width - job->left;
            const bool inside = y >= 0 && y < job->height && x >= 0 && x < job->width;
            fine__real *at = inside ? image + (y * job->width + x) * pixel + g * channels : NULL;

            if (!back && inside)
                memcpy(patch, at, bytes);
            else if (!back)
                memset(patch, 0, bytes);
            else if (inside)
                for (int64_t c = 0; c < channels; c++)
                    at[c] += patch[c];
        }
}

static void
forward_image(void *arg, int64_t image, int worker)
{
    const struct job *job = arg;
    const int64_t pixels = job->out_height * job->out_width, wide = job->out_channels * job->groups;
    fine__real *room = job->patches + worker * pixels * job->patch;
    fine__real *x = job->n->in[0]->data +
                    image * job->height * job->width * job->channels * job->groups;
    fine__real *y = job->n->out->data + image * pixels * wide;

    for (int64_t g = 0; g < job->groups; g++) {
        patches(job, x, g, room, false);
        fine__gemm_one(job->ctx, pixels, job->out_channels, job->patch,
                       (struct fine__matrix){ room, job->patch, 1 },
                       (struct fine__matrix){ job->turned + g * job->patch * job->out_channels,
                                              job->out_channels, 1 },
                       0, y + g * job->out_channels, wide);
    }
    if (job->n->in[2] != NULL)
        for (int64_t i = 0; i < pixels; i++)
            for (int64_t o = 0; o < wide; o++)
                y[i * wide + o] += job->n->in[2]->data[o];
}

static void
input_image(void *arg, int64_t image, int worker)
{
    const struct job *job = arg;
    const int64_t pixels = job->out_height * job->out_width, wide = job->out_channels * job->groups;
    const int64_t size = job->height * job->width * job->channels * job->groups;
    fine__real *room = job->patches + worker * pixels * job->patch;
    fine__real *dx = job->dx + image * size;
    const fine__real *dy = job->n->out->grad + image * pixels * wide;

    if (job->beta == 0)
        memset(dx, 0, (size_t)size * sizeof *dx);
    for (int64_t g = 0; g < job->groups; g++) {
        fine__gemm_one(job->ctx, pixels, job->patch, job->out_channels,
                       (struct fine__matrix){ dy + g * job->out_channels, wide, 1 },
                       (struct fine__matrix){ job->turned + g * job->patch * job->out_channels, 1,
                                              job->out_channels },
                       0, room, job->patch);
        patches(job, dx, g, room, true);
    }
}

static void
weight_image(void *arg, int64_t image, int worker)
{
    const struct job *job = arg;
    const int64_t pixels = job->out_height * job->out_width, wide = job->out_channels * job->groups;
    fine__real *room = job->patches + worker * pixels * job->patch;
    fine__real *x = job->n->in[0]->data +
                    image * job->height * job->width * job->channels * job->groups;
    const fine__real *dy = job->n->out->grad + image * pixels * wide;

    for (int64_t g = 0; g < job->groups; g++) {
        patches(job, x, g, room, false);
        fine__gemm_one(job->ctx, job->patch, job->out_channels, pixels,
                       (struct fine__matrix){ room, 1, job->patch },
                       (struct fine__matrix){ dy + g * job->out_channels, wide, 1 }, 0,
                       job->partial + image * job->patch * wide + g * job->patch *
                           job->out_channels, job->out_channels);
    }
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(t->ctx, n);
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.turned = fine__tape_take(t, n->in[1]->count);
    job.patches = fine__tape_take(t, fine__n_workers(t->ctx) * job.out_height * job.out_width *
                                         job.patch);
    if (t->status < 0)
        return;
    turn(&job, n->in[1]->data, job.turned, false, 0);
    fine__parallel_for(t->ctx, n->out->shape[0], forward_image, &job);
    fine__tape_rewind(t, mark);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(t->ctx, n);
    const int64_t images = n->out->shape[0], wide = n->out->shape[3];
    double beta_weight, beta_bias;

    job.dx = fine__grad(t, n->in[0], &job.beta);
    fine__real *dw = fine__grad(t, n->in[1], &beta_weight);
    fine__real *db = fine__grad(t, n->in[2], &beta_bias);
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.turned = fine__tape_take(t, n->in[1]->count);
    job.patches = fine__tape_take(t, fine__n_workers(t->ctx) * job.out_height * job.out_width *
                                         job.patch);
    if (dw != NULL)
        job.partial = fine__tape_take(t, images * n->in[1]->count);
    if (t->status < 0)
        return;
    turn(&job, n->in[1]->data, job.turned, false, 0);
    if (job.dx != NULL)
        fine__parallel_for(t->ctx, images, input_image, &job);
    if (dw != NULL) {
        fine__parallel_for(t->ctx, images, weight_image, &job);
        for (int64_t image = 1; image < images; image++)
            for (int64_t i = 0; i < n->in[1]->count; i++)
                job.partial[i] += job.partial[image * n->in[1]->count + i];
        turn(&job, job.partial, dw, true, beta_weight);
    }
    if (db != NULL && beta_bias == 0)
        memset(db, 0, (size_t)wide * sizeof *db);
    fine__add_column_sums(t, n->out->count / wide, wide, n->out->grad, wide, db);
    fine__tape_rewind(t, mark);
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
