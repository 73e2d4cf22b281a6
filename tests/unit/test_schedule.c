/* test_schedule.c — schedule.c against transformers' own numbers. */
#include "runner.h"

#include <math.h>

#include <finetune/train.h>

#include "base/json.h"

static fine_context *ctx;

static fine_schedule *
make(const char *type, double warmup, double cycles)
{
    struct fine_schedule_options options;
    fine_schedule *schedule;

    fine_schedule_options_init(&options, sizeof options);
    options.warmup = warmup;
    options.cycles = cycles;
    ck_assert_int_eq(fine_schedule_new(&schedule, ctx, type, &options), 0);
    return schedule;
}

static void
check(const char *type, double warmup, double cycles, const double *expected, double tolerance)
{
    fine_schedule *schedule = make(type, warmup, cycles);

    for (int64_t step = 0; step < 10; step++)
        ck_assert_double_eq_tol(10 * fine_schedule_factor(schedule, step, 10), expected[step],
                                tolerance);
    fine_schedule_free(schedule);
}

/* get_…_schedule_with_warmup of transformers 4, learning rate 10, 10 steps. */
START_TEST(agrees_with_transformers)
{
    static const double constant[] = { 10, 10, 10, 10, 10, 10, 10, 10, 10, 10 };
    static const double warm[] = { 0, 2.5, 5, 7.5, 10, 10, 10, 10, 10, 10 };
    static const double linear[] = { 0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25 };
    static const double cosine[] = { 0,
                                     5,
                                     10,
                                     9.619397662556434,
                                     8.535533905932738,
                                     6.913417161825449,
                                     5,
                                     3.0865828381745515,
                                     1.4644660940672627,
                                     0.3806023374435663 };

    ctx = new_context(1);
    check("constant", 0, 0.5, constant, 1e-12);
    check("constant", 4, 0.5, warm, 1e-12);
    check("linear", 2, 0.5, linear, 1e-12);
    check("linear", 0.2, 0.5, linear, 1e-12);
    check("linear", 0.11, 0.5, linear, 1e-12); /* a share is rounded up */
    check("cosine", 2, 0.5, cosine, 1e-12);
    free_context(ctx);
}
END_TEST

/* The others: transformers 5.24 and torch 2.13, 12 steps. */
START_TEST(agrees_with_the_libraries)
{
    static const struct {
        const char *type;
        double warmup, power, end, decay;
        int64_t restarts;
        double expected[12];
    } cases[] = {
        { "cosine-restarts", 2, 1, 0, 0, 3,
          { 0.0, 0.5, 1.0, 0.7938926261462365, 0.3454915028125262, 0.02447174185242329,
            0.9045084971874735, 0.5, 0.09549150281252644, 0.9755282581475769, 0.6545084971874732,
            0.20610737385376326 } },
        { "polynomial", 2, 2, 0.05, 0, 1,
          { 0.0, 0.5, 1.0, 0.8195, 0.6580000000000001, 0.5155, 0.39199999999999996, 0.2875, 0.202,
            0.1355, 0.08799999999999998, 0.0595 } },
        { "inverse-sqrt", 3, 1, 0, 0, 1,
          { 0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.8660254037844387,
            0.7745966692414834, 0.7071067811865475, 0.6546536707079771, 0.6123724356957945,
            0.5773502691896258, 0.5477225575051661, 0.5222329678670935 } },
        { "warmup-stable-decay", 2, 1, 0.1, 4, 1,
          { 0.1, 0.55, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.8681980515339464, 0.55,
            0.23180194846605365 } },
        { "one-cycle", 0.25, 1, 0, 0, 1,
          { 0.040000000000000036, 0.52, 1.0, 0.9698464310077126, 0.8830226894706027, 0.750001,
            0.58682574153711, 0.4131782584628902, 0.2500030000000001, 0.1169813105293973,
            0.030157568992287415, 4e-06 } },
    };

    ctx = new_context(1);
    for (int c = 0; c < FINE__COUNT(cases); c++) {
        struct fine_schedule_options o;
        fine_schedule *schedule;

        fine_schedule_options_init(&o, sizeof o);
        o.warmup = cases[c].warmup;
        o.power = cases[c].power;
        o.end = cases[c].end;
        o.decay = cases[c].decay;
        o.restarts = cases[c].restarts;
        ck_assert_int_eq(fine_schedule_new(&schedule, ctx, cases[c].type, &o), 0);
        for (int64_t step = 0; step < 12; step++)
            ck_assert_double_eq_tol(fine_schedule_factor(schedule, step, 12),
                                    cases[c].expected[step], 1e-12);
        fine_schedule_free(schedule);
    }
    free_context(ctx);
}
END_TEST

/* Figure 1 of arXiv 1801.06146: ratio 32, cut at a tenth. */
START_TEST(the_slanted_triangle)
{
    fine_schedule *schedule;

    ctx = new_context(1);
    schedule = make("slanted-triangular", 0, 0.5);
    ck_assert_double_eq_tol(fine_schedule_factor(schedule, 0, 1000), 1 / 32.0, 1e-12);
    ck_assert_double_eq_tol(fine_schedule_factor(schedule, 50, 1000), (1 + 0.5 * 31) / 32, 1e-12);
    ck_assert_double_eq_tol(fine_schedule_factor(schedule, 100, 1000), 1, 1e-12);
    ck_assert_double_eq_tol(fine_schedule_factor(schedule, 550, 1000), (1 + 0.5 * 31) / 32, 1e-12);
    ck_assert_double_eq_tol(fine_schedule_factor(schedule, 1000, 1000), 1 / 32.0, 1e-12);
    fine_schedule_free(schedule);
    free_context(ctx);
}
END_TEST

START_TEST(agrees_with_the_transcribed_file)
{
    static const char path[] = SOURCE_ROOT "/../shared/vectors/transcribed/lr_schedules.json";
    struct fine__json *root;

    ctx = new_context(1);
    if (!fine__file_exists(ctx, path)) {
        (void)printf("skipped: %s is not there\n", path);
        free_context(ctx);
        return;
    }
    ck_assert_int_eq(fine__json_read(&root, ctx, path, 1000000), 0);
    const struct fine__json *cases = fine__json_get(root, "cases");
    int n_checked = 0;

    for (int64_t i = 0; i < fine__json_count(cases); i++) {
        const struct fine__json *one = fine__json_at(cases, i);
        const struct fine__json *numbers = fine__json_get(one, "expected");
        const char *name = fine__json_string(fine__json_get(one, "schedule"), NULL);
        const double warmup = fine__json_double(fine__json_get(one, "num_warmup_steps"), 0);
        double expected[10];

        for (int64_t step = 0; step < 10; step++)
            expected[step] = fine__json_double(fine__json_at(numbers, step), -1);
        if (strcmp(name, "constant") == 0 || strcmp(name, "constant_with_warmup") == 0)
            check("constant", warmup, 0.5, expected, 0.01);
        else if (strcmp(name, "linear_with_warmup") == 0)
            check("linear", warmup, 0.5, expected, 0.01);
        else if (strcmp(name, "cosine_with_warmup") == 0)
            check("cosine", warmup, 0.5, expected, 0.01);
        else
            continue;   /* they have options of their own: above */
        n_checked++;
    }
    ck_assert_int_eq(n_checked, 4);
    fine__json_free(root);
    free_context(ctx);
}
END_TEST

START_TEST(far_out)
{
    fine_schedule *linear, *cosine;

    ctx = new_context(1);
    linear = make("linear", 0.1, 0.5);
    cosine = make("cosine", 3, 2);
    ck_assert_double_eq(fine_schedule_factor(linear, 10, 10), 0);
    ck_assert_double_eq(fine_schedule_factor(linear, 11, 10), 0);
    ck_assert_double_eq(fine_schedule_factor(linear, 0, 0), 0);
    ck_assert_double_eq(fine_schedule_factor(cosine, 5, 3), 1);
    ck_assert_double_eq_tol(fine_schedule_factor(linear, 4294967296, 8589934592), 0.5 / 0.9, 1e-9);
    ck_assert_double_eq(fine_schedule_factor(NULL, 7, 9), 1);
    fine_schedule_free(linear);
    fine_schedule_free(cosine);
    fine_schedule_free(NULL);
    free_context(ctx);
}
END_TEST

START_TEST(refuses)
{
    static const double bad[] = { -0.1, 1.5, 1e300, (double)INFINITY, (double)NAN };
    struct fine_schedule_options options;
    fine_schedule *schedule = NULL;

    ctx = new_context(1);
    fine_schedule_options_init(&options, sizeof options);
    ck_assert_int_eq(fine_schedule_new(&schedule, ctx, "linnear", &options), FINE_EINVAL);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "linnear"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.warmup = bad[i];
        ck_assert_int_eq(fine_schedule_new(&schedule, ctx, "linear", &options), FINE_EINVAL);
    }
    options.warmup = 0;
    options.cycles = -1;
    ck_assert_int_eq(fine_schedule_new(&schedule, ctx, "cosine", &options), FINE_EINVAL);
    options.struct_size = 3;
    ck_assert_int_eq(fine_schedule_new(&schedule, ctx, "cosine", &options), FINE_EINVAL);
    ck_assert_int_eq(fine_schedule_new(NULL, ctx, "cosine", NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_schedule_new(&schedule, NULL, "cosine", NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_schedule_new(&schedule, ctx, NULL, NULL), FINE_EINVAL);
    ck_assert_ptr_null(schedule);
    free_context(ctx);
}
END_TEST

RUNNER("schedule", agrees_with_transformers, agrees_with_the_libraries, the_slanted_triangle,
       agrees_with_the_transcribed_file, far_out, refuses)
