/*
 * columns.c — the command-line options that say how a data file is to be read, laid
 * over what the model remembers from its training.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int
read_header(struct cli_columns *columns, const char *command, struct fine_dataset_options *options)
{
    int64_t n = 0;

    options->columns = NULL;
    options->n_columns = 0;
    options->header = strcmp(columns->header, "true") == 0;
    if (options->header || strcmp(columns->header, "false") == 0)
        return CLI_DONE;
    columns->split = strdup(columns->header);
    if (!columns->split)
        return cli_no_memory();
    for (char *name = columns->split, *comma; name; name = comma) {
        comma = strchr(name, ',');
        if (comma)
            *comma++ = '\0';
        if (n == (int64_t)(sizeof columns->names / sizeof columns->names[0]))
            return cli_misuse(command, "--header names more than 64 columns");
        columns->names[n++] = name;
    }
    options->columns = columns->names;
    options->n_columns = n;
    return CLI_DONE;
}

int
cli_columns_apply(struct cli_columns *columns, const char *command,
                  struct fine_dataset_options *options)
{
    if (columns->text)
        options->text = columns->text;
    if (columns->text_pair)
        options->text_pair = columns->text_pair;
    if (columns->label) {
        options->label = columns->label;
        options->label_columns = NULL;
        options->n_label_columns = 0;
    }
    if (columns->label_separator)
        options->label_separator = columns->label_separator;
    if (columns->group)
        options->group = columns->group;
    if (columns->separator)
        options->separator = strcmp(columns->separator, "\\t") == 0 ? "\t" : columns->separator;
    if (columns->quote)
        options->quote = columns->quote;
    if (columns->encoding)
        options->encoding = columns->encoding;
    if (columns->format)
        options->format = columns->format;
    if (columns->on_bad_row)
        options->on_bad_row = columns->on_bad_row;
    if (columns->header)
        return read_header(columns, command, options);
    return CLI_DONE;
}

void
cli_columns_free(struct cli_columns *columns)
{
    free(columns->split);
    columns->split = NULL;
}
