/*
 * language_model.c — the task whose every id is the answer to what stands before it.
 */
#include "train/masking.h"
#include "train/perplexity.h"

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    return fine__examples_to_continue(examples, model, what);
}

const struct fine__taskwork fine__work_language_model = { .encode = encode,
                                                          .measure = &fine__perplexity };
