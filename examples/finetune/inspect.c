/*
 * inspect.c — what is in a model folder, a data file or a recipe, before anything is
 * trained.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Prints any JSON value as indented text. Depth is bounded by what our own reports hold. */
static void
print_tree(const json_t *value, const char *name, int depth)
{
    const char *key;
    json_t *item;
    char *text;

    printf("%*s%s", 2 * depth, "", name);
    if (json_is_object(value) && depth < 8) {
        printf("\n");
        json_object_foreach((json_t *)value, key, item) print_tree(item, key, depth + 1);
        return;
    }
    if (json_is_string(value)) {
        printf(": %s\n", json_string_value(value));
        return;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    printf(": %s\n", text ? text : "");
    free(text);
}

static json_t *
params(const fine_model *model)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    json_t *list = json_array();

    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        json_t *shape = json_array();

        if (fine_model_param(model, i, &info) < 0) {
            json_decref(shape);
            break;
        }
        for (int64_t d = 0; d < info.n_dims; d++)
            json_array_append_new(shape, json_integer(info.shape[d]));
        json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:I,s:b}", "stage",
                                              fine_model_stage_name(model, info.stage), "name",
                                              info.name, "shape", shape, "parameters",
                                              (json_int_t)info.count, "frozen", info.frozen));
    }
    return list;
}

static void
print_model_table(const json_t *all)
{
    size_t i;
    json_t *row;
    int64_t total = 0, trainable = 0;

    printf("%-11s %-56s %-14s %11s\n", "stage", "name", "shape", "parameters");
    json_array_foreach(json_object_get(all, "tensors"), i, row)
    {
        char shape[64] = "";
        size_t k, at = 0;
        json_t *dim;
        int frozen = json_is_true(json_object_get(row, "frozen"));
        int64_t count = json_integer_value(json_object_get(row, "parameters"));

        json_array_foreach(json_object_get(row, "shape"), k, dim) if (at < sizeof shape - 24) at +=
            (size_t)snprintf(shape + at, sizeof shape - at, "%s%lld", k > 0 ? " x " : "",
                             (long long)json_integer_value(dim));
        printf("%-11s %-56s %-14s %11lld%s\n", json_string_value(json_object_get(row, "stage")),
               json_string_value(json_object_get(row, "name")), shape, (long long)count,
               frozen ? "  frozen" : "");
        total += count;
        trainable += frozen ? 0 : count;
    }
    printf("%s, %s, %lld parameters, %lld trained; ",
           json_string_value(json_object_get(all, "family")),
           json_string_length(json_object_get(all, "task")) > 0
               ? json_string_value(json_object_get(all, "task"))
               : "no task yet",
           (long long)total, (long long)trainable);
    if (json_integer_value(json_object_get(all, "vocab_size")) == 0)
        printf("reads images\n");
    else
        printf("at most %lld ids, vocabulary %lld\n",
               (long long)json_integer_value(json_object_get(all, "max_length")),
               (long long)json_integer_value(json_object_get(all, "vocab_size")));
}

static int
inspect_model(const char *path, const char *freeze, const char *architecture,
              fine_context *context, const struct cli_common *common)
{
    fine_model *model = NULL;
    json_t *labels, *all;
    int rc = cli_open_model(&model, context, path, architecture);
    int exit_code;

    if (rc < 0)
        return cli_fail(rc, CLI_READING);
    if (freeze && (rc = fine_model_freeze(model, freeze)) < 0) {
        exit_code = cli_fail(rc, CLI_ARGUMENT);
        fine_model_free(model);
        return exit_code;
    }
    labels = json_array();
    for (int64_t i = 0; i < fine_model_n_labels(model); i++) {
        const char *label = fine_model_label(model, i);

        json_array_append_new(labels, cli_json_text(label, strlen(label)));
    }
    all = json_pack("{s:s,s:s,s:s,s:o,s:I,s:I,s:s,s:o}", "family", fine_model_family(model), "task",
                    fine_model_task(model), "pool", fine_model_pool(model), "labels", labels,
                    "max_length", (json_int_t)fine_model_max_length(model), "vocab_size",
                    (json_int_t)fine_model_vocab_size(model), "fingerprint",
                    fine_model_fingerprint(model), "tensors", params(model));
    fine_model_free(model);
    if (!all)
        return cli_no_memory();
    if (common->json)
        return cli_print_json(all);
    print_model_table(all);
    json_decref(all);
    return CLI_DONE;
}

static int
inspect_data(const char *path, const char *task, struct cli_columns *columns,
             fine_context *context, const struct cli_common *common)
{
    struct fine_dataset_options how;
    fine_dataset *data = NULL;
    const char *description;
    json_t *all;
    int exit_code, rc;

    fine_dataset_options_init(&how, sizeof how);
    how.require_label = 0;
    how.task = task ? task : columns->label_separator ? "multilabel" : NULL;
    how.label_is_number = task && strcmp(task, "regress") == 0;
    if ((exit_code = cli_columns_apply(columns, "inspect", &how)) != CLI_DONE)
        return exit_code;
    if ((rc = fine_dataset_open(&data, context, path, &how)) < 0)
        return cli_fail(rc, CLI_ARGUMENT);
    description = fine_dataset_describe(data);
    all = description ? json_loads(description, 0, NULL) : NULL;
    fine_dataset_free(data);
    if (!all)
        return cli_no_memory();
    if (common->json)
        return cli_print_json(all);
    print_tree(all, path, 0);
    json_decref(all);
    return CLI_DONE;
}

static int
inspect_recipe(const char *path, fine_context *context, const struct cli_common *common)
{
    struct fine_recipe_key_info key = { .struct_size = sizeof key };
    fine_recipe *recipe = NULL;
    json_t *keys;
    int rc, exit_code = CLI_DONE;

    if ((rc = fine_recipe_open(&recipe, context, path)) < 0)
        return cli_fail(rc, CLI_READING);
    if ((rc = fine_recipe_check(recipe)) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else if (common->json) {
        keys = json_object();
        for (int64_t i = 0; fine_recipe_key(i, &key) == FINE_OK; i++) {
            const char *value = fine_recipe_get(recipe, key.name);

            json_object_set_new(keys, key.name,
                                value ? cli_json_text(value, strlen(value)) : json_null());
        }
        exit_code = cli_print_json(json_pack("{s:o}", "recipe", keys));
    } else
        fputs(fine_recipe_resolved(recipe), stdout);
    fine_recipe_free(recipe);
    return exit_code;
}

static int
ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && strcasecmp(path + n - m, end) == 0;
}

int
cli_inspect(int argc, char **argv)
{
    struct cli_common common;
    struct cli_columns columns;
    const char *arguments[3], *freeze = NULL, *architecture = NULL, *task = NULL;
    const struct cli_option options[] = {
        { "--freeze", CLI_TEXT, &freeze, "SPEC",
          "MODEL: show what this freezes: all, embeddings..3, …" },
        CLI_ARCHITECTURE_OPTION(architecture),
        { "--task", CLI_TEXT, &task, "TASK", "DATA: what its rows are for: multilabel, tag, answer, …" },
        CLI_COLUMN_OPTIONS(columns),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "inspect",
        "RECIPE|DATA|MODEL",
        "Shows a model folder's tensors, what a data file holds, or a recipe (.yaml) with\n"
        "every default.",
        options,
        1,
        1,
    };
    fine_context *context = NULL;
    struct stat status;
    int exit_code;

    memset(&columns, 0, sizeof columns);
    exit_code = cli_parse(&usage, argc, argv, &common, arguments);
    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    if (architecture || cli_is_weights(arguments[0]) ||
        (stat(arguments[0], &status) == 0 && S_ISDIR(status.st_mode)))
        exit_code = inspect_model(arguments[0], freeze, architecture, context, &common);
    else if (ends_with(arguments[0], ".yaml") || ends_with(arguments[0], ".yml"))
        exit_code = inspect_recipe(arguments[0], context, &common);
    else
        exit_code = inspect_data(arguments[0], task, &columns, context, &common);
    cli_columns_free(&columns);
    fine_context_free(context);
    return exit_code;
}
