/*
 * tokenize.c — what a model reads instead of a text: ids, pieces, and where in the text
 * each piece stands. Needs the tokenizer's files alone.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static int
print_encoding(const fine_tokenizer *tokenizer, const fine_encoding *encoding, int json)
{
    const int32_t *ids = fine_encoding_ids(encoding);
    const int64_t *offsets = fine_encoding_offsets(encoding);
    json_t *id_list, *tokens, *spans;

    if (!json) {
        for (int64_t i = 0; i < fine_encoding_count(encoding); i++)
            printf("%s%s", i > 0 ? " " : "", fine_tokenizer_piece(tokenizer, ids[i]));
        putchar('\n');
        return CLI_DONE;
    }
    id_list = json_array();
    tokens = json_array();
    spans = json_array();
    for (int64_t i = 0; i < fine_encoding_count(encoding); i++) {
        const char *piece = fine_tokenizer_piece(tokenizer, ids[i]);

        json_array_append_new(id_list, json_integer(ids[i]));
        json_array_append_new(tokens, cli_json_text(piece, strlen(piece)));
        json_array_append_new(
            spans, json_pack("[II]", (json_int_t)offsets[2 * i], (json_int_t)offsets[2 * i + 1]));
    }
    return cli_print_json(
        json_pack("{s:o,s:o,s:o}", "ids", id_list, "tokens", tokens, "offsets", spans));
}

static int
tokenize_line(const fine_tokenizer *tokenizer, const struct cli_line *line, int pair,
              const struct fine_encode_options *how, const struct cli_common *common)
{
    const char *tab = pair ? memchr(line->text, '\t', line->length) : NULL;
    int64_t length = tab ? (int64_t)(tab - line->text) : (int64_t)line->length;
    fine_encoding *encoding = NULL;
    int exit_code;
    int rc = fine_tokenizer_encode(&encoding, tokenizer, line->text, length, tab ? tab + 1 : NULL,
                                   tab ? (int64_t)line->length - length - 1 : 0, how);

    if (rc < 0)
        return cli_fail(rc, CLI_ARGUMENT);
    exit_code = print_encoding(tokenizer, encoding, common->json);
    fine_encoding_free(encoding);
    return exit_code;
}

static int
tokenize_all(const fine_tokenizer *tokenizer, struct cli_lines *lines, int pair,
             const struct fine_encode_options *how, const struct cli_common *common)
{
    struct cli_line block[CLI_BLOCK];
    int64_t n;
    int exit_code;

    while ((exit_code = cli_lines_next(lines, block, CLI_BLOCK, &n)) == CLI_DONE && n > 0) {
        for (int64_t i = 0; i < n && exit_code == CLI_DONE; i++) {
            if (pair && !memchr(block[i].text, '\t', block[i].length))
                exit_code = cli_complain(CLI_INPUT, "%s:%lld: no tab between two texts",
                                         lines->name, (long long)(lines->n_read - n + i + 1));
            else
                exit_code = tokenize_line(tokenizer, &block[i], pair, how, common);
        }
        if (exit_code == CLI_DONE)
            exit_code = cli_finish(exit_code);
        if (exit_code != CLI_DONE)
            return exit_code;
    }
    return exit_code;
}

int
cli_tokenize(int argc, char **argv)
{
    struct cli_common common;
    struct fine_encode_options how;
    const char *arguments[3], *offsets = "bytes";
    int64_t max_length = 0;
    int32_t pair = 0, no_special = 0;
    const struct cli_option options[] = {
        { "--pair", CLI_FLAG, &pair, NULL, "two texts a line, a tab between" },
        { "--offsets", CLI_TEXT, &offsets, "UNIT",
          "bytes (default) or chars, which are code points" },
        { "--max-length", CLI_COUNT, &max_length, "N", "cut to N ids; default: never cut" },
        { "--no-special", CLI_FLAG, &no_special, NULL, "leave [CLS] and [SEP] out" },
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "tokenize",
        "MODEL [FILE|-]",
        "Prints each line's pieces; --json ids, pieces and offsets. MODEL is a folder with\n"
        "tokenizer.json, vocab.txt, or vocab.json and merges.txt, or one of these files.",
        options,
        1,
        2,
    };
    struct cli_lines lines;
    fine_context *context = NULL;
    fine_tokenizer *tokenizer = NULL;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0)
        return exit_code;
    if (strcmp(offsets, "bytes") != 0 && strcmp(offsets, "chars") != 0)
        return cli_misuse("tokenize", "--offsets %s: expected bytes or chars", offsets);
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    fine_encode_options_init(&how, sizeof how);
    how.max_length = max_length;
    how.offsets = strcmp(offsets, "chars") == 0 ? FINE_OFFSETS_CHARS : FINE_OFFSETS_BYTES;
    how.add_special = !no_special;
    if ((rc = fine_tokenizer_open(&tokenizer, context, arguments[0])) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
    } else if ((exit_code = cli_lines_open(&lines, arguments[1])) == CLI_DONE) {
        exit_code = tokenize_all(tokenizer, &lines, pair, &how, &common);
        cli_lines_close(&lines);
    }
    fine_tokenizer_free(tokenizer);
    fine_context_free(context);
    return exit_code;
}
