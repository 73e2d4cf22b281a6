/*
 * exif.c — one number of a picture's Exif data: which way up it was taken.
 *
 * Exif is a TIFF file in miniature (TIFF 6.0, section 2; Exif 2.3, 4.6.4): a header with the
 * byte order, then directories of 12-byte entries. Only the first directory is looked at, and
 * only for tag 0x0112. Every offset is checked against the bytes that are there.
 */
#include "image/codecs.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

struct tiff {
    const unsigned char *bytes;
    size_t n_bytes;
    bool big_endian;
};

static uint32_t
read_16(const struct tiff *t, size_t at)
{
    const uint32_t a = t->bytes[at], b = t->bytes[at + 1];

    return t->big_endian ? a << 8 | b : b << 8 | a;
}

static uint32_t
read_32(const struct tiff *t, size_t at)
{
    const uint32_t a = read_16(t, at), b = read_16(t, at + 2);

    return t->big_endian ? a << 16 | b : b << 16 | a;
}

/* The value of an entry with one SHORT or LONG, which lies in the entry itself. */
static uint32_t
entry_value(const struct tiff *t, size_t at)
{
    if (read_32(t, at + 4) != 1)
        return 0;
    switch (read_16(t, at + 2)) {
    case TYPE_SHORT:
        return read_16(t, at + 8);
    case TYPE_LONG:
        return read_32(t, at + 8);
    default:
        return 0;
    }
}

int
fine__exif_orientation(const unsigned char *tiff, size_t n_bytes)
{
    struct tiff t = { tiff, n_bytes, false };
    size_t at, n_entries;

    if (n_bytes < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M'))
        return 1;
    t.big_endian = tiff[0] == 'M';
    if (read_16(&t, 2) != 42)
        return 1;
    at = read_32(&t, 4);
    if (at > n_bytes - 2)
        return 1;
    n_entries = read_16(&t, at);
    at += 2;
    for (size_t i = 0; i < n_entries && at <= n_bytes && n_bytes - at >= ENTRY_BYTES; i++) {
        if (read_16(&t, at) == TAG_ORIENTATION) {
            const uint32_t value = entry_value(&t, at);

            return value >= 1 && value <= 8 ? (int)value : 1;
        }
        at += ENTRY_BYTES;
    }
    return 1;
}
