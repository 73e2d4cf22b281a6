/*
 * conv_kernel.h — the innermost loops of a convolution, in the form for this processor.
 *
 * Nothing is copied into patches: a kernel sees the numbers of one output pixel as a few
 * runs of memory (a row of the kernel is one run, since channels lie last), each at the same
 * distance from the pixel's first number. Weights come in panels: for each place of a patch
 * the numbers of `wide` output channels.
 */
#ifndef FINE__CONV_KERNEL_H
#define FINE__CONV_KERNEL_H

#include "base/context.h"
#include "tensor/real.h"

enum { FINE__CONV_PIXELS = 8 };     /* at once */

/* to[i] = start + Σ over runs of the run at from[i] + offset[r], times the panel. */
struct fine__conv_pixels {
    const fine__real *from[FINE__CONV_PIXELS];  /* all to be read, also those from n on */
    fine__real *to[FINE__CONV_PIXELS];
    int n;                          /* pixels that are written */
    int64_t columns;                /* of the panel, that are written */
    int64_t n_runs, run;
    const int64_t *offset;
    const fine__real *panel, *start;            /* start NULL: zeros */
    bool add;                       /* to what is there */
};

/* to[i][] = Σ over pixels of from[i] dy[]: eight places of a patch beside each other, times a
 * panel's output channels. dy lies without gaps. */
struct fine__conv_weights {
    const fine__real *from;         /* eight numbers are read */
    int64_t n_images, n_rows, n_columns, image_step, row_step, column_step;
    const fine__real *dy;
    fine__real *to;
    int64_t to_step;
    int n;                          /* of the eight, that are written */
    bool add;
};

struct fine__conv_kernel {
    int64_t columns;                /* of a panel */
    void (*pixels)(const struct fine__conv_pixels *p);
    void (*weights)(const struct fine__conv_weights *p);
};

/* The usual one, and the one for what is left of the columns; they may be the same. */
struct fine__conv_kernels {
    struct fine__conv_kernel wide, narrow;
};

/* What this processor can run, the best first; NULL after the last. */
const struct fine__conv_kernels *fine__conv_kernels_at(int i);
const struct fine__conv_kernels *fine__conv_kernels(void);     /* the best */

#endif
