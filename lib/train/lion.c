/*
 * lion.c — the sign of a mean of gradients, with decoupled weight decay.
 *
 * Chen et al., arXiv 2302.06675, algorithm 2. Every weight moves by the same step, so rates are
 * three to ten times smaller than AdamW's.
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
    out->decay = decays ? (fine__real)(1 - rate * optimizer->weight_decay) : 1;
    out->rate = (fine__real)rate;
    out->keep[0] = (fine__real)optimizer->beta1;
    out->take[0] = (fine__real)(1 - optimizer->beta1);
    out->keep[1] = (fine__real)optimizer->beta2;
    out->take[1] = (fine__real)(1 - optimizer->beta2);
}

FINE__CLONES static void
run(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
    const fine__real *FINE__RESTRICT gradient, fine__real *FINE__RESTRICT mean, int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++) {
        const fine__real g = gradient[i] * s.scale;
        const fine__real c = mean[i] * s.keep[0] + s.take[0] * g;

        weight[i] = weight[i] * s.decay - s.rate * (fine__real)((c > 0) - (c < 0));
        mean[i] = mean[i] * s.keep[1] + s.take[1] * g;
    }
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    run(step, weight, gradient, moment[0], count);
}

const struct fine__rule fine__rule_lion = {
    .name = "lion",
    .moments = { "m" },
    .max_gradient = 1e25,
    .max_moment = { 1e30 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_decays,
};
