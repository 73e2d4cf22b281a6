/*
 * test_resume.c — state.c, resume.c and best.c: a run that is stopped, killed or damaged
 * ends with the bits of one that never was; or says why it can't go on.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_run.h"
#include "faulty_io.h"

static struct fake_run run;
static char *folder;

/* Nothing here loses power, and waiting for the disk would take minutes. */
static struct fine__io quick_io;

static int
no_fsync(int fd)
{
    (void)fd;
    return 0;
}

/* With everything that a checkpoint has to hold: the best, early stopping, accumulation. */
static void
begin_in(fine_context *ctx, bool resume)
{
    quick_io = fine__io_system;
    quick_io.fsync = no_fsync;
    ctx->io = &quick_io;
    fake_begin_in(&run, ctx, FINE__CLASSIFY);
    run.options.validation = run.validation;
    run.options.evaluate_every_steps = 3;
    run.options.checkpoint_every_steps = 2;
    run.options.accumulate = 2;
    run.options.patience = 50;
    run.options.folder = folder;
    run.options.resume = resume;
}

static void
begin(int n_threads, bool resume)
{
    begin_in(new_context(n_threads), resume);
}

static int64_t stop_after;

static int
stop(const struct fine_progress *progress, void *user)
{
    (void)user;
    return progress->event == FINE_EVENT_STEP && progress->step == stop_after;
}

static int n_warnings;

static void
count_warnings(int level, const char *message, void *user)
{
    (void)message;
    (void)user;
    n_warnings += level == FINE_LOG_WARNING;
}

/* The result of a run that is left alone. */
static void
expect(float *weights, char **report_out)
{
    fine_report *report;

    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, &report), 0);
    fake_weights(run.model, weights);
    *report_out = strdup(fine_report_json(report));
    *strstr(*report_out, ",\"seconds\":") = '\0';
    fine_report_free(report);
    ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
    fake_end(&run);
}

/* The run that was begun ends as expected. */
static void
finish(const float *expected, const char *report_text)
{
    float now[FAKE_COUNT];
    fine_report *report;

    ck_assert_int_eq(fine_trainer_fit(run.trainer, &report), 0);
    fake_weights(run.model, now);
    ck_assert_mem_eq(now, expected, sizeof now);
    ck_assert_int_eq(strncmp(fine_report_json(report), report_text, strlen(report_text)), 0);
    fine_report_free(report);
}

static void
set_up(void)
{
    folder = new_folder();
}

static void
tear_down(void)
{
    fine_context *ctx = new_context(1);

    remove_folder(ctx, folder);
    free_context(ctx);
}

static bool
there_is(const char *name)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", folder, name);
    return stat(path, &info) == 0;
}

/* ---- stopped ---- */

START_TEST(stopped_at_every_step)
{
    float expected[FAKE_COUNT];
    char *report;

    set_up();
    expect(expected, &report);
    for (int round = 0; round < 5; round++)
        for (stop_after = 1; stop_after <= 20; stop_after++) {
            begin(1 + round % 3, false);
            run.options.checkpoint_every_steps = round == 0 ? 2 : 0;
            run.options.progress = stop;
            ck_assert_int_eq(fake_start(&run), 0);
            ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), FINE_ECANCELLED);
            ck_assert_ptr_nonnull(strstr(fine_error_message(), "stopped by the callback"));
            ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, stop_after);
            fake_end(&run);
            begin(round % 2 ? 5 : 2, true);
            run.options.checkpoint_every_steps = round == 0 ? 2 : 0;
            ck_assert_int_eq(fake_start(&run), 0);
            ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, stop_after);
            finish(expected, report);
            ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
            fake_end(&run);
        }
    free(report);
    tear_down();
}
END_TEST

START_TEST(goes_on_in_the_same_process)
{
    float expected[FAKE_COUNT];
    char *report;

    set_up();
    expect(expected, &report);
    for (stop_after = 1; stop_after <= 20; stop_after++) {
        begin(2, false);
        run.options.progress = stop;
        ck_assert_int_eq(fake_start(&run), 0);
        ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), FINE_ECANCELLED);
        finish(expected, report);
        ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
        fake_end(&run);
    }
    free(report);
    tear_down();
}
END_TEST

START_TEST(stopped_and_resumed_again_and_again)
{
    float expected[FAKE_COUNT];
    char *report;

    set_up();
    expect(expected, &report);
    for (stop_after = 3; stop_after < 20; stop_after += 5) {
        begin(2, stop_after > 3);
        run.options.progress = stop;
        ck_assert_int_eq(fake_start(&run), 0);
        ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), FINE_ECANCELLED);
        fake_end(&run);
    }
    begin(1, true);
    ck_assert_int_eq(fake_start(&run), 0);
    finish(expected, report);
    fake_end(&run);
    begin(1, true); /* of a run that is over: the same end */
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_finished(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_due(run.trainer), 0);
    finish(expected, report);
    fake_end(&run);
    free(report);
    tear_down();
}
END_TEST

/* Without Adam's moments, with one, or with some that are laid out otherwise. */
START_TEST(other_optimizers)
{
    static const char *const types[] = { "sgd", "sgd", "adafactor", "rmsprop", "lamb" };

    for (int t = 0; t < 5; t++) {
        float expected[FAKE_COUNT], now[FAKE_COUNT];

        set_up();
        for (int part = 0; part < 3; part++) {
            struct fine_optimizer_options o;

            begin(2, part == 2);
            fine_optimizer_free(run.optimizer);
            fine_optimizer_options_init(&o, sizeof o, types[t]);
            o.learning_rate = 0.1;
            o.weight_decay = 0.01;
            o.momentum = t != 0 && t < 4 ? 0.9 : 0;
            ck_assert_int_eq(fine_optimizer_new(&run.optimizer, run.ctx, types[t], &o), 0);
            run.options.progress = part == 1 ? stop : NULL;
            stop_after = 9;
            ck_assert_int_eq(fake_start(&run), 0);
            ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), part == 1 ? FINE_ECANCELLED : 0);
            fake_weights(run.model, part == 0 ? expected : now);
            if (part == 0)
                ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
            fake_end(&run);
        }
        ck_assert_mem_eq(expected, now, sizeof now);
        tear_down();
    }
}
END_TEST

START_TEST(nothing_there_yet_starts_anew)
{
    float expected[FAKE_COUNT];
    char *report;

    set_up();
    expect(expected, &report);
    begin(1, true);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 0);
    finish(expected, report);
    fake_end(&run);
    free(report);
    tear_down();
}
END_TEST

/* ---- what is kept ---- */

START_TEST(keeps_three_and_their_best)
{
    set_up();
    begin(1, false);
    run.options.evaluate_every_steps = 1;
    ck_assert_int_eq(fake_start(&run), 0);
    for (int step = 1; step <= 8; step++) {
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
        if (step == 3 || step == 6) {
            run.trainer->best_value = 1e9; /* anything is better */
            ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1);
        }
        ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
    }
    ck_assert(!there_is("step-000005") && there_is("step-000006") && there_is("step-000008"));
    ck_assert(!there_is("best-000003") && there_is("best-000006"));
    fake_end(&run);
    tear_down();
    set_up();
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    for (int step = 1; step <= 6; step++) {
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
        if (step == 3 || step == 6) {
            run.trainer->best_value = 1e9;
            ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1);
        }
        if (step < 6)
            ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
    }
    /* Checkpoints 3, 4 and 5 refer to the older best, the run to the newer. */
    ck_assert(there_is("step-000003") && there_is("best-000003") && there_is("best-000006"));
    fake_end(&run);
    tear_down();
}
END_TEST

START_TEST(a_new_run_replaces_the_old)
{
    set_up();
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_end(&run);
    ck_assert(there_is("step-000020"));
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert(there_is("step-000020")); /* until there is something instead */
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
    ck_assert(!there_is("step-000020") && there_is("step-000002"));
    fake_end(&run);
    tear_down();
}
END_TEST

START_TEST(one_process_at_a_time)
{
    struct fake_run other;
    int status;

    set_up();
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    other = run;
    begin(1, true);
    ck_assert_int_eq(fake_start(&run), FINE_EBUSY);
    const pid_t child = fork();

    if (child == 0)
        _exit(fake_start(&run) == FINE_EBUSY ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fake_end(&other);
    ck_assert_int_eq(fake_start(&run), 0);
    fake_end(&run);
    tear_down();
}
END_TEST

/* ---- another run, damage ---- */

static void
must_refuse(const char *part)
{
    ck_assert_int_eq(fake_start(&run), FINE_EFORMAT);
    ck_assert_msg(strstr(fine_error_message(), part) != NULL, "%s", fine_error_message());
    ck_assert(strstr(fine_error_message(), "another run") != NULL);
    fake_end(&run);
}

START_TEST(refuses_another_run)
{
    struct fine_adamw_options adamw;

    set_up();
    stop_after = 5;
    begin(1, false);
    run.options.progress = stop;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), FINE_ECANCELLED);
    fake_end(&run);

    begin(1, true);
    run.options.batch_size = 9;
    must_refuse("batch_size was 8 there and is 9 now");
    begin(1, true);
    run.options.seed = 41;
    must_refuse("seed was 42 there and is 41 now");
    begin(1, true);
    run.options.steps = 21;
    must_refuse("steps was 20");
    begin(1, true);
    run.options.metric = "accuracy";
    must_refuse("metric");
    begin(1, true);
    fine_optimizer_free(run.optimizer);
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 0.051;
    ck_assert_int_eq(fine_optimizer_new_adamw(&run.optimizer, run.ctx, &adamw), 0);
    must_refuse("learning_rate was 0.05 there and is 0.051 now");
    begin(1, true);
    fine_dataset_free(run.train);
    run.train = fake_rows(run.ctx, FINE__CLASSIFY, 53, 9);
    must_refuse("training_data");
    begin(1, true);
    run.model->fingerprint[0] = 'f';
    must_refuse("model");
    begin(1, true);
    run.model->params.list[0].tensor.wants_grad = false;
    must_refuse("model");
    begin(1, true);
    run.options.checkpoint_every_steps = 1; /* how often is nobody's business */
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 5);
    fake_end(&run);
    tear_down();
}
END_TEST

static void
spoil(const char *name, long at, int with)
{
    char path[512];
    FILE *file;
    int byte;

    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", folder, name);
    file = fopen(path, "r+b");
    ck_assert_msg(file != NULL, "no %s", path);
    (void)fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    byte = fgetc(file);
    (void)fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    (void)fputc(byte ^ with, file);
    (void)fclose(file);
}

static void
train_until(int64_t step)
{
    stop_after = step;
    begin(1, false);
    run.options.progress = stop;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), FINE_ECANCELLED);
    fake_end(&run);
}

START_TEST(a_damaged_newest_falls_back)
{
    static const char *const files[] = { "step-000011/model.safetensors",
                                         "step-000011/optimizer.safetensors",
                                         "step-000011/trainer.json" };
    float expected[FAKE_COUNT];
    char *report;

    set_up();
    expect(expected, &report);
    for (int i = 0; i < 6; i++) {
        struct fine_context_options options;
        fine_context *ctx;

        train_until(11);
        spoil(files[i / 2], i % 2 ? -1 : 20, 1);
        fine_context_options_init(&options, sizeof options);
        options.log = count_warnings;
        options.n_threads = 1;
        ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
        n_warnings = 0;
        begin_in(ctx, true);
        ck_assert_int_eq(fake_start(&run), 0);
        ck_assert_int_eq(n_warnings, 1);
        ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 10);
        finish(expected, report);
        ck_assert(!there_is("step-000011"));
        ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
        fake_end(&run);
    }
    free(report);
    tear_down();
}
END_TEST

START_TEST(all_damaged_is_an_error)
{
    set_up();
    train_until(7);
    spoil("step-000004/model.safetensors", 100, 0xff);
    spoil("step-000006/model.safetensors", 100, 0xff);
    spoil("step-000007/model.safetensors", 100, 0xff);
    begin(1, true);
    ck_assert_int_eq(fake_start(&run), FINE_EFORMAT);
    ck_assert(there_is("step-000007"));
    fake_end(&run);
    tear_down();
}
END_TEST

START_TEST(a_damaged_best_is_an_error)
{
    char best[64];

    set_up();
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    (void)snprintf(best, sizeof best, "best-%06d/model.safetensors", 3);
    spoil(best, -5, 4);
    ck_assert_int_eq(fine_trainer_restore_best(run.trainer), FINE_EFORMAT);
    fake_end(&run);
    tear_down();
}
END_TEST

/* Every byte of every file, flipped: said, or not a bit changed. */
START_TEST(no_flipped_byte_passes)
{
    static const char *const files[] = { "trainer.json", "model.safetensors",
                                         "optimizer.safetensors", "manifest.json" };
    int n_flipped = 0;

    set_up();
    begin(1, false);
    run.options.validation = NULL;
    run.options.patience = 0;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
    fake_end(&run);
    begin(1, true);
    run.options.validation = NULL;
    run.options.patience = 0;
    for (int f = 0; f < 4; f++) {
        char name[128], path[512];
        struct stat info;

        (void)snprintf(name, sizeof name, "step-000001/%s", files[f]);
        (void)snprintf(path, sizeof path, "%s/checkpoints/%s", folder, name);
        ck_assert_int_eq(stat(path, &info), 0);
        for (long at = 0; at < info.st_size; at += f == 1 || f == 2 ? 61 : 7) {
            spoil(name, at, at % 2 ? 0xff : 1);
            ck_assert_msg(fake_start(&run) == FINE_EFORMAT || f == 3, "%s: byte %ld", name, at);
            ck_assert_ptr_null(run.trainer);
            spoil(name, at, at % 2 ? 0xff : 1);
            n_flipped++;
        }
    }
    ck_assert_int_gt(n_flipped, 300);
    ck_assert_int_eq(fake_start(&run), 0);
    fake_end(&run);
    tear_down();
}
END_TEST

/* ---- killed ---- */

START_TEST(killed_at_any_time)
{
    float expected[FAKE_COUNT];
    char *report;
    int n_killed = 0;

    set_up();
    expect(expected, &report);
    for (int round = 0; round < 10; round++) {
        for (int attempt = 0; attempt < 10; attempt++) {
            const pid_t child = fork();
            const uint64_t key = fine__rng_key(round, FINE__RNG_SAMPLE, attempt, 0);
            struct timespec wait = { .tv_nsec = (long)fine__rng_below(key, 0, 12000000) };
            int status;

            ck_assert_int_ge(child, 0);
            if (child == 0) {
                begin(1, true);
                _exit(fake_start(&run) == 0 && fine_trainer_fit(run.trainer, NULL) == 0 ? 0 : 1);
            }
            nanosleep(&wait, NULL);
            (void)kill(child, SIGKILL);
            ck_assert_int_eq(waitpid(child, &status, 0), child);
            ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
            n_killed += WIFSIGNALED(status);
        }
        begin(1, true);
        ck_assert_int_eq(fake_start(&run), 0);
        finish(expected, report);
        ck_assert_int_eq(fine__remove_tree(run.ctx, folder), 0);
        fake_end(&run);
    }
    ck_assert_int_gt(n_killed, 5);
    free(report);
    tear_down();
}
END_TEST

/* ---- a full disk, no memory ---- */

static int
quick_fsync(int fd)
{
    (void)fd;
    return io_fails() ? -1 : 0;
}

START_TEST(a_checkpoint_that_fails_changes_nothing)
{
    float expected[FAKE_COUNT];
    char *report;
    int n_failed = 0;

    set_up();
    expect(expected, &report);
    begin(1, false);
    ck_assert_int_eq(fake_start(&run), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    use_faulty_io(run.ctx);
    quick_io = *run.ctx->io;
    quick_io.fsync = quick_fsync;
    run.ctx->io = &quick_io;
    for (io_fail_at = 1;; io_fail_at++) {
        io_calls = 0;
        const int rc = fine_trainer_checkpoint(run.trainer);

        if (rc == 0 && io_calls < io_fail_at)
            break;
        ck_assert(rc == 0 || rc == FINE_EIO); /* 0: only tidying up failed */
        ck_assert(there_is("step-000004"));
        n_failed += rc < 0;
    }
    io_fail_at = 0;
    ck_assert_int_gt(n_failed, 10);
    fake_end(&run);
    ck_assert_int_eq(remove(folder), -1);
    begin(1, true);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 5);
    free(report);
    fake_end(&run);
    tear_down();
}
END_TEST

START_TEST(no_memory_for_checkpoints)
{
    struct faulty faulty;
    int n_failed = 0;

    set_up();
    for (long long n = 1, done = 0; !done; n++) {
        begin_in(new_faulty_context(&faulty, 1), false);
        ck_assert_int_eq(fake_start(&run), 0);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
        faulty.calls = 0;
        faulty.fail_at = n;
        int rc = fine_trainer_evaluate(run.trainer, NULL);

        if (rc >= 0)
            rc = fine_trainer_checkpoint(run.trainer);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        done = rc == 0 && faulty.calls < n;
        n_failed += rc < 0;
        if (rc < 0) {
            faulty.fail_at = 0;
            ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1);
            ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), 0);
        }
        ck_assert_int_eq(fine_trainer_progress(run.trainer)->best_step, 3);
        fake_end(&run);
    }
    ck_assert_int_gt(n_failed, 10);
    n_failed = 0;
    for (long long n = 1, done = 0; !done; n++) {
        begin_in(new_faulty_context(&faulty, 1), true);
        faulty.calls = 0;
        faulty.fail_at = n;
        const int rc = fake_start(&run);

        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        done = rc == 0 && faulty.calls < n;
        n_failed += rc < 0;
        if (rc < 0) {
            faulty.fail_at = 0;
            ck_assert_int_eq(fake_start(&run), 0);
        }
        ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 3);
        fake_end(&run);
    }
    ck_assert_int_gt(n_failed, 50);
    tear_down();
}
END_TEST

RUNNER("resume", stopped_at_every_step, goes_on_in_the_same_process,
       stopped_and_resumed_again_and_again, other_optimizers, nothing_there_yet_starts_anew,
       keeps_three_and_their_best, a_new_run_replaces_the_old, one_process_at_a_time,
       refuses_another_run, a_damaged_newest_falls_back, all_damaged_is_an_error,
       a_damaged_best_is_an_error, no_flipped_byte_passes, killed_at_any_time,
       a_checkpoint_that_fails_changes_nothing, no_memory_for_checkpoints)
