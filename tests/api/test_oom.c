/*
 * test_oom.c — every allocation of the main job failing in turn, once and from then on: opening,
 * a task, predicting, training, evaluating, saving, resuming, data. Each time FINE_ENOMEM with
 * a message or success; nothing is lost; the same call again succeeds and gives the bits of a
 * run in which nothing failed.
 *
 * A scenario prepares what it needs, acts (again after a failure, going on where it stopped)
 * and says in one number what came of it.
 */
#include "api.h"

enum { EXHAUSTIVE = 400 };          /* up to here every allocation fails, then every seventh */

/* ---- an allocator that can refuse, and counts ---- */

static struct {
    long long calls, fail_at, live;
    bool for_ever;
} allocator;

static bool
refuses(void)
{
    const long long n = ++allocator.calls, at = allocator.fail_at;

    return at > 0 && (allocator.for_ever ? n >= at : n == at);
}

static void *
allocate(size_t bytes, void *user)
{
    void *block = refuses() ? NULL : malloc(bytes);

    (void)user;
    if (block != NULL) {
        allocator.live++;
        memset(block, 0xFF, bytes);
    }
    return block;
}

static void *
reallocate(void *block, size_t bytes, void *user)
{
    (void)user;
    return refuses() ? NULL : realloc(block, bytes);
}

static void
release(void *block, void *user)
{
    (void)user;
    allocator.live -= block != NULL;
    free(block);
}

/* ---- what scenarios share ---- */

struct world {
    fine_context *ctx;
    const char *folder;             /* of this test's own, on a disk of memory where there is one */
    fine_model *model;
    fine_dataset *data, *other;
    fine_session *session;
    fine_optimizer *optimizer;
    fine_trainer *trainer;
    fine_tensors *batch, *out;
    fine_report *report;
    bool told;
};

static const char *const texts[] = { "w1 w2 w3", "", "a b zz w24 w0", "w5 w6 w7 w8 w9 w10 w11" };

static uint64_t
mix(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t
hash_model(const fine_model *model)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    uint64_t hash = mix(1, fine_model_task(model), strlen(fine_model_task(model)));

    for (int64_t i = 0; i < fine_model_n_params(model); i++) {
        const float *values;
        int64_t count;

        OK(fine_model_param(model, i, &info));
        OK(fine_model_values(model, info.name, &values, &count));
        hash = mix(hash, values, (size_t)count * sizeof *values);
    }
    return hash;
}

static struct fine_task_options
task(void)
{
    static const char *const labels[] = { "no", "yes" };
    struct fine_task_options options;

    fine_task_options_init(&options, sizeof options);
    options.type = "classify";
    options.pool = "mean";
    options.labels = labels;
    options.n_labels = 2;
    return options;
}

static void
prepare_model(struct world *w)
{
    const struct fine_task_options options = task();

    w->model = open_tiny(w->ctx, 0);
    OK(fine_model_set_task(w->model, &options));
}

/* ---- scenarios ---- */

static void
prepare_folder(struct world *w)
{
    write_tiny(w->ctx, w->folder, "bert.", 3);
}

static int
open_folder(struct world *w)
{
    return w->model != NULL ? 0 : fine_model_open(&w->model, w->ctx, w->folder, NULL);
}

static uint64_t
result_model(struct world *w)
{
    return hash_model(w->model);
}

static void
prepare_bare(struct world *w)
{
    w->model = open_tiny(w->ctx, 0);
}

/* On failure the model is as before. */
static int
set_task(struct world *w)
{
    const struct fine_task_options options = task();
    const uint64_t before = hash_model(w->model);
    int rc = fine_model_set_task(w->model, &options);

    if (rc < 0)
        ck_assert(hash_model(w->model) == before);
    if (rc == 0)
        rc = fine_model_freeze(w->model, "embeddings,*.attention.*");
    return rc;
}

static int
predict(struct world *w)
{
    int rc = w->session == NULL ? fine_session_new(&w->session, w->model) : 0;

    if (rc == 0)
        rc = fine_session_predict(w->session, texts, texts, COUNT(texts));
    if (rc == 0)
        rc = fine_session_embed(w->session, texts, COUNT(texts), NULL);
    return rc;
}

static uint64_t
result_answers(struct world *w)
{
    uint64_t hash = 1;

    for (int i = 0; i < COUNT(texts); i++) {
        hash = mix(hash, fine_session_scores(w->session, i), 2 * sizeof(float));
        hash = mix(hash, fine_session_embedding(w->session, i, NULL), WIDTH * sizeof(float));
    }
    return hash;
}

/* Earlier answers stay when later ones fail. */
static void
prepare_session(struct world *w)
{
    prepare_model(w);
    OK(predict(w));
}

static int
predict_more(struct world *w)
{
    const char *many[40];
    const uint64_t before = result_answers(w);

    for (int i = 0; i < 40; i++)
        many[i] = texts[i % COUNT(texts)];
    const int rc = fine_session_predict(w->session, many, NULL, 40);

    if (rc < 0)
        ck_assert(result_answers(w) == before);
    return rc;
}

static uint64_t
result_scores(struct world *w)
{
    return mix(1, fine_session_scores(w->session, 0), 40 * 2 * sizeof(float));
}

static void
prepare_evaluation(struct world *w)
{
    prepare_model(w);
    w->data = tiny_rows(w->ctx, 20);
    OK(fine_session_new(&w->session, w->model));
}

static int
evaluate(struct world *w)
{
    return w->report != NULL ? 0 : fine_session_evaluate(w->session, w->data, &w->report);
}

static uint64_t
result_report(struct world *w)
{
    const char *json = fine_report_json(w->report);

    return mix(1, json, strlen(json));
}

static void
prepare_training(struct world *w)
{
    struct fine_adamw_options adamw;

    prepare_model(w);
    w->data = tiny_rows(w->ctx, 10);
    w->other = tiny_rows(w->ctx, 6);
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 1e-3;
    OK(fine_optimizer_new_adamw(&w->optimizer, w->ctx, &adamw));
}

static int
new_trainer(struct world *w, int64_t steps, const char *folder, int32_t resume)
{
    struct fine_trainer_options options;

    fine_trainer_options_init(&options, sizeof options);
    options.steps = steps;
    options.batch_size = 4;
    options.validation = w->other;
    options.evaluate_every_steps = 1;
    options.seed = 3;
    options.folder = folder;
    options.resume = resume;
    return fine_trainer_new(&w->trainer, w->model, w->data, w->optimizer, NULL, &options);
}

/* A failed step is as none: it can be had again. */
static int
train(struct world *w)
{
    int rc = w->trainer == NULL ? new_trainer(w, 2, NULL, 0) : 0;

    while (rc == 0 && fine_trainer_progress(w->trainer)->step < 2) {
        const uint64_t before = hash_model(w->model);

        rc = fine_trainer_step(w->trainer);
        if (rc < 0)
            ck_assert(hash_model(w->model) == before);
        rc = rc > 0 ? 0 : rc;
    }
    if (rc == 0 && !w->told) {
        rc = fine_trainer_evaluate(w->trainer, NULL);
        w->told = rc >= 0;
        rc = rc > 0 ? 0 : rc;
    }
    return rc == 0 ? fine_trainer_finish(w->trainer, NULL) : rc;
}

/* Three steps, a checkpoint after the second; the rest is another trainer's. */
static void
prepare_resuming(struct world *w)
{
    prepare_training(w);
    OK(new_trainer(w, 3, w->folder, 0));
    for (int i = 0; i < 2; i++)
        OK(fine_trainer_step(w->trainer));
    OK(fine_trainer_checkpoint(w->trainer));
    fine_trainer_free(w->trainer);
    w->trainer = NULL;
    fine_model_free(w->model);
    fine_optimizer_free(w->optimizer);
    fine_dataset_free(w->data);
    fine_dataset_free(w->other);
    prepare_training(w);
}

static int
resume(struct world *w)
{
    int rc = w->trainer == NULL ? new_trainer(w, 3, w->folder, 1) : 0;

    if (rc == 0)
        ck_assert_int_ge(fine_trainer_progress(w->trainer)->step, 2);
    if (rc == 0 && fine_trainer_progress(w->trainer)->step == 2)
        rc = fine_trainer_step(w->trainer) > 0 ? 0 : FINE_ENOMEM;
    return rc == 0 ? fine_trainer_checkpoint(w->trainer) : rc;
}

static void
prepare_saving(struct world *w)
{
    struct fine_task_options options = task();

    w->model = open_tiny(w->ctx, 2);
    OK(fine_model_save(w->model, w->folder));
    fine_model_free(w->model);
    w->model = open_tiny(w->ctx, 0);
    options.pool = "pooler";
    options.seed = 5;
    OK(fine_model_set_task(w->model, &options));
}

/* Whatever fails, the folder holds one whole model or the other. */
static int
save(struct world *w)
{
    const int rc = fine_model_save(w->model, w->folder);

    if (rc < 0 || allocator.fail_at == 0) {
        const long long fail_at = allocator.fail_at;
        fine_model *saved;

        allocator.fail_at = 0;
        const int opened = fine_model_open(&saved, w->ctx, w->folder, NULL);

        if (opened < 0)
            ck_abort_msg("the folder doesn't open: %s", fine_error_message());
        fine_model_free(saved);
        allocator.fail_at = fail_at;
        if (rc < 0)
            FAILS(FINE_EINVAL, fine_model_save(NULL, NULL));        /* any message will do */
    }
    return rc;
}

static uint64_t
result_saved(struct world *w)
{
    fine_model *saved;

    OK(fine_model_open(&saved, w->ctx, w->folder, NULL));
    const uint64_t hash = hash_model(saved);

    fine_model_free(saved);
    return hash;
}

static void
prepare_batch(struct world *w)
{
    prepare_model(w);
    w->batch = tiny_batch(w->ctx, 2);
    OK(fine_optimizer_new_adamw(&w->optimizer, w->ctx, NULL));
}

static int
by_hand(struct world *w)
{
    int rc = w->out == NULL ? fine_model_forward(w->model, w->batch,
                                                 FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS,
                                                 &w->out) : 0;

    if (rc == 0)
        rc = fine_model_zero_gradients(w->model);
    if (rc == 0)
        rc = fine_model_backward(w->model, w->batch, 1, NULL);
    if (rc == 0)
        rc = fine_model_clip_gradients(w->model, 1, NULL);
    if (rc == 0 && !w->told) {
        rc = fine_optimizer_step(w->optimizer, w->model, 1e-3);
        w->told = rc == 0;
    }
    return rc == 0 ? fine_tensors_save(w->out, inside(w->folder, "out.safetensors")) : rc;
}

static void
prepare_table(struct world *w)
{
    static const char table[] = "text,label,part\n\"w1, w2\",no,a\nw3,yes,b\n\"w\n4\",no,a\n"
                                "w5,yes,c\nw6,no,c\nw7,yes,d\nw8,no,e\nw9,yes,f\n";

    write_file(w->folder, "table.csv", table, sizeof table - 1);
}

static int
read_table(struct world *w)
{
    struct fine_dataset_options options;
    fine_dataset *rest, *held_out;
    int rc = 0;

    fine_dataset_options_init(&options, sizeof options);
    options.split_by = "part";
    if (w->data == NULL)
        rc = fine_dataset_open(&w->data, w->ctx, inside(w->folder, "table.csv"), &options);
    if (rc == 0)
        rc = fine_dataset_split(&rest, &held_out, w->data, 0.3, 4);
    if (rc == 0) {
        fine_dataset_free(rest);
        fine_dataset_free(held_out);
    }
    return rc;
}

static uint64_t
result_rows(struct world *w)
{
    return (uint64_t)fine_dataset_count(w->data);
}

/* A row that could not be added isn't there. */
static void
prepare_rows(struct world *w)
{
    OK(fine_dataset_new(&w->data, w->ctx, NULL));
}

static int
add_rows(struct world *w)
{
    int rc = 0;

    for (int64_t n = fine_dataset_count(w->data); rc == 0 && n < 30; n++) {
        char label[16];

        (void)snprintf(label, sizeof label, "label %d", (int)(n * 7 % 10));
        rc = fine_dataset_add(w->data, texts[n % COUNT(texts)], texts[0], label, label);
        ck_assert_int_eq(fine_dataset_count(w->data), rc == 0 ? n + 1 : n);
    }
    return rc;
}

static const struct scenario {
    const char *name;
    void (*prepare)(struct world *w);
    int (*act)(struct world *w);
    uint64_t (*result)(struct world *w);
} scenarios[] = {
    { "open", prepare_folder, open_folder, result_model },
    { "set a task", prepare_bare, set_task, result_model },
    { "predict", prepare_model, predict, result_answers },
    { "predict again", prepare_session, predict_more, result_scores },
    { "evaluate", prepare_evaluation, evaluate, result_report },
    { "train", prepare_training, train, result_model },
    { "resume", prepare_resuming, resume, result_model },
    { "save", prepare_saving, save, result_saved },
    { "by hand", prepare_batch, by_hand, result_model },
    { "read a table", prepare_table, read_table, result_rows },
    { "add rows", prepare_rows, add_rows, result_rows },
};

/* ---- the loop ---- */

static void
begin(struct world *w, const struct scenario *s, char *folder)
{
    struct fine_context_options options;

    *w = (struct world){ .folder = folder };
    allocator.fail_at = allocator.live = 0;
    fine_context_options_init(&options, sizeof options);
    options.n_threads = 1;
    options.allocate = allocate;
    options.reallocate = reallocate;
    options.release = release;
    OK(fine_context_new(&w->ctx, &options));
    (void)strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fine-oom-XXXXXX"
                                                       : "/tmp/fine-oom-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    s->prepare(w);
}

static void
end(struct world *w)
{
    fine_session_free(w->session);
    fine_trainer_free(w->trainer);
    fine_optimizer_free(w->optimizer);
    fine_dataset_free(w->data);
    fine_dataset_free(w->other);
    fine_tensors_free(w->batch);
    fine_tensors_free(w->out);
    fine_report_free(w->report);
    fine_model_free(w->model);
    ck_assert_int_eq(fine_context_used_bytes(w->ctx), 0);
    fine_context_free(w->ctx);
    ck_assert_int_eq(allocator.live, 0);
    ck_assert_int_eq(nftw(w->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The first act with allocation n failing; true where it got that far. */
static bool
fail_once(const struct scenario *s, long long n, bool for_ever, uint64_t expected)
{
    char folder[40];
    struct world w;

    begin(&w, s, folder);
    allocator.calls = 0;
    allocator.for_ever = for_ever;
    allocator.fail_at = n;
    const int rc = s->act(&w);
    const bool reached = allocator.calls >= n;

    if (rc != 0 && rc != FINE_ENOMEM)
        ck_abort_msg("%s, allocation %lld: %d, %s", s->name, n, rc, fine_error_message());
    if (rc < 0 && fine_error_message()[0] == '\0')
        ck_abort_msg("%s, allocation %lld: no message", s->name, n);
    if (!reached && rc != 0)
        ck_abort_msg("%s: %s", s->name, fine_error_message());
    allocator.fail_at = 0;
    if (rc < 0) {
        const int again = s->act(&w);

        if (again != 0)
            ck_abort_msg("%s, again after allocation %lld: %d, %s", s->name, n, again,
                         fine_error_message());
    }
    if (s->result(&w) != expected)
        ck_abort_msg("%s, allocation %lld: another result", s->name, n);
    end(&w);
    return reached;
}

START_TEST(each_allocation)
{
    const struct scenario *s = &scenarios[_i / 2];
    char folder[40];
    struct world w;

    begin(&w, s, folder);
    allocator.calls = 0;
    OK(s->act(&w));
    const long long calls = allocator.calls;
    const uint64_t expected = s->result(&w);

    end(&w);
    if (getenv("FINE_TEST_TELL") != NULL)
        fprintf(stderr, "%s: %lld allocations\n", s->name, calls);
    ck_assert_int_gt(calls, 0);
    for (long long n = 1; fail_once(s, n, _i % 2 != 0, expected); n += n < EXHAUSTIVE ? 1 : 7)
        ck_assert_int_le(n, calls + 10);
}
END_TEST

/* A handle whose call failed can be freed without trying again. */
START_TEST(giving_up)
{
    const struct scenario *s = &scenarios[_i];

    for (long long n = 1;; n += 1 + n / 8) {
        char folder[40];
        struct world w;

        begin(&w, s, folder);
        allocator.calls = 0;
        allocator.for_ever = true;
        allocator.fail_at = n;
        const int rc = s->act(&w);

        end(&w);                    /* while there is still no memory */
        if (rc == 0)
            break;
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("oom");
    TCase *tcase = tcase_create("oom");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_allocation, 0, 2 * COUNT(scenarios));
    tcase_add_loop_test(tcase, giving_up, 0, COUNT(scenarios));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
