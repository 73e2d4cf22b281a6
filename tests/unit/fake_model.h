/*
 * fake_model.h — a model small enough to check training by eye: the mean of a text's
 * word vectors, a matrix and a bias; and the functions of models/ that training calls.
 *
 * A test that includes this must not call anything else of models/.
 */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H

#include <math.h>

#include "base/rng.h"
#include "models/model.h"
#include "runner.h"
#include "text/tokenizer.h"

enum { FAKE_WORDS = 40, FAKE_WIDTH = 20, FAKE_LABELS = 3, FAKE_SPECIAL = 5 };

/* Called after every backward pass: tests spoil things here. */
static void (*fake_after_backward)(fine_model *model);
static double fake_dropout = 0.25;

struct fine__runner {
    fine_model *model;
    fine__real logits[4096 * FAKE_LABELS];
};

static inline fine_tokenizer *
fake_tokenizer(fine_context *ctx)
{
    char vocabulary[4096] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    struct fine__source *source;
    fine_tokenizer *tokenizer;

    for (int i = 0; i < FAKE_WORDS; i++)
        (void)sprintf(vocabulary + strlen(vocabulary), "w%d\n", i);
    const struct fine_memory_file file = { "vocab.txt", vocabulary, (int64_t)strlen(vocabulary) };

    ck_assert_int_eq(fine__source_open_memory(&source, ctx, &file, 1), 0);
    ck_assert_int_eq(fine__tokenizer_open(&tokenizer, ctx, source), 0);
    fine__source_free(source);
    return tokenizer;
}

static inline fine_model *
fake_model(fine_context *ctx, enum fine__task task)
{
    static const char *const names[] = { "bad", "good", "ugly" };
    fine_model *model = fine__alloc_array(ctx, 1, sizeof *model);
    const int64_t n_out = task == FINE__REGRESS ? 1 : FAKE_LABELS;
    const int64_t table[2] = { FAKE_SPECIAL + FAKE_WORDS, FAKE_WIDTH };
    const int64_t matrix[2] = { n_out, FAKE_WIDTH }, bias[1] = { n_out };
    const struct fine__param words = { .is_embedding = true, .padding_row = 0, .init_std = 0.5 };
    const struct fine__param head = {
        .is_head = true, .stage = 1, .padding_row = -1, .init_std = 0.5
    };

    ck_assert_ptr_nonnull(model);
    atomic_init(&model->references, 1);
    atomic_init(&model->sessions, 0);
    atomic_init(&model->training, false);
    model->ctx = fine__context_ref(ctx);
    model->task = task;
    model->vocab_size = table[0];
    model->type_vocab_size = 2;
    model->max_positions = model->max_length = 12;
    (void)strcpy(model->fingerprint, "0123456789abcdef0123456789abcdef");
    fine__params_init(&model->params, ctx);
    ck_assert_int_eq(fine__params_add(&model->params, &words, 2, table, "words"), 0);
    ck_assert_int_eq(fine__params_add(&model->params, &head, 2, matrix, "head.weight"), 1);
    ck_assert_int_eq(fine__params_add(&model->params, &head, 1, bias, "head.bias"), 2);
    ck_assert_int_eq(fine__params_allocate(&model->params), 0);
    for (int i = 0; i < 3; i++)
        fine__param_draw(&model->params.list[i], 5);
    if (task == FINE__CLASSIFY) {
        model->n_labels = FAKE_LABELS;
        model->labels = fine__alloc_array(ctx, FAKE_LABELS, sizeof *model->labels);
        for (int i = 0; i < FAKE_LABELS; i++)
            model->labels[i] = fine__strdup(ctx, names[i]);
    }
    model->tokenizer = fake_tokenizer(ctx);
    return model;
}

fine_model *
fine__model_ref(fine_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void
fine__model_unref(fine_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->references, 1) > 1)
        return;
    fine_context *ctx = model->ctx;

    fine__params_free(&model->params);
    for (int i = 0; i < model->n_labels; i++)
        fine__free(ctx, model->labels[i]);
    fine__free(ctx, model->labels);
    fine__tokenizer_unref(model->tokenizer);
    fine__free(ctx, model);
    fine__context_unref(ctx);
}

int
fine__runner_new(struct fine__runner **out, fine_model *model)
{
    struct fine__runner *runner = fine__alloc(model->ctx, sizeof *runner);

    if (runner == NULL)
        return FINE_ENOMEM;
    runner->model = fine__model_ref(model);
    *out = runner;
    return FINE_OK;
}

void
fine__runner_free(struct fine__runner *runner)
{
    if (runner == NULL)
        return;
    fine_model *model = runner->model;

    fine__free(model->ctx, runner);
    fine__model_unref(model);
}

void
fine__runner_commit(struct fine__runner *runner)
{
    (void)runner; /* it has no running statistics */
}

void
fine__runner_discard(struct fine__runner *runner)
{
    (void)runner;
}

size_t
fine__runner_peak_bytes(const struct fine__runner *runner)
{
    return sizeof *runner;
}

/* One row: logits from the mean; with dropout a coin for each number of the mean. */
static inline void
fake_mean(const fine_model *model, const struct fine__run *run, int64_t seq, fine__real *mean,
          fine__real *mask)
{
    const struct fine__batch *batch = run->batch;
    const int64_t from = batch->offsets[seq], to = batch->offsets[seq + 1];

    for (int j = 0; j < FAKE_WIDTH; j++) {
        const uint64_t counter = (uint64_t)(seq * FAKE_WIDTH + j);

        mask[j] = run->train && fine__rng_uniform(run->dropout_key, counter) < fake_dropout ? 0 : 1;
        mean[j] = 0;
        for (int64_t i = from; i < to; i++)
            mean[j] += model->params.list[0].tensor.data[batch->ids[i] * FAKE_WIDTH + j];
        mean[j] *= mask[j] / (fine__real)(to - from);
    }
}

static inline void
fake_backward(fine_model *model, const struct fine__run *run, int64_t seq, const fine__real *mean,
              const fine__real *mask, const double *d_logits, int64_t n_out)
{
    const struct fine__batch *batch = run->batch;
    const int64_t from = batch->offsets[seq], to = batch->offsets[seq + 1];
    struct fine__tensor *words = &model->params.list[0].tensor;
    struct fine__tensor *matrix = &model->params.list[1].tensor;
    struct fine__tensor *bias = &model->params.list[2].tensor;

    for (int64_t k = 0; k < n_out; k++) {
        const fine__real d = (fine__real)(d_logits[k] * run->loss_weight);

        bias->grad[k] += d;
        for (int j = 0; j < FAKE_WIDTH; j++)
            matrix->grad[k * FAKE_WIDTH + j] += d * mean[j];
        for (int64_t i = from; words->grad != NULL && i < to; i++) {
            const int32_t id = batch->ids[i];
            fine__real *row = words->grad + id * FAKE_WIDTH;

            if (id == 0)
                continue;
            if (!words->rows->used[id])
                memset(row, 0, FAKE_WIDTH * sizeof *row);
            words->rows->used[id] = 1;
            for (int j = 0; j < FAKE_WIDTH; j++)
                row[j] += d * mask[j] * matrix->data[k * FAKE_WIDTH + j] / (fine__real)(to - from);
        }
    }
}

int
fine__runner_run(struct fine__runner *runner, struct fine__run *run)
{
    fine_model *model = runner->model;
    const struct fine__batch *batch = run->batch;
    const struct fine__tensor *matrix = &model->params.list[1].tensor;
    const int64_t n_out = matrix->shape[0];
    fine__real mean[FAKE_WIDTH], mask[FAKE_WIDTH];
    double d_logits[FAKE_LABELS];

    run->loss_sum = 0;
    run->n_labelled = 0;
    run->logits = runner->logits;
    run->n_logits = n_out;
    for (int64_t s = 0; s < batch->n_seqs; s++) {
        fine__real *logits = runner->logits + s * n_out;
        double sum = 0;

        fake_mean(model, run, s, mean, mask);
        for (int64_t k = 0; k < n_out; k++) {
            logits[k] = model->params.list[2].tensor.data[k];
            for (int j = 0; j < FAKE_WIDTH; j++)
                logits[k] += mean[j] * matrix->data[k * FAKE_WIDTH + j];
        }
        if (model->task == FINE__REGRESS && batch->values != NULL) {
            d_logits[0] = 2 * ((double)logits[0] - batch->values[s]);
            run->loss_sum += d_logits[0] * d_logits[0] / 4;
        } else if (batch->labels != NULL) {
            for (int64_t k = 0; k < n_out; k++)
                sum += exp((double)logits[k]);
            for (int64_t k = 0; k < n_out; k++)
                d_logits[k] = exp((double)logits[k]) / sum - (k == batch->labels[s]);
            run->loss_sum += log(sum) - (double)logits[batch->labels[s]];
        } else {
            continue;
        }
        run->n_labelled++;
        if (run->backward)
            fake_backward(model, run, s, mean, mask, d_logits, n_out);
    }
    if (!isfinite(run->loss_sum))
        return fine__fail(FINE_ENUMERIC, "the loss is not finite");
    if (run->backward && fake_after_backward != NULL)
        fake_after_backward(model);
    return FINE_OK;
}

/* Rows whose label depends on their words, so that there is something to learn. */
static inline fine_dataset *
fake_rows(fine_context *ctx, enum fine__task task, int n, int seed)
{
    static const char *const names[] = { "bad", "good", "ugly" };
    struct fine_dataset_options options;
    fine_dataset *dataset;
    const uint64_t key = fine__rng_key(seed, FINE__RNG_SAMPLE, 0, 0);

    fine_dataset_options_init(&options, sizeof options);
    options.label_is_number = task == FINE__REGRESS;
    ck_assert_int_eq(fine_dataset_new(&dataset, ctx, &options), 0);
    for (int i = 0; i < n; i++) {
        const int64_t n_words = 1 + fine__rng_below(key, (uint64_t)(100 * i), 8);
        char text[256] = "", value[16];
        int64_t first = 0;

        for (int64_t j = 0; j < n_words; j++) {
            const int64_t word = fine__rng_below(key, (uint64_t)(100 * i + j + 1), FAKE_WORDS - 4);

            first = j == 0 ? word : first;
            (void)sprintf(text + strlen(text), "w%d ", (int)word);
        }
        (void)sprintf(value, "%d.5", (int)(first % 3));
        ck_assert_int_eq(fine_dataset_add(dataset, text, NULL,
                                          task == FINE__REGRESS ? value : names[first % 3],
                                          i % 2 ? "odd" : "even"),
                         0);
    }
    return dataset;
}

#endif
