/*
 * embed.c — a vector for each line, pooled from the model's last hidden state.
 */
#include "cli.h"

#include <stdio.h>

static int
print_vector(const float *vector, int64_t n, int json)
{
    json_t *numbers;

    if (!json) {
        for (int64_t k = 0; k < n; k++)
            printf("%s%.9g", k > 0 ? " " : "", (double)vector[k]);
        putchar('\n');
        return CLI_DONE;
    }
    numbers = json_array();
    for (int64_t k = 0; k < n; k++)
        json_array_append_new(numbers, cli_json_number((double)vector[k]));
    return cli_print_json(json_pack("{s:o}", "embedding", numbers));
}

static int
embed_all(fine_session *session, struct cli_rows *rows, struct cli_lines *lines,
          const struct fine_embed_options *how, const struct cli_common *common)
{
    int64_t n_cut = 0;
    int exit_code, rc;

    while ((exit_code = cli_rows_next(rows, lines)) == CLI_DONE && rows->n > 0) {
        if ((rc = fine_session_embed(session, rows->texts, rows->n, how)) < 0)
            return cli_fail(rc, CLI_READING);
        for (int64_t i = 0; i < rows->n && exit_code == CLI_DONE; i++) {
            int64_t n;
            const float *vector = fine_session_embedding(session, i, &n);

            exit_code = print_vector(vector, n, common->json);
            n_cut += fine_session_truncated(session, i) > 0;
        }
        if (exit_code == CLI_DONE)
            exit_code = cli_finish(exit_code);
        if (exit_code != CLI_DONE)
            return exit_code;
    }
    if (n_cut > 0)
        cli_say(common, "%lld of %lld texts were cut to the longest that is read", (long long)n_cut,
                (long long)lines->n_read);
    return exit_code;
}

int
cli_embed(int argc, char **argv)
{
    struct cli_common common;
    struct fine_embed_options how;
    const char *architecture = NULL;
    const char *arguments[3], *text = "text", *pool = NULL, *nothing = "";
    int64_t max_length = 0;
    int32_t normalize = 0, plain = 0;
    const struct cli_option options[] = {
        { "--pool", CLI_TEXT, &pool, "KIND", "mean (default) or cls" },
        { "--normalize", CLI_FLAG, &normalize, NULL, "scale every vector to length one" },
        { "--max-length", CLI_COUNT, &max_length, "N",
          "most ids of a text; default: the folder's" },
        { "--text", CLI_TEXT, &text, "COLUMN", "key of the text in JSON lines; default: text" },
        { "--plain", CLI_FLAG, &plain, NULL, "a line that begins with { is a text, not JSON" },
        CLI_ARCHITECTURE_OPTION(architecture),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "embed",
        "MODEL [FILE|-]",
        "Prints a vector for each line, its numbers separated by spaces.",
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

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    fine_embed_options_init(&how, sizeof how);
    if (pool)
        how.pool = pool;
    how.max_length = max_length;
    how.normalize = normalize;
    if ((rc = cli_open_model(&model, context, arguments[0], architecture)) < 0 ||
        (rc = fine_session_new(&session, model)) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
        goto out;
    }
    /* An empty text checks the options before any line is waited for. */
    if ((rc = fine_session_embed(session, &nothing, 1, &how)) < 0) {
        exit_code = cli_fail(rc, CLI_ARGUMENT);
        goto out;
    }
    rows.text_column = text;
    rows.plain = plain;
    if ((exit_code = cli_lines_open(&lines, arguments[1])) != CLI_DONE)
        goto out;
    exit_code = embed_all(session, &rows, &lines, &how, &common);
    cli_rows_clear(&rows);
    cli_lines_close(&lines);
out:
    fine_session_free(session);
    fine_model_free(model);
    fine_context_free(context);
    return exit_code;
}
