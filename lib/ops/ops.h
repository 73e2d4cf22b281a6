/*
 * ops.h — the operations, one prototype each.
 *
 * Letters: N tokens of all sequences together, B sequences, C channels in, O channels out,
 * H heads, V rows of a table. Shapes are the caller's business and asserted.
 */
#ifndef FINE__OPS_H
#define FINE__OPS_H

#include "tape/tape.h"

enum fine__activation {
    FINE__IDENTITY, FINE__GELU, FINE__GELU_TANH, FINE__RELU, FINE__SILU, FINE__TANH, FINE__SIGMOID
};

/* any → same: f(x) */
struct fine__tensor *fine__activate(struct fine__tape *t, struct fine__tensor *x,
                                    enum fine__activation f);

/* any, same → same: a + b */
struct fine__tensor *fine__add(struct fine__tape *t, struct fine__tensor *a,
                               struct fine__tensor *b);

struct fine__attending {
    int64_t n_heads, n_seqs;
    const int64_t *offsets;         /* sequence i is tokens [offsets[i], offsets[i + 1]) */
    double p;                       /* dropout on the weights */
    double scale;                   /* of the scores; 0: 1/√(C/H) */
    bool causal;                    /* a token attends to itself and those before it */
};
/* qkv (N,3C): queries, keys, values side by side, each of H heads → (N,C). A sequence attends
 * to itself alone. */
struct fine__tensor *fine__attention(struct fine__tape *t, struct fine__tensor *qkv,
                                     const struct fine__attending *how);

/* logits (B,C), values B x C of [0, 1] → (1): the sum over rows of the mean over columns of
 * the binary cross entropy. */
struct fine__tensor *fine__binary_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                                const float *values);

/* logits (B,C), labels B of [0, C), -1: not counted → (1): the sum of -log softmax at the
 * labels. */
struct fine__tensor *fine__cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                         const int32_t *labels);

/* any → same: elements zeroed with probability p, the others divided by 1 - p. p 0: x itself. */
struct fine__tensor *fine__dropout(struct fine__tape *t, struct fine__tensor *x, double p);

/* Sum of rows of up to three tables: out[i] = sum over k of table[k][index[k][i]];
 * (V_k,C) → (N,C). Row padding_rows[k] of table k gets no gradient (-1: none). */
struct fine__tensor *fine__embedding(struct fine__tape *t, int n_tables,
                                     struct fine__tensor *const *tables,
                                     const int32_t *const *index, int64_t n,
                                     const int64_t *padding_rows);

/* (N,C) → same: normalised over C, times weight plus bias. With residual: of
 * residual + dropout(x, p). residual may be NULL. */
struct fine__tensor *fine__layernorm(struct fine__tape *t, struct fine__tensor *x,
                                     struct fine__tensor *residual, struct fine__tensor *weight,
                                     struct fine__tensor *bias, double eps, double p);

/* x (N,C), weight (O,C), bias (O) or NULL → (N,O): f(x) weight^T + bias. */
struct fine__tensor *fine__linear(struct fine__tape *t, struct fine__tensor *x,
                                  enum fine__activation f, struct fine__tensor *weight,
                                  struct fine__tensor *bias);
/* The same with a weight that is stored the other way round, (C,O), as some checkpoints do. */
struct fine__tensor *fine__linear_across(struct fine__tape *t, struct fine__tensor *x,
                                         enum fine__activation f, struct fine__tensor *weight,
                                         struct fine__tensor *bias);
/* Three of the same shape side by side: x (N,C) → (N,3O). */
struct fine__tensor *fine__linear3(struct fine__tape *t, struct fine__tensor *x,
                                   struct fine__tensor *const weight[3],
                                   struct fine__tensor *const bias[3]);

/* logits (N,2), places B within each sequence, -1: not counted → (1): weights[0] times the sum
 * of -log softmax over a sequence's column 0 at starts, plus weights[1] times that of column 1
 * at ends. */
struct fine__tensor *fine__span_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                              int64_t n_seqs, const int64_t *offsets,
                                              const int32_t *starts, const int32_t *ends,
                                              const double weights[2]);

/* x (B,1), values B, NaN: not counted → (1): the sum of squared differences. */
struct fine__tensor *fine__square_error(struct fine__tape *t, struct fine__tensor *x,
                                        const float *values);

/* (N,C) → (n,C): the rows of these numbers; none twice. */
struct fine__tensor *fine__pick(struct fine__tape *t, struct fine__tensor *x, int64_t n,
                                const int64_t *rows);
/* (N,C) → (B,C): the mean over each sequence's rows. */
struct fine__tensor *fine__pool_mean(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                                     const int64_t *offsets);

#endif
