/*
 * custom_loop.c — a training loop of one's own: batches from memory, gradients by hand,
 * a rate that the loop decides. Neither a dataset nor a trainer is used.
 *
 *     custom_loop MODEL_FOLDER
 *
 * It learns to tell two kinds of sentences apart that stand in this file.
 */
#include <finetune.h>

#include <stdio.h>

enum { ROWS = 8, WIDTH = 16 };

static const char *const sentences[ROWS] = {
    "the picture is sharp and bright", "it broke after a week",
    "i love this little camera",       "a waste of money",
    "works exactly as described",      "the battery is dead again",
    "great value and easy to use",     "customer support never answered",
};
static const int64_t labels[ROWS] = { 1, 0, 1, 0, 1, 0, 1, 0 };

/* Encodes the sentences into input_ids and attention_mask, padded on the right. */
static int
make_batch(fine_tensors *batch, const fine_tokenizer *tokenizer)
{
    static int64_t ids[ROWS][WIDTH], mask[ROWS][WIDTH];
    const int64_t shape[2] = { ROWS, WIDTH };
    struct fine_encode_options how;
    int rc = FINE_OK;

    fine_encode_options_init(&how, sizeof how);
    how.max_length = WIDTH;
    for (int i = 0; i < ROWS && rc == FINE_OK; i++) {
        fine_encoding *encoding = NULL;

        rc = fine_tokenizer_encode(&encoding, tokenizer, sentences[i], -1, NULL, 0, &how);
        for (int64_t k = 0; rc == FINE_OK && k < fine_encoding_count(encoding); k++) {
            ids[i][k] = fine_encoding_ids(encoding)[k];
            mask[i][k] = 1;
        }
        fine_encoding_free(encoding);
    }
    if (rc == FINE_OK)
        rc = fine_tensors_put(batch, "input_ids", FINE_I64, 2, shape, ids);
    if (rc == FINE_OK)
        rc = fine_tensors_put(batch, "attention_mask", FINE_I64, 2, shape, mask);
    if (rc == FINE_OK)
        rc = fine_tensors_put(batch, "labels", FINE_I64, 1, shape, labels);
    return rc;
}

/* Steps until the loss is small; the rate falls as the loss does. */
static int
loop(fine_model *model, fine_optimizer *optimizer, const fine_tensors *batch)
{
    double loss = 1, norm;
    int rc = FINE_OK;

    for (int step = 0; step < 60 && loss > 0.1 && rc == FINE_OK; step++) {
        if ((rc = fine_model_zero_gradients(model)) == FINE_OK &&
            (rc = fine_model_backward(model, batch, 1.0, &loss)) == FINE_OK &&
            (rc = fine_model_clip_gradients(model, 1.0, &norm)) == FINE_OK)
            rc = fine_optimizer_step(optimizer, model, 2e-4 * (loss < 1 ? loss : 1));
        if (rc == FINE_OK)
            printf("step %2d: loss %.4f, gradient norm %.3f\n", step, loss, norm);
    }
    return rc;
}

int
main(int argc, char **argv)
{
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_tokenizer *tokenizer = NULL;
    fine_tensors *batch = NULL;
    fine_optimizer *optimizer = NULL;
    struct fine_task_options task;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: custom_loop MODEL_FOLDER\n");
        return 2;
    }
    fine_task_options_init(&task, sizeof task);
    task.type = "classify";
    task.pool = "mean";
    task.n_labels = 2;
    if ((rc = fine_context_new(&context, NULL)) == FINE_OK &&
        (rc = fine_model_open(&model, context, argv[1], NULL)) == FINE_OK &&
        (rc = fine_model_set_task(model, &task)) == FINE_OK &&
        (rc = fine_tokenizer_open(&tokenizer, context, argv[1])) == FINE_OK &&
        (rc = fine_tensors_new(&batch, context)) == FINE_OK &&
        (rc = make_batch(batch, tokenizer)) == FINE_OK &&
        (rc = fine_optimizer_new_adamw(&optimizer, context, NULL)) == FINE_OK)
        rc = loop(model, optimizer, batch);
    if (rc < 0)
        fprintf(stderr, "%s\n", fine_error_message());
    fine_optimizer_free(optimizer);
    fine_tensors_free(batch);
    fine_tokenizer_free(tokenizer);
    fine_model_free(model);
    fine_context_free(context);
    return rc < 0;
}
