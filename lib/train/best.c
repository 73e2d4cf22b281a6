/*
 * best.c — the weights of the best evaluation.
 *
 * With a folder they are a checkpoint of their own, so that a run that dies loses
 * nothing; without one they are a copy in memory of what is trained, and of the running
 * statistics that go with it.
 */
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void
fine__best_name(int64_t step, char *out, size_t size)
{
    (void)snprintf(out, size, "best-%06lld", (long long)step);
}

static void
copy(const struct fine__params *params, fine__real *block, bool back)
{
    for (int64_t i = 0; i < params->count; i++) {
        const struct fine__tensor *tensor = &params->list[i].tensor;

        if (tensor->grad == NULL)
            continue;
        fine__real *place = block + (tensor->grad - params->gradients);
        const size_t bytes = (size_t)tensor->count * sizeof *place;

        if (back)
            memcpy(tensor->data, place, bytes);
        else
            memcpy(place, tensor->data, bytes);
    }
}

static int
keep_in_memory(fine_trainer *trainer)
{
    const struct fine__params *params = &trainer->model->params;

    if (trainer->best_weights == NULL)
        trainer->best_weights = fine__alloc_array(trainer->ctx, (size_t)params->n_gradients,
                                                  sizeof *trainer->best_weights);
    if (trainer->best_weights == NULL)
        return FINE_ENOMEM;
    const struct fine__norms *norms = &trainer->model->norms;

    if (norms->count > 0 && trainer->best_statistics.batches == NULL)
        FINE__TRY(fine__statistics_new(trainer->ctx, norms, &trainer->best_statistics));
    copy(params, trainer->best_weights, false);
    fine__statistics_copy(norms, &trainer->best_statistics, &norms->now);
    return FINE_OK;
}

static int
keep_in_folder(fine_trainer *trainer)
{
    struct fine__checkpoint_writer *writer = NULL;
    char name[64];
    int rc;

    fine__best_name(trainer->step, name, sizeof name);
    FINE__TRY(fine__checkpoint_begin(&writer, trainer->ctx, trainer->checkpoints, name));
    rc = fine__state_add_weights(writer, trainer->model);
    if (rc < 0) {
        fine__checkpoint_abandon(writer);
        return rc;
    }
    FINE__TRY(fine__checkpoint_commit(writer));
    fine__state_prune(trainer);
    return FINE_OK;
}

int
fine__best_keep(fine_trainer *trainer)
{
    return trainer->folder != NULL ? keep_in_folder(trainer) : keep_in_memory(trainer);
}

int
fine__best_restore(fine_trainer *trainer)
{
    struct fine__source *source = NULL;
    char name[64];
    int rc;

    if (trainer->folder == NULL) {
        struct fine__norms *norms = &trainer->model->norms;

        copy(&trainer->model->params, trainer->best_weights, true);
        fine__statistics_copy(norms, &norms->now, &trainer->best_statistics);
        return FINE_OK;
    }
    fine__best_name(trainer->best_step, name, sizeof name);
    FINE__TRY(fine__checkpoint_open(&source, trainer->ctx, trainer->checkpoints, name));
    rc = fine__state_read_weights(source, trainer->model);
    fine__source_free(source);
    return rc;
}
