#include "runner.h"

#include "base/json.h"
#include "text/kind.h"
#include "text_helpers.h"

/* The files of a small vocabulary: all bytes first, then what the merges make. */
struct small {
    struct fine__buf vocab, merges;
};

static void
make_small(struct small *small, fine_context *ctx, const char *const *merges, const char *more)
{
    int n = 0;

    fine__buf_init(&small->vocab, ctx);
    fine__buf_init(&small->merges, ctx);
    fine__buf_text(&small->vocab, "{");
    for (int32_t c = 33; c < 0x144; c++) {
        char text[4];
        const size_t length = fine__utf8_encode(c, text);

        if ((c > 126 && c < 161) || c == 173)
            continue;
        fine__buf_text(&small->vocab, n > 0 ? ", " : "");
        fine__buf_json_string(&small->vocab, text, length);
        fine__buf_printf(&small->vocab, ": %d", n++);
    }
    fine__buf_text(&small->merges, "#version: 0.2\n");
    for (; *merges != NULL; merges++) {
        const char *space = strchr(*merges, ' ');

        fine__buf_printf(&small->merges, "%s\n", *merges);
        fine__buf_printf(&small->vocab, ", \"%.*s%s\": %d", (int)(space - *merges), *merges,
                         space + 1, n++);
    }
    fine__buf_printf(&small->vocab, "%s}", more);
    ck_assert_int_eq(n > 255, 1);
    ck_assert_int_eq(fine__buf_status(&small->vocab), 0);
}

static void
free_small(struct small *small)
{
    fine__buf_free(&small->vocab);
    fine__buf_free(&small->merges);
}

static const char *const english[] = { "t h", "th e", "\u0120 the", "i n", "in g", "\u0120 \u0120",
                                       "\u00c3 \u00a9", NULL };

static fine_tokenizer *
open_small(fine_context *ctx, const char *const *merges, const char *more, const char *config)
{
    struct small small;
    fine_tokenizer *t;

    make_small(&small, ctx, merges, more);
    t = opened_texts(ctx, (const char *const[]){ "vocab.json", fine__buf_cstr(&small.vocab),
                                                 "merges.txt", fine__buf_cstr(&small.merges),
                                                 config != NULL ? "tokenizer_config.json" : NULL,
                                                 config, NULL });
    free_small(&small);
    return t;
}

/* Pieces with their offsets: "the:0-3 ". */
static const char *
shown(const fine_tokenizer *t, fine_context *ctx, const char *text, const char *pair, int unit)
{
    static char out[1024];
    struct fine__tokens tokens;
    size_t n = 0;

    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, text, strlen(text), pair,
                                            pair != NULL ? strlen(pair) : 0, 0, unit, true), 0);
    out[0] = '\0';
    for (int64_t i = 0; i < tokens.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s:%d-%d ",
                              fine__tokenizer_piece(t, tokens.ids[i]),
                              (int)tokens.offsets[2 * i], (int)tokens.offsets[2 * i + 1]);
    fine__tokens_free(&tokens);
    return out;
}

START_TEST(merging)
{
    /* Rank decides, then the place; a merge that is listed twice has its last rank. */
    static const char *const ranks[] = { "a b", "b c", "a b", "x x", NULL };
    fine_context *ctx = new_context(1);
    struct small small;
    fine_tokenizer *t = NULL;

    make_small(&small, ctx, (const char *const[]){ "a b", "b c", "x x", NULL }, "");
    fine__buf_clear(&small.merges);
    for (int i = 0; ranks[i] != NULL; i++)
        fine__buf_printf(&small.merges, "%s\r\n\n", ranks[i]);
    t = opened_texts(ctx, (const char *const[]){ "vocab.json", fine__buf_cstr(&small.vocab),
                                                 "merges.txt", fine__buf_cstr(&small.merges),
                                                 NULL });
    free_small(&small);
    ck_assert_str_eq(shown(t, ctx, "abc", NULL, 0), "a:0-1 bc:1-3 ");
    ck_assert_str_eq(shown(t, ctx, "xxxxx", NULL, 0), "xx:0-2 xx:2-4 x:4-5 ");
    fine__tokenizer_unref(t);
    t = open_small(ctx, english, "", NULL);
    ck_assert_str_eq(shown(t, ctx, "the thing", NULL, 0), "the:0-3 \u0120:3-4 th:4-6 ing:6-9 ");
    ck_assert_str_eq(shown(t, ctx, "", NULL, 0), "");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(offsets_cover_characters)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = open_small(ctx, english, "", NULL);

    ck_assert_str_eq(shown(t, ctx, "\u00e9\u00e8", NULL, FINE_OFFSETS_BYTES),
                     "\u00c3\u00a9:0-2 \u00c3:2-4 \u00a8:2-4 ");
    ck_assert_str_eq(shown(t, ctx, "\u00e9\u00e8", NULL, FINE_OFFSETS_CHARS),
                     "\u00c3\u00a9:0-1 \u00c3:1-2 \u00a8:1-2 ");
    /* A broken byte reads as U+FFFD. */
    ck_assert_str_eq(shown(t, ctx, "a\xff z", NULL, FINE_OFFSETS_BYTES),
                     "a:0-1 \u00ef:1-2 \u00bf:1-2 \u00bd:1-2 \u0120:2-3 z:3-4 ");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

#define ROBERTA_TOKENS ", \"<s>\": 300, \"</s>\": 301, \"<mask>\": 302"

START_TEST(as_roberta)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = open_small(ctx, english, ROBERTA_TOKENS, NULL);
    struct fine__tokens tokens;

    ck_assert_str_eq(shown(t, ctx, "a the <mask>x", NULL, FINE_OFFSETS_CHARS),
                     "<s>:0-0 a:0-1 \u0120the:2-5 <mask>:6-12 x:12-13 </s>:0-0 ");
    ck_assert_str_eq(shown(t, ctx, "a", "b", FINE_OFFSETS_CHARS),
                     "<s>:0-0 a:0-1 </s>:0-0 </s>:0-0 b:0-1 </s>:0-0 ");
    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "aaaa", 4, "bbb", 3, 8, 0, true), 0);
    ck_assert_int_eq(tokens.count, 8);
    ck_assert_int_eq(tokens.truncated, 3);
    for (int64_t i = 0; i < 8; i++) {
        static const int32_t texts[8] = { -1, 0, 0, -1, -1, 1, 1, -1 };

        ck_assert_int_eq(tokens.types[i], 0);
        ck_assert_int_eq(tokens.texts[i], texts[i]);
    }
    ck_assert_int_lt(fine__tokenizer_encode(t, &tokens, "a", 1, "b", 1, 3, 0, true), 0);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    /* The space that is put before a text, and before what follows an added token. */
    t = open_small(ctx, english, ROBERTA_TOKENS, "{\"add_prefix_space\": true}");
    ck_assert_str_eq(shown(t, ctx, "the<mask>the", NULL, FINE_OFFSETS_CHARS),
                     "<s>:0-0 \u0120the:0-3 <mask>:3-9 \u0120the:10-12 </s>:0-0 ");
    ck_assert_str_eq(shown(t, ctx, " the", NULL, FINE_OFFSETS_CHARS),
                     "<s>:0-0 \u0120the:0-4 </s>:0-0 ");
    fine__tokenizer_unref(t);
    t = open_small(ctx, english, ROBERTA_TOKENS, "{\"trim_offsets\": false}");
    ck_assert_str_eq(shown(t, ctx, "a the", NULL, FINE_OFFSETS_CHARS),
                     "<s>:0-0 a:0-1 \u0120the:1-5 </s>:0-0 ");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(as_gpt2)
{
    static const char more[] = ", \"<|endoftext|>\": 400";
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = open_small(ctx, english, more, NULL);

    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 401);
    ck_assert_str_eq(shown(t, ctx, "<|", NULL, 0), "<:0-1 |:1-2 ");
    ck_assert_ptr_nonnull(strstr(shown(t, ctx, "<|endoftext|>", NULL, 0), "|:1-2"));
    fine__tokenizer_unref(t);
    t = open_small(ctx, english, more, "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    ck_assert_str_eq(shown(t, ctx, "a<|endoftext|>", NULL, 0), "a:0-1 <|endoftext|>:1-14 ");
    fine__tokenizer_unref(t);
    t = open_small(ctx, english, more,
                   "{\"bos_token\": \"<|endoftext|>\", \"add_bos_token\": true}");
    ck_assert_str_eq(shown(t, ctx, "a", "b", 0), "<|endoftext|>:0-0 a:0-1 b:0-1 ");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(decoding)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = open_small(ctx, english, ROBERTA_TOKENS, NULL);
    struct fine__tokens tokens;
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "the \u00e8\n\u6211", 10, NULL, 0, 0, 0, true),
                     0);
    ck_assert_int_eq(fine__tokenizer_decode(t, tokens.ids, tokens.count, true, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "the \u00e8\n\u6211");
    ck_assert_int_eq(fine__tokenizer_decode(t, tokens.ids, tokens.count, false, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "<s>the \u00e8\n\u6211</s>");
    ck_assert_int_eq(fine__tokenizer_decode(t, tokens.ids, 4, false, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "<s>the \ufffd");
    ck_assert_int_eq(fine__tokenizer_decode(t, (const int32_t[]){ -1, 9999 }, 2, false, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), "");
    fine__tokenizer_unref(t);
    t = opened_texts(ctx, (const char *const[]){ "vocab.txt",
                                                 "[UNK]\n[CLS]\n[SEP]\nab\n##cd\n.\nx\n", NULL });
    ck_assert_int_eq(fine__tokenizer_decode(t, (const int32_t[]){ 1, 3, 4, 6, 5, 2 }, 6, true, &text),
                     0);
    ck_assert_str_eq(fine__buf_cstr(&text), "abcd x.");
    fine__tokens_free(&tokens);
    fine__buf_free(&text);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(broken_files)
{
#define MODEL(members)                                                                        \
    "{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", "          \
    "\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, " members "}}"
    static const struct {
        int code;
        const char *says;
        const char *texts[5];
    } cases[] = {
        { FINE_EIO, "no merges.txt", { "vocab.json", "{\"a\": 0}" } },
        { FINE_EFORMAT, "the vocabulary must be", { "vocab.json", "[]", "merges.txt", "" } },
        { FINE_EFORMAT, "the id of 'a'", { "vocab.json", "{\"a\": \"0\"}", "merges.txt", "" } },
        { FINE_EFORMAT, "merges.txt:2: must be two", { "vocab.json", "{\"a\": 0}", "merges.txt",
                                                       "#version: 0.2\na b c\n" } },
        { FINE_EFORMAT, "lacks the second", { "vocab.json", "{\"a\": 0}", "merges.txt", "a b" } },
        { FINE_EFORMAT, "not UTF-8", { "vocab.json", "{\"a\": 0}", "merges.txt", "a \xff" } },
        { FINE_EFORMAT, "lacks what they make",
          { "vocab.json", "{\"a\": 0, \"b\": 1}", "merges.txt", "a b" } },
        { FINE_EFORMAT, "lacks the cls_token",
          { "vocab.json", "{\"a\": 0}", "merges.txt", "", "tokenizer_config.json" } },
        { FINE_EFORMAT, "'merges' must be a list", { "tokenizer.json", MODEL("\"merges\": 1") } },
        { FINE_EFORMAT, "item 1 must be two pieces",
          { "tokenizer.json", MODEL("\"merges\": [\"a b\", \"ab\"]") } },
        { FINE_EFORMAT, "item 0 must be two pieces",
          { "tokenizer.json", MODEL("\"merges\": [[\"a\", \"b\", \"a\"]]") } },
        { FINE_EUNSUPPORTED, "'dropout'",
          { "tokenizer.json", MODEL("\"merges\": [], \"dropout\": 0.1") } },
        { FINE_EUNSUPPORTED, "'byte_fallback'",
          { "tokenizer.json", MODEL("\"merges\": [], \"byte_fallback\": true") } },
        { FINE_EUNSUPPORTED, "'end_of_word_suffix'",
          { "tokenizer.json", MODEL("\"merges\": [], \"end_of_word_suffix\": \"</w>\"") } },
        { FINE_EFORMAT, "the unknown token 'u'",
          { "tokenizer.json", MODEL("\"merges\": [], \"unk_token\": \"u\"") } },
        { FINE_EUNSUPPORTED, "the normalizer 'NFC'",
          { "tokenizer.json", "{\"normalizer\": {\"type\": \"NFC\"}, \"model\": {\"type\": "
                              "\"BPE\"}}" } },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *texts[7] = { cases[i].texts[0], cases[i].texts[1], cases[i].texts[2],
                                 cases[i].texts[3], cases[i].texts[4] };
        fine_tokenizer *t = NULL;

        if (texts[4] != NULL)
            texts[5] = "{\"tokenizer_class\": \"RobertaTokenizer\"}";
        ck_assert_msg(open_texts(&t, ctx, texts) == cases[i].code, "%s: %s", cases[i].says,
                      fine_error_message());
        ck_assert_msg(strstr(fine_error_message(), cases[i].says) != NULL, "%s: %s", cases[i].says,
                      fine_error_message());
        ck_assert_ptr_null(t);
    }
    free_context(ctx);
}
END_TEST

START_TEST(saving_is_to_the_byte)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[200];
    struct small small;
    struct fine__buf text;
    fine_tokenizer *t;

    make_small(&small, ctx, english, ROBERTA_TOKENS);
    fine__buf_text(&small.merges, "\r\n\n");
    t = opened_texts(ctx, (const char *const[]){ "vocab.json", fine__buf_cstr(&small.vocab),
                                                 "merges.txt", fine__buf_cstr(&small.merges),
                                                 NULL });
    ck_assert_int_eq(fine__tokenizer_save(t, ctx, folder), 0);
    fine__tokenizer_unref(t);
    fine__buf_init(&text, ctx);
    snprintf(path, sizeof path, "%s/merges.txt", folder);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), fine__buf_cstr(&small.merges));
    fine__buf_clear(&text);
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), fine__buf_cstr(&small.vocab));
    t = NULL;
    ck_assert_int_eq(fine__tokenizer_open_path(&t, ctx, folder), 0);
    fine__tokenizer_unref(t);
    t = NULL;
    ck_assert_int_eq(fine__tokenizer_open_path(&t, ctx, path), 0);   /* merges.txt beside it */
    fine__tokenizer_unref(t);
    fine__buf_free(&text);
    free_small(&small);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(every_allocation_fails)
{
    struct faulty f;
    fine_context *ctx = new_faulty_context(&f, 1), *plain = new_context(1);
    const char *texts[5] = { "vocab.json", NULL, "merges.txt", NULL, NULL };
    struct small small;
    bool done = false;

    make_small(&small, plain, english, ROBERTA_TOKENS);
    texts[1] = fine__buf_cstr(&small.vocab);
    texts[3] = fine__buf_cstr(&small.merges);
    for (long long n = 1; !done; n += n < 40 ? 1 : 7) {
        fine_tokenizer *t = NULL;

        f = (struct faulty){ 0, n, false };
        if (open_texts(&t, ctx, texts) == 0) {
            struct fine__tokens tokens;
            struct fine__buf text;

            fine__tokens_init(&tokens, ctx);
            fine__buf_init(&text, ctx);
            done = fine__tokenizer_encode(t, &tokens, "xy \u00e9", 5, NULL, 0, 0, 0, true) == 0
                && fine__tokenizer_decode(t, tokens.ids, tokens.count, false, &text) == 0
                && f.calls < n;
            fine__tokens_free(&tokens);
            fine__buf_free(&text);
        }
        fine__tokenizer_unref(t);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    free_small(&small);
    free_context(ctx);
    free_context(plain);
}
END_TEST

/* The vocabulary of GPT-2, where the shared files lie beside the project. */
START_TEST(shared_golden)
{
    static const char folder[] = SOURCE_ROOT "/../shared/";
    fine_context *ctx = new_context(1);
    struct fine__tokens tokens;
    struct fine__buf cases;
    fine_tokenizer *t = NULL;
    int n = 0;

    fine__buf_init(&cases, ctx);
    if (fine__file_read(ctx, SOURCE_ROOT "/../shared/golden/tokenizers/cases.jsonl", 1 << 24, &cases)
        < 0) {
        printf("skipped: %s isn't there\n", folder);
        fine__buf_free(&cases);
        free_context(ctx);
        return;
    }
    ck_assert_int_eq(fine__tokenizer_open_path(
                         &t, ctx, SOURCE_ROOT "/../shared/vectors/tokenizers/gpt2-vocab.json"), 0);
    fine__tokens_init(&tokens, ctx);
    for (const char *at = cases.data, *end; *at != '\0'; at = end + 1, n++) {
        struct fine__json *line;
        const struct fine__json *ids, *offsets;
        const char *text, *nul = strstr(at, "\\u0000");
        size_t length;

        end = strchr(at, '\n');
        if (nul != NULL && nul < end)   /* our reader of JSON refuses it */
            continue;
        ck_assert_int_eq(fine__json_parse(&line, ctx, at, (size_t)(end - at), "case"), 0);
        text = fine__json_string(fine__json_get(line, "text"), &length);
        ids = fine__json_get(line, "gpt2");
        offsets = fine__json_get(line, "offsets_gpt2");
        ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, text, length, NULL, 0, 0,
                                                FINE_OFFSETS_CHARS, true), 0);
        ck_assert_int_eq(tokens.count, fine__json_count(ids));
        for (int64_t i = 0; i < tokens.count; i++) {
            const struct fine__json *span = fine__json_at(offsets, i);

            ck_assert_int_eq(tokens.ids[i], fine__json_int(fine__json_at(ids, i), -1));
            if (offsets == NULL)
                continue;
            ck_assert_int_eq(tokens.offsets[2 * i], fine__json_int(fine__json_at(span, 0), -1));
            ck_assert_int_eq(tokens.offsets[2 * i + 1], fine__json_int(fine__json_at(span, 1), -1));
        }
        fine__json_free(line);
    }
    ck_assert_int_gt(n, 700);
    fine__tokens_free(&tokens);
    fine__buf_free(&cases);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

RUNNER("bpe", merging, offsets_cover_characters, as_roberta, as_gpt2, decoding, broken_files,
       saving_is_to_the_byte, every_allocation_fails, shared_golden)
