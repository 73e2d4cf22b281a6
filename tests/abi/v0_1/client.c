/*
 * client.c — DO NOT EVER CHANGE.
 *
 * A program of 0.1's time: compiled against the header as it was (include/ beside this file),
 * run with today's library. Where it fails, today's library is what is wrong.
 */
#include <finetune.h>

#include <stdio.h>
#include <string.h>

static const char config[] =
    "{\"model_type\": \"bert\", \"vocab_size\": 9, \"hidden_size\": 8, \"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 16, \"max_position_embeddings\": 16}";
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\nbad\nvery\n.\n";
static const char *const labels[] = { "no", "yes" };
static const char *const texts[] = { "very bad .", "very good ." };

#define NEED(what)                                                          \
    do {                                                                    \
        if (!(what)) {                                                      \
            printf("line %d: %s: %s\n", __LINE__, #what, fine_error_message()); \
            return 1;                                                       \
        }                                                                   \
    } while (0)

static int
progress(const struct fine_progress *p, void *user)
{
    *(int64_t *)user += p->event == FINE_EVENT_STEP;
    return 0;
}

int
main(void)
{
    const struct fine_memory_file files[] = {
        { "config.json", config, (int64_t)(sizeof config - 1) },
        { "vocab.txt", vocabulary, (int64_t)(sizeof vocabulary - 1) },
    };
    struct fine_context_options context_options;
    struct fine_model_options model_options;
    struct fine_task_options task;
    struct fine_dataset_options data_options;
    struct fine_adamw_options adamw;
    struct fine_schedule_options schedule_options;
    struct fine_trainer_options options;
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_dataset *data = NULL;
    fine_optimizer *optimizer = NULL;
    fine_schedule *schedule = NULL;
    fine_trainer *trainer = NULL;
    fine_session *session = NULL;
    fine_report *report = NULL;
    int64_t steps = 0;
    double value = 0;

    NEED(FINE_EINVAL == -1 && FINE_EDATA == -14);
    fine_context_options_init(&context_options, sizeof context_options);
    context_options.n_threads = 1;
    NEED(fine_context_new(&context, &context_options) == FINE_OK);

    fine_model_options_init(&model_options, sizeof model_options);
    model_options.random_weights = 1;
    NEED(fine_model_open_memory(&model, context, files, 2, &model_options) == FINE_OK);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = 2;
    NEED(fine_model_set_task(model, &task) == FINE_OK);

    fine_dataset_options_init(&data_options, sizeof data_options);
    NEED(fine_dataset_new(&data, context, &data_options) == FINE_OK);
    for (int i = 0; i < 8; i++)
        NEED(fine_dataset_add(data, texts[i % 2], NULL, labels[i % 2], NULL) == FINE_OK);

    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 2e-2;
    NEED(fine_optimizer_new_adamw(&optimizer, context, &adamw) == FINE_OK);
    fine_schedule_options_init(&schedule_options, sizeof schedule_options);
    NEED(fine_schedule_new(&schedule, context, "linear", &schedule_options) == FINE_OK);
    fine_trainer_options_init(&options, sizeof options);
    options.steps = 60;
    options.batch_size = 4;
    options.progress = progress;
    options.progress_user = &steps;
    NEED(fine_trainer_new(&trainer, model, data, optimizer, schedule, &options) == FINE_OK);
    NEED(fine_trainer_step(trainer) == 1);
    NEED(fine_trainer_progress(trainer)->step == 1);
    NEED(fine_trainer_fit(trainer, &report) == FINE_OK);
    NEED(steps == 60);
    NEED(fine_report_number(report, "steps", &value) == FINE_OK && value == 60);
    fine_trainer_free(trainer);
    fine_report_free(report);

    NEED(fine_session_new(&session, model) == FINE_OK);
    NEED(fine_session_predict(session, texts, NULL, 2) == FINE_OK);
    for (int i = 0; i < 2; i++)
        NEED(strcmp(fine_model_label(model, fine_session_label(session, i)), labels[i]) == 0);
    NEED(fine_session_predict(NULL, texts, NULL, 2) == FINE_EINVAL);

    fine_context_free(context);
    fine_model_free(model);
    fine_session_free(session);
    fine_schedule_free(schedule);
    fine_optimizer_free(optimizer);
    fine_dataset_free(data);
    return 0;
}
