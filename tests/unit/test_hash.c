#include "runner.h"

#include "base/hash.h"

START_TEST(known_values)
{
    char hex[33];

    fine__hash_hex_once("", 0, hex);
    ck_assert_str_eq(hex, "99aa06d3014798d86001c324468d497f");
    ck_assert(fine__hash_u64("", 0) == 0x2d06800538d394c2u);
}
END_TEST

START_TEST(streaming_equals_once)
{
    fine_context *ctx = new_context(1);
    struct fine__hash *hash;
    static char bytes[5000];
    char once[33], streamed[33];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i);
    ck_assert_int_eq(fine__hash_new(&hash, ctx), 0);
    for (size_t done = 0, n = 1; done < sizeof bytes; done += n, n = (n * 3) % 701) {
        if (n > sizeof bytes - done)
            n = sizeof bytes - done;
        fine__hash_update(hash, bytes + done, n);
        fine__hash_hex(hash, streamed);
        fine__hash_hex_once(bytes, done + n, once);
        ck_assert_str_eq(streamed, once);
    }
    fine__hash_update(hash, NULL, 0);
    fine__hash_free(hash);
    fine__hash_free(NULL);
    free_context(ctx);
}
END_TEST

RUNNER("hash", known_values, streaming_equals_once)
