/* conv_strips.c — images cut into strips; see conv.h. */
#include "base/parallel.h"
#include "ops/conv.h"

#include <string.h>

enum { ROOM = 1 << 17 };            /* numbers of a strip: half of an ordinary second-level cache */

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Rows and columns that n outputs look at. */
static int64_t
seen_height(const struct fine__conv_walk *w, int64_t n)
{
    return (n - 1) * w->stride + w->kernel_height;
}

static int64_t
seen_width(const struct fine__conv_walk *w)
{
    return (w->out_width - 1) * w->stride + w->kernel_width;
}

/* No look over an edge; and the kernels read whole vectors of places. */
static bool
is_inside(const struct fine__conv_walk *w)
{
    return w->top <= 0 && w->left <= 0 && seen_height(w, w->out_height) - w->top <= w->height &&
           seen_width(w) - w->left <= w->width &&
           w->channels / w->groups % FINE__CONV_PIXELS == 0;
}

/* Rows [first, first + n) of an image's walk, with zeros around. */
static void
copy_rows(const struct fine__conv_walk *w, int64_t image, int64_t first, int64_t n,
          fine__real *to)
{
    const int64_t wide = seen_width(w), channels = w->channels;
    const int64_t begin = w->left < 0 ? 0 : smaller(w->left, wide);
    const int64_t end = smaller(w->width + w->left, wide);
    const size_t number = sizeof *to;

    for (int64_t i = first; i < first + n; i++, to += wide * channels) {
        const int64_t row = i - w->top;

        if (row < 0 || row >= w->height || end <= begin) {
            memset(to, 0, (size_t)(wide * channels) * number);
            continue;
        }
        memset(to, 0, (size_t)(begin * channels) * number);
        memcpy(to + begin * channels,
               w->x + ((image * w->height + row) * w->width + begin - w->left) * channels,
               (size_t)((end - begin) * channels) * number);
        memset(to + end * channels, 0, (size_t)((wide - end) * channels) * number);
    }
}

struct job {
    const struct fine__conv_walk *walk;
    fine__real *to;
    int64_t size;
};

static void
copy_image(void *arg, int64_t image, int worker)
{
    const struct job *job = arg;

    (void)worker;
    copy_rows(job->walk, image, 0, seen_height(job->walk, job->walk->out_height),
              job->to + image * job->size);
}

/* The walk over a copy with zeros around; the copy is read some numbers further than it goes. */
static bool
copy_all(struct fine__tape *t, struct fine__conv_walk *walk)
{
    struct job job = { .walk = walk };

    job.size = seen_height(walk, walk->out_height) * seen_width(walk) * walk->channels;
    job.to = fine__tape_take(t, walk->images * job.size + FINE__CONV_PIXELS);
    if (job.to == NULL)
        return false;
    fine__parallel_for(t->ctx, walk->images, copy_image, &job);
    walk->x = job.to;
    walk->height = seen_height(walk, walk->out_height);
    walk->width = seen_width(walk);
    walk->top = walk->left = 0;
    return true;
}

/* Images, or rows of one, in a strip: as many as there is room for, if that makes enough. */
static void
measure(struct fine__conv_strips *s, int64_t least)
{
    const struct fine__conv_walk *w = &s->walk;
    const int64_t row = seen_width(w) * w->channels;
    const int64_t image = seen_height(w, w->out_height) * row;

    s->images = 1;
    s->rows = w->out_height;
    s->per_image = 1;
    if (image <= ROOM && w->images >= least) {
        s->images = smaller(ROOM / image, up(w->images, least));
    } else {
        const int64_t fit = (ROOM / row - w->kernel_height) / w->stride + 1;

        s->per_image = up(least, w->images);
        s->per_image = smaller(w->out_height, s->per_image);
        if (fit < up(w->out_height, s->per_image))
            s->per_image = fit < 1 ? w->out_height : up(w->out_height, fit);
        s->rows = up(w->out_height, s->per_image);
        if (w->out_width == 1)
            s->rows = up(s->rows, FINE__CONV_PIXELS) * FINE__CONV_PIXELS;
        s->per_image = up(w->out_height, s->rows);
    }
    s->n = up(w->images, s->images) * s->per_image;
    s->size = s->images * seen_height(w, s->rows) * row + FINE__CONV_PIXELS;
}

static bool
list_runs(struct fine__tape *t, struct fine__conv_strips *s)
{
    const struct fine__conv_walk *w = &s->walk;
    const bool whole = w->groups == 1;

    s->n_runs = w->kernel_height * (whole ? 1 : w->kernel_width);
    s->run = w->channels / w->groups * (whole ? w->kernel_width : 1);
    s->offset = fine__arena_take_array(&t->arena, s->n_runs, sizeof *s->offset);
    if (s->offset == NULL) {
        fine__tape_fail(t, FINE_ENOMEM);
        return false;
    }
    for (int64_t i = 0; i < s->n_runs; i++)
        s->offset[i] = whole ? i * s->row_step
                             : i / w->kernel_width * s->row_step +
                                   i % w->kernel_width * w->channels;
    return true;
}

bool
fine__conv_cut(struct fine__tape *t, const struct fine__conv_walk *walk, int64_t least,
               bool shared, struct fine__conv_strips *s)
{
    *s = (struct fine__conv_strips){ .walk = *walk, .copied = !is_inside(walk) };
    if (s->copied && shared) {
        if (!copy_all(t, &s->walk))
            return false;
        s->copied = false;
    }
    measure(s, least);
    s->row_step = (s->copied ? seen_width(walk) : s->walk.width) * walk->channels;
    s->image_step = s->row_step * (s->copied ? seen_height(walk, s->rows) : s->walk.height);
    if (s->copied) {
        s->room = fine__tape_take(t, fine__n_workers(t->ctx) * s->size);
        if (s->room == NULL)
            return false;
    }
    return list_runs(t, s);
}

struct fine__conv_strip
fine__conv_strip(const struct fine__conv_strips *s, int64_t i, int worker)
{
    const struct fine__conv_walk *w = &s->walk;
    struct fine__conv_strip strip = { .image = i / s->per_image * s->images,
                                      .row = i % s->per_image * s->rows };

    strip.images = smaller(s->images, w->images - strip.image);
    strip.rows = smaller(s->rows, w->out_height - strip.row);
    if (s->copied) {
        fine__real *room = s->room + worker * s->size;

        strip.first = room;
        for (int64_t k = 0; k < strip.images; k++)
            copy_rows(w, strip.image + k, strip.row * w->stride, seen_height(w, strip.rows),
                      room + k * s->image_step);
    } else {
        strip.first = w->x + strip.image * s->image_step +
                      (strip.row * w->stride - w->top) * s->row_step - w->left * w->channels;
    }
    return strip;
}
