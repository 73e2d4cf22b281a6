/* test_suggest.c — what is near, and what is not. */
#include "runner.h"

#include "recipe/suggest.h"

static const char *
nearest(const char *word, const char *const *candidates, int n)
{
    struct fine__suggestion s;

    fine__suggest_begin(&s, word);
    for (int i = 0; i < n; i++)
        fine__suggest_offer(&s, candidates[i], strlen(candidates[i]));
    return s.best;
}

START_TEST(finds_the_nearest)
{
    const char *const words[] = { "learning_rate", "weight_decay", "decay", "betas", "type" };
    static const struct { const char *word, *meant; } cases[] = {
        { "learning_rte", "learning_rate" },    { "learnign_rate", "learning_rate" },
        { "Learning-Rate", "learning_rate" },   { "weightdecay", "weight_decay" },
        { "deacy", "decay" },                   { "tpye", "type" },
        { "beta", "betas" },                    { "momentum", NULL },
        { "x", NULL },                          { "", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_pstr_eq(nearest(cases[i].word, words, 5), cases[i].meant);
}
END_TEST

START_TEST(ignores_what_is_long)
{
    char word[1001];
    const char *const words[] = { "a" };

    memset(word, 'a', 1000);
    word[1000] = '\0';
    ck_assert_ptr_null(nearest(word, words, 1));
}
END_TEST

RUNNER("suggest", finds_the_nearest, ignores_what_is_long)
