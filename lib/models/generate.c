/*
 * generate.c — a decoder and its own words.
 *
 * A prompt goes through the model once, alone and whole; from then on all texts that still go
 * on give one new id each to a batch. Their keys and values are kept, so a step costs the
 * reading of the weights. Who is drawn is a function of the seed, the text's number and the
 * place in it.
 */
#include "models/generate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "models/family.h"

struct state {
    fine_model *model;
    struct fine__runner *runner;
    const struct fine__generating *how;
    struct fine__past past[FINE__TOGETHER];
    struct fine__choice *scratch;
};

static int
make_past(struct state *s, int64_t i, const struct fine__continued *text)
{
    const fine_model *model = s->model;
    struct fine__past *past = &s->past[i];
    int64_t most = text->n_prompt + s->how->max_tokens;

    if (text->n_prompt < 1 || text->n_prompt > model->max_positions)
        return fine__fail(FINE_EDATA, "prompt %lld has %lld ids, but the model takes from 1 to "
                          "%lld; shorten it", (long long)text->number, (long long)text->n_prompt,
                          (long long)model->max_positions);
    if (s->how->max_tokens > model->max_positions || most > model->max_positions)
        most = model->max_positions;
    past->length = 0;
    past->capacity = most;
    past->data = fine__alloc_array(model->ctx,
                                   (size_t)fine__past_size(model->n_layers, most, model->width),
                                   sizeof *past->data);
    return past->data != NULL ? 0 : FINE_ENOMEM;
}

static int
take(struct state *s, struct fine__continued *text, const struct fine__past *past,
     const fine__real *logits, int64_t n_logits)
{
    const struct fine__generating *how = s->how;
    const uint64_t key = fine__rng_key(how->seed, FINE__RNG_SAMPLE, text->number, 0);
    const int64_t id = fine__sample(&how->sampling, logits, n_logits,
                                    fine__rng_uniform(key, (uint64_t)text->count), s->scratch);
    int rc = 0;

    if (id < 0)
        return fine__fail(FINE_ENUMERIC, "what follows prompt %lld is not finite; are the weights "
                          "damaged?", (long long)text->number);
    if (id == s->model->end_id && !how->ignore_end) {
        text->ending = FINE__ENDED_TEXT;
        return 0;
    }
    FINE__TRY(fine__grow(s->model->ctx, &text->ids, &text->capacity, text->count + 1,
                         sizeof *text->ids));
    text->ids[text->count++] = (int32_t)id;
    if (text->count >= how->max_tokens)
        text->ending = FINE__ENDED_ENOUGH;
    else if (past->length >= s->model->max_positions)
        text->ending = FINE__ENDED_FULL;
    if (how->told != NULL && how->told(text, how->user, &rc))
        text->ending = FINE__ENDED_STOPPED;
    return rc;
}

static int
begin(struct state *s, struct fine__continued *text, struct fine__past *past)
{
    const int64_t offsets[2] = { 0, text->n_prompt }, last[1] = { text->n_prompt - 1 };
    const struct fine__batch batch = { .n_seqs = 1, .n_tokens = text->n_prompt,
                                       .ids = text->prompt, .offsets = offsets, .past = &past };
    struct fine__run run = { .batch = &batch, .rows = last, .n_rows = 1 };

    FINE__TRY(fine__runner_run(s->runner, &run));
    return take(s, text, past, run.logits, run.n_logits);
}

/* One more id of each text that goes on; 0 of them: all have ended. */
static int
go_on(struct state *s, struct fine__continued *texts, int64_t n, int64_t *n_going)
{
    struct fine__past *past[FINE__TOGETHER];
    struct fine__continued *going[FINE__TOGETHER];
    int64_t offsets[FINE__TOGETHER + 1] = { 0 }, count = 0;
    int32_t ids[FINE__TOGETHER];

    for (int64_t i = 0; i < n; i++)
        if (texts[i].ending == FINE__STILL_GOING) {
            going[count] = &texts[i];
            past[count] = &s->past[i];
            ids[count] = texts[i].ids[texts[i].count - 1];
            count++;
            offsets[count] = count;
        }
    *n_going = count;
    if (count == 0)
        return 0;
    const struct fine__batch batch = { .n_seqs = count, .n_tokens = count, .ids = ids,
                                       .offsets = offsets, .past = past };
    struct fine__run run = { .batch = &batch };

    FINE__TRY(fine__runner_run(s->runner, &run));
    for (int64_t i = 0; i < count; i++)
        FINE__TRY(take(s, going[i], past[i], run.logits + i * run.n_logits, run.n_logits));
    return 0;
}

int
fine__generate(fine_model *model, struct fine__runner *runner,
               const struct fine__generating *how, struct fine__continued *texts, int64_t n)
{
    struct state s = { .model = model, .runner = runner, .how = how };
    int64_t n_going = n;
    int rc = 0;

    s.scratch = fine__alloc_array(model->ctx, (size_t)model->vocab_size, sizeof *s.scratch);
    if (s.scratch == NULL)
        rc = FINE_ENOMEM;
    for (int64_t i = 0; i < n && rc == 0; i++)
        rc = make_past(&s, i, &texts[i]);
    for (int64_t i = 0; i < n && rc == 0; i++)
        rc = begin(&s, &texts[i], &s.past[i]);
    while (rc == 0 && n_going > 0)
        rc = go_on(&s, texts, n, &n_going);
    for (int64_t i = 0; i < n; i++)
        fine__free(model->ctx, s.past[i].data);
    fine__free(model->ctx, s.scratch);
    return rc;
}
