/*
 * scratch.c — see scratch.h.
 */
#include "base/alloc.h"
#include "text/scratch.h"

struct fine__scratch *
fine__scratch_new(fine_context *ctx)
{
    struct fine__scratch *s = fine__alloc_array(ctx, 1, sizeof *s);

    if (s != NULL)
        s->ctx = ctx;
    return s;
}

void
fine__scratch_free(struct fine__scratch *s)
{
    if (s == NULL)
        return;
    fine__free(s->ctx, s->norm);
    fine__free(s->ctx, s->from);
    fine__free(s->ctx, s->marks);
    fine__free(s->ctx, s->sorted);
    fine__free(s->ctx, s->sources);
    fine__free(s->ctx, s->hits);
    fine__free(s->ctx, s->outer);
    fine__free(s->ctx, s->inner);
    fine__free(s->ctx, s->symbols);
    fine__free(s->ctx, s->queue);
    fine__free(s->ctx, s->units);
    fine__free(s->ctx, s);
}

void
fine__scratch_begin(struct fine__scratch *s, const char *text, size_t length)
{
    s->text = text;
    s->length = length;
    s->first_unit = s->n_units;
    s->n_norm = 0;
    s->n_marks = 0;
}

int
fine__scratch_reserve(struct fine__scratch *s, int64_t more)
{
    FINE__TRY(fine__grow(s->ctx, &s->norm, &s->norm_capacity, s->n_norm + more, 1));
    return fine__grow(s->ctx, &s->from, &s->from_capacity, s->n_norm + more, sizeof *s->from);
}

static int
append(struct fine__scratch *s, int32_t id, size_t start, size_t end)
{
    if (s->n_units == s->units_capacity)
        FINE__TRY(fine__grow(s->ctx, &s->units, &s->units_capacity, s->n_units + 1,
                             sizeof *s->units));
    s->units[s->n_units++] = (struct fine__unit){ id, (uint32_t)start, (uint32_t)end, false };
    return 0;
}

int
fine__scratch_unit(struct fine__scratch *s, int32_t id, size_t start, size_t end)
{
    size_t first, last;

    if (s->plain)
        return append(s, id, s->base + start, s->base + end);
    first = s->from[start];
    last = s->from[end - 1];
    last += fine__utf8_decode(s->text + last, s->length - last, &(int32_t){ 0 }, NULL);
    /* Marks that changed places can point backwards: offsets don't. */
    if (s->n_units > s->first_unit) {
        const struct fine__unit *before = &s->units[s->n_units - 1];

        if (first < before->start)
            first = before->start;
        if (last < before->end)
            last = before->end;
    }
    return append(s, id, first, last);
}

int
fine__scratch_unit_at(struct fine__scratch *s, int32_t id, size_t start, size_t end)
{
    return append(s, id, start, end);
}

static size_t
skip(const struct fine__scratch *s, size_t at, size_t n)
{
    while (n-- > 0)
        at += fine__utf8_decode(s->text + at, s->length - at, &(int32_t){ 0 }, NULL);
    return at;
}

void
fine__scratch_trim(struct fine__scratch *s, size_t leading, size_t trailing, bool keeps_prefix)
{
    struct fine__unit *unit = &s->units[s->n_units - 1];
    size_t n;

    if (leading + trailing == 0)
        return;
    n = (size_t)fine__utf8_count(s->text + unit->start, unit->end - unit->start);
    if (keeps_prefix && leading == 1 && (s->n_units - 1 == s->first_unit || unit->start == 0))
        leading = 0;
    if (leading > n)
        leading = n;
    unit->start = (uint32_t)skip(s, unit->start, leading);
    n -= leading;
    unit->end = (uint32_t)skip(s, unit->start, n > trailing ? n - trailing : 0);
}
