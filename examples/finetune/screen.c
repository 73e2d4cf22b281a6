/*
 * screen.c — what the user sees while work goes on, all of it on standard error: notes
 * from the library's log, and where training stands. On a terminal that is one line that
 * is drawn over; elsewhere (a file, a build's log) a plain line every few seconds.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int bar_is_shown;

void
cli_clear_bar(void)
{
    if (bar_is_shown)
        fputs("\r\033[K", stderr);
    bar_is_shown = 0;
}

static void
log_line(int level, const char *message, void *user)
{
    const struct cli_common *common = user;

    if (common->quiet)
        return;
    cli_clear_bar();
    fprintf(stderr, "%s%s\n", level == FINE_LOG_WARNING ? "warning: " : "", message);
}

int
cli_context(fine_context **out, struct cli_common *common)
{
    struct fine_context_options options;
    int rc;

    fine_context_options_init(&options, sizeof options);
    options.log = log_line;
    options.log_user = common;
    options.n_threads = (int32_t)common->threads;
    options.memory_limit = common->memory_limit;
    rc = fine_context_new(out, &options);
    return rc < 0 ? cli_fail(rc, CLI_ARGUMENT) : CLI_DONE;
}

void
cli_say(const struct cli_common *common, const char *format, ...)
{
    va_list args;

    if (common->quiet)
        return;
    cli_clear_bar();
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void
cli_duration(char *out, size_t size, double seconds)
{
    long whole = seconds < 0 ? 0 : seconds > 3.6e8 ? 360000000 : (long)(seconds + 0.5);

    if (seconds < 10)
        snprintf(out, size, "%.1f s", seconds < 0 ? 0.0 : seconds);
    else if (whole < 3600)
        snprintf(out, size, "%ld:%02ld", whole / 60, whole % 60);
    else
        snprintf(out, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int
columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

static void
draw_bar(const struct fine_progress *p, const char *numbers)
{
    int width = columns() - (int)strlen(numbers) - 4, full;

    if (width > 40)
        width = 40;
    fputs("\r\033[K", stderr);
    if (width >= 8) {
        full = p->n_steps > 0 ? (int)(width * p->step / p->n_steps) : 0;
        fputc('[', stderr);
        for (int i = 0; i < width; i++)
            fputc(i < full ? '=' : i == full ? '>' : ' ', stderr);
        fputs("] ", stderr);
    }
    fputs(numbers, stderr);
    fflush(stderr);
    bar_is_shown = 1;
}

static void
show_step(const struct fine_progress *p)
{
    static double last;
    int terminal = isatty(STDERR_FILENO);
    double t = now(), pause = terminal ? 0.1 : 5.0;
    char numbers[128], left[32];

    if (t - last < pause && p->step < p->n_steps)
        return;
    last = t;
    cli_duration(left, sizeof left, p->seconds_left);
    snprintf(numbers, sizeof numbers, "%lld/%lld  loss %.4f  %.0f rows/s  %s left",
             (long long)p->step, (long long)p->n_steps, p->loss, p->rows_per_second, left);
    if (terminal)
        draw_bar(p, numbers);
    else
        fprintf(stderr, "step %s\n", numbers);
}

void
cli_show_progress(const struct cli_common *common, const struct fine_progress *p)
{
    if (common->quiet)
        return;
    if (p->event == FINE_EVENT_STEP)
        show_step(p);
    else if (p->event == FINE_EVENT_EVALUATE)
        cli_say(common, "step %lld: validation %s %.4f%s", (long long)p->step,
                p->metric_name ? p->metric_name : "metric", p->metric,
                p->best_step == p->step ? ", the best so far" : "");
}
