/* test_trainer.c — trainer.c, progress.c, best.c and fit.c on a model of our own. */
#include "fake_run.h"

#include <pthread.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/result.h"

static struct fake_run run;

/* ---- learning ---- */

START_TEST(learns)
{
    double first = 0;
    fine_report *report;
    double best, accuracy;

    fake_begin(&run, 2);
    run.options.steps = 60;
    run.options.validation = run.validation;
    run.options.metric = "accuracy";
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    first = fine_trainer_progress(run.trainer)->loss;
    ck_assert_int_eq(fine_trainer_fit(run.trainer, &report), 0);
    ck_assert_int_eq(fine_trainer_finished(run.trainer), 1);
    ck_assert_double_lt(fine_trainer_progress(run.trainer)->loss, 0.6 * first);
    ck_assert_int_eq(fine__report_number(report, "best", &best), 0);
    ck_assert_int_eq(fine__report_number(report, "metrics.validation.accuracy", &accuracy), 0);
    ck_assert_double_eq(best, accuracy);
    ck_assert_int_eq(fine__report_number(report, "history.8.step", &accuracy), 0);
    ck_assert_double_eq(accuracy, 60);
    fine_report_free(report);
    /* The best weights are in the model, so scoring them gives the best again. */
    ck_assert_int_ge(fine_trainer_evaluate(run.trainer, &report), 0);
    ck_assert_int_eq(fine__report_number(report, "metrics.accuracy", &accuracy), 0);
    ck_assert_double_eq(best, accuracy);
    fine_report_free(report);
    fake_end(&run);
}
END_TEST

START_TEST(learns_numbers)
{
    double first;

    fake_begin_in(&run, new_context(1), FINE__REGRESS);
    run.options.steps = 80;
    run.options.validation = run.validation;
    run.options.metric = "spearman";
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    first = fine_trainer_progress(run.trainer)->loss;
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    ck_assert_double_lt(fine_trainer_progress(run.trainer)->loss, 0.6 * first);
    fake_end(&run);
}
END_TEST

START_TEST(has_the_same_bits_at_any_number_of_threads)
{
    float first[FAKE_COUNT], again[FAKE_COUNT];

    for (int n_threads = 1; n_threads <= 7; n_threads += 2)
        for (int round = 0; round < 3; round++) {
            fake_begin(&run, n_threads);
            run.options.accumulate = 2;
            ck_assert_int_eq(fake_start(&run), 0);
            ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
            fake_weights(run.model, again);
            if (n_threads == 1 && round == 0)
                memcpy(first, again, sizeof first);
            ck_assert_mem_eq(first, again, sizeof first);
            fake_end(&run);
        }
    fake_begin(&run, 1);
    run.options.seed = 43;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_weights(run.model, again);
    ck_assert_mem_ne(first, again, sizeof first);
    fake_end(&run);
}
END_TEST

/* Also where classes count differently: the mean is over the whole step's weights. */
static void
compare_accumulation(const char *weighting, double smoothing)
{
    float large[FAKE_COUNT], small[FAKE_COUNT];
    double losses[2][20], norms[2][20];

    fake_dropout = 0;
    for (int parts = 1; parts <= 8; parts *= 4) {
        fake_begin(&run, 1);
        run.options.batch_size = 16 / parts;
        run.options.accumulate = parts;
        run.options.class_weighting = weighting;
        run.options.label_smoothing = smoothing;
        ck_assert_int_eq(fake_start(&run), 0);
        for (int i = 0; i < 20; i++) {
            ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
            losses[parts > 1][i] = fine_trainer_progress(run.trainer)->loss;
            norms[parts > 1][i] = fine_trainer_progress(run.trainer)->gradient_norm;
        }
        ck_assert_int_eq(fine_trainer_step(run.trainer), 0);
        fake_weights(run.model, parts > 1 ? small : large);
        fake_end(&run);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_double_eq_tol(losses[0][i], losses[1][i], 1e-5);
        ck_assert_double_eq_tol(norms[0][i], norms[1][i], 1e-4);
    }
    for (int i = 0; i < FAKE_COUNT; i++)
        ck_assert_float_eq_tol(large[i], small[i], 1e-3F);
}

START_TEST(accumulation_equals_the_large_batch)
{
    compare_accumulation(NULL, 0);
    compare_accumulation("balanced", 0);
    compare_accumulation("effective", 0.1);
}
END_TEST

START_TEST(clips)
{
    fake_begin(&run, 1);
    run.options.clip_norm = 1e-3;
    run.options.steps = 1;
    fine_schedule_free(run.schedule);
    fine_optimizer_free(run.optimizer);
    run.schedule = NULL;
    struct fine_sgd_options sgd;
    float before[FAKE_COUNT], after[FAKE_COUNT];
    double moved = 0;

    fine_sgd_options_init(&sgd, sizeof sgd);
    sgd.learning_rate = 1;
    ck_assert_int_eq(fine_optimizer_new_sgd(&run.optimizer, run.ctx, &sgd), 0);
    ck_assert_int_eq(fake_start(&run), 0);
    fake_weights(run.model, before);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    fake_weights(run.model, after);
    for (int i = 0; i < FAKE_COUNT; i++)
        moved += pow((double)(after[i] - before[i]), 2);
    ck_assert_double_gt(fine_trainer_progress(run.trainer)->gradient_norm, 0.01);
    ck_assert_double_eq_tol(sqrt(moved), 1e-3, 2e-6);
    fake_end(&run);
}
END_TEST

START_TEST(counts_steps)
{
    static const struct {
        double epochs;
        int64_t batch, accumulate, expected;
    } cases[] = {
        { 3, 8, 1, 21 }, { 0.5, 8, 1, 4 }, { 1.5, 8, 2, 6 },  { 0.001, 8, 1, 1 },
        { 2, 53, 1, 2 }, { 2, 100, 9, 2 }, { 1.1, 6, 1, 10 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_begin(&run, 1);
        run.options.steps = 0;
        run.options.epochs = cases[i].epochs;
        run.options.batch_size = cases[i].batch;
        run.options.accumulate = cases[i].accumulate;
        ck_assert_int_eq(fake_start(&run), 0);
        ck_assert_int_eq(fine_trainer_progress(run.trainer)->n_steps, cases[i].expected);
        fake_end(&run);
    }
}
END_TEST

START_TEST(frozen_words_stay)
{
    float before[FAKE_COUNT], after[FAKE_COUNT];
    const size_t words = (FAKE_SPECIAL + FAKE_WORDS) * FAKE_WIDTH;

    fake_begin(&run, 2);
    run.model->params.list[0].tensor.wants_grad = false;
    ck_assert_int_eq(fake_start(&run), 0);
    fake_weights(run.model, before);
    ck_assert_int_eq(run.model->params.n_trained, FAKE_LABELS * (FAKE_WIDTH + 1));
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_weights(run.model, after);
    ck_assert_mem_eq(before, after, words * 4);
    ck_assert_mem_ne(before + words, after + words, sizeof before - words * 4);
    fake_end(&run);
}
END_TEST

/* ---- evaluation ---- */

static int64_t evaluated[64];
static int n_evaluated, n_told[8];

static int
note(const struct fine_progress *progress, void *user)
{
    (void)user;
    n_told[progress->event]++;
    if (progress->event == FINE_EVENT_EVALUATE)
        evaluated[n_evaluated++] = progress->step;
    return 0;
}

static void
check_evaluations(double every_epochs, int64_t every_steps, const int64_t *expected, int n)
{
    fake_begin(&run, 1);
    run.options.validation = run.validation;
    run.options.evaluate_every_epochs = every_epochs;
    run.options.evaluate_every_steps = every_steps;
    run.options.progress = note;
    n_evaluated = 0;
    memset(n_told, 0, sizeof n_told);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    ck_assert_int_eq(n_evaluated, n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(evaluated[i], expected[i]);
    ck_assert_int_eq(n_told[FINE_EVENT_STEP], 20);
    ck_assert_int_eq(n_told[FINE_EVENT_DONE], 1);
    ck_assert_int_eq(n_told[FINE_EVENT_CHECKPOINT], 0);
    fake_end(&run);
}

START_TEST(evaluates_when_due)
{
    static const int64_t epochs[] = { 7, 14, 20 }, halves[] = { 4, 7, 11, 14, 18, 20 };
    static const int64_t two[] = { 14, 20 }, sixes[] = { 6, 12, 18, 20 };
    static const int64_t tens[] = { 10, 20 };
    int64_t all[20];

    for (int i = 0; i < 20; i++)
        all[i] = i + 1;
    check_evaluations(1, 0, epochs, 3);
    check_evaluations(0.5, 0, halves, 6);
    check_evaluations(2, 0, two, 2);
    check_evaluations(0.001, 0, all, 20);
    check_evaluations(1, 6, sixes, 4);
    check_evaluations(0, 10, tens, 2);
    check_evaluations(0, 0, NULL, 0);
}
END_TEST

START_TEST(stops_early)
{
    fine_report *report;
    double steps, early;

    fake_begin(&run, 1);
    run.options.steps = 1000;
    run.options.validation = run.validation;
    run.options.evaluate_every_steps = 5;
    run.options.patience = 2;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, &report), 0);
    ck_assert_int_eq(fine__report_number(report, "steps", &steps), 0);
    ck_assert_int_lt((int)steps, 1000);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->best_step, (int)steps - 10);
    ck_assert_ptr_nonnull(strstr(fine_report_json(report), "\"stopped_early\":true"));
    ck_assert_int_eq(fine__report_number(report, "history.0.step", &early), 0);
    ck_assert_double_eq(early, 5);
    fine_report_free(report);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_end(&run);
}
END_TEST

START_TEST(restores_the_best)
{
    float best[FAKE_COUNT], now[FAKE_COUNT];

    fake_begin(&run, 1);
    run.options.validation = run.validation;
    ck_assert_int_eq(fake_start(&run), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1);
    fake_weights(run.model, best);
    ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 1); /* nothing new, still the best */
    ck_assert_int_eq(fine_trainer_restore_best(run.trainer), 0);   /* it is there already */
    /* A later evaluation of spoilt weights isn't better. */
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    for (int i = 0; i < 60; i++)
        run.model->params.list[1].tensor.data[i] *= -3;
    ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), 0);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->best_step, 5);
    ck_assert_int_eq(fine_trainer_restore_best(run.trainer), 0);
    fake_weights(run.model, now);
    ck_assert_mem_eq(best, now, sizeof best);
    ck_assert_int_eq(fine_trainer_step(run.trainer), FINE_ESTATE);
    ck_assert_int_eq(fine_trainer_due(run.trainer), 0);
    fake_end(&run);
}
END_TEST

/* ---- what is told ---- */

static struct fine__buf lines;

static int
collect(const struct fine_progress *progress, void *user)
{
    (void)user;
    ck_assert_uint_eq(progress->struct_size, sizeof *progress);
    fine__buf_text(&lines, progress->json);
    fine__buf_byte(&lines, '\n');
    return 0;
}

static const struct fine__json *
member(const struct fine__json *line, const char *key, enum fine__json_type type)
{
    const struct fine__json *value = fine__json_get(line, key);
    const enum fine__json_type is = fine__json_type(value);

    ck_assert_msg(is == type || (is == FINE__JSON_INTEGER && type == FINE__JSON_REAL),
                  "'%s' is missing or of another type", key);
    return value;
}

START_TEST(tells_in_json)
{
    char *folder = new_folder(), *line, *rest;
    int n_steps = 0, n_evaluations = 0, n_checkpoints = 0, n_done = 0;

    fake_begin(&run, 1);
    fine__buf_init(&lines, run.ctx);
    run.options.validation = run.validation;
    run.options.folder = folder;
    run.options.checkpoint_every_steps = 8;
    run.options.progress = collect;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    for (line = strtok_r(lines.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct fine__json *json;

        ck_assert_int_eq(fine__json_parse(&json, run.ctx, line, strlen(line), "event"), 0);
        const char *event = fine__json_string(member(json, "event", FINE__JSON_STRING), NULL);

        (void)member(json, "step", FINE__JSON_INTEGER);
        (void)member(json, "epoch", FINE__JSON_REAL);
        (void)member(json, "seconds", FINE__JSON_REAL);
        if (strcmp(event, "step") == 0) {
            n_steps++;
            (void)member(json, "loss", FINE__JSON_REAL);
            (void)member(json, "gradient_norm", FINE__JSON_REAL);
            (void)member(json, "learning_rate", FINE__JSON_REAL);
            (void)member(json, "rows_per_second", FINE__JSON_REAL);
        } else if (strcmp(event, "evaluate") == 0) {
            n_evaluations++;
            (void)member(member(json, "metrics", FINE__JSON_OBJECT), "accuracy", FINE__JSON_REAL);
            (void)member(json, "best", FINE__JSON_BOOL);
        } else if (strcmp(event, "checkpoint") == 0) {
            n_checkpoints++;
            ck_assert_ptr_nonnull(strstr(
                fine__json_string(member(json, "path", FINE__JSON_STRING), NULL), "step-0000"));
        } else {
            n_done++;
            ck_assert_str_eq(event, "done");
            (void)member(json, "best_step", FINE__JSON_INTEGER);
            (void)member(
                member(member(json, "metrics", FINE__JSON_OBJECT), "validation", FINE__JSON_OBJECT),
                "macro_f1", FINE__JSON_REAL);
        }
        fine__json_free(json);
    }
    ck_assert_int_eq(n_steps, 20);
    ck_assert_int_eq(n_evaluations, 3);
    ck_assert_int_eq(n_checkpoints, 3);
    ck_assert_int_eq(n_done, 1);
    fine__buf_free(&lines);
    remove_folder(run.ctx, folder);
    fake_end(&run);
}
END_TEST

/* ---- steady state ---- */

START_TEST(allocates_nothing_from_the_second_step)
{
    fake_begin(&run, 2);
    run.options.accumulate = 2;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    const int64_t before = fine_context_allocations(run.ctx);

    while (fine_trainer_step(run.trainer) > 0)
        ck_assert_int_eq(fine_context_allocations(run.ctx), before);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 20);
    fake_end(&run);
}
END_TEST

/* ---- numbers that aren't ---- */

static int spoil_param, spoil_at_call, n_calls;
static float spoil_with;

static void
spoil(fine_model *model)
{
    struct fine__tensor *tensor = &model->params.list[spoil_param].tensor;
    int64_t at = 1;

    if (++n_calls != spoil_at_call)
        return;
    for (int64_t row = 0; tensor->rows != NULL && row < tensor->rows->n_rows; row++)
        if (tensor->rows->used[row])
            at = row * FAKE_WIDTH + 3;
    tensor->grad[at] = spoil_with;
}

START_TEST(a_spoilt_gradient_changes_nothing)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    float expected[FAKE_COUNT], before[FAKE_COUNT], after[FAKE_COUNT];

    fake_begin(&run, 2);
    ck_assert_int_eq(fake_start(&run), 0);
    while (fine_trainer_step(run.trainer) > 0)
        ;
    fake_weights(run.model, expected);
    fake_end(&run);
    for (int p = 0; p < 3; p++)
        for (int b = 0; b < 3; b++) {
            fake_begin(&run, 2);
            ck_assert_int_eq(fake_start(&run), 0);
            spoil_param = p;
            spoil_with = bad[b];
            spoil_at_call = 4;
            n_calls = 0;
            fake_after_backward = spoil;
            for (int i = 0; i < 3; i++)
                ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
            fake_weights(run.model, before);
            ck_assert_int_eq(fine_trainer_step(run.trainer), FINE_ENUMERIC);
            ck_assert_ptr_nonnull(strstr(fine_error_message(), run.model->params.list[p].name));
            ck_assert_ptr_nonnull(strstr(fine_error_message(), "step 4, batches 4 to 4"));
            fake_weights(run.model, after);
            ck_assert_mem_eq(before, after, sizeof before);
            ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 3);
            /* It was the machine's fault: the same step again is as if nothing had been. */
            while (fine_trainer_step(run.trainer) > 0)
                ;
            fake_weights(run.model, after);
            ck_assert_mem_eq(expected, after, sizeof after);
            fake_after_backward = NULL;
            fake_end(&run);
        }
}
END_TEST

START_TEST(a_spoilt_weight_is_named)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };

    for (int p = 0; p < 3; p++)
        for (int b = 0; b < 3; b++) {
            fake_begin(&run, 2);
            run.options.validation = run.validation;
            ck_assert_int_eq(fake_start(&run), 0);
            ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
            for (int64_t i = 0; i < run.model->params.list[p].tensor.count; i++)
                run.model->params.list[p].tensor.data[i] = bad[b];
            ck_assert_int_eq(fine_trainer_step(run.trainer), FINE_ENUMERIC);
            ck_assert_ptr_nonnull(strstr(fine_error_message(), run.model->params.list[p].name));
            ck_assert_ptr_nonnull(strstr(fine_error_message(), "step 2, batch 2"));
            ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), FINE_ENUMERIC);
            ck_assert_ptr_nonnull(strstr(fine_error_message(), "rows 1 to"));
            ck_assert_int_eq(fine_trainer_progress(run.trainer)->best_step, -1);
            fake_end(&run);
        }
}
END_TEST

START_TEST(starts_beyond_32_bits)
{
    fake_begin(&run, 1);
    run.options.steps = 4294967296;
    ck_assert_int_eq(fake_start(&run), 0);
    run.trainer->step = 2147483646;
    run.trainer->optimizer->n_steps = 2147483646;
    run.trainer->rows = INT64_C(1) << 40;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    ck_assert_int_eq(fine_trainer_progress(run.trainer)->step, 2147483656);
    ck_assert(isfinite(fine_trainer_progress(run.trainer)->loss));
    fake_end(&run);
}
END_TEST

/* ---- who may call when ---- */

static int answers[6];

static int
call_back(const struct fine_progress *progress, void *user)
{
    (void)progress;
    (void)user;
    answers[0] = fine_trainer_step(run.trainer);
    answers[1] = fine_trainer_evaluate(run.trainer, NULL);
    answers[2] = fine_trainer_checkpoint(run.trainer);
    answers[3] = fine_trainer_restore_best(run.trainer);
    answers[4] = fine_trainer_fit(run.trainer, NULL);
    answers[5] = fine_trainer_finish(run.trainer, NULL);
    fine_trainer_free(run.trainer);
    return 0;
}

START_TEST(the_callback_cannot_call_in)
{
    fake_begin(&run, 1);
    run.options.progress = call_back;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(answers[i], FINE_ESTATE);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    fake_end(&run);
}
END_TEST

static atomic_int n_busy, n_stepped;

static void *
step_often(void *arg)
{
    (void)arg;
    for (int rc = 1; rc != 0;) {
        rc = fine_trainer_step(run.trainer);
        if (rc == FINE_EBUSY)
            atomic_fetch_add(&n_busy, 1);
        else if (rc == 1)
            atomic_fetch_add(&n_stepped, 1);
        else
            ck_assert_int_eq(rc, 0);
    }
    return NULL;
}

START_TEST(two_threads_are_told)
{
    pthread_t threads[2];

    fake_begin(&run, 1);
    run.options.steps = 2000;
    ck_assert_int_eq(fake_start(&run), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, step_often, NULL), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&n_stepped), 2000);
    fake_end(&run);
}
END_TEST

START_TEST(stays_with_its_process)
{
    int status;

    fake_begin(&run, 2);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    const pid_t child = fork();

    if (child == 0) {
        const bool good = fine_trainer_step(run.trainer) == FINE_EFORK &&
                          fine_trainer_evaluate(run.trainer, NULL) == FINE_EFORK &&
                          fine_trainer_checkpoint(run.trainer) == FINE_EFORK &&
                          fine_trainer_restore_best(run.trainer) == FINE_EFORK &&
                          fine_trainer_fit(run.trainer, NULL) == FINE_EFORK;

        fine_trainer_free(run.trainer);
        _exit(good ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    fake_end(&run);
}
END_TEST

START_TEST(has_the_model_to_itself)
{
    fine_trainer *second = NULL;

    fake_begin(&run, 1);
    atomic_store(&run.model->sessions, 1);
    ck_assert_int_eq(fake_start(&run), FINE_ESTATE);
    ck_assert(!atomic_load(&run.model->training));
    atomic_store(&run.model->sessions, 0);
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(
        fine_trainer_new(&second, run.model, run.train, run.optimizer, NULL, &run.options),
        FINE_ESTATE);
    ck_assert_ptr_null(second);
    ck_assert(atomic_load(&run.model->training));
    ck_assert_int_eq(fine_trainer_step(run.trainer), 1);
    fine_trainer_free(run.trainer);
    run.trainer = NULL;
    ck_assert(!atomic_load(&run.model->training));
    ck_assert_ptr_null(run.model->params.gradients);
    fake_end(&run);
}
END_TEST

START_TEST(keeps_what_it_uses)
{
    fake_begin(&run, 1);
    run.options.validation = run.validation;
    ck_assert_int_eq(fake_start(&run), 0);
    fine_optimizer_free(run.optimizer);
    fine_schedule_free(run.schedule);
    fine_dataset_free(run.train);
    fine_dataset_free(run.validation);
    fine__model_unref(run.model);
    run.optimizer = NULL;
    run.schedule = NULL;
    run.train = run.validation = NULL;
    run.model = NULL;
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_end(&run);
}
END_TEST

/* ---- misuse ---- */

START_TEST(refuses_options)
{
    fake_begin(&run, 1);
    const struct fine_trainer_options good = run.options;

#define REFUSED(setting, part) \
    run.options = good; \
    run.options.setting; \
    ck_assert_int_eq(fake_start(&run), FINE_EINVAL); \
    ck_assert_msg(strstr(fine_error_message(), part) != NULL, "%s", fine_error_message())
    REFUSED(steps = -1, "steps");
    REFUSED(batch_size = 0, "batch_size");
    REFUSED(accumulate = 0, "accumulate");
    REFUSED(clip_norm = -1, "clip_norm");
    REFUSED(clip_norm = (double)NAN, "clip_norm");
    REFUSED(evaluate_every_epochs = -1, "evaluate_every_epochs");
    REFUSED(evaluate_every_steps = -1, "evaluate_every_steps");
    REFUSED(checkpoint_every_steps = -1, "checkpoint_every_steps");
    REFUSED(checkpoint_every_steps = 1, "folder");
    REFUSED(patience = -1, "patience");
    REFUSED(patience = 1, "validation");
    REFUSED(resume = 1, "folder");
    REFUSED(folder = "", "folder");
    REFUSED(metric = "acuracy", "there are loss, accuracy");
    REFUSED(metric = "pearson", "there are loss, accuracy");
    REFUSED(struct_size = 8, "struct_size");
#undef REFUSED
    run.options = good;
    run.options.steps = 0;
    run.options.epochs = 0;
    ck_assert_int_eq(fake_start(&run), FINE_EINVAL);
    run.options = good;
    ck_assert_int_eq(fine_trainer_new(NULL, run.model, run.train, run.optimizer, NULL, NULL),
                     FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_new(&run.trainer, NULL, run.train, run.optimizer, NULL, NULL),
                     FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_new(&run.trainer, run.model, NULL, run.optimizer, NULL, NULL),
                     FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_new(&run.trainer, run.model, run.train, NULL, NULL, NULL),
                     FINE_EINVAL);
    ck_assert_ptr_null(run.trainer);
    ck_assert_int_eq(fine_trainer_step(NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_evaluate(NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_checkpoint(NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_restore_best(NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_finish(NULL, NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_finished(NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_due(NULL), FINE_EINVAL);
    ck_assert_int_eq(fine_trainer_fit(NULL, NULL), FINE_EINVAL);
    ck_assert_ptr_null(fine_trainer_progress(NULL));
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_checkpoint(run.trainer), FINE_ESTATE);
    ck_assert_int_eq(fine_trainer_evaluate(run.trainer, NULL), FINE_ESTATE);
    fake_end(&run);
}
END_TEST

START_TEST(refuses_data)
{
    fine_dataset *one_class;

    fake_begin(&run, 1);
    fine_dataset_free(run.train);
    ck_assert_int_eq(fine_dataset_new(&run.train, run.ctx, NULL), 0);
    ck_assert_int_eq(fake_start(&run), FINE_EDATA); /* no rows */
    ck_assert_int_eq(fine_dataset_new(&one_class, run.ctx, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fine_dataset_add(one_class, "w1", NULL, "good", NULL), 0);
    fine_dataset_free(run.train);
    run.train = one_class;
    ck_assert_int_eq(fake_start(&run), FINE_EDATA);
    ck_assert(!atomic_load(&run.model->training));
    fake_end(&run);
}
END_TEST

/* ---- no memory ---- */

START_TEST(survives_no_memory)
{
    float expected[FAKE_COUNT], now[FAKE_COUNT];
    struct faulty faulty;
    int n_failed = 0;

    fake_begin(&run, 1);
    run.options.steps = 4;
    ck_assert_int_eq(fake_start(&run), 0);
    ck_assert_int_eq(fine_trainer_fit(run.trainer, NULL), 0);
    fake_weights(run.model, expected);
    fake_end(&run);
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (long long n = 1, done = 0; !done; n++) {
            fine_report *report = NULL;

            fake_begin_in(&run, new_faulty_context(&faulty, 1), FINE__CLASSIFY);
            run.options.steps = 4;
            run.options.validation = run.validation;
            run.options.evaluate_every_steps = 2;
            faulty.calls = 0;
            faulty.fail_at = n;
            faulty.for_ever = for_ever;
            int rc = fake_start(&run);

            if (rc == 0)
                rc = fine_trainer_fit(run.trainer, &report);
            done = rc == 0 && faulty.calls < n;
            n_failed += rc < 0;
            ck_assert(rc == 0 || rc == FINE_ENOMEM);
            if (rc < 0)
                ck_assert_str_ne(fine_error_message(), "");
            if (rc < 0 && !for_ever) { /* there is memory again: it just goes on */
                faulty.fail_at = 0;
                if (run.trainer == NULL)
                    ck_assert_int_eq(fake_start(&run), 0);
                ck_assert_int_eq(fine_trainer_fit(run.trainer, &report), 0);
                run.options.validation = NULL;
                fake_weights(run.model, now);
                if (fine_trainer_progress(run.trainer)->best_step == 4)
                    ck_assert_mem_eq(now, expected, sizeof now);
            }
            fine_report_free(report);
            fake_end(&run);
        }
    ck_assert_int_gt(n_failed, 50);
}
END_TEST

RUNNER("trainer", learns, learns_numbers, has_the_same_bits_at_any_number_of_threads,
       accumulation_equals_the_large_batch, clips, counts_steps, frozen_words_stay,
       evaluates_when_due, stops_early, restores_the_best, tells_in_json,
       allocates_nothing_from_the_second_step, a_spoilt_gradient_changes_nothing,
       a_spoilt_weight_is_named, starts_beyond_32_bits, the_callback_cannot_call_in,
       two_threads_are_told, stays_with_its_process, has_the_model_to_itself, keeps_what_it_uses,
       refuses_options, refuses_data, survives_no_memory)
