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

/* Where the run goes on, and the last line of each kind that stays. */
struct cut {
    int64_t step;
    bool evaluates_again;
    int64_t last[3];
};

/* Whether a line stays. A kind's lines are told in the order of their steps: one that isn't
 * after the last was written twice, since its first writing was thought to have failed. */
static bool
stays(struct cut *cut, fine_context *ctx, const char *line, size_t length)
{
    static const char *const kinds[] = { "step", "evaluate", "checkpoint" };
    struct fine__json *json = NULL;
    const char *event;
    int64_t step;
    bool yes = false;

    if (fine__json_parse(&json, ctx, line, length, "metrics.jsonl") < 0)
        return false;           /* torn when the run was killed */
    event = fine__json_string(fine__json_get(json, "event"), NULL);
    step = fine__json_int(fine__json_get(json, "step"), INT64_MAX);
    for (int i = 0; i < 3 && event; i++)
        if (strcmp(event, kinds[i]) == 0 && step <= cut->step && step > cut->last[i] &&
            !(i == 1 && step == cut->step && cut->evaluates_again)) {
            cut->last[i] = step;
            yes = true;
        }
    fine__json_free(json);
    return yes;
}

static int
cut_back(struct cut *cut, fine_context *ctx, const char *path)
{
    struct fine__buf before, after;
    int rc = FINE_OK;

    fine__buf_init(&before, ctx);
    fine__buf_init(&after, ctx);
    if (cut->step > 0 && fine__file_exists(ctx, path))
        rc = fine__file_read(ctx, path, MAX_JOURNAL_BYTES, &before);
    for (const char *line = fine__buf_cstr(&before), *end; rc == FINE_OK; line = end + 1) {
        end = memchr(line, '\n', before.length - (size_t)(line - fine__buf_cstr(&before)));
        if (!end)
            break;
        if (stays(cut, ctx, line, (size_t)(end - line)))
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
    struct cut cut = { step, evaluates_again, { -1, -1, -1 } };
    int rc = FINE_OK;

    *out = (struct fine__journal){ .ctx = ctx };
    fine__buf_init(&out->pending, ctx);
    out->path = fine__path_join(ctx, folder, "metrics.jsonl");
    if (!out->path)
        return FINE_ENOMEM;
    if (step == 0)
        rc = remove_events(ctx, folder);
    if (rc == FINE_OK)
        rc = cut_back(&cut, ctx, out->path);
    if (rc == FINE_OK)
        rc = fine__events_open(&out->events, ctx, folder);
    if (rc < 0)
        fine__journal_close(out);
    return rc;
}

/* A line that could not be written is kept, and goes before the next one: the checkpoint of
 * a run that stops for that reason must find its steps told. */
int
fine__journal_add(struct fine__journal *journal, const char *line)
{
    struct fine__buf *pending = &journal->pending;

    fine__buf_text(pending, line);
    fine__buf_byte(pending, '\n');
    FINE__TRY(fine__buf_status(pending));
    if (journal->torn)          /* what was begun becomes a line of its own, which is skipped */
        FINE__TRY(fine__file_append(journal->ctx, journal->path, "\n", 1));
    journal->torn = true;
    FINE__TRY(fine__file_append(journal->ctx, journal->path, pending->data, pending->length));
    journal->torn = false;
    fine__buf_clear(pending);
    return fine__events_add(journal->events, line);
}

void
fine__journal_close(struct fine__journal *journal)
{
    fine__events_close(journal->events);
    fine__free(journal->ctx, journal->path);
    fine__buf_free(&journal->pending);
    *journal = (struct fine__journal){ 0 };
}
