/*
 * test_html.c — the page: what it says, that it is well formed and closed to the world,
 * and that no name gets out of its place.
 */
#include "runner.h"

#include <math.h>
#include <stdio.h>

#include "report/page.h"
#include "train/metrics.h"

static fine_context *ctx;
static struct fine__report_data data;
static struct fine__buf out;

static void
begin(void)
{
    ctx = new_context(1);
    fine__report_data_init(&data, ctx);
    fine__buf_init(&out, ctx);
}

static void
end(void)
{
    fine__report_data_free(&data);
    fine__buf_free(&out);
    free_context(ctx);
}

static void
add_evaluation(const char *task, int64_t n_labels, const char *const *labels, int step, int rows)
{
    struct fine__metrics *metrics;
    struct fine__buf text, event;

    fine__buf_init(&text, ctx);
    fine__buf_init(&event, ctx);
    ck_assert_int_eq(fine__metrics_new(&metrics, ctx, task, labels, n_labels), 0);
    for (int i = 0; i < rows; i++) {
        const char *group = i % 2 ? "odd & <i>" : "even";

        if (n_labels > 0)
            fine__metrics_add_class(metrics, i % n_labels, i % 5 ? i % n_labels : 0, 0.5, group);
        else
            fine__metrics_add_value(metrics, i, i % 7, 0.5, group);
    }
    fine__metrics_write(metrics, &text, true);
    fine__buf_printf(&event, "{\"event\":\"evaluate\",\"step\":%d,\"best\":true,%s", step,
                     text.data + 1);
    ck_assert_int_eq(fine__report_add_event(&data, fine__buf_cstr(&event)), 0);
    ck_assert_int_eq(data.n_ignored, 0);
    fine__metrics_free(metrics);
    fine__buf_free(&text);
    fine__buf_free(&event);
}

static void
add_steps(int n)
{
    char line[200];

    for (int i = 1; i <= n; i++) {
        snprintf(line, sizeof line, "{\"event\":\"step\",\"step\":%d,\"loss\":1.%d,"
                 "\"learning_rate\":5e-05,\"gradient_norm\":2,\"seconds\":%d}", i, i % 10, i);
        ck_assert_int_eq(fine__report_add_event(&data, line), 0);
    }
}

/* Tags close in the order they were opened; attributes are quoted; text is escaped. */
static void
check_form(const char *html)
{
    static const char *const without_end[] = { "meta", "line" };
    char stack[32][16];
    int depth = 0;

    html = strstr(html, "<html");
    while ((html = strchr(html, '<')) != NULL) {
        const bool closes = html[1] == '/';
        const size_t n = strspn(html + 1 + closes, "abcdefghijklmnopqrstuvwxyz0123456789");
        char name[16];
        bool empty = false;

        ck_assert_msg(n > 0 && n < sizeof name, "not a tag: %.40s", html);
        memcpy(name, html + 1 + closes, n);
        name[n] = '\0';
        html += 1 + closes + n;
        while (*html != '>') {
            ck_assert_msg(*html != '\0' && *html != '<', "in <%s", name);
            empty = *html == '/';
            if (*html++ == '"') {
                html += strcspn(html, "\"<");
                ck_assert_msg(*html == '"', "attribute of <%s", name);
                html++;
            }
        }
        for (int64_t i = 0; i < FINE__COUNT(without_end); i++)
            empty = empty || strcmp(name, without_end[i]) == 0;
        if (closes) {
            ck_assert_msg(depth > 0 && strcmp(stack[depth - 1], name) == 0, "</%s> closes <%s>",
                          name, depth > 0 ? stack[depth - 1] : "");
            depth--;
        } else if (!empty) {
            ck_assert_int_lt(depth, 32);
            memcpy(stack[depth++], name, sizeof name);
        }
    }
    ck_assert_int_eq(depth, 0);
}

static const char *
page(void)
{
    static const char *const never[] = { "<script", "http:", "https:", "src=", "url(", "@import",
                                         "<link", "javascript", "nan", "<i>odd",
                                         "odd & <i>", "<evil" };

    fine__buf_clear(&out);
    ck_assert_int_eq(fine__report_html(&data, &out), 0);
    check_form(out.data);
    for (int64_t i = 0; i < FINE__COUNT(never); i++)
        ck_assert_msg(strstr(out.data, never[i]) == NULL, "%s", never[i]);
    ck_assert_ptr_nonnull(strstr(out.data, "default-src 'none'"));
    return out.data;
}

static void
says(const char *what)
{
    ck_assert_msg(strstr(out.data, what) != NULL, "the page does not say: %s", what);
}

START_TEST(an_empty_run)
{
    begin();
    page();
    says("Nothing was measured");
    ck_assert_ptr_null(strstr(out.data, "id=\"curves\""));
    ck_assert_ptr_null(strstr(out.data, "id=\"confusion\""));
    end();
}
END_TEST

START_TEST(a_classification)
{
    static const char *const labels[] = { "bad <evil onload=\"x\">", "good & 'nice'", "\"so\"" };

    begin();
    data.title = "reviews </title><evil>";
    data.task = "classify";
    data.metric = "macro_f1";
    data.base_model = "mini <evil>";
    data.model_path = "runs/it's/<evil>";
    data.labels = labels;
    data.n_labels = 3;
    data.data = "{\"train\":{\"rows\":90,\"labels\":{\"bad <evil\":30,\"x\":60},"
                "\"text_chars\":{\"min\":1,\"median\":20.5,\"max\":300},"
                "\"columns\":{\"used\":[\"text\",\"<evil\"],\"unused\":[]},\"empty\":null},"
                "\"<evil\":{\"rows\":0,\"labels\":{}}}";
    data.facts = "{\"seed\":7,\"peak_bytes\":1500000,\"seconds\":75,\"<evil\":\"<evil>\","
                 "\"nested\":{\"a\":[1,2]},\"frozen stages\":[\"embeddings\",1]}";
    data.training = "{\"learning_rate\":5e-05,\"amsgrad\":false}";
    data.notes = "[\"12 <evil> texts were cut\",7]";
    data.recipe = "model:\n  path: '<evil>'  # c\ntrain: {a: b}\n- x\n\n  no key";
    data.before = "{\"n\":100,\"metrics\":{\"accuracy\":0.125,\"macro_f1\":0.1}}";
    add_steps(60);
    add_evaluation("classify", 3, labels, 30, 100);
    add_evaluation("classify", 3, labels, 60, 100);
    page();
    says("Right on <b>87.0 %</b> of 100 validation rows.");
    says("would be right on 34.0 %; before training it was 12.5 %.");
    says("chosen by these same rows");
    says("95 % interval 79.0 – 92.2 %");    /* scipy: binomtest(87, 100).proportion_ci(method="wilson") */
    says("bad &lt;evil onload=&quot;x&quot;&gt;");
    says("odd &amp; &lt;i&gt;");
    says("finetune predict &#39;runs/it&#39;\\&#39;&#39;s/&lt;evil&gt;&#39;");
    says("1.5 MB");
    says("1 min 15 s");
    says("<b>  path</b>: &#39;&lt;evil&gt;&#39;  # c");
    says("Text chars, median</th><td>20.5</td>");
    says("not finished when this was written");
    says("training, smoothed");
    says("Learning rate");

    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"done\",\"best_step\":60,\"seconds\":80,\"peak_bytes\":99000000,"
               "\"metrics\":{\"validation\":{\"accuracy\":0.9},"
               "\"test\":{\"n\":40,\"metrics\":{\"accuracy\":0.5,\"matthews\":0,"
               "\"degenerate\":[\"matthews\"],\"confusion\":[[20,0],[20,0]],"
               "\"per_class_f1\":{\"p\":0.6,\"q\":0}}}}}"), 0);
    page();
    says("Right on <b>50.0 %</b> of 40 test rows.");
    says("not clearly better than the most frequent label");
    says("Matthews *");
    says("99.0 MB");
    ck_assert_ptr_null(strstr(out.data, "chosen by these same rows"));
    end();
}
END_TEST

START_TEST(many_labels)
{
    begin();
    data.task = "classify";
    add_evaluation("classify", 77, NULL, 5, 1000);
    page();
    says("The most frequent mistakes.");
    says("The 30 labels with the lowest F1.");
    says("<details>");
    ck_assert_ptr_null(strstr(out.data, "class=\"matrix\""));
    end();

    begin();
    add_evaluation("classify", 700, NULL, 5, 3000);      /* pairs instead of a matrix */
    page();
    says("LABEL_5</td><td>LABEL_0");
    end();

    begin();
    add_evaluation("classify", 30, NULL, 5, 1000);
    page();
    says("class=\"matrix\"");
    end();
}
END_TEST

START_TEST(a_regression)
{
    begin();
    data.task = "regress";
    add_steps(5);
    add_evaluation("regress", 0, NULL, 3, 50);
    page();
    says("correlate at <b>");
    says("Spearman");
    says("Error on validation data");
    ck_assert_ptr_null(strstr(out.data, "id=\"confusion\""));
    end();
}
END_TEST

/* What the trainer's own lines hold: numbers alone while it runs, all of it, flat, at the end. */
START_TEST(a_run_as_the_trainer_tells_it)
{
    begin();
    data.task = "classify";
    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"evaluate\",\"step\":5,\"epoch\":0,\"metrics\":{\"loss\":0.5,"
               "\"accuracy\":0.75,\"macro_f1\":0.7},\"best\":true,\"seconds\":1.5}"), 0);
    page();
    says("Right on <b>75.0 %</b> of the validation rows.");
    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"done\",\"step\":9,\"best_step\":5,\"metrics\":{\"validation\":"
               "{\"n\":1200,\"loss\":0.5,\"accuracy\":0.75,\"confusion\":[[600,100],[200,300]],"
               "\"per_class_f1\":{\"x\":0.8,\"y\":0.67},"
               "\"groups\":{\"g\":{\"n\":7,\"accuracy\":0.5}}}}}"), 0);
    page();
    says("Right on <b>75.0 %</b> of 1,200 validation rows.");
    says("Always answering “x” would be right on 58.3 %.");
    says("Rows</th><td class=\"num\"></td><td class=\"num\">1,200</td>");
    says("<td>g</td><td class=\"num\">7</td><td class=\"num\">50.0 %</td>");
    end();
}
END_TEST

START_TEST(groups_by_size)
{
    begin();
    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"done\",\"metrics\":{\"test\":{\"n\":12,\"accuracy\":0.5,\"groups\":{"
               "\"small\":{\"n\":2,\"accuracy\":1,\"micro_f1\":1,\"matthews\":0,"
               "\"degenerate\":[\"matthews\"]},"
               "\"large\":{\"n\":10,\"accuracy\":0.4,\"micro_f1\":0.4,\"matthews\":0}}}}}"), 0);
    page();
    says("<tr><td>large</td><td class=\"num\">10</td><td class=\"num\">40.0 %</td>"
         "<td class=\"num\">0.000</td></tr>\n<tr><td>small</td><td class=\"num\">2</td>"
         "<td class=\"num\">100.0 %</td><td class=\"num\">–</td></tr>");
    end();
}
END_TEST

START_TEST(strange_results_do_no_harm)
{
    static const char *const events[] = {
        "{\"event\":\"done\"}",
        "{\"event\":\"done\",\"metrics\":7}",
        "{\"event\":\"done\",\"metrics\":{\"test\":7}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"accuracy\":1e300,\"n\":1}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"accuracy\":-5,\"n\":-3}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"confusion\":[[1,2],[3]],\"accuracy\":0}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"confusion\":[7,\"x\",{}]}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"confusion\":{\"a\":1},\"accuracy\":0.5}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"confusion\":[[-9223372036854775807]]}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"confusion_pairs\":[[1],[],7,[0,1,5]]}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"per_class_f1\":[1,2]}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"per_class_f1\":{\"a\":\"x\",\"b\":null}}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"groups\":{\"a\":7,\"b\":{\"n\":1}}}}}",
        "{\"event\":\"done\",\"metrics\":{\"test\":{\"groups\":[1],\"degenerate\":[7]}}}",
        "{\"event\":\"done\",\"seconds\":-1,\"peak_bytes\":-1,\"best_step\":\"x\"}",
        "{\"event\":\"step\",\"step\":4503599627370496,\"loss\":1e308,\"seconds\":1e308}",
        "{\"event\":\"evaluate\",\"step\":0,\"metrics\":{\"x\":1,\"<evil>\":0.5,\"loss\":-1e308}}",
    };

    begin();
    for (int64_t i = 0; i < FINE__COUNT(events); i++) {
        ck_assert_int_eq(fine__report_add_event(&data, events[i]), 0);
        page();
    }
    data.facts = "[1]";
    data.training = "null";
    page();
    data.facts = "{";
    ck_assert_int_eq(fine__report_html(&data, &out), FINE_EFORMAT);
    data.facts = NULL;
    data.data = "{\"train\":7,\"test\":{\"labels\":[{\"name\":\"a\",\"count\":2},{}]}}";
    page();
    end();
}
END_TEST

START_TEST(out_of_memory)
{
    struct faulty faulty;
    int rc = FINE_ENOMEM;

    for (long long n = 1; rc != 0; n++) {
        begin();
        end();
        ctx = new_faulty_context(&faulty, 1);
        fine__report_data_init(&data, ctx);
        fine__buf_init(&out, ctx);
        data.facts = "{\"a\":[1,\"b\"]}";
        data.data = "{\"train\":{\"rows\":3,\"labels\":{\"a\":3}}}";
        data.recipe = "a: b\n";
        faulty.fail_at = n;
        rc = fine__report_add_event(&data, "{\"event\":\"step\",\"step\":1,\"loss\":1}");
        if (rc == 0)
            rc = fine__report_add_event(&data, "{\"event\":\"evaluate\",\"step\":1,\"metrics\":"
                                               "{\"accuracy\":1,\"confusion\":[[3]],"
                                               "\"per_class_f1\":{\"a\":1}}}");
        if (rc == 0)
            rc = fine__report_html(&data, &out);
        if (rc == 0)
            rc = fine__report_card(&data, &out);
        ck_assert(rc == 0 || rc == FINE_ENOMEM);
        end();
    }
}
END_TEST

RUNNER("html", an_empty_run, a_classification, many_labels, a_regression,
       a_run_as_the_trainer_tells_it, groups_by_size, strange_results_do_no_harm, out_of_memory)
