/*
 * test_norms.c — running statistics: what moves them and what doesn't, a step that fails,
 * and that checkpoints, best weights and folders hold them to the bit.
 */
#include "images.h"

#include <math.h>

#include "io/checkpoint.h"
#include "train/trainer.h"

static fine_context *ctx;
static fine_model *model;
static struct fine__runner *runner;
static struct fine__batch batch;

static void
begin(void)
{
    ctx = new_context(2);
    model = open_network(ctx, BASIC);
    batch = make_images();
    ck_assert_int_eq(fine__runner_new(&runner, model), 0);
}

static void
end(void)
{
    fine__runner_free(runner);
    fine_model_free(model);
    free_context(ctx);
}

static struct fine__statistics
copy_now(void)
{
    struct fine__statistics copy;

    ck_assert_int_eq(fine__statistics_new(ctx, &model->norms, &copy), 0);
    fine__statistics_copy(&model->norms, &copy, &model->norms.now);
    return copy;
}

/* Whether norm i is to the bit what it was. */
static bool
is_same(int64_t i, const struct fine__statistics *then)
{
    const struct fine__norm *norm = &model->norms.list[i];

    return model->norms.now.batches[i] == then->batches[i] &&
           memcmp(model->norms.now.values + norm->at, then->values + norm->at,
                  (size_t)(2 * norm->channels) * sizeof *then->values) == 0;
}

static bool
all_same(const struct fine__statistics *then)
{
    for (int64_t i = 0; i < model->norms.count; i++)
        if (!is_same(i, then))
            return false;
    return true;
}

START_TEST(training_moves_a_copy)
{
    begin();
    struct fine__statistics before = copy_now(), once, twice;

    ck_assert_int_eq(model->norms.count, 1 + 2 + 3);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    ck_assert(all_same(&before));
    fine__runner_commit(runner);
    for (int64_t i = 0; i < model->norms.count; i++)
        ck_assert(!is_same(i, &before) && model->norms.now.batches[i] == 1);
    once = copy_now();
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_discard(runner);
    fine__runner_commit(runner);
    ck_assert(all_same(&once));
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    twice = copy_now();
    /* two micro-batches of one step: the second goes on from the first */
    fine__statistics_copy(&model->norms, &model->norms.now, &before);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    ck_assert(all_same(&before));
    fine__runner_commit(runner);
    ck_assert(all_same(&twice));
    fine__statistics_free(ctx, &before);
    fine__statistics_free(ctx, &once);
    fine__statistics_free(ctx, &twice);
    end();
}
END_TEST

START_TEST(evaluation_moves_nothing)
{
    struct fine__run run = { .batch = &batch, .backward = true, .loss_weight = 1 };

    begin();
    struct fine__statistics before = copy_now();

    ck_assert_int_eq(fine__runner_run(runner, &run), 0);
    fine__runner_commit(runner);
    ck_assert(all_same(&before));
    fine__statistics_free(ctx, &before);
    end();
}
END_TEST

static void
check_frozen(const char *spec, uint32_t moved)
{
    begin();
    struct fine__statistics before = copy_now();

    ck_assert_int_eq(fine_model_freeze(model, spec), 0);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    for (int64_t i = 0; i < model->norms.count; i++)
        ck_assert_msg(is_same(i, &before) == !(moved >> i & 1), "%s: norm %d", spec, (int)i);
    fine__statistics_free(ctx, &before);
    end();
}

START_TEST(frozen_norms_stay)
{
    check_frozen("none", 077);
    check_frozen("stem", 076);
    check_frozen("stem..1", 070);
    check_frozen("all", 0);
    check_frozen("*bn*,*downsample.1.*", 0);
    check_frozen("*.bn1.weight", 077);      /* its bias is trained yet */
    check_frozen("layer2.0.bn1.*", 067);
}
END_TEST

START_TEST(a_step_that_fails_leaves_them)
{
    begin();
    struct fine__statistics before = copy_now();
    const int64_t last = model->params.count - 2;
    fine__real *weight = model->params.list[last].tensor.data, kept = weight[0];

    ck_assert_int_eq(train_once(runner, &batch), 0);
    weight[0] = (fine__real)INFINITY;
    ck_assert_int_eq(train_once(runner, &batch), FINE_ENUMERIC);
    fine__runner_commit(runner);
    ck_assert(all_same(&before));
    weight[0] = kept;
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    ck_assert_int_eq(model->norms.now.batches[0], 1);
    fine__statistics_free(ctx, &before);
    end();
}
END_TEST

START_TEST(one_value_has_no_variance)
{
    begin();
    struct fine__statistics before = copy_now();

    batch.n_seqs = batch.height = batch.width = 1;
    ck_assert_int_eq(train_once(runner, &batch), FINE_EDATA);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "bn1.weight"));
    fine__runner_commit(runner);
    ck_assert(all_same(&before));
    /* by the running ones it is an image like any other */
    ck_assert_int_eq(fine_model_freeze(model, "all"), 0);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__statistics_free(ctx, &before);
    end();
}
END_TEST

/* ---- written and read ---- */

static struct fine__source *
write_state(const char *folder)
{
    struct fine__checkpoint_writer *writer;
    struct fine__source *source;

    ck_assert_int_eq(fine__checkpoint_begin(&writer, ctx, folder, "step-000001"), 0);
    ck_assert_int_eq(fine__state_add_weights(writer, model), 0);
    ck_assert_int_eq(fine__checkpoint_commit(writer), 0);
    ck_assert_int_eq(fine__checkpoint_open(&source, ctx, folder, "step-000001"), 0);
    return source;
}

START_TEST(checkpoints_hold_them)
{
    char folder[] = "/tmp/norms-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(folder));
    begin();
    struct fine__statistics then;

    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    then = copy_now();
    struct fine__source *source = write_state(folder);

    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    ck_assert(!all_same(&then));
    ck_assert_int_eq(fine__state_read_weights(source, model), 0);
    ck_assert(all_same(&then));
    fine__source_free(source);
    /* Of a network of other norms: refused, and nothing has changed. */
    fine_model *const other = open_network(
        ctx, "{\"architecture\": \"cifar-resnet\", \"layers\": [1, 1], \"width\": 4}");
    fine_model *const ours = model;

    model = other;
    ck_assert_int_eq(fine_model_freeze(other, "all"), 0);
    ck_assert_int_eq(fine__params_make_gradients(&other->params), 0);
    source = write_state(folder);
    model = ours;
    fine_model_free(other);
    ck_assert_int_eq(fine_model_freeze(model, "all"), 0);
    ck_assert_int_eq(fine__state_read_weights(source, model), FINE_EFORMAT);
    ck_assert(all_same(&then));
    fine__source_free(source);
    fine__statistics_free(ctx, &then);
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);
    end();
}
END_TEST

START_TEST(the_best_come_back)
{
    fine_trainer trainer = { .best_step = 1 };

    begin();
    trainer.ctx = ctx;
    trainer.model = model;
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    struct fine__statistics then = copy_now();

    ck_assert_int_eq(fine__best_keep(&trainer), 0);
    ck_assert_int_eq(train_once(runner, &batch), 0);
    fine__runner_commit(runner);
    ck_assert_int_eq(fine__best_restore(&trainer), 0);
    ck_assert(all_same(&then));
    fine__free(ctx, trainer.best_weights);
    fine__statistics_free(ctx, &trainer.best_statistics);
    fine__statistics_free(ctx, &then);
    end();
}
END_TEST

/* A folder with one number of one tensor changed, opened. */
static int
open_changed(const char *folder, const char *name, int32_t type, int64_t n_dims, int64_t count,
             const void *data)
{
    fine_tensors *weights;
    fine_model *opened = NULL;
    char path[200];

    ck_assert_int_eq(fine_model_save(model, folder), 0);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    ck_assert_int_eq(fine_tensors_open(&weights, ctx, path), 0);
    ck_assert_int_eq(fine_tensors_put(weights, name, type, n_dims, &count, data), 0);
    ck_assert_int_eq(fine_tensors_save(weights, path), 0);
    fine_tensors_free(weights);
    const int rc = fine_model_open(&opened, ctx, folder, NULL);

    fine_model_free(opened);
    return rc;
}

START_TEST(damaged_ones_are_named)
{
    static const float good[4] = { 1, 2, 3, 4 }, negative[4] = { 1, -2, 3, 4 };
    const float broken[4] = { 1, 2, NAN, 4 };
    const int64_t counts[2] = { 5, 6 };
    char folder[] = "/tmp/norms-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(folder));
    begin();
    ck_assert_int_eq(open_changed(folder, "bn1.running_mean", FINE_F32, 1, 4, good), 0);
    ck_assert_int_eq(open_changed(folder, "bn1.running_mean", FINE_F32, 1, 4, broken),
                     FINE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "'bn1.running_mean' holds a number that is "
                                                       "not finite"));
    ck_assert_int_eq(open_changed(folder, "layer1.0.bn2.running_var", FINE_F32, 1, 4, negative),
                     FINE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "layer1.0.bn2.running_var"));
    ck_assert_int_eq(open_changed(folder, "bn1.running_var", FINE_F32, 1, 3, good), FINE_ESHAPE);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "bn1.running_var"));
    ck_assert_int_eq(open_changed(folder, "bn1.running_var", FINE_I64, 1, 2, counts), FINE_ESHAPE);
    ck_assert_int_eq(open_changed(folder, "bn1.num_batches_tracked", FINE_I64, 1, 2, counts),
                     FINE_ESHAPE);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "bn1.num_batches_tracked"));
    ck_assert_int_eq(open_changed(folder, "bn9.running_var", FINE_F32, 1, 4, good), FINE_ESHAPE);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "bn9.running_var"));
    ck_assert_int_eq(fine__remove_tree(ctx, folder), 0);
    end();
}
END_TEST

/* They aren't parameters, but can be looked at and set by name. */
START_TEST(values_by_name)
{
    static const float mean[4] = { 1, 2, 3, 4 };
    const float *values;
    int64_t count;
    struct fine_param_info info = { .struct_size = sizeof info };

    begin();
    ck_assert_int_eq(fine_model_values(model, "bn1.running_var", &values, &count), 0);
    ck_assert(count == 4 && values[0] == 1);
    ck_assert_int_eq(fine_model_set_values(model, "bn1.running_mean", mean, 4), 0);
    ck_assert_int_eq(fine_model_values(model, "bn1.running_mean", &values, NULL), 0);
    ck_assert(values[3] == 4);
    ck_assert_int_eq(fine_model_set_values(model, "bn1.running_mean", mean, 3), FINE_EINVAL);
    ck_assert_int_eq(fine_model_values(model, "bn1.num_batches_tracked", &values, NULL),
                     FINE_EINVAL);
    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        ck_assert_int_eq(fine_model_param(model, i, &info), 0);
        ck_assert_ptr_null(strstr(info.name, "running"));
    }
    end();
}
END_TEST

RUNNER("norms", training_moves_a_copy, evaluation_moves_nothing, frozen_norms_stay,
       a_step_that_fails_leaves_them, one_value_has_no_variance, checkpoints_hold_them,
       the_best_come_back, damaged_ones_are_named, values_by_name)
