/*
 * utf8.c — decoding of our own, properties from utf8proc.
 *
 * utf8proc doesn't say how many bytes a broken sequence takes, and the practice
 * of Unicode 15 table 3-7 (maximal subparts) is a dozen lines.
 */
#include <utf8proc.h>

#include "base/utf8.h"

static size_t
broken(size_t used, int32_t *out, bool *valid)
{
    *out = 0xfffd;
    if (valid != NULL)
        *valid = false;
    return used;
}

size_t
fine__utf8_decode(const char *text, size_t length, int32_t *out, bool *valid)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned low = 0x80, high = 0xbf;   /* what the second byte may be */
    size_t n;
    int32_t c;

    if (valid != NULL)
        *valid = true;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        c = p[0] & 0x1f;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        c = p[0] & 0x0f;
        if (p[0] == 0xe0)
            low = 0xa0;    /* shorter forms exist */
        else if (p[0] == 0xed)
            high = 0x9f;   /* surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        c = p[0] & 0x07;
        if (p[0] == 0xf0)
            low = 0x90;
        else if (p[0] == 0xf4)
            high = 0x8f;   /* above U+10FFFF */
    } else {
        return broken(1, out, valid);
    }
    for (size_t i = 1; i < n; i++) {
        if (i >= length || p[i] < low || p[i] > high)
            return broken(i, out, valid);
        c = (int32_t)((uint32_t)c << 6 | (p[i] & 0x3f));
        low = 0x80;
        high = 0xbf;
    }
    *out = c;
    return n;
}

size_t
fine__utf8_encode(int32_t code_point, char out[4])
{
    uint32_t c = (uint32_t)code_point;

    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool
fine__utf8_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        int32_t c;
        bool valid;

        i += fine__utf8_decode(text + i, length - i, &c, &valid);
        if (!valid)
            return false;
    }
    return true;
}

int64_t
fine__utf8_count(const char *text, size_t length)
{
    int64_t count = 0;

    for (size_t i = 0; i < length; count++) {
        int32_t c;

        i += fine__utf8_decode(text + i, length - i, &c, NULL);
    }
    return count;
}

enum fine__category
fine__utf8_category(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return FINE__LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return FINE__MARK;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return FINE__NUMBER;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return FINE__PUNCTUATION;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
        return FINE__SYMBOL;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return FINE__SEPARATOR;
    default:
        return FINE__OTHER;
    }
}

bool
fine__utf8_is_nonspacing_mark(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_MN;
}

bool
fine__utf8_is_space_separator(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

bool
fine__utf8_is_control(int32_t c)
{
    return fine__utf8_category(c) == FINE__OTHER;
}

bool
fine__utf8_is_white_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680
        || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f
        || c == 0x205f || c == 0x3000;
}

bool
fine__utf8_is_word(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    case UTF8PROC_CATEGORY_CF:
        return c == 0x200c || c == 0x200d;
    case UTF8PROC_CATEGORY_SO:   /* encircled and squared letters are alphabetic */
        return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149)
            || (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    default:
        return fine__utf8_category(c) == FINE__LETTER || fine__utf8_category(c) == FINE__MARK;
    }
}

int
fine__utf8_lower(int32_t c, int32_t out[3])
{
    if (c == 0x130) {   /* the only one whose lower case has two, in every language */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = utf8proc_tolower(c);
    return 1;
}

int
fine__utf8_decompose(int32_t c, int32_t out[18])
{
    int last = 0;
    utf8proc_ssize_t n;

    if (c < 0xc0) {   /* most text, and nothing there decomposes canonically */
        out[0] = c;
        return 1;
    }
    n = utf8proc_decompose_char(c, out, 18, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &last);
    if (n < 1 || n > 18) {   /* not a code point */
        out[0] = c;
        return 1;
    }
    return (int)n;
}

int
fine__utf8_combining_class(int32_t c)
{
    return utf8proc_get_property(c)->combining_class;
}
