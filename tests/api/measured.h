/*
 * measured.h — a context whose allocator remembers the largest block that was asked for, for
 * tests that something is refused before memory is.
 */
#ifndef MEASURED_H
#define MEASURED_H

#include "api.h"

enum { ENOUGH = 300 << 10 }; /* no single block of a refusal is larger */

/* Counts the largest block that was asked for. */
static size_t largest;

static inline void *
allocate(size_t bytes, void *user)
{
    (void)user;
    largest = bytes > largest ? bytes : largest;
    return malloc(bytes);
}

static inline void *
reallocate(void *block, size_t bytes, void *user)
{
    (void)user;
    largest = bytes > largest ? bytes : largest;
    return realloc(block, bytes);
}

static inline void
release(void *block, void *user)
{
    (void)user;
    free(block);
}

static fine_context *ctx;

static inline void
setup(void)
{
    struct fine_context_options options;

    fine_context_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.allocate = allocate;
    options.reallocate = reallocate;
    options.release = release;
    OK(fine_context_new(&ctx, &options));
}

static inline void
teardown(void)
{
    free_context(ctx);
}

#endif
