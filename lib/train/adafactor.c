/*
 * adafactor.c — Adam's second moment kept as one number a row and one a column.
 *
 * Shazeer & Stern, arXiv 1804.04235; defaults and arithmetic are those of transformers'
 * Adafactor. Of a tensor of more than two dimensions the last two are factored, for each place
 * in the others; vectors keep a number for each element. With relative_step the step's size is
 * min(0.01, 1/√t) times the rate (a rate of 1 is as published).
 */
#include "train/optim.h"

#include <math.h>

enum { ROW, COLUMN, FIRST };

static const double tiny = 1e-30;       /* added to squares */

struct shape {
    int64_t n_matrices, rows, columns;
    bool factored;
};

static struct shape
shape_of(const struct fine__tensor *tensor)
{
    struct shape shape = { 1, 1, tensor->count, tensor->n_dims >= 2 };

    if (shape.factored) {
        shape.rows = tensor->shape[tensor->n_dims - 2];
        shape.columns = tensor->shape[tensor->n_dims - 1];
        shape.n_matrices = tensor->count / (shape.rows * shape.columns);
    }
    return shape;
}

static int
n_moments(const fine_optimizer *optimizer)
{
    return optimizer->beta1 > 0 ? FIRST + 1 : COLUMN + 1;
}

static int64_t
moment_count(const fine_optimizer *optimizer, const struct fine__tensor *tensor, int m)
{
    const struct shape shape = shape_of(tensor);

    (void)optimizer;
    if (m == FIRST || (m == ROW && !shape.factored))
        return tensor->count;
    if (m == ROW)
        return shape.n_matrices * shape.rows;
    return shape.factored ? shape.n_matrices * shape.columns : 0;
}

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    const double t = (double)number;
    const double keep = 1 - pow(t, -0.8);

    if (optimizer->relative_step)
        rate *= fmin(optimizer->warmup_init ? 1e-6 * t : 1e-2, 1 / sqrt(t));
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
    out->rate = (fine__real)rate;
    out->keep[ROW] = (fine__real)keep;
    out->take[ROW] = (fine__real)(1 - keep);
    out->keep[FIRST] = (fine__real)optimizer->beta1;
    out->take[FIRST] = (fine__real)(1 - optimizer->beta1);
    out->scale_floor = optimizer->scale_parameter ? (fine__real)1e-3 : 0;
    out->clip_threshold = 1;
}

/* Means of squares along rows and columns of one matrix into the running ones. */
static void
take_squares(const struct fine__step *s, const struct shape *shape, const fine__real *gradient,
             fine__real *row, fine__real *column)
{
    for (int64_t j = 0; j < shape->columns; j++)
        column[j] *= s->keep[ROW];
    for (int64_t i = 0; i < shape->rows; i++) {
        const fine__real *g = gradient + i * shape->columns;
        double sum = 0;

        for (int64_t j = 0; j < shape->columns; j++) {
            const double square =
                (double)g[j] * (double)s->scale * ((double)g[j] * (double)s->scale) + tiny;

            sum += square;
            column[j] += s->take[ROW] * (fine__real)(square / (double)shape->rows);
        }
        row[i] = row[i] * s->keep[ROW] + s->take[ROW] * (fine__real)(sum / (double)shape->columns);
    }
}

static double
mean_of(const fine__real *values, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)values[i];
    return sum / (double)n;
}

/* What the gradient is multiplied by, all but its column's part. */
static double
row_factor(const fine__real *row, double mean)
{
    return 1 / sqrt((double)*row / mean);
}

struct walk {
    const struct fine__step *step;
    const struct fine__tensor *tensor;
    struct shape shape;
    const fine__real *row, *column;
    fine__real *first;
    double clip, rate;
};

/* Every element's update: summed as squares, or done. */
static double
walk(const struct walk *w, bool done)
{
    const struct fine__step *s = w->step;
    const int64_t rows = w->shape.rows, columns = w->shape.columns;
    double squares = 0;

    for (int64_t k = 0; k < w->shape.n_matrices; k++) {
        const fine__real *row = w->row + k * rows, *column = w->column + k * columns;
        const double mean = w->shape.factored ? mean_of(row, rows) : 1;

        for (int64_t i = 0; i < rows; i++) {
            const double factor = w->shape.factored ? row_factor(&row[i], mean) : 1;
            const int64_t at = (k * rows + i) * columns;

            for (int64_t j = 0; j < columns; j++) {
                const double v = (double)(w->shape.factored ? column[j] : w->row[j]);
                const double u =
                    (double)w->tensor->grad[at + j] * (double)s->scale * factor / sqrt(v);

                if (!done) {
                    squares += u * u;
                    continue;
                }
                fine__real *weight = &w->tensor->data[at + j];
                fine__real move = (fine__real)(u / w->clip * w->rate);

                if (w->first != NULL) {
                    w->first[at + j] =
                        w->first[at + j] * s->keep[FIRST] + s->take[FIRST] * move;
                    move = w->first[at + j];
                }
                *weight -= (fine__real)((double)*weight * (double)s->decay * w->rate);
                *weight -= move;
            }
        }
    }
    return squares;
}

static void
apply_whole(const struct fine__step *step, const struct fine__tensor *tensor,
            fine__real *const *moment)
{
    struct walk w = { .step = step, .tensor = tensor, .shape = shape_of(tensor),
                      .row = moment[ROW], .column = moment[COLUMN], .first = moment[FIRST],
                      .rate = (double)step->rate };
    const struct shape *shape = &w.shape;
    const double n = (double)tensor->count;
    double squares = 0;

    for (int64_t i = 0; step->scale_floor > 0 && i < tensor->count; i++)
        squares += (double)tensor->data[i] * (double)tensor->data[i];
    if (step->scale_floor > 0)
        w.rate *= fmax((double)step->scale_floor, sqrt(squares / n));
    if (shape->factored) {
        for (int64_t k = 0; k < shape->n_matrices; k++)
            take_squares(step, shape, tensor->grad + k * shape->rows * shape->columns,
                         moment[ROW] + k * shape->rows, moment[COLUMN] + k * shape->columns);
    } else {
        w.column = w.row;
        for (int64_t i = 0; i < tensor->count; i++) {
            const fine__real g = tensor->grad[i] * step->scale;

            moment[ROW][i] = moment[ROW][i] * step->keep[ROW] +
                             step->take[ROW] * (g * g + (fine__real)tiny);
        }
    }
    w.clip = fmax(1, sqrt(walk(&w, false) / n) / step->clip_threshold);
    walk(&w, true);
}

const struct fine__rule fine__rule_adafactor = {
    .name = "adafactor",
    .moments = { "row", "column", "m" },
    .max_gradient = 1e15,
    .max_moment = { 1e31, 1e31, 1e30 },
    .n_moments = n_moments,
    .moment_count = moment_count,
    .prepare = prepare,
    .apply_whole = apply_whole,
};
