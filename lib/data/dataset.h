/*
 * dataset.h — rows in memory: one text buffer, offsets, labels.
 *
 * Readers (csv.c, jsonl.c) append rows through table.h; everything else reads the
 * struct. Immutable once `used` is set; shared by reference count.
 */
#ifndef FINE__DATASET_H
#define FINE__DATASET_H

#include <stdatomic.h>
#include "base/buf.h"
#include "base/map.h"
#include <finetune/dataset.h>

enum {
    FINE__MAX_FIELD = 16000000,         /* bytes of one text */
    FINE__MAX_COLUMNS = 10000,
    FINE__MAX_LABELS = 65536,
    FINE__MAX_LABEL = 1000,             /* bytes of a label's name */
    FINE__MAX_SEPARATOR = 16            /* bytes between labels in one cell, with the NUL */
};

/* What rows are for, and so what a row holds beside its text: by the task's name. */
enum fine__content {
    FINE__ROWS_OF_CLASSES,              /* classify: label */
    FINE__ROWS_OF_NUMBERS,              /* regress: value */
    FINE__ROWS_OF_FLAGS,                /* multilabel: marks, whose labels ascend */
    FINE__ROWS_OF_TAGS,                 /* tag: marks in the text, in order, not overlapping */
    FINE__ROWS_OF_ANSWERS,              /* answer: text is the question, pair the context; marks
                                         * in the context, none: it has no answer */
    FINE__ROWS_OF_TEXT,                 /* fill-mask, language-model: text alone, or pair: the
                                         * completion of a prompt */
    FINE__ROWS_OF_IMAGES,               /* classify-image: label; text is the image's path */
    FINE__N_CONTENTS
};

/* A place in a text, in bytes, or a label of a text alone (both 0). */
struct fine__mark {
    int32_t start, end;
    int32_t label;                      /* -1: it has none */
};

struct fine__row {
    int64_t first_mark;                 /* in the set's marks */
    int32_t n_marks;
    int64_t id;                         /* answer: the question's name; an offset as those below */
    int64_t text, pair, group, split;   /* offsets of NUL-terminated strings in bytes; -1: none */
    int32_t text_length, pair_length;   /* bytes */
    int64_t label;                      /* index; -1: none */
    double value;                       /* regression; NaN: none */
    int64_t line;                       /* in the file, from 1; 0: from memory */
};

struct fine_dataset {
    atomic_int references;
    fine_context *ctx;
    char *name;                         /* file name for messages, or "memory" */
    char *folder;                       /* pictures' paths start here; NULL: at the process's */
    struct fine__buf bytes;
    enum fine__content content;
    struct fine__row *rows;
    int64_t n_rows, capacity;
    struct fine__mark *marks;           /* of all rows */
    int64_t n_marks, marks_capacity;
    char **labels;                      /* sorted bytewise where they were found */
    int64_t n_labels, label_capacity;
    struct fine__map label_ids;         /* name → index in labels */
    bool labels_given, has_pairs, has_groups, has_labels, used;
    bool require_label;
    bool skip_bad;                      /* rows whose marks fit no words are left out, too */
    bool blank_words;                   /* tags were given to words between blanks */
    char label_separator[FINE__MAX_SEPARATOR]; /* multilabel */
    int64_t skipped;
    char *description;                  /* made on request */
    /* encoded sets: ids and types of row i are [id_offsets[i], id_offsets[i + 1]);
     * ids is NULL for sets of text, types where no types were given */
    int32_t *ids, *types;
    int64_t *id_offsets;
    char **columns_used, **columns_unused;
    int64_t n_columns_used, n_columns_unused;
};

fine_dataset *fine__dataset_ref(fine_dataset *dataset);     /* also sets `used` */
void fine__dataset_unref(fine_dataset *dataset);            /* NULL is fine */
void fine__dataset_defaults(struct fine_dataset_options *options);

/* Options are complete (struct_size isn't looked at); NULL: the defaults. */
int fine__dataset_open(fine_dataset **out, fine_context *ctx, const char *path, const struct fine_dataset_options *options);
/* The same from a file's bytes, whose name says the format. Takes text over, also when it
 * fails. */
int fine__dataset_parse(fine_dataset **out, fine_context *ctx, const char *name, struct fine__buf *text, const struct fine_dataset_options *options);
int fine__dataset_new(fine_dataset **out, fine_context *ctx, const struct fine_dataset_options *options);
int fine__dataset_add(fine_dataset *dataset, const char *text, const char *pair, const char *label, const char *group);

const char *fine__dataset_text(const fine_dataset *dataset, int64_t row);     /* NULL: out of range, or encoded */
const char *fine__dataset_pair(const fine_dataset *dataset, int64_t row);
const char *fine__dataset_group(const fine_dataset *dataset, int64_t row);

/* Where the picture of a row lies; yours to free. NULL: no memory. */
char *fine__dataset_picture(const fine_dataset *dataset, int64_t row);
/* Every picture is decoded once, on the pool. What can't be is a finding with its row, or is
 * left out and counted. FINE_EDATA, FINE_ENOMEM. */
int fine__dataset_check_pictures(fine_dataset *dataset, bool skip_bad);
/* A folder of pictures: each folder in it is a class, named by it. */
int fine__image_folder_read(fine_dataset **out, fine_context *ctx, const char *path, const struct fine_dataset_options *options);

/* A new set of chosen rows, in that order. */
int fine__dataset_select(fine_dataset **out, const fine_dataset *dataset, const int64_t *rows, int64_t n);
int fine__dataset_split(fine_dataset **rest_out, fine_dataset **held_out, const fine_dataset *dataset, double share, int64_t seed);

/* Maps the labels of `dataset` onto names in another order (a model's); a label that is
 * not among them is a finding with its line. Encoded sets have indices instead of names:
 * those must be below n_names. Returns a new set. */
int fine__dataset_relabel(fine_dataset **out, const fine_dataset *dataset, const char *const *names, int64_t n_names);

/* Whether a model can be trained on it: FINE_EDATA for an empty set, empty texts alone, rows
 * without labels (or without numbers, for regression), and a single class. */
int fine__dataset_check_task(const fine_dataset *dataset, enum fine__content content);

/* Rows of `other` whose text (and pair) stands in `train` too; logs a warning when there
 * are any, since a score on them says little. */
int fine__dataset_overlap(int64_t *n_out, const fine_dataset *train, const fine_dataset *other);

/* Tells the log what is unusual about a set that was just read. */
void fine__dataset_warn(const fine_dataset *dataset);

/* The JSON of fine_dataset_describe(), made once; NULL: no memory. */
const char *fine__dataset_describe(fine_dataset *dataset);

/* Ready-made ids. All arrays are (rows, length), row-major; types, labels and values may be
 * NULL, and at most one of the last two is given. */
struct fine__encoded {
    int64_t n_rows, length;
    const int64_t *ids, *mask, *types, *labels;
    const float *values;
};
int fine__dataset_new_encoded(fine_dataset **out, fine_context *ctx, const struct fine__encoded *encoded);

/* The parts that readers and the functions above are made of. */
fine_dataset *fine__dataset_make(fine_context *ctx, const char *name);   /* NULL: no memory */
struct fine__row fine__row_empty(void);
/* Appends a mark to the last mark's row, or the first one of a row that is being made: marks of
 * a row lie together. FINE_ENOMEM. */
int fine__dataset_mark(fine_dataset *dataset, struct fine__row *row, struct fine__mark mark);
/* Marks of multilabel rows in the order of their labels. */
void fine__dataset_sort_marks(fine_dataset *dataset, const struct fine__row *row);
/* The content that options ask for; FINE_EINVAL: no such task. */
int fine__content_of(enum fine__content *out, const struct fine_dataset_options *options);
enum fine__content fine__content_find(const char *task);   /* FINE__N_CONTENTS: no such task */
int fine__dataset_give_labels(fine_dataset *dataset, const char *const *names, int64_t n);
int fine__dataset_replace_labels(fine_dataset *dataset, const char *const *names, int64_t n); /* rows keep their indices */
int64_t fine__dataset_label_id(fine_dataset *dataset, const char *name, size_t length); /* added where labels are found; -1: not allowed; FINE_ENOMEM; FINE_EDATA: too many */
/* What the options say about labels: those that are allowed, and how they are separated. */
int fine__dataset_take_labels(fine_dataset *dataset, const struct fine_dataset_options *options);
int fine__dataset_settle_labels(fine_dataset *dataset);   /* sorts found labels and maps the rows */
int fine__dataset_copy_names(fine_context *ctx, char ***out, int64_t *n_out, const char *const *names, int64_t n);

#endif
