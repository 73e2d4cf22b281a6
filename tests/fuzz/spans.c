/* Lines of JSON for tasks whose rows hold marks; the first byte chooses the options. */
#include "sets.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[] = { "x", "y" };
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL;
    int rc;

    if (size < 1)
        return 0;
    ctx = fuzz_context();
    fine__dataset_defaults(&options);
    options.task = (data[0] & 1) != 0 ? "multilabel" : "tag";
    options.on_bad_row = (data[0] & 2) != 0 ? "skip" : NULL;
    options.require_label = data[0] >> 2 & 1;
    options.offsets = (data[0] & 8) != 0 ? "chars" : NULL;
    options.label_separator = (data[0] & 16) != 0 ? ", " : NULL;
    options.label_columns = columns;
    options.n_label_columns = (data[0] & 33) == 33 ? 2 : 0;
    options.text_pair = (data[0] & 64) != 0 ? "pair" : NULL;
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 1, size - 1);
    rc = fine__dataset_parse(&d, ctx, (data[0] & 128) != 0 ? "fuzz.csv" : "fuzz.jsonl", &text,
                             &options);
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
