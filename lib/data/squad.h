/*
 * squad.h — what squad.c and answers.c share: the question at hand, and what is wrong with it.
 */
#ifndef FINE__SQUAD_H
#define FINE__SQUAD_H

#include "base/json.h"
#include "data/table.h"

enum { FINE__MEMO = 8 };

/* Where an answer is looked for. */
struct fine__passage {
    const char *text;
    size_t length;
    int64_t n_chars;
    const int32_t *places;          /* bytes of some characters; NULL: all are of one byte */
};

/* A text of the file, and where it was put. */
struct fine__kept {
    const struct fine__json *value;
    int64_t at;
    int32_t length;
};

struct fine__squad {
    struct fine__table *t;          /* NULL: a row from memory */
    fine_dataset *set;
    int64_t line, number;           /* of the question; line 0: in SQuAD's one object */
    const char *id;                 /* NULL: none */
    bool is_bad;
    int64_t n_with[FINE__ROLES];    /* questions that have a value in that role */
    struct fine__kept memo[FINE__MEMO];     /* used last comes first */
};

/* Says what is wrong with the question, and marks it. */
void fine__squad_complain(struct fine__squad *s, const char *format, ...) FINE__PRINTF(2, 3);

/* *places grows to hold the index of texts that aren't ASCII. FINE_ENOMEM. */
int fine__passage_open(struct fine__passage *p, const char *text, size_t length, fine_context *ctx,
                       int32_t **places, int64_t *capacity);

/* [{"text", "answer_start"}, …], or {"text": […], "answer_start": […]}: marks for the row, or
 * complaints. FINE_ENOMEM. */
int fine__squad_answers(struct fine__squad *s, const struct fine__passage *p,
                        const struct fine__json *answers, struct fine__row *row);

#endif
