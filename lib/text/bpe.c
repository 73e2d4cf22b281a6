/*
 * bpe.c — byte-level BPE: words, their pieces, and where these stand in the text.
 *
 * Most words of a text are one piece. Which these are is found out when the tokenizer is
 * opened, by merging every piece of the vocabulary: a word that comes out as itself is one
 * look in a table from then on. That is what a cache of words would know, but it belongs
 * to the tokenizer, so it is there at the first word and never changes.
 */
#include <string.h>

#include "base/alloc.h"
#include "text/bpe.h"
#include "text/byte_level.h"

int
fine__bpe_new(struct fine__bpe **out, fine_tokenizer *t)
{
    struct fine__bpe *model = fine__alloc_array(t->ctx, 1, sizeof *model);

    if (model == NULL)
        return FINE_ENOMEM;
    fine__map_init(&model->vocab, t->ctx);
    fine__map_init(&model->whole, t->ctx);
    model->unknown = -1;
    model->use_pattern = true;
    t->model = model;   /* close() frees it from now on */
    *out = model;
    return 0;
}

static void
close_model(fine_tokenizer *t)
{
    struct fine__bpe *model = t->model;

    if (model == NULL)
        return;
    fine__map_free(&model->vocab);
    fine__map_free(&model->whole);
    fine__free(t->ctx, model->merges);
    fine__free(t->ctx, model);
}

int
fine__bpe_put(fine_tokenizer *t, const char *piece, size_t length, int64_t id)
{
    struct fine__bpe *model = t->model;

    FINE__TRY(fine__map_put(&model->vocab, piece, length, id));
    t->n_model++;
    return fine__pieces_add(&t->pieces, piece, length, id);
}

static int64_t
lookup(const fine_tokenizer *t, const char *piece, size_t length)
{
    const struct fine__bpe *model = t->model;

    return fine__map_get(&model->vocab, piece, length);
}

/* ---- the tables made from the vocabulary ---- */

static int
find_bytes(fine_tokenizer *t, const char *what)
{
    struct fine__bpe *model = t->model;
    int n_missing = 0;

    for (int i = 0; i < 256; i++) {
        char text[4];
        const size_t length = fine__utf8_encode(fine__byte_level_char((unsigned char)i), text);

        model->bytes[i] = (int32_t)fine__map_get(&model->vocab, text, length);
        n_missing += model->bytes[i] < 0;
    }
    if (n_missing > 0)
        fine__log(t->ctx, FINE_LOG_WARNING, "%s: the vocabulary lacks %d of the 256 bytes: in a "
                  "text they %s", what, n_missing,
                  model->unknown < 0 ? "are left out" : "are the unknown token");
    return 0;
}

/* Whether a word comes out as this one id. */
static int
find_whole(struct fine__bpe *model, struct fine__scratch *s, const struct fine__pieces *pieces)
{
    for (int64_t i = 0; i < pieces->count; i++) {
        const char *piece = pieces->text.data + pieces->items[i].text;
        const size_t length = strlen(piece);
        char bytes[FINE__BPE_MAX_WHOLE];
        int64_t n_bytes, n;

        /* Two bytes of UTF-8 a byte, at most. */
        if (length > sizeof bytes || (n_bytes = fine__byte_level_bytes(piece, length, bytes)) < 1)
            continue;
        FINE__TRY(fine__bpe_merge(model, s, bytes, (size_t)n_bytes, false, &n));
        if (!model->ignore_merges
            && (n == 0 || s->symbols[0].next != FINE__NO_SYMBOL
                || s->symbols[0].id != pieces->items[i].id))
            continue;
        FINE__TRY(fine__map_put(&model->whole, bytes, (size_t)n_bytes, pieces->items[i].id));
        if (model->longest_whole < (size_t)n_bytes)
            model->longest_whole = (size_t)n_bytes;
    }
    return 0;
}

int
fine__bpe_finish(fine_tokenizer *t, const char *what)
{
    struct fine__scratch *s;
    int rc;

    FINE__TRY(find_bytes(t, what));
    s = fine__scratch_new(t->ctx);
    if (s == NULL)
        return FINE_ENOMEM;
    rc = find_whole(t->model, s, &t->pieces);
    fine__scratch_free(s);
    return rc < 0 ? rc : 0;
}

/* ---- encoding ---- */

/* The text as it is; only broken bytes become U+FFFD. */
static int
normalize(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end)
{
    (void)t;
    s->n_norm = 0;
    s->base = start;
    s->plain = fine__utf8_valid(s->text + start, end - start);
    if (s->plain) {
        FINE__TRY(fine__grow(s->ctx, &s->norm, &s->norm_capacity, (int64_t)(end - start), 1));
        memcpy(s->norm, s->text + start, end - start);
        s->n_norm = (int64_t)(end - start);
        return 0;
    }
    while (start < end) {
        int32_t c;
        const size_t n = fine__utf8_decode(s->text + start, end - start, &c, NULL);

        FINE__TRY(fine__scratch_put(s, c, (uint32_t)start));
        start += n;
    }
    return 0;
}

static bool
continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* A word of the normalized text; with spaced, behind a space that isn't there. */
struct word {
    size_t start, end;
    bool spaced;
};

static char
byte_of(const struct fine__scratch *s, const struct word *word, size_t i)
{
    if (word->spaced)
        return i == 0 ? ' ' : s->norm[word->start + i - 1];
    return s->norm[word->start + i];
}

/* An id for the word's bytes [from, to), widened to whole characters. The space that isn't
 * there counts as the character after it. */
static int
emit(const fine_tokenizer *t, struct fine__scratch *s, const struct word *word, int32_t id,
     size_t from, size_t to)
{
    const struct fine__bpe *model = t->model;
    size_t start = word->start + from, end = word->start + to, leading = 0, trailing = 0;

    if (word->spaced) {
        start -= from > 0;
        end -= to > 1;
    }
    while (start > 0 && continues(s->norm[start]))
        start--;
    while (end < (size_t)s->n_norm && continues(s->norm[end]))
        end++;
    if (s->plain) {
        start += s->base;
        end += s->base;
    } else {
        start = s->from[start];
        end = s->from[end - 1];
        end += fine__utf8_decode(s->text + end, s->length - end, &(int32_t){ 0 }, NULL);
    }
    FINE__TRY(fine__scratch_unit_at(s, id, start, end));
    if (!t->single.trim || id == model->unknown)
        return 0;
    while (from + leading < to && byte_of(s, word, from + leading) == ' ')
        leading++;
    while (from + trailing < to && byte_of(s, word, to - 1 - trailing) == ' ')
        trailing++;
    fine__scratch_trim(s, leading, trailing, t->single.trim_keeps_prefix);
    return 0;
}

static int
encode_word(const fine_tokenizer *t, struct fine__scratch *s, const struct word *word)
{
    const struct fine__bpe *model = t->model;
    const size_t length = word->end - word->start, total = length + word->spaced;
    const char *text = s->norm + word->start;
    int64_t n;

    if (total <= model->longest_whole) {
        char bytes[FINE__BPE_MAX_WHOLE];
        int64_t id;

        if (word->spaced) {
            bytes[0] = ' ';
            memcpy(bytes + 1, text, length);
        }
        id = fine__map_get(&model->whole, word->spaced ? bytes : text, total);
        if (id >= 0)
            return emit(t, s, word, (int32_t)id, 0, total);
    }
    FINE__TRY(fine__bpe_merge(model, s, text, length, word->spaced, &n));
    for (uint32_t i = n > 0 ? 0 : FINE__NO_SYMBOL; i != FINE__NO_SYMBOL; i = s->symbols[i].next) {
        const uint32_t next = s->symbols[i].next;

        FINE__TRY(emit(t, s, word, s->symbols[i].id, s->symbols[i].start,
                       next != FINE__NO_SYMBOL ? s->symbols[next].start : total));
        s->units[s->n_units - 1].goes_on = i > 0;
    }
    return 0;
}

static int
split(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end)
{
    const struct fine__bpe *model = t->model;
    struct word word = { start, start, model->prefix_space && s->norm[start] != ' ' };

    while (word.start < end) {
        word.end = model->use_pattern
            ? fine__byte_level_word(s->norm, word.start, end, word.spaced)
            : end;
        FINE__TRY(encode_word(t, s, &word));
        word.start = word.end;
        word.spaced = false;
    }
    return 0;
}

/* ---- decoding ---- */

/* A piece with a character that stands for no byte is text as it is written. */
static int
decode(const fine_tokenizer *t, const char *piece, bool is_first, struct fine__buf *out)
{
    const size_t length = strlen(piece), before = out->length;

    (void)t;
    (void)is_first;
    for (size_t i = 0; i < length;) {
        int32_t c;
        int byte;

        i += fine__utf8_decode(piece + i, length - i, &c, NULL);
        byte = fine__byte_level_byte(c);
        if (byte < 0) {
            out->length = before;
            fine__buf_append(out, piece, length);
            break;
        }
        fine__buf_byte(out, (char)byte);
    }
    return fine__buf_status(out);
}

const struct fine__kind fine__bpe = {
    .type = "BPE",
    .file = FINE__VOCAB_JSON,
    .trims = true,
    .open_json = fine__bpe_open_json,
    .open_files = fine__bpe_open_files,
    .add_special = fine__bpe_add_special,
    .close = close_model,
    .lookup = lookup,
    .normalize = normalize,
    .split = split,
    .decode = decode,
};
