/*
 * test_conv2d.c — convolutions in float, forward and backward, against plain loops in double,
 * in shapes that take each way through the code: one cell, strides, strips of an image and of
 * several, patches in pieces, a panel and what is left of one; and every kernel that this
 * processor can run. (Gradients as such: tests/grad. PyTorch's numbers: test_image_ops.c.)
 */
#include "leaves.h"

#include <math.h>

#include "ops/conv_kernel.h"
#include "ops/ops.h"

/* ---- convolutions ---- */

struct shape {
    int64_t n, h, w, c, o, k, l;
    bool has_bias;
    struct fine__convolving how;
};

static const struct shape shapes[] = {
    { 2, 13, 11, 16, 48, 1, 1, true, { 1, 1, 0, 0, 0, 0 } },
    { 5, 9, 7, 40, 33, 1, 1, false, { 1, 1, 0, 0, 0, 0 } },
    { 3, 15, 14, 24, 70, 1, 1, false, { 1, 2, 0, 0, 0, 0 } },
    { 2, 20, 18, 3, 20, 7, 7, false, { 1, 2, 3, 3, 3, 3 } },
    { 1, 64, 60, 40, 5, 3, 3, false, { 1, 1, 1, 1, 1, 1 } },   /* rows of one image */
    { 20, 4, 4, 16, 33, 3, 3, true, { 1, 1, 1, 1, 1, 1 } },    /* several images */
    { 1, 5, 4, 520, 34, 3, 3, false, { 1, 1, 1, 1, 1, 1 } },   /* in pieces */
    { 1, 4, 4, 16, 530, 3, 3, false, { 1, 1, 1, 1, 1, 1 } },   /* many panels, one copy */
    { 3, 17, 16, 24, 32, 3, 3, false, { 1, 2, 0, 0, 1, 1 } },
    { 2, 9, 12, 5, 6, 4, 2, true, { 1, 3, 2, 1, 0, 1 } },
    { 2, 20, 20, 8, 8, 3, 3, false, { 1, 1, 0, 0, 0, 0 } }, /* no zeros: the image itself */
    { 2, 11, 10, 48, 96, 3, 3, false, { 4, 1, 1, 1, 1, 1 } },
    { 2, 10, 9, 20, 30, 3, 3, true, { 5, 2, 1, 1, 1, 1 } },
    { 3, 19, 18, 37, 37, 3, 3, true, { 37, 1, 1, 1, 1, 1 } },
    { 3, 19, 18, 32, 32, 5, 5, false, { 32, 2, 1, 1, 2, 2 } },
    { 2, 12, 13, 20, 20, 2, 3, false, { 20, 1, 1, 1, 0, 1 } },
    { 9, 3, 2, 16, 24, 5, 5, false, { 1, 1, 2, 2, 2, 2 } }, /* the kernel is larger */
};

static struct fine__tensor *
four(int64_t a, int64_t b, int64_t c, int64_t d, int stream, double deviation)
{
    struct fine__tensor *x = draw(new_leaf(true, a, b * c * d), stream, 0, deviation);

    x->n_dims = 4;
    x->shape[1] = b;
    x->shape[2] = c;
    x->shape[3] = d;
    return x;
}

/* y, or the gradients of dy: the definition. */
static void
by_loops(const struct shape *s, const struct fine__tensor *x, const struct fine__tensor *w,
         const float *dy, const int64_t *out, double *y, double *dx, double *dw)
{
    const int64_t channels = s->c / s->how.groups, columns = s->o / s->how.groups;

    for (int64_t i = 0; i < s->n * out[1] * out[2] * s->o; i++) {
        const int64_t o = i % s->o, g = o / columns, column = i / s->o % out[2];
        const int64_t row = i / s->o / out[2] % out[1], image = i / s->o / out[2] / out[1];

        for (int64_t p = 0; p < s->k * s->l * channels; p++) {
            const int64_t c = p % channels, l = p / channels % s->l, k = p / channels / s->l;
            const int64_t h = row * s->how.stride - s->how.top + k;
            const int64_t v = column * s->how.stride - s->how.left + l;
            const int64_t at = ((image * s->h + h) * s->w + v) * s->c + g * channels + c;
            const int64_t cell = ((o * channels + c) * s->k + k) * s->l + l;

            if (h < 0 || h >= s->h || v < 0 || v >= s->w)
                continue;
            y[i] += (double)x->data[at] * (double)w->data[cell];
            dx[at] += (double)dy[i] * (double)w->data[cell];
            dw[cell] += (double)dy[i] * (double)x->data[at];
        }
    }
}

static void
close_to(int i, const char *what, const double *right, const float *got, int64_t n)
{
    double largest = 0, off = 0;

    for (int64_t k = 0; k < n; k++) {
        largest = fmax(largest, fabs(right[k]));
        off = fmax(off, fabs(right[k] - (double)got[k]));
        ck_assert_msg(isfinite(got[k]), "shape %d: %s is not finite", i, what);
    }
    ck_assert_msg(off <= 3e-6 * largest, "shape %d: %s is %.2g off, of %.2g", i, what, off,
                  largest);
}

static void
compare_shape(int i, struct fine__tape *t)
{
    const struct shape *s = &shapes[i];
    struct fine__tensor *x = four(s->n, s->h, s->w, s->c, 1, 1);
    struct fine__tensor *w = four(s->o, s->c / s->how.groups, s->k, s->l, 2, 0.2), *y;
    struct fine__tensor *b = s->has_bias ? draw(new_vector(true, s->o), 3, 0, 1) : NULL;
    double beta;

    fine__tape_reset(t, true, 1);
    y = fine__conv2d(t, x, w, b, &s->how);
    ck_assert_int_eq(fine__tape_status(t), 0);
    double *right = calloc((size_t)y->count, sizeof *right), *db = calloc((size_t)s->o, sizeof *db);
    double *dx = calloc((size_t)x->count, sizeof *dx), *dw = calloc((size_t)w->count, sizeof *dw);
    float *dy = fine__grad(t, y, &beta);
    const uint64_t key = fine__rng_key(4, FINE__RNG_INIT, 0, 0);

    for (int64_t k = 0; k < y->count; k++) {
        dy[k] = (float)fine__rng_normal(key, (uint64_t)k);
        right[k] = b != NULL ? (double)b->data[k % s->o] : 0;
        db[k % s->o] += (double)dy[k];
    }
    by_loops(s, x, w, dy, y->shape, right, dx, dw);
    close_to(i, "output", right, y->data, y->count);
    fine__backward(t, y, 0);
    ck_assert_int_eq(fine__tape_status(t), 0);
    close_to(i, "input's gradient", dx, x->grad, x->count);
    close_to(i, "weight's gradient", dw, w->grad, w->count);
    if (b != NULL) {
        close_to(i, "bias's gradient", db, b->grad, b->count);
        free_leaf(b);
    }
    free(right);
    free(db);
    free(dx);
    free(dw);
    free_leaf(x);
    free_leaf(w);
}

START_TEST(convolutions_against_loops)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 2); /* memory full of NaN */
    struct fine__tape t;

    fine__tape_init(&t, ctx);
    for (int i = 0; i < FINE__COUNT(shapes); i++)
        compare_shape(i, &t);
    fine__tape_free(&t);
    free_context(ctx);
}
END_TEST

/* y and the gradients of a shape, one after the other. */
static float *
bits_of(const struct shape *s, int n_threads, size_t *bytes)
{
    fine_context *ctx = new_context(n_threads);
    struct fine__tensor *x = four(s->n, s->h, s->w, s->c, 1, 1), *y;
    struct fine__tensor *w = four(s->o, s->c / s->how.groups, s->k, s->l, 2, 0.2);
    struct fine__tensor *b = draw(new_vector(true, s->o), 3, 0, 1);
    struct fine__tape t;
    double beta;

    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    y = fine__conv2d(&t, x, w, b, &s->how);
    float *dy = fine__grad(&t, y, &beta);
    const struct fine__tensor *list[3] = { x, w, b };
    float *all = malloc((size_t)(y->count + x->count + w->count + b->count) * sizeof *all);
    float *to = all + y->count;

    memcpy(all, y->data, (size_t)y->count * sizeof *all);
    for (int64_t i = 0; i < y->count; i++)
        dy[i] = (float)(i % 13) - 6.3f;
    fine__backward(&t, y, 0);
    ck_assert_int_eq(fine__tape_status(&t), 0);
    for (int i = 0; i < 3; i++) {
        memcpy(to, list[i]->grad, (size_t)list[i]->count * sizeof *to);
        to += list[i]->count;
    }
    *bytes = (size_t)(to - all) * sizeof *all;
    fine__tape_free(&t);
    free_leaf(x);
    free_leaf(w);
    free_leaf(b);
    free_context(ctx);
    return all;
}

START_TEST(same_bits_for_any_number_of_threads)
{
    static const int threads[] = { 2, 3, 5 };

    for (int i = 0; i < FINE__COUNT(shapes); i++) {
        size_t bytes, same;
        float *first = bits_of(&shapes[i], 1, &bytes);

        for (int k = 0; k < FINE__COUNT(threads); k++) {
            float *other = bits_of(&shapes[i], threads[k], &same);

            ck_assert_uint_eq(bytes, same);
            ck_assert_msg(memcmp(first, other, bytes) == 0, "shape %d, %d threads", i, threads[k]);
            free(other);
        }
        free(first);
    }
}
END_TEST

/* Two convolutions of one input: gradients are added to what is there. */
START_TEST(gradients_add_up)
{
    static const struct fine__convolving how[] = { { 1, 1, 1, 1, 1, 1 }, { 1, 2, 0, 0, 0, 0 } };
    fine_context *ctx = new_context(2);
    struct fine__tape t;

    fine__tape_init(&t, ctx);
    for (int i = 0; i < FINE__COUNT(how); i++) {
        struct fine__tensor *x = four(2, 6, 5, 16, 1, 1), *y, *sum;
        struct fine__tensor *w = four(8, 16, 3 - 2 * i, 3 - 2 * i, 2, 1);

        for (int twice = 0; twice < 2; twice++) {
            double beta;
            float *once = malloc((size_t)x->count * sizeof *once);

            memcpy(once, x->grad, (size_t)x->count * sizeof *once);
            memset(x->grad, 0, (size_t)x->count * sizeof *x->grad);
            fine__tape_reset(&t, true, 1);
            y = fine__activate(&t, x, FINE__IDENTITY); /* its gradient starts without a number */
            sum = fine__conv2d(&t, y, w, NULL, &how[i]);
            if (twice)
                sum = fine__add(&t, sum, fine__conv2d(&t, y, w, NULL, &how[i]));
            float *dy = fine__grad(&t, sum, &beta);

            for (int64_t k = 0; k < sum->count; k++)
                dy[k] = (float)(k % 7) - 3;
            fine__backward(&t, sum, 0);
            for (int64_t k = 0; twice && k < x->count; k++)
                ck_assert(fabsf(x->grad[k] - 2 * once[k]) <= 1e-4f);
            free(once);
        }
        free_leaf(x);
        free_leaf(w);
    }
    fine__tape_free(&t);
    free_context(ctx);
}
END_TEST

START_TEST(nothing_for_what_is_frozen)
{
    fine_context *ctx = new_context(1);
    struct fine__tape t;
    struct fine__tensor *x = four(1, 6, 5, 8, 1, 1), *w = four(8, 8, 3, 3, 2, 1);
    const struct fine__convolving how = { 1, 1, 1, 1, 1, 1 };

    x->wants_grad = w->wants_grad = false;
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    ck_assert(!fine__conv2d(&t, x, w, NULL, &how)->wants_grad);
    ck_assert_int_eq(t.n_nodes, 0);
    /* no images */
    x->shape[0] = x->count = 0;
    w->wants_grad = true;
    memset(w->grad, 0, (size_t)w->count * sizeof *w->grad);
    struct fine__tensor *y = fine__conv2d(&t, x, w, NULL, &how);

    ck_assert_int_eq(y->count, 0);
    ck_assert_int_eq(fine__tape_status(&t), 0);
    fine__tape_free(&t);
    free_leaf(x);
    free_leaf(w);
    free_context(ctx);
}
END_TEST

/* ---- kernels ---- */

enum { RUNS = 3, RUN = 13, WIDEST = 32 };

static void
check_pixels(const struct fine__conv_kernel *kernel, const float *numbers, bool add)
{
    static const int64_t offset[RUNS] = { 0, 100, 57 };
    float to[FINE__CONV_PIXELS][WIDEST];
    struct fine__conv_pixels p = { .n_runs = RUNS,
                                   .run = RUN,
                                   .offset = offset,
                                   .panel = numbers + 500,
                                   .start = add ? NULL : numbers + 31,
                                   .add = add };

    for (p.n = 1; p.n <= FINE__CONV_PIXELS; p.n++)
        for (p.columns = 1; p.columns <= kernel->columns; p.columns++) {
            for (int i = 0; i < FINE__CONV_PIXELS; i++) {
                p.from[i] = numbers + (ptrdiff_t)7 * i * i;
                p.to[i] = to[i];
                for (int j = 0; j < WIDEST; j++)
                    to[i][j] = 0.5f;
            }
            kernel->pixels(&p);
            for (int i = 0; i < FINE__CONV_PIXELS; i++)
                for (int j = 0; j < WIDEST; j++) {
                    double sum = add ? 0.5 : (double)numbers[31 + j];

                    for (int k = 0; k < RUNS * RUN; k++)
                        sum += (double)p.from[i][offset[k / RUN] + k % RUN] *
                               (double)p.panel[k * kernel->columns + j];
                    if (i >= p.n || j >= p.columns)
                        sum = 0.5;
                    ck_assert_msg(fabs(sum - (double)to[i][j]) < 3e-5, "%d, %d: %g, not %g", i, j,
                                  (double)to[i][j], sum);
                }
        }
}

static void
check_weights(const struct fine__conv_kernel *kernel, const float *numbers, bool add)
{
    float to[FINE__CONV_PIXELS][WIDEST];
    struct fine__conv_weights p = { .from = numbers,
                                    .n_images = 2,
                                    .n_rows = 3,
                                    .n_columns = 5,
                                    .image_step = 200,
                                    .row_step = 61,
                                    .column_step = 11,
                                    .dy = numbers + 700,
                                    .to = to[0],
                                    .to_step = WIDEST,
                                    .add = add };

    for (p.n = 1; p.n <= FINE__CONV_PIXELS; p.n++) {
        for (int i = 0; i < FINE__CONV_PIXELS * WIDEST; i++)
            to[i / WIDEST][i % WIDEST] = 0.5f;
        kernel->weights(&p);
        for (int i = 0; i < FINE__CONV_PIXELS; i++)
            for (int j = 0; j < WIDEST; j++) {
                double sum = add || i >= p.n || j >= kernel->columns ? 0.5 : 0;

                for (int k = 0; i < p.n && j < kernel->columns && k < 2 * 3 * 5; k++)
                    sum += (double)numbers[k / 15 * 200 + k / 5 % 3 * 61 + k % 5 * 11 + i] *
                           (double)p.dy[k * kernel->columns + j];
                ck_assert_msg(fabs(sum - (double)to[i][j]) < 3e-5, "%d, %d: %g, not %g", i, j,
                              (double)to[i][j], sum);
            }
    }
}

START_TEST(every_kernel)
{
    enum { NUMBERS = 3000 };
    float *numbers = malloc(NUMBERS * sizeof *numbers);
    const uint64_t key = fine__rng_key(5, FINE__RNG_INIT, 0, 0);
    int n = 0;

    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = (float)fine__rng_normal(key, (uint64_t)i);
    for (const struct fine__conv_kernels *k; (k = fine__conv_kernels_at(n)) != NULL; n++)
        for (int add = 0; add < 2; add++) {
            ck_assert(k->wide.columns <= WIDEST && k->narrow.columns <= k->wide.columns);
            check_pixels(&k->wide, numbers, add);
            check_pixels(&k->narrow, numbers, add);
            check_weights(&k->wide, numbers, add);
            check_weights(&k->narrow, numbers, add);
        }
    ck_assert_int_ge(n, 1);
    ck_assert_ptr_eq(fine__conv_kernels(), fine__conv_kernels_at(0));
    free(numbers);
}
END_TEST

RUNNER("conv2d", convolutions_against_loops, same_bits_for_any_number_of_threads, gradients_add_up,
       nothing_for_what_is_frozen, every_kernel)
