/*
 * test_run.c — whole runs of a tiny model: what lies in the run folder, stopping and
 * going on, and everything that is refused before anything is written.
 */
#include "runner.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/json.h"
#include "faulty_io.h"
#include <finetune.h>

static const char config[] =
    "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 16,"
    " \"hidden_size\": 16, \"num_hidden_layers\": 2, \"num_attention_heads\": 2,"
    " \"intermediate_size\": 32, \"hidden_act\": \"gelu\", \"hidden_dropout_prob\": 0.1,"
    " \"attention_probs_dropout_prob\": 0.1, \"max_position_embeddings\": 32,"
    " \"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12, \"pad_token_id\": 0,"
    " \"initializer_range\": 0.2}";
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nis\nvery\ngood\ngreat\n"
                                 "bad\nawful\nphone\ncamera\none\ntwo\n";

struct place {
    fine_context *ctx;
    char *folder;
};

static void
put(const struct place *p, const char *name, const char *text)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", p->folder, name);
    ck_assert_msg(fine__file_write(p->ctx, path, text, strlen(text)) == 0, "%s",
                  fine_error_message());
}

static char *
get(const struct place *p, const char *name, size_t *length)
{
    char path[300], *copy;
    struct fine__buf text;

    (void)snprintf(path, sizeof path, "%s/%s", p->folder, name);
    fine__buf_init(&text, p->ctx);
    ck_assert_msg(fine__file_read(p->ctx, path, 1 << 24, &text) == 0, "%s", fine_error_message());
    copy = malloc(text.length + 1);
    memcpy(copy, fine__buf_cstr(&text), text.length + 1);
    if (length)
        *length = text.length;
    fine__buf_free(&text);
    return copy;
}

static bool
exists(const struct place *p, const char *name)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", p->folder, name);
    return fine__file_exists(p->ctx, path) || fine__is_directory(p->ctx, path);
}

static void
put_rows(const struct place *p, const char *name, int n, bool numbers)
{
    static const char *const fill[] = { "the phone is", "the camera is very", "very", "one two the" };
    static const char *const words[] = { "good", "bad", "great", "awful" };
    char text[8000] = "text,label,brand\n";

    for (int i = 0; i < n; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s,%s,%s\n",
                       fill[(i / 4 + i) % 4], words[i % 4],
                       numbers ? (i % 2 ? "-1.5" : "2") : (i % 2 ? "minus" : "plus"),
                       i % 3 ? "x" : "y");
    put(p, name, text);
}

/* A base model with random weights, and tables. */
static struct place
new_place(void)
{
    struct place p = { new_context(1), new_folder() };
    struct fine_model_options options;
    fine_model *model = NULL;
    char from[300], to[300];

    (void)snprintf(from, sizeof from, "%s/bare", p.folder);
    (void)snprintf(to, sizeof to, "%s/tiny", p.folder);
    ck_assert_int_eq(fine__mkdirs(p.ctx, from), 0);
    put(&p, "bare/config.json", config);
    put(&p, "bare/vocab.txt", vocabulary);
    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    options.seed = 3;
    ck_assert_msg(fine_model_open(&model, p.ctx, from, &options) == 0, "%s", fine_error_message());
    ck_assert_msg(fine_model_save(model, to) == 0, "%s", fine_error_message());
    fine_model_free(model);
    put_rows(&p, "train.csv", 60, false);
    put_rows(&p, "test.csv", 20, false);
    return p;
}

static void
free_place(struct place *p)
{
    remove_folder(p->ctx, p->folder);
    free_context(p->ctx);
}

/* "KEY VALUE" settings over a recipe that works. */
static fine_recipe *
recipe(const struct place *p, ...)
{
    static const char text[] = "model: tiny\n"
                               "task: {type: classify, pool: mean}\n"
                               "data: {train: train.csv, validation: 0.2, test: test.csv}\n"
                               "train:\n"
                               "  epochs: 5\n"
                               "  batch_size: 8\n"
                               "  optimizer: {learning_rate: 5.0e-3}\n"
                               "  evaluate_every: 10 steps\n"
                               "  checkpoint_every: 20\n"
                               "  seed: 7\n"
                               "output: run\n";
    fine_recipe *r;
    const char *key;
    va_list settings;

    ck_assert_int_eq(fine_recipe_parse(&r, p->ctx, text, sizeof text - 1, p->folder), 0);
    va_start(settings, p);
    while ((key = va_arg(settings, const char *)))
        ck_assert_msg(fine_recipe_set(r, key, va_arg(settings, const char *)) == 0, "%s",
                      fine_error_message());
    va_end(settings);
    return r;
}

static int
run(fine_recipe *r, fine_report **out)
{
    return fine_recipe_run(r, NULL, out);
}

static double
number(const fine_report *report, const char *path)
{
    double value = -1;

    ck_assert_msg(fine_report_number(report, path, &value) == 0, "%s in %s", path,
                  fine_report_json(report));
    return value;
}

START_TEST(leaves_a_run_folder)
{
    static const char *const files[] = {
        "run/model/config.json", "run/model/model.safetensors", "run/model/vocab.txt",
        "run/model/finetune.json", "run/model/README.md", "run/metrics.jsonl", "run/report.html",
        "run/recipe.yaml", "run/checkpoints",
    };
    struct place p = new_place();
    fine_recipe *r = recipe(&p, NULL), *again;
    fine_report *report = NULL;
    fine_model *model = NULL;
    struct fine_dataset_options columns = { .struct_size = sizeof columns };
    char path[300], *text;

    ck_assert_msg(run(r, &report) == 0, "%s", fine_error_message());
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        ck_assert_msg(exists(&p, files[i]), "%s", files[i]);
    ck_assert(!exists(&p, "run/.model-new"));
    ck_assert(number(report, "metrics.test.accuracy") > 0.9);
    ck_assert(number(report, "metrics.validation.accuracy") > 0.9);
    ck_assert(number(report, "metrics.test.n") > 19.5);
    ck_assert(number(report, "best_step") > 0);
    ck_assert(number(report, "peak_bytes") > 1000);
    ck_assert(number(report, "seconds") > 0);
    ck_assert(number(report, "rows.train") > 47.5 && number(report, "rows.train") < 48.5);
    /* the resolved recipe is one, holds what was found, and works where it lies */
    text = get(&p, "run/recipe.yaml", NULL);
    ck_assert_ptr_nonnull(strstr(text, "\n  labels: [minus, plus]\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  max_length: 32\n"));
    free(text);
    (void)snprintf(path, sizeof path, "%s/run/recipe.yaml", p.folder);
    ck_assert_msg(fine_recipe_open(&again, p.ctx, path) == 0, "%s", fine_error_message());
    ck_assert_msg(fine_recipe_check(again) == 0, "%s", fine_error_message());
    fine_recipe_free(again);
    /* the saved model knows its columns */
    (void)snprintf(path, sizeof path, "%s/run/model", p.folder);
    ck_assert_msg(fine_model_open(&model, p.ctx, path, NULL) == 0, "%s", fine_error_message());
    ck_assert_int_eq(fine_model_dataset_options(model, &columns), 0);
    ck_assert_str_eq(columns.label, "label");
    ck_assert_str_eq(fine_model_label(model, 1), "plus");
    fine_model_free(model);
    fine_report_free(report);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

struct watch {
    int64_t stop_at, steps, done, evaluations;
    char last[200];
};

static int
watch(const struct fine_progress *progress, void *user)
{
    struct watch *w = user;

    w->steps += progress->event == FINE_EVENT_STEP;
    w->evaluations += progress->event == FINE_EVENT_EVALUATE;
    w->done += progress->event == FINE_EVENT_DONE;
    (void)snprintf(w->last, sizeof w->last, "%.100s", progress->json);
    return progress->step == w->stop_at;
}

static int
run_watched(fine_recipe *r, struct watch *w, int resume, fine_report **out)
{
    struct fine_run_options options;

    fine_run_options_init(&options, sizeof options);
    options.progress = watch;
    options.progress_user = w;
    options.resume = resume;
    return fine_recipe_run(r, &options, out);
}

/* Every step stands once in metrics.jsonl, in order; gives how many. */
static int64_t
check_journal(const struct place *p, const char *name)
{
    char *text = get(p, name, NULL), *line = text, *end;
    int64_t step = 0, done = 0;

    for (; (end = strchr(line, '\n')); line = end + 1) {
        struct fine__json *json = NULL;
        const char *event;

        ck_assert_int_eq(fine__json_parse(&json, p->ctx, line, (size_t)(end - line), "line"), 0);
        event = fine__json_string(fine__json_get(json, "event"), NULL);
        ck_assert_int_eq(done, 0);
        if (strcmp(event, "step") == 0)
            ck_assert_int_eq(fine__json_int(fine__json_get(json, "step"), 0), ++step);
        done += strcmp(event, "done") == 0;
        fine__json_free(json);
    }
    ck_assert_int_eq(*line, '\0');
    ck_assert_int_eq(done, 1);
    free(text);
    return step;
}

static void
expect_same_file(const struct place *p, const char *a, const char *b)
{
    size_t n, m;
    char *one = get(p, a, &n), *two = get(p, b, &m);

    ck_assert_uint_eq(n, m);
    ck_assert_msg(memcmp(one, two, n) == 0, "%s and %s differ", a, b);
    free(one);
    free(two);
}

START_TEST(goes_on_with_the_same_bits)
{
    static const int64_t stops[] = { 1, 19 };
    struct place p = new_place();
    fine_recipe *whole = recipe(&p, "output.dir", "whole", NULL);
    struct watch w = { .stop_at = -1 };

    ck_assert_msg(run_watched(whole, &w, 0, NULL) == 0, "%s", fine_error_message());
    ck_assert_int_eq(w.done, 1);
    ck_assert_int_eq(w.steps, 30);
    ck_assert_int_eq(w.evaluations, 3);
    ck_assert_ptr_nonnull(strstr(w.last, "\"event\":\"done\""));
    ck_assert_int_eq(check_journal(&p, "whole/metrics.jsonl"), 30);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        fine_recipe *parts = recipe(&p, NULL);

        w = (struct watch){ .stop_at = stops[i] };
        ck_assert_int_eq(run_watched(parts, &w, 0, NULL), FINE_ECANCELLED);
        ck_assert_ptr_nonnull(strstr(fine_error_message(), "can be resumed"));
        ck_assert_int_eq(w.done, 0);
        ck_assert(exists(&p, "run/report.html"));
        w = (struct watch){ .stop_at = stops[i] + 3 };
        ck_assert_int_eq(run_watched(parts, &w, 1, NULL), FINE_ECANCELLED);
        w = (struct watch){ .stop_at = -1 };
        ck_assert_msg(run_watched(parts, &w, 1, NULL) == 0, "%s", fine_error_message());
        ck_assert_int_eq(check_journal(&p, "run/metrics.jsonl"), 30);
        expect_same_file(&p, "whole/model/model.safetensors", "run/model/model.safetensors");
        /* a finished run that is resumed only scores again */
        w = (struct watch){ .stop_at = -1 };
        ck_assert_msg(run_watched(parts, &w, 1, NULL) == 0, "%s", fine_error_message());
        ck_assert_int_eq(w.steps, 0);
        ck_assert_int_eq(check_journal(&p, "run/metrics.jsonl"), 30);
        expect_same_file(&p, "whole/model/model.safetensors", "run/model/model.safetensors");
        fine_recipe_free(parts);
    }
    fine_recipe_free(whole);
    free_place(&p);
}
END_TEST

START_TEST(keeps_the_last_step_without_validation)
{
    struct place p = new_place();
    fine_recipe *r = recipe(&p, "data.validation", "null", "train.evaluate_every", "null", "train.steps",
                            "7", "data.test", "null", "train.optimizer",
                            "{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}",
                            "train.freeze", "embeddings..1", NULL);
    fine_report *report = NULL;
    double value;
    char *page;

    ck_assert_msg(run(r, &report) == 0, "%s", fine_error_message());
    ck_assert(number(report, "best_step") > 6.5 && number(report, "best_step") < 7.5);
    ck_assert_int_eq(fine_report_number(report, "metrics.validation.loss", &value), FINE_EINVAL);
    page = get(&p, "run/report.html", NULL);
    ck_assert_ptr_nonnull(strstr(page, "no validation data"));
    free(page);
    fine_report_free(report);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

START_TEST(learns_numbers_and_scores_groups)
{
    struct place p = new_place();
    fine_recipe *r;
    fine_report *report = NULL;

    put_rows(&p, "train.csv", 60, true);
    put_rows(&p, "test.csv", 20, true);
    r = recipe(&p, "task.type", "regress", "data.group", "brand",
               "train.early_stopping",
               "{metric: pearson, patience: 3}", "train.epochs", "10", NULL);
    ck_assert_msg(run(r, &report) == 0, "%s", fine_error_message());
    ck_assert(number(report, "metrics.test.pearson") > 0.9);
    ck_assert(number(report, "metrics.test.groups.x.n") > 0);
    fine_report_free(report);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

START_TEST(follows_the_option_for_the_folder)
{
    struct place p = new_place();
    fine_recipe *r = recipe(&p, "train.epochs", "1", NULL);
    struct fine_run_options options;
    char folder[300], *text, expected[320];

    (void)snprintf(folder, sizeof folder, "%s/deep/other", p.folder);
    fine_run_options_init(&options, sizeof options);
    options.folder = folder;
    ck_assert_msg(fine_recipe_run(r, &options, NULL) == 0, "%s", fine_error_message());
    ck_assert(!exists(&p, "run"));
    text = get(&p, "deep/other/recipe.yaml", NULL);
    (void)snprintf(expected, sizeof expected, "dir: %s", folder);
    ck_assert_ptr_nonnull(strstr(text, expected));
    free(text);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

START_TEST(refuses_before_anything_is_written)
{
    static const struct {
        const char *key, *value, *file, *rows;
        int code;
        const char *message;
    } cases[] = {
        { "train.freeze", "nothing.like.this", NULL, NULL, FINE_ERECIPE, "'train.freeze'" },
        { "train.freeze", "embeddings..9", NULL, NULL, FINE_ERECIPE, "'train.freeze'" },
        { "data.max_length", "33", NULL, NULL, FINE_ERECIPE, "'data.max_length'" },
        { "data.text", "review", NULL, NULL, FINE_EDATA, "review" },
        { "output.dir", "null", NULL, NULL, FINE_ERECIPE, "'output.dir' is missing" },
        { "model.path", "bare", NULL, NULL, FINE_EIO, "bare" },
        { "task.labels", "[plus, neutral]", NULL, NULL, FINE_EDATA, "train.csv" },
        { "data.test", "t.csv", "t.csv", "text\nthe phone\n", FINE_EDATA, "t.csv" },
        { "data.test", "t.csv", "t.csv", "text,label\nthe phone,great\n", FINE_EDATA, "t.csv:2" },
        { "data.validation", "t.csv", "t.csv", "text,label\n", FINE_EDATA, "t.csv" },
        { "data.train", "t.csv", "t.csv", "text,label\na,x\nb,x\n", FINE_EDATA, "t.csv" },
        { "train.seed", "1", "train.csv", "text,label\nthe,plus,a\n", FINE_EDATA, "train.csv:2" },
    };

    struct place p = new_place();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fine_report *report = NULL;
        fine_recipe *r;
        int rc;

        if (cases[i].file)
            put(&p, cases[i].file, cases[i].rows);
        r = recipe(&p, cases[i].key, cases[i].value, NULL);
        rc = run(r, &report);
        ck_assert_msg(rc == cases[i].code, "%s: %s gives %d: %s", cases[i].key, cases[i].value, rc,
                      fine_error_message());
        ck_assert_msg(strstr(fine_error_message(), cases[i].message), "%s: %s: %s", cases[i].key,
                      cases[i].value, fine_error_message());
        ck_assert_ptr_null(report);
        ck_assert(!exists(&p, "run"));
        fine_recipe_free(r);
    }
    free_place(&p);
}
END_TEST

START_TEST(checks_its_arguments)
{
    struct place p = new_place();
    fine_recipe *r = recipe(&p, NULL);
    struct fine_run_options options;

    fine_run_options_init(&options, sizeof options);
    ck_assert_int_eq(fine_recipe_run(NULL, &options, NULL), FINE_EINVAL);
    options.folder = "";
    ck_assert_int_eq(fine_recipe_run(r, &options, NULL), FINE_EINVAL);
    options.struct_size = 8;
    ck_assert_int_eq(fine_recipe_run(r, &options, NULL), FINE_EINVAL);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

START_TEST(one_run_at_a_time)
{
    struct place p = new_place();
    fine_recipe *r = recipe(&p, "train.steps", "1", NULL);
    char path[300];
    int ready[2], lock;
    pid_t child;

    (void)snprintf(path, sizeof path, "%s/run", p.folder);
    ck_assert_int_eq(fine__mkdirs(p.ctx, path), 0);
    (void)snprintf(path, sizeof path, "%s/run/.lock", p.folder);
    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        lock = fine__lock(p.ctx, path);
        if (write(ready[1], lock < 0 ? "-" : "+", 1) == 1)
            pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], path, 1), 1);
    ck_assert_int_eq(path[0], '+');
    ck_assert_int_eq(run(r, NULL), FINE_EBUSY);
    ck_assert(!exists(&p, "run/metrics.jsonl"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_msg(run(r, NULL) == 0, "%s", fine_error_message());
    close(ready[0]);
    close(ready[1]);
    fine_recipe_free(r);
    free_place(&p);
}
END_TEST

static void
expect_clean(const struct place *p, const char *name)
{
    struct fine__names names;
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", p->folder, name);
    ck_assert_int_eq(fine__list_directory(p->ctx, path, &names), 0);
    for (int64_t i = 0; i < names.count; i++)
        ck_assert_msg(!strstr(names.names[i], ".tmp-") && !strstr(names.names[i], ".model-"),
                      "%s is left in %s", names.names[i], name);
    fine__names_free(p->ctx, &names);
}

/* A run in which the n-th system call fails, once or from then on, says so; it is resumed,
 * and comes to the same weights. Some n are drawn; FINE_TEST_STEP=1 takes all. */
START_TEST(survives_failing_calls)
{
    const char *step = getenv("FINE_TEST_STEP");
    struct place p = new_place();
    fine_recipe *whole;
    long long n = 1, stride = step ? atoll(step) : 23, calls;

    use_faulty_io(p.ctx);
    whole = recipe(&p, "output.dir", "whole", "train.steps", "6", "train.checkpoint_every", "2", NULL);
    ck_assert_msg(run(whole, NULL) == 0, "%s", fine_error_message());
    fine_recipe_free(whole);
    do {
        fine_recipe *r = recipe(&p, "train.steps", "6", "train.checkpoint_every", "2", NULL);
        struct watch w = { .stop_at = -1 };
        int rc;

        io_calls = 0;
        io_fail_at = n;
        io_for_ever = n % 2 == 0;
        rc = run(r, NULL);
        calls = io_calls;
        io_fail_at = 0;
        ck_assert(rc <= 0);
        if (rc < 0)
            ck_assert_uint_gt(strlen(fine_error_message()), 10);
        ck_assert_msg(run_watched(r, &w, 1, NULL) == 0, "%lld: %s", n, fine_error_message());
        expect_same_file(&p, "whole/model/model.safetensors", "run/model/model.safetensors");
        ck_assert_int_eq(check_journal(&p, "run/metrics.jsonl"), 6);
        expect_clean(&p, "run");
        expect_clean(&p, "run/model");
        fine_recipe_free(r);
        n += stride;
    } while (n - stride <= calls);
    p.ctx->io = &fine__io_system;
    free_place(&p);
}
END_TEST

/* A run whose n-th allocation fails ends with FINE_ENOMEM, leaves nothing allocated, and can
 * be done again in the same place. All n would take minutes: some are drawn, spread over the
 * run; FINE_TEST_STEP=1 takes all. */
START_TEST(survives_no_memory)
{
    static const char text[] = "model: tiny\ntask: {type: classify, pool: cls}\n"
                               "data: {train: train.csv, validation: test.csv, test: test.csv}\n"
                               "train: {steps: 2, batch_size: 8}\noutput: run\n";
    const char *step = getenv("FINE_TEST_STEP");
    struct place p = new_place();
    long long n = 1, stride = step ? atoll(step) : 173, calls;

    do {
        struct faulty faulty;
        fine_context *ctx = new_faulty_context(&faulty, 1);
        fine_recipe *r = NULL;
        fine_report *report = NULL;
        int rc;

        ck_assert_int_eq(fine_recipe_parse(&r, ctx, text, sizeof text - 1, p.folder), 0);
        faulty.calls = 0;
        faulty.fail_at = n;
        faulty.for_ever = n % 2 == 0;
        rc = fine_recipe_run(r, NULL, &report);
        calls = faulty.calls;
        ck_assert_msg(rc == FINE_ENOMEM || rc == 0, "%lld: %d: %s", n, rc, fine_error_message());
        ck_assert_int_eq(report != NULL, rc == 0);
        ck_assert_msg(calls < n || rc < 0 || !faulty.for_ever, "%lld: not noticed", n);
        fine_report_free(report);
        fine_recipe_free(r);
        free_context(ctx);
        n += stride;
    } while (n - stride <= calls);
    free_place(&p);
}
END_TEST

RUNNER("run", leaves_a_run_folder, goes_on_with_the_same_bits,
       keeps_the_last_step_without_validation, learns_numbers_and_scores_groups,
       follows_the_option_for_the_folder, refuses_before_anything_is_written,
       checks_its_arguments, one_run_at_a_time, survives_failing_calls, survives_no_memory)
