/*
 * adapter.h — low-rank changes of a model's weights (LoRA), as PEFT keeps them.
 *
 * Hu et al., arXiv 2106.09685; rank-stabilised scale: Kalajdzievski, arXiv 2312.03732. The
 * weights themselves stay; what is trained is two thin matrices for each, and the head.
 */
#ifndef FINE__ADAPTER_H
#define FINE__ADAPTER_H

#include "base/json.h"
#include "models/model.h"

/* What PEFT puts before all names in an adapter's file. */
#define FINE__ADAPTER_PREFIX "base_model.model."

/* One adapted weight: indices of parameters. */
struct fine__adapted {
    int64_t weight, a, b;
};

struct fine__adapter {
    fine_context *ctx;
    int64_t rank;
    double alpha, dropout;
    bool rank_stabilised;
    char **targets;                 /* last parts of the names of layers, or "all-linear" alone */
    int64_t n_targets;
    char *base;                     /* where the weights lie: a folder, as PEFT's file names it */
    struct fine__adapted *list;
    struct fine__low_rank *changes; /* as many */
    int64_t count;
};

/* From adapter_config.json, or from options. Every setting that would change the mathematics is
 * done, or refused by its name: FINE_EUNSUPPORTED, FINE_EFORMAT, FINE_EINVAL; FINE_ENOMEM. */
int fine__adapter_read(struct fine__adapter **out, fine_context *ctx,
                       const struct fine__json *config);
int fine__adapter_new(struct fine__adapter **out, fine_context *ctx,
                      const struct fine_adapter_options *options);
void fine__adapter_free(struct fine__adapter *adapter);     /* NULL is fine */

/* Declares a and b of every weight that a target names; the encoder must be declared, the head
 * not yet. FINE_EINVAL: a target names nothing (with the names there are), or what can't be
 * adapted. */
int fine__adapter_build(fine_model *model);
/* Ties weights and changes together; to be called whenever parameters may have moved. */
void fine__adapter_link(fine_model *model);

/* Appends adapter_config.json's text. */
void fine__adapter_write_config(const fine_model *model, struct fine__buf *out);

/* Folds the changes into the weights and forgets them. FINE_ENOMEM: nothing has changed. */
int fine__adapter_merge(fine_model *model);

/* NAME of a parameter without what an adapter puts before it. */
const char *fine__plain_name(const fine_model *model, const struct fine__param *param);

#endif
