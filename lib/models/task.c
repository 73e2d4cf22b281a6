/*
 * task.c — giving a model a task, with a new head where the old one doesn't serve.
 */
#include <string.h>

#include "base/alloc.h"
#include "models/answering.h"
#include "models/family.h"
#include "models/kinds.h"

struct wanted {
    enum fine__task task;
    enum fine__pool_kind pool;
    const struct fine__head *head;
    int64_t n_outputs, max_length;
    bool overlong_is_error, whole_words, label_all_pieces;
    double mask_rate;
    enum fine__words words;
    struct fine__answering answering;
};

static int
check_labels(const struct fine_task_options *options, const struct fine__kind *kind)
{
    if (options->n_labels < kind->least_labels)
        return fine__fail(FINE_EINVAL, "task: %s needs at least %s, not %lld", kind->name,
                          kind->least_labels == 1 ? "one label" : "two labels",
                          (long long)options->n_labels);
    if (options->n_labels > 1 << 20)
        return fine__fail(FINE_EINVAL, "task: %lld labels are more than a million",
                          (long long)options->n_labels);
    for (int64_t i = 0; options->labels != NULL && i < options->n_labels; i++) {
        if (options->labels[i] == NULL)
            return fine__fail(FINE_EINVAL, "task: label %lld is NULL", (long long)i);
        for (int64_t j = 0; options->n_labels <= 1000 && j < i; j++)
            if (strcmp(options->labels[i], options->labels[j]) == 0)
                return fine__fail(FINE_EINVAL, "task: label '%s' is given twice",
                                  options->labels[i]);
    }
    return 0;
}

const char *
fine__words_name(enum fine__words words)
{
    static const char *const names[] = { NULL, "blanks", "tokenizer" };

    return names[words];
}

bool
fine__words_find(const char *name, enum fine__words *out)
{
    for (int i = FINE__WORDS_BLANKS; i <= FINE__WORDS_TOKENIZER; i++)
        if (strcmp(name, fine__words_name((enum fine__words)i)) == 0) {
            *out = (enum fine__words)i;
            return true;
        }
    return false;
}

static int
read_words(const struct fine_task_options *options, struct wanted *w)
{
    if (w->task != FINE__TAG && (options->words != NULL || options->label_pieces != NULL))
        return fine__fail(FINE_EINVAL, "task: %s is for tag; leave it out",
                          options->words != NULL ? "words" : "label_pieces");
    if (options->words != NULL && !fine__words_find(options->words, &w->words))
        return fine__fail(FINE_EINVAL, "task: words '%s' is not known; use blanks or tokenizer",
                          options->words);
    w->label_all_pieces =
        options->label_pieces != NULL && strcmp(options->label_pieces, "all") == 0;
    if (options->label_pieces != NULL && !w->label_all_pieces &&
        strcmp(options->label_pieces, "first") != 0)
        return fine__fail(FINE_EINVAL, "task: label_pieces '%s' is not known; use first or all",
                          options->label_pieces);
    return 0;
}

static int
read_wanted(const fine_model *model, const struct fine_task_options *options, struct wanted *w)
{
    const char *const family = model->family->name;

    if (options->type == NULL || !fine__task_find(options->type, &w->task))
        return fine__fail(options->type == NULL ? FINE_EINVAL : FINE_EUNSUPPORTED,
                          "task: type '%s' is not known to this version; it knows %s",
                          options->type != NULL ? options->type : "", fine__kind_names());
    const struct fine__kind *kind = fine__kind(w->task);

    w->pool = FINE__POOL_POOLER;
    if (options->pool != NULL && !fine__pool_find(options->pool, &w->pool))
        return fine__fail(FINE_EINVAL, "task: pool '%s' is not known; use pooler, cls or mean",
                          options->pool);
    if (kind->reads_image != (model->n_channels > 0))
        return fine__fail(FINE_EUNSUPPORTED, "task: a %s model reads %s and cannot learn %s%s",
                          family, model->n_channels > 0 ? "images" : "text", kind->name,
                          model->n_channels > 0 ? "; use classify-image" : "");
    if (kind->reads_image && (w->pool != FINE__POOL_POOLER || options->max_length != 0 ||
                              options->overlong != NULL))
        return fine__fail(FINE_EINVAL, "task: %s reads images, of which pool, max_length and "
                          "overlong say nothing; leave them out", kind->name);
    if (kind->per_token && w->pool != FINE__POOL_POOLER)
        return fine__fail(FINE_EINVAL, "task: %s reads every token, so pool '%s' says nothing; "
                          "leave it out", kind->name, options->pool);
    if (model->family->causal && w->pool == FINE__POOL_CLS)
        return fine__fail(FINE_EINVAL, "task: the first token of a %s model knows nothing of the "
                          "others; use pool pooler (its last token) or mean", family);
    w->head = fine__head_find(model->family, w->task, w->pool);
    if (w->head == NULL)
        return fine__fail(FINE_EUNSUPPORTED, "task: a %s model cannot learn %s", family,
                          kind->name);
    if (kind->least_labels > 0)
        FINE__TRY(check_labels(options, kind));
    else if (options->n_labels != 0)
        return fine__fail(FINE_EINVAL, "task: %s has no labels, but %lld are given", kind->name,
                          (long long)options->n_labels);
    w->n_outputs = fine__task_n_outputs(model, w->task, options->n_labels);
    if (kind->reads_image)
        return fine__answering_read(&w->answering, options, w->task, 0);
    w->max_length = options->max_length;
    if (w->max_length < 0 || w->max_length > model->max_positions)
        return fine__fail(FINE_EINVAL, "task: max_length %lld is not within the model's limit of "
                          "%lld", (long long)w->max_length, (long long)model->max_positions);
    if (w->max_length == 0)
        w->max_length = w->task == FINE__ANSWER && model->max_positions > FINE__ANSWER_LENGTH
                            ? FINE__ANSWER_LENGTH : model->max_positions;
    if (w->max_length < 3)
        return fine__fail(FINE_EINVAL, "task: max_length %lld leaves no room for text between the "
                          "added ids; give at least 3", (long long)w->max_length);
    if (options->overlong != NULL && strcmp(options->overlong, "truncate") != 0 &&
        strcmp(options->overlong, "error") != 0 &&
        (w->task != FINE__ANSWER || strcmp(options->overlong, "window") != 0))
        return fine__fail(FINE_EINVAL, "task: overlong '%s' is not known%s; use truncate%s error",
                          options->overlong, w->task == FINE__ANSWER ? "" : " to this task",
                          w->task == FINE__ANSWER ? ", window or" : " or");
    w->mask_rate = options->mask_rate == 0 ? FINE__MASK_RATE : options->mask_rate;
    w->whole_words = options->whole_words != 0;
    if (!(w->mask_rate > 0 && w->mask_rate <= 1))
        return fine__fail(FINE_EINVAL, "task: mask_rate is not within 0 and 1");
    if ((options->mask_rate != 0 || w->whole_words) && w->task != FINE__FILL_MASK)
        return fine__fail(FINE_EINVAL, "task: mask_rate and whole_words are for fill-mask, not for "
                          "%s", kind->name);
    w->overlong_is_error = options->overlong != NULL && strcmp(options->overlong, "error") == 0;
    FINE__TRY(read_words(options, w));
    return fine__answering_read(&w->answering, options, w->task, w->max_length);
}

/* True where the head that is there has the same shape and reads the same vector. */
static bool
head_serves(const fine_model *model, const struct wanted *w)
{
    return model->head != NULL && model->pool == w->pool &&
           model->task == w->task && model->head == w->head && fine__model_n_outputs(model) == w->n_outputs;
}

/* A pooler that the checkpoint lacks is as new as the head. */
static void
draw_pooler(fine_model *model, int64_t seed)
{
    for (int64_t i = 0; i < model->head_from; i++)
        if (model->params.list[i].stage == model->n_layers + 1)
            fine__param_draw(&model->params.list[i], seed);
    model->has_pooler = true;
    fine__log(model->ctx, FINE_LOG_INFO, "the checkpoint has no pooler: a new one is drawn from "
              "seed %lld", (long long)seed);
}

static int
new_head(fine_model *model, const struct wanted *w, int64_t seed)
{
    const int64_t old_from = model->head_from, old_to = model->params.count;

    fine__head_build(model, w->head, w->n_outputs);
    int rc = fine__params_allocate(&model->params);

    if (rc < 0) {
        fine__params_truncate(&model->params, old_to);
        return rc;
    }
    fine__params_remove(&model->params, old_from, old_to);
    for (int64_t i = model->head_from; i < model->params.count; i++)
        fine__param_draw(&model->params.list[i], seed);
    if (model->params.count > model->head_from)
        fine__log(model->ctx, FINE_LOG_INFO, "a new head of %lld output%s is drawn from seed %lld",
                  (long long)w->n_outputs, w->n_outputs == 1 ? "" : "s", (long long)seed);
    return 0;
}

/* "LABEL_0" … where no names are given. */
int
fine__model_name_labels(fine_model *model, const struct fine_task_options *options)
{
    const char *names[2] = { "LABEL_0", "LABEL_1" };
    struct fine__buf text;
    const char **list;
    int rc = FINE_ENOMEM;

    if (options->labels != NULL || options->n_labels == 0)
        return fine__model_set_labels(model, options->labels, options->n_labels);
    if (options->n_labels == 2)
        return fine__model_set_labels(model, names, 2);
    fine__buf_init(&text, model->ctx);
    list = fine__alloc_array(model->ctx, (size_t)options->n_labels, sizeof *list);
    for (int64_t i = 0; i < options->n_labels; i++) {
        fine__buf_printf(&text, "LABEL_%lld", (long long)i);
        fine__buf_byte(&text, '\0');
    }
    if (list != NULL && fine__buf_status(&text) == 0) {
        const char *at = text.data;

        for (int64_t i = 0; i < options->n_labels; i++, at += strlen(at) + 1)
            list[i] = at;
        rc = fine__model_set_labels(model, list, options->n_labels);
    }
    fine__free(model->ctx, list);
    fine__buf_free(&text);
    return rc;
}

/* Everything that can fail comes first, so that a failure leaves the model as it was. */
int
fine__model_set_task(fine_model *model, const struct fine_task_options *options)
{
    struct wanted w = { 0 };

    FINE__TRY(read_wanted(model, options, &w));
    const bool serves = head_serves(model, &w);
    char **const old = model->labels;
    const int64_t n_old = model->n_labels;

    model->labels = NULL;
    model->n_labels = 0;
    int rc = fine__model_name_labels(model, options);

    if (rc == 0 && !serves)
        rc = new_head(model, &w, options->seed);
    char **const kept = rc == 0 ? model->labels : old;
    const int64_t n_kept = rc == 0 ? model->n_labels : n_old;

    if (rc == 0) {
        model->labels = old;
        model->n_labels = n_old;
    }
    fine__model_set_labels(model, NULL, 0);         /* frees what isn't kept */
    model->labels = kept;
    model->n_labels = n_kept;
    if (rc < 0)
        return rc;
    if (w.head->pooler && !model->has_pooler)
        draw_pooler(model, options->seed);
    /* Who reads the last token must know padding; the end of a text serves, as is usual. */
    if (w.head->reads == FINE__LAST_TOKEN && model->padding_id < 0)
        model->padding_id = model->end_id;
    model->task = w.task;
    model->head = w.head;
    model->pool = w.pool;
    model->max_length = w.max_length;
    model->overlong_is_error = w.overlong_is_error;
    model->mask_rate = w.mask_rate;
    model->whole_words = w.whole_words;
    model->words = w.words;
    model->label_all_pieces = w.label_all_pieces;
    model->answering = w.answering;
    fine__model_update_trained(model);
    return 0;
}
