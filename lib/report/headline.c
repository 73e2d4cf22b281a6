/*
 * headline.c — what a reader must know first: how good, compared with what, how sure.
 *
 * A share of n rows carries its 95 % interval (Wilson 1927, doi
 * 10.1080/01621459.1927.10502953), and stands beside what no model at all would reach.
 */
#include <math.h>
#include <string.h>

#include "report/page.h"

struct interval {
    double low, high;
};

static struct interval
wilson(double share, int64_t n)
{
    const double z = 1.959963984540054, rows = (double)n, zz = z * z / rows;
    const double centre = (share + zz / 2) / (1 + zz);
    const double reach = z / (1 + zz) * sqrt(share * (1 - share) / rows + zz / (4 * rows));

    return (struct interval){ fmax(0, centre - reach), fmin(1, centre + reach) };
}

static double
metric_of(const struct fine__json *metrics, const char *name)
{
    return fine__json_double(fine__json_get(metrics, name), NAN);
}

/* What always giving the most frequent label would score; NaN: not known. */
static double
majority_score(const struct fine__majority *majority, const char *metric)
{
    if (majority->n == 0)
        return NAN;
    if (strcmp(metric, "accuracy") == 0 || strcmp(metric, "micro_f1") == 0)
        return majority->share;
    if (strcmp(metric, "macro_f1") == 0)
        return majority->macro_f1;
    return strcmp(metric, "matthews") == 0 ? 0 : NAN;
}

struct headline {
    const struct fine__report_data *data;
    const struct fine__json *result, *metrics, *before;   /* before: of the same rows, or NULL */
    const char *split;
    struct fine__majority majority;
    int64_t n;
};

static void
open_headline(struct headline *h, const struct fine__report_data *data,
              const struct fine__json *before)
{
    *h = (struct headline){ .data = data };
    h->result = fine__report_result(data, &h->split);
    h->metrics = fine__result_metrics(h->result);
    h->majority = fine__majority(h->metrics);
    h->n = fine__json_int(fine__json_get(h->result, "n"), h->majority.n);
    h->before = fine__result_metrics(before);
    if (h->before == NULL && strcmp(h->split, "validation") == 0)
        h->before = fine__result_metrics(data->first);
}

static void
put_rows(struct fine__buf *out, const struct headline *h)
{
    if (h->n > 0)
        fine__put_count(out, h->n);
    else
        fine__buf_text(out, "the");
    fine__buf_printf(out, " %s row%s", h->split, h->n == 1 ? "" : "s");
}

static void
say_classify(struct fine__buf *out, const struct headline *h)
{
    const double accuracy = metric_of(h->metrics, "accuracy"),
                 before = metric_of(h->before, "accuracy");
    char scratch[32];

    fine__buf_text(out, "Right on <b>");
    fine__put_metric(out, "accuracy", accuracy);
    fine__buf_text(out, "</b> of ");
    put_rows(out, h);
    fine__buf_byte(out, '.');
    if (h->majority.n > 0) {
        fine__buf_text(out, " Always answering “");
        fine__html_text(out, fine__report_label(h->data, h->metrics, h->majority.label, scratch));
        fine__buf_text(out, "” would be right on ");
        fine__put_metric(out, "accuracy", h->majority.share);
        fine__buf_text(out, isnan(before) ? "." : ";");
    }
    if (!isnan(before)) {
        fine__buf_text(out, h->majority.n > 0 ? " before training it was "
                                              : " Before training it was ");
        fine__put_metric(out, "accuracy", before);
        fine__buf_byte(out, '.');
    }
    if (h->majority.n > 0 && h->n > 0 && wilson(accuracy, h->n).low <= h->majority.share)
        fine__buf_text(out, " On so few rows that is not clearly better than the most frequent "
                            "label.");
}

static void
say_regress(struct fine__buf *out, const struct headline *h)
{
    const char *name = isnan(metric_of(h->metrics, "pearson")) ? "spearman" : "pearson";
    const double before = metric_of(h->before, name);

    fine__buf_text(out, "On ");
    put_rows(out, h);
    fine__buf_text(out, ", what is predicted and what is true correlate at <b>");
    fine__put_metric(out, name, metric_of(h->metrics, name));
    fine__buf_printf(out, "</b> (%s)", fine__metric_title(name));
    if (!isnan(before)) {
        fine__buf_text(out, "; before training ");
        fine__put_metric(out, name, before);
    }
    fine__buf_byte(out, '.');
}

/* Ends a sentence about a metric by what it was before training. */
static void
put_before(struct fine__buf *out, const struct headline *h, const char *name)
{
    const double before = metric_of(h->before, name);

    if (!isnan(before)) {
        fine__buf_text(out, "; before training it was ");
        fine__put_metric(out, name, before);
    }
    fine__buf_byte(out, '.');
}

static void
say_tag(struct fine__buf *out, const struct headline *h)
{
    fine__buf_text(out, "Of the entities in ");
    put_rows(out, h);
    fine__buf_text(out, ", ");
    fine__put_metric(out, "recall", metric_of(h->metrics, "recall"));
    fine__buf_text(out, " are found, and of those that are found ");
    fine__put_metric(out, "precision", metric_of(h->metrics, "precision"));
    fine__buf_text(out, " are right: an F1 of <b>");
    fine__put_metric(out, "entity_f1", metric_of(h->metrics, "entity_f1"));
    fine__buf_text(out, "</b>");
    put_before(out, h, "entity_f1");
}

static void
say_multilabel(struct fine__buf *out, const struct headline *h)
{
    fine__buf_text(out, "All labels are right on ");
    fine__put_metric(out, "accuracy", metric_of(h->metrics, "accuracy"));
    fine__buf_text(out, " of ");
    put_rows(out, h);
    fine__buf_text(out, "; micro F1 is <b>");
    fine__put_metric(out, "micro_f1", metric_of(h->metrics, "micro_f1"));
    fine__buf_text(out, "</b>");
    put_before(out, h, "micro_f1");
}

static void
say_perplexity(struct fine__buf *out, const struct headline *h)
{
    const double before = metric_of(h->before, "perplexity");

    fine__buf_text(out, "As unsure as between <b>");
    fine__put_metric(out, "perplexity", metric_of(h->metrics, "perplexity"));
    fine__buf_text(out, "</b> equally likely tokens (perplexity) on ");
    put_rows(out, h);
    if (!isnan(before)) {
        fine__buf_text(out, "; before training ");
        fine__put_metric(out, "perplexity", before);
    }
    fine__buf_byte(out, '.');
}

static void
say_answer(struct fine__buf *out, const struct headline *h)
{
    const double before = metric_of(h->before, "span_f1");

    fine__buf_text(out, "On ");
    put_rows(out, h);
    fine__buf_text(out, ", <b>");
    fine__put_metric(out, "exact_match", metric_of(h->metrics, "exact_match"));
    fine__buf_text(out, "</b> of the answers are right to the letter; their words agree with the "
                        "true ones at an F1 of <b>");
    fine__put_metric(out, "span_f1", metric_of(h->metrics, "span_f1"));
    fine__buf_text(out, "</b>");
    if (!isnan(before)) {
        fine__buf_text(out, ", before training ");
        fine__put_metric(out, "span_f1", before);
    }
    fine__buf_byte(out, '.');
}

static void
put_sentence(struct fine__buf *out, const struct headline *h)
{
    fine__buf_text(out, "<p class=\"say\">");
    if (h->result == NULL)
        fine__buf_text(out, "Nothing was measured: the run had neither validation nor test data, "
                            "so how good the model is remains unknown.");
    else if (!isnan(metric_of(h->metrics, "entity_f1")))
        say_tag(out, h);
    else if (!isnan(metric_of(h->metrics, "average_precision")))
        say_multilabel(out, h);
    else if (!isnan(metric_of(h->metrics, "accuracy")))
        say_classify(out, h);
    else if (!isnan(metric_of(h->metrics, "pearson")) || !isnan(metric_of(h->metrics, "spearman")))
        say_regress(out, h);
    else if (!isnan(metric_of(h->metrics, "perplexity")))
        say_perplexity(out, h);
    else if (!isnan(metric_of(h->metrics, "exact_match")))
        say_answer(out, h);
    if (h->result != NULL && strcmp(h->split, "validation") == 0 && h->data->best_step >= 0)
        fine__buf_text(out, " The best step was chosen by these same rows, so this is a little "
                            "optimistic; a test set would say more.");
    fine__buf_text(out, "</p>\n");
}

/* ---- tiles ---- */

static void
put_gauge(struct fine__buf *out, double value, double baseline)
{
    fine__buf_text(out, "<span class=\"gauge\"><i style=\"width:");
    fine__put_fixed(out, 100 * fmax(0, fmin(1, value)), 1);
    fine__buf_text(out, "%\"></i>");
    if (!isnan(baseline)) {
        fine__buf_text(out, "<b style=\"left:");
        fine__put_fixed(out, 100 * fmax(0, fmin(1, baseline)), 1);
        fine__buf_text(out, "%\" title=\"most frequent label\"></b>");
    }
    fine__buf_text(out, "</span>");
}

static void
put_tile(struct fine__buf *out, const struct headline *h, const char *name)
{
    const double value = metric_of(h->metrics, name), before = metric_of(h->before, name),
                 baseline = majority_score(&h->majority, name);

    fine__buf_text(out, "<div class=\"tile\"><p class=\"name\">");
    fine__html_text(out, fine__metric_title(name));
    fine__buf_text(out, "</p><p class=\"big\">");
    fine__put_metric(out, name, value);
    fine__buf_text(out, "</p>");
    if (strcmp(name, "rmse") != 0 && strcmp(name, "loss") != 0 && strcmp(name, "perplexity") != 0)
        put_gauge(out, value, baseline);
    if (strcmp(name, "accuracy") == 0 && h->n > 0) {
        const struct interval i = wilson(value, h->n);

        fine__buf_text(out, "<p>95 % interval ");
        fine__put_fixed(out, i.low * 100, 1);
        fine__buf_text(out, " – ");
        fine__put_metric(out, name, i.high);
        fine__buf_text(out, "</p>");
    }
    if (!isnan(baseline) && strcmp(name, "matthews") != 0) {
        fine__buf_text(out, "<p>most frequent label ");
        fine__put_metric(out, name, baseline);
        fine__buf_text(out, "</p>");
    }
    if (!isnan(before)) {
        fine__buf_text(out, "<p>before training ");
        fine__put_metric(out, name, before);
        fine__buf_text(out, "</p>");
    }
    fine__buf_text(out, "</div>\n");
}

static void
put_run_tile(struct fine__buf *out, const struct headline *h)
{
    const struct fine__report_data *data = h->data;
    const double done_seconds = metric_of(data->done, "seconds"),
                 peak = metric_of(data->done, "peak_bytes");
    const double seconds = !isnan(done_seconds) ? done_seconds
                           : data->n_steps > 0  ? data->steps[data->n_steps - 1].seconds
                                                : NAN;

    if (data->n_steps == 0 && data->done == NULL)
        return;
    fine__buf_text(out, "<div class=\"tile\"><p class=\"name\">Run</p><p class=\"big\">");
    if (!isnan(seconds))
        fine__put_seconds(out, seconds);
    else
        fine__buf_text(out, "–");
    fine__buf_text(out, "</p>");
    if (data->n_steps > 0) {
        fine__buf_text(out, "<p>");
        fine__put_count(out, data->steps[data->n_steps - 1].last);
        fine__buf_text(out, " steps");
        if (data->best_step >= 0) {
            fine__buf_text(out, ", the best was ");
            fine__put_count(out, data->best_step);
        }
        fine__buf_text(out, "</p>");
    }
    if (!isnan(peak)) {
        fine__buf_text(out, "<p>peak memory ");
        fine__put_bytes(out, peak);
        fine__buf_text(out, "</p>");
    }
    if (data->done == NULL)
        fine__buf_text(out, "<p>not finished when this was written</p>");
    fine__buf_text(out, "</div>\n");
}

/* ---- all results ---- */

static void
put_cell(struct fine__buf *out, const char *name, double value)
{
    fine__buf_text(out, "<td class=\"num\">");
    if (strcmp(name, "n") == 0 && value >= 0 && value < 1e15)
        fine__put_count(out, (int64_t)value);
    else if (!isnan(value))
        fine__put_metric(out, name, value);
    fine__buf_text(out, "</td>");
}

static void
put_results(struct fine__buf *out, const struct headline *h)
{
    const struct fine__json *all = fine__json_get(h->data->done, "metrics"),
                            *validation =
                                fine__result_metrics(fine__json_get(all, "validation")),
                            *test = fine__result_metrics(fine__json_get(all, "test"));
    const bool both = validation != NULL && test != NULL;
    bool degenerate = false;

    fine__buf_text(out, "<section id=\"results\"><h2>Results</h2><div class=\"scroll\">"
                        "<table class=\"list\"><thead><tr><th></th>");
    if (h->majority.n > 0)
        fine__buf_text(out, "<th class=\"num\">Most frequent label</th>");
    if (h->before != NULL)
        fine__buf_text(out, "<th class=\"num\">Before training</th>");
    if (both)
        fine__buf_text(out, "<th class=\"num\">Validation</th>");
    fine__buf_printf(out, "<th class=\"num\">%s</th></tr></thead><tbody>\n",
                     strcmp(h->split, "test") == 0 ? "Test" : "Validation");
    for (void *it = fine__json_first(h->metrics); it != NULL;
         it = fine__json_next(h->metrics, it)) {
        const char *name = fine__json_key(it);
        const double value = fine__json_double(fine__json_value(it), NAN);

        /* An event has more numbers than metrics. */
        if (isnan(value) || (h->metrics == h->result && strcmp(name, "step") == 0))
            continue;
        fine__buf_text(out, "<tr><th scope=\"row\">");
        if (strcmp(name, "n") == 0)
            fine__buf_text(out, "Rows");
        else
            fine__html_text(out, fine__metric_title(name));
        if (fine__is_degenerate(h->metrics, name)) {
            fine__buf_text(out, " *");
            degenerate = true;
        }
        fine__buf_text(out, "</th>");
        if (h->majority.n > 0)
            put_cell(out, name, majority_score(&h->majority, name));
        if (h->before != NULL)
            put_cell(out, name, metric_of(h->before, name));
        if (both)
            put_cell(out, name, metric_of(validation, name));
        put_cell(out, name, value);
        fine__buf_text(out, "</tr>\n");
    }
    fine__buf_text(out, "</tbody></table></div>\n");
    if (degenerate)
        fine__buf_text(out, "<p class=\"lead\">* not defined on these rows (one side is "
                            "constant), and given as 0.</p>\n");
    fine__buf_text(out, "</section>\n");
}

void
fine__page_headline(struct fine__buf *out, const struct fine__report_data *data,
                    const struct fine__json *before)
{
    static const char *const scores[] = { "accuracy", "macro_f1", "matthews", "pearson",
                                          "spearman", "rmse", "exact_match", "span_f1" };
    struct headline h;
    const char *main_metric;
    int64_t shown = 0;

    open_headline(&h, data, before);
    put_sentence(out, &h);
    fine__buf_text(out, "<div class=\"tiles\">\n");
    main_metric = fine__report_main_metric(data, h.metrics);
    if (main_metric != NULL) {
        put_tile(out, &h, main_metric);
        shown++;
    }
    for (int64_t i = 0; i < FINE__COUNT(scores) && shown < 3; i++)
        if (strcmp(scores[i], main_metric != NULL ? main_metric : "") != 0
            && !isnan(metric_of(h.metrics, scores[i]))) {
            put_tile(out, &h, scores[i]);
            shown++;
        }
    put_run_tile(out, &h);
    fine__buf_text(out, "</div>\n");
}

void
fine__page_results(struct fine__buf *out, const struct fine__report_data *data,
                   const struct fine__json *before)
{
    struct headline h;

    open_headline(&h, data, before);
    if (h.metrics != NULL)
        put_results(out, &h);
}
