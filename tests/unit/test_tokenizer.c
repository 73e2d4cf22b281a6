#include "runner.h"

#include "faulty_io.h"
#include "text_helpers.h"

#define VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\ncaf\u00e9\ncafe\n"
#define MODEL \
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": " \
    "{\"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, \"the\": 5, \"The\": 6}}"
#define BERT \
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": false}," \
    "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}"

static void
write_text(fine_context *ctx, const char *folder, const char *name, const char *text)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(fine__file_write(ctx, path, text, strlen(text)), 0);
}

START_TEST(a_vocabulary_alone)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_texts(ctx, (const char *const[]){ "vocab.txt", VOCAB, NULL });

    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 9);
    ck_assert_str_eq(pieces_of(t, ctx, "The CAF\u00c9"), "the|cafe");
    ck_assert_str_eq(pieces_of(t, ctx, "the[MASK] [mask]"), "the|[MASK]|[UNK]|[UNK]|[UNK]");
    fine__tokenizer_unref(t);
    /* Byte order mark, CRLF, trailing space, duplicates, blank lines. */
    t = opened_texts(
        ctx,
        (const char *const[]){
            "vocab.txt",
            "\xef\xbb\xbf[UNK]\r\n[CLS] \t\r\n[SEP]\u3000\r\nthe\r\n\r\nthe\r\n \n\n\n", NULL });
    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 6);
    ck_assert_str_eq(fine__tokenizer_piece(t, 0), "[UNK]");
    ck_assert_str_eq(fine__tokenizer_piece(t, 2), "[SEP]");
    ck_assert_str_eq(fine__tokenizer_piece(t, 3), "the");
    ck_assert_ptr_null(fine__tokenizer_piece(t, 4));
    ck_assert_str_eq(fine__tokenizer_piece(t, 5), "the");
    fine__tokenizer_unref(t);
    /* No newline at the end. */
    t = opened_texts(ctx, (const char *const[]){ "vocab.txt", "[UNK]\n[CLS]\n[SEP]", NULL });
    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 3);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(what_the_configuration_says)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t;

    t = opened_texts(ctx, (const char *const[]){ "vocab.txt", VOCAB, "tokenizer_config.json",
                                                 "{\"do_lower_case\": false}", NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "The caf\u00e9"), "The|caf\u00e9");
    fine__tokenizer_unref(t);
    t = opened_texts(ctx, (const char *const[]){ "vocab.txt", VOCAB, "tokenizer_config.json",
                                                 "{\"do_lower_case\": true, \"strip_accents\": "
                                                 "false, \"tokenize_chinese_chars\": false}",
                                                 NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "The CAF\u00c9 \u6211\u6211"), "the|caf\u00e9|[UNK]");
    fine__tokenizer_unref(t);
    t = opened_texts(
        ctx,
        (const char *const[]){
            "vocab.txt", "<s>\n</s>\n<unk>\n<mask>\nx\n", "tokenizer_config.json",
            "{\"cls_token\": \"<s>\", \"unk_token\": null, \"mask_token\": {\"__type\": "
            "\"AddedToken\", "
            "\"content\": \"<mask>\", \"lstrip\": true, \"rstrip\": false, \"normalized\": false, "
            "\"single_word\": false}, \"added_tokens_decoder\": {\"5\": {\"content\": \"<new>\", "
            "\"special\": true}, \"6\": {\"content\": \"Yes\", \"special\": false}}}",
            "special_tokens_map.json",
            "{\"cls_token\": \"[other]\", \"sep_token\": \"</s>\", \"unk_token\": \"<unk>\"}",
            "added_tokens.json", "{\"<new>\": 5, \"<more>\": 7}", NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "x <mask><new>yes YES <more><s>"),
                     "x|<mask>|<new>|Yes|Yes|<more>|<s>");
    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 8);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(tokenizer_json_goes_first)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t;

    t = opened_texts(ctx, (const char *const[]){ "vocab.txt", VOCAB, "tokenizer.json",
                                                 "{" MODEL "," BERT "}", "added_tokens.json", "bad",
                                                 NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "The the [MASK]"), "The|the|[UNK]|[UNK]|[UNK]");
    fine__tokenizer_unref(t);
    /* What tokenizer_config.json says overrides its normalizer, as in transformers … */
    t = opened_texts(ctx, (const char *const[]){ "tokenizer.json", "{" MODEL "," BERT "}",
                                                 "tokenizer_config.json",
                                                 "{\"do_lower_case\": true}", NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "The the"), "the|the");
    fine__tokenizer_unref(t);
    /* … but for the class that has no such options. */
    t = opened_texts(ctx, (const char *const[]){ "tokenizer.json", "{" MODEL "," BERT "}",
                                                 "tokenizer_config.json",
                                                 "{\"do_lower_case\": true, \"tokenizer_class\": "
                                                 "\"PreTrainedTokenizerFast\"}",
                                                 NULL });
    ck_assert_str_eq(pieces_of(t, ctx, "The the"), "The|the");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(added_tokens_of_tokenizer_json)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_json(
        ctx, "{" MODEL "," BERT ", \"truncation\": {\"max_length\": 1}, "
             "\"padding\": 7, \"added_tokens\": ["
             "{\"id\": 3, \"content\": \"[SEP]\", \"special\": true, \"normalized\": false},"
             "{\"id\": 99, \"content\": \"<n>\", \"special\": false}," /* gets 5: five pieces */
             "{\"id\": 100, \"content\": \"\", \"special\": false},"
             "{\"id\": 6, \"content\": \"<m>\", \"special\": true, \"lstrip\": true},"
             "{\"id\": 3, \"content\": \"[SEP]\", \"special\": true, \"rstrip\": true}]}");
    struct fine__tokens tokens;

    ck_assert_str_eq(fine__tokenizer_piece(t, 5), "<n>");
    ck_assert_str_eq(fine__tokenizer_piece(t, 6), "<m>");
    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "[SEP] <n> <m>", 13, NULL, 0, 0, 0, true),
                     0);
    ck_assert_int_eq(tokens.count, 3);
    ck_assert_int_eq(tokens.ids[0], 3);
    ck_assert_int_eq(tokens.ids[1], 5);
    ck_assert_int_eq(tokens.ids[2], 6);
    ck_assert_int_eq(tokens.offsets[1], 6); /* rstrip */
    ck_assert_int_eq(tokens.offsets[2], 6);
    ck_assert_int_eq(tokens.offsets[4], 9); /* lstrip */
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(broken_files)
{
    static const struct {
        int code;
        const char *says;
        const char *texts[5];
    } cases[] = {
        { FINE_EIO, "neither tokenizer.json nor vocab.txt", { "config.json", "{}" } },
        { FINE_EFORMAT, "is empty", { "vocab.txt", "" } },
        { FINE_EFORMAT, "is empty", { "vocab.txt", "\n\n" } },
        { FINE_EFORMAT, "vocab.txt:2: not UTF-8", { "vocab.txt", "a\nb\xff\n" } },
        { FINE_EFORMAT, "lacks the unknown token '[UNK]'", { "vocab.txt", "[CLS]\n[SEP]\n" } },
        { FINE_EFORMAT, "lacks the cls_token '[CLS]'", { "vocab.txt", "[UNK]\n[SEP]\n" } },
        { FINE_EFORMAT,
          "lacks the sep_token 'x'",
          { "vocab.txt", "[UNK]\n[CLS]\n", "tokenizer_config.json", "{\"sep_token\": \"x\"}" } },
        { FINE_EFORMAT,
          "'sep_token' must be",
          { "vocab.txt", VOCAB, "tokenizer_config.json", "{\"sep_token\": 1}" } },
        { FINE_EFORMAT,
          "'do_lower_case' must be true or false",
          { "vocab.txt", VOCAB, "tokenizer_config.json", "{\"do_lower_case\": 1}" } },
        { FINE_EFORMAT,
          "'strip_accents' must be",
          { "vocab.txt", VOCAB, "tokenizer_config.json", "{\"strip_accents\": \"yes\"}" } },
        { FINE_EFORMAT,
          "added_tokens_decoder: 'x'",
          { "vocab.txt", VOCAB, "tokenizer_config.json",
            "{\"added_tokens_decoder\": {\"x\": {\"content\": \"y\"}}}" } },
        { FINE_EFORMAT,
          "the id of the added token 'y'",
          { "vocab.txt", VOCAB, "added_tokens.json", "{\"y\": -2}" } },
        { FINE_EFORMAT,
          "tokenizer_config.json:1",
          { "vocab.txt", VOCAB, "tokenizer_config.json", "{" } },
        { FINE_EFORMAT, "tokenizer.json:1", { "tokenizer.json", "[" } },
        { FINE_EFORMAT, "'model' must be an object", { "tokenizer.json", "{}" } },
        { FINE_EFORMAT, "'model' must be an object", { "tokenizer.json", "[1, 2]" } },
        { FINE_EUNSUPPORTED,
          "the model 'Unigram' isn't supported",
          { "tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}" } },
        { FINE_EUNSUPPORTED,
          "the pre_tokenizer 'null' isn't supported",
          { "tokenizer.json", "{\"model\": {\"merges\": [], \"vocab\": {}}}" } },
        { FINE_EFORMAT,
          "the vocabulary must be an object",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"vocab\": []}}" } },
        { FINE_EFORMAT,
          "the vocabulary must be an object",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}" } },
        { FINE_EFORMAT,
          "the id of 'a'",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": -1}}}" } },
        { FINE_EFORMAT,
          "the id of 'a'",
          { "tokenizer.json",
            "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 2147483647}}}" } },
        { FINE_EFORMAT,
          "the id of 'a'",
          { "tokenizer.json",
            "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": \"1\"}}}" } },
        { FINE_EFORMAT,
          "lacks the unknown token",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 1}}}" } },
        { FINE_EFORMAT,
          "'max_input_chars_per_word' must be",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", "
                              "\"max_input_chars_per_word\": 1000000000}}" } },
        { FINE_EFORMAT,
          "'unk_token' must be a string",
          { "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"unk_token\": 1}}" } },
        { FINE_EUNSUPPORTED,
          "the normalizer 'Replace' isn't supported",
          { "tokenizer.json", "{\"normalizer\": {\"type\": \"Replace\"}," MODEL "}" } },
        { FINE_EFORMAT,
          "normalizer: 'type'",
          { "tokenizer.json", "{\"normalizer\": {}," MODEL "}" } },
        { FINE_EFORMAT,
          "'clean_text' must be",
          { "tokenizer.json",
            "{\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": 0}," MODEL "}" } },
        { FINE_EUNSUPPORTED,
          "the pre_tokenizer 'Split' isn't supported",
          { "tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"Split\"}," MODEL "}" } },
        { FINE_EUNSUPPORTED,
          "post_processor 'X'",
          { "tokenizer.json", "{\"post_processor\": {\"type\": \"X\"}," MODEL "}" } },
        { FINE_EFORMAT,
          "'added_tokens' must be a list",
          { "tokenizer.json", "{\"added_tokens\": 7," MODEL "}" } },
        { FINE_EFORMAT,
          "added_tokens: item 1",
          { "tokenizer.json",
            "{\"added_tokens\": [{\"id\": 1, \"content\": \"x\"}, {\"id\": 1}]," MODEL "}" } },
        { FINE_EFORMAT,
          "'lstrip' of an added token",
          { "tokenizer.json",
            "{\"added_tokens\": [{\"id\": 1, \"content\": \"x\", \"lstrip\": null}]," MODEL "}" } },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fine_tokenizer *t = NULL;

        ck_assert_msg(open_texts(&t, ctx, cases[i].texts) == cases[i].code, "case %zu: %s", i,
                      fine_error_message());
        ck_assert_msg(strstr(fine_error_message(), cases[i].says) != NULL, "case %zu: %s", i,
                      fine_error_message());
        ck_assert_ptr_null(t);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    fine_context_free(ctx);
}
END_TEST

START_TEST(folders_and_single_files)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[4096];
    fine_tokenizer *t = NULL;

    ck_assert_int_eq(fine_tokenizer_open(&t, ctx, folder), FINE_EIO);
    ck_assert(strstr(fine_error_message(), folder) != NULL);
    write_text(ctx, folder, "vocab.txt", VOCAB);
    write_text(ctx, folder, "tokenizer_config.json", "{\"do_lower_case\": false}");
    ck_assert_int_eq(fine_tokenizer_open(&t, ctx, folder), 0);
    ck_assert_str_eq(pieces_of(t, ctx, "The"), "The");
    fine_tokenizer_free(t);
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    ck_assert_int_eq(fine_tokenizer_open(&t, ctx, path), 0); /* the file alone: uncased */
    ck_assert_str_eq(pieces_of(t, ctx, "The"), "the");
    fine_tokenizer_free(t);
    write_text(ctx, folder, "any.json", "{" MODEL "," BERT "}");
    snprintf(path, sizeof path, "%s/any.json", folder);
    ck_assert_int_eq(fine_tokenizer_open(&t, ctx, path), 0);
    ck_assert_str_eq(pieces_of(t, ctx, "The"), "The");
    fine_tokenizer_free(t);
    t = NULL;
    snprintf(path, sizeof path, "%s/absent.txt", folder);
    ck_assert_int_eq(fine_tokenizer_open(&t, ctx, path), FINE_EIO);
    ck_assert_ptr_null(t);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static void
same_file(fine_context *ctx, const char *folder, const char *name, const char *text)
{
    struct fine__buf read;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fine__buf_init(&read, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &read), 0);
    ck_assert_uint_eq(read.length, strlen(text));
    ck_assert_int_eq(memcmp(read.data, text, read.length), 0);
    fine__buf_free(&read);
}

START_TEST(saving_is_to_the_byte)
{
    static const char *const texts[] = {
        "vocab.txt",
        "\xef\xbb\xbf" VOCAB "\r\n\n",
        "tokenizer.json",
        " {" MODEL "," BERT "}\n\n",
        "tokenizer_config.json",
        "{ \"do_lower_case\" :false }",
        "special_tokens_map.json",
        "not read",
        NULL,
    };
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_texts(ctx, texts);
    char *folder = new_folder(), path[4096];
    struct fine__names names;

    ck_assert_int_eq(fine__tokenizer_save(t, ctx, folder), 0);
    for (int i = 0; texts[i] != NULL; i += 2)
        same_file(ctx, folder, texts[i], texts[i + 1]);
    ck_assert_int_eq(fine__list_directory(ctx, folder, &names), 0);
    ck_assert_int_eq(names.count, 4);
    fine__names_free(ctx, &names);
    snprintf(path, sizeof path, "%s/absent", folder);
    ck_assert_int_eq(fine__tokenizer_save(t, ctx, path), FINE_EIO);
    fine__tokenizer_unref(t);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(shared_by_references)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_texts(ctx, (const char *const[]){ "vocab.txt", VOCAB, NULL });

    ck_assert_ptr_eq(fine__tokenizer_ref(t), t);
    fine__tokenizer_unref(t);
    fine_context_free(ctx); /* the tokenizer holds it */
    ck_assert_int_eq(fine__tokenizer_vocab_size(t), 9);
    fine__tokenizer_unref(t);
    ck_assert_ptr_null(fine__tokenizer_ref(NULL));
    fine__tokenizer_unref(NULL);
}
END_TEST

/* Every allocation of opening in turn, from memory and in both forms. */
START_TEST(every_allocation_fails)
{
    static const char *const forms[][7] = {
        { "tokenizer.json",
          "{" MODEL "," BERT
          ", \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"\", 2], "
          "\"sep\": [\"\", 3]}, \"added_tokens\": [{\"id\": 3, \"content\": \"[SEP]\"}, "
          "{\"id\": 7, \"content\": \"\u00e9\", \"normalized\": true}]}",
          NULL },
        { "vocab.txt", VOCAB, "tokenizer_config.json", "{\"do_lower_case\": true}",
          "added_tokens.json", "{\"x\": 9}", NULL },
    };

    for (int form = 0; form < 2; form++) {
        struct faulty f;
        fine_context *ctx = new_faulty_context(&f, 1);
        bool done = false;

        for (int64_t at = 1; !done; at++) {
            fine_tokenizer *t = NULL;
            int rc;

            f.calls = 0;
            f.fail_at = at;
            f.for_ever = at % 2;
            rc = open_texts(&t, ctx, forms[form]);
            done = rc == 0;
            ck_assert_msg(done || rc == FINE_ENOMEM, "%s", fine_error_message());
            ck_assert(done == (t != NULL));
            fine__tokenizer_unref(t);
            ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
            ck_assert_int_lt(at, 500);
        }
        f.fail_at = 0;
        fine_context_free(ctx);
    }
}
END_TEST

/* Every system call of opening a folder and of saving. */
START_TEST(every_system_call_fails)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *to = new_folder();
    bool done = false;

    write_text(ctx, folder, "vocab.txt", VOCAB);
    write_text(ctx, folder, "tokenizer_config.json", "{}");
    use_faulty_io(ctx);
    io_errno = EIO;
    for (io_fail_at = 1; !done; io_fail_at++) {
        fine_tokenizer *t = NULL;
        int rc;

        io_calls = 0;
        rc = fine__tokenizer_open_path(&t, ctx, folder);
        if (rc == 0)
            rc = fine__tokenizer_save(t, ctx, to);
        done = io_calls < io_fail_at;
        ck_assert(!done || rc == 0);
        fine__tokenizer_unref(t);
        ck_assert_int_lt(io_fail_at, 200);
    }
    io_fail_at = 0;
    remove_folder(ctx, folder);
    remove_folder(ctx, to);
    free_context(ctx);
}
END_TEST

RUNNER("tokenizer", a_vocabulary_alone, what_the_configuration_says, tokenizer_json_goes_first,
       added_tokens_of_tokenizer_json, broken_files, folders_and_single_files,
       saving_is_to_the_byte, shared_by_references, every_allocation_fails, every_system_call_fails)
