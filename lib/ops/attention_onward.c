/*
 * attention_onward — causal attention of sequences that go on: keys and values of the tokens
 * before are kept, so a new token costs one row, not a whole sequence again.
 *
 * Prediction only: nothing is recorded. Tokens of a sequence without a past attend as in
 * attention.c, whose bits they have.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "ops/op.h"
#include "tensor/vmath.h"

struct job {
    const struct fine__attending *how;
    struct fine__past *const *past;
    const fine__real *qkv;
    fine__real *out, *scores;       /* scores: `reach` a worker */
    int64_t layer, width, head, reach;
    fine__real scale;
};

int64_t
fine__past_size(int64_t n_layers, int64_t capacity, int64_t width)
{
    return 2 * n_layers * capacity * width;
}

static fine__real *
keys_of(const struct fine__past *past, int64_t layer, int64_t width)
{
    return past->data + 2 * layer * past->capacity * width;
}

static fine__real *
values_of(const struct fine__past *past, int64_t layer, int64_t width)
{
    return keys_of(past, layer, width) + past->capacity * width;
}

/* Keeps the keys and values of the new tokens. */
static void
keep(const struct job *job)
{
    for (int64_t i = 0; i < job->how->n_seqs; i++) {
        const struct fine__past *past = job->past[i];
        const int64_t first = job->how->offsets[i], n = job->how->offsets[i + 1] - first;
        fine__real *keys = keys_of(past, job->layer, job->width) + past->length * job->width;
        fine__real *values = values_of(past, job->layer, job->width) + past->length * job->width;

        for (int64_t j = 0; j < n; j++) {
            const fine__real *from = job->qkv + (first + j) * 3 * job->width;

            memcpy(keys + j * job->width, from + job->width,
                   (size_t)job->width * sizeof *keys);
            memcpy(values + j * job->width, from + 2 * job->width,
                   (size_t)job->width * sizeof *values);
        }
    }
}

/* Scores of one query with n keys, `stride` apart; the largest. */
FINE__CLONES static fine__real
score(const fine__real *query, const fine__real *keys, int64_t head, int64_t stride, int64_t n,
      fine__real scale, fine__real *scores)
{
    fine__real largest = 0;

    for (int64_t j = 0; j < n; j++) {
        const fine__real *key = keys + j * stride;
        fine__vec sum = FINE__VEC_ZERO;
        int64_t d = 0;

        for (; d + FINE__LANES <= head; d += FINE__LANES)
            sum += fine__vec_load(query + d) * fine__vec_load(key + d);
        if (d < head)
            sum += fine__vec_load_part(query + d, head - d) *
                   fine__vec_load_part(key + d, head - d);
        scores[j] = scale * fine__vec_sum(sum);
        largest = j == 0 || scores[j] > largest ? scores[j] : largest;
    }
    return largest;
}

/* out (head) = the mean of n values, weighted with e^(score - largest). */
FINE__CLONES static void
gather(fine__real *FINE__RESTRICT out, const fine__real *values, int64_t head, int64_t stride,
       int64_t n, fine__real largest, fine__real *scores)
{
    fine__vec total = FINE__VEC_ZERO;

    for (int64_t j = 0; j < n; j += FINE__LANES) {
        fine__vec weight =
            fine__vec_exp(fine__vec_load_part(scores + j, n - j) - largest);

        fine__vec_store_part(scores + j, weight, n - j);
        weight = fine__vec_load_part(scores + j, n - j);
        total += weight;
    }
    const fine__real share = 1 / fine__vec_sum(total);

    for (int64_t d = 0; d < head; d++)
        out[d] = 0;
    for (int64_t j = 0; j < n; j++) {
        const fine__real weight = scores[j] * share;

        for (int64_t d = 0; d < head; d++)
            out[d] += weight * values[j * stride + d];
    }
}

static void
tile(void *arg, int64_t index, int worker)
{
    const struct job *job = arg;
    const int64_t seq = index / job->how->n_heads, at = index % job->how->n_heads * job->head;
    const struct fine__past *past = job->past[seq];
    const fine__real *keys = keys_of(past, job->layer, job->width) + at;
    const fine__real *values = values_of(past, job->layer, job->width) + at;
    const int64_t first = job->how->offsets[seq], end = job->how->offsets[seq + 1];
    fine__real *scores = job->scores + worker * job->reach;

    for (int64_t i = first; i < end; i++) {
        const int64_t n = past->length + i - first + 1;
        const fine__real largest = score(job->qkv + i * 3 * job->width + at, keys, job->head,
                                         job->width, n, job->scale, scores);

        gather(job->out + i * job->width + at, values, job->head, job->width, n, largest, scores);
    }
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const struct fine__attending *how = n->index[0];
    const struct fine__arena_mark mark = fine__tape_mark(t);
    struct job job = { .how = how,
                       .past = n->index[1],
                       .qkv = n->in[0]->data,
                       .out = n->out->data,
                       .layer = n->size[0],
                       .width = n->out->shape[1],
                       .head = n->out->shape[1] / how->n_heads };

    job.scale = (fine__real)(how->scale != 0 ? how->scale : 1 / sqrt((double)job.head));
    for (int64_t i = 0; i < how->n_seqs; i++) {
        const int64_t reach = job.past[i]->length + how->offsets[i + 1] - how->offsets[i];

        job.reach = reach > job.reach ? reach : job.reach;
    }
    job.reach = (job.reach + FINE__LANES - 1) / FINE__LANES * FINE__LANES;
    job.scores = fine__tape_take(t, job.reach * fine__n_workers(t->ctx));
    if (job.scores == NULL)
        return;
    fine__parallel_for(t->ctx, how->n_seqs * how->n_heads, tile, &job);
    fine__tape_rewind(t, mark);
}

static const struct fine__op op = { "attention_onward", forward, NULL };

struct fine__tensor *
fine__attention_onward(struct fine__tape *t, struct fine__tensor *qkv,
                       const struct fine__attending *how, struct fine__past *const *past,
                       int64_t layer)
{
    const struct fine__node n = { .op = &op, .in = { qkv }, .n_in = 1, .index = { how, past },
                                  .size = { layer } };
    const int64_t shape[2] = { qkv->shape[0], qkv->shape[1] / 3 };
    const struct job job = { .how = how, .past = past, .qkv = qkv->data, .layer = layer,
                             .width = shape[1] };
    bool fresh = true;

    assert(t->status < 0 || !t->recording);
    if (t->status < 0)
        return &t->inert;
    keep(&job);
    for (int64_t i = 0; i < how->n_seqs; i++)
        fresh = fresh && past[i]->length == 0;
    return fresh ? fine__attention(t, qkv, how) : fine__apply(t, &n, 2, shape);
}
