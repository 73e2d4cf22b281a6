/* Opening and listing: damage is always seen, leftovers are understood. */
#include <stdio.h>
#include <sys/stat.h>

#include "states.h"

static const char name[] = "step-7";

static void
read_bytes(fine_context *ctx, const char *path, struct fine__buf *out)
{
    fine__buf_init(out, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, out), 0);
}

/* Without syncing: there are thousands. */
static void
put_bytes(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

START_TEST(every_damage_is_seen)
{
    static const char *const files[] = { "manifest.json", "state.json", "weights.safetensors" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    for (int f = 0; f < 3; f++) {
        struct fine__buf bytes;
        char path[200];

        snprintf(path, sizeof path, "%s/%s/%s", folder, name, files[f]);
        read_bytes(ctx, path, &bytes);
        for (size_t i = 0; i < bytes.length; i++) {
            for (int k = 0; k < 2; k++) {
                const char kept = bytes.data[i];

                bytes.data[i] = (char)(kept ^ (k == 0 ? 0xff : 0x01));
                put_bytes(path, bytes.data, bytes.length);
                ck_assert_int_eq(read_state(ctx, folder, name), FINE_EFORMAT);
                bytes.data[i] = kept;
            }
            put_bytes(path, bytes.data, i);
            ck_assert_int_eq(read_state(ctx, folder, name), FINE_EFORMAT);
            ck_assert(was_found(files[f]));
        }
        put_bytes(path, bytes.data, bytes.length);
        {
            FILE *file = fopen(path, "ab");

            fputc('\n', file);
            fclose(file);
        }
        ck_assert_int_eq(read_state(ctx, folder, name), FINE_EFORMAT);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(read_state(ctx, folder, name), FINE_EFORMAT);
        ck_assert(was_found(files[f]));
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(read_state(ctx, folder, name), FINE_EIO);
        ck_assert_int_eq(rmdir(path), 0);
        put_bytes(path, bytes.data, bytes.length);
        ck_assert_int_eq(read_state(ctx, folder, name), 'a');
        fine__buf_free(&bytes);
    }
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(every_damaged_file_is_named)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();
    char path[200];

    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    snprintf(path, sizeof path, "%s/%s/state.json", folder, name);
    put_bytes(path, "{\"c\":1}", 7);
    snprintf(path, sizeof path, "%s/%s/weights.safetensors", folder, name);
    put_bytes(path, "", 0);
    ck_assert_int_eq(read_state(ctx, folder, name), FINE_EFORMAT);
    ck_assert_int_eq(n_findings(), 2);
    ck_assert(was_found("state.json: damaged: its checksum is wrong"));
    ck_assert(was_found("weights.safetensors: damaged: its size is wrong"));
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static void
check_list(fine_context *ctx, const char *folder, bool clean, int64_t n, const int64_t *expected)
{
    int64_t *numbers = NULL, count = -1;

    ck_assert_int_eq(fine__checkpoint_list(ctx, folder, "step-", clean, &numbers, &count), 0);
    ck_assert_int_eq(count, n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_int_eq(numbers[i], expected[i]);
    fine__free(ctx, numbers);
}

static char *
inside(fine_context *ctx, const char *folder, const char *entry)
{
    char *path = fine__path_join(ctx, folder, entry);

    ck_assert_ptr_nonnull(path);
    return path;
}

START_TEST(lists_by_number)
{
    static const int64_t expected[] = { 0, 9, 10, 123456789012 };
    static const char *const others[] = { "step-",    "step--1", "step-1x",
                                          "step-1.5", "xstep-1", "step-99999999999999999999",
                                          "best",     "step-5" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder(), *path;

    check_list(ctx, "/nowhere/at/all", true, 0, NULL);
    check_list(ctx, folder, true, 0, NULL);
    ck_assert_int_eq(save_state(ctx, folder, "step-10", 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, "step-009", 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, "step-123456789012", 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, "step-0", 'a'), 0);
    for (int i = 0; i < 8; i++) /* no checkpoint's name, or no checkpoint: step-5 */
        if (i == 7) {
            path = inside(ctx, folder, others[i]);
            ck_assert_int_eq(mkdir(path, 0700), 0);
            fine__free(ctx, path);
        } else {
            ck_assert_int_eq(save_state(ctx, folder, others[i], 'a'), 0);
        }
    check_list(ctx, folder, false, 4, expected);
    check_list(ctx, folder, true, 4, expected);
    ck_assert_int_eq(count_entries(folder), 12);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static void
move(fine_context *ctx, const char *folder, const char *from, const char *to)
{
    char *a = inside(ctx, folder, from), *b = inside(ctx, folder, to);

    ck_assert_int_eq(rename(a, b), 0);
    fine__free(ctx, a);
    fine__free(ctx, b);
}

#define R ".old-0123456789abcdef"

START_TEST(what_stood_aside_stands_in)
{
    static const int64_t seven[] = { 7 };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    move(ctx, folder, name, ".step-7" R);
    ck_assert_int_eq(read_state(ctx, folder, name), 'a');
    check_list(ctx, folder, false, 1, seven);
    ck_assert_int_eq(count_entries(folder), 1);
    check_list(ctx, folder, true, 1, seven);
    ck_assert_int_eq(read_state(ctx, folder, name), 'a');

    /* Not where the name is taken. */
    move(ctx, folder, name, ".step-7" R);
    ck_assert_int_eq(save_state(ctx, folder, name, 'b'), 0);
    ck_assert_int_eq(count_entries(folder), 1);
    ck_assert_int_eq(read_state(ctx, folder, name), 'b');

    /* Removed for good. */
    move(ctx, folder, name, ".step-7" R);
    ck_assert_int_eq(fine__checkpoint_remove(ctx, folder, name), 0);
    ck_assert_int_eq(count_entries(folder), 0);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(leftovers_are_cleaned_and_nothing_else)
{
    static const char *const leftovers[] = { ".step-3.tmp-0123456789abcdef",
                                             ".step-3.del-0123456789abcdef" };
    static const char *const kept[] = { ".step-3.tmp-0123",
                                        ".step-3x.tmp-0123456789abcdef",
                                        ".best.tmp-0123456789abcdef",
                                        "step-3.tmp-0123456789abcdef",
                                        ".step-4.old-0123456789abcdef",
                                        ".step-3.tmp-0123456789ABCDEF",
                                        ".hidden" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder(), *path;

    for (int i = 0; i < 2; i++) {
        path = inside(ctx, folder, leftovers[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        fine__free(ctx, path);
    }
    for (int i = 0; i < 7; i++) { /* step-4's isn't complete: nobody knows better */
        path = inside(ctx, folder, kept[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        fine__free(ctx, path);
    }
    check_list(ctx, folder, false, 0, NULL);
    ck_assert_int_eq(count_entries(folder), 9);
    check_list(ctx, folder, true, 0, NULL);
    ck_assert_int_eq(count_entries(folder), 7);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(save_state(ctx, folder, "step-1", 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, name, 'b'), 0);
    for (int fail_at = 1;; fail_at++) {
        int64_t *numbers = NULL, count;
        struct fine__source *source;
        int rc;

        {
            fine_context *plain = new_context(1);
            char *aside = inside(plain, folder, ".step-7" R), *place = inside(plain, folder, name);

            if (fine__file_exists(plain, place))
                ck_assert_int_eq(rename(place, aside), 0);
            fine__free(plain, aside);
            fine__free(plain, place);
            free_context(plain);
        }
        faulty = (struct faulty){ .fail_at = fail_at };
        rc = fine__checkpoint_open(&source, ctx, folder, name);
        if (rc == 0) {
            fine__source_free(source);
            rc = fine__checkpoint_list(ctx, folder, "step-", true, &numbers, &count);
            fine__free(ctx, numbers);
        }
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, FINE_ENOMEM);
    }
    faulty.fail_at = 0;
    ck_assert_int_eq(read_state(ctx, folder, name), 'b');
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("checkpoint_open", every_damage_is_seen, every_damaged_file_is_named, lists_by_number,
       what_stood_aside_stands_in, leftovers_are_cleaned_and_nothing_else,
       survives_any_failed_allocation)
