/*
 * recipe.c — any bytes as a recipe. What is accepted resolves to a text that reads back
 * to the same; what is set key by key changes all or nothing.
 */
#include <string.h>

#include <finetune/recipe.h>

#include "fuzz.h"

static char *
resolved(fine_recipe *recipe)
{
    const char *text = fine_recipe_resolved(recipe);

    REQUIRE(text != NULL);
    return strdup(text);
}

static void
read_back(fine_context *ctx, fine_recipe *recipe)
{
    char *once = resolved(recipe), *twice;
    fine_recipe *again = NULL;

    REQUIRE(fine_recipe_parse(&again, ctx, once, (int64_t)strlen(once), NULL) == 0);
    twice = resolved(again);
    REQUIRE(strcmp(once, twice) == 0);
    free(twice);
    free(once);
    fine_recipe_free(again);
}

/* The first line as a key, the rest as its value. */
static void
set(fine_context *ctx, const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *value, *before, *after;
    fine_recipe *recipe = NULL;
    int rc;

    memcpy(text, data, size);
    text[size] = '\0';
    value = strchr(text, '\n');
    if (value) {
        *value++ = '\0';
        REQUIRE(fine_recipe_parse(&recipe, ctx, "", 0, NULL) == 0);
        before = resolved(recipe);
        rc = fine_recipe_set(recipe, text, value);
        after = resolved(recipe);
        REQUIRE(rc == FINE_OK || (rc == FINE_ERECIPE && strcmp(before, after) == 0));
        if (rc == FINE_OK) {
            REQUIRE(fine_recipe_get(recipe, text) != NULL || strchr(text, '.') != NULL);
            read_back(ctx, recipe);
        }
        free(before);
        free(after);
        fine_recipe_free(recipe);
    }
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    fine_recipe *recipe = NULL;
    int rc;

    rc = fine_recipe_parse(&recipe, ctx, (const char *)data, (int64_t)size, NULL);
    REQUIRE(rc == FINE_OK || rc == FINE_ERECIPE);
    if (rc == FINE_OK) {
        read_back(ctx, recipe);
        fine_recipe_free(recipe);
    } else {
        REQUIRE(fine_error_message()[0] != '\0');
    }
    set(ctx, data, size);
    fuzz_context_free(ctx);
    return 0;
}
