/*
 * test_attention.c — attention in float against plain loops in double: heads of all widths,
 * sequences of all lengths; and those loops against PyTorch's float64 results in
 * ../shared/golden where that folder is there.
 */
#include "golden_set.h"

#include "ops/ops.h"

enum { MOST = 64 };

struct attention {
    int64_t tokens, queries, head; /* keys are `tokens`, of which all are seen */
    const double *q, *k, *v, *dout;
    double *out, *dq, *dk, *dv;
};

static void
attention_loop(const struct attention *a)
{
    const double scale = 1 / sqrt((double)a->head);
    double weight[MOST], dweight[MOST];

    for (int64_t i = 0; i < a->queries; i++) {
        double sum = 0, along = 0;

        for (int64_t j = 0; j < a->tokens; j++) {
            double s = 0;

            for (int64_t d = 0; d < a->head; d++)
                s += a->q[i * a->head + d] * a->k[j * a->head + d];
            sum += weight[j] = exp(s * scale);
        }
        for (int64_t d = 0; d < a->head; d++)
            a->out[i * a->head + d] = 0;
        for (int64_t j = 0; j < a->tokens; j++) {
            weight[j] /= sum;
            dweight[j] = 0;
            for (int64_t d = 0; d < a->head; d++) {
                a->out[i * a->head + d] += weight[j] * a->v[j * a->head + d];
                dweight[j] += a->dout[i * a->head + d] * a->v[j * a->head + d];
                a->dv[j * a->head + d] += weight[j] * a->dout[i * a->head + d];
            }
            along += weight[j] * dweight[j];
        }
        for (int64_t j = 0; j < a->tokens; j++)
            for (int64_t d = 0; d < a->head; d++) {
                const double ds = weight[j] * (dweight[j] - along) * scale;

                a->dq[i * a->head + d] += ds * a->k[j * a->head + d];
                a->dk[j * a->head + d] += ds * a->q[i * a->head + d];
            }
    }
}

/* One head of one sequence through the loop; numbers from and to qkv's layout. */
static void
attention_head(const struct fine__tensor *qkv, const float *cotangent, int64_t first,
               int64_t tokens, int64_t head, int64_t width_of_head, double *out, double *dqkv)
{
    enum { CELLS = MOST * MOST };
    static double in[4][CELLS], result[4][CELLS];
    const int64_t width = qkv->shape[1] / 3;

    for (int64_t i = 0; i < tokens; i++)
        for (int64_t d = 0; d < width_of_head; d++) {
            const float *row = qkv->data + (first + i) * 3 * width + head * width_of_head;

            for (int k = 0; k < 3; k++)
                in[k][i * width_of_head + d] = (double)row[k * width + d];
            in[3][i * width_of_head + d] =
                (double)cotangent[(first + i) * width + head * width_of_head + d];
        }
    memset(result, 0, sizeof result);
    attention_loop(&(struct attention){ .tokens = tokens,
                                        .queries = tokens,
                                        .head = width_of_head,
                                        .q = in[0],
                                        .k = in[1],
                                        .v = in[2],
                                        .dout = in[3],
                                        .out = result[3],
                                        .dq = result[0],
                                        .dk = result[1],
                                        .dv = result[2] });
    for (int64_t i = 0; i < tokens; i++)
        for (int64_t d = 0; d < width_of_head; d++) {
            const int64_t at = (first + i) * width + head * width_of_head + d;

            out[at] = result[3][i * width_of_head + d];
            for (int k = 0; k < 3; k++)
                dqkv[(first + i) * 3 * width + k * width + head * width_of_head + d] =
                    result[k][i * width_of_head + d];
        }
}

static void
check_attention(int64_t n_heads, int64_t head, int64_t n_seqs, const int64_t *offsets,
                double deviation)
{
    const int64_t width = n_heads * head, n = offsets[n_seqs];
    struct fine__tensor *qkv = draw(new_leaf(true, n, 3 * width), 5, 0, deviation);
    struct fine__tensor *cotangent = draw(new_leaf(false, n, width), 6, 0, 1), *y;
    double *out = calloc((size_t)(n * width), sizeof *out);
    double *dqkv = calloc((size_t)(3 * n * width), sizeof *dqkv);
    struct fine__tape t;

    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    for (int64_t i = 0; i < n_seqs; i++)
        for (int64_t h = 0; h < n_heads; h++)
            attention_head(qkv, cotangent->data, offsets[i], offsets[i + 1] - offsets[i], h, head,
                           out, dqkv);
    y = fine__attention(&t, qkv,
                        &(struct fine__attending){ n_heads, n_seqs, offsets, 0, 0, false });
    compare("attention", "output", out, y->data, y->count, 3e-6 * fmax(1, deviation * deviation));
    backward(&t, y, cotangent->data);
    compare("attention", "gradient", dqkv, qkv->grad, qkv->count,
            5e-6 * fmax(1, deviation * deviation));
    fine__tape_free(&t);
    free_leaf(qkv);
    free_leaf(cotangent);
    free(out);
    free(dqkv);
}

START_TEST(attention_against_a_loop)
{
    static const int64_t heads[] = { 1, 2, 7, 8, 15, 16, 17, 32, 33, 48, 63 };
    static const int64_t offsets[] = { 0, 1, 3, 6, 10, 15, 31, 48, 111, 112 };

    ctx = new_context(2);
    for (int i = 0; i < FINE__COUNT(heads); i++) {
        check_attention(1 + i % 3, heads[i], 9, offsets, 1);
        check_attention(1, heads[i], 1, offsets, 1);
    }
    check_attention(2, 16, 9, offsets, 4); /* scores in the hundreds */
    free_context(ctx);
}
END_TEST

/* The file's queries are padded too, and torch computes with them. So the loop is held to the
 * file with every query, and the op, which never sees padding, to the file where that makes
 * no difference. */
static void
golden_attention(struct golden *g, struct fine__tape *t)
{
    enum { B = 2, H = 2, T = 5, D = 6, CELL = T * D, ALL = B * H * CELL };
    static const int64_t lengths[B] = { 3, 5 }, offsets[B + 1] = { 0, 3, 8 };
    static const char *const names[4] = { "q", "k", "v", "cotangent" };
    double in[4][ALL], loop[4][ALL], limit = g->limit;
    const float *from[4];
    float got[ALL] = { 0 };
    struct fine__tensor *qkv = new_leaf(true, 8, 3 * H * D);

    g->name = "attention-padded";
    for (int k = 0; k < 4; k++) {
        from[k] = find(g, names[k], FINE_F32, ALL);
        for (int i = 0; i < ALL; i++)
            in[k][i] = (double)from[k][i];
    }
    memset(loop, 0, sizeof loop);
    for (int c = 0; c < B * H; c++)
        attention_loop(&(struct attention){ .tokens = lengths[c / H],
                                            .queries = T,
                                            .head = D,
                                            .q = in[0] + c * CELL,
                                            .k = in[1] + c * CELL,
                                            .v = in[2] + c * CELL,
                                            .dout = in[3] + c * CELL,
                                            .out = loop[3] + c * CELL,
                                            .dq = loop[0] + c * CELL,
                                            .dk = loop[1] + c * CELL,
                                            .dv = loop[2] + c * CELL });
    for (int k = 0; k < 4; k++) {
        float rounded[ALL];
        char part[32];

        for (int i = 0; i < ALL; i++)
            rounded[i] = (float)loop[k][i];
        (void)snprintf(part, sizeof part, k == 3 ? "f64.output" : "f64.grad.%s", names[k]);
        g->limit = 1e-7;
        check(g, part, rounded, ALL);
        g->limit = limit;
    }
    for (int64_t b = 0; b < B; b++)
        for (int64_t i = 0; i < lengths[b]; i++)
            for (int64_t h = 0; h < H; h++)
                for (int64_t d = 0; d < D; d++)
                    for (int k = 0; k < 3; k++)
                        qkv->data[(offsets[b] + i) * 3 * H * D + (k * H + h) * D + d] =
                            from[k][((b * H + h) * T + i) * D + d];
    struct fine__tensor *y =
        fine__attention(t, qkv, &(struct fine__attending){ H, B, offsets, 0, 0, false });
    const double *right = find(g, "f64.output", FINE_F64, ALL);

    for (int64_t b = 0; b < B; b++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t i = 0; i < T; i++)
                for (int64_t d = 0; d < D; d++) {
                    const int64_t at = ((b * H + h) * T + i) * D + d;

                    got[at] = i < lengths[b] ? y->data[((offsets[b] + i) * H + h) * D + d]
                                             : (float)right[at];
                }
    check(g, "f64.output", got, ALL);
    free_leaf(qkv);
}

static void
golden_causal(struct golden *g, struct fine__tape *t)
{
    enum { B = 2, H = 2, T = 5, D = 6, ALL = B * H * T * D };
    static const int64_t offsets[B + 1] = { 0, T, 2 * T };
    static const char *const names[3] = { "q", "k", "v" };
    struct fine__tensor *qkv = new_leaf(true, (int64_t)B * T, 3 * H * D), *y;
    float got[ALL], dy[ALL];
    int64_t place[ALL]; /* of the file's numbers in a matrix of tokens */

    g->name = "attention-causal";
    for (int i = 0; i < ALL; i++)
        place[i] = ((int64_t)(i / (H * T * D)) * T + i / D % T) * H * D + i / (T * D) % H * D + i % D;
    for (int k = 0; k < 3; k++) {
        const float *from = find(g, names[k], FINE_F32, ALL);

        for (int i = 0; i < ALL; i++)
            qkv->data[place[i] / (H * D) * 3 * H * D + k * H * D + place[i] % (H * D)] = from[i];
    }
    y = fine__attention(t, qkv, &(struct fine__attending){ H, B, offsets, 0, 0, true });
    const float *cotangent = find(g, "cotangent", FINE_F32, ALL);

    for (int i = 0; i < ALL; i++) {
        got[i] = y->data[place[i]];
        dy[place[i]] = cotangent[i];
    }
    check(g, "f64.output", got, ALL);
    backward(t, y, dy);
    for (int k = 0; k < 3; k++) {
        char part[32];

        for (int i = 0; i < ALL; i++)
            got[i] = qkv->grad[place[i] / (H * D) * 3 * H * D + k * H * D + place[i] % (H * D)];
        (void)snprintf(part, sizeof part, "f64.grad.%s", names[k]);
        check(g, part, got, ALL);
    }
    free_leaf(qkv);
}

/* No op of its own: it is the attention of queries x to keys and values that are the rows of the
 * identity. */
static void
golden_softmax(struct golden *g, struct fine__tape *t, const char *name, int rows, int columns,
               double absolute)
{
    enum { ROOM = 30 * 5 };
    const int n = (rows + columns - 1) / columns; /* sequences of as many tokens as columns */
    struct fine__tensor *qkv = new_leaf(true, (int64_t)n * columns, (int64_t)3 * columns), *y;
    int64_t offsets[ROOM + 1];
    float dy[ROOM * 12] = { 0 }, dx[ROOM * 12];

    g->name = name;
    const float *x = find(g, "x", FINE_F32, (int64_t)rows * columns);
    const float *cotangent = find(g, "cotangent", FINE_F32, (int64_t)rows * columns);

    for (int i = 0; i <= n; i++)
        offsets[i] = (int64_t)i * columns;
    for (int i = 0; i < n * columns; i++) {
        float *q = qkv->data + (ptrdiff_t)3 * i * columns;

        if (i < rows)
            memcpy(q, x + (ptrdiff_t)i * columns, (size_t)columns * sizeof *q);
        q[columns + i % columns] = q[2 * columns + i % columns] = 1;
    }
    memcpy(dy, cotangent, (size_t)(rows * columns) * sizeof *dy);
    y = fine__attention(t, qkv, &(struct fine__attending){ 1, n, offsets, 0, 1, false });
    check(g, "f64.output", y->data, (int64_t)rows * columns);
    backward(t, y, dy);
    for (int i = 0; i < rows * columns; i++)
        dx[i] = qkv->grad[(ptrdiff_t)3 * columns * (i / columns) + i % columns];
    const double *right = find(g, "f64.grad.x", FINE_F64, (int64_t)rows * columns);

    for (int i = 0; absolute > 0 && i < rows * columns; i++)
        ck_assert_msg(fabs((double)dx[i] - right[i]) <= absolute, "%s: %g, not %g", name,
                      (double)dx[i], right[i]);
    if (absolute <= 0)
        check(g, "f64.grad.x", dx, (int64_t)rows * columns);
    free_leaf(qkv);
}

START_TEST(golden)
{
    struct golden g;
    struct fine__tape t;

    if (!open_golden(&g, GOLDEN "ops/ops.safetensors", 3e-6))
        return;
    fine__tape_init(&t, ctx);
    fine__tape_reset(&t, true, 1);
    golden_attention(&g, &t);
    golden_causal(&g, &t);
    golden_softmax(&g, &t, "softmax", 30, 5, 0);
    golden_softmax(&g, &t, "softmax-masked", 30, 5, 0);
    golden_softmax(&g, &t, "softmax-huge", 5, 12, 5e-7);
    fine__tape_free(&t);
    close_golden(&g);
}
END_TEST

RUNNER("attention", attention_against_a_loop, golden)
