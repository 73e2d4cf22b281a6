/*
 * family.c — the families there are, and how they declare parameters.
 */
#include "models/family.h"

#include <stdio.h>
#include <string.h>

static const struct fine__family *const families[] = {
    &fine__family_bert, &fine__family_roberta, &fine__family_distilbert, &fine__family_gpt2
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
    return "bert, roberta, distilbert and gpt2";
}

int64_t
fine__declare(fine_model *model, int32_t stage, double init_std, int n_dims, int64_t rows,
              int64_t columns, const char *name)
{
    const struct fine__param like = { .stage = stage, .padding_row = -1, .init_std = init_std };
    const int64_t shape[2] = { rows, columns };

    return fine__params_add(&model->params, &like, n_dims, shape, "%s%s", model->prefix, name);
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
