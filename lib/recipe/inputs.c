/*
 * inputs.c — from a recipe's keys to the handles that a run is made of.
 *
 * Data come first: they are the likeliest to be wrong, and the quickest to be looked at.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "data/dataset.h"
#include "models/model.h"
#include "recipe/run.h"
#include <finetune/train.h>

static const struct fine__value *
value(const fine_recipe *recipe, int key)
{
    return &recipe->values[key];
}

static const char *
text(const fine_recipe *recipe, int key)
{
    return fine__recipe_text(recipe, key);
}

/* What the library refuses as an argument is a value of the recipe here. */
static int
blame(const fine_recipe *recipe, int key, int rc)
{
    const struct fine__value *v = value(recipe, key);

    if (rc != FINE_EINVAL)
        return rc;
    if (recipe->name && v->line > 0)
        fine__error_prefix("%s:%lld:%lld: '%s'", recipe->name, (long long)v->line,
                           (long long)v->column, fine__keys[key].name);
    else
        fine__error_prefix("'%s'", fine__keys[key].name);
    return FINE_ERECIPE;
}

/* ---- data ---- */

/* One column, or several of 0 and 1; how labels are written in it. */
static void
take_label(const fine_recipe *recipe, struct fine_dataset_options *out)
{
    const struct fine__value *label = value(recipe, FINE__DATA_LABEL);
    const bool is_tag = strcmp(text(recipe, FINE__TASK_TYPE), "tag") == 0;

    if (label->is_list) {
        out->label_columns = (const char *const *)label->items;
        out->n_label_columns = label->n_items;
    } else if (!is_tag || strcmp(label->items[0], "label") != 0) {
        out->label = label->items[0];   /* of tags the library knows the usual places */
    }
    if (strcmp(text(recipe, FINE__TASK_TYPE), "multilabel") == 0)
        out->label_separator = text(recipe, FINE__DATA_LABEL_SEPARATOR);
    if (is_tag) {
        out->scheme = text(recipe, FINE__DATA_SCHEME);
        out->offsets = text(recipe, FINE__DATA_OFFSETS);
    }
}

static void
columns(const fine_recipe *recipe, struct fine_dataset_options *out)
{
    const struct fine__value *header = value(recipe, FINE__DATA_HEADER);
    const struct fine__value *labels = value(recipe, FINE__TASK_LABELS);

    fine_dataset_options_init(out, sizeof *out);
    /* NULL where the task's own default isn't the key's */
    if (fine__recipe_applies(recipe, FINE__DATA_TEXT))
        out->text = text(recipe, FINE__DATA_TEXT);
    out->text_pair = text(recipe, FINE__DATA_TEXT_PAIR);
    if (fine__recipe_applies(recipe, FINE__DATA_LABEL))
        take_label(recipe, out);
    out->group = text(recipe, FINE__DATA_GROUP);
    out->separator = text(recipe, FINE__DATA_SEPARATOR);
    out->quote = text(recipe, FINE__DATA_QUOTE);
    out->encoding = text(recipe, FINE__DATA_ENCODING);
    out->on_bad_row = text(recipe, FINE__DATA_ON_BAD_ROW);
    out->format = text(recipe, FINE__DATA_FORMAT);
    out->header = header->flag;
    if (header->is_list) {
        out->columns = (const char *const *)header->items;
        out->n_columns = header->n_items;
    }
    if (labels->n_items > 0) {
        out->labels = (const char *const *)labels->items;
        out->n_labels = labels->n_items;
    }
    out->task = text(recipe, FINE__TASK_TYPE);
    if (fine__recipe_applies(recipe, FINE__DATA_DOCUMENTS))
        out->documents = text(recipe, FINE__DATA_DOCUMENTS);
    out->label_is_number = strcmp(out->task, "regress") == 0;
}

static int
open_set(fine_dataset **out, const fine_recipe *recipe, int key,
         const struct fine_dataset_options *options)
{
    char *path;
    int rc;

    FINE__TRY(fine__recipe_path(recipe, key, &path));
    if (!path)
        return FINE_OK;
    rc = fine_dataset_open(out, recipe->ctx, path, options);
    fine__free(recipe->ctx, path);
    return rc;
}

/* The labels of the training data, for the sets that are read after it. */
static int
take_labels(const fine_dataset *train, struct fine_dataset_options *options, const char ***names)
{
    int64_t n = fine_dataset_n_labels(train);

    if (options->n_labels > 0 || n == 0)
        return FINE_OK;
    *names = fine__alloc_array(train->ctx, (size_t)n, sizeof **names);
    if (!*names)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        (*names)[i] = fine_dataset_label_name(train, i);
    options->labels = *names;
    options->n_labels = n;
    return FINE_OK;
}

static int
split_off(struct fine__inputs *out, double share, int64_t seed)
{
    fine_dataset *rest = NULL, *held_out = NULL;

    FINE__TRY(fine_dataset_split(&rest, &held_out, out->train, share, seed));
    fine_dataset_free(out->train);
    out->train = rest;
    out->validation = held_out;
    return FINE_OK;
}

static int
open_data(struct fine__inputs *out, const fine_recipe *recipe)
{
    const struct fine__value *validation = value(recipe, FINE__DATA_VALIDATION);
    int64_t seed = value(recipe, FINE__TRAIN_SEED)->integer, n_shared;
    struct fine_dataset_options options;
    const char **names = NULL;
    int rc;

    columns(recipe, &options);
    options.split_by = text(recipe, FINE__DATA_SPLIT_BY);
    FINE__TRY(open_set(&out->train, recipe, FINE__DATA_TRAIN, &options));
    FINE__TRY(fine__dataset_check_task(out->train, fine__content_find(options.task)));
    options.split_by = NULL;
    rc = take_labels(out->train, &options, &names);
    if (rc == FINE_OK && !validation->is_number)
        rc = open_set(&out->validation, recipe, FINE__DATA_VALIDATION, &options);
    if (rc == FINE_OK)
        rc = open_set(&out->test, recipe, FINE__DATA_TEST, &options);
    fine__free(recipe->ctx, names);
    if (rc == FINE_OK && validation->is_number)
        rc = split_off(out, validation->number, seed);
    if (rc == FINE_OK && out->test)
        rc = fine__dataset_overlap(&n_shared, out->train, out->test);
    return rc;
}

/* ---- the model ---- */

static int
keep(fine_context *ctx, char **to, const char *from)
{
    *to = from ? fine__strdup(ctx, from) : NULL;
    return from && !*to ? FINE_ENOMEM : FINE_OK;
}

static int
keep_all(fine_context *ctx, char ***to, int64_t *n_to, const char *const *from, int64_t n)
{
    if (n == 0)
        return FINE_OK;
    *to = fine__alloc_array(ctx, (size_t)n, sizeof **to);
    if (!*to)
        return FINE_ENOMEM;
    for (; *n_to < n; ++*n_to)
        FINE__TRY(keep(ctx, &(*to)[*n_to], from[*n_to]));
    return FINE_OK;
}

static int
copy_columns(struct fine__preparation *p, fine_context *ctx,
             const struct fine_dataset_options *options)
{
    FINE__TRY(keep(ctx, &p->text, options->text));
    FINE__TRY(keep(ctx, &p->text_pair, options->text_pair));
    FINE__TRY(keep(ctx, &p->label, options->label));
    FINE__TRY(keep(ctx, &p->group, options->group));
    FINE__TRY(keep(ctx, &p->separator, options->separator));
    FINE__TRY(keep(ctx, &p->quote, options->quote));
    FINE__TRY(keep(ctx, &p->encoding, options->encoding));
    FINE__TRY(keep(ctx, &p->format, options->format));
    FINE__TRY(keep(ctx, &p->documents, options->documents));
    FINE__TRY(keep(ctx, &p->label_separator, options->label_separator));
    FINE__TRY(keep(ctx, &p->scheme, options->scheme));
    FINE__TRY(keep(ctx, &p->offsets, options->offsets));
    FINE__TRY(keep_all(ctx, &p->columns, &p->n_columns, options->columns, options->n_columns));
    return keep_all(ctx, &p->label_columns, &p->n_label_columns, options->label_columns,
                    options->n_label_columns);
}

/* Columns and text preparation go with the model, so that later files are read alike. */
static int
remember_columns(fine_model *model, const struct fine_dataset_options *options)
{
    struct fine__preparation p = { .header = options->header };
    int rc = copy_columns(&p, model->ctx, options);

    if (rc < 0) {
        fine__preparation_free(model->ctx, &p);
        return rc;
    }
    fine__preparation_free(model->ctx, &model->preparation);
    model->preparation = p;
    return FINE_OK;
}

/* None is an answer where the training data show what it looks like. */
static void
take_answering(struct fine_task_options *task, const fine_recipe *recipe,
               const fine_dataset *train)
{
    task->stride = value(recipe, FINE__DATA_STRIDE)->integer;
    task->max_answer_length = value(recipe, FINE__TASK_MAX_ANSWER_LENGTH)->integer;
    task->null_threshold = value(recipe, FINE__TASK_NULL_THRESHOLD)->number;
    for (int64_t i = 0; i < train->n_rows && value(recipe, FINE__TASK_NO_ANSWER)->flag; i++)
        task->no_answer |= train->rows[i].n_marks == 0;
}

static int
give_task(fine_model *model, const fine_recipe *recipe, const fine_dataset *train)
{
    struct fine_task_options task;
    int64_t n = fine_dataset_n_labels(train);
    const char **names = fine__alloc_array(recipe->ctx, (size_t)n, sizeof *names);
    int rc;

    if (!names)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        names[i] = fine_dataset_label_name(train, i);
    fine_task_options_init(&task, sizeof task);
    task.type = text(recipe, FINE__TASK_TYPE);
    if (model->n_channels == 0) {
        task.pool = text(recipe, FINE__TASK_POOL);
        if (fine__recipe_applies(recipe, FINE__DATA_OVERLONG))
            task.overlong = text(recipe, FINE__DATA_OVERLONG);
    }
    task.labels = n > 0 ? names : NULL;
    task.n_labels = n;
    task.max_length = value(recipe, FINE__DATA_MAX_LENGTH)->integer;
    task.seed = value(recipe, FINE__TRAIN_SEED)->integer;
    if (fine__recipe_applies(recipe, FINE__TASK_MASK_RATE)) {
        task.mask_rate = value(recipe, FINE__TASK_MASK_RATE)->number;
        task.whole_words = value(recipe, FINE__TASK_WHOLE_WORDS)->flag;
    }
    if (fine__recipe_applies(recipe, FINE__TASK_WORDS)) {
        task.words = text(recipe, FINE__TASK_WORDS);
        task.label_pieces = text(recipe, FINE__TASK_LABEL_PIECES);
        if (!task.words)
            task.words = train->blank_words ? "blanks" : "tokenizer";
    }
    if (train->content == FINE__ROWS_OF_ANSWERS)
        take_answering(&task, recipe, train);
    rc = fine_model_set_task(model, &task);
    fine__free(recipe->ctx, names);
    return blame(recipe,
                 task.stride > 0       ? FINE__DATA_STRIDE
                 : task.max_length > 0 ? FINE__DATA_MAX_LENGTH
                                       : FINE__TASK_TYPE,
                 rc);
}

static int
freeze(fine_model *model, const fine_recipe *recipe)
{
    const struct fine__value *v = value(recipe, FINE__TRAIN_FREEZE);
    struct fine__buf spec;
    int rc;

    fine__buf_init(&spec, recipe->ctx);
    for (int64_t i = 0; i < v->n_items; i++) {
        fine__buf_text(&spec, i > 0 ? "," : "");
        fine__buf_text(&spec, v->items[i]);
    }
    rc = fine__buf_status(&spec);
    if (rc == FINE_OK)
        rc = fine_model_freeze(model, fine__buf_cstr(&spec));
    fine__buf_free(&spec);
    return blame(recipe, FINE__TRAIN_FREEZE, rc);
}

/* Pictures that came as they are get a size by being bent to it. */
static void
set_image_size(fine_model *model, int64_t size)
{
    struct fine__preparing *preparing = &model->preparing;

    if (size == 0 || model->n_channels == 0)
        return;
    model->preprocessor.length = 0;     /* it says something else now */
    if (preparing->fit == FINE__FIT_NONE && preparing->crop_width == 0) {
        preparing->fit = FINE__FIT_EXACT;
        preparing->width = preparing->height = size;
    } else {
        fine__preparing_resize(preparing, size, size);
    }
}

static void
want_adapter(struct fine_adapter_options *out, const fine_recipe *recipe)
{
    const struct fine__value *targets = value(recipe, FINE__ADAPTER_TARGETS);

    fine_adapter_options_init(out, sizeof *out);
    out->rank = value(recipe, FINE__ADAPTER_RANK)->integer;
    out->alpha = value(recipe, FINE__ADAPTER_ALPHA)->number;
    out->dropout = value(recipe, FINE__ADAPTER_DROPOUT)->number;
    out->rank_stabilised = value(recipe, FINE__ADAPTER_RANK_STABILISED)->flag;
    out->targets = (const char *const *)targets->items;
    out->n_targets = targets->n_items;
}

static int
open_model(struct fine__inputs *out, const fine_recipe *recipe)
{
    struct fine_model_options options;
    struct fine_adapter_options adapter;
    struct fine_dataset_options prepared;
    char *path;
    int rc;

    fine_model_options_init(&options, sizeof options);
    options.seed = value(recipe, FINE__TRAIN_SEED)->integer;
    if (strcmp(text(recipe, FINE__ADAPTER_TYPE), "lora") == 0) {
        want_adapter(&adapter, recipe);
        options.adapter = &adapter;
    }
    if (value(recipe, FINE__MODEL_ARCHITECTURE)->given)
        options.architecture = text(recipe, FINE__MODEL_ARCHITECTURE);
    options.random_weights = strcmp(text(recipe, FINE__MODEL_INIT), "random") == 0;
    FINE__TRY(fine__recipe_path(recipe, FINE__MODEL_PATH, &path));
    rc = fine_model_open(&out->model, recipe->ctx, path, &options);
    fine__free(recipe->ctx, path);
    FINE__TRY(rc);
    columns(recipe, &prepared);
    FINE__TRY(remember_columns(out->model, &prepared));
    set_image_size(out->model, value(recipe, FINE__DATA_IMAGE_SIZE)->integer);
    FINE__TRY(give_task(out->model, recipe, out->train));
    return freeze(out->model, recipe);
}

/* ---- the rest ---- */

static int
make_optimizer(fine_optimizer **out, const fine_recipe *recipe)
{
    const char *type = text(recipe, FINE__OPTIMIZER_TYPE);
    struct fine_optimizer_options o;

    fine_optimizer_options_init(&o, sizeof o, type);
    o.learning_rate = value(recipe, FINE__OPTIMIZER_LEARNING_RATE)->number;
    o.head_learning_rate = value(recipe, FINE__OPTIMIZER_HEAD_LEARNING_RATE)->number;
    o.weight_decay = value(recipe, FINE__OPTIMIZER_WEIGHT_DECAY)->number;
    o.layer_decay = value(recipe, FINE__TRAIN_LAYER_DECAY)->number;
    o.decay = strcmp(text(recipe, FINE__OPTIMIZER_DECAY), "all") == 0 ? FINE_DECAY_ALL
                                                                      : FINE_DECAY_MATRICES;
    if (fine__recipe_applies(recipe, FINE__OPTIMIZER_BETAS)) {
        o.beta1 = value(recipe, FINE__OPTIMIZER_BETAS)->pair[0];
        o.beta2 = value(recipe, FINE__OPTIMIZER_BETAS)->pair[1];
    }
    if (fine__recipe_applies(recipe, FINE__OPTIMIZER_EPSILON))
        o.epsilon = value(recipe, FINE__OPTIMIZER_EPSILON)->number;
    if (fine__recipe_applies(recipe, FINE__OPTIMIZER_MOMENTUM))
        o.momentum = value(recipe, FINE__OPTIMIZER_MOMENTUM)->number;
    o.nesterov = value(recipe, FINE__OPTIMIZER_NESTEROV)->flag;
    o.alpha = value(recipe, FINE__OPTIMIZER_ALPHA)->number;
    o.centered = value(recipe, FINE__OPTIMIZER_CENTERED)->flag;
    o.relative_step = value(recipe, FINE__OPTIMIZER_RELATIVE_STEP)->flag;
    o.scale_parameter = value(recipe, FINE__OPTIMIZER_SCALE_PARAMETER)->flag;
    return fine_optimizer_new(out, recipe->ctx, type, &o);
}

static int
make_rules(struct fine__inputs *out, const fine_recipe *recipe)
{
    struct fine_schedule_options options;

    FINE__TRY(blame(recipe, FINE__OPTIMIZER_TYPE, make_optimizer(&out->optimizer, recipe)));
    fine_schedule_options_init(&options, sizeof options);
    options.warmup = value(recipe, FINE__SCHEDULE_WARMUP)->number;
    options.power = value(recipe, FINE__SCHEDULE_POWER)->number;
    options.end = value(recipe, FINE__SCHEDULE_END)->number;
    options.decay = value(recipe, FINE__SCHEDULE_DECAY)->number;
    options.restarts = value(recipe, FINE__SCHEDULE_RESTARTS)->integer;
    return blame(recipe, FINE__SCHEDULE_WARMUP,
                 fine_schedule_new(&out->schedule, recipe->ctx,
                                   text(recipe, FINE__SCHEDULE_TYPE), &options));
}

int
fine__inputs_open(struct fine__inputs *out, const fine_recipe *recipe)
{
    int rc;

    *out = (struct fine__inputs){ .ctx = recipe->ctx };
    out->class_weights = fine__alloc_array(
        recipe->ctx, (size_t)value(recipe, FINE__TRAIN_CLASS_WEIGHTS)->n_items, sizeof(double));
    rc = out->class_weights != NULL ? make_rules(out, recipe) : FINE_ENOMEM;
    if (rc == FINE_OK)
        rc = open_data(out, recipe);
    if (rc == FINE_OK)
        rc = open_model(out, recipe);
    if (rc < 0)
        fine__inputs_close(out);
    return rc;
}

void
fine__inputs_close(struct fine__inputs *inputs)
{
    fine_dataset_free(inputs->train);
    fine_dataset_free(inputs->validation);
    fine_dataset_free(inputs->test);
    fine_optimizer_free(inputs->optimizer);
    fine_schedule_free(inputs->schedule);
    if (inputs->class_weights != NULL)
        fine__free(inputs->ctx, inputs->class_weights);
    fine_model_free(inputs->model);
    *inputs = (struct fine__inputs){ 0 };
}

/* A word, or numbers: check.c has looked at both. */
static void
want_class_weights(struct fine__inputs *inputs, const fine_recipe *recipe,
                   struct fine_trainer_options *out)
{
    const struct fine__value *v = value(recipe, FINE__TRAIN_CLASS_WEIGHTS);

    if (!v->is_list) {
        out->class_weighting = v->items[0];
        return;
    }
    for (int64_t i = 0; i < v->n_items; i++)
        (void)fine__parse_double(v->items[i], strlen(v->items[i]), &inputs->class_weights[i]);
    out->class_weights = inputs->class_weights;
    out->n_class_weights = v->n_items;
}

static void
want_augmentation(struct fine_augmentation *out, const fine_recipe *recipe)
{
    fine_augmentation_init(out, sizeof *out);
    out->crop = value(recipe, FINE__AUGMENT_CROP)->number;
    out->pad = value(recipe, FINE__AUGMENT_PAD)->integer;
    out->flip = value(recipe, FINE__AUGMENT_FLIP)->number;
    out->brightness = value(recipe, FINE__AUGMENT_BRIGHTNESS)->number;
    out->contrast = value(recipe, FINE__AUGMENT_CONTRAST)->number;
    out->saturation = value(recipe, FINE__AUGMENT_SATURATION)->number;
    out->hue = value(recipe, FINE__AUGMENT_HUE)->number;
    out->erase = value(recipe, FINE__AUGMENT_ERASE)->number;
    out->mixup = value(recipe, FINE__AUGMENT_MIXUP)->number;
    out->cutmix = value(recipe, FINE__AUGMENT_CUTMIX)->number;
    out->mask_tokens = value(recipe, FINE__AUGMENT_MASK_TOKENS)->number;
    out->drop_words = value(recipe, FINE__AUGMENT_DROP_WORDS)->number;
}

void
fine__inputs_trainer(struct fine__inputs *inputs, const fine_recipe *recipe,
                     struct fine_trainer_options *out)
{
    const struct fine__value *every = value(recipe, FINE__TRAIN_EVALUATE_EVERY);
    const struct fine__value *steps = value(recipe, FINE__TRAIN_STEPS);

    fine_trainer_options_init(out, sizeof *out);
    out->epochs = value(recipe, FINE__TRAIN_EPOCHS)->number;
    out->steps = steps->given ? steps->integer : 0;
    out->batch_size = value(recipe, FINE__TRAIN_BATCH_SIZE)->integer;
    out->accumulate = value(recipe, FINE__TRAIN_ACCUMULATE)->integer;
    out->clip_norm = value(recipe, FINE__TRAIN_CLIP_NORM)->number;
    out->seed = value(recipe, FINE__TRAIN_SEED)->integer;
    out->validation = inputs->validation;
    out->evaluate_every_epochs = every->unit == FINE__UNIT_EPOCHS ? every->number : 0;
    out->evaluate_every_steps = every->unit == FINE__UNIT_STEPS ? every->integer : 0;
    out->checkpoint_every_steps = value(recipe, FINE__TRAIN_CHECKPOINT_EVERY)->integer;
    out->metric = text(recipe, FINE__EARLY_METRIC);
    out->patience = value(recipe, FINE__EARLY_PATIENCE)->integer;
    out->label_smoothing = value(recipe, FINE__TRAIN_LABEL_SMOOTHING)->number;
    out->focal_gamma = value(recipe, FINE__TRAIN_FOCAL_GAMMA)->number;
    want_class_weights(inputs, recipe, out);
    want_augmentation(&inputs->augmentation, recipe);
    out->augmentation = &inputs->augmentation;
}
