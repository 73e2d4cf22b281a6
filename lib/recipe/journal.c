/*
 * journal.c — metrics.jsonl and TensorBoard's events, written as things happen.
 *
 * Each event is one line, appended with one write. A resumed run repeats the steps since
 * its checkpoint: the lines of those are cut off first, so that no step stands twice.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "recipe/run.h"
#include "report/report.h"

enum { MAX_JOURNAL_BYTES = 1 << 30 };

/* Whether a line stays when the run goes on after `step`. */
static bool
stays(fine_context *ctx, const char *line, size_t length, int64_t step, bool evaluates_again)
{
    struct fine__json *json = NULL;
    const char *event;
    int64_t at;
    bool yes;

    if (fine__json_parse(&json, ctx, line, length, "metrics.jsonl") < 0)
        return false;           /* torn when the run was killed */
    event = fine__json_string(fine__json_get(json, "event"), NULL);
    at = fine__json_int(fine__json_get(json, "step"), INT64_MAX);
    yes = event && strcmp(event, "done") != 0 && at <= step &&
          !(at == step && evaluates_again && strcmp(event, "evaluate") == 0);
    fine__json_free(json);
    return yes;
}

static int
cut(fine_context *ctx, const char *path, int64_t step, bool evaluates_again)
{
    struct fine__buf before, after;
    int rc = FINE_OK;

    fine__buf_init(&before, ctx);
    fine__buf_init(&after, ctx);
    if (step > 0 && fine__file_exists(ctx, path))
        rc = fine__file_read(ctx, path, MAX_JOURNAL_BYTES, &before);
    for (const char *line = fine__buf_cstr(&before), *end; rc == FINE_OK; line = end + 1) {
        end = memchr(line, '\n', before.length - (size_t)(line - fine__buf_cstr(&before)));
        if (!end)
            break;
        if (stays(ctx, line, (size_t)(end - line), step, evaluates_again))
            fine__buf_append(&after, line, (size_t)(end - line) + 1);
    }
    if (rc == FINE_OK)
        rc = fine__buf_status(&after);
    if (rc == FINE_OK)
        rc = fine__file_write(ctx, path, fine__buf_cstr(&after), after.length);
    fine__buf_free(&before);
    fine__buf_free(&after);
    return rc;
}

/* An earlier run's curves would be drawn into this one's. */
static int
remove_events(fine_context *ctx, const char *folder)
{
    struct fine__names names;
    int rc = FINE_OK;

    FINE__TRY(fine__list_directory(ctx, folder, &names));
    for (int64_t i = 0; i < names.count && rc == FINE_OK; i++) {
        char *path;

        if (strncmp(names.names[i], "events.out.tfevents.", 20) != 0)
            continue;
        path = fine__path_join(ctx, folder, names.names[i]);
        rc = path ? fine__remove_tree(ctx, path) : FINE_ENOMEM;
        fine__free(ctx, path);
    }
    fine__names_free(ctx, &names);
    return rc;
}

int
fine__journal_open(struct fine__journal *out, fine_context *ctx, const char *folder, int64_t step,
                   bool evaluates_again)
{
    int rc = FINE_OK;

    *out = (struct fine__journal){ .ctx = ctx };
    out->path = fine__path_join(ctx, folder, "metrics.jsonl");
    if (!out->path)
        return FINE_ENOMEM;
    if (step == 0)
        rc = remove_events(ctx, folder);
    if (rc == FINE_OK)
        rc = cut(ctx, out->path, step, evaluates_again);
    if (rc == FINE_OK)
        rc = fine__events_open(&out->events, ctx, folder);
    if (rc < 0)
        fine__journal_close(out);
    return rc;
}

int
fine__journal_add(struct fine__journal *journal, const char *line)
{
    struct fine__buf text;
    int rc;

    fine__buf_init(&text, journal->ctx);
    fine__buf_text(&text, line);
    fine__buf_byte(&text, '\n');
    rc = fine__buf_status(&text);
    if (rc == FINE_OK)
        rc = fine__file_append(journal->ctx, journal->path, text.data, text.length);
    fine__buf_free(&text);
    if (rc == FINE_OK)
        rc = fine__events_add(journal->events, line);
    return rc;
}

void
fine__journal_close(struct fine__journal *journal)
{
    fine__events_close(journal->events);
    fine__free(journal->ctx, journal->path);
    *journal = (struct fine__journal){ 0 };
}
