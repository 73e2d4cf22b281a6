/*
 * forward.c — raw tensors through a model and out again: logits, hidden states, loss and
 * gradients, for comparing with another implementation.
 */
#include "cli.h"

#include <stdio.h>

static json_t *
shape_of(const fine_tensors *tensors, const char *name)
{
    const int64_t *shape;
    int64_t n_dims;
    json_t *out;

    if (fine_tensors_get(tensors, name, NULL, &n_dims, &shape, NULL) < 0)
        return NULL;
    out = json_array();
    for (int64_t i = 0; i < n_dims; i++)
        json_array_append_new(out, json_integer(shape[i]));
    return out;
}

static int
print_summary(const fine_tensors *out, const char *path, const struct cli_common *common)
{
    json_t *summary = json_object(), *shape = shape_of(out, "logits");
    const void *loss = NULL;
    int32_t type;

    if (shape)
        json_object_set_new(summary, "logits", shape);
    if (fine_tensors_get(out, "loss", &type, NULL, NULL, &loss) == FINE_OK)
        json_object_set_new(summary, "loss",
                            cli_json_number(type == FINE_F64 ? *(const double *)loss
                                                             : (double)*(const float *)loss));
    if (common->json)
        return cli_print_json(summary);
    printf("%s: %lld tensors", path, (long long)fine_tensors_count(out));
    if (loss)
        printf(", loss %.9g", json_number_value(json_object_get(summary, "loss")));
    putchar('\n');
    json_decref(summary);
    return CLI_DONE;
}

int
cli_forward(int argc, char **argv)
{
    struct cli_common common;
    const char *arguments[3];
    const char *architecture = NULL;
    int32_t gradients = 0, train_mode = 0;
    const struct cli_option options[] = {
        { "--gradients", CLI_FLAG, &gradients, NULL,
          "write grad.NAME for every parameter; needs labels" },
        { "--train-mode", CLI_FLAG, &train_mode, NULL,
          "batch norms by the batch's statistics; writes after.NAME" },
        CLI_ARCHITECTURE_OPTION(architecture),
        { NULL, CLI_FLAG, NULL, NULL, NULL },
    };
    const struct cli_usage usage = {
        "forward",
        "MODEL IN.safetensors OUT.safetensors",
        "Reads input_ids and attention_mask (B,T), optional token_type_ids and labels; or of\n"
        "image models pixel_values (B,C,H,W) and optional labels;\n"
        "writes logits, hidden_states.N, and loss where labels are given.",
        options,
        3,
        3,
    };
    fine_context *context = NULL;
    fine_model *model = NULL;
    fine_tensors *in = NULL, *out = NULL;
    int exit_code = cli_parse(&usage, argc, argv, &common, arguments), rc;

    if (exit_code >= 0)
        return exit_code;
    if ((exit_code = cli_context(&context, &common)) != CLI_DONE)
        return exit_code;
    if ((rc = cli_open_model(&model, context, arguments[0], architecture)) < 0 ||
        (train_mode && (rc = fine_model_set_batch_statistics(model, 1)) < 0) ||
        (rc = fine_tensors_open(&in, context, arguments[1])) < 0 ||
        (rc = fine_model_forward(
             model, in, FINE_HIDDEN_STATES | (gradients ? FINE_PARAM_GRADIENTS : 0), &out)) < 0)
        exit_code = cli_fail(rc, CLI_READING);
    else if ((rc = fine_tensors_save(out, arguments[2])) < 0)
        exit_code = cli_fail(rc, CLI_WRITING);
    else
        exit_code = print_summary(out, arguments[2], &common);
    fine_tensors_free(out);
    fine_tensors_free(in);
    fine_model_free(model);
    fine_context_free(context);
    return exit_code;
}
