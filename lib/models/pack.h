/*
 * pack.h — padded (B,T) tensors, or images, from memory as a packed batch.
 */
#ifndef FINE__PACK_H
#define FINE__PACK_H

#include "models/model.h"

struct fine__packed {
    fine_context *ctx;              /* set before packing */
    int64_t n_seqs, padded;         /* B, T */
    int32_t *ids, *types, *labels, *starts, *ends;
    int64_t *offsets;
    float *values, *pixels;
    struct fine__batch batch;       /* borrows the above */
};

/* Ids, mask and types, or pixels; and the targets that the model's task reads. FINE_EDATA, FINE_ENOMEM;
 * FINE_ESTATE: targets without a task. To be freed also after an error. */
int fine__pack_inputs(const fine_model *model, const fine_tensors *inputs,
                      struct fine__packed *packed);
void fine__packed_free(struct fine__packed *packed);

#endif
