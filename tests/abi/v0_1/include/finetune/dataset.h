/*
 * dataset.h — examples: from a file, from memory, or as ready-made arrays.
 *
 * A dataset is rows of text (one or a pair) with a label or a number. It is read
 * whole and checked whole when opened; every finding names file, line and what to
 * do. After opening it is immutable, except one made by fine_dataset_new(), to
 * which rows can be added until it is first used.
 */
#ifndef FINETUNE_DATASET_H
#define FINETUNE_DATASET_H

#include <finetune/tensors.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_dataset fine_dataset;

/* NULL and 0 mean the default that is named. Strings are copied. */
struct fine_dataset_options {
    size_t struct_size;
    const char *text;              /* column names; default "text" (answer: "question") */
    const char *text_pair;         /* default: none (answer: "context") */
    const char *label;             /* default "label" (answer: "answers", spans of tag: "spans"); a
                                    * file without such a column has no labels */
    const char *group;             /* column for per-group metrics; default: none */
    const char *split_by;          /* rows of one value stay on one side of a split; answer:
                                    * those of one context do by default */
    const char *separator;         /* one character, "\t"; " " reads LABEL text. Default by the file's name */
    const char *quote;             /* "rfc4180" or "none"; default none for .tsv, "\t" and " ", else rfc4180 */
    const char *encoding;          /* "utf-8" (default), "latin-1", "cp1252" */
    const char *on_bad_row;        /* "error" (default), "skip" */
    const char *format;            /* "csv", "tsv", "jsonl", "squad", "txt", "conll"; default by the
                                    * file's name */
    const char *const *columns;    /* header: [names], and the first row is data; default: read from it */
    int64_t n_columns;
    const char *const *labels;     /* allowed labels in the order of their indices; default: found and sorted */
    int64_t n_labels;
    const char *task;              /* what the rows are for, as in fine_task_options.type: decides
                                    * what a row holds; NULL: "classify", or "regress" with
                                    * label_is_number */
    const char *label_separator;   /* multilabel: between the labels in one column; default "|" */
    const char *const *label_columns; /* multilabel: columns of 0 and 1, each a label; default: none */
    int64_t n_label_columns;
    int32_t header;                /* 1: first row names the columns (default), 0: it is data; names
                                      are then needed, and where there are any this isn't looked at */
    int32_t label_is_number;       /* 1: labels are real numbers (regression) */
    int32_t require_label;         /* 1 (default): a row or file without a label is an error */
    const char *documents;         /* of a .txt: "blank-lines" (default): a document is what stands
                                    * between blank lines; "file": all of it; "lines": each line */
    const char *scheme;            /* tag: "auto" (default), "iob1", "iob2", "bioes", "bilou" */
    const char *offsets;           /* tag, spans in JSON lines: "bytes" (default), "chars" */
};

/** Fills in the defaults. @since 0.1 */
FINE_API void fine_dataset_options_init(struct fine_dataset_options *options, size_t size);

/**
 * Reads a table: .csv, .tsv or .jsonl (one object a line); for the task "answer" also SQuAD's
 * .json, for fill-mask and language-model plain text, .txt. docs/data.md says how.
 *
 * @param options NULL for the defaults
 * @return FINE_OK; FINE_EINVAL; FINE_EIO; FINE_EDATA: malformed rows, missing
 *         columns, bad labels: all of them (the first hundred) as findings with
 *         line numbers; FINE_EABI; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_dataset_open(fine_dataset **out, fine_context *context, const char *path,
                               const struct fine_dataset_options *options);

/** An empty set for rows from memory; of the options only task, labels, label_separator,
 *  label_is_number and require_label are used. Each new label takes its place among the sorted ones,
 *  so indices are only final when all rows are there.
 *  @return FINE_OK, FINE_EINVAL, FINE_EABI, FINE_ENOMEM @since 0.1 */
FINE_API int fine_dataset_new(fine_dataset **out, fine_context *context,
                              const struct fine_dataset_options *options);

/**
 * Adds a row.
 *
 * @param text  NUL-terminated UTF-8, copied
 * @param pair  NULL where rows are single texts; all rows must agree
 * @param label the label's name; regress: a number's text; multilabel: names with
 *              label_separator between them, "": none of them; tag: a tag for each word
 *              of text, both between blanks ("O B-PER I-PER"); answer: the answers as
 *              JSON, [{"text": …, "answer_start": …}] (in characters), [] for none; NULL: none
 * @param group NULL: none
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: a label that is not allowed, no number or
 *         missing, or text that is not UTF-8; FINE_ESTATE: the set is in use already;
 *         FINE_ENOMEM. On error the set is as before.
 * @since 0.1
 */
FINE_API int fine_dataset_add(fine_dataset *dataset, const char *text, const char *pair,
                              const char *label, const char *group);

/**
 * Examples that are ids already: input_ids and attention_mask (B,T) I64, padded on
 * the right; optional token_type_ids (B,T) I64; labels (B) I64, or F32 for regression.
 * Copied. Labels are named by their indices, "0", "1", …
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: wrong types, shapes or padding; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_dataset_new_encoded(fine_dataset **out, fine_context *context,
                                      const fine_tensors *tensors);

/**
 * Splits off a share of the rows, chosen by seed: stratified by label, or whole
 * groups of rows where split_by was given. Rows keep their order.
 *
 * @param rest_out the larger part; held_out_out the share
 * @param share    in (0, 1)
 * @return FINE_OK; FINE_EINVAL; FINE_EDATA: too few rows to leave both sides one; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_dataset_split(fine_dataset **rest_out, fine_dataset **held_out_out,
                                fine_dataset *dataset, double share, int64_t seed);

/** NULL is fine; trainers keep what they use. @since 0.1 */
FINE_API void fine_dataset_free(fine_dataset *dataset);

/** Number of rows; 0 for NULL. @since 0.1 */
FINE_API int64_t fine_dataset_count(const fine_dataset *dataset);
/** Rows left out by on_bad_row: skip. @since 0.1 */
FINE_API int64_t fine_dataset_skipped(const fine_dataset *dataset);
/** A row's text, NULL out of range or for encoded sets. Borrowed. @since 0.1 */
FINE_API const char *fine_dataset_text(const fine_dataset *dataset, int64_t row);
/** A row's second text, or NULL. Borrowed. @since 0.1 */
FINE_API const char *fine_dataset_text_pair(const fine_dataset *dataset, int64_t row);
/** A row's group, or NULL. Borrowed. @since 0.1 */
FINE_API const char *fine_dataset_group(const fine_dataset *dataset, int64_t row);
/** A row's label as an index; -1: none, or regression. @since 0.1 */
FINE_API int64_t fine_dataset_label(const fine_dataset *dataset, int64_t row);
/** A row's number for regression; NaN: none. @since 0.1 */
FINE_API double fine_dataset_value(const fine_dataset *dataset, int64_t row);
/** Number of different labels; 0 for regression and unlabelled sets. @since 0.1 */
FINE_API int64_t fine_dataset_n_labels(const fine_dataset *dataset);
/** The name of a label. Borrowed; NULL out of range. @since 0.1 */
FINE_API const char *fine_dataset_label_name(const fine_dataset *dataset, int64_t label);
/** The set's description as a JSON object: rows, labels with counts, lengths in
 *  characters, empty and duplicate texts, columns used and unused. Borrowed; made at the
 *  first call; NULL: no memory. @since 0.1 */
FINE_API const char *fine_dataset_describe(fine_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
