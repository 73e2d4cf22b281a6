/*
 * attention — softmax(Q Kᵀ / √D) V for each sequence and head of a packed batch (Vaswani et
 * al., arXiv 1706.03762), with dropout on the weights.
 *
 * One tile is one (sequence, head). Four rows of scores exist at a time and no score matrix
 * is ever stored: forward keeps log Σ e^s of each row, from which backward makes the weights
 * again (Dao et al., arXiv 2205.14135, equations for P, dS and D = rowsum(dO ∘ O)).
 * Where it is causal, a row stops at its own token, and so do the loops of its tile.
 * Keys and values are copied into panels whose width is a whole number of vectors, so that
 * the inner loops have no edges; the number of vectors a head takes is a constant in each
 * copy of the loops.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "ops/bits.h"
#include "ops/op.h"
#include "tensor/vmath.h"

enum { R = 4, MAX_VECTORS = 16 };   /* rows at a time; vectors of the widest head */

struct job {
    const struct fine__node *n;
    const int64_t *offsets;
    int64_t n_heads, width, head;   /* width C, head D */
    int64_t longest, padded_head;   /* tokens rounded up to lanes; D rounded up to vectors */
    uint32_t threshold;
    bool causal;
    fine__real scale;
    fine__real *log_sums;           /* (N,H); NULL: nobody asks */
    fine__real *scratch;
    int64_t scratch_size;           /* of each worker */
    fine__real *dqkv, beta;
};

/* A worker's panels for one (sequence, head). */
struct panels {
    int64_t tokens, padded;         /* T, and T rounded up to lanes */
    fine__real *k, *v;              /* (T, padded head) */
    fine__real *kt, *vt;            /* (D, padded tokens) */
    fine__real *dk, *dv;            /* (T, padded head) */
    fine__real *q, *dout;           /* (R, padded head): the rows at work */
    fine__real *s, *dp;             /* (R, padded tokens) */
};

static int64_t
up(int64_t n)
{
    return (n + FINE__LANES - 1) / FINE__LANES * FINE__LANES;
}

static int64_t
panel_size(const struct job *job, bool backward)
{
    const int64_t rows = job->longest * job->padded_head, columns = job->head * job->longest;

    return (backward ? 4 * rows + 2 * columns : rows + columns) +
           2 * R * job->padded_head + 2 * R * job->longest;
}

static struct panels
lay_out(const struct job *job, fine__real *at, int64_t tokens, bool backward)
{
    struct panels p = { .tokens = tokens, .padded = up(tokens) };
    const int64_t rows = tokens * job->padded_head, columns = job->head * p.padded;

    p.q = at;
    p.dout = p.q + R * job->padded_head;
    p.s = p.dout + R * job->padded_head;
    p.dp = p.s + R * p.padded;
    p.v = p.dp + R * p.padded;
    p.kt = p.v + rows;
    if (backward) {
        p.vt = p.kt + columns;
        p.k = p.vt + columns;
        p.dk = p.k + rows;
        p.dv = p.dk + rows;
    }
    return p;
}

/* rows x head numbers, `stride` apart, into rows of `padded` with zeros behind. */
FINE__INLINE void
copy_rows(fine__real *FINE__RESTRICT to, const fine__real *from, int64_t rows, int64_t head,
          int64_t stride, int64_t padded)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t d = 0; d < head; d++)
            to[i * padded + d] = from[i * stride + d];
        for (int64_t d = head; d < padded; d++)
            to[i * padded + d] = 0;
    }
}

/* The transpose: head rows of `padded` tokens. */
FINE__INLINE void
copy_columns(fine__real *FINE__RESTRICT to, const fine__real *from, int64_t rows, int64_t head,
             int64_t stride, int64_t padded)
{
    for (int64_t i = 0; i < padded; i++)
        for (int64_t d = 0; d < head; d++)
            to[d * padded + i] = i < rows ? from[i * stride + d] : 0;
}

/* s (R, n of padded tokens) = rows (R, head) times panel (head, n of padded tokens). */
FINE__INLINE void
rows_times_columns(fine__real *FINE__RESTRICT s, const fine__real *rows, const fine__real *panel,
                   int64_t head, int64_t padded_head, int64_t padded, int64_t n)
{
    int64_t j = 0;

    for (; j + 2 * FINE__LANES <= n; j += 2 * FINE__LANES) {
        fine__vec sum[R][2] = { { { 0 } } };

        for (int64_t d = 0; d < head; d++) {
            const fine__vec a = fine__vec_load(panel + d * padded + j);
            const fine__vec b = fine__vec_load(panel + d * padded + j + FINE__LANES);

            for (int r = 0; r < R; r++) {
                sum[r][0] += rows[r * padded_head + d] * a;
                sum[r][1] += rows[r * padded_head + d] * b;
            }
        }
        for (int r = 0; r < R; r++) {
            fine__vec_store(s + r * padded + j, sum[r][0]);
            fine__vec_store(s + r * padded + j + FINE__LANES, sum[r][1]);
        }
    }
    for (; j < n; j += FINE__LANES) {
        fine__vec sum[R] = { { 0 } };

        for (int64_t d = 0; d < head; d++) {
            const fine__vec a = fine__vec_load(panel + d * padded + j);

            for (int r = 0; r < R; r++)
                sum[r] += rows[r * padded_head + d] * a;
        }
        for (int r = 0; r < R; r++)
            fine__vec_store(s + r * padded + j, sum[r]);
    }
}

/* out (R, V vectors) = weights (R, tokens) times panel (tokens, V vectors). */
FINE__INLINE void
rows_times_rows(int V, fine__real *FINE__RESTRICT out, const fine__real *weights,
                const fine__real *panel, int64_t tokens, int64_t padded)
{
    for (int first = 0; first < V; first += 4) {
        const int n = V - first < 4 ? V - first : 4;
        fine__vec sum[R][4] = { { { 0 } } };

        for (int64_t j = 0; j < tokens; j++)
            for (int v = 0; v < n; v++) {
                const fine__vec a = fine__vec_load(panel + (j * V + first + v) * FINE__LANES);

                for (int r = 0; r < R; r++)
                    sum[r][v] += weights[r * padded + j] * a;
            }
        for (int r = 0; r < R; r++)
            for (int v = 0; v < n; v++)
                fine__vec_store(out + (r * V + first + v) * FINE__LANES, sum[r][v]);
    }
}

/* panel (tokens, V vectors) += weightsᵀ (tokens, R) times rows (R, V vectors). */
FINE__INLINE void
add_outer(int V, fine__real *FINE__RESTRICT panel, const fine__real *weights,
          const fine__real *rows, int64_t tokens, int64_t padded)
{
    for (int first = 0; first < V; first += 4) {
        const int n = V - first < 4 ? V - first : 4;
        fine__vec row[R][4];

        for (int r = 0; r < R; r++)
            for (int v = 0; v < n; v++)
                row[r][v] = fine__vec_load(rows + (r * V + first + v) * FINE__LANES);
        for (int64_t j = 0; j < tokens; j++)
            for (int v = 0; v < n; v++) {
                fine__real *at = panel + (j * V + first + v) * FINE__LANES;
                fine__vec sum = fine__vec_load(at);

                for (int r = 0; r < R; r++)
                    sum += weights[r * padded + j] * row[r][v];
                fine__vec_store(at, sum);
            }
    }
}

/* The key of dropout's bits for the weights of one token and head. */
FINE__INLINE uint32_t
bits_of(const struct job *job, int64_t token, int64_t head)
{
    return fine__bits_row(job->n->dropout_key, token * job->n_heads + head);
}

/* Scores to weights; padding lanes become zero. Returns log Σ e^s. */
FINE__INLINE fine__real
softmax(fine__real *s, int64_t tokens, int64_t padded, fine__real scale)
{
    fine__vec largest, total = FINE__VEC_ZERO;

    for (int64_t j = tokens; j < padded; j++)
        s[j] = s[0];
    largest = fine__vec_load(s);
    for (int64_t j = FINE__LANES; j < padded; j += FINE__LANES)
        largest = fine__vec_max(largest, fine__vec_load(s + j));
    const fine__real top = scale * fine__vec_largest(largest);

    for (int64_t j = 0; j < padded; j += FINE__LANES)
        fine__vec_store(s + j, fine__vec_exp(scale * fine__vec_load(s + j) - top));
    for (int64_t j = tokens; j < padded; j++)
        s[j] = 0;
    for (int64_t j = 0; j < padded; j += FINE__LANES)
        total += fine__vec_load(s + j);
    const fine__real sum = fine__vec_sum(total), inverse = 1 / sum;

    for (int64_t j = 0; j < padded; j += FINE__LANES)
        fine__vec_store(s + j, inverse * fine__vec_load(s + j));
    return top + (fine__real)log((double)sum);
}

/* How many tokens the rows up to `last` look at. */
FINE__INLINE int64_t
reach_of(const struct job *job, int64_t tokens, int64_t last)
{
    return job->causal ? last + 1 : tokens;
}

FINE__INLINE void
forward_head(const struct job *job, int V, int64_t seq, int64_t head, fine__real *scratch)
{
    const int64_t first = job->offsets[seq], tokens = job->offsets[seq + 1] - first;
    const int64_t stride = 3 * job->width;
    const fine__real *q = job->n->in[0]->data + first * stride + head * job->head;
    const struct panels p = lay_out(job, scratch, tokens, false);

    copy_columns(p.kt, q + job->width, tokens, job->head, stride, p.padded);
    copy_rows(p.v, q + 2 * job->width, tokens, job->head, stride, job->padded_head);
    for (int64_t i = 0; i < tokens; i += R) {
        const int64_t rows = tokens - i < R ? tokens - i : R;
        const int64_t reach = reach_of(job, tokens, i + rows - 1), seen = up(reach);

        copy_rows(p.q, q + i * stride, rows, job->head, stride, job->padded_head);
        rows_times_columns(p.s, p.q, p.kt, job->head, job->padded_head, p.padded, seen);
        for (int64_t r = 0; r < rows; r++) {
            fine__real *s = p.s + r * p.padded;
            const fine__real log_sum = softmax(s, reach_of(job, tokens, i + r), seen, job->scale);

            if (job->log_sums != NULL)
                job->log_sums[(first + i + r) * job->n_heads + head] = log_sum;
            if (job->threshold == 0)
                continue;
            const uint32_t key = bits_of(job, first + i + r, head);
            const fine__real kept = fine__bits_scale(job->threshold);

            for (int64_t j = 0; j < seen; j += FINE__LANES)
                fine__vec_store(s + j,
                                fine__vec_select(fine__bits_keep(key, j, job->threshold),
                                                 kept * fine__vec_load(s + j), FINE__VEC_ZERO));
        }
        rows_times_rows(V, p.dout, p.s, p.v, reach, p.padded);
        for (int64_t r = 0; r < rows; r++)
            memcpy(job->n->out->data + (first + i + r) * job->width + head * job->head,
                   p.dout + r * job->padded_head, (size_t)job->head * sizeof(fine__real));
    }
}

/* to[] = beta to[] + factor from[], rows x head numbers */
FINE__INLINE void
give(const struct job *job, fine__real *to, const fine__real *from, int64_t rows,
     fine__real factor)
{
    for (int64_t i = 0; i < rows; i++) {
        fine__real *FINE__RESTRICT at = to + i * 3 * job->width;
        const fine__real *row = from + i * job->padded_head;

        if (job->beta == 0)
            for (int64_t d = 0; d < job->head; d++)
                at[d] = factor * row[d];
        else
            for (int64_t d = 0; d < job->head; d++)
                at[d] += factor * row[d];
    }
}

/* Of the rows at work: s becomes the weights after dropout, dp the gradient of the scores. */
FINE__INLINE void
weights_and_slopes(const struct job *job, const struct panels *p, int64_t first, int64_t i,
                   int64_t head, int64_t rows, int64_t seen)
{
    const fine__real kept = fine__bits_scale(job->threshold);

    for (int64_t r = 0; r < R; r++) {
        fine__real *s = p->s + r * p->padded, *dp = p->dp + r * p->padded;

        if (r >= rows) {            /* rows beyond the last count for nothing */
            memset(s, 0, (size_t)seen * sizeof *s);
            memset(dp, 0, (size_t)seen * sizeof *dp);
            continue;
        }
        const int64_t token = first + i + r;
        const fine__real log_sum = job->log_sums[token * job->n_heads + head];
        const fine__real *out = job->n->out->data + token * job->width + head * job->head;
        const fine__real *dout = p->dout + r * job->padded_head;
        const uint32_t key = job->threshold != 0 ? bits_of(job, token, head) : 0;
        fine__real along = 0;       /* dO · O */

        for (int64_t d = 0; d < job->head; d++)
            along += dout[d] * out[d];
        for (int64_t j = 0; j < seen; j += FINE__LANES) {
            fine__vec weight = fine__vec_exp(job->scale * fine__vec_load(s + j) - log_sum);
            fine__vec slope = fine__vec_load(dp + j), dropped = weight;

            if (job->threshold != 0) {
                const fine__vec_mask keep = fine__bits_keep(key, j, job->threshold);

                slope = fine__vec_select(keep, kept * slope, FINE__VEC_ZERO);
                dropped = fine__vec_select(keep, kept * weight, FINE__VEC_ZERO);
            }
            fine__vec_store(s + j, dropped);
            fine__vec_store(dp + j, weight * (slope - along));
        }
        /* what this row doesn't look at; beyond the sequence nobody reads */
        for (int64_t j = reach_of(job, p->tokens, i + r); j < seen; j++)
            s[j] = dp[j] = 0;
    }
}

FINE__INLINE void
backward_head(const struct job *job, int V, int64_t seq, int64_t head, fine__real *scratch)
{
    const int64_t first = job->offsets[seq], tokens = job->offsets[seq + 1] - first;
    const int64_t stride = 3 * job->width, panel = tokens * job->padded_head;
    const int64_t at = first * stride + head * job->head;
    const fine__real *q = job->n->in[0]->data + at;
    const fine__real *dout = job->n->out->grad + first * job->width + head * job->head;
    const struct panels p = lay_out(job, scratch, tokens, true);

    copy_columns(p.kt, q + job->width, tokens, job->head, stride, p.padded);
    copy_columns(p.vt, q + 2 * job->width, tokens, job->head, stride, p.padded);
    copy_rows(p.k, q + job->width, tokens, job->head, stride, job->padded_head);
    memset(p.dk, 0, (size_t)panel * sizeof *p.dk);
    memset(p.dv, 0, (size_t)panel * sizeof *p.dv);
    memset(p.q, 0, (size_t)(2 * R * job->padded_head) * sizeof *p.q);
    for (int64_t i = 0; i < tokens; i += R) {
        const int64_t rows = tokens - i < R ? tokens - i : R;
        const int64_t reach = reach_of(job, tokens, i + rows - 1), seen = up(reach);

        copy_rows(p.q, q + i * stride, rows, job->head, stride, job->padded_head);
        copy_rows(p.dout, dout + i * job->width, rows, job->head, job->width, job->padded_head);
        rows_times_columns(p.s, p.q, p.kt, job->head, job->padded_head, p.padded, seen);
        rows_times_columns(p.dp, p.dout, p.vt, job->head, job->padded_head, p.padded, seen);
        weights_and_slopes(job, &p, first, i, head, rows, seen);
        add_outer(V, p.dv, p.s, p.dout, reach, p.padded);
        add_outer(V, p.dk, p.dp, p.q, reach, p.padded);
        rows_times_rows(V, p.dout, p.dp, p.k, reach, p.padded);
        give(job, job->dqkv + at + i * stride, p.dout, rows, job->scale);
    }
    give(job, job->dqkv + at + job->width, p.dk, tokens, job->scale);
    give(job, job->dqkv + at + 2 * job->width, p.dv, tokens, 1);
}

#define EACH_WIDTH(head_function)                                             \
    switch (job->padded_head / FINE__LANES) {                                 \
    case 1: head_function(job, 1, seq, head, scratch); break;                 \
    case 2: head_function(job, 2, seq, head, scratch); break;                 \
    case 4: head_function(job, 4, seq, head, scratch); break;                 \
    default:                                                                  \
        head_function(job, (int)(job->padded_head / FINE__LANES), seq, head, scratch); \
        break;                                                                \
    }

FINE__CLONES static void
forward_any(const struct job *job, int64_t seq, int64_t head, fine__real *scratch)
{
    EACH_WIDTH(forward_head)
}

FINE__CLONES static void
backward_any(const struct job *job, int64_t seq, int64_t head, fine__real *scratch)
{
    EACH_WIDTH(backward_head)
}

static void
forward_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;

    forward_any(job, tile / job->n_heads, tile % job->n_heads,
                job->scratch + worker * job->scratch_size);
}

static void
backward_tile(void *arg, int64_t tile, int worker)
{
    const struct job *job = arg;

    backward_any(job, tile / job->n_heads, tile % job->n_heads,
                 job->scratch + worker * job->scratch_size);
}

static struct job
job_of(const struct fine__node *n, bool backward)
{
    struct job job = { .n = n, .offsets = n->index[0], .n_heads = n->size[0],
                       .width = n->out->shape[1], .threshold = fine__bits_threshold(n->arg[0]),
                       .causal = n->size[2] != 0 };

    job.head = job.width / job.n_heads;
    job.padded_head = up(job.head);
    job.scale = (fine__real)(n->arg[1] != 0 ? n->arg[1] : 1 / sqrt((double)job.head));
    for (int64_t i = 0; i < n->size[1]; i++) {
        const int64_t tokens = up(job.offsets[i + 1] - job.offsets[i]);

        job.longest = tokens > job.longest ? tokens : job.longest;
    }
    job.scratch_size = panel_size(&job, backward);
    return job;
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n, false);

    if (job.threshold != 0)
        n->dropout_key = fine__bits_key(t);
    if (fine__records(n)) {
        n->saved = fine__tape_take(t, n->out->shape[0] * job.n_heads);
        if (n->saved == NULL)
            return;
        job.log_sums = n->saved;
    }
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.scratch = fine__tape_take(t, job.scratch_size * fine__n_workers(t->ctx));
    if (job.scratch == NULL)
        return;
    fine__parallel_for(t->ctx, n->size[1] * job.n_heads, forward_tile, &job);
    fine__tape_rewind(t, mark);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    struct job job = job_of(n, true);
    double beta;

    job.log_sums = n->saved;
    job.dqkv = fine__grad(t, n->in[0], &beta);
    job.beta = (fine__real)beta;
    if (job.dqkv == NULL)
        return;
    const struct fine__arena_mark mark = fine__tape_mark(t);

    job.scratch = fine__tape_take(t, job.scratch_size * fine__n_workers(t->ctx));
    if (job.scratch == NULL)
        return;
    fine__parallel_for(t->ctx, n->size[1] * job.n_heads, backward_tile, &job);
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "attention", forward, backward };

struct fine__tensor *
fine__attention(struct fine__tape *t, struct fine__tensor *qkv,
                const struct fine__attending *how)
{
    const struct fine__node n = { .op = &op, .in = { qkv }, .n_in = 1,
                                  .arg = { how->p, how->scale },
                                  .size = { how->n_heads, how->n_seqs, how->causal },
                                  .index = { how->offsets } };
    const int64_t shape[2] = { qkv->shape[0], qkv->shape[1] / 3 };

    return fine__apply(t, &n, 2, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__attention(t, in[0], arg);
}

void
gc_cases(void)
{
    static const int64_t one[] = { 0, 1 }, ragged[] = { 0, 3, 4, 11, 28 }, even[] = { 0, 8, 16 };
    const struct fine__attending uses[] = { { 1, 1, one, 0, 0, false },
                                            { 2, 4, ragged, 0, 0, false },
                                            { 2, 4, ragged, 0.3, 0, false },
                                            { 3, 2, even, 0.1, 0.7, false },
                                            { 1, 2, even, 0, 0, false },
                                            { 1, 1, one, 0, 0, true },
                                            { 2, 4, ragged, 0, 0.4, true },
                                            { 2, 4, ragged, 0.3, 0, true },
                                            { 1, 2, even, 0, 0, true } };
    const int64_t tokens[] = { 1, 28, 28, 16, 16, 1, 28, 28, 16 };
    const int64_t head[] = { 1, 3, 8, 16, 70, 2, 3, 17, 70 };

    for (int i = 0; i < FINE__COUNT(uses); i++)
        gc_check("attention", build, &uses[i], 1,
                 gc_input(2, tokens[i], 3 * uses[i].n_heads * head[i]));
}
#endif
