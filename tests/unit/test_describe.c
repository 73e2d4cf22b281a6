#include "base/json.h"
#include "tables.h"

START_TEST(describes_labels_and_texts)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.on_bad_row = "skip";
    d = must_parse(ctx, "t.csv", "id,text,label\n1,a,x\n2,,x\n"
                                 "3,\xc3\xa9\xc3\xa9\xc3\xa9,\"q\"\"\"\n"
                                 "4,a,x\n5,abcdefgh,q\nbad\n", &options);
    ck_assert_str_eq(fine__dataset_describe(d),
                     "{\"rows\":5,\"skipped\":1,\"labels\":{\"q\":1,\"q\\\"\":1,\"x\":3},"
                     "\"text_chars\":{\"min\":0,\"median\":1,\"max\":8},\"empty_texts\":1,"
                     "\"duplicate_texts\":1,\"columns\":{\"used\":[\"text\",\"label\"],"
                     "\"unused\":[\"id\"]}}");
    ck_assert_ptr_eq(fine__dataset_describe(d), d->description);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(describes_numbers)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *d;

    options.label_is_number = 1;
    options.text_pair = "pair";
    d = must_parse(ctx, "t.csv", "text,pair,label\na,b,1\na,c,2.5\na,b,-2\nab,b,0.5\n", &options);
    ck_assert_str_eq(fine__dataset_describe(d),
                     "{\"rows\":4,\"skipped\":0,\"value\":{\"min\":-2,\"max\":2.5,\"mean\":0.5},"
                     "\"text_chars\":{\"min\":1,\"median\":1,\"max\":2},"
                     "\"pair_chars\":{\"min\":1,\"median\":1,\"max\":1},\"empty_texts\":0,"
                     "\"duplicate_texts\":1,\"columns\":{\"used\":[\"text\",\"pair\",\"label\"],"
                     "\"unused\":[]}}");
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(describes_nothing)
{
    fine_context *ctx = new_context(1);
    fine_dataset *d = must_parse(ctx, "t.csv", "text,label\n", NULL);
    struct fine__json *json;

    ck_assert_str_eq(fine__dataset_describe(d),
                     "{\"rows\":0,\"skipped\":0,\"labels\":{},"
                     "\"text_chars\":{\"min\":0,\"median\":0,\"max\":0},\"empty_texts\":0,"
                     "\"duplicate_texts\":0,\"columns\":{\"used\":[\"text\",\"label\"],"
                     "\"unused\":[]}}");
    ck_assert_int_eq(fine__json_parse(&json, ctx, d->description, strlen(d->description), "d"), 0);
    fine__json_free(json);
    fine__dataset_unref(d);
    free_context(ctx);
}
END_TEST

START_TEST(counts_overlap_of_pairs)
{
    struct fine_dataset_options options = default_options();
    fine_context *ctx = new_context(1);
    fine_dataset *a, *b, *c;
    int64_t n;

    options.text_pair = "pair";
    a = must_parse(ctx, "a.csv", "text,pair,label\na,b,1\nb,a,2\n", &options);
    b = must_parse(ctx, "b.csv", "text,pair,label\na,a,1\nb,a,2\nb,b,1\n", &options);
    c = must_parse(ctx, "c.csv", "text,label\na,1\n", NULL);
    ck_assert_int_eq(fine__dataset_overlap(&n, a, b), 0);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(fine__dataset_overlap(&n, a, c), 0);
    ck_assert_int_eq(n, 0);
    fine__dataset_unref(a);
    fine__dataset_unref(b);
    fine__dataset_unref(c);
    free_context(ctx);
}
END_TEST

RUNNER("describe", describes_labels_and_texts, describes_numbers, describes_nothing,
       counts_overlap_of_pairs)
