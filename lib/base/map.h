/* map.h — byte string → index, open addressing; keys are copied; no deletion. */
#ifndef FINE__MAP_H
#define FINE__MAP_H

#include "base/context.h"

struct fine__map {
    fine_context *ctx;
    struct fine__map_entry *entries;
    int64_t capacity, count;
    char *keys;                    /* all keys, one after the other */
    int64_t n_key_bytes, key_capacity;
};

void fine__map_init(struct fine__map *map, fine_context *ctx);
void fine__map_free(struct fine__map *map);
int fine__map_put(struct fine__map *map, const char *key, size_t length, int64_t value); /* 0; 1: key was there, value unchanged; FINE_ENOMEM */
int64_t fine__map_get(const struct fine__map *map, const char *key, size_t length);      /* -1: not there */
int64_t fine__map_get_cstr(const struct fine__map *map, const char *key);

#endif
