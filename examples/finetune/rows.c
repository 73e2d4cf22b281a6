/*
 * rows.c — lines as inputs for a model. What a line holds is seen from the line itself,
 * so that one stream may mix plain texts and JSON objects with the dataset's columns.
 */
#include "cli.h"

#include <string.h>

void
cli_rows_clear(struct cli_rows *rows)
{
    for (int64_t i = 0; i < rows->n; i++)
        json_decref(rows->objects[i]);
    rows->n = 0;
}

static int
read_object(struct cli_rows *rows, const struct cli_line *line, const char *name, int64_t number)
{
    json_error_t error;
    json_t *object = json_loadb(line->text, line->length, JSON_REJECT_DUPLICATES, &error);
    const char *columns[2] = { rows->text_column, rows->pairs ? rows->pair_column : NULL };

    if (!object)
        return cli_complain(CLI_INPUT, "%s:%lld:%d: %s; --plain reads such a line as text", name,
                            (long long)number, error.column > 0 ? error.column : 1, error.text);
    rows->objects[rows->n] = object;
    for (int i = 0; i < 2 && columns[i]; i++) {
        const char *text = json_string_value(json_object_get(object, columns[i]));

        if (!text) {
            json_decref(object);
            return cli_complain(CLI_INPUT, "%s:%lld: no text under '%s'", name, (long long)number,
                                columns[i]);
        }
        *(i == 0 ? &rows->texts[rows->n] : &rows->seconds[rows->n]) = text;
    }
    rows->n++;
    return CLI_DONE;
}

static int
read_text(struct cli_rows *rows, const struct cli_line *line, const char *name, int64_t number)
{
    char *tab;

    /* The library takes NUL-terminated texts. A NUL becomes a byte that is no UTF-8,
     * which reads as U+FFFD, as a NUL does in every tokenizer. */
    for (char *p = line->text, *end = line->text + line->length; p < end; p++)
        if (*p == '\0')
            *p = '\xff';
    rows->objects[rows->n] = NULL;
    rows->texts[rows->n] = line->text;
    if (rows->pairs) {
        tab = strchr(line->text, '\t');
        if (!tab)
            return cli_complain(CLI_INPUT,
                                "%s:%lld: the model reads two texts, and this line has no tab "
                                "between two",
                                name, (long long)number);
        *tab = '\0';
        rows->seconds[rows->n] = tab + 1;
    }
    rows->n++;
    return CLI_DONE;
}

int
cli_rows_next(struct cli_rows *rows, struct cli_lines *lines)
{
    struct cli_line block[CLI_BLOCK];
    int64_t n, first = lines->n_read + 1;
    int rc = cli_lines_next(lines, block, CLI_BLOCK, &n);

    cli_rows_clear(rows);
    for (int64_t i = 0; rc == CLI_DONE && i < n; i++)
        rc = block[i].text[0] == '{' && !rows->plain
                 ? read_object(rows, &block[i], lines->name, first + i)
                 : read_text(rows, &block[i], lines->name, first + i);
    return rc;
}
