#include "runner.h"

#include "text/template.h"

static int
read_text(struct fine__template *single, struct fine__template *pair, fine_context *ctx,
          const char *text)
{
    struct fine__json *json = NULL;
    int rc;

    ck_assert_int_eq(fine__json_parse(&json, ctx, text, strlen(text), "test"), 0);
    rc = fine__template_read(single, pair, json, "test");
    fine__json_free(json);
    return rc;
}

/* As "101.0 A.0 102.0": ids and texts with their types. */
static const char *
shown(const struct fine__template *t)
{
    static char out[256];
    size_t n = 0;

    for (int i = 0; i < t->count; i++) {
        const struct fine__slot *slot = &t->slots[i];

        if (slot->text >= 0)
            n += (size_t)snprintf(out + n, sizeof out - n, "%c.%d ", 'A' + slot->text, slot->type);
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%d.%d ", slot->id, slot->type);
    }
    return out;
}

#define SPECIAL \
    "\"special_tokens\": {\"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [101, 7], \"tokens\": []}," \
    "\"[SEP]\": {\"id\": \"[SEP]\", \"ids\": [102], \"tokens\": [\"[SEP]\"]}}}"
#define SINGLE_A "\"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],"
#define PAIR_AB \
    "\"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}," \
    "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],"

START_TEST(processors)
{
    fine_context *ctx = new_context(1);
    struct fine__template single, pair;

    ck_assert_int_eq(read_text(&single, &pair, ctx,
                               "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 102],"
                               "\"cls\": [\"[CLS]\", 101]}"),
                     0);
    ck_assert_str_eq(shown(&single), "101.0 A.0 102.0 ");
    ck_assert_str_eq(shown(&pair), "101.0 A.0 102.0 B.1 102.1 ");
    ck_assert_int_eq(single.n_added, 2);
    ck_assert_int_eq(pair.n_added, 3);
    ck_assert_int_eq(fine__template_largest_id(&pair), 102);
    ck_assert_int_eq(read_text(&single, &pair, ctx,
                               "{\"type\": \"TemplateProcessing\", \"single\": ["
                               "{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 3}},"
                               "{\"Sequence\": {\"id\": \"A\", \"type_id\": 2}}],"
                               "\"pair\": [{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}},"
                               "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 4}},"
                               "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}]," SPECIAL),
                     0);
    ck_assert_str_eq(shown(&single), "101.3 7.3 A.2 ");
    ck_assert_str_eq(shown(&pair), "B.1 102.4 A.0 ");
    ck_assert_int_eq(read_text(&single, &pair, ctx,
                               "{\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 2],"
                               "\"cls\": [\"<s>\", 0], \"add_prefix_space\": false}"),
                     0);
    ck_assert_str_eq(shown(&single), "0.0 A.0 2.0 ");
    ck_assert_str_eq(shown(&pair), "0.0 A.0 2.0 2.0 B.0 2.0 ");
    ck_assert(single.trim && pair.trim && !single.trim_keeps_prefix);
    ck_assert_int_eq(read_text(&single, &pair, ctx,
                               "{\"type\": \"Sequence\", \"processors\": ["
                               "{\"type\": \"ByteLevel\"}, {\"type\": \"BertProcessing\","
                               "\"sep\": [\"b\", 2], \"cls\": [\"a\", 1]}]}"),
                     0);
    ck_assert_str_eq(shown(&single), "1.0 A.0 2.0 ");
    ck_assert(single.trim && single.trim_keeps_prefix);
    ck_assert_int_eq(read_text(&single, &pair, ctx, "null"), 0);
    ck_assert_str_eq(shown(&single), "A.0 ");
    ck_assert_str_eq(shown(&pair), "A.0 B.1 ");
    ck_assert_int_eq(fine__template_largest_id(&pair), -1);
    free_context(ctx);
}
END_TEST

START_TEST(broken_processors)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } cases[] = {
        { "{}", FINE_EFORMAT, "'type' must be a string" },
        { "[]", FINE_EFORMAT, "'type' must be a string" },
        { "{\"type\": \"Metaspace\"}", FINE_EUNSUPPORTED, "'Metaspace' isn't supported" },
        { "{\"type\": \"ByteLevel\", \"trim_offsets\": 1}", FINE_EFORMAT,
          "'trim_offsets' must be true or false" },
        { "{\"type\": \"Sequence\"}", FINE_EFORMAT, "'processors' must be a list" },
        { "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"Sequence\"}]}",
          FINE_EUNSUPPORTED, "'Sequence' isn't supported" },
        { "{\"type\": \"Sequence\", \"processors\": ["
          "{\"type\": \"BertProcessing\", \"cls\": [\"a\", 1], \"sep\": [\"b\", 2]},"
          "{\"type\": \"BertProcessing\", \"cls\": [\"a\", 1], \"sep\": [\"b\", 2]}]}",
          FINE_EUNSUPPORTED, "two that add tokens" },
        { "{\"type\": \"BertProcessing\"}", FINE_EFORMAT, "'cls' must be a token and its id" },
        { "{\"type\": \"BertProcessing\", \"cls\": [\"a\", 1], \"sep\": [\"b\", -1]}", FINE_EFORMAT,
          "'sep' must be" },
        { "{\"type\": \"TemplateProcessing\"}", FINE_EFORMAT, "'single' must be a list" },
        { "{\"type\": \"TemplateProcessing\", \"single\": [], " PAIR_AB SPECIAL, FINE_EFORMAT,
          "'single' must use the text 'A'" },
        { "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"B\", "
          "\"type_id\": 0}}], " PAIR_AB SPECIAL,
          FINE_EFORMAT, "'single' has no text 'B'" },
        { "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"x\", "
          "\"type_id\": 0}}], " PAIR_AB SPECIAL,
          FINE_EFORMAT, "uses 'x'" },
        { "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", "
          "\"type_id\": -1}}], " PAIR_AB SPECIAL,
          FINE_EFORMAT, "item 0 of 'single'" },
        { "{\"type\": \"TemplateProcessing\", " SINGLE_A
          "\"pair\": [{\"Sequence\": {\"id\": \"A\", "
          "\"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}]," SPECIAL,
          FINE_EUNSUPPORTED, "twice" },
        { "{\"type\": \"TemplateProcessing\", " SINGLE_A
          "\"pair\": [{\"Sequence\": {\"id\": \"A\", "
          "\"type_id\": 0}}]," SPECIAL,
          FINE_EFORMAT, "must use the texts 'A' and 'B'" },
        { "{\"type\": \"TemplateProcessing\", " SINGLE_A "\"pair\": [7]," SPECIAL, FINE_EFORMAT,
          "item 0 of 'pair'" },
    };
    fine_context *ctx = new_context(1);
    struct fine__template single, pair;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(read_text(&single, &pair, ctx, cases[i].text) == cases[i].code, "%s",
                      cases[i].text);
        ck_assert_msg(strstr(fine_error_message(), cases[i].says) != NULL, "%s: %s", cases[i].text,
                      fine_error_message());
    }
    free_context(ctx);
}
END_TEST

/* A template can't be made to add more than its bound. */
START_TEST(endless_processors)
{
    fine_context *ctx = new_context(1);
    struct fine__template single, pair;
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    fine__buf_text(&text, "{\"type\": \"TemplateProcessing\", \"single\": [");
    for (int i = 0; i < 100; i++)
        fine__buf_text(&text, "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}},");
    fine__buf_text(&text, "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}]," PAIR_AB SPECIAL);
    ck_assert_int_eq(read_text(&single, &pair, ctx, text.data), FINE_EUNSUPPORTED);
    ck_assert(strstr(fine_error_message(), "more than") != NULL);
    fine__buf_free(&text);
    free_context(ctx);
}
END_TEST

RUNNER("template", processors, broken_processors, endless_processors)
