/*
 * trie.h — byte strings to values, walked byte by byte.
 *
 * Edges lie in one open-addressing table of 8 bytes each, so that building is linear
 * in the bytes put in, whatever they are, and a walk is one probe a byte. Node 0 is
 * the root; a child's number is above its parent's.
 */
#ifndef FINE__TRIE_H
#define FINE__TRIE_H

#include "base/context.h"

struct fine__trie {
    fine_context *ctx;
    uint64_t *edges;      /* parent, byte, child: 28 + 8 + 28 bits; 0: free */
    int64_t n_slots;      /* a power of two */
    int shift;            /* 64 less its logarithm */
    int32_t *values;      /* of each node; -1: none */
    int64_t n_nodes, nodes_capacity;
};

enum { FINE__TRIE_MAX_NODES = 1 << 28 };

void fine__trie_init(struct fine__trie *trie, fine_context *ctx);
void fine__trie_free(struct fine__trie *trie);

/* The node of a string, made with all above it where it is absent: >= 0, or FINE_ENOMEM. */
int64_t fine__trie_put(struct fine__trie *trie, const char *bytes, size_t length);
/* The same from the string's end to its start. */
int64_t fine__trie_put_reversed(struct fine__trie *trie, const char *bytes, size_t length);
/* The value of a string, -1 where it has none. */
int64_t fine__trie_get(const struct fine__trie *trie, const char *bytes, size_t length);
/* The node of a string, or -1. */
int64_t fine__trie_walk(const struct fine__trie *trie, const char *bytes, size_t length);

/* Takes an edge apart. */
static inline uint32_t
fine__trie_parent(uint64_t edge)
{
    return (uint32_t)(edge >> 36);
}

static inline unsigned char
fine__trie_byte(uint64_t edge)
{
    return (unsigned char)(edge >> 28);
}

static inline uint32_t
fine__trie_child_of(uint64_t edge)
{
    return (uint32_t)(edge & (FINE__TRIE_MAX_NODES - 1));
}

static inline uint64_t
fine__trie_slot(uint64_t key, int shift)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    key ^= key >> 32;
    return (key * UINT64_C(0xd6e8feb86659fd93)) >> shift;
}

/* The child, or 0. */
static inline uint32_t
fine__trie_child(const struct fine__trie *trie, uint32_t node, unsigned char byte)
{
    const uint64_t key = (uint64_t)node << 8 | byte;
    const uint64_t mask = (uint64_t)trie->n_slots - 1;

    if (trie->n_slots == 0)
        return 0;
    for (uint64_t at = fine__trie_slot(key, trie->shift); trie->edges[at] != 0;
         at = (at + 1) & mask)
        if (trie->edges[at] >> 28 == key)
            return fine__trie_child_of(trie->edges[at]);
    return 0;
}

#endif
