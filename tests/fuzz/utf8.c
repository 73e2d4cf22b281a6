/* Decoding ends, code points encode back, and escaped text is valid and short. */
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char bytes[4], escaped[64];
    int32_t c, several[18];
    bool valid;

    for (size_t i = 0; i < size;) {
        const size_t used = fine__utf8_decode(text + i, size - i, &c, &valid);

        REQUIRE(used >= 1 && used <= size - i && used <= 4);
        if (valid) {
            REQUIRE(fine__utf8_encode(c, bytes) == used);
            REQUIRE(memcmp(bytes, text + i, used) == 0);
        }
        REQUIRE(fine__utf8_decompose(c, several) <= 18);
        REQUIRE(fine__utf8_lower(c, several) <= 3);
        (void)fine__utf8_category(c);
        i += used;
    }
    for (size_t room = 1; room <= sizeof escaped; room++) {
        fine__escape(escaped, room, text, size);
        REQUIRE(strlen(escaped) < room);
        REQUIRE(fine__utf8_valid(escaped, strlen(escaped)));
        for (const char *p = escaped; *p != '\0'; p++)
            REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    return 0;
}
