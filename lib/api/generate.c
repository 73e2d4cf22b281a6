/*
 * generate.c — going on with texts: prompts in, their continuations out.
 *
 * A token may end within a character, so what a callback is shown waits until its last
 * character is whole.
 */
#include <math.h>
#include <string.h>

#include "api/options.h"
#include "api/session.h"
#include "base/alloc.h"
#include "models/generate.h"

struct fine__generated {
    int64_t n;
    struct fine__continued *texts;
    char **decoded;
};

/* One call: what the callback of a token needs. */
struct call {
    const struct fine__session_parts *parts;
    const struct fine_generate_options *options;
    struct fine__buf text;
    size_t told[FINE__TOGETHER];    /* bytes of each text of the group that were shown */
    int64_t first;                  /* the group's first number */
};

static const struct fine_generate_options defaults = { .struct_size = sizeof defaults,
                                                       .max_tokens = 64, .top_p = 1 };
static const size_t v1 = offsetof(struct fine_generate_options, on_token_user) + sizeof(void *);

void
fine_generate_options_init(struct fine_generate_options *options, size_t size)
{
    options_out(options, size, &defaults, sizeof defaults);
}

void
fine__generated_free(fine_context *ctx, struct fine__generated *generated)
{
    if (generated == NULL)
        return;
    for (int64_t i = 0; i < generated->n; i++) {
        fine__free(ctx, generated->texts != NULL ? generated->texts[i].ids : NULL);
        fine__free(ctx, generated->decoded != NULL ? generated->decoded[i] : NULL);
    }
    fine__free(ctx, generated->texts);
    fine__free(ctx, generated->decoded);
    fine__free(ctx, generated);
}

/* Bytes without a last character that may still be coming: U+FFFD stands for it. */
static size_t
whole_length(const struct fine__buf *text)
{
    size_t length = text->length;

    while (length >= 3 && memcmp(text->data + length - 3, "\xef\xbf\xbd", 3) == 0)
        length -= 3;
    return length;
}

static bool
tell(struct fine__continued *text, void *user, int *rc)
{
    struct call *call = user;
    size_t *told = &call->told[text->number - call->first];

    *rc = fine__tokenizer_decode(call->parts->model->tokenizer, text->ids, text->count, false,
                                 &call->text);
    if (*rc < 0)
        return false;
    const size_t length = text->ending == FINE__STILL_GOING ? whole_length(&call->text)
                                                            : call->text.length;

    if (call->text.data != NULL)
        call->text.data[length] = '\0';
    const char *news = length > *told ? call->text.data + *told : "";

    *told = length > *told ? length : *told;
    return call->options->on_token(text->number - call->options->first, text->ids[text->count - 1], news,
                                   call->options->on_token_user) != 0;
}

/* A prompt's ids; where it is empty, the id that ends a text, which a new one comes after. */
static int
encode(const struct fine__session_parts *parts, const char *prompt, int64_t number, int32_t **out,
       int64_t *n_out)
{
    const fine_model *model = parts->model;
    const int32_t end = (int32_t)model->end_id;
    const int32_t *ids;

    if (prompt == NULL)
        return fine__fail(FINE_EINVAL, "prompt %lld is NULL", (long long)number);
    FINE__TRY(fine__tokenizer_encode(model->tokenizer, parts->tokens, prompt, strlen(prompt), NULL,
                                     0, 0, FINE_OFFSETS_BYTES, false));
    ids = parts->tokens->ids;
    *n_out = parts->tokens->count;
    if (*n_out == 0 && model->end_id < 0)
        return fine__fail(FINE_EDATA, "prompt %lld is empty, and the model has no id that a text "
                          "could begin with; give at least one character", (long long)number);
    if (*n_out == 0) {
        ids = &end;
        *n_out = 1;
    }
    *out = fine__alloc_array(model->ctx, (size_t)*n_out, sizeof **out);
    if (*out == NULL)
        return FINE_ENOMEM;
    memcpy(*out, ids, (size_t)*n_out * sizeof **out);
    return 0;
}

static int
run_group(struct call *call, const char *const *prompts, struct fine__continued *texts,
          int64_t first, int64_t n)
{
    const struct fine_generate_options *o = call->options;
    const struct fine__generating how = {
        .sampling = { o->temperature, o->top_k, o->top_p },
        .max_tokens = o->max_tokens,
        .seed = o->seed,
        .ignore_end = o->ignore_end != 0,
        .told = o->on_token != NULL ? tell : NULL,
        .user = call,
    };
    int32_t *ids[FINE__TOGETHER] = { NULL };
    int rc = 0;

    call->first = o->first + first;
    memset(call->told, 0, sizeof call->told);
    for (int64_t i = 0; i < n && rc == 0; i++) {
        rc = encode(call->parts, prompts[first + i], first + i, &ids[i],
                    &texts[first + i].n_prompt);
        texts[first + i].prompt = ids[i];
        texts[first + i].number = o->first + first + i;
    }
    if (rc == 0)
        rc = fine__generate(call->parts->model, call->parts->runner, &how, texts + first, n);
    for (int64_t i = 0; i < n; i++) {
        texts[first + i].prompt = NULL;
        fine__free(call->parts->model->ctx, ids[i]);
    }
    return rc;
}

static int
run(struct call *call, const char *const *prompts, int64_t n, struct fine__generated *out)
{
    fine_context *ctx = call->parts->model->ctx;

    out->texts = fine__alloc_array(ctx, (size_t)n, sizeof *out->texts);
    out->decoded = fine__alloc_array(ctx, (size_t)n, sizeof *out->decoded);
    if (out->texts == NULL || out->decoded == NULL)
        return FINE_ENOMEM;
    out->n = n;
    for (int64_t first = 0; first < n; first += FINE__TOGETHER)
        FINE__TRY(run_group(call, prompts, out->texts, first,
                            n - first < FINE__TOGETHER ? n - first : FINE__TOGETHER));
    for (int64_t i = 0; i < n; i++) {
        FINE__TRY(fine__tokenizer_decode(call->parts->model->tokenizer, out->texts[i].ids,
                                         out->texts[i].count, false, &call->text));
        out->decoded[i] = fine__strdup(ctx, fine__buf_cstr(&call->text));
        if (out->decoded[i] == NULL)
            return FINE_ENOMEM;
    }
    return 0;
}

static int
read_options(struct fine_generate_options *o, const struct fine_generate_options *options)
{
    *o = defaults;
    if (options != NULL) {
        const int rc = options_in(o, sizeof *o, options, v1);

        if (rc < 0)
            return fine__fail(rc, "fine_generate_options: struct_size is wrong or fields of a "
                              "newer library are in use");
    }
    if (o->max_tokens < 1)
        return fine__fail(FINE_EINVAL, "fine_generate_options: max_tokens %lld is below 1",
                          (long long)o->max_tokens);
    if (!(o->temperature >= 0 && o->temperature <= 1e6) || o->top_k < 0 ||
        o->first < 0 || !(o->top_p > 0 && o->top_p <= 1))
        return fine__fail(FINE_EINVAL, "fine_generate_options: temperature is not within 0 and "
                          "1000000, top_k or first below 0, or top_p not above 0 and at most 1");
    return 0;
}

int
fine_session_generate(fine_session *session, const char *const *prompts, int64_t n,
                      const struct fine_generate_options *options)
{
    struct fine_generate_options o;
    struct fine__session_parts parts;

    if (session == NULL || (prompts == NULL && n != 0) || n < 0)
        return fine__fail(FINE_EINVAL, "fine_session_generate: session or prompts is NULL, or n is "
                          "negative");
    FINE__TRY(read_options(&o, options));
    fine__session_parts(session, &parts);
    if (parts.model->task != FINE__LANGUAGE_MODEL)
        return fine__fail(parts.model->task == FINE__TASK_NONE ? FINE_ESTATE : FINE_EUNSUPPORTED,
                          "fine_session_generate: only models with the task language-model go on "
                          "with a text%s", parts.model->task == FINE__TASK_NONE
                                               ? "; this one has no task" : "");
    if (parts.model->tokenizer == NULL)
        return fine__fail(FINE_ESTATE, "fine_session_generate: the model folder has no tokenizer "
                          "(tokenizer.json, or vocab.json and merges.txt)");
    FINE__TRY(fine__session_enter(session, "fine_session_generate"));
    fine_context *ctx = parts.model->ctx;
    struct fine__generated *new = fine__alloc_array(ctx, 1, sizeof *new);
    struct call call = { .parts = &parts, .options = &o };

    fine__buf_init(&call.text, ctx);
    const int rc = new != NULL ? run(&call, prompts, n, new) : FINE_ENOMEM;

    fine__buf_free(&call.text);
    if (rc == 0) {
        struct fine__generated **kept = fine__session_generated(session), *old = *kept;

        *kept = new;
        new = old;
    }
    fine__generated_free(ctx, new);
    fine__session_leave(session);
    return rc;
}

static const struct fine__generated *
generated(const fine_session *session, int64_t i)
{
    fine_session *s;

    if (session == NULL)
        return NULL;
    memcpy(&s, &session, sizeof s);         /* only read here */
    const struct fine__generated *all = *fine__session_generated(s);

    return all != NULL && i >= 0 && i < all->n ? all : NULL;
}

const char *
fine_session_generated(const fine_session *session, int64_t i)
{
    const struct fine__generated *all = generated(session, i);

    return all != NULL ? all->decoded[i] : NULL;
}

const int32_t *
fine_session_generated_ids(const fine_session *session, int64_t i, int64_t *count_out)
{
    const struct fine__generated *all = generated(session, i);

    if (all == NULL)
        return NULL;
    if (count_out != NULL)
        *count_out = all->texts[i].count;
    return all->texts[i].ids;
}

int32_t
fine_session_generated_ending(const fine_session *session, int64_t i)
{
    const struct fine__generated *all = generated(session, i);

    return all != NULL ? (int32_t)all->texts[i].ending : 0;
}
