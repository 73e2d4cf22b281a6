/*
 * pictures.c — from a path to the pixels of a batch.
 *
 * Kept are the bytes of a picture before anything random is done to it: prepared, or whole
 * where training cuts a part of its own out of each. Rows are tiles, and a row is in a batch
 * once, so nobody else touches what a tile keeps.
 */
#include "train/pictures.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

static bool
keeps_whole(const struct fine__pictures *p)
{
    return p->augmentation.crop;
}

/* As it is kept. */
static int
load(const struct fine__pictures *p, int64_t row, struct fine__image *out)
{
    struct fine__image image = { 0 };
    char *path = fine__dataset_picture(p->dataset, row);
    int rc = path != NULL ? fine__image_read(&image, p->ctx, path, true) : FINE_ENOMEM;

    fine__free(p->ctx, path);
    if (rc == 0 && keeps_whole(p)) {
        *out = image;
        return 0;
    }
    if (rc == 0)
        rc = fine__image_fit(out, p->ctx, &image, &p->preparing);
    fine__image_free(p->ctx, &image);
    return rc;
}

static bool
make_room(struct fine__pictures *p, const struct fine__image *image)
{
    const long long bytes = image->width * image->height * FINE__IMAGE_CHANNELS;

    if (atomic_fetch_add(&p->n_kept_bytes, bytes) + bytes <= FINE__KEPT_PICTURES)
        return true;
    atomic_fetch_sub(&p->n_kept_bytes, bytes);
    return false;
}

static int
check_size(const struct fine__pictures *p, int64_t row, const struct fine__image *image)
{
    if (image->width == p->width && image->height == p->height)
        return 0;
    return fine__fail(FINE_EDATA, "'%.200s' gives %lld x %lld pixels, and the first picture gave "
                      "%lld x %lld; set data.image_size", fine__dataset_text(p->dataset, row),
                      (long long)image->width, (long long)image->height, (long long)p->width,
                      (long long)p->height);
}

/* What is kept, or a picture of the caller's own (*is_own). */
static int
take(struct fine__pictures *p, int64_t row, struct fine__image *out, bool *is_own)
{
    *is_own = false;
    if (p->kept[row].pixels == NULL) {
        FINE__TRY(load(p, row, out));
        *is_own = !make_room(p, out);
        if (!*is_own)
            p->kept[row] = *out;
    }
    if (!*is_own)
        *out = p->kept[row];
    return 0;
}

static int
finish_row(const struct fine__filling *f, int64_t i, const struct fine__image *image, uint64_t key)
{
    const struct fine__pictures *p = f->pictures;
    const int64_t count = fine__pictures_count(p);

    FINE__TRY(check_size(p, f->rows[i], image));
    fine__image_to_floats(f->out + i * count, image, &p->levels);
    if (f->augments)
        fine__image_erase(f->out + i * count, p->width, p->height, &p->augmentation, key);
    return 0;
}

static int
fill_row(const struct fine__filling *f, int64_t i)
{
    struct fine__pictures *p = f->pictures;
    const int64_t row = f->rows[i];
    const uint64_t key = fine__rng_key(f->seed, FINE__RNG_AUGMENT, f->epoch, row);
    struct fine__image image, changed = { 0 };
    bool is_own;

    FINE__TRY(take(p, row, &image, &is_own));
    int rc = 0;

    if (f->augments)
        rc = fine__image_augment(&changed, p->ctx, &image, &p->preparing, &p->augmentation, key);
    else if (keeps_whole(p))
        rc = fine__image_fit(&changed, p->ctx, &image, &p->preparing);
    if (rc == 0)
        rc = finish_row(f, i, changed.pixels != NULL ? &changed : &image, key);
    fine__image_free(p->ctx, &changed);
    if (is_own)
        fine__image_free(p->ctx, &image);
    return rc;
}

static void
fill_tile(void *arg, int64_t i, int worker)
{
    const struct fine__filling *f = arg;

    (void)worker;
    f->codes[i] = fill_row(f, i);
}

void
fine__filling_start(struct fine__filling *f)
{
    f->job = (struct fine__background){ .fn = fill_tile, .arg = f, .n_tiles = f->n };
    fine__background_start(f->pictures->ctx, &f->job);
}

/* A worker's message went with its thread: the row is done once more here. */
int
fine__filling_finish(struct fine__filling *f)
{
    const fine_dataset *d = f->pictures->dataset;

    fine__background_finish(&f->job);
    for (int64_t i = 0; i < f->n; i++) {
        if (f->codes[i] == 0)
            continue;
        const int rc = fill_row(f, i);

        if (rc == 0)
            continue;
        if (d->rows[f->rows[i]].line > 0)
            fine__error_prefix("%s:%lld", d->name, (long long)d->rows[f->rows[i]].line);
        else
            fine__error_prefix("'%s', row %lld", d->name, (long long)f->rows[i] + 1);
        return rc == FINE_ENOMEM ? rc : FINE_EDATA;
    }
    return 0;
}

static int
find_size(struct fine__pictures *p)
{
    struct fine__image image = { 0 };
    char *path;
    int rc;

    if (fine__preparing_is_fixed(&p->preparing)) {
        fine__preparing_size(&p->preparing, 1, 1, &p->width, &p->height);
        return 0;
    }
    path = fine__dataset_picture(p->dataset, 0);
    rc = path != NULL ? fine__image_read(&image, p->ctx, path, true) : FINE_ENOMEM;
    fine__free(p->ctx, path);
    if (rc == 0)
        fine__preparing_size(&p->preparing, image.width, image.height, &p->width, &p->height);
    fine__image_free(p->ctx, &image);
    return rc == 0 || rc == FINE_ENOMEM ? rc : FINE_EDATA;
}

int
fine__pictures_new(struct fine__pictures **out, const fine_dataset *dataset,
                   const struct fine__preparing *preparing)
{
    struct fine__pictures *p = fine__alloc(dataset->ctx, sizeof *p);
    int rc = FINE_ENOMEM;

    if (p == NULL)
        return FINE_ENOMEM;
    *p = (struct fine__pictures){ .ctx = dataset->ctx, .dataset = dataset,
                                  .preparing = *preparing };
    atomic_init(&p->n_kept_bytes, 0);
    fine__levels_make(&p->levels, preparing);
    p->kept = fine__alloc_array(p->ctx, (size_t)dataset->n_rows, sizeof *p->kept);
    if (p->kept != NULL)
        rc = find_size(p);
    if (rc < 0) {
        fine__pictures_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

int
fine__pictures_augment(struct fine__pictures *p, const struct fine__augmentation *augmentation)
{
    if (augmentation->crop && !fine__preparing_is_fixed(&p->preparing))
        return fine__fail(FINE_EINVAL, "augmentation: the model's pictures have no fixed size to "
                          "crop to; set data.image_size");
    p->augmentation = *augmentation;
    return 0;
}

void
fine__pictures_free(struct fine__pictures *p)
{
    if (p == NULL)
        return;
    for (int64_t i = 0; p->kept != NULL && i < p->dataset->n_rows; i++)
        fine__image_free(p->ctx, &p->kept[i]);
    fine__free(p->ctx, p->kept);
    fine__free(p->ctx, p);
}

/* ---- one after another ---- */

enum { NUMBERS_AT_A_TIME = 1 << 23, PICTURES_AT_A_TIME = 256 };

static int
open_reader(struct fine__picture_reader *r)
{
    fine_context *ctx = r->pictures->ctx;
    const int64_t count = fine__pictures_count(r->pictures);
    const int64_t fit = NUMBERS_AT_A_TIME / count;

    r->most = fit < 1 ? 1 : fit < PICTURES_AT_A_TIME ? fit : PICTURES_AT_A_TIME;
    r->rows = fine__alloc_array(ctx, (size_t)r->most, sizeof *r->rows);
    r->codes = fine__alloc_array(ctx, (size_t)r->most, sizeof *r->codes);
    r->pixels = fine__alloc_array(ctx, (size_t)(r->most * count), sizeof *r->pixels);
    return r->rows != NULL && r->codes != NULL && r->pixels != NULL ? 0 : FINE_ENOMEM;
}

int64_t
fine__pictures_read(struct fine__picture_reader *r, int64_t first)
{
    struct fine__filling f = { .pictures = r->pictures };
    int64_t n = r->pictures->dataset->n_rows - first;

    if (r->pixels == NULL)
        FINE__TRY(open_reader(r));
    n = n < r->most ? n : r->most;
    for (int64_t i = 0; i < n; i++)
        r->rows[i] = first + i;
    f.rows = r->rows;
    f.n = n;
    f.out = r->pixels;
    f.codes = r->codes;
    if (n <= 0)
        return 0;
    fine__parallel_for(r->pictures->ctx, n, fill_tile, &f);
    FINE__TRY(fine__filling_finish(&f));
    return n;
}

void
fine__picture_reader_free(struct fine__picture_reader *r)
{
    if (r->pictures == NULL)
        return;
    fine__free(r->pictures->ctx, r->rows);
    fine__free(r->pictures->ctx, r->codes);
    fine__free(r->pictures->ctx, r->pixels);
}
