/*
 * adagrad.c — the gradient over the root of the sum of all its squares.
 *
 * Duchi, Hazan & Singer, JMLR 12 (2011). Weight decay is added to the gradient. The arithmetic
 * is PyTorch's.
 */
#include "train/optim.h"

static int
n_moments(const fine_optimizer *optimizer)
{
    (void)optimizer;
    return 1;
}

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    (void)number;
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
    out->rate = (fine__real)rate;
    out->epsilon = (fine__real)optimizer->epsilon;
}

FINE__CLONES static void
run(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
    const fine__real *FINE__RESTRICT gradient, fine__real *FINE__RESTRICT sum, int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++) {
        const fine__real g = gradient[i] * s.scale + s.decay * weight[i];

        sum[i] += g * g;
        weight[i] -= s.rate * g / (fine__sqrt(sum[i]) + s.epsilon);
    }
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    run(step, weight, gradient, moment[0], count);
}

const struct fine__rule fine__rule_adagrad = {
    .name = "adagrad",
    .moments = { "sum" },
    .max_gradient = 1e13, /* billions of steps stay below the limit of the sum */
    .max_moment = { 1e36 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_without_decay,
};
