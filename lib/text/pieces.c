/*
 * pieces.c — the texts of the ids.
 *
 * A list sorted by id rather than an array indexed by it: an id in a file costs its
 * entry, however large it is.
 */
#include <string.h>

#include "base/alloc.h"
#include "text/kind.h"

void
fine__pieces_init(struct fine__pieces *pieces, fine_context *ctx)
{
    *pieces = (struct fine__pieces){ .ctx = ctx };
    fine__buf_init(&pieces->text, ctx);
}

void
fine__pieces_free(struct fine__pieces *pieces)
{
    fine__free(pieces->ctx, pieces->items);
    fine__buf_free(&pieces->text);
    fine__pieces_init(pieces, pieces->ctx);
}

int
fine__pieces_add(struct fine__pieces *pieces, const char *text, size_t length, int64_t id)
{
    const struct fine__piece piece = { id, (int64_t)pieces->text.length };

    FINE__TRY(fine__grow(pieces->ctx, &pieces->items, &pieces->capacity, pieces->count + 1,
                         sizeof *pieces->items));
    fine__buf_append(&pieces->text, text, length);
    fine__buf_byte(&pieces->text, '\0');
    FINE__TRY(fine__buf_status(&pieces->text));
    pieces->items[pieces->count++] = piece;
    return 0;
}

/* By id, then in the order of adding. */
static bool
is_before(const struct fine__piece *a, const struct fine__piece *b)
{
    return a->id != b->id ? a->id < b->id : a->text < b->text;
}

static void
sift_down(struct fine__piece *items, int64_t root, int64_t count)
{
    const struct fine__piece item = items[root];

    for (;;) {
        int64_t child = 2 * root + 1;

        if (child >= count)
            break;
        if (child + 1 < count && is_before(&items[child], &items[child + 1]))
            child++;
        if (!is_before(&item, &items[child]))
            break;
        items[root] = items[child];
        root = child;
    }
    items[root] = item;
}

/* Heap sort: no recursion, no memory, and n log n whatever the file says. */
static void
sort(struct fine__piece *items, int64_t count)
{
    for (int64_t i = count / 2; i-- > 0;)
        sift_down(items, i, count);
    for (int64_t i = count - 1; i > 0; i--) {
        const struct fine__piece largest = items[0];

        items[0] = items[i];
        items[i] = largest;
        sift_down(items, 0, i);
    }
}

void
fine__pieces_sort(struct fine__pieces *pieces)
{
    int64_t kept = 0, i = 1;

    while (i < pieces->count && is_before(&pieces->items[i - 1], &pieces->items[i]))
        i++;
    if (i < pieces->count)
        sort(pieces->items, pieces->count);
    for (i = 0; i < pieces->count; i++) {
        if (i + 1 < pieces->count && pieces->items[i].id == pieces->items[i + 1].id)
            continue;
        pieces->items[kept++] = pieces->items[i];
    }
    pieces->count = kept;
}

const char *
fine__pieces_get(const struct fine__pieces *pieces, int64_t id)
{
    int64_t low = 0, high = pieces->count;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (pieces->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < pieces->count && pieces->items[low].id == id
        ? pieces->text.data + pieces->items[low].text
        : NULL;
}
