/*
 * dataset.h — rows in memory: one text buffer, offsets, labels.
 *
 * Readers (csv.c, jsonl.c) append rows through the functions below; everything else
 * reads the struct. Immutable once `used` is set; shared by reference count.
 */
#ifndef FINE__DATASET_H
#define FINE__DATASET_H

#include <stdatomic.h>
#include "base/buf.h"
#include "base/map.h"
#include <finetune/dataset.h>

struct fine__row {
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
    struct fine__buf bytes;
    struct fine__row *rows;
    int64_t n_rows, capacity;
    char **labels;                      /* sorted bytewise where they were found */
    int64_t n_labels;
    bool labels_given, is_regression, has_pairs, has_groups, has_labels, used;
    int64_t skipped;
    char *description;                  /* made on request */
    /* encoded sets: ids and types of row i are [id_offsets[i], id_offsets[i + 1]) */
    int32_t *ids, *types;
    int64_t *id_offsets;
    char **columns_unused;
    int64_t n_columns_unused;
};

fine_dataset *fine__dataset_ref(fine_dataset *dataset);
void fine__dataset_unref(fine_dataset *dataset);
int fine__dataset_open(fine_dataset **out, fine_context *ctx, const char *path, const struct fine_dataset_options *options);
const char *fine__dataset_text(const fine_dataset *dataset, int64_t row);
const char *fine__dataset_pair(const fine_dataset *dataset, int64_t row);
const char *fine__dataset_group(const fine_dataset *dataset, int64_t row);

/* A new set of chosen rows, in that order. */
int fine__dataset_select(fine_dataset **out, const fine_dataset *dataset, const int64_t *rows, int64_t n);
int fine__dataset_split(fine_dataset **rest_out, fine_dataset **held_out, const fine_dataset *dataset, double share, int64_t seed);

/* Maps the labels of `dataset` onto names in another order (a model's); a label that is
 * not among them is a finding with its line. Returns a new set. */
int fine__dataset_relabel(fine_dataset **out, const fine_dataset *dataset, const char *const *names, int64_t n_names);

#endif
