/*
 * tables.h — sets from literal texts, and what is said about bad ones.
 */
#ifndef TABLES_H
#define TABLES_H

#include "runner.h"
#include "data/dataset.h"

static inline struct fine_dataset_options
default_options(void)
{
    struct fine_dataset_options options;

    fine__dataset_defaults(&options);
    return options;
}

/* The name says the format; length -1: that of the string. */
static inline int
parse(fine_dataset **out, fine_context *ctx, const char *name, const char *text, int64_t length,
      const struct fine_dataset_options *options)
{
    struct fine__buf bytes;

    fine__buf_init(&bytes, ctx);
    fine__buf_append(&bytes, text, length < 0 ? strlen(text) : (size_t)length);
    return fine__dataset_parse(out, ctx, name, &bytes, options);
}

static inline fine_dataset *
must_parse(fine_context *ctx, const char *name, const char *text,
           const struct fine_dataset_options *options)
{
    fine_dataset *d = NULL;

    ck_assert_msg(parse(&d, ctx, name, text, -1, options) == 0, "%s", fine_error_message());
    return d;
}

/* Reading fails with FINE_EDATA; all findings, one a line. */
static inline const char *
findings_of(fine_context *ctx, const char *name, const char *text,
            const struct fine_dataset_options *options)
{
    static char all[20000];
    fine_dataset *d = NULL;
    size_t n = 0;

    ck_assert_int_eq(parse(&d, ctx, name, text, -1, options), FINE_EDATA);
    ck_assert_ptr_null(d);
    for (const char *m = fine_error_message(); m != NULL; m = fine_error_next())
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n > 0 ? "\n" : "", m);
    return all;
}

#define assert_contains(text, part) \
    ck_assert_msg(strstr(text, part) != NULL, "'%s' isn't in '%s'", part, text)
#define assert_lacks(text, part) \
    ck_assert_msg(strstr(text, part) == NULL, "'%s' is in '%s'", part, text)

/* "text|label text|label …", with pairs behind a slash. */
static inline const char *
rows_of(const fine_dataset *d)
{
    static char all[4096];
    size_t n = 0;

    all[0] = '\0';
    for (int64_t i = 0; i < d->n_rows; i++) {
        const int64_t label = d->rows[i].label;

        n += (size_t)snprintf(all + n, sizeof all - n, "%s[%s", i > 0 ? " " : "",
                              fine__dataset_text(d, i));
        if (d->has_pairs)
            n += (size_t)snprintf(all + n, sizeof all - n, "/%s", fine__dataset_pair(d, i));
        n += (size_t)snprintf(all + n, sizeof all - n, "|%s]", label >= 0 ? d->labels[label] : "");
    }
    return all;
}

#endif
