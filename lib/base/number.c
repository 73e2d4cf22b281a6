/*
 * number.c — strict and exact.
 *
 * Up to 2^53 and powers of ten up to 10^22 a product or quotient of two exact
 * doubles is correctly rounded (Clinger 1990, doi 10.1145/93542.93557). All else
 * goes to the C library's strtod() under the C locale, with at most 800 digits:
 * no midpoint between two doubles has more than 767, so a non-zero digit that
 * stands for the rest decides as the rest would.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/numeric.h"

enum { MAX_DIGITS = 800 };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
fine__parse_int64(const char *text, size_t length, int64_t *out)
{
    const bool negative = length > 0 && text[0] == '-';
    const uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t value = 0;

    if (length == (negative ? 1 : 0))
        return false;
    for (size_t i = negative ? 1 : 0; i < length; i++) {
        const unsigned digit = (unsigned)(text[i] - '0');

        if (!is_digit(text[i]) || value > (limit - digit) / 10)
            return false;
        value = 10 * value + digit;
    }
    if (negative)
        *out = value == limit ? INT64_MIN : -(int64_t)value;
    else
        *out = (int64_t)value;
    return true;
}

/* digits[0] digits[1] … times 10^exponent. */
struct decimal {
    bool negative;
    int n_digits;
    int64_t exponent;
    char digits[MAX_DIGITS + 32];   /* room for a last digit, "e", the exponent and NUL */
};

/* One digit of the mantissa: leading zeros vanish, what exceeds the room only
 * counts. */
static void
add_digit(struct decimal *d, char digit, bool *dropped)
{
    if (d->n_digits == 0 && digit == '0')
        return;
    if (d->n_digits < MAX_DIGITS) {
        d->digits[d->n_digits++] = digit;
        return;
    }
    d->exponent++;
    if (digit != '0')
        *dropped = true;
}

static bool
scan(const char *text, size_t length, struct decimal *d)
{
    bool dropped = false, negative_exponent = false;
    int64_t exponent = 0;
    size_t i = 0, start;

    d->negative = false;
    d->n_digits = 0;
    d->exponent = 0;
    if (i < length && text[i] == '-') {
        d->negative = true;
        i++;
    }
    for (start = i; i < length && is_digit(text[i]); i++)
        add_digit(d, text[i], &dropped);
    if (i == start)
        return false;
    if (i < length && text[i] == '.') {
        for (start = ++i; i < length && is_digit(text[i]); i++) {
            d->exponent--;
            add_digit(d, text[i], &dropped);
        }
        if (i == start)
            return false;
    }
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < length && (text[i] == '+' || text[i] == '-'))
            negative_exponent = text[i++] == '-';
        for (start = i; i < length && is_digit(text[i]); i++)
            if (exponent < INT64_C(1) << 56)   /* beyond any text's length: only the sign matters */
                exponent = 10 * exponent + (text[i] - '0');
        if (i == start)
            return false;
    }
    if (i != length)
        return false;
    if (dropped) {
        d->digits[d->n_digits++] = '1';
        d->exponent--;
    }
    d->exponent += negative_exponent ? -exponent : exponent;
    return true;
}

static double
convert(struct decimal *d)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    uint64_t mantissa = 0;

    if (d->n_digits == 0)
        return 0.0;
    if (d->n_digits <= 16 && d->exponent >= -22 && d->exponent <= 22) {
        for (int i = 0; i < d->n_digits; i++)
            mantissa = 10 * mantissa + (uint64_t)(d->digits[i] - '0');
        if (mantissa <= UINT64_C(1) << 53)
            return d->exponent < 0 ? (double)mantissa / powers[-d->exponent]
                                   : (double)mantissa * powers[d->exponent];
    }
    if (d->exponent > 400)
        return HUGE_VAL;
    if (d->exponent < -400 - MAX_DIGITS)
        return 0.0;
    snprintf(d->digits + d->n_digits, 24, "e%" PRId64, d->exponent);
    return strtod(d->digits, NULL);
}

bool
fine__parse_double(const char *text, size_t length, double *out)
{
    struct fine__numeric saved;
    struct decimal d;
    double value;

    if (!scan(text, length, &d))
        return false;
    fine__numeric_enter(&saved);
    value = convert(&d);
    fine__numeric_leave(&saved);
    if (!isfinite(value))
        return false;
    *out = d.negative ? -value : value;
    return true;
}

/* The unit at the end of a size, taken off *length; 0: none that we know. */
static int64_t
unit_of(const char *text, size_t *length)
{
    static const char letters[] = "KMGT";
    size_t n = *length;
    bool binary = false;
    int64_t unit = 1;

    if (n > 0 && text[n - 1] == 'B')
        n--;
    if (n > 0 && text[n - 1] == 'i') {
        binary = true;
        n--;
    }
    if (n > 0 && !is_digit(text[n - 1])) {
        const char letter = text[n - 1] == 'k' ? 'K' : text[n - 1];
        const char *at = letter != '\0' ? strchr(letters, letter) : NULL;

        if (at == NULL)
            return 0;
        for (const char *p = letters; p <= at; p++)
            unit *= binary ? 1024 : 1000;
        n--;
    } else if (binary) {
        return 0;
    }
    *length = n;
    return unit;
}

/* "1.5G" is fine; the fraction has at most six digits, and what is below a byte
 * is dropped. */
bool
fine__parse_size(const char *text, size_t length, int64_t *out)
{
    const int64_t unit = unit_of(text, &length);
    const char *point = unit > 0 ? memchr(text, '.', length) : NULL;
    const size_t whole_length = point != NULL ? (size_t)(point - text) : length;
    int64_t whole, fraction = 0, scale = 1;

    if (unit == 0 || length == 0 || text[0] == '-'
        || !fine__parse_int64(text, whole_length, &whole))
        return false;
    if (point != NULL) {
        const size_t digits = length - whole_length - 1;

        if (digits == 0 || digits > 6 || unit == 1 || point[1] == '-'
            || !fine__parse_int64(point + 1, digits, &fraction))
            return false;
        for (size_t i = 0; i < digits; i++)
            scale *= 10;
        fraction = fraction * unit / scale;
    }
    if (whole > (INT64_MAX - fraction) / unit)
        return false;
    *out = whole * unit + fraction;
    return true;
}

char *
fine__format_double(char *out, double value)
{
    struct fine__numeric saved;

    if (isnan(value))
        return strcpy(out, "nan");
    if (isinf(value))
        return strcpy(out, value < 0 ? "-inf" : "inf");
    fine__numeric_enter(&saved);
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, 32, "%.*g", precision, value);
        if (strtod(out, NULL) == value)
            break;
    }
    fine__numeric_leave(&saved);
    return out;
}
