/* The first byte chooses the options. */
#include "sets.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const documents[] = { NULL, "file", "lines", "blank-lines" };
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL;
    int rc;

    if (size < 1)
        return 0;
    ctx = fuzz_context();
    fine__dataset_defaults(&options);
    options.task = "language-model";
    options.encoding = (data[0] & 1) != 0 ? "latin-1" : NULL;
    options.on_bad_row = (data[0] & 2) != 0 ? "skip" : NULL;
    options.documents = documents[data[0] >> 2 & 3];
    options.require_label = 0;
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 1, size - 1);
    rc = fine__dataset_parse(&d, ctx, "fuzz.txt", &text, &options);
    if (rc == 0) {
        use_set(d, &options);
        for (int64_t i = 0; i < d->n_rows; i++)
            REQUIRE(d->rows[i].text_length > 0);
        fine__dataset_unref(d);
    } else {
        REQUIRE(d == NULL);
        check_failure(rc);
    }
    fuzz_context_free(ctx);
    return 0;
}
