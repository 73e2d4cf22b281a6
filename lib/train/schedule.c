/*
 * schedule.c — the learning rate's course: a warm-up, then the kind's own way down.
 *
 * Definitions are those of transformers' optimization.py (step 0 of a warm-up has rate 0, a
 * share of the steps is rounded up), PyTorch's OneCycleLR and ULMFiT's slanted triangle.
 */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static const double pi = 3.14159265358979323846;

static const char *const types[] = {
    [FINE__CONSTANT] = "constant",
    [FINE__LINEAR] = "linear",
    [FINE__COSINE] = "cosine",
    [FINE__COSINE_RESTARTS] = "cosine-restarts",
    [FINE__POLYNOMIAL] = "polynomial",
    [FINE__INVERSE_SQRT] = "inverse-sqrt",
    [FINE__WARMUP_STABLE_DECAY] = "warmup-stable-decay",
    [FINE__ONE_CYCLE] = "one-cycle",
    [FINE__SLANTED_TRIANGULAR] = "slanted-triangular",
};

static int
unknown(fine_context *ctx, const char *type)
{
    struct fine__buf names;
    int rc;

    fine__buf_init(&names, ctx);
    for (int i = 0; i < FINE__COUNT(types); i++)
        fine__buf_printf(&names, "%s%s", i == 0 ? "" : ", ", types[i]);
    rc = fine__buf_status(&names);
    if (rc == FINE_OK)
        rc = fine__fail(FINE_EINVAL, "unknown schedule '%.40s': there are %s", type,
                        fine__buf_cstr(&names));
    fine__buf_free(&names);
    return rc;
}

static bool
is_steps(double steps)
{
    return steps >= 0 && steps <= 1e15 && (steps < 1 || steps == floor(steps));
}

static int
check(const struct fine_schedule_options *o)
{
    if (!is_steps(o->warmup))
        return fine__fail(FINE_EINVAL, "warmup: a share of all steps from 0 to below 1, or a whole "
                                       "number of steps");
    if (!is_steps(o->decay))
        return fine__fail(FINE_EINVAL, "decay: a share of all steps from 0 to below 1, or a whole "
                                       "number of steps");
    if (!(o->cycles >= 0 && o->cycles <= 1e6))
        return fine__fail(FINE_EINVAL, "cycles: a number from 0 to 1000000; half a cosine is 0.5");
    if (!(o->power > 0 && o->power <= 100))
        return fine__fail(FINE_EINVAL, "power: a number above 0, up to 100");
    if (!(o->end >= 0 && o->end <= 1))
        return fine__fail(FINE_EINVAL, "end: a share of the peak rate, from 0 to 1");
    if (o->restarts < 1 || o->restarts > 1000000)
        return fine__fail(FINE_EINVAL, "restarts: from 1 to 1000000");
    return FINE_OK;
}

int
fine__schedule_new(fine_schedule **out, fine_context *ctx, const char *type,
                   const struct fine_schedule_options *options)
{
    int64_t kind = 0;

    while (kind < FINE__COUNT(types) && strcmp(type, types[kind]) != 0)
        kind++;
    if (kind == FINE__COUNT(types))
        return unknown(ctx, type);
    FINE__TRY(check(options));
    fine_schedule *schedule = fine__alloc(ctx, sizeof *schedule);

    if (schedule == NULL)
        return FINE_ENOMEM;
    *schedule = (struct fine_schedule){ .kind = (enum fine__schedule_kind)kind,
                                        .warmup = options->warmup,
                                        .cycles = options->cycles,
                                        .power = options->power,
                                        .end = options->end,
                                        .decay = options->decay,
                                        .restarts = options->restarts };
    atomic_init(&schedule->references, 1);
    schedule->ctx = fine__context_ref(ctx);
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

/* Steps of n that a share, or a number, of steps is. */
static double
steps_of(double given, double n)
{
    return given < 1 ? ceil(n * given) : given;
}

/* From 1 at 0 to 0 at 1. */
static double
half_cosine(double at)
{
    return 0.5 * (1 + cos(pi * at));
}

static double
one_cycle(const fine_schedule *s, double at, double n)
{
    const double low = 1 / 25.0, lowest = low / 1e4;
    const double rise = s->warmup >= 1 ? s->warmup : (s->warmup > 0 ? s->warmup : 0.3) * n;
    const double top = rise - 1, last = n - 1;

    if (at <= top)
        return 1 + (low - 1) * half_cosine(top > 0 ? at / top : 1);
    if (at >= last)
        return lowest;
    return lowest + (1 - lowest) * half_cosine((at - top) / (last - top));
}

static double
slanted(const fine_schedule *s, double at, double n)
{
    const double low = s->end > 0 ? s->end : 1 / 32.0;
    const double share = s->warmup >= 1 ? s->warmup / n : s->warmup > 0 ? s->warmup : 0.1;
    const double cut = fmax(1, floor(n * share));
    const double p = at < cut ? at / cut : 1 - (at - cut) / fmax(1, cut * (1 / share - 1));

    return low + (1 - low) * fmax(0, fmin(1, p));
}

static double
stable_decay(const fine_schedule *s, double at, double n, double warmup)
{
    const double decay = fmin(steps_of(s->decay, n), fmax(0, n - warmup));

    if (at < warmup)
        return s->end + (1 - s->end) * (at / fmax(1, warmup));
    if (at < n - decay)
        return 1;
    return at < n ? s->end + (1 - s->end) * half_cosine((at - (n - decay)) / fmax(1, decay))
                  : s->end;
}

/* After the warm-up; done: the share of the steps after it that are over. */
static double
way_down(const fine_schedule *s, double done, double at, double warmup)
{
    const double peak = fmax(1, warmup);

    switch (s->kind) {
    case FINE__COSINE:
        return fmax(0, 0.5 * (1 + cos(pi * s->cycles * 2 * done)));
    case FINE__COSINE_RESTARTS:
        return done >= 1 ? 0 : half_cosine(fmod((double)s->restarts * done, 1));
    case FINE__POLYNOMIAL:
        return done >= 1 ? s->end : s->end + (1 - s->end) * pow(1 - done, s->power);
    case FINE__INVERSE_SQRT:
        return 1 / sqrt(fmax(1, (at + peak - warmup) / peak));
    default:
        return 1;
    }
}

double
fine__schedule_factor(const fine_schedule *schedule, int64_t step, int64_t n_steps)
{
    if (schedule == NULL)
        return 1;
    const double n = (double)n_steps, at = (double)step;
    const double warmup = steps_of(schedule->warmup, n);

    if (schedule->kind == FINE__ONE_CYCLE)
        return one_cycle(schedule, at, n);
    if (schedule->kind == FINE__SLANTED_TRIANGULAR)
        return slanted(schedule, at, n);
    if (schedule->kind == FINE__WARMUP_STABLE_DECAY)
        return stable_decay(schedule, at, n, warmup);
    if (at < warmup)
        return at / fmax(1, warmup);
    const double left = fmax(1, n - warmup);

    if (schedule->kind == FINE__LINEAR)
        return fmax(0, (n - at) / left);
    return way_down(schedule, (at - warmup) / left, at, warmup);
}
