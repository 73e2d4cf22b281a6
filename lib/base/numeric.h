/*
 * numeric.h — the C locale and the default floating-point environment, for a
 * while and for this thread only.
 *
 * A host may have set a decimal comma, another rounding, flush-to-zero or traps.
 * Between enter and leave none of it is in force, so that results have the same
 * bits everywhere; leave puts everything back. Entry points that compute call
 * it; fine__parallel_for() does so for its tiles.
 */
#ifndef FINE__NUMERIC_H
#define FINE__NUMERIC_H

#include <fenv.h>
#include <locale.h>

struct fine__numeric {
    fenv_t environment;
    locale_t before, plain;
};

void fine__numeric_enter(struct fine__numeric *saved);
void fine__numeric_leave(struct fine__numeric *saved);

#endif
