/* sample.h — the next id, from a row of logits. */
#ifndef FINE__SAMPLE_H
#define FINE__SAMPLE_H

#include "base/context.h"
#include "tensor/real.h"

struct fine__sampling {
    double temperature;             /* 0: the likeliest, the first of equals */
    int64_t top_k;                  /* 0: of all */
    double top_p;                   /* in (0, 1]; 1: of all */
};

/* Two numbers for each of n logits: what fine__sample() works with. */
struct fine__choice {
    double logit;
    int64_t id;
};

/* -1: a logit is not finite. uniform is in [0, 1); scratch holds n. */
int64_t fine__sample(const struct fine__sampling *how, const fine__real *logits, int64_t n,
                     double uniform, struct fine__choice *scratch);

#endif
