/*
 * open.h — opening a model folder, for the files that share it: open.c reads config.json and
 * puts all together, notes.c finds the task, match.c the weights.
 */
#ifndef FINE__OPEN_H
#define FINE__OPEN_H

#include "base/json.h"
#include "io/safetensors.h"
#include "models/family.h"
#include "models/kinds.h"

enum { FINE__MAX_LABELS = 1 << 20 };

struct fine__opening {
    fine_model *model;
    const struct fine__source *source;
    const struct fine_model_options *options;
    struct fine__source *base_folder;       /* of an adapter whose weights lie elsewhere */
    struct fine__json *config, *notes;      /* config.json, finetune.json */
    struct fine__weights *weights, *head;   /* head: head.safetensors */
    struct fine__weights *adapter;          /* adapter_model.safetensors */
    int64_t *from;                          /* per parameter: index in its file (below); -1: drawn */
    int64_t *buffers;                       /* the same, FINE__N_BUFFERS a batch norm */
};

/* notes.c: model->task, pool, labels and preparation. */
int fine__open_notes(struct fine__opening *o);

/* match.c: weights' headers and the prefix of their names; each parameter's place; values. */
int fine__open_weights(struct fine__opening *o);
int fine__match_weights(struct fine__opening *o);
int fine__read_weights(struct fine__opening *o);
/* Where a file of the folder lies: the folder itself, or the base's where that one has it. */
const struct fine__source *fine__opening_source(const struct fine__opening *o, const char *name);
/* The file that a head's tensor of this plain name is in, and where: NULL, it is in none. */
struct fine__weights *fine__opening_head(const struct fine__opening *o, const char *name,
                                         int64_t *index);
/* The checkpoint's tensor of this name, -1: none. */
int64_t fine__checkpoint_find(const struct fine__weights *weights, const char *name);

#endif
