/* schedule.h — the learning rate as a pure function of the step. */
#ifndef FINE__SCHEDULE_H
#define FINE__SCHEDULE_H

#include <stdatomic.h>

#include "base/context.h"
#include <finetune/train.h>

enum fine__schedule_kind {
    FINE__CONSTANT, FINE__LINEAR, FINE__COSINE, FINE__COSINE_RESTARTS, FINE__POLYNOMIAL,
    FINE__INVERSE_SQRT, FINE__WARMUP_STABLE_DECAY, FINE__ONE_CYCLE, FINE__SLANTED_TRIANGULAR
};

struct fine_schedule {
    atomic_int references;
    fine_context *ctx;
    enum fine__schedule_kind kind;
    double warmup, cycles, power, end, decay;
    int64_t restarts;
};

/* FINE_EINVAL for an unknown type, or options out of range. */
int fine__schedule_new(fine_schedule **out, fine_context *ctx, const char *type,
                       const struct fine_schedule_options *options);
fine_schedule *fine__schedule_ref(fine_schedule *schedule);
void fine__schedule_unref(fine_schedule *schedule);
const char *fine__schedule_type(const fine_schedule *schedule); /* NULL: "constant" */
double fine__schedule_factor(const fine_schedule *schedule, int64_t step, int64_t n_steps);

#endif
