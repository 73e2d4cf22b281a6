/*
 * test_lifecycle.c — handles from outside: freed in any order, excluding each other where
 * they must, shared between threads, across fork, and nothing left behind.
 */
#include "tiny.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_HANDLES = 5 };

static void
free_handle(int which, fine_context *context, fine_model *model, fine_dataset *data,
            fine_optimizer *optimizer, fine_trainer *trainer)
{
    switch (which) {
    case 0:
        fine_context_free(context);
        break;
    case 1:
        fine_model_free(model);
        break;
    case 2:
        fine_dataset_free(data);
        break;
    case 3:
        fine_optimizer_free(optimizer);
        break;
    default:
        fine_trainer_free(trainer);
        break;
    }
}

/* The loop's number is a permutation's: 5! orders. */
START_TEST(any_order)
{
    fine_context *context = tiny_context(1);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 8);
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer = tiny_trainer(model, data, optimizer, 2);
    int left[N_HANDLES] = { 0, 1, 2, 3, 4 }, number = _i;

    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    for (int n = N_HANDLES; n > 0; n--) {
        int k = number % n;

        number /= n;
        free_handle(left[k], context, model, data, optimizer, trainer);
        left[k] = left[n - 1];
    }
}
END_TEST

START_TEST(a_trainer_needs_no_other_handle)
{
    fine_context *context = tiny_context(2);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 8);
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer = tiny_trainer(model, data, optimizer, 6);
    int rc, n = 0;

    fine_dataset_free(data);
    fine_optimizer_free(optimizer);
    fine_context_free(context);
    while ((rc = fine_trainer_step(trainer)) > 0)
        n++;
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(n, 6);
    fine_trainer_free(trainer);
    fine_model_free(model);
}
END_TEST

START_TEST(everything_comes_back)
{
    fine_context *context = tiny_context(2);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 8);
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer = tiny_trainer(model, data, optimizer, 3);
    fine_report *report = NULL;

    ck_assert_msg(fine_trainer_fit(trainer, &report) == FINE_OK, "%s", fine_error_message());
    ck_assert_ptr_nonnull(fine_report_json(report));
    fine_report_free(report);
    fine_trainer_free(trainer);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    fine_model_free(model);
    ck_assert_int_eq(fine_context_used_bytes(context), 0);
    ck_assert_int_gt(fine_context_peak_bytes(context), 0);
    fine_context_free(context);
}
END_TEST

START_TEST(sessions_and_trainers_exclude_each_other)
{
    fine_context *context = tiny_context(1);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 8);
    fine_optimizer *optimizer = tiny_optimizer(context);
    struct fine_trainer_options options;
    fine_trainer *trainer = NULL;
    fine_session *session = NULL, *second = NULL;

    fine_trainer_options_init(&options, sizeof options);
    ck_assert_int_eq(fine_session_new(&session, model), FINE_OK);
    ck_assert_int_eq(fine_session_new(&second, model), FINE_OK);
    fine_session_free(second);
    ck_assert_int_eq(fine_trainer_new(&trainer, model, data, optimizer, NULL, &options),
                     FINE_ESTATE);
    ck_assert_ptr_null(trainer);
    ck_assert_str_ne(fine_error_message(), "");
    fine_session_free(session);
    session = NULL;
    ck_assert_int_eq(fine_trainer_new(&trainer, model, data, optimizer, NULL, &options), FINE_OK);
    ck_assert_int_eq(fine_session_new(&session, model), FINE_ESTATE);
    ck_assert_ptr_null(session);
    fine_trainer_free(trainer);
    ck_assert_int_eq(fine_session_new(&session, model), FINE_OK);
    fine_session_free(session);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
}
END_TEST

struct reader {
    fine_model *model;
    float scores[64][2];
};

static const char *const texts[4] = { "the bad", "very good !", "", "awful awful great" };

static void *
read_scores(void *argument)
{
    struct reader *reader = argument;
    fine_session *session = NULL;

    if (fine_session_new(&session, reader->model) < 0)
        return NULL;
    for (int i = 0; i < 64; i++)
        if (fine_session_predict(session, &texts[i % 4], NULL, 1) == FINE_OK)
            memcpy(reader->scores[i], fine_session_scores(session, 0), sizeof reader->scores[i]);
    fine_session_free(session);
    return NULL;
}

START_TEST(sessions_in_threads)
{
    fine_context *context = tiny_context(2);
    static struct reader readers[4];
    pthread_t threads[4];
    fine_model *model = tiny_model(context);
    int64_t before = fine_context_used_bytes(context);

    for (int i = 0; i < 4; i++) {
        readers[i].model = model;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_scores, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++)
        ck_assert_mem_eq(readers[i].scores, readers[0].scores, sizeof readers[0].scores);
    ck_assert_float_gt(readers[0].scores[0][0], 0);
    ck_assert_int_eq(fine_context_used_bytes(context), before);
    fine_model_free(model);
    fine_context_free(context);
}
END_TEST

/* Exit status of a child that runs `work`. */
static int
in_child(int (*work)(void *), void *argument)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(20);
        _exit(work(argument));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child hangs or crashed");
    return WEXITSTATUS(status);
}

static int
predict_in_child(void *argument)
{
    fine_session *session = NULL;
    int good = fine_session_new(&session, argument) == FINE_OK &&
               fine_session_predict(session, texts, NULL, 4) == FINE_OK;

    fine_session_free(session);
    return good ? 0 : 1;
}

static int
step_in_child(void *argument)
{
    return fine_trainer_step(argument) == FINE_EFORK ? 0 : 1;
}

START_TEST(fork_after_work)
{
    fine_context *context = tiny_context(2);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 8);
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer;

    ck_assert_int_eq(predict_in_child(model), 0); /* the pool runs now */
    ck_assert_int_eq(in_child(predict_in_child, model), 0);
    trainer = tiny_trainer(model, data, optimizer, 4);
    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    ck_assert_int_eq(in_child(step_in_child, trainer), 0);
    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    fine_trainer_free(trainer);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
}
END_TEST

static uint64_t
hash_after(int32_t n_threads, int n_steps)
{
    fine_context *context = tiny_context(n_threads);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 12);
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer = tiny_trainer(model, data, optimizer, n_steps);
    uint64_t hash;

    while (fine_trainer_step(trainer) > 0)
        ;
    fine_trainer_free(trainer);
    hash = tiny_hash(model);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
    return hash;
}

START_TEST(the_same_bits_for_any_number_of_threads)
{
    uint64_t hash = hash_after(1, 8);

    ck_assert(hash == hash_after(2, 8));
    ck_assert(hash == hash_after(5, 8));
    ck_assert(hash != hash_after(1, 7));
}
END_TEST

START_TEST(steady_state_calls_no_allocator)
{
    fine_context *context = tiny_context(2);
    fine_model *model = tiny_model(context);
    fine_dataset *data = tiny_dataset(context, 4); /* one batch, always the same shape */
    fine_optimizer *optimizer = tiny_optimizer(context);
    fine_trainer *trainer = tiny_trainer(model, data, optimizer, 20);
    int64_t calls;

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(fine_trainer_step(trainer), 1);
    calls = fine_context_allocations(context);
    while (fine_trainer_step(trainer) > 0)
        ;
    ck_assert_int_eq(fine_context_allocations(context), calls);
    fine_trainer_free(trainer);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
}
END_TEST

START_TEST(nothing_is_printed)
{
    int ends[2], saved[2] = { dup(1), dup(2) };
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    hash_after(2, 3);
    ck_assert_int_eq(fine_context_new(NULL, NULL), FINE_EINVAL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *orders = tcase_create("orders"), *rest = tcase_create("rest");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(orders, any_order, 0, 120);
    tcase_set_timeout(rest, 60);
    tcase_add_test(rest, a_trainer_needs_no_other_handle);
    tcase_add_test(rest, everything_comes_back);
    tcase_add_test(rest, sessions_and_trainers_exclude_each_other);
    tcase_add_test(rest, sessions_in_threads);
    tcase_add_test(rest, fork_after_work);
    tcase_add_test(rest, the_same_bits_for_any_number_of_threads);
    tcase_add_test(rest, steady_state_calls_no_allocator);
    tcase_add_test(rest, nothing_is_printed);
    suite_add_tcase(suite, orders);
    suite_add_tcase(suite, rest);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed > 0;
}
