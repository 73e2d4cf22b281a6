/*
 * distill — Σ over rows of T² KL(softmax(teacher / T) ‖ softmax(x / T)): learning from another
 * model's logits. T² keeps gradients as large as at T = 1. Hinton, Vinyals & Dean, arXiv
 * 1503.02531.
 */
#include "ops/op.h"

#include <math.h>

/* log Σ e^(logit / T) of a row of the student's (reals) or the teacher's (floats). */
static double
log_sum(const fine__real *student, const float *teacher, int64_t n, double temperature)
{
    double largest = -HUGE_VAL, sum = 0;

    for (int64_t j = 0; j < n; j++)
        largest = fmax(largest, student != NULL ? (double)student[j] : (double)teacher[j]);
    for (int64_t j = 0; j < n; j++)
        sum += exp(((student != NULL ? (double)student[j] : (double)teacher[j]) - largest) /
                   temperature);
    return largest / temperature + log(sum);
}

static void
forward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const double temperature = n->arg[0];
    double loss = 0;

    (void)t;
    for (int64_t i = 0; i < rows; i++) {
        const fine__real *row = n->in[0]->data + i * width;
        const float *teacher = (const float *)n->index[0] + i * width;
        const double all = log_sum(row, NULL, width, temperature);
        const double taught = log_sum(NULL, teacher, width, temperature);

        for (int64_t j = 0; j < width; j++) {
            const double log_q = (double)teacher[j] / temperature - taught;

            loss += exp(log_q) * (log_q - ((double)row[j] / temperature - all));
        }
    }
    n->out->data[0] = (fine__real)(loss * temperature * temperature);
}

static void
backward(struct fine__tape *t, struct fine__node *n)
{
    const int64_t rows = n->in[0]->shape[0], width = n->in[0]->shape[1];
    const double temperature = n->arg[0], seed = (double)n->out->grad[0] * temperature;
    double beta;
    fine__real *dx = fine__grad(t, n->in[0], &beta);

    for (int64_t i = 0; dx != NULL && i < rows; i++) {
        const fine__real *row = n->in[0]->data + i * width;
        const float *teacher = (const float *)n->index[0] + i * width;
        const double all = log_sum(row, NULL, width, temperature);
        const double taught = log_sum(NULL, teacher, width, temperature);

        for (int64_t j = 0; j < width; j++) {
            const double d = exp((double)row[j] / temperature - all) -
                             exp((double)teacher[j] / temperature - taught);
            fine__real *to = &dx[i * width + j];

            *to = (fine__real)((beta == 0 ? 0 : (double)*to) + seed * d);
        }
    }
}

static const struct fine__op op = { "distill", forward, backward };

struct fine__tensor *
fine__distill(struct fine__tape *t, struct fine__tensor *logits, const float *teacher,
              double temperature)
{
    const struct fine__node n = { .op = &op, .in = { logits }, .n_in = 1, .arg = { temperature },
                                  .index = { teacher } };
    const int64_t shape[1] = { 1 };

    return fine__apply(t, &n, 1, shape);
}

#ifdef FINE__GRADCHECK
static struct fine__tensor *
build(struct fine__tape *t, struct fine__tensor **in, const void *arg)
{
    return fine__distill(t, in[0], arg, 2);
}

void
gc_cases(void)
{
    static const float teacher[] = { 1, -2, 0.5f, 0, 3, 1, -0.5f, 0.25f, 0.75f, 0, 2, -1 };

    gc_check("distill", build, teacher, 1, gc_input(2, 4, 3));
}
#endif
