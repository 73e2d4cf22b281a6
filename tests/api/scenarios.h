/*
 * scenarios.h — the main job in pieces, each of which can fail, be tried again, and be given up:
 * a scenario prepares what it needs, acts (again after a failure, going on where it stopped)
 * and says in one number what came of it. And the allocator that makes them fail.
 */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "api.h"

/* ---- an allocator that can refuse, and counts ---- */

static struct {
    long long calls, fail_at, live;
    bool for_ever;
} allocator;

static inline bool
refuses(void)
{
    const long long n = ++allocator.calls, at = allocator.fail_at;

    return at > 0 && (allocator.for_ever ? n >= at : n == at);
}

static inline void *
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

static inline void *
reallocate(void *block, size_t bytes, void *user)
{
    (void)user;
    return refuses() ? NULL : realloc(block, bytes);
}

static inline void
release(void *block, void *user)
{
    (void)user;
    allocator.live -= block != NULL;
    free(block);
}

/* ---- what scenarios share ---- */

struct world {
    fine_context *ctx;
    const char *folder; /* of this test's own, on a disk of memory where there is one */
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

static inline uint64_t
mix(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

static inline struct fine_task_options
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

static inline void
prepare_model(struct world *w)
{
    const struct fine_task_options options = task();

    w->model = open_tiny(w->ctx, 0);
    OK(fine_model_set_task(w->model, &options));
}

/* ---- scenarios ---- */

static inline void
prepare_folder(struct world *w)
{
    write_tiny(w->ctx, w->folder, "bert.", 3);
}

static inline int
open_folder(struct world *w)
{
    return w->model != NULL ? 0 : fine_model_open(&w->model, w->ctx, w->folder, NULL);
}

static inline uint64_t
result_model(struct world *w)
{
    return hash_of(w->model);
}

static inline void
prepare_bare(struct world *w)
{
    w->model = open_tiny(w->ctx, 0);
}

/* On failure the model is as before. */
static inline int
set_task(struct world *w)
{
    const struct fine_task_options options = task();
    const uint64_t before = hash_of(w->model);
    int rc = fine_model_set_task(w->model, &options);

    if (rc < 0)
        ck_assert(hash_of(w->model) == before);
    if (rc == 0)
        rc = fine_model_freeze(w->model, "embeddings,*.attention.*");
    return rc;
}

static inline int
predict(struct world *w)
{
    int rc = w->session == NULL ? fine_session_new(&w->session, w->model) : 0;

    if (rc == 0)
        rc = fine_session_predict(w->session, texts, texts, COUNT(texts));
    if (rc == 0)
        rc = fine_session_embed(w->session, texts, COUNT(texts), NULL);
    return rc;
}

static inline uint64_t
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
static inline void
prepare_session(struct world *w)
{
    prepare_model(w);
    OK(predict(w));
}

static inline int
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

static inline uint64_t
result_scores(struct world *w)
{
    return mix(1, fine_session_scores(w->session, 0), 40 * 2 * sizeof(float));
}

static inline void
prepare_evaluation(struct world *w)
{
    prepare_model(w);
    w->data = tiny_rows(w->ctx, 20);
    OK(fine_session_new(&w->session, w->model));
}

static inline int
evaluate(struct world *w)
{
    return w->report != NULL ? 0 : fine_session_evaluate(w->session, w->data, &w->report);
}

static inline uint64_t
result_report(struct world *w)
{
    const char *json = fine_report_json(w->report);

    return mix(1, json, strlen(json));
}

static inline void
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

static inline int
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
static inline int
train(struct world *w)
{
    int rc = w->trainer == NULL ? new_trainer(w, 2, NULL, 0) : 0;

    while (rc == 0 && fine_trainer_progress(w->trainer)->step < 2) {
        const uint64_t before = hash_of(w->model);

        rc = fine_trainer_step(w->trainer);
        if (rc < 0)
            ck_assert(hash_of(w->model) == before);
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
static inline void
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

static inline int
resume(struct world *w)
{
    int rc = w->trainer == NULL ? new_trainer(w, 3, w->folder, 1) : 0;

    if (rc == 0)
        ck_assert_int_ge(fine_trainer_progress(w->trainer)->step, 2);
    if (rc == 0 && fine_trainer_progress(w->trainer)->step == 2)
        rc = fine_trainer_step(w->trainer) > 0 ? 0 : FINE_ENOMEM;
    return rc == 0 ? fine_trainer_checkpoint(w->trainer) : rc;
}

static inline void
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
static inline int
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
            FAILS(FINE_EINVAL, fine_model_save(NULL, NULL)); /* any message will do */
    }
    return rc;
}

static inline uint64_t
result_saved(struct world *w)
{
    fine_model *saved;

    OK(fine_model_open(&saved, w->ctx, w->folder, NULL));
    const uint64_t hash = hash_of(saved);

    fine_model_free(saved);
    return hash;
}

static inline void
prepare_batch(struct world *w)
{
    prepare_model(w);
    w->batch = tiny_batch(w->ctx, 2);
    OK(fine_optimizer_new_adamw(&w->optimizer, w->ctx, NULL));
}

static inline int
by_hand(struct world *w)
{
    int rc = w->out == NULL ? fine_model_forward(w->model, w->batch,
                                                 FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS, &w->out)
                            : 0;

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

static inline void
prepare_table(struct world *w)
{
    static const char table[] = "text,label,part\n\"w1, w2\",no,a\nw3,yes,b\n\"w\n4\",no,a\n"
                                "w5,yes,c\nw6,no,c\nw7,yes,d\nw8,no,e\nw9,yes,f\n";

    write_file(w->folder, "table.csv", table, sizeof table - 1);
}

static inline int
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

static inline uint64_t
result_rows(struct world *w)
{
    return (uint64_t)fine_dataset_count(w->data);
}

/* A row that could not be added isn't there. */
static inline void
prepare_rows(struct world *w)
{
    OK(fine_dataset_new(&w->data, w->ctx, NULL));
}

static inline int
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

#endif
