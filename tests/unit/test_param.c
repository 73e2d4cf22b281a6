/* test_param.c — param.c and gradient.c: declaring, tiles, norms, rows. */
#include "runner.h"

#include <math.h>

#include "nn/param.h"

static fine_context *ctx;
static struct fine__params params;

enum { WORDS, MATRIX, BIAS, LARGE };

static void
begin(int n_threads)
{
    static const int64_t words[2] = { 1000, 48 }, matrix[2] = { 7, 13 }, bias[1] = { 13 };
    static const int64_t large[2] = { 300, 301 };
    const struct fine__param embedding = { .is_embedding = true,
                                           .padding_row = 3,
                                           .init_std = 0.02 };
    const struct fine__param ones = { .stage = 2, .padding_row = -1, .init_std = -1 };
    const struct fine__param drawn = { .stage = 1, .padding_row = -1, .init_std = 1 };

    ctx = new_context(n_threads);
    fine__params_init(&params, ctx);
    ck_assert_int_eq(fine__params_add(&params, &embedding, 2, words, "words"), WORDS);
    ck_assert_int_eq(fine__params_add(&params, &drawn, 2, matrix, "layer.%d.weight", 4), MATRIX);
    ck_assert_int_eq(fine__params_add(&params, &ones, 1, bias, "layer.%d.bias", 4), BIAS);
    ck_assert_int_eq(fine__params_add(&params, &drawn, 2, large, "large"), LARGE);
    ck_assert_int_eq(fine__params_allocate(&params), 0);
    for (int i = 0; i < 4; i++)
        fine__param_draw(&params.list[i], 1);
}

static void
end(void)
{
    fine__params_free(&params);
    free_context(ctx);
}

/* Gradients that differ everywhere; of the words only every third row. */
static void
fill(void)
{
    for (int64_t p = 0; p < params.count; p++) {
        struct fine__tensor *tensor = &params.list[p].tensor;

        for (int64_t i = 0; tensor->grad != NULL && i < tensor->count; i++) {
            const bool live = tensor->rows == NULL || i / 48 % 3 == 0;

            tensor->grad[i] = live ? (float)sin((double)(i + p)) : NAN;
            if (tensor->rows != NULL)
                tensor->rows->used[i / 48] = live;
        }
    }
}

START_TEST(declares)
{
    begin(1);
    ck_assert_int_eq(params.count, 4);
    ck_assert_str_eq(params.list[MATRIX].name, "layer.4.weight");
    ck_assert_int_eq(fine__params_find(&params, "layer.4.bias"), BIAS);
    ck_assert_int_eq(fine__params_find(&params, "layer.5.bias"), -1);
    ck_assert(params.list[MATRIX].decays && !params.list[BIAS].decays);
    ck_assert(params.list[WORDS].tensor.is_param && params.list[WORDS].tensor.wants_grad);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq((uintptr_t)params.list[i].tensor.data % 64, 0);
    end();
}
END_TEST

START_TEST(draws_by_name)
{
    struct fine__params other;
    const struct fine__param like = { .padding_row = -1, .init_std = 1 };
    const int64_t shape[2] = { 7, 13 };
    double sum = 0, squares = 0;

    begin(1);
    fine__params_init(&other, ctx);
    ck_assert_int_eq(fine__params_add(&other, &like, 2, shape, "layer.4.weight"), 0);
    ck_assert_int_eq(fine__params_add(&other, &like, 2, shape, "layer.5.weight"), 1);
    ck_assert_int_eq(fine__params_allocate(&other), 0);
    fine__param_draw(&other.list[0], 1);
    fine__param_draw(&other.list[1], 1);
    ck_assert_mem_eq(other.list[0].tensor.data, params.list[MATRIX].tensor.data, 7 * 13 * 4);
    ck_assert_mem_ne(other.list[1].tensor.data, params.list[MATRIX].tensor.data, 7 * 13 * 4);
    fine__param_draw(&other.list[0], 2);
    ck_assert_mem_ne(other.list[0].tensor.data, params.list[MATRIX].tensor.data, 7 * 13 * 4);
    for (int i = 0; i < 13; i++)
        ck_assert_float_eq(params.list[BIAS].tensor.data[i], 1);
    for (int i = 0; i < 48; i++)
        ck_assert_float_eq(params.list[WORDS].tensor.data[3 * 48 + i], 0);
    for (int i = 0; i < 48000; i++) {
        sum += (double)params.list[WORDS].tensor.data[i];
        squares += pow((double)params.list[WORDS].tensor.data[i], 2);
    }
    ck_assert_double_lt(fabs(sum / 48000), 0.0005);
    ck_assert_double_lt(fabs(sqrt(squares / 48000) - 0.02), 0.0005);
    fine__params_free(&other);
    end();
}
END_TEST

START_TEST(refuses_shapes)
{
    const int64_t huge[2] = { INT64_MAX / 2, 3 }, none[2] = { 3, 0 }, fine[1] = { 3 };

    begin(1);
    ck_assert_int_eq(fine__params_add(&params, NULL, 2, huge, "huge"), -1);
    ck_assert(params.failed);
    ck_assert_int_eq(fine__params_add(&params, NULL, 1, fine, "after"), -1);
    ck_assert_int_lt(fine__params_allocate(&params), 0);
    fine__params_truncate(&params, 4);
    ck_assert_int_eq(fine__params_add(&params, NULL, 2, none, "none"), -1);
    fine__params_truncate(&params, 4);
    ck_assert_int_eq(fine__params_add(&params, NULL, 1, fine, "after"), 4);
    end();
}
END_TEST

START_TEST(replaces_a_head)
{
    const int64_t shape[2] = { 5, 5 };
    long long used;

    begin(1);
    used = fine_context_used_bytes(ctx);
    const float *words = params.list[WORDS].tensor.data;

    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(fine__params_add(&params, NULL, 2, shape, "head"), 4);
        ck_assert_int_eq(fine__params_allocate(&params), 0);
        ck_assert_int_eq(fine__params_make_gradients(&params), 0);
        ck_assert_ptr_nonnull(params.list[4].tensor.grad);
        fine__params_truncate(&params, 4);
        ck_assert_ptr_null(params.gradients);
        ck_assert_ptr_null(params.list[WORDS].tensor.grad);
        ck_assert_ptr_eq(params.list[WORDS].tensor.data, words);
    }
    /* Only the list itself may have grown. */
    ck_assert_int_le(fine_context_used_bytes(ctx) - used,
                     12 * (long long)sizeof(struct fine__param));
    end();
}
END_TEST

START_TEST(makes_gradients_for_what_is_trained)
{
    begin(2);
    params.list[LARGE].tensor.wants_grad = false;
    ck_assert_int_eq(fine__params_make_gradients(&params), 0);
    ck_assert_int_eq(params.n_trained, 48000 + 7 * 13 + 13);
    ck_assert_ptr_null(params.list[LARGE].tensor.grad);
    ck_assert_ptr_nonnull(params.list[WORDS].tensor.rows);
    ck_assert_ptr_null(params.list[MATRIX].tensor.rows);
    const uint64_t signature = params.signature;
    const float *block = params.gradients;

    fill();
    ck_assert_int_eq(fine__params_make_gradients(&params), 0); /* zeroed, not made anew */
    ck_assert_ptr_eq(params.gradients, block);
    ck_assert_double_eq(fine__params_gradient_norm(&params), 0);
    params.list[LARGE].tensor.wants_grad = true;
    params.list[WORDS].tensor.wants_grad = false;
    ck_assert_int_eq(fine__params_make_gradients(&params), 0);
    ck_assert_uint_ne(params.signature, signature);
    ck_assert_ptr_null(params.list[WORDS].tensor.rows);
    ck_assert_int_eq(params.n_trained, 300 * 301 + 7 * 13 + 13);
    for (int i = 0; i < 4; i++)
        params.list[i].tensor.wants_grad = false;
    ck_assert_int_eq(fine__params_make_gradients(&params), 0);
    ck_assert_ptr_null(params.gradients);
    ck_assert_double_eq(fine__params_gradient_norm(&params), 0);
    end();
}
END_TEST

START_TEST(norm_has_the_same_bits)
{
    double expected = 0, first = 0;

    for (int n_threads = 1; n_threads <= 5; n_threads += 2) {
        begin(n_threads);
        ck_assert_int_eq(fine__params_make_gradients(&params), 0);
        fill();
        const double norm = fine__params_gradient_norm(&params);

        if (n_threads == 1) {
            first = norm;
            for (int64_t p = 0; p < 4; p++)
                for (int64_t i = 0; i < params.list[p].tensor.count; i++)
                    if (p != WORDS || i / 48 % 3 == 0)
                        expected += pow((double)params.list[p].tensor.grad[i], 2);
            ck_assert_double_eq_tol(norm, sqrt(expected), 1e-9);
        }
        ck_assert_mem_eq(&norm, &first, sizeof norm);
        fine__params_scale_gradients(&params, 0.5);
        ck_assert_double_eq_tol(fine__params_gradient_norm(&params), first / 2, 1e-9);
        end();
    }
}
END_TEST

START_TEST(names_what_is_not_finite)
{
    begin(2);
    ck_assert_int_eq(fine__params_make_gradients(&params), 0);
    fill();
    ck_assert_ptr_null(fine__params_not_finite(&params)); /* stale rows don't count */
    for (int64_t p = 0; p < 4; p++) {
        static const float bad[] = { NAN, INFINITY, -INFINITY };
        float *place = &params.list[p].tensor.grad[params.list[p].tensor.count - 48];
        const float before = *place;

        if (p == MATRIX || p == BIAS)
            place = params.list[p].tensor.grad;
        const float kept = p == MATRIX || p == BIAS ? *place : before;

        if (p == WORDS)
            params.list[p].tensor.rows->used[999] = 1;
        for (int i = 0; i < 3; i++) {
            *place = bad[i];
            for (int j = 1; p == WORDS && j < 48; j++)
                place[j] = 0;
            ck_assert(!isfinite(fine__params_gradient_norm(&params)));
            ck_assert_str_eq(fine__params_not_finite(&params), params.list[p].name);
        }
        *place = p == WORDS ? 0 : kept;
    }
    end();
}
END_TEST

START_TEST(fills_what_was_left_out)
{
    begin(1);
    ck_assert_int_eq(fine__params_make_gradients(&params), 0);
    fill();
    fine__param_fill_gradient(&params.list[WORDS]);
    fine__param_fill_gradient(&params.list[BIAS]);
    for (int i = 0; i < 48000; i++)
        ck_assert_float_eq(params.list[WORDS].tensor.grad[i],
                           i / 48 % 3 == 0 ? (float)sin((double)i) : 0);
    end();
}
END_TEST

START_TEST(survives_no_memory)
{
    struct faulty faulty;
    const int64_t shape[2] = { 9, 9 };
    const struct fine__param like = { .is_embedding = true, .padding_row = -1 };
    bool done = false;

    for (long long n = 1; !done; n++) {
        ctx = new_faulty_context(&faulty, 1);
        faulty.fail_at = n;
        fine__params_init(&params, ctx);
        (void)fine__params_add(&params, &like, 2, shape, "a");
        (void)fine__params_add(&params, NULL, 2, shape, "b");
        done = fine__params_allocate(&params) == 0;
        if (done)
            done = fine__params_make_gradients(&params) == 0;
        if (!done)
            ck_assert_ptr_null(params.gradients);
        fine__params_free(&params);
        free_context(ctx);
    }
}
END_TEST

RUNNER("param", declares, draws_by_name, refuses_shapes, replaces_a_head,
       makes_gradients_for_what_is_trained, norm_has_the_same_bits, names_what_is_not_finite,
       fills_what_was_left_out, survives_no_memory)
