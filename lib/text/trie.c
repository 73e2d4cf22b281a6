/*
 * trie.c — putting strings into the trie; see trie.h.
 */
#include "base/alloc.h"
#include "text/trie.h"

void
fine__trie_init(struct fine__trie *trie, fine_context *ctx)
{
    *trie = (struct fine__trie){ .ctx = ctx };
}

void
fine__trie_free(struct fine__trie *trie)
{
    fine__free(trie->ctx, trie->edges);
    fine__free(trie->ctx, trie->values);
    fine__trie_init(trie, trie->ctx);
}

static void
place(uint64_t *edges, int64_t n_slots, int shift, uint64_t edge)
{
    const uint64_t mask = (uint64_t)n_slots - 1;
    uint64_t at = fine__trie_slot(edge >> 28, shift);

    while (edges[at] != 0)
        at = (at + 1) & mask;
    edges[at] = edge;
}

/* Room for one more node and its edge, at a load of at most a half. */
static int
make_room(struct fine__trie *trie)
{
    const int64_t n_slots = trie->n_slots == 0 ? 64 : 2 * trie->n_slots;
    int shift = trie->n_slots == 0 ? 58 : trie->shift - 1;
    uint64_t *edges;

    if (trie->n_nodes >= FINE__TRIE_MAX_NODES)
        return fine__fail(FINE_ENOMEM, "out of memory: a vocabulary of more than %d bytes",
                          (int)FINE__TRIE_MAX_NODES);
    FINE__TRY(fine__grow(trie->ctx, &trie->values, &trie->nodes_capacity, trie->n_nodes + 1,
                         sizeof *trie->values));
    if (2 * (trie->n_nodes + 1) <= trie->n_slots)
        return 0;
    edges = fine__alloc_array(trie->ctx, (size_t)n_slots, sizeof *edges);
    if (edges == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < trie->n_slots; i++)
        if (trie->edges[i] != 0)
            place(edges, n_slots, shift, trie->edges[i]);
    fine__free(trie->ctx, trie->edges);
    trie->edges = edges;
    trie->n_slots = n_slots;
    trie->shift = shift;
    return 0;
}

static int64_t
put(struct fine__trie *trie, const char *bytes, size_t length, bool reversed)
{
    uint32_t node = 0;

    if (trie->n_nodes == 0) {
        FINE__TRY(make_room(trie));
        trie->values[trie->n_nodes++] = -1;
    }
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)bytes[reversed ? length - 1 - i : i];
        uint32_t child = fine__trie_child(trie, node, byte);

        if (child == 0) {
            FINE__TRY(make_room(trie));
            child = (uint32_t)trie->n_nodes;
            trie->values[trie->n_nodes++] = -1;
            place(trie->edges, trie->n_slots, trie->shift,
                  (uint64_t)node << 36 | (uint64_t)byte << 28 | child);
        }
        node = child;
    }
    return node;
}

int64_t
fine__trie_put(struct fine__trie *trie, const char *bytes, size_t length)
{
    return put(trie, bytes, length, false);
}

int64_t
fine__trie_put_reversed(struct fine__trie *trie, const char *bytes, size_t length)
{
    return put(trie, bytes, length, true);
}

int64_t
fine__trie_walk(const struct fine__trie *trie, const char *bytes, size_t length)
{
    uint32_t node = 0;

    if (trie->n_nodes == 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        node = fine__trie_child(trie, node, (unsigned char)bytes[i]);
        if (node == 0)
            return -1;
    }
    return node;
}

int64_t
fine__trie_get(const struct fine__trie *trie, const char *bytes, size_t length)
{
    const int64_t node = fine__trie_walk(trie, bytes, length);

    return node < 0 ? -1 : trie->values[node];
}
