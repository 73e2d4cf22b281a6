/*
 * answers.c — answers of a question, each where it stands in the context.
 *
 * Files count in characters, the rows here in bytes. An index of every STEP-th character
 * makes each look-up short, however many answers a long context has.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/squad.h"

enum { STEP = 256, MOST_TOLD = 100, MOST_FOUND = 1000 };

/* ---- findings ---- */

void
fine__squad_complain(struct fine__squad *s, const char *format, ...)
{
    char why[400], id[120];
    va_list arguments;

    s->is_bad = true;
    va_start(arguments, format);
    if (vsnprintf(why, sizeof why, format, arguments) < 0)
        why[0] = '\0';
    va_end(arguments);
    if (s->t == NULL) {
        fine__fail(FINE_EDATA, "memory: row %lld: %s", (long long)s->number, why);
        return;
    }
    if (s->id != NULL)
        fine__escape(id, sizeof id, s->id, strlen(s->id));
    if (s->line > 0)
        fine__table_bad_row(s->t, s->line, "%s", why);
    else if (s->id != NULL)
        fine__table_bad_row(s->t, 0, "question %lld ('%s'): %s", (long long)s->number, id, why);
    else
        fine__table_bad_row(s->t, 0, "question %lld: %s", (long long)s->number, why);
}

/* Whether a finding will be read by anyone, so that a remedy is worth a search. */
static bool
is_told(const struct fine__squad *s)
{
    return s->t == NULL || (!s->t->skip_bad && s->t->n_findings < MOST_TOLD);
}

/* ---- characters to bytes ---- */

int
fine__passage_open(struct fine__passage *c, const char *text, size_t length, fine_context *ctx,
                   int32_t **places, int64_t *capacity)
{
    *c = (struct fine__passage){ .text = text,
                                 .length = length,
                                 .n_chars = fine__utf8_count(text, length) };
    if ((size_t)c->n_chars == length)
        return 0;
    FINE__TRY(fine__grow(ctx, places, capacity, c->n_chars / STEP + 1, sizeof **places));
    for (size_t i = 0, n = 0; i < length; n++) {
        if (n % STEP == 0)
            (*places)[n / STEP] = (int32_t)i;
        i += fine__utf8_decode(text + i, length - i, &(int32_t){ 0 }, NULL);
    }
    c->places = *places;
    return 0;
}

/* The byte that a character begins at; -1: the context ends before. */
static int64_t
byte_of(const struct fine__passage *c, int64_t character)
{
    size_t at;

    if (character < 0 || character > c->n_chars)
        return -1;
    if (c->places == NULL)
        return character;
    if (character == c->n_chars)
        return (int64_t)c->length;
    at = (size_t)c->places[character / STEP];
    for (int64_t n = character % STEP; n > 0; n--)
        at += fine__utf8_decode(c->text + at, c->length - at, &(int32_t){ 0 }, NULL);
    return (int64_t)at;
}

/* The place, in characters, nearest to `near` where the context has the text; -1: nowhere. */
static int64_t
find_nearest(const struct fine__passage *c, const char *text, int64_t near)
{
    int64_t best = -1, characters = 0;
    const char *from = c->text;
    int n_found = 0;

    near = near < 0 ? 0 : near > c->n_chars ? c->n_chars : near;
    for (const char *at = from; n_found++ < MOST_FOUND && (at = strstr(at, text)) != NULL; at++) {
        characters += fine__utf8_count(from, (size_t)(at - from));
        from = at;
        if (best < 0 || (characters > near ? characters - near : near - characters) <
                            (best > near ? best - near : near - best))
            best = characters;
    }
    return best;
}

/* ---- answers ---- */

static bool
is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* Answer i (from 0): its text stands at its place, or something is wrong with the row. */
static int
read_answer(struct fine__squad *s, const struct fine__passage *c,
            const struct fine__json *text_value, const struct fine__json *start_value, int64_t i,
            struct fine__row *row)
{
    const long long number = (long long)i + 1;
    size_t length;
    const char *text = fine__json_string(text_value, &length);
    const int64_t start = fine__json_int(start_value, -1), at = byte_of(c, start);

    if (text == NULL) {
        fine__squad_complain(s, "answer %lld has no 'text'", number);
    } else if (is_blank(text)) {
        fine__squad_complain(
            s, "answer %lld is blank; a question without an answer has an empty list", number);
    } else if (fine__json_type(start_value) != FINE__JSON_INTEGER) {
        fine__squad_complain(
            s,
            "answer %lld has no 'answer_start', the character of the context that it "
            "begins with",
            number);
    } else if (at < 0 || c->length - (size_t)at < length ||
               memcmp(c->text + at, text, length) != 0) {
        const int64_t is_at = is_told(s) ? find_nearest(c, text, start) : -1;

        if (is_at >= 0)
            fine__squad_complain(
                s, "answer %lld isn't at character %lld of the context; it stands at %lld", number,
                (long long)start, (long long)is_at);
        else
            fine__squad_complain(
                s, "answer %lld isn't at character %lld of the context, nor anywhere in it", number,
                (long long)start);
    } else if (!s->is_bad) {
        return fine__dataset_mark(
            s->set, row, (struct fine__mark){ (int32_t)at, (int32_t)(at + (int64_t)length), -1 });
    }
    return 0;
}

int
fine__squad_answers(struct fine__squad *s, const struct fine__passage *c,
                    const struct fine__json *answers, struct fine__row *row)
{
    const struct fine__json *texts = fine__json_get(answers, "text");
    const struct fine__json *starts = fine__json_get(answers, "answer_start");
    const bool is_list = fine__json_type(answers) == FINE__JSON_ARRAY;
    const int64_t n = fine__json_count(is_list ? answers : texts);

    if (!is_list &&
        (fine__json_type(texts) != FINE__JSON_ARRAY ||
         fine__json_type(starts) != FINE__JSON_ARRAY || n != fine__json_count(starts))) {
        fine__squad_complain(
            s, "'answers' must be a list of {\"text\", \"answer_start\"}, or an object with "
               "two lists of one length by these names");
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        const struct fine__json *one = fine__json_at(answers, i);

        FINE__TRY(read_answer(
            s, c, is_list ? fine__json_get(one, "text") : fine__json_at(texts, i),
            is_list ? fine__json_get(one, "answer_start") : fine__json_at(starts, i), i, row));
    }
    return 0;
}

/* ---- from memory ---- */

int
fine__squad_label(fine_dataset *d, const char *context, const char *label, struct fine__row *row)
{
    struct fine__squad s = { .set = d, .number = d->n_rows + 1 };
    const int64_t n_marks = d->n_marks;
    struct fine__json *answers = NULL;
    int32_t *places = NULL;
    int64_t capacity = 0;
    struct fine__passage c;
    int rc;

    if (context == NULL || context[0] == '\0') {
        fine__squad_complain(&s, "its context is %s; give it as the pair",
                             context == NULL ? "missing" : "empty");
        return FINE_EDATA;
    }
    if (label == NULL) {
        if (!d->require_label)
            return 0;
        fine__squad_complain(&s, "the answers are missing; give them as the label, [] for none");
        return FINE_EDATA;
    }
    rc = fine__json_parse(&answers, d->ctx, label, strlen(label), "answers");
    if (rc == FINE_EFORMAT) {
        fine__squad_complain(&s, "the label is not JSON; an answer is written as [{\"text\": …, "
                                 "\"answer_start\": …}]");
        return FINE_EDATA;
    }
    if (rc == 0)
        rc = fine__passage_open(&c, context, strlen(context), d->ctx, &places, &capacity);
    if (rc == 0)
        rc = fine__squad_answers(&s, &c, answers, row);
    if (rc == 0 && s.is_bad)
        rc = FINE_EDATA;
    if (rc < 0)
        d->n_marks = n_marks;
    fine__json_free(answers);
    fine__free(d->ctx, places);
    return rc;
}
