/*
 * answer_best.c — the likeliest answers of a row, over all its windows.
 *
 * As transformers' run_qa finds them: in each window the twenty highest starts and ends, every
 * pair of them that lies in the context, in order and not too long; then the twenty best of
 * all. Only here a place counts once, with its best score, however many windows show it. For
 * none speaks the first id of a window, and the window that says so least: one that holds no
 * answer is rightly sure of it.
 */
#include <math.h>
#include <string.h>

#include "train/answer.h"

void
fine__best_begin(struct fine__best *best)
{
    best->n = 0;
    best->none = HUGE_VAL;
}

/* The highest of n numbers that lie two apart, the first of equal ones first. */
static int
pick_highest(const fine__real *logits, int64_t n, int32_t out[FINE__N_BEST])
{
    int n_out = 0;

    for (int64_t i = 0; i < n; i++) {
        int at = n_out < FINE__N_BEST ? n_out++ : FINE__N_BEST;

        if (at == FINE__N_BEST) {
            if (!(logits[2 * i] > logits[2 * out[FINE__N_BEST - 1]]))
                continue;
            at--;
        }
        for (; at > 0 && logits[2 * i] > logits[2 * out[at - 1]]; at--)
            out[at] = out[at - 1];
        out[at] = (int32_t)i;
    }
    return n_out;
}

static void
insert(struct fine__best *best, struct fine__best_place place)
{
    int at = 0;

    while (at < best->n && (best->places[at].start != place.start ||
                            best->places[at].end != place.end))
        at++;
    if (at < best->n) {
        if (!(place.score > best->places[at].score))
            return;
    } else if (best->n < FINE__N_BEST) {
        best->n++;
    } else {
        at = FINE__N_BEST - 1;
        if (!(place.score > best->places[at].score))
            return;
    }
    for (; at > 0 && place.score > best->places[at - 1].score; at--)
        best->places[at] = best->places[at - 1];
    best->places[at] = place;
}

void
fine__best_add(struct fine__best *best, const fine__real *logits, const int32_t *pieces,
               int64_t n, int64_t max_answer)
{
    int32_t starts[FINE__N_BEST], ends[FINE__N_BEST];
    const int n_starts = pick_highest(logits, n, starts);
    const int n_ends = pick_highest(logits + 1, n, ends);
    const double none = (double)logits[0] + (double)logits[1];

    best->none = none < best->none ? none : best->none;
    for (int i = 0; i < n_starts; i++)
        for (int k = 0; k < n_ends; k++) {
            const int32_t start = starts[i], end = ends[k];

            if (end < start || end - start + 1 > max_answer || pieces[2 * start] < 0 ||
                pieces[2 * end] < 0 || pieces[2 * end + 1] <= pieces[2 * start])
                continue;
            insert(best, (struct fine__best_place){
                             pieces[2 * start], pieces[2 * end + 1],
                             (double)logits[2 * start] + (double)logits[2 * end + 1] });
        }
}

bool
fine__best_is_none(const struct fine__best *best, bool allowed, double threshold)
{
    return best->n == 0 || (allowed && best->none - best->places[0].score > threshold);
}
