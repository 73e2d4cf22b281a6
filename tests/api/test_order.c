/*
 * test_order.c — calls at the wrong time: FINE_ESTATE with a message, nothing changed, and the
 * right order works afterwards.
 */
#include "api.h"

static fine_context *ctx;
static fine_model *model;
static fine_dataset *data;
static fine_optimizer *optimizer;

static void
give_task(fine_model *to)
{
    static const char *const labels[] = { "no", "yes" };
    struct fine_task_options task;

    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.labels = labels;
    task.n_labels = 2;
    OK(fine_model_set_task(to, &task));
}

static void
setup(void)
{
    ctx = new_context(1);
    model = open_tiny(ctx, 0);
    data = tiny_rows(ctx, 12);
    OK(fine_optimizer_new_adamw(&optimizer, ctx, NULL));
}

static void
teardown(void)
{
    fine_model_free(model);
    fine_dataset_free(data);
    fine_optimizer_free(optimizer);
    free_context(ctx);
}

static struct fine_trainer_options
trainer_options(void)
{
    struct fine_trainer_options options;

    fine_trainer_options_init(&options, sizeof options);
    options.steps = 3;
    options.batch_size = 4;
    return options;
}

START_TEST(without_a_task)
{
    static const char *const texts[] = { "w1 w2" };
    const struct fine_trainer_options options = trainer_options();
    fine_tensors *with_labels = tiny_batch(ctx, 2), *plain = tiny_batch(ctx, 0), *out = NULL;
    fine_session *session;
    fine_report *report = NULL;
    fine_trainer *trainer = NULL;

    ck_assert_str_eq(fine_model_task(model), "");
    ck_assert_int_eq(fine_model_n_labels(model), 0);
    FAILS(FINE_ESTATE, fine_model_forward(model, with_labels, 0, &out));
    FAILS(FINE_ESTATE, fine_model_backward(model, with_labels, 1, NULL));
    FAILS(FINE_ESTATE, fine_model_backward(model, plain, 1, NULL));
    FAILS(FINE_ESTATE, fine_model_forward(model, plain, FINE_PARAM_GRADIENTS, &out));
    FAILS(FINE_ESTATE, fine_trainer_new(&trainer, model, data, optimizer, NULL, &options));
    OK(fine_session_new(&session, model));
    FAILS(FINE_ESTATE, fine_session_predict(session, texts, NULL, 1));
    FAILS(FINE_ESTATE, fine_session_predict(session, NULL, NULL, 0));
    FAILS(FINE_ESTATE, fine_session_evaluate(session, data, &report));
    OK(fine_session_embed(session, texts, 1, NULL));
    ck_assert_ptr_null(out);
    ck_assert_ptr_null(trainer);
    ck_assert_ptr_null(report);
    fine_session_free(session);
    OK(fine_model_forward(model, plain, FINE_HIDDEN_STATES, &out));
    ck_assert_int_lt(fine_tensors_get(out, "logits", NULL, NULL, NULL, NULL), 0);
    fine_tensors_free(out);
    fine_tensors_free(plain);
    fine_tensors_free(with_labels);
}
END_TEST

START_TEST(without_a_tokenizer)
{
    static const char *const texts[] = { "w1 w2" };
    const struct fine_trainer_options options = trainer_options();
    fine_model *bare;
    fine_session *session;
    fine_report *report = NULL;
    fine_trainer *trainer = NULL;
    fine_tensors *batch = tiny_batch(ctx, 2);

    OK(open_parts(&bare, ctx, tiny_config, strlen(tiny_config), NULL, tiny_weights(ctx, "", 0)));
    give_task(bare);
    OK(fine_model_backward(bare, batch, 1, NULL));
    OK(fine_session_new(&session, bare));
    FAILS(FINE_ESTATE, fine_session_predict(session, texts, NULL, 1));
    FAILS(FINE_ESTATE, fine_session_embed(session, texts, 1, NULL));
    ck_assert_int_lt(fine_session_evaluate(session, data, &report), 0);
    fine_session_free(session);
    ck_assert_int_lt(fine_trainer_new(&trainer, bare, data, optimizer, NULL, &options), 0);
    ck_assert_str_ne(fine_error_message(), "");
    ck_assert_ptr_null(trainer);
    ck_assert_ptr_null(report);
    fine_tensors_free(batch);
    fine_model_free(bare);
}
END_TEST

/* What changes a model, or would change what others read of it. */
static void
check_locked(int code)
{
    fine_tensors *batch = tiny_batch(ctx, 2), *out = NULL;
    struct fine_task_options task;
    const float zeros[2] = { 0 };

    fine_task_options_init(&task, sizeof task);
    task.type = "regress";
    FAILS(code, fine_model_set_task(model, &task));
    FAILS(code, fine_model_freeze(model, "all"));
    FAILS(code, fine_model_set_values(model, "classifier.bias", zeros, 2));
    FAILS(code, fine_model_backward(model, batch, 1, NULL));
    FAILS(code, fine_model_forward(model, batch, FINE_PARAM_GRADIENTS, &out));
    ck_assert_ptr_null(out);
    ck_assert_str_eq(fine_model_task(model), "classify");
    fine_tensors_free(batch);
}

START_TEST(while_a_session_reads)
{
    const struct fine_trainer_options options = trainer_options();
    fine_session *session, *second;
    fine_trainer *trainer = NULL;
    fine_tensors *batch = tiny_batch(ctx, 2);

    give_task(model);
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_session_new(&session, model));
    OK(fine_session_new(&second, model));
    for (int i = 0; i < 2; i++) {
        check_locked(FINE_ESTATE);
        FAILS(FINE_ESTATE, fine_trainer_new(&trainer, model, data, optimizer, NULL, &options));
        FAILS(FINE_ESTATE, fine_optimizer_step(optimizer, model, 1e-3));
        if (i == 0)
            fine_session_free(second);
    }
    fine_session_free(session);
    OK(fine_optimizer_step(optimizer, model, 1e-3));
    OK(fine_model_freeze(model, "all"));
    fine_tensors_free(batch);
}
END_TEST

START_TEST(while_a_trainer_holds_it)
{
    const struct fine_trainer_options options = trainer_options();
    fine_session *session = NULL;
    fine_trainer *trainer, *second = NULL;
    fine_optimizer *other;

    give_task(model);
    OK(fine_optimizer_new_adamw(&other, ctx, NULL));
    OK(fine_trainer_new(&trainer, model, data, optimizer, NULL, &options));
    check_locked(FINE_ESTATE);
    FAILS(FINE_ESTATE, fine_session_new(&session, model));
    FAILS(FINE_ESTATE, fine_trainer_new(&second, model, data, other, NULL, &options));
    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    check_locked(FINE_ESTATE);
    FAILS(FINE_ESTATE, fine_dataset_add(data, "w1", NULL, "no", NULL));
    FAILS(FINE_ESTATE, fine_trainer_evaluate(trainer, NULL)); /* no validation data */
    FAILS(FINE_ESTATE, fine_trainer_checkpoint(trainer));     /* no folder */
    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    ck_assert_int_eq(fine_trainer_step(trainer), 1);
    ck_assert_int_eq(fine_trainer_step(trainer), 0);
    ck_assert_int_eq(fine_trainer_step(trainer), 0);
    ck_assert_int_eq(fine_trainer_finished(trainer), 1);
    OK(fine_trainer_finish(trainer, NULL));
    OK(fine_trainer_finish(trainer, NULL));
    fine_trainer_free(trainer);
    ck_assert_ptr_null(session);
    ck_assert_ptr_null(second);
    OK(fine_session_new(&session, model));
    fine_session_free(session);
    fine_optimizer_free(other);
}
END_TEST

START_TEST(an_optimizer_and_its_model)
{
    fine_tensors *batch = tiny_batch(ctx, 2);
    fine_model *other = open_tiny(ctx, 2);

    give_task(model);
    FAILS(FINE_ESTATE, fine_optimizer_step(optimizer, model, 1e-3)); /* no gradients */
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_model_backward(other, batch, 1, NULL));
    FAILS(FINE_EINVAL, fine_optimizer_step(optimizer, model, NAN));
    FAILS(FINE_EINVAL, fine_optimizer_step(optimizer, model, -1));
    OK(fine_optimizer_step(optimizer, model, 1e-3));
    FAILS(FINE_ESTATE, fine_optimizer_step(optimizer, other, 1e-3));
    OK(fine_model_freeze(model, "all")); /* something else is trained now */
    OK(fine_model_backward(model, batch, 1, NULL));
    FAILS(FINE_ESTATE, fine_optimizer_step(optimizer, model, 1e-3));
    OK(fine_model_freeze(model, "none"));
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_optimizer_step(optimizer, model, 1e-3));
    fine_model_free(other);
    fine_tensors_free(batch);
}
END_TEST

/* What was computed stays away from what is frozen meanwhile. */
START_TEST(gradients_follow_what_is_trained)
{
    static const char name[] = "encoder.layer.0.output.dense.weight";
    fine_tensors *batch = tiny_batch(ctx, 2);
    const float *gradient;
    int64_t count;

    give_task(model);
    FAILS(FINE_ESTATE, fine_model_gradient(model, name, &gradient, &count));
    OK(fine_model_zero_gradients(model));
    OK(fine_model_clip_gradients(model, 1, NULL));
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_model_gradient(model, name, &gradient, &count));
    ck_assert_int_eq(count, WIDTH * INNER);
    OK(fine_model_freeze(model, "embeddings..1"));
    FAILS(FINE_ESTATE, fine_model_gradient(model, name, &gradient, &count));
    OK(fine_model_backward(model, batch, 1, NULL));
    FAILS(FINE_ESTATE, fine_model_gradient(model, name, &gradient, &count));
    OK(fine_model_gradient(model, "classifier.weight", &gradient, &count));
    give_task(model); /* the head stays, and so does this */
    OK(fine_model_freeze(model, "none"));
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_model_gradient(model, name, &gradient, &count));
    fine_tensors_free(batch);
}
END_TEST

/* By hand: twice half the gradient is once the whole. */
START_TEST(gradients_add_up)
{
    static float once[WIDTH * INNER];
    static const char name[] = "encoder.layer.1.output.dense.weight";
    fine_tensors *batch = tiny_batch(ctx, 2);
    const float *gradient;
    double norm, again, largest = 0;
    int64_t count;

    give_task(model);
    OK(fine_model_backward(model, batch, 1, NULL));
    OK(fine_model_gradient(model, name, &gradient, &count));
    memcpy(once, gradient, sizeof once);
    OK(fine_model_clip_gradients(model, 0, &norm));
    OK(fine_model_zero_gradients(model));
    OK(fine_model_clip_gradients(model, 0, &again));
    ck_assert(again == 0);
    OK(fine_model_backward(model, batch, 0.5, NULL));
    OK(fine_model_backward(model, batch, 0.5, NULL));
    OK(fine_model_gradient(model, name, &gradient, &count));
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)(gradient[i] - once[i])));
    ck_assert(largest <= 1e-6 * norm);
    OK(fine_model_clip_gradients(model, norm / 3, &again));
    ck_assert(fabs(again - norm) <= 1e-5 * norm); /* before clipping */
    OK(fine_model_clip_gradients(model, 0, &again));
    ck_assert(fabs(again - norm / 3) <= 1e-5 * norm);
    /* an evaluation between two backwards leaves them alone; one with gradients starts anew */
    fine_tensors *out;

    OK(fine_model_forward(model, batch, FINE_HIDDEN_STATES, &out));
    fine_tensors_free(out);
    OK(fine_model_clip_gradients(model, 0, &again));
    ck_assert(fabs(again - norm / 3) <= 1e-5 * norm);
    OK(fine_model_forward(model, batch, FINE_PARAM_GRADIENTS, &out));
    fine_tensors_free(out);
    OK(fine_model_clip_gradients(model, 0, &again));
    ck_assert(fabs(again - norm) <= 1e-5 * norm);
    fine_tensors_free(batch);
}
END_TEST

/* A session and its results after errors and repeated calls. */
START_TEST(a_session_and_its_answers)
{
    static const char *const texts[] = { "w1 w2", "w3", "w4 w5 w6" };
    static const char *const hole[] = { "w1", NULL };
    fine_session *session;
    fine_report *report = NULL;
    fine_dataset *empty, *unknown;
    struct fine_embed_options embed;
    int64_t count = 77;

    give_task(model);
    OK(fine_session_new(&session, model));
    ck_assert_ptr_null(fine_session_scores(session, 0));
    ck_assert_int_eq(fine_session_label(session, 0), -1);
    ck_assert(isnan(fine_session_value(session, 0)));
    ck_assert_ptr_null(fine_session_embedding(session, 0, &count));
    OK(fine_session_predict(session, texts, NULL, 3));
    ck_assert_ptr_nonnull(fine_session_scores(session, 2));
    ck_assert_ptr_null(fine_session_scores(session, 3));
    ck_assert_ptr_null(fine_session_scores(session, -1));
    ck_assert_ptr_null(fine_session_scores(session, INT64_MAX));
    FAILS(FINE_EINVAL, fine_session_predict(session, hole, NULL, 2));
    FAILS(FINE_EINVAL, fine_session_predict(session, texts, NULL, -1));
    FAILS(FINE_EINVAL, fine_session_predict(session, NULL, NULL, 1));
    ck_assert_ptr_nonnull(fine_session_scores(session, 2));
    fine_embed_options_init(&embed, sizeof embed);
    embed.pool = "pooler";
    FAILS(FINE_EINVAL, fine_session_embed(session, texts, 3, &embed));
    embed.pool = "mean";
    embed.max_length = POSITIONS + 1;
    FAILS(FINE_EINVAL, fine_session_embed(session, texts, 3, &embed));
    embed.max_length = -1;
    FAILS(FINE_EINVAL, fine_session_embed(session, texts, 3, &embed));
    embed.max_length = 3;
    OK(fine_session_embed(session, texts, 3, &embed));
    ck_assert_ptr_nonnull(fine_session_embedding(session, 2, &count));
    ck_assert_int_eq(count, WIDTH);
    ck_assert_ptr_nonnull(fine_session_scores(session, 2)); /* both kinds stay */
    OK(fine_dataset_new(&empty, ctx, NULL));
    FAILS(FINE_EDATA, fine_session_evaluate(session, empty, &report));
    OK(fine_dataset_new(&unknown, ctx, NULL));
    OK(fine_dataset_add(unknown, "w1", NULL, "perhaps", NULL));
    FAILS(FINE_EDATA, fine_session_evaluate(session, unknown, &report));
    ck_assert_ptr_null(report);
    OK(fine_session_evaluate(session, data, &report));
    ck_assert_ptr_nonnull(strstr(fine_report_json(report), "\"accuracy\""));
    fine_report_free(report);
    OK(fine_session_predict(session, texts, NULL, 0));
    fine_dataset_free(empty);
    fine_dataset_free(unknown);
    fine_session_free(session);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        without_a_task,           without_a_tokenizer,        while_a_session_reads,
        while_a_trainer_holds_it, an_optimizer_and_its_model, gradients_follow_what_is_trained,
        gradients_add_up,         a_session_and_its_answers
    };

    return run_tests_with(setup, teardown, "order", tests, COUNT(tests));
}
