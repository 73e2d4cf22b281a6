/* test_recipe.c — whole recipes: read, set, asked, resolved, out of memory. */
#include "runner.h"

#include "recipe/recipe.h"

static const char good[] =
    "model: {path: minilm}\n"
    "task:\n"
    "  type: classify\n"
    "  labels: [negative, positive]\n"
    "  pool: mean\n"
    "data:\n"
    "  train: reviews.csv\n"
    "  validation: 0.1\n"
    "  split_by: product\n"
    "train:\n"
    "  epochs: 3\n"
    "  optimizer: {learning_rate: 2.0e-5, head_learning_rate: 1.0e-3}\n"
    "  schedule: cosine\n"
    "  freeze: embeddings..3\n"
    "  early_stopping: {metric: macro_f1, patience: 2}\n"
    "  label_smoothing: 0.0\n"
    "  layer_decay: 1\n"
    "  cache: auto\n"
    "  seed: 7\n"
    "output: runs/reviews\n";

static fine_recipe *
parse(fine_context *ctx, const char *text)
{
    fine_recipe *r;

    ck_assert_msg(fine_recipe_parse(&r, ctx, text, (int64_t)strlen(text), "/nowhere") == 0, "%s",
                  fine_error_message());
    return r;
}

START_TEST(reads_and_gives_back)
{
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, good);

    ck_assert_str_eq(fine_recipe_get(r, "model.path"), "minilm");
    ck_assert_str_eq(fine_recipe_get(r, "task.labels"), "[negative, positive]");
    ck_assert_str_eq(fine_recipe_get(r, "train.schedule.type"), "cosine");
    ck_assert_str_eq(fine_recipe_get(r, "train.schedule"), "{type: cosine, warmup: 0.1}");
    ck_assert_str_eq(fine_recipe_get(r, "output"), "{dir: runs/reviews}");
    ck_assert_str_eq(fine_recipe_get(r, "train.steps"), "");
    ck_assert_ptr_null(fine_recipe_get(r, "train.stepz"));
    ck_assert_ptr_null(fine_recipe_get(r, "train.cache"));
    ck_assert_ptr_nonnull(strstr(fine_recipe_get(r, "train"),
                                 "optimizer: {type: adamw, learning_rate: 2.0e-05, "
                                 "head_learning_rate: 0.001, weight_decay: 0.01, "));
    fine_recipe_free(r);
    free_context(ctx);
}
END_TEST

/* What is resolved reads back to the same. */
START_TEST(resolved_is_a_fixed_point)
{
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, good), *again;
    char *once = strdup(fine_recipe_resolved(r));

    ck_assert_ptr_nonnull(strstr(once, "\n  optimizer:\n    type: adamw\n    learning_rate: 2.0e-05\n"));
    ck_assert_ptr_nonnull(strstr(once, "\n  freeze: embeddings..3\n"));
    ck_assert_ptr_null(strstr(once, "steps"));
    again = parse(ctx, once);
    ck_assert_str_eq(fine_recipe_resolved(again), once);
    fine_recipe_free(again);
    ck_assert_int_eq(fine_recipe_set(r, "train.optimizer", "{type: sgd, learning_rate: 0.1}"), 0);
    free(once);
    once = strdup(fine_recipe_resolved(r));
    ck_assert_ptr_nonnull(strstr(once, "    momentum: 0.0\n"));
    ck_assert_ptr_null(strstr(once, "betas"));
    ck_assert_ptr_null(strstr(once, "head_learning_rate"));      /* the section was replaced */
    again = parse(ctx, once);
    ck_assert_str_eq(fine_recipe_resolved(again), once);
    fine_recipe_free(again);
    fine_recipe_free(r);
    free(once);
    free_context(ctx);
}
END_TEST

START_TEST(paths_are_rebased)
{
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, "model: m\ndata: {train: /a.csv, validation: v.csv}\n");
    struct fine__buf out;
    char *path;

    fine__buf_init(&out, ctx);
    fine__recipe_write(r, &out, "/x");
    ck_assert_ptr_nonnull(strstr(out.data, "  path: /x/m\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "  train: /a.csv\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "  validation: /x/v.csv\n"));
    fine__buf_free(&out);
    ck_assert_int_eq(fine__recipe_path(r, FINE__MODEL_PATH, &path), 0);
    ck_assert_str_eq(path, "/nowhere/m");
    fine__free(ctx, path);
    ck_assert_int_eq(fine__recipe_path(r, FINE__DATA_TEST, &path), 0);
    ck_assert_ptr_null(path);
    fine_recipe_free(r);
    free_context(ctx);
}
END_TEST

/* All findings at once, in the order of the text. */
START_TEST(tells_all)
{
    static const char text[] = "modle: x\n"
                               "task: {type: classify, labels: [a, a]}\n"
                               "train:\n"
                               "  learning_rate: 1.0e-4\n"
                               "  optimizer: {learning_rte: 1}\n"
                               "  epochs: many\n"
                               "  privacy: {epsilon: 3.0}\n"
                               "  train.seed: 3\n"
                               "sweep: {method: grid}\n";
    static const char *const messages[] = {
        "recipe:1:1: unknown key 'modle'; did you mean 'model'?",
        "recipe:2:36: 'task.labels' holds 'a' twice",
        "recipe:4:3: unknown key 'learning_rate' in 'train'; did you mean "
        "'train.optimizer.learning_rate'?",
        "recipe:5:15: unknown key 'learning_rte' in 'train.optimizer'; did you mean "
        "'learning_rate'?",
        "recipe:6:11: 'train.epochs' must be a number above 0 and at most 100000, not 'many'",
        "recipe:7:3: 'train.privacy' is not available in this version (differential privacy); "
        "leave it out",
        "recipe:8:3: unknown key 'train.seed'; sections are nested, 'train:' and below it "
        "'epochs: 3'",
        "recipe:9:1: 'sweep' is not available in this version (trying several settings); leave "
        "it out",
    };
    fine_context *ctx = new_context(1);
    fine_recipe *r = NULL;
    const char *message;

    ck_assert_int_eq(fine_recipe_parse(&r, ctx, text, sizeof text - 1, NULL), FINE_ERECIPE);
    ck_assert_ptr_null(r);
    message = fine_error_message();
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        ck_assert_pstr_eq(message, messages[i]);
        message = fine_error_next();
    }
    ck_assert_ptr_null(message);
    free_context(ctx);
}
END_TEST

START_TEST(set_changes_nothing_on_error)
{
    static const char *const cases[][2] = {
        { "train.epochs", "x" },        { "train.optimizer", "{type: adamw, momentun: 0.9}" },
        { "train.privacy", "{}" },      { "trian.epochs", "3" },
        { "train.epochs", "[" },        { "task", "{type: classify, labels: 3}" },
        { "", "3" },                    { "train.epochs", "" },
        { "train.optimizer", "{a: &x 1}" },
    };
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, good);
    char *before = strdup(fine_recipe_resolved(r));

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(fine_recipe_set(r, cases[i][0], cases[i][1]), FINE_ERECIPE);
        ck_assert_uint_gt(strlen(fine_error_message()), 10);
        ck_assert_str_eq(fine_recipe_resolved(r), before);
    }
    free(before);
    fine_recipe_free(r);
    free_context(ctx);
}
END_TEST

START_TEST(steps_and_epochs_exclude_each_other)
{
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, good);

    ck_assert_int_eq(fine_recipe_set(r, "train.steps", "10"), 0);
    ck_assert_str_eq(fine_recipe_get(r, "train.epochs"), "");
    ck_assert_str_eq(fine_recipe_get(r, "train.steps"), "10");
    ck_assert_int_eq(fine_recipe_set(r, "train.epochs", "2"), 0);
    ck_assert_str_eq(fine_recipe_get(r, "train.epochs"), "2.0");
    ck_assert_str_eq(fine_recipe_get(r, "train.steps"), "");
    ck_assert_int_eq(fine_recipe_set(r, "train.epochs", "null"), 0);
    ck_assert_str_eq(fine_recipe_get(r, "train.epochs"), "3.0");
    fine_recipe_free(r);
    free_context(ctx);
}
END_TEST

START_TEST(keys_can_be_walked)
{
    struct fine_recipe_key_info key = { .struct_size = sizeof key };
    fine_context *ctx = new_context(1);
    fine_recipe *r = parse(ctx, "");
    int64_t n = 0;

    for (; fine_recipe_key(n, &key) == 0; n++) {
        const char *value = fine_recipe_get(r, key.name);

        ck_assert_ptr_nonnull(value);
        if (value[0])           /* the default, in the same words */
            ck_assert_str_eq(value, key.fallback);
    }
    ck_assert_int_eq(n, FINE__N_KEYS);
    ck_assert_int_eq(fine_recipe_key(-1, &key), FINE_EINVAL);
    ck_assert_int_eq(fine_recipe_key(0, NULL), FINE_EINVAL);
    key.struct_size = 0;
    ck_assert_int_eq(fine_recipe_key(0, &key), FINE_EINVAL);
    fine_recipe_free(r);
    free_context(ctx);
}
END_TEST

static bool
found(const char *part)
{
    for (const char *m = fine_error_message(); m; m = fine_error_next())
        if (strstr(m, part))
            return true;
    return false;
}

START_TEST(checks_what_belongs_together)
{
    static const struct { const char *text, *finding; } cases[] = {
        { "", "'model.path' is missing" },
        { "", "'task.type' is missing" },
        { "", "'data.train' is missing" },
        { "train: {epochs: 1, steps: 2}", "recipe:1:27: 'train.steps' stands beside 'train.epochs'" },
        { "train: {optimizer: sgd}", "'train.optimizer.learning_rate' must be given for sgd" },
        { "train: {optimizer: {type: sgd, betas: [0, 0]}}", "'train.optimizer.betas' is for adamw" },
        { "train: {optimizer: {type: sgd, epsilon: 0.1}}", "'train.optimizer.epsilon' is for adamw" },
        { "train: {optimizer: {momentum: 0.9}}", "'train.optimizer.momentum' is for sgd" },
        { "train: {optimizer: {nesterov: true}}", "'train.optimizer.nesterov' is for sgd" },
        { "train: {optimizer: {type: sgd, nesterov: true}}", "needs a momentum above 0" },
        { "train: {early_stopping: {patience: 1}}", "'train.early_stopping.patience' needs" },
        { "train: {early_stopping: {metric: loss}}", "'train.early_stopping.metric' needs" },
        { "train: {evaluate_every: 1 epoch}", "'train.evaluate_every' needs data.validation" },
        { "data: {split_by: a}", "'data.split_by' needs data.validation as a share" },
        { "data: {split_by: a, validation: x.csv}", "'data.split_by' needs" },
        { "task: {type: regress, labels: [a, b]}", "'task.labels' have no meaning for regress" },
        { "task: regress\ntrain: {early_stopping: {metric: macro_f1}}",
          "'train.early_stopping.metric: macro_f1' does not fit task.type: regress; known: loss, "
          "pearson, spearman, rmse" },
        { "task: classify\ntrain: {early_stopping: {metric: rmse}}", "does not fit" },
        { "model: m", "recipe:1:8: 'model.path': there is no '/nowhere/m'" },
        { "data: {train: t}", "recipe:1:15: 'data.train': there is no '/nowhere/t'" },
        { "model: /dev/null", "'/dev/null' is not a folder" },
        { "data: {test: /tmp}", "'/tmp' is a folder" },
    };
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fine_recipe *r = parse(ctx, cases[i].text);

        ck_assert_int_eq(fine_recipe_check(r), FINE_ERECIPE);
        ck_assert_msg(found(cases[i].finding), "%s: %s", cases[i].text, fine_error_message());
        fine_recipe_free(r);
    }
    free_context(ctx);
}
END_TEST

START_TEST(opens_files)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder(), path[200];
    fine_recipe *r = NULL;

    (void)snprintf(path, sizeof path, "%s/r.yaml", folder);
    ck_assert_int_eq(fine_recipe_open(&r, ctx, path), FINE_EIO);
    ck_assert_int_eq(fine__file_write(ctx, path, "model: .\ntask: classify\ndata: {train: r.yaml}\n",
                                      46), 0);
    ck_assert_int_eq(fine_recipe_open(&r, ctx, path), 0);
    ck_assert_msg(fine_recipe_check(r) == 0, "%s", fine_error_message());
    fine_recipe_free(r);
    ck_assert_int_eq(fine__file_write(ctx, path, "task: [", 7), 0);
    ck_assert_int_eq(fine_recipe_open(&r, ctx, path), FINE_ERECIPE);
    ck_assert_ptr_nonnull(strstr(fine_error_message(), "/r.yaml:1:7: what begins here"));
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(survives_no_memory)
{
    struct faulty faulty;

    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (long long n = 1;; n++) {
            fine_context *ctx = new_faulty_context(&faulty, 1);
            fine_recipe *r = NULL;
            int rc, rc_set = 0;

            faulty.fail_at = n;
            faulty.for_ever = for_ever;
            rc = fine_recipe_parse(&r, ctx, good, sizeof good - 1, NULL);
            if (rc == 0) {
                rc_set = fine_recipe_set(r, "train.freeze", "[a, b]");
                ck_assert_int_eq(fine_recipe_resolved(r) == NULL, faulty.calls >= n && (for_ever || rc_set == 0));
                ck_assert(rc_set == 0 || rc_set == FINE_ENOMEM);
                fine_recipe_free(r);
            } else {
                ck_assert_int_eq(rc, FINE_ENOMEM);
                ck_assert_ptr_null(r);
            }
            free_context(ctx);
            if (faulty.calls < n)
                break;
        }
}
END_TEST

RUNNER("recipe", reads_and_gives_back, resolved_is_a_fixed_point, paths_are_rebased, tells_all,
       set_changes_nothing_on_error, steps_and_epochs_exclude_each_other, keys_can_be_walked,
       checks_what_belongs_together, opens_files, survives_no_memory)
