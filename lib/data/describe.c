/*
 * describe.c — what a set is like, as JSON and as warnings.
 *
 * Counts and lengths only, and the names of labels and columns: never a text.
 * Duplicates are found by sorting 64-bit hashes, which two different texts of a
 * billion share with a probability below 3 %, and then only a count is off by one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "data/tags.h"

/* A label this many times rarer than the most frequent one is worth a warning. */
enum { IMBALANCE = 20 };

static int
by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int
by_hash(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The text and its pair, in one number. */
static uint64_t
hash_of(const fine_dataset *d, int64_t i)
{
    const struct fine__row *row = &d->rows[i];
    const uint64_t text = fine__hash_u64(d->bytes.data + row->text, (size_t)row->text_length);

    if (row->pair < 0)
        return text;
    return fine__rng_mix(text + 1)
           ^ fine__hash_u64(d->bytes.data + row->pair, (size_t)row->pair_length);
}

/* Sorted; NULL: no memory. */
static uint64_t *
hashes_of(const fine_dataset *d)
{
    uint64_t *hashes = fine__alloc_array(d->ctx, (size_t)d->n_rows, sizeof *hashes);

    if (hashes == NULL)
        return NULL;
    for (int64_t i = 0; i < d->n_rows; i++)
        hashes[i] = hash_of(d, i);
    qsort(hashes, (size_t)d->n_rows, sizeof *hashes, by_hash);
    return hashes;
}

/* Of the texts or the pairs, in characters; returns how many are empty. */
static int64_t
write_lengths(const fine_dataset *d, struct fine__buf *out, int64_t *lengths, bool of_pairs)
{
    const int64_t n = d->n_rows;
    int64_t empty = 0;

    for (int64_t i = 0; i < n; i++) {
        const struct fine__row *row = &d->rows[i];

        lengths[i] = fine__utf8_count(d->bytes.data + (of_pairs ? row->pair : row->text),
                                      (size_t)(of_pairs ? row->pair_length : row->text_length));
        empty += lengths[i] == 0;
    }
    qsort(lengths, (size_t)n, sizeof *lengths, by_value);
    fine__buf_printf(out, ",\"%s_chars\":{\"min\":%lld,\"median\":", of_pairs ? "pair" : "text",
                     (long long)(n > 0 ? lengths[0] : 0));
    fine__buf_number(out, n == 0 ? 0.0
                                 : ((double)lengths[(n - 1) / 2] + (double)lengths[n / 2]) / 2);
    fine__buf_printf(out, ",\"max\":%lld}", (long long)(n > 0 ? lengths[n - 1] : 0));
    return empty;
}

static int
write_texts(const fine_dataset *d, struct fine__buf *out)
{
    int64_t *lengths = fine__alloc_array(d->ctx, (size_t)d->n_rows, sizeof *lengths);
    uint64_t *hashes = hashes_of(d);
    int64_t empty, duplicates = 0;

    if (lengths != NULL && hashes != NULL) {
        empty = write_lengths(d, out, lengths, false);
        if (d->has_pairs)
            write_lengths(d, out, lengths, true);
        for (int64_t i = 1; i < d->n_rows; i++)
            duplicates += hashes[i] == hashes[i - 1];
        fine__buf_printf(out, ",\"empty_texts\":%lld,\"duplicate_texts\":%lld", (long long)empty,
                         (long long)duplicates);
    }
    fine__free(d->ctx, hashes);
    fine__free(d->ctx, lengths);
    return lengths != NULL && hashes != NULL ? 0 : FINE_ENOMEM;
}

/* How many rows each label has, or how many entities; NULL: no memory. */
static int64_t *
count_labels(const fine_dataset *d)
{
    int64_t *counts = fine__alloc_array(d->ctx, (size_t)d->n_labels, sizeof *counts);

    for (int64_t i = 0; i < d->n_rows && counts != NULL; i++)
        if (d->rows[i].label >= 0)
            counts[d->rows[i].label]++;
    for (int64_t i = 0; i < d->n_marks && counts != NULL; i++)
        if (d->marks[i].label >= 0)
            counts[d->marks[i].label]++;
    return counts;
}

/* Entities are counted by their first tag; the other tags of a type say nothing more. */
static bool
is_counted(const fine_dataset *d, int64_t label, const int64_t *counts)
{
    struct fine__tag tag;

    return d->content != FINE__ROWS_OF_TAGS || counts[label] > 0 ||
           (fine__tag_parse(&tag, d->labels[label], strlen(d->labels[label])) &&
            tag.place == 'B');
}

static int
write_labels(const fine_dataset *d, struct fine__buf *out)
{
    const bool has_several =
        d->content == FINE__ROWS_OF_TAGS || d->content == FINE__ROWS_OF_FLAGS;
    int64_t *counts = count_labels(d), n_without = 0;
    bool first = true;

    if (counts == NULL)
        return FINE_ENOMEM;
    fine__buf_text(out, ",\"labels\":{");
    for (int64_t i = 0; i < d->n_labels; i++) {
        const char *name = d->content == FINE__ROWS_OF_TAGS ? fine__tags_type(d->labels[i])
                                                            : d->labels[i];

        if (!is_counted(d, i, counts))
            continue;
        fine__buf_text(out, first ? "" : ",");
        first = false;
        fine__buf_json_string(out, name, strlen(name));
        fine__buf_printf(out, ":%lld", (long long)counts[i]);
    }
    fine__buf_byte(out, '}');
    for (int64_t i = 0; i < d->n_rows; i++)
        n_without += d->rows[i].n_marks == 0;
    if (has_several)
        fine__buf_printf(out, ",\"rows_without_labels\":%lld", (long long)n_without);
    fine__free(d->ctx, counts);
    return 0;
}

static void
write_answers(const fine_dataset *d, struct fine__buf *out)
{
    int64_t one = 0, several = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        one += d->rows[i].n_marks == 1;
        several += d->rows[i].n_marks > 1;
    }
    fine__buf_printf(out, ",\"answers\":{\"none\":%lld,\"one\":%lld,\"several\":%lld}",
                     (long long)(d->n_rows - one - several), (long long)one, (long long)several);
}

static void
write_values(const fine_dataset *d, struct fine__buf *out)
{
    double min = NAN, max = NAN, sum = 0;
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        const double value = d->rows[i].value;

        if (isnan(value))
            continue;
        min = n == 0 || value < min ? value : min;
        max = n == 0 || value > max ? value : max;
        sum += value;
        n++;
    }
    fine__buf_text(out, ",\"value\":{\"min\":");
    fine__buf_number(out, min);
    fine__buf_text(out, ",\"max\":");
    fine__buf_number(out, max);
    fine__buf_text(out, ",\"mean\":");
    fine__buf_number(out, n > 0 ? sum / (double)n : NAN);
    fine__buf_byte(out, '}');
}

static void
write_names(struct fine__buf *out, const char *key, char *const *names, int64_t n)
{
    fine__buf_printf(out, "\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0)
            fine__buf_byte(out, ',');
        fine__buf_json_string(out, names[i], strlen(names[i]));
    }
    fine__buf_byte(out, ']');
}

static void
write_tokens(const fine_dataset *d, struct fine__buf *out)
{
    int64_t min = INT64_MAX, max = 0;

    for (int64_t i = 0; i < d->n_rows; i++) {
        const int64_t n = d->id_offsets[i + 1] - d->id_offsets[i];

        min = n < min ? n : min;
        max = n > max ? n : max;
    }
    fine__buf_printf(out, ",\"tokens\":{\"min\":%lld,\"max\":%lld,\"all\":%lld}",
                     (long long)(d->n_rows > 0 ? min : 0), (long long)max,
                     (long long)d->id_offsets[d->n_rows]);
}

static int
write_all(const fine_dataset *d, struct fine__buf *out)
{
    fine__buf_printf(out, "{\"rows\":%lld,\"skipped\":%lld", (long long)d->n_rows,
                     (long long)d->skipped);
    if (d->content == FINE__ROWS_OF_NUMBERS)
        write_values(d, out);
    else if (d->content == FINE__ROWS_OF_ANSWERS)
        write_answers(d, out);
    else
        FINE__TRY(write_labels(d, out));
    if (d->ids != NULL)
        write_tokens(d, out);
    else
        FINE__TRY(write_texts(d, out));
    fine__buf_text(out, ",\"columns\":{");
    write_names(out, "used", d->columns_used, d->n_columns_used);
    fine__buf_byte(out, ',');
    write_names(out, "unused", d->columns_unused, d->n_columns_unused);
    fine__buf_text(out, "}}");
    return fine__buf_status(out);
}

const char *
fine__dataset_describe(fine_dataset *dataset)
{
    struct fine__buf out;

    if (dataset->description != NULL)
        return dataset->description;
    fine__buf_init(&out, dataset->ctx);
    if (write_all(dataset, &out) < 0) {
        fine__buf_free(&out);
        return NULL;
    }
    dataset->used = true;
    dataset->description = out.data;
    return out.data;
}

void
fine__dataset_warn(const fine_dataset *d)
{
    int64_t *counts, most = 0, least = INT64_MAX;

    if (d->content == FINE__ROWS_OF_NUMBERS || !d->has_labels || d->n_labels == 0)
        return;
    counts = count_labels(d);
    if (counts == NULL)
        return;   /* a warning less */
    for (int64_t i = 0; i < d->n_labels; i++) {
        if (!is_counted(d, i, counts))
            continue;
        most = counts[i] > most ? counts[i] : most;
        least = counts[i] < least ? counts[i] : least;
    }
    if (most > IMBALANCE * least)
        fine__log(d->ctx, FINE_LOG_WARNING, "%s: labels are far from balanced, from %lld to %lld "
                  "%s", d->name, (long long)least, (long long)most,
                  d->content == FINE__ROWS_OF_TAGS ? "entities; look at per_class_f1 too"
                                                   : "rows; look at macro_f1 beside accuracy");
    fine__free(d->ctx, counts);
}

int
fine__dataset_overlap(int64_t *n_out, const fine_dataset *train, const fine_dataset *other)
{
    uint64_t *hashes;
    int64_t n = 0;

    if (train->ids != NULL || other->ids != NULL || train->has_pairs != other->has_pairs) {
        *n_out = 0;
        return 0;
    }
    hashes = hashes_of(train);
    if (hashes == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < other->n_rows; i++) {
        const uint64_t hash = hash_of(other, i);

        n += bsearch(&hash, hashes, (size_t)train->n_rows, sizeof hash, by_hash) != NULL;
    }
    fine__free(train->ctx, hashes);
    if (n > 0)
        fine__log(train->ctx, FINE_LOG_WARNING, "%s: %lld of %lld texts stand in the training data "
                  "too; scores on them say little about new texts", other->name, (long long)n,
                  (long long)other->n_rows);
    *n_out = n;
    return 0;
}
