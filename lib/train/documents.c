/*
 * documents.c — plain text to examples: tokenized once, cut, and gathered into blocks.
 *
 * An example is a piece of one document, so attention never crosses from one to another. A
 * block is as many pieces, in the order of the data, as fit the model's longest sequence:
 * what a batch counts, so that short documents fill a step as long ones do.
 */
#include <string.h>

#include "base/alloc.h"
#include "text/template.h"
#include "text/tokenizer.h"
#include "train/masking.h"

/* Of the documents as tokenized, and of what becomes of them. */
struct cutting {
    struct fine__examples *examples;
    const fine_model *model;
    const int64_t *from;            /* offsets of the rows' ids */
    const int32_t *ids, *of;        /* of: 0 or 1, which text of a pair; NULL: no pairs */
    int64_t n_rows;
    struct fine__examples out;      /* grows */
    uint8_t *begins;
    int64_t ids_capacity, labels_capacity, begins_capacity, offsets_capacity, rows_capacity;
};

static int
open_cutting(struct cutting *c, struct fine__examples *examples, const fine_model *model,
             bool pieces)
{
    if (examples->dataset->ids != NULL) {
        examples->ids = examples->dataset->ids;
        examples->offsets = examples->dataset->id_offsets;
    } else {
        FINE__TRY(fine__examples_tokenize_bare(examples, model, pieces));
    }
    *c = (struct cutting){ .examples = examples, .model = model, .from = examples->offsets,
                           .ids = examples->ids, .n_rows = examples->n_rows,
                           .of = examples->dataset->has_pairs ? examples->types : NULL };
    return FINE_OK;
}

/* Room for n more ids in one more example of that row; where they go. */
static int
begin_example(struct cutting *c, int64_t row, int64_t n, int64_t *at)
{
    struct fine__examples *out = &c->out;
    fine_context *ctx = c->examples->ctx;
    const int64_t first = out->n_rows > 0 ? out->own_offsets[out->n_rows] : 0;

    FINE__TRY(fine__grow(ctx, &out->own_ids, &c->ids_capacity, first + n, sizeof(int32_t)));
    FINE__TRY(fine__grow(ctx, &out->own_rows, &c->rows_capacity, out->n_rows + 1,
                         sizeof(int64_t)));
    FINE__TRY(fine__grow(ctx, &out->own_offsets, &c->offsets_capacity, out->n_rows + 2,
                         sizeof(int64_t)));
    out->own_offsets[out->n_rows] = first;
    out->own_rows[out->n_rows++] = row;
    out->own_offsets[out->n_rows] = first + n;
    *at = first;
    return FINE_OK;
}

/* Blocks of pieces, as many as fit. */
static int
make_blocks(struct cutting *c)
{
    struct fine__examples *out = &c->out;
    int64_t capacity = 0;

    for (int64_t i = 0, first = 0; i <= out->n_rows; i++) {
        const bool fits = i < out->n_rows &&
                          out->own_offsets[i + 1] - out->own_offsets[first] <= c->model->max_length;

        if (fits)
            continue;
        if (i == out->n_rows || i > first) {
            FINE__TRY(fine__grow(c->examples->ctx, &out->blocks, &capacity, out->n_blocks + 2,
                                 sizeof *out->blocks));
            out->blocks[out->n_blocks++] = first;
            out->blocks[out->n_blocks] = i;
            first = i;
        }
    }
    return FINE_OK;
}

/* The examples as cut take the place of the rows as tokenized; or nothing stays. */
static int
close_cutting(struct cutting *c, int rc, const char *what)
{
    struct fine__examples *examples = c->examples, *out = &c->out;
    fine_context *ctx = examples->ctx;

    if (rc == FINE_OK && out->n_rows == 0)
        rc = fine__fail(FINE_EDATA, "%s '%s': no text is long enough to learn from", what,
                        examples->dataset->name);
    if (rc == FINE_OK && c->of == NULL && examples->dataset->ids == NULL)
        rc = make_blocks(c);
    if (rc < 0) {
        fine__free(ctx, out->own_ids);
        fine__free(ctx, out->own_rows);
        fine__free(ctx, out->own_offsets);
        fine__free(ctx, out->labels);
        fine__free(ctx, out->blocks);
        fine__free(ctx, c->begins);
        return rc;
    }
    fine__free(ctx, examples->own_ids);
    fine__free(ctx, examples->own_types);
    fine__free(ctx, examples->own_offsets);
    fine__free(ctx, examples->pieces);
    examples->pieces = examples->own_types = NULL;
    examples->types = NULL;
    examples->ids = examples->own_ids = out->own_ids;
    examples->offsets = examples->own_offsets = out->own_offsets;
    examples->row_of = examples->own_rows = out->own_rows;
    examples->n_rows = out->n_rows;
    examples->labels = out->labels;
    examples->labels_per_id = out->labels != NULL;
    examples->blocks = out->blocks;
    examples->n_blocks = out->n_blocks;
    examples->n_truncated = out->n_truncated;
    if (examples->masking != NULL)
        examples->masking->begins = c->begins;
    return FINE_OK;
}

/* ---- to continue ---- */

/* A row: its ids and what ends it; of them the first `given` are not learned. */
struct sequence {
    const int32_t *ids;
    int64_t n, end_id;              /* end_id -1: nothing ends it */
    int64_t given;
};

static int32_t
next_id(const struct sequence *s, int64_t i)
{
    return i + 1 < s->n ? s->ids[i + 1] : (int32_t)s->end_id;
}

/* Inputs [first, first + n) of a row, each with the id after it. */
static int
add_piece(struct cutting *c, const struct sequence *s, int64_t row, int64_t first, int64_t n)
{
    int64_t at;

    FINE__TRY(begin_example(c, row, n, &at));
    FINE__TRY(fine__grow(c->examples->ctx, &c->out.labels, &c->labels_capacity, at + n,
                         sizeof(int32_t)));
    memcpy(c->out.own_ids + at, s->ids + first, (size_t)n * sizeof(int32_t));
    for (int64_t i = 0; i < n; i++)
        c->out.labels[at + i] = first + i + 1 >= s->given ? next_id(s, first + i) : -1;
    return FINE_OK;
}

/* A prompt and its completion are one example: what is too long loses the prompt's beginning,
 * all but one id of it, and then the completion's end. */
static int
add_pair(struct cutting *c, const struct sequence *s, int64_t row, int64_t n)
{
    const int64_t over = n - c->model->max_length;
    const int64_t from_prompt = over <= 0 || s->given == 0 ? 0
                                : over < s->given - 1      ? over : s->given - 1;

    c->out.n_truncated += over > 0;
    return add_piece(c, s, row, from_prompt,
                     over > 0 ? c->model->max_length : n);
}

int
fine__examples_to_continue(struct fine__examples *examples, const fine_model *model,
                           const char *what)
{
    struct cutting c;
    int rc = open_cutting(&c, examples, model, false);

    if (rc < 0)
        return rc;
    const bool ends = model->end_id >= 0 && examples->dataset->ids == NULL;

    for (int64_t row = 0; row < c.n_rows && rc == FINE_OK; row++) {
        const int64_t from = c.from[row], to = c.from[row + 1];
        struct sequence s = { .ids = c.ids + from, .n = to - from,
                              .end_id = ends ? model->end_id : -1 };
        const int64_t n = s.n - (ends ? 0 : 1);     /* ids that have one after them */

        while (c.of != NULL && s.given < s.n && c.of[from + s.given] == 0)
            s.given++;
        if (n < 1)
            continue;
        if (c.of != NULL)
            rc = add_pair(&c, &s, row, n);
        for (int64_t first = 0; c.of == NULL && first < n && rc == FINE_OK;
             first += model->max_length)
            rc = add_piece(&c, &s, row, first,
                           n - first < model->max_length ? n - first : model->max_length);
    }
    return close_cutting(&c, rc, what);
}

/* ---- to fill ---- */

static bool
is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* WordPiece marks what goes on with a word. Elsewhere an id does where its text and that of the
 * id before it touch and are both of letters or digits. */
static bool
begins_word(const struct cutting *c, int64_t row, int64_t i)
{
    const struct fine__examples *examples = c->examples;
    const int32_t *spans = examples->pieces;
    const char *text = fine__dataset_text(examples->dataset, row);

    if (fine__tokenizer_marks_words(c->model->tokenizer)) {
        const char *piece = fine__tokenizer_piece(c->model->tokenizer, c->ids[i]);

        return piece == NULL || strncmp(piece, "##", 2) != 0;
    }
    if (text == NULL || spans == NULL || i == c->from[row])
        return true;
    const int32_t before = spans[2 * i - 1], start = spans[2 * i];

    return start > before || start < 1 || !is_word_byte(text[start]) ||
           !is_word_byte(text[start - 1]);
}

/* Ids [first, first + n) of all, with what stands around a text. */
static int
add_text(struct cutting *c, int64_t row, int64_t first, int64_t n)
{
    const struct fine__template *template = fine__tokenizer_template(c->model->tokenizer);
    int64_t at;

    FINE__TRY(begin_example(c, row, n + template->n_added, &at));
    if (c->model->whole_words)
        FINE__TRY(fine__grow(c->examples->ctx, &c->begins, &c->begins_capacity,
                             at + n + template->n_added, 1));
    for (int slot = 0; slot < template->count; slot++) {
        if (template->slots[slot].text < 0) {
            if (c->begins != NULL)
                c->begins[at] = 1;
            c->out.own_ids[at++] = template->slots[slot].id;
            continue;
        }
        memcpy(c->out.own_ids + at, c->ids + first, (size_t)n * sizeof(int32_t));
        for (int64_t i = 0; c->begins != NULL && i < n; i++)
            c->begins[at + i] = i == 0 || begins_word(c, row, first + i);
        at += n;
    }
    return FINE_OK;
}

int
fine__examples_to_fill(struct fine__examples *examples, const fine_model *model, const char *what)
{
    struct cutting c;
    int rc;

    if (model->tokenizer == NULL)
        return fine__fail(FINE_ESTATE, "the model has no tokenizer, so nothing says which id is "
                          "the mask: add the tokenizer's files");
    if (examples->dataset->ids != NULL)
        return fine__fail(FINE_EUNSUPPORTED, "%s '%s': rows for fill-mask are texts; ids that are "
                          "ready go to fine_model_backward()", what, examples->dataset->name);
    if (examples->dataset->has_pairs)
        return fine__fail(FINE_EDATA, "%s '%s': fill-mask reads one text a row; leave text_pair "
                          "out", what, examples->dataset->name);
    FINE__TRY(fine__mask_new(&examples->masking, model));
    rc = open_cutting(&c, examples, model, model->whole_words);
    if (rc < 0)
        return rc;
    const int64_t most = model->max_length - fine__tokenizer_template(model->tokenizer)->n_added;

    for (int64_t row = 0; row < c.n_rows && rc == FINE_OK; row++)
        for (int64_t first = c.from[row]; first < c.from[row + 1] && rc == FINE_OK; first += most)
            rc = most < 1 ? fine__fail(FINE_EINVAL, "max_length %lld leaves no room for text",
                                       (long long)model->max_length)
                          : add_text(&c, row, first, c.from[row + 1] - first < most
                                                         ? c.from[row + 1] - first : most);
    return close_cutting(&c, rc, what);
}
