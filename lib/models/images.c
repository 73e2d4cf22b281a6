/*
 * images.c — what families that read images have in common while they go forward: the
 * batch's images as a tensor, and batch norms by their number.
 */
#include <assert.h>
#include <string.h>

#include "models/family.h"

struct fine__tensor *
fine__images(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch)
{
    struct fine__tensor *x = fine__arena_take(&t->arena, sizeof *x);

    if (x == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return &t->inert;
    }
    memset(x, 0, sizeof *x);
    /* Nobody writes to it: it wants no gradient, and no op works in place. */
    x->data = (fine__real *)(uintptr_t)batch->pixels;
    x->n_dims = 4;
    x->shape[0] = batch->n_seqs;
    x->shape[1] = batch->height;
    x->shape[2] = batch->width;
    x->shape[3] = model->n_channels;
    x->count = batch->n_seqs * batch->height * batch->width * model->n_channels;
    return x;
}

static bool
is_trained(const struct fine__param *weight)
{
    return weight[0].tensor.wants_grad || weight[1].tensor.wants_grad;
}

struct fine__tensor *
fine__batch_norm(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch,
                 int64_t i, struct fine__tensor *x, struct fine__tensor *residual,
                 enum fine__activation f)
{
    const struct fine__norm *norm = &model->norms.list[i];
    struct fine__param *weight = &model->params.list[norm->weight];
    const struct fine__statistics *s =
        batch->statistics != NULL ? batch->statistics : &model->norms.now;
    fine__real *mean = s->values + norm->at, *variance = mean + norm->channels;
    struct fine__norming how = { .eps = norm->eps, .momentum = norm->momentum, .mean = mean,
                                 .variance = variance, .f = f };

    assert(i < model->norms.count);
    if (fine__tape_status(t) < 0)
        return &t->inert;
    if (batch->statistics != NULL && is_trained(weight)) {
        if (x->count / norm->channels < 2) {
            fine__tape_fail(t, fine__fail(FINE_EDATA, "batch: one value a channel is left before "
                                          "'%s', which has no variance: train with more images, "
                                          "or larger ones", weight->name));
            return &t->inert;
        }
        how.by_batch = true;
        how.new_mean = mean;
        how.new_variance = variance;
        s->batches[i]++;
    }
    return fine__batchnorm2d(t, x, residual, &weight[0].tensor, &weight[1].tensor, &how);
}
