/*
 * lamb.c — Adam's step, made as long as the tensor it changes.
 *
 * You et al., arXiv 1904.00962 (v5), algorithm 2, bias-corrected; the size of a tensor is its
 * 2-norm, and a tensor or step of zeros gets the plain step. Norms are summed in double.
 */
#include "train/optim.h"

#include <math.h>

static int
n_moments(const fine_optimizer *optimizer)
{
    (void)optimizer;
    return 2;
}

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
    out->rate = (fine__real)rate;
    out->keep[0] = (fine__real)(1 / (1 - pow(optimizer->beta1, (double)number)));
    out->take[0] = (fine__real)(1 - optimizer->beta1);
    out->keep[1] = (fine__real)optimizer->beta2;
    out->take[1] = (fine__real)(1 - optimizer->beta2);
    out->correction = (fine__real)sqrt(1 - pow(optimizer->beta2, (double)number));
    out->epsilon = (fine__real)optimizer->epsilon;
}

static inline fine__real
direction(const struct fine__step *s, fine__real weight, fine__real m, fine__real v)
{
    return m * s->keep[0] / (fine__sqrt(v) / s->correction + s->epsilon) + s->decay * weight;
}

static void
apply_whole(const struct fine__step *step, const struct fine__tensor *tensor,
            fine__real *const *moment)
{
    const struct fine__step s = *step;
    fine__real *weight = tensor->data, *first = moment[0], *second = moment[1];
    double weights = 0, steps = 0;

    for (int64_t i = 0; i < tensor->count; i++) {
        const fine__real g = tensor->grad[i] * s.scale;

        first[i] += s.take[0] * (g - first[i]);
        second[i] = second[i] * s.keep[1] + s.take[1] * g * g;
        const double d = (double)direction(&s, weight[i], first[i], second[i]);

        weights += (double)weight[i] * (double)weight[i];
        steps += d * d;
    }
    const double trust = weights > 0 && steps > 0 ? sqrt(weights / steps) : 1;
    const fine__real rate = (fine__real)((double)s.rate * trust);

    for (int64_t i = 0; i < tensor->count; i++)
        weight[i] -= rate * direction(&s, weight[i], first[i], second[i]);
}

const struct fine__rule fine__rule_lamb = {
    .name = "lamb",
    .moments = { "m", "v" },
    .max_gradient = 1e15,
    .max_moment = { 1e16, 1e31 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply_whole = apply_whole,
};
