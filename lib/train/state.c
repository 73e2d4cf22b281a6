/*
 * state.c — what a checkpoint holds, written.
 *
 * model.safetensors: what is trained, and the running statistics of batch norms. optimizer.safetensors: its moments. trainer.json:
 * where the run stands, and what run it is (settings and fingerprints). Frozen weights
 * are not written: they come from the model's own folder again, and their fingerprint
 * makes sure that it is the same.
 */
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/number.h"

void
fine__state_name(int64_t step, char *out, size_t size)
{
    (void)snprintf(out, size, "step-%06lld", (long long)step);
}

/* ---- what run it is ---- */

static void
text_setting(struct fine__buf *out, const char *key, const char *value)
{
    fine__buf_printf(out, ",\"%s\":", key);
    if (value != NULL)
        fine__buf_json_string(out, value, strlen(value));
    else
        fine__buf_text(out, "\"\"");
}

static void
number_setting(struct fine__buf *out, const char *key, double value)
{
    fine__buf_printf(out, ",\"%s\":", key);
    fine__buf_number(out, value);
}

static void
integer_setting(struct fine__buf *out, const char *key, int64_t value)
{
    fine__buf_printf(out, ",\"%s\":%lld", key, (long long)value);
}

/* Statistics that stay as they are: those of norms that aren't trained. */
static void
fingerprint_norms(const fine_model *model, struct fine__hash *hash)
{
    const struct fine__norms *norms = &model->norms;

    for (int64_t i = 0; i < norms->count; i++) {
        const struct fine__norm *norm = &norms->list[i];
        const struct fine__param *weight = &model->params.list[norm->weight];

        if (weight[0].tensor.grad == NULL && weight[1].tensor.grad == NULL)
            fine__hash_update(hash, norms->now.values + norm->at,
                              (size_t)(2 * norm->channels) * sizeof *norms->now.values);
    }
}

/* Everything that isn't trained, and the shape of what is. */
static int
fingerprint_model(const fine_model *model, char out[33])
{
    struct fine__hash *hash = NULL;

    FINE__TRY(fine__hash_new(&hash, model->ctx));
    fine__hash_update(hash, model->fingerprint, strlen(model->fingerprint));
    for (int64_t i = 0; i < model->params.count; i++) {
        const struct fine__param *param = &model->params.list[i];
        const struct fine__tensor *tensor = &param->tensor;

        fine__hash_update(hash, param->name, strlen(param->name) + 1);
        fine__hash_update(hash, tensor->shape, (size_t)tensor->n_dims * sizeof *tensor->shape);
        if (tensor->grad == NULL)
            fine__hash_update(hash, tensor->data, (size_t)tensor->count * sizeof *tensor->data);
    }
    fingerprint_norms(model, hash);
    fine__hash_hex(hash, out);
    fine__hash_free(hash);
    return FINE_OK;
}

static void
write_optimizer(const fine_optimizer *optimizer, struct fine__buf *out)
{
    text_setting(out, "optimizer", optimizer->rule->name);
    number_setting(out, "learning_rate", optimizer->learning_rate);
    number_setting(out, "head_learning_rate", optimizer->head_learning_rate);
    number_setting(out, "layer_decay", optimizer->layer_decay);
    number_setting(out, "weight_decay", optimizer->weight_decay);
    text_setting(out, "decay", optimizer->decay == FINE_DECAY_ALL ? "all" : "matrices");
    if (optimizer->rule == &fine__rule_adamw) {
        number_setting(out, "beta1", optimizer->beta1);
        number_setting(out, "beta2", optimizer->beta2);
        number_setting(out, "epsilon", optimizer->epsilon);
    } else if (optimizer->rule == &fine__rule_sgd) {
        number_setting(out, "momentum", optimizer->momentum);
        number_setting(out, "dampening", optimizer->dampening);
        integer_setting(out, "nesterov", optimizer->nesterov);
    } else {
        number_setting(out, "beta1", optimizer->beta1);
        number_setting(out, "beta2", optimizer->beta2);
        number_setting(out, "epsilon", optimizer->epsilon);
        number_setting(out, "momentum", optimizer->momentum);
        number_setting(out, "alpha", optimizer->alpha);
        integer_setting(out, "centered", optimizer->centered);
        integer_setting(out, "relative_step", optimizer->relative_step);
        integer_setting(out, "scale_parameter", optimizer->scale_parameter);
        integer_setting(out, "warmup_init", optimizer->warmup_init);
    }
}

static void
write_augmentation(const struct fine_augmentation *a, struct fine__buf *out)
{
    number_setting(out, "crop", a->crop);
    integer_setting(out, "pad", a->pad);
    number_setting(out, "flip", a->flip);
    number_setting(out, "brightness", a->brightness);
    number_setting(out, "contrast", a->contrast);
    number_setting(out, "saturation", a->saturation);
    number_setting(out, "hue", a->hue);
    number_setting(out, "erase", a->erase);
    number_setting(out, "mixup", a->mixup);
    number_setting(out, "cutmix", a->cutmix);
    number_setting(out, "mask_tokens", a->mask_tokens);
    number_setting(out, "drop_words", a->drop_words);
}

int
fine__state_settings(const fine_trainer *trainer, struct fine__buf *out)
{
    const struct fine_trainer_options *options = &trainer->options;
    const fine_schedule *schedule = trainer->schedule;
    char model[33], data[33], validation[33] = "";

    FINE__TRY(fingerprint_model(trainer->model, model));
    FINE__TRY(fine__examples_fingerprint(&trainer->train, data));
    if (trainer->has_validation)
        FINE__TRY(fine__examples_fingerprint(&trainer->validation, validation));
    fine__buf_printf(out,
                     "{\"model\":\"%s\",\"training_data\":\"%s\","
                     "\"validation_data\":\"%s\"",
                     model, data, validation);
    text_setting(out, "freeze", trainer->model->freeze_spec);
    number_setting(out, "label_smoothing", options->label_smoothing);
    number_setting(out, "focal_gamma", options->focal_gamma);
    for (int64_t i = 0; trainer->weighing.weights != NULL && i < trainer->model->n_labels; i++)
        number_setting(out, "class_weight", (double)trainer->weighing.weights[i]);
    if (options->augmentation != NULL)
        write_augmentation(options->augmentation, out);
    integer_setting(out, "steps", trainer->n_steps);
    integer_setting(out, "batch_size", trainer->batches.batch_size);
    integer_setting(out, "accumulate", trainer->batches.accumulate);
    number_setting(out, "clip_norm", options->clip_norm);
    integer_setting(out, "seed", options->seed);
    write_optimizer(trainer->optimizer, out);
    text_setting(out, "schedule", fine__schedule_type(schedule));
    number_setting(out, "warmup", schedule != NULL ? schedule->warmup : 0);
    number_setting(out, "cycles", schedule != NULL ? schedule->cycles : 0);
    number_setting(out, "power", schedule != NULL ? schedule->power : 0);
    number_setting(out, "end", schedule != NULL ? schedule->end : 0);
    number_setting(out, "decay_steps", schedule != NULL ? schedule->decay : 0);
    integer_setting(out, "restarts", schedule != NULL ? schedule->restarts : 0);
    number_setting(out, "evaluate_every_epochs", options->evaluate_every_epochs);
    integer_setting(out, "evaluate_every_steps", options->evaluate_every_steps);
    text_setting(out, "metric", trainer->metric);
    integer_setting(out, "patience", options->patience);
    fine__buf_byte(out, '}');
    return fine__buf_status(out);
}

/* ---- where it stands ---- */

static int
write_progress(const fine_trainer *trainer, struct fine__buf *out)
{
    const struct fine_progress *progress = &trainer->progress;

    fine__buf_printf(out, "{\"format\":1,\"step\":%lld,\"rows\":%lld,\"optimizer_steps\":%lld",
                     (long long)trainer->step, (long long)trainer->rows,
                     (long long)trainer->optimizer->n_steps);
    number_setting(out, "seconds", fine__trainer_seconds(trainer));
    integer_setting(out, "epoch", progress->epoch);
    number_setting(out, "loss", progress->loss);
    number_setting(out, "gradient_norm", progress->gradient_norm);
    number_setting(out, "learning_rate", progress->learning_rate);
    integer_setting(out, "last_evaluated", trainer->last_evaluated);
    integer_setting(out, "best_step", trainer->best_step);
    number_setting(out, "best_value", trainer->best_step >= 0 ? trainer->best_value : 0);
    integer_setting(out, "evaluations_since_best", trainer->n_worse);
    fine__buf_text(out, ",\"history\":[");
    fine__buf_append(out, fine__buf_cstr(&trainer->history), trainer->history.length);
    fine__buf_text(out, "],\"run\":");
    FINE__TRY(fine__state_settings(trainer, out));
    fine__buf_text(out, "}\n");
    return fine__buf_status(out);
}

/* ---- weights and moments ---- */

static int64_t
count_trained(const struct fine__params *params)
{
    int64_t n = 0;

    for (int64_t i = 0; i < params->count; i++)
        n += params->list[i].tensor.grad != NULL;
    return n;
}

static struct fine__weight_out
entry(const struct fine__param *param, const char *name, const fine__real *data)
{
    return (struct fine__weight_out){ .name = name,
                                      .shape = param->tensor.shape,
                                      .n_dims = param->tensor.n_dims,
                                      .type = sizeof *data == 4 ? FINE_F32 : FINE_F64,
                                      .data = data };
}

int
fine__state_add_weights(struct fine__checkpoint_writer *writer, const fine_model *model)
{
    const struct fine__params *params = &model->params;
    const int64_t n_trained = count_trained(params);
    const struct fine__norms *norms = &model->norms;
    struct fine__weight_out *entries = fine__alloc_array(
        model->ctx, (size_t)(n_trained + norms->count * FINE__N_BUFFERS), sizeof *entries);
    int64_t n = 0;

    if (entries == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < params->count; i++)
        if (params->list[i].tensor.grad != NULL)
            entries[n++] =
                entry(&params->list[i], params->list[i].name, params->list[i].tensor.data);
    for (int64_t i = 0; i < norms->count * FINE__N_BUFFERS; i++)
        entries[n++] = fine__norm_entry(&norms->list[i / FINE__N_BUFFERS], norms,
                                        (enum fine__buffer)(i % FINE__N_BUFFERS));
    const int rc = fine__checkpoint_add_tensors(writer, "model.safetensors", entries, n);

    fine__free(model->ctx, entries);
    return rc;
}

static int
add_moments(struct fine__checkpoint_writer *writer, const fine_optimizer *optimizer)
{
    const struct fine__params *params = &optimizer->model->params;
    const int n_moments = optimizer->rule->n_moments(optimizer);
    const int64_t most = count_trained(params) * n_moments;
    struct fine__weight_out *entries;
    struct fine__buf names;
    int64_t n = 0, count;
    int rc;

    if (most == 0)
        return FINE_OK;
    fine__buf_init(&names, optimizer->ctx);
    for (int m = 0; m < n_moments; m++)
        for (int64_t i = 0; i < params->count; i++)
            if (fine__optimizer_moment(optimizer, i, m, &count) != NULL) {
                fine__buf_printf(&names, "%s.%s", optimizer->rule->moments[m],
                                 params->list[i].name);
                fine__buf_byte(&names, '\0');
            }
    entries = fine__alloc_array(optimizer->ctx, (size_t)most, sizeof *entries);
    rc = entries == NULL ? FINE_ENOMEM : fine__buf_status(&names);
    const char *name = names.data;

    for (int m = 0; rc == FINE_OK && m < n_moments; m++)
        for (int64_t i = 0; i < params->count; i++) {
            const fine__real *moment = fine__optimizer_moment(optimizer, i, m, &count);

            if (moment == NULL)
                continue;
            entries[n] = entry(&params->list[i], name, moment);
            if (optimizer->places[m] != NULL) {
                entries[n].n_dims = 1;
                entries[n].shape = &optimizer->places[m][2 * i + 1];
            }
            n++;
            name += strlen(name) + 1;
        }
    if (rc == FINE_OK)
        rc = fine__checkpoint_add_tensors(writer, "optimizer.safetensors", entries, n);
    fine__free(optimizer->ctx, entries);
    fine__buf_free(&names);
    return rc;
}

/* ---- the whole ---- */

static int
add_all(const fine_trainer *trainer, struct fine__checkpoint_writer *writer)
{
    struct fine__buf text;
    int rc;

    FINE__TRY(fine__state_add_weights(writer, trainer->model));
    FINE__TRY(add_moments(writer, trainer->optimizer));
    fine__buf_init(&text, trainer->ctx);
    rc = write_progress(trainer, &text);
    if (rc == FINE_OK)
        rc = fine__checkpoint_add(writer, "trainer.json", text.data, text.length);
    fine__buf_free(&text);
    return rc;
}

static void
keep(fine_trainer *trainer)
{
    int n = 0;

    for (int i = 0; i < trainer->n_kept; i++)
        if (trainer->kept[i].step != trainer->step)
            trainer->kept[n++] = trainer->kept[i];
    if (n == FINE__KEPT_CHECKPOINTS) {
        n--;
        memmove(&trainer->kept[0], &trainer->kept[1], (size_t)n * sizeof trainer->kept[0]);
    }
    trainer->kept[n++] = (struct fine__kept){ trainer->step, trainer->best_step };
    trainer->n_kept = n;
}

int
fine__state_write(fine_trainer *trainer, char *name, size_t size)
{
    struct fine__checkpoint_writer *writer = NULL;
    int rc;

    fine__state_name(trainer->step, name, size);
    FINE__TRY(fine__checkpoint_begin(&writer, trainer->ctx, trainer->checkpoints, name));
    rc = add_all(trainer, writer);
    if (rc < 0) {
        fine__checkpoint_abandon(writer);
        return rc;
    }
    FINE__TRY(fine__checkpoint_commit(writer));
    keep(trainer);
    fine__state_prune(trainer);
    return FINE_OK;
}

/* ---- which there are ---- */

int
fine__state_tidy(fine_trainer *trainer)
{
    for (int is_best = 0; is_best < 2; is_best++) {
        int64_t *numbers = NULL, n = 0;

        FINE__TRY(fine__checkpoint_list(trainer->ctx, trainer->checkpoints,
                                        is_best ? "best-" : "step-", true, &numbers, &n));
        fine__free(trainer->ctx, numbers);
    }
    return FINE_OK;
}

static int
ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int
fine__state_list(const fine_trainer *trainer, const char *prefix, int64_t **numbers_out,
                 int64_t *n_out)
{
    const size_t length = strlen(prefix);
    struct fine__names names = { .count = 0 };
    int64_t *numbers, n = 0;
    char plain[64];

    FINE__TRY(fine__list_directory(trainer->ctx, trainer->checkpoints, &names));
    numbers = fine__alloc_array(trainer->ctx, (size_t)names.count, sizeof *numbers);
    for (int64_t i = 0; numbers != NULL && i < names.count; i++) {
        const char *name = names.names[i];

        if (strncmp(name, prefix, length) != 0 ||
            !fine__parse_int64(name + length, strlen(name + length), &numbers[n]))
            continue;
        (void)snprintf(plain, sizeof plain, "%s%06lld", prefix, (long long)numbers[n]);
        n += strcmp(name, plain) == 0;
    }
    fine__names_free(trainer->ctx, &names);
    if (numbers == NULL)
        return FINE_ENOMEM;
    qsort(numbers, (size_t)n, sizeof *numbers, ascending);
    *numbers_out = numbers;
    *n_out = n;
    return FINE_OK;
}

static bool
is_needed(const fine_trainer *trainer, int64_t number, bool is_best)
{
    if (is_best && number == trainer->best_step)
        return true;
    for (int i = 0; i < trainer->n_kept; i++)
        if (number == (is_best ? trainer->kept[i].best_step : trainer->kept[i].step))
            return true;
    return false;
}

void
fine__state_prune(fine_trainer *trainer)
{
    for (int is_best = 0; is_best < 2; is_best++) {
        int64_t *numbers = NULL, n = 0;
        char name[64];
        int rc = fine__state_list(trainer, is_best ? "best-" : "step-", &numbers, &n);

        for (int64_t i = 0; rc == FINE_OK && i < n; i++) {
            if (is_needed(trainer, numbers[i], is_best))
                continue;
            if (is_best)
                fine__best_name(numbers[i], name, sizeof name);
            else
                fine__state_name(numbers[i], name, sizeof name);
            rc = fine__checkpoint_remove(trainer->ctx, trainer->checkpoints, name);
        }
        fine__free(trainer->ctx, numbers);
        if (rc < 0) /* only space is lost */
            fine__log(trainer->ctx, FINE_LOG_WARNING, "old checkpoints stay in '%s': %s",
                      trainer->checkpoints, fine_error_message());
    }
}
