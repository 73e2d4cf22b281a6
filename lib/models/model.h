/*
 * model.h — a model: its family, its parameters, its task; and running it.
 *
 * A model is opened, given a task and frozen in one thread. Predicting reads it only, so
 * runners in several threads share it. Training has exclusive use.
 */
#ifndef FINE__MODEL_H
#define FINE__MODEL_H

#include "base/source.h"
#include "image/image.h"
#include "models/batch.h"
#include "models/norms.h"
#include "nn/param.h"
#include "ops/ops.h"
#include <finetune/model.h>

struct fine__adapter;
struct fine__family;
struct fine__head;
struct fine__tape;

enum { FINE__STAGE_NAME = 16 };         /* bytes a stage's name has, its end included */
enum fine__task {
    FINE__TASK_NONE, FINE__CLASSIFY, FINE__REGRESS, FINE__MULTILABEL, FINE__TAG, FINE__ANSWER,
    FINE__FILL_MASK, FINE__LANGUAGE_MODEL, FINE__CLASSIFY_IMAGE, FINE__N_TASKS
};
/* tag: what a word is: as in the data that are read, between blanks, or the tokenizer's. */
enum fine__words { FINE__WORDS_OF_DATA, FINE__WORDS_BLANKS, FINE__WORDS_TOKENIZER };
enum fine__pool_kind { FINE__POOL_POOLER, FINE__POOL_CLS, FINE__POOL_MEAN };

/* What the model was trained on, as kept in finetune.json. All may be NULL. */
struct fine__preparation {
    char *text, *text_pair, *label, *group, *separator, *quote, *encoding, *format, *documents;
    char *label_separator, *scheme, *offsets;
    char **columns, **label_columns;
    int64_t n_columns, n_label_columns;
    int32_t header;
};

/* The task answer: how a question is put, and an answer picked. */
struct fine__answering {
    bool windows;                       /* a long context is read in windows; else it is cut */
    int64_t stride;                     /* ids that neighbouring windows share */
    int64_t max_answer;                 /* the most ids that an answer may have */
    bool no_answer;                     /* a question may have none … */
    double null_threshold;              /* … which must be likelier than the best by this much */
};

struct fine_model {
    atomic_int references, sessions;    /* sessions: runners that predict now */
    atomic_bool training;               /* a trainer holds it */
    fine_context *ctx;
    const struct fine__family *family;
    void *config;                       /* the family's */
    struct fine__params params;
    struct fine__norms norms;           /* batch norms, in the order of their stages */
    bool by_batch;                      /* by hand: batch norms go by the batch, as in training */
    int64_t head_from;                  /* index of the first parameter of the head */
    char *stage_names;                  /* n_layers + 2 of FINE__STAGE_NAME bytes */
    bool *stage_trains;                 /* n_layers + 2: something of the stage is trained */
    const struct fine__head *head;      /* of the task; NULL without one */
    int64_t pooler;                     /* index of its weight, where the family has one */
    int64_t width;                      /* of the hidden state */
    int64_t padding_id, end_id;         /* -1: no id is that */
    double eps, init_std;               /* of layer norms; of new weights */
    enum fine__activation activation;   /* inside the encoder's layers */
    bool untied;                        /* an output has a weight of its own */
    double head_dropout[FINE__N_TASKS];
    bool has_pooler;                    /* read from the checkpoint, or drawn for the task */
    int64_t n_layers, vocab_size, max_positions, max_length, embed_max_length;
    int64_t type_vocab_size;
    int64_t n_channels;                 /* of images; 0: it reads text */
    int64_t image_size;                 /* that the architecture was made for; 0: as pictures come */
    struct fine__preparing preparing;   /* of pictures, where it reads them */
    int64_t n_states;                   /* hidden states there can be; 0: one more than layers */
    enum fine__task task;
    enum fine__pool_kind pool;
    bool overlong_is_error;
    double mask_rate;                   /* fill-mask */
    bool whole_words;
    enum fine__words words;             /* tag */
    bool label_all_pieces;              /* tag: not a word's first piece alone */
    struct fine__answering answering;
    char **labels;
    int64_t n_labels;
    char *freeze_spec;
    char *prefix;                       /* of encoder names in the checkpoint: "bert." or "" */
    const char *wrapper;                /* of all names, and part of prefix: "module." or "" */
    char fingerprint[33];
    struct fine__buf config_text;       /* config.json as opened */
    struct fine__buf preprocessor;      /* preprocessor_config.json as opened; empty: none */
    struct fine__buf card;              /* README.md to save; empty: a short one is written */
    struct fine__adapter *adapter;      /* low-rank changes; NULL: none */
    char *base_name;                    /* the folder opened from, for the card */
    char base_fingerprint[33];          /* of the weights that fine-tuning started from */
    fine_tokenizer *tokenizer;          /* NULL where the folder has none */
    struct fine__runner *by_hand;       /* for batches from memory; made at the first */
    struct fine__preparation preparation;
};

fine_model *fine__model_ref(fine_model *model);
void fine__model_unref(fine_model *model);
/* Opening a folder or memory, its tokenizer included where there is one. */
int fine__model_open(fine_model **out, fine_context *ctx, const struct fine__source *source,
                     const struct fine_model_options *options);
int fine__model_set_task(fine_model *model, const struct fine_task_options *options);
int fine__model_freeze(fine_model *model, const char *spec);
/* What is trained follows from what is frozen and from the pooling. */
void fine__model_update_trained(fine_model *model);
/* Weights of more than max_shard_bytes in several files. */
int fine__model_save(fine_model *model, const char *folder, int64_t max_shard_bytes);

void fine__preparation_free(fine_context *ctx, struct fine__preparation *preparation);
int fine__model_set_labels(fine_model *model, const char *const *names, int64_t n);
int fine__model_name_labels(fine_model *model, const struct fine_task_options *options);
const char *fine__model_family(const fine_model *model);
const char *fine__words_name(enum fine__words words);           /* NULL: those of the data */
bool fine__words_find(const char *name, enum fine__words *out);
const char *fine__pool_name(enum fine__pool_kind pool);
bool fine__pool_find(const char *name, enum fine__pool_kind *out);
const char *fine__task_name(enum fine__task task);              /* "" for none */
bool fine__task_find(const char *name, enum fine__task *out);
/* Outputs of a task's head, and of the head that is there. */
int64_t fine__task_n_outputs(const fine_model *model, enum fine__task task, int64_t n_labels);
int64_t fine__model_n_outputs(const fine_model *model);

/* Raw tensors through the model in evaluation mode (fine_model_forward and _backward). */
int fine__model_forward(fine_model *model, const fine_tensors *inputs, int32_t flags, fine_tensors **out);
int fine__model_backward(fine_model *model, const fine_tensors *inputs, double weight, double *loss_out);

/* ---- running ---- */

/* A tape and its memory; one thread at a time. The model must outlive it. */
struct fine__runner;

int fine__runner_new(struct fine__runner **out, fine_model *model);
void fine__runner_free(struct fine__runner *runner);

struct fine__run {
    const struct fine__batch *batch;
    bool train;                         /* dropout in unfrozen stages; by_batch too */
    bool by_batch;                      /* batch norms that are trained go by the batch */
    bool backward;                      /* adds loss_weight * d(sum of row losses) to the gradients */
    bool loss_only;                     /* logits aren't kept: nobody looks at them */
    const int64_t *rows;                /* tasks per token: logits of these n_rows tokens alone, none
                                         * twice; NULL: of all */
    int64_t n_rows;
    bool hidden_states;                 /* keep them */
    bool embed;                         /* the pooled last hidden state instead of logits */
    enum fine__pool_kind embed_pool;
    double loss_weight;                 /* usually 1 / targets of the whole step */
    uint64_t dropout_key;               /* fine__rng_key(seed, FINE__RNG_DROPOUT, step, micro-batch) */
    /* results; they live in the runner until its next run */
    double loss_sum;                    /* over targets that count */
    int64_t n_labelled;
    const fine__real *logits;           /* n_seqs, or n_tokens or n_rows, x n_logits */
    int64_t n_logits;
    const fine__real *embedding;        /* n_seqs x width */
    int64_t width;
    const fine__real **states;          /* n_states of n_tokens x width, or of images */
    const int64_t (*state_shapes)[FINE__MAX_DIMS];
    int64_t n_states;
};

/* FINE_EDATA: an id, type or label out of range, or a sequence too long; FINE_ENUMERIC: the
 * loss is not finite; FINE_ENOMEM. On error gradients may hold part of the batch: zero them. */
int fine__runner_run(struct fine__runner *runner, struct fine__run *run);
/* Runs by the batch move a copy of the running statistics, from run to run. This puts it into
 * the model, once a step has succeeded, or forgets it. A run that fails forgets it, too. */
void fine__runner_commit(struct fine__runner *runner);
void fine__runner_discard(struct fine__runner *runner);
/* Bytes of the step arena at its high-water mark. */
size_t fine__runner_peak_bytes(const struct fine__runner *runner);

#endif
