#include "runner.h"

#include "base/arena.h"

START_TEST(blocks_are_apart_and_aligned)
{
    fine_context *ctx = new_context(1);
    struct fine__arena arena;
    unsigned char *blocks[200];

    fine__arena_init(&arena, ctx);
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = fine__arena_take(&arena, 37 * i);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        memset(blocks[i], (int)i, 37 * i);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < 37 * i; k++)
            ck_assert_uint_eq(blocks[i][k], i);
    fine__arena_free(&arena);
    ck_assert_ptr_null(arena.first);
    fine__arena_free(&arena);
    free_context(ctx);
}
END_TEST

/* As a training step with a scope for each layer. */
static void
step(struct fine__arena *arena)
{
    for (size_t layer = 0; layer < 12; layer++) {
        const struct fine__arena_mark mark = fine__arena_mark(arena);

        for (size_t i = 0; i < 10; i++)
            ck_assert_ptr_nonnull(fine__arena_take(arena, 10000 * (i + layer)));
        fine__arena_rewind(arena, mark);
        ck_assert_ptr_nonnull(fine__arena_take(arena, 50000));
    }
}

START_TEST(a_steady_state_calls_no_allocator)
{
    fine_context *ctx = new_context(1);
    struct fine__arena arena;
    int64_t calls;

    fine__arena_init(&arena, ctx);
    step(&arena);
    fine__arena_reset(&arena);
    ck_assert_uint_eq(arena.in_use, 0);
    calls = fine_context_allocations(ctx);
    for (int i = 0; i < 5; i++) {
        step(&arena);
        fine__arena_reset(&arena);
    }
    ck_assert_int_eq(fine_context_allocations(ctx), calls);
    ck_assert_int_lt(fine_context_used_bytes(ctx), (int64_t)(arena.high_water + arena.high_water / 8 + 512));
    fine__arena_free(&arena);
    free_context(ctx);
}
END_TEST

START_TEST(a_rewind_gives_the_same_memory_again)
{
    fine_context *ctx = new_context(1);
    struct fine__arena arena;
    struct fine__arena_mark empty, mark;
    void *first, *second;

    fine__arena_init(&arena, ctx);
    empty = fine__arena_mark(&arena);
    first = fine__arena_take(&arena, 1000);
    memset(first, 1, 1000);
    mark = fine__arena_mark(&arena);
    second = fine__arena_take(&arena, 100);
    for (int i = 0; i < 50; i++)
        fine__arena_take(&arena, 1 << 16);
    fine__arena_rewind(&arena, mark);
    ck_assert_uint_eq(arena.in_use, 1024);
    ck_assert_ptr_eq(fine__arena_take(&arena, 100), second);
    ck_assert_int_eq(((char *)first)[999], 1);
    fine__arena_rewind(&arena, empty);
    ck_assert_uint_eq(arena.in_use, 0);
    ck_assert_ptr_eq(fine__arena_take(&arena, 1), first);
    fine__arena_free(&arena);
    free_context(ctx);
}
END_TEST

START_TEST(no_memory_is_survived)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    struct fine__arena arena;

    fine__arena_init(&arena, ctx);
    faulty.fail_at = 1;
    faulty.for_ever = true;
    ck_assert_ptr_null(fine__arena_take(&arena, 100));
    ck_assert_int_eq(fine__arena_reserve(&arena, 100), FINE_ENOMEM);
    ck_assert_ptr_null(fine__arena_take(&arena, SIZE_MAX));
    ck_assert_ptr_null(fine__arena_take_array(&arena, INT64_MAX, 8));
    ck_assert_ptr_null(fine__arena_take_array(&arena, -1, 8));
    faulty.fail_at = faulty.calls + 1;   /* the generous chunk fails, the exact one doesn't */
    faulty.for_ever = false;
    ck_assert_ptr_nonnull(fine__arena_take(&arena, 100));
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_nonnull(fine__arena_take(&arena, 100000));
    faulty.fail_at = faulty.calls + 1;
    faulty.for_ever = true;
    fine__arena_reset(&arena);
    ck_assert_ptr_null(arena.first);
    faulty.fail_at = 0;
    ck_assert_ptr_nonnull(fine__arena_take_array(&arena, 100, 8));
    fine__arena_free(&arena);
    free_context(ctx);
}
END_TEST

START_TEST(what_is_reserved_suffices)
{
    fine_context *ctx = new_context(1);
    struct fine__arena arena;
    int64_t calls;

    fine__arena_init(&arena, ctx);
    ck_assert_int_eq(fine__arena_reserve(&arena, 10 << 20), 0);
    calls = fine_context_allocations(ctx);
    for (int i = 0; i < 10; i++)
        memset(fine__arena_take(&arena, 1 << 20), 1, 1 << 20);
    ck_assert_int_eq(fine_context_allocations(ctx), calls);
    fine__arena_reset(&arena);
    ck_assert_int_eq(fine_context_allocations(ctx), calls);
    fine__arena_free(&arena);
    free_context(ctx);
}
END_TEST

RUNNER("arena", blocks_are_apart_and_aligned, a_steady_state_calls_no_allocator,
       a_rewind_gives_the_same_memory_again, no_memory_is_survived, what_is_reserved_suffices)
