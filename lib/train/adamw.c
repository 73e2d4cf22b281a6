/*
 * adamw.c — Adam with decoupled weight decay, bias-corrected.
 *
 * Loshchilov & Hutter, arXiv 1711.05101. The arithmetic is PyTorch's, operation by
 * operation in single precision; what a step shares is computed in double first.
 */
#include "train/optim.h"

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
    const double correction1 = 1 - pow(optimizer->beta1, (double)number);
    const double correction2 = 1 - pow(optimizer->beta2, (double)number);

    out->decay = decays ? (fine__real)(1 - rate * optimizer->weight_decay) : 1;
    out->rate = (fine__real)(rate / correction1);
    out->take[0] = (fine__real)(1 - optimizer->beta1);
    out->keep[1] = (fine__real)optimizer->beta2;
    out->take[1] = (fine__real)(1 - optimizer->beta2);
    out->correction = (fine__real)sqrt(correction2);
    out->epsilon = (fine__real)optimizer->epsilon;
}

FINE__CLONES static void
run(const struct fine__step *step, fine__real *FINE__RESTRICT weight,
    const fine__real *FINE__RESTRICT gradient, fine__real *FINE__RESTRICT first,
    fine__real *FINE__RESTRICT second, int64_t count)
{
    const struct fine__step s = *step;

    for (int64_t i = 0; i < count; i++) {
        const fine__real g = gradient[i] * s.scale;
        const fine__real w = weight[i] * s.decay;
        const fine__real m = first[i] + s.take[0] * (g - first[i]);
        const fine__real v = second[i] * s.keep[1] + s.take[1] * g * g;

        first[i] = m;
        second[i] = v;
        weight[i] = w - s.rate * m / (fine__sqrt(v) / s.correction + s.epsilon);
    }
}

static void
apply(const struct fine__step *step, fine__real *weight, const fine__real *gradient,
      fine__real *const *moment, int64_t count)
{
    run(step, weight, gradient, moment[0], moment[1], count);
}

const struct fine__rule fine__rule_adamw = {
    .name = "adamw",
    .moments = { "m", "v" },
    .max_gradient = 1e15, /* its square must be a float, and 1e16 / epsilon too */
    .max_moment = { 1e16, 1e31 },
    .n_moments = n_moments,
    .prepare = prepare,
    .apply = apply,
    .apply_idle = fine__idle_decays,
};
