/*
 * run.c — a whole run: from the recipe to the run folder.
 *
 * Everything that can be wrong is looked at before anything is written. What is written
 * is complete or absent: model/ appears by a rename when it is finished, and a run that
 * stops at any point goes on from its newest checkpoint.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/result.h"
#include "models/model.h"
#include "recipe/place.h"
#include "recipe/run.h"
#include "train/trainer.h"

struct run {
    const fine_recipe *recipe;
    const struct fine_run_options *options;
    fine_context *ctx;
    char *folder;
    bool made_folder;
    int lock;                       /* descriptor; -1: none */
    double started, earlier;        /* the clock; seconds of earlier runs */
    struct fine__inputs inputs;
    fine_trainer *trainer;
    struct fine__journal journal;
    struct fine__outcome outcome;
    struct fine_progress last;      /* as the trainer told it */
    int journal_rc;                 /* why the run was stopped, where the journal is the reason */
    char journal_message[512];
};

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *
in_folder(const struct run *run, const char *name)
{
    return fine__path_join(run->ctx, run->folder, name);
}

static int
write_file(const struct run *run, const char *name, const struct fine__buf *text)
{
    char *path = in_folder(run, name);
    int rc;

    if (!path)
        return FINE_ENOMEM;
    rc = fine__file_write(run->ctx, path, fine__buf_cstr(text), text->length);
    fine__free(run->ctx, path);
    return rc;
}

/* ---- what is told ---- */

static int
on_progress(const struct fine_progress *progress, void *user)
{
    struct run *run = user;
    int rc;

    run->last = *progress;
    if (progress->event == FINE_EVENT_DONE)
        return 0;                   /* told when the test data are scored and the model saved */
    rc = fine__journal_add(&run->journal, progress->json);
    if (rc < 0 && run->journal_rc == 0) {
        run->journal_rc = rc;
        (void)snprintf(run->journal_message, sizeof run->journal_message, "%s",
                       fine_error_message());
    }
    if (run->journal_rc < 0)
        return 1;
    return run->options->progress ? run->options->progress(progress, run->options->progress_user)
                                  : 0;
}

static void
tell_done(const struct run *run, const char *line)
{
    struct fine_progress done = run->last;

    if (!run->options->progress)
        return;
    done.event = FINE_EVENT_DONE;
    done.json = line;
    done.best_step = run->outcome.best_step;
    done.seconds = run->outcome.seconds;
    done.seconds_left = 0;
    done.metric_name = fine__recipe_text(run->recipe, FINE__EARLY_METRIC);
    (void)run->options->progress(&done, run->options->progress_user);
}

static void
say_inputs(const struct run *run)
{
    const struct fine__inputs *in = &run->inputs;
    int64_t all = 0, trained = 0;
    struct fine_param_info info = { .struct_size = sizeof info };

    fine__log(run->ctx, FINE_LOG_INFO, "rows: %lld to train on, %lld to validate, %lld to test",
              (long long)fine_dataset_count(in->train),
              (long long)fine_dataset_count(in->validation),
              (long long)fine_dataset_count(in->test));
    for (int64_t i = 0; fine_model_param(in->model, i, &info) == FINE_OK; i++) {
        all += info.count;
        trained += info.frozen ? 0 : info.count;
    }
    fine__log(run->ctx, FINE_LOG_INFO, "model: %s, %lld parameters, %lld of them trained",
              fine_model_family(in->model), (long long)all, (long long)trained);
    if (!in->validation)
        fine__log(run->ctx, FINE_LOG_INFO, "no validation data: the last step will be kept");
}

/* ---- beginning ---- */

static int
find_folder(struct run *run)
{
    const char *given = run->options->folder;

    if (given && !given[0])
        return fine__fail(FINE_EINVAL, "fine_run_options: folder is empty");
    if (given) {
        run->folder = fine__strdup(run->ctx, given);
        return run->folder ? FINE_OK : FINE_ENOMEM;
    }
    FINE__TRY(fine__recipe_path(run->recipe, FINE__OUTPUT_DIR, &run->folder));
    if (run->folder)
        return FINE_OK;
    fine__error_clear();
    return fine__complain(run->recipe->name, 0, 0, "'output.dir' is missing: the run folder");
}

static int
take_folder(struct run *run)
{
    char *path;

    run->made_folder = !fine__is_directory(run->ctx, run->folder);
    FINE__TRY(fine__mkdirs(run->ctx, run->folder));
    path = in_folder(run, ".lock");
    if (!path)
        return FINE_ENOMEM;
    run->lock = fine__lock(run->ctx, path);
    fine__free(run->ctx, path);
    return run->lock < 0 ? run->lock : FINE_OK;
}

static void
note_examples(struct run *run, int i, const struct fine__examples *examples)
{
    run->outcome.n_truncated[i] = examples->n_truncated;
    if (fine__examples_fingerprint(examples, run->outcome.fingerprints[i]) < 0)
        run->outcome.fingerprints[i][0] = '\0';
}

static int
make_trainer(struct run *run)
{
    struct fine_trainer_options options;

    fine__inputs_trainer(&run->inputs, run->recipe, &options);
    options.folder = run->folder;
    options.progress = on_progress;
    options.progress_user = run;
    options.resume = run->options->resume;
    FINE__TRY(fine_trainer_new(&run->trainer, run->inputs.model, run->inputs.train,
                               run->inputs.optimizer, run->inputs.schedule, &options));
    run->last = *fine_trainer_progress(run->trainer);
    run->earlier = run->last.seconds;
    note_examples(run, 0, &run->trainer->train);
    if (run->inputs.validation)
        note_examples(run, 1, &run->trainer->validation);
    return FINE_OK;
}

static int
write_recipe(struct run *run)
{
    struct fine__buf text;
    int rc;

    fine__buf_init(&text, run->ctx);
    rc = fine__summary_recipe(run->recipe, &run->inputs, run->folder, &text);
    if (rc == FINE_OK)
        rc = write_file(run, "recipe.yaml", &text);
    fine__buf_free(&text);
    return rc;
}

/* What a killed run was about to put into place. */
static int
remove_leftovers(const struct run *run)
{
    static const char *const files[] = { "metrics.jsonl.tmp-", "recipe.yaml.tmp-",
                                         "report.html.tmp-" };
    struct fine__names names;
    int rc = FINE_OK;

    FINE__TRY(fine__list_directory(run->ctx, run->folder, &names));
    for (int64_t i = 0; i < names.count && rc == FINE_OK; i++)
        for (int64_t f = 0; f < FINE__COUNT(files) && rc == FINE_OK; f++) {
            char *path;

            if (strncmp(names.names[i], files[f], strlen(files[f])) != 0)
                continue;
            path = in_folder(run, names.names[i]);
            rc = path ? fine__remove_tree(run->ctx, path) : FINE_ENOMEM;
            fine__free(run->ctx, path);
        }
    fine__names_free(run->ctx, &names);
    return rc;
}

/* Checkpoints of an earlier run would be gone on from when this one is resumed before its
 * first; the journal, which begins anew, would lack their steps. */
static int
remove_checkpoints(const struct run *run)
{
    static const char *const prefixes[] = { "step-", "best-" };     /* what refers first */
    char *path = in_folder(run, "checkpoints");
    struct fine__names names = { .count = 0 };
    int rc = path ? fine__list_directory(run->ctx, path, &names) : FINE_ENOMEM;

    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < names.count && rc == FINE_OK; i++)
            if (strncmp(names.names[i], prefixes[p], strlen(prefixes[p])) == 0)
                rc = fine__checkpoint_remove(run->ctx, path, names.names[i]);
    fine__names_free(run->ctx, &names);
    fine__free(run->ctx, path);
    return rc;
}

static int
begin(struct run *run)
{
    bool evaluates_again;

    FINE__TRY(fine__recipe_check(run->recipe));
    FINE__TRY(find_folder(run));
    FINE__TRY(fine__inputs_open(&run->inputs, run->recipe));
    FINE__TRY(take_folder(run));
    FINE__TRY(make_trainer(run));
    run->made_folder = false;       /* from here on it holds something */
    say_inputs(run);
    FINE__TRY(remove_leftovers(run));
    if (!run->options->resume)
        FINE__TRY(remove_checkpoints(run));
    FINE__TRY(write_recipe(run));
    evaluates_again = (fine_trainer_due(run->trainer) & 1 << FINE_EVENT_EVALUATE) != 0;
    return fine__journal_open(&run->journal, run->ctx, run->folder, run->last.step,
                              evaluates_again);
}

/* ---- ending ---- */

static int
write_page(struct run *run)
{
    struct fine__buf page;
    int rc;

    run->outcome.steps = run->last.step;
    run->outcome.best_step = run->last.best_step;
    run->outcome.seconds = run->earlier + now() - run->started;
    fine__buf_init(&page, run->ctx);
    rc = fine__summary_pages(run->recipe, &run->inputs, &run->outcome, run->journal.path, NULL,
                             &page, NULL);
    if (rc == FINE_OK)
        rc = write_file(run, "report.html", &page);
    fine__buf_free(&page);
    return rc;
}

/* The trainer has stopped: by the callback's wish, or since the journal can't be written. */
static int
stopped(struct run *run)
{
    if (run->journal_rc < 0)
        return fine__fail(run->journal_rc, "%s", run->journal_message);
    if (write_page(run) < 0)
        fine__log(run->ctx, FINE_LOG_WARNING, "report.html was not written: %s",
                  fine_error_message());
    return fine__fail(FINE_ECANCELLED, "stopped after step %lld of %lld; the run can be resumed "
                      "from '%s'", (long long)run->last.step, (long long)run->last.n_steps,
                      run->folder);
}

static int
score(struct run *run)
{
    struct fine__outcome *outcome = &run->outcome;
    fine_session *session = NULL;
    int rc = FINE_OK;

    if (!run->inputs.validation && !run->inputs.test)
        return FINE_OK;
    FINE__TRY(fine_session_new(&session, run->inputs.model));
    if (run->inputs.validation)
        rc = fine_session_evaluate(session, run->inputs.validation, &outcome->validation);
    if (rc == FINE_OK && run->inputs.test)
        rc = fine_session_evaluate(session, run->inputs.test, &outcome->test);
    fine_session_free(session);
    return rc;
}

/* Puts what was made in model/'s place; what was there comes back if that fails. */
static int
swap_model(const struct run *run, const char *made, const char *model, const char *old)
{
    bool had_one = fine__is_directory(run->ctx, model);
    int rc = FINE_OK;

    if (had_one)
        rc = fine__remove_tree(run->ctx, old);
    if (rc == FINE_OK && had_one)
        rc = fine__rename(run->ctx, model, old);
    if (rc < 0)
        return rc;
    rc = fine__rename(run->ctx, made, model);
    if (rc < 0 && had_one && !fine__is_directory(run->ctx, model))
        (void)run->ctx->io->rename(old, model);
    if (rc == FINE_OK)
        rc = fine__remove_tree(run->ctx, old);
    return rc;
}

/* model/ is replaced as a whole: until the new one is complete the old one stays. */
static int
save_model(struct run *run, struct fine__buf *card)
{
    char *made = in_folder(run, ".model-new"), *model = in_folder(run, "model");
    char *old = in_folder(run, ".model-old");
    int rc = made && model && old ? fine__remove_tree(run->ctx, made) : FINE_ENOMEM;
    struct fine__buf kept = run->inputs.model->card;

    if (rc == FINE_OK) {
        run->inputs.model->card = *card;
        rc = fine_model_save(run->inputs.model, made);
        *card = run->inputs.model->card;
        run->inputs.model->card = kept;
    }
    if (rc == FINE_OK)
        rc = swap_model(run, made, model, old);
    fine__free(run->ctx, made);
    fine__free(run->ctx, model);
    fine__free(run->ctx, old);
    return rc;
}

static int
write_results(struct run *run, struct fine__buf *done)
{
    struct fine__buf page, card;
    int rc;

    fine__buf_init(&page, run->ctx);
    fine__buf_init(&card, run->ctx);
    rc = fine__summary_write(run->recipe, &run->inputs, &run->outcome, done);
    if (rc == FINE_OK)
        rc = fine__summary_pages(run->recipe, &run->inputs, &run->outcome, run->journal.path,
                                 done->data, &page, &card);
    if (rc == FINE_OK)
        rc = save_model(run, &card);
    if (rc == FINE_OK)
        rc = write_file(run, "report.html", &page);
    if (rc == FINE_OK)
        rc = fine__journal_add(&run->journal, done->data);
    fine__buf_free(&page);
    fine__buf_free(&card);
    return rc;
}

static int
end(struct run *run, fine_report **out)
{
    struct fine__buf done;
    fine_report *report = NULL;
    int rc;

    run->outcome.steps = run->last.step;
    run->outcome.best_step = run->inputs.validation ? run->last.best_step : run->last.step;
    /* a session can't read what a trainer may write */
    fine_trainer_free(run->trainer);
    run->trainer = NULL;
    FINE__TRY(score(run));
    run->outcome.seconds = run->earlier + now() - run->started;
    fine__buf_init(&done, run->ctx);
    rc = write_results(run, &done);
    if (rc == FINE_OK) {
        tell_done(run, done.data);
        if (out)
            rc = fine__report_new(&report, run->ctx, &done);
    }
    fine__buf_free(&done);
    if (rc == FINE_OK && out)
        *out = report;
    return rc;
}

static void
clean(struct run *run)
{
    fine_trainer_free(run->trainer);
    fine__journal_close(&run->journal);
    fine__inputs_close(&run->inputs);
    fine_report_free(run->outcome.fit);
    fine_report_free(run->outcome.validation);
    fine_report_free(run->outcome.test);
    if (run->lock >= 0)
        fine__unlock(run->ctx, run->lock);
    if (run->made_folder && run->lock >= 0)
        (void)fine__remove_tree(run->ctx, run->folder);
    fine__free(run->ctx, run->folder);
}

int
fine__recipe_run(const fine_recipe *recipe, const struct fine_run_options *options,
                 fine_report **out)
{
    struct run run = { .recipe = recipe, .options = options, .ctx = recipe->ctx, .lock = -1,
                       .started = now() };
    int rc;

    rc = begin(&run);
    run.outcome.folder = run.folder;
    if (rc == FINE_OK) {
        rc = fine_trainer_fit(run.trainer, &run.outcome.fit);
        if (rc == FINE_ECANCELLED)
            rc = stopped(&run);
        else if (rc == FINE_OK)
            rc = end(&run, out);
    }
    clean(&run);
    return rc;
}
