/*
 * html.c — the page as a whole.
 *
 * One file, no script, nothing fetched: a policy in its head forbids both, so that
 * even a name that slipped through escaping could do nothing.
 */
#include <string.h>

#include "report/page.h"
#include <finetune/version.h>

#define PAIR_MAX 6      /* labels, up to which the matrix needs half the width */
#define GROUPS_PAIR_MAX 8

struct texts {
    struct fine__json *sets, *facts, *training, *notes, *before;
};

static int
parse(struct fine__json **out, fine_context *ctx, const char *text, const char *what)
{
    return text != NULL && text[0] != '\0' ? fine__json_parse(out, ctx, text, strlen(text), what)
                                           : 0;
}

static void
free_texts(struct texts *t)
{
    fine__json_free(t->sets);
    fine__json_free(t->facts);
    fine__json_free(t->training);
    fine__json_free(t->notes);
    fine__json_free(t->before);
}

static int
parse_texts(struct texts *t, const struct fine__report_data *data)
{
    int rc;

    *t = (struct texts){ 0 };
    if ((rc = parse(&t->sets, data->ctx, data->data, "report: data")) < 0
        || (rc = parse(&t->facts, data->ctx, data->facts, "report: facts")) < 0
        || (rc = parse(&t->training, data->ctx, data->training, "report: training")) < 0
        || (rc = parse(&t->notes, data->ctx, data->notes, "report: notes")) < 0
        || (rc = parse(&t->before, data->ctx, data->before, "report: before")) < 0)
        free_texts(t);
    return rc;
}

static void
put_title(struct fine__buf *out, const struct fine__report_data *data)
{
    fine__html_text(out, data->title != NULL ? data->title : "Fine-tuning run");
}

static void
put_head(struct fine__buf *out, const struct fine__report_data *data)
{
    fine__buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                        "<meta http-equiv=\"Content-Security-Policy\" "
                        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, "
                        "initial-scale=1\">\n<title>");
    put_title(out, data);
    fine__buf_text(out, "</title>\n");
    fine__page_style(out);
    fine__buf_text(out, "</head><body><main>\n<h1>");
    put_title(out, data);
    fine__buf_text(out, "</h1>\n<p class=\"sub\">");
    if (data->base_model != NULL) {
        fine__html_text(out, data->base_model);
        fine__buf_text(out, ", fine-tuned");
    } else {
        fine__buf_text(out, "Fine-tuned");
    }
    if (data->task != NULL && strcmp(data->task, "classify") == 0) {
        fine__buf_text(out, " to classify text");
        if (data->n_labels > 0) {
            fine__buf_text(out, " into ");
            fine__put_count(out, data->n_labels);
            fine__buf_text(out, " labels");
        }
    } else if (data->task != NULL && strcmp(data->task, "regress") == 0) {
        fine__buf_text(out, " to predict a number from text");
    } else if (data->task != NULL && strcmp(data->task, "fill-mask") == 0) {
        fine__buf_text(out, " to fill in masked tokens of text");
    } else if (data->task != NULL && strcmp(data->task, "language-model") == 0) {
        fine__buf_text(out, " to continue text");
    } else if (data->task != NULL && strcmp(data->task, "multilabel") == 0) {
        fine__buf_text(out, " to give texts any of ");
        fine__put_count(out, data->n_labels);
        fine__buf_text(out, data->n_labels == 1 ? " label" : " labels");
    } else if (data->task != NULL && strcmp(data->task, "tag") == 0) {
        fine__buf_text(out, " to find entities in text");
    } else if (data->task != NULL && strcmp(data->task, "answer") == 0) {
        fine__buf_text(out, " to find answers in texts");
    } else if (data->task != NULL) {
        fine__buf_text(out, " for ");
        fine__html_text(out, data->task);
    }
    fine__buf_text(out, "</p>\n");
}

static void
put_notes(struct fine__buf *out, const struct fine__json *notes)
{
    const int64_t n = fine__json_count(notes);

    for (int64_t i = 0; i < n; i++) {
        const char *note = fine__json_string(fine__json_at(notes, i), NULL);

        if (note == NULL)
            continue;
        fine__buf_text(out, "<p class=\"note\">");
        fine__html_text(out, note);
        fine__buf_text(out, "</p>\n");
    }
}

/* The path is quoted for a shell: 'it'\''s'. */
static void
put_use(struct fine__buf *out, const char *model_path)
{
    if (model_path == NULL)
        return;
    fine__buf_text(out, "<section id=\"use\"><h2>Try it</h2><p class=\"lead\">One text a line; "
                        "an answer a line comes back.</p><pre>finetune predict &#39;");
    for (const char *rest = model_path; *rest != '\0';) {
        const size_t n = strcspn(rest, "'");

        fine__html_text_n(out, rest, n);
        rest += n;
        if (*rest == '\'') {
            fine__buf_text(out, "&#39;\\&#39;&#39;");
            rest++;
        }
    }
    fine__buf_text(out, "&#39; texts.txt</pre></section>\n");
}

int
fine__report_html(struct fine__report_data *data, struct fine__buf *out)
{
    const struct fine__json *result, *metrics;
    const char *split;
    struct texts t;
    bool pair;
    int rc;

    FINE__TRY(parse_texts(&t, data));
    result = fine__report_result(data, &split);
    metrics = fine__result_metrics(result);
    put_head(out, data);
    put_notes(out, t.notes);
    fine__page_headline(out, data, t.before);
    rc = fine__page_curves(out, data);
    /* Small tables stand side by side. */
    pair = fine__json_count(fine__json_get(metrics, "confusion")) <= PAIR_MAX;
    fine__buf_text(out, pair ? "<div class=\"pair\">\n" : "");
    fine__page_confusion(out, data, metrics);
    fine__page_classes(out, data, metrics);
    fine__buf_text(out, pair ? "</div>\n" : "");
    pair = fine__json_count(fine__json_get(result, "groups")) <= GROUPS_PAIR_MAX;
    fine__buf_text(out, pair ? "<div class=\"pair\">\n" : "");
    fine__page_results(out, data, t.before);
    fine__page_groups(out, data->ctx, result);
    fine__buf_text(out, pair ? "</div>\n" : "");
    put_use(out, data->model_path);
    fine__page_data(out, t.sets);
    fine__page_facts(out, "Training settings", t.training);
    fine__page_facts(out, "Facts", t.facts);
    fine__page_recipe(out, data->recipe);
    fine__buf_text(out, "<footer>Written by libfinetune " FINE_VERSION_STRING
                        ". This page is one file: it holds no script and loads nothing.</footer>\n"
                        "</main></body></html>\n");
    free_texts(&t);
    return rc < 0 ? rc : fine__buf_status(out);
}
