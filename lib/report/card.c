/*
 * card.c — the model card: README.md of a model folder.
 *
 * After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993), as
 * far as a program can know: what it is, how good, on what, where it is weak. Written
 * from numbers and names alone; no text of the data ever stands in it. It states no
 * licence, since the base model and the data have theirs.
 */
#include <math.h>
#include <string.h>

#include "report/page.h"
#include <finetune/version.h>

#define LABELS_SHOWN 100
#define CLASSES_SHOWN 30
#define FEW_ROWS 30             /* a label's F1 from fewer rows says little */

/* What a card says of a task. */
struct words {
    const char *task, *pipeline, *front;    /* front: further tags and the metrics */
    const char *purpose, *purpose_of_labels;
    const char *limit;                      /* of its answers; NULL: none is known */
    const char *command, *texts, *call, *show;
};

#define PREDICT                                                                                  \
    .command = "finetune predict model texts.txt", .texts = "A text to judge.",                 \
    .call = "fine_session_predict(session, texts, NULL, 1)"

static const struct words all_words[] = {
    { .task = "classify", .pipeline = "text-classification",
      .front = "- text-classification\nmetrics:\n- accuracy\n- f1\n- matthews_correlation\n",
      .purpose = "to classify text", .purpose_of_labels = "to classify text into ",
      .limit = "- It always gives one of its labels, also to a text that none of them fits. Its "
               "scores were not checked as probabilities.\n",
      PREDICT, .show = "puts(fine_model_label(model, fine_session_label(session, 0)))" },
    { .task = "regress", .pipeline = "text-classification",
      .front = "- text-regression\nmetrics:\n- pearsonr\n- spearmanr\n",
      .purpose = "to predict a number from text", PREDICT,
      .show = "printf(\"%g\\n\", fine_session_value(session, 0))" },
    { .task = "multilabel", .pipeline = "text-classification",
      .front = "- text-classification\nmetrics:\n- f1\n- accuracy\n",
      .purpose = "to give texts any of several labels",
      .purpose_of_labels = "to give texts any of ",
      .limit = "- Its scores were not checked as probabilities.\n", PREDICT,
      .show = "for (int64_t j = 0; j < fine_model_n_labels(model); j++)\n"
              "        if (fine_session_scores(session, 0)[j] > 0.5f)\n"
              "            puts(fine_model_label(model, j))" },
    { .task = "tag", .pipeline = "token-classification",
      .front = "- token-classification\nmetrics:\n- seqeval\n",
      .purpose = "to find entities in text",
      .limit = "- Its scores were not checked as probabilities.\n", PREDICT,
      .show = "printf(\"%lld entities\\n\", (long long)fine_session_n_spans(session, 0))" },
    { .task = "answer", .pipeline = "question-answering",
      .front = "- question-answering\nmetrics:\n- exact_match\n- f1\n",
      .purpose = "to find the answer to a question in a text",
      .limit = "- Its answers are places in the text that it is given, not checked for truth. Its "
               "scores were not checked as probabilities.\n",
      .command = "finetune predict model questions.jsonl",
      .texts = "Who sat?\" }, *contexts[] = { \"The cat sat.",
      .call = "fine_session_predict(session, texts, contexts, 1)",
      .show = "printf(\"%lld places\\n\", (long long)fine_session_n_spans(session, 0))" },
    { .task = "fill-mask", .pipeline = "fill-mask",
      .front = "- fill-mask\nmetrics:\n- perplexity\n",
      .purpose = "to fill in masked tokens of text",
      .limit = "- Its perplexity is that of masked tokens, and no measure of whole texts.\n",
      .command = "finetune predict model texts.txt", .texts = "A text to [MASK].",
      .call = "fine_session_predict(session, texts, NULL, 1)",
      .show = "printf(\"%lld masks\\n\", (long long)fine_session_n_masks(session, 0))" },
    { .task = "language-model", .pipeline = "text-generation",
      .front = "- text-generation\nmetrics:\n- perplexity\n",
      .purpose = "to continue text",
      .limit = "- What it writes is likely text, not checked for truth, and may repeat texts that "
               "it was trained on.\n",
      .command = "finetune generate model prompts.txt", .texts = "A text to go on with",
      .call = "fine_session_generate(session, texts, 1, NULL)",
      .show = "puts(fine_session_generated(session, 0))" },
};

struct card {
    const struct words *words;
    const struct fine__report_data *data;
    const struct fine__json *result, *metrics, *validation, *sets, *training;
    struct fine__majority majority;
    const char *split;
    int64_t n;
    bool regress;
};

static void
heading(struct fine__buf *out, const char *text)
{
    fine__buf_printf(out, "\n## %s\n\n", text);
}

static void
put_label(struct fine__buf *out, const struct card *c, int64_t label)
{
    char scratch[32];

    fine__markdown_text(out, fine__report_label(c->data, c->metrics, label, scratch));
}

static double
metric_of(const struct fine__json *metrics, const char *name)
{
    return fine__json_double(fine__json_get(metrics, name), NAN);
}

static void
put_front(struct fine__buf *out, const struct card *c)
{
    fine__buf_text(out, "---\n");
    if (c->data->base_model != NULL) {
        fine__buf_text(out, "base_model: ");
        fine__buf_json_string(out, c->data->base_model, strlen(c->data->base_model));
        fine__buf_byte(out, '\n');
    }
    fine__buf_printf(out, "pipeline_tag: %s\ntags:\n- libfinetune\n%s", c->words->pipeline,
                     c->words->front);
    fine__buf_text(out, "---\n\n# ");
    fine__markdown_text(out, c->data->title != NULL ? c->data->title : "Fine-tuned model");
    fine__buf_text(out, "\n\n");
    fine__buf_text(out, "Fine-tuned ");
    if (c->data->base_model != NULL) {
        fine__buf_text(out, "from ");
        fine__markdown_text(out, c->data->base_model);
        fine__buf_byte(out, ' ');
    }
    if (c->words->purpose_of_labels != NULL && c->data->n_labels > 0) {
        fine__buf_text(out, c->words->purpose_of_labels);
        fine__put_count(out, c->data->n_labels);
        fine__buf_text(out, " labels");
    } else {
        fine__buf_text(out, c->words->purpose);
    }
    fine__buf_text(out, " with libfinetune " FINE_VERSION_STRING ".\n");
    if (!c->regress && c->data->n_labels > 0) {
        const int64_t n = c->data->n_labels < LABELS_SHOWN ? c->data->n_labels : LABELS_SHOWN;

        fine__buf_text(out, "\nLabels, in the order of their indices: ");
        for (int64_t i = 0; i < n; i++) {
            fine__buf_text(out, i > 0 ? ", " : "");
            put_label(out, c, i);
        }
        fine__buf_text(out, n < c->data->n_labels ? ", … (all stand in config.json)\n" : "\n");
    }
}

/* ---- results ---- */

static void
put_result_table(struct fine__buf *out, const struct card *c)
{
    const bool both = c->validation != NULL && c->validation != c->metrics;

    fine__buf_text(out, "| | ");
    fine__buf_text(out, both ? "validation | " : "");
    fine__buf_printf(out, "%s |\n|---|%s---:|\n", c->split, both ? "---:|" : "");
    for (void *it = fine__json_first(c->metrics); it != NULL;
         it = fine__json_next(c->metrics, it)) {
        const char *name = fine__json_key(it);
        const double value = fine__json_double(fine__json_value(it), NAN);

        if (isnan(value) || strcmp(name, "n") == 0 || strcmp(name, "step") == 0)
            continue;
        fine__buf_text(out, "| ");
        fine__markdown_text(out, fine__metric_title(name));
        if (both) {
            fine__buf_text(out, " | ");
            fine__put_metric(out, name, metric_of(c->validation, name));
        }
        fine__buf_text(out, " | ");
        fine__put_metric(out, name, value);
        fine__buf_text(out, " |\n");
    }
}

/* Rows of a truth, -1: not known. */
static int64_t
rows_of(const struct card *c, int64_t label)
{
    return fine__rows_of(fine__json_get(c->metrics, "confusion"), label);
}

static void
put_class_table(struct fine__buf *out, const struct card *c)
{
    const struct fine__json *classes = fine__json_get(c->metrics, "per_class_f1");
    const int64_t n = fine__json_count(classes);
    int64_t i = 0;

    if (fine__json_type(classes) != FINE__JSON_OBJECT || n > CLASSES_SHOWN)
        return;
    fine__buf_text(out, "\n| label | F1 | rows |\n|---|---:|---:|\n");
    for (void *it = fine__json_first(classes); it != NULL;
         it = fine__json_next(classes, it), i++) {
        fine__buf_text(out, "| ");
        fine__markdown_text(out, fine__json_key(it));
        fine__buf_text(out, " | ");
        fine__put_metric(out, "macro_f1", fine__json_double(fine__json_value(it), NAN));
        fine__buf_text(out, " | ");
        if (rows_of(c, i) >= 0)
            fine__put_count(out, rows_of(c, i));
        fine__buf_text(out, " |\n");
    }
}

static void
put_results(struct fine__buf *out, const struct card *c)
{
    heading(out, "Results");
    if (c->metrics == NULL) {
        fine__buf_text(out, "None: there was neither validation nor test data, so how good this "
                            "model is remains unknown.\n");
        return;
    }
    if (c->n > 0) {
        fine__buf_text(out, "Measured on ");
        fine__put_count(out, c->n);
        fine__buf_printf(out, " %s rows.", c->split);
        if (c->majority.n > 0) {
            fine__buf_text(out, " Always giving the most frequent label (");
            put_label(out, c, c->majority.label);
            fine__buf_text(out, ") would be right on ");
            fine__put_metric(out, "accuracy", c->majority.share);
            fine__buf_text(out, " of them.");
        }
        fine__buf_text(out, "\n\n");
    }
    put_result_table(out, c);
    put_class_table(out, c);
}

/* ---- data, training ---- */

static void
put_data(struct fine__buf *out, const struct card *c)
{
    bool any = false;

    for (void *it = fine__json_first(c->sets); it != NULL; it = fine__json_next(c->sets, it)) {
        const int64_t rows = fine__json_int(fine__json_get(fine__json_value(it), "rows"), -1);

        if (rows < 0)
            continue;
        if (!any)
            heading(out, "Data");
        fine__buf_text(out, "- ");
        fine__markdown_text(out, fine__json_key(it));
        fine__buf_text(out, ": ");
        fine__put_count(out, rows);
        fine__buf_text(out, " rows\n");
        any = true;
    }
}

static void
put_training(struct fine__buf *out, const struct card *c)
{
    if (fine__json_type(c->training) != FINE__JSON_OBJECT || fine__json_count(c->training) == 0)
        return;
    heading(out, "Training");
    for (void *it = fine__json_first(c->training); it != NULL;
         it = fine__json_next(c->training, it)) {
        struct fine__buf text;

        fine__buf_init(&text, out->ctx);
        fine__fact_key(&text, fine__json_key(it));
        fine__buf_text(&text, ": ");
        fine__fact_value(&text, fine__json_key(it), fine__json_value(it));
        if (fine__buf_status(&text) < 0)
            out->failed = true;
        fine__buf_text(out, "- ");
        fine__markdown_text(out, fine__buf_cstr(&text));
        fine__buf_byte(out, '\n');
        fine__buf_free(&text);
    }
}

/* ---- limits ---- */

/* The mistake that is made most often; false: none, or not known. */
static bool
worst_mistake(const struct card *c, int64_t *truth, int64_t *predicted, int64_t *count)
{
    const struct fine__json *confusion = fine__json_get(c->metrics, "confusion");
    const int64_t n = fine__json_count(confusion);

    *count = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t one = fine__count_of(fine__json_at(fine__json_at(confusion, i), j));

            if (i != j && one > *count) {
                *truth = i;
                *predicted = j;
                *count = one;
            }
        }
    return *count > 0;
}

static void
put_weak_labels(struct fine__buf *out, const struct card *c)
{
    const int64_t n = fine__json_count(fine__json_get(c->metrics, "confusion"));
    int64_t truth, predicted, count, few = 0;

    if (worst_mistake(c, &truth, &predicted, &count)) {
        fine__buf_text(out, "- Its most frequent mistake: “");
        put_label(out, c, truth);
        fine__buf_text(out, "” is taken for “");
        put_label(out, c, predicted);
        fine__buf_text(out, "” (");
        fine__put_count(out, count);
        fine__buf_text(out, " of ");
        fine__put_count(out, rows_of(c, truth));
        fine__buf_text(out, " rows).\n");
    }
    for (int64_t i = 0; i < n; i++)
        few += rows_of(c, i) < FEW_ROWS;
    if (few > 0) {
        fine__buf_text(out, "- ");
        fine__put_count(out, few);
        fine__buf_printf(out, few == 1 ? " label was measured on fewer than %d rows; how well it "
                                         "is recognised is uncertain.\n"
                                       : " labels were measured on fewer than %d rows each; how "
                                         "well they are recognised is uncertain.\n",
                         FEW_ROWS);
    }
}

static void
put_limits(struct fine__buf *out, const struct card *c)
{
    heading(out, "Limits");
    if (c->metrics != NULL && strcmp(c->split, "validation") == 0)
        fine__buf_text(out, "- The best step was chosen by the rows it was measured on, so the "
                            "results are a little optimistic.\n");
    if (!c->regress)
        put_weak_labels(out, c);
    fine__buf_text(out, "- The results hold for texts like those it was trained and measured on; "
                        "for other subjects, languages or ways of writing they say nothing.\n");
    if (c->words->limit != NULL)
        fine__buf_text(out, c->words->limit);
    fine__buf_text(out, "- What the base model learnt from its own training data, prejudices "
                        "included, is still in it.\n");
}

static void
put_use(struct fine__buf *out, const struct card *c)
{
    heading(out, "Use");
    fine__buf_text(out, "On the command line, one text a line (`model` is this folder):\n\n"
                        "```sh\n");
    fine__buf_printf(out, "%s\n```\n\nIn C:\n\n```c\n", c->words->command);
    fine__buf_text(out, "#include <finetune.h>\n#include <stdio.h>\n\n"
                        "fine_context *ctx = NULL;\nfine_model *model = NULL;\n"
                        "fine_session *session = NULL;\n"
                        "const char *texts[] = { \"");
    fine__buf_printf(out, "%s\" };\n\n", c->words->texts);
    fine__buf_text(out, "if (fine_context_new(&ctx, NULL) < 0\n"
                        "    || fine_model_open(&model, ctx, \"model\", NULL) < 0\n"
                        "    || fine_session_new(&session, model) < 0\n"
                        "    || ");
    fine__buf_printf(out, "%s < 0)\n    puts(fine_error_message());\nelse\n    %s;\n",
                     c->words->call, c->words->show);
    fine__buf_text(out, "fine_session_free(session);\nfine_model_free(model);\n"
                        "fine_context_free(ctx);\n```\n");
}

static int
parse(struct fine__json **out, fine_context *ctx, const char *text, const char *what)
{
    return text != NULL && text[0] != '\0' ? fine__json_parse(out, ctx, text, strlen(text), what)
                                           : 0;
}

int
fine__report_card(struct fine__report_data *data, struct fine__buf *out)
{
    struct fine__json *sets = NULL, *training = NULL;
    struct card c = { .data = data };
    int rc;

    if ((rc = parse(&sets, data->ctx, data->data, "report: data")) == 0
        && (rc = parse(&training, data->ctx, data->training, "report: training")) == 0) {
        c.sets = sets;
        c.training = training;
        c.words = &all_words[0];
        for (int64_t i = 0; data->task != NULL && i < FINE__COUNT(all_words); i++)
            if (strcmp(data->task, all_words[i].task) == 0)
                c.words = &all_words[i];
        c.regress = data->task != NULL && strcmp(data->task, "regress") == 0;
        c.result = fine__report_result(data, &c.split);
        c.metrics = fine__result_metrics(c.result);
        c.validation = fine__result_metrics(
            fine__json_get(fine__json_get(data->done, "metrics"), "validation"));
        c.majority = fine__majority(c.metrics);
        c.n = fine__json_int(fine__json_get(c.result, "n"), c.majority.n);
        put_front(out, &c);
        put_results(out, &c);
        put_data(out, &c);
        put_training(out, &c);
        put_limits(out, &c);
        put_use(out, &c);
        rc = fine__buf_status(out);
    }
    fine__json_free(sets);
    fine__json_free(training);
    return rc;
}
