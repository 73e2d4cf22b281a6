/*
 * sgd.c — stochastic gradient descent with momentum, dampening and Nesterov's step.
 *
 * Weight decay is added to the gradient. Definitions and arithmetic are PyTorch's SGD;
 * the first step's momentum is the gradient itself, undamped.
 */
#include "train/optim.h"

static int
n_moments(const fine_optimizer *optimizer)
{
    return optimizer->momentum > 0 ? 1 : 0;
}

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
    out->rate = (fine__real)rate;
    out->keep[0] = (fine__real)optimizer->momentum;
    out->take[0] = number == 1 ? 1 : (fine__real)(1 - optimizer->dampening);
    out->nesterov = optimizer->nesterov;
}

FINE__CLONES static void
plain(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
      const fine__real *FINE__RESTRICT gradient, int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++)
        weight[i] -= s.rate * (gradient[i] * s.scale + s.decay * weight[i]);
}

FINE__CLONES static void
with_momentum(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
              const fine__real *FINE__RESTRICT gradient, fine__real *FINE__RESTRICT momentum,
              int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++) {
        const fine__real d = gradient[i] * s.scale + s.decay * weight[i];
        const fine__real b = momentum[i] * s.keep[0] + s.take[0] * d;

        momentum[i] = b;
        weight[i] -= s.rate * (s.nesterov ? d + s.keep[0] * b : b);
    }
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    if (moment[0] == NULL)
        plain(step, weight, gradient, count);
    else
        with_momentum(step, weight, gradient, moment[0], count);
}

const struct fine__rule fine__rule_sgd = {
    .name = "sgd",
    .moments = { "momentum", NULL },
    .max_gradient = 1e25,
    .max_moment = { 1e30, 0 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_without_decay,
};
