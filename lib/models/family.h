/*
 * family.h — what a model family tells the rest: one table of functions, one file each.
 */
#ifndef FINE__FAMILY_H
#define FINE__FAMILY_H

#include "models/model.h"
#include "ops/ops.h"

struct fine__json;

/* Where forward puts hidden states when they are asked for. */
struct fine__states {
    struct fine__tensor **list;
    int64_t count, capacity;
};

enum fine__reads { FINE__EACH_TOKEN, FINE__FIRST_TOKEN, FINE__LAST_TOKEN, FINE__WHOLE_IMAGE };

/* A head, as head.c builds it: a row for each of the family's classes of transformers. */
struct fine__head {
    uint32_t tasks;                 /* FINE__TASK_BIT of each task that it serves */
    const char *architecture;       /* transformers' class; other schools: any text */
    enum fine__reads reads;
    bool pooler;                    /* the encoder's pooler comes first */
    const char *dense;              /* a layer of the head's own comes first: its name */
    bool drops_input;               /* dropout before that layer, too */
    bool own_activation;            /* after it: this one, not the encoder's */
    enum fine__activation activation;
    const char *norm;               /* then a layer norm: its name */
    const char *out;                /* the output's weight without ".weight"; NULL ends the table */
    const char *bias;               /* the output's bias, in full; NULL: none */
    bool tied;                      /* the output's weight is the word embedding */
};

#define FINE__TASK_BIT(task) (1u << (task))
#define FINE__TEXT_TASKS                                                        \
    (FINE__TASK_BIT(FINE__CLASSIFY) | FINE__TASK_BIT(FINE__MULTILABEL) |        \
     FINE__TASK_BIT(FINE__REGRESS))

enum { FINE__WORDS = 0 };           /* the word embedding is declared first */

struct fine__family {
    const char *name;               /* config.json: model_type */
    const char *prefix;             /* of encoder names in a checkpoint with a head: "bert." */
    const char *bare_architecture;  /* transformers' class without a head; NULL: another school,
                                     * whose names and configuration are kept as they came */
    /* Families of one name are schools of naming: the one whose marker a checkpoint has. */
    const char *marker;             /* a tensor's name without the prefix; NULL: no schools */
    /* Configurations without model_type name an architecture: whether it is one of this
     * school's, and all of them for messages. NULL: none. */
    bool (*is_architecture)(const char *name);
    const char *architectures;
    bool reads_images;
    const struct fine__head *heads; /* the last has no out */
    bool causal;                    /* a token knows only those before it */
    bool has_pooler;                /* model->pooler is declared by build */
    bool across;                    /* weights of layers are stored (C,O) */
    int64_t image_size;             /* of usual pictures; 0: as they come */
    const void *variant;            /* the family file's own */
    /* Tensors of a checkpoint that are no part of the model here: patterns, NULL at the end. */
    const char *const *ignored;
    /* config.json → model->config and the sizes in fine_model. Every finding is added
     * (fine__also); FINE_EFORMAT or FINE_EUNSUPPORTED when there was one. */
    int (*configure)(fine_model *model, const struct fine__json *config, double dropout);
    /* Declares the encoder's parameters, a pooler in the head's stage included. */
    void (*build)(fine_model *model);
    /* The last hidden state (N,C); of images (N,H,W,C), or (N,C) where it is pooled already. */
    struct fine__tensor *(*encode)(const fine_model *model, struct fine__tape *t,
                                   const struct fine__batch *batch, bool train,
                                   struct fine__states *states);
};

extern const struct fine__family fine__family_bert, fine__family_roberta,
    fine__family_distilbert, fine__family_gpt2, fine__family_resnet, fine__family_resnet_plain,
    fine__family_resnet_cifar, fine__family_efficientnet, fine__family_efficientnet_timm,
    fine__family_efficientnet_torchvision, fine__family_efficientnet_pytorch;

/* A family by its name, or NULL; names of all, for messages. */
const struct fine__family *fine__family_find(const char *name);
const char *fine__family_names(void);
/* The school that has this architecture, or NULL; adds the names of all to a text. */
const struct fine__family *fine__family_by_architecture(const char *name);
void fine__family_architectures(struct fine__buf *out);
/* The i-th family, NULL after the last. */
const struct fine__family *fine__family_at(int64_t i);

/* Declares a parameter of a stage; returns its index (-1: memory is out, seen later). */
int64_t fine__declare(fine_model *model, int32_t stage, double init_std, int n_dims,
                      int64_t rows, int64_t columns, const char *name);
/* A convolution's weight (out, in, height, width), drawn as He et al. do. */
int64_t fine__declare_conv(fine_model *model, int32_t stage, int64_t out, int64_t in,
                           int64_t height, int64_t width, const char *name);
/* NAME.weight, NAME.bias and the running statistics of a batch norm; returns its number. */
int64_t fine__declare_batch_norm(fine_model *model, int32_t stage, int64_t channels, double eps,
                                 double momentum, const char *name);
/* NAME.weight and NAME.bias of a layer norm, as wide as the encoder. */
void fine__declare_norm(fine_model *model, int32_t stage, const char *name);

/* Glob with * and ? against the n bytes of a pattern. */
bool fine__matches(const char *pattern, int64_t n, const char *name);

/* ---- heads ---- */

/* The head of a task, NULL where the family has none for it. */
const struct fine__head *fine__head_find(const struct fine__family *family, enum fine__task task,
                                         enum fine__pool_kind pool);
void fine__head_build(fine_model *model, const struct fine__head *head, int64_t n_outputs);
/* Logits (B,O), or (N,O) for a task whose kind is per token. */
struct fine__tensor *fine__head_apply(const fine_model *model, struct fine__tape *t,
                                      struct fine__tensor *x, const struct fine__batch *batch,
                                      bool train);
/* The sum of the cross entropies of x (N,C), tokens that all have a label, without their logits:
 * for heads that read each token and have a whole vocabulary for their output. */
struct fine__tensor *fine__head_loss(const fine_model *model, struct fine__tape *t,
                                     struct fine__tensor *x, const int32_t *labels, bool train);

/* ---- while going forward ---- */

static inline struct fine__tensor *
fine__weight_of(const fine_model *model, int64_t i)
{
    return &model->params.list[i].tensor;
}

/* The images of a batch (N,H,W,C). */
struct fine__tensor *fine__images(const fine_model *model, struct fine__tape *t,
                                  const struct fine__batch *batch);
/* A batch norm by its number: f(norm(x) + residual); residual may be NULL. */
struct fine__tensor *fine__batch_norm(const fine_model *model, struct fine__tape *t,
                                      const struct fine__batch *batch, int64_t norm,
                                      struct fine__tensor *x, struct fine__tensor *residual,
                                      enum fine__activation f);

static inline void
fine__keep_state(struct fine__states *states, struct fine__tensor *x)
{
    if (states != NULL && states->count < states->capacity)
        states->list[states->count++] = x;
}

/* ---- config.json: what families have in common ---- */

struct fine__config_size {
    const char *key;                /* NULL: out keeps what it has */
    int64_t least, most, fallback, *out;
};

/* Each adds its findings; 0, FINE_EFORMAT or FINE_EUNSUPPORTED. */
int fine__config_sizes(const struct fine__json *config, const struct fine__config_size *sizes,
                       int64_t n);
int fine__config_real(const struct fine__json *config, const char *key, double least, double most,
                      double fallback, double *out);
/* A list of 1 to `most_items` numbers; absent: out keeps what it has. */
int fine__config_list(const struct fine__json *config, const char *key, int64_t least,
                      int64_t most, int64_t most_items, int64_t *out, int64_t *n_out);
/* A probability; `instead` where that isn't negative. */
int fine__config_dropout(const struct fine__json *config, const char *key, double fallback,
                         double instead, double *out);
int fine__config_activation(const struct fine__json *config, const char *key,
                            const char *fallback, enum fine__activation *out);
/* Flags that would change the mathematics where they are true. */
int fine__config_refuse(const struct fine__json *config, const char *const *flags, int64_t n,
                        const char *why);
/* model->width and heads belong together; their keys are for the message. */
int fine__config_heads(const fine_model *model, int64_t heads, const char *width_key,
                       const char *heads_key);
/* model->padding_id: absent: fallback; null: -1. */
int fine__config_padding(fine_model *model, const struct fine__json *config, int64_t fallback);
/* model->untied, from tie_word_embeddings. */
void fine__config_tying(fine_model *model, const struct fine__json *config);

#endif
