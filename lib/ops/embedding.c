/*
 * embedding — rows of up to three tables, looked up and added: out[i] = Σ table[k][index[k][i]].
 *
 * A table's gradient is live only in the rows that were used (struct fine__rows); a row is
 * zeroed when it is used first. Threads take stretches of columns, so each number is summed
 * over the tokens in their order.
 */
#include <string.h>

#include "base/parallel.h"
#include "ops/op.h"

enum { MAX_TABLES = 3, COLUMNS = 128, ROWS = 64 };

struct job {
    const struct fine__node *n;
    struct fine__tensor *table;
    const int32_t *index;
    int64_t count, width, padding_row;
};

FINE__CLONES static void
look_up(const struct fine__node *n, int64_t tile)
{
    const int64_t width = n->out->shape[1], first = tile * ROWS;
    const int64_t last = first + ROWS < n->out->shape[0] ? first + ROWS : n->out->shape[0];

    for (int64_t i = first; i < last; i++) {
        fine__real *FINE__RESTRICT out = n->out->data + i * width;

        for (int k = 0; k < n->n_in; k++) {
            const int32_t *index = n->index[k];
            const fine__real *row = n->in[k]->data + index[i] * width;

            if (k == 0)
                memcpy(out, row, (size_t)width * sizeof *out);
            else
                for (int64_t j = 0; j < width; j++)
                    out[j] += row[j];
        }
    }
}

static void
look_up_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    look_up(arg, tile);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    fine__parallel_for(t->ctx, (n->out->shape[0] + ROWS - 1) / ROWS, look_up_tile, n);
}

FINE__CLONES static void
add_columns(const struct job *job, int64_t tile)
{
    const int64_t first = tile * COLUMNS;
    const int64_t n = job->width - first < COLUMNS ? job->width - first : COLUMNS;

    for (int64_t i = 0; i < job->count; i++) {
        const fine__real *dy = job->n->out->grad + i * job->width + first;
        fine__real *FINE__RESTRICT grad =
            job->table->grad + job->index[i] * job->width + first;

        if (job->index[i] == job->padding_row)
            continue;
        for (int64_t j = 0; j < n; j++)
            grad[j] += dy[j];
    }
}

static void
add_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    add_columns(arg, tile);
}

/* Rows that come alive in this step start at zero. */
static void
mark_rows(const struct job *job)
{
    struct fine__rows *rows = job->table->rows;

    for (int64_t i = 0; rows != NULL && i < job->count; i++) {
        const int32_t row = job->index[i];

        if (rows->used[row] || row == job->padding_row)
            continue;
        rows->used[row] = 1;
        memset(job->table->grad + row * job->width, 0, (size_t)job->width * sizeof(fine__real));
    }
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    for (int k = 0; k < n->n_in; k++) {
        struct job job = { .n = n, .table = n->in[k], .index = n->index[k],
                           .count = n->out->shape[0], .width = n->out->shape[1],
                           .padding_row = n->size[k] };
        double beta;

        if (fine__grad(t, n->in[k], &beta) == NULL)
            continue;
        if (beta == 0)
            memset(job.table->grad, 0, (size_t)job.table->count * sizeof(fine__real));
        mark_rows(&job);
        fine__parallel_for(t->ctx, (job.width + COLUMNS - 1) / COLUMNS, add_tile, &job);
    }
}

static const struct fine__op op = { "embedding", forward, backward };

struct fine__tensor *
fine__embedding(struct fine__tape *t, int n_tables, struct fine__tensor *const *tables,
                const int32_t *const *index, int64_t n, const int64_t *padding_rows)
{
    struct fine__node node = { .op = &op, .n_in = n_tables };
    const int64_t shape[2] = { n, tables[0]->shape[1] };

    for (int k = 0; k < n_tables && k < MAX_TABLES; k++) {
        node.in[k] = tables[k];
        node.index[k] = index[k];
        node.size[k] = padding_rows[k];
    }
    return fine__apply(t, &node, 2, shape);
}

#ifdef FINE__GRADCHECK
struct use {
    int n_tables;
    int64_t n, padding_rows[3];
    const int32_t *index[3];
};

static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    const struct use *use = arg;

    return fine__embedding(t, use->n_tables, in, use->index, use->n, use->padding_rows);
}

void
gc_cases(void)
{
    static const int32_t a[] = { 3, 0, 3, 1, 6, 2 }, b[] = { 0, 1, 2, 3, 0, 1 }, c[6] = { 0, 1 };
    struct use one = { 1, 6, { -1 }, { a } };
    struct use three = { 3, 6, { -1, -1, -1 }, { a, b, c } };

    gc_check("embedding", build, &one, 1, gc_input(2, 7, 5));
    gc_check("embedding", build, &three, 3, gc_input(2, 7, 130), gc_input(2, 4, 130),
             gc_input(2, 2, 130));
    /* a padding row gets no gradient, so only the other rows can be checked */
    static const int32_t without_pad[] = { 3, 2, 3, 1, 6, 2 };
    struct use padded = { 2, 6, { 0, 4 }, { without_pad, b } };

    gc_check("embedding", build, &padded, 2, gc_input(2, 7, 5), gc_input(2, 5, 5));
}
#endif
