/*
 * alloc.c — blocks with a header in front.
 *
 * The allocator underneath only promises malloc's alignment, so a block is cut
 * out of a piece that is 128 bytes larger: room to reach the next multiple of
 * 64, and 64 bytes for the header, which keeps the size for the account and the
 * way back to the piece.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"

enum { ALIGNMENT = 64, OVERHEAD = 128 };

struct header {
    void *piece;
    size_t bytes;         /* as asked for */
    unsigned char unused[ALIGNMENT - sizeof(void *) - sizeof(size_t)];
};

static struct header *
header_of(void *block)
{
    return (struct header *)(void *)((unsigned char *)block - ALIGNMENT);
}

static size_t
offset_in(const void *piece)
{
    const uintptr_t at = (uintptr_t)piece;

    return (size_t)(((at + ALIGNMENT + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1)) - at);
}

/* Takes bytes from what the limit leaves. */
static bool
charge(fine_context *ctx, int64_t bytes)
{
    long long used = atomic_load(&ctx->used_bytes), peak;

    do {
        if (ctx->options.memory_limit > 0 && used > ctx->options.memory_limit - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&ctx->used_bytes, &used, used + bytes));
    peak = atomic_load(&ctx->peak_bytes);
    while (used + bytes > peak
           && !atomic_compare_exchange_weak(&ctx->peak_bytes, &peak, used + bytes))
        ;
    return true;
}

static void
discharge(fine_context *ctx, int64_t bytes)
{
    atomic_fetch_sub(&ctx->used_bytes, (long long)bytes);
}

static void
out_of_memory(const fine_context *ctx, size_t bytes)
{
    const long long used = atomic_load(&ctx->used_bytes), limit = ctx->options.memory_limit;

    if (limit > 0 && (bytes > PTRDIFF_MAX - OVERHEAD || used > limit - (long long)bytes - OVERHEAD))
        fine__fail(FINE_ENOMEM,
                   "out of memory: %zu more bytes would exceed the limit of %lld (%lld in use); "
                   "raise memory_limit, or use a smaller batch or shorter texts",
                   bytes, limit, used);
    else
        fine__fail(FINE_ENOMEM,
                   "out of memory: the system refused %zu more bytes (%lld in use); "
                   "use a smaller batch, shorter texts or a smaller model",
                   bytes, used);
}

static void *
place(void *piece, size_t bytes)
{
    unsigned char *block = (unsigned char *)piece + offset_in(piece);
    struct header *header = header_of(block);

    header->piece = piece;
    header->bytes = bytes;
    return block;
}

static void *
take(fine_context *ctx, size_t bytes, bool zeroed)
{
    void *piece, *block;

    if (bytes > PTRDIFF_MAX - OVERHEAD || !charge(ctx, (int64_t)bytes + OVERHEAD))
        return NULL;
    atomic_fetch_add(&ctx->n_allocations, 1);
    /* calloc() knows which pages are fresh from the kernel and leaves them alone. */
    if (zeroed && ctx->own_allocator)
        piece = calloc(1, bytes + OVERHEAD);
    else
        piece = ctx->options.allocate(bytes + OVERHEAD, ctx->options.allocator_user);
    if (piece == NULL) {
        discharge(ctx, (int64_t)bytes + OVERHEAD);
        return NULL;
    }
    block = place(piece, bytes);
    if (zeroed && !ctx->own_allocator)
        memset(block, 0, bytes);
    return block;
}

void *
fine__alloc_quietly(fine_context *ctx, size_t bytes)
{
    return take(ctx, bytes, false);
}

void *
fine__alloc(fine_context *ctx, size_t bytes)
{
    void *block = take(ctx, bytes, false);

    if (block == NULL)
        out_of_memory(ctx, bytes);
    return block;
}

void *
fine__alloc_array(fine_context *ctx, size_t count, size_t size)
{
    void *block;

    if (size > 0 && count > SIZE_MAX / size) {
        fine__fail(FINE_ENOMEM, "out of memory: %zu elements of %zu bytes exceed the address space",
                   count, size);
        return NULL;
    }
    block = take(ctx, count * size, true);
    if (block == NULL)
        out_of_memory(ctx, count * size);
    return block;
}

void *
fine__realloc(fine_context *ctx, void *block, size_t bytes)
{
    struct header *header;
    size_t old_bytes, old_offset;
    void *piece;

    if (block == NULL)
        return fine__alloc(ctx, bytes);
    header = header_of(block);
    old_bytes = header->bytes;
    old_offset = offset_in(header->piece);
    if (bytes > PTRDIFF_MAX - OVERHEAD
        || (bytes > old_bytes && !charge(ctx, (int64_t)(bytes - old_bytes)))) {
        out_of_memory(ctx, bytes);
        return NULL;
    }
    atomic_fetch_add(&ctx->n_allocations, 1);
    piece = ctx->options.reallocate(header->piece, bytes + OVERHEAD, ctx->options.allocator_user);
    if (piece == NULL) {
        if (bytes > old_bytes)
            discharge(ctx, (int64_t)(bytes - old_bytes));
        out_of_memory(ctx, bytes);
        return NULL;
    }
    if (bytes < old_bytes)
        discharge(ctx, (int64_t)(old_bytes - bytes));
    /* The new piece may lie differently between multiples of 64. */
    if (offset_in(piece) != old_offset)
        memmove((unsigned char *)piece + offset_in(piece), (unsigned char *)piece + old_offset,
                bytes < old_bytes ? bytes : old_bytes);
    return place(piece, bytes);
}

void
fine__free(fine_context *ctx, void *block)
{
    struct header *header;

    if (block == NULL)
        return;
    header = header_of(block);
    discharge(ctx, (int64_t)header->bytes + OVERHEAD);
    ctx->options.release(header->piece, ctx->options.allocator_user);
}

char *
fine__strndup(fine_context *ctx, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? fine__alloc(ctx, length + 1) : NULL;

    if (copy == NULL)
        return NULL;
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *
fine__strdup(fine_context *ctx, const char *text)
{
    return fine__strndup(ctx, text, strlen(text));
}

int
fine__grow(fine_context *ctx, void *array, int64_t *capacity, int64_t need, size_t size)
{
    int64_t larger = *capacity < 8 ? 8 : *capacity;
    void *block;

    if (need <= *capacity)
        return 0;
    while (larger < need)
        larger = larger > INT64_MAX / 2 ? need : larger + larger / 2;
    if (size > 0 && (uint64_t)larger > SIZE_MAX / size)
        return fine__fail(FINE_ENOMEM, "out of memory: %lld elements of %zu bytes exceed the "
                          "address space", (long long)larger, size);
    memcpy(&block, array, sizeof block);
    block = fine__realloc(ctx, block, (size_t)larger * size);
    if (block == NULL)
        return FINE_ENOMEM;
    memcpy(array, &block, sizeof block);
    *capacity = larger;
    return 0;
}

/* The whole units of memory that lie inside a block. Only advice: a kernel that knows no
 * huge pages refuses, and nothing is lost. */
static void
advise(const fine_context *ctx, void *block, size_t bytes, uintptr_t unit, int advice)
{
    const uintptr_t first = ((uintptr_t)block + unit - 1) & ~(unit - 1);
    const uintptr_t end = ((uintptr_t)block + bytes) & ~(unit - 1);

    if (ctx->own_allocator && end > first)
        (void)madvise((unsigned char *)block + (first - (uintptr_t)block), (size_t)(end - first),
                      advice);
}

void
fine__alloc_advise_huge(fine_context *ctx, void *block, size_t bytes)
{
#if defined MADV_HUGEPAGE
    advise(ctx, block, bytes, (uintptr_t)1 << 21, MADV_HUGEPAGE);
#else
    (void)advise;
    (void)ctx;
    (void)block;
    (void)bytes;
#endif
}

void
fine__alloc_advise_small(fine_context *ctx, void *block, size_t bytes)
{
#if defined MADV_NOHUGEPAGE
    advise(ctx, block, bytes, (uintptr_t)1 << 12, MADV_NOHUGEPAGE);
#else
    (void)ctx;
    (void)block;
    (void)bytes;
#endif
}
