/*
 * merge.c — folds an adapter into its base, and shows that the model stayed the same.
 *
 * The proof is a run of both on the same rows: a file's texts, or ids drawn at random. What is
 * compared are the logits; a flip is a row whose likeliest output has changed.
 */
#include "cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, MADE_UP = 64, MADE_UP_IDS = 32, MOST_TEXTS = 512 };

struct proof {
    fine_context *context;
    fine_model *model;
    fine_tensors **batches, **before;
    int64_t n_batches, n_rows, n_flips;
    double worst;
};

/* SplitMix64: made-up inputs need no more. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int
put_batch(struct proof *p, int64_t rows, int64_t width, const int64_t *ids, const int64_t *mask)
{
    const int64_t shape[2] = { rows, width };
    fine_tensors **batch = &p->batches[p->n_batches];
    int rc = fine_tensors_new(batch, p->context);

    if (rc == FINE_OK)
        rc = fine_tensors_put(*batch, "input_ids", FINE_I64, 2, shape, ids);
    if (rc == FINE_OK)
        rc = fine_tensors_put(*batch, "attention_mask", FINE_I64, 2, shape, mask);
    p->n_batches++;
    p->n_rows += rows;
    return rc;
}

static int
make_up(struct proof *p)
{
    int64_t most = fine_model_max_length(p->model), ids[BATCH * MADE_UP_IDS];
    int64_t width = most < MADE_UP_IDS ? most : MADE_UP_IDS, mask[BATCH * MADE_UP_IDS];
    uint64_t state = 1, vocabulary = (uint64_t)fine_model_vocab_size(p->model);
    int rc = FINE_OK;

    for (int64_t at = 0; rc == FINE_OK && at < MADE_UP; at += BATCH) {
        for (int64_t i = 0; i < BATCH * width; i++) {
            ids[i] = (int64_t)(draw(&state) % vocabulary);
            mask[i] = 1;
        }
        rc = put_batch(p, BATCH, width, ids, mask);
    }
    return rc;
}

/* Encodings of n texts as one padded batch. */
static int
put_texts(struct proof *p, fine_encoding **encodings, int64_t n)
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
    rc = put_batch(p, n, width, numbers, numbers + n * width);
    free(numbers);
    return rc;
}

static int
read_texts(struct proof *p, const char *folder, const fine_dataset *data)
{
    int64_t n = fine_dataset_count(data) < MOST_TEXTS ? fine_dataset_count(data) : MOST_TEXTS;
    fine_encoding *encodings[BATCH] = { NULL };
    struct fine_encode_options how;
    fine_tokenizer *tokenizer = NULL;
    int rc = fine_tokenizer_open(&tokenizer, p->context, folder);

    fine_encode_options_init(&how, sizeof how);
    how.max_length = fine_model_max_length(p->model);
    for (int64_t at = 0; rc == FINE_OK && at < n; at += BATCH) {
        int64_t rows = n - at < BATCH ? n - at : BATCH;

        for (int64_t i = 0; rc == FINE_OK && i < rows; i++)
            rc = fine_tokenizer_encode(&encodings[i], tokenizer, fine_dataset_text(data, at + i),
                                       -1, NULL, 0, &how);
        if (rc == FINE_OK)
            rc = put_texts(p, encodings, rows);
        for (int64_t i = 0; i < BATCH; i++) {
            fine_encoding_free(encodings[i]);
            encodings[i] = NULL;
        }
    }
    fine_tokenizer_free(tokenizer);
    return rc;
}

static int
run_all(struct proof *p, fine_tensors **out)
{
    int rc = FINE_OK;

    for (int64_t i = 0; rc == FINE_OK && i < p->n_batches; i++)
        rc = fine_model_forward(p->model, p->batches[i], 0, &out[i]);
    return rc;
}

static double
larger(double worst, double difference)
{
    double size = difference < 0 ? -difference : difference;

    return size > worst ? size : worst;
}

static int64_t
likeliest(const float *row, int64_t n)
{
    int64_t best = 0;

    for (int64_t j = 1; j < n; j++)
        if (row[j] > row[best])
            best = j;
    return best;
}

static int
compare(struct proof *p, fine_tensors *const *after)
{
    static const char *const names[] = { "logits", "start_logits", "end_logits" };

    for (int64_t b = 0; b < p->n_batches; b++)
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            const void *old, *now;
            const int64_t *shape;
            int64_t n_dims, width, count = 1;
            int32_t type;

            if (fine_tensors_get(p->before[b], names[k], &type, &n_dims, &shape, &old) < 0 ||
                fine_tensors_get(after[b], names[k], &type, NULL, NULL, &now) < 0)
                continue;
            for (int64_t d = 0; d < n_dims; d++)
                count *= shape[d];
            width = shape[n_dims - 1];
            for (int64_t i = 0; i < count; i++)
                p->worst = larger(p->worst, (double)((const float *)old)[i] -
                                                (double)((const float *)now)[i]);
            for (int64_t i = 0; i < count; i += width)
                p->n_flips += likeliest((const float *)old + i, width) !=
                              likeliest((const float *)now + i, width);
        }
    return FINE_OK;
}

static void
free_all(fine_tensors **list, int64_t n)
{
    for (int64_t i = 0; list && i < n; i++)
        fine_tensors_free(list[i]);
    free(list);
}

static int
merge(struct proof *p, const char *out)
{
    fine_tensors **after = calloc((size_t)p->n_batches, sizeof *after);
    int rc = after ? run_all(p, p->before) : FINE_ENOMEM;

    if (rc == FINE_OK)
        rc = fine_model_merge_adapter(p->model);
    if (rc == FINE_OK)
        rc = run_all(p, after);
    if (rc == FINE_OK)
        rc = compare(p, after);
    free_all(after, p->n_batches);
    return rc < 0 ? rc : fine_model_save(p->model, out);
}

static int
rows_for_proof(struct proof *p, const char *folder, const char *path)
{
    struct fine_dataset_options how;
    fine_dataset *data = NULL;
    int rc;

    if (!path)
        return make_up(p);
    fine_dataset_options_init(&how, sizeof how);
    if ((rc = fine_model_dataset_options(p->model, &how)) < 0)
        return rc;
    how.require_label = 0;
    rc = fine_dataset_open(&data, p->context, path, &how);
    if (rc == FINE_OK)
        rc = read_texts(p, folder, data);
    fine_dataset_free(data);
    return rc;
}

int
cli_merge(int argc, char **argv)
{
    struct cli_common common;
    struct proof p = { .context = NULL };
    const char *arguments[3], *data = NULL;
    const struct cli_option options[] = {
        { "--data", CLI_TEXT, &data, "FILE", "compare on its texts; default: 64 rows of made-up ids" },
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "merge",
        "ADAPTER OUT",
        "Folds an adapter into the weights that it changes, compares the logits of both on\n"
        "the same rows, and writes an ordinary model folder.",
        options,
        2,
        2,
    };
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&p.context, &common)) != CLI_DONE)
        return exit_code;
    p.batches = calloc(MOST_TEXTS / BATCH + 1, sizeof *p.batches);
    p.before = calloc(MOST_TEXTS / BATCH + 1, sizeof *p.before);
    if (!p.batches || !p.before)
        exit_code = cli_no_memory();
    else if ((rc = fine_model_open(&p.model, p.context, arguments[0], NULL)) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else if (fine_model_has_adapter(p.model) <= 0)
        exit_code = cli_complain(CLI_INPUT, "%s: there is no adapter to merge", arguments[0]);
    else if ((rc = rows_for_proof(&p, arguments[0], data)) < 0 ||
             (rc = merge(&p, arguments[1])) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else if (common.json)
        exit_code = cli_print_json(json_pack("{s:o,s:I,s:I}", "max_logit_difference",
                                             cli_json_number(p.worst), "label_flips",
                                             (json_int_t)p.n_flips, "n", (json_int_t)p.n_rows));
    else
        printf("%s: largest difference of a logit %.3g, %lld of %lld rows flipped\n", arguments[1],
               p.worst, (long long)p.n_flips, (long long)p.n_rows);
    free_all(p.batches, p.n_batches);
    free_all(p.before, p.n_batches);
    fine_model_free(p.model);
    fine_context_free(p.context);
    return exit_code;
}
