/*
 * norms.c — running statistics: where they lie, what they are called, copies of them.
 *
 * All of a model's lie in one block, so that a step that may yet fail moves a copy
 * (runner.c) and the whole is put in its place afterwards.
 */
#include "models/norms.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors.h"

static const char *const endings[FINE__N_BUFFERS] = { "running_mean", "running_var",
                                                      "num_batches_tracked" };

static void
free_names(fine_context *ctx, struct fine__norm *norm)
{
    for (int i = 0; i < FINE__N_BUFFERS; i++)
        fine__free(ctx, norm->names[i]);
}

void
fine__norms_free(fine_context *ctx, struct fine__norms *norms)
{
    for (int64_t i = 0; i < norms->count; i++)
        free_names(ctx, &norms->list[i]);
    fine__free(ctx, norms->list);
    fine__statistics_free(ctx, &norms->now);
    memset(norms, 0, sizeof *norms);
}

int64_t
fine__norms_add(fine_context *ctx, struct fine__norms *norms, const struct fine__norm *like,
                const char *base)
{
    struct fine__norm norm = *like;
    char name[600];

    if (fine__grow(ctx, &norms->list, &norms->capacity, norms->count + 1,
                   sizeof *norms->list) < 0)
        return -1;
    for (int i = 0; i < FINE__N_BUFFERS; i++)
        norm.names[i] = NULL;
    for (int i = 0; i < FINE__N_BUFFERS; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", base, endings[i]);
        norm.names[i] = fine__strdup(ctx, name);
        if (norm.names[i] == NULL) {
            free_names(ctx, &norm);
            return -1;
        }
    }
    norm.at = norms->n_values;
    norms->n_values += 2 * norm.channels;
    norms->list[norms->count] = norm;
    return norms->count++;
}

static size_t
bytes_of(const struct fine__norms *norms)
{
    return (size_t)norms->count * sizeof *norms->now.batches +
           (size_t)norms->n_values * sizeof *norms->now.values;
}

int
fine__statistics_new(fine_context *ctx, const struct fine__norms *norms,
                     struct fine__statistics *out)
{
    int64_t *block = fine__alloc(ctx, bytes_of(norms));

    if (block == NULL)
        return FINE_ENOMEM;
    *out = (struct fine__statistics){ block, (fine__real *)(block + norms->count) };
    return 0;
}

void
fine__statistics_free(fine_context *ctx, struct fine__statistics *statistics)
{
    fine__free(ctx, statistics->batches);
    *statistics = (struct fine__statistics){ NULL, NULL };
}

void
fine__statistics_copy(const struct fine__norms *norms, struct fine__statistics *to,
                      const struct fine__statistics *from)
{
    if (norms->count > 0)
        memcpy(to->batches, from->batches, bytes_of(norms));
}

int
fine__norms_allocate(fine_context *ctx, struct fine__norms *norms)
{
    if (norms->count == 0)
        return 0;
    FINE__TRY(fine__statistics_new(ctx, norms, &norms->now));
    memset(norms->now.batches, 0, bytes_of(norms));
    for (int64_t i = 0; i < norms->count; i++) {
        const struct fine__norm *norm = &norms->list[i];

        for (int64_t c = 0; c < norm->channels; c++)
            norms->now.values[norm->at + norm->channels + c] = 1;
    }
    return 0;
}

struct fine__weight_out
fine__norm_entry(const struct fine__norm *norm, const struct fine__norms *norms,
                 enum fine__buffer buffer)
{
    const fine__real *values = norms->now.values + norm->at;

    if (buffer == FINE__BATCHES)
        return (struct fine__weight_out){ .name = norm->names[buffer],
                                          .type = FINE_I64,
                                          .data = norms->now.batches + (norm - norms->list) };
    return (struct fine__weight_out){
        .name = norm->names[buffer],
        .shape = &norm->channels,
        .n_dims = 1,
        .type = sizeof *values == 4 ? FINE_F32 : FINE_F64,
        .data = buffer == FINE__RUNNING_MEAN ? values : values + norm->channels,
    };
}

bool
fine__norms_find(const struct fine__norms *norms, const char *name, int64_t *norm_out,
                 enum fine__buffer *buffer_out)
{
    for (int64_t i = 0; i < norms->count; i++)
        for (int k = 0; k < FINE__N_BUFFERS; k++)
            if (strcmp(norms->list[i].names[k], name) == 0) {
                *norm_out = i;
                *buffer_out = (enum fine__buffer)k;
                return true;
            }
    return false;
}
