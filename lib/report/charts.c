/*
 * charts.c — which curves a page shows: loss, scores, errors, learning rate, gradient.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/page.h"

/* The run's numbers as columns; one block of memory. */
struct columns {
    double *block;
    double *step, *loss, *smooth, *rate, *gradient;     /* n_steps each */
    double *at, *value[FINE__REPORT_METRICS];           /* n_evaluations each */
};

/* A mean over the last `window` points or so: exponential, without the bias of its
 * start (Kingma & Ba, arXiv 1412.6980, section 3). */
static void
smooth(const double *y, int64_t n, double window, double *out)
{
    const double keep = 1 - 2 / (window + 1);
    double sum = 0, weight = 0;

    for (int64_t i = 0; i < n; i++) {
        if (isfinite(y[i])) {
            sum = keep * sum + (1 - keep) * y[i];
            weight = keep * weight + (1 - keep);
        }
        out[i] = weight > 0 ? sum / weight : NAN;
    }
}

static double
window_of(int64_t n)
{
    return n >= 50 ? floor((double)n / 25) : 2;
}

static int
make_columns(struct columns *c, const struct fine__report_data *data)
{
    const size_t n = (size_t)data->n_steps, m = (size_t)data->n_evaluations;
    double *next;

    next = c->block = fine__alloc_array(data->ctx, 5 * n + (1 + FINE__REPORT_METRICS) * m,
                                        sizeof *c->block);
    if (next == NULL)
        return FINE_ENOMEM;
    c->step = next;
    c->loss = next + n;
    c->smooth = next + 2 * n;
    c->rate = next + 3 * n;
    c->gradient = next + 4 * n;
    c->at = next + 5 * n;
    for (size_t i = 0; i < n; i++) {
        const struct fine__report_step *s = &data->steps[i];

        c->step[i] = (double)s->last - (double)(s->count - 1) / 2;
        c->loss[i] = s->loss;
        c->rate[i] = s->learning_rate;
        c->gradient[i] = s->gradient_norm;
    }
    smooth(c->loss, data->n_steps, window_of(data->n_steps), c->smooth);
    for (size_t j = 0; j < FINE__REPORT_METRICS; j++)
        c->value[j] = c->at + m * (1 + j);
    for (size_t i = 0; i < m; i++) {
        c->at[i] = (double)data->evaluations[i].step;
        for (size_t j = 0; j < FINE__REPORT_METRICS; j++)
            c->value[j][i] = data->evaluations[i].value[j];
    }
    return 0;
}

static bool
any_finite(const double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isfinite(y[i]))
            return true;
    return false;
}

static void
figure(struct fine__buf *out, const struct fine__chart *chart, const char *note)
{
    fine__buf_text(out, "<figure><figcaption><h3>");
    fine__html_text(out, chart->title);
    fine__buf_text(out, "</h3>");
    if (note != NULL) {
        fine__buf_text(out, "<span>");
        fine__html_text(out, note);
        fine__buf_text(out, "</span>");
    }
    fine__buf_text(out, "</figcaption>");
    fine__svg_chart(out, chart);
    fine__buf_text(out, "</figure>\n");
}

static struct fine__chart
new_chart(const struct fine__report_data *data, const char *title, struct fine__series *series)
{
    return (struct fine__chart){
        .title = title,
        .series = series,
        .mark = data->best_step > 0 && data->n_evaluations > 1 ? (double)data->best_step : NAN,
        .low = NAN,
        .high = NAN,
    };
}

static void
loss_chart(struct fine__buf *out, const struct fine__report_data *data, const struct columns *c)
{
    struct fine__series series[3];
    struct fine__chart chart = new_chart(data, "Loss", series);
    const bool smoothed = data->n_steps >= 10;
    int64_t n = 0;

    if (any_finite(c->loss, data->n_steps)) {
        series[n++] = (struct fine__series){ smoothed ? NULL : "training", c->step, c->loss,
                                             data->n_steps, 0,
                                             smoothed ? FINE__LINE_FAINT : FINE__LINE_MARKED };
        if (smoothed)
            series[n++] = (struct fine__series){ "training, smoothed", c->step, c->smooth,
                                                 data->n_steps, 0, FINE__LINE_PLAIN };
    }
    for (int64_t i = 0; i < data->n_metrics; i++)
        if (strcmp(data->metric_names[i], "loss") == 0)
            series[n++] = (struct fine__series){ "validation", c->at, c->value[i],
                                                 data->n_evaluations, 1, FINE__LINE_MARKED };
    chart.n_series = n;
    chart.from_zero = true;
    if (n > 0)
        figure(out, &chart, data->stride > 1 ? "each point is the mean of several steps" : NULL);
}

static bool
is_error(const char *metric)
{
    return strcmp(metric, "rmse") == 0 || strcmp(metric, "perplexity") == 0;
}

/* Scores have a common scale from 0 to 1; errors do not. */
static void
metric_chart(struct fine__buf *out, const struct fine__report_data *data, const struct columns *c,
             bool errors)
{
    struct fine__series series[6];
    struct fine__chart chart = new_chart(data, errors ? "Error on validation data"
                                                      : "Scores on validation data", series);
    int64_t n = 0, n_accuracy = 0;

    for (int64_t i = 0; i < data->n_metrics; i++)
        n_accuracy += strcmp(data->metric_names[i], "accuracy") == 0;
    for (int64_t i = 0; i < data->n_metrics && n < FINE__COUNT(series); i++) {
        const char *name = data->metric_names[i];

        if (strcmp(name, "loss") == 0 || is_error(name) != errors
            || (n_accuracy > 0 && strcmp(name, "micro_f1") == 0)) /* the same curve */
            continue;
        series[n] = (struct fine__series){ fine__metric_title(name), c->at, c->value[i],
                                           data->n_evaluations, (int)n, FINE__LINE_MARKED };
        n++;
    }
    chart.n_series = n;
    chart.from_zero = errors;
    if (!errors)
        chart.high = 1;
    if (n > 0)
        figure(out, &chart, NULL);
}

static void
step_chart(struct fine__buf *out, const struct fine__report_data *data, const struct columns *c,
           const char *title, const double *y, int color)
{
    struct fine__series series = { NULL, c->step, y, data->n_steps, color, FINE__LINE_PLAIN };
    struct fine__chart chart = new_chart(data, title, &series);

    chart.n_series = 1;
    chart.from_zero = true;
    chart.mark = NAN;
    if (any_finite(y, data->n_steps))
        figure(out, &chart, NULL);
}

int
fine__page_curves(struct fine__buf *out, const struct fine__report_data *data)
{
    struct columns c;

    if (data->n_steps + data->n_evaluations == 0)
        return 0;
    FINE__TRY(make_columns(&c, data));
    fine__buf_text(out, "<section id=\"curves\"><h2>Training</h2><div class=\"figures\">\n");
    loss_chart(out, data, &c);
    metric_chart(out, data, &c, false);
    metric_chart(out, data, &c, true);
    step_chart(out, data, &c, "Learning rate", c.rate, 2);
    step_chart(out, data, &c, "Gradient norm before clipping", c.gradient, 3);
    fine__buf_text(out, "</div></section>\n");
    fine__free(data->ctx, c.block);
    return 0;
}
