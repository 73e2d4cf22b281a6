/* Checkpoints: written, replaced, removed; and every call that can fail on the way. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "faulty_io.h"
#include "states.h"

static const char name[] = "step-000007";

START_TEST(saves_and_replaces)
{
    fine_context *ctx = new_context(1);
    char *root = new_quick_folder(), *folder = fine__path_join(ctx, root, "run/checkpoints");

    ck_assert_int_eq(read_state(ctx, folder, name), FINE_EIO);
    ck_assert(was_found("there is no checkpoint"));
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    ck_assert_int_eq(read_state(ctx, folder, name), 'a');
    ck_assert_int_eq(save_state(ctx, folder, name, 'b'), 0);
    ck_assert_int_eq(read_state(ctx, folder, name), 'b');
    ck_assert_int_eq(count_entries(folder), 1);
    ck_assert_int_eq(read_state(ctx, folder, "step-000008"), FINE_EIO);
    fine__free(ctx, folder);
    remove_folder(ctx, root);
    free_context(ctx);
}
END_TEST

START_TEST(nobody_else_may_read)
{
    static const char *const files[] = { "", "state.json", "weights.safetensors", "manifest.json" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder(), *place = fine__path_join(ctx, folder, name);
    mode_t mask;

    mask = umask(0);
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    for (int i = 0; i < 4; i++) {
        char *path = fine__path_join(ctx, place, files[i]);
        struct stat status;

        ck_assert_int_eq(stat(path, &status), 0);
        ck_assert_uint_eq(status.st_mode & 0777, i == 0 ? 0700 : 0600);
        fine__free(ctx, path);
    }
    umask(mask);
    fine__free(ctx, place);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* No time, no random bits and no uninitialised memory gets into the files. */
START_TEST(the_same_state_has_the_same_bytes)
{
    static const char *const files[] = { "state.json", "weights.safetensors", "manifest.json" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(save_state(ctx, folder, "one", 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, "two", 'a'), 0);
    for (int i = 0; i < 3; i++) {
        struct fine__buf bytes[2];

        for (int k = 0; k < 2; k++) {
            char path[200];

            fine__buf_init(&bytes[k], ctx);
            snprintf(path, sizeof path, "%s/%s/%s", folder, k == 0 ? "one" : "two", files[i]);
            ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &bytes[k]), 0);
        }
        ck_assert_uint_eq(bytes[0].length, bytes[1].length);
        ck_assert_mem_eq(bytes[0].data, bytes[1].data, bytes[0].length);
        fine__buf_free(&bytes[0]);
        fine__buf_free(&bytes[1]);
    }
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(bad_names_and_abandoning)
{
    static const char *const bad[] = { "", ".", "..", ".x", "a/b", "/tmp" };
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();
    struct fine__checkpoint_writer *writer = NULL;
    struct fine__source *source;

    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(fine__checkpoint_begin(&writer, ctx, folder, bad[i]), FINE_EINVAL);
        ck_assert_int_eq(fine__checkpoint_open(&source, ctx, folder, bad[i]), FINE_EINVAL);
        ck_assert_int_eq(fine__checkpoint_remove(ctx, folder, bad[i]), FINE_EINVAL);
    }
    ck_assert_ptr_null(writer);
    fine__checkpoint_abandon(NULL);
    ck_assert_int_eq(fine__checkpoint_begin(&writer, ctx, folder, name), 0);
    ck_assert_int_eq(fine__checkpoint_add(writer, "a", "1", 1), 0);
    ck_assert_int_eq(fine__checkpoint_add(writer, "a", "1", 1), FINE_EINVAL);
    ck_assert_int_eq(fine__checkpoint_add(writer, "../b", "1", 1), FINE_EINVAL);
    ck_assert_int_eq(fine__checkpoint_add(writer, "manifest.json", "1", 1), FINE_EINVAL);
    fine__checkpoint_abandon(writer);
    ck_assert_int_eq(count_entries(folder), 0);
    ck_assert_int_eq(fine__checkpoint_begin(&writer, ctx, folder, name), 0);
    ck_assert_int_eq(fine__checkpoint_add_tensors(writer, "none", NULL, 0), 0);
    ck_assert_int_eq(fine__checkpoint_commit(writer), 0);
    ck_assert_int_eq(fine__checkpoint_open(&source, ctx, folder, name), 0);
    fine__source_free(source);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(removes)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(fine__checkpoint_remove(ctx, "/nowhere/at/all", name), 0);
    ck_assert_int_eq(fine__checkpoint_remove(ctx, folder, name), 0);
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    ck_assert_int_eq(save_state(ctx, folder, "step-000008", 'b'), 0);
    ck_assert_int_eq(fine__checkpoint_remove(ctx, folder, name), 0);
    ck_assert_int_eq(count_entries(folder), 1);
    ck_assert_int_eq(read_state(ctx, folder, "step-000008"), 'b');
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

static int
open_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

/* Saves 'b' (over 'a' where there is one) with call n failing, for every n. */
static void
fail_every_call(int error, bool for_ever, bool replacing, size_t most)
{
    fine_context *ctx = new_context(1);
    const int before = replacing ? 'a' : FINE_EIO;

    for (long long n = 1;; n++) {
        char *root = new_quick_folder(), *folder = fine__path_join(ctx, root, "checkpoints");
        const int descriptors = open_descriptors();
        int rc, state;

        use_faulty_io(ctx);
        if (replacing)
            ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
        io_calls = 0;
        io_errno = error;
        io_for_ever = for_ever;
        io_most = most;
        io_fail_at = n;
        rc = save_state(ctx, folder, name, 'b');
        io_fail_at = 0;
        ck_assert_int_eq(open_descriptors(), descriptors);
        state = read_state(ctx, folder, name);
        if (rc == 0) {
            ck_assert_int_eq(state, 'b');
        } else {
            ck_assert_int_eq(rc, FINE_EIO);
            /* Where even the way back fails, the new one may be there, whole. */
            ck_assert(state == before || (for_ever && state == 'b'));
            if (!for_ever)
                ck_assert_int_eq(count_entries(folder), replacing ? 1 : 0);
        }
        clean_and_check(ctx, folder, state > 0 ? 1 : 0);
        ck_assert_int_eq(read_state(ctx, folder, name), state);
        fine__free(ctx, folder);
        ctx->io = &fine__io_system;
        remove_folder(ctx, root);
        if (io_calls < n)
            break;
    }
    free_context(ctx);
}

START_TEST(any_call_may_fail)
{
    static const int errors[] = { ENOSPC, EDQUOT, EIO, EMFILE, EACCES, EROFS, EFBIG };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fail_every_call(errors[i], false, false, 0);
        fail_every_call(errors[i], false, true, 0);
    }
}
END_TEST

START_TEST(all_calls_may_fail_from_some_point)
{
    fail_every_call(ENOSPC, true, false, 0);
    fail_every_call(EIO, true, true, 0);
    fail_every_call(EACCES, true, true, 0);
}
END_TEST

START_TEST(writes_may_be_short)
{
    fail_every_call(ENOSPC, false, true, 100);
}
END_TEST

/* Interrupted calls are begun anew. */
START_TEST(interruptions_are_nothing)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    use_faulty_io(ctx);
    io_errno = EINTR;
    for (long long n = 1; n <= 200; n++) {
        const char state = n % 2 ? 'a' : 'b';
        int rc;

        io_calls = 0;
        io_fail_at = n;
        rc = save_state(ctx, folder, name, state);
        /* rename() and mkdir() don't give EINTR on a local file system. */
        ck_assert(rc == 0 || rc == FINE_EIO);
        io_fail_at = 0;
        ck_assert_int_gt(read_state(ctx, folder, name) + (n == 1 && rc < 0 ? 1000 : 0), 0);
    }
    ctx->io = &fine__io_system;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(the_message_says_what_to_do)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    use_faulty_io(ctx);
    io_fail_at = 9;
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), FINE_EIO);
    ck_assert(was_found("checkpoint 'step-000007' was not saved"));
    ck_assert(was_found("earlier ones are as they were"));
    ck_assert(was_found("no space left on the device; make room"));
    ctx->io = &fine__io_system;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* A device that has less room than the weights need is found out before writing. */
static int
small_device(const char *path, struct statvfs *out)
{
    (void)path;
    memset(out, 0, sizeof *out);
    out->f_frsize = 512;
    out->f_blocks = 100;
    out->f_bavail = 2;
    return 0;
}

START_TEST(room_is_asked_for_first)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();
    struct fine__io io = fine__io_system;

    io.statvfs = small_device;
    ctx->io = &io;
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), FINE_EIO);
    ck_assert(was_found("it needs 1200 bytes and the device has room for 1024"));
    ck_assert_int_eq(count_entries(folder), 0);
    ctx->io = &fine__io_system;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* The real thing: the system's limit on file sizes stands in for a full disk. */
START_TEST(a_real_limit_is_survived)
{
    fine_context *ctx = new_context(1);
    char *folder = new_quick_folder();

    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    for (rlim_t limit = 0; limit < 1400; limit += 7) {
        const pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            const struct rlimit most = { limit, limit };
            int rc;

            use_faulty_io(ctx);
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &most);
            rc = save_state(ctx, folder, name, 'b');
            _exit(rc == 0 ? 0 : rc == FINE_EIO ? 1 : 2);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        ck_assert_int_eq(read_state(ctx, folder, name), WEXITSTATUS(status) == 0 ? 'b' : 'a');
        ck_assert_int_eq(count_entries(folder), 1);
        if (WEXITSTATUS(status) == 0)
            break;
    }
    ck_assert_int_eq(read_state(ctx, folder, name), 'b');
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(survives_any_failed_allocation)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1);
    char *folder = new_quick_folder();

    use_faulty_io(ctx);
    ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    for (int fail_at = 1;; fail_at++) {
        int rc;

        faulty = (struct faulty){ .fail_at = fail_at };
        rc = save_state(ctx, folder, name, 'b');
        ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        faulty.fail_at = 0;
        if (faulty.calls < fail_at)
            break;
        ck_assert_int_eq(read_state(ctx, folder, name), rc == 0 ? 'b' : 'a');
        clean_and_check(ctx, folder, 1);
        ck_assert_int_eq(save_state(ctx, folder, name, 'a'), 0);
    }
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("checkpoint", saves_and_replaces, nobody_else_may_read, the_same_state_has_the_same_bytes,
       bad_names_and_abandoning, removes, any_call_may_fail, all_calls_may_fail_from_some_point,
       writes_may_be_short, interruptions_are_nothing, the_message_says_what_to_do,
       room_is_asked_for_first, a_real_limit_is_survived, survives_any_failed_allocation)
