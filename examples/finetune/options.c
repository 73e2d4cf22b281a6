/*
 * options.c — reads a command line by a table, and prints the help from the same table.
 * Options may stand anywhere, as `--name value` or `--name=value`; `--` ends them.
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_COMMON = 5, MAX_OPTIONS = 40 };

static void
common_options(struct cli_common *c, struct cli_option out[N_COMMON])
{
    const struct cli_option table[N_COMMON] = {
        { "--threads", CLI_COUNT, &c->threads, "N",
          "worker threads; default: every processor allowed" },
        { "--memory-limit", CLI_SIZE, &c->memory_limit, "SIZE",
          "most memory to hold, as 500MB or 2GiB" },
        { "--quiet", CLI_FLAG, &c->quiet, NULL, "no progress and no notes on standard error" },
        { "--json", CLI_FLAG, &c->json, NULL, "results as JSON lines" },
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };

    memcpy(out, table, sizeof table);
}

int
cli_misuse(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "finetune %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see 'finetune %s --help'\n", command);
    return CLI_USAGE;
}

/* Levenshtein's distance, of words up to 31 letters. */
static int
distance(const char *a, const char *b)
{
    int row[32];
    size_t n = strlen(b);

    if (n > 31 || strlen(a) > 31)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = (int)j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        int diagonal = row[0];

        row[0] = (int)i + 1;
        for (size_t j = 1; j <= n; j++) {
            int best = diagonal + (a[i] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *
cli_nearest(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int least = 3; /* further away is another word */

    for (int i = 0; i < n; i++) {
        int d = distance(word, candidates[i]);

        if (d < least) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}

static int
read_count(const char *text, int64_t *out)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return 0;
    *out = value;
    return 1;
}

/* The program never calls setlocale(), so strtod() reads points, not commas. */
static int
read_real(const char *text, double *out, const char **rest)
{
    char *end;
    double value;

    if (strspn(text, "+-.0123456789") == 0)
        return 0;
    errno = 0;
    value = strtod(text, &end);
    if (end == text || (errno != 0 && fabs(value) > 1) || !isfinite(value))
        return 0;
    *out = value;
    *rest = end;
    return 1;
}

static int
read_size(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {
        { "", 1 },
        { "B", 1 },
        { "kB", 1e3 },
        { "KB", 1e3 },
        { "MB", 1e6 },
        { "GB", 1e9 },
        { "TB", 1e12 },
        { "KiB", 1024.0 },
        { "MiB", 1048576.0 },
        { "GiB", 1073741824.0 },
        { "TiB", 1099511627776.0 },
    };
    const char *unit;
    double value;

    if (!read_real(text, &value, &unit) || value < 0)
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].name) == 0 && value * units[i].bytes < 9e18) {
            *out = (int64_t)(value * units[i].bytes);
            return 1;
        }
    return 0;
}

/* Returns NULL, or what was expected. */
static const char *
store(const struct cli_option *option, const char *text)
{
    struct cli_list *list;
    const char *rest = "";

    switch (option->kind) {
    case CLI_FLAG:
        *(int32_t *)option->value = 1;
        return NULL;
    case CLI_TEXT:
        *(const char **)option->value = text;
        return NULL;
    case CLI_COUNT:
        return read_count(text, option->value) ? NULL : "a whole number, 0 or more";
    case CLI_REAL:
        return read_real(text, option->value, &rest) && *rest == '\0' ? NULL : "a number";
    case CLI_SIZE:
        return read_size(text, option->value) ? NULL : "a size such as 500MB, 2GB or 1.5GiB";
    case CLI_LIST:
        list = option->value;
        if (list->n == (int64_t)(sizeof list->items / sizeof list->items[0]))
            return "at most 64 times";
        list->items[list->n++] = text;
        return NULL;
    }
    return NULL;
}

static void
help_table(const struct cli_option *options)
{
    for (; options->name; options++) {
        char left[64];

        snprintf(left, sizeof left, "%s%s%s", options->name, options->argument ? " " : "",
                 options->argument ? options->argument : "");
        printf("  %-24s %s\n", left, options->help);
    }
}

static int
help(const struct cli_usage *usage, const struct cli_option *common)
{
    printf("Usage: finetune %s %s [OPTIONS]\n\n%s\n", usage->command, usage->arguments,
           usage->about);
    if (usage->options[0].name) {
        printf("\n");
        help_table(usage->options);
    }
    printf("\n");
    help_table(common);
    printf("  %-24s %s\n", "--help", "this text");
    return CLI_DONE;
}

static const struct cli_option *
find(const char *name, size_t length, const struct cli_option *const tables[2])
{
    for (int t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o->name; o++)
            if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
                return o;
    return NULL;
}

static int
unknown_option(const struct cli_usage *usage, const char *word, size_t length,
               const struct cli_option *const tables[2])
{
    const char *names[MAX_OPTIONS], *near;
    char name[32];
    int n = 0;

    for (int t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o->name && n < MAX_OPTIONS; o++)
            names[n++] = o->name;
    snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), word);
    near = cli_nearest(name, names, n);
    if (near)
        return cli_misuse(usage->command, "there is no option '%s', did you mean '%s'?", name,
                          near);
    return cli_misuse(usage->command, "there is no option '%s'", name);
}

int
cli_parse(const struct cli_usage *usage, int argc, char **argv, struct cli_common *common,
          const char *arguments[3])
{
    struct cli_option shared[N_COMMON];
    const struct cli_option *const tables[2] = { usage->options, shared };
    int n = 0, only_arguments = 0;

    memset(common, 0, sizeof *common);
    common_options(common, shared);
    for (int i = 0; i < 3; i++)
        arguments[i] = NULL;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '='), *value, *expected;
        size_t length = equals ? (size_t)(equals - word) : strlen(word);
        const struct cli_option *option;

        if (only_arguments || word[0] != '-' || word[1] == '\0') {
            if (n == usage->n_max)
                return cli_misuse(usage->command, "'%s' is one argument too many", word);
            arguments[n++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_arguments = 1;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return help(usage, shared);
        option = find(word, length, tables);
        if (!option)
            return unknown_option(usage, word, length, tables);
        value = equals ? equals + 1 : NULL;
        if (option->kind == CLI_FLAG && value)
            return cli_misuse(usage->command, "%s takes no value", option->name);
        if (option->kind != CLI_FLAG && !value) {
            if (++i == argc)
                return cli_misuse(usage->command, "%s needs %s", option->name, option->argument);
            value = argv[i];
        }
        expected = store(option, value);
        if (expected)
            return cli_misuse(usage->command, "%s %s: expected %s", option->name, value, expected);
    }
    if (n < usage->n_min)
        return cli_misuse(usage->command, "expected %s", usage->arguments);
    if (common->threads > 256)
        return cli_misuse(usage->command, "--threads may be at most 256");
    return -1;
}
