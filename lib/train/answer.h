/*
 * answer.h — questions to windows, logits to answers, answers to scores.
 *
 * A context that is too long is read in windows that overlap; each is an example of its row.
 * The parts of the task `answer`, one file each: answer_windows.c, answer_best.c,
 * answer_score.c; answer.c puts them together.
 */
#ifndef FINE__ANSWER_H
#define FINE__ANSWER_H

#include "train/examples.h"

/* Encodes every row as windows: ids, types, offsets, row_of, pieces (bytes of the context; -1
 * where an id isn't of it), starts and ends unless the dataset needs no labels. */
int fine__answer_windows(struct fine__examples *out, const fine_model *model, const char *what);

/* ---- the best answers of a row ---- */

enum { FINE__N_BEST = 20 };

struct fine__best {
    struct fine__best_place {
        int32_t start, end;         /* bytes of the context */
        double score;               /* the sum of both logits */
    } places[FINE__N_BEST];         /* best first; each place once */
    int n;
    double none;                    /* the lowest of all windows' scores for none */
};

void fine__best_begin(struct fine__best *best);
/* A window's logits, start and end for each of n ids. */
void fine__best_add(struct fine__best *best, const fine__real *logits, const int32_t *pieces,
                    int64_t n, int64_t max_answer);
/* Whether none is the answer; what isn't allowed is so only where nothing was found. */
bool fine__best_is_none(const struct fine__best *best, bool allowed, double threshold);

/* ---- scores, as SQuAD's scripts count them ---- */

struct fine__scorer {
    struct fine__buf said, gold;    /* normalised */
    struct fine__token {
        const char *text;
        size_t length;
    } *said_tokens, *gold_tokens;
    int64_t said_capacity, gold_capacity;
};

void fine__scorer_init(struct fine__scorer *scorer, fine_context *ctx);
void fine__scorer_free(struct fine__scorer *scorer);

/* Lower case; without punctuation, articles and surplus blanks. */
void fine__answer_normalize(struct fine__buf *out, const char *text, size_t length);

struct fine__score {
    double exact, f1;
};
/* What was said, first of all. FINE_ENOMEM. */
int fine__scorer_say(struct fine__scorer *scorer, const char *text, size_t length);
/* Against one true answer. both_empty: F1 of two empty texts, 1 in SQuAD 2, 0 in 1.1.
 * *is_empty (may be NULL): nothing of the true answer is left. FINE_ENOMEM. */
int fine__scorer_against(struct fine__scorer *scorer, const char *text, size_t length,
                         double both_empty, struct fine__score *out, bool *is_empty);

#endif
