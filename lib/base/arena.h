/*
 * arena.h — a bump allocator with marks.
 *
 * What lives for one step is taken from here and given back by one reset. The
 * first steps grow it by chunks; a reset then replaces them by one block of the
 * high-water mark, so that a steady state calls no allocator. Rewinding to a
 * mark frees all that was taken since.
 */
#ifndef FINE__ARENA_H
#define FINE__ARENA_H

#include "base/context.h"

struct fine__arena_chunk;

struct fine__arena {
    fine_context *ctx;
    struct fine__arena_chunk *first, *current;
    size_t in_use, high_water;
};

struct fine__arena_mark {
    struct fine__arena_chunk *chunk;
    size_t used, in_use;
};

void fine__arena_init(struct fine__arena *arena, fine_context *ctx);
void fine__arena_free(struct fine__arena *arena);

/* 64-byte aligned, not zeroed; NULL with a finding when memory is out. */
void *fine__arena_take(struct fine__arena *arena, size_t bytes);
void *fine__arena_take_array(struct fine__arena *arena, int64_t count, size_t size);

struct fine__arena_mark fine__arena_mark(const struct fine__arena *arena);
void fine__arena_rewind(struct fine__arena *arena, struct fine__arena_mark mark);

/* Takes `bytes` and moves `old` there: a block that was taken after the mark that the
 * arena has just been rewound to. Nothing of its size may have been taken in between. */
void *fine__arena_take_moved(struct fine__arena *arena, const void *old, size_t bytes);

/* Forgets everything; keeps (or makes) one block of the high-water mark. */
void fine__arena_reset(struct fine__arena *arena);

/* Makes room for `bytes` in one block; the arena must be empty. */
int fine__arena_reserve(struct fine__arena *arena, size_t bytes);

#endif
