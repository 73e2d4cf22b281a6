#include "runner.h"

#include "base/json.h"
#include "text_helpers.h"

#define MODEL(vocab) \
    "{\"model\": {\"type\": \"WordPiece\", \"vocab\": " vocab "}," \
    "\"normalizer\": {\"type\": \"BertNormalizer\"}, \"pre_tokenizer\": {\"type\": " \
    "\"BertPreTokenizer\"}}"

START_TEST(longest_first)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_json(
        ctx, MODEL("{\"[UNK]\": 0, \"want\": 1, \"##want\": 2, \"##ed\": 3, \"wa\": 4, \"un\": 5,"
                   "\"runn\": 6, \"##ing\": 7, \",\": 8, \"low\": 9, \"lowest\": 10, \"##\": 11}"));

    ck_assert_str_eq(pieces_of(t, ctx, "UNwant\u00e9d,running"), "un|##want|##ed|,|runn|##ing");
    ck_assert_str_eq(pieces_of(t, ctx, "unwantedX running"), "[UNK]|runn|##ing");
    ck_assert_str_eq(pieces_of(t, ctx, "lowest lowes low ing"), "lowest|[UNK]|low|[UNK]");
    ck_assert_str_eq(pieces_of(t, ctx, ""), "");
    ck_assert_str_eq(pieces_of(t, ctx, "## want"), "[UNK]|[UNK]|want");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(limits_and_prefixes)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_json(
        ctx,
        "{\"model\": {\"unk_token\": \"?\", \"continuing_subword_prefix\": \"\","
        "\"max_input_chars_per_word\": 4, \"vocab\": {\"?\": 5, \"a\": 0, \"\u00e9\u00e9\": 9}}}");

    /* No normalizer and no pre-tokenizer: the text is one word. */
    ck_assert_str_eq(pieces_of(t, ctx, "aa\u00e9\u00e9"), "a|a|\u00e9\u00e9");
    ck_assert_str_eq(pieces_of(t, ctx, "aaaaa"), "?");
    ck_assert_str_eq(pieces_of(t, ctx, "a a"), "?");
    ck_assert_str_eq(pieces_of(t, ctx, "\u00e9\u00e9\u00e9\u00e9"), "\u00e9\u00e9|\u00e9\u00e9");
    ck_assert_str_eq(pieces_of(t, ctx, "\u00e9\u00e9\u00e9"), "?");
    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 10);
    ck_assert_ptr_null(fine__tokenizer_piece(t, 1));
    fine__tokenizer_unref(t);
    /* "##" itself isn't a piece that goes on. */
    t = opened_json(ctx, MODEL("{\"[UNK]\": 0, \"a\": 1}"));
    ck_assert_str_eq(pieces_of(t, ctx, "a aa"), "a|[UNK]");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

/* The file's bytes, NUL-terminated; false: it isn't there. */
static bool
read_whole(struct fine__buf *out, fine_context *ctx, const char *path)
{
    fine__buf_init(out, ctx);
    if (!fine__file_exists(ctx, path))
        return false;
    ck_assert_int_eq(fine__file_read(ctx, path, INT64_C(1) << 28, out), 0);
    return true;
}

/* Takes the next line off, as JSON. */
static struct fine__json *
next_line(fine_context *ctx, const char **at)
{
    const char *end = strchr(*at, '\n');
    struct fine__json *json;

    if (end == NULL)
        return NULL;
    ck_assert_msg(fine__json_parse(&json, ctx, *at, (size_t)(end - *at), "line") == 0, "%s",
                  fine_error_message());
    *at = end + 1;
    return json;
}

static void
same_ids(const struct fine__json *expected, const int32_t *ids, int64_t count, const char *what,
         int64_t n)
{
    ck_assert_msg(fine__json_count(expected) == count, "case %lld: %lld %s, expected %lld",
                  (long long)n, (long long)count, what, (long long)fine__json_count(expected));
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(fine__json_int(fine__json_at(expected, i), -1) == ids[i],
                      "case %lld: %s %lld is %d", (long long)n, what, (long long)i, ids[i]);
}

static void
same_offsets(const struct fine__json *expected, const struct fine__tokens *tokens, int64_t n)
{
    ck_assert_int_eq(fine__json_count(expected), tokens->count);
    for (int64_t i = 0; i < 2 * tokens->count; i++)
        ck_assert_msg(fine__json_int(fine__json_at(fine__json_at(expected, i / 2), i % 2), -1) ==
                          tokens->offsets[i],
                      "case %lld: offset %lld is %lld", (long long)n, (long long)i,
                      (long long)tokens->offsets[i]);
}

/* tests/golden/tokenizers: what the tokenizers library says. */
START_TEST(committed_golden)
{
    fine_context *ctx = new_context(1);
    struct fine__buf tokenizers, cases;
    struct fine__tokens tokens;
    fine_tokenizer *t = NULL;
    struct fine__json *line;
    const char *at_tokenizer, *at_case;
    int64_t n = 0, current = -1;

    ck_assert(
        read_whole(&tokenizers, ctx, SOURCE_ROOT "/tests/golden/tokenizers/tokenizers.jsonl"));
    ck_assert(read_whole(&cases, ctx, SOURCE_ROOT "/tests/golden/tokenizers/cases.jsonl"));
    at_tokenizer = tokenizers.data;
    at_case = cases.data;
    fine__tokens_init(&tokens, ctx);
    for (; (line = next_line(ctx, &at_case)) != NULL; n++) {
        size_t length, pair_length = 0;
        const char *text = fine__json_string(fine__json_at(line, 1), &length);
        const char *pair = fine__json_string(fine__json_at(line, 2), &pair_length);

        if (fine__json_int(fine__json_at(line, 0), -1) != current) {
            char *end = strchr(at_tokenizer, '\n');

            *end = '\0';
            fine__tokenizer_unref(t);
            t = opened_json(ctx, at_tokenizer);
            at_tokenizer = end + 1;
            current++;
        }
        ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, text, length, pair, pair_length,
                                                fine__json_int(fine__json_at(line, 3), 0),
                                                FINE_OFFSETS_CHARS,
                                                fine__json_bool(fine__json_at(line, 4), false)),
                         0);
        same_ids(fine__json_at(line, 5), tokens.ids, tokens.count, "id", n);
        same_ids(fine__json_at(line, 6), tokens.types, tokens.count, "type", n);
        same_offsets(fine__json_at(line, 7), &tokens, n);
        fine__json_free(line);
    }
    ck_assert_int_gt(n, 700);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    fine__buf_free(&tokenizers);
    fine__buf_free(&cases);
    free_context(ctx);
}
END_TEST

static void
check_shared(fine_context *ctx, const struct fine__buf *cases, const char *vocab,
             const char *config, const char *key)
{
    fine_tokenizer *t = opened_texts(
        ctx, (const char *const[]){ "vocab.txt", vocab, "tokenizer_config.json", config, NULL });
    struct fine__tokens tokens;
    struct fine__json *line;
    const char *at = cases->data;
    char offsets[64];
    int64_t n = 0;

    fine__tokens_init(&tokens, ctx);
    for (; *at != '\0'; n++) {
        const char *end = strchr(at, '\n'), *nul = strstr(at, "\\u0000"), *text;
        size_t length;

        if (nul != NULL && nul < end) { /* our reader of JSON refuses it */
            at = end + 1;
            continue;
        }
        line = next_line(ctx, &at);
        ck_assert_ptr_nonnull(line);
        text = fine__json_string(fine__json_get(line, "text"), &length);
        ck_assert_int_eq(
            fine__tokenizer_encode(t, &tokens, text, length, NULL, 0, 0, FINE_OFFSETS_CHARS, true),
            0);
        same_ids(fine__json_get(line, key), tokens.ids, tokens.count, "id", n);
        snprintf(offsets, sizeof offsets, "offsets_%s", key);
        if (fine__json_get(line, offsets) != NULL)
            same_offsets(fine__json_get(line, offsets), &tokens, n);
        fine__json_free(line);
    }
    ck_assert_int_gt(n, 700);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
}

/* BERT's own vocabulary, where the shared files lie beside the project. */
START_TEST(shared_golden)
{
    static const char path[] = SOURCE_ROOT "/../shared/golden/tokenizers/cases.jsonl";
    fine_context *ctx = new_context(1);
    struct fine__buf cases, vocab;

    if (read_whole(&cases, ctx, path)) {
        ck_assert(
            read_whole(&vocab, ctx, SOURCE_ROOT "/../shared/vectors/tokenizers/bert-vocab.txt"));
        check_shared(ctx, &cases, vocab.data, "{}", "bert_uncased");
        check_shared(ctx, &cases, vocab.data, "{\"do_lower_case\": false}", "bert_cased");
        fine__buf_free(&vocab);
    } else {
        printf("skipped: %s isn't there\n", path);
    }
    fine__buf_free(&cases);
    free_context(ctx);
}
END_TEST

RUNNER("wordpiece", longest_first, limits_and_prefixes, committed_golden, shared_golden)
