/*
 * fill_mask.c — the task whose masked ids are to be guessed from what stands around them.
 */
#include "train/masking.h"
#include "train/perplexity.h"

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    return fine__examples_to_fill(examples, model, what);
}

const struct fine__taskwork fine__work_fill_mask = { .encode = encode,
                                                     .measure = &fine__perplexity };
