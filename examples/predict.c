/*
 * predict.c — a server in miniature: threads that answer at the same time, each with a
 * session of its own on the same weights, which are held once.
 *
 *     predict MODEL_FOLDER TEXT...
 *
 * MODEL_FOLDER is one that was fine-tuned: runs/reviews/model.
 */
#include <finetune.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_THREADS = 2, LONGEST_ANSWER = 96 };

struct worker {
    fine_model *model;
    const char *const *texts;
    char (*answers)[LONGEST_ANSWER];
    int first, n, failed;
};

/* Errors are kept by thread, so the thread that failed prints them. */
static void *
work(void *argument)
{
    struct worker *w = argument;
    fine_session *session = NULL;

    w->failed = fine_session_new(&session, w->model) < 0;
    for (int i = w->first; i < w->n && !w->failed; i += N_THREADS) {
        int64_t label;

        if (fine_session_predict(session, &w->texts[i], NULL, 1) < 0) {
            w->failed = 1;
            break;
        }
        label = fine_session_label(session, 0);
        if (label < 0)
            snprintf(w->answers[i], LONGEST_ANSWER, "%.4f", fine_session_value(session, 0));
        else
            snprintf(w->answers[i], LONGEST_ANSWER, "%.60s (%.1f %%)",
                     fine_model_label(w->model, label),
                     100.0 * (double)fine_session_scores(session, 0)[label]);
    }
    if (w->failed)
        fprintf(stderr, "%s\n", fine_error_message());
    fine_session_free(session);
    return NULL;
}

int
main(int argc, char **argv)
{
    fine_context *context = NULL;
    fine_model *model = NULL;
    struct worker workers[N_THREADS];
    pthread_t threads[N_THREADS];
    char(*answers)[LONGEST_ANSWER];
    int n = argc - 2, failed = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: predict MODEL_FOLDER TEXT...\n");
        return 2;
    }
    answers = calloc((size_t)n, sizeof *answers);
    if (!answers || fine_context_new(&context, NULL) < 0 ||
        fine_model_open(&model, context, argv[1], NULL) < 0) {
        fprintf(stderr, "%s\n", fine_error_message());
        free(answers);
        fine_context_free(context);
        return 1;
    }
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){ model, (const char *const *)argv + 2, answers, i, n, 0 };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            workers[i].failed = -1; /* no thread: its share is done below */
    }
    for (int i = 0; i < N_THREADS; i++) {
        if (workers[i].failed == -1)
            work(&workers[i]);
        else
            pthread_join(threads[i], NULL);
        failed |= workers[i].failed;
    }
    for (int i = 0; i < n && !failed; i++)
        printf("%s: %s\n", answers[i], argv[i + 2]);
    free(answers);
    fine_model_free(model);
    fine_context_free(context);
    return failed;
}
