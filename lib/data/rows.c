/*
 * rows.c — rows from memory, added one by one.
 *
 * Each call either adds a whole row or changes nothing: what can fail comes first, and
 * the row is committed by the last line. Labels are settled after each row, so that the
 * getters tell the truth at any time.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"
#include "data/table.h"
#include "data/tags.h"

int
fine__dataset_new(fine_dataset **out, fine_context *ctx,
                  const struct fine_dataset_options *options)
{
    struct fine_dataset_options defaults;
    enum fine__content content;
    fine_dataset *d;
    int rc = 0;

    fine__dataset_defaults(&defaults);
    if (options == NULL)
        options = &defaults;
    FINE__TRY(fine__content_of(&content, options));
    if (options->n_labels < 0 || (options->n_labels > 0 && options->labels == NULL))
        return fine__fail(FINE_EINVAL, "task.labels: n_labels without labels");
    if (options->n_labels > 0 && content == FINE__ROWS_OF_NUMBERS)
        return fine__fail(FINE_EINVAL, "task.labels: a regression has numbers, not labels; take "
                          "them out");
    d = fine__dataset_make(ctx, "memory");
    if (d == NULL)
        return FINE_ENOMEM;
    d->content = content;
    d->require_label = options->require_label != 0 && content != FINE__ROWS_OF_TEXT;
    rc = fine__dataset_take_labels(d, options);
    if (rc < 0) {
        fine__dataset_unref(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* Says what is wrong with a text from memory, without showing any of it. */
static int
check_text(const fine_dataset *d, const char *text, const char *what)
{
    const size_t length = strlen(text);
    const long long row = (long long)d->n_rows + 1;

    if (length > FINE__MAX_FIELD)
        return fine__fail(FINE_EDATA, "memory: row %lld: the %s has %zu bytes, more than the limit "
                          "of %d", row, what, length, FINE__MAX_FIELD);
    for (size_t i = 0; i < length;) {
        int32_t c;
        bool valid;
        const size_t used = fine__utf8_decode(text + i, length - i, &c, &valid);

        if (!valid)
            return fine__fail(FINE_EDATA, "memory: row %lld: byte %zu of the %s is not UTF-8; "
                              "convert it first", row, i + 1, what);
        i += used;
    }
    return 0;
}

/* A new label takes its place among the sorted ones at once, so that rows from memory
 * are settled after each call; everything that can fail comes before the first change. */
static int64_t
insert_label(fine_dataset *d, const char *name, size_t length)
{
    struct fine__map ids;
    char *copy;
    int64_t at = 0;
    int rc = 0;

    if (d->n_labels >= FINE__MAX_LABELS)
        return FINE_EDATA;
    FINE__TRY(fine__grow(d->ctx, &d->labels, &d->label_capacity, d->n_labels + 1, sizeof(char *)));
    copy = fine__strndup(d->ctx, name, length);
    if (copy == NULL)
        return FINE_ENOMEM;
    while (at < d->n_labels && strcmp(d->labels[at], copy) < 0)
        at++;
    fine__map_init(&ids, d->ctx);
    for (int64_t i = 0; i < d->n_labels && rc == 0; i++)
        rc = fine__map_put(&ids, d->labels[i], strlen(d->labels[i]), i < at ? i : i + 1);
    if (rc == 0)
        rc = fine__map_put(&ids, name, length, at);
    if (rc < 0) {
        fine__map_free(&ids);
        fine__free(d->ctx, copy);
        return rc;
    }
    fine__map_free(&d->label_ids);
    d->label_ids = ids;
    memmove(d->labels + at + 1, d->labels + at, (size_t)(d->n_labels - at) * sizeof(char *));
    d->labels[at] = copy;
    d->n_labels++;
    for (int64_t i = 0; i < d->n_rows; i++)
        d->rows[i].label += d->rows[i].label >= at;
    for (int64_t i = 0; i < d->n_marks; i++)
        d->marks[i].label += d->marks[i].label >= at;
    return at;
}

/* Fills in row's label or value. */
static int
read_label(fine_dataset *d, struct fine__row *row, const char *label)
{
    const long long number = (long long)d->n_rows + 1;
    const size_t length = label != NULL ? strlen(label) : 0;

    if (label == NULL && !d->require_label)
        return 0;
    if (length == 0)
        return fine__fail(FINE_EDATA, "memory: row %lld has no label", number);
    if (d->content == FINE__ROWS_OF_NUMBERS) {
        if (!fine__parse_double(label, length, &row->value))
            return fine__fail(FINE_EDATA, "memory: row %lld: the label is not a finite number",
                              number);
        return 0;
    }
    if (length > FINE__MAX_LABEL)
        return fine__fail(FINE_EDATA, "memory: row %lld: the label has more than %d bytes", number,
                          FINE__MAX_LABEL);
    row->label = fine__map_get(&d->label_ids, label, length);
    if (row->label < 0 && d->labels_given)
        return fine__fail(FINE_EDATA, "memory: row %lld: the label is none of the %lld that are "
                          "allowed", number, (long long)d->n_labels);
    if (row->label < 0)
        row->label = insert_label(d, label, length);
    if (row->label == FINE_EDATA)
        return fine__fail(FINE_EDATA, "memory: row %lld brings more than %d different labels; for "
                          "numbers set label_is_number", number, FINE__MAX_LABELS);
    return row->label < 0 ? (int)row->label : 0;
}

/* ---- several labels ---- */

/* What becomes of a mark's label is only known when all labels have their places. */
static int
find_marks(fine_dataset *d, struct fine__row *row, const char *label)
{
    const struct fine__cell cell = { label, strlen(label) };
    struct fine__cell part;
    const char *at = NULL;

    while (fine__flags_next(&part, cell, &at, d->label_separator, strlen(d->label_separator))) {
        const struct fine__mark mark = { .label = (int32_t)fine__map_get(&d->label_ids, part.text,
                                                                         part.length) };
        bool is_new = true;

        for (int64_t i = 0; i < row->n_marks; i++)
            is_new = is_new && d->marks[row->first_mark + i].label != mark.label;
        if (is_new)
            FINE__TRY(fine__dataset_mark(d, row, mark));
    }
    fine__dataset_sort_marks(d, row);
    return 0;
}

static int
read_flags(fine_dataset *d, struct fine__row *row, const char *label)
{
    const long long number = (long long)d->n_rows + 1;
    const struct fine__cell cell = { label, label != NULL ? strlen(label) : 0 };
    struct fine__cell part;
    const char *at = NULL;

    if (label == NULL && !d->require_label)
        return 0;
    if (label == NULL)
        return fine__fail(FINE_EDATA, "memory: row %lld has no label; \"\" is none of them", number);
    while (fine__flags_next(&part, cell, &at, d->label_separator, strlen(d->label_separator))) {
        if (part.length == 0 || part.length > FINE__MAX_LABEL)
            return fine__fail(FINE_EDATA, "memory: row %lld: a label has %zu bytes, and must have "
                              "1 to %d", number, part.length, FINE__MAX_LABEL);
        if (d->labels_given && fine__map_get(&d->label_ids, part.text, part.length) < 0)
            return fine__fail(FINE_EDATA, "memory: row %lld: a label is none of the %lld that are "
                              "allowed", number, (long long)d->n_labels);
    }
    at = NULL;
    while (!d->labels_given &&
           fine__flags_next(&part, cell, &at, d->label_separator, strlen(d->label_separator))) {
        if (fine__map_get(&d->label_ids, part.text, part.length) >= 0)
            continue;
        const int64_t id = insert_label(d, part.text, part.length);

        if (id == FINE_EDATA)
            return fine__fail(FINE_EDATA, "memory: row %lld brings more than %d different labels",
                              number, FINE__MAX_LABELS);
        if (id < 0)
            return (int)id;
    }
    return find_marks(d, row, label);
}

/* ---- tags: one for each word between blanks ---- */

static size_t
next_word(const char *text, size_t *at)
{
    const size_t from = *at + strspn(text + *at, " \t\r\n");

    *at = from + strcspn(text + from, " \t\r\n");
    return from;
}

static int
need_label(fine_dataset *d, const char *prefix, const char *type, size_t length)
{
    char name[FINE__MAX_LABEL + 4];
    const size_t n = strlen(prefix);

    memcpy(name, prefix, n);
    memcpy(name + n, type, length);
    if (fine__map_get(&d->label_ids, name, n + length) >= 0)
        return 0;
    const int64_t id = insert_label(d, name, n + length);

    if (id == FINE_EDATA)
        return fine__fail(FINE_EDATA, "memory: row %lld brings more than %d different labels",
                          (long long)d->n_rows + 1, FINE__MAX_LABELS);
    return id < 0 ? (int)id : 0;
}

/* Every tag: is it one, is it allowed; and are there as many as words. */
static int
check_tags(const fine_dataset *d, const char *text, const char *tags)
{
    const long long number = (long long)d->n_rows + 1;
    size_t at = 0, word = 0;
    int64_t n = 0, n_words = 0;

    while (text[next_word(text, &word)] != '\0')
        n_words++;
    for (;; n++) {
        const size_t from = next_word(tags, &at);
        struct fine__tag tag;

        if (tags[from] == '\0')
            break;
        if (!fine__tag_parse(&tag, tags + from, at - from))
            return fine__fail(FINE_EDATA, "memory: row %lld: entry %lld of the label is no tag, "
                              "such as O or B-NAME", number, (long long)n + 1);
    }
    if (n != n_words)
        return fine__fail(FINE_EDATA, "memory: row %lld: %lld tags for %lld words between blanks",
                          number, (long long)n, (long long)n_words);
    return 0;
}

static int
read_tags(fine_dataset *d, struct fine__row *row, const char *text, const char *tags)
{
    static const struct fine__tag outside = { 'O', 'O', "", 0 };
    struct fine__tag before = outside;
    struct fine__mark open = { 0 };
    int64_t end = 0;

    if (tags == NULL && !d->require_label)
        return 0;
    if (tags == NULL)
        return fine__fail(FINE_EDATA, "memory: row %lld has no label", (long long)d->n_rows + 1);
    FINE__TRY(check_tags(d, text, tags));
    for (size_t at = 0, from = next_word(tags, &at); tags[from] != '\0' && !d->labels_given;
         from = next_word(tags, &at)) {
        struct fine__tag tag;

        fine__tag_parse(&tag, tags + from, at - from);
        FINE__TRY(need_label(d, "O", "", 0));
        if (tag.place == 'O')
            continue;
        FINE__TRY(need_label(d, "B-", tag.type, tag.length));
        FINE__TRY(need_label(d, "I-", tag.type, tag.length));
    }
    for (size_t at = 0, word = 0;;) {
        const size_t from = next_word(tags, &at), start = next_word(text, &word);
        struct fine__tag tag = outside;

        if (tags[from] != '\0')
            fine__tag_parse(&tag, tags + from, at - from);
        const bool same = tag.length == before.length &&
                          memcmp(tag.type, before.type, tag.length) == 0;

        if (fine__tag_ends(before.place, tag.place, same)) {
            open.end = (int32_t)end;
            FINE__TRY(fine__dataset_mark(d, row, open));
        }
        if (tags[from] == '\0')
            return 0;
        if (fine__tag_begins(before.place, tag.place, same))
            open = (struct fine__mark){ .start = (int32_t)start,
                                        .label = (int32_t)fine__tags_label(d, tag.type,
                                                                           tag.length) };
        if (tag.place != 'O' && open.label < 0)
            return fine__fail(FINE_EDATA, "memory: row %lld: a tag's label is none of those that "
                              "are allowed", (long long)d->n_rows + 1);
        end = (int64_t)word;
        before = tag;
    }
}

/* The offset of a copy with its NUL; room has been reserved. */
static int64_t
append_text(fine_dataset *d, const char *text)
{
    const int64_t at = (int64_t)d->bytes.length;

    if (text == NULL)
        return -1;
    fine__buf_append(&d->bytes, text, strlen(text) + 1);
    return at;
}

static size_t
size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Room that grows by half, so that adding rows one by one stays linear. */
static int
reserve(fine_dataset *d, size_t more)
{
    const size_t need = d->bytes.length + more;

    if (need < d->bytes.capacity)
        return 0;
    return fine__buf_reserve(&d->bytes, need + need / 2);
}

int
fine__dataset_add(fine_dataset *d, const char *text, const char *pair, const char *label,
                  const char *group)
{
    struct fine__row row = fine__row_empty();

    if (d->used || d->ids != NULL)
        return fine__fail(FINE_ESTATE, "memory: the set is in use, and no row can be added any "
                          "more; make a new one");
    if (d->n_rows > 0 && d->has_pairs != (pair != NULL))
        return fine__fail(FINE_EINVAL, "memory: row %lld has %s, unlike the rows before",
                          (long long)d->n_rows + 1, pair != NULL ? "a pair" : "no pair");
    FINE__TRY(check_text(d, text, "text"));
    if (pair != NULL)
        FINE__TRY(check_text(d, pair, "pair"));
    if (label != NULL)
        FINE__TRY(check_text(d, label, "label"));
    if (group != NULL)
        FINE__TRY(check_text(d, group, "group"));
    FINE__TRY(fine__grow(d->ctx, &d->rows, &d->capacity, d->n_rows + 1, sizeof row));
    if (reserve(d, size_of(text) + size_of(pair) + size_of(group)) < 0) {
        d->bytes.failed = false;   /* the rows so far are whole */
        return FINE_ENOMEM;
    }
    const int64_t n_marks = d->n_marks;
    const int rc = d->content == FINE__ROWS_OF_FLAGS     ? read_flags(d, &row, label)
                   : d->content == FINE__ROWS_OF_TAGS    ? read_tags(d, &row, text, label)
                   : d->content == FINE__ROWS_OF_ANSWERS ? fine__squad_label(d, pair, label, &row)
                                                         : read_label(d, &row, label);

    if (rc < 0) {
        d->n_marks = n_marks;
        return rc;
    }
    d->blank_words = d->blank_words || (d->content == FINE__ROWS_OF_TAGS && label != NULL);
    row.text = append_text(d, text);
    row.text_length = (int32_t)strlen(text);
    row.pair = append_text(d, pair);
    row.pair_length = pair != NULL ? (int32_t)strlen(pair) : 0;
    row.group = append_text(d, group);
    d->has_pairs = pair != NULL;
    d->has_groups = d->has_groups || group != NULL;
    d->has_labels = d->has_labels || label != NULL;
    d->rows[d->n_rows++] = row;
    return 0;
}
