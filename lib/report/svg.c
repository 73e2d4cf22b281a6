/*
 * svg.c — a line chart as one SVG element.
 *
 * Colours are CSS classes of the page (style.c), so that charts follow its light and
 * dark form. Ticks are 1, 2 or 5 times a power of ten and are printed from integers.
 */
#include <math.h>
#include <string.h>

#include "report/page.h"

#define WIDTH 520.0
#define HEIGHT 270.0
#define BOTTOM 34.0
#define RIGHT 14.0
#define CHARACTER 6.6           /* width of one, about, at the size that labels have */

/* Ticks at unit × k × 10^exponent, k in [first, last]. */
struct ticks {
    int64_t unit, first, last;
    int exponent;
    double step;
};

struct frame {
    double left, top, x0, x1, y0, y1;
    struct ticks x, y;
};

static struct ticks
make_ticks(double low, double high, int wanted, bool whole)
{
    const double raw = (high - low) / wanted;
    struct ticks t = { 1, 0, 0, (int)floor(log10(raw)), 0 };
    const double fraction = raw / pow(10, t.exponent);

    if (fraction >= 7) {
        t.exponent++;
    } else {
        t.unit = fraction < 1.5 ? 1 : fraction < 3.5 ? 2 : 5;
    }
    if (whole && t.exponent < 0) {
        t.unit = 1;
        t.exponent = 0;
    }
    t.step = (double)t.unit * pow(10, t.exponent);
    t.first = (int64_t)ceil(low / t.step - 1e-6);
    t.last = (int64_t)floor(high / t.step + 1e-6);
    return t;
}

static double
at(const struct ticks *t, int64_t k)
{
    return (double)k * t->step;
}

/* 0.25, 1000, 2e-05 */
static void
put_tick(struct fine__buf *out, const struct ticks *t, int64_t k)
{
    const double largest = fmax(fabs(at(t, t->first)), fabs(at(t, t->last)));
    int64_t value = k * t->unit;
    int exponent = t->exponent, decimals = 0;

    if (largest >= 1e-3 && largest < 1e6) {
        fine__put_scaled(out, value, exponent);
        return;
    }
    if (value == 0) {
        fine__buf_byte(out, '0');
        return;
    }
    for (; value % 10 == 0; exponent++)
        value /= 10;
    for (int64_t rest = value; rest >= 10 || rest <= -10; rest /= 10)
        decimals++;
    fine__put_scaled(out, value, -decimals);
    exponent += decimals;
    fine__buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+',
                     exponent < 0 ? -exponent : exponent);
}

/* Of the longest label, in characters: each is written, measured and taken back. */
static size_t
tick_length(struct fine__buf *out, const struct ticks *t)
{
    const size_t before = out->length;
    size_t longest = 1;

    for (int64_t k = t->first; k <= t->last; k++) {
        put_tick(out, t, k);
        if (out->length - before > longest)
            longest = out->length - before;
        if (out->data != NULL)
            out->data[before] = '\0';
        out->length = before;
    }
    return longest;
}

/* Where all points lie; false: there are none. */
static bool
find_range(const struct fine__chart *chart, struct frame *f)
{
    bool any = false;

    for (int64_t s = 0; s < chart->n_series; s++)
        for (int64_t i = 0; i < chart->series[s].n; i++) {
            const double x = chart->series[s].x[i], y = chart->series[s].y[i];

            if (!isfinite(y) || fabs(y) > 1e100)
                continue;
            f->x0 = any ? fmin(f->x0, x) : x;
            f->x1 = any ? fmax(f->x1, x) : x;
            f->y0 = any ? fmin(f->y0, y) : y;
            f->y1 = any ? fmax(f->y1, y) : y;
            any = true;
        }
    return any;
}

static bool
make_frame(struct fine__buf *out, const struct fine__chart *chart, struct frame *f)
{
    double room;

    if (!find_range(chart, f))
        return false;
    if (f->x1 - f->x0 < 1) {
        f->x0 -= 0.5;
        f->x1 += 0.5;
    }
    if (chart->from_zero && f->y0 > 0)
        f->y0 = 0;
    room = f->y1 - f->y0;
    if (!(room > 1e-9 * fmax(fabs(f->y0), fabs(f->y1)) && room > 1e-200))
        room = fabs(f->y1) > 1e-100 ? fabs(f->y1) * 0.2 : 1;
    f->y1 += room * 0.06;
    if (!chart->from_zero || f->y0 < 0)
        f->y0 -= room * 0.06;
    if (chart->high < f->y1)
        f->y1 = chart->high;
    if (chart->low > f->y0)
        f->y0 = chart->low;
    if (!(f->y1 > f->y0))       /* all points lie on a limit */
        f->y0 = f->y1 - 0.1;
    f->top = 12;
    for (int64_t i = 0; i < chart->n_series; i++)
        if (chart->series[i].name != NULL)
            f->top = 34;        /* a legend stands above */
    f->x = make_ticks(f->x0, f->x1, 6, true);
    f->y = make_ticks(f->y0, f->y1, 5, false);
    f->left = 14 + CHARACTER * (double)tick_length(out, &f->y);
    return true;
}

static double
to_x(const struct frame *f, double x)
{
    return f->left + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - RIGHT - f->left);
}

static double
to_y(const struct frame *f, double y)
{
    return f->top + (f->y1 - y) / (f->y1 - f->y0) * (HEIGHT - f->top - BOTTOM);
}

/* name="value" */
static void
attribute(struct fine__buf *out, const char *name, double value)
{
    fine__buf_printf(out, " %s=\"", name);
    fine__put_fixed(out, value, 1);
    fine__buf_byte(out, '"');
}

static void
line(struct fine__buf *out, const char *css, double x1, double y1, double x2, double y2)
{
    fine__buf_printf(out, "<line class=\"%s\"", css);
    attribute(out, "x1", x1);
    attribute(out, "y1", y1);
    attribute(out, "x2", x2);
    attribute(out, "y2", y2);
    fine__buf_text(out, "/>");
}

static void
begin_text(struct fine__buf *out, const char *css, double x, double y)
{
    fine__buf_printf(out, "<text class=\"%s\"", css);
    attribute(out, "x", x);
    attribute(out, "y", y);
    fine__buf_byte(out, '>');
}

static void
put_axes(struct fine__buf *out, const struct frame *f)
{
    for (int64_t k = f->y.first; k <= f->y.last; k++) {
        const double y = to_y(f, at(&f->y, k));

        line(out, "grid", f->left, y, WIDTH - RIGHT, y);
        begin_text(out, "tick end", f->left - 7, y + 4);
        put_tick(out, &f->y, k);
        fine__buf_text(out, "</text>");
    }
    line(out, "axis", f->left, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (int64_t k = f->x.first; k <= f->x.last; k++) {
        const double x = to_x(f, at(&f->x, k));

        line(out, "axis", x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4);
        begin_text(out, "tick mid", x, HEIGHT - BOTTOM + 17);
        put_tick(out, &f->x, k);
        fine__buf_text(out, "</text>");
    }
    begin_text(out, "tick end", WIDTH - RIGHT, HEIGHT - 3);
    fine__buf_text(out, "step</text>");
}

static void
put_path(struct fine__buf *out, const struct frame *f, const struct fine__series *s)
{
    bool pen = false;

    fine__buf_printf(out, "<path class=\"line%s c%d\" d=\"",
                     s->line == FINE__LINE_FAINT ? " faint" : "", s->color);
    for (int64_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i]) || fabs(s->y[i]) > 1e100) {
            pen = false;
            continue;
        }
        fine__buf_byte(out, pen ? 'L' : 'M');
        fine__put_fixed(out, to_x(f, s->x[i]), 1);
        fine__buf_byte(out, ' ');
        fine__put_fixed(out, to_y(f, s->y[i]), 1);
        pen = true;
    }
    fine__buf_text(out, "\"/>");
}

/* Dots with a tooltip; not when they would run into each other. */
static void
put_dots(struct fine__buf *out, const struct frame *f, const struct fine__series *s)
{
    if (s->n > 120)
        return;
    for (int64_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i]) || fabs(s->y[i]) > 1e100)
            continue;
        fine__buf_printf(out, "<circle class=\"dot c%d\"", s->color);
        attribute(out, "cx", to_x(f, s->x[i]));
        attribute(out, "cy", to_y(f, s->y[i]));
        fine__buf_text(out, s->n > 50 ? " r=\"2\"><title>" : " r=\"3.4\"><title>");
        if (s->name != NULL)
            fine__html_text(out, s->name);
        fine__buf_text(out, " ");
        fine__put_significant(out, s->y[i], 4);
        fine__buf_text(out, " at step ");
        fine__put_count(out, llround(s->x[i]));
        fine__buf_text(out, "</title></circle>");
    }
}

static void
put_mark(struct fine__buf *out, const struct frame *f, double mark)
{
    const double x = to_x(f, mark);

    if (!(mark >= f->x0 && mark <= f->x1))
        return;
    line(out, "mark", x, f->top - 4, x, HEIGHT - BOTTOM);
    begin_text(out, x > WIDTH - 80 ? "tick end" : "tick", x > WIDTH - 80 ? x - 5 : x + 5, f->top + 5);
    fine__buf_text(out, "best</text>");
}

static void
put_legend(struct fine__buf *out, const struct fine__chart *chart, const struct frame *f)
{
    double x = f->left;

    for (int64_t i = 0; i < chart->n_series; i++) {
        const struct fine__series *s = &chart->series[i];

        if (s->name == NULL)
            continue;
        fine__buf_printf(out, "<path class=\"line key%s c%d\" d=\"M",
                         s->line == FINE__LINE_FAINT ? " faint" : "", s->color);
        fine__put_fixed(out, x, 1);
        fine__buf_text(out, " 14h18\"/>");
        begin_text(out, "legend", x + 24, 18);
        fine__html_text(out, s->name);
        fine__buf_text(out, "</text>");
        x += 24 + CHARACTER * (double)strlen(s->name) + 18;
    }
}

void
fine__svg_chart(struct fine__buf *out, const struct fine__chart *chart)
{
    struct frame f = { 0 };

    if (!make_frame(out, chart, &f))
        return;
    fine__buf_text(out, "<svg class=\"chart\" viewBox=\"0 0 520 270\" role=\"img\" aria-label=\"");
    fine__html_text(out, chart->title);
    fine__buf_text(out, "\">");
    put_axes(out, &f);
    put_mark(out, &f, chart->mark);
    for (int64_t i = 0; i < chart->n_series; i++) {
        put_path(out, &f, &chart->series[i]);
        if (chart->series[i].line == FINE__LINE_MARKED)
            put_dots(out, &f, &chart->series[i]);
    }
    put_legend(out, chart, &f);
    fine__buf_text(out, "</svg>\n");
}
