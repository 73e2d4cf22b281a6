/* test_card.c — the model card: what it says, and that names cannot make markup. */
#include "runner.h"

#include "report/report.h"

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
write_card(void)
{
    fine__buf_clear(&out);
    ck_assert_int_eq(fine__report_card(&data, &out), 0);
    ck_assert_int_eq(strncmp(out.data, "---\n", 4), 0);
    ck_assert_ptr_null(strstr(out.data, "license"));
}

static void
says(const char *what)
{
    ck_assert_msg(strstr(out.data, what) != NULL, "the card does not say: %s", what);
}

START_TEST(a_classification)
{
    static const char *const labels[] = { "no_t so\n# bad", "<b>|good|" };

    begin();
    data.title = "my [run](x)";
    data.task = "classify";
    data.base_model = "mini\"LM\nlicense: evil";
    data.labels = labels;
    data.n_labels = 2;
    data.data = "{\"train\":{\"rows\":9000,\"labels\":{\"x\":1}},\"test\":{\"rows\":60}}";
    data.training = "{\"learning_rate\":5e-05,\"frozen stages\":[\"embeddings\"],\"seconds\":80}";
    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"done\",\"best_step\":60,\"metrics\":{\"validation\":{\"accuracy\":0.9},"
               "\"test\":{\"n\":60,\"metrics\":{\"accuracy\":0.75,\"loss\":0.5,"
               "\"confusion\":[[35,5],[10,10]],\"per_class_f1\":{\"no_t so\\n# bad\":0.8,"
               "\"<b>|good|\":0.5}}}}}"), 0);
    fine__buf_clear(&out);
    ck_assert_int_eq(fine__report_card(&data, &out), 0);
    says("base_model: \"mini\\\"LM\\nlicense: evil\"\npipeline_tag: text-classification\n");
    says("\n# my \\[run\\](x)\n");
    says("Fine-tuned from mini\"LM license: evil to classify text into 2 labels");
    says("no_t so \\# bad, &lt;b&gt;\\|good\\|\n");
    says("Measured on 60 test rows. Always giving the most frequent label (no_t so \\# bad) would "
         "be right on 66.7 % of them.");
    says("| | validation | test |\n|---|---:|---:|\n");
    says("| Accuracy | 90.0 % | 75.0 % |\n");
    says("| Loss | – | 0.500 |\n");
    says("| no_t so \\# bad | 80.0 % | 40 |\n");
    says("- train: 9,000 rows\n");
    says("- Learning rate: 5e-05\n");
    says("- Frozen stages: embeddings\n");
    says("“&lt;b&gt;\\|good\\|” is taken for “no_t so \\# bad” (10 of 20 rows)");
    says("1 label was measured on fewer than 30 rows");
    says("fine_session_label(session, 0)");
    says("finetune predict model texts.txt");
    end();
}
END_TEST

START_TEST(a_regression_on_validation_data)
{
    begin();
    data.task = "regress";
    ck_assert_int_eq(fine__report_add_event(
        &data, "{\"event\":\"evaluate\",\"step\":7,\"n\":50,\"best\":true,\"metrics\":"
               "{\"loss\":1.5,\"pearson\":0.5,\"spearman\":0.25,\"rmse\":12345.6}}"), 0);
    write_card();
    says("to predict a number from text with libfinetune ");
    says("| | validation |\n|---|---:|\n| Loss | 1.500 |\n| Pearson | 0.500 |\n"
         "| Spearman | 0.250 |\n| RMSE | 12346 |\n");
    says("chosen by the rows it was measured on");
    says("fine_session_value(session, 0)");
    ck_assert_ptr_null(strstr(out.data, "labels"));
    end();
}
END_TEST

START_TEST(nothing_known)
{
    begin();
    write_card();
    says("# Fine-tuned model\n");
    says("how good this model is remains unknown");
    data.training = "{";
    ck_assert_int_eq(fine__report_card(&data, &out), FINE_EFORMAT);
    end();
}
END_TEST

RUNNER("card", a_classification, a_regression_on_validation_data, nothing_known)
