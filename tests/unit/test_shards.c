/* An index and its shards: what fits, and everything that doesn't. */
#include <stdio.h>
#include <sys/stat.h>

#include "weight_files.h"

static const float numbers[] = { 1, 2, 3 };

struct folder {
    fine_context *ctx;
    char *path;
};

static struct folder
begin(void)
{
    return (struct folder){ new_context(1), new_folder() };
}

static void
end(struct folder *f)
{
    remove_folder(f->ctx, f->path);
    free_context(f->ctx);
}

/* A shard that holds these one-number tensors ("a b"). */
static void
put_shard(struct folder *f, const char *file, const char *names)
{
    struct fine__weight_out entries[3];
    char *path = fine__path_join(f->ctx, f->path, file), copy[100], *name = copy;
    int n = 0;

    strcpy(copy, names);
    while (*name != '\0') {
        const size_t length = strcspn(name, " ");

        entries[n] = (struct fine__weight_out){ name, NULL, 0, FINE_F32, &numbers[n] };
        n++;
        name += length;
        if (*name != '\0')
            *name++ = '\0';
    }
    ck_assert_int_eq(fine__safetensors_write(f->ctx, path, entries, n, NULL, 0), 0);
    fine__free(f->ctx, path);
}

static int
open_with(struct folder *f, const char *index, struct fine__weights **out)
{
    char *path = fine__path_join(f->ctx, f->path, "model.safetensors.index.json");

    ck_assert_int_eq(fine__file_write(f->ctx, path, index, strlen(index)), 0);
    fine__free(f->ctx, path);
    return fine__weights_open_path(out, f->ctx, f->path);
}

START_TEST(opens_shards)
{
    struct folder f = begin();
    struct fine__weights *weights;
    char *path, sharded[33], whole[33];
    float out;

    put_shard(&f, "s2", "c");
    put_shard(&f, "s1", "a b");
    ck_assert_int_eq(open_with(&f,
                               "{\"metadata\":{\"total_size\":12},\"weight_map\":"
                               "{\"c\":\"s2\",\"b\":\"s1\",\"a\":\"s1\"}}",
                               &weights),
                     0);
    ck_assert_int_eq(fine__weights_count(weights), 3);
    ck_assert_str_eq(fine__weights_at(weights, 0)->name, "a");
    ck_assert_str_eq(fine__weights_at(weights, 2)->name, "c");
    ck_assert_str_eq(fine__path_name(fine__weights_file(weights, 2)), "s2");
    ck_assert_int_eq(fine__weights_read_floats(weights, fine__weights_find(weights, "b"), &out), 0);
    ck_assert(out == 2.0f);
    ck_assert_int_eq(fine__weights_fingerprint(weights, sharded), 0);
    fine__weights_free(weights);

    path = fine__path_join(f.ctx, f.path, "model.safetensors.index.json");
    ck_assert_int_eq(fine__weights_open_path(&weights, f.ctx, path), 0);
    fine__weights_free(weights);
    fine__free(f.ctx, path);

    /* One file of the same weights has the same fingerprint. */
    {
        const struct fine__weight_out entries[] = {
            { "c", NULL, 0, FINE_F32, &numbers[0] },
            { "a", NULL, 0, FINE_F32, &numbers[0] },
            { "b", NULL, 0, FINE_F32, &numbers[1] },
        };

        path = fine__path_join(f.ctx, f.path, "model.safetensors");
        ck_assert_int_eq(fine__safetensors_write(f.ctx, path, entries, 3, NULL, 0), 0);
        ck_assert_int_eq(fine__weights_open_path(&weights, f.ctx, f.path), 0);
        ck_assert_int_eq(fine__weights_fingerprint(weights, whole), 0);
        ck_assert_str_eq(whole, sharded);
        fine__weights_free(weights);
        fine__free(f.ctx, path);
    }
    end(&f);
}
END_TEST

START_TEST(every_disagreement_is_found)
{
    struct folder f = begin();
    struct fine__weights *weights = NULL;

    put_shard(&f, "s1", "a b");
    put_shard(&f, "s2", "b c");
    ck_assert_int_eq(open_with(&f,
                               "{\"weight_map\":{\"a\":\"s2\",\"b\":\"s1\",\"c\":\"s2\","
                               "\"d\":\"s1\"}}",
                               &weights),
                     FINE_EFORMAT);
    ck_assert_int_eq(n_findings(), 3);
    ck_assert(was_found("tensor 'b' stands in two shards"));
    ck_assert(was_found("tensor 'a' should be in 's2' and is in 's1'"));
    ck_assert(was_found("tensor 'd' should be in 's1' and is not there"));
    ck_assert_int_eq(
        open_with(&f, "{\"weight_map\":{\"a\":\"s1\",\"x\":\"s8\",\"y\":\"s9\"}}", &weights),
        FINE_EIO);
    ck_assert_int_eq(n_findings(), 2);
    ck_assert(was_found("the shard 's8' is not there") && was_found("the shard 's9' is not there"));
    ck_assert_ptr_null(weights);
    end(&f);
}
END_TEST

START_TEST(a_bad_shard_is_named)
{
    struct folder f = begin();
    struct fine__weights *weights;
    char *path = fine__path_join(f.ctx, f.path, "s2");

    put_shard(&f, "s1", "a");
    ck_assert_int_eq(fine__file_write(f.ctx, path, "version https://git-lfs", 23), 0);
    ck_assert_int_eq(open_with(&f, "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}", &weights),
                     FINE_EFORMAT);
    ck_assert(was_found("s2: not safetensors: this is a Git LFS pointer"));
    fine__free(f.ctx, path);
    end(&f);
}
END_TEST

/* Names that lead elsewhere are refused before anything is opened. */
static const char *const wicked[] = {
    "../s1",
    "/etc/passwd",
    "/dev/zero",
    "sub/s1",
    "./s1",
    "..",
    ".",
    "",
    ".hidden",
    "s1/",
    "//",
    "../../../../etc/passwd",
    "a/../../s1",
    "\\u002e\\u002e/s1",
    "s1\\u0000.safetensors",
};

START_TEST(nothing_outside_the_folder_is_opened)
{
    struct folder f = begin();
    struct fine__weights *weights;

    put_shard(&f, "s1", "a");
    for (size_t i = 0; i < sizeof wicked / sizeof wicked[0]; i++) {
        char index[200];

        snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", wicked[i]);
        ck_assert_int_eq(open_with(&f, index, &weights), FINE_EFORMAT);
        ck_assert_msg(was_found("is refused"), "%s: %s", wicked[i], fine_error_message());
    }
    end(&f);
}
END_TEST

START_TEST(shards_are_regular_files)
{
    static const char *const names[] = { "pipe", "zero", "dir" };
    struct folder f = begin();
    struct fine__weights *weights;

    for (int i = 0; i < 3; i++) {
        char *path = fine__path_join(f.ctx, f.path, names[i]), index[100];

        ck_assert_int_eq(i == 0   ? mkfifo(path, 0600)
                         : i == 1 ? symlink("/dev/zero", path)
                                  : mkdir(path, 0700),
                         0);
        snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        ck_assert_int_eq(open_with(&f, index, &weights), FINE_EIO);
        ck_assert(was_found("must be a regular file"));
        fine__free(f.ctx, path);
    }
    end(&f);
}
END_TEST

static const struct {
    const char *index, *finding;
} malformed[] = {
    { "", "an object is expected" },
    { "[]", "an object is expected" },
    { "{}", "there is no 'weight_map'" },
    { "{\"metadata\":{}}", "there is no 'weight_map'" },
    { "{\"weight_map\":[]}", "an object is expected" },
    { "{\"weight_map\":{\"a\":1}}", "the file of a tensor" },
    { "{\"weight_map\":{\"a\":null}}", "the file of a tensor" },
    { "{\"weight_map\":{\"a\":\"s1\",\"a\":\"s1\"}}", "stands twice" },
    { "{\"weight_map\":{\"a\":\"s1\"},\"weight_map\":{}}", "stands twice" },
    { "{\"weight_map\":{\"a\\u0000\":\"s1\"}}", "NUL" },
    { "{\"weight_map\":{\"a\":\"s1\"}", "is expected" },
    { "{\"weight_map\":{\"a\":\"s1\"}} x", "more text follows" },
    { "{\"weight_map\":{\"a\":\"s1\xff\"}}", "UTF-8" },
};

START_TEST(malformed_indices_are_refused)
{
    struct folder f = begin();
    struct fine__weights *weights;

    put_shard(&f, "s1", "a");
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        ck_assert_int_eq(open_with(&f, malformed[i].index, &weights), FINE_EFORMAT);
        ck_assert_msg(was_found(malformed[i].finding), "%s: %s", malformed[i].index,
                      fine_error_message());
    }
    ck_assert_int_eq(open_with(&f, "{\"weight_map\":{}}", &weights), 0);
    ck_assert_int_eq(fine__weights_count(weights), 0);
    fine__weights_free(weights);
    end(&f);
}
END_TEST

START_TEST(shards_are_counted)
{
    struct folder f = begin();
    struct fine__weights *weights;
    struct fine__buf index;

    fine__buf_init(&index, f.ctx);
    fine__buf_text(&index, "{\"weight_map\":{");
    for (int i = 0; i < 100000; i++)
        fine__buf_printf(&index, "%s\"t%d\":\"s%d\"", i > 0 ? "," : "", i, i);
    fine__buf_text(&index, "}}");
    ck_assert_int_eq(open_with(&f, index.data, &weights), FINE_EFORMAT);
    ck_assert(was_found("more than 1024 shards"));
    fine__buf_free(&index);
    end(&f);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct folder f = begin();
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    struct fine__weights *weights;

    put_shard(&f, "s1", "a b");
    put_shard(&f, "s2", "c");
    ck_assert_int_eq(
        open_with(&f, "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s1\",\"c\":\"s2\"}}", &weights), 0);
    fine__weights_free(weights);
    for (int fail_at = 1;; fail_at++) {
        char out[33];
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        weights = NULL;
        rc = fine__weights_open_path(&weights, ctx, f.path);
        if (rc == 0)
            rc = fine__weights_fingerprint(weights, out);
        fine__weights_free(weights);
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        if (faulty.calls < fail_at) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_msg(rc == FINE_ENOMEM, "%d: %d %s", fail_at, rc, fine_error_message());
    }
    free_context(ctx);
    end(&f);
}
END_TEST

RUNNER("shards", opens_shards, every_disagreement_is_found, a_bad_shard_is_named,
       nothing_outside_the_folder_is_opened, shards_are_regular_files,
       malformed_indices_are_refused, shards_are_counted, survives_any_failed_allocation)
