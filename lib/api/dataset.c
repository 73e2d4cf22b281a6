/*
 * dataset.c — the border of data/: what a caller says is checked here.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include <finetune/dataset.h>

#include "api/options.h"
#include "base/error.h"
#include "data/dataset.h"

static_assert(offsetof(struct fine_dataset_options, header) == 19 * sizeof(void *),
              "fields never move");

/* The struct as it was in 0.1. */
static const size_t v1_size =
    offsetof(struct fine_dataset_options, offsets) + sizeof(const char *);

void
fine_dataset_options_init(struct fine_dataset_options *options, size_t size)
{
    struct fine_dataset_options defaults;

    fine__dataset_defaults(&defaults);
    options_out(options, size, &defaults, sizeof defaults);
}

static int
take_options(struct fine_dataset_options *local, const struct fine_dataset_options *user)
{
    int rc;

    fine__dataset_defaults(local);
    if (user == NULL)
        return 0;
    rc = options_in(local, sizeof *local, user, v1_size);
    if (rc == FINE_EINVAL)
        return fine__fail(rc, "fine_dataset_options: struct_size is wrong; call "
                          "fine_dataset_options_init() first");
    if (rc == FINE_EABI)
        return fine__fail(rc, "fine_dataset_options: fields are in use that this version of the "
                          "library doesn't know; install a newer one");
    return rc;
}

/* Says which argument is NULL. */
static int
is_null(const char *function, const char *what)
{
    return fine__fail(FINE_EINVAL, "%s: %s is NULL", function, what);
}

int
fine_dataset_open(fine_dataset **out, fine_context *context, const char *path,
                  const struct fine_dataset_options *options)
{
    struct fine_dataset_options local;

    if (out == NULL || context == NULL || path == NULL)
        return is_null("fine_dataset_open", out == NULL       ? "out"
                                            : context == NULL ? "context"
                                                              : "path");
    FINE__TRY(take_options(&local, options));
    return fine__dataset_open(out, context, path, &local);
}

int
fine_dataset_new(fine_dataset **out, fine_context *context,
                 const struct fine_dataset_options *options)
{
    struct fine_dataset_options local;

    if (out == NULL || context == NULL)
        return is_null("fine_dataset_new", out == NULL ? "out" : "context");
    FINE__TRY(take_options(&local, options));
    return fine__dataset_new(out, context, &local);
}

int
fine_dataset_add(fine_dataset *dataset, const char *text, const char *pair, const char *label,
                 const char *group)
{
    if (dataset == NULL || text == NULL)
        return is_null("fine_dataset_add", dataset == NULL ? "dataset" : "text");
    return fine__dataset_add(dataset, text, pair, label, group);
}

/* An array of n_rows rows of `length` (0: one-dimensional) elements of that type. */
static int
get_array(const void **out, const fine_tensors *tensors, const char *name, int32_t type,
          int64_t n_rows, int64_t length)
{
    const int64_t *shape;
    const void *data;
    int64_t n_dims;
    int32_t is;
    bool fits;

    if (fine_tensors_get(tensors, name, &is, &n_dims, &shape, &data) < 0)
        return fine__fail(FINE_EDATA, "'%s' is missing; give input_ids and attention_mask", name);
    if (is != type)
        return fine__fail(FINE_EDATA, "'%s' must hold %s", name,
                          type == FINE_I64 ? "64-bit integers (I64)" : "32-bit reals (F32)");
    if (length > 0)
        fits = n_dims == 2 && shape[0] == n_rows && shape[1] == length;
    else   /* a trailing 1 is common for regressions */
        fits = (n_dims == 1 || (n_dims == 2 && shape[1] == 1)) && shape[0] == n_rows;
    if (!fits)
        return fine__fail(FINE_EDATA, "'%s' doesn't have the shape that goes with input_ids' "
                          "(%lld, …)", name, (long long)n_rows);
    *out = data;
    return 0;
}

static bool
has(const fine_tensors *tensors, const char *name, int32_t *type)
{
    return fine_tensors_get(tensors, name, type, NULL, NULL, NULL) == FINE_OK;
}

static int
get_arrays(struct fine__encoded *e, const fine_tensors *tensors)
{
    const int64_t *shape;
    const void *data;
    int64_t n_dims;
    int32_t type;

    if (fine_tensors_get(tensors, "input_ids", NULL, &n_dims, &shape, NULL) < 0)
        return fine__fail(FINE_EDATA, "'input_ids' is missing; give input_ids and attention_mask");
    if (n_dims != 2)
        return fine__fail(FINE_EDATA, "'input_ids' has %lld dimensions, but must have 2, (rows, "
                          "tokens)", (long long)n_dims);
    e->n_rows = shape[0];
    e->length = shape[1];
    FINE__TRY(get_array(&data, tensors, "input_ids", FINE_I64, e->n_rows, e->length));
    e->ids = data;
    FINE__TRY(get_array(&data, tensors, "attention_mask", FINE_I64, e->n_rows, e->length));
    e->mask = data;
    if (has(tensors, "token_type_ids", &type)) {
        FINE__TRY(get_array(&data, tensors, "token_type_ids", FINE_I64, e->n_rows, e->length));
        e->types = data;
    }
    if (has(tensors, "labels", &type)) {
        const bool regress = type == FINE_F32;

        FINE__TRY(get_array(&data, tensors, "labels", regress ? FINE_F32 : FINE_I64, e->n_rows, 0));
        e->values = regress ? data : NULL;
        e->labels = regress ? NULL : data;
    }
    return 0;
}

int
fine_dataset_new_encoded(fine_dataset **out, fine_context *context, const fine_tensors *tensors)
{
    struct fine__encoded encoded = { .ids = NULL };

    if (out == NULL || context == NULL || tensors == NULL)
        return is_null("fine_dataset_new_encoded", out == NULL       ? "out"
                                                   : context == NULL ? "context"
                                                                     : "tensors");
    FINE__TRY(get_arrays(&encoded, tensors));
    return fine__dataset_new_encoded(out, context, &encoded);
}

int
fine_dataset_split(fine_dataset **rest_out, fine_dataset **held_out_out, fine_dataset *dataset,
                   double share, int64_t seed)
{
    if (rest_out == NULL || held_out_out == NULL || dataset == NULL)
        return is_null("fine_dataset_split", rest_out == NULL       ? "rest_out"
                                             : held_out_out == NULL ? "held_out_out"
                                                                    : "dataset");
    return fine__dataset_split(rest_out, held_out_out, dataset, share, seed);
}

void
fine_dataset_free(fine_dataset *dataset)
{
    fine__dataset_unref(dataset);
}

int64_t
fine_dataset_count(const fine_dataset *dataset)
{
    return dataset != NULL ? dataset->n_rows : 0;
}

int64_t
fine_dataset_skipped(const fine_dataset *dataset)
{
    return dataset != NULL ? dataset->skipped : 0;
}

const char *
fine_dataset_text(const fine_dataset *dataset, int64_t row)
{
    return dataset != NULL ? fine__dataset_text(dataset, row) : NULL;
}

const char *
fine_dataset_text_pair(const fine_dataset *dataset, int64_t row)
{
    return dataset != NULL ? fine__dataset_pair(dataset, row) : NULL;
}

const char *
fine_dataset_group(const fine_dataset *dataset, int64_t row)
{
    return dataset != NULL ? fine__dataset_group(dataset, row) : NULL;
}

static bool
has_row(const fine_dataset *dataset, int64_t row)
{
    return dataset != NULL && row >= 0 && row < dataset->n_rows;
}

int64_t
fine_dataset_label(const fine_dataset *dataset, int64_t row)
{
    return has_row(dataset, row) ? dataset->rows[row].label : -1;
}

double
fine_dataset_value(const fine_dataset *dataset, int64_t row)
{
    return has_row(dataset, row) ? dataset->rows[row].value : (double)NAN;
}

int64_t
fine_dataset_n_labels(const fine_dataset *dataset)
{
    return dataset != NULL ? dataset->n_labels : 0;
}

const char *
fine_dataset_label_name(const fine_dataset *dataset, int64_t label)
{
    return dataset != NULL && label >= 0 && label < dataset->n_labels ? dataset->labels[label]
                                                                      : NULL;
}

const char *
fine_dataset_describe(fine_dataset *dataset)
{
    if (dataset == NULL) {
        is_null("fine_dataset_describe", "dataset");
        return NULL;
    }
    return fine__dataset_describe(dataset);
}
