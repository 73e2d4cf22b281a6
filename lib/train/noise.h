/*
 * noise.h — texts of the training data as they might have been: words that are missing, tokens
 * that can't be read.
 */
#ifndef FINE__NOISE_H
#define FINE__NOISE_H

#include "models/model.h"

struct fine__noise {
    fine_context *ctx;
    double mask, drop;              /* probabilities: of a token, of a word */
    int32_t mask_id;
    int64_t n_ids;
    uint8_t *kinds;                 /* an id's: FINE__NOISE_… */
};
enum { FINE__NOISE_BEGINS, FINE__NOISE_CONTINUES, FINE__NOISE_SPECIAL };

/* FINE_EINVAL: the tokenizer has no mask token, or the task's targets are places in the text,
 * which lose their words; FINE_ENOMEM. */
int fine__noise_new(struct fine__noise **out, const fine_model *model, double mask, double drop);
void fine__noise_free(struct fine__noise *noise);       /* NULL is fine */
/* n ids, and their types (NULL: none), in place: how many are left. Special ones stay, and at
 * least one word does. */
int64_t fine__noise_apply(const struct fine__noise *noise, uint64_t key, int32_t *ids,
                          int32_t *types, int64_t n);

#endif
