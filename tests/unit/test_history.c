/* test_history.c — event lines into curves: thinning, resuming, torn lines. */
#include "runner.h"

#include <math.h>
#include <stdio.h>

#include "report/page.h"

static void
add(struct fine__report_data *data, const char *line)
{
    ck_assert_int_eq(fine__report_add_event(data, line), 0);
}

static void
add_steps(struct fine__report_data *data, int from, int to)
{
    char line[128];

    for (int i = from; i <= to; i++) {
        snprintf(line, sizeof line,
                 "{\"event\":\"step\",\"step\":%d,\"loss\":%d,\"learning_rate\":0.5,"
                 "\"seconds\":%d}", i, i, 2 * i);
        add(data, line);
    }
}

static void
add_evaluation(struct fine__report_data *data, int step, const char *accuracy, bool best)
{
    char line[256];

    snprintf(line, sizeof line,
             "{\"event\":\"evaluate\",\"step\":%d,\"n\":10,\"metrics\":{\"loss\":1,\"accuracy\":%s,"
             "\"per_class_f1\":{\"a\":0}},\"groups\":{},\"best\":%s}", step, accuracy,
             best ? "true" : "false");
    add(data, line);
}

START_TEST(keeps_what_events_say)
{
    fine_context *ctx = new_context(1);
    struct fine__report_data data;
    const char *split;

    fine__report_data_init(&data, ctx);
    add_steps(&data, 1, 10);
    add_evaluation(&data, 5, "0.25", true);
    add_evaluation(&data, 10, "0.125", false);
    add(&data, "{\"event\":\"checkpoint\",\"step\":10}");
    ck_assert_int_eq(data.n_steps, 10);
    ck_assert_int_eq(data.steps[9].last, 10);
    ck_assert_double_eq(data.steps[9].loss, 10);
    ck_assert_double_eq(data.steps[9].seconds, 20);
    ck_assert(isnan(data.steps[9].gradient_norm));
    ck_assert_int_eq(data.n_evaluations, 2);
    ck_assert_int_eq(data.n_metrics, 2);
    ck_assert_str_eq(data.metric_names[1], "accuracy");
    ck_assert_double_eq(data.evaluations[1].value[1], 0.125);
    ck_assert_int_eq(data.best_step, 5);
    ck_assert_int_eq(fine__json_int(fine__json_get(data.best, "step"), 0), 5);
    ck_assert_ptr_eq(fine__report_result(&data, &split), data.best);
    ck_assert_str_eq(split, "validation");

    add(&data, "{\"event\":\"done\",\"best_step\":5,\"metrics\":{\"validation\":{\"accuracy\":0.25},"
               "\"test\":{\"n\":4,\"metrics\":{\"accuracy\":0.5}}}}");
    ck_assert_double_eq(
        fine__json_double(fine__json_get(fine__result_metrics(fine__report_result(&data, &split)),
                                         "accuracy"), 0), 0.5);
    ck_assert_str_eq(split, "test");
    ck_assert_int_eq(data.n_ignored, 0);
    fine__report_data_free(&data);
    free_context(ctx);
}
END_TEST

START_TEST(evaluation_before_training)
{
    fine_context *ctx = new_context(1);
    struct fine__report_data data;

    fine__report_data_init(&data, ctx);
    add_evaluation(&data, 0, "0.5", false);
    ck_assert_ptr_nonnull(data.first);
    ck_assert_ptr_null(data.best);
    add_evaluation(&data, 3, "0.4", false);
    add_evaluation(&data, 6, "0.3", false);     /* none is called best: the last stands for it */
    ck_assert_int_eq(fine__json_int(fine__json_get(data.best, "step"), -1), 6);
    ck_assert_int_eq(data.n_evaluations, 3);
    ck_assert_int_eq(data.best_step, -1);
    fine__report_data_free(&data);
    free_context(ctx);
}
END_TEST

START_TEST(long_runs_are_thinned)
{
    fine_context *ctx = new_context(1);
    struct fine__report_data data;
    int64_t next = 1;
    double sum = 0;

    fine__report_data_init(&data, ctx);
    add_steps(&data, 1, 9001);
    ck_assert_int_le(data.n_steps, FINE__REPORT_STEPS);
    ck_assert_int_ge(data.n_steps, FINE__REPORT_STEPS / 2);
    ck_assert_int_eq(data.stride, 8);
    for (int64_t i = 0; i < data.n_steps; i++) {
        const struct fine__report_step *s = &data.steps[i];

        /* Every step is in one point, and the point is its steps' mean. */
        ck_assert_int_eq(s->last, next + s->count - 1);
        ck_assert_double_eq_tol(s->loss, (double)(next + s->last) / 2, 1e-9);
        ck_assert_double_eq(s->learning_rate, 0.5);
        sum += s->loss * (double)s->count;
        next = s->last + 1;
    }
    ck_assert_int_eq(next, 9002);
    ck_assert_double_eq_tol(sum, 9001.0 * 9002 / 2, 1e-3);
    for (int i = 1; i <= 2 * FINE__REPORT_EVALUATIONS; i++)
        add_evaluation(&data, 9001 + i, "0.5", i == 7);
    ck_assert_int_le(data.n_evaluations, FINE__REPORT_EVALUATIONS);
    ck_assert_int_eq(data.best_step, 9008);
    for (int64_t i = 0, found = 0; i < data.n_evaluations; i++) {
        found += data.evaluations[i].step == 9008;
        if (i == data.n_evaluations - 1)
            ck_assert_int_eq(found, 1);
    }
    fine__report_data_free(&data);
    free_context(ctx);
}
END_TEST

START_TEST(a_resumed_run_takes_back)
{
    fine_context *ctx = new_context(1);
    struct fine__report_data data;

    fine__report_data_init(&data, ctx);
    add_steps(&data, 1, 100);
    add_evaluation(&data, 50, "0.5", true);
    add_evaluation(&data, 100, "0.7", true);
    add(&data, "{\"event\":\"done\",\"best_step\":100}");
    add_steps(&data, 81, 120);                  /* from the checkpoint of step 80 */
    ck_assert_int_eq(data.n_steps, 120);
    ck_assert_int_eq(data.n_evaluations, 1);
    ck_assert_int_eq(data.best_step, 50);
    ck_assert_ptr_null(data.done);
    for (int64_t i = 0; i < 120; i++)
        ck_assert_int_eq(data.steps[i].last, i + 1);
    add_evaluation(&data, 120, "0.6", true);
    add_evaluation(&data, 120, "0.65", true);   /* said twice: once in force, no step lost */
    ck_assert_int_eq(data.n_steps, 120);
    ck_assert_int_eq(data.n_evaluations, 2);
    ck_assert_double_eq(data.evaluations[1].value[1], 0.65);
    fine__report_data_free(&data);
    free_context(ctx);
}
END_TEST

START_TEST(what_is_no_event_is_counted)
{
    static const char *const bad[] = {
        "", "{", "[]", "7", "{\"step\":1}", "{\"event\":7}", "{\"event\":\"step\",\"step\":1,\"lo",
        "{\"event\":\"step\",\"event\":\"step\"}", "\xff\xfe",
    };
    static const char *const skipped[] = {
        "{\"event\":\"step\"}", "{\"event\":\"step\",\"step\":-1}",
        "{\"event\":\"evaluate\",\"step\":\"x\"}", "{\"event\":\"else\",\"step\":1}",
    };
    fine_context *ctx = new_context(1);
    struct fine__report_data data;

    fine__report_data_init(&data, ctx);
    for (int64_t i = 0; i < FINE__COUNT(bad); i++)
        add(&data, bad[i]);
    ck_assert_int_eq(data.n_ignored, FINE__COUNT(bad));
    for (int64_t i = 0; i < FINE__COUNT(skipped); i++)
        add(&data, skipped[i]);
    ck_assert_int_eq(data.n_steps + data.n_evaluations, 0);
    add(&data, "{\"event\":\"evaluate\",\"step\":1}");
    add(&data, "{\"event\":\"evaluate\",\"step\":2,\"metrics\":[1]}");
    add(&data, "{\"event\":\"evaluate\",\"step\":3,\"loss\":0.5}");
    ck_assert_int_eq(data.n_evaluations, 3);
    ck_assert_int_eq(data.n_metrics, 1);
    fine__report_data_free(&data);
    free_context(ctx);
}
END_TEST

START_TEST(reads_a_file)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), *path = fine__path_join(ctx, folder, "metrics.jsonl");
    struct fine__report_data data;
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    for (int i = 1; i <= 5000; i++)     /* longer than a block; the last line is torn */
        fine__buf_printf(&text, "{\"event\":\"step\",\"step\":%d,\"loss\":1}\r\n\n", i);
    fine__buf_text(&text, "{\"event\":\"step\",\"step\":5001,\"lo");
    ck_assert_int_eq(fine__file_write(ctx, path, text.data, text.length), 0);
    fine__report_data_init(&data, ctx);
    ck_assert_int_eq(fine__report_add_events(&data, path), 0);
    ck_assert_int_eq(data.steps[data.n_steps - 1].last, 5000);
    ck_assert_int_eq(data.n_ignored, 1);
    fine__report_data_free(&data);
    ck_assert_int_eq(fine__report_add_events(&data, folder), FINE_EIO);
    fine__free(ctx, path);
    fine__buf_free(&text);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(majority_of_a_matrix)
{
    fine_context *ctx = new_context(1);
    struct fine__json *json;
    struct fine__majority m;
    const char *text = "{\"confusion\":[[5,1,0],[4,10,6],[0,0,0]]}";

    ck_assert_int_eq(fine__json_parse(&json, ctx, text, strlen(text), "test"), 0);
    m = fine__majority(json);
    ck_assert_int_eq(m.label, 1);
    ck_assert_int_eq(m.n, 26);
    ck_assert_double_eq_tol(m.share, 20.0 / 26, 1e-15);
    /* scikit-learn: f1_score([0]*6+[1]*20, [1]*26, average="macro") */
    ck_assert_double_eq_tol(m.macro_f1, 0.43478260869565216, 1e-15);
    fine__json_free(json);
    ck_assert_int_eq(fine__majority(NULL).n, 0);
    free_context(ctx);
}
END_TEST

RUNNER("history", keeps_what_events_say, evaluation_before_training, long_runs_are_thinned,
       a_resumed_run_takes_back, what_is_no_event_is_counted, reads_a_file, majority_of_a_matrix)
