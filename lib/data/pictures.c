/*
 * pictures.c — rows whose text is the path of a picture: where it lies, and whether it can be
 * seen.
 *
 * A damaged picture is found when the data are read, not in the fortieth epoch. Decoding runs on
 * the pool; a worker's message is lost with its thread, so what failed is done once more by the
 * caller.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "image/image.h"

enum { MAX_FINDINGS = 100 };

char *
fine__dataset_picture(const fine_dataset *d, int64_t row)
{
    const char *path = fine__dataset_text(d, row);

    return d->folder != NULL ? fine__path_join(d->ctx, d->folder, path)
                             : fine__strdup(d->ctx, path);
}

static int
look_at(const fine_dataset *d, int64_t row)
{
    struct fine__image image = { 0 };
    char *path = fine__dataset_picture(d, row);
    int rc = path != NULL ? fine__image_read(&image, d->ctx, path, false) : FINE_ENOMEM;

    fine__image_free(d->ctx, &image);
    fine__free(d->ctx, path);
    return rc;
}

struct job {
    const fine_dataset *d;
    int *codes;
};

static void
look_tile(void *arg, int64_t row, int worker)
{
    const struct job *job = arg;

    (void)worker;
    job->codes[row] = look_at(job->d, row);
}

static int
report(const fine_dataset *d, const int *codes, int64_t n_bad)
{
    struct fine__buf texts;
    int64_t n = 0;
    int rc;

    /* Each look clears the findings, so they are gathered first. */
    fine__buf_init(&texts, d->ctx);
    for (int64_t i = 0; i < d->n_rows && n < MAX_FINDINGS; i++) {
        if (codes[i] == 0)
            continue;
        fine__error_clear();
        if (look_at(d, i) == 0)
            continue;
        if (d->rows[i].line > 0)
            fine__buf_printf(&texts, "%s:%lld: ", d->name, (long long)d->rows[i].line);
        fine__buf_text(&texts, fine_error_message());
        fine__buf_byte(&texts, '\0');
        n++;
    }
    rc = fine__buf_status(&texts);
    fine__error_clear();
    const char *text = texts.data;

    for (int64_t i = 0; rc == 0 && i < n; i++, text += strlen(text) + 1)
        fine__also(FINE_EDATA, "%s", text);
    if (rc == 0 && n_bad > n)
        fine__also(FINE_EDATA, "and %lld more", (long long)(n_bad - n));
    fine__buf_free(&texts);
    return rc < 0 ? rc : FINE_EDATA;
}

static void
leave_out(fine_dataset *d, const int *codes, int64_t n_bad)
{
    int64_t n = 0;

    for (int64_t i = 0; i < d->n_rows; i++)
        if (codes[i] == 0)
            d->rows[n++] = d->rows[i];
    d->n_rows = n;
    d->skipped += n_bad;
    fine__log(d->ctx, FINE_LOG_WARNING, "%s: %lld pictures that cannot be read were skipped, %lld "
              "are left", d->name, (long long)n_bad, (long long)n);
}

int
fine__dataset_check_pictures(fine_dataset *d, bool skip_bad)
{
    struct job job = { .d = d };
    int64_t n_bad = 0;
    int rc = 0;

    job.codes = fine__alloc_array(d->ctx, (size_t)d->n_rows, sizeof *job.codes);
    if (job.codes == NULL)
        return FINE_ENOMEM;
    fine__parallel_for(d->ctx, d->n_rows, look_tile, &job);
    for (int64_t i = 0; i < d->n_rows; i++) {
        n_bad += job.codes[i] != 0;
        if (job.codes[i] == FINE_ENOMEM)
            rc = FINE_ENOMEM;
    }
    if (rc == 0 && n_bad > 0 && skip_bad)
        leave_out(d, job.codes, n_bad);
    else if (rc == 0 && n_bad > 0)
        rc = report(d, job.codes, n_bad);
    fine__free(d->ctx, job.codes);
    return rc;
}
