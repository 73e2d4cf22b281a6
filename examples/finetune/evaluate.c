/*
 * evaluate.c — scores a model on labelled data, read as in training unless options say
 * otherwise.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file must speak the model's labels: an unknown one is a finding, not a new class. */
static int
data_options(struct fine_dataset_options *out, const fine_model *model, const char **labels,
             int64_t n_labels)
{
    int rc;

    fine_dataset_options_init(out, sizeof *out);
    if ((rc = fine_model_dataset_options(model, out)) < 0)
        return rc;
    for (int64_t i = 0; i < n_labels; i++)
        labels[i] = fine_model_label(model, i);
    if (n_labels > 0) {
        out->labels = labels;
        out->n_labels = n_labels;
    }
    out->label_is_number = strcmp(fine_model_task(model), "regress") == 0;
    out->require_label = 1;
    return FINE_OK;
}

static void
print_groups(const json_t *groups)
{
    const char *name;
    json_t *group;

    json_object_foreach((json_t *)groups, name, group)
    {
        const json_t *metrics = json_object_get(group, "metrics");

        printf("group %s", name);
        if (json_object_get(group, "n"))
            printf("  n %lld", (long long)json_integer_value(json_object_get(group, "n")));
        putchar('\n');
        cli_print_metrics(metrics ? metrics : group, "  ");
    }
}

static int
print_report(const fine_report *report, int json)
{
    json_t *all;

    if (json) {
        puts(fine_report_json(report));
        return CLI_DONE;
    }
    all = json_loads(fine_report_json(report), 0, NULL);
    if (!all)
        return cli_no_memory();
    printf("%-20s %lld\n%-20s %.4f\n", "n",
           (long long)json_integer_value(json_object_get(all, "n")), "loss",
           json_number_value(json_object_get(all, "loss")));
    cli_print_metrics(json_object_get(all, "metrics"), "");
    print_groups(json_object_get(all, "groups"));
    json_decref(all);
    return CLI_DONE;
}

static int
evaluate(const char *const arguments[3], const char *architecture, struct cli_columns *columns,
         const struct cli_common *common, fine_context *context)
{
    struct fine_dataset_options how;
    fine_model *model = NULL;
    fine_dataset *data = NULL;
    fine_session *session = NULL;
    fine_report *report = NULL;
    const char **labels = NULL;
    int exit_code, rc;

    if ((rc = cli_open_model(&model, context, arguments[0], architecture)) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
        goto out;
    }
    labels = malloc((size_t)(fine_model_n_labels(model) + 1) * sizeof *labels);
    if (!labels) {
        exit_code = cli_no_memory();
        goto out;
    }
    if ((rc = data_options(&how, model, labels, fine_model_n_labels(model))) < 0) {
        exit_code = cli_fail(rc, CLI_READING);
        goto out;
    }
    if ((exit_code = cli_columns_apply(columns, "evaluate", &how)) != CLI_DONE)
        goto out;
    if ((rc = fine_dataset_open(&data, context, arguments[1], &how)) < 0)
        exit_code = cli_fail(rc, CLI_ARGUMENT);
    else if ((rc = fine_session_new(&session, model)) < 0 ||
             (rc = fine_session_evaluate(session, data, &report)) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else
        exit_code = print_report(report, common->json);
out:
    fine_report_free(report);
    fine_session_free(session);
    fine_dataset_free(data);
    free(labels);
    fine_model_free(model);
    return exit_code;
}

int
cli_evaluate(int argc, char **argv)
{
    struct cli_common common;
    struct cli_columns columns;
    const char *arguments[3], *architecture = NULL;
    const struct cli_option options[] = {
        CLI_ARCHITECTURE_OPTION(architecture),
        CLI_COLUMN_OPTIONS(columns),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "evaluate",
        "MODEL DATA",
        "Scores a model on a labelled file. Columns and format are those of its training\n"
        "unless options say otherwise.",
        options,
        2,
        2,
    };
    fine_context *context = NULL;
    int exit_code;

    memset(&columns, 0, sizeof columns);
    exit_code = cli_parse(&usage, argc, argv, &common, arguments);
    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    exit_code = evaluate(arguments, architecture, &columns, &common, context);
    cli_columns_free(&columns);
    fine_context_free(context);
    return exit_code;
}
