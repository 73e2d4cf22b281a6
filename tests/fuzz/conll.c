/* The first byte chooses the options. */
#include "sets.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const schemes[] = { NULL, "iob2", "bioes", "bilou" };
    static const char *const labels[] = { "X", "Y" };
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL;
    int rc;

    if (size < 1)
        return 0;
    ctx = fuzz_context();
    fine__dataset_defaults(&options);
    options.task = "tag";
    options.encoding = (data[0] & 1) != 0 ? "latin-1" : NULL;
    options.on_bad_row = (data[0] & 2) != 0 ? "skip" : NULL;
    options.require_label = data[0] >> 2 & 1;
    options.scheme = schemes[data[0] >> 3 & 3];
    options.labels = labels;
    options.n_labels = (data[0] & 32) != 0 ? 2 : 0;
    options.text = (data[0] & 64) != 0 ? "2" : NULL;
    options.label = (data[0] & 128) != 0 ? "1" : NULL;
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 1, size - 1);
    rc = fine__dataset_parse(&d, ctx, "fuzz.conll", &text, &options);
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
