/*
 * suggest.c — how far a word is from those that are known.
 *
 * Optimal string alignment: insertions, deletions, substitutions and swaps of
 * neighbours cost one each; case, '-' and '_' cost nothing. A word is near when it is
 * within a third of its length. (Damerau 1964, doi 10.1145/363958.363994.)
 */
#include <string.h>

#include "recipe/suggest.h"

#define LONGEST 48

static char
fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

static int
least(int a, int b)
{
    return a < b ? a : b;
}

static int
distance(const char *a, size_t n, const char *b, size_t m)
{
    int rows[3][LONGEST + 1];

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];

        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int change = fold(a[i - 1]) != fold(b[j - 1]);

            now[j] = least(before[j - 1] + change, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void
fine__suggest_begin(struct fine__suggestion *suggestion, const char *word)
{
    size_t length = strlen(word);

    *suggestion = (struct fine__suggestion){
        .word = word, .length = length,
        .distance = length < 3 ? 2 : (int)(length + 2) / 3 + 1,
    };
}

void
fine__suggest_offer(struct fine__suggestion *suggestion, const char *candidate, size_t length)
{
    int d;

    if (length > LONGEST || suggestion->length > LONGEST || suggestion->length == 0)
        return;
    d = distance(suggestion->word, suggestion->length, candidate, length);
    if (d < suggestion->distance && (size_t)d < length) {
        suggestion->distance = d;
        suggestion->best = candidate;
        suggestion->best_length = length;
    }
}
