/* keys.c — keys.def as tables, and looking names up in them. */
#include <string.h>

#include "base/compiler.h"
#include "recipe/keys.h"
#include "recipe/suggest.h"

const struct fine__key fine__keys[FINE__N_KEYS] = {
#define SECTION(name, short, doc)
#define KEY(id, name, kind, fallback, min, max, choices, later, doc) \
    { name, FINE__KEY_##kind, fallback, min, max, choices, later, doc },
#define LATER(name, off, doc)
#include "recipe/keys.def"
#undef SECTION
#undef KEY
#undef LATER
};

static const struct fine__section sections[] = {
#define SECTION(name, short, doc) { name, short, doc },
#define KEY(id, ...)
#define LATER(name, off, doc)
#include "recipe/keys.def"
#undef SECTION
#undef KEY
#undef LATER
};

static const struct fine__later laters[] = {
#define SECTION(name, short, doc)
#define KEY(id, ...)
#define LATER(name, off, doc) { name, off, doc },
#include "recipe/keys.def"
#undef SECTION
#undef KEY
#undef LATER
};

/* "train.cache.budget" lies in "train.cache". */
static bool
is_within(const char *name, const char *section)
{
    size_t n = strlen(section);

    return strncmp(name, section, n) == 0 && (name[n] == '.' || name[n] == '\0');
}

struct fine__found
fine__key_find(const char *name)
{
    struct fine__found found = { FINE__NAME_UNKNOWN, -1, NULL, NULL };

    for (int i = 0; i < FINE__N_KEYS; i++)
        if (strcmp(fine__keys[i].name, name) == 0) {
            found.what = FINE__NAME_KEY;
            found.key = i;
            return found;
        }
    for (int64_t i = 0; i < FINE__COUNT(sections); i++)
        if (strcmp(sections[i].name, name) == 0) {
            found.what = FINE__NAME_SECTION;
            found.section = &sections[i];
            return found;
        }
    for (int64_t i = 0; i < FINE__COUNT(laters); i++)
        if (is_within(name, laters[i].name)) {
            found.what = FINE__NAME_LATER;
            found.later = &laters[i];
            return found;
        }
    return found;
}

static const char *
last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

/* Offers a candidate that stands in the same section as name does. */
static void
offer(struct fine__suggestion *near, const char *name, const char *candidate)
{
    size_t parent = (size_t)(last_part(name) - name);

    if ((size_t)(last_part(candidate) - candidate) == parent &&
        strncmp(candidate, name, parent) == 0)
        fine__suggest_offer(near, candidate + parent, strlen(candidate) - parent);
}

const char *
fine__key_suggest(const char *name)
{
    struct fine__suggestion near;
    const char *word = last_part(name);
    size_t parent = (size_t)(word - name);

    /* the right word in another place beats a wrong word in this one */
    for (int i = 0; i < FINE__N_KEYS; i++)
        if (strcmp(last_part(fine__keys[i].name), word) == 0)
            return fine__keys[i].name;
    fine__suggest_begin(&near, word);
    for (int i = 0; i < FINE__N_KEYS; i++)
        offer(&near, name, fine__keys[i].name);
    for (int64_t i = 0; i < FINE__COUNT(sections); i++)
        offer(&near, name, sections[i].name);
    for (int64_t i = 0; i < FINE__COUNT(laters); i++)
        offer(&near, name, laters[i].name);
    if (near.best)
        return near.best - parent;          /* best points into a complete name */
    for (int64_t i = 0; i < FINE__COUNT(sections); i++)
        if (strcmp(last_part(sections[i].name), word) == 0)
            return sections[i].name;
    for (int i = 0; i < FINE__N_KEYS; i++)
        fine__suggest_offer(&near, last_part(fine__keys[i].name),
                            strlen(last_part(fine__keys[i].name)));
    for (int i = 0; i < FINE__N_KEYS; i++)
        if (near.best && near.best == last_part(fine__keys[i].name))
            return fine__keys[i].name;
    return NULL;
}

bool
fine__word_at(const char *words, int i, const char **out, size_t *length)
{
    for (;; i--) {
        size_t n = strcspn(words, "|");

        if (n == 0)
            return false;
        if (i == 0) {
            *out = words;
            *length = n;
            return true;
        }
        words += n + (words[n] == '|');
    }
}

bool
fine__word_among(const char *words, const char *word)
{
    const char *at;
    size_t n;

    for (int i = 0; fine__word_at(words, i, &at, &n); i++)
        if (strlen(word) == n && memcmp(at, word, n) == 0)
            return true;
    return false;
}

const char *
fine__key_type(const struct fine__key *key)
{
    switch (key->kind) {
    case FINE__KEY_PATH:
        return "path";
    case FINE__KEY_CHOICE:
        return "choice";
    case FINE__KEY_INTEGER:
        return "integer";
    case FINE__KEY_NUMBER:
    case FINE__KEY_POSITIVE:
        return "number";
    case FINE__KEY_FLAG:
        return "true or false";
    case FINE__KEY_TEXTS:
        return "list of texts";
    case FINE__KEY_BETAS:
        return "list of two numbers";
    case FINE__KEY_PATTERNS:
        return "text or list of texts";
    case FINE__KEY_PERIOD:
        return "N steps or N epochs";
    case FINE__KEY_STEPS:
        return "number of steps";
    case FINE__KEY_SPLIT:
        return "path or share";
    case FINE__KEY_HEADER:
        return "true, false or list of texts";
    case FINE__KEY_CHARACTER:
        return "one character";
    case FINE__KEY_TEXT:
        break;
    }
    return "text";
}
