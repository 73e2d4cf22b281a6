/* Writing safetensors: the bytes, what is refused, and failures on the way. */
#include <dirent.h>

#include "faulty_io.h"
#include "weight_files.h"

static const int64_t two_by_three[] = { 2, 3 }, none[] = { 0, 5 };
static const float floats[] = { 0.0f, 1.0f, -2.5f, 3e38f, 1e-45f, 4.0f };
static const int64_t longs[] = { INT64_MIN };
static const unsigned char flags[] = { 1, 0 };

static const struct fine__weight_out entries[] = {
    { "layer.weight", two_by_three, 2, FINE_F32, floats },
    { "n", NULL, 0, FINE_I64, longs },
    { "nothing", none, 2, FINE_F16, NULL },
    { "\xc3\xa9 \"quoted\"\n", two_by_three, 1, FINE_BOOL, flags },
};
static const char *const metadata[] = { "format", "pt" };

START_TEST(types_have_names_and_sizes)
{
    int n = 0;

    for (int32_t type = -3; type < 40; type++) {
        const char *name = fine__type_name(type);

        ck_assert((name != NULL) == (fine__type_size(type) > 0));
        if (name != NULL) {
            ck_assert_int_eq(fine__type_by_name(name), type);
            n++;
        }
    }
    ck_assert_int_eq(n, 13);
    ck_assert_int_eq(fine__type_by_name(""), 0);
    ck_assert_int_eq(fine__type_by_name("F8_E4M3"), 0);
}
END_TEST

START_TEST(sizes_never_overflow)
{
    const int64_t huge[] = { INT64_MAX, 2 }, negative[] = { 2, -1 }, zero[] = { 0, INT64_MAX },
                  most[] = { INT64_MAX / 4 }, above[] = { INT64_MAX / 4 + 1 };
    int64_t count = -1, bytes = -1;

    ck_assert_int_eq(fine__shape_size(FINE_U8, 2, huge, &count, &bytes), FINE_EINVAL);
    ck_assert_int_eq(fine__shape_size(FINE_U8, 2, negative, &count, &bytes), FINE_EINVAL);
    ck_assert_int_eq(fine__shape_size(FINE_F32, 1, above, &count, &bytes), FINE_EINVAL);
    ck_assert_int_eq(fine__shape_size(0, 0, NULL, &count, &bytes), FINE_EINVAL);
    ck_assert(count == -1 && bytes == -1);
    ck_assert_int_eq(fine__shape_size(FINE_F32, 1, most, &count, &bytes), 0);
    ck_assert(count == INT64_MAX / 4 && bytes == INT64_MAX / 4 * 4);
    ck_assert_int_eq(fine__shape_size(FINE_F64, 2, zero, &count, &bytes), 0);
    ck_assert(count == 0 && bytes == 0);
    ck_assert_int_eq(fine__shape_size(FINE_F64, 0, NULL, &count, &bytes), 0);
    ck_assert(count == 1 && bytes == 8);
}
END_TEST

START_TEST(writes_the_format)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"layer.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
        "\"nothing\":{\"dtype\":\"F16\",\"shape\":[0,5],\"data_offsets\":[32,32]},"
        "\"\xc3\xa9 "
        "\\\"quoted\\\"\\n\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[32,34]}}";
    fine_context *ctx = new_context(1);
    struct fine__buf file;
    size_t length;

    fine__buf_init(&file, ctx);
    ck_assert_int_eq(fine__safetensors_append(&file, entries, 4, metadata, 1), 0);
    length = (unsigned char)file.data[0] | (size_t)(unsigned char)file.data[1] << 8;
    ck_assert_uint_eq(length % 8, 0);
    ck_assert_mem_eq(file.data + 2, "\0\0\0\0\0\0", 6);
    ck_assert_mem_eq(file.data + 8, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < length; i++)
        ck_assert_int_eq(file.data[8 + i], ' ');
    ck_assert_uint_eq(file.length, 8 + length + 34);
    ck_assert_mem_eq(file.data + 8 + length, floats, 24);
    ck_assert_mem_eq(file.data + 8 + length + 24, longs, 8);
    ck_assert_mem_eq(file.data + 8 + length + 32, flags, 2);

    fine__buf_clear(&file);
    ck_assert_int_eq(fine__safetensors_append(&file, NULL, 0, NULL, 0), 0);
    ck_assert_uint_eq(file.length, 16);
    ck_assert_mem_eq(file.data, "\10\0\0\0\0\0\0\0{}      ", 16);
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

/* Files in a folder, temporaries included. */
static int
count_files(const char *folder)
{
    DIR *directory = opendir(folder);
    int n = 0;

    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return n;
}

START_TEST(what_was_written_reads_back)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "m.safetensors");
    struct fine__weights *weights;
    float out[6];

    ck_assert_int_eq(fine__safetensors_write(ctx, path, entries, 4, metadata, 1), 0);
    ck_assert_int_eq(fine__weights_open_path(&weights, ctx, path), 0);
    ck_assert_int_eq(fine__weights_count(weights), 4);
    for (int64_t i = 0; i < 4; i++) {
        const int64_t at = fine__weights_find(weights, entries[i].name);
        const struct fine__weight *weight = fine__weights_at(weights, at);
        unsigned char raw[24];

        ck_assert_str_eq(weight->name, entries[i].name);
        ck_assert_int_eq(weight->type, entries[i].type);
        ck_assert_int_eq(weight->n_dims, entries[i].n_dims);
        for (int64_t k = 0; k < weight->n_dims; k++)
            ck_assert_int_eq(weight->shape[k], entries[i].shape[k]);
        ck_assert_int_eq(fine__weights_read_raw(weights, at, raw), 0);
        if (entries[i].data != NULL)
            ck_assert_mem_eq(raw, entries[i].data, fine__weights_bytes(weights, at));
    }
    ck_assert_int_eq(fine__weights_read_floats(weights, 0, out), 0);
    ck_assert_mem_eq(out, floats, sizeof floats);
    fine__weights_free(weights);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(refuses_what_cannot_be_written)
{
    static const int64_t negative[] = { -1 };
    const struct fine__weight_out twice[] = { entries[1], entries[1] },
                                  reserved = { "__metadata__", NULL, 0, FINE_I64, longs },
                                  broken = { "a\xff", NULL, 0, FINE_I64, longs },
                                  untyped = { "a", NULL, 0, 99, longs },
                                  shaped = { "a", negative, 1, FINE_I64, longs };
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "m.safetensors");

    ck_assert_int_eq(fine__safetensors_write(ctx, path, twice, 2, NULL, 0), FINE_EINVAL);
    ck_assert(was_found("two tensors are named 'n'"));
    ck_assert_int_eq(fine__safetensors_write(ctx, path, &reserved, 1, NULL, 0), FINE_EINVAL);
    ck_assert_int_eq(fine__safetensors_write(ctx, path, &broken, 1, NULL, 0), FINE_EINVAL);
    ck_assert_int_eq(fine__safetensors_write(ctx, path, &untyped, 1, NULL, 0), FINE_EINVAL);
    ck_assert_int_eq(fine__safetensors_write(ctx, path, &shaped, 1, NULL, 0), FINE_EINVAL);
    ck_assert_int_eq(count_files(folder), 0);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* Any call may fail: then the older file is there, whole, and no temporary. */
START_TEST(a_failed_write_changes_nothing)
{
    static const int errors[] = { ENOSPC, EDQUOT, EIO, EMFILE, EACCES, EROFS, EFBIG };
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "m.safetensors");
    struct fine__buf before, after;

    fine__buf_init(&before, ctx);
    fine__buf_init(&after, ctx);
    ck_assert_int_eq(fine__safetensors_write(ctx, path, entries, 1, NULL, 0), 0);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &before), 0);
    use_faulty_io(ctx);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        for (long long n = 1;; n++) {
            int rc;

            io_calls = 0;
            io_fail_at = n;
            io_errno = errors[e];
            rc = fine__safetensors_write(ctx, path, entries, 4, NULL, 0);
            io_fail_at = 0;
            ck_assert_int_eq(count_files(folder), 1);
            fine__buf_clear(&after);
            ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &after), 0);
            if (rc == 0) {
                ck_assert_uint_gt(after.length, before.length);
                if (io_calls < n)
                    break;
            } else {
                ck_assert_int_eq(rc, FINE_EIO);
                ck_assert(was_found("m.safetensors") || was_found(folder));
            }
            ck_assert_int_eq(fine__safetensors_write(ctx, path, entries, 1, NULL, 0), 0);
        }
    }
    fine__buf_free(&before);
    fine__buf_free(&after);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_folder();
    char path[100];

    strcat(strcpy(path, folder), "/m.safetensors");
    for (int fail_at = 1;; fail_at++) {
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        rc = fine__safetensors_write(ctx, path, entries, 4, metadata, 1);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, FINE_ENOMEM);
    }
    faulty.fail_at = 0;
    ck_assert_int_eq(count_files(folder), 1);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("safetensors", types_have_names_and_sizes, sizes_never_overflow, writes_the_format,
       what_was_written_reads_back, refuses_what_cannot_be_written, a_failed_write_changes_nothing,
       survives_any_failed_allocation)
