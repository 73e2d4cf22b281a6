/* Any bytes as a weights file, as an index, and as shards: what opens can be read whole. */
#include <string.h>

#include "base/alloc.h"
#include "fuzz.h"
#include "io/safetensors.h"
#include <finetune/model.h>

static void
read_all(fine_context *ctx, struct fine__weights *weights)
{
    char fingerprint[33];
    int64_t total = 0;

    for (int64_t i = 0; i < fine__weights_count(weights); i++) {
        const struct fine__weight *weight = fine__weights_at(weights, i);
        const size_t bytes = fine__weights_bytes(weights, i);
        void *raw = fine__alloc(ctx, bytes);
        float *floats = fine__alloc_array(ctx, (size_t)weight->count, sizeof *floats);

        total += (int64_t)bytes;
        REQUIRE(fine__weights_find(weights, weight->name) == i);
        REQUIRE(raw != NULL && fine__weights_read_raw(weights, i, raw) == 0);
        if (floats != NULL) {
            const int rc = fine__weights_read_floats(weights, i, floats);

            REQUIRE(rc == 0 || rc == FINE_ESHAPE);
        }
        fine__free(ctx, raw);
        fine__free(ctx, floats);
    }
    REQUIRE(total >= 0);
    REQUIRE(fine__weights_fingerprint(weights, fingerprint) == 0 && strlen(fingerprint) == 32);
}

static void
open_as(const char *name, const struct fine_memory_file *files, int64_t n_files)
{
    fine_context *ctx = fuzz_context();
    struct fine__source *source;
    struct fine__weights *weights = NULL;
    int rc;

    REQUIRE(fine__source_open_memory(&source, ctx, files, n_files) == 0);
    rc = fine__weights_open_file(&weights, ctx, source, name);
    if (rc == 0)
        read_all(ctx, weights);
    else
        REQUIRE(weights == NULL && fine_error_message()[0] != '\0');
    fine__weights_free(weights);
    fine__source_free(source);
    fuzz_context_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char good[] = "\x38\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
                               "\"data_offsets\":[0,1]}}   x";
    static const char index[] = "{\"weight_map\":{\"a\":\"one\",\"b\":\"two\"}}";
    const struct fine_memory_file files[] = {
        { "model.safetensors", data, (int64_t)size },
        { "x.index.json", data, (int64_t)size },
        { "one", good, sizeof good - 1 },
        { "two", data, (int64_t)size },
        { "good.index.json", index, sizeof index - 1 },
    };

    open_as("model.safetensors", files, 5);
    open_as("x.index.json", files, 5);
    open_as("good.index.json", files, 5);
    return 0;
}
