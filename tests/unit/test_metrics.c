/*
 * test_metrics.c — metrics.c, metrics_json.c and scores.c against scikit-learn 1.9.1
 * and scipy 1.17.1, whose results on the same made-up rows stand here as numbers.
 */
#include "runner.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/map.h"
#include "train/metrics.h"
#include "train/scores.h"

static fine_context *ctx;
static struct fine__buf text;

static void
begin(void)
{
    ctx = new_context(1);
    fine__buf_init(&text, ctx);
}

static void
end(void)
{
    fine__buf_free(&text);
    free_context(ctx);
}

/* A test between begin() and end(). */
#define CASE(name)          \
    static void name##_(void); \
    START_TEST(name)        \
    {                       \
        begin();            \
        name##_();          \
        end();              \
    }                       \
    END_TEST                \
    static void             \
    name##_(void)

/* The rows' generator: the same linear congruence made them for scikit-learn. */
static uint64_t lcg;

static int64_t
draw(void)
{
    lcg = (lcg * 1103515245 + 12345) % (UINT64_C(1) << 31);
    return (int64_t)(lcg >> 8);
}

static void
is_near(struct fine__metrics *metrics, const char *name, double expected, double within)
{
    double value;

    ck_assert_int_eq(fine__metrics_number(metrics, name, &value), 0);
    ck_assert_msg(fabs(value - expected) <= within, "%s is %.17g, not %.17g", name, value,
                  expected);
}

static struct fine__metrics *
new_classify(int64_t n_labels, const char *const *labels)
{
    struct fine__metrics *metrics;

    ck_assert_int_eq(fine__metrics_new(&metrics, ctx, "classify", labels, n_labels), 0);
    return metrics;
}

static struct fine__metrics *
new_regress(void)
{
    struct fine__metrics *metrics;

    ck_assert_int_eq(fine__metrics_new(&metrics, ctx, "regress", NULL, 0), 0);
    return metrics;
}

static struct fine__json *
written(struct fine__metrics *metrics, bool full)
{
    struct fine__json *json = NULL;

    fine__buf_clear(&text);
    fine__metrics_write(metrics, &text, full);
    ck_assert_int_eq(fine__buf_status(&text), 0);
    ck_assert_int_eq(fine__json_parse(&json, ctx, fine__buf_cstr(&text), text.length, "text"), 0);
    return json;
}

/* Labels below `used`; a prediction is right in right % of rows, else drawn. */
struct classify_case {
    int64_t n_labels, used, rows, right;
    uint64_t seed;
    double accuracy, macro_f1, matthews;
    double per_class[3];
};

static const struct classify_case classify_cases[] = {
    { 2, 2, 200, 80, 23, 0.89, 0.89, 0.7801780178017802, { 0.89, 0.89, -1 } },
    { 3, 3, 57, 60, 38, 0.7543859649122807, 0.7475987841945289, 0.6274523082437388,
      { 0.7142857142857143, 0.8085106382978723, 0.72 } },
    { 77, 77, 3000, 70, 105, 0.7123333333333334, 0.7091484535326469, 0.70853541231024,
      { 0.7096774193548387, 0.7792207792207793, 0.6984126984126984 } },
    { 10, 6, 150, 50, 52, 0.6066666666666667, 0.6025889429508627, 0.529602362615906,
      { 0.6129032258064516, 0.5365853658536586, 0.6181818181818182 } },
    { 1500, 1500, 4000, 60, 1542, 0.6035, 0.543178648462169, 0.6032408884740601,
      { 0.8, 0.75, 1.0 } },
    { 2, 2, 300, 20, 23, 0.6166666666666667, 0.6166624073600818, 0.23344816142565641,
      { 0.6179401993355482, 0.6153846153846154, -1 } },
};

static void
add_case(struct fine__metrics *metrics, const struct classify_case *c, bool grouped)
{
    lcg = c->seed;
    for (int64_t i = 0; i < c->rows; i++) {
        const int64_t truth = draw() % c->used;
        const int64_t predicted = draw() % 100 < c->right ? truth : draw() % c->used;

        ck_assert_int_eq(fine__metrics_add_class(metrics, truth, predicted, 0.5,
                                                 grouped && i % 3 != 0 ? i % 3 == 1 ? "one" : "two"
                                                                       : NULL), 0);
    }
}

static void
check_case(const struct classify_case *c)
{
    struct fine__metrics *metrics = new_classify(c->n_labels, NULL);
    struct fine__json *json;
    const struct fine__json *object;
    int64_t sum = 0, diagonal = 0;

    add_case(metrics, c, false);
    ck_assert_int_eq(fine__metrics_count(metrics), c->rows);
    is_near(metrics, "accuracy", c->accuracy, 1e-15);
    is_near(metrics, "micro_f1", c->accuracy, 1e-15);
    is_near(metrics, "macro_f1", c->macro_f1, 1e-14);
    is_near(metrics, "matthews", c->matthews, 1e-14);
    is_near(metrics, "loss", 0.5, 0);

    json = written(metrics, true);
    object = fine__json_get(json, "metrics");
    for (int64_t i = 0; i < 3 && c->per_class[i] >= 0; i++) {
        char name[32];

        snprintf(name, sizeof name, "LABEL_%d", (int)i);
        ck_assert_double_eq_tol(
            fine__json_double(fine__json_get(fine__json_get(object, "per_class_f1"), name), -1),
            c->per_class[i], 1e-15);
    }
    ck_assert_int_eq(fine__json_count(fine__json_get(object, "absent")),
                     c->n_labels == 10 ? 4 : c->n_labels == 1500 ? 29 : 0);
    if (c->n_labels <= FINE__CONFUSION_MAX) {
        const struct fine__json *rows = fine__json_get(object, "confusion");

        for (int64_t i = 0; i < c->n_labels; i++)
            for (int64_t j = 0; j < c->n_labels; j++) {
                const int64_t cell =
                    fine__json_int(fine__json_at(fine__json_at(rows, i), j), -1);

                sum += cell;
                diagonal += i == j ? cell : 0;
            }
        ck_assert_int_eq(sum, c->rows);
        ck_assert_double_eq_tol((double)diagonal / (double)sum, c->accuracy, 1e-15);
    } else {
        const struct fine__json *pairs = fine__json_get(object, "confusion_pairs");
        int64_t last = INT64_MAX;

        ck_assert_ptr_null(fine__json_get(object, "confusion"));
        ck_assert_int_eq(fine__json_count(pairs), 1000);
        for (int64_t i = 0; i < 1000; i++) {
            const int64_t count =
                fine__json_int(fine__json_at(fine__json_at(pairs, i), 2), -1);

            ck_assert(count >= 1 && count <= last);
            last = count;
        }
    }
    fine__json_free(json);
    fine__metrics_free(metrics);
}

CASE(classify_as_sklearn)
{
    for (int64_t i = 0; i < FINE__COUNT(classify_cases); i++)
        check_case(&classify_cases[i]);
}

CASE(confusion_has_truth_in_rows)
{
    static const char *const labels[] = { "a \"quoted\" <b>", "b" };
    struct fine__metrics *metrics = new_classify(2, labels);

    add_case(metrics, &classify_cases[0], false);
    fine__metrics_write_object(metrics, &text, true);
    ck_assert_str_eq(fine__buf_cstr(&text),
                     "{\"loss\":0.5,\"accuracy\":0.89,\"macro_f1\":0.89,\"micro_f1\":0.89,"
                     "\"matthews\":0.7801780178017802,"
                     "\"per_class_f1\":{\"a \\\"quoted\\\" <b>\":0.89,\"b\":0.89},"
                     "\"confusion\":[[89,10],[12,89]]}");
    fine__metrics_free(metrics);
}

CASE(degenerate_is_said)
{
    struct fine__metrics *metrics = new_classify(3, NULL);
    struct fine__json *json;
    double value;

    json = written(metrics, true);   /* no rows */
    ck_assert_int_eq(fine__json_count(fine__json_get(fine__json_get(json, "metrics"),
                                                     "degenerate")), 4);
    fine__json_free(json);
    ck_assert_int_eq(fine__metrics_number(metrics, "loss", &value), 0);
    ck_assert_double_eq(value, 0);

    fine__metrics_add_class(metrics, 1, 1, 0.25, NULL);
    fine__metrics_add_class(metrics, 2, 1, 0.75, NULL);
    fine__buf_clear(&text);
    fine__metrics_write(metrics, &text, true);
    ck_assert_str_eq(fine__buf_cstr(&text),
                     "{\"n\":2,\"loss\":0.5,\"metrics\":{\"loss\":0.5,\"accuracy\":0.5,"
                     "\"macro_f1\":0.3333333333333333,\"micro_f1\":0.5,\"matthews\":0,"
                     "\"per_class_f1\":{\"LABEL_0\":0,\"LABEL_1\":0.6666666666666666,"
                     "\"LABEL_2\":0},\"confusion\":[[0,0,0],[0,1,0],[0,1,0]],"
                     "\"absent\":[\"LABEL_0\"],\"degenerate\":[\"matthews\"]},\"groups\":{}}");
    fine__buf_clear(&text);
    fine__metrics_write(metrics, &text, false);
    ck_assert_str_eq(fine__buf_cstr(&text),
                     "{\"n\":2,\"loss\":0.5,\"metrics\":{\"loss\":0.5,\"accuracy\":0.5,"
                     "\"macro_f1\":0.3333333333333333,\"micro_f1\":0.5,\"matthews\":0},"
                     "\"groups\":{}}");
    fine__metrics_free(metrics);
}

static void
add_numbers(struct fine__metrics *metrics, int64_t rows, int64_t levels)
{
    lcg = (uint64_t)(rows + levels);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t a = draw() % levels, b = a + draw() % levels;
        const double truth = (double)a / 4, predicted = (double)b / 8 - 1;

        ck_assert_int_eq(fine__metrics_add_value(metrics, truth, predicted, 1,
                                                 i % 2 ? "odd" : "even"), 0);
    }
}

CASE(regress_as_scipy)
{
    struct fine__metrics *metrics = new_regress();

    add_numbers(metrics, 40, 6);
    is_near(metrics, "pearson", 0.8139478430962797, 1e-14);
    is_near(metrics, "spearman", 0.8234047070414738, 1e-14);
    is_near(metrics, "rmse", 1.1300235063926767, 1e-14);
    fine__metrics_reset(metrics);
    add_numbers(metrics, 500, 100000);
    is_near(metrics, "pearson", 0.6839485957149362, 1e-14);
    is_near(metrics, "spearman", 0.669858183662524, 1e-14);
    is_near(metrics, "rmse", 5292.286072486185, 1e-10);
    fine__metrics_free(metrics);
}

CASE(regress_extremes)
{
    static const double y[] = { 2, 1, 4, 3 }, x[] = { 1, 2, 3, 5 };
    struct fine__metrics *metrics = new_regress();
    struct fine__json *json;

    for (int i = 0; i < 4; i++)   /* far from 0, where squares of the values would drown */
        fine__metrics_add_value(metrics, 1e8 + x[i], y[i], 0, NULL);
    is_near(metrics, "pearson", 0.529150262212918, 1e-12);
    is_near(metrics, "spearman", 0.6, 1e-15);

    fine__metrics_reset(metrics);
    for (int i = 0; i < 4; i++)
        fine__metrics_add_value(metrics, x[i] * 1e140, y[i] * 1e-300, 0, NULL);
    is_near(metrics, "pearson", 0.529150262212918, 1e-12);

    fine__metrics_reset(metrics);
    for (int i = 0; i < 10; i++)   /* constant, and its mean isn't quite 0.1 */
        fine__metrics_add_value(metrics, 0.1, i, 0, NULL);
    json = written(metrics, true);
    is_near(metrics, "pearson", 0, 0);
    is_near(metrics, "spearman", 0, 0);
    ck_assert_int_eq(fine__json_count(fine__json_get(fine__json_get(json, "metrics"),
                                                     "degenerate")), 2);
    fine__json_free(json);

    fine__metrics_reset(metrics);
    json = written(metrics, true);
    ck_assert_int_eq(fine__json_count(fine__json_get(fine__json_get(json, "metrics"),
                                                     "degenerate")), 3);
    fine__json_free(json);

    ck_assert_int_eq(fine__metrics_add_value(metrics, NAN, 0, 0, NULL), FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_add_value(metrics, 0, HUGE_VAL, 0, NULL), FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_add_value(metrics, 0, 0, NAN, NULL), FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_add_output(metrics, 3, 1e200, NULL), FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_count(metrics), 0);
    ck_assert_int_eq(fine__metrics_add_output(metrics, 3, 1, NULL), 0);
    is_near(metrics, "loss", 4, 0);
    is_near(metrics, "rmse", 2, 0);
    fine__metrics_free(metrics);
}

CASE(logits)
{
    static const fine__real rows[3][3] = { { 1.5f, -0.25f, 0.75f }, { 0, 2, 2 }, { 30, -30, 5 } };
    static const int64_t truth[] = { 0, 2, 1 };
    static const double loss[] = { 0.4984334547431499, 0.7586236756795135, 60.00000000001389 };
    fine__real bad[3] = { 0, 0, 0 };
    struct fine__metrics *metrics = new_classify(3, NULL);

    for (int i = 0; i < 3; i++) {
        fine__metrics_reset(metrics);
        ck_assert_int_eq(fine__metrics_add_logits(metrics, rows[i], truth[i], NULL), 0);
        is_near(metrics, "loss", loss[i], 1e-13);
        is_near(metrics, "accuracy", i == 0, 0);   /* a tie goes to the first */
    }
    bad[1] = (fine__real)NAN;
    ck_assert_int_eq(fine__metrics_add_logits(metrics, bad, 0, NULL), FINE_ENUMERIC);
    ck_assert_int_eq(fine__metrics_add_logits(metrics, rows[0], 3, NULL), FINE_EDATA);
    ck_assert_int_eq(fine__metrics_add_logits(metrics, rows[0], -1, NULL), FINE_EDATA);
    ck_assert_int_eq(fine__metrics_count(metrics), 1);
    fine__metrics_free(metrics);
}

static double
of_group(const struct fine__json *json, const char *group, const char *key)
{
    return fine__json_double(fine__json_get(fine__json_get(fine__json_get(json, "groups"), group),
                                            key), -99);
}

CASE(groups_are_counted_apart)
{
    struct fine__metrics *metrics = new_classify(77, NULL), *alone = new_classify(77, NULL);
    const struct classify_case *c = &classify_cases[2];
    struct fine__json *json;
    double value;

    add_case(metrics, c, true);
    lcg = c->seed;
    for (int64_t i = 0; i < c->rows; i++) {
        const int64_t truth = draw() % c->used;
        const int64_t predicted = draw() % 100 < c->right ? truth : draw() % c->used;

        if (i % 3 == 1)
            fine__metrics_add_class(alone, truth, predicted, 0.5, NULL);
    }
    json = written(metrics, false);
    ck_assert_double_eq(of_group(json, "one", "n"), 1000);
    ck_assert_double_eq(of_group(json, "two", "loss"), 0.5);
    fine__metrics_number(alone, "macro_f1", &value);
    ck_assert_double_eq(of_group(json, "one", "macro_f1"), value);
    fine__metrics_number(alone, "matthews", &value);
    ck_assert_double_eq(of_group(json, "one", "matthews"), value);
    is_near(metrics, "accuracy", c->accuracy, 1e-15);
    fine__json_free(json);
    fine__metrics_free(metrics);
    fine__metrics_free(alone);

    metrics = new_regress();
    alone = new_regress();
    for (int i = 0; i < 50; i++) {
        fine__metrics_add_value(metrics, i, i * i % 17, 1, i % 2 ? "odd" : "even");
        if (i % 2)
            fine__metrics_add_value(alone, i, i * i % 17, 1, NULL);
    }
    json = written(metrics, true);
    fine__metrics_number(alone, "spearman", &value);
    ck_assert_double_eq(of_group(json, "odd", "spearman"), value);
    fine__metrics_number(alone, "rmse", &value);
    ck_assert_double_eq(of_group(json, "odd", "rmse"), value);
    fine__json_free(json);
    fine__metrics_free(metrics);
    fine__metrics_free(alone);
}

CASE(groups_are_bounded)
{
    struct fine__metrics *metrics = new_classify(2, NULL);
    struct fine__json *json;
    char name[32];

    for (int i = 0; i < FINE__GROUPS_MAX + 50; i++) {
        snprintf(name, sizeof name, "group %d", i);
        ck_assert_int_eq(fine__metrics_add_class(metrics, 0, 1, 1, name), 0);
    }
    json = written(metrics, false);
    ck_assert_int_eq(fine__json_count(fine__json_get(json, "groups")), FINE__GROUPS_MAX);
    ck_assert_int_eq(fine__json_int(fine__json_get(json, "ungrouped"), -1), 50);
    ck_assert_int_eq(fine__json_int(fine__json_get(json, "n"), -1), FINE__GROUPS_MAX + 50);
    fine__json_free(json);
    fine__metrics_free(metrics);

    metrics = new_classify(600000, NULL);
    fine__metrics_add_class(metrics, 0, 1, 1, "fits");
    fine__metrics_add_class(metrics, 0, 1, 1, "does not");
    json = written(metrics, false);
    ck_assert_int_eq(fine__json_count(fine__json_get(json, "groups")), 1);
    ck_assert_int_eq(fine__json_int(fine__json_get(json, "ungrouped"), -1), 1);
    fine__json_free(json);
    fine__metrics_free(metrics);
}

static void
check_second_pass(const struct classify_case *c)
{
    struct fine__metrics *metrics = new_classify(c->n_labels, NULL), *numbers = new_regress();
    int64_t before;
    double value;

    add_case(metrics, c, true);
    add_numbers(numbers, 1000, 50);
    before = fine_context_allocations(ctx);
    fine__metrics_reset(metrics);
    fine__metrics_reset(numbers);
    add_case(metrics, c, true);
    add_numbers(numbers, 1000, 50);
    is_near(metrics, "macro_f1", c->macro_f1, 1e-14);
    ck_assert_int_eq(fine__metrics_number(numbers, "spearman", &value), 0);
    ck_assert_int_eq(fine_context_allocations(ctx), before);
    fine__metrics_free(metrics);
    fine__metrics_free(numbers);
}

CASE(second_pass_allocates_nothing)
{
    for (int64_t i = 0; i < FINE__COUNT(classify_cases); i++)
        check_second_pass(&classify_cases[i]);
}

CASE(ranks_share_their_mean)
{
    static const double values[] = { 3, 1, 3, 2, 3, 1 }, expected[] = { 5, 1.5, 5, 3, 5, 1.5 };
    struct fine__ranked scratch[1000];
    double ranks[6];

    fine__ranks(values, 6, scratch, ranks);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(ranks[i], expected[i]);
    lcg = 1;
    for (int n = 0; n <= 1000; n += n < 20 ? 1 : 140) {
        for (int i = 0; i < n; i++)
            scratch[i] = (struct fine__ranked){ (double)(draw() % 40), i };
        fine__sort_ranked(scratch, n);
        for (int i = 1; i < n; i++)
            ck_assert(scratch[i - 1].value < scratch[i].value
                      || (scratch[i - 1].value == scratch[i].value
                          && scratch[i - 1].index < scratch[i].index));
    }
}

CASE(names)
{
    struct fine__metrics *metrics = new_classify(2, NULL), *none = NULL;
    double value = 5;

    ck_assert_str_eq(fine__metric_names("classify")[0], "loss");
    ck_assert_str_eq(fine__metric_names("regress")[0], "loss");
    ck_assert_ptr_null(fine__metric_names("draw"));
    ck_assert(fine__metric_valid("regress", "spearman"));
    ck_assert(!fine__metric_valid("regress", "accuracy"));
    ck_assert(!fine__metric_valid("draw", "loss"));
    ck_assert(fine__metric_higher_is_better("macro_f1"));
    ck_assert(!fine__metric_higher_is_better("rmse"));
    ck_assert(fine__metric_better("loss", 1, fine__metric_worst("loss")));
    ck_assert(fine__metric_better("accuracy", 0, fine__metric_worst("accuracy")));
    ck_assert(!fine__metric_better("accuracy", 0.5, 0.5));
    ck_assert_int_eq(fine__metrics_number(metrics, "pearson", &value), FINE_EINVAL);
    ck_assert_double_eq(value, 5);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "macro_f1"));
    ck_assert_int_eq(fine__metrics_new(&none, ctx, "tag", NULL, 2), FINE_EINVAL);
    ck_assert_int_eq(fine__metrics_new(&none, ctx, "classify", NULL, 0), FINE_EINVAL);
    ck_assert_ptr_null(none);
    fine__metrics_free(NULL);
    fine__metrics_free(metrics);
}

/* Whatever allocation fails: one error code, nothing counted in part, nothing lost. */
START_TEST(out_of_memory)
{
    static const char *const labels[] = { "a", "b", "c" };
    struct faulty faulty;
    bool done = false;

    for (long long n = 1; !done; n++) {
        struct fine__metrics *metrics = NULL;
        struct fine__buf out;
        int rc;

        ctx = new_faulty_context(&faulty, 1);
        faulty.fail_at = n;
        fine__buf_init(&out, ctx);
        rc = fine__metrics_new(&metrics, ctx, n % 2 ? "classify" : "regress", labels, 3);
        for (int i = 0; rc == 0 && i < 300; i++) {
            rc = n % 2 ? fine__metrics_add_class(metrics, i % 3, i % 2, 1, i % 2 ? "x" : "y")
                       : fine__metrics_add_value(metrics, i, i, 1, i % 2 ? "x" : "y");
            if (rc < 0)
                ck_assert_int_eq(fine__metrics_count(metrics), i);
        }
        if (rc == 0) {
            fine__metrics_write(metrics, &out, true);
            rc = fine__buf_status(&out);
            done = rc == 0;
        }
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        fine__metrics_free(metrics);
        fine__buf_free(&out);
        free_context(ctx);
    }
}
END_TEST

RUNNER("metrics", classify_as_sklearn, confusion_has_truth_in_rows, degenerate_is_said,
       regress_as_scipy, regress_extremes, logits, groups_are_counted_apart, groups_are_bounded,
       second_pass_allocates_nothing, ranks_share_their_mean, names, out_of_memory)
