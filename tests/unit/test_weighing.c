/* test_weighing.c — class weights against scikit-learn's numbers, and what is refused. */
#include "fake_model.h"

#include "train/weighing.h"

static fine_context *ctx;
static fine_model *model;

static struct fine__weighing
weigh(struct fine__examples *examples, const char *how)
{
    struct fine_trainer_options o;
    struct fine__weighing w;

    fine_trainer_options_init(&o, sizeof o);
    o.class_weighting = how;
    ck_assert_int_eq(fine__weighing_init(&w, model, examples, &o), 0);
    return w;
}

/* compute_class_weight("balanced") of 6, 3 and 1 rows; Cui et al.'s by their formula. */
START_TEST(weights_from_counts)
{
    static const double balanced[] = { 10 / 18.0, 10 / 9.0, 10 / 3.0 };
    int32_t labels[] = { 0, 0, 0, 1, 0, 2, 1, 0, 1, 0 };
    struct fine__examples examples = { .n_rows = 10, .labels = labels };
    double effective[3], sum = 0;

    ctx = new_context(1);
    model = fake_model(ctx, FINE__CLASSIFY);
    ck_assert_int_eq(model->n_labels, 3);
    struct fine__weighing w = weigh(&examples, "balanced");

    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol((double)w.weights[i], balanced[i], 1e-6);
    ck_assert(w.differs);
    fine__weighing_free(&w);
    w = weigh(&examples, "effective");
    for (int i = 0; i < 3; i++) {
        effective[i] = (1 - 0.9999) / (1 - pow(0.9999, i == 0 ? 6 : i == 1 ? 3 : 1));
        sum += effective[i];
    }
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol((double)w.weights[i], effective[i] * 3 / sum, 1e-6);
    fine__weighing_free(&w);
    w = weigh(&examples, "none");
    ck_assert(!w.differs);
    fine__weighing_free(&w);
    fine__weighing_free(&w);
    fine__model_unref(model);
    free_context(ctx);
}
END_TEST

START_TEST(refuses)
{
    static const double given[] = { 1, 2 }, negative[] = { 1, -1, 1 };
    int32_t labels[] = { 0, 1, 2 };
    struct fine__examples examples = { .n_rows = 3, .labels = labels };
    struct fine_trainer_options o;
    struct fine__weighing w;

    ctx = new_context(1);
    model = fake_model(ctx, FINE__CLASSIFY);
    fine_trainer_options_init(&o, sizeof o);
    o.class_weights = given;
    o.n_class_weights = 2;
    ck_assert_int_eq(fine__weighing_init(&w, model, &examples, &o), FINE_EINVAL);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "2 numbers, and the task has 3"));
    fine__weighing_free(&w);
    o.class_weights = negative;
    o.n_class_weights = 3;
    ck_assert_int_eq(fine__weighing_init(&w, model, &examples, &o), FINE_EINVAL);
    fine__weighing_free(&w);
    o.n_class_weights = 0;
    o.label_smoothing = 0.1;
    o.focal_gamma = 2;
    ck_assert_int_eq(fine__weighing_init(&w, model, &examples, &o), FINE_EINVAL);
    fine__weighing_free(&w);
    fine__model_unref(model);
    model = fake_model(ctx, FINE__REGRESS);
    o.focal_gamma = 0;
    ck_assert_int_eq(fine__weighing_init(&w, model, &examples, &o), FINE_EINVAL);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "the task is regress"));
    fine__weighing_free(&w);
    fine__model_unref(model);
    free_context(ctx);
}
END_TEST

RUNNER("weighing", weights_from_counts, refuses)
