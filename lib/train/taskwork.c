/*
 * taskwork.c — the table of tasks, and the two that need no file of their own.
 */
#include "train/taskwork.h"

static int
encode_classes(struct fine__examples *examples, fine_model *model, const char *what)
{
    FINE__TRY(fine__examples_classes(examples, model, what));
    return fine__examples_texts(examples, model);
}

static int
encode_numbers(struct fine__examples *examples, fine_model *model, const char *what)
{
    FINE__TRY(fine__examples_numbers(examples, what));
    return fine__examples_texts(examples, model);
}

static int
encode_nothing(struct fine__examples *examples, fine_model *model, const char *what)
{
    (void)examples;
    (void)what;
    return fine__fail(FINE_EUNSUPPORTED, "datasets don't teach %s in this version; bring batches "
                      "to fine_model_backward()", fine__task_name(model->task));
}

static const struct fine__taskwork classify = { .encode = encode_classes };
static const struct fine__taskwork regress = { .encode = encode_numbers };
static const struct fine__taskwork nothing = { .encode = encode_nothing };

static const struct fine__taskwork *const table[FINE__N_TASKS] = {
    [FINE__TASK_NONE] = &nothing,
    [FINE__CLASSIFY] = &classify,
    [FINE__REGRESS] = &regress,
    [FINE__MULTILABEL] = &fine__work_multilabel,
    [FINE__TAG] = &fine__work_tag,
    [FINE__ANSWER] = &fine__work_answer,
    [FINE__FILL_MASK] = &fine__work_fill_mask,
    [FINE__LANGUAGE_MODEL] = &fine__work_language_model,
    [FINE__CLASSIFY_IMAGE] = &fine__work_classify_image,
};

const struct fine__taskwork *
fine__taskwork(enum fine__task task)
{
    return table[task];
}
