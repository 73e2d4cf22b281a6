/* real.h — the element type: float, or double in the build that checks gradients. */
#ifndef FINE__REAL_H
#define FINE__REAL_H

#ifdef FINE__DOUBLE
typedef double fine__real;
#else
typedef float fine__real;
#endif

#endif
