/* Whatever the bytes say, the orientation is one of eight. */
#include "image/codecs.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int way = fine__exif_orientation(data, size);

    REQUIRE(way >= 1 && way <= 8);
    return 0;
}
