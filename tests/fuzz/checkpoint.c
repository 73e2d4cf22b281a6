/* Any text as a checkpoint's manifest, as it is and with its checksum put right. */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/source.h"
#include "fuzz.h"
#include "io/manifest.h"

static void
parse(const void *bytes, size_t length)
{
    fine_context *ctx = fuzz_context();
    struct fine__manifest manifest, again;
    struct fine__buf text, written;

    fine__manifest_init(&manifest, ctx);
    fine__manifest_init(&again, ctx);
    fine__buf_init(&text, ctx);
    fine__buf_init(&written, ctx);
    fine__buf_append(&text, bytes, length);
    if (fine__manifest_parse(&manifest, text.data, length, "manifest.json") == 0) {
        for (int64_t i = 0; i < manifest.count; i++) {
            REQUIRE(fine__name_is_plain(manifest.files[i].name));
            REQUIRE(manifest.files[i].bytes >= 0);
        }
        /* What is written of it says the same. */
        REQUIRE(fine__manifest_write(&manifest, &written) == 0);
        REQUIRE(fine__manifest_parse(&again, written.data, written.length, "again") == 0);
        REQUIRE(again.count == manifest.count);
        for (int64_t i = 0; i < manifest.count; i++)
            REQUIRE(strcmp(again.files[i].name, manifest.files[i].name) == 0 &&
                    again.files[i].bytes == manifest.files[i].bytes);
    } else {
        REQUIRE(fine_error_message()[0] != '\0' && manifest.count == 0);
    }
    fine__manifest_free(&manifest);
    fine__manifest_free(&again);
    fine__buf_free(&text);
    fine__buf_free(&written);
    fuzz_context_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char closing[] = "\"\n}\n";
    const size_t tail = 32 + sizeof closing - 1;
    char checksum[33], *right;

    parse(data, size);
    if (size < tail)
        return 0;
    right = malloc(size);
    REQUIRE(right != NULL);
    memcpy(right, data, size);
    fine__hash_hex_once(right, size - tail, checksum);
    memcpy(right + size - tail, checksum, 32);
    memcpy(right + size - tail + 32, closing, sizeof closing - 1);
    parse(right, size);
    free(right);
    return 0;
}
