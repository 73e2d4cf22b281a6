/*
 * model.c — the border of models/: what a caller says is checked here.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "api/options.h"
#include "base/alloc.h"
#include "models/adapter.h"
#include "models/model.h"

static_assert(offsetof(struct fine_model_options, seed) == sizeof(size_t), "fields never move");
static_assert(offsetof(struct fine_task_options, type) == sizeof(size_t), "fields never move");

/* As transformers cuts by default. */
#define SHARD_BYTES INT64_C(5000000000)

/* The structs as they were in 0.1. */
static const size_t model_v1 = offsetof(struct fine_model_options, adapter) +
                               sizeof(char *);
static const size_t task_v1 = offsetof(struct fine_task_options, null_threshold) + sizeof(double);
static const size_t param_v1 = offsetof(struct fine_param_info, frozen) + sizeof(int32_t);

static const struct fine_model_options model_defaults = { .struct_size = sizeof model_defaults,
                                                          .dropout = -1 };
static const struct fine_task_options task_defaults = { .struct_size = sizeof task_defaults };

void
fine_model_options_init(struct fine_model_options *options, size_t size)
{
    options_out(options, size, &model_defaults, sizeof model_defaults);
}

void
fine_adapter_options_init(struct fine_adapter_options *options, size_t size)
{
    const struct fine_adapter_options defaults = { .struct_size = sizeof defaults,
                                                   .rank = 8,
                                                   .alpha = 16 };

    options_out(options, size, &defaults, sizeof defaults);
}

void
fine_task_options_init(struct fine_task_options *options, size_t size)
{
    options_out(options, size, &task_defaults, sizeof task_defaults);
}

static int
struct_error(int rc, const char *name)
{
    if (rc == FINE_EABI)
        return fine__fail(rc, "%s: fields of a newer library are in use; install the libfinetune "
                          "that the program was compiled for", name);
    return fine__fail(rc, "%s: struct_size is wrong; call %s_init() first", name, name);
}

static int
read_options(const struct fine_model_options *options, struct fine_model_options *o)
{
    *o = model_defaults;
    if (options != NULL) {
        const int rc = options_in(o, sizeof *o, options, model_v1);

        if (rc < 0)
            return struct_error(rc, "fine_model_options");
    }
    if (o->adapter != NULL && o->adapter->struct_size != sizeof *o->adapter)
        return struct_error(FINE_EINVAL, "fine_adapter_options");
    if (!(o->dropout < 1) || (o->dropout < 0 && o->dropout != -1))
        return fine__fail(FINE_EINVAL, "fine_model_options: dropout must be in [0, 1), or -1 for "
                          "the configuration's");
    return 0;
}

int
fine_model_open(fine_model **out, fine_context *context, const char *path,
                const struct fine_model_options *options)
{
    struct fine_model_options o;
    struct fine__source *source = NULL;

    if (out == NULL || context == NULL || path == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_open: out, context or path is NULL");
    FINE__TRY(read_options(options, &o));
    const bool is_file = fine__file_exists(context, path) && !fine__is_directory(context, path);

    if (is_file && o.architecture == NULL)
        return fine__fail(FINE_EIO, "'%s' is a file; give the model's folder, or say which "
                          "architecture its weights have", path);
    FINE__TRY(is_file ? fine__source_open_file(&source, context, path)
                      : fine__source_open_folder(&source, context, path));
    const int rc = fine__model_open(out, context, source, &o);

    fine__source_free(source);
    return rc;
}

int
fine_model_open_memory(fine_model **out, fine_context *context,
                       const struct fine_memory_file *files, int64_t n_files,
                       const struct fine_model_options *options)
{
    struct fine_model_options o;
    struct fine__source *source = NULL;

    if (out == NULL || context == NULL || files == NULL || n_files < 1)
        return fine__fail(FINE_EINVAL, "fine_model_open_memory: out, context or files is NULL, or "
                          "there are no files");
    FINE__TRY(read_options(options, &o));
    FINE__TRY(fine__source_open_memory(&source, context, files, n_files));
    const int rc = fine__model_open(out, context, source, &o);

    fine__source_free(source);
    return rc;
}

void
fine_model_free(fine_model *model)
{
    fine__model_unref(model);
}

/* Changing a model that something reads would change what it predicts. */
static int
must_be_free(const fine_model *model, const char *what)
{
    if (atomic_load(&model->sessions) > 0)
        return fine__fail(FINE_ESTATE, "%s: a session predicts with this model; free it first",
                          what);
    if (atomic_load(&model->training))
        return fine__fail(FINE_ESTATE, "%s: a trainer holds this model; free it first", what);
    return 0;
}

int
fine_model_set_task(fine_model *model, const struct fine_task_options *options)
{
    struct fine_task_options o = task_defaults;

    if (model == NULL || options == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_set_task: model or options is NULL");
    const int rc = options_in(&o, sizeof o, options, task_v1);

    if (rc < 0)
        return struct_error(rc, "fine_task_options");
    if (o.labels != NULL && o.n_labels < 1)
        return fine__fail(FINE_EINVAL, "fine_task_options: labels are given, but n_labels is %lld",
                          (long long)o.n_labels);
    FINE__TRY(must_be_free(model, "fine_model_set_task"));
    return fine__model_set_task(model, &o);
}

int
fine_model_freeze(fine_model *model, const char *spec)
{
    if (model == NULL || spec == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_freeze: model or spec is NULL");
    FINE__TRY(must_be_free(model, "fine_model_freeze"));
    return fine__model_freeze(model, spec);
}

int
fine_model_merge_adapter(fine_model *model)
{
    if (model == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_merge_adapter: model is NULL");
    FINE__TRY(must_be_free(model, "fine_model_merge_adapter"));
    if (model->adapter == NULL)
        return fine__fail(FINE_ESTATE, "fine_model_merge_adapter: the model has no adapter");
    return fine__adapter_merge(model);
}

int
fine_model_has_adapter(const fine_model *model)
{
    if (model == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_has_adapter: model is NULL");
    return model->adapter != NULL;
}

int
fine_model_save(fine_model *model, const char *folder)
{
    if (model == NULL || folder == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_save: model or folder is NULL");
    return fine__model_save(model, folder, SHARD_BYTES);
}

int
fine_model_save_sharded(fine_model *model, const char *folder, int64_t max_shard_bytes)
{
    if (model == NULL || folder == NULL || max_shard_bytes < 1)
        return fine__fail(FINE_EINVAL, "fine_model_save_sharded: model or folder is NULL, or "
                          "max_shard_bytes is not positive");
    return fine__model_save(model, folder, max_shard_bytes);
}

/* ---- questions ---- */

const char *
fine_model_family(const fine_model *model)
{
    return model != NULL ? fine__model_family(model) : "";
}

const char *
fine_model_task(const fine_model *model)
{
    return model != NULL ? fine__task_name(model->task) : "";
}

const char *
fine_model_pool(const fine_model *model)
{
    return model != NULL ? fine__pool_name(model->pool) : "";
}

int64_t
fine_model_n_params(const fine_model *model)
{
    return model != NULL ? model->params.count : 0;
}

int
fine_model_param(const fine_model *model, int64_t i, struct fine_param_info *out)
{
    struct fine_param_info info = { .struct_size = sizeof info };

    if (model == NULL || out == NULL || i < 0 || i >= model->params.count)
        return fine__fail(FINE_EINVAL, "fine_model_param: model or out is NULL, or there is no "
                          "parameter %lld", (long long)i);
    if (out->struct_size < param_v1 || out->struct_size > FINE__OPTIONS_MAX)
        return fine__fail(FINE_EINVAL, "fine_param_info: set struct_size to sizeof first");
    const struct fine__param *param = &model->params.list[i];

    info.name = param->name;
    info.shape = param->tensor.shape;
    info.n_dims = param->tensor.n_dims;
    info.count = param->tensor.count;
    info.stage = param->stage;
    info.frozen = !param->tensor.wants_grad;
    options_out(out, out->struct_size, &info, sizeof info);
    return 0;
}

int64_t
fine_model_n_stages(const fine_model *model)
{
    return model != NULL ? model->n_layers + 2 : 0;
}

const char *
fine_model_stage_name(const fine_model *model, int64_t stage)
{
    if (model == NULL || stage < 0 || stage > model->n_layers + 1)
        return NULL;
    return model->stage_names + stage * FINE__STAGE_NAME;
}

int64_t
fine_model_n_labels(const fine_model *model)
{
    return model != NULL ? model->n_labels : 0;
}

const char *
fine_model_label(const fine_model *model, int64_t i)
{
    return model != NULL && i >= 0 && i < model->n_labels ? model->labels[i] : NULL;
}

int64_t
fine_model_max_length(const fine_model *model)
{
    return model != NULL ? model->max_length : 0;
}

int64_t
fine_model_vocab_size(const fine_model *model)
{
    return model != NULL ? model->vocab_size : 0;
}

const char *
fine_model_fingerprint(const fine_model *model)
{
    return model != NULL ? model->fingerprint : "";
}

int
fine_model_dataset_options(const fine_model *model, struct fine_dataset_options *out)
{
    if (model == NULL || out == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_dataset_options: model or out is NULL");
    struct fine_dataset_options o;
    const struct fine__preparation *p = &model->preparation;

    fine_dataset_options_init(&o, sizeof o);
    o.text = p->text;
    o.text_pair = p->text_pair;
    o.label = p->label;
    o.group = p->group;
    o.separator = p->separator;
    o.quote = p->quote;
    o.encoding = p->encoding;
    o.format = p->format;
    o.documents = p->documents;
    o.columns = (const char *const *)p->columns;
    o.n_columns = p->n_columns;
    o.label_separator = p->label_separator;
    o.scheme = p->scheme;
    o.offsets = p->offsets;
    o.label_columns = (const char *const *)p->label_columns;
    o.n_label_columns = p->n_label_columns;
    if (p->text != NULL)
        o.header = p->header;
    o.task = model->task != FINE__TASK_NONE ? fine__task_name(model->task) : NULL;
    o.label_is_number = model->task == FINE__REGRESS;
    if (model->n_labels > 0) {
        o.labels = (const char *const *)model->labels;
        o.n_labels = model->n_labels;
    }
    options_out(out, out->struct_size, &o, sizeof o);
    return 0;
}

/* ---- by hand ---- */

int
fine_model_set_batch_statistics(fine_model *model, int32_t on)
{
    if (model == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_set_batch_statistics: model is NULL");
    FINE__TRY(must_be_free(model, "fine_model_set_batch_statistics"));
    model->by_batch = on != 0;
    return 0;
}

int
fine_model_forward(fine_model *model, const fine_tensors *inputs, int32_t flags,
                   fine_tensors **out)
{
    if (model == NULL || inputs == NULL || out == NULL ||
        (flags & ~(FINE_HIDDEN_STATES | FINE_PARAM_GRADIENTS)) != 0)
        return fine__fail(FINE_EINVAL, "fine_model_forward: model, inputs or out is NULL, or an "
                          "unknown flag is set");
    if ((flags & FINE_PARAM_GRADIENTS) || model->by_batch)
        FINE__TRY(must_be_free(model, "fine_model_forward with gradients or batch statistics"));
    return fine__model_forward(model, inputs, flags, out);
}

int
fine_model_backward(fine_model *model, const fine_tensors *inputs, double weight, double *loss_out)
{
    if (model == NULL || inputs == NULL || !isfinite(weight))
        return fine__fail(FINE_EINVAL, "fine_model_backward: model or inputs is NULL, or weight is "
                          "not finite");
    FINE__TRY(must_be_free(model, "fine_model_backward"));
    return fine__model_backward(model, inputs, weight, loss_out);
}

int
fine_model_zero_gradients(fine_model *model)
{
    if (model == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_zero_gradients: model is NULL");
    fine__params_zero_gradients(&model->params);
    return 0;
}

int
fine_model_clip_gradients(fine_model *model, double max_norm, double *norm_out)
{
    if (model == NULL || !(max_norm >= 0) || !isfinite(max_norm))
        return fine__fail(FINE_EINVAL, "fine_model_clip_gradients: model is NULL, or max_norm is "
                          "negative or not finite");
    const double norm = fine__params_gradient_norm(&model->params);

    if (!isfinite(norm)) {
        const char *name = fine__params_not_finite(&model->params);

        return fine__fail(FINE_ENUMERIC, "the gradient of '%s' is not finite",
                          name != NULL ? name : "the model");
    }
    if (max_norm > 0 && norm > max_norm)
        fine__params_scale_gradients(&model->params, max_norm / (norm + 1e-6));
    if (norm_out != NULL)
        *norm_out = norm;
    return 0;
}

/* Running statistics of this name, or NULL. */
static float *
find_statistic(const fine_model *model, const char *name, int64_t *count_out)
{
    enum fine__buffer buffer;
    int64_t i;

    if (!fine__norms_find(&model->norms, name, &i, &buffer) || buffer == FINE__BATCHES)
        return NULL;
    const struct fine__norm *norm = &model->norms.list[i];

    *count_out = norm->channels;
    return model->norms.now.values + norm->at +
           (buffer == FINE__RUNNING_MEAN ? 0 : norm->channels);
}

static struct fine__param *
find(const fine_model *model, const char *name, const char *function)
{
    const int64_t i = fine__params_find(&model->params, name);

    if (i < 0) {
        fine__fail(FINE_EINVAL, "%s: the model has no parameter '%s'", function, name);
        return NULL;
    }
    return &model->params.list[i];
}

int
fine_model_values(const fine_model *model, const char *name, const float **out,
                  int64_t *count_out)
{
    if (model == NULL || name == NULL || out == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_values: model, name or out is NULL");
    int64_t count = 0;
    const float *statistic = find_statistic(model, name, &count);

    if (statistic != NULL) {
        *out = statistic;
        if (count_out != NULL)
            *count_out = count;
        return 0;
    }
    const struct fine__param *param = find(model, name, "fine_model_values");

    if (param == NULL)
        return FINE_EINVAL;
    *out = param->tensor.data;
    if (count_out != NULL)
        *count_out = param->tensor.count;
    return 0;
}

int
fine_model_gradient(const fine_model *model, const char *name, const float **out,
                    int64_t *count_out)
{
    if (model == NULL || name == NULL || out == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_gradient: model, name or out is NULL");
    struct fine__param *param = find(model, name, "fine_model_gradient");

    if (param == NULL)
        return FINE_EINVAL;
    if (param->tensor.grad == NULL)
        return fine__fail(FINE_ESTATE, "fine_model_gradient: '%s' has none; it is frozen, or "
                          "fine_model_backward() was not called yet", name);
    fine__param_fill_gradient(param);
    *out = param->tensor.grad;
    if (count_out != NULL)
        *count_out = param->tensor.count;
    return 0;
}

int
fine_model_set_values(fine_model *model, const char *name, const float *values, int64_t count)
{
    if (model == NULL || name == NULL || values == NULL)
        return fine__fail(FINE_EINVAL, "fine_model_set_values: model, name or values is NULL");
    FINE__TRY(must_be_free(model, "fine_model_set_values"));
    int64_t there = 0;
    float *to = find_statistic(model, name, &there);

    if (to == NULL) {
        struct fine__param *param = find(model, name, "fine_model_set_values");

        if (param == NULL)
            return FINE_EINVAL;
        to = param->tensor.data;
        there = param->tensor.count;
    }
    if (count != there)
        return fine__fail(FINE_EINVAL, "fine_model_set_values: '%s' has %lld elements, not %lld",
                          name, (long long)there, (long long)count);
    memcpy(to, values, (size_t)count * sizeof *values);
    return 0;
}
