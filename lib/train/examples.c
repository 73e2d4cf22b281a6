/*
 * examples.c — text to ids, once, before the first step.
 *
 * Rows are encoded in tiles of fixed size, each into memory of its own, and put together
 * in order. A worker's error text is lost with its thread, so the first tile that failed
 * is done again by the caller.
 */
#include "train/examples.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "text/tokenizer.h"
#include "train/masking.h"
#include "train/taskwork.h"

enum { ROWS_PER_TILE = 64 };

struct tile {
    int32_t *ids, *types, *pieces;
    bool *goes_on;
    int64_t count, capacity, types_capacity, pieces_capacity, goes_on_capacity;
    int32_t lengths[ROWS_PER_TILE];
    int64_t n_lost[ROWS_PER_TILE];
    int rc;
};

struct job {
    fine_context *ctx;
    const fine_tokenizer *tokenizer;
    const fine_dataset *dataset;
    int64_t max_length;
    bool pieces, bare;
    struct tile *tiles;
    struct fine__tokens *tokens; /* one a worker */
};

/* ---- tokenizing ---- */

static int
append(struct job *job, struct tile *tile, const struct fine__tokens *tokens)
{
    const int64_t need = tile->count + tokens->count;

    if (tokens->count == 0)
        return FINE_OK;
    FINE__TRY(fine__grow(job->ctx, &tile->ids, &tile->capacity, need, sizeof *tile->ids));
    memcpy(tile->ids + tile->count, tokens->ids, (size_t)tokens->count * sizeof *tile->ids);
    if (job->dataset->has_pairs) {
        FINE__TRY(
            fine__grow(job->ctx, &tile->types, &tile->types_capacity, need, sizeof *tile->types));
        memcpy(tile->types + tile->count, job->bare ? tokens->texts : tokens->types,
               (size_t)tokens->count * sizeof *tile->types);
    }
    if (job->pieces) {
        FINE__TRY(fine__grow(job->ctx, &tile->pieces, &tile->pieces_capacity, 2 * need,
                             sizeof *tile->pieces));
        for (int64_t i = 0; i < 2 * tokens->count; i++)
            tile->pieces[2 * tile->count + i] = (int32_t)tokens->offsets[i];
        FINE__TRY(fine__grow(job->ctx, &tile->goes_on, &tile->goes_on_capacity, need,
                             sizeof *tile->goes_on));
        memcpy(tile->goes_on + tile->count, tokens->goes_on,
               (size_t)tokens->count * sizeof *tile->goes_on);
    }
    tile->count = need;
    return FINE_OK;
}

static int
encode_rows(struct job *job, int64_t index, struct fine__tokens *tokens)
{
    struct tile *tile = &job->tiles[index];
    const int64_t from = index * ROWS_PER_TILE;

    tile->count = 0;
    for (int64_t i = 0; i < ROWS_PER_TILE && from + i < job->dataset->n_rows; i++) {
        const struct fine__row *row = &job->dataset->rows[from + i];

        FINE__TRY(fine__tokenizer_encode(
            job->tokenizer, tokens, fine__dataset_text(job->dataset, from + i),
            (size_t)row->text_length, fine__dataset_pair(job->dataset, from + i),
            row->pair >= 0 ? (size_t)row->pair_length : 0, job->bare ? 0 : job->max_length,
            FINE_OFFSETS_BYTES, !job->bare));
        FINE__TRY(append(job, tile, tokens));
        tile->lengths[i] = (int32_t)tokens->count;
        tile->n_lost[i] = tokens->truncated;
    }
    return FINE_OK;
}

static void
encode_tile(void *arg, int64_t index, int worker)
{
    struct job *job = arg;

    job->tiles[index].rc = encode_rows(job, index, &job->tokens[worker]);
}

/* Where a row stands, for messages. */
static long long
place(const fine_dataset *dataset, int64_t row)
{
    return dataset->rows != NULL && dataset->rows[row].line > 0 ? (long long)dataset->rows[row].line
                                                                : (long long)row + 1;
}

static const char *
place_word(const fine_dataset *dataset, int64_t row)
{
    return dataset->rows != NULL && dataset->rows[row].line > 0 ? "line" : "row";
}

static void
free_tile(fine_context *ctx, struct tile *tile)
{
    fine__free(ctx, tile->ids);
    fine__free(ctx, tile->types);
    fine__free(ctx, tile->pieces);
    fine__free(ctx, tile->goes_on);
    tile->ids = tile->types = tile->pieces = NULL;
    tile->goes_on = NULL;
}

static int
gather(struct fine__examples *out, const struct job *job, int64_t n_tiles)
{
    const bool has_types = job->dataset->has_pairs;
    int64_t total = 0, row = 0;

    for (int64_t i = 0; i < n_tiles; i++)
        total += job->tiles[i].count;
    out->own_offsets = fine__alloc(out->ctx, (size_t)(out->n_rows + 1) * sizeof(int64_t));
    out->own_ids = fine__alloc(out->ctx, (size_t)total * sizeof(int32_t));
    out->own_types = has_types ? fine__alloc(out->ctx, (size_t)total * sizeof(int32_t)) : NULL;
    if (job->pieces) {
        out->pieces = fine__alloc_array(out->ctx, (size_t)(2 * total), sizeof *out->pieces);
        out->goes_on = fine__alloc_array(out->ctx, (size_t)total, sizeof *out->goes_on);
        out->n_lost = fine__alloc_array(out->ctx, (size_t)out->n_rows, sizeof *out->n_lost);
    }
    if (out->own_offsets == NULL || out->own_ids == NULL || (has_types && out->own_types == NULL) ||
        (job->pieces && (out->pieces == NULL || out->goes_on == NULL || out->n_lost == NULL)))
        return FINE_ENOMEM;
    out->own_offsets[0] = 0;
    for (int64_t i = 0; i < n_tiles; i++) {
        struct tile *tile = &job->tiles[i];
        const int64_t at = out->own_offsets[row];

        if (tile->count > 0)
            memcpy(out->own_ids + at, tile->ids, (size_t)tile->count * sizeof *tile->ids);
        if (has_types && tile->count > 0)
            memcpy(out->own_types + at, tile->types, (size_t)tile->count * sizeof *tile->types);
        if (job->pieces && tile->count > 0)
            memcpy(out->pieces + 2 * at, tile->pieces,
                   (size_t)(2 * tile->count) * sizeof *tile->pieces);
        if (job->pieces && tile->count > 0)
            memcpy(out->goes_on + at, tile->goes_on, (size_t)tile->count * sizeof *tile->goes_on);
        free_tile(out->ctx, tile);
        for (int64_t j = 0; j < ROWS_PER_TILE && row < out->n_rows; j++, row++) {
            out->own_offsets[row + 1] = out->own_offsets[row] + tile->lengths[j];
            out->n_truncated += tile->n_lost[j] > 0;
            if (job->pieces)
                out->n_lost[row] = tile->n_lost[j];
        }
    }
    out->ids = out->own_ids;
    out->types = out->own_types;
    out->offsets = out->own_offsets;
    return FINE_OK;
}

static int
tokenize(struct fine__examples *out, const fine_model *model, bool pieces, bool bare)
{
    const fine_dataset *dataset = out->dataset;
    const int64_t n_tiles = (dataset->n_rows + ROWS_PER_TILE - 1) / ROWS_PER_TILE;
    const int n_workers = fine__n_workers(out->ctx);
    struct job job = { .ctx = out->ctx,
                       .tokenizer = model->tokenizer,
                       .dataset = dataset,
                       .max_length = model->max_length,
                       .pieces = pieces,
                       .bare = bare };
    int rc = FINE_ENOMEM;

    job.tiles = fine__alloc_array(out->ctx, (size_t)n_tiles, sizeof *job.tiles);
    job.tokens = fine__alloc_array(out->ctx, (size_t)n_workers, sizeof *job.tokens);
    if (job.tiles == NULL || job.tokens == NULL)
        goto done;
    for (int i = 0; i < n_workers; i++)
        fine__tokens_init(&job.tokens[i], out->ctx);
    fine__parallel_for(out->ctx, n_tiles, encode_tile, &job);
    rc = FINE_OK;
    for (int64_t i = 0; i < n_tiles && rc == FINE_OK; i++)
        if (job.tiles[i].rc < 0)
            rc = encode_rows(&job, i, &job.tokens[0]);
    for (int i = 0; i < n_workers; i++)
        fine__tokens_free(&job.tokens[i]);
    if (rc == FINE_OK)
        rc = gather(out, &job, n_tiles);
done:
    for (int64_t i = 0; job.tiles != NULL && i < n_tiles; i++)
        free_tile(out->ctx, &job.tiles[i]);
    fine__free(out->ctx, job.tiles);
    fine__free(out->ctx, job.tokens);
    return rc;
}

int
fine__examples_tokenize(struct fine__examples *out, const fine_model *model, bool pieces)
{
    return tokenize(out, model, pieces, false);
}

int
fine__examples_tokenize_bare(struct fine__examples *out, const fine_model *model, bool pieces)
{
    return tokenize(out, model, pieces, true);
}

/* ---- targets ---- */

const char *
fine__examples_place(const struct fine__examples *examples, int64_t row, char out[40])
{
    (void)snprintf(out, 40, "%s %lld", place_word(examples->dataset, row),
                   place(examples->dataset, row));
    return out;
}

/* The model's index of each of the dataset's labels, -1 where it has none. */
static int32_t *
map_labels(fine_context *ctx, const fine_model *model, const fine_dataset *dataset)
{
    int32_t *map = fine__alloc(ctx, (size_t)dataset->n_labels * sizeof *map);

    for (int64_t i = 0; map != NULL && i < dataset->n_labels; i++) {
        map[i] = -1;
        for (int64_t j = 0; j < model->n_labels && map[i] < 0; j++)
            if (strcmp(dataset->labels[i], model->labels[j]) == 0)
                map[i] = (int32_t)j;
    }
    return map;
}

int
fine__examples_classes(struct fine__examples *out, const fine_model *model, const char *what)
{
    const fine_dataset *dataset = out->dataset;
    const bool has_names = dataset->ids == NULL && dataset->labels != NULL && model->labels != NULL;
    int32_t *map = NULL;
    int rc = FINE_OK;

    out->labels = fine__alloc(out->ctx, (size_t)out->n_rows * sizeof *out->labels);
    if (out->labels == NULL)
        return FINE_ENOMEM;
    if (has_names) {
        map = map_labels(out->ctx, model, dataset);
        if (map == NULL)
            return FINE_ENOMEM;
    }
    fine__error_clear();
    for (int64_t i = 0; i < out->n_rows; i++) {
        const int64_t label = dataset->rows[i].label;
        const bool has_name = has_names && label >= 0 && label < dataset->n_labels;
        const int64_t mapped = has_name ? map[label] : has_names ? -1 : label;

        out->labels[i] = (int32_t)mapped;
        if (mapped >= 0 && mapped < model->n_labels)
            continue;
        if (label < 0 && (has_names || label == -1))
            rc = fine__also(FINE_EDATA, "%s '%s', %s %lld: no label", what, dataset->name,
                            place_word(dataset, i), place(dataset, i));
        else if (has_name)
            rc = fine__also(FINE_EDATA,
                            "%s '%s', %s %lld: label '%s' is not one of the model's "
                            "%lld: correct the row, or give the task all labels",
                            what, dataset->name, place_word(dataset, i), place(dataset, i),
                            dataset->labels[label], (long long)model->n_labels);
        else
            rc = fine__also(FINE_EDATA, "%s '%s', %s %lld: label %lld is not in 0 to %lld", what,
                            dataset->name, place_word(dataset, i), place(dataset, i),
                            (long long)label, (long long)model->n_labels - 1);
    }
    fine__free(out->ctx, map);
    return rc;
}

int
fine__examples_numbers(struct fine__examples *out, const char *what)
{
    const fine_dataset *dataset = out->dataset;
    int rc = FINE_OK;

    out->n_values = 1;
    out->values = fine__alloc(out->ctx, (size_t)out->n_rows * sizeof *out->values);
    if (out->values == NULL)
        return FINE_ENOMEM;
    fine__error_clear();
    for (int64_t i = 0; i < out->n_rows; i++) {
        out->values[i] = (float)dataset->rows[i].value;
        if (!isfinite(out->values[i]))
            rc = fine__also(FINE_EDATA,
                            "%s '%s', %s %lld: no number to learn, or one beyond "
                            "single precision",
                            what, dataset->name, place_word(dataset, i), place(dataset, i));
    }
    return rc;
}

/* ---- checks ---- */

static int
check_lengths(struct fine__examples *examples, const fine_model *model, const char *what)
{
    int rc = FINE_OK;

    fine__error_clear();
    for (int64_t i = 0; i < examples->n_rows; i++) {
        const int64_t length = examples->offsets[i + 1] - examples->offsets[i];
        const int64_t row = fine__examples_row(examples, i);

        if (length > examples->longest)
            examples->longest = length;
        if (length < 1)
            rc = fine__also(FINE_EDATA, "%s '%s', %s %lld: no ids", what, examples->dataset->name,
                            place_word(examples->dataset, row), place(examples->dataset, row));
        else if (length > model->max_length)
            rc = fine__also(FINE_EDATA, "%s '%s', %s %lld: %lld ids, and the model takes %lld",
                            what, examples->dataset->name, place_word(examples->dataset, row),
                            place(examples->dataset, row), (long long)length,
                            (long long)model->max_length);
    }
    return rc;
}

static int
check_ids(const struct fine__examples *examples, const fine_model *model, const char *what)
{
    int rc = FINE_OK;

    fine__error_clear();
    for (int64_t i = 0; i < examples->n_rows; i++) {
        const int64_t row = fine__examples_row(examples, i);

        for (int64_t at = examples->offsets[i]; at < examples->offsets[i + 1]; at++) {
            const int32_t id = examples->ids[at];
            const int32_t type = examples->types != NULL ? examples->types[at] : 0;

            if (id >= 0 && id < model->vocab_size && type >= 0 &&
                (type == 0 || model->type_vocab_size == 0 || type < model->type_vocab_size))
                continue;
            rc = fine__also(FINE_EDATA,
                            "%s '%s', %s %lld: id %d of type %d; the model knows %lld "
                            "ids and %lld types",
                            what, examples->dataset->name, place_word(examples->dataset, row),
                            place(examples->dataset, row), (int)id, (int)type,
                            (long long)model->vocab_size, (long long)model->type_vocab_size);
            break;
        }
    }
    return rc;
}

/* Texts that are too long are only known to be so after encoding, which cut them. */
static int
check_truncated(const struct fine__examples *examples, const fine_model *model, const char *what)
{
    if (examples->n_truncated == 0)
        return FINE_OK;
    if (model->overlong_is_error)
        return fine__fail(FINE_EDATA,
                          "%s '%s': %lld of %lld rows have more than %lld ids: raise "
                          "max_length, shorten them, or let overlong be 'truncate'%s",
                          what, examples->dataset->name, (long long)examples->n_truncated,
                          (long long)examples->dataset->n_rows, (long long)model->max_length,
                          model->task == FINE__ANSWER ? " or 'window'" : "");
    fine__log(examples->ctx, FINE_LOG_WARNING, "%s '%s': %lld of %lld rows were cut to %lld ids",
              what, examples->dataset->name, (long long)examples->n_truncated,
              (long long)examples->dataset->n_rows, (long long)model->max_length);
    return FINE_OK;
}

static int
check_task(const fine_model *model, const fine_dataset *dataset, const char *what)
{
    if (model->task == FINE__TASK_NONE)
        return fine__fail(FINE_ESTATE, "the model has no task yet: call fine_model_set_task()");
    const char *task = fine__task_name(model->task);
    const enum fine__content content = fine__content_find(task);

    if (dataset->n_rows == 0)
        return fine__fail(FINE_EDATA, "%s '%s': no rows", what, dataset->name);
    if (dataset->ids == NULL && model->tokenizer == NULL && content != FINE__ROWS_OF_IMAGES)
        return fine__fail(FINE_ESTATE,
                          "the model has no tokenizer: bring rows that are ids "
                          "already (fine_dataset_new_encoded), or add the tokenizer's files");
    if (content == dataset->content || (content == FINE__ROWS_OF_TEXT && dataset->ids != NULL))
        return FINE_OK;
    if (content == FINE__ROWS_OF_NUMBERS || dataset->content == FINE__ROWS_OF_NUMBERS)
        return fine__fail(FINE_EDATA, "%s '%s': its labels are %s, and the task is %s", what,
                          dataset->name,
                          dataset->content == FINE__ROWS_OF_NUMBERS ? "numbers" : "classes", task);
    return fine__fail(FINE_EDATA, "%s '%s': its rows were read for another task than %s: give "
                      "fine_dataset_options.task", what, dataset->name, task);
}

/* One text, one example: the ids, or those that the rows are already. */
int
fine__examples_texts(struct fine__examples *examples, const fine_model *model)
{
    const fine_dataset *dataset = examples->dataset;

    if (dataset->ids == NULL)
        return fine__examples_tokenize(examples, model, false);
    examples->ids = dataset->ids;
    examples->types = dataset->types;
    examples->offsets = dataset->id_offsets;
    return FINE_OK;
}

int
fine__examples_encode(struct fine__examples *out, fine_model *model, fine_dataset *dataset,
                      const char *what)
{
    struct fine__examples examples = { .ctx = model->ctx };
    int rc = check_task(model, dataset, what);

    if (rc < 0)
        return rc;
    examples.ctx = fine__context_ref(model->ctx);
    examples.dataset = fine__dataset_ref(dataset);
    examples.n_rows = dataset->n_rows;
    rc = fine__taskwork(model->task)->encode(&examples, model, what);
    if (rc == FINE_OK)
        rc = check_truncated(&examples, model, what);
    if (rc == FINE_OK && examples.offsets != NULL)
        rc = check_lengths(&examples, model, what);
    if (rc == FINE_OK && examples.offsets != NULL)
        rc = check_ids(&examples, model, what);
    if (rc < 0) {
        fine__examples_free(&examples);
        return rc;
    }
    *out = examples;
    return FINE_OK;
}

void
fine__examples_free(struct fine__examples *examples)
{
    if (examples->ctx == NULL)
        return;
    if (examples->drop != NULL)
        examples->drop(examples);
    fine__free(examples->ctx, examples->own_ids);
    fine__free(examples->ctx, examples->own_types);
    fine__free(examples->ctx, examples->own_offsets);
    fine__free(examples->ctx, examples->own_rows);
    fine__free(examples->ctx, examples->blocks);
    fine__mask_free(examples->ctx, examples->masking);
    fine__free(examples->ctx, examples->starts);
    fine__free(examples->ctx, examples->ends);
    fine__free(examples->ctx, examples->pieces);
    fine__free(examples->ctx, examples->goes_on);
    fine__free(examples->ctx, examples->n_lost);
    fine__free(examples->ctx, examples->labels);
    fine__free(examples->ctx, examples->values);
    fine__dataset_unref(examples->dataset);
    fine__context_unref(examples->ctx);
    *examples = (struct fine__examples){ .ctx = NULL };
}

int
fine__examples_fingerprint(const struct fine__examples *examples, char out[33])
{
    const size_t n = (size_t)examples->n_rows;
    const size_t n_ids = examples->offsets != NULL ? (size_t)examples->offsets[n] : 0;
    struct fine__hash *hash = NULL;

    FINE__TRY(fine__hash_new(&hash, examples->ctx));
    if (examples->offsets != NULL) {
        fine__hash_update(hash, examples->offsets, (n + 1) * sizeof *examples->offsets);
        fine__hash_update(hash, examples->ids, n_ids * sizeof *examples->ids);
    }
    for (size_t i = 0; examples->pictures != NULL && i < n; i++) {
        const char *path = fine__dataset_text(examples->dataset, (int64_t)i);

        fine__hash_update(hash, path, strlen(path) + 1);
    }
    if (examples->types != NULL)
        fine__hash_update(hash, examples->types, n_ids * sizeof *examples->types);
    if (examples->labels != NULL)
        fine__hash_update(hash, examples->labels,
                          (examples->labels_per_id ? n_ids : n) * sizeof *examples->labels);
    if (examples->values != NULL)
        fine__hash_update(hash, examples->values,
                          n * (size_t)examples->n_values * sizeof *examples->values);
    if (examples->masking != NULL)
        fine__mask_hash(examples->masking, hash);
    if (examples->blocks != NULL)
        fine__hash_update(hash, examples->blocks,
                          ((size_t)examples->n_blocks + 1) * sizeof *examples->blocks);
    if (examples->starts != NULL) {
        fine__hash_update(hash, examples->starts, n * sizeof *examples->starts);
        fine__hash_update(hash, examples->ends, n * sizeof *examples->ends);
    }
    fine__hash_hex(hash, out);
    fine__hash_free(hash);
    return FINE_OK;
}
