/*
 * split.c — a share of the rows, chosen by seed.
 *
 * Who is chosen depends on the rows, the share and the seed alone: rows are put in
 * the order of a hash, and all counting is in integers (the share in units of 2^-32),
 * so that any machine splits alike. A stratified split gives each label its part by
 * the method of largest remainders; a split by groups takes whole groups.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/rng.h"
#include "data/dataset.h"

enum { MAX_ROWS = 0x7fffffff };   /* so that a count times 2^32 fits 64 bits */

/* A row, or a group of rows, on its way to be chosen. */
struct candidate {
    int64_t part;       /* the label; for groups: their number of rows */
    uint64_t hash;
    int64_t id;         /* the row, or the group's number */
};

static int
by_part_and_hash(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int
by_hash(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A label's part of what is held out. */
struct quota {
    int64_t first, count;   /* its candidates */
    int64_t taken;
    uint64_t remainder;
};

static int
by_remainder(const void *a, const void *b)
{
    const struct quota *x = a, *y = b;

    if (x->remainder != y->remainder)
        return x->remainder > y->remainder ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Rounds down, and gives what is then missing to the largest remainders, the first label
 * first. A label never loses its last row to the held-out side, since a model can't learn
 * what it never sees. */
static void
fill_quotas(struct quota *quotas, int64_t n, uint64_t share, int64_t wanted)
{
    for (int64_t i = 0; i < n; i++) {
        const uint64_t exact = (uint64_t)quotas[i].count * share;

        quotas[i].taken = (int64_t)(exact >> 32);
        quotas[i].remainder = exact & 0xffffffffu;
        wanted -= quotas[i].taken;
    }
    qsort(quotas, (size_t)n, sizeof *quotas, by_remainder);
    for (int64_t i = 0; i < n && wanted > 0; i++)
        if (quotas[i].taken < quotas[i].count - 1) {
            quotas[i].taken++;
            wanted--;
        }
}

/* Which rows are alike: those of one label; of several labels, or entities, the rarest says it,
 * so that it is there on both sides. counts: rows or entities of each. */
static int64_t
stratum(const fine_dataset *d, const struct fine__row *row, const int64_t *counts)
{
    int64_t rarest = row->label;

    for (int64_t i = 0; i < row->n_marks; i++) {
        const int64_t label = d->marks[row->first_mark + i].label;

        if (label >= 0 && (rarest < 0 || counts[label] < counts[rarest] ||
                           (counts[label] == counts[rarest] && label < rarest)))
            rarest = label;
    }
    return rarest;
}

/* Marks the rows that are held out. */
static int
choose_rows(bool *held_out, const fine_dataset *d, uint64_t share, int64_t wanted, uint64_t key)
{
    const int64_t n = d->n_rows;
    struct candidate *rows = fine__alloc_array(d->ctx, (size_t)n, sizeof *rows);
    struct quota *quotas = fine__alloc_array(d->ctx, (size_t)d->n_labels + 1, sizeof *quotas);
    int64_t *counts = fine__alloc_array(d->ctx, (size_t)d->n_labels, sizeof *counts);
    int64_t n_quotas = 0;

    if (rows == NULL || quotas == NULL || counts == NULL) {
        fine__free(d->ctx, rows);
        fine__free(d->ctx, quotas);
        fine__free(d->ctx, counts);
        return FINE_ENOMEM;
    }
    for (int64_t i = 0; i < d->n_marks; i++)
        if (d->marks[i].label >= 0)
            counts[d->marks[i].label]++;
    for (int64_t i = 0; i < n; i++)
        rows[i] = (struct candidate){ stratum(d, &d->rows[i], counts),
                                      fine__rng_u64(key, (uint64_t)i), i };
    fine__free(d->ctx, counts);
    qsort(rows, (size_t)n, sizeof *rows, by_part_and_hash);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || rows[i].part != rows[i - 1].part)
            quotas[n_quotas++].first = i;
        quotas[n_quotas - 1].count++;
    }
    fill_quotas(quotas, n_quotas, share, wanted);
    for (int64_t i = 0; i < n_quotas; i++)
        for (int64_t k = 0; k < quotas[i].taken; k++)
            held_out[rows[quotas[i].first + k].id] = true;
    fine__free(d->ctx, rows);
    fine__free(d->ctx, quotas);
    return 0;
}

static int64_t
distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* Goes through the groups in the order of their hashes and takes each that brings the
 * number of rows nearer to what is wanted; where none does, the smallest. */
static void
take_groups(struct candidate *groups, int64_t n, bool *is_taken, int64_t wanted)
{
    int64_t rows = 0, n_taken = 0, smallest = 0;

    qsort(groups, (size_t)n, sizeof *groups, by_hash);
    for (int64_t i = 0; i < n && n_taken < n - 1; i++) {
        if (groups[i].part < groups[smallest].part)
            smallest = i;
        if (distance(rows + groups[i].part, wanted) >= distance(rows, wanted))
            continue;
        is_taken[groups[i].id] = true;
        rows += groups[i].part;
        n_taken++;
    }
    if (n_taken == 0)
        is_taken[groups[smallest].id] = true;
}

static int
choose_groups(bool *held_out, const fine_dataset *d, int64_t wanted, uint64_t key)
{
    struct fine__map ids;
    struct candidate *groups = NULL;
    int64_t n = 0, capacity = 0;
    bool *is_taken = NULL;
    int rc = 0;

    fine__map_init(&ids, d->ctx);
    for (int64_t i = 0; i < d->n_rows; i++) {
        const char *value = d->bytes.data + d->rows[i].split;
        const size_t length = strlen(value);
        int64_t id = fine__map_get(&ids, value, length);

        if (id < 0) {
            id = n;
            rc = fine__map_put(&ids, value, length, id);
            if (rc == 0)
                rc = fine__grow(d->ctx, &groups, &capacity, n + 1, sizeof *groups);
            if (rc < 0)
                goto out;
            groups[n++] = (struct candidate){
                0, fine__rng_u64(key, fine__hash_u64(value, length)), id
            };
        }
        groups[id].part++;
    }
    if (n < 2) {
        rc = fine__fail(FINE_EDATA, "%s: all %lld rows have the same value of data.split_by, so "
                        "none can be held out; use another column, or a file for validation",
                        d->name, (long long)d->n_rows);
        goto out;
    }
    is_taken = fine__alloc_array(d->ctx, (size_t)n, sizeof *is_taken);
    if (is_taken == NULL) {
        rc = FINE_ENOMEM;
        goto out;
    }
    take_groups(groups, n, is_taken, wanted);
    for (int64_t i = 0; i < d->n_rows; i++) {
        const char *value = d->bytes.data + d->rows[i].split;

        held_out[i] = is_taken[fine__map_get_cstr(&ids, value)];
    }
out:
    fine__free(d->ctx, is_taken);
    fine__free(d->ctx, groups);
    fine__map_free(&ids);
    return rc;
}

/* Two sets from the marks; both or none. */
static int
part(fine_dataset **rest_out, fine_dataset **held_out_out, const fine_dataset *d,
     const bool *held_out)
{
    int64_t *rows = fine__alloc_array(d->ctx, (size_t)d->n_rows, sizeof *rows);
    int64_t n_rest = 0, n_held_out = 0;
    fine_dataset *rest = NULL, *held = NULL;
    int rc;

    if (rows == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < d->n_rows; i++)
        if (!held_out[i])
            rows[n_rest++] = i;
    for (int64_t i = 0; i < d->n_rows; i++)
        if (held_out[i])
            rows[n_rest + n_held_out++] = i;
    if (n_held_out == 0)
        rc = fine__fail(FINE_EDATA, "%s: every label has one row, so none can be held out; give "
                        "more rows, or a file for validation", d->name);
    else
        rc = fine__dataset_select(&rest, d, rows, n_rest);
    if (rc == 0)
        rc = fine__dataset_select(&held, d, rows + n_rest, n_held_out);
    fine__free(d->ctx, rows);
    if (rc < 0) {
        fine__dataset_unref(rest);
        return rc;
    }
    *rest_out = rest;
    *held_out_out = held;
    return 0;
}

int
fine__dataset_split(fine_dataset **rest_out, fine_dataset **held_out_out,
                    const fine_dataset *d, double share, int64_t seed)
{
    const int64_t n = d->n_rows;
    const uint64_t key = fine__rng_key(seed, FINE__RNG_SPLIT, 0, 0);
    uint64_t units;
    int64_t wanted;
    bool *held_out;
    int rc;

    if (!(share > 0.0 && share < 1.0))
        return fine__fail(FINE_EINVAL, "data.validation: a share must lie between 0 and 1");
    if (n < 2)
        return fine__fail(FINE_EDATA, "%s: %lld row%s can't be split in two; give more rows, or a "
                          "file for validation", d->name, (long long)n, n == 1 ? "" : "s");
    if (n > MAX_ROWS)
        return fine__fail(FINE_EINVAL, "%s: %lld rows are more than a split takes (%d); give a "
                          "file for validation", d->name, (long long)n, MAX_ROWS);
    units = (uint64_t)(share * 0x1p32);
    units = units < 1 ? 1 : units;
    wanted = (int64_t)(((uint64_t)n * units + (1u << 31)) >> 32);
    wanted = wanted < 1 ? 1 : wanted > n - 1 ? n - 1 : wanted;
    held_out = fine__alloc_array(d->ctx, (size_t)n, sizeof *held_out);
    if (held_out == NULL)
        return FINE_ENOMEM;
    rc = d->ids == NULL && d->rows[0].split >= 0
             ? choose_groups(held_out, d, wanted, key)
             : choose_rows(held_out, d, units, wanted, key);
    if (rc == 0)
        rc = part(rest_out, held_out_out, d, held_out);
    if (rc == 0)
        (*rest_out)->skipped = d->skipped;  /* what was left out is told of the larger part */
    fine__free(d->ctx, held_out);
    return rc;
}
