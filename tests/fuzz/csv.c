/*
 * The first two bytes choose the options. What is read and written as RFC 4180 reads
 * back as the same rows.
 */
#include "sets.h"

static const char *const separators[] = { ",", "\t", ";", " ", "|", "\xc2\xa6", "a", NULL };
static const char *const quotes[] = { NULL, "rfc4180", "none", NULL };
static const char *const encodings[] = { NULL, "utf-8", "latin-1", "cp1252" };
static const char *const names[] = { "label", "text", "pair" };

static struct fine_dataset_options
choose(uint8_t first, uint8_t second)
{
    struct fine_dataset_options options;

    fine__dataset_defaults(&options);
    options.separator = separators[first & 7];
    options.quote = quotes[first >> 3 & 3];
    options.encoding = encodings[first >> 5 & 3];
    options.on_bad_row = (first >> 7 & 1) != 0 ? "skip" : NULL;
    options.text_pair = (second & 1) != 0 ? "pair" : NULL;
    options.group = (second & 2) != 0 ? "label" : NULL;
    options.split_by = (second & 4) != 0 ? "text" : NULL;
    options.label_is_number = second >> 3 & 1;
    options.require_label = second >> 4 & 1;
    options.columns = (second & 32) != 0 ? names : NULL;
    options.n_columns = (second & 32) != 0 ? 2 + (second >> 6 & 1) : 0;
    options.header = second >> 7 & 1;
    return options;
}

static void
write_field(struct fine__buf *out, const char *text, char end)
{
    fine__buf_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fine__buf_byte(out, '"');
        fine__buf_byte(out, *text);
    }
    fine__buf_byte(out, '"');
    fine__buf_byte(out, end);
}

static void
check_round_trip(fine_context *ctx, const fine_dataset *d)
{
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *again;

    fine__dataset_defaults(&options);
    options.require_label = 0;
    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "text,label\n");
    for (int64_t i = 0; i < d->n_rows; i++) {
        const int64_t label = d->rows[i].label;

        write_field(&text, fine__dataset_text(d, i), ',');
        write_field(&text, label >= 0 ? d->labels[label] : "", '\n');
    }
    if (fine__buf_status(&text) < 0) {
        fine__buf_free(&text);
        return;
    }
    REQUIRE(fine__dataset_parse(&again, ctx, "again.csv", &text, &options) == 0);
    REQUIRE(again->n_rows == d->n_rows && again->n_labels == d->n_labels);
    for (int64_t i = 0; i < d->n_rows; i++) {
        REQUIRE(strcmp(fine__dataset_text(d, i), fine__dataset_text(again, i)) == 0);
        REQUIRE(d->rows[i].label == again->rows[i].label);
    }
    fine__dataset_unref(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fine_context *ctx;
    struct fine_dataset_options options;
    struct fine__buf text;
    fine_dataset *d = NULL;
    int rc;

    if (size < 2)
        return 0;
    ctx = fuzz_context();
    options = choose(data[0], data[1]);
    fine__buf_init(&text, ctx);
    fine__buf_append(&text, data + 2, size - 2);
    rc = fine__dataset_parse(&d, ctx, (data[0] & 7) == 7 ? "fuzz.tsv" : "fuzz.csv", &text,
                             &options);
    if (rc == 0) {
        use_set(d, &options);
        check_round_trip(ctx, d);
        fine__dataset_unref(d);
    } else {
        REQUIRE(d == NULL);
        check_failure(rc);
    }
    fuzz_context_free(ctx);
    return 0;
}
