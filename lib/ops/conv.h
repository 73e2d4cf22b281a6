/*
 * conv.h — the parts of conv2d.c: strips of an image, and what is done with them.
 *
 * A strip is a few images, or a few rows of one: what a tile reads. Where the kernel looks
 * over the image's edge, the strip is copied with zeros around it, into memory that stays in
 * the cache; from there on there are no edges.
 */
#ifndef FINE__CONV_H
#define FINE__CONV_H

#include "ops/conv_kernel.h"
#include "tape/tape.h"

/* A walk of a kernel over images: output pixel (i,j) looks at the cells
 * (i stride - top + k, j stride - left + l), k < kernel_height, l < kernel_width. */
struct fine__conv_walk {
    const fine__real *x;            /* (images, height, width, channels) */
    int64_t images, height, width, channels;
    int64_t groups, stride, kernel_height, kernel_width;
    int64_t top, left;              /* may be negative */
    int64_t out_height, out_width;
};

/* The strips of a walk, and how to read in them. */
struct fine__conv_strips {
    struct fine__conv_walk walk;
    int64_t n, images, rows;        /* how many there are; images, or rows of one image, in each */
    int64_t per_image;              /* 1 where a strip is whole images */
    bool copied;                    /* with zeros around */
    int64_t size;                   /* numbers of one strip's copy */
    int64_t image_step, row_step;   /* in the copy, or in x */
    int64_t n_runs, run, *offset;   /* of a patch, for conv_kernel.h */
    fine__real *room;               /* for the copies, `size` for each worker */
};

/* One strip, ready to be read. */
struct fine__conv_strip {
    const fine__real *first;        /* cell (0,0) of the first pixel's patch */
    int64_t image, images, row, rows;   /* of the output */
};

/* Cuts a walk into at least so many strips, if it has them. Where `shared`, many tiles read
 * the same strip, so that all are copied at once. Memory is the tape's; false: it is out. */
bool fine__conv_cut(struct fine__tape *t, const struct fine__conv_walk *walk, int64_t least,
                    bool shared, struct fine__conv_strips *strips);
struct fine__conv_strip fine__conv_strip(const struct fine__conv_strips *strips, int64_t i,
                                         int worker);

/* How `columns` numbers are laid into panels. */
int64_t fine__conv_columns(int64_t columns);    /* with the zeros at the end */
int64_t fine__conv_n_panels(int64_t columns);
const struct fine__conv_kernel *fine__conv_panel(int64_t columns, int64_t panel, int64_t *first,
                                                 int64_t *count);

/* Where the numbers of a weight are: place (a,b,channel) of a patch and column j of group g. */
struct fine__conv_numbers {
    const fine__real *data;
    int64_t a, b, channel, column, group;       /* steps; may be negative */
};

/* to[pixel][column] = bias + Σ over a patch, times the weight. */
struct fine__conv_product {
    struct fine__conv_walk walk;
    struct fine__conv_numbers weight;
    const fine__real *bias;         /* NULL: none */
    int64_t columns;                /* of a group */
    fine__real *to;
    int64_t image_step, row_step, column_step;
    bool add;
};
void fine__conv_multiply(struct fine__tape *t, const struct fine__conv_product *product);

/* dw (O,C/groups,K,L) += (beta 1) or = (0) Σ over pixels of patch times dy (pixels,O). */
void fine__conv_weight_gradient(struct fine__tape *t, const struct fine__conv_walk *walk,
                                int64_t out_channels, const fine__real *dy, double beta,
                                fine__real *dw);

/* The same for as many groups as channels, and one output each. */
void fine__conv_depthwise(struct fine__tape *t, const struct fine__conv_product *product);
void fine__conv_depthwise_gradient(struct fine__tape *t, const struct fine__conv_walk *walk,
                                   const fine__real *dy, double beta, fine__real *dw);

#endif
