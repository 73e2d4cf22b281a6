/* sets.h — what must hold for every set that a reader has accepted. */
#ifndef SETS_H
#define SETS_H

#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "data/dataset.h"
#include "fuzz.h"

static inline void
check_string(const fine_dataset *d, int64_t offset, int64_t length)
{
    if (offset < 0)
        return;
    REQUIRE((size_t)offset < d->bytes.length);
    const char *text = d->bytes.data + offset;
    const size_t is = strlen(text);

    REQUIRE((size_t)offset + is < d->bytes.length);
    REQUIRE(length < 0 || (size_t)length == is);
    REQUIRE(fine__utf8_valid(text, is));
}

/* Labels ascend, or places lie in the text in order, and every label is known. */
static inline void
check_marks(const fine_dataset *d, const struct fine__row *row)
{
    int64_t last = 0, label = -1;

    REQUIRE(row->n_marks == 0 || (row->first_mark >= 0 && row->n_marks > 0 &&
                                  row->first_mark + row->n_marks <= d->n_marks));
    for (int64_t i = 0; i < row->n_marks; i++) {
        const struct fine__mark *mark = &d->marks[row->first_mark + i];

        if (d->content == FINE__ROWS_OF_FLAGS || d->content == FINE__ROWS_OF_TAGS)
            REQUIRE(mark->label >= 0 && mark->label < d->n_labels);
        if (d->content == FINE__ROWS_OF_FLAGS)
            REQUIRE(mark->label > label);
        if (d->content == FINE__ROWS_OF_TAGS)
            REQUIRE(mark->start >= last && mark->start < mark->end &&
                    mark->end <= row->text_length);
        last = mark->end;
        label = mark->label;
    }
}

static inline void
check_set(const fine_dataset *d, const struct fine_dataset_options *options)
{
    int64_t line = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        const struct fine__row *row = &d->rows[i];

        REQUIRE(row->text >= 0 && (row->pair >= 0) == d->has_pairs);
        check_string(d, row->text, row->text_length);
        check_string(d, row->pair, row->pair_length);
        check_string(d, row->group, -1);
        check_string(d, row->split, -1);
        REQUIRE(row->label >= -1 && row->label < d->n_labels);
        REQUIRE(row->line > line);
        line = row->line;
        check_marks(d, row);
        if (options->require_label != 0 && d->content <= FINE__ROWS_OF_NUMBERS)
            REQUIRE(d->content == FINE__ROWS_OF_NUMBERS ? row->value - row->value == 0.0 : row->label >= 0);
    }
    for (int64_t i = 1; i < d->n_labels && !d->labels_given; i++)
        REQUIRE(strcmp(d->labels[i - 1], d->labels[i]) < 0);
}

/* Everything that can be done with a set. */
static inline void
use_set(fine_dataset *d, const struct fine_dataset_options *options)
{
    fine_dataset *rest, *held;

    check_set(d, options);
    REQUIRE(fine__dataset_describe(d) != NULL);
    if (fine__dataset_split(&rest, &held, d, 0.3, d->n_rows) == 0) {
        REQUIRE(rest->n_rows + held->n_rows == d->n_rows && rest->n_rows > 0 && held->n_rows > 0);
        check_set(rest, options);
        check_set(held, options);
        fine__dataset_unref(rest);
        fine__dataset_unref(held);
    }
    (void)fine__dataset_check_task(d, d->content);
}

static inline void
check_failure(int rc)
{
    REQUIRE(rc == FINE_EDATA || rc == FINE_EINVAL || rc == FINE_ENOMEM);
    for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
        REQUIRE(m[0] != '\0' && strlen(m) < 512);
}

#endif
