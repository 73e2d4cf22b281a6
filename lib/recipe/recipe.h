/*
 * recipe.h — a whole run as data.
 *
 * One value for each key of keys.def: the default, until something else is given.
 */
#ifndef FINE__RECIPE_H
#define FINE__RECIPE_H

#include "recipe/value.h"
#include <finetune/recipe.h>

struct fine_recipe {
    fine_context *ctx;
    char *name;                 /* the file, for messages; NULL: there is none */
    char *folder;               /* that relative paths begin in */
    struct fine__value values[FINE__N_KEYS];
    struct fine__buf text;      /* what get and resolved lend */
};

int fine__recipe_open(fine_recipe **out, fine_context *ctx, const char *path);
int fine__recipe_parse(fine_recipe **out, fine_context *ctx, const char *text, size_t length,
                       const char *folder, const char *name);
int fine__recipe_copy(fine_recipe **out, const fine_recipe *recipe);
void fine__recipe_free(fine_recipe *recipe);
int fine__recipe_set(fine_recipe *recipe, const char *key, const char *value);
/* Appends the YAML of a key or a section; FINE_EINVAL: unknown. */
int fine__recipe_get(const fine_recipe *recipe, const char *key, struct fine__buf *out);
int fine__recipe_check(const fine_recipe *recipe);

/* Whether a key has a meaning beside the others: epochs where there are no steps, betas
 * where the optimizer is adamw. */
/* Which types read a key, words separated by '|', and the key that holds the type; NULL: it is
 * no type's own. */
const char *fine__recipe_key_types(int key, int *type_key);
bool fine__recipe_applies(const fine_recipe *recipe, int key);

/* The value as text; NULL where there is none. */
const char *fine__recipe_text(const fine_recipe *recipe, int key);
/* A path that can be opened: joined with the recipe's folder. FINE_OK with *out NULL where
 * the key has no value. */
int fine__recipe_path(const fine_recipe *recipe, int key, char **out);

/* The recipe as YAML, defaults spelled out; folder: put before relative paths (NULL: they
 * stay as they are). */
void fine__recipe_write(const fine_recipe *recipe, struct fine__buf *out, const char *folder);
/* A section as a mapping on one line. */
void fine__recipe_write_section(const fine_recipe *recipe, struct fine__buf *out,
                                const char *section);

#endif
