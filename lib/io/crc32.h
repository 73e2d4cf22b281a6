/*
 * crc32.h — the checksum of zip archives, over any number of pieces.
 *
 *     struct fine__crc32 crc;
 *     fine__crc32_begin(&crc);
 *     fine__crc32_update(&crc, bytes, length);
 *     … fine__crc32_value(&crc)
 */
#ifndef FINE__CRC32_H
#define FINE__CRC32_H

#include <stddef.h>
#include <stdint.h>

struct fine__crc32 {
    uint32_t table[8][256];
    uint32_t state;
};

void fine__crc32_begin(struct fine__crc32 *crc);
void fine__crc32_update(struct fine__crc32 *crc, const void *bytes, size_t length);
uint32_t fine__crc32_value(const struct fine__crc32 *crc);

#endif
