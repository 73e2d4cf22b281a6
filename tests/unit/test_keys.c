/* test_keys.c — the table of keys is sound. */
#include "runner.h"

#include "recipe/keys.h"

START_TEST(every_key_is_found)
{
    for (int i = 0; i < FINE__N_KEYS; i++) {
        struct fine__found found = fine__key_find(fine__keys[i].name);
        const char *dot = strrchr(fine__keys[i].name, '.');
        char section[80];

        ck_assert_int_eq(found.what, FINE__NAME_KEY);
        ck_assert_int_eq(found.key, i);
        ck_assert_ptr_nonnull(dot);
        ck_assert_uint_gt(strlen(fine__keys[i].doc), 5);
        ck_assert_uint_gt(strlen(fine__key_type(&fine__keys[i])), 3);
        memcpy(section, fine__keys[i].name, (size_t)(dot - fine__keys[i].name));
        section[dot - fine__keys[i].name] = '\0';
        ck_assert_int_eq(fine__key_find(section).what, FINE__NAME_SECTION);
    }
}
END_TEST

START_TEST(shorthands_are_keys)
{
    static const char *const names[] = { "model", "task", "train.optimizer", "train.schedule",
                                         "output" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fine__found found = fine__key_find(names[i]);
        char key[80];

        ck_assert_int_eq(found.what, FINE__NAME_SECTION);
        (void)snprintf(key, sizeof key, "%s.%s", names[i], found.section->shorthand);
        ck_assert_int_eq(fine__key_find(key).what, FINE__NAME_KEY);
    }
}
END_TEST

START_TEST(later_keys_hold_what_is_in_them)
{
    ck_assert_int_eq(fine__key_find("train.cache").what, FINE__NAME_LATER);
    ck_assert_int_eq(fine__key_find("train.cache.budget").what, FINE__NAME_LATER);
    ck_assert_int_eq(fine__key_find("sweep.values.x").what, FINE__NAME_LATER);
    ck_assert_int_eq(fine__key_find("train.cached").what, FINE__NAME_UNKNOWN);
    ck_assert_int_eq(fine__key_find("").what, FINE__NAME_UNKNOWN);
}
END_TEST

START_TEST(suggests_names)
{
    static const struct { const char *name, *meant; } cases[] = {
        { "trian", "train" },
        { "train.epoch", "train.epochs" },
        { "train.learning_rate", "train.optimizer.learning_rate" },
        { "train.optimizer.learning_rte", "train.optimizer.learning_rate" },
        { "train.optimiser", "train.optimizer" },
        { "train.optimiser.betas", "train.optimizer.betas" },
        { "optimizer", "train.optimizer" },
        { "data.validaton", "data.validation" },
        { "train.class_weight", "train.class_weights" },
        { "train.zzzzzzzz", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_pstr_eq(fine__key_suggest(cases[i].name), cases[i].meant);
}
END_TEST

START_TEST(words_are_cut_at_bars)
{
    const char *at;
    size_t n;

    ck_assert(fine__word_among("a|bc|d", "bc"));
    ck_assert(!fine__word_among("a|bc|d", "b"));
    ck_assert(!fine__word_among("a|bc|d", "bc|d"));
    ck_assert(!fine__word_among("", ""));
    ck_assert(fine__word_at("a|bc", 1, &at, &n));
    ck_assert_uint_eq(n, 2);
    ck_assert(!fine__word_at("a|bc", 2, &at, &n));
}
END_TEST

RUNNER("keys", every_key_is_found, shorthands_are_keys, later_keys_hold_what_is_in_them,
       suggests_names, words_are_cut_at_bars)
