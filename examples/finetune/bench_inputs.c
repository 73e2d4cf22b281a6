/*
 * bench_inputs.c — what a benchmark runs on: ids or pixels drawn at random, or the texts of
 * a file, encoded before any clock starts.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* SplitMix64: made-up inputs need no more. */
static uint64_t
next(struct bench *b)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t
draw(struct bench *b, int64_t below)
{
    return (int64_t)(next(b) % (uint64_t)below);
}

/* ---- made-up ids ---- */

static int
put_ids(fine_tensors *tensors, int64_t rows, int64_t width, const int64_t *ids, const int64_t *mask,
        const int64_t *labels)
{
    const int64_t shape[2] = { rows, width };
    int rc = fine_tensors_put(tensors, "input_ids", FINE_I64, 2, shape, ids);

    if (rc == FINE_OK)
        rc = fine_tensors_put(tensors, "attention_mask", FINE_I64, 2, shape, mask);
    if (rc == FINE_OK && labels)
        rc = fine_tensors_put(tensors, "labels", FINE_I64, 1, shape, labels);
    return rc;
}

static int
make_up(struct bench *b)
{
    int64_t count = b->batch * b->tokens, vocab = fine_model_vocab_size(b->model);
    int64_t lowest = vocab > 2000 ? 1000 : 0;
    int64_t *numbers, *mask, *labels;
    fine_tensors *tensors = NULL;
    int rc;

    numbers = malloc((size_t)(2 * count + b->batch) * sizeof *numbers);
    if (!numbers)
        return FINE_ENOMEM;
    mask = numbers + count;
    labels = mask + count;
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = lowest + draw(b, vocab - lowest);
        mask[i] = 1;
    }
    for (int64_t i = 0; i < b->batch; i++)
        labels[i] = draw(b, b->classes);
    b->n_batches = 1;
    b->tokens_a_row = (double)b->tokens;
    rc = fine_tensors_new(&tensors, b->context);
    if (rc == FINE_OK)
        rc = put_ids(tensors, b->batch, b->tokens, numbers, mask, b->batches ? NULL : labels);
    free(numbers);
    if (rc == FINE_OK && !b->batches)
        rc = fine_dataset_new_encoded(&b->data, b->context, tensors);
    if (rc == FINE_OK && b->batches)
        b->batches[0] = tensors;
    else
        fine_tensors_free(tensors);
    return rc;
}

/* ---- made-up images ---- */

/* Between -1 and 1, as normalised pixels mostly are. */
static int
make_up_images(struct bench *b)
{
    int64_t shape[4] = { b->batch, 3, b->image, b->image };
    int64_t count = 3 * b->batch * b->image * b->image, *labels;
    float *pixels = malloc((size_t)count * sizeof *pixels);
    int rc = FINE_ENOMEM;

    labels = malloc((size_t)b->batch * sizeof *labels);
    if (pixels && labels) {
        for (int64_t i = 0; i < count; i++)
            pixels[i] = (float)(next(b) >> 40) / 8388608.0f - 1;
        for (int64_t i = 0; i < b->batch; i++)
            labels[i] = draw(b, b->classes);
        b->n_batches = 1;
        rc = fine_tensors_new(&b->batches[0], b->context);
    }
    if (rc == FINE_OK)
        rc = fine_tensors_put(b->batches[0], "pixel_values", FINE_F32, 4, shape, pixels);
    if (rc == FINE_OK && strcmp(b->mode, "infer") != 0)
        rc = fine_tensors_put(b->batches[0], "labels", FINE_I64, 1, shape, labels);
    free(pixels);
    free(labels);
    return rc;
}

int
bench_make_up(struct bench *b)
{
    int rc;

    if (cli_reads_images(b->model)) {
        if (b->image == 0)
            b->image = 224;
        rc = make_up_images(b);
        return rc < 0 ? cli_fail(rc, CLI_ARGUMENT) : CLI_DONE;
    }
    if (b->tokens > fine_model_max_length(b->model))
        return cli_misuse("bench", "--tokens %lld: the model reads at most %lld ids",
                          (long long)b->tokens, (long long)fine_model_max_length(b->model));
    rc = make_up(b);
    return rc < 0 ? cli_fail(rc, CLI_ARGUMENT) : CLI_DONE;
}

/* ---- a file's texts ---- */

/* The first BENCH_TEXTS of a shuffle, in whole batches. */
static int64_t
choose(struct bench *b, int64_t n_rows, int64_t *rows)
{
    int64_t n = n_rows < BENCH_TEXTS ? n_rows : BENCH_TEXTS;

    for (int64_t i = 0; i < n_rows; i++)
        rows[i] = i;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i + draw(b, n_rows - i), row = rows[i];

        rows[i] = rows[k];
        rows[k] = row;
    }
    return n - n % b->batch;
}

static int
add_texts(struct bench *b, const fine_dataset *all, const int64_t *rows, int64_t n)
{
    struct fine_dataset_options options;
    const char **names = malloc((size_t)b->classes * sizeof *names);
    int rc;

    if (!names)
        return FINE_ENOMEM;
    fine_dataset_options_init(&options, sizeof options);
    for (int64_t i = 0; i < b->classes; i++)
        names[i] = fine_model_label(b->model, i);
    options.labels = names;
    options.n_labels = b->classes;
    rc = fine_dataset_new(&b->data, b->context, &options);
    for (int64_t i = 0; rc == FINE_OK && i < n; i++)
        rc = fine_dataset_add(b->data, fine_dataset_text(all, rows[i]), NULL,
                              names[draw(b, b->classes)], NULL);
    free(names);
    return rc;
}

/* A batch of encodings, padded to its longest; the library packs it again. */
static int
encode_batch(struct bench *b, fine_tensors **out, fine_encoding **encodings, int64_t n)
{
    int64_t width = 1, *numbers;
    int rc;

    for (int64_t i = 0; i < n; i++)
        if (fine_encoding_count(encodings[i]) > width)
            width = fine_encoding_count(encodings[i]);
    numbers = calloc(2 * (size_t)n, (size_t)width * sizeof *numbers);
    if (!numbers)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < fine_encoding_count(encodings[i]); k++) {
            numbers[i * width + k] = fine_encoding_ids(encodings[i])[k];
            numbers[(n + i) * width + k] = 1;
        }
    rc = fine_tensors_new(out, b->context);
    if (rc == FINE_OK)
        rc = put_ids(*out, n, width, numbers, numbers + n * width, NULL);
    free(numbers);
    return rc;
}

/* Encodes all texts: for infer the batches themselves; in every mode the mean length. */
static int
encode_texts(struct bench *b, const fine_dataset *all, const int64_t *rows, int64_t n)
{
    struct fine_encode_options how;
    fine_tokenizer *tokenizer = NULL;
    fine_encoding **encodings = calloc((size_t)b->batch, sizeof *encodings);
    int64_t total = 0;
    int rc = encodings ? fine_tokenizer_open(&tokenizer, b->context, b->path) : FINE_ENOMEM;

    fine_encode_options_init(&how, sizeof how);
    how.max_length = b->max_length;
    for (int64_t at = 0; rc == FINE_OK && at < n; at += b->batch) {
        for (int64_t i = 0; rc == FINE_OK && i < b->batch; i++) {
            rc = fine_tokenizer_encode(&encodings[i], tokenizer,
                                       fine_dataset_text(all, rows[at + i]), -1, NULL, 0, &how);
            total += rc == FINE_OK ? fine_encoding_count(encodings[i]) : 0;
        }
        if (rc == FINE_OK && b->batches)
            rc = encode_batch(b, &b->batches[at / b->batch], encodings, b->batch);
        for (int64_t i = 0; i < b->batch; i++) {
            fine_encoding_free(encodings[i]);
            encodings[i] = NULL;
        }
    }
    b->tokens_a_row = (double)total / (double)n;
    free(encodings);
    fine_tokenizer_free(tokenizer);
    return rc;
}

int
bench_read_texts(struct bench *b)
{
    struct fine_dataset_options how;
    fine_dataset *all = NULL;
    int64_t *rows, n;
    int exit_code, rc;

    fine_dataset_options_init(&how, sizeof how);
    how.require_label = 0;
    if ((exit_code = cli_columns_apply(&b->columns, "bench", &how)) != CLI_DONE)
        return exit_code;
    if ((rc = fine_dataset_open(&all, b->context, b->texts, &how)) < 0)
        return cli_fail(rc, CLI_ARGUMENT);
    rows = malloc((size_t)(fine_dataset_count(all) + 1) * sizeof *rows);
    n = rows ? choose(b, fine_dataset_count(all), rows) : 0;
    b->n_batches = n / b->batch;
    if (!rows)
        exit_code = cli_no_memory();
    else if (n == 0)
        exit_code = cli_complain(CLI_INPUT, "%s has %lld texts, fewer than a batch of %lld",
                                 b->texts, (long long)fine_dataset_count(all), (long long)b->batch);
    else if ((rc = encode_texts(b, all, rows, n)) < 0 ||
             (!b->batches && (rc = add_texts(b, all, rows, n)) < 0))
        exit_code = cli_fail(rc, CLI_READING);
    free(rows);
    fine_dataset_free(all);
    return exit_code;
}
