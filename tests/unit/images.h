/*
 * images.h — small networks that read images, of random weights, and batches for them.
 */
#ifndef IMAGES_H
#define IMAGES_H

#include "runner.h"

#include "models/model.h"

enum { CLASSES = 3, IMAGES = 4, SIDE = 10 };

#define BASIC "{\"architecture\": \"resnet\", \"block\": \"basic\", \"layers\": [1, 1], \"width\": 4}"

/* What opening says: 0, or the code of the error. */
static inline int
try_open(fine_model **out, fine_context *ctx, const char *config, const char *architecture)
{
    const struct fine_memory_file files[] = {
        { config != NULL ? "config.json" : "README.md", config != NULL ? config : "",
          config != NULL ? (int64_t)strlen(config) : 0 }
    };
    struct fine_model_options options;

    fine_model_options_init(&options, sizeof options);
    options.random_weights = 1;
    options.seed = 3;
    options.architecture = architecture;
    return fine_model_open_memory(out, ctx, files, 1, &options);
}

static inline int
set_task(fine_model *model, const char *type, int64_t n_labels)
{
    struct fine_task_options task;

    fine_task_options_init(&task, sizeof task);
    task.type = type;
    task.n_labels = n_labels;
    return fine_model_set_task(model, &task);
}

static inline fine_model *
open_network(fine_context *ctx, const char *config)
{
    fine_model *model = NULL;

    ck_assert_int_eq(try_open(&model, ctx, config, NULL), 0);
    ck_assert_int_eq(set_task(model, "classify-image", CLASSES), 0);
    return model;
}

/* Channels last; every image another one. */
static inline struct fine__batch
make_images(void)
{
    static float pixels[IMAGES * SIDE * SIDE * 3];
    static const int32_t labels[IMAGES] = { 0, 2, 1, -1 };

    for (int i = 0; i < IMAGES * SIDE * SIDE * 3; i++)
        pixels[i] = (float)((i * 37 + i / 300 * 11) % 101) / 50 - 1;
    return (struct fine__batch){ .n_seqs = IMAGES, .pixels = pixels, .height = SIDE,
                                 .width = SIDE, .labels = labels };
}

static inline int
train_once(struct fine__runner *runner, const struct fine__batch *batch)
{
    struct fine__run run = { .batch = batch, .train = true, .backward = true,
                             .loss_weight = 1.0 / 3 };

    return fine__runner_run(runner, &run);
}

#endif
