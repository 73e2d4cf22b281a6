/* suggest.h — "did you mean …?": the nearest of some words, if it is near. */
#ifndef FINE__SUGGEST_H
#define FINE__SUGGEST_H

#include <stddef.h>

struct fine__suggestion {
    const char *word;
    size_t length;
    const char *best;           /* as offered, not copied; NULL: none is near */
    size_t best_length;
    int distance;
};

void fine__suggest_begin(struct fine__suggestion *suggestion, const char *word);
void fine__suggest_offer(struct fine__suggestion *suggestion, const char *candidate,
                         size_t length);

#endif
