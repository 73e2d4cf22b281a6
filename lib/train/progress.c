/*
 * progress.c — what a run tells: a struct, one line of JSON, and a question.
 *
 * The line is the one that metrics.jsonl holds. Times are for the reader alone; nothing
 * that is computed depends on them.
 */
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/number.h"

double
fine__trainer_seconds(const fine_trainer *trainer)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - trainer->started;
}

static void
begin(fine_trainer *trainer, const char *event)
{
    struct fine__buf *line = &trainer->line;

    fine__buf_clear(line);
    fine__buf_printf(line, "{\"event\":\"%s\",\"step\":%lld,\"epoch\":", event,
                     (long long)trainer->step);
    fine__buf_number(line, (double)trainer->step / (double)trainer->batches.steps_per_epoch);
}

static void
field(struct fine__buf *line, const char *name, double value)
{
    fine__buf_printf(line, ",\"%s\":", name);
    fine__buf_number(line, value);
}

/* Times to the millisecond: more digits would only be noise. */
static double
rounded(double value)
{
    return value < 1e12 ? (double)(int64_t)(value * 1000 + 0.5) / 1000 : value;
}

static void
fill(fine_trainer *trainer, int32_t event)
{
    struct fine_progress *progress = &trainer->progress;

    progress->struct_size = sizeof *progress;
    progress->step = trainer->step;
    progress->n_steps = trainer->n_steps;
    progress->rows = trainer->rows;
    progress->seconds = fine__trainer_seconds(trainer);
    progress->seconds_left = trainer->step_seconds * (double)(trainer->n_steps - trainer->step);
    progress->metric_name = trainer->metric;
    progress->best_step = trainer->best_step;
    progress->event = event;
    progress->json = fine__buf_cstr(&trainer->line);
}

void
fine__trainer_tell_nothing(fine_trainer *trainer)
{
    fill(trainer, 0);
}

static int
tell(fine_trainer *trainer, int32_t event)
{
    fine__buf_byte(&trainer->line, '}');
    FINE__TRY(fine__buf_status(&trainer->line));
    fill(trainer, event);
    if (trainer->options.progress == NULL)
        return FINE_OK;
    atomic_store(&trainer->in_callback, true);
    const int answer =
        trainer->options.progress(&trainer->progress, trainer->options.progress_user);

    atomic_store(&trainer->in_callback, false);
    if (answer == 0 && !trainer->cancelled)
        return FINE_OK;
    trainer->cancelled = true;
    return fine__fail(FINE_ECANCELLED, "stopped by the callback after step %lld of %lld",
                      (long long)trainer->step, (long long)trainer->n_steps);
}

int
fine__trainer_tell_step(fine_trainer *trainer, double seconds, int64_t rows)
{
    struct fine_progress *progress = &trainer->progress;
    struct fine__buf *line = &trainer->line;

    if (trainer->step_seconds > 0)
        trainer->step_seconds += 0.1 * (seconds - trainer->step_seconds);
    else
        trainer->step_seconds = seconds;
    progress->rows_per_second = seconds > 0 ? (double)rows / seconds : 0;
    begin(trainer, "step");
    field(line, "loss", progress->loss);
    field(line, "gradient_norm", progress->gradient_norm);
    field(line, "learning_rate", progress->learning_rate);
    field(line, "rows_per_second", rounded(progress->rows_per_second));
    field(line, "seconds", rounded(fine__trainer_seconds(trainer)));
    return tell(trainer, FINE_EVENT_STEP);
}

int
fine__trainer_tell_evaluation(fine_trainer *trainer, double value, bool is_best)
{
    struct fine__buf *line = &trainer->line;

    trainer->progress.metric = value;
    begin(trainer, "evaluate");
    fine__buf_text(line, ",\"metrics\":");
    fine__metrics_write_object(trainer->metrics, line, false);
    fine__buf_text(line, is_best ? ",\"best\":true" : ",\"best\":false");
    field(line, "seconds", rounded(fine__trainer_seconds(trainer)));
    return tell(trainer, FINE_EVENT_EVALUATE);
}

int
fine__trainer_tell_checkpoint(fine_trainer *trainer, const char *path)
{
    struct fine__buf *line = &trainer->line;

    begin(trainer, "checkpoint");
    fine__buf_text(line, ",\"path\":");
    fine__buf_json_string(line, path, strlen(path));
    field(line, "seconds", rounded(fine__trainer_seconds(trainer)));
    return tell(trainer, FINE_EVENT_CHECKPOINT);
}

/* The best evaluation's metrics as they stand in the history, NULL without one. */
static const char *
best_metrics(const fine_trainer *trainer, size_t *length_out)
{
    const char *history = fine__buf_cstr(&trainer->history), *at, *end;
    char key[64];

    (void)snprintf(key, sizeof key, "{\"step\":%lld,\"metrics\":", (long long)trainer->best_step);
    at = trainer->best_step >= 0 ? strstr(history, key) : NULL;
    if (at == NULL)
        return NULL;
    at += strlen(key);
    end = strstr(at, "},{\"step\":");
    if (end == NULL)
        end = history + strlen(history) - 1;
    *length_out = (size_t)(end - at);
    return at;
}

static void
describe(const fine_trainer *trainer, struct fine__buf *out)
{
    size_t length = 0;
    const char *metrics = best_metrics(trainer, &length);

    fine__buf_printf(out, ",\"n_steps\":%lld,\"rows\":%lld,\"best_step\":%lld,\"stopped_early\":%s",
                     (long long)trainer->n_steps, (long long)trainer->rows,
                     (long long)trainer->best_step,
                     trainer->step < trainer->n_steps ? "true" : "false");
    fine__buf_text(out, ",\"metric\":");
    fine__buf_json_string(out, trainer->metric, strlen(trainer->metric));
    if (metrics != NULL) {
        field(out, "best", trainer->best_value);
        fine__buf_text(out, ",\"metrics\":{\"validation\":");
        fine__buf_append(out, metrics, length);
        fine__buf_byte(out, '}');
    } else {
        fine__buf_text(out, ",\"metrics\":{}");
    }
    field(out, "seconds", rounded(fine__trainer_seconds(trainer)));
}

int
fine__trainer_tell_done(fine_trainer *trainer)
{
    begin(trainer, "done");
    describe(trainer, &trainer->line);
    return tell(trainer, FINE_EVENT_DONE);
}

void
fine__trainer_describe(fine_trainer *trainer, struct fine__buf *out)
{
    fine__buf_printf(out, "{\"steps\":%lld", (long long)trainer->step);
    describe(trainer, out);
    fine__buf_text(out, ",\"history\":[");
    fine__buf_append(out, fine__buf_cstr(&trainer->history), trainer->history.length);
    fine__buf_text(out, "]}");
}
