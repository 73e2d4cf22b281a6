/* Sets of tensors through the public functions. */
#include <stdint.h>

#include "runner.h"
#include <finetune/tensors.h>

static const int64_t shape[] = { 2, 2 };
static const float values[] = { 1, 2, 3, 4 };

static const void *
data_of(const fine_tensors *tensors, const char *name)
{
    const void *data = NULL;

    ck_assert_int_eq(fine_tensors_get(tensors, name, NULL, NULL, NULL, &data), 0);
    return data;
}

START_TEST(puts_and_gets)
{
    static const int64_t empty[] = { 0, 3 };
    fine_context *ctx = new_context(1);
    fine_tensors *tensors;
    const int64_t *dims;
    const void *data;
    int64_t n_dims;
    int32_t type;

    ck_assert_int_eq(fine_tensors_new(&tensors, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 2, shape, values), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "zeros", FINE_I64, 2, shape, NULL), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "scalar", FINE_F64, 0, NULL, NULL), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "empty", FINE_F16, 2, empty, NULL), 0);
    ck_assert_int_eq(fine_tensors_count(tensors), 4);
    ck_assert_str_eq(fine_tensors_name(tensors, 0), "x");
    ck_assert_str_eq(fine_tensors_name(tensors, 3), "empty");
    ck_assert_ptr_null(fine_tensors_name(tensors, 4));
    ck_assert_ptr_null(fine_tensors_name(tensors, -1));
    ck_assert_int_eq(fine_tensors_get(tensors, "x", &type, &n_dims, &dims, &data), 0);
    ck_assert(type == FINE_F32 && n_dims == 2 && dims[0] == 2 && dims[1] == 2);
    ck_assert_mem_eq(data, values, sizeof values);
    ck_assert_uint_eq((uintptr_t)data % 64, 0);
    ck_assert_int_eq(((const int64_t *)data_of(tensors, "zeros"))[3], 0);
    ck_assert_int_eq(fine_tensors_get(tensors, "y", &type, NULL, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(type, FINE_F32);
    fine_tensors_free(tensors);
    free_context(ctx);
}
END_TEST

START_TEST(replaces_in_place)
{
    fine_context *ctx = new_context(1);
    fine_tensors *tensors;
    int32_t type;

    ck_assert_int_eq(fine_tensors_new(&tensors, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "a", FINE_F32, 2, shape, values), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "b", FINE_F32, 2, shape, values), 0);
    /* Its own data, seen as two numbers of eight bytes. */
    ck_assert_int_eq(fine_tensors_put(tensors, "a", FINE_I64, 1, shape, data_of(tensors, "a")), 0);
    ck_assert_int_eq(fine_tensors_count(tensors), 2);
    ck_assert_str_eq(fine_tensors_name(tensors, 0), "a");
    ck_assert_int_eq(fine_tensors_get(tensors, "a", &type, NULL, NULL, NULL), 0);
    ck_assert_int_eq(type, FINE_I64);
    ck_assert_mem_eq(data_of(tensors, "a"), values, sizeof values);
    fine_tensors_free(tensors);
    free_context(ctx);
}
END_TEST

START_TEST(bad_arguments_change_nothing)
{
    static const int64_t negative[] = { -1 }, huge[] = { INT64_MAX, INT64_MAX },
                         many[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    fine_context *ctx = new_context(1);
    fine_tensors *tensors, *out = NULL;

    ck_assert_int_eq(fine_tensors_new(NULL, ctx), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_new(&out, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_open(NULL, ctx, "x"), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_open(&out, NULL, "x"), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_open(&out, ctx, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_open(&out, ctx, "/nowhere/at/all"), FINE_EIO);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(fine_tensors_count(NULL), 0);
    ck_assert_ptr_null(fine_tensors_name(NULL, 0));
    fine_tensors_free(NULL);

    ck_assert_int_eq(fine_tensors_new(&tensors, ctx), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 2, shape, values), 0);
    ck_assert_int_eq(fine_tensors_put(NULL, "x", FINE_F32, 2, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, NULL, FINE_F32, 2, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 2, NULL, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", 0, 2, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", 14, 2, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, -1, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 9, many, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 1, negative, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "x", FINE_F32, 2, huge, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "a\xff", FINE_F32, 2, shape, values), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_put(tensors, "__metadata__", FINE_F32, 2, shape, values),
                     FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_get(NULL, "x", NULL, NULL, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_get(tensors, NULL, NULL, NULL, NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_get(tensors, "x", NULL, NULL, NULL, NULL), 0);
    ck_assert_int_eq(fine_tensors_save(NULL, "x"), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_save(tensors, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_tensors_save(tensors, "/nowhere/at/all"), FINE_EIO);
    ck_assert_int_eq(fine_tensors_count(tensors), 1);
    ck_assert_mem_eq(data_of(tensors, "x"), values, sizeof values);
    fine_tensors_free(tensors);
    free_context(ctx);
}
END_TEST

START_TEST(saves_and_opens)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "set.safetensors");
    fine_tensors *tensors, *again;
    int32_t type;

    ck_assert_int_eq(fine_tensors_new(&tensors, ctx), 0);
    ck_assert_int_eq(fine_tensors_save(tensors, path), 0);
    ck_assert_int_eq(fine_tensors_open(&again, ctx, path), 0);
    ck_assert_int_eq(fine_tensors_count(again), 0);
    fine_tensors_free(again);

    ck_assert_int_eq(fine_tensors_put(tensors, "z", FINE_BF16, 2, shape, values), 0);
    ck_assert_int_eq(fine_tensors_put(tensors, "a", FINE_F32, 2, shape, values), 0);
    ck_assert_int_eq(fine_tensors_save(tensors, path), 0);
    ck_assert_int_eq(fine_tensors_open(&again, ctx, path), 0);
    fine_context_free(ctx); /* sets keep it alive */
    ck_assert_int_eq(fine_tensors_count(again), 2);
    ck_assert_str_eq(fine_tensors_name(again, 0), "z");
    ck_assert_int_eq(fine_tensors_get(again, "z", &type, NULL, NULL, NULL), 0);
    ck_assert_int_eq(type, FINE_BF16);
    ck_assert_mem_eq(data_of(again, "a"), values, sizeof values);
    fine_tensors_free(again);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    fine_tensors_free(tensors);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_folder();
    char path[100];

    strcat(strcpy(path, folder), "/set");
    for (int fail_at = 1;; fail_at++) {
        fine_tensors *tensors = NULL, *again = NULL;
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        if ((rc = fine_tensors_new(&tensors, ctx)) == 0 &&
            (rc = fine_tensors_put(tensors, "a", FINE_F32, 2, shape, values)) == 0 &&
            (rc = fine_tensors_put(tensors, "a", FINE_F32, 2, shape, values)) == 0 &&
            (rc = fine_tensors_put(tensors, "b", FINE_F32, 2, shape, NULL)) == 0 &&
            (rc = fine_tensors_save(tensors, path)) == 0)
            rc = fine_tensors_open(&again, ctx, path);
        fine_tensors_free(tensors);
        fine_tensors_free(again);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, FINE_ENOMEM);
    }
    faulty.fail_at = 0;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("tensor_set", puts_and_gets, replaces_in_place, bad_arguments_change_nothing,
       saves_and_opens, survives_any_failed_allocation)
