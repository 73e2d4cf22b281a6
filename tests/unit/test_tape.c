/*
 * test_tape.c — what is recorded and what isn't, scopes, memory of a step, and failure; on a
 * small stack of layers made of the real ops.
 */
#include "leaves.h"

#include <math.h>

#include "ops/ops.h"

enum { WORDS = 20, WIDTH = 24, INNER = 40, LAYERS = 4, TOKENS = 110, SEQS = 3, CLASSES = 3 };
enum { PER_LAYER = 6, HEAD = 3 + LAYERS * PER_LAYER, N_LEAVES = HEAD + 2 };

struct stack {
    struct fine__tape tape;
    struct fine__tensor *leaf[N_LEAVES];
    bool scopes;
    double p;
    int64_t nodes_before_head;
    size_t in_use_before_head, high_water_before_head;
    int32_t ids[TOKENS];
};

static const int64_t offsets[SEQS + 1] = { 0, 50, 51, TOKENS };
static const int32_t labels[SEQS] = { 2, 0, 1 };

/* Layers below `frozen` aren't trained; 0: all are; -1: not even the head is frozen. */
static void
begin(struct stack *s, fine_context *ctx, int frozen)
{
    memset(s, 0, sizeof *s);
    fine__tape_init(&s->tape, ctx);
    s->scopes = true;
    for (int i = 0; i < TOKENS; i++)
        s->ids[i] = (i * 7 + i / 9) % WORDS;
    s->leaf[0] = draw(new_leaf(frozen < 0, WORDS, WIDTH), 0, 0, 1);
    s->leaf[1] = draw(new_vector(frozen < 0, WIDTH), 1, 1, 0.1);
    s->leaf[2] = draw(new_vector(frozen < 0, WIDTH), 2, 0, 0.1);
    for (int i = 0; i < LAYERS; i++) {
        struct fine__tensor **leaf = s->leaf + 3 + i * PER_LAYER;
        const bool wants = i >= frozen;

        leaf[0] = draw(new_leaf(wants, INNER, WIDTH), 10 * i + 3, 0, 0.2);
        leaf[1] = draw(new_vector(wants, INNER), 10 * i + 4, 0, 0.1);
        leaf[2] = draw(new_leaf(wants, WIDTH, INNER), 10 * i + 5, 0, 0.2);
        leaf[3] = draw(new_vector(wants, WIDTH), 10 * i + 6, 0, 0.1);
        leaf[4] = draw(new_vector(wants, WIDTH), 10 * i + 7, 1, 0.1);
        leaf[5] = draw(new_vector(wants, WIDTH), 10 * i + 8, 0, 0.1);
    }
    s->leaf[HEAD] = draw(new_leaf(true, CLASSES, WIDTH), 99, 0, 0.3);
    s->leaf[HEAD + 1] = draw(new_vector(true, CLASSES), 98, 0, 0.1);
}

static void
end(struct stack *s)
{
    fine__tape_free(&s->tape);
    for (int i = 0; i < N_LEAVES; i++)
        free_leaf(s->leaf[i]);
}

static struct fine__tensor *
forward(struct stack *s)
{
    struct fine__tape *t = &s->tape;
    const int32_t *index[1] = { s->ids };
    struct fine__scope scope = fine__scope(t);
    struct fine__tensor *x = fine__embedding(t, 1, &s->leaf[0], index, TOKENS,
                                             &(const int64_t){ -1 }), *h;

    x = fine__layernorm(t, x, NULL, s->leaf[1], s->leaf[2], 1e-5, 0);
    x = s->scopes ? fine__scope_end(t, scope, x) : x;
    for (int i = 0; i < LAYERS; i++) {
        struct fine__tensor **leaf = s->leaf + 3 + i * PER_LAYER;

        h = fine__linear(t, x, FINE__IDENTITY, leaf[0], leaf[1]);
        h = fine__linear(t, h, FINE__GELU, leaf[2], leaf[3]);
        x = fine__layernorm(t, h, x, leaf[4], leaf[5], 1e-5, leaf[4]->wants_grad ? s->p : 0);
        x = s->scopes ? fine__scope_end(t, scope, x) : x;
    }
    s->nodes_before_head = t->n_nodes;
    s->in_use_before_head = t->arena.in_use;
    s->high_water_before_head = t->arena.high_water;
    x = fine__pool_mean(t, x, SEQS, offsets);
    x = fine__linear(t, x, FINE__IDENTITY, s->leaf[HEAD], s->leaf[HEAD + 1]);
    return fine__cross_entropy(t, x, labels);
}

static double
step(struct stack *s, bool recording)
{
    fine__tape_reset(&s->tape, recording, 7);
    struct fine__tensor *loss = forward(s);
    const double value = fine__tape_status(&s->tape) == 0 ? (double)loss->data[0] : NAN;

    fine__backward(&s->tape, loss, 1);
    return value;
}

static size_t
rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* What a tensor that an op made takes. */
static size_t
cost(int64_t count)
{
    return rounded(sizeof(struct fine__tensor)) + rounded((size_t)count * sizeof(fine__real));
}

START_TEST(a_frozen_prefix_leaves_nothing_behind)
{
    fine_context *ctx = new_context(1);
    size_t in_use = 0;

    for (int frozen = LAYERS; frozen >= -1; frozen--) {
        struct stack s;
        const int64_t trained = frozen < 0 ? LAYERS : LAYERS - frozen;

        begin(&s, ctx, frozen);
        (void)step(&s, true);
        ck_assert_int_eq(s.nodes_before_head, 3 * trained + (frozen < 0 ? 2 : 0));
        ck_assert_int_eq(s.tape.n_nodes, s.nodes_before_head + (trained > 0 ? 3 : 2));
        for (int i = 0; i < 3 + LAYERS * PER_LAYER; i++)
            ck_assert((s.leaf[i]->grad != NULL) == s.leaf[i]->wants_grad);
        if (frozen == LAYERS) /* one tensor, whatever was below it */
            ck_assert_int_eq((int)s.in_use_before_head, (int)cost(TOKENS * WIDTH));
        ck_assert_int_gt((int)s.in_use_before_head, (int)in_use);
        in_use = s.in_use_before_head;
        end(&s);
    }
    free_context(ctx);
}
END_TEST

/* Memory doesn't grow with the number of frozen layers: it is that of one. */
START_TEST(frozen_layers_run_in_the_memory_of_one)
{
    fine_context *ctx = new_context(1);
    struct stack s;

    begin(&s, ctx, LAYERS);
    (void)step(&s, true);
    const size_t one = cost(TOKENS * WIDTH) * 3 + cost(TOKENS * INNER) +
                       rounded(TOKENS * INNER * sizeof(fine__real));

    ck_assert_int_le((int)s.high_water_before_head, (int)one);
    end(&s);
    free_context(ctx);
}
END_TEST

START_TEST(prediction_records_nothing)
{
    fine_context *ctx = new_context(1);
    struct stack s;

    begin(&s, ctx, -1);
    const double trained = step(&s, true);

    ck_assert_int_gt(s.tape.n_nodes, 0);
    for (int i = 0; i < N_LEAVES; i++)
        memset(s.leaf[i]->grad, 0, (size_t)s.leaf[i]->count * sizeof(fine__real));
    const double predicted = step(&s, false);

    ck_assert(trained == predicted);
    ck_assert_int_eq(s.tape.n_nodes, 0);
    ck_assert_ptr_null(s.tape.last);
    for (int i = 0; i < N_LEAVES; i++)
        for (int64_t j = 0; j < s.leaf[i]->count; j++)
            if (s.leaf[i]->grad[j] != 0)
                ck_abort_msg("leaf %d got a gradient", i);
    end(&s);
    free_context(ctx);
}
END_TEST

/* Gradients don't depend on scopes, on what else is frozen, or on memory from an earlier step. */
START_TEST(gradients_of_the_rest_are_the_same)
{
    fine_context *ctx = new_context(2);
    struct stack all;

    begin(&all, ctx, -1);
    all.scopes = false;
    const double loss = step(&all, true);

    for (int frozen = 0; frozen <= LAYERS; frozen++) {
        struct stack s;

        begin(&s, ctx, frozen);
        for (int again = 0; again < 3; again++) {
            for (int i = 0; i < N_LEAVES; i++)
                if (s.leaf[i]->grad != NULL)
                    memset(s.leaf[i]->grad, 0, (size_t)s.leaf[i]->count * sizeof(fine__real));
            ck_assert(step(&s, true) == loss);
            for (int i = 0; i < N_LEAVES; i++)
                if (s.leaf[i]->grad != NULL)
                    ck_assert_int_eq(memcmp(s.leaf[i]->grad, all.leaf[i]->grad,
                                            (size_t)s.leaf[i]->count * sizeof(fine__real)),
                                     0);
        }
        end(&s);
    }
    end(&all);
    free_context(ctx);
}
END_TEST

/* Nothing is read that wasn't written: with memory full of NaN all comes out the same. */
START_TEST(memory_may_hold_anything)
{
    struct faulty faulty;
    fine_context *clean = new_context(2), *dirty = new_faulty_context(&faulty, 2);
    struct stack a, b;

    begin(&a, clean, -1);
    begin(&b, dirty, -1);
    a.p = b.p = 0.2;
    ck_assert(step(&a, true) == step(&b, true));
    for (int i = 0; i < N_LEAVES; i++)
        ck_assert_int_eq(
            memcmp(a.leaf[i]->grad, b.leaf[i]->grad, (size_t)a.leaf[i]->count * sizeof(fine__real)),
            0);
    end(&a);
    end(&b);
    free_context(clean);
    free_context(dirty);
}
END_TEST

START_TEST(scopes)
{
    fine_context *ctx = new_context(1);
    struct fine__tape t;
    struct fine__tensor *x = draw(new_leaf(false, 7, 30), 1, 0, 1);
    struct fine__tensor *w = draw(new_leaf(false, 30, 30), 2, 0, 1), *h, *kept, *again;

    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 0);
    struct fine__scope scope = fine__scope(&t);

    h = fine__linear(&t, x, FINE__IDENTITY, w, NULL);
    h = fine__linear(&t, h, FINE__TANH, w, NULL);
    h = fine__linear(&t, h, FINE__RELU, w, NULL);
    const struct fine__tensor old = *h;
    float *copy = malloc((size_t)old.count * sizeof *copy);

    memcpy(copy, old.data, (size_t)old.count * sizeof *copy);
    kept = fine__scope_end(&t, scope, h);
    ck_assert_int_eq((int)t.arena.in_use, (int)cost(7 * 30));
    ck_assert_int_eq(kept->count, old.count);
    ck_assert_int_eq(kept->shape[1], 30);
    ck_assert(!kept->wants_grad && kept->grad == NULL);
    ck_assert_int_eq(memcmp(kept->data, copy, (size_t)old.count * sizeof *copy), 0);
    /* a scope within a scope, and one in which nothing happened */
    scope = fine__scope(&t);
    struct fine__scope inner = fine__scope(&t);

    again = fine__scope_end(&t, inner, fine__activate(&t, kept, FINE__TANH));
    again = fine__scope_end(&t, scope, again);
    ck_assert_int_eq((int)t.arena.in_use, 2 * (int)cost(7 * 30));
    ck_assert(again->data[0] == (float)again->data[0] && fabsf(again->data[0]) <= 1);
    ck_assert_int_eq(memcmp(kept->data, copy, (size_t)old.count * sizeof *copy), 0);
    /* recorded: everything stays where it is */
    w->wants_grad = true;
    w->grad = calloc((size_t)w->count, sizeof *w->grad);
    scope = fine__scope(&t);
    h = fine__linear(&t, again, FINE__IDENTITY, w, NULL);
    ck_assert_ptr_eq(fine__scope_end(&t, scope, h), h);
    free(copy);
    fine__tape_free(&t);
    free_leaf(x);
    free_leaf(w);
    free_context(ctx);
}
END_TEST

START_TEST(steady_state_calls_no_allocator)
{
    for (int n_threads = 1; n_threads <= 5; n_threads += 2) {
        fine_context *ctx = new_context(n_threads);
        struct stack s;
        int64_t calls = 0;

        begin(&s, ctx, 1);
        s.p = 0.1;
        for (int i = 1; i <= 6; i++) {
            (void)step(&s, true);
            if (i == 2)
                calls = fine_context_allocations(ctx);
        }
        ck_assert_int_eq(fine_context_allocations(ctx), calls);
        end(&s);
        free_context(ctx);
    }
}
END_TEST

/* The tensor's gradient is the sum over all that read it. */
START_TEST(a_tensor_that_is_read_twice)
{
    fine_context *ctx = new_context(1);
    struct fine__tape t;
    struct fine__tensor *x = draw(new_leaf(true, 4, 1), 1, 0, 1);
    struct fine__tensor *gain = new_vector(true, 1), *bias = new_vector(false, 1);
    const float targets[4] = { 0, 0, NAN, 0 };

    gain->data[0] = 1;
    fine__tape_init(&t, ctx);
    for (int round = 1; round <= 2; round++) {
        fine__tape_reset(&t, true, 0);
        struct fine__tensor *h = fine__activate(&t, x, FINE__IDENTITY);
        struct fine__tensor *doubled = fine__linear(&t, h, FINE__IDENTITY, gain, bias);
        struct fine__tensor *loss;

        /* h + h·1 through a residual would normalise: so twice through the same product */
        loss =
            fine__square_error(&t, fine__linear(&t, doubled, FINE__IDENTITY, gain, bias), targets);
        fine__backward(&t, loss, 0.5);
        for (int i = 0; i < 4; i++) /* gradients of leaves add up over rounds */
            ck_assert(fabsf(x->grad[i] - (i == 2 ? 0 : (float)round * x->data[i])) <= 1e-6f);
        /* d/dg of (g² x)² / 2 = 2 g³ x² */
        float expected = 0;

        for (int i = 0; i < 4; i++)
            expected += i == 2 ? 0 : 2 * x->data[i] * x->data[i];
        ck_assert(fabsf(gain->grad[0] - (float)round * expected) <= 1e-5f * expected);
    }
    fine__tape_free(&t);
    free_leaf(x);
    free_leaf(gain);
    free_leaf(bias);
    free_context(ctx);
}
END_TEST

/* ---- failure ---- */

static void
check_sticky(struct stack *s, struct fine__tensor *loss)
{
    struct fine__tape *t = &s->tape;
    const int64_t nodes = t->n_nodes;
    const size_t in_use = t->arena.in_use;
    struct fine__tensor *x = loss;
    double beta;

    ck_assert_int_eq(fine__tape_status(t), FINE_ENOMEM);
    ck_assert_ptr_eq(loss, &t->inert);
    x = fine__linear(t, x, FINE__GELU, s->leaf[HEAD], s->leaf[HEAD + 1]);
    x = fine__layernorm(t, x, x, s->leaf[1], s->leaf[2], 1e-5, 0.1);
    x = fine__pick(t, fine__dropout(t, x, 0.5), SEQS, offsets);
    ck_assert_ptr_eq(x, &t->inert);
    ck_assert_ptr_eq(fine__scope_end(t, fine__scope(t), x), &t->inert);
    ck_assert_ptr_null(fine__grad(t, s->leaf[HEAD], &beta));
    fine__tape_fail(t, FINE_ENUMERIC);
    ck_assert_int_eq(fine__tape_status(t), FINE_ENOMEM); /* the first counts */
    fine__backward(t, x, 1);
    ck_assert_int_eq(t->n_nodes, nodes);
    ck_assert_int_eq((int)t->arena.in_use, (int)in_use);
}

/* Steps with the n-th allocation failing, for every n until none does. */
static void
fail_at_each(bool for_ever, int frozen)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    struct stack s;
    int n_failed = 0;

    begin(&s, ctx, frozen);
    const double expected = step(&s, true);

    end(&s);
    for (int n = 1;; n++) {
        begin(&s, ctx, frozen);
        faulty.calls = 0;
        faulty.fail_at = n;
        faulty.for_ever = for_ever;
        for (int i = 0; i < 3; i++) {
            fine__tape_reset(&s.tape, true, 7);
            struct fine__tensor *loss = forward(&s);

            if (fine__tape_status(&s.tape) == 0) {
                ck_assert((double)loss->data[0] == expected);
                fine__backward(&s.tape, loss, 1);
            }
            if (fine__tape_status(&s.tape) < 0) {
                n_failed++;
                ck_assert_str_ne(fine_error_message(), "");
                if (loss == &s.tape.inert)
                    check_sticky(&s, loss);
            }
        }
        const bool done = faulty.calls < n;

        faulty.fail_at = 0;
        ck_assert(step(&s, true) == expected); /* and all is well again */
        ck_assert_int_eq(fine__tape_status(&s.tape), 0);
        end(&s);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (done)
            break;
    }
    ck_assert_int_gt(n_failed, for_ever ? 0 : -1); /* one failure alone may be got around */
    free_context(ctx);
}

START_TEST(failure_is_sticky)
{
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (int frozen = -1; frozen <= LAYERS; frozen += LAYERS + 1)
            fail_at_each(for_ever != 0, frozen);
}
END_TEST

/* The limit on memory is met in the same way at any place of the step. */
START_TEST(the_limit_is_sticky_too)
{
    struct fine_context_options options;

    for (int64_t limit = 1000; limit < 800000; limit = limit * 5 / 4) {
        fine_context *ctx;
        struct stack s;

        fine_context_options_init(&options, sizeof options);
        options.n_threads = 1;
        options.memory_limit = limit;
        ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
        begin(&s, ctx, -1);
        for (int i = 0; i < 3; i++) {
            const bool finished = !isnan(step(&s, true));

            ck_assert(finished || fine__tape_status(&s.tape) == FINE_ENOMEM);
            ck_assert_int_le(fine_context_peak_bytes(ctx), limit);
        }
        end(&s);
        free_context(ctx);
    }
}
END_TEST

RUNNER("tape", a_frozen_prefix_leaves_nothing_behind, frozen_layers_run_in_the_memory_of_one,
       prediction_records_nothing, gradients_of_the_rest_are_the_same, memory_may_hold_anything,
       scopes, steady_state_calls_no_allocator, a_tensor_that_is_read_twice, failure_is_sticky,
       the_limit_is_sticky_too)
