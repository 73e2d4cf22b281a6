/* recipe.c — the border of lib/recipe: reading, setting, asking, checking. */
#include <string.h>

#include <finetune/recipe.h>

#include "base/context.h"
#include "base/error.h"
#include "recipe/recipe.h"

int
fine_recipe_open(fine_recipe **out, fine_context *context, const char *path)
{
    if (out == NULL || context == NULL || path == NULL)
        return fine__fail(FINE_EINVAL, "fine_recipe_open: %s is NULL",
                          out == NULL ? "out" : context == NULL ? "context" : "path");
    return fine__recipe_open(out, context, path);
}

int
fine_recipe_parse(fine_recipe **out, fine_context *context, const char *text, int64_t length,
                  const char *folder)
{
    if (out == NULL || context == NULL || text == NULL)
        return fine__fail(FINE_EINVAL, "fine_recipe_parse: %s is NULL",
                          out == NULL ? "out" : context == NULL ? "context" : "text");
    if (length < 0)
        return fine__fail(FINE_EINVAL, "fine_recipe_parse: length is negative");
    return fine__recipe_parse(out, context, text, (size_t)length, folder != NULL ? folder : ".",
                              "recipe");
}

void
fine_recipe_free(fine_recipe *recipe)
{
    fine__recipe_free(recipe);
}

int
fine_recipe_set(fine_recipe *recipe, const char *key, const char *value)
{
    if (recipe == NULL || key == NULL || value == NULL)
        return fine__fail(FINE_EINVAL, "fine_recipe_set: %s is NULL",
                          recipe == NULL ? "recipe" : key == NULL ? "key" : "value");
    return fine__recipe_set(recipe, key, value);
}

const char *
fine_recipe_get(fine_recipe *recipe, const char *key)
{
    if (recipe == NULL || key == NULL) {
        fine__fail(FINE_EINVAL, "fine_recipe_get: %s is NULL", recipe == NULL ? "recipe" : "key");
        return NULL;
    }
    fine__buf_free(&recipe->text);
    fine__buf_init(&recipe->text, recipe->ctx);
    if (fine__recipe_get(recipe, key, &recipe->text) < 0)
        return NULL;
    return fine__buf_cstr(&recipe->text);
}

int
fine_recipe_key(int64_t i, struct fine_recipe_key_info *out)
{
    const struct fine__key *key;
    const size_t v1_size = offsetof(struct fine_recipe_key_info, description) + sizeof(char *);

    if (out == NULL || out->struct_size < v1_size)
        return fine__fail(FINE_EINVAL, "fine_recipe_key: %s",
                          out == NULL ? "out is NULL" : "struct_size is not set");
    if (i < 0 || i >= FINE__N_KEYS)
        return fine__fail(FINE_EINVAL, "fine_recipe_key: there are %d keys, from 0",
                          (int)FINE__N_KEYS);
    key = &fine__keys[i];
    out->name = key->name;
    out->type = fine__key_type(key);
    out->fallback = key->fallback;
    out->description = key->doc;
    return FINE_OK;
}

int
fine_recipe_check(fine_recipe *recipe)
{
    if (recipe == NULL)
        return fine__fail(FINE_EINVAL, "fine_recipe_check: recipe is NULL");
    return fine__recipe_check(recipe);
}

const char *
fine_recipe_resolved(fine_recipe *recipe)
{
    if (recipe == NULL) {
        fine__fail(FINE_EINVAL, "fine_recipe_resolved: recipe is NULL");
        return NULL;
    }
    fine__buf_free(&recipe->text);
    fine__buf_init(&recipe->text, recipe->ctx);
    fine__recipe_write(recipe, &recipe->text, NULL);
    if (fine__buf_status(&recipe->text) < 0)
        return NULL;
    return fine__buf_cstr(&recipe->text);
}
