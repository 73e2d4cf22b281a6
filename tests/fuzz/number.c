/* Numbers agree with the C library's reading, and survive being written. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char copy[4096], written[32];
    int64_t integer;
    double value, again;

    if (fine__parse_double(text, size, &value)) {
        REQUIRE(isfinite(value));
        fine__format_double(written, value);
        REQUIRE(strlen(written) < sizeof written);
        REQUIRE(fine__parse_double(written, strlen(written), &again) && again == value);
        if (size < sizeof copy) {
            memcpy(copy, data, size);
            copy[size] = '\0';
            REQUIRE(strtod(copy, NULL) == value);
        }
    }
    if (fine__parse_int64(text, size, &integer))
        REQUIRE(fine__parse_double(text, size, &value) && value == (double)integer);
    if (fine__parse_size(text, size, &integer))
        REQUIRE(integer >= 0);
    return 0;
}
