#include "runner.h"

#include "text/trie.h"

static void
put(struct fine__trie *trie, const char *text, int32_t value)
{
    const int64_t node = fine__trie_put(trie, text, strlen(text));

    ck_assert_int_ge(node, 0);
    trie->values[node] = value;
}

static int64_t
get(const struct fine__trie *trie, const char *text)
{
    return fine__trie_get(trie, text, strlen(text));
}

START_TEST(strings_and_their_prefixes)
{
    fine_context *ctx = new_context(1);
    struct fine__trie trie;

    fine__trie_init(&trie, ctx);
    ck_assert_int_eq(get(&trie, ""), -1);
    ck_assert_int_eq(get(&trie, "a"), -1);
    put(&trie, "abc", 3);
    put(&trie, "a", 1);
    put(&trie, "\xff\x01", 9);
    ck_assert_int_eq(get(&trie, "abc"), 3);
    ck_assert_int_eq(get(&trie, "ab"), -1);
    ck_assert_int_eq(get(&trie, "a"), 1);
    ck_assert_int_eq(get(&trie, "abcd"), -1);
    ck_assert_int_eq(get(&trie, "\xff\x01"), 9);
    ck_assert_int_eq(get(&trie, ""), -1);
    put(&trie, "", 7);
    ck_assert_int_eq(get(&trie, ""), 7);
    ck_assert_int_eq(fine__trie_walk(&trie, "ax", 2), -1);
    ck_assert_int_eq(fine__trie_walk(&trie, "", 0), 0);
    ck_assert_int_eq(fine__trie_put(&trie, "abc", 3), fine__trie_walk(&trie, "abc", 3));
    ck_assert_int_eq(fine__trie_put_reversed(&trie, "cba", 3), fine__trie_walk(&trie, "abc", 3));
    fine__trie_free(&trie);
    free_context(ctx);
}
END_TEST

START_TEST(edges_tell_parents)
{
    fine_context *ctx = new_context(1);
    struct fine__trie trie;
    int64_t n = 0;

    fine__trie_init(&trie, ctx);
    for (int i = 0; i < 5000; i++) {
        char text[16];

        snprintf(text, sizeof text, "%d", i * 7919);
        put(&trie, text, i);
    }
    for (int i = 0; i < 5000; i++) {
        char text[16];

        snprintf(text, sizeof text, "%d", i * 7919);
        ck_assert_int_eq(get(&trie, text), i);
    }
    for (int64_t i = 0; i < trie.n_slots; i++) {
        const uint64_t edge = trie.edges[i];

        if (edge == 0)
            continue;
        n++;
        ck_assert_uint_lt(fine__trie_parent(edge), fine__trie_child_of(edge));
        ck_assert_uint_eq(fine__trie_child(&trie, fine__trie_parent(edge), fine__trie_byte(edge)),
                          fine__trie_child_of(edge));
    }
    ck_assert_int_eq(n, trie.n_nodes - 1);
    fine__trie_free(&trie);
    free_context(ctx);
}
END_TEST

START_TEST(without_memory)
{
    struct faulty f;
    fine_context *ctx = new_faulty_context(&f, 1);
    struct fine__trie trie;
    bool done = false;

    for (f.fail_at = 1; !done; f.fail_at++) {
        static const char text[200] = "long enough to grow several times";

        f.calls = 0;
        fine__trie_init(&trie, ctx);
        done = fine__trie_put(&trie, text, sizeof text) >= 0;
        fine__trie_free(&trie);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
    }
    ck_assert_int_gt(f.fail_at, 4);
    fine_context_free(ctx);
}
END_TEST

RUNNER("trie", strings_and_their_prefixes, edges_tell_parents, without_memory)
