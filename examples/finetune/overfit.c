/*
 * overfit.c — trains on one batch again and again, without dropout: the loss must fall,
 * and must fall exactly as another implementation's does. The loop is written by hand on
 * gradients and an optimizer; nothing of the trainer is used.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the settings file says. Its other keys (the losses to compare with) are not ours. */
struct settings {
    const char *optimizer, *schedule;
    double rate, clip;
    int64_t steps, n_parts;
    const json_t *all, *trainable; /* trainable: NULL for everything */
    int by_batch;                  /* batch norms by the batch's statistics while training */
    const char *architecture;      /* from the command line, or NULL */
};

static double
real(const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

static int64_t
whole(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/* Said outright, or as long as the losses that are recorded in the file. */
static int64_t
count_steps(const json_t *all)
{
    const json_t *recorded = json_object_get(json_object_get(all, "float64"), "loss");

    if (json_is_integer(json_object_get(all, "steps")))
        return whole(all, "steps", 0);
    if (json_is_integer(json_object_get(all, "total_steps")))
        return whole(all, "total_steps", 0);
    return recorded ? (int64_t)json_array_size(recorded) : 10;
}

static int
read_settings(struct settings *out, const json_t *all, const char *path)
{
    const char *name = json_string_value(json_object_get(all, "optimizer"));
    const json_t *trainable = json_object_get(all, "trainable");

    *out = (struct settings){
        .optimizer = name ? name : "adamw",
        .schedule = json_string_value(json_object_get(all, "schedule")),
        .rate = real(all, "lr", 1e-3),
        .clip = real(all, "clip", 0),
        .steps = count_steps(all),
        .n_parts = whole(all, "accumulation", 1),
        .all = all,
        .trainable = json_is_array(trainable) ? trainable : NULL,
    };
    name = json_string_value(json_object_get(all, "batch_norm"));
    if (name && strcmp(name, "train") != 0 && strcmp(name, "eval") != 0)
        return cli_complain(CLI_INPUT, "%s: batch_norm '%s' is not known; train and eval are", path,
                            name);
    out->by_batch = name && strcmp(name, "train") == 0;
    if (strcmp(out->optimizer, "adamw") != 0 && strcmp(out->optimizer, "sgd") != 0)
        return cli_complain(CLI_INPUT, "%s: optimizer '%s' is not known; adamw and sgd are", path,
                            out->optimizer);
    if (out->steps < 1 || out->steps > 1000000)
        return cli_complain(CLI_INPUT, "%s: steps must be from 1 to 1000000", path);
    if (out->n_parts < 1)
        return cli_complain(CLI_INPUT, "%s: accumulation must be 1 or more", path);
    return CLI_DONE;
}

static int
is_listed(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (json_is_string(item) &&
                                          strcmp(json_string_value(item), name) == 0) return 1;
    return 0;
}

/* Freezes, by name, whatever the settings do not list. */
static int
freeze_the_rest(fine_model *model, const json_t *trainable)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    int64_t n = fine_model_n_params(model), n_found = 0;
    size_t length = 1, at = 0;
    char *spec;
    int rc;

    for (int64_t i = 0; i < n && fine_model_param(model, i, &info) == FINE_OK; i++)
        length += strlen(info.name) + 1;
    spec = calloc(1, length);
    if (!spec)
        return cli_no_memory();
    for (int64_t i = 0; i < n && fine_model_param(model, i, &info) == FINE_OK; i++) {
        if (is_listed(trainable, info.name))
            n_found++;
        else
            at += (size_t)snprintf(spec + at, length - at, "%s%s", at > 0 ? "," : "", info.name);
    }
    if (n_found != (int64_t)json_array_size(trainable)) {
        free(spec);
        return cli_complain(CLI_INPUT,
                            "%lld of the %lld trainable tensors in the settings are not in the "
                            "model; 'finetune inspect' lists its names",
                            (long long)((int64_t)json_array_size(trainable) - n_found),
                            (long long)json_array_size(trainable));
    }
    rc = fine_model_freeze(model, at > 0 ? spec : "none");
    free(spec);
    return rc < 0 ? cli_fail(rc, CLI_READING) : CLI_DONE;
}

static int
make_optimizer(fine_optimizer **out, fine_context *context, const struct settings *s)
{
    const char *decay_on = json_string_value(json_object_get(s->all, "weight_decay_on"));
    const json_t *betas = json_object_get(s->all, "betas");
    int32_t decay = decay_on && strcmp(decay_on, "all but biases and norms") == 0
                        ? FINE_DECAY_MATRICES
                        : FINE_DECAY_ALL;
    struct fine_adamw_options adamw;
    struct fine_sgd_options sgd;

    if (strcmp(s->optimizer, "sgd") == 0) {
        fine_sgd_options_init(&sgd, sizeof sgd);
        sgd.learning_rate = s->rate;
        sgd.momentum = real(s->all, "momentum", 0);
        sgd.dampening = real(s->all, "dampening", 0);
        sgd.weight_decay = real(s->all, "weight_decay", 0);
        sgd.nesterov = json_is_true(json_object_get(s->all, "nesterov"));
        sgd.decay = decay;
        return fine_optimizer_new_sgd(out, context, &sgd);
    }
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = s->rate;
    if (json_array_size(betas) == 2) {
        adamw.beta1 = json_number_value(json_array_get(betas, 0));
        adamw.beta2 = json_number_value(json_array_get(betas, 1));
    }
    adamw.epsilon = real(s->all, "eps", 1e-8);
    adamw.weight_decay = real(s->all, "weight_decay", 0.01);
    adamw.decay = decay;
    return fine_optimizer_new_adamw(out, context, &adamw);
}

static int
make_schedule(fine_schedule **out, fine_context *context, const struct settings *s)
{
    struct fine_schedule_options options;

    fine_schedule_options_init(&options, sizeof options);
    options.warmup = real(s->all, "warmup_steps", 0);
    return fine_schedule_new(out, context, s->schedule ? s->schedule : "constant", &options);
}

static int64_t
element_bytes(int32_t type)
{
    switch (type) {
    case FINE_I16:
    case FINE_U16:
    case FINE_F16:
    case FINE_BF16:
        return 2;
    case FINE_I32:
    case FINE_U32:
    case FINE_F32:
        return 4;
    case FINE_I64:
    case FINE_U64:
    case FINE_F64:
        return 8;
    default:
        return 1;
    }
}

/* Rows i*n/parts … (i+1)*n/parts of every tensor. */
static int
cut_rows(fine_tensors **out, fine_context *context, const fine_tensors *batch, int64_t part,
         int64_t n_parts)
{
    int rc = fine_tensors_new(out, context);

    for (int64_t i = 0; rc == FINE_OK && i < fine_tensors_count(batch); i++) {
        const char *name = fine_tensors_name(batch, i);
        const int64_t *shape;
        const void *data;
        int64_t n_dims, first, last, row_bytes, cut[8];
        int32_t type;

        rc = fine_tensors_get(batch, name, &type, &n_dims, &shape, &data);
        if (rc < 0 || n_dims < 1)
            continue;
        first = part * shape[0] / n_parts;
        last = (part + 1) * shape[0] / n_parts;
        row_bytes = element_bytes(type);
        for (int64_t d = 1; d < n_dims; d++)
            row_bytes *= shape[d];
        memcpy(cut, shape, (size_t)n_dims * sizeof *shape);
        cut[0] = last - first;
        rc =
            fine_tensors_put(*out, name, type, n_dims, cut, (const char *)data + first * row_bytes);
    }
    return rc;
}

struct run {
    fine_context *context;
    fine_model *model;
    fine_tensors *batch, **parts;
    fine_optimizer *optimizer;
    fine_schedule *schedule;
    json_t *losses, *norms;
};

static int
prepare(struct run *r, const struct settings *s)
{
    int rc = make_optimizer(&r->optimizer, r->context, s);

    if (rc == FINE_OK)
        rc = make_schedule(&r->schedule, r->context, s);
    for (int64_t i = 0; rc == FINE_OK && i < s->n_parts; i++)
        rc = cut_rows(&r->parts[i], r->context, r->batch, i, s->n_parts);
    return rc;
}

static int
one_step(struct run *r, const struct settings *s, int64_t step)
{
    double total = 0, norm = 0, weight = 1.0 / (double)s->n_parts;
    int rc = fine_model_zero_gradients(r->model);

    for (int64_t i = 0; rc == FINE_OK && i < s->n_parts; i++) {
        double loss = 0;

        rc = fine_model_backward(r->model, r->parts[i], weight, &loss);
        total += weight * loss;
    }
    if (rc == FINE_OK)
        rc = fine_model_clip_gradients(r->model, s->clip, &norm);
    if (rc == FINE_OK)
        rc = fine_optimizer_step(r->optimizer, r->model,
                                 s->rate * fine_schedule_factor(r->schedule, step, s->steps));
    json_array_append_new(r->losses, cli_json_number(total));
    json_array_append_new(r->norms, cli_json_number(norm));
    return rc;
}

static int
loss_after(struct run *r, double *out)
{
    fine_tensors *outputs = NULL;
    const void *loss;
    int32_t type;
    int rc = fine_model_forward(r->model, r->batch, 0, &outputs);

    if (rc == FINE_OK)
        rc = fine_tensors_get(outputs, "loss", &type, NULL, NULL, &loss);
    if (rc == FINE_OK)
        *out = type == FINE_F64 ? *(const double *)loss : (double)*(const float *)loss;
    fine_tensors_free(outputs);
    return rc;
}

static int
print_curve(struct run *r, const double final_loss[2], int by_batch, int json)
{
    if (json)
        return cli_print_json(json_pack("{s:O,s:O,s:o,s:o*}", "losses", r->losses, "grad_norms",
                                        r->norms, "final_loss", cli_json_number(final_loss[0]),
                                        "final_eval_loss",
                                        by_batch ? cli_json_number(final_loss[1]) : NULL));
    printf("step  loss        gradient norm\n");
    for (size_t i = 0; i < json_array_size(r->losses); i++)
        printf("%4zu  %-10.6f  %.6f\n", i, json_number_value(json_array_get(r->losses, i)),
               json_number_value(json_array_get(r->norms, i)));
    printf("last  %-10.6f\n", final_loss[0]);
    if (by_batch)
        printf("last  %-10.6f  by the running statistics\n", final_loss[1]);
    return CLI_DONE;
}

static int
overfit(struct run *r, const struct settings *s, const char *const arguments[3], int json)
{
    double final_loss[2] = { 0, 0 }; /* in the mode of training; in evaluation mode */
    int exit_code, rc;

    if ((rc = cli_open_model(&r->model, r->context, arguments[0], s->architecture)) < 0 ||
        (rc = fine_model_set_batch_statistics(r->model, s->by_batch)) < 0 ||
        (rc = fine_tensors_open(&r->batch, r->context, arguments[1])) < 0)
        return cli_fail(rc, CLI_READING);
    if (s->trainable && (exit_code = freeze_the_rest(r->model, s->trainable)) != CLI_DONE)
        return exit_code;
    rc = prepare(r, s);
    for (int64_t step = 0; rc == FINE_OK && step < s->steps; step++)
        rc = one_step(r, s, step);
    if (rc == FINE_OK && s->by_batch && (rc = fine_model_set_batch_statistics(r->model, 0)) == FINE_OK)
        rc = loss_after(r, &final_loss[1]);
    if (rc == FINE_OK && (rc = fine_model_set_batch_statistics(r->model, s->by_batch)) == FINE_OK)
        rc = loss_after(r, &final_loss[0]);
    return rc < 0 ? cli_fail(rc, CLI_READING) : print_curve(r, final_loss, s->by_batch, json);
}

int
cli_overfit(int argc, char **argv)
{
    struct cli_common common;
    const char *arguments[3], *architecture = NULL;
    const struct cli_option options[] = {
        CLI_ARCHITECTURE_OPTION(architecture),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "overfit",
        "MODEL IN.safetensors SETTINGS.json",
        "Trains on one batch without dropout and prints the loss before each step.\n"
        "Settings: optimizer (adamw, sgd), lr, betas, eps, momentum, weight_decay,\n"
        "weight_decay_on, clip, schedule, warmup_steps, accumulation, trainable, steps,\n"
        "batch_norm (train, eval).",
        options,
        3,
        3,
    };
    struct settings settings;
    struct run r = { .context = NULL };
    json_error_t error;
    json_t *all;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments);

    if (exit_code >= 0)
        return exit_code;
    all = json_load_file(arguments[2], JSON_REJECT_DUPLICATES, &error);
    if (!all)
        return cli_complain(CLI_INPUT, "%s:%d:%d: %s", arguments[2],
                            error.line > 0 ? error.line : 1, error.column > 0 ? error.column : 1,
                            error.text);
    if ((exit_code = read_settings(&settings, all, arguments[2])) != CLI_DONE ||
        (exit_code = cli_context(&r.context, &common)) != CLI_DONE)
        goto out;
    settings.architecture = architecture;
    r.parts = calloc((size_t)settings.n_parts, sizeof *r.parts);
    r.losses = json_array();
    r.norms = json_array();
    exit_code = r.parts && r.losses && r.norms ? overfit(&r, &settings, arguments, common.json)
                                               : cli_no_memory();
out:
    for (int64_t i = 0; r.parts && i < settings.n_parts; i++)
        fine_tensors_free(r.parts[i]);
    free(r.parts);
    json_decref(r.losses);
    json_decref(r.norms);
    fine_schedule_free(r.schedule);
    fine_optimizer_free(r.optimizer);
    fine_tensors_free(r.batch);
    fine_model_free(r.model);
    fine_context_free(r.context);
    json_decref(all);
    return exit_code;
}
