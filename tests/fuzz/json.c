/* What is read can be written, and reads back as the same text. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine__json *root, *again;
    struct fine__buf first, second;

    if (fine__json_parse(&root, ctx, (const char *)data, size, "input") == 0) {
        fine__buf_init(&first, ctx);
        fine__buf_init(&second, ctx);
        REQUIRE(fine__json_write_indented(root, &first, (int)(size % 3)) == 0);
        REQUIRE(fine__json_parse(&again, ctx, first.data, first.length, "output") == 0);
        REQUIRE(fine__json_write_indented(again, &second, (int)(size % 3)) == 0);
        REQUIRE(strcmp(first.data, second.data) == 0);
        fine__json_free(again);
        fine__json_free(root);
        fine__buf_free(&first);
        fine__buf_free(&second);
    } else {
        REQUIRE(fine_error_message()[0] != '\0');
    }
    fuzz_context_free(ctx);
    return 0;
}
