#include "runner.h"

#include <time.h>

#include "base/rng.h"
#include "text/added.h"
#include "text/scratch.h"

struct finder {
    fine_context *ctx;
    struct fine__added added;
    struct fine__scratch *scratch;
    struct fine__span *spans;
    int64_t n, capacity;
};

static void
setup(struct finder *f)
{
    *f = (struct finder){ .ctx = new_context(1) };
    fine__added_init(&f->added, f->ctx);
    f->scratch = fine__scratch_new(f->ctx);
    ck_assert_ptr_nonnull(f->scratch);
}

static void
teardown(struct finder *f)
{
    fine__added_free(&f->added);
    fine__scratch_free(f->scratch);
    fine__free(f->ctx, f->spans);
    free_context(f->ctx);
}

/* flags: w single_word, l lstrip, r rstrip. */
static void
add(struct finder *f, const char *content, size_t length, const char *flags)
{
    const struct fine__added_token token = {
        .id = (int32_t)f->added.count,
        .single_word = strchr(flags, 'w') != NULL,
        .lstrip = strchr(flags, 'l') != NULL,
        .rstrip = strchr(flags, 'r') != NULL,
    };

    ck_assert_int_eq(fine__added_put(&f->added, &token, content, length), 0);
}

static void
find(struct finder *f, const char *text, size_t start, size_t end)
{
    ck_assert_int_eq(
        fine__added_find(&f->added, f->scratch, text, start, end, &f->spans, &f->n, &f->capacity),
        0);
}

/* The spans as "start-end:token " */
static const char *
found(struct finder *f, const char *text)
{
    static char out[512];
    size_t n = 0;

    find(f, text, 0, strlen(text));
    out[0] = '\0';
    for (int64_t i = 0; i < f->n; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%u-%u:%d ", f->spans[i].start,
                              f->spans[i].end, f->added.tokens[f->spans[i].token].id);
    return out;
}

START_TEST(leftmost_then_longest)
{
    struct finder f;

    setup(&f);
    ck_assert_str_eq(found(&f, "nothing to find"), "");
    add(&f, "ab", 2, "");
    add(&f, "abcd", 4, "");
    add(&f, "bcde", 4, "");
    add(&f, "e", 1, "");
    add(&f, "", 0, "");    /* passed over */
    add(&f, "ab", 2, "w"); /* the first stays */
    ck_assert_int_eq(fine__added_finish(&f.added), 0);
    ck_assert_str_eq(found(&f, "abcde"), "0-4:1 4-5:3 ");
    ck_assert_str_eq(found(&f, "abcx"), "0-2:0 ");
    ck_assert_str_eq(found(&f, "xbcdeab"), "1-5:2 5-7:0 ");
    ck_assert_str_eq(found(&f, "xabcx"), "1-3:0 ");
    ck_assert_str_eq(found(&f, ""), "");
    find(&f, "abab", 1, 3); /* outside isn't looked at */
    ck_assert_int_eq(f.n, 0);
    teardown(&f);
}
END_TEST

START_TEST(words_and_space)
{
    struct finder f;

    setup(&f);
    add(&f, "<w>", 3, "w");
    add(&f, "<l>", 3, "l");
    add(&f, "<r>", 3, "r");
    add(&f, "\xc3\xa9", 2, "w");
    add(&f, "<b>", 3, "lr");
    add(&f, " ", 1, "");
    ck_assert_int_eq(fine__added_finish(&f.added), 0);
    ck_assert_str_eq(found(&f, "<w>"), "0-3:0 ");
    ck_assert_str_eq(found(&f, "a<w>"), "");
    ck_assert_str_eq(found(&f, "<w>1"), "");
    ck_assert_str_eq(found(&f, "-<w>-"), "1-4:0 ");
    ck_assert_str_eq(found(&f, "_<w>"), "");
    ck_assert_str_eq(found(&f, "\xff<w>\xff"), "1-4:0 ");
    ck_assert_str_eq(found(&f, "x\xc3\xa9"), "");
    ck_assert_str_eq(found(&f, "\xe6\x88\x91\xc3\xa9"), ""); /* a letter of three bytes */
    /* U+3000 and U+00A0 are space too. */
    ck_assert_str_eq(found(&f, "a\xe3\x80\x80\xc2\xa0\t<l>"), "1-10:1 ");
    ck_assert_str_eq(found(&f, "<r>\xe3\x80\x80\n<l>"), "0-7:2 7-10:1 ");
    ck_assert_str_eq(found(&f, "<l>\t<b>\t"), "0-3:1 3-8:4 ");
    /* What rstrip took can still be a match of its own: the library's rule. */
    ck_assert_str_eq(found(&f, "<r> x"), "0-4:2 3-4:5 ");
    teardown(&f);
}
END_TEST

static size_t
below(uint64_t *counter, int64_t n)
{
    return (size_t)fine__rng_below(1, (*counter)++, n);
}

/* The same by trying every token at every place. */
START_TEST(as_by_brute_force)
{
    uint64_t counter = 0;

    for (int round = 0; round < 300; round++) {
        struct finder f;
        char tokens[12][6], text[200];
        size_t lengths[12], n_text = below(&counter, sizeof text);
        int64_t n = 0;

        setup(&f);
        for (int i = 0; i < 12; i++) {
            lengths[i] = 1 + below(&counter, 5);
            for (size_t k = 0; k < lengths[i]; k++)
                tokens[i][k] = (char)('a' + below(&counter, 2));
            add(&f, tokens[i], lengths[i], "");
        }
        ck_assert_int_eq(fine__added_finish(&f.added), 0);
        for (size_t i = 0; i < n_text; i++)
            text[i] = (char)('a' + below(&counter, round % 2 == 0 ? 2 : 3));
        find(&f, text, 0, n_text);
        for (size_t i = 0; i < n_text;) {
            size_t longest = 0;

            for (int k = 0; k < 12; k++)
                if (lengths[k] > longest && i + lengths[k] <= n_text &&
                    memcmp(text + i, tokens[k], lengths[k]) == 0)
                    longest = lengths[k];
            if (longest > 0) {
                ck_assert_int_lt(n, f.n);
                ck_assert_uint_eq(f.spans[n].start, i);
                ck_assert_uint_eq(f.spans[n].end, i + longest);
                n++;
            }
            i += longest > 0 ? longest : 1;
        }
        ck_assert_int_eq(n, f.n);
        teardown(&f);
    }
}
END_TEST

/* a, aa, aaa, …, and a^999 b: a matcher that goes back is quadratic here. */
START_TEST(nested_tokens_are_linear)
{
    enum { N = 1000, TEXT = 1000000 };
    static char token[N + 1], text[TEXT];
    const clock_t begin = clock();
    struct finder f;

    memset(token, 'a', sizeof token);
    memset(text, 'a', sizeof text);
    setup(&f);
    token[N] = 'b';
    add(&f, token, N + 1, "");
    for (size_t i = 1; i < 40; i++)
        add(&f, token, i, "");
    ck_assert_int_eq(fine__added_finish(&f.added), 0);
    find(&f, text, 0, sizeof text);
    ck_assert_int_eq(f.n, (TEXT + 38) / 39);
    ck_assert_msg(clock() - begin < 5 * CLOCKS_PER_SEC, "took too long");
    teardown(&f);
}
END_TEST

START_TEST(fifty_thousand)
{
    struct finder f;
    char text[32];

    setup(&f);
    for (int i = 0; i < 50000; i++) {
        const int n = snprintf(text, sizeof text, "<extra_%d>", i);

        add(&f, text, (size_t)n, "");
    }
    ck_assert_int_eq(fine__added_finish(&f.added), 0);
    ck_assert_str_eq(found(&f, "x<extra_49999><extra_5000>"), "1-14:49999 14-26:5000 ");
    ck_assert_str_eq(found(&f, "<extra_50000>"), "");
    teardown(&f);
}
END_TEST

START_TEST(the_list_keeps_the_last)
{
    fine_context *ctx = new_context(1);
    struct fine__added_list list;

    fine__added_list_init(&list, ctx);
    ck_assert_int_eq(fine__added_list_put(&list, &(struct fine__added_token){ .id = 4 }, "x", 1),
                     0);
    ck_assert_int_eq(fine__added_list_put(&list, &(struct fine__added_token){ .id = 5 }, "yy", 2),
                     0);
    ck_assert_int_eq(
        fine__added_list_put(&list, &(struct fine__added_token){ .id = 4, .lstrip = true }, "x", 1),
        0);
    ck_assert_int_eq(list.count, 2);
    ck_assert(list.tokens[0].lstrip);
    ck_assert_uint_eq(list.tokens[0].length, 1);
    ck_assert_int_eq(memcmp(list.text.data + list.tokens[1].content, "yy", 2), 0);
    fine__added_list_free(&list);
    free_context(ctx);
}
END_TEST

RUNNER("added", leftmost_then_longest, words_and_space, as_by_brute_force, nested_tokens_are_linear,
       fifty_thousand, the_list_keeps_the_last)
