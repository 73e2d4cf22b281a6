#include "runner.h"

#include <finetune/version.h>

START_TEST(defaults)
{
    struct fine_context_options options;
    fine_context *ctx;

    memset(&options, 0xff, sizeof options);
    fine_context_options_init(&options, sizeof options);
    ck_assert_uint_eq(options.struct_size, sizeof options);
    ck_assert_int_eq(options.log_level, FINE_LOG_INFO);
    ck_assert_int_eq(options.n_threads, 0);
    ck_assert(options.allocate == NULL);
    ck_assert_int_eq(fine_context_new(&ctx, NULL), 0);
    ck_assert_int_ge(fine_context_n_threads(ctx), 1);
    free_context(ctx);
    fine_context_options_init(NULL, 8);
    fine_context_free(NULL);
    ck_assert_int_eq(fine_context_n_threads(NULL), 0);
    ck_assert_int_eq(fine_context_used_bytes(NULL), 0);
    ck_assert_int_eq(fine_context_peak_bytes(NULL), 0);
    ck_assert_int_eq(fine_context_allocations(NULL), 0);
    ck_assert_str_eq(fine_version(), FINE_VERSION_STRING);
}
END_TEST

static int
with(void (*change)(struct fine_context_options *))
{
    struct fine_context_options options;
    fine_context *untouched = (fine_context *)&options, *ctx = untouched;
    int rc;

    fine_context_options_init(&options, sizeof options);
    change(&options);
    rc = fine_context_new(&ctx, &options);
    if (rc == 0) {
        ck_assert_ptr_ne(ctx, untouched);
        free_context(ctx);
    } else {
        ck_assert_ptr_eq(ctx, untouched);
        ck_assert_str_ne(fine_error_message(), "");
    }
    return rc;
}

static void nothing(struct fine_context_options *o) { (void)o; }
static void too_small(struct fine_context_options *o) { o->struct_size = 16; }
static void too_large(struct fine_context_options *o) { o->struct_size = 5000; }
static void no_size(struct fine_context_options *o) { o->struct_size = 0; }
static void negative_limit(struct fine_context_options *o) { o->memory_limit = -1; }
static void negative_threads(struct fine_context_options *o) { o->n_threads = -1; }
static void many_threads(struct fine_context_options *o) { o->n_threads = 257; }
static void most_threads(struct fine_context_options *o) { o->n_threads = 256; }
static void bad_level(struct fine_context_options *o) { o->log_level = 4; }
static void one_hook(struct fine_context_options *o) { o->allocate = faulty_allocate; }
static void no_release(struct fine_context_options *o)
{
    o->allocate = faulty_allocate;
    o->reallocate = faulty_reallocate;
}

START_TEST(bad_options_are_refused)
{
    ck_assert_int_eq(with(nothing), 0);
    ck_assert_int_eq(with(most_threads), 0);
    ck_assert_int_eq(with(too_small), FINE_EINVAL);
    ck_assert_int_eq(with(too_large), FINE_EINVAL);
    ck_assert_int_eq(with(no_size), FINE_EINVAL);
    ck_assert_int_eq(with(negative_limit), FINE_EINVAL);
    ck_assert_int_eq(with(negative_threads), FINE_EINVAL);
    ck_assert_int_eq(with(many_threads), FINE_EINVAL);
    ck_assert_int_eq(with(bad_level), FINE_EINVAL);
    ck_assert_int_eq(with(one_hook), FINE_EINVAL);
    ck_assert_int_eq(with(no_release), FINE_EINVAL);
    ck_assert_int_eq(fine_context_new(NULL, NULL), FINE_EINVAL);
}
END_TEST

START_TEST(a_newer_caller_is_understood_or_told)
{
    struct {
        struct fine_context_options options;
        long long more[2];
    } newer;
    fine_context *ctx;

    memset(&newer, 0xff, sizeof newer);
    fine_context_options_init(&newer.options, sizeof newer);
    ck_assert_int_eq(newer.more[1], 0);
    ck_assert_uint_eq(newer.options.struct_size, sizeof newer);
    ck_assert_int_eq(fine_context_new(&ctx, &newer.options), 0);
    free_context(ctx);
    newer.more[1] = 1;
    ck_assert_int_eq(fine_context_new(&ctx, &newer.options), FINE_EABI);
}
END_TEST

START_TEST(no_memory_for_a_context)
{
    struct faulty faulty = { 0, 0, false };
    struct fine_context_options options;
    fine_context *ctx = NULL;

    fine_context_options_init(&options, sizeof options);
    options.allocate = faulty_allocate;
    options.reallocate = faulty_reallocate;
    options.release = faulty_release;
    options.allocator_user = &faulty;
    for (faulty.fail_at = 1; ctx == NULL; faulty.fail_at++) {
        faulty.calls = 0;
        if (fine_context_new(&ctx, &options) == 0)
            break;
        ck_assert_ptr_nonnull(strstr(fine_error_message(), "out of memory"));
        ck_assert_ptr_null(ctx);
    }
    ck_assert_int_gt(faulty.fail_at, 1);
    free_context(ctx);
}
END_TEST

START_TEST(handles_keep_a_context_alive)
{
    struct faulty faulty;
    fine_context *ctx = new_faulty_context(&faulty, 1), *held = fine__context_ref(ctx);
    void *block;

    fine_context_free(ctx);
    block = fine__alloc(held, 10);
    ck_assert_ptr_nonnull(block);
    fine__free(held, block);
    fine__context_unref(held);
}
END_TEST

static int n_logged;
static char last_line[1100];

static void
keep_line(int level, const char *message, void *user)
{
    ck_assert_ptr_eq(user, &n_logged);
    ck_assert_int_ge(level, FINE_LOG_WARNING);
    n_logged++;
    strcpy(last_line, message);
}

START_TEST(the_log_gets_what_it_wants)
{
    struct fine_context_options options;
    fine_context *ctx;

    fine_context_options_init(&options, sizeof options);
    options.log = keep_line;
    options.log_user = &n_logged;
    ck_assert_int_eq(fine_context_new(&ctx, &options), 0);
    fine__log(ctx, FINE_LOG_DEBUG, "not wanted");
    ck_assert_int_eq(n_logged, 0);
    ck_assert(!fine__log_wanted(ctx, FINE_LOG_DEBUG));
    fine__log(ctx, FINE_LOG_WARNING, "%s: \033[31m%d", "name", 7);
    ck_assert_int_eq(n_logged, 1);
    ck_assert_str_eq(last_line, "name: \\x1b[31m7");
    free_context(ctx);
    ctx = new_context(1);
    fine__log(ctx, FINE_LOG_WARNING, "to nobody");
    free_context(ctx);
}
END_TEST

RUNNER("context", defaults, bad_options_are_refused, a_newer_caller_is_understood_or_told,
       no_memory_for_a_context, handles_keep_a_context_alive, the_log_gets_what_it_wants)
