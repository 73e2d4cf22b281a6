/*
 * resume.c — what a checkpoint holds, read.
 *
 * The newest whole checkpoint is taken; one that is damaged is said so and the one before
 * serves, since the steps between are done again with the same bits. One of another run
 * (other data, settings or model) is refused: going on from it would be neither run.
 */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

enum { MAX_STATE_BYTES = 100000000 };

/* Counters from a file, with room to count on. */
static const int64_t max_count = INT64_MAX / 2;

/* ---- weights and moments ---- */

static bool
has_shape(const struct fine__weight *weight, int64_t n_dims, const int64_t *shape)
{
    return weight->n_dims == n_dims && weight->type == FINE_F32 &&
           memcmp(weight->shape, shape, (size_t)n_dims * sizeof *shape) == 0;
}

/* Where each trained parameter is in a file: all are looked at before any is read. */
static int
find_all(const struct fine__weights *weights, const struct fine__params *params, int64_t *index)
{
    int64_t n_trained = 0;

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__tensor *tensor = &params->list[i].tensor;

        if (tensor->grad == NULL)
            continue;
        n_trained++;
        const char *name = params->list[i].name;

        index[i] = fine__weights_find(weights, name);
        if (index[i] < 0)
            return fine__fail(FINE_EFORMAT, "the checkpoint lacks '%s'", name);
        const struct fine__weight *weight = fine__weights_at(weights, index[i]);

        if (!has_shape(weight, tensor->n_dims, tensor->shape))
            return fine__fail(FINE_EFORMAT, "'%s' in the checkpoint has another shape", name);
    }
    return FINE_OK;
}

/* Where a buffer is in a file, of the right kind; or an error. */
static int
find_buffer(const struct fine__weights *weights, const struct fine__weight_out *entry,
            int64_t *index_out)
{
    const int64_t index = fine__weights_find(weights, entry->name);

    if (index < 0)
        return fine__fail(FINE_EFORMAT, "the checkpoint lacks '%s'", entry->name);
    const struct fine__weight *weight = fine__weights_at(weights, index);

    if (weight->type != entry->type || weight->n_dims != entry->n_dims ||
        (entry->n_dims == 1 && weight->shape[0] != entry->shape[0]))
        return fine__fail(FINE_EFORMAT, "'%s' in the checkpoint has another shape", entry->name);
    *index_out = index;
    return FINE_OK;
}

static int
read_statistics(struct fine__weights *weights, const struct fine__norms *norms,
                struct fine__statistics *out)
{
    for (int64_t i = 0; i < norms->count * FINE__N_BUFFERS; i++) {
        const int64_t number = i / FINE__N_BUFFERS;
        const enum fine__buffer buffer = (enum fine__buffer)(i % FINE__N_BUFFERS);
        const struct fine__norm *norm = &norms->list[number];
        const struct fine__weight_out entry = fine__norm_entry(norm, norms, buffer);
        fine__real *mean = out->values + norm->at;
        int64_t index = -1;

        FINE__TRY(find_buffer(weights, &entry, &index));
        if (buffer == FINE__BATCHES)
            FINE__TRY(fine__weights_read_raw(weights, index, &out->batches[number]));
        else
            FINE__TRY(fine__weights_read_floats(
                weights, index, buffer == FINE__RUNNING_MEAN ? mean : mean + norm->channels));
    }
    return FINE_OK;
}

int
fine__state_read_weights(struct fine__source *source, fine_model *model)
{
    const struct fine__params *params = &model->params;
    struct fine__norms *norms = &model->norms;
    struct fine__statistics read = { NULL, NULL };
    struct fine__weights *weights = NULL;
    int64_t *index = fine__alloc_array(params->ctx, (size_t)params->count, sizeof *index);
    int rc = index == NULL ? FINE_ENOMEM : FINE_OK;

    if (rc == FINE_OK && norms->count > 0)
        rc = fine__statistics_new(model->ctx, norms, &read);
    if (rc == FINE_OK)
        rc = fine__weights_open_file(&weights, params->ctx, source, "model.safetensors");
    if (rc == FINE_OK)
        rc = find_all(weights, params, index);
    if (rc == FINE_OK)
        rc = read_statistics(weights, norms, &read);
    for (int64_t i = 0; rc == FINE_OK && i < params->count; i++)
        if (params->list[i].tensor.grad != NULL)
            rc = fine__weights_read_floats(weights, index[i], params->list[i].tensor.data);
    if (rc == FINE_OK)
        fine__statistics_copy(norms, &norms->now, &read);
    fine__weights_free(weights);
    fine__statistics_free(model->ctx, &read);
    fine__free(params->ctx, index);
    return rc;
}

/* Where moment m of each parameter is in a file: all are looked at before any is read. */
static int
find_moments(const struct fine__weights *weights, const fine_optimizer *optimizer, int m,
             int64_t *index)
{
    const struct fine__params *params = &optimizer->model->params;
    char name[1024];
    int64_t n;

    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__tensor *tensor = &params->list[i].tensor;
        const bool apart = optimizer->places[m] != NULL;

        if (fine__optimizer_moment(optimizer, i, m, &n) == NULL)
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", optimizer->rule->moments[m],
                       params->list[i].name);
        index[i] = fine__weights_find(weights, name);
        if (index[i] < 0)
            return fine__fail(FINE_EFORMAT, "the checkpoint lacks '%s'", name);
        if (!has_shape(fine__weights_at(weights, index[i]), apart ? 1 : tensor->n_dims,
                       apart ? &n : tensor->shape))
            return fine__fail(FINE_EFORMAT, "'%s' in the checkpoint has another shape", name);
    }
    return FINE_OK;
}

static int
read_moment(struct fine__weights *weights, const fine_optimizer *optimizer, int m,
            int64_t *index)
{
    int64_t n;

    FINE__TRY(find_moments(weights, optimizer, m, index));
    for (int64_t i = 0; i < optimizer->model->params.count; i++) {
        fine__real *moment = fine__optimizer_moment(optimizer, i, m, &n);

        if (moment != NULL)
            FINE__TRY(fine__weights_read_floats(weights, index[i], moment));
    }
    return FINE_OK;
}

static int
read_moments(struct fine__source *source, fine_optimizer *optimizer, int64_t n_steps)
{
    const int n_moments = optimizer->rule->n_moments(optimizer);
    struct fine__weights *weights = NULL;
    int64_t *index;
    int rc = FINE_OK;

    if (n_moments > 0) {
        index = fine__alloc_array(optimizer->ctx, (size_t)optimizer->model->params.count,
                                  sizeof *index);
        rc = index == NULL ? FINE_ENOMEM
                           : fine__weights_open_file(&weights, optimizer->ctx, source,
                                                     "optimizer.safetensors");
        for (int m = 0; m < n_moments && rc == FINE_OK; m++)
            rc = read_moment(weights, optimizer, m, index);
        fine__weights_free(weights);
        fine__free(optimizer->ctx, index);
    }
    return rc == FINE_OK ? fine__optimizer_restored(optimizer, n_steps) : rc;
}

/* ---- trainer.json ---- */

static int
same_run(const fine_trainer *trainer, const struct fine__json *root, const char *name)
{
    const struct fine__json *then = fine__json_get(root, "run");
    struct fine__json *now = NULL;
    struct fine__buf text, a, b;
    int rc;

    fine__buf_init(&text, trainer->ctx);
    fine__buf_init(&a, trainer->ctx);
    fine__buf_init(&b, trainer->ctx);
    rc = fine__state_settings(trainer, &text);
    if (rc == FINE_OK)
        rc = fine__json_parse(&now, trainer->ctx, text.data, text.length, "settings");
    for (void *at = fine__json_first(now); rc == FINE_OK && at != NULL;
         at = fine__json_next(now, at)) {
        const struct fine__json *was = fine__json_get(then, fine__json_key(at));

        fine__buf_clear(&a);
        fine__buf_clear(&b);
        rc = fine__json_write(fine__json_value(at), &a);
        if (rc == FINE_OK && was != NULL)
            rc = fine__json_write(was, &b);
        if (rc == FINE_OK && strcmp(fine__buf_cstr(&a), fine__buf_cstr(&b)) != 0)
            rc = fine__fail(FINE_EFORMAT,
                            "'%s/%s' is of another run: %s was %s there and is %s "
                            "now; start anew without resuming, or in another folder",
                            trainer->checkpoints, name, fine__json_key(at),
                            was != NULL ? fine__buf_cstr(&b) : "nothing", fine__buf_cstr(&a));
    }
    fine__json_free(now);
    fine__buf_free(&text);
    fine__buf_free(&a);
    fine__buf_free(&b);
    return rc;
}

static int
read_history(const struct fine__json *root, struct fine__buf *out)
{
    const struct fine__json *history = fine__json_get(root, "history");

    fine__buf_clear(out);
    for (int64_t i = 0; i < fine__json_count(history); i++) {
        const struct fine__json *entry = fine__json_at(history, i);
        const struct fine__json *metrics = fine__json_get(entry, "metrics");

        if (fine__json_type(metrics) != FINE__JSON_OBJECT)
            return fine__fail(FINE_EFORMAT, "trainer.json: an evaluation has no metrics");

        fine__buf_printf(out, "%s{\"step\":%lld,\"metrics\":", i > 0 ? "," : "",
                         (long long)fine__json_int(fine__json_get(entry, "step"), 0));
        FINE__TRY(fine__json_write(metrics, out));
        fine__buf_byte(out, '}');
    }
    return fine__buf_status(out);
}

/* The numbers of trainer.json, checked against each other. */
struct place {
    int64_t step, rows, optimizer_steps, epoch, last_evaluated, best_step, n_worse;
    double seconds, loss, gradient_norm, learning_rate, best_value;
};

static int
read_place(const fine_trainer *trainer, const struct fine__json *root, struct place *out,
           const char *what)
{
    int64_t format;
    int rc = 0;

    fine__error_clear();
    rc |= fine__json_want_int(root, "format", 1, 1, FINE__REQUIRED, &format, what);
    rc |= fine__json_want_int(root, "step", 0, trainer->n_steps, FINE__REQUIRED, &out->step, what);
    rc |= fine__json_want_int(root, "rows", 0, max_count, FINE__REQUIRED, &out->rows, what);
    rc |= fine__json_want_int(root, "optimizer_steps", 0, max_count, FINE__REQUIRED,
                              &out->optimizer_steps, what);
    rc |= fine__json_want_int(root, "epoch", 0, max_count, 0, &out->epoch, what);
    rc |= fine__json_want_int(root, "last_evaluated", -1, trainer->n_steps, FINE__REQUIRED,
                              &out->last_evaluated, what);
    rc |= fine__json_want_int(root, "best_step", -1, trainer->n_steps, FINE__REQUIRED,
                              &out->best_step, what);
    rc |= fine__json_want_int(root, "evaluations_since_best", 0, max_count, FINE__REQUIRED,
                              &out->n_worse, what);
    rc |= fine__json_want_double(root, "best_value", -HUGE_VAL, HUGE_VAL, (double)NAN,
                                 &out->best_value, what);
    if (rc < 0)
        return FINE_EFORMAT;
    out->seconds = fine__json_double(fine__json_get(root, "seconds"), 0);
    out->loss = fine__json_double(fine__json_get(root, "loss"), 0);
    out->gradient_norm = fine__json_double(fine__json_get(root, "gradient_norm"), 0);
    out->learning_rate = fine__json_double(fine__json_get(root, "learning_rate"), 0);
    if (out->best_step > out->step || out->last_evaluated > out->step)
        return fine__fail(FINE_EFORMAT, "%s: an evaluation comes after the last step", what);
    return FINE_OK;
}

static void
stand_at(fine_trainer *trainer, const struct place *place)
{
    trainer->step = place->step;
    trainer->rows = place->rows;
    trainer->last_evaluated = place->last_evaluated;
    trainer->best_step = place->best_step;
    trainer->best_value = place->best_value;
    trainer->n_worse = place->n_worse;
    trainer->seconds_before = place->seconds;
    trainer->progress.epoch = place->epoch;
    trainer->progress.loss = place->loss;
    trainer->progress.gradient_norm = place->gradient_norm;
    trainer->progress.learning_rate = place->learning_rate;
    if (place->last_evaluated >= 0)
        trainer->progress.metric = place->best_value;
}

/* ---- one checkpoint ---- */

static int
read_json(const fine_trainer *trainer, const struct fine__source *source, struct fine__json **out)
{
    struct fine__buf text;
    int rc;

    fine__buf_init(&text, trainer->ctx);
    rc = fine__source_read(source, "trainer.json", MAX_STATE_BYTES, &text);
    if (rc == FINE_OK)
        rc =
            fine__json_parse(out, trainer->ctx, fine__buf_cstr(&text), text.length, "trainer.json");
    fine__buf_free(&text);
    return rc;
}

/* The best weights that a checkpoint refers to must be whole too. */
static int
check_best(const fine_trainer *trainer, int64_t best_step)
{
    struct fine__source *source = NULL;
    char name[64];

    if (best_step < 0)
        return FINE_OK;
    fine__best_name(best_step, name, sizeof name);
    FINE__TRY(fine__checkpoint_open(&source, trainer->ctx, trainer->checkpoints, name));
    fine__source_free(source);
    return FINE_OK;
}

static int
read_checkpoint(fine_trainer *trainer, struct fine__source *source, const struct fine__json *root)
{
    struct place place;

    FINE__TRY(read_place(trainer, root, &place, "trainer.json"));
    FINE__TRY(check_best(trainer, place.best_step));
    FINE__TRY(read_history(root, &trainer->history));
    FINE__TRY(fine__state_read_weights(source, trainer->model));
    FINE__TRY(read_moments(source, trainer->optimizer, place.optimizer_steps));
    stand_at(trainer, &place);
    return FINE_OK;
}

/* 1: it is another run's, which no older checkpoint can heal. */
static int
try_one(fine_trainer *trainer, int64_t step, bool *is_foreign)
{
    struct fine__source *source = NULL;
    struct fine__json *root = NULL;
    char name[64];
    int rc;

    fine__state_name(step, name, sizeof name);
    FINE__TRY(fine__checkpoint_open(&source, trainer->ctx, trainer->checkpoints, name));
    rc = read_json(trainer, source, &root);
    if (rc == FINE_OK) {
        rc = same_run(trainer, root, name);
        *is_foreign = rc < 0;
    }
    if (rc == FINE_OK)
        rc = read_checkpoint(trainer, source, root);
    fine__json_free(root);
    fine__source_free(source);
    return rc;
}

/* ---- the newest that is whole ---- */

/* Which best step an older checkpoint refers to, so that it isn't removed before it. */
static void
note_kept(fine_trainer *trainer, int64_t step)
{
    struct fine__json *root = NULL;
    char file[128];
    char name[64];
    char *path;

    fine__state_name(step, name, sizeof name);
    (void)snprintf(file, sizeof file, "%s/trainer.json", name);
    path = fine__path_join(trainer->ctx, trainer->checkpoints, file);
    if (path != NULL && fine__json_read(&root, trainer->ctx, path, MAX_STATE_BYTES) == FINE_OK)
        trainer->kept[trainer->n_kept++] =
            (struct fine__kept){ step, fine__json_int(fine__json_get(root, "best_step"), -1) };
    fine__json_free(root);
    fine__free(trainer->ctx, path);
}

int
fine__state_resume(fine_trainer *trainer)
{
    int64_t *steps = NULL, n = 0, at;
    bool is_foreign = false;
    int rc;

    FINE__TRY(fine__state_list(trainer, "step-", &steps, &n));
    rc = FINE_OK;
    for (at = n - 1; at >= 0; at--) {
        rc = try_one(trainer, steps[at], &is_foreign);
        if ((rc != FINE_EFORMAT && rc != FINE_EIO) || is_foreign)
            break;
        fine__log(trainer->ctx, FINE_LOG_WARNING,
                  "checkpoint of step %lld is damaged, the one "
                  "before is tried: %s",
                  (long long)steps[at], fine_error_message());
    }
    if (rc == FINE_OK && at >= 0) {
        for (int64_t i = at > 2 ? at - 2 : 0; i <= at; i++)
            note_kept(trainer, steps[i]);
        fine__log(trainer->ctx, FINE_LOG_INFO, "going on after step %lld of %lld",
                  (long long)trainer->step, (long long)trainer->n_steps);
    } else if (rc == FINE_OK) {
        fine__log(trainer->ctx, FINE_LOG_INFO, "no checkpoint in '%s' yet: starting at step 1",
                  trainer->checkpoints);
    }
    fine__free(trainer->ctx, steps);
    return rc;
}
