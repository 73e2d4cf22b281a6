#include "runner.h"

#include <time.h>

#include "text_helpers.h"

static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##a\n##b\n##c\n\u00e9\n";

static fine_tokenizer *
opened_vocab(fine_context *ctx)
{
    return opened_texts(ctx, (const char *const[]){ "vocab.txt", vocab, NULL });
}

/* "2 5 3 / 0 0 0 / 0-0 0-1 0-0 / 0": ids, types, offsets, ids cut off. */
static const char *
shown(const fine_tokenizer *t, fine_context *ctx, const char *text, const char *pair, int64_t most,
      int offsets_in, bool special)
{
    static char out[1024];
    struct fine__tokens tokens;
    size_t n = 0;

    fine__tokens_init(&tokens, ctx);
    ck_assert_msg(fine__tokenizer_encode(t, &tokens, text, strlen(text), pair,
                                         pair != NULL ? strlen(pair) : 0, most, offsets_in,
                                         special) == 0,
                  "%s", fine_error_message());
    for (int64_t i = 0; i < tokens.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%d ", tokens.ids[i]);
    n += (size_t)snprintf(out + n, sizeof out - n, "/ ");
    for (int64_t i = 0; i < tokens.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%d ", tokens.types[i]);
    n += (size_t)snprintf(out + n, sizeof out - n, "/ ");
    for (int64_t i = 0; i < tokens.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%d-%d ", (int)tokens.offsets[2 * i],
                              (int)tokens.offsets[2 * i + 1]);
    snprintf(out + n, sizeof out - n, "/ %d", (int)tokens.truncated);
    fine__tokens_free(&tokens);
    return out;
}

START_TEST(singles_and_pairs)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);

    ck_assert_str_eq(shown(t, ctx, "", NULL, 0, 0, true), "2 3 / 0 0 / 0-0 0-0 / 0");
    ck_assert_str_eq(shown(t, ctx, "", NULL, 0, 0, false), "/ / / 0");
    ck_assert_str_eq(shown(t, ctx, "A cb", NULL, 0, 0, true),
                     "2 5 7 9 3 / 0 0 0 0 0 / 0-0 0-1 2-3 3-4 0-0 / 0");
    ck_assert_str_eq(shown(t, ctx, "a", "b c", 0, 0, true),
                     "2 5 3 6 7 3 / 0 0 0 1 1 1 / 0-0 0-1 0-0 0-1 2-3 0-0 / 0");
    ck_assert_str_eq(shown(t, ctx, "a", "b", 0, 0, false), "5 6 / 0 1 / 0-1 0-1 / 0");
    ck_assert_str_eq(shown(t, ctx, "a", "", 0, 0, true), "2 5 3 3 / 0 0 0 1 / 0-0 0-1 0-0 0-0 / 0");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(offsets_count_bytes_or_characters)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);

    /* é is stripped to e, which isn't there; the mark after a belongs to nothing. */
    ck_assert_str_eq(
        shown(t, ctx, "\u00e9 a\u0301b \U0001f600c", NULL, 0, FINE_OFFSETS_BYTES, false),
        "1 5 9 1 / 0 0 0 0 / 0-2 3-4 6-7 8-13 / 0");
    ck_assert_str_eq(
        shown(t, ctx, "\u00e9 a\u0301b \U0001f600c", NULL, 0, FINE_OFFSETS_CHARS, false),
        "1 5 9 1 / 0 0 0 0 / 0-1 2-3 4-5 6-8 / 0");
    /* Broken bytes are one character each maximal part, and are cleaned away. */
    ck_assert_str_eq(shown(t, ctx,
                           "\xf0\x9f\x98"
                           "a\xff"
                           "b",
                           NULL, 0, FINE_OFFSETS_CHARS, false),
                     "5 9 / 0 0 / 1-2 3-4 / 0");
    ck_assert_str_eq(shown(t, ctx, "\xf0\x9f\x98[MASK]\xff b", NULL, 0, FINE_OFFSETS_BYTES, false),
                     "4 6 / 0 0 / 3-9 11-12 / 0");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(longest_loses_first)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);

    ck_assert_str_eq(shown(t, ctx, "a b c", NULL, 4, 0, true),
                     "2 5 6 3 / 0 0 0 0 / 0-0 0-1 2-3 0-0 / 1");
    ck_assert_str_eq(shown(t, ctx, "a b c", NULL, 2, 0, true), "2 3 / 0 0 / 0-0 0-0 / 3");
    ck_assert_str_eq(shown(t, ctx, "a b c", NULL, 2, 0, false), "5 6 / 0 0 / 0-1 2-3 / 1");
    ck_assert_str_eq(shown(t, ctx, "a", "b b b b", 6, 0, true),
                     "2 5 3 6 6 3 / 0 0 0 1 1 1 / 0-0 0-1 0-0 0-1 2-3 0-0 / 2");
    /* Both are too long: the odd id goes to the longer, or to the second. */
    ck_assert_str_eq(shown(t, ctx, "a a a a", "b b b", 3, 0, false),
                     "5 5 6 / 0 0 1 / 0-1 2-3 0-1 / 4");
    ck_assert_str_eq(shown(t, ctx, "a a a", "b b b", 3, 0, false),
                     "5 6 6 / 0 1 1 / 0-1 0-1 2-3 / 3");
    ck_assert_str_eq(shown(t, ctx, "a", "b", 3, 0, true), "2 3 3 / 0 0 1 / 0-0 0-0 0-0 / 2");
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(refusals_leave_the_result)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);
    struct fine__tokens tokens;

    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "a b", 3, NULL, 0, 0, 0, true), 0);
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "a", 1, "b", 1, 2, 0, true), FINE_EINVAL);
    ck_assert_str_eq(fine_error_message(), "max_length is 2, but the special ids alone are 3; give "
                                           "more, or 0 for no limit");
    ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "a", (size_t)1 << 31, NULL, 0, 0, 0, true),
                     FINE_EINVAL);
    ck_assert_int_eq(tokens.count, 4);
    ck_assert_int_eq(tokens.ids[2], 6);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(steady_state_allocates_nothing)
{
    static const char text[] = "a b [SEP] \u0130\u6211a\u0301\u0323\u0327\u302e\U0001d16d cab \xff";
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);
    struct fine__tokens tokens;
    int64_t before;

    fine__tokens_init(&tokens, ctx);
    ck_assert_int_eq(
        fine__tokenizer_encode(t, &tokens, text, strlen(text), text, strlen(text), 0, 0, true), 0);
    before = fine_context_allocations(ctx);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, text, strlen(text) - (size_t)i, text,
                                                strlen(text), i > 5 ? 7 : 0, i % 2, true),
                         0);
    ck_assert_int_eq(fine_context_allocations(ctx), before);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

static double
seconds(const fine_tokenizer *t, struct fine__tokens *tokens, const char *text, size_t length)
{
    double best = 1e9;

    for (int i = 0; i < 3; i++) {
        const clock_t begin = clock();
        double took;

        ck_assert_int_eq(
            fine__tokenizer_encode(t, tokens, text, length, NULL, 0, 0, FINE_OFFSETS_CHARS, true),
            0);
        took = (double)(clock() - begin) / CLOCKS_PER_SEC;
        if (took < best)
            best = took;
    }
    return best;
}

/* Texts that are hard for a careless tokenizer: twice the text may take two and a half
 * times as long. Two seconds are for sanitizers: quadratic takes minutes. */
START_TEST(time_is_linear)
{
    static const char *const units[] = {
        "a",
        "abc",
        "]",
        "[SEP]",
        "[SEP",
        "a ",
        ". ",
        "\u6211",
        "\u0301",
        "\u0301\u0323",
        "\U0001d16d\u302e",
        "\xff",
        "\xf0\x9f\x98",
        "\u00e9",
        "\t",
        " ",
        "\u3000",
        "a\u0301",
    };
    enum { N = 1 << 18 };
    char *text = malloc(N);
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);
    struct fine__tokens tokens;

    fine__tokens_init(&tokens, ctx);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const size_t length = strlen(units[i]);
        double half, whole;

        for (size_t k = 0; k < N; k++)
            text[k] = units[i][k % length];
        whole = seconds(t, &tokens, text, N);
        half = seconds(t, &tokens, text, N / 2);
        ck_assert_int_le(tokens.count, N / 2 + 2);
        ck_assert_msg(whole < 2, "unit %zu: %.3f s", i, whole);
        ck_assert_msg(whole < 2.5 * half + 0.02, "unit %zu: %.3f s, half of it %.3f s", i, whole,
                      half);
    }
    free(text);
    fine__tokens_free(&tokens);
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

START_TEST(every_allocation_fails)
{
    static const char text[] = "a b [SEP] \u0130\u6211a\u0301\u0323\u0327\u302e\U0001d16d cab \xff";
    struct faulty f;
    fine_context *ctx = new_faulty_context(&f, 1);
    fine_tokenizer *t = opened_vocab(ctx);
    const int64_t used = fine_context_used_bytes(ctx);
    bool done = false;

    for (int64_t at = 1; !done; at++) {
        struct fine__tokens tokens;
        int rc;

        f.calls = 0;
        f.fail_at = at;
        f.for_ever = at % 2;
        fine__tokens_init(&tokens, ctx);
        rc = fine__tokenizer_encode(t, &tokens, text, strlen(text), text, strlen(text), 0, 0, true);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        done = f.calls < at;
        ck_assert(rc == (done ? 0 : FINE_ENOMEM));
        f.fail_at = 0; /* and then it works */
        ck_assert_int_eq(fine__tokenizer_encode(t, &tokens, "a", 1, NULL, 0, 0, 0, true), 0);
        ck_assert_int_eq(tokens.count, 3);
        fine__tokens_free(&tokens);
        ck_assert_int_eq(fine_context_used_bytes(ctx), used);
    }
    f.fail_at = 0;
    fine__tokenizer_unref(t);
    free_context(ctx);
}
END_TEST

/* The public border. */
START_TEST(public_calls)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx), *none = NULL;
    struct fine_encode_options options;
    fine_encoding *e = NULL;

    fine_encode_options_init(&options, sizeof options);
    ck_assert_int_eq(options.add_special, 1);
    ck_assert_int_eq(options.offsets, FINE_OFFSETS_BYTES);
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "ab\0c", -1, NULL, 0, NULL), 0);
    ck_assert_int_eq(fine_encoding_count(e), 4);
    ck_assert_int_eq(fine_encoding_ids(e)[1], 5);
    ck_assert_int_eq(fine_encoding_type_ids(e)[1], 0);
    ck_assert_int_eq(fine_encoding_text_ids(e)[0], -1);
    ck_assert_int_eq(fine_encoding_text_ids(e)[1], 0);
    ck_assert_int_eq(fine_encoding_offsets(e)[4], 1);
    ck_assert_int_eq(fine_encoding_truncated(e), 0);
    fine_encoding_free(e);
    options.max_length = 3;
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "ab\0c", 4, NULL, 0, &options), 0);
    ck_assert_int_eq(fine_encoding_truncated(e), 2);
    ck_assert_int_eq(fine_tokenizer_vocab_size(t), 12);
    ck_assert_str_eq(fine_tokenizer_piece(t, 8), "##a");
    ck_assert_ptr_null(fine_tokenizer_piece(t, 12));
    fine_tokenizer_free(t); /* the encoding lives on */
    ck_assert_int_eq(fine_encoding_count(e), 3);
    fine_encoding_free(e);

    t = opened_vocab(ctx);
    e = NULL;
    ck_assert_int_eq(fine_tokenizer_open(NULL, ctx, "x"), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_open(&none, NULL, "x"), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_open(&none, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_encode(NULL, t, "a", 1, NULL, 0, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_encode(&e, NULL, "a", 1, NULL, 0, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, NULL, 0, NULL, 0, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", -2, NULL, 0, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", 1, "b", -7, NULL), FINE_EINVAL);
    options.max_length = -1;
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", 1, NULL, 0, &options), FINE_EINVAL);
    options.max_length = 0;
    options.offsets = 2;
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", 1, NULL, 0, &options), FINE_EINVAL);
    options.offsets = 0;
    options.add_special = 7;
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", 1, NULL, 0, &options), FINE_EINVAL);
    options.add_special = 0;
    options.struct_size = 8;
    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "a", 1, NULL, 0, &options), FINE_EINVAL);
    ck_assert_ptr_null(e);
    ck_assert_ptr_null(none);
    fine_tokenizer_free(NULL);
    fine_encoding_free(NULL);
    ck_assert_int_eq(fine_tokenizer_vocab_size(NULL), 0);
    ck_assert_ptr_null(fine_tokenizer_piece(NULL, 0));
    ck_assert_int_eq(fine_encoding_count(NULL), 0);
    ck_assert_ptr_null(fine_encoding_ids(NULL));
    ck_assert_ptr_null(fine_encoding_type_ids(NULL));
    ck_assert_ptr_null(fine_encoding_text_ids(NULL));
    ck_assert_ptr_null(fine_encoding_offsets(NULL));
    ck_assert_int_eq(fine_encoding_truncated(NULL), 0);
    fine_tokenizer_free(t);
    free_context(ctx);
}
END_TEST

START_TEST(public_decoding)
{
    fine_context *ctx = new_context(1);
    fine_tokenizer *t = opened_vocab(ctx);
    fine_encoding *e = NULL;
    char out[16] = "as it was";
    int64_t length = 0;

    ck_assert_int_eq(fine_tokenizer_encode(&e, t, "ab ab", -1, NULL, 0, NULL), 0);
    const int32_t *ids = fine_encoding_ids(e);
    const int64_t n = fine_encoding_count(e);

    ck_assert_int_eq(fine_tokenizer_decode(t, ids, n, 1, NULL, 0, &length), FINE_OK);
    ck_assert_int_eq(length, 5);
    length = 0;
    ck_assert_int_eq(fine_tokenizer_decode(t, ids, n, 1, out, 5, &length), FINE_EINVAL);
    ck_assert_int_eq(length, 5);
    ck_assert_str_eq(out, "as it was");
    ck_assert_int_eq(fine_tokenizer_decode(t, ids, n, 1, out, 6, NULL), FINE_OK);
    ck_assert_str_eq(out, "ab ab");
    ck_assert_int_eq(fine_tokenizer_decode(t, NULL, 0, 0, out, sizeof out, &length), FINE_OK);
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(fine_tokenizer_decode(NULL, ids, n, 1, out, 6, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_decode(t, NULL, 1, 1, out, 6, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_decode(t, ids, -1, 1, out, 6, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_decode(t, ids, n, 2, out, 6, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tokenizer_decode(t, ids, n, 1, out, 0, NULL), FINE_EINVAL);
    fine_encoding_free(e);
    fine_tokenizer_free(t);
    free_context(ctx);
}
END_TEST

RUNNER("encode", singles_and_pairs, offsets_count_bytes_or_characters, longest_loses_first,
       refusals_leave_the_result, steady_state_allocates_nothing, time_is_linear,
       every_allocation_fails, public_calls, public_decoding)
