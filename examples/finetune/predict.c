/*
 * predict.c — one input a line, one answer a line, for as long as lines come.
 */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A place in the context of row i; place 0 is the likeliest. Empty: no answer. */
static int
put_place(json_t *object, const fine_session *session, const struct cli_rows *rows, int64_t i,
          int64_t place)
{
    struct fine_span_info span = { .struct_size = sizeof span };
    int rc = fine_session_span(session, i, place, &span);

    if (rc < 0)
        return rc;
    json_object_set_new(object, "answer", cli_json_text(rows->seconds[i] + span.start,
                                                        (size_t)(span.end - span.start)));
    json_object_set_new(object, "start", json_integer(span.start));
    json_object_set_new(object, "end", json_integer(span.end));
    json_object_set_new(object, "score", cli_json_number(span.score));
    return FINE_OK;
}

static int
print_places(const fine_session *session, const struct cli_rows *rows, int64_t i, int64_t top,
             int json)
{
    const int64_t n = fine_session_n_spans(session, i);
    struct fine_span_info span = { .struct_size = sizeof span };
    json_t *object, *all;
    int rc = 0;

    if (!json) {
        for (int64_t k = 0; k < n && k < (top > 0 ? top : 1); k++) {
            if ((rc = fine_session_span(session, i, k, &span)) < 0)
                return cli_fail(rc, CLI_READING);
            printf("%.*s\t%.4f\n", (int)(span.end - span.start), rows->seconds[i] + span.start,
                   span.score);
        }
        return CLI_DONE;
    }
    object = json_object();
    rc = put_place(object, session, rows, i, 0);
    if (top > 0) {
        all = json_array();
        for (int64_t k = 0; rc >= 0 && k < n && k < top; k++) {
            json_t *one = json_object();

            rc = put_place(one, session, rows, i, k);
            json_array_append_new(all, one);
        }
        json_object_set_new(object, "best", all);
    }
    if (rc < 0) {
        json_decref(object);
        return cli_fail(rc, CLI_READING);
    }
    return cli_print_json(object);
}

static int
is_task(const fine_model *model, const char *task)
{
    return strcmp(fine_model_task(model), task) == 0;
}

static json_t *
scores_of(const fine_model *model, const float *scores)
{
    json_t *by_label = json_object();

    for (int64_t k = 0; k < fine_model_n_labels(model); k++)
        json_object_set_new(by_label, fine_model_label(model, k),
                            cli_json_number((double)scores[k]));
    return by_label;
}

/* A text has the labels that are likelier than not. */
static json_t *
labels_of(const fine_model *model, const float *scores)
{
    json_t *labels = json_array();

    for (int64_t k = 0; k < fine_model_n_labels(model); k++)
        if (scores[k] > 0.5F)
            json_array_append_new(labels, json_string(fine_model_label(model, k)));
    return labels;
}

static json_t *
tags_of(const fine_session *session, int64_t i, const char *text)
{
    struct fine_span_info span = { .struct_size = sizeof span };
    json_t *tags = json_array();

    for (int64_t j = 0; fine_session_span(session, i, j, &span) == FINE_OK; j++)
        json_array_append_new(
            tags, json_pack("{s:I,s:I,s:s,s:o,s:o}", "start", (json_int_t)span.start, "end",
                            (json_int_t)span.end, "label", span.name, "text",
                            cli_json_text(text + span.start, (size_t)(span.end - span.start)),
                            "score", cli_json_number(span.score)));
    return tags;
}

static json_t *
as_json(const fine_model *model, const fine_session *session, int64_t i, const char *text)
{
    const float *scores = fine_session_scores(session, i);
    const char *label = fine_model_label(model, fine_session_label(session, i));

    if (is_task(model, "tag"))
        return json_pack("{s:o}", "tags", tags_of(session, i, text));
    if (is_task(model, "multilabel"))
        return json_pack("{s:o,s:o}", "labels", labels_of(model, scores), "scores",
                         scores_of(model, scores));
    if (label)
        return json_pack("{s:s,s:o}", "label", label, "scores", scores_of(model, scores));
    return json_pack("{s:o}", "value", cli_json_number(fine_session_value(session, i)));
}

static void
print_labels(const fine_model *model, const float *scores)
{
    const char *between = "";

    for (int64_t k = 0; k < fine_model_n_labels(model); k++)
        if (scores[k] > 0.5F) {
            printf("%s%s\t%.4f", between, fine_model_label(model, k), (double)scores[k]);
            between = "\t";
        }
    putchar('\n');
}

static void
print_tags(const fine_session *session, int64_t i, const char *text)
{
    struct fine_span_info span = { .struct_size = sizeof span };

    for (int64_t j = 0; fine_session_span(session, i, j, &span) == FINE_OK; j++)
        printf("%s%s\t%.*s", j > 0 ? "\t" : "", span.name, (int)(span.end - span.start),
               text + span.start);
    putchar('\n');
}

/* {"fills": [[{"token", "score"}, …], …]}: a list for each mask. */
static json_t *
fills(const fine_session *session, int64_t i)
{
    json_t *masks = json_array(), *object = json_object();
    struct fine_fill_info fill = { .struct_size = sizeof fill };

    for (int64_t m = 0; m < fine_session_n_masks(session, i); m++) {
        json_t *list = json_array();

        for (int64_t j = 0; fine_session_fill(session, i, m, j, &fill) == FINE_OK; j++)
            json_array_append_new(
                list, json_pack("{s:o,s:o}", "token", cli_json_text(fill.token, strlen(fill.token)),
                                "score", cli_json_number(fill.score)));
        json_array_append_new(masks, list);
    }
    json_object_set_new(object, "fills", masks);
    return object;
}

/* The likeliest token of each mask and its probability, tabs between. */
static int
print_fills(const fine_session *session, int64_t i, int json)
{
    struct fine_fill_info fill = { .struct_size = sizeof fill };

    if (json)
        return cli_print_json(fills(session, i));
    for (int64_t m = 0; fine_session_fill(session, i, m, 0, &fill) == FINE_OK; m++)
        printf("%s%s\t%.4f", m > 0 ? "\t" : "", fill.token, fill.score);
    putchar('\n');
    return CLI_DONE;
}

static int
print_answer(const fine_model *model, const fine_session *session, int64_t i, const char *text,
             int json)
{
    int64_t best = fine_session_label(session, i);

    if (fine_session_n_masks(session, i) > 0)
        return print_fills(session, i, json);
    if (json)
        return cli_print_json(as_json(model, session, i, text));
    if (is_task(model, "tag"))
        print_tags(session, i, text);
    else if (is_task(model, "multilabel"))
        print_labels(model, fine_session_scores(session, i));
    else if (best < 0)
        printf("%.6g\n", fine_session_value(session, i));
    else
        printf("%s\t%.4f\n", fine_model_label(model, best),
               (double)fine_session_scores(session, i)[best]);
    return CLI_DONE;
}

/* Every block is answered before the next is read. */
static int
answer_all(const fine_model *model, fine_session *session, struct cli_rows *rows,
           struct cli_lines *lines, int64_t top, const struct cli_common *common)
{
    const int has_places = strcmp(fine_model_task(model), "answer") == 0;
    int64_t n_cut = 0;
    int exit_code, rc;

    while ((exit_code = cli_rows_next(rows, lines)) == CLI_DONE && rows->n > 0) {
        rc =
            fine_session_predict(session, rows->texts, rows->pairs ? rows->seconds : NULL, rows->n);
        if (rc < 0) {
            exit_code = cli_fail(rc, CLI_READING);
            cli_say(common, "that was in lines %lld to %lld of %s",
                    (long long)(lines->n_read - rows->n + 1), (long long)lines->n_read,
                    lines->name);
            return exit_code;
        }
        for (int64_t i = 0; i < rows->n && exit_code == CLI_DONE; i++) {
            exit_code = has_places
                            ? print_places(session, rows, i, top, common->json)
                            : print_answer(model, session, i, rows->texts[i], common->json);
            n_cut += fine_session_truncated(session, i) > 0;
        }
        if (exit_code == CLI_DONE)
            exit_code = cli_finish(exit_code);
        if (exit_code != CLI_DONE)
            return exit_code;
    }
    if (n_cut > 0)
        cli_say(common, "%lld of %lld texts were cut to what the model reads (%lld ids)",
                (long long)n_cut, (long long)lines->n_read,
                (long long)fine_model_max_length(model));
    return exit_code;
}

int
cli_predict(int argc, char **argv)
{
    struct cli_common common;
    struct fine_dataset_options remembered;
    const char *architecture = NULL;
    const char *arguments[3], *text = NULL, *text_pair = NULL;
    int32_t pair = 0, plain = 0;
    int64_t top = 0;
    int answers;
    const struct cli_option options[] = {
        { "--text", CLI_TEXT, &text, "COLUMN",
          "key of the text in JSON lines; default: as trained" },
        { "--text-pair", CLI_TEXT, &text_pair, "COLUMN", "key of the second text" },
        { "--pair", CLI_FLAG, &pair, NULL, "two texts a line, a tab between; default: as trained" },
        { "--top", CLI_COUNT, &top, "N", "answers: list the N likeliest, 20 at most" },
        { "--plain", CLI_FLAG, &plain, NULL, "a line that begins with { is a text, not JSON" },
        CLI_ARCHITECTURE_OPTION(architecture),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "predict",
        "MODEL [FILE|-]",
        "Answers each line: a text, or a JSON object with the columns of the training data.\n"
        "Prints LABEL <tab> PROBABILITY (several with tabs between for multilabel), LABEL <tab>\n"
        "TEXT for each entity of tag, the likeliest token of each mask for fill-mask, or the\n"
        "number for regression; --json all scores. Answers are places in the line's second text, an\n"
        "empty one where it has none; --json gives their bytes.",
        options,
        1,
        2,
    };
    static struct cli_rows rows;
    struct cli_lines lines;
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_session *session = NULL;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    fine_dataset_options_init(&remembered, sizeof remembered);
    if ((rc = cli_open_model(&model, context, arguments[0], architecture)) < 0 ||
        (rc = fine_model_dataset_options(model, &remembered)) < 0 ||
        (rc = fine_session_new(&session, model)) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
        goto out;
    }
    if (fine_model_task(model)[0] == '\0') {
        exit_code =
            cli_complain(CLI_INPUT, "%s: the model has no task yet; 'finetune train' gives it one",
                         arguments[0]);
        goto out;
    }
    answers = strcmp(fine_model_task(model), "answer") == 0;
    rows.text_column = text              ? text
                       : remembered.text ? remembered.text
                       : answers         ? "question"
                                         : "text";
    rows.pair_column = text_pair              ? text_pair
                       : remembered.text_pair ? remembered.text_pair
                       : answers              ? "context"
                                              : "text_pair";
    rows.pairs = answers || pair || text_pair || remembered.text_pair;
    rows.plain = plain;
    if ((exit_code = cli_lines_open(&lines, arguments[1])) != CLI_DONE)
        goto out;
    exit_code = answer_all(model, session, &rows, &lines, top, &common);
    cli_rows_clear(&rows);
    cli_lines_close(&lines);
out:
    fine_session_free(session);
    fine_model_free(model);
    fine_context_free(context);
    return exit_code;
}
