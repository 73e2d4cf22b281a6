/*
 * bench.c — how long one step takes and how much memory it needs, on made-up ids or pixels,
 * or on a file's texts. Only steps are timed: reading, encoding and the first two are not.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { N_WARM_UP = 2 };

static double
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* ---- the model ---- */

static int
has_weights(const char *folder)
{
    static const char *const names[] = { "model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin" };
    char path[4096];

    if (cli_is_weights(folder))
        return 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (access(path, F_OK) == 0)
            return 1;
    }
    return 0;
}

/* Whether config.json says that the model goes on with texts. */
static int
is_language_model(const char *folder)
{
    char path[4096];
    json_t *config;
    const char *name;
    int is;

    snprintf(path, sizeof path, "%s/config.json", folder);
    config = json_load_file(path, 0, NULL);
    name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    is = name && strstr(name, "LMHeadModel") != NULL;
    json_decref(config);
    return is;
}

static int
freeze(struct bench *b)
{
    char spec[48] = "none";
    int64_t n_layers = fine_model_n_stages(b->model) - 2;
    int rc;

    if (strcmp(b->mode, "head") == 0)
        snprintf(spec, sizeof spec, "all");
    else if (strcmp(b->mode, "last2") == 0)
        snprintf(spec, sizeof spec, "embeddings..%lld",
                 (long long)(n_layers > 2 ? n_layers - 2 : 0));
    rc = fine_model_freeze(b->model, spec);
    return rc < 0 ? cli_fail(rc, CLI_READING) : CLI_DONE;
}

static int
open_model(struct bench *b)
{
    static const char *const targets[] = { "query", "value" };
    struct fine_model_options options;
    struct fine_adapter_options adapter;
    struct fine_task_options task;
    int rc;

    fine_model_options_init(&options, sizeof options);
    options.seed = b->seed;
    options.random_weights = !has_weights(b->path);
    options.dropout = b->dropout;
    fine_adapter_options_init(&adapter, sizeof adapter);
    adapter.targets = targets;
    adapter.n_targets = 2;
    if (strcmp(b->mode, "lora") == 0)
        options.adapter = &adapter;
    options.architecture = b->architecture;
    if ((rc = fine_model_open(&b->model, b->context, b->path, &options)) < 0)
        return cli_fail(rc, CLI_READING);
    fine_task_options_init(&task, sizeof task);
    task.type = cli_reads_images(b->model) ? "classify-image" : "classify";
    task.n_labels = b->classes;
    if (is_language_model(b->path)) {
        if (b->texts)
            return cli_misuse("bench", "--texts: a language model is timed on made-up ids");
        task.type = "language-model";
        task.n_labels = 0;
    }
    task.seed = b->seed;
    if (cli_reads_images(b->model) ? b->texts != NULL : b->image != 0)
        return cli_misuse("bench", "%s: the model reads %s", b->texts ? "--texts" : "--image",
                          b->texts ? "images" : "text");
    if (b->max_length == 0 || b->max_length > fine_model_max_length(b->model))
        b->max_length = fine_model_max_length(b->model);
    if (b->texts)
        task.max_length = b->max_length;
    if ((rc = fine_model_set_task(b->model, &task)) < 0)
        return cli_fail(rc, CLI_ARGUMENT);
    return freeze(b);
}

/* ---- timing ---- */

static int
one_step(struct bench *b, fine_trainer *trainer, int64_t step)
{
    fine_tensors *out = NULL;
    int rc;

    if (trainer)
        return fine_trainer_step(trainer);
    if (b->optimizer) {
        rc = fine_model_zero_gradients(b->model);
        if (rc == FINE_OK)
            rc = fine_model_backward(b->model, b->batches[0], 1, NULL);
        return rc == FINE_OK ? fine_optimizer_step(b->optimizer, b->model, 1e-4) : rc;
    }
    rc = fine_model_forward(b->model, b->batches[step % b->n_batches], 0, &out);
    fine_tensors_free(out);
    return rc;
}

static int
time_steps(struct bench *b, fine_trainer *trainer)
{
    int64_t step = 0;
    int rc = 0;

    while (rc >= 0 && step < N_WARM_UP)
        rc = one_step(b, trainer, step++);
    for (int64_t i = 0; rc >= 0 && i < b->steps; i++) {
        double begin = now_ms();

        for (int64_t k = 0; rc >= 0 && k < b->n_batches; k++)
            rc = one_step(b, trainer, step++);
        b->ms[i] = (now_ms() - begin) / (double)b->n_batches;
    }
    return rc < 0 ? rc : FINE_OK;
}

static int
train(struct bench *b)
{
    struct fine_adamw_options adamw;
    struct fine_trainer_options options;
    fine_optimizer *optimizer = NULL;
    fine_trainer *trainer = NULL;
    int rc;

    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 1e-4;
    if (b->batches) {
        if ((rc = fine_optimizer_new_adamw(&b->optimizer, b->context, &adamw)) == FINE_OK &&
            (rc = fine_model_set_batch_statistics(b->model, 1)) == FINE_OK)
            rc = time_steps(b, NULL);
        return rc;
    }
    fine_trainer_options_init(&options, sizeof options);
    options.steps = N_WARM_UP + b->steps * b->n_batches;
    options.batch_size = b->batch;
    options.clip_norm = 0;
    options.seed = b->seed;
    options.evaluate_every_epochs = 0;
    if ((rc = fine_optimizer_new_adamw(&optimizer, b->context, &adamw)) == FINE_OK &&
        (rc = fine_trainer_new(&trainer, b->model, b->data, optimizer, NULL, &options)) == FINE_OK)
        rc = time_steps(b, trainer);
    fine_trainer_free(trainer);
    fine_optimizer_free(optimizer);
    return rc;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int
print_result(struct bench *b, const struct cli_common *common)
{
    struct rusage usage;
    double least, median, peak;

    qsort(b->ms, (size_t)b->steps, sizeof *b->ms, by_size);
    least = b->ms[0];
    median = (b->ms[(b->steps - 1) / 2] + b->ms[b->steps / 2]) / 2;
    getrusage(RUSAGE_SELF, &usage);
    peak = 1024.0 * (double)usage.ru_maxrss;
    if (common->json)
        return cli_print_json(json_pack(
            "{s:s,s:I,s:f,s:f,s:f,s:f,s:I,s:i,s:I,s:I,s:s}", "mode", b->mode, "batch",
            (json_int_t)b->batch, b->image > 0 ? "image" : "tokens",
            b->image > 0 ? (double)b->image : b->tokens_a_row, "ms_per_step_min", least,
            "ms_per_step_median", median, "items_per_second", 1e3 * (double)b->batch / least,
            "peak_bytes", (json_int_t)peak, "threads", (int)fine_context_n_threads(b->context),
            "steps", (json_int_t)(b->steps * b->n_batches), "classes", (json_int_t)b->classes,
            "precision", b->precision));
    if (b->image > 0) {
        printf("%s, batch %lld x %lld x %lld pixels, %d threads: %.1f ms a step (median %.1f), "
               "%.1f images/s, peak memory %.0f MB\n",
               b->mode, (long long)b->batch, (long long)b->image, (long long)b->image,
               (int)fine_context_n_threads(b->context), least, median,
               1e3 * (double)b->batch / least, peak / 1e6);
        return CLI_DONE;
    }
    printf("%s, batch %lld x %.1f tokens, %d threads: %.1f ms a step (median %.1f), "
           "%.1f texts/s, peak memory %.0f MB\n",
           b->mode, (long long)b->batch, b->tokens_a_row, (int)fine_context_n_threads(b->context),
           least, median, 1e3 * (double)b->batch / least, peak / 1e6);
    return CLI_DONE;
}

static int
bench(struct bench *b, struct cli_common *common)
{
    int infer = strcmp(b->mode, "infer") == 0, exit_code, rc;

    if ((exit_code = cli_context(&b->context, common)) != CLI_DONE ||
        (exit_code = open_model(b)) != CLI_DONE)
        return exit_code;
    b->ms = calloc((size_t)b->steps, sizeof *b->ms);
    if (infer || cli_reads_images(b->model))
        b->batches = calloc((size_t)(BENCH_TEXTS / b->batch + 1), sizeof *b->batches);
    if (!b->ms || ((infer || cli_reads_images(b->model)) && !b->batches))
        return cli_no_memory();
    exit_code = b->texts ? bench_read_texts(b) : bench_make_up(b);
    if (exit_code != CLI_DONE)
        return exit_code;
    rc = infer ? time_steps(b, NULL) : train(b);
    return rc < 0 ? cli_fail(rc, CLI_ARGUMENT) : print_result(b, common);
}

static int
check_options(const struct bench *b)
{
    static const char *const modes[] = { "full", "last2", "head", "lora", "infer" };
    int known = 0;

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        known |= strcmp(b->mode, modes[i]) == 0;
    if (!known)
        return cli_misuse("bench", "--mode %s: expected full, last2, head, lora or infer", b->mode);
    if (strcmp(b->precision, "bf16") == 0)
        return cli_misuse("bench", "--precision bf16 is not available in this version");
    if (strcmp(b->precision, "float32") != 0)
        return cli_misuse("bench", "--precision %s: expected float32", b->precision);
    if (b->batch < 1 || b->batch > BENCH_TEXTS)
        return cli_misuse("bench", "--batch must be from 1 to %d", BENCH_TEXTS);
    if (b->image > 8192)
        return cli_misuse("bench", "--image must be at most 8192");
    if (b->tokens < 1 || b->tokens > 1000000)
        return cli_misuse("bench", "--tokens must be from 1 to 1000000");
    if (b->classes < 2 || b->classes > 1000000)
        return cli_misuse("bench", "--classes must be from 2 to 1000000");
    if (b->steps < 1 || b->steps > 100000)
        return cli_misuse("bench", "--steps must be from 1 to 100000");
    if (b->dropout >= 1)
        return cli_misuse("bench", "--dropout must be below 1");
    return CLI_DONE;
}

int
cli_bench(int argc, char **argv)
{
    struct cli_common common;
    const char *arguments[3];
    struct bench b = {
        .mode = "full",
        .precision = "float32",
        .batch = 32,
        .tokens = 128,
        .classes = 77,
        .steps = 5,
        .seed = 1,
        .max_length = 128,
        .dropout = -1,
    };
    const struct cli_option options[] = {
        { "--mode", CLI_TEXT, &b.mode, "MODE", "full, last2, head, lora (rank 8 on queries and values) or infer" },
        { "--precision", CLI_TEXT, &b.precision, "NAME", "float32" },
        { "--batch", CLI_COUNT, &b.batch, "N", "texts or images a step; default 32" },
        { "--image", CLI_COUNT, &b.image, "S", "side of made-up images; default 224" },
        { "--tokens", CLI_COUNT, &b.tokens, "T", "ids of a made-up text; default 128" },
        { "--texts", CLI_TEXT, &b.texts, "FILE", "1600 shuffled texts of a table instead" },
        { "--max-length", CLI_COUNT, &b.max_length, "N", "cut these to N ids; default 128" },
        { "--classes", CLI_COUNT, &b.classes, "N", "labels of the head; default 77" },
        { "--dropout", CLI_REAL, &b.dropout, "P", "everywhere; default: as configured" },
        { "--steps", CLI_COUNT, &b.steps, "N", "timed steps, with --texts passes; default 5" },
        { "--seed", CLI_COUNT, &b.seed, "N", "of weights, inputs and order; default 1" },
        CLI_ARCHITECTURE_OPTION(b.architecture),
        CLI_COLUMN_OPTIONS(b.columns),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "bench",
        "MODEL",
        "Times a step: zero, forward, backward, AdamW; or a forward pass for --mode infer.\n"
        "A model of the class ...LMHeadModel learns the next id of each, any other to classify.\n"
        "MODEL may be a folder with config.json alone: its weights are drawn then.",
        options,
        1,
        1,
    };
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments);

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = check_options(&b)) != CLI_DONE)
        return exit_code;
    b.path = arguments[0];
    b.random = (uint64_t)b.seed;
    exit_code = bench(&b, &common);
    for (int64_t i = 0; b.batches && i < b.n_batches; i++)
        fine_tensors_free(b.batches[i]);
    free(b.batches);
    free(b.ms);
    cli_columns_free(&b.columns);
    fine_dataset_free(b.data);
    fine_optimizer_free(b.optimizer);
    fine_model_free(b.model);
    fine_context_free(b.context);
    return exit_code;
}
