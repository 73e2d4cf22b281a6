/*
 * test_options.c — options structs of other lengths than the library's: from an older
 * header, from a newer one, and absurd ones.
 */
#include "tiny.h"

/* A struct with room behind it, as a newer header would have. */
union newer {
    struct fine_context_options context;
    struct fine_adamw_options adamw;
    struct fine_schedule_options schedule;
    unsigned char bytes[512];
};

START_TEST(context_options)
{
    union newer o;
    fine_context *context = NULL;

    memset(&o, 0xff, sizeof o);
    fine_context_options_init(&o.context, sizeof o);
    ck_assert_uint_eq(o.context.struct_size, sizeof o);
    ck_assert_int_eq(o.context.n_threads, 0);
    for (size_t i = sizeof o.context; i < sizeof o; i++)
        ck_assert_int_eq(o.bytes[i], 0);
    ck_assert_int_eq(fine_context_new(&context, &o.context), FINE_OK);
    fine_context_free(context);
    context = NULL;
    o.bytes[sizeof o - 1] = 1;
    ck_assert_int_eq(fine_context_new(&context, &o.context), FINE_EABI);
    o.bytes[sizeof o - 1] = 0;
    o.context.struct_size = 4;
    ck_assert_int_eq(fine_context_new(&context, &o.context), FINE_EINVAL);
    o.context.struct_size = (size_t)-1;
    ck_assert_int_eq(fine_context_new(&context, &o.context), FINE_EINVAL);
    ck_assert_ptr_null(context);
}
END_TEST

START_TEST(optimizer_options)
{
    fine_context *context = tiny_context(1);
    fine_optimizer *optimizer = NULL;
    union newer o;

    fine_adamw_options_init(&o.adamw, sizeof o);
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, context, &o.adamw), FINE_OK);
    ck_assert_double_eq(fine_optimizer_learning_rate(optimizer), 5e-5);
    fine_optimizer_free(optimizer);
    optimizer = NULL;
    o.bytes[300] = 1;
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, context, &o.adamw), FINE_EABI);
    o.bytes[300] = 0;
    o.adamw.beta1 = 1.5;
    ck_assert_int_eq(fine_optimizer_new_adamw(&optimizer, context, &o.adamw), FINE_EINVAL);
    ck_assert_ptr_null(optimizer);
    fine_context_free(context);
}
END_TEST

START_TEST(schedule_options)
{
    fine_context *context = tiny_context(1);
    fine_schedule *schedule = NULL;
    union newer o;

    fine_schedule_options_init(&o.schedule, sizeof o);
    o.schedule.warmup = 3;
    ck_assert_int_eq(fine_schedule_new(&schedule, context, "linear", &o.schedule), FINE_OK);
    ck_assert_double_eq(fine_schedule_factor(schedule, 0, 10), 0);
    ck_assert_double_eq(fine_schedule_factor(schedule, 3, 10), 1);
    fine_schedule_free(schedule);
    schedule = NULL;
    ck_assert_int_eq(fine_schedule_new(&schedule, context, "zigzag", &o.schedule), FINE_EINVAL);
    ck_assert_ptr_null(schedule);
    fine_context_free(context);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("options");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int n_failed;

    tcase_add_test(all, context_options);
    tcase_add_test(all, optimizer_options);
    tcase_add_test(all, schedule_options);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed > 0;
}
