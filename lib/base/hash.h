/* hash.h — XXH3-128 fingerprints and checksums: the only includer of xxhash.h. */
#ifndef FINE__HASH_H
#define FINE__HASH_H

#include "base/context.h"

struct fine__hash;                                       /* streaming state */
int fine__hash_new(struct fine__hash **out, fine_context *ctx);
void fine__hash_update(struct fine__hash *hash, const void *bytes, size_t length);
void fine__hash_hex(struct fine__hash *hash, char out[33]);   /* 32 hex digits; may go on updating */
void fine__hash_free(struct fine__hash *hash);
void fine__hash_hex_once(const void *bytes, size_t length, char out[33]);
uint64_t fine__hash_u64(const void *bytes, size_t length);    /* for hash tables and streams */

#endif
