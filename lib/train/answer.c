/*
 * answer.c — the task `answer`: where in a text a question's answer stands.
 *
 * A row is right by what it says, not by where: its text is compared with every true answer
 * and the best counts, by the rules of SQuAD's scripts. Those of version 2 hold as soon as one
 * question of the data has no answer.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/answer.h"
#include "train/taskwork.h"

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    return fine__answer_windows(examples, model, what);
}

/* ---- measuring ---- */

enum { ANSWERED, UNANSWERED, N_KINDS };

struct tally {
    struct fine__scorer scorer;
    const fine_dataset *dataset;        /* that has_none is of */
    bool has_none;
    int64_t n[N_KINDS], n_none;         /* questions; those that none was said to */
    double exact[N_KINDS], f1[N_KINDS];
};

static int
open_tally(void *state, fine_context *ctx, const fine_model *model)
{
    struct tally *t = state;

    (void)model;
    fine__scorer_init(&t->scorer, ctx);
    return FINE_OK;
}

static void
close_tally(void *state)
{
    struct tally *t = state;

    fine__scorer_free(&t->scorer);
}

static void
reset_tally(void *state)
{
    struct tally *t = state;
    const struct fine__scorer scorer = t->scorer;

    *t = (struct tally){ .scorer = scorer };
}

static bool
has_unanswered(struct tally *t, const fine_dataset *dataset)
{
    if (t->dataset != dataset) {
        t->dataset = dataset;
        t->has_none = false;
        for (int64_t i = 0; i < dataset->n_rows && !t->has_none; i++)
            t->has_none = dataset->rows[i].n_marks == 0;
    }
    return t->has_none;
}

/* -log of a softmax's part, of n numbers that lie two apart. */
static double
cross_entropy(const fine__real *logits, int64_t n, int64_t target)
{
    double largest = (double)logits[0], sum = 0;

    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, (double)logits[2 * i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[2 * i] - largest);
    return log(sum) + (largest - (double)logits[2 * target]);
}

/* The best answers of a row's windows; FINE_ENUMERIC. */
static int
find_best(struct fine__best *best, const fine_model *model, const struct fine__examples *examples,
          int64_t from, int64_t to, const fine__real *logits)
{
    const int64_t base = examples->offsets[from];

    for (int64_t i = 0; i < 2 * (examples->offsets[to] - base); i++)
        if (!isfinite(logits[i]))
            return fine__fail(FINE_ENUMERIC, "evaluation: a logit of row %lld is not a finite "
                              "number", (long long)fine__examples_row(examples, from) + 1);
    fine__best_begin(best);
    for (int64_t i = from; i < to; i++)
        fine__best_add(best, logits + 2 * (examples->offsets[i] - base),
                       examples->pieces + 2 * examples->offsets[i],
                       examples->offsets[i + 1] - examples->offsets[i],
                       model->answering.max_answer);
    return FINE_OK;
}

/* The best of the true answers; those that normalising leaves nothing of count in SQuAD 2
 * where there is no other. */
static int
score(struct tally *t, const fine_dataset *dataset, const struct fine__row *row, bool second,
      struct fine__score *out)
{
    const char *context = dataset->bytes.data + row->pair;
    int64_t n = 0;

    *out = (struct fine__score){ 0, 0 };
    for (int64_t i = 0; i < row->n_marks; i++) {
        const struct fine__mark *mark = &dataset->marks[row->first_mark + i];
        struct fine__score one;
        bool is_empty;

        FINE__TRY(fine__scorer_against(&t->scorer, context + mark->start,
                                       (size_t)(mark->end - mark->start), second, &one,
                                       &is_empty));
        if (second && is_empty)
            continue;
        out->exact = fmax(out->exact, one.exact);
        out->f1 = fmax(out->f1, one.f1);
        n++;
    }
    return n > 0 || !second ? FINE_OK : fine__scorer_against(&t->scorer, "", 0, 1, out, NULL);
}

static int
add(void *state, const fine_model *model, const struct fine__examples *examples, int64_t from,
    int64_t to, const fine__real *logits, int64_t n_logits, double *loss, double *n_targets)
{
    const fine_dataset *dataset = examples->dataset;
    const struct fine__row *row = &dataset->rows[fine__examples_row(examples, from)];
    const int64_t base = examples->offsets[from];
    struct tally *t = state;
    const bool second = has_unanswered(t, dataset);
    struct fine__score one;
    struct fine__best best;
    double sum = 0;

    (void)n_logits;
    if (examples->starts == NULL)
        return fine__fail(FINE_EDATA, "'%s' was read without answers, so none can be scored; set "
                          "require_label", dataset->name);
    FINE__TRY(find_best(&best, model, examples, from, to, logits));
    const bool is_none = fine__best_is_none(&best, second || model->answering.no_answer,
                                            model->answering.null_threshold);
    const char *said = is_none ? "" : dataset->bytes.data + row->pair + best.places[0].start;

    FINE__TRY(fine__scorer_say(&t->scorer, said,
                               is_none ? 0
                                       : (size_t)(best.places[0].end - best.places[0].start)));
    FINE__TRY(score(t, dataset, row, second, &one));
    for (int64_t i = from; i < to; i++) {
        const fine__real *at = logits + 2 * (examples->offsets[i] - base);
        const int64_t n = examples->offsets[i + 1] - examples->offsets[i];

        sum += (cross_entropy(at, n, examples->starts[i]) +
                cross_entropy(at + 1, n, examples->ends[i])) / 2;
    }
    const int kind = row->n_marks > 0 ? ANSWERED : UNANSWERED;

    t->n[kind]++;
    t->n_none += is_none;
    t->exact[kind] += one.exact;
    t->f1[kind] += one.f1;
    *loss = sum;
    *n_targets = (double)(to - from);
    return FINE_OK;
}

static double
share(double sum, int64_t n)
{
    return n > 0 ? sum / (double)n : 0;
}

static void
numbers(void *state, double mean_loss, struct fine__scores *out)
{
    const struct tally *t = state;
    const int64_t n = t->n[ANSWERED] + t->n[UNANSWERED];

    (void)mean_loss;
    out->value[0] = share(t->exact[ANSWERED] + t->exact[UNANSWERED], n);
    out->value[1] = share(t->f1[ANSWERED] + t->f1[UNANSWERED], n);
    out->defined[0] = out->defined[1] = n > 0;
}

static void
write_kind(const struct tally *t, const char *name, int kind, struct fine__buf *out)
{
    fine__buf_printf(out, ",\"%s\":{\"n\":%lld,\"exact_match\":", name, (long long)t->n[kind]);
    fine__buf_number(out, share(t->exact[kind], t->n[kind]));
    fine__buf_text(out, ",\"span_f1\":");
    fine__buf_number(out, share(t->f1[kind], t->n[kind]));
}

/* Where all questions have answers there is nothing to tell apart. */
static void
write(void *state, const fine_model *model, struct fine__buf *out)
{
    const struct tally *t = state;

    (void)model;
    if (t->n[UNANSWERED] == 0 && t->n_none == 0)
        return;
    write_kind(t, "has_answer", ANSWERED, out);
    fine__buf_byte(out, '}');
    write_kind(t, "no_answer", UNANSWERED, out);
    fine__buf_printf(out, ",\"said\":%lld}", (long long)t->n_none);
}

/* ---- predicting ---- */

static int
push(struct fine__spans *out, int64_t start, int64_t end, double score)
{
    FINE__TRY(fine__grow(out->ctx, &out->list, &out->capacity, out->count + 1,
                         sizeof *out->list));
    out->list[out->count++] = (struct fine__span){ start, end, -1, score };
    return FINE_OK;
}

/* The place of none among the others: first where it is the answer, else by its score. */
static int
rank_none(const struct fine__best *best, bool is_none)
{
    int at = is_none ? 0 : 1;

    while (!is_none && at < best->n && best->places[at].score >= best->none)
        at++;
    return at;
}

/* Probabilities are a softmax over all that are listed. */
static int
decode(const fine_model *model, const struct fine__examples *examples, int64_t from, int64_t to,
       const fine__real *logits, struct fine__spans *out)
{
    const struct fine__answering *how = &model->answering;
    struct fine__best best;
    double largest = -HUGE_VAL, sum = 0;

    FINE__TRY(find_best(&best, model, examples, from, to, logits));
    const bool is_none = fine__best_is_none(&best, how->no_answer, how->null_threshold);
    const int none_at = how->no_answer || is_none ? rank_none(&best, is_none) : -1;

    for (int i = 0; i < best.n; i++)
        largest = fmax(largest, best.places[i].score);
    if (none_at >= 0)
        largest = fmax(largest, best.none);
    for (int i = 0; i < best.n; i++)
        sum += exp(best.places[i].score - largest);
    if (none_at >= 0)
        sum += exp(best.none - largest);
    for (int i = 0; i <= best.n; i++) {
        if (i == none_at)
            FINE__TRY(push(out, 0, 0, exp(best.none - largest) / sum));
        if (i < best.n)
            FINE__TRY(push(out, best.places[i].start, best.places[i].end,
                           exp(best.places[i].score - largest) / sum));
    }
    return FINE_OK;
}

static const char *const names[] = { "loss", "exact_match", "span_f1", NULL };

static const struct fine__measure measure = { .names = names, .state_size = sizeof(struct tally),
                                              .open = open_tally, .close = close_tally,
                                              .reset = reset_tally, .add = add,
                                              .numbers = numbers, .write = write };

const struct fine__taskwork fine__work_answer = { .encode = encode, .measure = &measure,
                                                  .decode = decode };
