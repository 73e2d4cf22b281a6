/*
 * tables.c — where the model is right and where not: confusion and labels.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/page.h"

#define MATRIX_MAX 30           /* labels that a matrix shows; beyond, the worst pairs */
#define PAIRS_SHOWN 20
#define CLASSES_SHOWN 30        /* the rest folds away */

static int64_t
cell(const struct fine__json *confusion, int64_t truth, int64_t predicted)
{
    return fine__count_of(fine__json_at(fine__json_at(confusion, truth), predicted));
}

static void
put_label(struct fine__buf *out, const struct fine__report_data *data,
          const struct fine__json *metrics, int64_t label)
{
    char scratch[32];

    fine__html_text(out, fine__report_label(data, metrics, label, scratch));
}

/* ---- confusion ---- */

static void
put_matrix_row(struct fine__buf *out, const struct fine__report_data *data,
               const struct fine__json *metrics, int64_t truth)
{
    const struct fine__json *confusion = fine__json_get(metrics, "confusion");
    const int64_t n = fine__json_count(confusion), rows = fine__rows_of(confusion, truth);

    fine__buf_text(out, "<tr><th scope=\"row\">");
    put_label(out, data, metrics, truth);
    fine__buf_text(out, "</th>");
    for (int64_t j = 0; j < n; j++) {
        const int64_t count = cell(confusion, truth, j);
        const double share = rows > 0 ? (double)count / (double)rows : 0;

        fine__buf_printf(out, "<td class=\"%s%s\" style=\"--v:", j == truth ? "hit" : "miss",
                         share > 0.55 ? " deep" : count == 0 ? " nil" : "");
        fine__put_fixed(out, share, 3);
        fine__buf_text(out, "\" title=\"");
        fine__put_fixed(out, share * 100, 1);
        fine__buf_text(out, " % of ");
        put_label(out, data, metrics, truth);
        fine__buf_text(out, "\">");
        fine__put_count(out, count);
        fine__buf_text(out, "</td>");
    }
    fine__buf_text(out, "<td class=\"sum\">");
    fine__put_count(out, rows);
    fine__buf_text(out, "</td></tr>\n");
}

static void
put_matrix(struct fine__buf *out, const struct fine__report_data *data,
           const struct fine__json *metrics)
{
    const int64_t n = fine__json_count(fine__json_get(metrics, "confusion"));

    fine__buf_text(out, "<p class=\"lead\">Rows are the truth, columns what was predicted; the "
                        "shade is the share of the row.</p><div class=\"scroll\">"
                        "<table class=\"matrix\"><thead><tr><td></td>");
    for (int64_t j = 0; j < n; j++) {
        fine__buf_printf(out, "<th scope=\"col\"%s><span>", n > 6 ? " class=\"up\"" : "");
        put_label(out, data, metrics, j);
        fine__buf_text(out, "</span></th>");
    }
    fine__buf_printf(out, "<th scope=\"col\"%s><span>rows</span></th></tr></thead><tbody>\n",
                     n > 6 ? " class=\"up\"" : "");
    for (int64_t i = 0; i < n; i++)
        put_matrix_row(out, data, metrics, i);
    fine__buf_text(out, "</tbody></table></div>\n");
}

struct mistake {
    int64_t truth, predicted, count, rows;      /* rows: of that truth; -1: not known */
};

/* Keeps the most frequent, in order; equal ones in the order they came. */
static void
keep(struct mistake *worst, int64_t *n, struct mistake one)
{
    int64_t place = *n;

    while (place > 0 && worst[place - 1].count < one.count)
        place--;
    if (place == PAIRS_SHOWN)
        return;
    if (*n < PAIRS_SHOWN)
        (*n)++;
    memmove(worst + place + 1, worst + place, (size_t)(*n - 1 - place) * sizeof *worst);
    worst[place] = one;
}

static int64_t
worst_mistakes(const struct fine__json *metrics, struct mistake worst[PAIRS_SHOWN])
{
    const struct fine__json *confusion = fine__json_get(metrics, "confusion"),
                            *pairs = fine__json_get(metrics, "confusion_pairs");
    const int64_t n_labels = fine__json_count(confusion), n_pairs = fine__json_count(pairs);
    int64_t n = 0;

    for (int64_t i = 0; i < n_labels; i++) {
        const int64_t rows = fine__rows_of(confusion, i);
        const struct fine__json *row = fine__json_at(confusion, i);

        for (int64_t j = 0; j < n_labels; j++) {
            const int64_t count = fine__count_of(fine__json_at(row, j));

            if (i != j && count > 0)
                keep(worst, &n, (struct mistake){ i, j, count, rows });
        }
    }
    for (int64_t i = 0; i < n_pairs; i++) {
        const struct fine__json *pair = fine__json_at(pairs, i);
        const int64_t count = fine__count_of(fine__json_at(pair, 2));

        if (count > 0)
            keep(worst, &n, (struct mistake){ fine__json_int(fine__json_at(pair, 0), -1),
                                              fine__json_int(fine__json_at(pair, 1), -1), count,
                                              -1 });
    }
    return n;
}

static void
put_pairs(struct fine__buf *out, const struct fine__report_data *data,
          const struct fine__json *metrics)
{
    struct mistake worst[PAIRS_SHOWN];
    const int64_t n = worst_mistakes(metrics, worst);

    if (n == 0) {
        fine__buf_text(out, "<p class=\"lead\">No mistake was made.</p>\n");
        return;
    }
    fine__buf_text(out, "<p class=\"lead\">The most frequent mistakes.</p><div class=\"scroll\">"
                        "<table class=\"list\"><thead><tr><th>Truth</th><th>Predicted</th>"
                        "<th class=\"num\">Rows</th><th class=\"num\">Of the truth</th></tr>"
                        "</thead><tbody>\n");
    for (int64_t i = 0; i < n; i++) {
        fine__buf_text(out, "<tr><td>");
        put_label(out, data, metrics, worst[i].truth);
        fine__buf_text(out, "</td><td>");
        put_label(out, data, metrics, worst[i].predicted);
        fine__buf_text(out, "</td><td class=\"num\">");
        fine__put_count(out, worst[i].count);
        fine__buf_text(out, "</td><td class=\"num\">");
        if (worst[i].rows > 0)
            fine__put_metric(out, "accuracy", (double)worst[i].count / (double)worst[i].rows);
        fine__buf_text(out, "</td></tr>\n");
    }
    fine__buf_text(out, "</tbody></table></div>\n");
}

void
fine__page_confusion(struct fine__buf *out, const struct fine__report_data *data,
                     const struct fine__json *metrics)
{
    const int64_t n = fine__json_count(fine__json_get(metrics, "confusion"));

    if (n == 0 && fine__json_get(metrics, "confusion_pairs") == NULL)
        return;
    fine__buf_text(out, "<section id=\"confusion\"><h2>What is taken for what</h2>\n");
    if (n > 0 && n <= MATRIX_MAX)
        put_matrix(out, data, metrics);
    else
        put_pairs(out, data, metrics);
    fine__buf_text(out, "</section>\n");
}

/* ---- labels ---- */

struct label_score {
    int64_t label, rows;
    double f1;
    const char *name;
};

static void
put_bar(struct fine__buf *out, double share)
{
    fine__buf_text(out, "<span class=\"bar\"><i style=\"width:");
    fine__put_fixed(out, 100 * fmax(0, fmin(1, share)), 1);
    fine__buf_text(out, "%\"></i></span>");
}

static void
put_class_rows(struct fine__buf *out, const struct label_score *scores, int64_t n, bool with_rows)
{
    fine__buf_text(out, "<div class=\"scroll\"><table class=\"list bars\"><thead><tr><th>Label</th>"
                        "<th>F1</th><th class=\"num\"></th>");
    fine__buf_text(out, with_rows ? "<th class=\"num\">Rows</th></tr></thead><tbody>\n"
                                  : "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < n; i++) {
        fine__buf_text(out, "<tr><td>");
        fine__html_text(out, scores[i].name);
        fine__buf_text(out, "</td><td class=\"wide\">");
        put_bar(out, scores[i].f1);
        fine__buf_text(out, "</td><td class=\"num\">");
        fine__put_metric(out, "macro_f1", scores[i].f1);
        if (with_rows) {
            fine__buf_text(out, "</td><td class=\"num\">");
            fine__put_count(out, scores[i].rows);
        }
        fine__buf_text(out, "</td></tr>\n");
    }
    fine__buf_text(out, "</tbody></table></div>\n");
}

/* Worst first; in the order of the labels where equal. */
static void
sort_scores(struct label_score *scores, int64_t n)
{
    for (int64_t gap = n / 2; gap > 0; gap /= 2)    /* Shell: n is a few thousand at most */
        for (int64_t i = gap; i < n; i++) {
            const struct label_score one = scores[i];
            int64_t j = i;

            for (; j >= gap
                   && (scores[j - gap].f1 > one.f1
                       || (scores[j - gap].f1 == one.f1 && scores[j - gap].label > one.label));
                 j -= gap)
                scores[j] = scores[j - gap];
            scores[j] = one;
        }
}

void
fine__page_classes(struct fine__buf *out, const struct fine__report_data *data,
                   const struct fine__json *metrics)
{
    const struct fine__json *classes = fine__json_get(metrics, "per_class_f1"),
                            *confusion = fine__json_get(metrics, "confusion");
    const int64_t n = fine__json_count(classes);
    const bool with_rows = fine__json_count(confusion) == n;
    struct label_score *scores;
    int64_t i = 0;

    if (n == 0 || fine__json_type(classes) != FINE__JSON_OBJECT)
        return;
    scores = fine__alloc_array(data->ctx, (size_t)n, sizeof *scores);
    if (scores == NULL) {
        out->failed = true;
        return;
    }
    for (void *it = fine__json_first(classes); it != NULL && i < n;
         it = fine__json_next(classes, it), i++)
        scores[i] = (struct label_score){ i, with_rows ? fine__rows_of(confusion, i) : -1,
                                          fine__json_double(fine__json_value(it), NAN),
                                          fine__json_key(it) };
    fine__buf_text(out, "<section id=\"labels\"><h2>Label by label</h2>\n");
    if (n <= CLASSES_SHOWN) {
        put_class_rows(out, scores, n, with_rows);
    } else {
        sort_scores(scores, n);
        fine__buf_printf(out, "<p class=\"lead\">The %d labels with the lowest F1.</p>\n",
                         CLASSES_SHOWN);
        put_class_rows(out, scores, CLASSES_SHOWN, with_rows);
        fine__buf_text(out, "<details><summary>All others, from low to high</summary>\n");
        put_class_rows(out, scores + CLASSES_SHOWN, n - CLASSES_SHOWN, with_rows);
        fine__buf_text(out, "</details>\n");
    }
    fine__buf_text(out, "</section>\n");
    fine__free(data->ctx, scores);
}
