/*
 * open.c — which reader a file is for.
 */
#include <string.h>

#include "base/file.h"
#include "data/table.h"

enum format { CSV, TSV, JSONL, SQUAD, TXT, CONLL };

static bool
is_of_answers(const struct fine_dataset_options *o)
{
    return o->task != NULL && fine__content_find(o->task) == FINE__ROWS_OF_ANSWERS;
}

/* Plain text says nothing but text: a .txt of any other task is a table without a name for its
 * format. */
static bool
is_plain(const char *path, const struct fine_dataset_options *o)
{
    enum fine__content content;

    return fine__content_of(&content, o) == 0 && content == FINE__ROWS_OF_TEXT &&
           o->separator == NULL && fine__path_has_suffix(path, ".txt");
}

static bool
is_of_tags(const struct fine_dataset_options *o)
{
    return o->task != NULL && fine__content_find(o->task) == FINE__ROWS_OF_TAGS;
}

static int
format_of(enum format *out, const char *path, const struct fine_dataset_options *o)
{
    static const struct {
        const char *suffix;
        enum format format;
    } known[] = { { ".csv", CSV }, { ".tsv", TSV }, { ".tab", TSV }, { ".jsonl", JSONL },
                  { ".ndjson", JSONL }, { ".conll", CONLL } };

    if (o->format != NULL) {
        static const char *const names[] = { "csv", "tsv", "jsonl", "squad", "txt", "conll" };

        for (int i = 0; i < FINE__COUNT(names); i++)
            if (strcmp(o->format, names[i]) == 0) {
                *out = (enum format)i;
                return 0;
            }
        return fine__fail(FINE_EINVAL, "data.format: '%.40s' is none of csv, tsv, jsonl, squad, "
                          "txt, conll",
                          o->format);
    }
    for (int i = 0; i < FINE__COUNT(known); i++)
        if (fine__path_has_suffix(path, known[i].suffix)) {
            *out = known[i].format;
            /* Tags fit no table of characters, and .tsv is a usual name of CoNLL files. */
            if (is_of_tags(o) && *out != JSONL)
                *out = CONLL;
            return 0;
        }
    if (is_of_tags(o)) {
        *out = CONLL;
        return 0;
    }
    if (is_plain(path, o)) {
        *out = TXT;
        return 0;
    }
    if (o->separator != NULL) {
        *out = CSV;
        return 0;
    }
    if (fine__path_has_suffix(path, ".json") && is_of_answers(o)) {
        *out = SQUAD;
        return 0;
    }
    if (fine__path_has_suffix(path, ".json"))
        return fine__fail(FINE_EDATA, "%s: a table in JSON is read with one object a line, from a "
                          "file named .jsonl; convert it, such as with: jq -c '.[]'", path);
    return fine__fail(FINE_EDATA, "%s: the name doesn't say how the rows are written; name the "
                      "file .csv, .tsv, .jsonl or .conll, or set data.separator", path);
}

/* A form and a task that go together. */
static int
check_format(enum format format, const char *name, const struct fine_dataset_options *o)
{
    if (format == SQUAD && !is_of_answers(o))
        return fine__fail(FINE_EINVAL, "data.format: squad is for task.type: answer");
    if (format == CONLL && o->task != NULL && !is_of_tags(o))
        return fine__fail(FINE_EINVAL, "data.format: a CoNLL file holds tags; it is for task.type: "
                          "tag, not %s", o->task);
    if (format != JSONL && format != CONLL && is_of_tags(o))
        return fine__fail(FINE_EINVAL, "data.format: tags are read from conll or jsonl");
    if (format <= TSV && is_of_answers(o))
        return fine__fail(FINE_EDATA, "%s: questions and the places of their answers are read "
                          "from SQuAD's .json, or from a .jsonl of objects with question, "
                          "context and answers; a table has no form for them", name);
    return 0;
}

int
fine__dataset_parse(fine_dataset **out, fine_context *ctx, const char *name,
                    struct fine__buf *text, const struct fine_dataset_options *options)
{
    struct fine_dataset_options local;
    struct fine__table table;
    enum format format = CSV;
    int rc;

    fine__dataset_defaults(&local);
    if (options != NULL)
        local = *options;
    rc = fine__buf_status(text);
    if (rc == 0)
        rc = format_of(&format, name, &local);
    if (rc == 0)
        rc = check_format(format, name, &local);
    if (rc == 0 && format == CONLL)
        local.task = "tag";
    if (rc == 0)
        rc = fine__table_open(&table, ctx, name, text, &local);
    if (rc < 0) {
        fine__buf_free(text);
        return rc;
    }
    if (format == TXT && table.content != FINE__ROWS_OF_TEXT)
        rc = fine__fail(FINE_EINVAL, "data.format: txt has texts alone, and %s needs more; give a "
                        "table", local.task != NULL ? local.task : "the task");
    else
        rc = format == JSONL ? fine__jsonl_read(&table)
             : format == SQUAD ? fine__squad_read(&table)
             : format == CONLL ? fine__conll_read(&table)
             : format == TXT ? fine__lines_read(&table)
                             : fine__csv_read(&table, format == TSV);
    if (rc == 0)
        rc = fine__table_finish(&table);
    if (rc == 0) {
        fine__squad_warn(&table);
        *out = table.set;
        table.set = NULL;
        fine__dataset_warn(*out);
    }
    fine__table_close(&table);
    return rc;
}

static bool
is_of_pictures(const struct fine_dataset_options *o)
{
    return o != NULL && o->task != NULL &&
           fine__content_find(o->task) == FINE__ROWS_OF_IMAGES;
}

/* A table of paths, which start at its own folder. */
static int
open_list_of_pictures(fine_dataset **out, fine_context *ctx, const char *path,
                      struct fine__buf *text, const struct fine_dataset_options *options)
{
    const bool skip = options->on_bad_row != NULL && strcmp(options->on_bad_row, "skip") == 0;
    fine_dataset *d = NULL;
    int rc = fine__dataset_parse(&d, ctx, path, text, options);

    if (rc == 0 && (d->folder = fine__path_folder(ctx, path)) == NULL)
        rc = FINE_ENOMEM;
    if (rc == 0)
        rc = fine__dataset_check_pictures(d, skip);
    if (rc < 0)
        fine__dataset_unref(d);
    else
        *out = d;
    return rc;
}

int
fine__dataset_open(fine_dataset **out, fine_context *ctx, const char *path,
                   const struct fine_dataset_options *options)
{
    struct fine__buf text;
    int rc;

    if (is_of_pictures(options) && fine__is_directory(ctx, path))
        return fine__image_folder_read(out, ctx, path, options);
    fine__buf_init(&text, ctx);
    rc = fine__file_read(ctx, path, INT64_MAX / 4, &text);
    if (rc < 0) {
        fine__buf_free(&text);
        return rc;
    }
    if (is_of_pictures(options))
        return open_list_of_pictures(out, ctx, path, &text, options);
    return fine__dataset_parse(out, ctx, path, &text, options);
}
