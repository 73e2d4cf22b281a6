/*
 * outcome.c — how a command ends: findings on standard error, results on standard
 * output, and the exit code that scripts read.
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
cli_exit_code(int code, enum cli_phase phase)
{
    switch (code) {
    case FINE_OK:
        return CLI_DONE;
    case FINE_EINVAL:
        return phase == CLI_ARGUMENT ? CLI_USAGE : phase == CLI_READING ? CLI_INPUT : CLI_FAILED;
    case FINE_EIO:
    case FINE_ESTATE:
        return phase == CLI_WRITING ? CLI_FAILED : CLI_INPUT;
    case FINE_EFORMAT:
    case FINE_ESHAPE:
    case FINE_EDATA:
    case FINE_ERECIPE:
    case FINE_EUNSUPPORTED:
        return CLI_INPUT;
    case FINE_ECANCELLED:
        return CLI_STOPPED;
    case FINE_ENOMEM:
        return CLI_MEMORY;
    default:
        return CLI_FAILED;
    }
}

int
cli_fail(int code, enum cli_phase phase)
{
    const char *finding = fine_error_message();

    cli_clear_bar();
    if (finding[0] == '\0')
        fprintf(stderr, "%s\n", fine_strerror(code));
    else
        for (; finding; finding = fine_error_next())
            fprintf(stderr, "%s\n", finding);
    return cli_exit_code(code, phase);
}

int
cli_complain(int exit_code, const char *format, ...)
{
    va_list args;

    cli_clear_bar();
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return exit_code;
}

int
cli_no_memory(void)
{
    return cli_complain(CLI_MEMORY, "out of memory");
}

int
cli_print_json(json_t *value)
{
    char *line =
        value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;

    json_decref(value);
    if (!line)
        return cli_no_memory();
    puts(line);
    free(line);
    return CLI_DONE;
}

int
cli_finish(int exit_code)
{
    static int said;

    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (!said++)
            fprintf(stderr, "cannot write to standard output: %s; results are lost\n",
                    strerror(errno));
        return exit_code == CLI_DONE ? CLI_FAILED : exit_code;
    }
    return exit_code;
}

/* Length of the well-formed UTF-8 character at p (RFC 3629), 0 where there is none. */
static size_t
character(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

json_t *
cli_json_text(const char *text, size_t length)
{
    json_t *out = json_stringn(text, length);
    char *clean;
    size_t n = 0;

    if (out)
        return out;
    clean = malloc(3 * length + 1);
    if (!clean)
        return NULL;
    for (size_t i = 0; i < length;) {
        size_t bytes = character((const unsigned char *)text + i, length - i);

        memcpy(clean + n, bytes ? text + i : "\xef\xbf\xbd", bytes ? bytes : 3);
        n += bytes ? bytes : 3;
        i += bytes ? bytes : 1;
    }
    out = json_stringn(clean, n);
    free(clean);
    return out;
}

json_t *
cli_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void
cli_print_metrics(const json_t *metrics, const char *prefix)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)metrics, key, value)
    {
        if (json_is_number(value))
            printf("%s%-20s %.4f\n", prefix, key, json_number_value(value));
        else if (json_is_object(value)) {
            const char *name;
            json_t *number;

            printf("%s%s\n", prefix, key);
            json_object_foreach(value, name, number) if (json_is_number(number))
                printf("%s  %-20s %.4f\n", prefix, name, json_number_value(number));
        } else if (json_is_array(value)) {
            char *rows = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(5));

            printf("%s%-20s %s\n", prefix, key, rows ? rows : "");
            free(rows);
        }
    }
}
