/*
 * zip.c — the end of the archive, its directory, and each entry's own header.
 *
 * The directory is believed where it can be held against the file: an entry's name must stand
 * again in front of its bytes. Sizes of 2^32 - 1 stand for those in the zip64 extra field.
 * Reference: PKWARE's APPNOTE 6.3.10, 4.3 and 4.5.3.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/crc32.h"
#include "io/zip.h"

enum {
    END = 22,
    END64 = 56,
    LOCATOR = 20,
    MAX_COMMENT = 65535,
    HEADER = 46,
    LOCAL = 30,
    EXTRA64 = 1,
    MAX_DIRECTORY = 100 * 1000 * 1000,
    PIECE = 1 << 16
};

struct directory {
    uint64_t at, bytes, count;
    int64_t end; /* of the file's part that entries and directory may take */
};

static uint64_t
number(const unsigned char *bytes, int n)
{
    uint64_t value = 0;

    for (int i = 0; i < n; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static int
damaged(const struct fine__blob *blob, const char *what)
{
    return fine__fail(FINE_EFORMAT, "%s: damaged zip archive: %s: download or save it again",
                      blob->name, what);
}

/* ---- the end ---- */

static int
read_end64(struct fine__blob *blob, int64_t end_at, struct directory *d)
{
    unsigned char locator[LOCATOR], end[END64];
    uint64_t at;

    if (end_at < LOCATOR)
        return 0;
    FINE__TRY(fine__blob_read_at(blob, locator, LOCATOR, end_at - LOCATOR));
    if (memcmp(locator, "PK\006\007", 4) != 0)
        return 0;
    at = number(locator + 8, 8);
    if (at > (uint64_t)(end_at - LOCATOR) || (uint64_t)(end_at - LOCATOR) - at < END64)
        return damaged(blob, "its zip64 end is not where it should be");
    FINE__TRY(fine__blob_read_at(blob, end, END64, (int64_t)at));
    if (memcmp(end, "PK\006\006", 4) != 0)
        return damaged(blob, "its zip64 end is not where it should be");
    if (number(end + 16, 4) != 0 || number(end + 20, 4) != 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: an archive in several volumes is not read",
                          blob->name);
    d->count = number(end + 32, 8);
    d->bytes = number(end + 40, 8);
    d->at = number(end + 48, 8);
    d->end = (int64_t)at;
    return 0;
}

/* The last record of the file whose comment reaches exactly to the file's end. */
static int
find_end(struct fine__blob *blob, fine_context *ctx, struct directory *d)
{
    const int64_t n = blob->size < END + MAX_COMMENT ? blob->size : END + MAX_COMMENT;
    unsigned char *tail = fine__alloc(ctx, (size_t)n);
    int64_t at = n - END;
    int rc;

    if (tail == NULL)
        return FINE_ENOMEM;
    rc = fine__blob_read_at(blob, tail, (size_t)n, blob->size - n);
    while (rc == 0 && at >= 0 &&
           (memcmp(tail + at, "PK\005\006", 4) != 0 ||
            at + END + (int64_t)number(tail + at + 20, 2) != n))
        at--;
    if (rc == 0 && at < 0)
        rc = fine__fail(FINE_EFORMAT,
                        "%s: truncated: the directory at the archive's end is missing: download "
                        "or save it again",
                        blob->name);
    if (rc == 0) {
        const unsigned char *end = tail + at;

        if (number(end + 4, 2) != 0 || number(end + 6, 2) != 0)
            rc = fine__fail(FINE_EUNSUPPORTED, "%s: an archive in several volumes is not read",
                            blob->name);
        d->count = number(end + 10, 2);
        d->bytes = number(end + 12, 4);
        d->at = number(end + 16, 4);
        d->end = blob->size - n + at;
    }
    fine__free(ctx, tail);
    if (rc == 0)
        rc = read_end64(blob, d->end, d);
    if (rc < 0)
        return rc;
    if (d->at > (uint64_t)d->end || d->bytes > (uint64_t)d->end - d->at)
        return damaged(blob, "its directory does not lie within the file");
    if (d->bytes > MAX_DIRECTORY)
        return damaged(blob, "its directory has more than 100 MB");
    if (d->count > d->bytes / HEADER)
        return damaged(blob, "its directory is too short for its entries");
    d->end = (int64_t)d->at;
    return 0;
}

/* ---- the entries ---- */

/* Sizes and place that the header itself had no room for. */
static bool
read_extra(const unsigned char *extra, uint64_t length, uint64_t values[3])
{
    while (length >= 4) {
        const uint64_t id = number(extra, 2), n = number(extra + 2, 2);

        if (n > length - 4)
            return false;
        if (id == EXTRA64) {
            uint64_t at = 0;

            for (int i = 0; i < 3; i++) {
                if (values[i] != UINT32_MAX)
                    continue;
                if (n - at < 8)
                    return false;
                values[i] = number(extra + 4 + at, 8);
                at += 8;
            }
            return true;
        }
        extra += 4 + n;
        length -= 4 + n;
    }
    return values[0] != UINT32_MAX && values[1] != UINT32_MAX && values[2] != UINT32_MAX;
}

/* Where an entry's bytes begin: behind its own header, which repeats its name. */
static int
find_bytes(struct fine__blob *blob, const struct directory *d, const unsigned char *name,
           uint64_t length, struct fine__zip_entry *entry)
{
    unsigned char local[LOCAL + UINT8_MAX + 1];
    const size_t n = length <= UINT8_MAX ? (size_t)length : UINT8_MAX;

    if (d->end - entry->begin < LOCAL + (int64_t)length)
        return damaged(blob, "an entry lies outside");
    FINE__TRY(fine__blob_read_at(blob, local, LOCAL + n, entry->begin));
    if (memcmp(local, "PK\003\004", 4) != 0 || number(local + 26, 2) != length ||
        memcmp(local + LOCAL, name, n) != 0)
        return damaged(blob, "an entry is not where the directory says");
    entry->from = entry->begin + LOCAL + (int64_t)length + (int64_t)number(local + 28, 2);
    if (entry->from > d->end || entry->bytes > d->end - entry->from)
        return damaged(blob, "an entry reaches beyond the archive");
    entry->end = entry->from + entry->bytes;
    return 0;
}

static int
read_entry(struct fine__zip *zip, const struct directory *d, const unsigned char *header,
           uint64_t left, uint64_t *used)
{
    struct fine__zip_entry *entry = &zip->list[zip->count];
    uint64_t values[3], name, extra, folder = 0;
    int rc;

    if (left < HEADER || memcmp(header, "PK\001\002", 4) != 0)
        return damaged(zip->blob, "its directory has fewer entries than it says");
    name = number(header + 28, 2);
    extra = number(header + 30, 2);
    *used = HEADER + name + extra + number(header + 32, 2);
    if (*used > left)
        return damaged(zip->blob, "its directory ends within an entry");
    if (number(header + 8, 2) & 1)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the archive is encrypted", zip->blob->name);
    entry->method = (int32_t)number(header + 10, 2);
    entry->crc = (uint32_t)number(header + 16, 4);
    /* In the order of the extra field: size, size as stored, place. */
    values[0] = number(header + 24, 4);
    values[1] = number(header + 20, 4);
    values[2] = number(header + 42, 4);
    if (!read_extra(header + HEADER + name, extra, values) || values[2] > (uint64_t)d->end ||
        values[1] > (uint64_t)d->end || (entry->method == 0 && values[0] != values[1]))
        return damaged(zip->blob, "the sizes of an entry make no sense");
    entry->bytes = (int64_t)values[1];
    entry->begin = (int64_t)values[2];
    FINE__TRY(find_bytes(zip->blob, d, header + HEADER, name, entry));
    rc = fine__map_put(&zip->names, (const char *)header + HEADER, (size_t)name, zip->count);
    if (rc > 0)
        return damaged(zip->blob, "two entries have the same name");
    FINE__TRY(rc);
    if (zip->count++ > 0)
        return 0;
    while (folder < name && header[HEADER + folder] != '/')
        folder++;
    folder = folder < name ? folder + 1 : 0;
    zip->folder = fine__strndup(zip->names.ctx, (const char *)header + HEADER, (size_t)folder);
    return zip->folder != NULL ? 0 : FINE_ENOMEM;
}

static int
by_place(const void *left, const void *right)
{
    const struct fine__zip_entry *const *a = left, *const *b = right;

    return (*a)->begin < (*b)->begin ? -1 : (*a)->begin > (*b)->begin;
}

static int
check_overlaps(const struct fine__zip *zip, fine_context *ctx)
{
    const struct fine__zip_entry **sorted =
        fine__alloc_array(ctx, (size_t)zip->count, sizeof *sorted);
    int rc = 0;

    if (sorted == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < zip->count; i++)
        sorted[i] = &zip->list[i];
    if (zip->count > 0)
        qsort(sorted, (size_t)zip->count, sizeof *sorted, by_place);
    for (int64_t i = 1; rc == 0 && i < zip->count; i++)
        if (sorted[i]->begin < sorted[i - 1]->end)
            rc = damaged(zip->blob, "two entries overlap");
    fine__free(ctx, sorted);
    return rc;
}

static int
read_directory(struct fine__zip *zip, fine_context *ctx, const struct directory *d,
               unsigned char *bytes)
{
    uint64_t at = 0, used = 0;

    FINE__TRY(fine__blob_read_at(zip->blob, bytes, (size_t)d->bytes, (int64_t)d->at));
    for (uint64_t i = 0; i < d->count; i++, at += used)
        FINE__TRY(read_entry(zip, d, bytes + at, d->bytes - at, &used));
    return check_overlaps(zip, ctx);
}

int
fine__zip_open(struct fine__zip *zip, fine_context *ctx, struct fine__blob *blob)
{
    struct directory d = { 0 };
    unsigned char *bytes;
    int rc;

    *zip = (struct fine__zip){ .blob = blob };
    fine__map_init(&zip->names, ctx);
    FINE__TRY(find_end(blob, ctx, &d));
    bytes = fine__alloc(ctx, (size_t)d.bytes);
    zip->list = fine__alloc_array(ctx, (size_t)d.count, sizeof *zip->list);
    rc = bytes == NULL || zip->list == NULL ? FINE_ENOMEM : 0;
    if (rc == 0)
        rc = read_directory(zip, ctx, &d, bytes);
    fine__free(ctx, bytes);
    if (rc < 0)
        fine__zip_free(zip);
    return rc;
}

void
fine__zip_free(struct fine__zip *zip)
{
    fine_context *ctx = zip->names.ctx;

    fine__map_free(&zip->names);
    fine__free(ctx, zip->list);
    fine__free(ctx, zip->folder);
    zip->list = NULL;
    zip->folder = NULL;
    zip->count = 0;
}

const struct fine__zip_entry *
fine__zip_find(const struct fine__zip *zip, const char *name, size_t length)
{
    char full[1024];
    const size_t folder = zip->folder != NULL ? strlen(zip->folder) : 0;
    int64_t i;

    if (folder > sizeof full || length > sizeof full - folder)
        return NULL;
    memcpy(full, zip->folder != NULL ? zip->folder : "", folder);
    memcpy(full + folder, name, length);
    i = fine__map_get(&zip->names, full, folder + length);
    return i >= 0 ? &zip->list[i] : NULL;
}

int
fine__zip_want(const struct fine__zip *zip, const char *name, size_t length,
               const struct fine__zip_entry **out)
{
    const struct fine__zip_entry *entry = fine__zip_find(zip, name, length);

    if (entry == NULL)
        return fine__fail(FINE_EFORMAT, "%s: the archive has no '%.*s'", zip->blob->name,
                          (int)(length < 200 ? length : 200), name);
    if (entry->method != 0)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: '%.*s' is compressed, which torch.save does not do: unpack the "
                          "archive and pack it again without compression ('zip -0')",
                          zip->blob->name, (int)(length < 200 ? length : 200), name);
    *out = entry;
    return 0;
}

int
fine__zip_check(fine_context *ctx, struct fine__blob *blob, int64_t from, int64_t bytes,
                uint32_t wanted, const char *what)
{
    struct {
        struct fine__crc32 crc;
        unsigned char piece[PIECE];
    } *room = fine__alloc(ctx, sizeof *room);
    int rc = room != NULL ? 0 : FINE_ENOMEM;

    if (rc < 0)
        return rc;
    fine__crc32_begin(&room->crc);
    for (int64_t at = 0, n; rc == 0 && at < bytes; at += n) {
        n = bytes - at < PIECE ? bytes - at : PIECE;
        rc = fine__blob_read_at(blob, room->piece, (size_t)n, from + at);
        if (rc == 0)
            fine__crc32_update(&room->crc, room->piece, (size_t)n);
    }
    if (rc == 0 && fine__crc32_value(&room->crc) != wanted)
        rc = fine__fail(FINE_EFORMAT,
                        "%s: damaged: the checksum of %s is not what the archive says: download "
                        "or save it again",
                        blob->name, what);
    fine__free(ctx, room);
    return rc;
}
