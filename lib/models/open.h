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
    struct fine__json *config, *notes;      /* config.json, finetune.json */
    struct fine__weights *weights, *head;   /* head: head.safetensors */
    int64_t *from;                          /* per parameter: index in weights or head; -1: drawn */
    int64_t *buffers;                       /* the same, FINE__N_BUFFERS a batch norm */
};

/* notes.c: model->task, pool, labels and preparation. */
int fine__open_notes(struct fine__opening *o);

/* match.c: weights' headers and the prefix of their names; each parameter's place; values. */
int fine__open_weights(struct fine__opening *o);
int fine__match_weights(struct fine__opening *o);
int fine__read_weights(struct fine__opening *o);
/* The checkpoint's tensor of this name, -1: none. */
int64_t fine__checkpoint_find(const struct fine__weights *weights, const char *name);

#endif
