/*
 * train.c — fine-tunes as a recipe says. The library does the work; this shows it, stops
 * it when asked, and says how to go on.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct show {
    const struct cli_common *common;
    int64_t n_events, step, n_steps;
};

static int
on_progress(const struct fine_progress *progress, void *user)
{
    struct show *show = user;

    show->n_events++;
    show->step = progress->step;
    show->n_steps = progress->n_steps;
    /* "done" is printed from the run's report, which also knows the test metrics. */
    if (show->common->json && progress->json && progress->event != FINE_EVENT_DONE) {
        puts(progress->json);
        fflush(stdout);
    }
    cli_show_progress(show->common, progress);
    return cli_interrupted();
}

static void
print_split(const json_t *metrics, const char *split)
{
    const json_t *values = json_object_get(metrics, split);

    if (json_is_object(values)) {
        printf("%s\n", split);
        cli_print_metrics(values, "  ");
    }
}

static int
print_done(const fine_report *report, const struct cli_common *common)
{
    json_t *all = json_loads(fine_report_json(report), 0, NULL), *event, *metrics;
    const char *model;
    char seconds[32];

    if (!all)
        return cli_no_memory();
    if (common->json) {
        event = json_pack("{s:s}", "event", "done");
        json_object_update_missing(event, all);
        json_decref(all);
        return cli_print_json(event);
    }
    metrics = json_object_get(all, "metrics");
    if (!json_object_get(metrics, "validation"))
        cli_say(common, "no validation data: the last step was kept");
    print_split(metrics, "validation");
    print_split(metrics, "test");
    model = json_string_value(json_object_get(all, "model"));
    cli_duration(seconds, sizeof seconds, json_number_value(json_object_get(all, "seconds")));
    printf("best step %lld, %s, peak memory %.0f MB\nmodel: %s\n",
           (long long)json_integer_value(json_object_get(all, "best_step")), seconds,
           json_number_value(json_object_get(all, "peak_bytes")) / 1e6, model ? model : "");
    json_decref(all);
    return CLI_DONE;
}

/* Quoted so that a shell reads it back as one word. */
static void
print_word(const char *word)
{
    if (word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                          "_-./=,:+@%")] == '\0' &&
        word[0] != '\0') {
        fprintf(stderr, " %s", word);
        return;
    }
    fputs(" '", stderr);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", stderr);
        else
            fputc(*word, stderr);
    fputc('\'', stderr);
}

/* The last line of a stopped run: the same command line, and --resume. */
static void
print_how_to_go_on(const struct show *show, int argc, char **argv)
{
    int has_resume = 0;

    cli_clear_bar();
    fprintf(stderr, "stopped after step %lld of %lld; go on with: finetune", (long long)show->step,
            (long long)show->n_steps);
    for (int i = 0; i < argc; i++) {
        has_resume |= strcmp(argv[i], "--resume") == 0;
        print_word(argv[i]);
    }
    fputs(has_resume ? "\n" : " --resume\n", stderr);
}

/* FINE_EIO says only that a file failed. Before the first step that is a file of the
 * user's, unless the message is about the run folder. */
static enum cli_phase
phase_of_failure(const struct show *show, const char *folder)
{
    return show->n_events > 0 || (folder && strstr(fine_error_message(), folder)) ? CLI_WRITING
                                                                                  : CLI_READING;
}

static int
set_keys(fine_recipe *recipe, const struct cli_list *settings)
{
    for (int64_t i = 0; i < settings->n; i++) {
        const char *equals = strchr(settings->items[i], '=');
        char *key;
        int rc;

        if (!equals || equals == settings->items[i])
            return cli_misuse("train", "--set %s: expected KEY=VALUE", settings->items[i]);
        key = strndup(settings->items[i], (size_t)(equals - settings->items[i]));
        if (!key)
            return cli_no_memory();
        rc = fine_recipe_set(recipe, key, equals + 1);
        free(key);
        if (rc < 0)
            return cli_fail(rc, CLI_READING);
    }
    return CLI_DONE;
}

static int
run(fine_recipe *recipe, const char *folder, int resume, const struct cli_common *common, int argc,
    char **argv)
{
    struct show show = { .common = common };
    struct fine_run_options options;
    fine_report *report = NULL;
    const char *named = folder ? folder : fine_recipe_get(recipe, "output.dir");
    char *run_folder = named ? strdup(named) : NULL;
    int rc, exit_code;

    fine_run_options_init(&options, sizeof options);
    options.folder = folder;
    options.progress = on_progress;
    options.progress_user = &show;
    options.resume = resume;
    cli_catch_signals();
    rc = fine_recipe_run(recipe, &options, &report);
    cli_clear_bar();
    if (rc == FINE_ECANCELLED) {
        print_how_to_go_on(&show, argc, argv);
        exit_code = CLI_STOPPED;
    } else if (rc < 0)
        exit_code = cli_fail(rc, phase_of_failure(&show, run_folder));
    else
        exit_code = print_done(report, common);
    fine_report_free(report);
    free(run_folder);
    return exit_code;
}

int
cli_train(int argc, char **argv)
{
    struct cli_common common;
    struct cli_list settings = { .n = 0 };
    const char *arguments[3], *folder = NULL;
    int32_t resume = 0;
    const struct cli_option options[] = {
        { "--set", CLI_LIST, &settings, "KEY=VALUE",
          "override a key, as train.epochs=2; may be repeated" },
        { "--out", CLI_TEXT, &folder, "DIR", "run folder; default: output.dir of the recipe" },
        { "--resume", CLI_FLAG, &resume, NULL, "go on from the newest complete checkpoint" },
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "train",
        "RECIPE.yaml",
        "Fine-tunes a model and writes the run folder: the best model, checkpoints, metrics,\n"
        "a report. Ctrl-C stops after the step at work, so that --resume can go on.",
        options,
        1,
        1,
    };
    fine_context *context = NULL;
    fine_recipe *recipe = NULL;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    if ((rc = fine_recipe_open(&recipe, context, arguments[0])) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else if ((exit_code = set_keys(recipe, &settings)) == CLI_DONE) {
        if ((rc = fine_recipe_check(recipe)) < 0)
            exit_code = cli_fail(rc, CLI_READING);
        else
            exit_code = run(recipe, folder, resume, &common, argc, argv);
    }
    fine_recipe_free(recipe);
    fine_context_free(context);
    return exit_code;
}
