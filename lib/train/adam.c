/*
 * adam.c — Adam, whose weight decay is an L2 penalty: added to the gradient.
 *
 * Kingma & Ba, arXiv 1412.6980. The arithmetic is PyTorch's, as in adamw.c.
 */
#include "train/optim.h"

#include <math.h>

static void
prepare(const fine_optimizer *optimizer, int64_t number, double rate, bool decays,
        struct fine__step *out)
{
    fine__rule_adamw.prepare(optimizer, number, rate, decays, out);
    out->decay = decays ? (fine__real)optimizer->weight_decay : 0;
}

FINE__CLONES static void
run(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
    const fine__real *FINE__RESTRICT gradient, fine__real *FINE__RESTRICT first,
    fine__real *FINE__RESTRICT second, int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++) {
        const fine__real g = gradient[i] * s.scale + s.decay * weight[i];
        const fine__real m = first[i] + s.take[0] * (g - first[i]);
        const fine__real v = second[i] * s.keep[1] + s.take[1] * g * g;

        first[i] = m;
        second[i] = v;
        weight[i] -= s.rate * m / (fine__sqrt(v) / s.correction + s.epsilon);
    }
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    run(step, weight, gradient, moment[0], moment[1], count);
}

static int
n_moments(const fine_optimizer *optimizer)
{
    (void)optimizer;
    return 2;
}

const struct fine__rule fine__rule_adam = {
    .name = "adam",
    .moments = { "m", "v" },
    .max_gradient = 1e15,
    .max_moment = { 1e16, 1e31 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_without_decay,
};
