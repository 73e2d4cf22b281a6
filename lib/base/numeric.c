/*
 * numeric.c — see numeric.h.
 *
 * uselocale() is per thread, so neither other threads nor setlocale() in them
 * are disturbed. FE_DFL_ENV is round-to-nearest with subnormals and no traps.
 */
#include "base/numeric.h"

void
fine__numeric_enter(struct fine__numeric *saved)
{
    fegetenv(&saved->environment);
    fesetenv(FE_DFL_ENV);
    saved->before = (locale_t)0;
    saved->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (saved->plain != (locale_t)0)
        saved->before = uselocale(saved->plain);
}

void
fine__numeric_leave(struct fine__numeric *saved)
{
    if (saved->plain != (locale_t)0) {
        uselocale(saved->before);
        freelocale(saved->plain);
    }
    fesetenv(&saved->environment);
}
