/* The first byte chooses the options. */
#include "sets.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL;
    int rc;

    if (size < 1)
        return 0;
    ctx = fuzz_context();
    fine__dataset_defaults(&options);
    options.encoding = (data[0] & 1) != 0 ? "latin-1" : NULL;
    options.on_bad_row = (data[0] & 2) != 0 ? "skip" : NULL;
    options.text_pair = (data[0] & 4) != 0 ? "pair" : NULL;
    options.group = (data[0] & 8) != 0 ? "group" : NULL;
    options.split_by = (data[0] & 16) != 0 ? "label" : NULL;
    options.label_is_number = data[0] >> 5 & 1;
    options.require_label = data[0] >> 6 & 1;
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 1, size - 1);
    rc = fine__dataset_parse(&d, ctx, "fuzz.jsonl", &text, &options);
    if (rc == 0) {
        use_set(d, &options);
        fine__dataset_unref(d);
    } else {
        REQUIRE(d == NULL);
        check_failure(rc);
    }
    fuzz_context_free(ctx);
    return 0;
}
