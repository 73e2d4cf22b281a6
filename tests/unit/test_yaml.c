/* test_yaml.c — the tree, its places, and what is refused; hostile texts are quick. */
#include "runner.h"

#include <time.h>

#include "recipe/yaml.h"

static int
parse(struct fine__yaml *yaml, fine_context *ctx, const char *text, size_t length)
{
    fine__error_clear();
    return fine__yaml_parse(yaml, ctx, text, length, "r.yaml");
}

START_TEST(builds_a_tree_with_places)
{
    const char *text = "# first\nmodel: m\ntrain:\n  freeze: [a, \"b c\"]\n  n: 'it''s'\n";
    fine_context *ctx = new_context(1);
    struct fine__yaml y;
    const struct fine__yaml_node *node;

    ck_assert_int_eq(parse(&y, ctx, text, strlen(text)), 0);
    ck_assert(!y.has_findings);
    ck_assert_int_eq(y.nodes[y.root].kind, FINE__YAML_MAP);
    node = &y.nodes[y.nodes[y.root].first];
    ck_assert_str_eq(node->key, "model");
    ck_assert_str_eq(node->text, "m");
    ck_assert(node->plain);
    ck_assert_int_eq(node->key_line, 2);
    ck_assert_int_eq(node->column, 8);
    node = &y.nodes[node->next];
    ck_assert_str_eq(node->key, "train");
    ck_assert_int_eq(node->next, -1);
    node = &y.nodes[node->first];
    ck_assert_int_eq(node->kind, FINE__YAML_LIST);
    ck_assert_int_eq(node->line, 4);
    ck_assert_str_eq(y.nodes[node->first].text, "a");
    ck_assert_ptr_null(y.nodes[node->first].key);
    ck_assert_str_eq(y.nodes[y.nodes[node->first].next].text, "b c");
    ck_assert(!y.nodes[y.nodes[node->first].next].plain);
    node = &y.nodes[node->next];
    ck_assert_str_eq(node->text, "it's");
    fine__yaml_free(&y);
    fine__yaml_free(&y);
    free_context(ctx);
}
END_TEST

START_TEST(empty_and_marked_texts)
{
    static const struct { const char *text; size_t length; int root; } cases[] = {
        { "", 0, -1 }, { "# nothing\n", 10, -1 }, { "---\n...\n", 8, 0 },
        { "\xEF\xBB\xBF" "a: 1", 7, 0 }, { "a: 1\r\nb: 2\r\n", 12, 0 },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fine__yaml y;

        ck_assert_int_eq(parse(&y, ctx, cases[i].text, cases[i].length), 0);
        ck_assert_int_eq(y.root, cases[i].root);
        ck_assert(!y.has_findings);
        fine__yaml_free(&y);
    }
    free_context(ctx);
}
END_TEST

/* Told, and read on. */
START_TEST(refuses_and_reads_on)
{
    static const struct { const char *text, *message; } cases[] = {
        { "a: &x 1", "r.yaml:1:4: anchors" },
        { "a: &x [1]", "r.yaml:1:4: anchors" },
        { "&x a: 1", "r.yaml:1:1: a key with an anchor" },
        { "a: *x", "r.yaml:1:4: aliases" },
        { "a: !!str 1", "r.yaml:1:4: tags" },
        { "a: ! 1", "r.yaml:1:4: tags" },
        { "!t\na: 1", "r.yaml:1:1: tags" },
        { "a:\n  <<: {b: 1}", "r.yaml:2:3: merge keys" },
        { "a: 1\nb: 2\na: 3", "r.yaml:3:1: key 'a' stands in line 1 already" },
        { "a: {b: 1, \"b\": 2}", "r.yaml:1:11: key 'b' stands in line 1 already" },
        { "a: \"\\0\"", "r.yaml:1:4: a text with a NUL" },
        { "\"a\\0b\": 1", "r.yaml:1:1: a key with a NUL" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fine__yaml y;

        ck_assert_int_eq(parse(&y, ctx, cases[i].text, strlen(cases[i].text)), 0);
        ck_assert(y.has_findings);
        ck_assert_msg(strncmp(fine_error_message(), cases[i].message,
                              strlen(cases[i].message)) == 0,
                      "%s: %s", cases[i].text, fine_error_message());
        fine__yaml_free(&y);
    }
    free_context(ctx);
}
END_TEST

/* Cannot be read on. */
START_TEST(refuses_and_stops)
{
    static const struct { const char *text, *message; } cases[] = {
        { "a: [[[[[[[[1]]]]]]]]", "r.yaml:1:11: nested deeper than 8" },
        { "a: 1\n---\nb: 1", "r.yaml:2:1: a second document" },
        { "%YAML 1.1\n---\na: 1", "r.yaml:1:1: directives" },
        { "? [a]\n: 1", "r.yaml:1:3: a list or a mapping as a key" },
        { "a: 1\n\tb: 2", "r.yaml:2:1: a tab" },
        { "a: b: c", "r.yaml:1:5: a ':' where no key can stand" },
        { "a: 'b", "r.yaml:1:4: what begins here has no end; a closing quote" },
        { "a: b\xff", "r.yaml:1:5: not valid UTF-8" },
        { "\xff\xfe" "a\0:\0", "r.yaml:1:1: not valid UTF-8" },
        { "a: b\x01", "r.yaml:1:5: control character U+0001" },
        { "\xc3\xa4: \"\x7f\"", "r.yaml:1:5: control character U+007F" },
        { "a: @b", "r.yaml:1:4: put quotes around a text that begins with this" },
        { "a: [1, 2", "r.yaml:1:4: what begins here has no end" },
    };
    fine_context *ctx = new_context(1);
    char *large = malloc(FINE__YAML_MAX_BYTES + 1);
    struct fine__yaml y;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(parse(&y, ctx, cases[i].text, strlen(cases[i].text)), FINE_ERECIPE);
        ck_assert_msg(strncmp(fine_error_message(), cases[i].message,
                              strlen(cases[i].message)) == 0,
                      "%s: %s", cases[i].text, fine_error_message());
    }
    memset(large, ' ', FINE__YAML_MAX_BYTES + 1);
    ck_assert_int_eq(parse(&y, ctx, large, FINE__YAML_MAX_BYTES + 1), FINE_ERECIPE);
    ck_assert_int_eq(parse(&y, ctx, large, FINE__YAML_MAX_BYTES), 0);
    fine__yaml_free(&y);
    free(large);
    free_context(ctx);
}
END_TEST

static double
seconds_to_parse(fine_context *ctx, const char *begin, const char *repeat, const char *end)
{
    static char text[FINE__YAML_MAX_BYTES];
    size_t n = strlen(begin), m = strlen(repeat), e = strlen(end);
    struct timespec from, to;
    struct fine__yaml y;

    memcpy(text, begin, n);
    for (; n + m + e <= sizeof text; n += m)
        memcpy(text + n, repeat, m);
    memcpy(text + n, end, e);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    if (parse(&y, ctx, text, n + e) == 0)
        fine__yaml_free(&y);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* Each takes a few milliseconds; the bound leaves room for sanitizers. */
START_TEST(hostile_texts_are_quick)
{
    static const char *const cases[][3] = {
        { "", "[", "" },            { "", "{", "" },        { "", "[\n", "" },
        { "", "{a: ", "" },         { "", "- ", "" },       { "", "? ", "" },
        { "[", "[],", "]" },        { "{", "{}: ,", "}" },  { "", "-\n", "" },
        { "", "&a ", "" },          { "[", "*a,", "]" },    { "[", "&a b,", "]" },
        { "", "%TAG !a! b\n", "" }, { "[", "!!a b,", "]" }, { "", "? a\n", "" },
        { "", "a: b\n", "" },       { "{", "a: b,", "}" },  { "", "---\n", "" },
        { "a: |\n", " x\n", "" },   { "\"", "\\\n", "\"" }, { "'", "''", "'" },
        { "[[[[[[[", "a ,", "]]]]]]]" },                    { "[", "a: b, ", "]" },
        { "{", "? ", "}" },         { "\"", "x", "\": b" }, { "", "#\n", "" },
        { "a:", "\n\n ", "b" },     { "{", "\"a\"\n:b\n,", "}" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double seconds = seconds_to_parse(ctx, cases[i][0], cases[i][1], cases[i][2]);

        ck_assert_msg(seconds < 0.5, "%zu: %g s", i, seconds);
    }
    ck_assert_int_lt(fine_context_peak_bytes(ctx), 16 << 20);
    free_context(ctx);
}
END_TEST

RUNNER("yaml", builds_a_tree_with_places, empty_and_marked_texts, refuses_and_reads_on,
       refuses_and_stops, hostile_texts_are_quick)
