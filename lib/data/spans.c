/*
 * spans.c — entities as places in a text; see spans.h.
 *
 * Whether they fit the words of a tokenizer is seen when the rows are encoded (train/tag.c);
 * here they lie in the text, between characters, and not over one another.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/spans.h"
#include "data/tags.h"

int
fine__spans_begin(struct fine__found_spans *spans, const struct fine__table *t)
{
    const char *offsets = t->options->offsets;

    *spans = (struct fine__found_spans){ .in_chars =
                                             offsets != NULL && strcmp(offsets, "chars") == 0 };
    if (offsets != NULL && !spans->in_chars && strcmp(offsets, "bytes") != 0)
        return fine__fail(FINE_EINVAL, "data.offsets: '%.40s' is neither bytes nor chars", offsets);
    return 0;
}

void
fine__spans_end(struct fine__found_spans *spans, const struct fine__table *t)
{
    fine__free(t->set->ctx, spans->list);
}

static int
by_start(const void *a, const void *b)
{
    const struct fine__span_found *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Entry i of the list, as far as it can be judged alone. */
static int
read_one(struct fine__table *t, struct fine__found_spans *spans, const struct fine__json *item,
         int64_t i, int64_t line)
{
    const char *const column = t->column[FINE__ROLE_LABEL];
    const struct fine__json *start = fine__json_get(item, "start"),
                            *end = fine__json_get(item, "end");
    struct fine__span_found span = { .entry = i + 1 };

    span.label = fine__json_string(fine__json_get(item, "label"), &span.length);
    span.start = fine__json_int(start, -1);
    span.end = fine__json_int(end, -1);
    if (fine__json_type(item) != FINE__JSON_OBJECT ||
        fine__json_type(start) != FINE__JSON_INTEGER ||
        fine__json_type(end) != FINE__JSON_INTEGER || span.label == NULL)
        fine__table_bad_row(t, line, "entry %lld of '%.60s' must be an object with whole numbers "
                            "'start' and 'end' and a text 'label'", (long long)i + 1, column);
    else if (span.length == 0 || span.length > FINE__MAX_LABEL - 2)
        fine__table_bad_row(t, line, "entry %lld of '%.60s': 'label' must have 1 to %d bytes",
                            (long long)i + 1, column, FINE__MAX_LABEL - 2);
    else if (span.start < 0 || span.end <= span.start)
        fine__table_bad_row(t, line, "entry %lld of '%.60s': 'start' must be at least 0, and "
                            "'end' beyond it", (long long)i + 1, column);
    if (t->row_is_bad)
        return 0;
    FINE__TRY(fine__grow(t->set->ctx, &spans->list, &spans->capacity, spans->count + 1,
                         sizeof span));
    spans->list[spans->count++] = span;
    return 0;
}

static bool
is_inside(struct fine__cell text, int64_t at)
{
    return at < (int64_t)text.length && ((unsigned char)text.text[at] & 0xc0) == 0x80;
}

/* Where character `to` begins, going on from character *at, which begins at *byte. */
static int64_t
advance(struct fine__cell text, int64_t *at, int64_t *byte, int64_t to)
{
    while (*at < to && *byte < (int64_t)text.length) {
        do
            ++*byte;
        while (is_inside(text, *byte));
        ++*at;
    }
    return *at == to ? *byte : INT64_MAX;
}

/* In the order of the text: within it, on whole characters, behind the one before. */
static void
check_places(struct fine__table *t, struct fine__found_spans *spans, struct fine__cell text,
             int64_t line)
{
    const char *const column = t->column[FINE__ROLE_LABEL];
    int64_t at = 0, byte = 0, last = 0;

    for (int64_t i = 0; i < spans->count && !t->row_is_bad; i++) {
        struct fine__span_found *span = &spans->list[i];

        if (i > 0 && span->start < last) {
            fine__table_bad_row(t, line, "entries %lld and %lld of '%.60s' overlap, and a word "
                                "has one tag; keep one of them",
                                (long long)spans->list[i - 1].entry, (long long)span->entry,
                                column);
            return;
        }
        last = span->end;
        if (spans->in_chars) {
            span->start = advance(text, &at, &byte, span->start);
            span->end = span->start < INT64_MAX ? advance(text, &at, &byte, span->end) : INT64_MAX;
        }
        if (span->end > (int64_t)text.length)
            fine__table_bad_row(t, line, "entry %lld of '%.60s' reaches beyond the text, which "
                                "has %zu bytes%s", (long long)span->entry, column, text.length,
                                spans->in_chars ? "" : "; data.offsets: chars, if these are "
                                                       "characters");
        else if (is_inside(text, span->start) || is_inside(text, span->end))
            fine__table_bad_row(t, line, "entry %lld of '%.60s' begins or ends inside a "
                                "character; data.offsets: chars, if these are characters",
                                (long long)span->entry, column);
    }
}

int
fine__spans_read(struct fine__table *t, struct fine__found_spans *spans,
                 const struct fine__json *value, const struct fine__cell cells[FINE__ROLES],
                 int64_t line)
{
    const struct fine__cell text = cells[FINE__ROLE_TEXT];

    spans->count = 0;
    if (fine__json_type(value) == FINE__JSON_NULL) {
        if (t->set->require_label)
            fine__table_bad_row(t, line, "'%.60s' is missing; a text without any has an empty "
                                "list", t->column[FINE__ROLE_LABEL]);
        return 0;
    }
    t->set->has_labels = true;
    if (fine__json_type(value) != FINE__JSON_ARRAY)
        fine__table_bad_row(t, line, "'%.60s' must be a list of objects",
                            t->column[FINE__ROLE_LABEL]);
    fine__table_check_cells(t, cells, line);
    for (int64_t i = 0; i < fine__json_count(value) && !t->row_is_bad; i++)
        FINE__TRY(read_one(t, spans, fine__json_at(value, i), i, line));
    if (t->row_is_bad)
        return 0;
    if (spans->count > 1)
        qsort(spans->list, (size_t)spans->count, sizeof *spans->list, by_start);
    check_places(t, spans, text, line);
    for (int64_t i = 0; i < spans->count && !t->row_is_bad && t->set->labels_given; i++)
        if (fine__tags_label(t->set, spans->list[i].label, spans->list[i].length) < 0)
            fine__table_bad_row(t, line, "entry %lld of '%.60s': the label is none of those in "
                                "task.labels", (long long)spans->list[i].entry,
                                t->column[FINE__ROLE_LABEL]);
    for (int64_t i = 0; i < spans->count && !t->row_is_bad; i++)
        FINE__TRY(fine__table_entity(t, spans->list[i].start, spans->list[i].end,
                                     spans->list[i].label, spans->list[i].length, line));
    return 0;
}
