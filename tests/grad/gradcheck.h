/*
 * gradcheck.h — an op's gradients against central differences, in double.
 *
 * An op's file ends with gc_cases(), compiled only here. For every case the driver
 * compares each element of each input's gradient of Σ cotangent · out, with the input
 * fresh and with a gradient already there; freezes each input in turn and looks that its
 * gradient stays untouched and the others' the same; and looks that with nothing to train
 * nothing is recorded.
 */
#ifndef GRADCHECK_H
#define GRADCHECK_H

#include "tape/tape.h"

typedef struct fine__tensor *(*gc_build)(struct fine__tape *t, struct fine__tensor **in,
                                         const void *arg);

/* A random input: number of dimensions, then so many sizes. */
struct fine__tensor *gc_input(int n_dims, ...);

/* The inputs follow, n_in of them; they are freed. */
void gc_check(const char *name, gc_build build, const void *arg, int n_in, ...);

/* f(x) of one element. */
void gc_value(gc_build build, const void *arg, double x, double expected);

void gc_cases(void);

#endif
