/*
 * answer_windows.c — a question and its context as ids, in windows that overlap.
 *
 * Each window is the whole question and the next piece of the context, `stride` ids of which
 * it shares with the window before, so that an answer on a border is whole in one of them: as
 * the tokenizers library cuts (only_second, with a stride). A window that doesn't hold the
 * whole answer learns its first id, which stands for none. Rows are done in tiles, as in
 * examples.c.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/parallel.h"
#include "text/tokenizer.h"
#include "train/answer.h"

enum { ROWS_PER_TILE = 16 };

struct tile {
    int32_t *ids, *types, *pieces;          /* of all windows; 2 pieces an id */
    int64_t n_ids, ids_capacity;
    struct window {
        int32_t length, row, start, end;    /* row: in the tile; the answer: places among the ids */
    } *windows;
    int64_t n_windows, windows_capacity;
    uint32_t is_cut, is_lost, is_torn;      /* rows as bits: ids were cut off; the answer has no
                                             * id at all; no window holds it whole */
    int rc;
};

struct job {
    fine_context *ctx;
    const fine_model *model;
    const fine_dataset *dataset;
    int64_t n_added;                        /* ids that the template adds */
    struct tile *tiles;
    struct fine__tokens *tokens;            /* one a worker */
};

/* What a row's windows have in common. */
struct layout {
    const struct fine__tokens *tokens;
    int64_t from, to;                       /* the context's ids */
    int64_t n_question;                     /* ids of the question that are kept */
    int64_t room;                           /* ids of the context a window has */
    int64_t first, last;                    /* the answer, counted from `from`; first < 0: none */
};

static int
make_room(struct job *job, struct tile *tile, int64_t n)
{
    const int64_t need = tile->n_ids + n;
    int64_t capacity = tile->ids_capacity;

    FINE__TRY(fine__grow(job->ctx, &tile->ids, &capacity, need, sizeof *tile->ids));
    capacity = tile->ids_capacity;
    FINE__TRY(fine__grow(job->ctx, &tile->types, &capacity, need, sizeof *tile->types));
    capacity = tile->ids_capacity;
    FINE__TRY(fine__grow(job->ctx, &tile->pieces, &capacity, need, 2 * sizeof *tile->pieces));
    tile->ids_capacity = capacity;
    return fine__grow(job->ctx, &tile->windows, &tile->windows_capacity, tile->n_windows + 1,
                      sizeof *tile->windows);
}

static void
put(struct tile *tile, const struct fine__tokens *tokens, int64_t i)
{
    const bool is_context = tokens->texts[i] == 1;
    int32_t *piece = tile->pieces + 2 * tile->n_ids;

    tile->ids[tile->n_ids] = tokens->ids[i];
    tile->types[tile->n_ids++] = tokens->types[i];
    piece[0] = is_context ? (int32_t)tokens->offsets[2 * i] : -1;
    piece[1] = is_context ? (int32_t)tokens->offsets[2 * i + 1] : -1;
}

/* What stands around the context: added ids, and the question as far as it is kept. */
static void
put_around(struct tile *tile, const struct layout *at, int64_t from, int64_t to,
           int64_t *n_question)
{
    for (int64_t i = from; i < to; i++)
        if (at->tokens->texts[i] != 0 || (*n_question)++ < at->n_question)
            put(tile, at->tokens, i);
}

/* The window whose context begins `start` ids into it. */
static int
add_window(struct job *job, struct tile *tile, const struct layout *at, int32_t row,
           int64_t start, int64_t n)
{
    struct window window = { .row = row };
    const int64_t begin = tile->n_ids;
    int64_t n_question = 0, before;

    FINE__TRY(make_room(job, tile, job->n_added + at->n_question + n));
    put_around(tile, at, 0, at->from, &n_question);
    before = tile->n_ids - begin;
    for (int64_t i = 0; i < n; i++)
        put(tile, at->tokens, at->from + start + i);
    put_around(tile, at, at->to, at->tokens->count, &n_question);
    window.length = (int32_t)(tile->n_ids - begin);
    if (at->first >= start && at->last < start + n) {
        window.start = (int32_t)(before + at->first - start);
        window.end = (int32_t)(before + at->last - start);
    }
    tile->windows[tile->n_windows++] = window;
    return FINE_OK;
}

/* Where the context's ids are, and how many the question has. */
static int64_t
find_context(struct layout *at)
{
    const struct fine__tokens *tokens = at->tokens;
    int64_t n_question = 0;

    at->from = at->to = -1;
    for (int64_t i = 0; i < tokens->count; i++) {
        n_question += tokens->texts[i] == 0;
        if (tokens->texts[i] != 1)
            continue;
        at->from = at->from < 0 ? i : at->from;
        at->to = i + 1;
    }
    if (at->from < 0)
        at->from = at->to = tokens->count;
    return n_question;
}

/* The ids that the answer's bytes touch. */
static void
find_answer(struct layout *at, const struct fine__mark *mark)
{
    at->first = at->last = -1;
    for (int64_t i = at->from; i < at->to && mark != NULL; i++) {
        if (at->tokens->offsets[2 * i] >= mark->end || at->tokens->offsets[2 * i + 1] <= mark->start)
            continue;
        at->first = at->first < 0 ? i - at->from : at->first;
        at->last = i - at->from;
    }
}

static int
add_row(struct job *job, struct tile *tile, int32_t i, const struct fine__row *row,
        struct fine__tokens *tokens)
{
    const struct fine__answering *how = &job->model->answering;
    const fine_dataset *dataset = job->dataset;
    const struct fine__mark *mark =
        row->n_marks > 0 && dataset->require_label ? &dataset->marks[row->first_mark] : NULL;
    const int64_t room = job->model->max_length - job->n_added;
    struct layout at = { .tokens = tokens };
    bool found = false;

    FINE__TRY(fine__tokenizer_encode(job->model->tokenizer, tokens, dataset->bytes.data + row->text,
                                     (size_t)row->text_length, dataset->bytes.data + row->pair,
                                     (size_t)row->pair_length, 0, FINE_OFFSETS_BYTES, true));
    const int64_t n_question = find_context(&at), n = at.to - at.from;

    at.n_question = n_question < room / 2 ? n_question : room / 2;
    at.room = room - at.n_question;
    find_answer(&at, mark);
    if (at.n_question < n_question || (n > at.room && !how->windows))
        tile->is_cut |= 1u << i;
    if (mark != NULL && at.first < 0)
        tile->is_lost |= 1u << i;
    for (int64_t start = 0;; start += at.room - how->stride) {
        const int64_t some = n - start < at.room ? n - start : at.room;

        FINE__TRY(add_window(job, tile, &at, i, start, some));
        found = found || (at.first >= start && at.last < start + some);
        if (start + some == n || !how->windows)
            break;
    }
    if (mark != NULL && !found)
        tile->is_torn |= 1u << i;
    return FINE_OK;
}

static int
encode_rows(struct job *job, int64_t index, struct fine__tokens *tokens)
{
    struct tile *tile = &job->tiles[index];
    const int64_t from = index * ROWS_PER_TILE;

    tile->n_ids = tile->n_windows = 0;
    tile->is_cut = tile->is_lost = tile->is_torn = 0;
    for (int32_t i = 0; i < ROWS_PER_TILE && from + i < job->dataset->n_rows; i++)
        FINE__TRY(add_row(job, tile, i, &job->dataset->rows[from + i], tokens));
    return FINE_OK;
}

static void
encode_tile(void *arg, int64_t index, int worker)
{
    struct job *job = arg;

    job->tiles[index].rc = encode_rows(job, index, &job->tokens[worker]);
}

/* ---- putting together ---- */

static void
free_tile(fine_context *ctx, struct tile *tile)
{
    fine__free(ctx, tile->ids);
    fine__free(ctx, tile->types);
    fine__free(ctx, tile->pieces);
    fine__free(ctx, tile->windows);
    *tile = (struct tile){ .rc = 0 };
}

static int
make_arrays(struct fine__examples *out, const struct job *job, int64_t n_windows, int64_t n_ids)
{
    const bool has_types = job->model->type_vocab_size > 0;
    const bool has_targets = job->dataset->require_label;
    const size_t windows = (size_t)n_windows, ids = (size_t)n_ids;

    out->own_offsets = fine__alloc_array(out->ctx, windows + 1, sizeof *out->own_offsets);
    out->own_rows = fine__alloc_array(out->ctx, windows, sizeof *out->own_rows);
    out->own_ids = fine__alloc_array(out->ctx, ids, sizeof *out->own_ids);
    out->pieces = fine__alloc_array(out->ctx, ids, 2 * sizeof *out->pieces);
    if (has_types)
        out->own_types = fine__alloc_array(out->ctx, ids, sizeof *out->own_types);
    if (has_targets) {
        out->starts = fine__alloc_array(out->ctx, windows, sizeof *out->starts);
        out->ends = fine__alloc_array(out->ctx, windows, sizeof *out->ends);
    }
    if (out->own_offsets == NULL || out->own_rows == NULL || out->own_ids == NULL ||
        out->pieces == NULL || (has_types && out->own_types == NULL) ||
        (has_targets && (out->starts == NULL || out->ends == NULL)))
        return FINE_ENOMEM;
    return FINE_OK;
}

static int
gather(struct fine__examples *out, const struct job *job, int64_t n_tiles)
{
    int64_t n_windows = 0, n_ids = 0, w = 0;

    for (int64_t i = 0; i < n_tiles; i++) {
        n_windows += job->tiles[i].n_windows;
        n_ids += job->tiles[i].n_ids;
    }
    FINE__TRY(make_arrays(out, job, n_windows, n_ids));
    for (int64_t i = 0; i < n_tiles; i++) {
        struct tile *tile = &job->tiles[i];
        const int64_t at = out->own_offsets[w];
        const size_t n = (size_t)tile->n_ids;

        if (n > 0) {
            memcpy(out->own_ids + at, tile->ids, n * sizeof *tile->ids);
            memcpy(out->pieces + 2 * at, tile->pieces, 2 * n * sizeof *tile->pieces);
        }
        if (n > 0 && out->own_types != NULL)
            memcpy(out->own_types + at, tile->types, n * sizeof *tile->types);
        for (int64_t k = 0; k < tile->n_windows; k++, w++) {
            const struct window *window = &tile->windows[k];

            out->own_offsets[w + 1] = out->own_offsets[w] + window->length;
            out->own_rows[w] = i * ROWS_PER_TILE + window->row;
            if (out->starts != NULL) {
                out->starts[w] = window->start;
                out->ends[w] = window->end;
            }
        }
        for (uint32_t bits = tile->is_cut; bits != 0; bits &= bits - 1)
            out->n_truncated++;
    }
    out->n_rows = n_windows;
    out->ids = out->own_ids;
    out->types = out->own_types;
    out->offsets = out->own_offsets;
    out->row_of = out->own_rows;
    return FINE_OK;
}

/* What can't be learnt is an error; what is learnt as none is told. */
static int
check_answers(const struct fine__examples *out, const struct job *job, int64_t n_tiles,
              const char *what)
{
    const fine_dataset *dataset = job->dataset;
    int64_t n_torn = 0;
    char place[40];
    int rc = FINE_OK;

    fine__error_clear();
    for (int64_t i = 0; i < n_tiles; i++)
        for (int32_t k = 0; k < ROWS_PER_TILE; k++) {
            n_torn += job->tiles[i].is_torn >> k & 1;
            if ((job->tiles[i].is_lost >> k & 1) == 0)
                continue;
            rc = fine__also(FINE_EDATA, "%s '%s', %s: the answer consists of characters that the "
                            "tokenizer leaves out; correct the row", what, dataset->name,
                            fine__examples_place(out, i * ROWS_PER_TILE + k, place));
        }
    if (rc == FINE_OK && n_torn > 0)
        fine__log(out->ctx, FINE_LOG_WARNING, "%s '%s': %lld of %lld answers stand in no window "
                  "whole and are learnt as none; raise data.stride or data.max_length%s", what,
                  dataset->name, (long long)n_torn, (long long)dataset->n_rows,
                  job->model->answering.windows ? "" : ", or let data.overlong be window");
    return rc;
}

/* Every window must bring something new. */
static int
check_room(struct job *job)
{
    const int64_t stride = job->model->answering.stride;
    int64_t room;

    FINE__TRY(fine__tokenizer_encode(job->model->tokenizer, &job->tokens[0], "", 0, "", 0, 0,
                                     FINE_OFFSETS_BYTES, true));
    job->n_added = job->tokens[0].count;
    room = job->model->max_length - job->n_added;
    if (room >= 2 && room - room / 2 > stride)
        return FINE_OK;
    if (room < 2)
        return fine__fail(FINE_EINVAL, "data.max_length: %lld ids hold no question and context "
                          "beside the %lld that are added", (long long)job->model->max_length,
                          (long long)job->n_added);
    return fine__fail(FINE_EINVAL, "data.stride: %lld of %lld ids are too many to share: a long "
                      "question leaves no room for more; give at most %lld", (long long)stride,
                      (long long)job->model->max_length, (long long)(room - room / 2 - 1));
}

int
fine__answer_windows(struct fine__examples *out, const fine_model *model, const char *what)
{
    const int64_t n_rows = out->dataset->n_rows;
    const int64_t n_tiles = (n_rows + ROWS_PER_TILE - 1) / ROWS_PER_TILE;
    const int n_workers = fine__n_workers(out->ctx);
    struct job job = { .ctx = out->ctx, .model = model, .dataset = out->dataset };
    int rc = FINE_ENOMEM;

    job.tiles = fine__alloc_array(out->ctx, (size_t)n_tiles, sizeof *job.tiles);
    job.tokens = fine__alloc_array(out->ctx, (size_t)n_workers, sizeof *job.tokens);
    if (job.tiles == NULL || job.tokens == NULL)
        goto done;
    for (int i = 0; i < n_workers; i++)
        fine__tokens_init(&job.tokens[i], out->ctx);
    rc = check_room(&job);
    if (rc == FINE_OK)
        fine__parallel_for(out->ctx, n_tiles, encode_tile, &job);
    for (int64_t i = 0; i < n_tiles && rc == FINE_OK; i++)
        if (job.tiles[i].rc < 0)
            rc = encode_rows(&job, i, &job.tokens[0]);
    for (int i = 0; i < n_workers; i++)
        fine__tokens_free(&job.tokens[i]);
    if (rc == FINE_OK)
        rc = check_answers(out, &job, n_tiles, what);
    if (rc == FINE_OK)
        rc = gather(out, &job, n_tiles);
    if (rc == FINE_OK && out->n_rows > n_rows)
        fine__log(out->ctx, FINE_LOG_INFO, "%s '%s': %lld questions are read in %lld windows of at "
                  "most %lld ids", what, out->dataset->name, (long long)n_rows,
                  (long long)out->n_rows, (long long)model->max_length);
done:
    for (int64_t i = 0; job.tiles != NULL && i < n_tiles; i++)
        free_tile(out->ctx, &job.tiles[i]);
    fine__free(out->ctx, job.tiles);
    fine__free(out->ctx, job.tokens);
    return rc;
}
