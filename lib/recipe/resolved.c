/*
 * resolved.c — values and whole recipes as YAML that every reader takes alike.
 *
 * What a YAML 1.1 or 1.2 reader could take for something else (yes, 1e5, 12:30) is
 * quoted; real numbers have a point and a signed exponent, 5.0e-05, since YAML 1.1
 * reads 5e-05 as a text.
 */
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "recipe/recipe.h"

void
fine__yaml_number(struct fine__buf *out, double value)
{
    char text[40];
    char *exponent;

    fine__format_double(text, value);
    exponent = strpbrk(text, "eE");
    if (exponent) {
        fine__buf_append(out, text, (size_t)(exponent - text));
        if (!memchr(text, '.', (size_t)(exponent - text)))
            fine__buf_text(out, ".0");
        fine__buf_byte(out, 'e');
        if (exponent[1] != '-' && exponent[1] != '+')
            fine__buf_byte(out, '+');
        fine__buf_text(out, exponent + 1);
        return;
    }
    fine__buf_text(out, text);
    if (!strchr(text, '.'))
        fine__buf_text(out, ".0");
}

/* Letters first; then letters, digits and a few marks; single blanks inside. */
static bool
can_be_plain(const char *text)
{
    size_t n = strlen(text);

    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (is_letter || (i == 0 && c == '/' && n > 1))
            continue;
        if (i > 0 && ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '/'))
            continue;
        if (i > 0 && i + 1 < n && c == ' ' && text[i - 1] != ' ')
            continue;
        return false;
    }
    return true;
}

/* Any case of the words that some reader takes for a boolean or null. */
static bool
is_reserved(const char *text)
{
    char lower[8];
    size_t n = strlen(text);

    if (n >= sizeof lower)
        return false;
    for (size_t i = 0; i <= n; i++)
        lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    return fine__word_among("true|false|yes|no|on|off|y|n|null|nan|inf", lower);
}

void
fine__yaml_text(struct fine__buf *out, const char *text)
{
    size_t length = strlen(text);

    if (can_be_plain(text) && !is_reserved(text)) {
        fine__buf_text(out, text);
        return;
    }
    fine__buf_byte(out, '"');
    for (size_t i = 0; i < length;) {
        int32_t c;
        size_t n = fine__utf8_decode(text + i, length - i, &c, NULL);

        if (c == '"' || c == '\\')
            fine__buf_printf(out, "\\%c", (int)c);
        else if (c == '\n')
            fine__buf_text(out, "\\n");
        else if (c == '\t')
            fine__buf_text(out, "\\t");
        else if (c < 0x20 || (c >= 0x7F && c <= 0xA0))
            fine__buf_printf(out, "\\x%02X", (unsigned)c);
        else if (c == 0x2028 || c == 0x2029 || c == 0xFEFF || c >= 0xFFFE)
            fine__buf_printf(out, "\\U%08X", (unsigned)c);
        else {
            char bytes[4];

            fine__buf_append(out, bytes, fine__utf8_encode(c, bytes));
        }
        i += n;
    }
    fine__buf_byte(out, '"');
}

static void
write_path(struct fine__buf *out, const char *path, const char *folder)
{
    struct fine__buf joined;

    if (!folder || path[0] == '/') {
        fine__yaml_text(out, path);
        return;
    }
    fine__buf_init(&joined, out->ctx);
    fine__buf_text(&joined, folder);
    if (folder[0] && folder[strlen(folder) - 1] != '/')
        fine__buf_byte(&joined, '/');
    fine__buf_text(&joined, path);
    if (fine__buf_status(&joined) == 0)
        fine__yaml_text(out, fine__buf_cstr(&joined));
    else
        out->failed = true;
    fine__buf_free(&joined);
}

static void
write_list(struct fine__buf *out, const struct fine__value *value)
{
    fine__buf_byte(out, '[');
    for (int64_t i = 0; i < value->n_items; i++) {
        if (i > 0)
            fine__buf_text(out, ", ");
        fine__yaml_text(out, value->items[i]);
    }
    fine__buf_byte(out, ']');
}

static void
write_period(struct fine__buf *out, const struct fine__value *value)
{
    char number[40];

    if (value->unit == FINE__UNIT_STEPS)
        fine__buf_printf(out, "%lld step%s", (long long)value->integer,
                         value->integer == 1 ? "" : "s");
    else
        fine__buf_printf(out, "%s epoch%s", fine__format_double(number, value->number),
                         value->number > 1 || value->number < 1 ? "s" : "");
}

bool
fine__value_is_set(const struct fine__key *key, const struct fine__value *value)
{
    switch (key->kind) {
    case FINE__KEY_INTEGER:
    case FINE__KEY_NUMBER:
    case FINE__KEY_POSITIVE:
        return value->given || key->fallback[0];
    case FINE__KEY_SPLIT:
        return value->is_number || value->n_items > 0;
    case FINE__KEY_TEXT:
    case FINE__KEY_PATH:
    case FINE__KEY_CHOICE:
    case FINE__KEY_TEXTS:
    case FINE__KEY_PATTERNS:
    case FINE__KEY_CHARACTER:
        return value->n_items > 0;
    default:
        return true;
    }
}

void
fine__value_write(struct fine__buf *out, const struct fine__key *key,
                  const struct fine__value *value, const char *folder)
{
    if (!fine__value_is_set(key, value))
        return;
    switch (key->kind) {
    case FINE__KEY_INTEGER:
    case FINE__KEY_STEPS:
        fine__buf_printf(out, "%lld", (long long)value->integer);
        return;
    case FINE__KEY_NUMBER:
    case FINE__KEY_POSITIVE:
        fine__yaml_number(out, value->number);
        return;
    case FINE__KEY_FLAG:
        fine__buf_text(out, value->flag ? "true" : "false");
        return;
    case FINE__KEY_BETAS:
        fine__buf_byte(out, '[');
        fine__yaml_number(out, value->pair[0]);
        fine__buf_text(out, ", ");
        fine__yaml_number(out, value->pair[1]);
        fine__buf_byte(out, ']');
        return;
    case FINE__KEY_PERIOD:
        write_period(out, value);
        return;
    case FINE__KEY_SPLIT:
        if (value->is_number)
            fine__yaml_number(out, value->number);
        else
            write_path(out, value->items[0], folder);
        return;
    case FINE__KEY_PATH:
        write_path(out, value->items[0], folder);
        return;
    case FINE__KEY_HEADER:
        if (!value->is_list) {
            fine__buf_text(out, value->flag ? "true" : "false");
            return;
        }
        write_list(out, value);
        return;
    default:
        if (value->is_list)
            write_list(out, value);
        else
            fine__yaml_text(out, value->items[0]);
    }
}

/* ---- whole recipes ---- */

/* The sections that a key lies in, opened as they change. */
static void
open_sections(struct fine__buf *out, const char *name, const char *before)
{
    const char *dot;
    int depth = 0;

    for (const char *at = name; (dot = strchr(at, '.')); at = dot + 1, depth++) {
        size_t n = (size_t)(dot - name) + 1;

        if (strncmp(before, name, n) == 0)
            continue;
        fine__buf_printf(out, "%*s%.*s:\n", depth * 2, "", (int)(dot - at), at);
    }
    fine__buf_printf(out, "%*s", depth * 2, "");
}

void
fine__recipe_write(const struct fine_recipe *recipe, struct fine__buf *out, const char *folder)
{
    const char *before = "";

    for (int i = 0; i < FINE__N_KEYS; i++) {
        const struct fine__key *key = &fine__keys[i];

        if (!fine__recipe_applies(recipe, i) || !fine__value_is_set(key, &recipe->values[i]))
            continue;
        open_sections(out, key->name, before);
        fine__buf_printf(out, "%s: ", strrchr(key->name, '.') + 1);
        fine__value_write(out, key, &recipe->values[i], folder);
        fine__buf_byte(out, '\n');
        before = key->name;
    }
}

void
fine__recipe_write_section(const struct fine_recipe *recipe, struct fine__buf *out,
                           const char *section)
{
    size_t n = strlen(section);
    const char *inner = NULL;
    size_t inner_length = 0;
    bool first = true;

    /* one level of inner sections is all there is */
    fine__buf_byte(out, '{');
    for (int i = 0; i < FINE__N_KEYS; i++) {
        const struct fine__key *key = &fine__keys[i];
        const char *rest = key->name + n + 1, *dot;

        if (strncmp(key->name, section, n) != 0 || key->name[n] != '.' ||
            !fine__recipe_applies(recipe, i) || !fine__value_is_set(key, &recipe->values[i]))
            continue;
        dot = strchr(rest, '.');
        if (inner && (!dot || strncmp(rest, inner, inner_length) != 0)) {
            fine__buf_byte(out, '}');
            inner = NULL;
        }
        if (!first)
            fine__buf_text(out, ", ");
        first = false;
        if (dot && !inner) {
            inner = rest;
            inner_length = (size_t)(dot - rest) + 1;
            fine__buf_printf(out, "%.*s: {", (int)(dot - rest), rest);
        }
        fine__buf_printf(out, "%s: ", dot ? dot + 1 : rest);
        fine__value_write(out, key, &recipe->values[i], NULL);
    }
    if (inner)
        fine__buf_byte(out, '}');
    fine__buf_byte(out, '}');
}
