/* test_spans.c — spans.c: entities as places in a text, and every place that is none. */
#include "tables.h"

static fine_context *ctx;

static struct fine_dataset_options
span_options(void)
{
    struct fine_dataset_options options = default_options();

    options.task = "tag";
    return options;
}

static const char *
places_of(const fine_dataset *d)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (int64_t i = 0; i < d->n_rows; i++) {
        n += (size_t)snprintf(all + n, sizeof all - n, "%s[", i > 0 ? " " : "");
        for (int64_t k = 0; k < d->rows[i].n_marks; k++) {
            const struct fine__mark *mark = &d->marks[d->rows[i].first_mark + k];

            n += (size_t)snprintf(all + n, sizeof all - n, "%s%d-%d %s", k > 0 ? "," : "",
                                  (int)mark->start, (int)mark->end, d->labels[mark->label]);
        }
        n += (size_t)snprintf(all + n, sizeof all - n, "]");
    }
    return all;
}

START_TEST(reads_places)
{
    struct fine_dataset_options options = span_options();
    fine_dataset *d;

    ctx = new_context(1);
    d = must_parse(ctx, "t.jsonl",
                   "{\"text\":\"caf\xc3\xa9 in Paris\",\"spans\":["
                   "{\"start\":9,\"end\":14,\"label\":\"LOC\"},"
                   "{\"start\":0,\"end\":5,\"label\":\"ORG\",\"more\":1}]}\n"
                   "{\"text\":\"x\",\"spans\":[]}\n", &options);
    ck_assert_str_eq(places_of(d), "[0-5 B-ORG,9-14 B-LOC] []");
    ck_assert_int_eq(d->n_labels, 5);
    ck_assert(!d->blank_words);
    fine__dataset_unref(d);
    options.offsets = "chars";
    d = must_parse(ctx, "t.jsonl",
                   "{\"text\":\"caf\xc3\xa9 in Paris\",\"label\":["
                   "{\"start\":8,\"end\":13,\"label\":\"LOC\"},"
                   "{\"start\":0,\"end\":4,\"label\":\"ORG\"}]}\n", &options);
    ck_assert_str_eq(places_of(d), "[0-5 B-ORG,9-14 B-LOC]");
    fine__dataset_unref(d);
    options.offsets = "words";
    ck_assert_int_eq(parse(&d, ctx, "t.jsonl", "{\"text\":\"x\",\"spans\":[]}\n", -1, &options),
                     FINE_EINVAL);
    free_context(ctx);
}
END_TEST

#define ROW(spans) "{\"text\":\"caf\xc3\xa9 au lait\",\"spans\":" spans "}\n"
#define SPAN(start, end) "{\"start\":" start ",\"end\":" end ",\"label\":\"X\"}"

START_TEST(refuses_what_is_no_place)
{
    static const char *const labels[] = { "Y" };
    struct fine_dataset_options options = span_options();

    ctx = new_context(1);
    ck_assert_str_eq(
        findings_of(ctx, "t.jsonl",
                    ROW("[" SPAN("0", "14") "]") ROW("[" SPAN("0", "4") "]")
                        ROW("[" SPAN("6", "8") "," SPAN("0", "7") "]") ROW("[" SPAN("3", "3") "]")
                            ROW("[" SPAN("-1", "3") "]") ROW("[" SPAN("0", "1.5") "]")
                                ROW("[7]") ROW("7") ROW("null")
                                    ROW("[{\"start\":0,\"end\":1,\"label\":\"\"}]"),
                    &options),
        "t.jsonl:1: entry 1 of 'spans' reaches beyond the text, which has 13 bytes; data.offsets: "
        "chars, if these are characters\n"
        "t.jsonl:2: entry 1 of 'spans' begins or ends inside a character; data.offsets: chars, if "
        "these are characters\n"
        "t.jsonl:3: entries 2 and 1 of 'spans' overlap, and a word has one tag; keep one of them\n"
        "t.jsonl:4: entry 1 of 'spans': 'start' must be at least 0, and 'end' beyond it\n"
        "t.jsonl:5: entry 1 of 'spans': 'start' must be at least 0, and 'end' beyond it\n"
        "t.jsonl:6: entry 1 of 'spans' must be an object with whole numbers 'start' and 'end' and a "
        "text 'label'\n"
        "t.jsonl:7: entry 1 of 'spans' must be an object with whole numbers 'start' and 'end' and a "
        "text 'label'\n"
        "t.jsonl:8: 'spans' must be a list of objects\n"
        "t.jsonl:9: 'spans' is missing; a text without any has an empty list\n"
        "t.jsonl:10: entry 1 of 'spans': 'label' must have 1 to 998 bytes");
    options.offsets = "chars";
    ck_assert_str_eq(findings_of(ctx, "t.jsonl", ROW("[" SPAN("0", "13") "]"), &options),
                     "t.jsonl:1: entry 1 of 'spans' reaches beyond the text, which has 13 bytes");
    options.offsets = NULL;
    options.labels = labels;
    options.n_labels = 1;
    ck_assert_str_eq(findings_of(ctx, "t.jsonl", ROW("[" SPAN("0", "5") "]"), &options),
                     "t.jsonl:1: entry 1 of 'spans': the label is none of those in task.labels");
    free_context(ctx);
}
END_TEST

START_TEST(skips_and_survives)
{
    struct fine_dataset_options options = span_options();

    options.on_bad_row = "skip";
    for (long long i = 1;; i++) {
        struct faulty faulty;
        fine_dataset *d = NULL;
        int rc;

        ctx = new_faulty_context(&faulty, 1);
        faulty.calls = 0;
        faulty.fail_at = i;
        rc = parse(&d, ctx, "t.jsonl",
                   ROW("[" SPAN("0", "5") "," SPAN("6", "8") "]") ROW("[" SPAN("0", "4") "]"), -1,
                   &options);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        if (rc == 0) {
            ck_assert_str_eq(places_of(d), "[0-5 B-X,6-8 B-X]");
            ck_assert_int_eq(d->skipped, 1);
            fine__dataset_unref(d);
        }
        free_context(ctx);
        if (rc == 0 && faulty.calls < i)
            break;
    }
}
END_TEST

RUNNER("spans", reads_places, refuses_what_is_no_place, skips_and_survives)
