/*
 * optim.c — one step over all that is trained, tile by tile.
 *
 * Each tile is checked before any is written: a step changes everything or nothing.
 * Rows of an embedding that no batch ever used have zero moments; they only decay, and
 * the moments' pages are never touched, so they take no memory.
 */
#include "train/optim.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parallel.h"

int
fine__optimizer_new(fine_optimizer **out, fine_context *ctx, const fine_optimizer *settings)
{
    fine_optimizer *optimizer = fine__alloc(ctx, sizeof *optimizer);

    if (optimizer == NULL)
        return FINE_ENOMEM;
    *optimizer = *settings;
    atomic_init(&optimizer->references, 1);
    optimizer->ctx = fine__context_ref(ctx);
    optimizer->model = NULL;
    memset(optimizer->moment, 0, sizeof optimizer->moment);
    memset(optimizer->places, 0, sizeof optimizer->places);
    optimizer->n_steps = 0;
    *out = optimizer;
    return FINE_OK;
}

fine_optimizer *
fine__optimizer_ref(fine_optimizer *optimizer)
{
    atomic_fetch_add(&optimizer->references, 1);
    return optimizer;
}

void
fine__optimizer_unref(fine_optimizer *optimizer)
{
    if (optimizer == NULL || atomic_fetch_sub(&optimizer->references, 1) > 1)
        return;
    fine_context *ctx = optimizer->ctx;

    fine__optimizer_reset(optimizer);
    fine__free(ctx, optimizer);
    fine__context_unref(ctx);
}

void
fine__optimizer_reset(fine_optimizer *optimizer)
{
    for (int i = 0; i < FINE__MAX_MOMENTS; i++) {
        fine__free(optimizer->ctx, optimizer->moment[i]);
        fine__free(optimizer->ctx, optimizer->places[i]);
        optimizer->moment[i] = NULL;
        optimizer->places[i] = NULL;
    }
    fine__model_unref(optimizer->model);
    optimizer->model = NULL;
    optimizer->n_steps = 0;
}

/* Lays moment m out by itself. */
static int
lay_out(fine_optimizer *optimizer, const struct fine__params *params, int m, int64_t *n_out)
{
    int64_t *places = fine__alloc_array(optimizer->ctx, 2 * (size_t)params->count, sizeof *places);
    int64_t n = 0;

    if (places == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__tensor *tensor = &params->list[i].tensor;

        places[2 * i] = n;
        if (tensor->grad != NULL)
            places[2 * i + 1] = optimizer->rule->moment_count(optimizer, tensor, m);
        n += places[2 * i + 1];
    }
    optimizer->places[m] = places;
    *n_out = n;
    return FINE_OK;
}

int
fine__optimizer_prepare(fine_optimizer *optimizer, fine_model *model)
{
    const struct fine__params *params = &model->params;

    if (params->gradients == NULL)
        return fine__fail(FINE_ESTATE, "the model has no gradients to step on: run "
                                       "fine_model_backward() first");
    if (optimizer->model != NULL) {
        if (optimizer->model != model)
            return fine__fail(FINE_ESTATE, "this optimizer holds the state of another model: make "
                                           "a new one");
        if (optimizer->signature != params->signature)
            return fine__fail(FINE_ESTATE, "what is trained has changed since this optimizer's "
                                           "first step: make a new one after freezing");
        return FINE_OK;
    }
    for (int i = 0; i < optimizer->rule->n_moments(optimizer); i++) {
        int64_t n = params->n_gradients;

        if (optimizer->rule->moment_count == NULL || lay_out(optimizer, params, i, &n) == FINE_OK)
            optimizer->moment[i] = fine__alloc_array(optimizer->ctx, (size_t)(n > 0 ? n : 1),
                                                     sizeof *optimizer->moment[i]);
        if (optimizer->moment[i] == NULL) {
            fine__optimizer_reset(optimizer);
            return FINE_ENOMEM;
        }
        if (optimizer->rule->moment_count == NULL)
            fine__params_advise(params, optimizer->moment[i]);
    }
    optimizer->model = fine__model_ref(model);
    optimizer->signature = params->signature;
    return FINE_OK;
}

double
fine__optimizer_head_rate(const fine_optimizer *optimizer, double rate)
{
    if (!(optimizer->head_learning_rate > 0))
        return rate;
    if (!(optimizer->learning_rate > 0))
        return optimizer->head_learning_rate;
    return rate * (optimizer->head_learning_rate / optimizer->learning_rate);
}

/* ---- rows that never had a gradient: their moments are zero ---- */

/* Decay goes through the moments, so there is nothing to skip where weights decay. */
bool
fine__idle_without_decay(const struct fine__step *step, fine__real *weight, int64_t count)
{
    (void)weight;
    (void)count;
    return !(step->decay > 0);
}

FINE__CLONES static void
scale_row(fine__real *weight, fine__real factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] *= factor;
}

/* What is subtracted is zero exactly. */
bool
fine__idle_decays(const struct fine__step *step, fine__real *weight, int64_t count)
{
    if (step->decay < 1 || step->decay > 1)
        scale_row(weight, step->decay, count);
    return true;
}

/* ---- one step ---- */

struct job {
    fine_optimizer *optimizer;
    struct fine__params *params;
    double rate, head_rate, scale;
};

static bool
decays(const fine_optimizer *optimizer, const struct fine__param *param)
{
    return optimizer->weight_decay > 0 && (param->decays || optimizer->decay == FINE_DECAY_ALL);
}

/* What a rule needs for one parameter: a head has its own rate, and a stage a smaller one than the
 * stage above it. */
static struct fine__step
step_for(const struct job *job, const struct fine__param *param)
{
    const fine_optimizer *optimizer = job->optimizer;
    const double below = (double)(optimizer->model->n_layers + 1 - param->stage);
    const bool is_even = !(optimizer->layer_decay > 0) || param->is_head || !(below > 0);
    double rate = param->is_head ? job->head_rate : job->rate;
    struct fine__step step = { .scale = (fine__real)job->scale };

    if (!is_even)
        rate *= pow(optimizer->layer_decay, below);
    optimizer->rule->prepare(optimizer, optimizer->n_steps + 1, rate, decays(optimizer, param),
                             &step);
    return step;
}

/* How many are NaN or beyond the limit. */
FINE__CLONES static int64_t
count_bad(const fine__real *values, int64_t count, fine__real limit)
{
    int64_t bad = 0;

    for (int64_t i = 0; i < count; i++)
        bad += !(values[i] <= limit && values[i] >= -limit);
    return bad;
}

/* Where the state of a parameter lies: as its gradient in the block. */
static int64_t
offset_of(const struct fine__params *params, const struct fine__param *param)
{
    return param->tensor.grad - params->gradients;
}

fine__real *
fine__optimizer_moment(const fine_optimizer *optimizer, int64_t i, int m, int64_t *count_out)
{
    const struct fine__params *params = &optimizer->model->params;
    const struct fine__param *param = &params->list[i];
    const int64_t *places = optimizer->places[m];

    if (optimizer->moment[m] == NULL || param->tensor.grad == NULL) {
        *count_out = 0;
        return NULL;
    }
    *count_out = places != NULL ? places[2 * i + 1] : param->tensor.count;
    if (*count_out == 0)
        return NULL;
    return optimizer->moment[m] + (places != NULL ? places[2 * i] : offset_of(params, param));
}

enum { GOOD = 0, BAD_WEIGHT = 1, BAD_STATE = 2 };

static void
check_tile(void *arg, int64_t index, int worker)
{
    const struct job *job = arg;
    const struct fine__params_tile *tile = &job->params->tiles[index];
    const struct fine__param *param = &job->params->list[tile->param];
    const struct fine__rows *rows = param->tensor.rows;
    const int64_t count = tile->end - tile->begin;
    const int64_t stride = rows != NULL ? rows->width : count;
    int64_t bad = 0;

    (void)worker;
    for (int m = 0; m < FINE__MAX_MOMENTS; m++) {
        const fine__real limit = (fine__real)job->optimizer->rule->max_moment[m];
        int64_t n;
        const fine__real *moment = fine__optimizer_moment(job->optimizer, tile->param, m, &n);

        if (moment == NULL)
            continue;
        if (n != param->tensor.count) /* another layout: all of it with the first tile */
            bad += tile->begin == 0 ? count_bad(moment, n, limit) : 0;
        for (int64_t at = tile->begin; n == param->tensor.count && at < tile->end; at += stride)
            if (rows == NULL || rows->seen[at / stride])
                bad += count_bad(moment + at, stride, limit);
    }
    job->params->partial[index] = bad > 0 ? BAD_STATE : GOOD;
    if (count_bad(param->tensor.data + tile->begin, count, (fine__real)FINE__MAX_WEIGHT) > 0)
        job->params->partial[index] = BAD_WEIGHT;
}

static void
apply_rows(const struct job *job, const struct fine__params_tile *tile,
           const struct fine__param *param, const struct fine__step *step,
           fine__real *const *base)
{
    const struct fine__rule *rule = job->optimizer->rule;
    const struct fine__rows *rows = param->tensor.rows;

    for (int64_t at = tile->begin; at < tile->end; at += rows->width) {
        const int64_t row = at / rows->width;
        fine__real *weight = param->tensor.data + at, *gradient = param->tensor.grad + at;
        fine__real *moment[FINE__MAX_MOMENTS] = { NULL };

        if (rows->used[row])
            rows->seen[row] = 1;
        else if (!rows->seen[row] && rule->apply_idle(step, weight, rows->width))
            continue;
        if (!rows->used[row]) /* what lies there is from an earlier step */
            memset(gradient, 0, (size_t)rows->width * sizeof *gradient);
        for (int m = 0; m < FINE__MAX_MOMENTS; m++)
            moment[m] = base[m] != NULL ? base[m] + at : NULL;
        rule->apply(step, weight, gradient, moment, rows->width);
    }
}

static void
apply_tile(void *arg, int64_t index, int worker)
{
    const struct job *job = arg;
    const fine_optimizer *optimizer = job->optimizer;
    const struct fine__params_tile *tile = &job->params->tiles[index];
    const struct fine__param *param = &job->params->list[tile->param];
    const struct fine__step step = step_for(job, param);
    fine__real *moment[FINE__MAX_MOMENTS] = { NULL };

    (void)worker;
    for (int m = 0; m < FINE__MAX_MOMENTS; m++) {
        int64_t n;

        moment[m] = fine__optimizer_moment(optimizer, tile->param, m, &n);
    }
    if (param->tensor.rows != NULL) {
        apply_rows(job, tile, param, &step, moment);
        return;
    }
    for (int m = 0; m < FINE__MAX_MOMENTS; m++)
        if (moment[m] != NULL)
            moment[m] += tile->begin;
    optimizer->rule->apply(&step, param->tensor.data + tile->begin, param->tensor.grad + tile->begin,
                           moment, tile->end - tile->begin);
}

/* One parameter as a whole; what no batch used of an embedding has a gradient of zero. */
static void
apply_param(void *arg, int64_t i, int worker)
{
    const struct job *job = arg;
    const fine_optimizer *optimizer = job->optimizer;
    struct fine__param *param = &job->params->list[i];
    fine__real *moment[FINE__MAX_MOMENTS];
    int64_t n;

    (void)worker;
    if (param->tensor.grad == NULL)
        return;
    if (param->tensor.rows != NULL) {
        fine__param_fill_gradient(param);
        memset(param->tensor.rows->seen, 1, (size_t)param->tensor.rows->n_rows);
    }
    for (int m = 0; m < FINE__MAX_MOMENTS; m++)
        moment[m] = fine__optimizer_moment(optimizer, i, m, &n);
    const struct fine__step step = step_for(job, param);

    optimizer->rule->apply_whole(&step, &param->tensor, moment);
}

static int
check_all(struct job *job)
{
    struct fine__params *params = job->params;

    fine__parallel_for(params->ctx, params->n_tiles, check_tile, job);
    for (int64_t i = 0; i < params->n_tiles; i++) {
        const char *name = params->list[params->tiles[i].param].name;

        if (params->partial[i] >= BAD_STATE)
            return fine__fail(FINE_ENUMERIC,
                              "the optimizer's state of '%s' holds a number that is "
                              "not finite: go on from the last checkpoint",
                              name);
        if (params->partial[i] >= BAD_WEIGHT)
            return fine__fail(FINE_ENUMERIC,
                              "the weight '%s' holds a number that is not finite, "
                              "or beyond 1e30: the model's file is damaged, or the learning rate "
                              "far too high",
                              name);
    }
    return FINE_OK;
}

int
fine__optimizer_apply(fine_optimizer *optimizer, double rate, double head_rate, double scale,
                      double norm)
{
    struct job job = { .optimizer = optimizer, .params = &optimizer->model->params,
                       .rate = rate, .head_rate = head_rate, .scale = scale };
    const struct fine__rule *rule = optimizer->rule;

    if (!isfinite(norm)) {
        const char *name = fine__params_not_finite(job.params);

        return fine__fail(FINE_ENUMERIC,
                          "the gradient of '%s' is not finite: a lower learning "
                          "rate, or clipping, may help",
                          name != NULL ? name : "?");
    }
    if (norm * scale > rule->max_gradient)
        return fine__fail(FINE_ENUMERIC,
                          "the gradients' norm is beyond what %s can hold in single "
                          "precision: clip it (clip_norm)",
                          rule->name);
    FINE__TRY(check_all(&job));
    if (rule->apply_whole != NULL)
        fine__parallel_for(job.params->ctx, job.params->count, apply_param, &job);
    else
        fine__parallel_for(job.params->ctx, job.params->n_tiles, apply_tile, &job);
    optimizer->n_steps++;
    return FINE_OK;
}

int
fine__optimizer_restored(fine_optimizer *optimizer, int64_t n_steps)
{
    struct fine__params *params = &optimizer->model->params;

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__param *param = &params->list[i];

        if (param->tensor.grad == NULL)
            continue;
        for (int m = 0; m < FINE__MAX_MOMENTS; m++) {
            int64_t n;
            const fine__real *moment = fine__optimizer_moment(optimizer, i, m, &n);

            if (moment == NULL)
                continue;
            if (count_bad(moment, n, (fine__real)optimizer->rule->max_moment[m]) > 0)
                return fine__fail(FINE_EFORMAT, "the optimizer's state of '%s' is not finite",
                                  param->name);
            if (param->tensor.rows == NULL)
                continue;
            if (n != param->tensor.count)
                memset(param->tensor.rows->seen, 1, (size_t)param->tensor.rows->n_rows);
            for (int64_t at = 0; n == param->tensor.count && at < n; at++)
                if (moment[at] != 0)
                    param->tensor.rows->seen[at / param->tensor.rows->width] = 1;
        }
    }
    optimizer->n_steps = n_steps;
    return FINE_OK;
}
