/*
 * scan.c — a pull reader of JSON (RFC 8259) over text that it may overwrite.
 *
 * An unescaped string is never longer than its source, so it is written over it. There
 * is no recursion: nesting that nobody asked for is passed over with one bit a level.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "io/scan.h"

enum { MAX_DEPTH = 64 };

bool
fine__scan_fail(struct fine__scan *scan, const char *format, ...)
{
    char text[400];
    va_list arguments;

    if (scan->rc < 0)
        return false;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    scan->rc = fine__fail(FINE_EFORMAT, "%s: at byte %zu of the JSON text: %s", scan->what,
                          scan->at, text);
    return false;
}

void
fine__scan_init(struct fine__scan *scan, char *text, size_t length, const char *what)
{
    *scan = (struct fine__scan){ .text = text, .length = length, .what = what };
    if (!fine__utf8_valid(text, length))
        scan->rc = fine__fail(FINE_EFORMAT, "%s: the JSON text is not valid UTF-8", what);
}

/* The next byte that isn't blank, not consumed; 0 at the end. */
static char
peek(struct fine__scan *scan)
{
    while (scan->at < scan->length) {
        const char c = scan->text[scan->at];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return c;
        scan->at++;
    }
    return '\0';
}

static bool
take(struct fine__scan *scan, char wanted)
{
    if (scan->rc < 0 || peek(scan) != wanted)
        return false;
    scan->at++;
    return true;
}

bool
fine__scan_enter(struct fine__scan *scan, char bracket)
{
    return take(scan, bracket) ||
           fine__scan_fail(scan, "%s is expected", bracket == '{' ? "an object" : "a list");
}

/* After a bracket: is there another value? Consumes the comma or the closing bracket. */
static bool
more(struct fine__scan *scan, bool *first, char closing)
{
    if (scan->rc < 0 || take(scan, closing))
        return false;
    if (!*first && !take(scan, ','))
        return fine__scan_fail(scan, "',' or '%c' is expected", closing);
    *first = false;
    return true;
}

bool
fine__scan_element(struct fine__scan *scan, bool *first)
{
    return more(scan, first, ']');
}

bool
fine__scan_member(struct fine__scan *scan, bool *first, char **key, size_t *length)
{
    if (!more(scan, first, '}') || !fine__scan_string(scan, key, length, "a name"))
        return false;
    return take(scan, ':') || fine__scan_fail(scan, "':' is expected after the name");
}

/* Four hexadecimal digits at text; -1: not so. */
static int32_t
hex4(const char *text, const char *end)
{
    int32_t value = 0;

    if (end - text < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char c = text[i];
        const int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* What follows a backslash at *from; writes at *to and moves both on. */
static bool
unescape(const char **from, const char *end, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name = *from < end ? memchr(names, **from, sizeof names - 1) : NULL;
    int32_t c, low;

    if (name != NULL) {
        *(*to)++ = values[name - names];
        (*from)++;
        return true;
    }
    if (*from == end || **from != 'u')
        return false;
    c = hex4(*from + 1, end);
    if (c < 0 || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    *from += 5;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - *from < 6 || (*from)[0] != '\\' || (*from)[1] != 'u')
            return false;
        low = hex4(*from + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        *from += 6;
    }
    *to += fine__utf8_encode(c, *to);
    return true;
}

bool
fine__scan_string(struct fine__scan *scan, char **out, size_t *length, const char *role)
{
    const char *from, *const end = scan->text + scan->length;
    char *start, *to;

    if (!take(scan, '"'))
        return fine__scan_fail(scan, "%s is expected, in quotes", role);
    start = to = scan->text + scan->at;
    from = start;
    while (from < end && *from != '"') {
        if ((unsigned char)*from < 0x20) {
            scan->at = (size_t)(from - scan->text);
            return fine__scan_fail(scan, "a control character within a text");
        }
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        if (!unescape(&from, end, &to)) {
            scan->at = (size_t)(to - scan->text);
            return fine__scan_fail(scan, "a broken escape within a text");
        }
    }
    if (from >= end)
        return fine__scan_fail(scan, "a text that begins here is not closed");
    scan->at = (size_t)(from - scan->text) + 1;
    *length = (size_t)(to - start);
    *to = '\0'; /* at the latest over the closing quote */
    *out = start;
    return true;
}

static bool
is_digit(const struct fine__scan *scan)
{
    return scan->at < scan->length && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9';
}

/* Passes over a number as JSON writes it; false: it isn't one. */
static bool
pass_number(struct fine__scan *scan, bool *is_whole)
{
    const char *text = scan->text;
    size_t digits;

    *is_whole = true;
    if (scan->at < scan->length && text[scan->at] == '-')
        scan->at++;
    digits = scan->at;
    while (is_digit(scan))
        scan->at++;
    if (scan->at == digits || (text[digits] == '0' && scan->at - digits > 1))
        return false;
    if (scan->at < scan->length && text[scan->at] == '.') {
        *is_whole = false;
        digits = ++scan->at;
        while (is_digit(scan))
            scan->at++;
        if (scan->at == digits)
            return false;
    }
    if (scan->at < scan->length && (text[scan->at] == 'e' || text[scan->at] == 'E')) {
        *is_whole = false;
        scan->at++;
        if (scan->at < scan->length && (text[scan->at] == '+' || text[scan->at] == '-'))
            scan->at++;
        digits = scan->at;
        while (is_digit(scan))
            scan->at++;
        if (scan->at == digits)
            return false;
    }
    return true;
}

bool
fine__scan_count(struct fine__scan *scan, int64_t *out, const char *role)
{
    size_t start;
    bool is_whole;

    if (scan->rc < 0)
        return false;
    peek(scan);
    start = scan->at;
    if (!is_digit(scan) || !pass_number(scan, &is_whole) || !is_whole) {
        scan->at = start;
        return fine__scan_fail(scan, "%s must be a whole number, not negative", role);
    }
    if (!fine__parse_int64(scan->text + start, scan->at - start, out)) {
        scan->at = start;
        return fine__scan_fail(scan, "%s overflows: it is above 2^63 - 1", role);
    }
    return true;
}

/* A value that is neither object nor list. */
static bool
skip_plain(struct fine__scan *scan)
{
    static const char *const words[] = { "true", "false", "null" };
    const char c = peek(scan);
    char *text;
    size_t length;
    bool is_whole;

    if (c == '"')
        return fine__scan_string(scan, &text, &length, "a text");
    for (int i = 0; i < 3; i++) {
        length = strlen(words[i]);
        if (scan->length - scan->at >= length &&
            memcmp(scan->text + scan->at, words[i], length) == 0) {
            scan->at += length;
            return true;
        }
    }
    return pass_number(scan, &is_whole) || fine__scan_fail(scan, "a value is expected");
}

bool
fine__scan_skip(struct fine__scan *scan)
{
    uint64_t is_object = 0; /* a bit a level, the innermost lowest */
    int depth = 0;
    bool first = true; /* nothing read yet within the innermost bracket */

    while (scan->rc == 0) {
        char *key;
        size_t length;
        const char c = peek(scan);

        if (c == '{' || c == '[') {
            if (depth == MAX_DEPTH)
                return fine__scan_fail(scan, "nested more than %d deep", MAX_DEPTH);
            scan->at++;
            depth++;
            is_object = is_object << 1 | (c == '{');
            first = true;
        } else {
            if (!skip_plain(scan))
                return false;
            first = false;
        }
        /* Closes what ends here, until there is another value to read. */
        while (depth > 0 && scan->rc == 0) {
            const bool another = is_object & 1 ? fine__scan_member(scan, &first, &key, &length)
                                               : fine__scan_element(scan, &first);

            if (another)
                break;
            is_object >>= 1;
            depth--;
            first = false;
        }
        if (depth == 0)
            return scan->rc == 0;
    }
    return false;
}

bool
fine__scan_end(struct fine__scan *scan)
{
    if (scan->rc < 0)
        return false;
    peek(scan);
    return scan->at == scan->length || fine__scan_fail(scan, "more text follows the value");
}
