/*
 * spans.h — entities as places in a text: {"spans": [{"start": 0, "end": 5, "label": "X"}]}.
 */
#ifndef FINE__SPANS_H
#define FINE__SPANS_H

#include "base/json.h"
#include "data/table.h"

/* The spans of one row, and memory for them that stays from row to row. */
struct fine__found_spans {
    bool in_chars;                      /* offsets count characters */
    struct fine__span_found {
        int64_t start, end, entry;      /* bytes, once they have been looked at */
        const char *label;
        size_t length;
    } *list;
    int64_t count, capacity;
};

int fine__spans_begin(struct fine__found_spans *spans, const struct fine__table *table);
void fine__spans_end(struct fine__found_spans *spans, const struct fine__table *table);
/* The value's spans become marks of the row whose cells these are; what is wrong with them makes
 * it bad. 0, FINE_ENOMEM, FINE_EDATA. */
int fine__spans_read(struct fine__table *table, struct fine__found_spans *spans,
                     const struct fine__json *value, const struct fine__cell cells[FINE__ROLES],
                     int64_t line);

#endif
