#include "runner.h"

#include "text/bert_chars.h"
#include "text/bert_text.h"

enum { CLEAN = 1, CHINESE = 2, STRIP = 4, LOWER = 8, ALL = 15 };

static struct fine__bert_text
options(int flags)
{
    struct fine__bert_text bert = { .normalize = true, .split = true };

    bert.clean_text = flags & CLEAN;
    bert.chinese = flags & CHINESE;
    bert.strip_accents = flags & STRIP;
    bert.lowercase = flags & LOWER;
    fine__bert_text_prepare(&bert);
    return bert;
}

/* The words of a text, joined by '|'. */
static const char *
words(int flags, const char *text)
{
    static char joined[1024];
    const struct fine__bert_text bert = options(flags);
    fine_context *ctx = new_context(1);
    struct fine__scratch *s = fine__scratch_new(ctx);
    size_t at = 0, word, end, n = 0;

    fine__scratch_begin(s, text, strlen(text));
    ck_assert_int_eq(fine__bert_normalize(&bert, s, 0, strlen(text)), 0);
    joined[0] = '\0';
    while (fine__bert_next_word(&bert, s->norm, (size_t)s->n_norm, &at, &word, &end))
        n += (size_t)snprintf(joined + n, sizeof joined - n, "%s%.*s", n > 0 ? "|" : "",
                              (int)(end - word), s->norm + word);
    fine__scratch_free(s);
    free_context(ctx);
    return joined;
}

/* The normalized text, with where each byte came from behind it. */
static const char *
normalized(int flags, const char *text, size_t length)
{
    static char out[1024];
    const struct fine__bert_text bert = options(flags);
    fine_context *ctx = new_context(1);
    struct fine__scratch *s = fine__scratch_new(ctx);
    size_t n;

    fine__scratch_begin(s, text, length);
    ck_assert_int_eq(fine__bert_normalize(&bert, s, 0, length), 0);
    n = (size_t)snprintf(out, sizeof out, "%.*s:", (int)s->n_norm, s->norm);
    for (int64_t i = 0; i < s->n_norm; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, " %u", s->plain ? (unsigned)i : s->from[i]);
    fine__scratch_free(s);
    free_context(ctx);
    return out;
}

/* What the tests of transformers expect of the basic tokenizer. */
START_TEST(words_of_texts)
{
    ck_assert_str_eq(words(CLEAN | CHINESE, "ah\u535a\u63a8zz"), "ah|\u535a|\u63a8|zz");
    ck_assert_str_eq(words(ALL, " \tHeLLo!how  \n Are yoU?  "), "hello|!|how|are|you|?");
    ck_assert_str_eq(words(ALL, "H\u00e9llo"), "hello");
    ck_assert_str_eq(words(ALL & ~STRIP, " \tH\u00e4LLo!how  \n Are yoU?  "),
                     "h\u00e4llo|!|how|are|you|?");
    ck_assert_str_eq(words(ALL & ~LOWER, " \tH\u00e4LLo!how  \n Are yoU?  "),
                     "HaLLo|!|how|Are|yoU|?");
    ck_assert_str_eq(words(CLEAN | CHINESE, " \tHeLLo!how  \n Are yoU?  "),
                     "HeLLo|!|how|Are|yoU|?");
    ck_assert_str_eq(words(ALL, "a\n'll !!to?'d of, can't."), "a|'|ll|!|!|to|?|'|d|of|,|can|'|t|.");
    ck_assert_str_eq(words(ALL, "\u200e\u200f"), "");
    ck_assert_str_eq(words(ALL, ""), "");
    ck_assert_str_eq(words(ALL, "\u00ab\u2026\u3002a\u00a0b\u3000"), "\u00ab|\u2026|\u3002|a|b");
}
END_TEST

START_TEST(steps_one_by_one)
{
    ck_assert_str_eq(normalized(0, "A\tb", 3), "A\tb: 0 1 2");
    ck_assert_str_eq(normalized(LOWER, "AbZ[", 4), "abz[: 0 1 2 3");
    ck_assert_str_eq(normalized(CLEAN,
                                "a\tb\x01\x7f"
                                "c",
                                6),
                     "a bc: 0 1 2 5");
    ck_assert_str_eq(normalized(CLEAN, "a\0b\xff", 4), "ab: 0 2");
    ck_assert_str_eq(normalized(CLEAN, "\xc2\x85\x0b\x0c\u2028", 7), " : 4");
    ck_assert_str_eq(normalized(0, "\xe4\xbd", 2), "\ufffd: 0 0 0"); /* a broken character */
    ck_assert_str_eq(normalized(CHINESE, "a\u6211", 4), "a \u6211 : 0 1 1 1 1 1");
    ck_assert_str_eq(normalized(STRIP, "\u00e9e\u0301", 5), "ee: 0 2");
    ck_assert_str_eq(normalized(LOWER, "\u0130", 2), "i\u0307: 0 0 0");
    ck_assert_str_eq(normalized(LOWER | STRIP, "\u0130", 2), "i: 0");
    ck_assert_str_eq(normalized(LOWER, "\u03a3\u1c89\ua7dc", 8),
                     "\u03c3\u1c8a\u019b: 0 0 2 2 2 5 5");
    ck_assert_str_eq(normalized(STRIP, "\ud55c", 3), "\u1112\u1161\u11ab: 0 0 0 0 0 0 0 0 0");
}
END_TEST

/* U+302E and U+1D16D have combining classes but aren't nonspacing: they stay. */
START_TEST(marks_change_places)
{
    /* Class 226 before 224: the two swap, and each takes the other's place. */
    ck_assert_str_eq(normalized(STRIP, "a\U0001d16d\u302e", 8),
                     "a\u302e\U0001d16d: 0 1 1 1 5 5 5 5");
    /* What isn't Mn yet in Unicode 8 doesn't move: U+1ABF (2020) has class 220. */
    ck_assert_str_eq(normalized(STRIP, "a\u302e\u1abf", 7), "a\u302e\u1abf: 0 1 1 1 4 4 4");
    ck_assert_str_eq(normalized(STRIP, "\u0344\u0327", 4), ":");
}
END_TEST

/* Sorting the marks must not be quadratic. */
START_TEST(a_text_of_marks)
{
    enum { PAIRS = 100000 };
    static char text[1 + 7 * PAIRS];
    const struct fine__bert_text bert = options(ALL);
    fine_context *ctx = new_context(1);
    struct fine__scratch *s = fine__scratch_new(ctx);

    text[0] = 'a';
    for (size_t i = 0; i < 2 * PAIRS; i++)
        memcpy(text + 1 + 2 * i, i % 2 == 0 ? "\u0301" : "\u0323", 2);
    fine__scratch_begin(s, text, 1 + 4 * PAIRS);
    ck_assert_int_eq(fine__bert_normalize(&bert, s, 0, s->length), 0);
    ck_assert_int_eq(s->n_norm, 1);
    for (size_t i = 0; i < PAIRS; i++)
        memcpy(text + 1 + 7 * i, "\U0001d16d\u302e", 7);
    fine__scratch_begin(s, text, sizeof text);
    ck_assert_int_eq(fine__bert_normalize(&bert, s, 0, s->length), 0);
    ck_assert_int_eq(s->n_norm, sizeof text);
    ck_assert_int_eq(memcmp(s->norm + 1, "\u302e\u302e", 6), 0);
    ck_assert_int_eq(memcmp(s->norm + sizeof text - 8, "\U0001d16d\U0001d16d", 8), 0);
    for (size_t i = 1; i < sizeof text; i++) /* the places go forward whatever stands there */
        ck_assert_uint_ge(s->from[i], s->from[i - 1]);
    fine__scratch_free(s);
    free_context(ctx);
}
END_TEST

START_TEST(kinds_of_characters)
{
    static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    int n[5] = { 0 };

    for (int32_t c = 0; c < 0x110000; c++)
        n[fine__bert_kind(c)]++;
    /* Counted with the tokenizers library, every character on its own; the kinds are
     * right where the counts are, but for a swap. */
    ck_assert_int_eq(n[FINE__BERT_CONTROL], 137679);
    ck_assert_int_eq(n[FINE__BERT_MARK], 1567);
    ck_assert_int_eq(n[FINE__BERT_PUNCTUATION], 726);
    ck_assert_int_eq(n[FINE__BERT_MOVABLE], 83);
    for (int32_t c = 1; c < 0x80; c++)
        ck_assert_int_eq(fine__bert_kind(c) == FINE__BERT_PUNCTUATION,
                         strchr(punctuation, c) != NULL);
    ck_assert_int_eq(fine__bert_kind(0x0), FINE__BERT_OTHER);
    ck_assert_int_eq(fine__bert_kind(0x5), FINE__BERT_CONTROL);
    ck_assert_int_eq(fine__bert_kind(0x9), FINE__BERT_OTHER);
    ck_assert_int_eq(fine__bert_kind(0x378), FINE__BERT_OTHER);      /* unassigned */
    ck_assert_int_eq(fine__bert_kind(0x10fffd), FINE__BERT_CONTROL); /* private */
    ck_assert_int_eq(fine__bert_kind(0x110000), FINE__BERT_OTHER);
    ck_assert(fine__bert_is_chinese(0x4e00) && fine__bert_is_chinese(0x2ceaf));
    ck_assert(!fine__bert_is_chinese(0x3042) && !fine__bert_is_chinese(0xac00));
    ck_assert(!fine__bert_is_chinese(0x2b820) && !fine__bert_is_chinese(0x30000));
}
END_TEST

RUNNER("bert_text", words_of_texts, steps_one_by_one, marks_change_places, a_text_of_marks,
       kinds_of_characters)
