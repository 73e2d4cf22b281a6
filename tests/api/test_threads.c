/*
 * test_threads.c — contexts in threads of their own, sessions that share one model's weights,
 * one session in two threads, and children after fork(): the same bits as alone.
 */
#include "api.h"

#include <pthread.h>
#include <sys/wait.h>

enum { N_TEXTS = 30, N_THREADS = 4 };

static const char *
text_of(int i)
{
    static const char *const texts[] = {
        "w1 w2 w3",          "",
        "w24 a b c",         "w0",
        "zz zz w3 w4 w5 w6", "w7 w8 w9 w10 w11 w12 w13 w14 w15 w16 w17 w18 w19 w20"
    };

    return texts[i % COUNT(texts)];
}

/* ---- a whole small life: train, save, open, predict ---- */

struct life {
    int n_threads;
    bool done;
    float scores[N_TEXTS][2];
};

static fine_trainer *
new_trainer(fine_context *ctx, fine_model *model, fine_dataset *data, fine_optimizer **optimizer)
{
    static const char *const labels[] = { "no", "yes" };
    struct fine_trainer_options options;
    struct fine_adamw_options adamw;
    struct fine_task_options task;
    fine_trainer *trainer;

    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = 2;
    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 3e-3;
    fine_trainer_options_init(&options, sizeof options);
    options.steps = 12;
    options.batch_size = 5;
    options.seed = 9;
    OK(fine_model_set_task(model, &task));
    OK(fine_optimizer_new_adamw(optimizer, ctx, &adamw));
    OK(fine_trainer_new(&trainer, model, data, *optimizer, NULL, &options));
    return trainer;
}

static void
predict_all(fine_model *model, float (*scores)[2])
{
    fine_session *session;

    OK(fine_session_new(&session, model));
    for (int i = 0; i < N_TEXTS; i++) {
        const char *text = text_of(i);

        OK(fine_session_predict(session, &text, NULL, 1));
        memcpy(scores[i], fine_session_scores(session, 0), sizeof scores[i]);
    }
    fine_session_free(session);
}

static void *
live(void *arg)
{
    struct life *life = arg;
    fine_context *ctx = new_context(life->n_threads);
    fine_dataset *data = tiny_rows(ctx, 23);
    fine_model *model = open_tiny(ctx, 0), *again;
    fine_optimizer *optimizer;
    fine_trainer *trainer = new_trainer(ctx, model, data, &optimizer);
    char folder[] = "/tmp/fine-api-XXXXXX";

    OK(fine_trainer_fit(trainer, NULL));
    fine_trainer_free(trainer);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    OK(fine_model_save(model, folder));
    fine_model_free(model);
    OK(fine_model_open(&again, ctx, folder, NULL));
    predict_all(again, life->scores);
    fine_model_free(again);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    free_context(ctx);
    ck_assert_int_eq(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    life->done = true;
    return NULL;
}

START_TEST(contexts_in_threads)
{
    static struct life alone = { .n_threads = 1 }, lives[N_THREADS];
    pthread_t threads[N_THREADS];

    (void)live(&alone);
    for (int i = 0; i < N_THREADS; i++) {
        lives[i].n_threads = 1 + i % 3;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, live, &lives[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert(lives[i].done);
        ck_assert_int_eq(memcmp(lives[i].scores, alone.scores, sizeof alone.scores), 0);
    }
    ck_assert(alone.scores[0][0] > 0 && alone.scores[0][0] < 1);
}
END_TEST

/* ---- sessions of one model ---- */

struct reader {
    fine_model *model;
    bool done;
    float scores[N_TEXTS][2];
};

static void *
read_model(void *arg)
{
    struct reader *reader = arg;

    for (int round = 0; round < 5; round++)
        predict_all(reader->model, reader->scores);
    reader->done = true;
    return NULL;
}

START_TEST(sessions_in_threads)
{
    fine_context *ctx = new_context(2);
    fine_model *model = open_tiny(ctx, 2);
    static struct reader alone, readers[N_THREADS];
    pthread_t threads[N_THREADS];

    alone.model = model;
    (void)read_model(&alone);
    const int64_t before = fine_context_used_bytes(ctx);

    for (int i = 0; i < N_THREADS; i++) {
        readers[i].model = model;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_model, &readers[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert(readers[i].done);
        ck_assert_int_eq(memcmp(readers[i].scores, alone.scores, sizeof alone.scores), 0);
    }
    ck_assert_int_eq(fine_context_used_bytes(ctx), before);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* Eight sessions at work hold the weights once: 8 MB here, and little besides. */
START_TEST(weights_are_held_once)
{
    static const char config[] =
        "{\"model_type\": \"bert\", \"vocab_size\": 32000, \"hidden_size\": 64, "
        "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 64, "
        "\"max_position_embeddings\": 20}";
    enum { SESSIONS = 8 };
    const struct fine_memory_file files[] = { { "config.json", config, sizeof config - 1 },
                                              { "vocab.txt", tiny_vocabulary(),
                                                (int64_t)strlen(tiny_vocabulary()) } };
    const char *texts[N_TEXTS];
    fine_context *ctx = new_context(2);
    struct fine_model_options options;
    struct fine_task_options task;
    fine_session *sessions[SESSIONS];
    fine_model *model;

    for (int i = 0; i < N_TEXTS; i++)
        texts[i] = text_of(i);
    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    OK(fine_model_open_memory(&model, ctx, files, 2, &options));
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.n_labels = 2;
    OK(fine_model_set_task(model, &task));
    const int64_t alone = fine_context_used_bytes(ctx);

    ck_assert_int_ge(alone, 32000 * 64 * 4);
    for (int i = 0; i < SESSIONS; i++) {
        OK(fine_session_new(&sessions[i], model));
        OK(fine_session_predict(sessions[i], texts, NULL, 4));
    }
    ck_assert_int_lt(fine_context_used_bytes(ctx) - alone, alone / 2);
    ck_assert_int_lt(fine_context_peak_bytes(ctx), 2 * alone);
    fine_model_free(model); /* sessions keep it */
    OK(fine_session_predict(sessions[3], texts, NULL, N_TEXTS));
    for (int i = 0; i < SESSIONS; i++)
        fine_session_free(sessions[i]);
    free_context(ctx);
}
END_TEST

/* One session in several threads: refused by all but one, never a mixture. */
struct crowd {
    fine_session *session;
    int n_good, n_busy, n_other;
};

static void *
push_in(void *arg)
{
    struct crowd *crowd = arg;
    const char *texts[N_TEXTS];

    for (int i = 0; i < N_TEXTS; i++)
        texts[i] = text_of(i);
    for (int i = 0; i < 40; i++) {
        const int rc = fine_session_predict(crowd->session, texts, NULL, N_TEXTS);

        crowd->n_good += rc == 0;
        crowd->n_busy += rc == FINE_EBUSY;
        crowd->n_other += rc != 0 && rc != FINE_EBUSY;
    }
    return NULL;
}

START_TEST(one_session_in_two_threads)
{
    fine_context *ctx = new_context(1);
    fine_model *model = open_tiny(ctx, 2);
    struct crowd crowds[2] = { { NULL, 0, 0, 0 }, { NULL, 0, 0, 0 } };
    fine_session *session;
    pthread_t threads[2];

    OK(fine_session_new(&session, model));
    for (int i = 0; i < 2; i++) {
        crowds[i].session = session;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, push_in, &crowds[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(crowds[0].n_other + crowds[1].n_other, 0);
    ck_assert_int_ge(crowds[0].n_good + crowds[1].n_good, 40);
    fine_session_free(session);
    fine_model_free(model);
    free_context(ctx);
}
END_TEST

/* ---- fork ---- */

/* 0 where the child's bits are the same. */
static int
in_child(fine_model *model, float (*expected)[2])
{
    int status;
    const pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        float scores[N_TEXTS][2];

        (void)alarm(30);
        predict_all(model, scores);
        _exit(memcmp(scores, expected, sizeof scores) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(children)
{
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        fine_context *ctx = new_context(n_threads);
        fine_model *model = open_tiny(ctx, 2);
        float scores[N_TEXTS][2], again[N_TEXTS][2];
        fine_dataset *data = tiny_rows(ctx, 9);
        fine_optimizer *optimizer;

        predict_all(model, scores); /* the pool's threads are there */
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(in_child(model, scores), 0);
        predict_all(model, again);
        ck_assert_int_eq(memcmp(again, scores, sizeof scores), 0);
        /* a trainer stays with its process; the parent's goes on */
        fine_trainer *trainer = new_trainer(ctx, model, data, &optimizer);
        int status;

        ck_assert_int_eq(fine_trainer_step(trainer), 1);
        const pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            (void)alarm(30);
            const int step = fine_trainer_step(trainer), fit = fine_trainer_fit(trainer, NULL);

            fine_trainer_free(trainer);
            _exit(step == FINE_EFORK && fit == FINE_EFORK ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        OK(fine_trainer_fit(trainer, NULL));
        fine_trainer_free(trainer);
        fine_optimizer_free(optimizer);
        fine_dataset_free(data);
        fine_model_free(model);
        free_context(ctx);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = { contexts_in_threads, sessions_in_threads, weights_are_held_once,
                                   one_session_in_two_threads, children };

    return run_tests_with(NULL, NULL, "threads", tests, COUNT(tests));
}
