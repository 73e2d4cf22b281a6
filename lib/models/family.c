/*
 * family.c — the families there are, and how they declare parameters.
 */
#include "models/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static const struct fine__family *const families[] = {
    &fine__family_bert, &fine__family_roberta, &fine__family_distilbert, &fine__family_gpt2,
    &fine__family_resnet, &fine__family_resnet_plain, &fine__family_resnet_cifar,
    &fine__family_efficientnet, &fine__family_efficientnet_timm,
    &fine__family_efficientnet_torchvision, &fine__family_efficientnet_pytorch
};

const struct fine__family *
fine__family_find(const char *name)
{
    for (int64_t i = 0; i < FINE__COUNT(families); i++)
        if (strcmp(families[i]->name, name) == 0)
            return families[i];
    return NULL;
}

const char *
fine__family_names(void)
{
    return "bert, roberta, distilbert, gpt2, resnet and efficientnet";
}

const struct fine__family *
fine__family_at(int64_t i)
{
    return i < FINE__COUNT(families) ? families[i] : NULL;
}

const struct fine__family *
fine__family_by_architecture(const char *name)
{
    for (int64_t i = 0; i < FINE__COUNT(families); i++)
        if (families[i]->is_architecture != NULL && families[i]->is_architecture(name))
            return families[i];
    return NULL;
}

void
fine__family_architectures(struct fine__buf *out)
{
    const char *between = "";

    for (int64_t i = 0; i < FINE__COUNT(families); i++)
        if (families[i]->architectures != NULL) {
            fine__buf_printf(out, "%s%s", between, families[i]->architectures);
            between = ", ";
        }
}

int64_t
fine__declare(fine_model *model, int32_t stage, double init_std, int n_dims, int64_t rows,
              int64_t columns, const char *name)
{
    const struct fine__param like = { .stage = stage, .padding_row = -1, .init_std = init_std };
    const int64_t shape[2] = { rows, columns };

    return fine__params_add(&model->params, &like, n_dims, shape, "%s%s", model->prefix, name);
}

int64_t
fine__declare_conv(fine_model *model, int32_t stage, int64_t out, int64_t in, int64_t height,
                   int64_t width, const char *name)
{
    const double fan_out = (double)out * (double)height * (double)width;
    const struct fine__param like = { .stage = stage, .padding_row = -1,
                                      .init_std = sqrt(2 / fan_out) };
    const int64_t shape[4] = { out, in, height, width };

    return fine__params_add(&model->params, &like, 4, shape, "%s%s", model->prefix, name);
}

int64_t
fine__declare_batch_norm(fine_model *model, int32_t stage, int64_t channels, double eps,
                         double momentum, const char *name)
{
    struct fine__norm norm = { .channels = channels, .eps = eps, .momentum = momentum };
    char full[500];

    (void)snprintf(full, sizeof full, "%s.weight", name);
    norm.weight = fine__declare(model, stage, -1, 1, channels, 0, full);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, stage, 0, 1, channels, 0, full);
    (void)snprintf(full, sizeof full, "%s%s", model->prefix, name);
    const int64_t i = fine__norms_add(model->ctx, &model->norms, &norm, full);

    if (i < 0)
        model->params.failed = true;
    return i;
}

void
fine__declare_norm(fine_model *model, int32_t stage, const char *name)
{
    char full[160];

    snprintf(full, sizeof full, "%s.weight", name);
    fine__declare(model, stage, -1, 1, model->width, 0, full);
    snprintf(full, sizeof full, "%s.bias", name);
    fine__declare(model, stage, 0, 1, model->width, 0, full);
}
