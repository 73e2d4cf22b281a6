/*
 * test_image_ops.c — the float ops of image models: held to PyTorch's float64 results in
 * ../shared/golden where that folder is there (its images lie channels first, ours last), and
 * the same bits, forward and backward, at any number of threads.
 */
#include "golden_set.h"

#include "ops/ops.h"

/* ---- golden files ---- */

/* A leaf of shape (n,h,w,c). */
static struct fine__tensor *
image_leaf(int64_t n, int64_t h, int64_t w, int64_t c)
{
    struct fine__tensor *x = new_leaf(true, n, h * w * c);

    x->n_dims = 4;
    x->shape[1] = h;
    x->shape[2] = w;
    x->shape[3] = c;
    return x;
}

/* Element i of x, as (n,h,w,c), is this one of (n,c,h,w). */
static int64_t
channels_first(const struct fine__tensor *x, int64_t i)
{
    const int64_t c = x->shape[3], pixels = x->shape[1] * x->shape[2];

    return (i / (c * pixels) * c + i % c) * pixels + i / c % pixels;
}

static struct fine__tensor *
golden_image(struct golden *g, const char *part, int64_t n, int64_t c, int64_t h, int64_t w)
{
    struct fine__tensor *x = image_leaf(n, h, w, c);
    const float *from = find(g, part, FINE_F32, x->count);

    for (int64_t i = 0; i < x->count; i++)
        x->data[i] = from[channels_first(x, i)];
    return x;
}

static void
check_image(const struct golden *g, const char *part, const struct fine__tensor *x,
            const float *got)
{
    const double *expected = find(g, part, FINE_F64, x->count);
    double *turned = malloc((size_t)x->count * sizeof *turned);

    for (int64_t i = 0; i < x->count; i++)
        turned[i] = expected[channels_first(x, i)];
    compare(g->name, part, turned, got, x->count, g->limit);
    free(turned);
}

static void
backward_image(struct golden *g, struct fine__tape *t, struct fine__tensor *y)
{
    const float *from = find(g, "cotangent", FINE_F32, y->count);
    float *turned = malloc((size_t)y->count * sizeof *turned);

    for (int64_t i = 0; i < y->count; i++)
        turned[i] = from[y->n_dims == 4 ? channels_first(y, i) : i];
    backward(t, y, turned);
    free(turned);
}

/* The gradient of the golden x of ours. */
static void
check_input(struct golden *g, struct fine__tensor *x)
{
    check_image(g, "f64.grad.x", x, x->grad);
    free_leaf(x);
}

static void
golden_conv2d(struct golden *g, struct fine__tape *t, const char *name, const int64_t weight[4],
              bool has_bias, const struct fine__convolving *how)
{
    g->name = name;
    struct fine__tensor *x = golden_image(g, "x", 3, 4, 9, 8);
    struct fine__tensor *w = leaf(g, "weight", weight[0], weight[1] * weight[2] * weight[3]);
    struct fine__tensor *b = has_bias ? leaf(g, "bias", weight[0], 1) : NULL;

    w->n_dims = 4;
    memcpy(w->shape, weight, sizeof w->shape);
    struct fine__tensor *y = fine__conv2d(t, x, w, b, how);

    check_image(g, "f64.output", y, y->data);
    backward_image(g, t, y);
    check_input(g, x);
    check_gradient(g, "weight", w);
    if (has_bias)
        check_gradient(g, "bias", b);
}

static void
golden_convolutions(struct golden *g, struct fine__tape *t)
{
    static const struct {
        const char *name;
        int64_t weight[4];
        bool has_bias;
        struct fine__convolving how;
    } cases[] = {
        { "conv-3x3-s2", { 5, 4, 3, 3 }, false, { 1, 2, 1, 1, 1, 1 } },
        { "conv-7x7-s2", { 5, 4, 7, 7 }, false, { 1, 2, 3, 3, 3, 3 } },
        { "conv-1x1-s2", { 5, 4, 1, 1 }, false, { 1, 2, 0, 0, 0, 0 } },
        { "conv-bias", { 5, 4, 3, 3 }, true, { 1, 1, 1, 1, 1, 1 } },
        { "conv-groups", { 6, 2, 3, 3 }, false, { 2, 1, 1, 1, 1, 1 } },
        { "conv-depthwise-5x5-s2", { 4, 1, 5, 5 }, false, { 4, 2, 2, 2, 2, 2 } },
        { "conv-depthwise-tf-same-s2", { 4, 1, 5, 5 }, false, { 4, 2, 1, 1, 2, 2 } },
    };

    for (int i = 0; i < FINE__COUNT(cases); i++)
        golden_conv2d(g, t, cases[i].name, cases[i].weight, cases[i].has_bias, &cases[i].how);
}

/* What the file has as float alone. */
static void
check_floats(const struct golden *g, const char *part, const float *got)
{
    const float *expected = find(g, part, FINE_F32, 4);
    double wide[4];

    for (int i = 0; i < 4; i++)
        wide[i] = (double)expected[i];
    compare(g->name, part, wide, got, 4, g->limit);
}

static void
golden_batchnorm2d(struct golden *g, struct fine__tape *t, const char *name, bool by_batch)
{
    float new_mean[4], new_variance[4];

    g->name = name;
    struct fine__tensor *x = golden_image(g, "x", 3, 4, 9, 8);
    struct fine__tensor *w = leaf(g, "weight", 4, 1), *b = leaf(g, "bias", 4, 1);
    const struct fine__norming how = { .eps = 1e-5,
                                       .momentum = 0.1,
                                       .by_batch = by_batch,
                                       .mean = find(g, "running_mean", FINE_F32, 4),
                                       .variance = find(g, "running_var", FINE_F32, 4),
                                       .new_mean = new_mean,
                                       .new_variance = new_variance };
    struct fine__tensor *y = fine__batchnorm2d(t, x, NULL, w, b, &how);

    check_image(g, "f64.output", y, y->data);
    if (by_batch) {
        check_floats(g, "after.running_mean", new_mean);
        check_floats(g, "after.running_var", new_variance);
    }
    backward_image(g, t, y);
    check_input(g, x);
    check_gradient(g, "weight", w);
    check_gradient(g, "bias", b);
}

static void
golden_pools(struct golden *g, struct fine__tape *t)
{
    g->name = "max-pool-3x3-s2-p1";
    struct fine__tensor *x = golden_image(g, "x", 3, 4, 9, 8), *y = fine__max_pool2d(t, x, 3, 2, 1);

    check_image(g, "f64.output", y, y->data);
    backward_image(g, t, y);
    check_input(g, x);
    g->name = "global-average-pool";
    x = golden_image(g, "x", 3, 4, 9, 8);
    y = fine__global_pool(t, x);
    check(g, "f64.output", y->data, y->count);
    backward_image(g, t, y);
    check_input(g, x);
}

START_TEST(golden)
{
    struct golden g;
    struct fine__tape t;

    if (!open_golden(&g, GOLDEN "ops/ops.safetensors", 3e-6))
        return;
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    golden_convolutions(&g, &t);
    golden_batchnorm2d(&g, &t, "batch-norm-train", true);
    golden_batchnorm2d(&g, &t, "batch-norm-eval", false);
    golden_pools(&g, &t);
    fine__tape_free(&t);
    close_golden(&g);
}
END_TEST

/* ---- drop path ---- */

START_TEST(drop_path_keeps_its_share)
{
    enum { ROWS = 20000, WIDTH = 3 };
    static const double p = 0.2;
    struct fine__tape t;
    struct fine__tensor *x = new_leaf(true, ROWS, WIDTH), *y;
    float *dy = malloc(ROWS * WIDTH * sizeof *dy);
    int64_t dropped = 0;

    ctx = new_context(2);
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 5);
    for (int i = 0; i < ROWS * WIDTH; i++)
        dy[i] = x->data[i] = 1;
    y = fine__drop_path(&t, x, p);
    for (int i = 0; i < ROWS; i++) {
        const float *row = y->data + (ptrdiff_t)i * WIDTH;

        ck_assert(row[0] == row[1] && row[1] == row[2]);
        ck_assert(row[0] == 0 || fabs((double)row[0] * (1 - p) - 1) < 1e-6);
        dropped += row[0] == 0;
    }
    ck_assert(fabs((double)dropped - ROWS * p) < 5 * sqrt(ROWS * p * (1 - p)));
    float *kept = malloc(ROWS * WIDTH * sizeof *kept);

    memcpy(kept, y->data, ROWS * WIDTH * sizeof *kept);
    backward(&t, y, dy);
    ck_assert_int_eq(memcmp(kept, x->grad, ROWS * WIDTH * sizeof *kept), 0);
    fine__tape_reset(&t, true, 6);
    ck_assert_int_ne(memcmp(kept, fine__drop_path(&t, x, p)->data, ROWS * WIDTH * sizeof *kept), 0);
    ck_assert_ptr_eq(fine__drop_path(&t, x, 0), x);
    free(kept);
    free(dy);
    fine__tape_free(&t);
    free_leaf(x);
    free_context(ctx);
}
END_TEST

/* ---- what is absurd ---- */

/* Large means beside small deviations, one value for all, NaN. */
START_TEST(batchnorm_of_anything)
{
    enum { C = 5, ROWS = 1000 };
    struct fine__tape t;
    struct fine__tensor *x = image_leaf(10, 10, 10, C), *y;
    struct fine__tensor *w = new_vector(true, C), *b = new_vector(true, C);
    float mean[C] = { 0 }, variance[C] = { 0 }, new_mean[C], new_variance[C];
    float *dy = calloc(ROWS * C, sizeof *dy);
    const struct fine__norming how = { 1e-5, 0.1, true, mean, variance,
                                       new_mean, new_variance, FINE__RELU };

    ctx = new_context(1);
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    for (int c = 0; c < C; c++) {
        w->data[c] = 1;
        b->data[c] = 1;
    }
    for (int i = 0; i < ROWS; i++) {
        x->data[i * C + 0] = 3;
        x->data[i * C + 1] = 1e4f + (float)(i % 2); /* variance 1/4 */
        x->data[i * C + 2] = i % 2 == 0 ? 1e-20f : -1e-20f;
        x->data[i * C + 3] = i == 7 ? NAN : 1;
        x->data[i * C + 4] = i % 2 == 0 ? 1e15f : -1e15f;
        dy[i * C + 1] = (float)(i % 7) - 3;
    }
    y = fine__batchnorm2d(&t, x, NULL, w, b, &how);
    for (int i = 0; i < ROWS; i++) {
        ck_assert(y->data[i * C] == 1);
        ck_assert(fabsf(y->data[i * C + 1] - (i % 2 == 0 ? 0 : 2)) < 1e-3f);
        ck_assert(fabsf(y->data[i * C + 2] - 1) < 1e-6f);
        ck_assert(isnan(y->data[i * C + 3]));
        ck_assert(fabsf(y->data[i * C + 4] - (i % 2 == 0 ? 2 : 0)) < 1e-3f);
    }
    ck_assert(fabs((double)new_variance[1] - 0.1 * 0.25 * ROWS / (ROWS - 1)) < 1e-6);
    ck_assert(fabs((double)new_mean[1] - 0.1 * 10000.5) < 1e-3);
    backward(&t, y, dy);
    for (int i = 0; i < ROWS; i++)
        ck_assert(isfinite(x->grad[i * C + 1]));
    fine__tape_free(&t);
    free(dy);
    free_leaf(x);
    free_leaf(w);
    free_leaf(b);
    free_context(ctx);
}
END_TEST

/* Cells around the image never win, not even over numbers below zero; NaN does. */
START_TEST(max_pool_of_anything)
{
    struct fine__tape t;
    struct fine__tensor *x = image_leaf(1, 3, 3, 1), *y;
    static const float dy[4] = { 1, 2, 3, 4 };

    ctx = new_context(1);
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    for (int i = 0; i < 9; i++)
        x->data[i] = -INFINITY;
    x->data[7] = INFINITY;
    x->data[8] = NAN;
    y = fine__max_pool2d(&t, x, 3, 2, 1);
    ck_assert(y->data[0] == -INFINITY && y->data[2] == INFINITY && isnan(y->data[3]));
    backward(&t, y, dy);
    ck_assert(x->grad[0] == 1 && x->grad[1] == 2 && x->grad[7] == 3 && x->grad[4] == 4);
    fine__tape_free(&t);
    free_leaf(x);
    free_context(ctx);
}
END_TEST

/* ---- threads ---- */

enum { LEAVES = 12 };

static const int64_t shapes[LEAVES][4] = {
    { 3, 21, 18, 3 }, { 24, 3, 3, 3 },  { 24 },          { 24 }, { 40, 24, 1, 1 }, { 40 },
    { 40, 1, 5, 5 },  { 48, 20, 3, 3 }, { 37, 48, 3, 3 }, { 37 }, { 64, 37, 1, 1 }, { 64, 64, 3, 3 },
};

struct result {
    float out[3 * 64];
    float *gradient[LEAVES];
};

/* Convolutions of all kinds with all that stands between them, in memory full of NaN. */
static void
run_all(int n_threads, struct result *result)
{
    struct faulty faulty;
    static float zeros[64], ones[64];
    fine_context *context = new_faulty_context(&faulty, n_threads);
    struct fine__tape t;
    struct fine__tensor *leaf[LEAVES], *x, *h, *s;
    const struct fine__norming norming = { 1e-3, 0.1,  true, zeros,
                                           ones, NULL, NULL, FINE__SILU };

    for (int i = 0; i < LEAVES; i++) {
        int64_t n = 1;

        for (int d = 0; d < 4 && shapes[i][d] > 0; d++)
            n *= shapes[i][d];
        leaf[i] = draw(new_leaf(true, n, 1), i, i == 2 ? 1 : 0, 0.3);
        memcpy(leaf[i]->shape, shapes[i], sizeof shapes[i]);
        leaf[i]->n_dims = shapes[i][1] > 0 ? 4 : 1;
    }
    for (int i = 0; i < 64; i++)
        ones[i] = 1;
    fine__tape_init(&t, context);
    fine__tape_reset(&t, true, 77);
    x = fine__conv2d(&t, leaf[0], leaf[1], NULL, &(struct fine__convolving){ 1, 2, 0, 0, 1, 1 });
    x = fine__batchnorm2d(&t, x, NULL, leaf[2], leaf[3], &norming);
    x = fine__conv2d(&t, x, leaf[4], leaf[5], &(struct fine__convolving){ 1, 1, 0, 0, 0, 0 });
    h = fine__conv2d(&t, x, leaf[6], NULL, &(struct fine__convolving){ 40, 1, 2, 2, 2, 2 });
    s = fine__activate(&t, fine__global_pool(&t, h), FINE__SIGMOID);
    h = fine__drop_path(&t, fine__scale_channels(&t, h, s), 0.3);
    x = fine__add(&t, x, h);
    x = fine__max_pool2d(&t, x, 3, 1, 1);
    x = fine__conv2d(&t, x, leaf[7], NULL, &(struct fine__convolving){ 2, 1, 1, 1, 1, 1 });
    x = fine__conv2d(&t, x, leaf[8], leaf[9], &(struct fine__convolving){ 1, 2, 1, 1, 1, 1 });
    h = fine__pad_channels(&t, x, 2, 13, 14);
    x = fine__conv2d(&t, x, leaf[10], NULL, &(struct fine__convolving){ 1, 2, 0, 0, 0, 0 });
    x = fine__conv2d(&t, x, leaf[11], NULL, &(struct fine__convolving){ 1, 1, 1, 1, 1, 1 });
    x = fine__global_pool(&t, fine__activate(&t, fine__add(&t, x, h), FINE__RELU6));
    ck_assert_int_eq(fine__tape_status(&t), 0);
    ck_assert_int_eq(x->count, FINE__COUNT(result->out));
    memcpy(result->out, x->data, sizeof result->out);
    float *dy = malloc(sizeof result->out);

    for (int i = 0; i < FINE__COUNT(result->out); i++)
        dy[i] = (float)(i % 5) - 2.5f;
    backward(&t, x, dy);
    free(dy);
    for (int i = 0; i < LEAVES; i++) {
        double size = 0;

        result->gradient[i] = malloc((size_t)leaf[i]->count * sizeof(float));
        memcpy(result->gradient[i], leaf[i]->grad, (size_t)leaf[i]->count * sizeof(float));
        for (int64_t j = 0; j < leaf[i]->count; j++)
            size += fabs((double)leaf[i]->grad[j]);
        ck_assert_msg(size > 0 && isfinite(size), "leaf %d: %g", i, size);
    }
    fine__tape_free(&t);
    free_context(context);
    for (int i = 0; i < LEAVES; i++)
        free_leaf(leaf[i]);
}

START_TEST(same_bits_for_any_number_of_threads)
{
    static const int threads[] = { 1, 2, 3, 5 };
    struct result first, other;

    run_all(1, &first);
    for (int i = 0; i < FINE__COUNT(threads); i++) {
        run_all(threads[i], &other);
        ck_assert_int_eq(memcmp(first.out, other.out, sizeof first.out), 0);
        for (int k = 0; k < LEAVES; k++) {
            size_t size = sizeof(float);

            for (int d = 0; d < 4 && shapes[k][d] > 0; d++)
                size *= (size_t)shapes[k][d];
            ck_assert_int_eq(memcmp(first.gradient[k], other.gradient[k], size), 0);
            free(other.gradient[k]);
        }
    }
    for (int k = 0; k < LEAVES; k++)
        free(first.gradient[k]);
}
END_TEST

RUNNER("image_ops", golden, drop_path_keeps_its_share, batchnorm_of_anything, max_pool_of_anything,
       same_bits_for_any_number_of_threads)
