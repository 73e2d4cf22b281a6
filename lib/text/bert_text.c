/*
 * bert_text.c — BertNormalizer and BertPreTokenizer.
 *
 * The normalizer's four steps (clean, set Chinese characters apart, NFD without
 * nonspacing marks, lower case) run in one pass, character by character; only
 * characters with a combining class wait, until the next one without shows what order
 * they go in. A part that is plain ASCII never leaves the first loop. Each byte put out
 * remembers the character it came from, by the rules of the tokenizers library: a
 * character that decomposition added belongs to the one before it.
 */
#include <string.h>

#include "base/alloc.h"
#include "text/bert_chars.h"
#include "text/bert_text.h"

enum { SPACE = ' ', REPLACEMENT = 0xfffd, FEW = 24 };

void
fine__bert_text_prepare(struct fine__bert_text *bert)
{
    memset(bert->ascii, 0, sizeof bert->ascii);
    for (int c = 1; c < 0x80; c++) {
        if (bert->normalize && bert->clean_text && fine__bert_kind(c) == FINE__BERT_CONTROL)
            continue;
        if (bert->normalize && bert->clean_text && fine__utf8_is_white_space(c))
            bert->ascii[c] = SPACE;
        else if (bert->normalize && bert->lowercase && c >= 'A' && c <= 'Z')
            bert->ascii[c] = (char)(c - 'A' + 'a');
        else
            bert->ascii[c] = (char)c;
    }
}

static int
put(const struct fine__bert_text *bert, struct fine__scratch *s, int32_t c, uint32_t from)
{
    int32_t lower[3];
    int n;

    if (bert->strip_accents && c >= 0x300 && fine__bert_kind(c) == FINE__BERT_MARK)
        return 0;
    if (!bert->lowercase)
        return fine__scratch_put(s, c, from);
    n = fine__bert_lower(c, lower);
    for (int i = 0; i < n; i++)
        FINE__TRY(fine__scratch_put(s, lower[i], from));
    return 0;
}

/* Sorts the waiting marks by their class, keeping the order within a class. */
static int
sort_marks(struct fine__scratch *s)
{
    int64_t starts[257] = { 0 };
    struct fine__mark *swap;
    int64_t capacity;

    if (s->n_marks <= FEW) {
        for (int64_t i = 1; i < s->n_marks; i++) {
            const struct fine__mark mark = s->marks[i];
            int64_t k = i;

            for (; k > 0 && s->marks[k - 1].class > mark.class; k--)
                s->marks[k] = s->marks[k - 1];
            s->marks[k] = mark;
        }
        return 0;
    }
    FINE__TRY(fine__grow(s->ctx, &s->sorted, &s->sorted_capacity, s->n_marks, sizeof *s->sorted));
    for (int64_t i = 0; i < s->n_marks; i++)
        starts[s->marks[i].class + 1]++;
    for (int i = 0; i < 256; i++)
        starts[i + 1] += starts[i];
    for (int64_t i = 0; i < s->n_marks; i++)
        s->sorted[starts[s->marks[i].class]++] = s->marks[i];
    swap = s->marks;
    s->marks = s->sorted;
    s->sorted = swap;
    capacity = s->marks_capacity;
    s->marks_capacity = s->sorted_capacity;
    s->sorted_capacity = capacity;
    return 0;
}

/* Puts the waiting marks out. Those that begin a character take the places of the
 * characters in turn, whatever order they are in now; the others stay with the last. */
static int
flush(const struct fine__bert_text *bert, struct fine__scratch *s)
{
    int64_t next = 0, n_sources = 0;

    if (s->n_marks == 0)
        return 0;
    if (s->n_marks > 1) {
        FINE__TRY(fine__grow(s->ctx, &s->sources, &s->sources_capacity, s->n_marks,
                             sizeof *s->sources));
        for (int64_t i = 0; i < s->n_marks; i++)
            if (s->marks[i].fresh)
                s->sources[n_sources++] = s->marks[i].from;
        FINE__TRY(sort_marks(s));
    }
    for (int64_t i = 0; i < s->n_marks; i++) {
        const struct fine__mark *mark = &s->marks[i];

        if (mark->fresh)
            s->last = n_sources > 0 ? s->sources[next++] : mark->from;
        FINE__TRY(put(bert, s, mark->c, s->last));
    }
    s->n_marks = 0;
    return 0;
}

static int
wait_for_place(struct fine__scratch *s, int32_t c, uint32_t from, bool fresh, int class)
{
    if (s->n_marks == s->marks_capacity)
        FINE__TRY(fine__grow(s->ctx, &s->marks, &s->marks_capacity, s->n_marks + 1,
                             sizeof *s->marks));
    s->marks[s->n_marks++] = (struct fine__mark){ c, from, (uint8_t)class, fresh };
    return 0;
}

/* After cleaning: NFD, and what comes behind it. */
static int
decompose(const struct fine__bert_text *bert, struct fine__scratch *s, int32_t c, uint32_t from)
{
    int32_t parts[18];
    int n;

    if (!bert->strip_accents)
        return put(bert, s, c, from);
    n = fine__bert_decompose(c, parts);
    for (int i = 0; i < n; i++) {
        const enum fine__bert_kind kind =
            parts[i] < 0x300 ? FINE__BERT_OTHER : fine__bert_kind(parts[i]);
        const int class = kind == FINE__BERT_MARK || kind == FINE__BERT_MOVABLE
            ? fine__utf8_combining_class(parts[i])
            : 0;

        if (class != 0) {
            FINE__TRY(wait_for_place(s, parts[i], from, i == 0, class));
            continue;
        }
        FINE__TRY(flush(bert, s));
        s->last = from;
        FINE__TRY(put(bert, s, parts[i], from));
    }
    return 0;
}

static int
character(const struct fine__bert_text *bert, struct fine__scratch *s, int32_t c, uint32_t from)
{
    if (bert->clean_text) {
        if (c == 0 || c == REPLACEMENT || fine__bert_kind(c) == FINE__BERT_CONTROL)
            return 0;
        if (fine__utf8_is_white_space(c))
            c = SPACE;
    }
    if (!bert->chinese || !fine__bert_is_chinese(c))
        return decompose(bert, s, c, from);
    FINE__TRY(decompose(bert, s, SPACE, from));
    FINE__TRY(decompose(bert, s, c, from));
    return decompose(bert, s, SPACE, from);
}

/* The part as it is; broken bytes become U+FFFD. */
static int
copy(struct fine__scratch *s, size_t start, size_t end)
{
    for (size_t i = start; i < end;) {
        int32_t c;
        const size_t n = fine__utf8_decode(s->text + i, end - i, &c, NULL);

        FINE__TRY(fine__scratch_put(s, c, (uint32_t)i));
        i += n;
    }
    return 0;
}

int
fine__bert_normalize(const struct fine__bert_text *bert, struct fine__scratch *s, size_t start,
                     size_t end)
{
    const unsigned char *text = (const unsigned char *)s->text;
    size_t i = start;
    char *out;

    s->base = start;
    s->n_norm = 0;
    s->n_marks = 0;
    s->last = (uint32_t)start;
    FINE__TRY(fine__scratch_reserve(s, (int64_t)(end - start) + 4));
    out = s->norm;
    for (; i < end && bert->ascii[text[i]] != 0; i++)
        *out++ = bert->ascii[text[i]];
    s->plain = i == end;
    s->n_norm = (int64_t)(i - start);
    if (s->plain)
        return 0;
    for (size_t k = 0; k < i - start; k++)
        s->from[k] = (uint32_t)(start + k);
    if (!bert->normalize)
        return copy(s, i, end);
    while (i < end) {
        int32_t c;

        if (bert->ascii[text[i]] != 0) {
            if (s->n_marks > 0)
                FINE__TRY(flush(bert, s));
            s->last = (uint32_t)i;
            FINE__TRY(fine__scratch_put(s, bert->ascii[text[i]], (uint32_t)i));
            i++;
            continue;
        }
        const size_t n = fine__utf8_decode(s->text + i, end - i, &c, NULL);

        FINE__TRY(character(bert, s, c, (uint32_t)i));
        i += n;
    }
    return flush(bert, s);
}

bool
fine__bert_next_word(const struct fine__bert_text *bert, const char *norm, size_t end, size_t *at,
                     size_t *word, size_t *word_end)
{
    /* 0: of a word, 1: white space, 2: punctuation, 3: not ASCII. */
    static const unsigned char ascii[128] = {
        ['\t'] = 1, ['\n'] = 1, [0x0b] = 1, [0x0c] = 1, ['\r'] = 1, [' '] = 1,
        ['!'] = 2, ['"'] = 2, ['#'] = 2, ['$'] = 2, ['%'] = 2, ['&'] = 2, ['\''] = 2, ['('] = 2,
        [')'] = 2, ['*'] = 2, ['+'] = 2, [','] = 2, ['-'] = 2, ['.'] = 2, ['/'] = 2,
        [':'] = 2, [';'] = 2, ['<'] = 2, ['='] = 2, ['>'] = 2, ['?'] = 2, ['@'] = 2,
        ['['] = 2, ['\\'] = 2, [']'] = 2, ['^'] = 2, ['_'] = 2, ['`'] = 2,
        ['{'] = 2, ['|'] = 2, ['}'] = 2, ['~'] = 2,
    };
    size_t i = *at;

    *word = i;
    if (!bert->split) {
        *at = *word_end = end;
        return i < end;
    }
    while (i < end) {
        const unsigned char byte = (unsigned char)norm[i];
        unsigned what = byte < 0x80 ? ascii[byte] : 3;
        size_t n = 1;

        if (what == 3) {
            int32_t c;

            n = fine__utf8_decode(norm + i, end - i, &c, NULL);
            what = fine__utf8_is_white_space(c)                 ? 1
                : fine__bert_kind(c) == FINE__BERT_PUNCTUATION ? 2
                                                               : 0;
        }
        if (what == 0) {
            i += n;
            continue;
        }
        if (i > *word) {
            *word_end = *at = i;
            return true;
        }
        i += n;
        if (what == 2) {
            *word_end = *at = i;
            return true;
        }
        *word = i;
    }
    *word_end = *at = i;
    return i > *word;
}
