/*
 * text.c — escaping, and numbers as people read them, the same in every locale.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "report/page.h"

/* Calls put for each character; what cannot stand in a document is U+FFFD. */
static void
each_character(struct fine__buf *out, const char *text, size_t length,
               void (*put)(struct fine__buf *out, const char *bytes, size_t length))
{
    for (size_t i = 0, used; i < length; i += used) {
        bool valid;
        int32_t c;

        used = fine__utf8_decode(text + i, length - i, &c, &valid);
        if (!valid || (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0)
            || c == 0xfffe || c == 0xffff)
            put(out, "\xef\xbf\xbd", 3);
        else
            put(out, text + i, used);
    }
}

static void
put_html(struct fine__buf *out, const char *bytes, size_t length)
{
    switch (bytes[0]) {
    case '<':
        fine__buf_text(out, "&lt;");
        break;
    case '>':
        fine__buf_text(out, "&gt;");
        break;
    case '&':
        fine__buf_text(out, "&amp;");
        break;
    case '"':
        fine__buf_text(out, "&quot;");
        break;
    case '\'':
        fine__buf_text(out, "&#39;");
        break;
    default:
        fine__buf_append(out, bytes, length);
    }
}

void
fine__html_text(struct fine__buf *out, const char *text)
{
    each_character(out, text, strlen(text), put_html);
}

void
fine__html_text_n(struct fine__buf *out, const char *text, size_t length)
{
    each_character(out, text, length, put_html);
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What is never at the start of a line needs no escape of what means something there
 * alone; nor does '_' within a word. bytes[length] is the next character's first byte. */
static bool
needs_escape(const struct fine__buf *out, const char *bytes)
{
    if (bytes[0] == '_')
        return out->length == 0 || !is_word(out->data[out->length - 1]) || !is_word(bytes[1]);
    if (bytes[0] == ':')
        return bytes[1] == '/';     /* an address would become a link */
    return strchr("\\`*[]#|~$@", bytes[0]) != NULL;
}

static void
put_markdown(struct fine__buf *out, const char *bytes, size_t length)
{
    if (bytes[0] == '\n' || bytes[0] == '\t') {
        fine__buf_byte(out, ' ');
    } else if (bytes[0] == '<' || bytes[0] == '>' || bytes[0] == '&') {
        put_html(out, bytes, length);
    } else {
        if (needs_escape(out, bytes))
            fine__buf_byte(out, '\\');
        fine__buf_append(out, bytes, length);
    }
}

void
fine__markdown_text(struct fine__buf *out, const char *text)
{
    each_character(out, text, strlen(text), put_markdown);
}

void
fine__put_scaled(struct fine__buf *out, int64_t value, int exponent)
{
    char digits[32];
    int n = 0;

    if (value < 0)
        fine__buf_byte(out, '-');
    for (uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
         rest > 0 || n == 0 || n <= -exponent; rest /= 10) {
        digits[n++] = (char)('0' + rest % 10);
        if (n == (int)sizeof digits)
            break;
    }
    while (n > 0) {
        fine__buf_byte(out, digits[--n]);
        if (n > 0 && n == -exponent)
            fine__buf_byte(out, '.');
    }
    for (; exponent > 0 && value != 0; exponent--)
        fine__buf_byte(out, '0');
}

void
fine__put_fixed(struct fine__buf *out, double value, int decimals)
{
    double scale = 1;
    char text[32];

    if (!isfinite(value)) {
        fine__buf_text(out, "–");
        return;
    }
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    if (fabs(value) * scale > 9e15)
        fine__buf_text(out, fine__format_double(text, value));
    else
        fine__put_scaled(out, (int64_t)llround(value * scale), -decimals);
}

void
fine__put_significant(struct fine__buf *out, double value, int digits)
{
    int exponent, decimals;
    int64_t mantissa;

    if (!isfinite(value) || value == 0) {
        fine__put_fixed(out, value, 0);
        return;
    }
    exponent = (int)floor(log10(fabs(value)));
    if (exponent >= -3 && exponent < 6) {
        decimals = digits - 1 - exponent;
        fine__put_fixed(out, value, decimals > 0 ? decimals : 0);
        return;
    }
    /* In two steps: 10^-exponent may be too large for a double. */
    mantissa = llround(value * pow(10, -exponent / 2) * pow(10, digits - 1 - exponent
                                                                - -exponent / 2));
    if (llabs(mantissa) >= llround(pow(10, digits))) {      /* 9.9996 became 10.00 */
        mantissa /= 10;
        exponent++;
    }
    for (decimals = digits - 1; decimals > 0 && mantissa % 10 == 0; decimals--)
        mantissa /= 10;
    fine__put_scaled(out, mantissa, -decimals);
    fine__buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+',
                     exponent < 0 ? -exponent : exponent);
}

void
fine__put_count(struct fine__buf *out, int64_t value)
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%" PRId64, value);

    for (int i = 0; i < length; i++) {
        fine__buf_byte(out, digits[i]);
        if (digits[i] != '-' && i + 1 < length && (length - 1 - i) % 3 == 0)
            fine__buf_byte(out, ',');
    }
}

void
fine__put_bytes(struct fine__buf *out, double bytes)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    int i = 0;

    for (; i < 4 && fabs(bytes) >= 999.5; i++)
        bytes /= 1000;
    fine__put_fixed(out, bytes, i == 0 || bytes >= 99.5 ? 0 : 1);
    fine__buf_printf(out, " %s", units[i]);
}

void
fine__put_seconds(struct fine__buf *out, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e12) {
        fine__put_fixed(out, NAN, 0);
    } else if (seconds < 59.95) {
        fine__put_fixed(out, seconds, seconds < 9.995 ? 2 : 1);
        fine__buf_text(out, " s");
    } else {
        const int64_t whole = llround(seconds);

        if (whole >= 3600)
            fine__buf_printf(out, "%" PRId64 " h %" PRId64 " min", whole / 3600,
                             whole % 3600 / 60);
        else
            fine__buf_printf(out, "%" PRId64 " min %" PRId64 " s", whole / 60, whole % 60);
    }
}

/* ---- metrics ---- */

static const struct {
    const char *name, *title;
    bool is_share;
} metric_titles[] = {
    { "loss", "Loss", false },
    { "accuracy", "Accuracy", true },
    { "macro_f1", "Macro F1", true },
    { "micro_f1", "Micro F1", true },
    { "matthews", "Matthews", false },
    { "pearson", "Pearson", false },
    { "spearman", "Spearman", false },
    { "rmse", "RMSE", false },
    { "average_precision", "Average precision", true },
    { "entity_f1", "Entity F1", true },
    { "precision", "Precision", true },
    { "recall", "Recall", true },
    { "exact_match", "Exact match", true },
    { "span_f1", "Span F1", true },
    { "perplexity", "Perplexity", false },
    { "top5_accuracy", "Top-5 accuracy", true },
};

const char *
fine__metric_title(const char *name)
{
    for (int64_t i = 0; i < FINE__COUNT(metric_titles); i++)
        if (strcmp(metric_titles[i].name, name) == 0)
            return metric_titles[i].title;
    return name;
}

bool
fine__is_share(const char *metric)
{
    for (int64_t i = 0; i < FINE__COUNT(metric_titles); i++)
        if (strcmp(metric_titles[i].name, metric) == 0)
            return metric_titles[i].is_share;
    return false;
}

void
fine__put_metric(struct fine__buf *out, const char *name, double value)
{
    if (fine__is_share(name)) {
        fine__put_fixed(out, value * 100, 1);
        fine__buf_text(out, " %");
    } else if (fabs(value) < 1) {
        fine__put_fixed(out, value, 3);
    } else {
        fine__put_significant(out, value, 4);
    }
}
