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

/* qkv (N,3C): queries, keys, values side by side, each of H heads → (N,C). Sequence i is
 * tokens [offsets[i], offsets[i + 1]) and attends to itself alone; dropout p on the weights. */
struct fine__tensor *fine__attention(struct fine__tape *t, struct fine__tensor *qkv,
                                     int64_t n_heads, int64_t n_seqs, const int64_t *offsets,
                                     double p);

/* logits (B,C), labels B of [0, C), -1: not counted → (1): the sum of -log softmax at the
 * labels. *n_counted receives how many were counted. */
struct fine__tensor *fine__cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                         const int32_t *labels);

/* any → same: elements zeroed with probability p, the others divided by 1 - p. p 0: x itself. */
struct fine__tensor *fine__dropout(struct fine__tape *t, struct fine__tensor *x, double p);

/* Sum of rows of tables: out[i] = sum over k of table[k][index[k][i]]; (V_k,C) → (N,C).
 * padding_row of the first table gets no gradient (-1: none). */
struct fine__tensor *fine__embedding(struct fine__tape *t, int n_tables,
                                     struct fine__tensor *const *tables,
                                     const int32_t *const *index, int64_t n, int64_t padding_row);

/* (N,C) → same: normalised over C, times weight plus bias. With residual: of
 * residual + dropout(x, p). residual may be NULL. */
struct fine__tensor *fine__layernorm(struct fine__tape *t, struct fine__tensor *x,
                                     struct fine__tensor *residual, struct fine__tensor *weight,
                                     struct fine__tensor *bias, double eps, double p);

/* x (N,C), weight (O,C), bias (O) or NULL → (N,O): f(x) weight^T + bias. */
struct fine__tensor *fine__linear(struct fine__tape *t, struct fine__tensor *x,
                                  enum fine__activation f, struct fine__tensor *weight,
                                  struct fine__tensor *bias);
/* Three of the same shape side by side: x (N,C) → (N,3O). */
struct fine__tensor *fine__linear3(struct fine__tape *t, struct fine__tensor *x,
                                   struct fine__tensor *const weight[3],
                                   struct fine__tensor *const bias[3]);

/* x (B,1), values B, NaN: not counted → (1): the sum of squared differences. */
struct fine__tensor *fine__square_error(struct fine__tape *t, struct fine__tensor *x,
                                        const float *values);

/* (N,C) → (B,C): each sequence's first row. */
struct fine__tensor *fine__pool_first(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                                      const int64_t *offsets);
/* (N,C) → (B,C): the mean over each sequence's rows. */
struct fine__tensor *fine__pool_mean(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                                     const int64_t *offsets);

#endif
