/* run.c — the border of lib/recipe/run.c. */
#include <stddef.h>

#include <finetune/recipe.h>

#include "api/options.h"
#include "base/error.h"
#include "recipe/run.h"

void
fine_run_options_init(struct fine_run_options *options, size_t size)
{
    struct fine_run_options defaults = { .struct_size = sizeof defaults };

    options_out(options, size, &defaults, sizeof defaults);
}

int
fine_recipe_run(fine_recipe *recipe, const struct fine_run_options *options, fine_report **out)
{
    const size_t v1_size = offsetof(struct fine_run_options, reserved) + sizeof(int32_t);
    struct fine_run_options local = { .struct_size = sizeof local };

    if (recipe == NULL)
        return fine__fail(FINE_EINVAL, "fine_recipe_run: recipe is NULL");
    if (options != NULL) {
        const int rc = options_in(&local, sizeof local, options, v1_size);

        if (rc == FINE_EINVAL)
            return fine__fail(rc, "fine_run_options: struct_size is wrong; call "
                              "fine_run_options_init() first");
        if (rc < 0)
            return fine__fail(rc, "fine_run_options: fields of a newer library are in use; "
                              "install the libfinetune that the program was compiled for");
    }
    return fine__recipe_run(recipe, &local, out);
}
