/*
 * generate.c — goes on with each prompt: tokens appear as they come, or whole texts as JSON.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int
show(int64_t prompt, int32_t id, const char *text, void *user)
{
    (void)prompt;
    (void)id;
    (void)user;
    fputs(text, stdout);
    fflush(stdout);
    return cli_interrupted();
}

static int
print_json(const fine_session *session, int64_t n, double seconds)
{
    int64_t n_tokens = 0, count = 0;
    int exit_code = CLI_DONE;

    for (int64_t i = 0; i < n; i++) {
        fine_session_generated_ids(session, i, &count);
        n_tokens += count;
    }
    for (int64_t i = 0; i < n && exit_code == CLI_DONE; i++) {
        const int32_t *ids = fine_session_generated_ids(session, i, &count);
        const char *text = fine_session_generated(session, i);
        json_t *object = json_object(), *list = json_array();

        for (int64_t k = 0; k < count; k++)
            json_array_append_new(list, json_integer(ids[k]));
        json_object_set_new(object, "text", cli_json_text(text, strlen(text)));
        json_object_set_new(object, "ids", list);
        json_object_set_new(object, "tokens_per_second",
                            cli_json_number(seconds > 0 ? (double)n_tokens / seconds : 0));
        exit_code = cli_print_json(object);
    }
    return exit_code;
}

/* A block's prompts: together for JSON, one after the other for a reader. */
static int
answer(fine_session *session, const struct cli_rows *rows, struct fine_generate_options *options,
       const struct cli_common *common)
{
    const double started = now();
    int rc = 0;

    if (common->json) {
        rc = fine_session_generate(session, rows->texts, rows->n, options);
        options->first += rows->n;
        return rc < 0 ? rc : print_json(session, rows->n, now() - started);
    }
    options->on_token = show;
    for (int64_t i = 0; i < rows->n && rc == 0 && !cli_interrupted(); i++) {
        rc = fine_session_generate(session, rows->texts + i, 1, options);
        options->first++;
        if (rc == 0)
            putchar('\n');
    }
    return rc;
}

static int
answer_all(fine_session *session, struct cli_rows *rows, struct cli_lines *lines,
           struct fine_generate_options *options, const struct cli_common *common)
{
    int exit_code;

    while ((exit_code = cli_rows_next(rows, lines)) == CLI_DONE && rows->n > 0) {
        const int rc = answer(session, rows, options, common);

        if (rc < 0) {
            exit_code = cli_fail(rc, CLI_READING);
            cli_say(common, "that was in lines %lld to %lld of %s",
                    (long long)(lines->n_read - rows->n + 1), (long long)lines->n_read,
                    lines->name);
            return exit_code;
        }
        exit_code = cli_finish(rc);
        if (exit_code != CLI_DONE || cli_interrupted())
            return exit_code;
    }
    return exit_code;
}

static int
check_options(const struct fine_generate_options *o)
{
    if (o->max_tokens < 1)
        return cli_misuse("generate", "--max-tokens must be at least 1");
    if (!(o->temperature >= 0 && o->temperature <= 1e6))
        return cli_misuse("generate", "--temperature must be from 0 to 1000000");
    if (!(o->top_p > 0 && o->top_p <= 1))
        return cli_misuse("generate", "--top-p must be above 0 and at most 1");
    return CLI_DONE;
}

int
cli_generate(int argc, char **argv)
{
    struct cli_common common;
    struct fine_generate_options o;
    struct fine_dataset_options remembered;
    const char *arguments[3], *text = NULL;
    int32_t plain = 0;

    fine_generate_options_init(&o, sizeof o);
    const struct cli_option options[] = {
        { "--max-tokens", CLI_COUNT, &o.max_tokens, "N", "new tokens a prompt; default 64" },
        { "--temperature", CLI_REAL, &o.temperature, "T",
          "0 (default): always the likeliest token; 1: by probability" },
        { "--top-k", CLI_COUNT, &o.top_k, "K", "draw from the K likeliest; default: from all" },
        { "--top-p", CLI_REAL, &o.top_p, "P",
          "draw from the likeliest that together have probability P; default 1" },
        { "--seed", CLI_COUNT, &o.seed, "N", "the same seed draws the same; default 0" },
        { "--ignore-end", CLI_FLAG, &o.ignore_end, NULL, "go on after the end-of-text token" },
        { "--text", CLI_TEXT, &text, "COLUMN", "key of the prompt in JSON lines" },
        { "--plain", CLI_FLAG, &plain, NULL, "a line that begins with { is a prompt, not JSON" },
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "generate",
        "MODEL [FILE|-]",
        "Goes on with each line, or with the text of a JSON object, and prints what comes after\n"
        "it. --json prints text, ids and tokens_per_second (of all prompts that were read\n"
        "together).",
        options,
        1,
        2,
    };
    static struct cli_rows rows;
    struct cli_lines lines;
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_session *session = NULL;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0 || (exit_code = check_options(&o)) != CLI_DONE)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    fine_dataset_options_init(&remembered, sizeof remembered);
    if ((rc = fine_model_open(&model, context, arguments[0], NULL)) < 0 ||
        (rc = fine_model_dataset_options(model, &remembered)) < 0 ||
        (rc = fine_session_new(&session, model)) < 0 ||
        (rc = fine_session_generate(session, NULL, 0, &o)) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
        goto out;
    }
    rows.text_column = text ? text : remembered.text ? remembered.text : "text";
    rows.plain = plain;
    cli_catch_signals();
    if ((exit_code = cli_lines_open(&lines, arguments[1])) != CLI_DONE)
        goto out;
    exit_code = answer_all(session, &rows, &lines, &o, &common);
    cli_rows_clear(&rows);
    cli_lines_close(&lines);
out:
    fine_session_free(session);
    fine_model_free(model);
    fine_context_free(context);
    return exit_code;
}
