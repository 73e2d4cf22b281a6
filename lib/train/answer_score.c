/*
 * answer_score.c — exact match and F1 of answers, as SQuAD's evaluation scripts count them.
 *
 * Texts are compared by what is left of them: lower case, no ASCII punctuation, no articles,
 * single blanks. F1 is that of the two bags of words.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "train/answer.h"

void
fine__scorer_init(struct fine__scorer *scorer, fine_context *ctx)
{
    *scorer = (struct fine__scorer){ .said_capacity = 0 };
    fine__buf_init(&scorer->said, ctx);
    fine__buf_init(&scorer->gold, ctx);
}

void
fine__scorer_free(struct fine__scorer *scorer)
{
    fine__free(scorer->said.ctx, scorer->said_tokens);
    fine__free(scorer->said.ctx, scorer->gold_tokens);
    fine__buf_free(&scorer->said);
    fine__buf_free(&scorer->gold);
}

/* ---- normalising ---- */

static bool
is_punctuation(int32_t c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

/* The separators of ASCII are blanks to Python, whose scripts these are. */
static bool
is_blank(int32_t c)
{
    return fine__utf8_is_white_space(c) || (c >= 0x1c && c <= 0x1f);
}

static bool
is_of_word(int32_t c)
{
    const enum fine__category category = fine__utf8_category(c);

    return category == FINE__LETTER || category == FINE__NUMBER;
}

static bool
is_article(const char *text, size_t length)
{
    return (length == 1 && text[0] == 'a') || (length == 2 && memcmp(text, "an", 2) == 0) ||
           (length == 3 && memcmp(text, "the", 3) == 0);
}

static void
put_blank(struct fine__buf *out)
{
    if (out->length > 0 && out->data[out->length - 1] != ' ')
        fine__buf_byte(out, ' ');
}

/* A run of letters and digits that began at *run ends: an article becomes a blank. */
static void
end_run(struct fine__buf *out, size_t *run)
{
    if (!out->failed && *run < out->length &&
        is_article(out->data + *run, out->length - *run)) {
        out->length = *run;
        put_blank(out);
    }
    *run = SIZE_MAX;
}

void
fine__answer_normalize(struct fine__buf *out, const char *text, size_t length)
{
    size_t run = SIZE_MAX;      /* where in out a run begins; none */

    fine__buf_clear(out);
    fine__buf_text(out, "");    /* so that there is a text even of nothing */
    for (size_t i = 0; i < length;) {
        int32_t c, lower[3];
        int n;

        i += fine__utf8_decode(text + i, length - i, &c, NULL);
        n = fine__utf8_lower(c, lower);
        for (int k = 0; k < n; k++) {
            char bytes[4];

            if (is_punctuation(lower[k]))
                continue;
            if (!is_of_word(lower[k]))
                end_run(out, &run);
            else if (run == SIZE_MAX)
                run = out->length;
            if (is_blank(lower[k]))
                put_blank(out);
            else
                fine__buf_append(out, bytes, fine__utf8_encode(lower[k], bytes));
        }
    }
    end_run(out, &run);
    if (!out->failed && out->length > 0 && out->data[out->length - 1] == ' ')
        out->length--;
}

/* ---- comparing ---- */

static int
by_bytes(const void *a, const void *b)
{
    const struct fine__token *x = a, *y = b;
    const size_t shorter = x->length < y->length ? x->length : y->length;
    const int order = memcmp(x->text, y->text, shorter);

    return order != 0 ? order : x->length < y->length ? -1 : x->length > y->length;
}

/* The words of a normalised text, sorted; how many, or FINE_ENOMEM. */
static int64_t
split(const struct fine__buf *text, struct fine__token **tokens, int64_t *capacity)
{
    int64_t n = 0;

    FINE__TRY(fine__buf_status(text));
    for (size_t at = 0; at < text->length;) {
        const char *start = text->data + at, *end = memchr(start, ' ', text->length - at);
        const size_t length = end != NULL ? (size_t)(end - start) : text->length - at;

        FINE__TRY(fine__grow(text->ctx, tokens, capacity, n + 1, sizeof **tokens));
        (*tokens)[n++] = (struct fine__token){ start, length };
        at += length + 1;
    }
    if (n > 1)
        qsort(*tokens, (size_t)n, sizeof **tokens, by_bytes);
    return n;
}

int
fine__scorer_say(struct fine__scorer *scorer, const char *text, size_t length)
{
    fine__answer_normalize(&scorer->said, text, length);
    return fine__buf_status(&scorer->said);
}

int
fine__scorer_against(struct fine__scorer *s, const char *text, size_t length, double both_empty,
                     struct fine__score *out, bool *is_empty)
{
    int64_t n_said, n_gold, n_same = 0;

    fine__answer_normalize(&s->gold, text, length);
    n_said = split(&s->said, &s->said_tokens, &s->said_capacity);
    n_gold = split(&s->gold, &s->gold_tokens, &s->gold_capacity);
    if (n_said < 0 || n_gold < 0)
        return FINE_ENOMEM;
    for (int64_t i = 0, k = 0; i < n_said && k < n_gold;) {
        const int order = by_bytes(&s->said_tokens[i], &s->gold_tokens[k]);

        n_same += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    out->exact = s->said.length == s->gold.length &&
                 memcmp(s->said.data, s->gold.data, s->said.length) == 0;
    if (n_said == 0 && n_gold == 0) {
        out->f1 = both_empty;
    } else if (n_same == 0) {
        out->f1 = 0;
    } else {
        const double precision = (double)n_same / (double)n_said;
        const double recall = (double)n_same / (double)n_gold;

        out->f1 = 2 * precision * recall / (precision + recall);
    }
    if (is_empty != NULL)
        *is_empty = n_gold == 0;
    return FINE_OK;
}
