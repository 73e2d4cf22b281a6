/*
 * test_finite.c — numbers that aren't finite, in weights and gradients: found, named, and nothing
 * has changed.
 */
#include "api.h"

static fine_context *ctx;
static fine_model *model;
static fine_tensors *batch;

static void
setup(void)
{
    ctx = new_context(2);
    model = open_tiny(ctx, 3);
    batch = tiny_batch(ctx, 3);
}

static void
teardown(void)
{
    fine_tensors_free(batch);
    fine_model_free(model);
    free_context(ctx);
}

static void
spoil(const char *name, float value)
{
    static float copy[WORDS * INNER];
    const float *values;
    int64_t count;

    OK(fine_model_values(model, name, &values, &count));
    memcpy(copy, values, (size_t)count * sizeof *copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = value;
    OK(fine_model_set_values(model, name, copy, count));
}

static const char *const places[] = { "bert.embeddings.LayerNorm.bias",
                                      "bert.encoder.layer.0.attention.self.value.weight",
                                      "bert.encoder.layer.1.intermediate.dense.bias",
                                      "bert.encoder.layer.1.output.LayerNorm.weight",
                                      "bert.pooler.dense.weight",
                                      "classifier.bias" };

START_TEST(spoilt_weights_are_found)
{
    static const char *const texts[] = { "w1 w2 w3", "a b" };
    static const float bad[] = { NAN, INFINITY, -INFINITY };

    for (int i = 0; i < COUNT(places); i++)
        for (int k = 0; k < COUNT(bad); k++) {
            fine_session *session;
            float before[3];
            double loss = 5;

            fine_model_free(model);
            model = open_tiny(ctx, 3);
            spoil(places[i], i == 4 && k > 0 ? NAN : bad[k]); /* tanh(inf) is 1 */
            FAILS(FINE_ENUMERIC, fine_model_backward(model, batch, 1, &loss));
            ck_assert(loss > 4);
            OK(fine_session_new(&session, model));
            FAILS(FINE_ENUMERIC, fine_session_predict(session, texts, NULL, 2));
            ck_assert_ptr_null(fine_session_scores(session, 0));
            ck_assert_int_eq(fine_session_label(session, 0), -1);
            fine_session_free(session);
            /* earlier answers stay */
            fine_model_free(model);
            model = open_tiny(ctx, 3);
            OK(fine_session_new(&session, model));
            OK(fine_session_predict(session, texts, NULL, 2));
            memcpy(before, fine_session_scores(session, 1), sizeof before);
            ck_assert_int_eq(fine_session_predict(session, texts, NULL, -1), FINE_EINVAL);
            ck_assert_int_eq(memcmp(before, fine_session_scores(session, 1), sizeof before), 0);
            fine_session_free(session);
        }
}
END_TEST

/* Huge but finite weights: the loss may be anything, but never a crash or a silent NaN. */
START_TEST(huge_weights)
{
    static const float values[] = { 1e10f, -1e20f, 3e38f, 1e-45f };

    for (int i = 0; i < COUNT(places); i++)
        for (int k = 0; k < COUNT(values); k++) {
            double loss = 5;

            fine_model_free(model);
            model = open_tiny(ctx, 3);
            spoil(places[i], values[k]);
            const int rc = fine_model_backward(model, batch, 1, &loss);

            ck_assert_msg(rc == FINE_ENUMERIC ? loss == 5 : rc == 0 && isfinite(loss), "%s: %d",
                          places[i], rc);
        }
}
END_TEST

START_TEST(no_step_on_spoilt_gradients)
{
    struct fine_sgd_options sgd;
    fine_optimizer *optimizers[2];
    double norm = 7;

    fine_sgd_options_init(&sgd, sizeof sgd);
    sgd.momentum = 0.9;
    OK(fine_optimizer_new_adamw(&optimizers[0], ctx, NULL));
    OK(fine_optimizer_new_sgd(&optimizers[1], ctx, &sgd));
    for (int i = 0; i < 2; i++) {
        fine_model_free(model);
        model = open_tiny(ctx, 3);
        OK(fine_model_backward(model, batch, 1, NULL));
        OK(fine_optimizer_step(optimizers[i], model, 1e-3));
        /* gradients so large that they overflow when they are added */
        OK(fine_model_backward(model, batch, 1e38, NULL));
        for (int k = 0; k < 40; k++)
            OK(fine_model_backward(model, batch, 1e38, NULL));
        const uint64_t hash = hash_of(model);

        FAILS(FINE_ENUMERIC, fine_optimizer_step(optimizers[i], model, 1e-3));
        FAILS(FINE_ENUMERIC, fine_model_clip_gradients(model, 1, &norm));
        ck_assert(norm > 6 && norm < 8);
        ck_assert(hash_of(model) == hash);
        OK(fine_model_zero_gradients(model));
        OK(fine_model_backward(model, batch, 1, NULL));
        OK(fine_optimizer_step(optimizers[i], model, 1e-3));
        ck_assert(hash_of(model) != hash);
        fine_optimizer_free(optimizers[i]);
    }
}
END_TEST

START_TEST(a_trainer_stops_before_it_spoils)
{
    static const char *const labels[] = { "no", "yes" };
    struct fine_trainer_options options;
    struct fine_task_options task;
    fine_dataset *data = tiny_rows(ctx, 16);
    fine_optimizer *optimizer;
    fine_trainer *trainer;

    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.labels = labels;
    task.n_labels = 2;
    fine_trainer_options_init(&options, sizeof options);
    options.steps = 6;
    options.batch_size = 4;
    for (int i = 0; i < COUNT(places); i++) {
        OK(fine_optimizer_new_adamw(&optimizer, ctx, NULL));
        fine_model_free(model);
        model = open_tiny(ctx, 3);
        OK(fine_model_set_task(model, &task));
        spoil(places[i], NAN);
        OK(fine_trainer_new(&trainer, model, data, optimizer, NULL, &options));
        const uint64_t hash = hash_of(model);

        FAILS(FINE_ENUMERIC, fine_trainer_step(trainer));
        FAILS(FINE_ENUMERIC, fine_trainer_step(trainer));
        FAILS(FINE_ENUMERIC, fine_trainer_fit(trainer, NULL));
        ck_assert(hash_of(model) == hash);
        ck_assert_int_eq(fine_trainer_progress(trainer)->step, 0);
        fine_trainer_free(trainer);
        fine_optimizer_free(optimizer);
    }
    fine_dataset_free(data);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { spoilt_weights_are_found, huge_weights,
                                   no_step_on_spoilt_gradients, a_trainer_stops_before_it_spoils };

    return run_tests_with(setup, teardown, "finite", tests, COUNT(tests));
}
