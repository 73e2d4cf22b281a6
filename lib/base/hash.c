/*
 * hash.c — XXH3 behind four functions, so that nobody else sees its 6,000 lines.
 *
 * Not cryptographic: it finds damage and names contents, it doesn't stop a
 * forger. The digest is in canonical (big-endian) order, as xxh128sum prints it.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "base/hash.h"

struct fine__hash {
    XXH3_state_t state;   /* wants the 64-byte alignment that fine__alloc gives */
    fine_context *ctx;
};

static void
to_hex(XXH128_hash_t digest, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t bytes;

    XXH128_canonicalFromHash(&bytes, digest);
    for (size_t i = 0; i < 16; i++) {
        out[2 * i] = digits[bytes.digest[i] >> 4];
        out[2 * i + 1] = digits[bytes.digest[i] & 15];
    }
    out[32] = '\0';
}

int
fine__hash_new(struct fine__hash **out, fine_context *ctx)
{
    struct fine__hash *hash = fine__alloc(ctx, sizeof *hash);

    if (hash == NULL)
        return FINE_ENOMEM;
    hash->ctx = ctx;
    XXH3_128bits_reset(&hash->state);
    *out = hash;
    return 0;
}

void
fine__hash_update(struct fine__hash *hash, const void *bytes, size_t length)
{
    if (length > 0)
        XXH3_128bits_update(&hash->state, bytes, length);
}

void
fine__hash_hex(struct fine__hash *hash, char out[33])
{
    to_hex(XXH3_128bits_digest(&hash->state), out);
}

void
fine__hash_free(struct fine__hash *hash)
{
    if (hash != NULL)
        fine__free(hash->ctx, hash);
}

void
fine__hash_hex_once(const void *bytes, size_t length, char out[33])
{
    to_hex(XXH3_128bits(bytes, length), out);
}

uint64_t
fine__hash_u64(const void *bytes, size_t length)
{
    return XXH3_64bits(bytes, length);
}
