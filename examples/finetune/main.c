/*
 * main.c — the command `finetune`: finds the command that was asked for.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "train", cli_train, "fine-tune a model as a recipe says" },
    { "evaluate", cli_evaluate, "score a model on labelled data" },
    { "predict", cli_predict, "label texts, or give them a number" },
    { "generate", cli_generate, "go on with texts" },
    { "embed", cli_embed, "turn texts into vectors" },
    { "tokenize", cli_tokenize, "show the ids and pieces that a model reads" },
    { "forward", cli_forward, "run raw tensors through a model, with gradients if wanted" },
    { "overfit", cli_overfit, "train on one batch to see that the loss falls" },
    { "merge", cli_merge, "fold an adapter into its base, and prove it" },
    { "bench", cli_bench, "time a training or prediction step and its memory" },
    { "inspect", cli_inspect, "show what is in a model, a data file or a recipe" },
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

/* Names that are taken: they come with a later version. */
static const char *const later[] = { "plan", "sweep", "export" };
enum { N_LATER = sizeof later / sizeof later[0] };

static void
help(FILE *to)
{
    fprintf(to,
            "finetune %s — fine-tunes pre-trained models\n\n"
            "Usage: finetune COMMAND [ARGUMENTS] [OPTIONS]\n\n",
            fine_version());
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(to,
            "\nfinetune COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
            "3 recipe, data or model not usable, 4 stopped and resumable, 5 out of memory.\n");
}

static int
unknown(const char *name)
{
    const char *names[N_COMMANDS], *near;

    for (int i = 0; i < N_LATER; i++)
        if (strcmp(name, later[i]) == 0) {
            fprintf(stderr, "'finetune %s' is not available in version %s\n", name, fine_version());
            return CLI_USAGE;
        }
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    near = cli_nearest(name, names, N_COMMANDS);
    if (near)
        fprintf(stderr, "there is no command '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "there is no command '%s'; 'finetune --help' lists them\n", name);
    return CLI_USAGE;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help(stdout);
        return cli_finish(CLI_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("finetune %s\n", fine_version());
        return cli_finish(CLI_DONE);
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return cli_finish(commands[i].run(argc - 1, argv + 1));
    return unknown(argv[1]);
}
