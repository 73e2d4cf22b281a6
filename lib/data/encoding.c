/*
 * encoding.c — bytes to UTF-8, and where they aren't.
 *
 * Only single-byte code pages are converted, from a table of what differs from
 * ISO 8859-1: the 32 places in which Windows-1252 has printable characters
 * (Unicode's mapping CP1252.TXT, five of them not defined).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/table.h"

static const uint16_t cp1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

int
fine__encoding_parse(enum fine__encoding *out, const char *name)
{
    static const char *const names[] = { "utf-8", "latin-1", "cp1252" };

    if (name == NULL)
        name = names[0];
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum fine__encoding)i;
            return 0;
        }
    return fine__fail(FINE_EINVAL, "data.encoding: '%s' is none of utf-8, latin-1, cp1252", name);
}

/* The character that a byte stands for; 0: none. */
static int32_t
character(unsigned char byte, enum fine__encoding encoding)
{
    if (encoding == FINE__CP1252 && byte >= 0x80 && byte < 0xa0)
        return cp1252[byte - 0x80];
    return byte;
}

int
fine__encoding_convert(struct fine__buf *text, enum fine__encoding encoding)
{
    struct fine__buf out;
    size_t n_more = 0;
    char *end;

    if (encoding == FINE__UTF_8)
        return 0;
    for (size_t i = 0; i < text->length; i++) {
        const unsigned char byte = (unsigned char)text->data[i];

        if (byte >= 0x80)
            n_more += character(byte, encoding) >= 0x800 ? 2 : 1;
    }
    if (n_more == 0)
        return 0;
    fine__buf_init(&out, text->ctx);
    FINE__TRY(fine__buf_reserve(&out, text->length + n_more));
    end = out.data;
    for (size_t i = 0; i < text->length; i++) {
        const unsigned char byte = (unsigned char)text->data[i];
        const int32_t c = character(byte, encoding);

        if (byte < 0x80)
            *end++ = (char)byte;
        else if (c == 0)
            *end++ = (char)0xff;
        else
            end += fine__utf8_encode(c, end);
    }
    *end = '\0';
    out.length = (size_t)(end - out.data);
    fine__buf_free(text);
    *text = out;
    return 0;
}

size_t
fine__encoding_scan(const char *text, size_t from, size_t length)
{
    const uint64_t high = 0x8080808080808080u, low = 0x0101010101010101u;
    size_t i = from;

    while (i < length) {
        uint64_t word;
        int32_t c;
        bool valid;

        /* Eight bytes at once, as long as they are ASCII and none is 0. */
        if (length - i >= sizeof word) {
            memcpy(&word, text + i, sizeof word);
            if (((word | (word - low)) & high) == 0) {
                i += sizeof word;
                continue;
            }
        }
        if (text[i] == '\0')
            return i;
        const size_t used = fine__utf8_decode(text + i, length - i, &c, &valid);
        if (!valid)
            return i;
        i += used;
    }
    return length;
}

void
fine__encoding_explain(char *out, size_t size, enum fine__encoding encoding, const char *text,
                       size_t offset, size_t line_start)
{
    size_t place = 1;

    /* In a converted file a character is what was a byte. */
    for (size_t i = line_start; i < offset; i++)
        place += encoding == FINE__UTF_8 || ((unsigned char)text[i] & 0xc0) != 0x80;
    if (text[offset] == '\0')
        snprintf(out, size, "byte %zu of the line is 0, which is no text; if the file is UTF-16, "
                 "save it as UTF-8", place);
    else if (encoding == FINE__UTF_8)
        snprintf(out, size, "byte %zu of the line (0x%02x) is not UTF-8; if the file is in another "
                 "encoding, set data.encoding to latin-1 or cp1252", place,
                 (unsigned)(unsigned char)text[offset]);
    else
        snprintf(out, size, "byte %zu of the line is not defined in cp1252; check data.encoding",
                 place);
}
