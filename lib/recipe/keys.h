/*
 * keys.h — the table of keys.def in C.
 */
#ifndef FINE__KEYS_H
#define FINE__KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fine__key_id {
#define SECTION(name, short, doc)
#define KEY(id, ...) FINE__##id,
#define LATER(name, off, doc)
#include "recipe/keys.def"
#undef SECTION
#undef KEY
#undef LATER
    FINE__N_KEYS
};

enum fine__key_kind {
    FINE__KEY_TEXT, FINE__KEY_PATH, FINE__KEY_CHOICE, FINE__KEY_INTEGER, FINE__KEY_NUMBER,
    FINE__KEY_POSITIVE, FINE__KEY_FLAG, FINE__KEY_TEXTS, FINE__KEY_BETAS, FINE__KEY_PATTERNS,
    FINE__KEY_PERIOD, FINE__KEY_STEPS, FINE__KEY_SPLIT, FINE__KEY_HEADER, FINE__KEY_CHARACTER
};

struct fine__key {
    const char *name;
    enum fine__key_kind kind;
    const char *fallback;
    double min, max;
    const char *choices, *later;
    const char *doc;
};

struct fine__section {
    const char *name, *shorthand, *doc;
};

struct fine__later {
    const char *name, *off, *doc;
};

extern const struct fine__key fine__keys[FINE__N_KEYS];

/* What a name stands for. */
enum fine__name { FINE__NAME_UNKNOWN, FINE__NAME_KEY, FINE__NAME_SECTION, FINE__NAME_LATER };

struct fine__found {
    enum fine__name what;
    int key;                                /* KEY */
    const struct fine__section *section;    /* SECTION */
    const struct fine__later *later;        /* LATER; also where the name lies inside it */
};

struct fine__found fine__key_find(const char *name);

/* The name that was probably meant, complete ("train.optimizer.learning_rate"), or NULL. */
const char *fine__key_suggest(const char *name);

/* Whether word is one of "a|b|c"; the i-th of them (false: there are fewer). */
bool fine__word_among(const char *words, const char *word);
bool fine__word_at(const char *words, int i, const char **out, size_t *length);

/* The type in words, for messages and fine_recipe_key(). */
const char *fine__key_type(const struct fine__key *key);

#endif
