/* test_journal.c — metrics.jsonl is appended line by line, and cut back when resumed. */
#include "runner.h"

#include "faulty_io.h"
#include "recipe/run.h"

static char *
read_text(fine_context *ctx, const char *folder)
{
    char path[300];
    struct fine__buf text;
    char *copy;

    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    fine__buf_init(&text, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &text), 0);
    copy = strdup(fine__buf_cstr(&text));
    fine__buf_free(&text);
    return copy;
}

static int
count_events(fine_context *ctx, const char *folder)
{
    struct fine__names names;
    int n = 0;

    ck_assert_int_eq(fine__list_directory(ctx, folder, &names), 0);
    for (int64_t i = 0; i < names.count; i++)
        n += strncmp(names.names[i], "events.out.tfevents.", 20) == 0;
    fine__names_free(ctx, &names);
    return n;
}

static const char *const lines[] = {
    "{\"event\":\"step\",\"step\":1,\"loss\":1.5}",
    "{\"event\":\"step\",\"step\":2,\"loss\":1.25}",
    "{\"event\":\"evaluate\",\"step\":2,\"metrics\":{\"loss\":1}}",
    "{\"event\":\"checkpoint\",\"step\":2}",
    "{\"event\":\"step\",\"step\":3,\"loss\":1}",
    "{\"event\":\"done\",\"step\":3,\"metrics\":{}}",
};

static void
write_journal(fine_context *ctx, const char *folder)
{
    struct fine__journal j;

    ck_assert_int_eq(fine__journal_open(&j, ctx, folder, 0, false), 0);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_int_eq(fine__journal_add(&j, lines[i]), 0);
    fine__journal_close(&j);
}

/* What is left when the run goes on: as many of the first lines. */
static void
expect_lines(fine_context *ctx, const char *folder, size_t n, size_t without)
{
    char expected[1000] = "", *text = read_text(ctx, folder);

    for (size_t i = 0; i < n; i++)
        if (i != without) {
            strcat(expected, lines[i]);
            strcat(expected, "\n");
        }
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(begins_anew)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    struct fine__journal j;

    write_journal(ctx, folder);
    expect_lines(ctx, folder, 6, 99);
    ck_assert_int_eq(count_events(ctx, folder), 1);
    ck_assert_int_eq(fine__journal_open(&j, ctx, folder, 0, false), 0);
    fine__journal_close(&j);
    expect_lines(ctx, folder, 0, 99);
    ck_assert_int_eq(count_events(ctx, folder), 1);      /* the earlier run's is gone */
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(is_cut_back)
{
    static const struct { int64_t step; bool again; size_t n, without; } cases[] = {
        { 1, false, 1, 99 }, { 2, false, 4, 99 }, { 2, true, 4, 2 }, { 3, false, 5, 99 },
        { 3, true, 5, 99 },  { 9, true, 5, 99 },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = new_folder();
        struct fine__journal j;

        write_journal(ctx, folder);
        ck_assert_int_eq(fine__journal_open(&j, ctx, folder, cases[i].step, cases[i].again), 0);
        expect_lines(ctx, folder, cases[i].n, cases[i].without);
        fine__journal_close(&j);
        remove_folder(ctx, folder);
    }
    free_context(ctx);
}
END_TEST

START_TEST(torn_and_foreign_lines_go)
{
    static const char torn[] = "{\"event\":\"step\",\"step\":1,\"loss\":1.5}\n"
                               "not json\n"
                               "{\"step\":1}\n"
                               "{\"event\":\"step\"}\n"
                               "\n"
                               "{\"event\":\"step\",\"step\":2,\"lo";
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[300];
    struct fine__journal j;

    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    ck_assert_int_eq(fine__file_write(ctx, path, torn, sizeof torn - 1), 0);
    ck_assert_int_eq(fine__journal_open(&j, ctx, folder, 5, false), 0);
    expect_lines(ctx, folder, 1, 99);
    ck_assert_int_eq(fine__journal_add(&j, lines[1]), 0);
    expect_lines(ctx, folder, 2, 99);
    fine__journal_close(&j);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

/* Written, and thought not to be: the line comes again, after a newline. */
START_TEST(lines_that_came_twice_stay_once)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    struct fine__journal j;

    ck_assert_int_eq(fine__journal_open(&j, ctx, folder, 0, false), 0);
    ck_assert_int_eq(fine__journal_add(&j, lines[0]), 0);
    use_faulty_io(ctx);
    io_fail_at = 3;             /* open, write, close */
    ck_assert_int_eq(fine__journal_add(&j, lines[1]), FINE_EIO);
    ck_assert_int_eq(fine__journal_add(&j, lines[3]), 0);
    fine__journal_close(&j);
    ck_assert_int_eq(fine__journal_open(&j, ctx, folder, 2, true), 0);
    expect_lines(ctx, folder, 4, 2);
    fine__journal_close(&j);
    ctx->io = &fine__io_system;
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

RUNNER("journal", lines_that_came_twice_stay_once, begins_anew, is_cut_back, torn_and_foreign_lines_go)
