/*
 * test_ops.c — the float ops: held to PyTorch's float64 results in ../shared/golden where that
 * folder is there; what is absurd; and the same bits, forward and backward, at any number of
 * threads. (Attention: test_attention.c. Gradients as such are checked in double: tests/grad.)
 */
#include "golden_set.h"

#include "ops/ops.h"

static void
golden_linear(struct golden *g, struct fine__tape *t)
{
    g->name = "linear";
    struct fine__tensor *x = leaf(g, "x", 5, 12), *w = leaf(g, "weight", 7, 12);
    struct fine__tensor *b = leaf(g, "bias", 7, 1);
    struct fine__tensor *y = fine__linear(t, x, FINE__IDENTITY, w, b);

    check(g, "f64.output", y->data, y->count);
    backward(t, y, find(g, "cotangent", FINE_F32, y->count));
    check_gradient(g, "x", x);
    check_gradient(g, "weight", w);
    check_gradient(g, "bias", b);
}

static void
golden_across(struct golden *g, struct fine__tape *t)
{
    g->name = "conv1d-gpt2";
    struct fine__tensor *x = leaf(g, "x", 5, 12), *w = leaf(g, "weight", 12, 7);
    struct fine__tensor *b = leaf(g, "bias", 7, 1);
    struct fine__tensor *y = fine__linear_across(t, x, FINE__IDENTITY, w, b);

    check(g, "f64.output", y->data, y->count);
    backward(t, y, find(g, "cotangent", FINE_F32, y->count));
    check_gradient(g, "x", x);
    check_gradient(g, "weight", w);
    check_gradient(g, "bias", b);
}

/* No op of its own: its numbers are minus the cross entropies of each row and label, one at a
 * time, and its gradient is theirs. */
static void
golden_log_softmax(struct golden *g, struct fine__tape *t)
{
    enum { ROWS = 5, COLUMNS = 12 };
    float got[ROWS * COLUMNS];

    g->name = "log-softmax";
    struct fine__tensor *x = leaf(g, "x", ROWS, COLUMNS), *loss[ROWS * COLUMNS];
    const float *cotangent = find(g, "cotangent", FINE_F32, x->count);
    int32_t labels[ROWS * COLUMNS][ROWS];

    for (int i = 0; i < ROWS * COLUMNS; i++) {
        for (int row = 0; row < ROWS; row++)
            labels[i][row] = row == i / COLUMNS ? i % COLUMNS : -1;
        loss[i] = fine__cross_entropy(t, x, labels[i]);
        got[i] = -loss[i]->data[0];
    }
    check(g, "f64.output", got, x->count);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        double beta;

        *fine__grad(t, loss[i], &beta) = -cotangent[i];
    }
    fine__backward(t, loss[0], 0);
    check_gradient(g, "x", x);
}

static void
golden_embedding(struct golden *g, struct fine__tape *t, const char *name, int64_t padding_row)
{
    int32_t ids[12];

    g->name = name;
    const int64_t *wide = find(g, "ids", FINE_I64, 12);
    const int32_t *index[1] = { ids };
    struct fine__tensor *w = leaf(g, "weight", 5, 12);

    for (int i = 0; i < 12; i++)
        ids[i] = (int32_t)wide[i];
    struct fine__tensor *y = fine__embedding(t, 1, &w, index, 12, &padding_row);

    check(g, "f64.output", y->data, y->count);
    backward(t, y, find(g, "cotangent", FINE_F32, y->count));
    check_gradient(g, "weight", w);
}

static void
golden_activation(struct golden *g, struct fine__tape *t, const char *name, enum fine__activation f)
{
    g->name = name;
    struct fine__tensor *x = leaf(g, "x", 1, 97), *y = fine__activate(t, x, f);

    check(g, "f64.output", y->data, y->count);
    backward(t, y, find(g, "cotangent", FINE_F32, y->count));
    /* and fused into the layer that follows, here the identity */
    struct fine__tensor *one = new_leaf(false, 97, 97);

    for (int i = 0; i < 97; i++)
        one->data[98 * i] = 1;
    struct fine__tensor *again = leaf(g, "x", 1, 97);
    struct fine__tensor *z = fine__linear(t, again, f, one, NULL);

    check(g, "f64.output", z->data, z->count);
    backward(t, z, find(g, "cotangent", FINE_F32, z->count));
    check_gradient(g, "x", x);
    check_gradient(g, "x", again);
    free_leaf(one);
}

static void
golden_layernorm(struct golden *g, struct fine__tape *t, const char *name, double eps)
{
    g->name = name;
    struct fine__tensor *x = leaf(g, "x", 5, 12), *w = leaf(g, "weight", 12, 1);
    struct fine__tensor *b = leaf(g, "bias", 12, 1);
    struct fine__tensor *y = fine__layernorm(t, x, NULL, w, b, eps, 0);

    check(g, "f64.output", y->data, y->count);
    backward(t, y, find(g, "cotangent", FINE_F32, y->count));
    check_gradient(g, "x", x);
    check_gradient(g, "weight", w);
    check_gradient(g, "bias", b);
}

START_TEST(golden_ops)
{
    static const struct {
        const char *name;
        enum fine__activation f;
    } activations[] = { { "gelu-erf", FINE__GELU },   { "gelu-tanh", FINE__GELU_TANH },
                        { "silu", FINE__SILU },       { "tanh", FINE__TANH },
                        { "sigmoid", FINE__SIGMOID }, { "relu", FINE__RELU } };
    struct golden g;
    struct fine__tape t;

    if (!open_golden(&g, GOLDEN "ops/ops.safetensors", 3e-6))
        return;
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    golden_linear(&g, &t);
    golden_across(&g, &t);
    golden_log_softmax(&g, &t);
    golden_embedding(&g, &t, "embedding", -1);
    golden_embedding(&g, &t, "embedding-pad-1", 1);
    for (int i = 0; i < FINE__COUNT(activations); i++)
        golden_activation(&g, &t, activations[i].name, activations[i].f);
    golden_layernorm(&g, &t, "layer-norm-1e-12", 1e-12);
    golden_layernorm(&g, &t, "layer-norm-1e-05", 1e-5);
    fine__tape_free(&t);
    close_golden(&g);
}
END_TEST

/* ---- losses ---- */

static void
golden_loss(struct golden *g, struct fine__tape *t, struct fine__tensor *x,
            struct fine__tensor *loss, double divisor)
{
    const float value = (float)((double)loss->data[0] / divisor);

    check(g, "f64.loss", &value, 1);
    fine__backward(t, loss, 1 / divisor);
    check(g, "f64.grad", x->grad, x->count);
    free_leaf(x);
}

struct loss_case {
    const char *name;
    double smoothing;
    bool weighted, mean;
};

static void
golden_cross_entropy(struct golden *g, struct fine__tape *t, const struct loss_case *c)
{
    struct fine__criterion how = { .smoothing = c->smoothing };
    int32_t labels[6];
    double n = 0;

    g->name = c->name;
    const int64_t *targets = find(g, "target", FINE_I64, 6);
    struct fine__tensor *x = leaf(g, "input", 6, 5);

    if (c->weighted)
        how.weights = find(g, "weight", FINE_F32, 5);
    for (int i = 0; i < 6; i++) {
        labels[i] = targets[i] == -100 ? -1 : (int32_t)targets[i];
        n += labels[i] < 0 ? 0 : c->weighted ? (double)how.weights[labels[i]] : 1;
    }
    golden_loss(g, t, x, fine__weighted_cross_entropy(t, x, labels, &how), c->mean ? n : 1);
}

/* Sums over rows of means over five columns. */
static void
golden_binary(struct golden *g, struct fine__tape *t, const char *name, const char *weights,
              const char *positive, double divisor)
{
    g->name = name;
    struct fine__tensor *x = leaf(g, "input", 6, 5);
    const struct fine__criterion how = {
        .weights = weights != NULL ? find(g, weights, FINE_F32, 5) : NULL,
        .positive_weights = positive != NULL ? find(g, positive, FINE_F32, 5) : NULL
    };

    golden_loss(g, t, x,
                fine__weighted_binary_cross_entropy(t, x, find(g, "target", FINE_F32, 30),
                                                    weights || positive ? &how : NULL),
                divisor);
}

typedef struct fine__tensor *error_fn(struct fine__tape *, struct fine__tensor *, const float *);

static struct fine__tensor *
huber_of_one(struct fine__tape *t, struct fine__tensor *x, const float *values)
{
    return fine__huber(t, x, values, 1);
}

static struct fine__tensor *
distill_at_two(struct fine__tape *t, struct fine__tensor *x, const float *values)
{
    return fine__distill(t, x, values, 2);
}

static void
golden_error(struct golden *g, struct fine__tape *t, const char *name, error_fn *error, int rows,
             int columns, double divisor)
{
    g->name = name;
    struct fine__tensor *x = leaf(g, "input", rows, columns);

    golden_loss(g, t, x, error(t, x, find(g, "target", FINE_F32, rows * columns)), divisor);
}

START_TEST(golden_losses)
{
    static const struct loss_case cross_entropies[] = {
        { "ce", 0, false, true },
        { "ce-sum", 0, false, false },
        { "ce-huge-logits", 0, false, true },
        { "ce-ignore", 0, false, true },
        { "ce-smooth", 0.1, false, true },
        { "ce-smooth-ignore", 0.1, false, true },
        { "ce-weight", 0, true, true },
        { "ce-weight-ignore", 0, true, true },
        { "ce-weight-smooth", 0.1, true, true },
        { "ce-weight-smooth-ignore", 0.1, true, true },
    };
    struct golden g;
    struct fine__tape t;

    if (!open_golden(&g, GOLDEN "losses/losses.safetensors", 1e-6))
        return;
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    for (int i = 0; i < FINE__COUNT(cross_entropies); i++)
        golden_cross_entropy(&g, &t, &cross_entropies[i]);
    golden_binary(&g, &t, "bce", NULL, NULL, 6);
    golden_binary(&g, &t, "bce-sum", NULL, NULL, 0.2);
    golden_binary(&g, &t, "bce-huge-logits", NULL, NULL, 6);
    golden_binary(&g, &t, "bce-weight", "weight", NULL, 6);
    golden_binary(&g, &t, "bce-pos-weight", NULL, "pos_weight", 6);
    golden_error(&g, &t, "mse", fine__square_error, 6, 1, 6);
    golden_error(&g, &t, "mse-sum", fine__square_error, 6, 1, 1);
    golden_error(&g, &t, "mse-matrix", fine__square_error, 6, 5, 30);
    golden_error(&g, &t, "l1", fine__absolute_error, 6, 1, 6);
    golden_error(&g, &t, "huber", huber_of_one, 6, 1, 6);
    golden_error(&g, &t, "ce-soft-targets", fine__soft_cross_entropy, 6, 5, 6);
    golden_error(&g, &t, "distill-t2", distill_at_two, 6, 5, 6);
    fine__tape_free(&t);
    close_golden(&g);
}
END_TEST

/* ---- what is absurd ---- */

START_TEST(activations_of_anything)
{
    static const float x[] = { 0.0f,  -0.0f, 1e-45f, -1e-40f, 1e-20f, -1e-20f, 6.0f,
                               -6.0f, 90.0f, -90.0f, 1e10f,   -1e10f, 1e38f,   -1e38f };
    float y[FINE__COUNT(x)], dy[FINE__COUNT(x)], dx[FINE__COUNT(x)];
    struct fine__tape t;
    struct fine__tensor *in = new_leaf(true, 1, FINE__COUNT(x)), *out;

    ctx = new_context(1);
    fine__tape_init(&t, ctx);
    for (int i = 0; i < FINE__COUNT(x); i++)
        dy[i] = 1;
    for (enum fine__activation f = FINE__GELU; f <= FINE__RELU6; f++) {
        memcpy(in->data, x, sizeof x);
        memset(in->grad, 0, sizeof x);
        fine__tape_reset(&t, true, 1);
        out = fine__activate(&t, in, f);
        memcpy(y, out->data, sizeof y);
        backward(&t, out, dy);
        memcpy(dx, in->grad, sizeof dx);
        for (int i = 0; i < FINE__COUNT(x); i++) {
            const double v = (double)x[i];
            const bool positive = v > 0, huge = fabs(v) > 80, bounded = f >= FINE__TANH;
            const double flat = f == FINE__TANH && !positive ? -1 : 0;
            const double top = f == FINE__RELU6 ? 6 : 1;
            const double far = bounded ? (positive ? top : flat) : positive ? v : 0;

            if (huge && (double)y[i] != far)
                ck_abort_msg("function %d of %g: %g", (int)f, v, (double)y[i]);
            if (!huge && !isfinite(y[i]))
                ck_abort_msg("function %d of %g: %g", (int)f, v, (double)y[i]);
            if (!isfinite(dx[i]) && !(f == FINE__GELU_TANH && fabs(v) > 1e18))
                ck_abort_msg("slope of function %d at %g: %g", (int)f, v, (double)dx[i]);
        }
        in->data[0] = NAN;
        fine__tape_reset(&t, true, 1);
        out = fine__activate(&t, in, f);
        ck_assert_msg(isnan(out->data[0]) && !isnan(out->data[1]), "function %d of NaN", (int)f);
    }
    fine__tape_free(&t);
    free_leaf(in);
    free_context(ctx);
}
END_TEST

START_TEST(layernorm_of_anything)
{
    enum { ROWS = 5, WIDTH = 37 };
    struct fine__tape t;
    struct fine__tensor *x = new_leaf(true, ROWS, WIDTH), *y;
    struct fine__tensor *w = new_vector(true, WIDTH), *b = new_vector(true, WIDTH);
    float dy[ROWS * WIDTH];

    ctx = new_context(1);
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    for (int j = 0; j < WIDTH; j++) {
        w->data[j] = 2;
        b->data[j] = 0.5f;
        x->data[0 * WIDTH + j] = 3;                     /* no variance at all */
        x->data[1 * WIDTH + j] = 1e4f + (float)(j % 2); /* a large mean */
        x->data[2 * WIDTH + j] = j == 4 ? 1e15f : 0;
        x->data[3 * WIDTH + j] = j % 2 == 0 ? 1e-20f : -1e-20f;
        x->data[4 * WIDTH + j] = j == 5 ? NAN : 1;
    }
    for (int i = 0; i < ROWS * WIDTH; i++)
        dy[i] = (float)(i % 7) - 3;
    y = fine__layernorm(&t, x, NULL, w, b, 1e-12, 0);
    for (int j = 0; j < WIDTH; j++) {
        ck_assert(y->data[j] == 0.5f);
        ck_assert(fabsf(fabsf(y->data[WIDTH + j] - 0.5f) - 2) < 0.2f);
        ck_assert(isfinite(y->data[2 * WIDTH + j]) && isfinite(y->data[3 * WIDTH + j]));
        ck_assert(isnan(y->data[4 * WIDTH + j]));
    }
    backward(&t, y, dy);
    for (int j = 0; j < 4 * WIDTH; j++)
        ck_assert(isfinite(x->grad[j]));
    fine__tape_free(&t);
    free_leaf(x);
    free_leaf(w);
    free_leaf(b);
    free_context(ctx);
}
END_TEST

START_TEST(losses_of_anything)
{
    static const float logits[] = { 3e38f, -3e38f, 0, 0, 1e4f, -1e4f, 1, 2, 3 };
    static const int32_t labels[] = { 0, 2, -1 }, none[] = { -1, -1, -1 };
    struct fine__tape t;
    struct fine__tensor *x = new_leaf(true, 3, 3), *loss;

    ctx = new_context(1);
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    memcpy(x->data, logits, sizeof logits);
    loss = fine__cross_entropy(&t, x, labels);
    ck_assert(fabsf(loss->data[0] - 2e4f) < 1);
    fine__backward(&t, loss, 1);
    for (int i = 0; i < 9; i++)
        ck_assert(isfinite(x->grad[i]) && fabsf(x->grad[i]) <= 1 && (i < 6 || x->grad[i] == 0));
    loss = fine__cross_entropy(&t, x, none);
    ck_assert(loss->data[0] == 0);
    fine__tape_free(&t);
    free_leaf(x);
    free_context(ctx);
}
END_TEST

/* ---- dropout ---- */

START_TEST(dropout_keeps_its_share)
{
    static const double shares[] = { 0.05, 0.1, 0.5, 0.9 };
    enum { N = 200 * 333 };
    struct fine__tape t;
    struct fine__tensor *x = new_leaf(true, 200, 333), *y, *z;
    float *dy = malloc(N * sizeof *dy);

    ctx = new_context(2);
    fine__tape_init(&t, ctx);
    for (int i = 0; i < N; i++)
        dy[i] = x->data[i] = 1;
    ck_assert_ptr_eq(fine__dropout(&t, x, 0), x);
    for (int s = 0; s < FINE__COUNT(shares); s++) {
        const double p = shares[s];
        int64_t dropped = 0, both = 0;

        memset(x->grad, 0, N * sizeof *x->grad);
        fine__tape_reset(&t, true, (uint64_t)s + 1);
        y = fine__dropout(&t, x, p);
        z = fine__dropout(&t, x, p); /* another op: other bits */
        for (int i = 0; i < N; i++) {
            dropped += y->data[i] == 0;
            both += y->data[i] == 0 && z->data[i] == 0;
            if (y->data[i] != 0 && fabs((double)y->data[i] * (1 - p) - 1) > 1e-6)
                ck_abort_msg("%g is no 1 / (1 - %g)", (double)y->data[i], p);
        }
        /* five standard deviations */
        ck_assert(fabs((double)dropped - N * p) < 5 * sqrt(N * p * (1 - p)));
        ck_assert(fabs((double)both - N * p * p) < 5 * sqrt(N * p * p * (1 - p * p)));
        float *kept = malloc(N * sizeof *kept);

        memcpy(kept, y->data, N * sizeof *kept);
        backward(&t, y, dy);
        ck_assert_int_eq(memcmp(kept, x->grad, N * sizeof *kept), 0);
        fine__tape_reset(&t, true, (uint64_t)s + 1); /* the same key: the same bits */
        ck_assert_int_eq(memcmp(kept, fine__dropout(&t, x, p)->data, N * sizeof *kept), 0);
        fine__tape_reset(&t, true, (uint64_t)s + 2);
        ck_assert_int_ne(memcmp(kept, fine__dropout(&t, x, p)->data, N * sizeof *kept), 0);
        free(kept);
    }
    free(dy);
    fine__tape_free(&t);
    free_leaf(x);
    free_context(ctx);
}
END_TEST

/* ---- a whole vocabulary ---- */

enum { WORDS = 30000, SOME_ROWS = 700, THIN = 8 };

/* The loss and the gradients of x, weight and bias, one after another. */
static float *
vocabulary_loss(int n_threads, bool fused, double *loss_out)
{
    const int64_t sizes[3] = { SOME_ROWS * THIN, WORDS * THIN, WORDS };
    fine_context *context = new_context(n_threads);
    struct fine__tensor *in[3] = { new_leaf(true, SOME_ROWS, THIN), new_leaf(true, WORDS, THIN),
                                   new_vector(true, WORDS) };
    float *all = malloc((size_t)(sizes[0] + sizes[1] + sizes[2]) * sizeof *all), *at = all;
    int32_t labels[SOME_ROWS];
    struct fine__tape t;

    for (int i = 0; i < SOME_ROWS; i++)
        labels[i] = i % 7 == 3 ? -1 : 41 * i % WORDS;
    for (int k = 0; k < 3; k++)
        draw(in[k], k, 0, 1);
    fine__tape_init(&t, context);
    fine__tape_reset(&t, true, 0);
    struct fine__tensor *loss =
        fused ? fine__linear_cross_entropy(&t, in[0], in[1], in[2], labels)
              : fine__cross_entropy(&t, fine__linear(&t, in[0], FINE__IDENTITY, in[1], in[2]),
                                    labels);

    *loss_out = (double)loss->data[0];
    fine__backward(&t, loss, 0.01);
    ck_assert_int_eq(fine__tape_status(&t), 0);
    for (int k = 0; k < 3; k++) {
        memcpy(at, in[k]->grad, (size_t)sizes[k] * sizeof *at);
        at += sizes[k];
        free_leaf(in[k]);
    }
    fine__tape_free(&t);
    free_context(context);
    return all;
}

START_TEST(a_vocabulary_in_tiles)
{
    const size_t n = SOME_ROWS * THIN + WORDS * THIN + WORDS;
    double loss, other;
    float *tiled = vocabulary_loss(1, true, &loss), *whole = vocabulary_loss(2, false, &other);
    float *threads = vocabulary_loss(3, true, &other);
    double largest = 0;

    ck_assert(loss == other);
    ck_assert_mem_eq(tiled, threads, n * sizeof *tiled);
    free(threads);
    threads = vocabulary_loss(1, false, &other);
    ck_assert(fabs(loss - other) < 1e-5 * fabs(other));
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)whole[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert(fabs((double)tiled[i] - (double)whole[i]) < 1e-5 * largest);
    free(tiled);
    free(whole);
    free(threads);
}
END_TEST

/* ---- threads ---- */

enum { N = 700, C = 66, I = 90, HEADS = 3, B = 5, V = 50, LEAVES = 12 };

struct result {
    float out[B * 4 + 1];
    float *gradient[LEAVES];
};

/* All the ops, with dropout, on ragged sequences, in memory that is full of NaN. */
static void
run_all(int n_threads, struct result *result)
{
    struct faulty faulty;
    static const int64_t offsets[B + 1] = { 0, 300, 301, 330, 633, 700 };
    static int32_t ids[N], kinds[N];
    static const int32_t labels[B] = { 1, 0, -1, 3, 2 };
    static const float values[B] = { 0.5f, -1, 2, 0, 1 };
    fine_context *context = new_faulty_context(&faulty, n_threads);
    struct fine__tape t;
    struct fine__tensor *leaf[LEAVES] = { new_leaf(true, V, C),     new_leaf(true, 2, C),
                                          new_leaf(true, 3 * C, C), new_vector(true, 3 * C),
                                          new_vector(true, C),      new_vector(true, C),
                                          new_leaf(true, I, C),     new_vector(true, I),
                                          new_leaf(true, C, I),     new_vector(true, C),
                                          new_leaf(true, 4, C),     new_leaf(true, 1, C) },
                        *x, *h, *loss, *first;
    const int32_t *index[2] = { ids, kinds };

    for (int i = 0; i < LEAVES; i++)
        draw(leaf[i], i, 0, 0.3);
    for (int i = 0; i < N; i++) {
        ids[i] = i * i % V;
        kinds[i] = i % 3 == 0;
    }
    fine__tape_init(&t, context);
    fine__tape_reset(&t, true, 77);
    x = fine__embedding(&t, 2, leaf, index, N, (const int64_t[]){ 0, -1 });
    x = fine__dropout(&t, fine__layernorm(&t, x, NULL, leaf[4], leaf[5], 1e-12, 0), 0.1);
    h = fine__linear(&t, x, FINE__IDENTITY, leaf[2], leaf[3]);
    h = fine__attention(&t, h, &(struct fine__attending){ HEADS, B, offsets, 0.2, 0, false });
    x = fine__layernorm(&t, h, x, leaf[4], leaf[5], 1e-12, 0.1);
    h = fine__linear(&t, x, FINE__SILU, leaf[6], leaf[7]);
    h = fine__linear(&t, h, FINE__GELU, leaf[8], leaf[9]);
    x = fine__layernorm(&t, h, x, leaf[4], leaf[5], 1e-12, 0.1);
    first = fine__activate(&t, fine__pick(&t, x, B, offsets), FINE__TANH);
    h = fine__linear(&t, first, FINE__IDENTITY, leaf[10], NULL);
    memcpy(result->out, h->data, B * 4 * sizeof(float));
    loss = fine__cross_entropy(&t, h, labels);
    h = fine__linear(&t, fine__pool_mean(&t, x, B, offsets), FINE__GELU_TANH, leaf[11], NULL);
    h = fine__square_error(&t, h, values);
    result->out[B * 4] = h->data[0];
    ck_assert_int_eq(fine__tape_status(&t), 0);
    double beta;
    float *grad = fine__grad(&t, loss, &beta);

    ck_assert_ptr_nonnull(grad);
    grad[0] = 1;
    fine__backward(&t, h, 0.5);
    ck_assert_int_eq(fine__tape_status(&t), 0);
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
    static const size_t sizes[LEAVES] = { V * C, 2 * C, 3 * C * C, 3 * C, C,     C,
                                          I * C, I,     C * I,     C,     4 * C, C };
    static const int threads[] = { 1, 2, 3, 5 };
    struct result first, other;

    run_all(1, &first);
    for (int i = 0; i < FINE__COUNT(threads); i++) {
        run_all(threads[i], &other);
        ck_assert_int_eq(memcmp(first.out, other.out, sizeof first.out), 0);
        for (int k = 0; k < LEAVES; k++) {
            ck_assert_int_eq(memcmp(first.gradient[k], other.gradient[k], sizes[k] * sizeof(float)),
                             0);
            free(other.gradient[k]);
        }
    }
    for (int k = 0; k < LEAVES; k++)
        free(first.gradient[k]);
}
END_TEST

RUNNER("ops", golden_ops, golden_losses, activations_of_anything, layernorm_of_anything,
       losses_of_anything, dropout_keeps_its_share, a_vocabulary_in_tiles,
       same_bits_for_any_number_of_threads)
