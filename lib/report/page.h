/*
 * page.h — the parts of the page, for each other.
 *
 * Everything appends to a buffer whose failure is sticky; whoever owns the buffer
 * asks once at the end. Text from files goes through fine__html_text() or
 * fine__markdown_text(), numbers through fine__put_…: nothing here knows a locale.
 */
#ifndef FINE__PAGE_H
#define FINE__PAGE_H

#include "base/json.h"
#include "report/report.h"

/* ---- text.c ---- */

/* Escaped for content and quoted attributes; broken UTF-8 and control characters
 * become U+FFFD. */
void fine__html_text(struct fine__buf *out, const char *text);
void fine__html_text_n(struct fine__buf *out, const char *text, size_t length);
/* On one line, with everything that Markdown or HTML would take for markup within a line
 * escaped; never to be put at the start of a line. */
void fine__markdown_text(struct fine__buf *out, const char *text);

void fine__put_fixed(struct fine__buf *out, double value, int decimals);      /* "-0.50"; not finite: "–" */
void fine__put_significant(struct fine__buf *out, double value, int digits);  /* "0.0123", "5e-05" */
void fine__put_count(struct fine__buf *out, int64_t value);                   /* "12,345" */
void fine__put_bytes(struct fine__buf *out, double bytes);                    /* "1.3 GB" */
void fine__put_seconds(struct fine__buf *out, double seconds);                /* "4 min 12 s" */
/* value × 10^exponent, exactly. */
void fine__put_scaled(struct fine__buf *out, int64_t value, int exponent);

/* "macro_f1" → "Macro F1"; an unknown name is its own title. Not escaped. */
const char *fine__metric_title(const char *name);
/* Shares as "77.8 %", the rest with three decimals. */
void fine__put_metric(struct fine__buf *out, const char *name, double value);
bool fine__is_share(const char *metric);

/* ---- svg.c ---- */

enum fine__line { FINE__LINE_PLAIN, FINE__LINE_FAINT, FINE__LINE_MARKED };

struct fine__series {
    const char *name;           /* NULL: not in the legend */
    const double *x, *y;        /* y not finite: a gap */
    int64_t n;
    int color;                  /* 0 … 5 */
    enum fine__line line;
};

struct fine__chart {
    const char *title;
    const struct fine__series *series;
    int64_t n_series;
    double mark;                /* x of the best step; NaN: none */
    double low, high;           /* y never goes beyond, NaN: free */
    bool from_zero;             /* y begins at 0 */
};

void fine__svg_chart(struct fine__buf *out, const struct fine__chart *chart);

/* ---- results.c ---- */

/* A count that came from a file, held within [0, 2^40] so that sums cannot overflow. */
int64_t fine__count_of(const struct fine__json *value);
/* Rows of one truth in a confusion matrix; -1: there is no such row. */
int64_t fine__rows_of(const struct fine__json *confusion, int64_t truth);

/* The "metrics" object of a result, which may be that object itself. NULL for NULL. */
const struct fine__json *fine__result_metrics(const struct fine__json *result);

/* The result that the page speaks of: test, else validation, else the best evaluation.
 * *split: "test" or "validation". NULL: nothing was measured. */
const struct fine__json *fine__report_result(const struct fine__report_data *data,
                                             const char **split);

/* Whether a number of `metrics` is 0 because it is not defined. */
bool fine__is_degenerate(const struct fine__json *metrics, const char *name);

/* Name and majority share from a confusion matrix. */
struct fine__majority {
    int64_t label, n;           /* n: rows; 0: there is no matrix */
    double share, macro_f1;
};
struct fine__majority fine__majority(const struct fine__json *metrics);
const char *fine__report_label(const struct fine__report_data *data, const struct fine__json *metrics,
                               int64_t label, char scratch[32]);
/* The score that counts most: data->metric, or the task's first; among `metrics`. NULL: none. */
const char *fine__report_main_metric(const struct fine__report_data *data,
                                     const struct fine__json *metrics);

/* ---- sections; each writes nothing where there is nothing to say ---- */

void fine__page_style(struct fine__buf *out);
int fine__page_curves(struct fine__buf *out, const struct fine__report_data *data);
void fine__page_headline(struct fine__buf *out, const struct fine__report_data *data,
                         const struct fine__json *before);
void fine__page_results(struct fine__buf *out, const struct fine__report_data *data,
                        const struct fine__json *before);
void fine__page_confusion(struct fine__buf *out, const struct fine__report_data *data,
                          const struct fine__json *metrics);
void fine__page_classes(struct fine__buf *out, const struct fine__report_data *data,
                        const struct fine__json *metrics);
void fine__page_groups(struct fine__buf *out, fine_context *ctx, const struct fine__json *result);
void fine__page_data(struct fine__buf *out, const struct fine__json *sets);
void fine__page_facts(struct fine__buf *out, const char *title, const struct fine__json *facts);
void fine__page_recipe(struct fine__buf *out, const char *recipe);

/* A facts object's key ("peak_bytes" → "Peak memory") and value (by its key's ending),
 * not escaped: for `put` to escape. */
void fine__fact_key(struct fine__buf *out, const char *key);
void fine__fact_value(struct fine__buf *out, const char *key, const struct fine__json *value);

#endif
