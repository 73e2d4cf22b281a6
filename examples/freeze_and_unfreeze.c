/*
 * freeze_and_unfreeze.c — first the new head alone, at a high rate while everything else
 * stands still; then the last layers with it, at a low one. What is frozen costs no
 * gradient, no optimizer state and no saved activation.
 *
 *     freeze_and_unfreeze MODEL_FOLDER TABLE.csv OUT_FOLDER
 *
 * The table has the columns text and label, the latter positive or negative.
 */
#include <finetune.h>

#include <stdio.h>

static void
say_what_is_trained(const fine_model *model, const char *spec)
{
    struct fine_param_info info = { .struct_size = sizeof info };
    long long all = 0, trained = 0;

    for (int64_t i = 0; i < fine_model_n_params(model); i++)
        if (fine_model_param(model, i, &info) == FINE_OK) {
            all += info.count;
            trained += info.frozen ? 0 : info.count;
        }
    printf("freeze %s: %lld of %lld weights are trained\n", spec, trained, all);
}

/* Trains for a number of epochs with `spec` frozen. A trainer holds the model, so each
 * phase has its own. */
static int
phase(fine_context *context, fine_model *model, fine_dataset *data, const char *spec, double rate,
      double epochs)
{
    fine_optimizer *optimizer = NULL;
    fine_trainer *trainer = NULL;
    struct fine_adamw_options adamw;
    struct fine_trainer_options options;
    int rc = fine_model_freeze(model, spec);

    fine_adamw_options_init(&adamw, sizeof adamw);
    adamw.learning_rate = rate;
    fine_trainer_options_init(&options, sizeof options);
    options.epochs = epochs;
    if (rc == FINE_OK)
        say_what_is_trained(model, spec);
    if (rc == FINE_OK && (rc = fine_optimizer_new_adamw(&optimizer, context, &adamw)) == FINE_OK &&
        (rc = fine_trainer_new(&trainer, model, data, optimizer, NULL, &options)) == FINE_OK &&
        (rc = fine_trainer_fit(trainer, NULL)) == FINE_OK)
        printf("  loss %.4f after %lld steps\n", fine_trainer_progress(trainer)->loss,
               (long long)fine_trainer_progress(trainer)->step);
    fine_trainer_free(trainer);
    fine_optimizer_free(optimizer);
    return rc;
}

int
main(int argc, char **argv)
{
    static const char *const labels[] = { "negative", "positive" };
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_dataset *data = NULL;
    struct fine_task_options task;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: freeze_and_unfreeze MODEL_FOLDER TABLE.csv OUT_FOLDER\n");
        return 2;
    }
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.labels = labels;
    task.n_labels = 2;
    if ((rc = fine_context_new(&context, NULL)) == FINE_OK &&
        (rc = fine_model_open(&model, context, argv[1], NULL)) == FINE_OK &&
        (rc = fine_model_set_task(model, &task)) == FINE_OK &&
        (rc = fine_dataset_open(&data, context, argv[2], NULL)) == FINE_OK &&
        (rc = phase(context, model, data, "all", 1e-2, 2)) == FINE_OK &&
        (rc = phase(context, model, data, "embeddings..1", 1e-4, 1)) == FINE_OK)
        rc = fine_model_save(model, argv[3]);
    for (const char *m = rc < 0 ? fine_error_message() : NULL; m; m = fine_error_next())
        fprintf(stderr, "%s\n", m);
    fine_dataset_free(data);
    fine_model_free(model);
    fine_context_free(context);
    return rc < 0;
}
