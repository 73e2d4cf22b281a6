#include "runner.h"

#include "text/kind.h"

static void
add(struct fine__pieces *pieces, const char *text, int64_t id)
{
    ck_assert_int_eq(fine__pieces_add(pieces, text, strlen(text), id), 0);
}

START_TEST(any_order_and_gaps)
{
    fine_context *ctx = new_context(1);
    struct fine__pieces pieces;

    fine__pieces_init(&pieces, ctx);
    ck_assert_ptr_null(fine__pieces_get(&pieces, 0));
    add(&pieces, "seven", 7);
    add(&pieces, "zero", 0);
    add(&pieces, "large", INT32_MAX - 1);
    add(&pieces, "old", 3);
    add(&pieces, "new", 3);
    add(&pieces, "", 1);
    fine__pieces_sort(&pieces);
    ck_assert_str_eq(fine__pieces_get(&pieces, 0), "zero");
    ck_assert_str_eq(fine__pieces_get(&pieces, 1), "");
    ck_assert_ptr_null(fine__pieces_get(&pieces, 2));
    ck_assert_str_eq(fine__pieces_get(&pieces, 3), "new");
    ck_assert_str_eq(fine__pieces_get(&pieces, 7), "seven");
    ck_assert_ptr_null(fine__pieces_get(&pieces, 8));
    ck_assert_str_eq(fine__pieces_get(&pieces, INT32_MAX - 1), "large");
    ck_assert_ptr_null(fine__pieces_get(&pieces, -1));
    ck_assert_ptr_null(fine__pieces_get(&pieces, INT64_MAX));
    fine__pieces_free(&pieces);
    free_context(ctx);
}
END_TEST

START_TEST(many_backwards)
{
    fine_context *ctx = new_context(1);
    struct fine__pieces pieces;

    fine__pieces_init(&pieces, ctx);
    for (int i = 0; i < 3000; i++) {
        char text[16];

        snprintf(text, sizeof text, "%d", (i * 1237) % 3000);
        add(&pieces, text, (i * 1237) % 3000);
    }
    fine__pieces_sort(&pieces);
    ck_assert_int_eq(pieces.count, 3000);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(atoi(fine__pieces_get(&pieces, i)), i);
    fine__pieces_free(&pieces);
    free_context(ctx);
}
END_TEST

RUNNER("pieces", any_order_and_gaps, many_backwards)
