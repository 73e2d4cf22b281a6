/* The checksum: known values, and pieces of any length. */
#include "io/crc32.h"
#include "runner.h"

static uint32_t
crc_of(const void *bytes, size_t n)
{
    struct fine__crc32 crc;

    fine__crc32_begin(&crc);
    fine__crc32_update(&crc, bytes, n);
    return fine__crc32_value(&crc);
}

START_TEST(has_the_known_values)
{
    unsigned char all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    ck_assert_uint_eq(crc_of("", 0), 0);
    ck_assert_uint_eq(crc_of("a", 1), 0xe8b7be43);
    ck_assert_uint_eq(crc_of("123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(crc_of("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
    ck_assert_uint_eq(crc_of(all, 256), 0x29058c73);
}
END_TEST

START_TEST(pieces_make_the_whole)
{
    unsigned char bytes[100];

    for (int i = 0; i < 100; i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t n = 0; n <= 100; n++)
        for (size_t cut = 0; cut <= n; cut++) {
            struct fine__crc32 crc;

            fine__crc32_begin(&crc);
            fine__crc32_update(&crc, bytes, cut);
            fine__crc32_update(&crc, bytes + cut, n - cut);
            ck_assert_uint_eq(fine__crc32_value(&crc), crc_of(bytes, n));
        }
}
END_TEST

RUNNER("crc32", has_the_known_values, pieces_make_the_whole)
