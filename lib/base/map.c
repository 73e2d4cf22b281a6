/*
 * map.c — linear probing at a load of at most three quarters.
 *
 * Entries hold the key's hash and its place in one common block of bytes, so
 * growing moves entries without looking at keys, and a map costs two blocks.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/map.h"

struct fine__map_entry {
    uint64_t hash;
    int64_t key, value;       /* key: offset in keys */
    size_t length_and_one;    /* 0: free */
};

void
fine__map_init(struct fine__map *map, fine_context *ctx)
{
    *map = (struct fine__map){ .ctx = ctx };
}

void
fine__map_free(struct fine__map *map)
{
    fine__free(map->ctx, map->entries);
    fine__free(map->ctx, map->keys);
    fine__map_init(map, map->ctx);
}

/* The key's entry, or the free one where it belongs. */
static struct fine__map_entry *
find(const struct fine__map *map, uint64_t hash, const char *key, size_t length)
{
    const uint64_t mask = (uint64_t)map->capacity - 1;
    uint64_t at = hash & mask;

    for (;; at = (at + 1) & mask) {
        struct fine__map_entry *entry = &map->entries[at];

        if (entry->length_and_one == 0
            || (entry->hash == hash && entry->length_and_one == length + 1
                && (length == 0 || memcmp(map->keys + entry->key, key, length) == 0)))
            return entry;
    }
}

static int
enlarge(struct fine__map *map)
{
    const int64_t capacity = map->capacity == 0 ? 16 : 2 * map->capacity;
    struct fine__map_entry *entries =
        fine__alloc_array(map->ctx, (size_t)capacity, sizeof *entries);

    if (entries == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < map->capacity; i++) {
        uint64_t at = map->entries[i].hash & ((uint64_t)capacity - 1);

        if (map->entries[i].length_and_one == 0)
            continue;
        while (entries[at].length_and_one != 0)
            at = (at + 1) & ((uint64_t)capacity - 1);
        entries[at] = map->entries[i];
    }
    fine__free(map->ctx, map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return 0;
}

int
fine__map_put(struct fine__map *map, const char *key, size_t length, int64_t value)
{
    const uint64_t hash = fine__hash_u64(key, length);
    struct fine__map_entry *entry;

    if (4 * (map->count + 1) > 3 * map->capacity)
        FINE__TRY(enlarge(map));
    entry = find(map, hash, key, length);
    if (entry->length_and_one != 0)
        return 1;
    if (length > (size_t)(INT64_MAX - map->n_key_bytes))
        return fine__fail(FINE_ENOMEM, "out of memory: a key of %zu bytes", length);
    FINE__TRY(fine__grow(map->ctx, &map->keys, &map->key_capacity,
                         map->n_key_bytes + (int64_t)length, 1));
    if (length > 0)
        memcpy(map->keys + map->n_key_bytes, key, length);
    *entry = (struct fine__map_entry){ hash, map->n_key_bytes, value, length + 1 };
    map->n_key_bytes += (int64_t)length;
    map->count++;
    return 0;
}

int64_t
fine__map_get(const struct fine__map *map, const char *key, size_t length)
{
    const struct fine__map_entry *entry;

    if (map->count == 0)
        return -1;
    entry = find(map, fine__hash_u64(key, length), key, length);
    return entry->length_and_one != 0 ? entry->value : -1;
}

int64_t
fine__map_get_cstr(const struct fine__map *map, const char *key)
{
    return fine__map_get(map, key, strlen(key));
}
