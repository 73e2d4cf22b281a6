#include "runner.h"

#include "base/map.h"

START_TEST(many_keys)
{
    fine_context *ctx = new_context(1);
    struct fine__map map;
    char key[32];

    fine__map_init(&map, ctx);
    ck_assert_int_eq(fine__map_get_cstr(&map, "absent"), -1);
    for (int i = 0; i < 100000; i++) {
        sprintf(key, "key-%d", i);
        ck_assert_int_eq(fine__map_put(&map, key, strlen(key), i), 0);
    }
    ck_assert_int_eq(map.count, 100000);
    for (int i = 0; i < 100000; i++) {
        sprintf(key, "key-%d", i);
        ck_assert_int_eq(fine__map_get_cstr(&map, key), i);
        ck_assert_int_eq(fine__map_put(&map, key, strlen(key), -5), 1);
    }
    ck_assert_int_eq(fine__map_get_cstr(&map, "key-100000"), -1);
    ck_assert_int_eq(fine__map_get_cstr(&map, "key-7"), 7);
    fine__map_free(&map);
    free_context(ctx);
}
END_TEST

START_TEST(keys_are_bytes)
{
    fine_context *ctx = new_context(1);
    struct fine__map map;

    fine__map_init(&map, ctx);
    ck_assert_int_eq(fine__map_put(&map, "", 0, 10), 0);
    ck_assert_int_eq(fine__map_put(&map, "\0", 1, 11), 0);
    ck_assert_int_eq(fine__map_put(&map, "\0\0", 2, 12), 0);
    ck_assert_int_eq(fine__map_put(&map, "", 0, 13), 1);
    ck_assert_int_eq(fine__map_get(&map, NULL, 0), 10);
    ck_assert_int_eq(fine__map_get(&map, "\0\0", 1), 11);
    ck_assert_int_eq(fine__map_get(&map, "\0\0", 2), 12);
    fine__map_free(&map);
    free_context(ctx);
}
END_TEST

START_TEST(no_memory_changes_nothing)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    struct fine__map map;
    char key[32];

    fine__map_init(&map, ctx);
    for (int i = 0; i < 500; i++) {
        int rc = FINE_ENOMEM;

        sprintf(key, "key-%d", i);
        for (long long n = 1; rc == FINE_ENOMEM; n++) {
            faulty.calls = 0;
            faulty.fail_at = n;
            rc = fine__map_put(&map, key, strlen(key), i);
            ck_assert_int_eq(map.count, rc == 0 ? i + 1 : i);
        }
        ck_assert_int_eq(rc, 0);
    }
    for (int i = 0; i < 500; i++) {
        sprintf(key, "key-%d", i);
        ck_assert_int_eq(fine__map_get_cstr(&map, key), i);
    }
    fine__map_free(&map);
    free_context(ctx);
}
END_TEST

RUNNER("map", many_keys, keys_are_bytes, no_memory_changes_nothing)
