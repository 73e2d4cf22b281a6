/*
 * header.c — the header of one safetensors file, from bytes to checked entries.
 *
 * Nothing is believed: every length is compared with the file's size before memory is
 * asked for, every product is checked, and the entries, sorted by place, must cover the
 * data from the first byte to the last. Syntax stops at the first error; what is wrong
 * with single tensors is collected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/foreign.h"
#include "io/scan.h"
#include "io/weights.h"

enum { FRAME = 8, MAX_HEADER = 100 * 1000 * 1000 };

struct reading {
    struct fine__weights *weights;
    const char *file;
    int64_t part;
    struct fine__scan scan;
};

/* ---- the frame ---- */

/* Says what the file is instead, when it is nothing of ours. */
static int
check_frame(struct fine__blob *blob, int64_t *header_out)
{
    unsigned char start[FINE__FOREIGN_BYTES];
    const size_t n = blob->size < FINE__FOREIGN_BYTES ? (size_t)blob->size : sizeof start;
    const char *kind;
    uint64_t length = 0;
    size_t at = FRAME;
    bool fits;

    if (n == 0)
        return fine__fail(FINE_EFORMAT, "%s: the file is empty: download or save it again",
                          blob->name);
    FINE__TRY(fine__blob_read_at(blob, start, n, 0));
    for (size_t i = 0; i < FRAME && n >= FRAME; i++)
        length |= (uint64_t)start[i] << 8 * i;
    fits = n >= FRAME && length <= MAX_HEADER && length <= (uint64_t)blob->size - FRAME;
    while (at < n &&
           (start[at] == ' ' || start[at] == '\n' || start[at] == '\r' || start[at] == '\t'))
        at++;
    if (fits && (at == n || start[at] == '{')) {
        *header_out = (int64_t)length;
        return 0;
    }
    kind = fine__foreign_kind(start, n);
    if (kind != NULL)
        return fine__fail(FINE_EFORMAT, "%s: not safetensors: this is %s", blob->name, kind);
    if (n < FRAME)
        return fine__fail(FINE_EFORMAT,
                          "%s: truncated: %zu bytes, and the header's length alone takes %d",
                          blob->name, n, FRAME);
    if (length > MAX_HEADER)
        return fine__fail(FINE_EFORMAT,
                          "%s: not safetensors, or damaged: a header of %llu bytes, above the "
                          "limit of 100 MB",
                          blob->name, (unsigned long long)length);
    if (!fits)
        return fine__fail(FINE_EFORMAT,
                          "%s: truncated: the header has %llu bytes and the file only %lld: "
                          "download or save it again",
                          blob->name, (unsigned long long)length, (long long)blob->size);
    return fine__fail(FINE_EFORMAT, "%s: not safetensors: the header is not a JSON object",
                      blob->name);
}

/* ---- the JSON ---- */

/* What is wrong with one tensor doesn't hide what is wrong with the next. */
static void
find_fault(struct reading *r, const char *tensor, const char *fault)
{
    r->weights->bad = true;
    fine__also(FINE_EFORMAT, "%s: tensor '%s': %s", r->file, tensor, fault);
}

static bool
read_metadata(struct reading *r)
{
    struct fine__scan *scan = &r->scan;
    struct fine__map keys;
    bool first = true;
    char *key, *value;
    size_t length, value_length;

    if (!fine__scan_enter(scan, '{'))
        return false;
    fine__map_init(&keys, r->weights->ctx);
    while (fine__scan_member(scan, &first, &key, &length) &&
           fine__scan_string(scan, &value, &value_length, "a value of __metadata__")) {
        const int rc = fine__map_put(&keys, key, length, 0);

        if (rc > 0)
            fine__scan_fail(scan, "'%s' stands twice in __metadata__", key);
        else if (rc < 0)
            scan->rc = rc;
    }
    fine__map_free(&keys);
    return scan->rc == 0;
}

static bool
read_shape(struct reading *r, struct fine__weights_entry *entry)
{
    struct fine__weights *w = r->weights;
    bool first = true;

    if (!fine__scan_enter(&r->scan, '['))
        return false;
    entry->shape_at = w->n_shapes;
    while (fine__scan_element(&r->scan, &first)) {
        int64_t size;

        if (!fine__scan_count(&r->scan, &size, "a size in shape"))
            return false;
        r->scan.rc =
            fine__grow(w->ctx, &w->shapes, &w->shapes_capacity, w->n_shapes + 1, sizeof *w->shapes);
        if (r->scan.rc < 0)
            return false;
        w->shapes[w->n_shapes++] = size;
        entry->weight.n_dims++;
    }
    return r->scan.rc == 0;
}

static bool
read_offsets(struct reading *r, struct fine__weights_entry *entry)
{
    struct fine__scan *scan = &r->scan;
    bool first = true;

    if (!fine__scan_enter(scan, '[') || !fine__scan_element(scan, &first) ||
        !fine__scan_count(scan, &entry->from, "an offset") || !fine__scan_element(scan, &first) ||
        !fine__scan_count(scan, &entry->to, "an offset") || fine__scan_element(scan, &first))
        return fine__scan_fail(scan, "data_offsets must be two numbers");
    return scan->rc == 0;
}

/* {"dtype": …, "shape": […], "data_offsets": [from, to]}; other members are passed over. */
static bool
read_info(struct reading *r, struct fine__weights_entry *entry)
{
    static const char *const members[] = { "dtype", "shape", "data_offsets" };
    struct fine__scan *scan = &r->scan;
    const char *name = entry->weight.name;
    char *key, *type;
    size_t length;
    bool first = true;
    unsigned seen = 0;
    int64_t bytes;

    if (!fine__scan_enter(scan, '{'))
        return false;
    while (fine__scan_member(scan, &first, &key, &length)) {
        unsigned which = 0;
        bool good;

        while (which < 3 && strcmp(key, members[which]) != 0)
            which++;
        if (which < 3 && seen & 1u << which)
            return fine__scan_fail(scan, "'%s' stands twice for tensor '%s'", key, name);
        seen |= 1u << which;
        if (which == 0) {
            good = fine__scan_string(scan, &type, &length, "a dtype");
            if (good) {
                entry->weight.type = strlen(type) == length ? fine__type_by_name(type) : 0;
                if (entry->weight.type == 0) {
                    r->weights->bad = true;
                    fine__also(FINE_EFORMAT,
                               "%s: tensor '%s': dtype '%s' is not supported; known are BOOL, "
                               "U8 to U64, I8 to I64, F16, BF16, F32 and F64",
                               r->file, name, type);
                }
            }
        } else if (which == 1) {
            good = read_shape(r, entry);
        } else if (which == 2) {
            good = read_offsets(r, entry);
        } else {
            good = fine__scan_skip(scan);
        }
        if (!good)
            return false;
    }
    if (scan->rc < 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        if ((seen & 1u << i) == 0)
            return fine__scan_fail(scan, "tensor '%s' has no '%s'", name, members[i]);
    if (entry->weight.type == 0)
        return true;
    if (fine__shape_size(entry->weight.type, entry->weight.n_dims,
                         r->weights->shapes + entry->shape_at, &entry->weight.count, &bytes) < 0)
        find_fault(r, name, "the product of its shape overflows");
    else if (entry->to < entry->from)
        find_fault(r, name, "its data end before they begin");
    else if (entry->to - entry->from != bytes) {
        r->weights->bad = true;
        fine__also(FINE_EFORMAT,
                   "%s: tensor '%s': its type and shape need %lld bytes, but its data_offsets "
                   "hold %lld",
                   r->file, name, (long long)bytes, (long long)(entry->to - entry->from));
    }
    return true;
}

static bool
read_entries(struct reading *r)
{
    struct fine__weights *w = r->weights;
    struct fine__scan *scan = &r->scan;
    bool first = true, has_metadata = false;
    char *name;
    size_t length;

    if (!fine__scan_enter(scan, '{'))
        return false;
    while (fine__scan_member(scan, &first, &name, &length)) {
        struct fine__weights_entry *entry;

        if (strcmp(name, "__metadata__") == 0 && length == strlen(name)) {
            if (has_metadata)
                return fine__scan_fail(scan, "__metadata__ stands twice");
            has_metadata = true;
            if (!read_metadata(r))
                return false;
            continue;
        }
        if (strlen(name) != length)
            return fine__scan_fail(scan, "a tensor's name contains the character NUL");
        scan->rc = fine__grow(w->ctx, &w->list, &w->capacity, w->count + 1, sizeof *w->list);
        if (scan->rc < 0)
            return false;
        entry = &w->list[w->count++];
        *entry = (struct fine__weights_entry){ .part = r->part };
        entry->weight.name = name;
        if (!read_info(r, entry))
            return false;
    }
    return scan->rc == 0 && fine__scan_end(scan);
}

/* ---- the layout ---- */

/* Empty tensors come before the one that begins at the same place; equal ones by name, so
 * that the order is the file's alone. */
static int
by_place(const void *left, const void *right)
{
    const struct fine__weights_entry *a = left, *b = right;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return strcmp(a->weight.name, b->weight.name);
}

static void
check_cover(struct reading *r, int64_t begin, int64_t data_bytes)
{
    const struct fine__weights *w = r->weights;
    const char *before = NULL;
    int64_t end = 0;

    for (int64_t i = begin; i < w->count; i++) {
        const struct fine__weights_entry *entry = &w->list[i];

        if (entry->from < end) {
            r->weights->bad = true;
            fine__also(FINE_EFORMAT,
                       "%s: tensor '%s' overlaps '%s': it begins at %lld, before %lld", r->file,
                       entry->weight.name, before, (long long)entry->from, (long long)end);
        } else if (entry->from > end) {
            r->weights->bad = true;
            fine__also(FINE_EFORMAT, "%s: a hole of %lld bytes before tensor '%s'", r->file,
                       (long long)(entry->from - end), entry->weight.name);
        }
        if (entry->to >= end) {
            end = entry->to;
            before = entry->weight.name;
        }
    }
    if (end == data_bytes)
        return;
    r->weights->bad = true;
    if (end > data_bytes)
        fine__also(FINE_EFORMAT,
                   "%s: truncated: the tensors need %lld bytes of data and the file has %lld: "
                   "download or save it again",
                   r->file, (long long)end, (long long)data_bytes);
    else
        fine__also(FINE_EFORMAT, "%s: %lld bytes follow the last tensor and belong to none",
                   r->file, (long long)(data_bytes - end));
}

int
fine__header_read(struct fine__weights *weights, int64_t part)
{
    struct fine__weights_part *file = &weights->parts[part];
    const int64_t begin = weights->count;
    struct reading r = { .weights = weights, .file = file->blob.name, .part = part };
    int64_t length = 0;

    FINE__TRY(check_frame(&file->blob, &length));
    file->header = fine__alloc(weights->ctx, (size_t)length + 1);
    if (file->header == NULL)
        return FINE_ENOMEM;
    FINE__TRY(fine__blob_read_at(&file->blob, file->header, (size_t)length, FRAME));
    file->data_from = FRAME + length;
    fine__scan_init(&r.scan, file->header, (size_t)length, r.file);
    if (!read_entries(&r))
        return r.scan.rc;
    if (weights->count > begin)
        qsort(weights->list + begin, (size_t)(weights->count - begin), sizeof *weights->list,
              by_place);
    FINE__TRY(fine__weights_register(weights, begin));
    if (!weights->bad)
        check_cover(&r, begin, file->blob.size - file->data_from);
    return 0;
}
