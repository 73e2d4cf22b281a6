/*
 * session.c — predicting: texts in, answers out, on weights that are only read.
 *
 * Texts are encoded and run in batches of a bounded number of ids, so memory doesn't grow
 * with the number of texts; only the answers do. Results are swapped in at the end: on error
 * the earlier ones stay.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "api/options.h"
#include "api/session.h"
#include "base/alloc.h"
#include "base/result.h"
#include "data/tags.h"
#include "models/model.h"
#include "text/tokenizer.h"
#include "train/batches.h"
#include "train/evaluate.h"
#include "train/pictures.h"
#include "train/taskwork.h"

enum { BATCH_IDS = 4096 };

struct results {
    int64_t n, width;               /* rows, and numbers each */
    float *numbers;                 /* probabilities, values or vectors */
    int64_t *truncated;             /* ids cut off */
    struct fine__spans spans;       /* of all rows; those of row i begin at span_of[i] */
    int64_t *span_of;               /* n + 1; NULL: the task has none */
    struct fine__fills fills;       /* fill-mask */
};

struct fine_session {
    fine_model *model;
    struct fine__runner *runner;
    struct fine__tokens tokens;
    struct results predicted, embedded;
    struct fine__generated *generated;
    /* the batch being filled */
    int32_t *ids, *types;
    int64_t *offsets, ids_capacity, types_capacity, offsets_capacity;
    atomic_bool busy;
};

static_assert(offsetof(struct fine_embed_options, pool) == sizeof(size_t), "fields never move");
static const size_t embed_v1 = offsetof(struct fine_embed_options, normalize) + sizeof(int32_t);
static const struct fine_embed_options embed_defaults = { .struct_size = sizeof embed_defaults };

int
fine_session_new(fine_session **out, fine_model *model)
{
    fine_session *session;

    if (out == NULL || model == NULL)
        return fine__fail(FINE_EINVAL, "fine_session_new: out or model is NULL");
    atomic_fetch_add(&model->sessions, 1);
    if (atomic_load(&model->training)) {
        atomic_fetch_sub(&model->sessions, 1);
        return fine__fail(FINE_ESTATE, "fine_session_new: a trainer holds this model; free it "
                          "first");
    }
    session = fine__alloc(model->ctx, sizeof *session);
    if (session != NULL) {
        memset(session, 0, sizeof *session);
        atomic_init(&session->busy, false);
    }
    if (session == NULL || fine__runner_new(&session->runner, model) < 0) {
        fine__free(model->ctx, session);
        atomic_fetch_sub(&model->sessions, 1);
        return FINE_ENOMEM;
    }
    session->model = fine__model_ref(model);
    fine__tokens_init(&session->tokens, model->ctx);
    *out = session;
    return 0;
}

static void
free_results(fine_context *ctx, struct results *results)
{
    fine__free(ctx, results->numbers);
    fine__free(ctx, results->truncated);
    fine__free(ctx, results->spans.list);
    fine__free(ctx, results->span_of);
    fine__fills_free(ctx, &results->fills);
    memset(results, 0, sizeof *results);
}

void
fine_session_free(fine_session *session)
{
    if (session == NULL)
        return;
    fine_model *model = session->model;

    fine__runner_free(session->runner);
    fine__tokens_free(&session->tokens);
    free_results(model->ctx, &session->predicted);
    free_results(model->ctx, &session->embedded);
    fine__generated_free(model->ctx, session->generated);
    fine__free(model->ctx, session->ids);
    fine__free(model->ctx, session->types);
    fine__free(model->ctx, session->offsets);
    fine__free(model->ctx, session);
    atomic_fetch_sub(&model->sessions, 1);
    fine__model_unref(model);
}

/* ---- one pass over texts ---- */

struct pass {
    const char *const *texts, *const *pairs;
    int64_t n, max_length;
    bool embed, normalize;
    enum fine__pool_kind pool;
    struct results results;
};

/* Appends text i to the batch; its number of ids, or an error. */
static int64_t
add_text(fine_session *session, struct pass *pass, int64_t i, int64_t n_seqs)
{
    const fine_model *model = session->model;
    struct fine__tokens *tokens = &session->tokens;
    const char *pair = pass->pairs != NULL ? pass->pairs[i] : NULL;
    const int64_t at = n_seqs > 0 ? session->offsets[n_seqs] : 0;

    if (pass->texts[i] == NULL)
        return fine__fail(FINE_EINVAL, "text %lld is NULL", (long long)i);
    FINE__TRY(fine__tokenizer_encode(model->tokenizer, tokens, pass->texts[i],
                                     strlen(pass->texts[i]), pair,
                                     pair != NULL ? strlen(pair) : 0, pass->max_length,
                                     FINE_OFFSETS_BYTES, true));
    if (tokens->truncated > 0 && model->overlong_is_error && !pass->embed)
        return fine__fail(FINE_EDATA, "text %lld has %lld ids more than max_length %lld; shorten "
                          "it, or train with overlong: truncate", (long long)i,
                          (long long)tokens->truncated, (long long)pass->max_length);
    FINE__TRY(fine__grow(model->ctx, &session->ids, &session->ids_capacity, at + tokens->count,
                         sizeof *session->ids));
    FINE__TRY(fine__grow(model->ctx, &session->types, &session->types_capacity,
                         at + tokens->count, sizeof *session->types));
    FINE__TRY(fine__grow(model->ctx, &session->offsets, &session->offsets_capacity, n_seqs + 2,
                         sizeof *session->offsets));
    memcpy(session->ids + at, tokens->ids, (size_t)tokens->count * sizeof *session->ids);
    memcpy(session->types + at, tokens->types, (size_t)tokens->count * sizeof *session->types);
    session->offsets[n_seqs] = at;
    session->offsets[n_seqs + 1] = at + tokens->count;
    pass->results.truncated[i] = tokens->truncated;
    return tokens->count;
}

static void
softmax(const fine__real *logits, int64_t n, float *out)
{
    double largest = (double)logits[0], sum = 0;

    for (int64_t j = 1; j < n; j++)
        largest = fmax(largest, (double)logits[j]);
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)logits[j] - largest);
    for (int64_t j = 0; j < n; j++)
        out[j] = (float)(exp((double)logits[j] - largest) / sum);
}

static void
sigmoid(const fine__real *logits, int64_t n, float *out)
{
    for (int64_t j = 0; j < n; j++) {
        const double small = exp(-fabs((double)logits[j]));

        out[j] = (float)((logits[j] < 0 ? small : 1) / (1 + small));
    }
}

static void
normalize(float *vector, int64_t n)
{
    double square = 0;

    for (int64_t j = 0; j < n; j++)
        square += (double)vector[j] * (double)vector[j];
    if (square > 0)
        for (int64_t j = 0; j < n; j++)
            vector[j] = (float)((double)vector[j] / sqrt(square));
}

static int
take_results(fine_session *session, struct pass *pass, const struct fine__run *run, int64_t first,
             int64_t n_seqs)
{
    const int64_t width = pass->embed ? run->width : run->n_logits;
    const fine__real *from = pass->embed ? run->embedding : run->logits;

    if (pass->results.numbers == NULL) {
        pass->results.width = width;
        pass->results.numbers = fine__alloc_array(session->model->ctx, (size_t)(pass->n * width),
                                                  sizeof(float));
        if (pass->results.numbers == NULL)
            return FINE_ENOMEM;
    }
    for (int64_t i = 0; i < n_seqs * width; i++)
        if (!isfinite(from[i]))
            return fine__fail(FINE_ENUMERIC, "the result of text %lld is not finite; are the "
                              "weights damaged?", (long long)(first + i / width));
    for (int64_t i = 0; i < n_seqs; i++) {
        float *to = pass->results.numbers + (first + i) * width;

        if (!pass->embed && (session->model->task == FINE__CLASSIFY ||
                             session->model->task == FINE__CLASSIFY_IMAGE))
            softmax(from + i * width, width, to);
        else if (!pass->embed && session->model->task == FINE__MULTILABEL)
            sigmoid(from + i * width, width, to);
        else
            memcpy(to, from + i * width, (size_t)width * sizeof *to);
        if (pass->embed && pass->normalize)
            normalize(to, width);
    }
    return 0;
}

static int
run_pass(fine_session *session, struct pass *pass)
{
    struct fine__batch batch = { 0 };
    struct fine__run run = { .batch = &batch, .embed = pass->embed, .embed_pool = pass->pool };

    pass->results.n = pass->n;
    pass->results.truncated = fine__alloc_array(session->model->ctx, (size_t)pass->n,
                                                sizeof *pass->results.truncated);
    if (pass->results.truncated == NULL)
        return FINE_ENOMEM;
    for (int64_t first = 0; first < pass->n;) {
        int64_t n_seqs = 0, n_ids = 0;

        while (first + n_seqs < pass->n && n_ids < BATCH_IDS) {
            const int64_t n = add_text(session, pass, first + n_seqs, n_seqs);

            if (n < 0)
                return (int)n;
            n_ids += n;
            n_seqs++;
        }
        batch = (struct fine__batch){ .n_seqs = n_seqs, .n_tokens = n_ids, .ids = session->ids,
                                      .types = session->types, .offsets = session->offsets };
        FINE__TRY(fine__runner_run(session->runner, &run));
        FINE__TRY(take_results(session, pass, &run, first, n_seqs));
        first += n_seqs;
    }
    return 0;
}

/* ---- tasks whose answers are places in a text ---- */

struct places {
    const fine_model *model;
    const struct fine__examples *examples;
    struct results *results;
};

static int
take_places(void *arg, int64_t from, int64_t to, const fine__real *logits, int64_t n_logits)
{
    struct places *p = arg;
    const int64_t row = fine__examples_row(p->examples, from);
    const int64_t n = (p->examples->offsets[to] - p->examples->offsets[from]) * n_logits;

    for (int64_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return fine__fail(FINE_ENUMERIC, "the result of text %lld is not finite; are the "
                              "weights damaged?", (long long)row);
    FINE__TRY(fine__taskwork(p->model->task)->decode(p->model, p->examples, from, to, logits,
                                                     &p->results->spans));
    if (p->examples->n_lost != NULL && p->examples->row_of == NULL)
        p->results->truncated[row] = p->examples->n_lost[row];
    p->results->span_of[row + 1] = p->results->spans.count;
    return 0;
}

static int
find_places(fine_session *session, const struct fine__examples *examples, struct results *results)
{
    fine_context *ctx = session->model->ctx;
    struct places p = { .model = session->model, .examples = examples, .results = results };
    struct fine__gathered gathered = { .ctx = ctx, .per_id = true };
    int rc = 0;
    int64_t n;

    for (int64_t first = 0; first < examples->n_rows && rc == 0; first += n) {
        n = fine__examples_that_fit(examples, first);
        rc = fine__grow(ctx, &session->offsets, &session->offsets_capacity, n + 1,
                        sizeof *session->offsets);
        if (rc < 0)
            break;
        struct fine__batch batch = fine__batches_slice(examples, first, n, session->offsets);
        struct fine__run run = { .batch = &batch };

        batch.labels = batch.starts = batch.ends = NULL;
        rc = fine__runner_run(session->runner, &run);
        if (rc == 0)
            rc = fine__gather_rows(&gathered, examples, first, n, run.logits, run.n_logits,
                                   take_places, &p);
    }
    fine__free(ctx, gathered.logits);
    return rc;
}

/* Texts become rows of a set, and those examples as in training. */
static int
run_places(fine_session *session, struct pass *pass)
{
    fine_context *ctx = session->model->ctx;
    struct fine_dataset_options options;
    struct fine__examples examples;
    fine_dataset *set = NULL;
    int rc;

    fine__dataset_defaults(&options);
    options.task = fine__task_name(session->model->task);
    options.require_label = 0;
    pass->results.n = pass->n;
    pass->results.spans.ctx = ctx;
    pass->results.truncated = fine__alloc_array(ctx, (size_t)pass->n, sizeof(int64_t));
    pass->results.span_of = fine__alloc_array(ctx, (size_t)pass->n + 1, sizeof(int64_t));
    if (pass->results.truncated == NULL || pass->results.span_of == NULL)
        return FINE_ENOMEM;
    if (pass->n == 0)
        return 0;
    FINE__TRY(fine__dataset_new(&set, ctx, &options));
    rc = 0;
    for (int64_t i = 0; i < pass->n && rc == 0; i++)
        rc = pass->texts[i] == NULL
                 ? fine__fail(FINE_EINVAL, "text %lld is NULL", (long long)i)
                 : fine__dataset_add(set, pass->texts[i],
                                     pass->pairs != NULL ? pass->pairs[i] : NULL, NULL, NULL);
    if (rc == 0)
        rc = fine__examples_encode(&examples, session->model, set, "texts");
    fine__dataset_unref(set);
    if (rc < 0)
        return rc;
    rc = find_places(session, &examples, &pass->results);
    fine__examples_free(&examples);
    return rc;
}

/* ---- pictures ---- */

/* Probabilities of n pictures from row `first` on. */
static int
run_pictures(fine_session *session, struct pass *pass, const struct fine__pictures *pictures,
             const float *pixels, int64_t first, int64_t n)
{
    const struct fine__batch batch = { .n_seqs = n, .pixels = pixels, .height = pictures->height,
                                       .width = pictures->width };
    struct fine__run run = { .batch = &batch, .embed = pass->embed, .embed_pool = pass->pool };

    FINE__TRY(fine__runner_run(session->runner, &run));
    return take_results(session, pass, &run, first, n);
}

static int
read_pictures(fine_session *session, struct pass *pass, struct fine__pictures *pictures)
{
    struct fine__picture_reader reader = { .pictures = pictures };
    int64_t n = 0, first = 0;
    int rc = 0;

    while (rc == 0 && (n = fine__pictures_read(&reader, first)) > 0) {
        rc = run_pictures(session, pass, pictures, reader.pixels, first, n);
        first += n;
    }
    fine__picture_reader_free(&reader);
    return rc < 0 ? rc : n < 0 ? (int)n : 0;
}

/* Texts are paths: rows of a set, as in training. */
static int
run_paths(fine_session *session, struct pass *pass)
{
    fine_context *ctx = session->model->ctx;
    struct fine_dataset_options options;
    struct fine__pictures *pictures = NULL;
    fine_dataset *set = NULL;
    int rc;

    fine__dataset_defaults(&options);
    options.task = "classify-image";
    options.require_label = 0;
    pass->results.n = pass->n;
    pass->results.truncated = fine__alloc_array(ctx, (size_t)pass->n, sizeof(int64_t));
    if (pass->results.truncated == NULL)
        return FINE_ENOMEM;
    if (pass->n == 0)
        return 0;
    rc = fine__dataset_new(&set, ctx, &options);
    for (int64_t i = 0; i < pass->n && rc == 0; i++)
        rc = pass->texts[i] == NULL ? fine__fail(FINE_EINVAL, "path %lld is NULL", (long long)i)
                                    : fine__dataset_add(set, pass->texts[i], NULL, NULL, NULL);
    if (rc == 0)
        rc = fine__pictures_new(&pictures, set, &session->model->preparing);
    if (rc == 0)
        rc = read_pictures(session, pass, pictures);
    fine__pictures_free(pictures);
    fine__dataset_unref(set);
    return rc;
}

/* One thread at a time; the results change hands only when all went well. */
int
fine__session_enter(fine_session *session, const char *function)
{
    if (atomic_exchange(&session->busy, true))
        return fine__fail(FINE_EBUSY, "%s: another thread uses this session; make one a thread",
                          function);
    return 0;
}

void
fine__session_leave(fine_session *session)
{
    atomic_store(&session->busy, false);
}

void
fine__session_parts(fine_session *session, struct fine__session_parts *out)
{
    *out = (struct fine__session_parts){ .model = session->model, .runner = session->runner,
                                         .tokens = &session->tokens };
}

const struct fine__fills *
fine__session_fills(const fine_session *session)
{
    return &session->predicted.fills;
}

struct fine__generated **
fine__session_generated(fine_session *session)
{
    return &session->generated;
}

static int
run_fills(fine_session *session, struct pass *pass)
{
    struct fine__session_parts parts;

    if (pass->pairs != NULL)
        return fine__fail(FINE_EINVAL, "fine_session_predict: fill-mask reads one text, but pairs "
                          "are given");
    pass->results.truncated = fine__alloc_array(session->model->ctx, (size_t)pass->n,
                                                sizeof *pass->results.truncated);
    if (pass->results.truncated == NULL)
        return FINE_ENOMEM;
    pass->results.n = pass->n;
    fine__session_parts(session, &parts);
    return fine__fill_texts(&parts, pass->texts, pass->n, &pass->results.fills);
}

static int
finish(fine_session *session, struct pass *pass, struct results *to, int rc)
{
    if (rc == 0) {
        free_results(session->model->ctx, to);
        *to = pass->results;
    } else {
        free_results(session->model->ctx, &pass->results);
    }
    atomic_store(&session->busy, false);
    return rc;
}

static int
need_tokenizer(const fine_session *session, const char *function)
{
    if (session->model->tokenizer == NULL)
        return fine__fail(FINE_ESTATE, "%s: the model folder has no tokenizer (tokenizer.json, "
                          "vocab.txt, or vocab.json and merges.txt)", function);
    return 0;
}

int
fine_session_predict(fine_session *session, const char *const *texts, const char *const *pairs,
                     int64_t n)
{
    struct pass pass = { .texts = texts, .pairs = pairs, .n = n };

    if (session == NULL || (texts == NULL && n != 0) || n < 0)
        return fine__fail(FINE_EINVAL, "fine_session_predict: session or texts is NULL, or n is "
                          "negative");
    const fine_model *model = session->model;
    const enum fine__task task = model->task;
    int (*run)(fine_session *, struct pass *) = run_pass;

    if (model->n_channels == 0)
        FINE__TRY(need_tokenizer(session, "fine_session_predict"));
    if (task == FINE__TASK_NONE)
        return fine__fail(FINE_ESTATE, "fine_session_predict: the model has no task; fine-tune "
                          "it first");
    if (model->n_channels > 0)
        run = run_paths;
    else if (fine__taskwork(task)->decode != NULL)
        run = run_places;
    else if (task == FINE__FILL_MASK)
        run = run_fills;
    else if (task == FINE__LANGUAGE_MODEL)
        return fine__fail(FINE_EUNSUPPORTED, "fine_session_predict: a language model goes on with "
                          "a text: use fine_session_generate(), or finetune generate");
    else if (task != FINE__CLASSIFY && task != FINE__MULTILABEL && task != FINE__REGRESS)
        return fine__fail(FINE_EUNSUPPORTED, "fine_session_predict: the task %s has no prediction "
                          "for a text; see fine_model_forward()", fine__task_name(task));
    FINE__TRY(fine__session_enter(session, "fine_session_predict"));
    pass.max_length = model->max_length;
    return finish(session, &pass, &session->predicted, run(session, &pass));
}

int64_t
fine_session_label(const fine_session *session, int64_t i)
{
    const float *scores = fine_session_scores(session, i);
    int64_t best = 0;

    if (scores == NULL || (session->model->task != FINE__CLASSIFY &&
                           session->model->task != FINE__MULTILABEL &&
                           session->model->task != FINE__CLASSIFY_IMAGE))
        return -1;
    for (int64_t j = 1; j < session->predicted.width; j++)
        if (scores[j] > scores[best])
            best = j;
    return best;
}

const float *
fine_session_scores(const fine_session *session, int64_t i)
{
    if (session == NULL || i < 0 || i >= session->predicted.n || session->predicted.numbers == NULL)
        return NULL;
    return session->predicted.numbers + i * session->predicted.width;
}

double
fine_session_value(const fine_session *session, int64_t i)
{
    const float *scores = fine_session_scores(session, i);

    return scores != NULL && session->model->task == FINE__REGRESS ? (double)scores[0] : NAN;
}

int64_t
fine_session_n_spans(const fine_session *session, int64_t i)
{
    if (session == NULL || i < 0 || i >= session->predicted.n || session->predicted.span_of == NULL)
        return 0;
    return session->predicted.span_of[i + 1] - session->predicted.span_of[i];
}

int
fine_session_span(const fine_session *session, int64_t i, int64_t j, struct fine_span_info *out)
{
    if (out == NULL || out->struct_size < sizeof *out)
        return fine__fail(FINE_EINVAL, "fine_session_span: out is NULL, or struct_size isn't set");
    if (j < 0 || j >= fine_session_n_spans(session, i))
        return fine__fail(FINE_EINVAL, "fine_session_span: text %lld has no place %lld",
                          (long long)i, (long long)j);
    const struct fine__span *span =
        &session->predicted.spans.list[session->predicted.span_of[i] + j];

    out->start = span->start;
    out->end = span->end;
    out->label = span->label;
    out->score = span->score;
    out->name = span->label >= 0 ? fine__tags_type(session->model->labels[span->label]) : NULL;
    return 0;
}

int64_t
fine_session_truncated(const fine_session *session, int64_t i)
{
    return session != NULL && i >= 0 && i < session->predicted.n
               ? session->predicted.truncated[i] : 0;
}

/* ---- vectors ---- */

void
fine_embed_options_init(struct fine_embed_options *options, size_t size)
{
    options_out(options, size, &embed_defaults, sizeof embed_defaults);
}

int
fine_session_embed(fine_session *session, const char *const *texts, int64_t n,
                   const struct fine_embed_options *options)
{
    struct fine_embed_options o = embed_defaults;
    struct pass pass = { .texts = texts, .n = n, .embed = true, .pool = FINE__POOL_MEAN };

    if (session == NULL || (texts == NULL && n != 0) || n < 0)
        return fine__fail(FINE_EINVAL, "fine_session_embed: session or texts is NULL, or n is "
                          "negative");
    if (options != NULL) {
        const int rc = options_in(&o, sizeof o, options, embed_v1);

        if (rc < 0)
            return fine__fail(rc, "fine_embed_options: struct_size is wrong or fields of a newer "
                              "library are in use");
    }
    if (o.pool != NULL && (!fine__pool_find(o.pool, &pass.pool) || pass.pool == FINE__POOL_POOLER))
        return fine__fail(FINE_EINVAL, "fine_embed_options: pool '%s' is not known; use mean or "
                          "cls", o.pool);
    pass.normalize = o.normalize != 0;
    pass.max_length = o.max_length != 0 ? o.max_length : session->model->embed_max_length;
    if (pass.max_length < 3 || pass.max_length > session->model->max_positions)
        return fine__fail(FINE_EINVAL, "fine_embed_options: max_length %lld is not within 3 and "
                          "the model's %lld", (long long)pass.max_length,
                          (long long)session->model->max_positions);
    FINE__TRY(need_tokenizer(session, "fine_session_embed"));
    FINE__TRY(fine__session_enter(session, "fine_session_embed"));
    return finish(session, &pass, &session->embedded, run_pass(session, &pass));
}

const float *
fine_session_embedding(const fine_session *session, int64_t i, int64_t *count_out)
{
    if (session == NULL || i < 0 || i >= session->embedded.n)
        return NULL;
    if (count_out != NULL)
        *count_out = session->embedded.width;
    return session->embedded.numbers + i * session->embedded.width;
}

/* ---- scoring ---- */

static int
score(fine_session *session, const struct fine__examples *examples, fine_report **out)
{
    fine_context *ctx = session->model->ctx;
    struct fine__metrics *metrics = NULL;
    struct fine__buf json;
    int64_t *scratch = fine__alloc_array(ctx, FINE__EVALUATE_IDS + 1, sizeof *scratch);
    int rc = scratch != NULL ? fine__metrics_for(&metrics, session->model) : FINE_ENOMEM;

    fine__buf_init(&json, ctx);
    if (rc == 0)
        rc = fine__evaluate(session->runner, session->model, examples, metrics, scratch);
    if (rc == 0) {
        fine__metrics_write(metrics, &json, true);
        rc = fine__report_new(out, ctx, &json);
    }
    fine__buf_free(&json);
    fine__metrics_free(metrics);
    fine__free(ctx, scratch);
    return rc;
}

int
fine_session_evaluate(fine_session *session, const fine_dataset *dataset, fine_report **out)
{
    struct fine__examples examples;
    fine_dataset *held;

    if (session == NULL || dataset == NULL || out == NULL)
        return fine__fail(FINE_EINVAL, "fine_session_evaluate: session, dataset or out is NULL");
    FINE__TRY(fine__session_enter(session, "fine_session_evaluate"));
    /* Encoding holds the rows for as long as it needs them, and marks them as in use. */
    memcpy(&held, &dataset, sizeof held);
    int rc = fine__examples_encode(&examples, session->model, held, "data");

    if (rc == 0) {
        rc = score(session, &examples, out);
        fine__examples_free(&examples);
    }
    atomic_store(&session->busy, false);
    return rc;
}
