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
    FINE__IDENTITY, FINE__GELU, FINE__GELU_TANH, FINE__RELU, FINE__SILU, FINE__TANH, FINE__SIGMOID,
    FINE__RELU6
};

/* any → same: f(x) */
struct fine__tensor *fine__activate(struct fine__tape *t, struct fine__tensor *x,
                                    enum fine__activation f);

/* any, same → same: a + b */
struct fine__tensor *fine__add(struct fine__tape *t, struct fine__tensor *a,
                               struct fine__tensor *b);

/* y (…,C), x (…,R) of as many rows, weight (O,R …) → as y: scale x weight^T added to columns
 * [first, first + O). */
struct fine__tensor *fine__add_product(struct fine__tape *t, struct fine__tensor *y,
                                       struct fine__tensor *x, struct fine__tensor *weight,
                                       int64_t first, double scale);

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

/* How losses over classes count: NULL where all count alike. */
struct fine__criterion {
    const float *weights;           /* C: of each class; NULL: 1 */
    const float *positive_weights;  /* C: binary: of what is 1, once more; NULL: 1 */
    double smoothing;               /* of a target that goes to all classes alike */
    double focus;                   /* gamma of the focal loss; 0: off; not with smoothing */
};

/* What is kept of a sequence that goes on: keys and values of its tokens, layer by layer. */
struct fine__past {
    int64_t length, capacity;       /* tokens kept; room */
    fine__real *data;               /* fine__past_size() numbers */
};
int64_t fine__past_size(int64_t n_layers, int64_t capacity, int64_t width);
/* The same where sequence i goes on from past[i]: its tokens are new ones, whose keys and values
 * are kept as those of a layer. Who has gone through all layers adds to the lengths. Prediction
 * only. */
struct fine__tensor *fine__attention_onward(struct fine__tape *t, struct fine__tensor *qkv,
                                            const struct fine__attending *how,
                                            struct fine__past *const *past, int64_t layer);

/* logits (B,C), values B x C of [0, 1] → (1): the sum over rows of the mean over columns of
 * the binary cross entropy. */
struct fine__tensor *fine__binary_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                                const float *values);
struct fine__tensor *fine__weighted_binary_cross_entropy(struct fine__tape *t,
                                                         struct fine__tensor *logits,
                                                         const float *values,
                                                         const struct fine__criterion *how);

/* logits (B,C), labels B of [0, C), -1: not counted → (1): the sum of -log softmax at the
 * labels. */
struct fine__tensor *fine__cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                         const int32_t *labels);
/* The same where classes weigh differently, targets are smoothed, or sure rows count less: the
 * sum of weight(label) (1 - smoothing) (1 - p)^focus (-log p), plus smoothing / C times that of
 * all classes' -log softmax, each with its own weight. The mean is over the labels' weights. */
struct fine__tensor *fine__weighted_cross_entropy(struct fine__tape *t,
                                                  struct fine__tensor *logits,
                                                  const int32_t *labels,
                                                  const struct fine__criterion *how);
/* logits and targets (B,C), each row of targets a distribution → (1): the sum over rows of
 * -sum of target log softmax. */
struct fine__tensor *fine__soft_cross_entropy(struct fine__tape *t, struct fine__tensor *logits,
                                              const float *targets);
/* logits and a teacher's (B,C) → (1): the sum over rows of T^2 KL(softmax(teacher / T) ||
 * softmax(logits / T)). */
struct fine__tensor *fine__distill(struct fine__tape *t, struct fine__tensor *logits,
                                   const float *teacher, double temperature);

/* ---- images lie channels last: (N,H,W,C) ---- */

struct fine__convolving {
    int64_t groups, stride;
    int64_t top, left, bottom, right;       /* zeros around the image */
};
/* x (N,H,W,C), weight (O,C/groups,K,L) as checkpoints have it, bias (O) or NULL → (N,H',W',O). */
struct fine__tensor *fine__conv2d(struct fine__tape *t, struct fine__tensor *x,
                                  struct fine__tensor *weight, struct fine__tensor *bias,
                                  const struct fine__convolving *how);

struct fine__norming {
    double eps;
    double momentum;                        /* how much new statistics weigh in the running ones */
    bool by_batch;                          /* by the batch's own statistics, not the running ones */
    const fine__real *mean, *variance;      /* running statistics, C each */
    fine__real *new_mean, *new_variance;    /* by_batch: receive the next ones; NULL: nobody asks */
    enum fine__activation f;                /* comes last */
};
/* x (N,H,W,C), weight and bias (C) → same: f(normalised over all but C, times weight, plus bias,
 * plus residual); residual (N,H,W,C) may be NULL. */
struct fine__tensor *fine__batchnorm2d(struct fine__tape *t, struct fine__tensor *x,
                                       struct fine__tensor *residual, struct fine__tensor *weight,
                                       struct fine__tensor *bias, const struct fine__norming *how);

/* (N,H,W,C) → (N,H',W',C): the largest of each size x size window; `pad` cells around don't
 * count. */
struct fine__tensor *fine__max_pool2d(struct fine__tape *t, struct fine__tensor *x, int64_t size,
                                      int64_t stride, int64_t pad);
/* (N,H,W,C) → (N,C): the mean of each channel. */
struct fine__tensor *fine__global_pool(struct fine__tape *t, struct fine__tensor *x);
/* x (N,H,W,C), s (N,C) → (N,H,W,C): each channel of each image times its own number. */
struct fine__tensor *fine__scale_channels(struct fine__tape *t, struct fine__tensor *x,
                                          struct fine__tensor *s);
/* (N,H,W,C) → (N,H',W',before + C + after): every stride-th row and column, and channels of
 * zeros on both sides. */
struct fine__tensor *fine__pad_channels(struct fine__tape *t, struct fine__tensor *x,
                                        int64_t stride, int64_t before, int64_t after);
/* any → same: whole rows (first dimension) zeroed with probability p, the others divided by
 * 1 - p. p 0: x itself. */
struct fine__tensor *fine__drop_path(struct fine__tape *t, struct fine__tensor *x, double p);

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

/* x (N,C), weight (O,C), bias (O) or NULL → (N,O): f(x) weight^T + bias. A weight that is adapted
 * (tensor.h) counts with its change, here and in the next two, and in conv2d. */
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

/* x (N,C), weight (V,C), bias (V) or NULL, labels N of [0, V), -1: not counted → (1): the
 * cross_entropy of x weight^T + bias, whose logits are never all in memory. */
struct fine__tensor *fine__linear_cross_entropy(struct fine__tape *t, struct fine__tensor *x,
                                                struct fine__tensor *weight,
                                                struct fine__tensor *bias,
                                                const int32_t *labels);

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

/* The same of absolute differences, and of Huber's: d^2 / 2 up to delta, then a line. */
struct fine__tensor *fine__absolute_error(struct fine__tape *t, struct fine__tensor *x,
                                          const float *values);
struct fine__tensor *fine__huber(struct fine__tape *t, struct fine__tensor *x, const float *values,
                                 double delta);

/* (N,C) → (n,C): the rows of these numbers; none twice. */
struct fine__tensor *fine__pick(struct fine__tape *t, struct fine__tensor *x, int64_t n,
                                const int64_t *rows);
/* (N,C) → (B,C): the mean over each sequence's rows. */
struct fine__tensor *fine__pool_mean(struct fine__tape *t, struct fine__tensor *x, int64_t n_seqs,
                                     const int64_t *offsets);

#endif
