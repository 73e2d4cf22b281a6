/* Any bytes as a weights file, as an index, and as shards: what opens can be read whole. */
#include "weights.h"

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

    open_as("model.safetensors", files, 5, 0);
    open_as("x.index.json", files, 5, 0);
    open_as("good.index.json", files, 5, 0);
    return 0;
}
