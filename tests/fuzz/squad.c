/* The first byte chooses the form and the options. */
#include "sets.h"

static void
check_answers(const fine_dataset *d)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];

        check_string(d, row->text, row->text_length);
        check_string(d, row->pair, row->pair_length);
        check_string(d, row->id, -1);
        check_string(d, row->group, -1);
        check_string(d, row->split, -1);
        REQUIRE(row->text >= 0 && row->pair >= 0 && row->pair_length > 0 && row->split >= 0);
        REQUIRE(row->label == -1);
        for (int64_t k = 0; k < row->n_marks; k++, n++) {
            const struct fine__mark *mark = &d->marks[row->first_mark + k];
            const char *context = d->bytes.data + row->pair;

            REQUIRE(mark->start >= 0 && mark->start < mark->end && mark->end <= row->pair_length);
            REQUIRE(fine__utf8_valid(context + mark->start, (size_t)(mark->end - mark->start)));
        }
    }
    REQUIRE(n == d->n_marks);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL, *rest, *held;
    int rc;

    if (size < 1)
        return 0;
    ctx = fuzz_context();
    fine__dataset_defaults(&options);
    options.task = "answer";
    options.on_bad_row = (data[0] & 2) != 0 ? "skip" : NULL;
    options.group = (data[0] & 4) != 0 ? "title" : NULL;
    options.split_by = (data[0] & 8) != 0 ? "id" : NULL;
    options.require_label = data[0] >> 4 & 1;
    options.encoding = (data[0] & 32) != 0 ? "latin-1" : NULL;
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 1, size - 1);
    rc = fine__dataset_parse(&d, ctx, (data[0] & 1) != 0 ? "fuzz.json" : "fuzz.jsonl", &text,
                             &options);
    if (rc == 0) {
        check_answers(d);
        REQUIRE(fine__dataset_describe(d) != NULL);
        if (fine__dataset_split(&rest, &held, d, 0.3, d->n_rows) == 0) {
            REQUIRE(rest->n_rows + held->n_rows == d->n_rows);
            check_answers(rest);
            check_answers(held);
            fine__dataset_unref(rest);
            fine__dataset_unref(held);
        }
        (void)fine__dataset_check_task(d, d->content);
        fine__dataset_unref(d);
    } else {
        REQUIRE(d == NULL);
        check_failure(rc);
    }
    fuzz_context_free(ctx);
    return 0;
}
