/*
 * crc32.c — CRC-32 with the reflected polynomial 0xEDB88320, eight bytes at a step.
 *
 * table[k][b] is what byte b does to the remainder when k more bytes follow it, so eight
 * look-ups that don't wait for each other take eight bytes. The tables are made where they
 * are used: 2048 steps, beside files of megabytes.
 * Reference: PKWARE's APPNOTE 6.3.10, 4.4.7; M. Kounavis and F. Berry, "A Systematic Approach
 * to Building High Performance Software-Based CRC Generators", 2005.
 */
#include "io/crc32.h"

enum { STEP = 8 };

void
fine__crc32_begin(struct fine__crc32 *crc)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;

        for (int bit = 0; bit < 8; bit++)
            rest = rest & 1 ? rest >> 1 ^ UINT32_C(0xEDB88320) : rest >> 1;
        crc->table[0][byte] = rest;
    }
    for (int k = 1; k < STEP; k++)
        for (int byte = 0; byte < 256; byte++) {
            const uint32_t before = crc->table[k - 1][byte];

            crc->table[k][byte] = before >> 8 ^ crc->table[0][before & 0xff];
        }
    crc->state = UINT32_MAX;
}

void
fine__crc32_update(struct fine__crc32 *crc, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    uint32_t state = crc->state;

    for (; length >= STEP; length -= STEP, p += STEP) {
        const uint32_t low = state ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                                      (uint32_t)p[3] << 24);

        state = crc->table[7][low & 0xff] ^ crc->table[6][low >> 8 & 0xff] ^
                crc->table[5][low >> 16 & 0xff] ^ crc->table[4][low >> 24] ^ crc->table[3][p[4]] ^
                crc->table[2][p[5]] ^ crc->table[1][p[6]] ^ crc->table[0][p[7]];
    }
    for (; length > 0; length--, p++)
        state = state >> 8 ^ crc->table[0][(state ^ *p) & 0xff];
    crc->state = state;
}

uint32_t
fine__crc32_value(const struct fine__crc32 *crc)
{
    return ~crc->state;
}
