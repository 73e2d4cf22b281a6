/*
 * rmsprop.c — the gradient over the root of its running mean square; centred and with
 * momentum where asked for.
 *
 * Hinton's lecture 6e; centred: Graves, arXiv 1308.0850. Weight decay is added to the
 * gradient. The arithmetic is PyTorch's.
 */
#include "train/optim.h"

enum { SQUARE, MEAN, MOMENTUM };

static int
n_moments(const fine_optimizer *optimizer)
{
    return optimizer->momentum > 0 ? MOMENTUM + 1 : optimizer->centered ? MEAN + 1 : SQUARE + 1;
}

static int64_t
moment_count(const fine_optimizer *optimizer, const struct fine__tensor *tensor, int m)
{
    return m == MEAN && !optimizer->centered ? 0 : tensor->count;
}

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    (void)number;
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
    out->rate = (fine__real)rate;
    out->keep[SQUARE] = (fine__real)optimizer->alpha;
    out->take[SQUARE] = (fine__real)(1 - optimizer->alpha);
    out->keep[MOMENTUM] = (fine__real)optimizer->momentum;
    out->epsilon = (fine__real)optimizer->epsilon;
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    const struct fine__step s = *step;
    fine__real *square = moment[SQUARE], *mean = moment[MEAN], *momentum = moment[MOMENTUM];

    for (int64_t i = 0; i < count; i++) {
        const fine__real g = gradient[i] * s.scale + s.decay * weight[i];
        fine__real v = square[i] * s.keep[SQUARE] + s.take[SQUARE] * g * g;

        square[i] = v;
        if (mean != NULL) {
            mean[i] += s.take[SQUARE] * (g - mean[i]);
            v -= mean[i] * mean[i];
            v = v > 0 ? v : 0; /* rounding */
        }
        const fine__real d = g / (fine__sqrt(v) + s.epsilon);

        if (momentum != NULL)
            momentum[i] = momentum[i] * s.keep[MOMENTUM] + d;
        weight[i] -= s.rate * (momentum != NULL ? momentum[i] : d);
    }
}

const struct fine__rule fine__rule_rmsprop = {
    .name = "rmsprop",
    .moments = { "square", "mean", "momentum" },
    .max_gradient = 1e15,
    .max_moment = { 1e31, 1e16, 1e30 },
    .n_moments = n_moments,
    .moment_count = moment_count,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_without_decay,
};
