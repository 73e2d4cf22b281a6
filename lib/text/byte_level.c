/*
 * byte_level.c — words and bytes before byte-level BPE; see byte_level.h.
 *
 * The pattern is
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * and its first alternative that fits is taken, so it needs no search: a word is a
 * contraction, or a run of one class of characters with a space that stands before it; of
 * white space before something else the last character is left for what follows. Each
 * byte is looked at twice at most.
 */
#include "base/utf8.h"
#include "text/byte_level.h"

/* The bytes of a contraction at text, or 0. */
static size_t
contraction(const char *text, size_t length)
{
    if (length < 2 || text[0] != '\'')
        return 0;
    switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return 2;
    case 'r':
    case 'v':
        return length > 2 && text[2] == 'e' ? 3 : 0;
    case 'l':
        return length > 2 && text[2] == 'l' ? 3 : 0;
    default:
        return 0;
    }
}

static enum fine__byte_level_class
class_at(const char *text, size_t at, size_t end, size_t *length)
{
    int32_t c;

    *length = fine__utf8_decode(text + at, end - at, &c, NULL);
    return fine__byte_level_class(c);
}

size_t
fine__byte_level_word(const char *text, size_t at, size_t end, bool spaced)
{
    const size_t first = !spaced && text[at] == ' ' ? at + 1 : at;
    size_t n = spaced ? 0 : contraction(text + at, end - at), i, last;

    if (n > 0)
        return at + n;
    if (first < end) {
        const enum fine__byte_level_class class = class_at(text, first, end, &n);

        if (class != FINE__CLASS_SPACE) {
            for (i = first + n; i < end && class_at(text, i, end, &n) == class;)
                i += n;
            return i;
        }
    }
    last = at;
    for (i = at; i < end && class_at(text, i, end, &n) == FINE__CLASS_SPACE; i += n)
        last = i;
    return i == end || (last == at && !spaced) ? i : last;
}

int32_t
fine__byte_level_char(unsigned char byte)
{
    if (byte <= 32)
        return 0x100 + byte;
    if (byte >= 127 && byte <= 160)
        return 0x121 + (byte - 127);
    return byte == 173 ? 0x143 : byte;
}

int
fine__byte_level_byte(int32_t c)
{
    if (c > 32 && c <= 255 && fine__byte_level_char((unsigned char)c) == c)
        return c;
    if (c >= 0x100 && c <= 0x120)
        return c - 0x100;
    if (c >= 0x121 && c <= 0x142)
        return c - 0x121 + 127;
    return c == 0x143 ? 173 : -1;
}

int64_t
fine__byte_level_bytes(const char *piece, size_t length, char *out)
{
    int64_t n = 0;

    for (size_t i = 0; i < length;) {
        int32_t c;
        int byte;

        i += fine__utf8_decode(piece + i, length - i, &c, NULL);
        byte = fine__byte_level_byte(c);
        if (byte < 0)
            return -1;
        out[n++] = (char)byte;
    }
    return n;
}
