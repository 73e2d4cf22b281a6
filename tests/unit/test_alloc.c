#include "runner.h"

START_TEST(blocks_are_aligned_and_accounted)
{
    fine_context *ctx = new_context(1);
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 4096, 1 << 20, 5 << 20 };
    void *blocks[8];
    int64_t sum = 0;

    for (size_t i = 0; i < 8; i++) {
        blocks[i] = fine__alloc(ctx, sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        memset(blocks[i], 0xa5, sizes[i]);
        sum += (int64_t)sizes[i];
    }
    ck_assert_int_ge(fine_context_used_bytes(ctx), sum);
    ck_assert_int_lt(fine_context_used_bytes(ctx), sum + 8 * 256);
    ck_assert_int_eq(fine_context_allocations(ctx), 8);
    for (size_t i = 0; i < 8; i++)
        fine__free(ctx, blocks[i]);
    fine__free(ctx, NULL);
    ck_assert_int_ge(fine_context_peak_bytes(ctx), sum);
    free_context(ctx);
}
END_TEST

START_TEST(arrays_are_zero)
{
    struct faulty faulty;
    fine_context *contexts[2] = { new_context(1), new_faulty_context(&faulty, 1) };

    for (int k = 0; k < 2; k++) {
        for (size_t count = 1; count < 3000000; count *= 17) {
            unsigned char *bytes = fine__alloc_array(contexts[k], count, 3), any = 0;

            ck_assert_ptr_nonnull(bytes);
            for (size_t i = 0; i < 3 * count; i++)
                any |= bytes[i];
            ck_assert_uint_eq(any, 0);
            memset(bytes, 0xff, 3 * count);
            fine__free(contexts[k], bytes);
        }
        free_context(contexts[k]);
    }
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
    fine_context *ctx = new_context(1);
    char *text = fine__strdup(ctx, "kept");
    int64_t capacity = 0;
    double *array = NULL;

    ck_assert_ptr_null(fine__alloc(ctx, SIZE_MAX));
    ck_assert_ptr_null(fine__alloc(ctx, SIZE_MAX - 64));
    ck_assert_ptr_null(fine__alloc(ctx, (size_t)PTRDIFF_MAX));
    ck_assert_ptr_null(fine__alloc_array(ctx, SIZE_MAX / 2, 3));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "out of memory"));
    ck_assert_ptr_null(fine__realloc(ctx, text, SIZE_MAX));
    ck_assert_str_eq(text, "kept");
    ck_assert_int_eq(fine__grow(ctx, &array, &capacity, INT64_MAX, sizeof *array), FINE_ENOMEM);
    ck_assert_ptr_null(array);
    ck_assert_int_eq(capacity, 0);
    fine__free(ctx, text);
    free_context(ctx);
}
END_TEST

START_TEST(the_limit_is_kept)
{
    struct fine_context_options options;
    fine_context *ctx;
    char *block;

    fine_context_options_init(&options, sizeof options);
    options.memory_limit = 10000;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    block = fine__alloc(ctx, 5000);
    ck_assert_ptr_nonnull(block);
    memset(block, 'x', 5000);
    ck_assert_ptr_null(fine__alloc(ctx, 5000));
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "memory_limit"));
    ck_assert_ptr_null(fine__realloc(ctx, block, 9990));
    ck_assert_int_eq(block[4999], 'x');
    block = fine__realloc(ctx, block, 9800);
    ck_assert_ptr_nonnull(block);
    ck_assert_int_le(fine_context_peak_bytes(ctx), 10000);
    block = fine__realloc(ctx, block, 10);
    ck_assert_int_eq(block[9], 'x');
    fine__free(ctx, block);
    free_context(ctx);
}
END_TEST

/* An allocator whose blocks lie differently between multiples of 64 each time. */
static size_t shift;

static void *
shifty_allocate(size_t bytes, void *user)
{
    unsigned char *block = malloc(bytes + 64);

    (void)user;
    shift = (shift + 16) % 64;
    if (block == NULL)
        return NULL;
    block += 16 + shift % 48;
    memcpy(block - 8, &shift, 8);
    return block;
}

static void
shifty_release(void *block, void *user)
{
    size_t by;

    (void)user;
    memcpy(&by, (unsigned char *)block - 8, 8);
    free((unsigned char *)block - 16 - by % 48);
}

static void *
shifty_reallocate(void *block, size_t bytes, void *user)
{
    void *larger = shifty_allocate(bytes, user);

    memcpy(larger, block, *(size_t *)user < bytes ? *(size_t *)user : bytes);
    *(size_t *)user = bytes;
    shifty_release(block, user);
    return larger;
}

START_TEST(contents_survive_an_allocator_that_moves_them)
{
    struct fine_context_options options;
    size_t held = 100 + 128;
    unsigned char *block;
    fine_context *ctx;

    fine_context_options_init(&options, sizeof options);
    options.allocate = shifty_allocate;
    options.reallocate = shifty_reallocate;
    options.release = shifty_release;
    options.allocator_user = &held;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    block = fine__alloc(ctx, 100);
    for (unsigned i = 0; i < 100; i++)
        block[i] = (unsigned char)i;
    for (size_t n = 110; n < 400; n += 10) {
        block = fine__realloc(ctx, block, n);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        for (unsigned i = 0; i < 100; i++)
            ck_assert_uint_eq(block[i], i);
    }
    fine__free(ctx, block);
    free_context(ctx);
}
END_TEST

START_TEST(growing_doubles_and_keeps)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    int64_t capacity = 0, *array = NULL;

    for (int64_t i = 0; i < 10000; i++) {
        ck_assert_int_eq(fine__grow(ctx, &array, &capacity, i + 1, sizeof *array), 0);
        array[i] = i;
    }
    ck_assert_int_lt(faulty.calls, 30);
    faulty.fail_at = faulty.calls + 1;
    ck_assert_int_eq(fine__grow(ctx, &array, &capacity, 1 << 20, sizeof *array), FINE_ENOMEM);
    for (int64_t i = 0; i < 10000; i++)
        ck_assert_int_eq(array[i], i);
    fine__free(ctx, array);
    free_context(ctx);
}
END_TEST

START_TEST(strings_are_copied)
{
    fine_context *ctx = new_context(1);
    char *a = fine__strdup(ctx, ""), *b = fine__strndup(ctx, "abc\0def", 7);
    char *big = fine__alloc(ctx, 9 << 20);

    ck_assert_str_eq(a, "");
    ck_assert_mem_eq(b, "abc\0def", 8);
    fine__alloc_advise_huge(ctx, big, 9 << 20);
    fine__alloc_advise_huge(ctx, a, 1);
    fine__free(ctx, a);
    fine__free(ctx, b);
    fine__free(ctx, big);
    free_context(ctx);
}
END_TEST

RUNNER("alloc", blocks_are_aligned_and_accounted, arrays_are_zero, absurd_sizes_are_refused,
       the_limit_is_kept, contents_survive_an_allocator_that_moves_them,
       growing_doubles_and_keeps, strings_are_copied)
