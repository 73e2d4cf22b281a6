/*
 * recipe.h — a whole run as data: the YAML recipe.
 *
 * docs/recipe.md lists every key with its type, default and range; it is generated
 * from the table that the parser uses.
 */
#ifndef FINETUNE_RECIPE_H
#define FINETUNE_RECIPE_H

#include <finetune/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fine_recipe fine_recipe;

/**
 * Reads a recipe. All findings are reported at once, as
 * "file:line:column: message; did you mean …?".
 *
 * @return FINE_OK; FINE_EINVAL; FINE_EIO; FINE_ERECIPE; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_recipe_open(fine_recipe **out, fine_context *context, const char *path);

/** The same from memory; relative paths in it are relative to folder (NULL: "."). @since 0.1 */
FINE_API int fine_recipe_parse(fine_recipe **out, fine_context *context, const char *text,
                               int64_t length, const char *folder);

/** NULL is fine. @since 0.1 */
FINE_API void fine_recipe_free(fine_recipe *recipe);

/**
 * Sets a key: "train.epochs", "2". The value is YAML (a list: "[a, b]"; a mapping:
 * "{type: sgd}"); "null" brings the default back. A section is replaced whole.
 * train.steps and train.epochs exclude each other: the one that is set last holds.
 *
 * @return FINE_OK; FINE_EINVAL; FINE_ERECIPE: unknown key, wrong type or range (the recipe
 *         is as before); FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_recipe_set(fine_recipe *recipe, const char *key, const char *value);

/** A key's value as YAML text, defaults included, "" where there is none; a section's as a
 *  mapping on one line; NULL: unknown key, or no memory. Borrowed until the next call on the
 *  recipe. @since 0.1 */
FINE_API const char *fine_recipe_get(fine_recipe *recipe, const char *key);

struct fine_recipe_key_info {
    size_t struct_size;         /* set by the caller */
    const char *name;           /* "train.optimizer.learning_rate" */
    const char *type;           /* "number", "integer", "text", "true or false", "list", … */
    const char *fallback;       /* the default as YAML text; "" where there is none */
    const char *description;
};
/** The i-th known key. @return FINE_OK; FINE_EINVAL: out of range @since 0.1 */
FINE_API int fine_recipe_key(int64_t i, struct fine_recipe_key_info *out);

/** Checks what can be checked without training: keys that need each other, files that
 *  must be there. @return FINE_OK; FINE_ERECIPE with all findings; FINE_ENOMEM @since 0.1 */
FINE_API int fine_recipe_check(fine_recipe *recipe);

/** The recipe with every default spelled out, as YAML; paths as they were written. Borrowed
 *  until the next call; NULL: no memory. @since 0.1 */
FINE_API const char *fine_recipe_resolved(fine_recipe *recipe);

struct fine_run_options {
    size_t struct_size;
    const char *folder;         /* run folder; NULL: output.dir of the recipe */
    fine_progress_fn progress;
    void *progress_user;
    int32_t resume;             /* 1: go on where an earlier run of this recipe stopped */
    int32_t reserved;
};
/** Fills in the defaults. @since 0.1 */
FINE_API void fine_run_options_init(struct fine_run_options *options, size_t size);

/**
 * Fine-tunes as the recipe says and writes the run folder: model/ (the best),
 * checkpoints/, metrics.jsonl, events.out.tfevents.*, report.html, recipe.yaml
 * (docs/run-folder.md). The progress callback's FINE_EVENT_DONE comes last, with the
 * report as its json.
 *
 * @param out receives the report: metrics.validation, metrics.test, best_step, model,
 *            seconds, peak_bytes …; may be NULL
 * @return FINE_OK; FINE_ERECIPE, FINE_EDATA, FINE_EFORMAT, FINE_ESHAPE, FINE_EUNSUPPORTED:
 *         nothing was trained; FINE_EINVAL; FINE_EABI; FINE_ECANCELLED: resumable;
 *         FINE_ENUMERIC; FINE_EIO; FINE_EBUSY: another run holds the folder; FINE_ENOMEM
 * @since 0.1
 */
FINE_API int fine_recipe_run(fine_recipe *recipe, const struct fine_run_options *options,
                             fine_report **out);

#ifdef __cplusplus
}
#endif
#endif
