/*
 * wordpiece.c — words to pieces, longest match first.
 *
 * Of a word the longest piece that the vocabulary has is cut off, then of the rest the
 * longest that is written with "##" before it, and so on; a word that doesn't come out
 * is unknown as a whole. A walk down the trie finds each piece.
 * (Schuster, Nakajima: Japanese and Korean voice search, ICASSP 2012; as in BERT,
 * Devlin et al., NAACL 2019.)
 */
#include <string.h>

#include "base/alloc.h"
#include "text/wordpiece.h"

int
fine__wordpiece_new(struct fine__wordpiece **out, fine_tokenizer *t)
{
    struct fine__wordpiece *model = fine__alloc_array(t->ctx, 1, sizeof *model);

    if (model == NULL)
        return FINE_ENOMEM;
    fine__trie_init(&model->trie, t->ctx);
    fine__buf_init(&model->prefix, t->ctx);
    model->max_chars = 100;
    model->clean_up = true;
    model->text = (struct fine__bert_text){ .normalize = true, .clean_text = true,
                                            .chinese = true, .strip_accents = true,
                                            .lowercase = true, .split = true };
    t->model = model;   /* close() frees it from now on */
    *out = model;
    return 0;
}

int
fine__wordpiece_put(fine_tokenizer *t, const char *piece, size_t length, int64_t id)
{
    struct fine__wordpiece *model = t->model;
    const int64_t node = fine__trie_put(&model->trie, piece, length);

    if (node < 0)
        return (int)node;
    if (model->trie.values[node] < 0)
        t->n_model++;
    model->trie.values[node] = (int32_t)id;
    return fine__pieces_add(&t->pieces, piece, length, id);
}

int
fine__wordpiece_finish(fine_tokenizer *t, const char *unknown, const char *prefix,
                       const char *what)
{
    struct fine__wordpiece *model = t->model;
    const int64_t id = fine__trie_get(&model->trie, unknown, strlen(unknown));
    const int64_t node = fine__trie_walk(&model->trie, prefix, strlen(prefix));

    if (id < 0)
        return fine__fail(FINE_EFORMAT, "%s: the vocabulary lacks the unknown token '%s'; add it, "
                          "or name the one that is there", what, unknown);
    model->unknown = (int32_t)id;
    model->continuation = node < 0 ? UINT32_MAX : (uint32_t)node;
    fine__bert_text_prepare(&model->text);
    fine__buf_text(&model->prefix, prefix);
    return fine__buf_status(&model->prefix);
}

static void
close_model(fine_tokenizer *t)
{
    struct fine__wordpiece *model = t->model;

    if (model != NULL) {
        fine__trie_free(&model->trie);
        fine__buf_free(&model->prefix);
    }
    fine__free(t->ctx, model);
}

static int64_t
lookup(const fine_tokenizer *t, const char *piece, size_t length)
{
    const struct fine__wordpiece *model = t->model;

    return fine__trie_get(&model->trie, piece, length);
}

static int
normalize(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end)
{
    const struct fine__wordpiece *model = t->model;

    return fine__bert_normalize(&model->text, s, start, end);
}

static bool
is_too_long(const struct fine__wordpiece *model, const char *word, size_t length)
{
    int64_t n = 0;

    if (length <= (size_t)model->max_chars)
        return false;
    for (size_t i = 0; i < length && n <= model->max_chars; i++)
        n += ((unsigned char)word[i] & 0xc0) != 0x80;
    return n > model->max_chars;
}

/* One word, norm[start, end). */
static int
cut(const struct fine__wordpiece *model, struct fine__scratch *s, size_t start, size_t end)
{
    const int64_t before = s->n_units;
    size_t at = start;

    if (is_too_long(model, s->norm + start, end - start))
        return fine__scratch_unit(s, model->unknown, start, end);
    while (at < end) {
        uint32_t node = at == start ? 0 : model->continuation;
        int32_t id = -1;
        size_t piece_end = at;

        if (node == UINT32_MAX)
            break;
        for (size_t i = at; i < end; i++) {
            node = fine__trie_child(&model->trie, node, (unsigned char)s->norm[i]);
            if (node == 0)
                break;
            if (model->trie.values[node] >= 0) {
                id = model->trie.values[node];
                piece_end = i + 1;
            }
        }
        if (id < 0)
            break;
        FINE__TRY(fine__scratch_unit(s, id, at, piece_end));
        s->units[s->n_units - 1].goes_on = at > start;
        at = piece_end;
    }
    if (at == end)
        return 0;
    s->n_units = before;
    return fine__scratch_unit(s, model->unknown, start, end);
}

static int
split(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end)
{
    const struct fine__wordpiece *model = t->model;
    size_t at = start, word, word_end;

    while (fine__bert_next_word(&model->text, s->norm, end, &at, &word, &word_end))
        FINE__TRY(cut(model, s, word, word_end));
    return 0;
}

/* Replaces `from` by the shorter `to` in text[start, …). */
static void
replace(struct fine__buf *text, size_t start, const char *from, const char *to)
{
    const size_t n_from = strlen(from), n_to = strlen(to);
    size_t at = start;

    for (size_t i = start; i < text->length;) {
        if (text->length - i >= n_from && memcmp(text->data + i, from, n_from) == 0) {
            memcpy(text->data + at, to, n_to);
            at += n_to;
            i += n_from;
        } else {
            text->data[at++] = text->data[i++];
        }
    }
    text->length = at;
}

/* As the tokenizers library writes words after one another, English habits included. */
static int
decode(const fine_tokenizer *t, const char *piece, bool is_first, struct fine__buf *out)
{
    static const char *const habits[][2] = {
        { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" },
        { " n't", "n't" }, { " 'm", "'m" }, { " do not", " don't" }, { " 's", "'s" },
        { " 've", "'ve" }, { " 're", "'re" },
    };
    const struct fine__wordpiece *model = t->model;
    const size_t n_prefix = model->prefix.length, before = out->length;

    if (is_first)
        fine__buf_text(out, piece);
    else if (strncmp(piece, fine__buf_cstr(&model->prefix), n_prefix) == 0)
        fine__buf_text(out, piece + n_prefix);
    else {
        fine__buf_byte(out, ' ');
        fine__buf_text(out, piece);
    }
    FINE__TRY(fine__buf_status(out));
    for (int64_t i = 0; model->clean_up && i < FINE__COUNT(habits); i++)
        replace(out, before, habits[i][0], habits[i][1]);
    return 0;
}

const struct fine__kind fine__wordpiece = {
    .type = "WordPiece",
    .file = FINE__VOCAB_TXT,
    .open_json = fine__wordpiece_open_json,
    .open_files = fine__wordpiece_open_files,
    .add_special = fine__wordpiece_add_special,
    .close = close_model,
    .lookup = lookup,
    .normalize = normalize,
    .split = split,
    .decode = decode,
};
