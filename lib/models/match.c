/*
 * match.c — a checkpoint's tensors and a model's parameters: each to each, none left over.
 *
 * Headers are compared before memory is asked for or a weight is read, and all findings are
 * reported at once. What a checkpoint lacks and may lack is drawn from the seed.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parallel.h"
#include "models/adapter.h"
#include "models/open.h"

/* What training tools put before every name of a model that they wrapped. */
static const char *const wrappers[] = { "module.", "_orig_mod.", "timm_model." };

static bool
starts(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void
find_wrapper(struct fine__opening *o)
{
    for (int64_t w = 0; w < FINE__COUNT(wrappers); w++) {
        int64_t n = 0;

        while (n < fine__weights_count(o->weights) &&
               starts(fine__weights_at(o->weights, n)->name, wrappers[w]))
            n++;
        if (n > 0 && n == fine__weights_count(o->weights))
            o->model->wrapper = wrappers[w];
    }
}

/* True where a tensor's name begins with this after the wrapper. */
static bool
starts_any(const struct fine__opening *o, const char *prefix)
{
    const size_t skip = strlen(o->model->wrapper);

    for (int64_t i = 0; i < fine__weights_count(o->weights); i++)
        if (starts(fine__weights_at(o->weights, i)->name + skip, prefix))
            return true;
    return false;
}

static bool
has_marker(const struct fine__opening *o, const struct fine__family *family)
{
    const char *const prefixes[2] = { "", family->prefix };
    char name[200];

    for (int i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s%s%s", o->model->wrapper, prefixes[i],
                       family->marker);
        if (fine__weights_find(o->weights, name) >= 0)
            return true;
    }
    return false;
}

/* Of the families of this name the one whose names the checkpoint has. */
static void
find_school(struct fine__opening *o)
{
    const struct fine__family *now = o->model->family, *other;

    if (now->marker == NULL || has_marker(o, now))
        return;
    for (int64_t i = 0; (other = fine__family_at(i)) != NULL; i++)
        if (strcmp(other->name, now->name) == 0 && has_marker(o, other)) {
            o->model->family = other;
            return;
        }
}

int
fine__open_weights(struct fine__opening *o)
{
    fine_model *model = o->model;
    const struct fine__source *source = o->base_folder != NULL ? o->base_folder : o->source;

    if (o->options->random_weights) {
        model->prefix = fine__strdup(model->ctx, "");
        return model->prefix != NULL ? 0 : FINE_ENOMEM;
    }
    FINE__TRY(fine__weights_open(&o->weights, model->ctx, source));
    if (fine__source_has(o->source, "head.safetensors"))
        FINE__TRY(fine__weights_open_file(&o->head, model->ctx, o->source, "head.safetensors"));
    find_wrapper(o);
    find_school(o);
    struct fine__buf prefix;

    fine__buf_init(&prefix, model->ctx);
    fine__buf_text(&prefix, model->wrapper);
    if (starts_any(o, model->family->prefix))
        fine__buf_text(&prefix, model->family->prefix);
    model->prefix = fine__buf_status(&prefix) == 0
                        ? fine__strdup(model->ctx, fine__buf_cstr(&prefix)) : NULL;
    fine__buf_free(&prefix);
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

/* The pooler, the old head and a new adapter may be absent: they are drawn. */
static bool
may_be_absent(const fine_model *model, const struct fine__param *param, bool is_new)
{
    return (param->stage == model->n_layers + 1 &&
            (!param->is_head || model->task == FINE__TASK_NONE)) ||
           (param->is_adapter && is_new);
}

static int
check_type(const struct fine__opening *o, const struct fine__weight *weight)
{
    if (weight->type == FINE_F32 || weight->type == FINE_F16 || weight->type == FINE_BF16 ||
        weight->type == FINE_F64)
        return 0;
    return fine__also(FINE_ESHAPE, "%s: weights: '%s' has element type %s; F32, F16, BF16 or F64 "
                      "is needed", fine__source_name(o->source), weight->name,
                      fine__type_name(weight->type));
}

/* A head that an adapter brings counts before its base's. */
struct fine__weights *
fine__opening_head(const struct fine__opening *o, const char *name, int64_t *index)
{
    struct fine__weights *const files[] = { o->head, o->weights };
    char full[600];

    if (o->adapter != NULL) {
        (void)snprintf(full, sizeof full, "%s%s", FINE__ADAPTER_PREFIX, name);
        *index = fine__weights_find(o->adapter, full);
        if (*index >= 0)
            return o->adapter;
    }
    for (int i = 0; i < 2; i++)
        if (files[i] != NULL && (*index = fine__checkpoint_find(files[i], name)) >= 0)
            return files[i];
    *index = -1;
    return NULL;
}

/* An adapter may have been trained on the bare encoder or on a class with a head; the base here
 * may be the other. */
static int64_t
find_change(const struct fine__opening *o, const char *name)
{
    const size_t skip = strlen(o->model->prefix);
    const char *const prefixes[] = { o->model->prefix, o->model->family->prefix, "" };
    char full[700];

    for (int i = 0; i < 3; i++) {
        (void)snprintf(full, sizeof full, "%s%s%s", FINE__ADAPTER_PREFIX, prefixes[i],
                       name + skip);
        const int64_t index = fine__weights_find(o->adapter, full);

        if (index >= 0)
            return index;
    }
    return -1;
}

/* The file that a parameter is in, and where: -1: nowhere. */
static struct fine__weights *
find_param(const struct fine__opening *o, const struct fine__param *param, int64_t *index)
{
    const char *name = fine__plain_name(o->model, param);

    if (param->is_head)
        return fine__opening_head(o, name, index);
    if (!param->is_adapter) {
        *index = fine__checkpoint_find(o->weights, name);
        return o->weights;
    }
    *index = o->adapter != NULL ? find_change(o, name) : -1;
    return o->adapter;
}

static int
match_param(struct fine__opening *o, int64_t i)
{
    const struct fine__param *param = &o->model->params.list[i];
    struct fine__weights *weights = find_param(o, param, &o->from[i]);
    const struct fine__weight *weight;
    char have[256], want[256];

    if (o->from[i] < 0)
        return may_be_absent(o->model, param, o->adapter == NULL)
                   ? 0 : fine__also(FINE_ESHAPE, "%s: weights: '%s' is missing",
                                    fine__source_name(o->source), param->name);
    weight = fine__weights_at(weights, o->from[i]);
    if (!same_shape(&param->tensor, weight))
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has shape %s, but its configuration "
                          "makes it %s", fine__source_name(o->source), param->name,
                          shape_text(weight->n_dims, weight->shape, have, sizeof have),
                          shape_text(param->tensor.n_dims, param->tensor.shape, want,
                                     sizeof want));
    return check_type(o, weight);
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
    for (int64_t i = 0; i < n_params; i++) {
        const struct fine__param *param = &o->model->params.list[i];
        /* The base's own head, too, where another file brings the one that counts. */
        const int64_t at = param->is_adapter ? -1
                           : param->is_head  ? fine__checkpoint_find(
                                                  o->weights, fine__plain_name(o->model, param))
                                             : o->from[i];

        if (at >= 0)
            taken[at] = true;
    }
    for (int64_t i = 0; i < FINE__N_BUFFERS * o->model->norms.count; i++)
        if (o->buffers[i] >= 0)
            taken[o->buffers[i]] = true;
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

/* Every tensor of an adapter's file must have found its place. */
static int
find_left_over_of_adapter(struct fine__opening *o)
{
    const int64_t n = fine__weights_count(o->adapter);
    int64_t index;
    int rc = 0;

    for (int64_t i = 0; i < n; i++) {
        const char *name = fine__weights_at(o->adapter, i)->name;
        bool taken = false;

        for (int64_t k = 0; k < o->model->params.count && !taken; k++)
            taken = find_param(o, &o->model->params.list[k], &index) == o->adapter && index == i;
        if (!taken)
            rc = fine__also(FINE_ESHAPE, "%s: adapter: '%s' changes nothing in this %s model",
                            fine__source_name(o->source), name, o->model->family->name);
    }
    return rc;
}

/* ---- running statistics ---- */

/* Old checkpoints don't count batches. */
static int
match_buffer(struct fine__opening *o, struct fine__norm *norm, enum fine__buffer buffer,
             int64_t *from)
{
    const char *name = norm->names[buffer];
    const bool counts = buffer == FINE__BATCHES;

    *from = fine__weights_find(o->weights, name);
    if (*from < 0 && counts) {
        norm->uncounted = true;
        return 0;
    }
    if (*from < 0)
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' is missing",
                          fine__source_name(o->source), name);
    const struct fine__weight *weight = fine__weights_at(o->weights, *from);
    char have[256];

    if (counts ? weight->count != 1 || weight->type != FINE_I64
               : weight->n_dims != 1 || weight->count != norm->channels)
        return fine__also(FINE_ESHAPE, "%s: weights: '%s' has type %s and shape %s; %s",
                          fine__source_name(o->source), name, fine__type_name(weight->type),
                          shape_text(weight->n_dims, weight->shape, have, sizeof have),
                          counts ? "one number of type I64 is needed"
                                 : "one number a channel is needed");
    return counts ? 0 : check_type(o, weight);
}

static int
match_buffers(struct fine__opening *o)
{
    struct fine__norms *norms = &o->model->norms;
    int rc = 0;

    o->buffers = fine__alloc_array(o->model->ctx, (size_t)(norms->count * FINE__N_BUFFERS),
                                   sizeof *o->buffers);
    if (o->buffers == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < norms->count; i++)
        for (int k = 0; k < FINE__N_BUFFERS; k++) {
            int64_t *from = &o->buffers[i * FINE__N_BUFFERS + k];

            *from = -1;
            if (o->weights != NULL &&
                match_buffer(o, &norms->list[i], (enum fine__buffer)k, from) < 0)
                rc = FINE_ESHAPE;
        }
    return rc;
}

static int
check_statistics(const struct fine__opening *o, const struct fine__norm *norm)
{
    const fine__real *values = o->model->norms.now.values + norm->at;

    for (int64_t i = 0; i < 2 * norm->channels; i++) {
        const bool varies = i >= norm->channels;

        if (!isfinite(values[i]) || (varies && values[i] < 0))
            return fine__fail(FINE_EFORMAT, "%s: weights: '%s' holds a number that %s; the file "
                              "is damaged", fine__source_name(o->source),
                              norm->names[varies ? FINE__RUNNING_VARIANCE : FINE__RUNNING_MEAN],
                              isfinite(values[i]) ? "is negative" : "is not finite");
    }
    return 0;
}

static int
read_buffers(struct fine__opening *o)
{
    struct fine__norms *norms = &o->model->norms;

    for (int64_t i = 0; o->weights != NULL && i < norms->count; i++) {
        const struct fine__norm *norm = &norms->list[i];
        const int64_t *from = &o->buffers[i * FINE__N_BUFFERS];
        fine__real *mean = norms->now.values + norm->at;

        FINE__TRY(fine__weights_read_floats(o->weights, from[FINE__RUNNING_MEAN], mean));
        FINE__TRY(fine__weights_read_floats(o->weights, from[FINE__RUNNING_VARIANCE],
                                            mean + norm->channels));
        if (from[FINE__BATCHES] >= 0)
            FINE__TRY(fine__weights_read_raw(o->weights, from[FINE__BATCHES],
                                             &norms->now.batches[i]));
        FINE__TRY(check_statistics(o, norm));
    }
    return 0;
}

/* ---- all together ---- */

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
    const int buffers = match_buffers(o);

    if (buffers == FINE_ENOMEM)
        return buffers;
    rc = rc < 0 ? rc : buffers;
    if (o->weights != NULL) {
        const int left = find_left_over(o);

        rc = rc < 0 ? rc : left;
    }
    if (o->adapter != NULL) {
        const int left = find_left_over_of_adapter(o);

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
        int64_t index;
        struct fine__weights *weights =
            o->from[i] >= 0 ? find_param(o, param, &index) : NULL;

        if (o->from[i] >= 0)
            FINE__TRY(fine__weights_read_floats(weights, o->from[i], param->tensor.data));
        if (param->stage == model->n_layers + 1 && !param->is_head)
            model->has_pooler = o->from[i] >= 0 || o->weights == NULL;
    }
    FINE__TRY(read_buffers(o));
    fine__parallel_for(model->ctx, params->count, draw_tile, o);
    if (o->weights != NULL)
        FINE__TRY(fine__weights_fingerprint(o->weights, model->fingerprint));
    else
        memset(model->fingerprint, '0', 32);
    if (model->base_fingerprint[0] == '\0')
        memcpy(model->base_fingerprint, model->fingerprint, 33);
    return 0;
}
