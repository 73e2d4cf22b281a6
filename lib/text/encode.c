/*
 * encode.c — one text, or two, to ids.
 *
 * Both texts become lists of ids with the bytes that they stand for; then the longer
 * list is cut, and the template puts what is left together. Nothing but the result and
 * the scratch is touched, so threads encode with one tokenizer at once.
 */
#include "base/alloc.h"
#include "text/kind.h"

enum { MAX_TEXT = 1 << 30 };   /* normalizing triples a text at most, and positions have 32 bits */

void
fine__tokens_init(struct fine__tokens *tokens, fine_context *ctx)
{
    *tokens = (struct fine__tokens){ .ctx = ctx };
}

void
fine__tokens_free(struct fine__tokens *tokens)
{
    fine__free(tokens->ctx, tokens->ids);
    fine__free(tokens->ctx, tokens->types);
    fine__free(tokens->ctx, tokens->texts);
    fine__free(tokens->ctx, tokens->offsets);
    fine__free(tokens->ctx, tokens->goes_on);
    fine__scratch_free(tokens->scratch);
    fine__tokens_init(tokens, tokens->ctx);
}

void
fine__tokens_shrink(struct fine__tokens *tokens)
{
    fine__scratch_free(tokens->scratch);
    tokens->scratch = NULL;
}

/* White space that an added token took from text[start, end) on either side isn't part of
 * its offset where offsets are trimmed. */
static void
trim_added(const fine_tokenizer *t, struct fine__scratch *s, const char *text, size_t start,
           size_t end)
{
    size_t leading = 0, trailing = 0;
    bool begins = true;

    if (!t->single.trim)
        return;
    for (size_t i = start; i < end;) {
        int32_t c;
        bool white;

        i += fine__utf8_decode(text + i, end - i, &c, NULL);
        white = fine__utf8_is_white_space(c);
        trailing = white ? trailing + 1 : 0;
        begins = begins && white;
        leading += begins;
    }
    fine__scratch_trim(s, leading, trailing, t->single.trim_keeps_prefix);
}

/* A part of the text without added tokens of the plain kind. */
static int
encode_part(const fine_tokenizer *t, struct fine__scratch *s, size_t start, size_t end)
{
    size_t at = 0;

    FINE__TRY(t->kind->normalize(t, s, start, end));
    if (s->n_norm == 0)
        return 0;
    FINE__TRY(fine__added_find(&t->normalized, s, s->norm, 0, (size_t)s->n_norm, &s->inner,
                               &s->n_inner, &s->inner_capacity));
    for (int64_t i = 0; i < s->n_inner; i++) {
        const struct fine__span *span = &s->inner[i];

        if (at < span->start)
            FINE__TRY(t->kind->split(t, s, at, span->start));
        FINE__TRY(fine__scratch_unit(s, t->normalized.tokens[span->token].id, span->start,
                                     span->end));
        trim_added(t, s, s->norm, span->start, span->end);
        at = span->end;
    }
    return at < (size_t)s->n_norm ? t->kind->split(t, s, at, (size_t)s->n_norm) : 0;
}

static int
encode_text(const fine_tokenizer *t, struct fine__scratch *s, const char *text, size_t length)
{
    size_t at = 0;

    fine__scratch_begin(s, text, length);
    FINE__TRY(fine__added_find(&t->plain, s, text, 0, length, &s->outer, &s->n_outer,
                               &s->outer_capacity));
    for (int64_t i = 0; i < s->n_outer; i++) {
        const struct fine__span span = s->outer[i];

        if (at < span.start)
            FINE__TRY(encode_part(t, s, at, span.start));
        FINE__TRY(fine__scratch_unit_at(s, t->plain.tokens[span.token].id, span.start, span.end));
        trim_added(t, s, text, span.start, span.end);
        at = span.end;
    }
    return at < length ? encode_part(t, s, at, length) : 0;
}

/* How many ids of each text stay, of at most `room`: the tokenizers library's rule, which
 * gives the odd one to the text that was longer, the second where neither was. */
static void
longest_first(int64_t n[2], int64_t room)
{
    const bool first_is_longer = n[0] > n[1];
    int64_t shorter = n[first_is_longer], longer = n[!first_is_longer];

    if (n[0] + n[1] <= room)
        return;
    if (shorter > room)
        longer = shorter;
    else
        longer = shorter > room - shorter ? shorter : room - shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = room - shorter;
    }
    n[first_is_longer] = shorter;
    n[!first_is_longer] = longer;
}

/* Where in the text the last offset stood, in bytes and in code points, and the one before
 * it: an offset that was trimmed may lie behind the next one. */
struct cursor {
    size_t byte, byte_before;
    int64_t character, character_before;
};

static int64_t
advance(struct cursor *cursor, const char *text, size_t length, size_t to)
{
    if (to < cursor->byte && to >= cursor->byte_before) {
        cursor->byte = cursor->byte_before;
        cursor->character = cursor->character_before;
    } else if (to < cursor->byte) {
        *cursor = (struct cursor){ .byte = 0 };
    }
    cursor->byte_before = cursor->byte;
    cursor->character_before = cursor->character;
    while (cursor->byte < to) {
        if ((unsigned char)text[cursor->byte] < 0x80)
            cursor->byte++;
        else
            cursor->byte += fine__utf8_decode(text + cursor->byte, length - cursor->byte,
                                              &(int32_t){ 0 }, NULL);
        cursor->character++;
    }
    return cursor->character;
}

/* The ids of one text, units[first, first + n), to their places in out. */
static void
place(struct fine__tokens *out, const struct fine__unit *units, int64_t first, int64_t n,
      const struct fine__slot *slot, const char *text, size_t length, int offsets_in)
{
    /* Starts and ends each go forward, nearly, but a start may lie before the last end. */
    struct cursor starts = { .byte = 0 }, ends = { .byte = 0 };

    for (int64_t i = first; i < first + n; i++) {
        const int64_t at = out->count++;

        out->ids[at] = units[i].id;
        out->types[at] = slot->type;
        out->texts[at] = slot->text;
        out->goes_on[at] = units[i].goes_on;
        if (offsets_in == FINE_OFFSETS_CHARS) {
            out->offsets[2 * at] = advance(&starts, text, length, units[i].start);
            out->offsets[2 * at + 1] = advance(&ends, text, length, units[i].end);
        } else {
            out->offsets[2 * at] = units[i].start;
            out->offsets[2 * at + 1] = units[i].end;
        }
    }
}

static int
make_room(struct fine__tokens *out, int64_t n)
{
    int64_t capacity = out->capacity;

    if (n <= capacity)
        return 0;
    FINE__TRY(fine__grow(out->ctx, &out->ids, &capacity, n, sizeof *out->ids));
    capacity = out->capacity;
    FINE__TRY(fine__grow(out->ctx, &out->types, &capacity, n, sizeof *out->types));
    capacity = out->capacity;
    FINE__TRY(fine__grow(out->ctx, &out->texts, &capacity, n, sizeof *out->texts));
    capacity = out->capacity;
    FINE__TRY(fine__grow(out->ctx, &out->goes_on, &capacity, n, sizeof *out->goes_on));
    capacity = out->capacity;
    FINE__TRY(fine__grow(out->ctx, &out->offsets, &capacity, n, 2 * sizeof *out->offsets));
    out->capacity = capacity;
    return 0;
}

int
fine__tokenizer_encode(const fine_tokenizer *tokenizer, struct fine__tokens *out, const char *text,
                       size_t length, const char *pair, size_t pair_length, int64_t max_length,
                       int offsets_in, bool add_special)
{
    const struct fine__template *template = pair != NULL ? &tokenizer->pair : &tokenizer->single;
    const char *texts[2] = { text, pair };
    const size_t lengths[2] = { length, pair != NULL ? pair_length : 0 };
    const int64_t n_added = add_special ? template->n_added : 0;
    int64_t n[2] = { 0, 0 }, first[2] = { 0, 0 }, total;
    struct fine__scratch *s;

    if (max_length < 0 || (max_length > 0 && max_length < n_added))
        return fine__fail(FINE_EINVAL, "max_length is %lld, but the special ids alone are %lld; "
                          "give more, or 0 for no limit", (long long)max_length,
                          (long long)n_added);
    if (out->scratch == NULL && (out->scratch = fine__scratch_new(out->ctx)) == NULL)
        return FINE_ENOMEM;
    s = out->scratch;
    s->n_units = 0;
    for (int i = 0; i < 2 && texts[i] != NULL; i++) {
        if (lengths[i] > MAX_TEXT)
            return fine__fail(FINE_EINVAL, "a text of %zu bytes is longer than %d; cut it first",
                              lengths[i], (int)MAX_TEXT);
        first[i] = s->n_units;
        FINE__TRY(encode_text(tokenizer, s, texts[i], lengths[i]));
        n[i] = s->n_units - first[i];
    }
    total = n[0] + n[1];
    if (max_length > 0 && pair != NULL)
        longest_first(n, max_length - n_added);
    else if (max_length > 0 && n[0] > max_length - n_added)
        n[0] = max_length - n_added;
    FINE__TRY(make_room(out, n[0] + n[1] + n_added));
    out->count = 0;
    out->truncated = total - n[0] - n[1];
    for (int i = 0; i < template->count; i++) {
        const struct fine__slot *slot = &template->slots[i];

        if (slot->text >= 0) {
            place(out, s->units, first[slot->text], n[slot->text], slot,
                  texts[slot->text], lengths[slot->text], offsets_in);
        } else if (add_special) {
            out->ids[out->count] = slot->id;
            out->types[out->count] = slot->type;
            out->texts[out->count] = -1;
            out->goes_on[out->count] = false;
            out->offsets[2 * out->count] = out->offsets[2 * out->count + 1] = 0;
            out->count++;
        }
    }
    return 0;
}
