/*
 * kinds.c — the table of tasks: one row each.
 *
 * A loss is a sum over the targets that count; who knows how many there are in a whole step
 * makes the mean of it.
 */
#include "models/kinds.h"

#include <math.h>
#include <string.h>

static int64_t
count_none(const struct fine__batch *batch)
{
    (void)batch;
    return 0;
}

static int64_t
count_labels(const int32_t *labels, int64_t n)
{
    int64_t counted = 0;

    for (int64_t i = 0; labels != NULL && i < n; i++)
        counted += labels[i] >= 0;
    return counted;
}

static int64_t
count_classes(const struct fine__batch *batch)
{
    return count_labels(batch->labels, batch->n_seqs);
}

static int64_t
count_token_classes(const struct fine__batch *batch)
{
    return count_labels(batch->labels, batch->n_tokens);
}

static int64_t
count_numbers(const struct fine__batch *batch)
{
    int64_t counted = 0;

    for (int64_t i = 0; batch->values != NULL && i < batch->n_seqs; i++)
        counted += !isnan(batch->values[i]);
    return counted;
}

static int64_t
count_flags(const struct fine__batch *batch)
{
    return batch->values != NULL ? batch->n_seqs : 0;
}

/* Starts and ends are averaged each by itself; the larger count speaks for both. */
static int64_t
count_spans(const struct fine__batch *batch)
{
    const int64_t starts = count_labels(batch->starts, batch->n_seqs);
    const int64_t ends = count_labels(batch->ends, batch->n_seqs);

    return starts > ends ? starts : ends;
}

static struct fine__tensor *
cross_entropy(struct fine__tape *t, struct fine__tensor *logits, const struct fine__batch *batch)
{
    if (batch->shares != NULL)
        return fine__soft_cross_entropy(t, logits, batch->shares);
    return fine__weighted_cross_entropy(t, logits, batch->labels, batch->criterion);
}

static struct fine__tensor *
square_error(struct fine__tape *t, struct fine__tensor *logits, const struct fine__batch *batch)
{
    return fine__square_error(t, logits, batch->values);
}

static struct fine__tensor *
flags(struct fine__tape *t, struct fine__tensor *logits, const struct fine__batch *batch)
{
    return fine__weighted_binary_cross_entropy(t, logits, batch->values, batch->criterion);
}

/* Half the sum of both means, times the count. */
static struct fine__tensor *
spans(struct fine__tape *t, struct fine__tensor *logits, const struct fine__batch *batch)
{
    const int64_t starts = count_labels(batch->starts, batch->n_seqs);
    const int64_t ends = count_labels(batch->ends, batch->n_seqs);
    const double n = (double)(starts > ends ? starts : ends);
    const double weights[2] = { starts > 0 ? n / (double)starts / 2 : 0,
                                ends > 0 ? n / (double)ends / 2 : 0 };

    return fine__span_cross_entropy(t, logits, batch->n_seqs, batch->offsets, batch->starts,
                                    batch->ends, weights);
}

static const struct fine__kind kinds[FINE__N_TASKS] = {
    [FINE__TASK_NONE] = { .name = "", .count = count_none },
    [FINE__CLASSIFY] = { .name = "classify", .target = FINE__CLASSES, .least_labels = 2,
                         .count = count_classes, .loss = cross_entropy },
    [FINE__MULTILABEL] = { .name = "multilabel", .target = FINE__FLAGS, .least_labels = 1,
                           .count = count_flags, .loss = flags },
    [FINE__REGRESS] = { .name = "regress", .target = FINE__NUMBERS, .n_outputs = 1,
                        .count = count_numbers, .loss = square_error },
    [FINE__TAG] = { .name = "tag", .target = FINE__TOKEN_CLASSES, .per_token = true,
                    .least_labels = 2, .count = count_token_classes, .loss = cross_entropy },
    [FINE__ANSWER] = { .name = "answer", .target = FINE__SPANS, .per_token = true,
                       .n_outputs = 2, .count = count_spans, .loss = spans },
    [FINE__FILL_MASK] = { .name = "fill-mask", .target = FINE__TOKEN_CLASSES, .per_token = true,
                          .n_outputs = FINE__OUTPUTS_VOCABULARY, .count = count_token_classes,
                          .loss = cross_entropy },
    [FINE__LANGUAGE_MODEL] = { .name = "language-model", .target = FINE__TOKEN_CLASSES,
                               .per_token = true, .next_token = true,
                               .n_outputs = FINE__OUTPUTS_VOCABULARY,
                               .count = count_token_classes, .loss = cross_entropy },
    [FINE__CLASSIFY_IMAGE] = { .name = "classify-image", .target = FINE__CLASSES,
                               .reads_image = true, .least_labels = 2, .count = count_classes,
                               .loss = cross_entropy },
};

const struct fine__kind *
fine__kind(enum fine__task task)
{
    return &kinds[task];
}

const char *
fine__kind_names(void)
{
    return "classify, multilabel, regress, tag, answer, fill-mask, language-model and "
           "classify-image";
}

bool
fine__batch_has_targets(const struct fine__batch *batch)
{
    return batch->labels != NULL || batch->values != NULL || batch->starts != NULL;
}

const char *
fine__task_name(enum fine__task task)
{
    return kinds[task].name;
}

bool
fine__task_find(const char *name, enum fine__task *out)
{
    for (int i = FINE__TASK_NONE + 1; i < FINE__N_TASKS; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (enum fine__task)i;
            return true;
        }
    return false;
}

int64_t
fine__task_n_outputs(const fine_model *model, enum fine__task task, int64_t n_labels)
{
    const int64_t n = kinds[task].n_outputs;

    return n == FINE__OUTPUTS_VOCABULARY ? model->vocab_size
           : n == FINE__OUTPUTS_LABELS ? n_labels : n;
}

int64_t
fine__model_n_outputs(const fine_model *model)
{
    return fine__task_n_outputs(model, model->task, model->n_labels);
}
