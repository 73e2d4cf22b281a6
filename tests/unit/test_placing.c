/* Saving aside and renaming: shards and their index, from any state of the folder to any other,
 * and failures at every call. */
#include "base/source.h"
#include "faulty_io.h"
#include "models/placing.h"
#include "weight_files.h"

enum { N = 5 };

static float numbers[N][4];

static void
fill(struct fine__weight_out list[N], float first)
{
    static const char *const names[N] = { "a", "b", "c", "d", "e" };
    static const int64_t shape[] = { 4 };

    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 4; k++)
            numbers[i][k] = first + (float)(4 * i + k);
        list[i] = (struct fine__weight_out){ names[i], shape, 1, FINE_F32, numbers[i] };
    }
}

static int
save(fine_context *ctx, const char *folder, float first, int64_t max_bytes)
{
    struct fine__weight_out list[N];
    struct fine__placing p;
    char *path;
    int rc;

    fill(list, first);
    FINE__TRY(fine__placing_begin(&p, ctx, folder));
    path = fine__path_join(ctx, p.aside, "config.json");
    rc = path != NULL ? fine__file_write(ctx, path, "{}", 2) : FINE_ENOMEM;
    fine__free(ctx, path);
    if (rc == 0)
        rc = fine__placing_write(&p, list, N, max_bytes);
    if (rc == 0)
        rc = fine__placing_move_files(&p);
    if (rc == 0)
        rc = fine__placing_move_weights(&p);
    fine__placing_end(&p);
    return rc;
}

/* The first number of the weights that the folder opens with; all must be of one save. */
static float
opens_with(fine_context *ctx, const char *folder)
{
    struct fine__weights *weights;
    float first = -1, got[4];

    ck_assert_msg(fine__weights_open_path(&weights, ctx, folder) == 0, "%s", fine_error_message());
    ck_assert_int_eq(fine__weights_count(weights), N);
    for (int i = 0; i < N; i++) {
        const char name[2] = { (char)('a' + i), '\0' };

        ck_assert_int_eq(fine__weights_read_floats(weights, fine__weights_find(weights, name), got),
                         0);
        if (i == 0)
            first = got[0];
        ck_assert(got[3] == first + (float)(4 * i + 3));
    }
    fine__weights_free(weights);
    return first;
}

static void
has_files(fine_context *ctx, const char *folder, const char *const *wanted, int n)
{
    struct fine__names names;

    ck_assert_int_eq(fine__list_directory(ctx, folder, &names), 0);
    for (int64_t i = 0; i < names.count && i < n; i++)
        ck_assert_str_eq(names.names[i], wanted[i]);
    ck_assert_int_eq(names.count, n);
    fine__names_free(ctx, &names);
}

#define HAS(...) \
    has_files(ctx, folder, (const char *const[]){ __VA_ARGS__ }, \
              (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))

START_TEST(from_one_file_to_shards_and_back)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();

    ck_assert_int_eq(save(ctx, folder, 100, INT64_MAX), 0);
    HAS("config.json", "model.safetensors");
    ck_assert(opens_with(ctx, folder) == 100);
    ck_assert_int_eq(save(ctx, folder, 200, 32), 0);
    HAS("config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors", "model.safetensors.index.json");
    ck_assert(opens_with(ctx, folder) == 200);
    /* The same number again: other names, until the index is in place. */
    ck_assert_int_eq(save(ctx, folder, 300, 32), 0);
    HAS("config.json", "model.2-00001-of-00003.safetensors", "model.2-00002-of-00003.safetensors",
        "model.2-00003-of-00003.safetensors", "model.safetensors.index.json");
    ck_assert(opens_with(ctx, folder) == 300);
    ck_assert_int_eq(save(ctx, folder, 400, 32), 0);
    HAS("config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors", "model.safetensors.index.json");
    ck_assert(opens_with(ctx, folder) == 400);
    ck_assert_int_eq(save(ctx, folder, 500, 1), 0);
    HAS("config.json", "model-00001-of-00005.safetensors", "model-00002-of-00005.safetensors",
        "model-00003-of-00005.safetensors", "model-00004-of-00005.safetensors",
        "model-00005-of-00005.safetensors", "model.safetensors.index.json");
    ck_assert(opens_with(ctx, folder) == 500);
    ck_assert_int_eq(save(ctx, folder, 600, 80), 0);
    HAS("config.json", "model.safetensors");
    ck_assert(opens_with(ctx, folder) == 600);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(the_index_is_as_transformers_writes_it)
{
    static const char wanted[] =
        "{\n  \"metadata\": {\n    \"total_size\": 80\n  },\n  \"weight_map\": {\n"
        "    \"a\": \"model-00001-of-00002.safetensors\",\n"
        "    \"b\": \"model-00001-of-00002.safetensors\",\n"
        "    \"c\": \"model-00001-of-00002.safetensors\",\n"
        "    \"d\": \"model-00002-of-00002.safetensors\",\n"
        "    \"e\": \"model-00002-of-00002.safetensors\"\n  }\n}\n";
    fine_context *ctx = new_context(1);
    char *folder = new_folder(),
         *path = fine__path_join(ctx, folder, "model.safetensors.index.json");
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    ck_assert_int_eq(save(ctx, folder, 0, 63), 0);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &text), 0);
    ck_assert_str_eq(fine__buf_cstr(&text), wanted);
    fine__buf_free(&text);
    fine__free(ctx, path);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(leaves_what_is_not_its_own)
{
    static const char *const names[] = { "model-1-of-2.safetensors", "model-00001-of-00002.bin",
                                         ".saving-mine", "notes.txt" };
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path;

    for (int i = 0; i < 4; i++) {
        path = fine__path_join(ctx, folder, names[i]);
        ck_assert_int_eq(fine__file_write(ctx, path, "x", 1), 0);
        fine__free(ctx, path);
    }
    path = fine__path_join(ctx, folder, ".saving-0123456789abcdef/deep");
    ck_assert_int_eq(fine__mkdirs(ctx, path), 0); /* of a save that was killed */
    fine__free(ctx, path);
    ck_assert_int_eq(save(ctx, folder, 1, INT64_MAX), 0);
    HAS(".saving-mine", "config.json", "model-00001-of-00002.bin", "model-1-of-2.safetensors",
        "model.safetensors", "notes.txt");
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(shards_are_counted)
{
    enum { MANY = 1025 };
    static const int64_t shape[] = { 1 };
    static struct fine__weight_out list[MANY];
    static char names[MANY][8];
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    struct fine__placing p;

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        list[i] = (struct fine__weight_out){ names[i], shape, 1, FINE_F32, numbers };
    }
    ck_assert_int_eq(fine__placing_begin(&p, ctx, folder), 0);
    ck_assert_int_eq(fine__placing_write(&p, list, MANY, 1), FINE_EINVAL);
    ck_assert(was_found("1025 shards; at most 1024"));
    fine__placing_end(&p);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* From each kind of folder to each other, with every call failing in turn, once and for ever (as
 * if the machine had stopped): the old or the new weights open, never both mixed, and the next
 * save puts all in order. */
START_TEST(a_failure_leaves_the_old_or_the_new)
{
    static const int64_t limits[] = { INT64_MAX, 48 };
    fine_context *ctx = new_context(1);
    long long n_calls = 0;

    use_faulty_io(ctx);
    for (int old = 0; old < 2; old++)
        for (int new = 0; new < 2; new ++)
            for (int kind = 0; kind < 2; kind++) {
                io_fail_at = 0;
                for (long long at = 1;; at++) {
                    char *folder = new_folder();
                    float first;
                    int rc;

                    ck_assert_int_eq(save(ctx, folder, 100, limits[old]), 0);
                    io_calls = 0;
                    io_fail_at = at;
                    io_for_ever = kind == 1;
                    rc = save(ctx, folder, 200, limits[new]);
                    n_calls = io_calls;
                    io_fail_at = 0;
                    first = opens_with(ctx, folder);
                    ck_assert(first == 100 || first == 200);
                    ck_assert(rc != 0 || first == 200);
                    ck_assert_int_eq(save(ctx, folder, 300, limits[old]), 0);
                    ck_assert(opens_with(ctx, folder) == 300);
                    remove_folder(ctx, folder);
                    if (n_calls < at)
                        break;
                }
            }
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_folder();

    use_faulty_io(ctx);
    for (int fail_at = 1;; fail_at++) {
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        rc = save(ctx, folder, 100, 32);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_msg(rc == FINE_ENOMEM || rc == 0, "%d: %d %s", fail_at, rc, fine_error_message());
    }
    faulty = (struct faulty){ 0 };
    ck_assert(opens_with(ctx, folder) == 100);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("placing", from_one_file_to_shards_and_back, the_index_is_as_transformers_writes_it,
       leaves_what_is_not_its_own, shards_are_counted, a_failure_leaves_the_old_or_the_new,
       survives_any_failed_allocation)
