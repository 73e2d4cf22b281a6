/* Any bytes as a file of PyTorch's, and as the pickle of one whose checksums are right: what
 * opens can be read whole, in bounded memory. */
#include "../unit/archive.h"
#include "weights.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx = fuzz_context();
    struct fine_memory_file file = { "pytorch_model.bin", data, (int64_t)size };
    struct fine__buf archive;

    open_as(file.name, &file, 1, FINE_EFORMAT);
    archive_of_pickle(&archive, ctx, data, size);
    REQUIRE(fine__buf_status(&archive) == 0);
    file.bytes = archive.data;
    file.n_bytes = (int64_t)archive.length;
    open_as(file.name, &file, 1, 0);
    fine__buf_free(&archive);
    fuzz_context_free(ctx);
    return 0;
}
