/*
 * raw.c — padded tensors from memory through the model, and back.
 *
 * The border between the padded (B,T) world and ours: rows are packed on the way in, and on
 * the way out padded positions hold zero.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/tensor_set.h"
#include "models/kinds.h"
#include "models/pack.h"

static int
run(fine_model *model, struct fine__run *run, int64_t *n_labelled)
{
    if (model->by_hand == NULL)
        FINE__TRY(fine__runner_new(&model->by_hand, model));
    *n_labelled = fine__kind(model->task)->count(run->batch);
    if (run->backward && *n_labelled == 0)
        return fine__fail(FINE_ESTATE, "gradients are asked for, but nothing has a label");
    if (run->backward)
        run->loss_weight /= (double)*n_labelled;
    run->by_batch = model->by_batch;
    FINE__TRY(fine__runner_run(model->by_hand, run));
    fine__runner_commit(model->by_hand);
    return 0;
}

/* ---- out ---- */

/* Rows of `width` numbers, `stride` apart, one a token, to (B,T,width) with zeros at padded
 * positions. */
static void
unpack(const struct fine__packed *p, const fine__real *from, int64_t width, int64_t stride,
       float *to)
{
    for (int64_t i = 0; i < p->n_seqs; i++)
        for (int64_t j = p->offsets[i]; j < p->offsets[i + 1]; j++)
            memcpy(to + (i * p->padded + j - p->offsets[i]) * width, from + j * stride,
                   (size_t)width * sizeof *to);
}

static int
put_per_token(const struct fine__packed *p, const char *name, const fine__real *from,
              int64_t width, int64_t stride, fine_tensors *out)
{
    const int64_t shape[3] = { p->n_seqs, p->padded, width };
    void *room;

    FINE__TRY(fine__tensors_put(out, name, FINE_F32, stride == width ? 3 : 2, shape, NULL, &room));
    unpack(p, from, width, stride, room);
    return 0;
}

static int
put_logits(const fine_model *model, const struct fine__packed *p, const struct fine__run *r,
           fine_tensors *out)
{
    const int64_t shape[2] = { p->n_seqs, r->n_logits };

    if (model->task == FINE__ANSWER) {
        FINE__TRY(put_per_token(p, "start_logits", r->logits, 1, 2, out));
        return put_per_token(p, "end_logits", r->logits + 1, 1, 2, out);
    }
    if (fine__kind(model->task)->per_token)
        return put_per_token(p, "logits", r->logits, r->n_logits, r->n_logits, out);
    return fine__tensors_put(out, "logits", FINE_F32, 2, shape, r->logits, NULL);
}

/* (B,H,W,C) as (B,C,H,W). */
static int
put_image_state(const char *name, const fine__real *from, const int64_t shape[4],
                fine_tensors *out)
{
    const int64_t area = shape[1] * shape[2], channels = shape[3];
    const int64_t turned[4] = { shape[0], channels, shape[1], shape[2] };
    void *room;

    FINE__TRY(fine__tensors_put(out, name, FINE_F32, 4, turned, NULL, &room));
    float *to = room;

    for (int64_t image = 0; image < shape[0]; image++, from += area * channels)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < area; i++)
                *to++ = (float)from[i * channels + c];
    return 0;
}

/* hidden_states.N (B,T,C) with zeros at padded positions, or of images (B,C,H,W). */
static int
put_states(const fine_model *model, const struct fine__packed *p, const struct fine__run *run,
           fine_tensors *out)
{
    char name[48];

    for (int64_t s = 0; s < run->n_states; s++) {
        snprintf(name, sizeof name, "hidden_states.%lld", (long long)s);
        FINE__TRY(model->n_channels > 0
                      ? put_image_state(name, run->states[s], run->state_shapes[s], out)
                      : put_per_token(p, name, run->states[s], model->width, model->width, out));
    }
    return 0;
}

/* after.NAME: the running statistics that the pass has left. */
static int
put_statistics(const fine_model *model, fine_tensors *out)
{
    const struct fine__norms *norms = &model->norms;
    char name[620];

    for (int64_t i = 0; i < norms->count; i++)
        for (int k = 0; k < FINE__N_BUFFERS; k++) {
            const struct fine__weight_out entry =
                fine__norm_entry(&norms->list[i], norms, (enum fine__buffer)k);

            snprintf(name, sizeof name, "after.%s", entry.name);
            FINE__TRY(fine__tensors_put(out, name, entry.type, entry.n_dims, entry.shape,
                                        entry.data, NULL));
        }
    return 0;
}

static int
put_gradients(fine_model *model, fine_tensors *out)
{
    char name[600];

    for (int64_t i = 0; i < model->params.count; i++) {
        struct fine__param *param = &model->params.list[i];

        if (!param->tensor.wants_grad || param->tensor.grad == NULL)
            continue;
        fine__param_fill_gradient(param);
        snprintf(name, sizeof name, "grad.%s", param->name);
        FINE__TRY(fine__tensors_put(out, name, FINE_F32, param->tensor.n_dims,
                                    param->tensor.shape, param->tensor.grad, NULL));
    }
    return 0;
}

static int
put_results(fine_model *model, const struct fine__packed *p, const struct fine__run *r,
            int64_t n_labelled, int32_t flags, fine_tensors *out)
{
    if (r->logits != NULL)
        FINE__TRY(put_logits(model, p, r, out));
    if (n_labelled > 0) {
        const float loss = (float)(r->loss_sum / (double)n_labelled);

        FINE__TRY(fine__tensors_put(out, "loss", FINE_F32, 0, NULL, &loss, NULL));
    }
    if (flags & FINE_HIDDEN_STATES)
        FINE__TRY(put_states(model, p, r, out));
    if (model->by_batch)
        FINE__TRY(put_statistics(model, out));
    return flags & FINE_PARAM_GRADIENTS ? put_gradients(model, out) : 0;
}

int
fine__model_forward(fine_model *model, const fine_tensors *inputs, int32_t flags,
                    fine_tensors **out)
{
    struct fine__packed p = { .ctx = model->ctx };
    struct fine__run r = { .batch = &p.batch, .loss_weight = 1,
                           .backward = (flags & FINE_PARAM_GRADIENTS) != 0,
                           .hidden_states = (flags & FINE_HIDDEN_STATES) != 0 };
    fine_tensors *results = NULL;
    int64_t n_labelled = 0;
    int rc = fine__pack_inputs(model, inputs, &p);

    if (rc == 0 && r.backward)
        rc = fine__params_make_gradients(&model->params);
    if (rc == 0)
        rc = run(model, &r, &n_labelled);
    if (rc == 0)
        rc = fine__tensors_new(&results, model->ctx);
    if (rc == 0)
        rc = put_results(model, &p, &r, n_labelled, flags, results);
    fine__packed_free(&p);
    if (rc < 0)
        fine__tensors_free(results);
    else
        *out = results;
    return rc;
}

int
fine__model_backward(fine_model *model, const fine_tensors *inputs, double weight,
                     double *loss_out)
{
    struct fine__packed p = { .ctx = model->ctx };
    struct fine__run r = { .batch = &p.batch, .loss_weight = weight, .backward = true,
                           .loss_only = true };
    int64_t n_labelled = 0;
    int rc = fine__pack_inputs(model, inputs, &p);

    if (rc == 0)
        rc = run(model, &r, &n_labelled);
    fine__packed_free(&p);
    if (rc == 0 && loss_out != NULL)
        *loss_out = r.loss_sum / (double)n_labelled;
    return rc;
}
