/*
 * arena.c — chunks in a row, of which the current one is being filled.
 *
 * All sizes are rounded up to 64 bytes, so in_use is exact and one block of the
 * high-water mark holds everything that several chunks held. Chunks behind the
 * current one are empty and wait for reuse. Under AddressSanitizer what isn't
 * taken is poisoned, so that use after a rewind is found.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"

enum { UNIT = 64, SMALLEST = 64 << 10, LARGEST_STEP = 64 << 20, HUGE_FROM = 8 << 20 };

struct fine__arena_chunk {
    struct fine__arena_chunk *next;
    size_t capacity, used;   /* bytes behind the chunk's header, multiples of 64 */
    unsigned char unused[UNIT - sizeof(void *) - 2 * sizeof(size_t)];
};

static unsigned char *
bytes_of(struct fine__arena_chunk *chunk)
{
    return (unsigned char *)chunk + sizeof *chunk;
}

static size_t
rounded(size_t bytes)
{
    return bytes == 0 ? UNIT : (bytes + UNIT - 1) / UNIT * UNIT;
}

static struct fine__arena_chunk *
new_chunk(fine_context *ctx, size_t capacity, bool quietly)
{
    const size_t bytes = sizeof(struct fine__arena_chunk) + capacity;
    struct fine__arena_chunk *chunk =
        quietly ? fine__alloc_quietly(ctx, bytes) : fine__alloc(ctx, bytes);

    if (chunk == NULL)
        return NULL;
    if (bytes >= HUGE_FROM)
        fine__alloc_advise_huge(ctx, chunk, bytes);
    chunk->next = NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    FINE__POISON(bytes_of(chunk), capacity);
    return chunk;
}

static void
free_chunks(fine_context *ctx, struct fine__arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct fine__arena_chunk *next = chunk->next;

        FINE__UNPOISON(bytes_of(chunk), chunk->capacity);
        fine__free(ctx, chunk);
        chunk = next;
    }
}

void
fine__arena_init(struct fine__arena *arena, fine_context *ctx)
{
    *arena = (struct fine__arena){ .ctx = ctx };
}

void
fine__arena_free(struct fine__arena *arena)
{
    free_chunks(arena->ctx, arena->first);
    fine__arena_init(arena, arena->ctx);
}

/* Makes a chunk with room for need the current one. */
static bool
advance(struct fine__arena *arena, size_t need)
{
    struct fine__arena_chunk **link =
        arena->current != NULL ? &arena->current->next : &arena->first;
    struct fine__arena_chunk *chunk;
    size_t total = SMALLEST;

    while (*link != NULL && (*link)->capacity < need) {   /* too small to be of use here */
        chunk = *link;
        *link = chunk->next;
        chunk->next = NULL;
        free_chunks(arena->ctx, chunk);
    }
    if (*link == NULL) {
        for (chunk = arena->first; chunk != NULL; chunk = chunk->next)
            total += chunk->capacity;
        if (total > LARGEST_STEP)
            total = LARGEST_STEP;
        chunk = total > need ? new_chunk(arena->ctx, total, true) : NULL;
        if (chunk == NULL)
            chunk = new_chunk(arena->ctx, need, false);
        if (chunk == NULL)
            return false;
        *link = chunk;
    }
    arena->current = *link;
    arena->current->used = 0;
    return true;
}

void *
fine__arena_take(struct fine__arena *arena, size_t bytes)
{
    struct fine__arena_chunk *chunk = arena->current;
    const size_t need = rounded(bytes);
    unsigned char *block;

    if (bytes > PTRDIFF_MAX - 2 * UNIT) {
        fine__fail(FINE_ENOMEM, "out of memory: %zu bytes exceed the address space", bytes);
        return NULL;
    }
    if (chunk == NULL || chunk->capacity - chunk->used < need) {
        if (!advance(arena, need))
            return NULL;
        chunk = arena->current;
    }
    block = bytes_of(chunk) + chunk->used;
    chunk->used += need;
    arena->in_use += need;
    if (arena->in_use > arena->high_water)
        arena->high_water = arena->in_use;
    FINE__UNPOISON(block, bytes);
    return block;
}

void *
fine__arena_take_array(struct fine__arena *arena, int64_t count, size_t size)
{
    if (count < 0 || (size > 0 && (uint64_t)count > SIZE_MAX / size)) {
        fine__fail(FINE_ENOMEM, "out of memory: %lld elements of %zu bytes exceed the address "
                   "space", (long long)count, size);
        return NULL;
    }
    return fine__arena_take(arena, (size_t)count * size);
}

struct fine__arena_mark
fine__arena_mark(const struct fine__arena *arena)
{
    return (struct fine__arena_mark){ arena->current,
                                      arena->current != NULL ? arena->current->used : 0,
                                      arena->in_use };
}

void
fine__arena_rewind(struct fine__arena *arena, struct fine__arena_mark mark)
{
    struct fine__arena_chunk *chunk = mark.chunk != NULL ? mark.chunk : arena->first;

    arena->current = mark.chunk;
    arena->in_use = mark.in_use;
    if (mark.chunk != NULL) {
        mark.chunk->used = mark.used;
        FINE__POISON(bytes_of(chunk) + mark.used, chunk->capacity - mark.used);
        chunk = chunk->next;
    }
    for (; chunk != NULL; chunk = chunk->next) {
        chunk->used = 0;
        FINE__POISON(bytes_of(chunk), chunk->capacity);
    }
}

void *
fine__arena_take_moved(struct fine__arena *arena, const void *old, size_t bytes)
{
    const unsigned char *from = old;
    unsigned char *to = fine__arena_take(arena, bytes);

    if (to == NULL)
        return NULL;
    FINE__UNPOISON(from, bytes);
    memmove(to, from, bytes);
    const size_t overlap = from > to && (size_t)(from - to) < bytes ? bytes - (size_t)(from - to) : 0;

    if (from != to)
        FINE__POISON(from + overlap, bytes - overlap);
    return to;
}

void
fine__arena_reset(struct fine__arena *arena)
{
    fine__arena_rewind(arena, (struct fine__arena_mark){ NULL, 0, 0 });
    if (arena->first == NULL || arena->first->capacity >= arena->high_water)
        return;
    free_chunks(arena->ctx, arena->first);
    /* An eighth more, since steps of ragged batches differ: pages that are never touched cost
     * nothing. Without memory for it now, the next steps grow by chunks again. */
    arena->first = new_chunk(arena->ctx, arena->high_water + rounded(arena->high_water / 8), true);
    if (arena->first == NULL)
        arena->first = new_chunk(arena->ctx, arena->high_water, true);
}

int
fine__arena_reserve(struct fine__arena *arena, size_t bytes)
{
    struct fine__arena_chunk *chunk;

    if (arena->first != NULL && arena->first->capacity >= bytes)
        return 0;
    if (bytes > PTRDIFF_MAX - 2 * UNIT)
        return fine__fail(FINE_ENOMEM, "out of memory: %zu bytes exceed the address space", bytes);
    chunk = new_chunk(arena->ctx, rounded(bytes), false);
    if (chunk == NULL)
        return FINE_ENOMEM;
    free_chunks(arena->ctx, arena->first);
    arena->first = chunk;
    arena->current = NULL;
    return 0;
}
