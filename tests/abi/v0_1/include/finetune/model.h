/*
 * model.h — a pre-trained model: open, look at, set a task, freeze, take
 * gradients, save; and sessions that predict with it.
 */
#ifndef FINETUNE_MODEL_H
#define FINETUNE_MODEL_H

#include <finetune/dataset.h>
#include <finetune/report.h>
#include <finetune/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_model fine_model;
typedef struct fine_session fine_session;

/* Low-rank changes of weights that stay themselves (LoRA, Hu et al., arXiv 2106.09685). */
struct fine_adapter_options {
    size_t struct_size;
    int64_t rank;               /* 8 */
    double alpha;               /* 16; changes count alpha / rank times */
    double dropout;             /* 0: before the change, in training */
    const char *const *targets; /* last parts of layers' names, as PEFT has them: "query", "value";
                                 * or "all-linear" alone: every linear layer of the encoder */
    int64_t n_targets;
    int32_t rank_stabilised;    /* 1: alpha / sqrt(rank) (arXiv 2312.03732) */
    int32_t reserved;
};
/** Fills in the defaults; targets are needed. @since 0.1 */
FINE_API void fine_adapter_options_init(struct fine_adapter_options *options, size_t size);

struct fine_model_options {
    size_t struct_size;
    int64_t seed;               /* for weights that the files lack; default 0 */
    int32_t random_weights;     /* 1: all weights are drawn, whatever is there; config.json is enough */
    int32_t reserved;           /* 0 */
    double dropout;             /* in place of all of the configuration's; -1 (default): as configured */
    const char *architecture;   /* of weights without a config.json: "resnet50", "cifar-resnet20", …;
                                 * NULL (default): config.json says what the model is */
    const struct fine_adapter_options *adapter; /* a new adapter; NULL (default): none, or the one
                                                 * that lies in the folder */
};

/** Fills in the defaults. @since 0.1 */
FINE_API void fine_model_options_init(struct fine_model_options *options, size_t size);

/**
 * Opens a model folder, or an adapter's (PEFT's adapter_config.json and
 * adapter_model.safetensors, beside the weights they change or naming their folder).
 * A model folder holds config.json, model.safetensors or else pytorch_model.bin (or the
 * index and shards of either; no pickle is run), the tokenizer's files where there are any,
 * finetune.json where this library wrote it.
 * Image models come under transformers', timm's and torchvision's names, with their
 * config.json or, without one, with options->architecture; then path may also be the file
 * of weights itself (weights.pth), of whose folder nothing else is read.
 *
 * @return FINE_OK; FINE_EINVAL: also an architecture beside a config.json; FINE_EIO; FINE_EFORMAT: a malformed file;
 *         FINE_ESHAPE: weights missing, left over or of the wrong shape, every one of
 *         them a finding; FINE_EUNSUPPORTED: a family or a setting this build does not
 *         know; FINE_ENOMEM: also when the memory limit is too low, before reading weights
 * @since 0.1
 */
FINE_API int fine_model_open(fine_model **out, fine_context *context, const char *path,
                             const struct fine_model_options *options);

struct fine_memory_file {
    const char *name;           /* as in a folder: "config.json" */
    const void *bytes;
    int64_t n_bytes;
};

/** The same from files in memory; the bytes may go after the call. Errors as above. @since 0.1 */
FINE_API int fine_model_open_memory(fine_model **out, fine_context *context,
                                    const struct fine_memory_file *files, int64_t n_files,
                                    const struct fine_model_options *options);

/** NULL is fine; sessions and trainers keep what they use. @since 0.1 */
FINE_API void fine_model_free(fine_model *model);

struct fine_task_options {
    size_t struct_size;
    const char *type;                  /* "classify", "multilabel", "regress", "tag", "answer",
                                        * "fill-mask", "language-model", "classify-image" */
    const char *pool;                  /* "pooler" (default), "cls", "mean"; images: leave it */
    const char *const *labels;         /* all that classify, and multilabel and tag: in order; NULL: "LABEL_0" … */
    int64_t n_labels;                  /* theirs: at least 2 (multilabel: 1); else 0 */
    int64_t max_length;                /* ids a text; 0: the model's own limit (answer: 384 at
                                        * most); above the limit is an error */
    int64_t seed;                      /* for the new head */
    const char *overlong;              /* "truncate" (default) or "error"; answer: "window"
                                        * (default) too: long contexts are read in windows */
    double mask_rate;                  /* fill-mask: share of the tokens to guess; 0: 0.15 */
    int32_t whole_words;               /* fill-mask: 1: all tokens of a word, or none */
    int32_t no_answer;                 /* answer: 1: a question may have none */
    const char *words;                 /* tag: what has one tag: "blanks": what lies between blanks;
                                        * "tokenizer": what it cuts at punctuation too; default:
                                        * as in the training data, blanks for CoNLL files */
    const char *label_pieces;          /* tag: "first" (default): a word's first piece alone is
                                        * learnt; "all" */
    int64_t stride;                    /* answer: ids that neighbouring windows share; 0: a third
                                        * of max_length; at most half of it */
    int64_t max_answer_length;         /* answer: ids it may have at most; 0: 30 */
    double null_threshold;             /* answer: none is the answer where it scores better than
                                        * the best place by more than this; default 0 */
};

/** Fills in the defaults. @since 0.1 */
FINE_API void fine_task_options_init(struct fine_task_options *options, size_t size);

/**
 * Gives the model a task, and a new head drawn from the seed where the head it has
 * does not serve (another number of labels or pooling). Keeps a head that fits.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EUNSUPPORTED: not a task of this family;
 *         FINE_ESTATE: a session or trainer uses the model; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_model_set_task(fine_model *model, const struct fine_task_options *options);

/**
 * Says what shall not be trained: "none"; "all" (everything but the head);
 * "embeddings..3" (stages 0 to 3; also "2" or "1..4"; of image models also "stem"); or patterns with * and ?
 * separated by commas ("*.attention.*,embeddings.*"). Replaces what was frozen before.
 * A frozen stage runs in evaluation mode: without dropout, and its batch normalisation by
 * the running statistics, which stay as they are.
 *
 * @return FINE_OK; FINE_EINVAL: cannot be read, freezes the head, matches nothing, or
 *         names a stage that is not there; FINE_ESTATE
 * @since 0.1
 */
FINE_API int fine_model_freeze(fine_model *model, const char *spec);

/**
 * Folds the model's adapter into the weights that it changes; then it is an ordinary model
 * with the same outputs, but for rounding.
 *
 * @return FINE_OK; FINE_EINVAL: model is NULL; FINE_ESTATE: it has no adapter, or a session
 *         or trainer uses it; FINE_ENOMEM: nothing has changed
 * @since 0.1
 */
FINE_API int fine_model_merge_adapter(fine_model *model);
/** 1: the model has an adapter; 0: it hasn't. @return those, or FINE_EINVAL @since 0.1 */
FINE_API int fine_model_has_adapter(const fine_model *model);

/**
 * Writes a model folder that Hugging Face's tools read (what each pooling means for
 * them: docs/model-folder.md); with an adapter PEFT's folder instead, which names the base
 * and holds the head. All files are written aside first, in a hidden folder within this one;
 * until they are complete, a folder that is there stays as it is. Then they are renamed, the
 * weights last. Weights of more than 5 GB are cut into shards, as fine_model_save_sharded()
 * does.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EIO; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_model_save(fine_model *model, const char *folder);

/**
 * The same with a limit of your own: tensors of more than max_shard_bytes in all go into
 * several files, model-00001-of-0000N.safetensors …, with model.safetensors.index.json beside
 * them. A tensor that is larger alone has a file of its own. Shards of older weights are
 * removed once the new index is in place.
 *
 * @return FINE_OK; FINE_EINVAL: also a limit below 1, or one that makes more than 1024 files;
 *         FINE_EIO; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_model_save_sharded(fine_model *model, const char *folder,
                                     int64_t max_shard_bytes);

struct fine_param_info {
    size_t struct_size;         /* set by the caller */
    const char *name;           /* as in the checkpoint; borrowed */
    const int64_t *shape;       /* n_dims numbers; borrowed */
    int64_t n_dims, count;      /* count: elements */
    int32_t stage;              /* 0 embeddings or stem, 1 … n layers, n + 1 head */
    int32_t frozen;
};

/** The family's name: "bert", "roberta", "distilbert", "gpt2", "resnet", "efficientnet". Borrowed. @since 0.1 */
FINE_API const char *fine_model_family(const fine_model *model);
/** The task's type, or "" while none is set. Borrowed. @since 0.1 */
FINE_API const char *fine_model_task(const fine_model *model);
/** "pooler", "cls" or "mean". Borrowed. @since 0.1 */
FINE_API const char *fine_model_pool(const fine_model *model);
/** Number of parameters (tensors). @since 0.1 */
FINE_API int64_t fine_model_n_params(const fine_model *model);
/** The i-th parameter. @return FINE_OK, FINE_EINVAL @since 0.1 */
FINE_API int fine_model_param(const fine_model *model, int64_t i, struct fine_param_info *out);
/** Number of stages: embeddings, layers, head. @since 0.1 */
FINE_API int64_t fine_model_n_stages(const fine_model *model);
/** The stage's name: "embeddings" (of images "stem"), "1", …, "head". Borrowed; NULL out of range. @since 0.1 */
FINE_API const char *fine_model_stage_name(const fine_model *model, int64_t stage);
/** Number of labels, 0 for a task without. @since 0.1 */
FINE_API int64_t fine_model_n_labels(const fine_model *model);
/** A label's name. Borrowed; NULL out of range. @since 0.1 */
FINE_API const char *fine_model_label(const fine_model *model, int64_t i);
/** The most ids a text may have; 0: it reads images. @since 0.1 */
FINE_API int64_t fine_model_max_length(const fine_model *model);
/** The vocabulary's size; 0: it reads images. @since 0.1 */
FINE_API int64_t fine_model_vocab_size(const fine_model *model);
/** XXH3-128 of the weights as opened, 32 hexadecimal digits. Borrowed. @since 0.1 */
FINE_API const char *fine_model_fingerprint(const fine_model *model);
/** The columns and text preparation used in training, as kept in finetune.json:
 *  fills what it knows, strings borrowed from the model. @return FINE_OK, FINE_EINVAL @since 0.1 */
FINE_API int fine_model_dataset_options(const fine_model *model, struct fine_dataset_options *out);

/* ---- by hand: batches from memory, gradients, one's own loop ---- */

/**
 * Whether, from now on, fine_model_forward() and fine_model_backward() normalise by the
 * batch's own statistics wherever a batch normalisation is trained, and move its running
 * ones, as PyTorch's train mode does. Dropout stays off. Off at first; a model without batch
 * normalisation is the same either way. Trainers and sessions know by themselves.
 *
 * @return FINE_OK; FINE_EINVAL: model is NULL; FINE_ESTATE: a session or trainer uses it
 * @since 0.1
 */
FINE_API int fine_model_set_batch_statistics(fine_model *model, int32_t on);

enum {
    FINE_HIDDEN_STATES = 1,     /* hidden_states.N in the outputs */
    FINE_PARAM_GRADIENTS = 2    /* grad.NAME in the outputs */
};

/**
 * Runs raw tensors through the model in evaluation mode (see
 * fine_model_set_batch_statistics() for the other).
 *
 * @param inputs of image models pixel_values (B,C,H,W) F32, normalised, and optional labels
 *               (B) I64; else input_ids and attention_mask (B,T) I64, padded on the right only;
 *               optional token_type_ids (B,T) I64; optional labels: (B) I64, regress (B)
 *               F32, multilabel (B, labels) F32, tag, fill-mask and language-model (B,T)
 *               I64 (-100: not counted; a language model's shift by one), answer
 *               start_positions and end_positions (B) I64 (beyond the row: not counted)
 * @param out    receives logits (answer: start_logits, end_logits), loss (when labels are given), hidden_states.N and
 *               grad.NAME as asked for; padded positions hold zero. hidden_states.N of images
 *               are (B,C,H,W); by batch statistics there is after.NAME for every running
 *               statistic. Yours to free.
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: inputs of the wrong type, shape or range;
 *         FINE_ESTATE: gradients asked for without labels; FINE_ENUMERIC; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_model_forward(fine_model *model, const fine_tensors *inputs, int32_t flags,
                                fine_tensors **out);

/**
 * Adds weight times the gradient of the batch's mean loss to the model's gradients.
 * No dropout; batch normalisation as fine_model_set_batch_statistics() says.
 *
 * @param loss_out receives the mean loss, unweighted; may be NULL
 * @return as fine_model_forward()
 * @since 0.1
 */
FINE_API int fine_model_backward(fine_model *model, const fine_tensors *inputs, double weight,
                                 double *loss_out);

/** Sets the gradients to zero. @return FINE_OK, FINE_EINVAL @since 0.1 */
FINE_API int fine_model_zero_gradients(fine_model *model);

/**
 * The global 2-norm of the gradients; where it is above max_norm they are scaled down
 * to it (max_norm / (norm + 1e-6), as PyTorch does). max_norm 0 only measures.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_ENUMERIC: the norm is not finite (nothing scaled)
 * @since 0.1
 */
FINE_API int fine_model_clip_gradients(fine_model *model, double max_norm, double *norm_out);

/** A parameter's values, or a batch normalisation's running mean or variance. Borrowed, (count) float; valid until the model changes.
 *  @return FINE_OK, FINE_EINVAL (also: no such name) @since 0.1 */
FINE_API int fine_model_values(const fine_model *model, const char *name, const float **out,
                               int64_t *count_out);
/** A parameter's gradient, as above; FINE_ESTATE: it has none. @since 0.1 */
FINE_API int fine_model_gradient(const fine_model *model, const char *name, const float **out,
                                 int64_t *count_out);
/** Overwrites a parameter's values, or running statistics. @return FINE_OK, FINE_EINVAL, FINE_ESTATE: a session reads it @since 0.1 */
FINE_API int fine_model_set_values(fine_model *model, const char *name, const float *values,
                                   int64_t count);

/* ---- predicting ---- */

/**
 * Makes a session: predictions in one thread at a time. Several sessions of one model
 * share its weights. While one exists the model cannot be trained.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_ESTATE: a trainer holds the model; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_session_new(fine_session **out, fine_model *model);
/** NULL is fine. @since 0.1 */
FINE_API void fine_session_free(fine_session *session);

/**
 * Predicts for n texts; with n 0 it only checks that it could.
 *
 * @param texts n NUL-terminated UTF-8 strings, of image models the paths of pictures (JPEG,
 *              PNG); may be NULL where n is 0
 * @param pairs n second texts, or NULL
 * @return FINE_OK; FINE_EINVAL; FINE_ESTATE: no task, or the model has no tokenizer;
 *         FINE_EUNSUPPORTED: a task without a prediction for a text;
 *         FINE_EDATA: a text longer than max_length where overlong is "error";
 *         FINE_ENUMERIC; FINE_ENOMEM. On error earlier results stay.
 * @since 0.1
 */
FINE_API int fine_session_predict(fine_session *session, const char *const *texts,
                                  const char *const *pairs, int64_t n);
/** The likeliest label of text i of the last predict(); multilabel: the likeliest, however
 *  unlikely: a text has those whose probability is above 0.5. -1 without one. @since 0.1 */
FINE_API int64_t fine_session_label(const fine_session *session, int64_t i);
/** Probabilities of text i, one a label, in the order of fine_model_label(); multilabel: each is
 *  on its own, and they don't add up to 1. Borrowed. @since 0.1 */
FINE_API const float *fine_session_scores(const fine_session *session, int64_t i);
/** Regression: the value of text i; NaN without one. @since 0.1 */
FINE_API double fine_session_value(const fine_session *session, int64_t i);
struct fine_span_info {
    size_t struct_size;         /* set by the caller */
    int64_t start, end;         /* bytes, half-open: tag: in the text; answer: in the pair */
    int64_t label;              /* tag: fine_model_label()'s number, that of B-NAME; answer: -1 */
    double score;               /* tag: mean probability of its words' tags; answer: of all
                                 * answers, or of none */
    const char *name;           /* tag: the label without its B-; answer: NULL. Borrowed */
};

/** How many places were found in text i: tag: those that have a label, in order; answer: the
 *  likeliest first (start and end 0: there is no answer). 0 for other tasks. @since 0.1 */
FINE_API int64_t fine_session_n_spans(const fine_session *session, int64_t i);
/** Place j of text i. @return FINE_OK; FINE_EINVAL: out is NULL or of the wrong size, or there
 *  is no such place @since 0.1 */
FINE_API int fine_session_span(const fine_session *session, int64_t i, int64_t j,
                               struct fine_span_info *out);
/** How many ids were cut off text i. @since 0.1 */
FINE_API int64_t fine_session_truncated(const fine_session *session, int64_t i);

struct fine_fill_info {
    size_t struct_size;         /* set by the caller */
    const char *token;          /* its text; borrowed until the next predict() */
    int64_t id;
    double score;               /* probability */
};

/** fill-mask: how many masks ([MASK] or <mask>) text i has. 0 for other tasks. @since 0.1 */
FINE_API int64_t fine_session_n_masks(const fine_session *session, int64_t i);
/** How many candidates there are for a mask of text i. @since 0.1 */
FINE_API int64_t fine_session_n_fills(const fine_session *session, int64_t i, int64_t mask);
/** Candidate j for a mask of text i, the likeliest first. @return FINE_OK; FINE_EINVAL: out is NULL
 *  or of the wrong size, or there is no such candidate @since 0.1 */
FINE_API int fine_session_fill(const fine_session *session, int64_t i, int64_t mask, int64_t j,
                               struct fine_fill_info *out);

/**
 * Told of each new token.
 *
 * @param prompt which of the prompts
 * @param text   what has become certain of its text since the last call; may be ""
 * @return not 0: this prompt's text ends here
 */
typedef int (*fine_token_callback)(int64_t prompt, int32_t id, const char *text, void *user);

struct fine_generate_options {
    size_t struct_size;
    int64_t max_tokens;         /* new tokens of a text; default 64 */
    double temperature;         /* 0 (default): the likeliest token, the first of equals */
    int64_t top_k;              /* draw from the k likeliest; 0 (default): from all */
    double top_p;               /* draw from the likeliest that together have this probability;
                                 * 1 (default): from all */
    int64_t seed;
    int64_t first;              /* the first prompt's number, where they come in several calls */
    int32_t ignore_end;         /* 1: goes on after the end-of-text token, which is then one like any other */
    int32_t reserved;
    fine_token_callback on_token;   /* NULL: nobody is told. It must not use the session. */
    void *on_token_user;
};

/** Fills in the defaults. @since 0.1 */
FINE_API void fine_generate_options_init(struct fine_generate_options *options, size_t size);

/** Why a text ended: enough tokens, the end-of-text token, the model's longest, the callback. */
enum { FINE_ENDED_ENOUGH = 1, FINE_ENDED_TEXT, FINE_ENDED_FULL, FINE_ENDED_STOPPED };

/**
 * Goes on with each of n prompts. The same seed gives the same texts, whatever the number of
 * threads; a prompt's text depends on its number, not on the other prompts.
 *
 * @param prompts n NUL-terminated UTF-8 strings; may be NULL where n is 0. An empty one begins
 *                after the end-of-text token.
 * @param options NULL for the defaults
 * @return FINE_OK; FINE_EINVAL; FINE_ESTATE: no task, or no tokenizer; FINE_EUNSUPPORTED: another
 *         task than language-model; FINE_EDATA: a prompt with more ids than the model takes, or
 *         an empty one where there is no end-of-text token; FINE_ENUMERIC; FINE_EABI; FINE_EBUSY;
 *         FINE_ENOMEM. On error earlier results stay.
 * @since 0.1
 */
FINE_API int fine_session_generate(fine_session *session, const char *const *prompts, int64_t n,
                                   const struct fine_generate_options *options);
/** What was generated after prompt i, without the prompt. Borrowed until the next generate(); NULL
 *  out of range. @since 0.1 */
FINE_API const char *fine_session_generated(const fine_session *session, int64_t i);
/** Its ids, *count_out of them. Borrowed; NULL out of range. @since 0.1 */
FINE_API const int32_t *fine_session_generated_ids(const fine_session *session, int64_t i,
                                                   int64_t *count_out);
/** Why it ended: FINE_ENDED_…; 0 out of range. @since 0.1 */
FINE_API int32_t fine_session_generated_ending(const fine_session *session, int64_t i);

struct fine_embed_options {
    size_t struct_size;
    const char *pool;           /* "mean" (default), "cls" */
    int64_t max_length;         /* 0: sentence_bert_config.json's, else the model's */
    int32_t normalize;          /* 1: to length one */
    int32_t reserved;
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_embed_options_init(struct fine_embed_options *options, size_t size);
/** Vectors of n texts from the last hidden state. Errors as predict(), no task needed. @since 0.1 */
FINE_API int fine_session_embed(fine_session *session, const char *const *texts, int64_t n,
                                const struct fine_embed_options *options);
/** The vector of text i of the last embed(), *count_out numbers. Borrowed; NULL out of range. @since 0.1 */
FINE_API const float *fine_session_embedding(const fine_session *session, int64_t i,
                                             int64_t *count_out);

/**
 * Scores the model on labelled rows. The report holds n, loss, metrics, groups.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: no labels, unknown labels, no rows;
 *         FINE_ESTATE: no task; FINE_ENUMERIC; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_session_evaluate(fine_session *session, const fine_dataset *dataset,
                                   fine_report **out);

#ifdef __cplusplus
}
#endif
#endif
