/*
 * quickstart.c — fine-tunes a model on a table of texts and labels, by parts: what
 * `finetune train` does, in a page of C.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs finetune) -o quickstart
 *     ./quickstart MODEL_FOLDER TABLE.csv OUT_FOLDER
 *
 * The table has the columns text and label.
 */
#include <finetune.h>

#include <stdio.h>
#include <stdlib.h>

static int
report(int rc)
{
    if (rc >= 0)
        return 0;
    for (const char *m = fine_error_message(); m; m = fine_error_next())
        fprintf(stderr, "%s\n", m);
    return 1;
}

/* The labels that the data hold become the labels of the model. */
static int
set_task(fine_model *model, const fine_dataset *data)
{
    struct fine_task_options task;
    int64_t n = fine_dataset_n_labels(data);
    const char **labels = calloc((size_t)n + 1, sizeof *labels);
    int rc;

    if (!labels)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        labels[i] = fine_dataset_label_name(data, i);
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = n;
    rc = fine_model_set_task(model, &task);
    free(labels);
    return rc;
}

static int
train(fine_context *context, fine_model *model, fine_dataset *data)
{
    fine_optimizer *optimizer = NULL;
    fine_schedule *schedule = NULL;
    fine_trainer *trainer = NULL;
    struct fine_adamw_options adamw;
    struct fine_schedule_options linear;
    struct fine_trainer_options options;
    int rc;

    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = 1e-4;
    adamw.head_learning_rate = 1e-3;
    fine_schedule_options_init(&linear, sizeof linear);
    linear.warmup = 0.1;
    fine_trainer_options_init(&options, sizeof options);
    options.epochs = 3;
    if ((rc = fine_optimizer_new_adamw(&optimizer, context, &adamw)) == FINE_OK &&
        (rc = fine_schedule_new(&schedule, context, "linear", &linear)) == FINE_OK &&
        (rc = fine_trainer_new(&trainer, model, data, optimizer, schedule, &options)) == FINE_OK)
        while ((rc = fine_trainer_step(trainer)) > 0) { /* 1: stepped, 0: done, < 0: error */
            const struct fine_progress *p = fine_trainer_progress(trainer);

            printf("step %lld of %lld: loss %.4f\n", (long long)p->step, (long long)p->n_steps,
                   p->loss);
        }
    fine_trainer_free(trainer);
    fine_schedule_free(schedule);
    fine_optimizer_free(optimizer);
    return rc;
}

int
main(int argc, char **argv)
{
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_dataset *data = NULL;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: quickstart MODEL_FOLDER TABLE.csv OUT_FOLDER\n");
        return 2;
    }
    if ((rc = fine_context_new(&context, NULL)) == FINE_OK &&
        (rc = fine_model_open(&model, context, argv[1], NULL)) == FINE_OK &&
        (rc = fine_dataset_open(&data, context, argv[2], NULL)) == FINE_OK &&
        (rc = set_task(model, data)) == FINE_OK && (rc = train(context, model, data)) == FINE_OK)
        rc = fine_model_save(model, argv[3]);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
    return report(rc);
}
