/*
 * schedule.c — constant, linear and cosine with warm-up.
 *
 * Definitions are those of transformers' get_…_schedule_with_warmup (optimization.py):
 * step 0 of a warm-up has rate 0, a share of the steps is rounded up.
 */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static const char *const types[] = {
    [FINE__CONSTANT] = "constant", [FINE__LINEAR] = "linear", [FINE__COSINE] = "cosine"
};

int
fine__schedule_new(fine_schedule **out, fine_context *ctx, const char *type, double warmup,
                   double cycles)
{
    int64_t kind = 0;

    while (kind < FINE__COUNT(types) && strcmp(type, types[kind]) != 0)
        kind++;
    if (kind == FINE__COUNT(types))
        return fine__fail(FINE_EINVAL,
                          "unknown schedule '%s': constant, linear and cosine are "
                          "there",
                          type);
    if (!(warmup >= 0 && warmup <= 1e15) || (warmup >= 1 && warmup != floor(warmup)))
        return fine__fail(FINE_EINVAL, "warmup: a share of all steps from 0 to below 1, or a whole "
                                       "number of steps");
    if (!(cycles >= 0 && cycles <= 1e6))
        return fine__fail(FINE_EINVAL, "cycles: a number from 0 to 1000000; half a cosine is 0.5");
    fine_schedule *schedule = fine__alloc(ctx, sizeof *schedule);

    if (schedule == NULL)
        return FINE_ENOMEM;
    atomic_init(&schedule->references, 1);
    schedule->ctx = fine__context_ref(ctx);
    schedule->kind = (enum fine__schedule_kind)kind;
    schedule->warmup = warmup;
    schedule->cycles = cycles;
    *out = schedule;
    return FINE_OK;
}

fine_schedule *
fine__schedule_ref(fine_schedule *schedule)
{
    if (schedule != NULL)
        atomic_fetch_add(&schedule->references, 1);
    return schedule;
}

void
fine__schedule_unref(fine_schedule *schedule)
{
    if (schedule == NULL || atomic_fetch_sub(&schedule->references, 1) > 1)
        return;
    fine_context *ctx = schedule->ctx;

    fine__free(ctx, schedule);
    fine__context_unref(ctx);
}

const char *
fine__schedule_type(const fine_schedule *schedule)
{
    return types[schedule != NULL ? schedule->kind : FINE__CONSTANT];
}

double
fine__schedule_factor(const fine_schedule *schedule, int64_t step, int64_t n_steps)
{
    if (schedule == NULL)
        return 1;
    const double n = (double)n_steps, at = (double)step;
    const double warmup = schedule->warmup < 1 ? ceil(n * schedule->warmup) : schedule->warmup;

    if (at < warmup)
        return at / fmax(1, warmup);
    const double left = fmax(1, n - warmup);

    switch (schedule->kind) {
    case FINE__LINEAR:
        return fmax(0, (n - at) / left);
    case FINE__COSINE:
        return fmax(0, 0.5 * (1 + cos(3.14159265358979323846 * schedule->cycles * 2 *
                                      ((at - warmup) / left))));
    default:
        return 1;
    }
}
