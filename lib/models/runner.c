/*
 * runner.c — a batch through the model: one tape, used again and again.
 *
 * What a caller looks at afterwards (logits, vectors, hidden states) is copied out of the
 * tape's arena, since backward hands that memory on.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "models/family.h"
#include "models/kinds.h"
#include "tape/tape.h"

struct fine__runner {
    fine_model *model;
    struct fine__tape tape;
    fine__real *results;            /* logits or vectors */
    int64_t results_capacity;
    fine__real *states;             /* all hidden states */
    int64_t states_capacity;
    const fine__real **state_list;
    int64_t n_state_list;
    int64_t (*shapes)[FINE__MAX_DIMS];  /* of the hidden states */
    int64_t shapes_capacity;
    struct fine__statistics next;   /* running statistics as they will be after the step */
    bool moved;                     /* next is ahead of the model's */
};

int
fine__runner_new(struct fine__runner **out, fine_model *model)
{
    fine_context *ctx = model->ctx;
    struct fine__runner *runner = fine__alloc(ctx, sizeof *runner);

    if (runner == NULL)
        return FINE_ENOMEM;
    memset(runner, 0, sizeof *runner);
    runner->model = model;
    fine__tape_init(&runner->tape, ctx);
    *out = runner;
    return 0;
}

void
fine__runner_free(struct fine__runner *runner)
{
    if (runner == NULL)
        return;
    fine_model *model = runner->model;

    fine__tape_free(&runner->tape);
    fine__free(model->ctx, runner->results);
    fine__free(model->ctx, runner->states);
    fine__free(model->ctx, runner->state_list);
    fine__free(model->ctx, runner->shapes);
    fine__statistics_free(model->ctx, &runner->next);
    fine__free(model->ctx, runner);
}

void
fine__runner_commit(struct fine__runner *runner)
{
    struct fine__norms *norms = &runner->model->norms;

    if (runner->moved)
        fine__statistics_copy(norms, &norms->now, &runner->next);
    runner->moved = false;
}

void
fine__runner_discard(struct fine__runner *runner)
{
    runner->moved = false;
}

/* The copy that this run moves. */
static int
stage_statistics(struct fine__runner *runner)
{
    fine_model *model = runner->model;

    if (runner->next.batches == NULL)
        FINE__TRY(fine__statistics_new(model->ctx, &model->norms, &runner->next));
    if (!runner->moved)
        fine__statistics_copy(&model->norms, &runner->next, &model->norms.now);
    runner->moved = true;
    return 0;
}

size_t
fine__runner_peak_bytes(const struct fine__runner *runner)
{
    return runner->tape.arena.high_water;
}

/* ---- the border: everything that is an index is checked once a batch ---- */

static int
check_sequences(const fine_model *model, const struct fine__batch *batch)
{
    if (batch->n_seqs < 1 || batch->n_tokens < 1)
        return fine__fail(FINE_EDATA, "batch: it is empty");
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        const int64_t kept = batch->past != NULL ? batch->past[i]->length : 0;
        const int64_t length = batch->offsets[i + 1] - batch->offsets[i];

        if (batch->past != NULL && kept + length > batch->past[i]->capacity)
            return fine__fail(FINE_EDATA, "batch: sequence %lld has no room for %lld more ids",
                              (long long)i, (long long)length);
        if (length < 1)
            return fine__fail(FINE_EDATA, "batch: sequence %lld has no ids", (long long)i);
        if (kept + length > model->max_positions)
            return fine__fail(FINE_EDATA, "batch: sequence %lld has %lld ids; the model takes at "
                              "most %lld", (long long)i, (long long)(kept + length),
                              (long long)model->max_positions);
    }
    return 0;
}

static int
check_images(const fine_model *model, const struct fine__batch *batch)
{
    const int64_t most = INT64_MAX / 1024 / model->n_channels;

    if (batch->pixels == NULL)
        return fine__fail(FINE_EDATA, "batch: a %s model reads images, and there are none",
                          model->family->name);
    if (batch->n_seqs < 1 || batch->height < 1 || batch->width < 1)
        return fine__fail(FINE_EDATA, "batch: it is empty");
    if (batch->height > most / batch->width || batch->n_seqs > most / batch->width / batch->height)
        return fine__fail(FINE_ENOMEM, "batch: its images are larger than any memory");
    return 0;
}

static int
check_targets(const struct fine__batch *batch, const struct fine__kind *kind, int64_t n_outputs)
{
    const int64_t n = kind->per_token ? batch->n_tokens : batch->n_seqs;

    for (int64_t i = 0; batch->labels != NULL && i < n; i++)
        if (batch->labels[i] < -1 || batch->labels[i] >= n_outputs)
            return fine__fail(FINE_EDATA, "batch: %s %lld has label %d; the head has %lld",
                              kind->per_token     ? "token"
                              : kind->reads_image ? "image" : "sequence", (long long)i,
                              (int)batch->labels[i], (long long)n_outputs);
    for (int64_t i = 0; batch->starts != NULL && i < batch->n_seqs; i++) {
        const int64_t length = batch->offsets[i + 1] - batch->offsets[i];

        if (batch->starts[i] < -1 || batch->starts[i] >= length || batch->ends[i] < -1 ||
            batch->ends[i] >= length)
            return fine__fail(FINE_EDATA, "batch: the answer of sequence %lld, %d to %d, is not "
                              "within its %lld ids", (long long)i, (int)batch->starts[i],
                              (int)batch->ends[i], (long long)length);
    }
    return 0;
}

static int
check_batch(const fine_model *model, const struct fine__batch *batch, int64_t n_outputs)
{
    if (model->n_channels > 0) {
        FINE__TRY(check_images(model, batch));
        return check_targets(batch, fine__kind(model->task), n_outputs);
    }
    FINE__TRY(check_sequences(model, batch));
    for (int64_t i = 0; i < batch->n_tokens; i++) {
        if (batch->ids[i] < 0 || batch->ids[i] >= model->vocab_size)
            return fine__fail(FINE_EDATA, "batch: token %lld has id %d, which is not within the "
                              "vocabulary of %lld", (long long)i, (int)batch->ids[i],
                              (long long)model->vocab_size);
        if (batch->types != NULL && model->type_vocab_size > 0 &&
            (batch->types[i] < 0 || batch->types[i] >= model->type_vocab_size))
            return fine__fail(FINE_EDATA, "batch: token %lld has type %d; the model knows %lld",
                              (long long)i, (int)batch->types[i],
                              (long long)model->type_vocab_size);
    }
    FINE__TRY(check_targets(batch, fine__kind(model->task), n_outputs));
    return 0;
}

/* Positions, and types where the caller gave none. */
static int
complete(const fine_model *model, struct fine__tape *t, const struct fine__batch *batch,
         struct fine__batch *out)
{
    int32_t *positions, *types;

    *out = *batch;
    if (model->n_channels > 0)
        return 0;
    positions = fine__arena_take_array(&t->arena, batch->n_tokens, sizeof *positions);
    if (positions == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        for (int64_t j = batch->offsets[i]; j < batch->offsets[i + 1]; j++)
            positions[j] = (int32_t)(j - batch->offsets[i] +
                                     (batch->past != NULL ? batch->past[i]->length : 0));
    out->positions = positions;
    if (batch->types == NULL && model->type_vocab_size > 0) {
        types = fine__arena_take_array(&t->arena, batch->n_tokens, sizeof *types);
        if (types == NULL)
            return FINE_ENOMEM;
        memset(types, 0, (size_t)batch->n_tokens * sizeof *types);
        out->types = types;
    }
    return 0;
}

/* ---- results ---- */

static int
keep(fine_context *ctx, fine__real **to, int64_t *capacity, const struct fine__tensor *x)
{
    FINE__TRY(fine__grow(ctx, to, capacity, x->count, sizeof **to));
    memcpy(*to, x->data, (size_t)x->count * sizeof **to);
    return 0;
}

static int
keep_states(struct fine__runner *runner, const struct fine__states *states, struct fine__run *run)
{
    fine_context *ctx = runner->model->ctx;
    int64_t total = 0, at = 0;

    for (int64_t i = 0; i < states->count; i++)
        total += states->list[i]->count;
    FINE__TRY(fine__grow(ctx, &runner->states, &runner->states_capacity, total,
                         sizeof *runner->states));
    FINE__TRY(fine__grow(ctx, &runner->state_list, &runner->n_state_list, states->count,
                         sizeof *runner->state_list));
    FINE__TRY(fine__grow(ctx, &runner->shapes, &runner->shapes_capacity, states->count,
                         sizeof *runner->shapes));
    for (int64_t i = 0; i < states->count; i++) {
        const struct fine__tensor *state = states->list[i];

        memcpy(runner->states + at, state->data, (size_t)state->count * sizeof *state->data);
        memcpy(runner->shapes[i], state->shape, sizeof state->shape);
        runner->state_list[i] = runner->states + at;
        at += state->count;
    }
    run->states = runner->state_list;
    run->state_shapes = (const int64_t(*)[FINE__MAX_DIMS])runner->shapes;
    run->n_states = states->count;
    return 0;
}

static int
take_loss(struct fine__runner *runner, struct fine__run *run, struct fine__tensor *loss)
{
    struct fine__tape *t = &runner->tape;

    FINE__TRY(fine__tape_status(t));
    run->loss_sum = (double)loss->data[0];
    if (!isfinite(run->loss_sum))
        return fine__fail(FINE_ENUMERIC, "the loss is not a finite number; a lower learning rate "
                          "or clipping may help, or the weights are damaged");
    if (run->backward)
        fine__backward(t, loss, run->loss_weight);
    return fine__tape_status(t);
}

/* A vocabulary is wide: only tokens with a label go through the head, and their logits never
 * exist all at once. */
static int
run_loss_alone(struct fine__runner *runner, struct fine__run *run,
               const struct fine__batch *batch, struct fine__tensor *x)
{
    struct fine__tape *t = &runner->tape;
    const int64_t n = run->n_labelled = fine__kind(runner->model->task)->count(batch);
    int64_t *rows = fine__arena_take_array(&t->arena, n, sizeof *rows), at = 0;
    int32_t *labels = fine__arena_take_array(&t->arena, n, sizeof *labels);

    if (rows == NULL || labels == NULL)
        return FINE_ENOMEM;
    if (n == 0)
        return 0;
    for (int64_t i = 0; i < batch->n_tokens; i++)
        if (batch->labels[i] >= 0) {
            rows[at] = i;
            labels[at++] = batch->labels[i];
        }
    if (n < batch->n_tokens)
        x = fine__pick(t, x, n, rows);
    return take_loss(runner, run,
                     fine__head_loss(runner->model, t, x, labels, run->train));
}

static int
run_head(struct fine__runner *runner, struct fine__run *run, const struct fine__batch *batch,
         struct fine__tensor *x)
{
    const fine_model *model = runner->model;
    const struct fine__kind *kind = fine__kind(model->task);
    struct fine__tape *t = &runner->tape;
    struct fine__tensor *logits;

    if (run->loss_only && batch->labels != NULL && batch->criterion == NULL &&
        kind->n_outputs == FINE__OUTPUTS_VOCABULARY)
        return run_loss_alone(runner, run, batch, x);
    if (run->rows != NULL)
        x = fine__pick(t, x, run->n_rows, run->rows);
    logits = fine__head_apply(model, t, x, batch, run->train);
    FINE__TRY(fine__tape_status(t));
    if (!run->loss_only) {
        FINE__TRY(keep(model->ctx, &runner->results, &runner->results_capacity, logits));
        run->logits = runner->results;
        run->n_logits = logits->shape[1];
    }
    if (!fine__batch_has_targets(batch))
        return 0;
    run->n_labelled = kind->count(batch);
    return take_loss(runner, run, kind->loss(t, logits, batch));
}

static int
run_embed(struct fine__runner *runner, struct fine__run *run, const struct fine__batch *batch,
          struct fine__tensor *x)
{
    struct fine__tape *t = &runner->tape;

    if (runner->model->n_channels == 0)
        x = run->embed_pool == FINE__POOL_MEAN
                ? fine__pool_mean(t, x, batch->n_seqs, batch->offsets)
                : fine__pick(t, x, batch->n_seqs, batch->offsets);
    else if (x->n_dims == 4)
        x = fine__global_pool(t, x);
    FINE__TRY(fine__tape_status(t));
    FINE__TRY(keep(runner->model->ctx, &runner->results, &runner->results_capacity, x));
    run->embedding = runner->results;
    run->width = x->shape[1];
    return 0;
}

static int
run_model(struct fine__runner *runner, struct fine__run *run)
{
    fine_model *model = runner->model;
    struct fine__tape *t = &runner->tape;
    struct fine__states states = { .capacity = model->n_states > 0 ? model->n_states
                                                                   : model->n_layers + 1 };
    struct fine__batch batch;

    run->logits = run->embedding = NULL;
    run->states = NULL;
    run->n_states = run->n_labelled = 0;
    run->loss_sum = 0;
    FINE__TRY(check_batch(model, run->batch, fine__model_n_outputs(model)));
    if (run->backward)
        FINE__TRY(model->params.gradients != NULL ? 0 : fine__params_make_gradients(&model->params));
    fine__tape_reset(t, run->backward, run->dropout_key);
    FINE__TRY(complete(model, t, run->batch, &batch));
    batch.statistics = NULL;
    if ((run->train || run->by_batch) && model->norms.count > 0) {
        FINE__TRY(stage_statistics(runner));
        batch.statistics = &runner->next;
    }
    if (run->hidden_states) {
        states.list = fine__arena_take_array(&t->arena, states.capacity, sizeof *states.list);
        if (states.list == NULL)
            return FINE_ENOMEM;
    }
    struct fine__tensor *x = model->family->encode(model, t, &batch, run->train,
                                                   run->hidden_states ? &states : NULL);

    FINE__TRY(fine__tape_status(t));
    if (run->hidden_states)
        FINE__TRY(keep_states(runner, &states, run));
    if (run->embed)
        return run_embed(runner, run, &batch, x);
    return model->task == FINE__TASK_NONE ? 0 : run_head(runner, run, &batch, x);
}

int
fine__runner_run(struct fine__runner *runner, struct fine__run *run)
{
    const int rc = run_model(runner, run);

    if (rc < 0)
        fine__runner_discard(runner);
    for (int64_t i = 0; rc == 0 && run->batch->past != NULL && i < run->batch->n_seqs; i++)
        run->batch->past[i]->length += run->batch->offsets[i + 1] - run->batch->offsets[i];
    return rc;
}
