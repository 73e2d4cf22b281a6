/*
 * golden_set.h — ../shared/golden's files for tests of single ops: looked up by name, compared
 * relative to the largest number of a tensor; where they aren't there, that is said.
 */
#ifndef GOLDEN_SET_H
#define GOLDEN_SET_H

#include "leaves.h"

#include <math.h>

#include <finetune/tensors.h>

#define GOLDEN SOURCE_ROOT "/../shared/golden/"

static fine_context *ctx;

/* out's gradient is what is given; then backward. */
static inline void
backward(struct fine__tape *t, struct fine__tensor *out, const float *cotangent)
{
    double beta;
    fine__real *grad = fine__grad(t, out, &beta);

    ck_assert_ptr_nonnull(grad);
    memcpy(grad, cotangent, (size_t)out->count * sizeof *grad);
    fine__backward(t, out, 0);
    ck_assert_int_eq(fine__tape_status(t), 0);
}

/* ---- golden files ---- */

struct golden {
    fine_tensors *set;
    const char *name;
    double limit; /* over the largest magnitude of a tensor */
};

static inline const void *
find(const struct golden *g, const char *part, int32_t type, int64_t count)
{
    char name[128];
    const void *data;
    const int64_t *shape;
    int64_t n_dims, n = 1;
    int32_t found;

    (void)snprintf(name, sizeof name, "%s/%s", g->name, part);
    ck_assert_msg(fine_tensors_get(g->set, name, &found, &n_dims, &shape, &data) == 0, "%s", name);
    for (int64_t i = 0; i < n_dims; i++)
        n *= shape[i];
    ck_assert_msg(found == type && n == count, "%s: %lld elements", name, (long long)n);
    return data;
}

static inline struct fine__tensor *
leaf(const struct golden *g, const char *part, int64_t rows, int64_t columns)
{
    struct fine__tensor *x = new_leaf(true, rows, columns);

    memcpy(x->data, find(g, part, FINE_F32, x->count), (size_t)x->count * sizeof *x->data);
    return x;
}

static inline void
compare(const char *name, const char *part, const double *right, const float *got, int64_t count,
        double limit)
{
    double largest = 0, off = 0;

    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(right[i]));
        off = fmax(off, fabs((double)got[i] - right[i]));
        if (isnan(got[i]))
            ck_abort_msg("%s: %s: NaN", name, part);
    }
    ck_assert_msg(off <= limit * largest || off == 0, "%s: %s: %.2g off, of %.2g", name, part, off,
                  largest);
}

static inline void
check(const struct golden *g, const char *part, const float *got, int64_t count)
{
    compare(g->name, part, find(g, part, FINE_F64, count), got, count, g->limit);
}

static inline void
check_gradient(const struct golden *g, const char *input, struct fine__tensor *x)
{
    char part[64];

    (void)snprintf(part, sizeof part, "f64.grad.%s", input);
    check(g, part, x->grad, x->count);
    free_leaf(x);
}

static inline bool
open_golden(struct golden *g, const char *path, double limit)
{
    *g = (struct golden){ .limit = limit };
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "skipped: there is no %s\n", path);
        return false;
    }
    ctx = new_context(2);
    ck_assert_int_eq(fine_tensors_open(&g->set, ctx, path), 0);
    return true;
}

static inline void
close_golden(struct golden *g)
{
    fine_tensors_free(g->set);
    free_context(ctx);
}

#endif
