/*
 * classify_image.c — the task classify-image with data: a row is a picture, made when its batch
 * needs it.
 */
#include "base/alloc.h"
#include "train/pictures.h"
#include "train/taskwork.h"

static void
drop(struct fine__examples *examples)
{
    fine__pictures_free(examples->own);
}

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    struct fine__pictures *pictures = NULL;

    if (examples->dataset->require_label || examples->dataset->has_labels)
        FINE__TRY(fine__examples_classes(examples, model, what));
    FINE__TRY(fine__pictures_new(&pictures, examples->dataset, &model->preparing));
    examples->own = pictures;
    examples->drop = drop;
    examples->pictures = pictures;
    return 0;
}

const struct fine__taskwork fine__work_classify_image = { .encode = encode };
