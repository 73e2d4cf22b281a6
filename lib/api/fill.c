/*
 * fill.c — what could stand where a text has the mask: the likeliest tokens, best first.
 *
 * Texts go through the model one by one, and only their masks through the head: a vocabulary
 * is wide.
 */
#include <math.h>
#include <string.h>

#include "api/session.h"
#include "base/alloc.h"
#include "train/masking.h"

enum { SHOWN = 5 };

void
fine__fills_free(fine_context *ctx, struct fine__fills *fills)
{
    fine__free(ctx, fills->mask_of);
    fine__free(ctx, fills->first_of);
    fine__free(ctx, fills->list);
    if (fills->texts.ctx != NULL)
        fine__buf_free(&fills->texts);
    memset(fills, 0, sizeof *fills);
}

/* The likeliest that are not yet among the first `n` of list. */
static int64_t
next_best(const fine__real *logits, int64_t width, const struct fine__fill *list, int64_t n)
{
    int64_t best = -1;

    for (int64_t i = 0; i < width; i++) {
        bool taken = false;

        if (best >= 0 && !(logits[i] > logits[best]))
            continue;
        for (int64_t k = 0; k < n && !taken; k++)
            taken = list[k].id == i;
        if (!taken)
            best = i;
    }
    return best;
}

static int
add_text(const struct fine__session_parts *parts, struct fine__fills *out, struct fine__fill *fill)
{
    const int32_t id = (int32_t)fill->id;
    struct fine__buf text;
    int rc;

    fine__buf_init(&text, parts->model->ctx);
    rc = fine__tokenizer_decode(parts->model->tokenizer, &id, 1, false, &text);
    fill->text = (int64_t)out->texts.length;
    if (rc == 0) {
        fine__buf_text(&out->texts, fine__buf_cstr(&text));
        fine__buf_byte(&out->texts, '\0');
        rc = fine__buf_status(&out->texts);
    }
    fine__buf_free(&text);
    return rc;
}

/* One mask's candidates from its logits. */
static int
add_mask(const struct fine__session_parts *parts, int64_t text, const fine__real *logits,
         int64_t width, struct fine__fills *out)
{
    fine_context *ctx = parts->model->ctx;
    const int64_t shown = width < SHOWN ? width : SHOWN;
    struct fine__fill *list;
    double sum = 0;

    FINE__TRY(fine__grow(ctx, &out->first_of, &out->mask_capacity, out->n_masks + 2,
                         sizeof *out->first_of));
    FINE__TRY(fine__grow(ctx, &out->list, &out->fill_capacity, out->n_fills + shown,
                         sizeof *out->list));
    list = out->list + out->n_fills;
    for (int64_t i = 0; i < width; i++)
        if (!isfinite(logits[i]))
            return fine__fail(FINE_ENUMERIC, "the result of text %lld is not finite; are the "
                              "weights damaged?", (long long)text);
    for (int64_t k = 0; k < shown; k++)
        list[k].id = next_best(logits, width, list, k);
    for (int64_t i = 0; i < width; i++)
        sum += exp((double)logits[i] - (double)logits[list[0].id]);
    for (int64_t k = 0; k < shown; k++) {
        list[k].score = exp((double)logits[list[k].id] - (double)logits[list[0].id]) / sum;
        FINE__TRY(add_text(parts, out, &list[k]));
    }
    out->first_of[out->n_masks++] = out->n_fills;
    out->n_fills += shown;
    out->first_of[out->n_masks] = out->n_fills;
    return 0;
}

static int
fill_text(const struct fine__session_parts *parts, const char *text, int64_t number,
          int64_t mask_id, int64_t *rows, struct fine__fills *out)
{
    const fine_model *model = parts->model;
    struct fine__tokens *tokens = parts->tokens;
    int64_t n = 0;

    FINE__TRY(fine__tokenizer_encode(model->tokenizer, tokens, text, strlen(text), NULL, 0,
                                     model->max_length, FINE_OFFSETS_BYTES, true));
    if (tokens->truncated > 0)
        return fine__fail(FINE_EDATA, "text %lld has %lld ids more than max_length %lld; shorten "
                          "it", (long long)number, (long long)tokens->truncated,
                          (long long)model->max_length);
    for (int64_t i = 0; i < tokens->count; i++)
        if (tokens->ids[i] == mask_id)
            rows[n++] = i;
    if (n == 0)
        return fine__fail(FINE_EDATA, "text %lld has no %s: put it where a token is to be guessed",
                          (long long)number, fine__tokenizer_piece(model->tokenizer, mask_id));
    const int64_t offsets[2] = { 0, tokens->count };
    const struct fine__batch batch = { .n_seqs = 1, .n_tokens = tokens->count, .ids = tokens->ids,
                                       .types = tokens->types, .offsets = offsets };
    struct fine__run run = { .batch = &batch, .rows = rows, .n_rows = n };

    FINE__TRY(fine__runner_run(parts->runner, &run));
    for (int64_t i = 0; i < n; i++)
        FINE__TRY(add_mask(parts, number, run.logits + i * run.n_logits, run.n_logits, out));
    return 0;
}

int
fine__fill_texts(const struct fine__session_parts *parts, const char *const *texts, int64_t n,
                 struct fine__fills *out)
{
    fine_context *ctx = parts->model->ctx;
    const int64_t mask_id = fine__mask_id(parts->model->tokenizer);
    int64_t *rows = fine__alloc_array(ctx, (size_t)parts->model->max_length, sizeof *rows);
    int rc = rows != NULL ? 0 : FINE_ENOMEM;

    *out = (struct fine__fills){ .n = n };
    fine__buf_init(&out->texts, ctx);
    out->mask_of = fine__alloc_array(ctx, (size_t)n + 1, sizeof *out->mask_of);
    if (out->mask_of == NULL)
        rc = FINE_ENOMEM;
    if (rc == 0 && mask_id < 0)
        rc = fine__fail(FINE_ESTATE, "the model's tokenizer has no special token [MASK] or <mask>");
    for (int64_t i = 0; i < n && rc == 0; i++) {
        rc = texts[i] == NULL ? fine__fail(FINE_EINVAL, "text %lld is NULL", (long long)i)
                              : fill_text(parts, texts[i], i, mask_id, rows, out);
        if (rc == 0)
            out->mask_of[i + 1] = out->n_masks;
    }
    fine__free(ctx, rows);
    if (rc < 0)
        fine__fills_free(ctx, out);
    return rc;
}

int64_t
fine_session_n_masks(const fine_session *session, int64_t i)
{
    const struct fine__fills *fills = session != NULL ? fine__session_fills(session) : NULL;

    return fills != NULL && i >= 0 && i < fills->n ? fills->mask_of[i + 1] - fills->mask_of[i] : 0;
}

int64_t
fine_session_n_fills(const fine_session *session, int64_t i, int64_t mask)
{
    if (mask < 0 || mask >= fine_session_n_masks(session, i))
        return 0;
    const struct fine__fills *fills = fine__session_fills(session);
    const int64_t at = fills->mask_of[i] + mask;

    return fills->first_of[at + 1] - fills->first_of[at];
}

int
fine_session_fill(const fine_session *session, int64_t i, int64_t mask, int64_t j,
                  struct fine_fill_info *out)
{
    if (out == NULL || out->struct_size < sizeof *out)
        return fine__fail(FINE_EINVAL, "fine_session_fill: out is NULL, or struct_size isn't set");
    if (j < 0 || j >= fine_session_n_fills(session, i, mask))
        return fine__fail(FINE_EINVAL, "fine_session_fill: mask %lld of text %lld has no candidate "
                          "%lld", (long long)mask, (long long)i, (long long)j);
    const struct fine__fills *fills = fine__session_fills(session);
    const struct fine__fill *fill = &fills->list[fills->first_of[fills->mask_of[i] + mask] + j];

    out->token = fills->texts.data + fill->text;
    out->id = fill->id;
    out->score = fill->score;
    return 0;
}
