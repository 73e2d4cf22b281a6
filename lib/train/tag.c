/*
 * tag.c — a label for each word: entities to the tags of ids, and the tags of ids to entities.
 *
 * Data hold entities as places in texts, a model has tags for labels, and the ids of a text are
 * pieces of its words; a word is what lies between blanks, where the data were written so, or
 * what the tokenizer cuts a text into before it looks for pieces. The first piece of a word
 * speaks for it. Entities are counted as seqeval counts them in its default mode: right is what
 * has the same type and the same words.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/tags.h"
#include "train/scores.h"
#include "train/taskwork.h"

/* ---- what a model's labels say ---- */

struct labels {
    fine_context *ctx;
    int64_t n_types;
    struct meaning {
        char place;                     /* of O, B, I, E, S */
        int32_t type;                   /* -1: outside */
    } *of;                              /* of each label */
    struct type {
        int32_t begin, inside, end, single; /* labels; -1: there is none such */
        const char *name;
    } *types;
    struct fine__map ids;               /* of types */
};

/* A label that is spelled like no tag stands for words of a type that is called so. */
static struct fine__tag
tag_of(const char *label)
{
    struct fine__tag tag;

    if (!fine__tag_parse(&tag, label, strlen(label)))
        tag = (struct fine__tag){ 'I', 'I', label, strlen(label) };
    return tag;
}

static void
free_labels(struct labels *l)
{
    if (l->ctx == NULL)
        return;
    fine__free(l->ctx, l->of);
    fine__free(l->ctx, l->types);
    fine__map_free(&l->ids);
}

static int
add_label(struct labels *l, int64_t label, const char *name)
{
    const struct fine__tag tag = tag_of(name);
    int64_t type;

    l->of[label] = (struct meaning){ tag.place, -1 };
    if (tag.place == 'O')
        return FINE_OK;
    type = fine__map_get(&l->ids, tag.type, tag.length);
    if (type < 0) {
        type = l->n_types;
        FINE__TRY(fine__map_put(&l->ids, tag.type, tag.length, type));
        l->types[type] = (struct type){ -1, -1, -1, -1, tag.type };
        l->n_types++;
    }
    l->of[label].type = (int32_t)type;
    *(tag.place == 'B'   ? &l->types[type].begin
      : tag.place == 'E' ? &l->types[type].end
      : tag.place == 'S' ? &l->types[type].single
                         : &l->types[type].inside) = (int32_t)label;
    return FINE_OK;
}

static int
read_labels(struct labels *l, fine_context *ctx, const fine_model *model)
{
    int rc;

    *l = (struct labels){ .ctx = ctx };
    fine__map_init(&l->ids, ctx);
    l->of = fine__alloc_array(ctx, (size_t)model->n_labels, sizeof *l->of);
    l->types = fine__alloc_array(ctx, (size_t)model->n_labels, sizeof *l->types);
    rc = l->of != NULL && l->types != NULL ? FINE_OK : FINE_ENOMEM;
    for (int64_t i = 0; i < model->n_labels && rc == FINE_OK; i++)
        rc = add_label(l, i, model->labels[i]);
    if (rc < 0)
        free_labels(l);
    return rc;
}

/* The label of an entity's word, as far as the model's scheme tells words apart. */
static int32_t
label_of(const struct type *type, bool is_first, bool is_last)
{
    if (is_first && is_last && type->single >= 0)
        return type->single;
    if (is_first && type->begin >= 0)
        return type->begin;
    if (is_last && !is_first && type->end >= 0)
        return type->end;
    return type->inside >= 0 ? type->inside : type->begin;
}

static int32_t
outside_label(const struct labels *l, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (l->of[i].place == 'O')
            return (int32_t)i;
    return -1;
}

/* ---- words ---- */

static bool
has_text(const struct fine__examples *examples, int64_t id)
{
    return examples->pieces[2 * id] < examples->pieces[2 * id + 1];
}

static bool
begins_word(const struct fine__examples *examples, int64_t id)
{
    return has_text(examples, id) && !examples->goes_on[id];
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int32_t
skip_blanks(const char *text, int32_t from, int32_t end)
{
    while (from < end && is_blank(text[from]))
        from++;
    return from;
}

static int32_t
word_end(const char *text, int32_t from)
{
    while (text[from] != '\0' && !is_blank(text[from]))
        from++;
    return from;
}

static bool
words_are_blank(const struct fine__examples *examples, const fine_model *model)
{
    return model->words == FINE__WORDS_BLANKS ||
           (model->words == FINE__WORDS_OF_DATA && examples->dataset->blank_words);
}

/* Blanks in front of a piece don't belong to it, and what is left of it none stands for no
 * text. From here on goes_on tells the words that count. */
static void
find_words(struct fine__examples *examples, int64_t row, bool blanks)
{
    const char *text = fine__dataset_text(examples->dataset, row);
    int32_t end = -1;                   /* of the word between blanks; -1: none */
    bool open = false;                  /* the tokenizer's word has a piece */

    for (int64_t id = examples->offsets[row]; id < examples->offsets[row + 1]; id++) {
        int32_t *piece = examples->pieces + 2 * id;
        const bool goes_on = examples->goes_on[id];

        piece[0] = skip_blanks(text, piece[0], piece[1]);
        if (piece[0] >= piece[1]) {
            piece[0] = piece[1] = 0;
            open = open && goes_on;
            continue;
        }
        examples->goes_on[id] = blanks ? piece[0] < end : goes_on && open;
        open = true;
        if (blanks && !examples->goes_on[id])
            end = word_end(text, piece[0]);
    }
}

/* The bytes of the word that begins with this id, of ids below `to`. */
static void
word_at(const struct fine__examples *examples, const char *text, bool blanks, int64_t id,
        int64_t to, int32_t *start, int32_t *end)
{
    *start = examples->pieces[2 * id];
    *end = examples->pieces[2 * id + 1];
    for (id++; id < to && (examples->goes_on[id] || !has_text(examples, id)); id++)
        if (has_text(examples, id) && examples->pieces[2 * id + 1] > *end)
            *end = examples->pieces[2 * id + 1];
    if (!blanks)
        return;
    /* What the tokenizer dropped is part of the word all the same. */
    while (*start > 0 && !is_blank(text[*start - 1]))
        --*start;
    *end = word_end(text, *end);
}

static int64_t
next_word(const struct fine__examples *examples, int64_t id, int64_t to)
{
    while (id < to && !begins_word(examples, id))
        id++;
    return id;
}

/* ---- entities to tags ---- */

struct encoding {
    struct fine__examples *examples;
    const fine_model *model;
    const char *what;
    struct labels labels;
    int64_t *type_of;                   /* of each of the dataset's labels; -1: the model has none */
    int32_t outside;
    bool blanks;
    int64_t n_entities, n_cut;
};

/* A text for what is wrong with the row, or NULL; *at: the mark's number. */
static const char *
tag_row(struct encoding *e, int64_t row, int64_t *at)
{
    struct fine__examples *examples = e->examples;
    const fine_dataset *d = examples->dataset;
    const struct fine__row *r = &d->rows[row];
    const struct fine__mark *mark = d->marks + r->first_mark, *const last = mark + r->n_marks;
    const int64_t to = examples->offsets[row + 1];
    const char *text = fine__dataset_text(d, row);
    int32_t covered = 0;                /* the text that ids stand for ends here */
    bool is_first = true;

    for (int64_t id = next_word(examples, examples->offsets[row], to), next; id < to; id = next) {
        int32_t start, end, label = e->outside, rest = e->outside;

        next = next_word(examples, id + 1, to);
        word_at(examples, text, e->blanks, id, to, &start, &end);
        covered = end;
        for (; mark < last && mark->end <= start; mark++, is_first = true)
            if (is_first) {
                *at = mark - d->marks - r->first_mark + 1;
                return "covers no word";
            }
        if (mark < last && mark->start < end) {
            const int64_t type = e->type_of[mark->label];
            int32_t s = mark->end, unused;

            *at = mark - d->marks - r->first_mark + 1;
            if (type < 0)
                return "has a label that is not the model's";
            if (skip_blanks(text, mark->start, mark->end) > start && is_first)
                return "begins inside a word";
            if (end > mark->end)
                return "ends inside a word";
            if (next < to)
                word_at(examples, text, e->blanks, next, to, &s, &unused);
            label = label_of(&e->labels.types[type], is_first, next >= to || s >= mark->end);
            rest = label_of(&e->labels.types[type], false, false);
            is_first = false;
        }
        for (int64_t k = id; k < next; k++)
            if (has_text(examples, k) && (k == id || e->model->label_all_pieces))
                examples->labels[k] = k == id ? label : rest;
    }
    e->n_entities += r->n_marks;
    for (; mark < last; mark++, is_first = true) {
        if (examples->n_lost[row] > 0) {
            e->n_cut += is_first || mark->end > covered;
        } else if (is_first) {
            *at = mark - d->marks - r->first_mark + 1;
            return "covers no word";
        }
    }
    return NULL;
}

/* Takes an example out: what is behind it moves up. */
static void
keep_example(struct fine__examples *examples, int64_t from, int64_t to)
{
    const int64_t at = examples->own_offsets[to], first = examples->own_offsets[from];
    const size_t n = (size_t)(examples->own_offsets[from + 1] - first);

    memmove(examples->own_ids + at, examples->own_ids + first, n * sizeof *examples->own_ids);
    memmove(examples->labels + at, examples->labels + first, n * sizeof *examples->labels);
    memmove(examples->goes_on + at, examples->goes_on + first, n * sizeof *examples->goes_on);
    memmove(examples->pieces + 2 * at, examples->pieces + 2 * first,
            2 * n * sizeof *examples->pieces);
    examples->n_lost[to] = examples->n_lost[from];
    examples->own_rows[to] = from;
    examples->own_offsets[to + 1] = at + (int64_t)n;
}

static int
tag_rows(struct encoding *e)
{
    struct fine__examples *examples = e->examples;
    fine_dataset *d = examples->dataset;
    const int64_t n_rows = examples->n_rows;
    bool *bad = fine__alloc_array(examples->ctx, (size_t)n_rows, sizeof *bad);
    int64_t n_bad = 0, n_kept = 0;
    char place[40];
    int rc = FINE_OK;

    if (bad == NULL)
        return FINE_ENOMEM;
    fine__error_clear();
    for (int64_t row = 0; row < n_rows; row++) {
        int64_t at = 0;
        const char *why = tag_row(e, row, &at);

        bad[row] = why != NULL;
        n_bad += bad[row];
        if (why != NULL && !d->skip_bad)
            rc = fine__also(FINE_EDATA, "%s '%s', %s: entity %lld %s%s", e->what, d->name,
                            fine__examples_place(examples, row, place), (long long)at, why,
                            e->blanks ? ""
                                      : "; words are the tokenizer's, which cuts at blanks and "
                                        "punctuation");
    }
    if (n_bad > 0 && d->skip_bad) {
        examples->own_rows = fine__alloc_array(examples->ctx, (size_t)n_rows, sizeof(int64_t));
        rc = examples->own_rows == NULL ? FINE_ENOMEM
             : n_bad == n_rows
                 ? fine__fail(FINE_EDATA, "%s '%s': no row is left, all %lld have entities that "
                              "fit no words", e->what, d->name, (long long)n_bad)
                 : FINE_OK;
        for (int64_t row = 0; row < n_rows && rc == FINE_OK; row++)
            if (!bad[row])
                keep_example(examples, row, n_kept++);
        if (rc == FINE_OK) {
            examples->n_rows = n_kept;
            examples->row_of = examples->own_rows;
            fine__log(examples->ctx, FINE_LOG_WARNING, "%s '%s': %lld rows whose entities fit no "
                      "words were skipped, %lld are left", e->what, d->name, (long long)n_bad,
                      (long long)n_kept);
        }
    }
    fine__free(examples->ctx, bad);
    return rc;
}

/* Which of the model's types each of the dataset's labels is of. */
static int
map_types(struct encoding *e)
{
    const fine_dataset *d = e->examples->dataset;

    e->type_of = fine__alloc_array(e->examples->ctx, (size_t)d->n_labels, sizeof *e->type_of);
    if (e->type_of == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < d->n_labels; i++)
        e->type_of[i] = fine__map_get_cstr(&e->labels.ids, fine__tags_type(d->labels[i]));
    return FINE_OK;
}

static int
give_labels(struct encoding *e)
{
    struct fine__examples *examples = e->examples;
    const int64_t n_ids = examples->offsets[examples->n_rows];

    if (!examples->dataset->has_labels)
        return fine__fail(FINE_EDATA, "%s '%s': there are no labels", e->what,
                          examples->dataset->name);
    e->outside = outside_label(&e->labels, e->model->n_labels);
    if (e->outside < 0)
        return fine__fail(FINE_EDATA, "%s '%s': the model has no label O, for words outside of "
                          "entities; give the task labels such as those of the dataset", e->what,
                          examples->dataset->name);
    examples->labels_per_id = true;
    examples->labels = fine__alloc_array(examples->ctx, (size_t)n_ids, sizeof *examples->labels);
    if (examples->labels == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < n_ids; i++)
        examples->labels[i] = -1;
    FINE__TRY(map_types(e));
    FINE__TRY(tag_rows(e));
    if (e->n_cut > 0)
        fine__log(examples->ctx, FINE_LOG_WARNING, "%s '%s': %lld of %lld entities lie where a "
                  "text was cut to %lld ids, and don't count", e->what, examples->dataset->name,
                  (long long)e->n_cut, (long long)e->n_entities, (long long)e->model->max_length);
    return FINE_OK;
}

static int
encode(struct fine__examples *examples, fine_model *model, const char *what)
{
    struct encoding e = { .examples = examples, .model = model, .what = what };
    const fine_dataset *d = examples->dataset;
    int rc;

    if (d->ids != NULL)
        return fine__fail(FINE_EDATA, "%s '%s': rows that are ids already have no words; bring "
                          "batches to fine_model_backward()", what, d->name);
    if (d->has_pairs)
        return fine__fail(FINE_EDATA, "%s '%s': tag reads single texts, not pairs", what, d->name);
    e.blanks = words_are_blank(examples, model);
    /* What a trainer learns, it is to be asked for. */
    if (model->words == FINE__WORDS_OF_DATA && atomic_load(&model->training))
        model->words = e.blanks ? FINE__WORDS_BLANKS : FINE__WORDS_TOKENIZER;
    FINE__TRY(fine__examples_tokenize(examples, model, true));
    for (int64_t row = 0; row < examples->n_rows; row++)
        find_words(examples, row, e.blanks);
    if (!d->require_label && !d->has_labels)
        return FINE_OK;
    FINE__TRY(read_labels(&e.labels, examples->ctx, model));
    rc = give_labels(&e);
    fine__free(examples->ctx, e.type_of);
    free_labels(&e.labels);
    return rc;
}

/* ---- tags to entities ---- */

/* Where an entity is open while tags go by. */
struct chunk {
    char place;                         /* of the tag before */
    int32_t type;
    int64_t from;                       /* the word that it began with */
};

static const struct chunk no_chunk = { 'O', -1, 0 };

/* Goes on by a tag; true: an entity of *type that began at *from ended before it. */
static bool
goes_by(struct chunk *chunk, struct meaning tag, int64_t word, int32_t *type, int64_t *from)
{
    const bool same = chunk->type == tag.type;
    const bool ended = fine__tag_ends(chunk->place, tag.place, same);

    *type = chunk->type;
    *from = chunk->from;
    if (fine__tag_begins(chunk->place, tag.place, same))
        chunk->from = word;
    chunk->place = tag.place;
    chunk->type = tag.type;
    return ended;
}

struct state {
    struct labels labels;
    struct fine__label_counts *counts;  /* of entities, a type */
    int64_t n_words, n_right;
};

static int
open_state(void *state, fine_context *ctx, const fine_model *model)
{
    struct state *s = state;

    FINE__TRY(read_labels(&s->labels, ctx, model));
    s->counts = fine__alloc_array(ctx, (size_t)s->labels.n_types, sizeof *s->counts);
    if (s->counts == NULL) {
        free_labels(&s->labels);
        return FINE_ENOMEM;
    }
    return FINE_OK;
}

static void
close_state(void *state)
{
    struct state *s = state;

    fine__free(s->labels.ctx, s->counts);
    free_labels(&s->labels);
}

static void
reset_state(void *state)
{
    struct state *s = state;

    s->n_words = s->n_right = 0;
    memset(s->counts, 0, (size_t)s->labels.n_types * sizeof *s->counts);
}

static int64_t
highest(const fine__real *logits, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* log of the sum of e^logit, over the highest. */
static double
log_sum(const fine__real *logits, int64_t n, int64_t best)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    return log(sum);
}

static int
sum_losses(const struct fine__examples *examples, int64_t from, const fine__real *logits,
           int64_t n_logits, double *loss, double *n_targets)
{
    const int64_t first = examples->offsets[from];
    double sum = 0;
    int64_t n = 0;

    for (int64_t id = first; id < examples->offsets[from + 1]; id++) {
        const fine__real *at = logits + (id - first) * n_logits;
        const int32_t label = examples->labels[id];

        for (int64_t i = 0; i < n_logits; i++)
            if (!isfinite(at[i]))
                return fine__fail(FINE_ENUMERIC, "evaluation: a logit of row %lld is not a finite "
                                  "number", (long long)fine__examples_row(examples, from) + 1);
        if (label < 0)
            continue;
        const int64_t best = highest(at, n_logits);

        sum += log_sum(at, n_logits, best) + ((double)at[best] - (double)at[label]);
        n++;
    }
    *loss = sum;
    *n_targets = (double)n;
    return FINE_OK;
}

static int
add(void *state, const fine_model *model, const struct fine__examples *examples, int64_t from,
    int64_t to, const fine__real *logits, int64_t n_logits, double *loss, double *n_targets)
{
    struct state *s = state;
    const int64_t first = examples->offsets[from], end = examples->offsets[from + 1];
    const struct meaning outside = { 'O', -1 };
    struct chunk truth = no_chunk, guess = no_chunk;
    int64_t word = 0;

    (void)model;
    (void)to;
    FINE__TRY(sum_losses(examples, from, logits, n_logits, loss, n_targets));
    for (int64_t id = next_word(examples, first, end);; word++) {
        struct meaning is = outside, guessed = outside;
        int32_t type, guessed_type;
        int64_t begun, guess_begun;

        if (id < end) {
            const int64_t best = highest(logits + (id - first) * n_logits, n_logits);

            is = s->labels.of[examples->labels[id]];
            guessed = s->labels.of[best];
            s->n_words++;
            s->n_right += best == examples->labels[id];
        }
        const bool ends = goes_by(&truth, is, word, &type, &begun);
        const bool guess_ends = goes_by(&guess, guessed, word, &guessed_type, &guess_begun);

        if (ends)
            s->counts[type].truth++;
        if (guess_ends)
            s->counts[guessed_type].predicted++;
        if (ends && guess_ends && type == guessed_type && begun == guess_begun)
            s->counts[type].both++;
        if (id >= end)
            break;
        id = next_word(examples, id + 1, end);
    }
    return FINE_OK;
}

static double
quotient(int64_t part, int64_t whole, bool *defined)
{
    *defined = whole > 0;
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void
numbers(void *state, double mean_loss, struct fine__scores *out)
{
    const struct state *s = state;
    struct fine__label_counts all = { 0 };

    (void)mean_loss;
    for (int64_t i = 0; i < s->labels.n_types; i++) {
        all.truth += s->counts[i].truth;
        all.predicted += s->counts[i].predicted;
        all.both += s->counts[i].both;
    }
    out->value[0] = fine__score_f1(&all);
    out->defined[0] = all.truth + all.predicted > 0;
    out->value[1] = quotient(all.both, all.predicted, &out->defined[1]);
    out->value[2] = quotient(all.both, all.truth, &out->defined[2]);
    out->value[3] = quotient(s->n_right, s->n_words, &out->defined[3]);
}

static void
write(void *state, const fine_model *model, struct fine__buf *out)
{
    const struct state *s = state;
    bool defined;

    (void)model;
    fine__buf_text(out, ",\"per_class_f1\":{");
    for (int64_t i = 0; i < s->labels.n_types; i++) {
        fine__buf_text(out, i > 0 ? "," : "");
        fine__buf_json_string(out, s->labels.types[i].name, strlen(s->labels.types[i].name));
        fine__buf_byte(out, ':');
        fine__buf_number(out, fine__score_f1(&s->counts[i]));
    }
    fine__buf_text(out, "},\"entities\":{");
    for (int64_t i = 0; i < s->labels.n_types; i++) {
        const struct fine__label_counts *c = &s->counts[i];

        fine__buf_text(out, i > 0 ? "," : "");
        fine__buf_json_string(out, s->labels.types[i].name, strlen(s->labels.types[i].name));
        fine__buf_text(out, ":{\"precision\":");
        fine__buf_number(out, quotient(c->both, c->predicted, &defined));
        fine__buf_text(out, ",\"recall\":");
        fine__buf_number(out, quotient(c->both, c->truth, &defined));
        fine__buf_printf(out, ",\"n\":%lld,\"predicted\":%lld,\"right\":%lld}",
                         (long long)c->truth, (long long)c->predicted, (long long)c->both);
    }
    fine__buf_byte(out, '}');
}

/* ---- predicting ---- */

/* The label that stands for a type where an entity is told: its B-, where it has one. */
static int64_t
told_label(const fine_model *model, int64_t label)
{
    const struct fine__tag tag = tag_of(model->labels[label]);

    if (tag.place == 'B' || tag.place == 'S')
        return label;
    for (int64_t i = 0; i < model->n_labels; i++) {
        const struct fine__tag other = tag_of(model->labels[i]);

        if (other.place == 'B' && other.length == tag.length &&
            memcmp(other.type, tag.type, tag.length) == 0)
            return i;
    }
    return label;
}

static int
append(struct fine__spans *out, const struct fine__span *span, int64_t n_words)
{
    FINE__TRY(fine__grow(out->ctx, &out->list, &out->capacity, out->count + 1, sizeof *span));
    out->list[out->count] = *span;
    out->list[out->count++].score /= (double)n_words;
    return FINE_OK;
}

static int
decode(const fine_model *model, const struct fine__examples *examples, int64_t from, int64_t to,
       const fine__real *logits, struct fine__spans *out)
{
    const char *text = fine__dataset_text(examples->dataset, fine__examples_row(examples, from));
    const int64_t first = examples->offsets[from], last = examples->offsets[from + 1];
    const int64_t n = model->n_labels;
    const bool blanks = words_are_blank(examples, model);
    struct fine__tag before = { 'O', 'O', "", 0 };
    struct fine__span open = { 0 };
    int64_t n_words = 0;

    (void)to;
    for (int64_t id = next_word(examples, first, last); id < last;
         id = next_word(examples, id + 1, last)) {
        const fine__real *at = logits + (id - first) * n;
        const int64_t best = highest(at, n);
        const struct fine__tag tag = tag_of(model->labels[best]);
        const bool same =
            tag.length == before.length && memcmp(tag.type, before.type, tag.length) == 0;
        int32_t start, end;

        word_at(examples, text, blanks, id, last, &start, &end);
        if (fine__tag_ends(before.place, tag.place, same))
            FINE__TRY(append(out, &open, n_words));
        if (fine__tag_begins(before.place, tag.place, same)) {
            open = (struct fine__span){ .start = start, .label = told_label(model, best) };
            n_words = 0;
        }
        open.end = end;
        open.score += exp(-log_sum(at, n, best));
        n_words++;
        before = tag;
    }
    if (before.place != 'O')
        FINE__TRY(append(out, &open, n_words));
    return FINE_OK;
}

static const char *const names[] = { "loss", "entity_f1", "precision", "recall", "accuracy",
                                     NULL };

static const struct fine__measure measure = {
    .names = names,
    .state_size = sizeof(struct state),
    .open = open_state,
    .close = close_state,
    .reset = reset_state,
    .add = add,
    .numbers = numbers,
    .write = write,
};

const struct fine__taskwork fine__work_tag = { .encode = encode,
                                               .measure = &measure,
                                               .decode = decode };
