/*
 * alloc.h — every allocation of the library.
 *
 * Blocks are aligned to 64 bytes and accounted. Failing (no memory, over the
 * context's limit, a product that overflows) returns NULL with a finding
 * recorded; callers return FINE_ENOMEM. A size of 0 gives a valid block.
 */
#ifndef FINE__ALLOC_H
#define FINE__ALLOC_H

#include "base/context.h"

void *fine__alloc(fine_context *ctx, size_t bytes);
void *fine__alloc_quietly(fine_context *ctx, size_t bytes);              /* no finding: the caller has another way */
void *fine__alloc_array(fine_context *ctx, size_t count, size_t size);   /* zeroed; lazily mapped when large */
void *fine__realloc(fine_context *ctx, void *block, size_t bytes);       /* on failure block stays valid */
void fine__free(fine_context *ctx, void *block);                         /* NULL is fine */
char *fine__strdup(fine_context *ctx, const char *text);
char *fine__strndup(fine_context *ctx, const char *text, size_t length);

/* Grows *array (of elements of `size` bytes, *capacity of them) so that it
 * holds at least `need`: 0 or FINE_ENOMEM with nothing changed. */
int fine__grow(fine_context *ctx, void *array, int64_t *capacity, int64_t need, size_t size);

/* Tells the kernel to back a large block with huge pages; does nothing for an
 * allocator that is not the C library's. */
void fine__alloc_advise_huge(fine_context *ctx, void *block, size_t bytes);
/* The opposite, for memory of which only scattered parts are ever touched. */
void fine__alloc_advise_small(fine_context *ctx, void *block, size_t bytes);

#endif
