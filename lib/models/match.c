/*
 * match.c — a checkpoint's tensors and a model's parameters: each to each, none left over.
 *
 * Headers are compared before memory is asked for or a weight is read, and all findings are
 * reported at once. What a checkpoint lacks and may lack is drawn from the seed.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/parallel.h"
#include "models/open.h"

int
fine__open_weights(struct fine__opening *o)
{
    fine_model *model = o->model;
    const bool there = fine__source_has(o->source, "model.safetensors") ||
                       fine__source_has(o->source, "model.safetensors.index.json");

    if (!there && o->options->random_weights) {
        model->prefix = fine__strdup(model->ctx, "");
        return model->prefix != NULL ? 0 : FINE_ENOMEM;
    }
    FINE__TRY(fine__weights_open(&o->weights, model->ctx, o->source));
    if (fine__source_has(o->source, "head.safetensors"))
        FINE__TRY(fine__weights_open_file(&o->head, model->ctx, o->source, "head.safetensors"));
    const size_t length = strlen(model->family->prefix);
    bool prefixed = false;

    for (int64_t i = 0; i < fine__weights_count(o->weights); i++)
        prefixed = prefixed || strncmp(fine__weights_at(o->weights, i)->name,
                                       model->family->prefix, length) == 0;
    model->prefix = fine__strdup(model->ctx, prefixed ? model->family->prefix : "");
    return model->prefix != NULL ? 0 : FINE_ENOMEM;
}

static bool
same_shape(const struct fine__tensor *tensor, const struct fine__weight *weight)
{
    return tensor->n_dims == weight->n_dims &&
           memcmp(tensor->shape, weight->shape, (size_t)weight->n_dims * sizeof(int64_t)) == 0;
}

static const char *
shape_text(int64_t n_dims, const int64_t *shape, char *out, size_t size)
{
    size_t used = 0;

    out[used++] = '[';
    for (int64_t i = 0; i < n_dims && used + 24 < size; i++) {
        char digits[24];
        int n = 0;
        int64_t value = shape[i];

        do
            digits[n++] = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        if (i > 0) {
            out[used++] = ',';
            out[used++] = ' ';
        }
        while (n > 0)
            out[used++] = digits[--n];
    }
    out[used++] = ']';
    out[used] = '\0';
    return out;
}

/* Names of old checkpoints: LayerNorm.gamma and .beta for .weight and .bias. */
static const struct {
    const char *now, *once;
} old_names[] = { { "LayerNorm.weight", "LayerNorm.gamma" }, { "LayerNorm.bias", "LayerNorm.beta" } };

int64_t
fine__checkpoint_find(const struct fine__weights *weights, const char *name)
{
    const int64_t found = fine__weights_find(weights, name);
    const size_t length = strlen(name);
    char old[600];

    for (int64_t i = 0; found < 0 && i < FINE__COUNT(old_names); i++) {
        const size_t ending = strlen(old_names[i].now);

        if (length < ending || length >= sizeof old ||
            strcmp(name + length - ending, old_names[i].now) != 0)
            continue;
        memcpy(old, name, length - ending);
        strcpy(old + length - ending, old_names[i].once);
        return fine__weights_find(weights, old);
    }
    return found;
}

/* The pooler and the old head may be absent: they are drawn. */
static bool
may_be_absent(const fine_model *model, const struct fine__param *param)
{
    return param->stage == model->n_layers + 1 &&
           (!param->is_head || model->task == FINE__TASK_NONE);
}

static int
match_param(struct fine__opening *o, int64_t i)
{
    const struct fine__param *param = &o->model->params.list[i];
    struct fine__weights *weights = param->is_head && o->head != NULL ? o->head : o->weights;
    const struct fine__weight *weight;
    char have[256], want[256];

    o->from[i] = fine__checkpoint_find(weights, param->name);
    if (o->from[i] < 0)
        return may_be_absent(o->model, param)
                   ? 0 : fine__also(FINE_ESHAPE, "%s: weights: '%s' is missing",
                                    fine__source_name(o->source), param->name);
    weight = fine__weights_at(weights, o->from[i]);
    if (!same_shape(&param->tensor, weight))
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has shape %s, but config.json makes "
                          "it %s", fine__source_name(o->source), param->name,
                          shape_text(weight->n_dims, weight->shape, have, sizeof have),
                          shape_text(param->tensor.n_dims, param->tensor.shape, want,
                                     sizeof want));
    if (weight->type != FINE_F32 && weight->type != FINE_F16 && weight->type != FINE_BF16 &&
        weight->type != FINE_F64)
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has element type %s; F32, F16, BF16 "
                          "or F64 is needed", fine__source_name(o->source), param->name,
                          fine__type_name(weight->type));
    return 0;
}

static bool
is_ignored(const fine_model *model, const char *name)
{
    const size_t prefix = strlen(model->prefix);

    if (strncmp(name, model->prefix, prefix) == 0)
        name += prefix;
    for (const char *const *pattern = model->family->ignored; *pattern != NULL; pattern++)
        if (fine__matches(*pattern, (int64_t)strlen(*pattern), name))
            return true;
    return false;
}

static int
find_left_over(struct fine__opening *o)
{
    const int64_t n = fine__weights_count(o->weights), n_params = o->model->params.count;
    bool *taken = fine__alloc_array(o->model->ctx, (size_t)n, sizeof *taken);
    int64_t n_ignored = 0;
    int rc = 0;

    if (taken == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n_params; i++)
        if (o->from[i] >= 0 && (o->head == NULL || !o->model->params.list[i].is_head))
            taken[o->from[i]] = true;
    for (int64_t i = 0; i < n; i++) {
        const char *name = fine__weights_at(o->weights, i)->name;

        if (taken[i])
            continue;
        if (is_ignored(o->model, name))
            n_ignored++;
        else
            rc = fine__also(FINE_ESHAPE, "%s: weights: '%s' is no part of a %s model of this "
                            "configuration", fine__source_name(o->source), name,
                            o->model->family->name);
    }
    if (n_ignored > 0)
        fine__log(o->model->ctx, FINE_LOG_INFO, "%lld tensor%s of the checkpoint (buffers, heads of "
                  "pre-training) %s not used", (long long)n_ignored, n_ignored == 1 ? "" : "s",
                  n_ignored == 1 ? "is" : "are");
    fine__free(o->model->ctx, taken);
    return rc;
}

int
fine__match_weights(struct fine__opening *o)
{
    const int64_t n = o->model->params.count;
    int rc = 0;

    o->from = fine__alloc_array(o->model->ctx, (size_t)n, sizeof *o->from);
    if (o->from == NULL)
        return FINE_ENOMEM;
    fine__error_clear();
    for (int64_t i = 0; i < n; i++) {
        o->from[i] = -1;
        if (o->weights != NULL && match_param(o, i) < 0)
            rc = FINE_ESHAPE;
    }
    if (o->weights != NULL) {
        const int left = find_left_over(o);

        rc = rc < 0 ? rc : left;
    }
    return rc;
}

static void
draw_tile(void *arg, int64_t tile, int worker)
{
    struct fine__opening *o = arg;

    (void)worker;
    if (o->from[tile] < 0)
        fine__param_draw(&o->model->params.list[tile], o->options->seed);
}

int
fine__read_weights(struct fine__opening *o)
{
    fine_model *model = o->model;
    struct fine__params *params = &model->params;

    for (int64_t i = 0; i < params->count; i++) {
        struct fine__param *param = &params->list[i];
        struct fine__weights *weights = param->is_head && o->head != NULL ? o->head : o->weights;

        if (o->from[i] >= 0)
            FINE__TRY(fine__weights_read_floats(weights, o->from[i], param->tensor.data));
        if (param->stage == model->n_layers + 1 && !param->is_head)
            model->has_pooler = o->from[i] >= 0 || o->weights == NULL;
    }
    fine__parallel_for(model->ctx, params->count, draw_tile, o);
    if (o->weights != NULL)
        FINE__TRY(fine__weights_fingerprint(o->weights, model->fingerprint));
    else
        memset(model->fingerprint, '0', 32);
    if (model->base_fingerprint[0] == '\0')
        memcpy(model->base_fingerprint, model->fingerprint, 33);
    return 0;
}
