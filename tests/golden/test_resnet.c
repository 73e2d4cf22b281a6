/*
 * test_resnet.c — small ResNets of the three schools of names, held to what PyTorch computes
 * in float64 (make_resnet.py): strides where few have them, groups, padded shortcuts.
 */
#include "images.h"

#define GOLDEN SOURCE_ROOT "/tests/golden/"

static const char *const folders[] = { GOLDEN "resnet-hugging", GOLDEN "resnet-grouped",
                                       GOLDEN "resnet-cifar" };

START_TEST(by_running_statistics)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_pass(folders[i], EVALUATION);
}
END_TEST

START_TEST(by_the_batch)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_pass(folders[i], BY_BATCH);
}
END_TEST

START_TEST(ten_steps)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_curve(folders[i], 10);
}
END_TEST

START_TEST(saved_under_the_same_names)
{
    for (int i = 0; i < COUNT(folders); i++)
        check_saved(folders[i]);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { by_running_statistics, by_the_batch, ten_steps,
                                   saved_under_the_same_names };

    return run_tests_with(setup, teardown, "resnet", tests, COUNT(tests));
}
