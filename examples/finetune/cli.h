/*
 * cli.h — what the commands share: options and help, exit codes, the screen, signals,
 * and lines of input. A command is one file with one function; it builds on the public
 * header alone, as any application would.
 */
#ifndef CLI_H
#define CLI_H

#include <finetune.h>
#include <jansson.h>

/* What a command's exit code says; scripts rely on these numbers. */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,  /* the run failed, or a file could not be written */
    CLI_USAGE = 2,   /* wrong usage */
    CLI_INPUT = 3,   /* recipe, data or model are missing, malformed or do not fit */
    CLI_STOPPED = 4, /* stopped by a signal, can be resumed */
    CLI_MEMORY = 5   /* out of memory, or over --memory-limit */
};

/* ---- options.c ---- */

enum cli_kind {
    CLI_FLAG,  /* int32_t, set to 1 */
    CLI_TEXT,  /* const char * */
    CLI_COUNT, /* int64_t, 0 or more */
    CLI_REAL,  /* double */
    CLI_SIZE,  /* int64_t bytes, written 500MB or 2GiB */
    CLI_LIST   /* struct cli_list, one more item each time */
};

struct cli_list {
    const char *items[64];
    int64_t n;
};

struct cli_option {
    const char *name; /* "--text" */
    enum cli_kind kind;
    void *value;
    const char *argument; /* "COLUMN"; NULL for flags */
    const char *help;
};

struct cli_usage {
    const char *command;   /* "predict" */
    const char *arguments; /* "MODEL [FILE|-]" */
    const char *about;
    const struct cli_option *options; /* ends with a NULL name */
    int n_min, n_max;                 /* how many arguments there may be; n_max at most 3 */
};

/* What every command takes. */
struct cli_common {
    int64_t threads, memory_limit;
    int32_t quiet, json;
};

/* Reads the command line. Returns -1 to go on, else the exit code to end with. */
int cli_parse(const struct cli_usage *usage, int argc, char **argv, struct cli_common *common,
              const char *arguments[3]);
/* The candidate nearest to `word`, or NULL where none is near. */
const char *cli_nearest(const char *word, const char *const *candidates, int n);
/* Says what is wrong with the command line and where the help is. Returns CLI_USAGE. */
int cli_misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- outcome.c ---- */

/* What was being done when a call failed: the same code means different things. */
enum cli_phase {
    CLI_READING, /* the user's files */
    CLI_WRITING, /* our results */
    CLI_ARGUMENT /* something from the command line */
};

/* The exit code for an error code of the library. */
int cli_exit_code(int code, enum cli_phase phase);
/* Prints every finding of the thread's last failure. Returns the exit code. */
int cli_fail(int code, enum cli_phase phase);
/* The same where the command itself found the fault. Returns exit_code. */
int cli_complain(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* No memory in the command itself. Returns CLI_MEMORY. */
int cli_no_memory(void);
/* Prints a JSON value as one line on standard output and gives it back. */
int cli_print_json(json_t *value);
/* Flushes standard output. Returns exit_code, or CLI_FAILED where results were lost. */
int cli_finish(int exit_code);
/* Text as JSON whatever its bytes: broken UTF-8 becomes U+FFFD. */
json_t *cli_json_text(const char *text, size_t length);
/* A number as JSON; null where it is not finite. */
json_t *cli_json_number(double value);
/* Prints metrics, one a line, nested objects under dotted names. */
void cli_print_metrics(const json_t *metrics, const char *prefix);

/* ---- model.c ---- */

/* The entry of an option table for weights that come without a config.json. */
#define CLI_ARCHITECTURE_OPTION(variable) \
    { \
        "--architecture", CLI_TEXT, &(variable), "NAME", \
            "of weights without a config.json: resnet50, …" \
    }

/* Opens a model; architecture may be NULL. A code of the library. */
int cli_open_model(fine_model **out, fine_context *context, const char *path,
                   const char *architecture);
/* 1: the model reads images, not text. */
int cli_reads_images(const fine_model *model);
/* 1: a file whose name says that it holds weights. */
int cli_is_weights(const char *path);

/* ---- screen.c ---- */

/* A context as the common options ask for, whose log goes to standard error. */
int cli_context(fine_context **out, struct cli_common *common);
/* A line for the user on standard error, unless --quiet. */
void cli_say(const struct cli_common *common, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Shows where training stands: a bar on a terminal, a line now and then elsewhere. */
void cli_show_progress(const struct cli_common *common, const struct fine_progress *progress);
/* Takes the bar off the terminal, before something else is printed there. */
void cli_clear_bar(void);
/* Seconds as 4.1 s, 2:05 or 1:02:03. */
void cli_duration(char *out, size_t size, double seconds);

/* ---- interrupt.c ---- */

/* From now on the first SIGINT or SIGTERM asks to stop, the second kills. */
void cli_catch_signals(void);
/* 1 once a signal has asked to stop. */
int cli_interrupted(void);

/* ---- lines.c ---- */

struct cli_line {
    char *text; /* NUL-terminated, without the line's end */
    size_t length;
};

struct cli_lines {
    const char *name; /* for messages */
    int64_t n_read;   /* lines handed out so far */
    int fd;
    /* private */
    int at_end;
    char *bytes;
    size_t size, capacity, start;
};

/* path NULL or "-": standard input. Returns CLI_DONE or an exit code, after a message. */
int cli_lines_open(struct cli_lines *lines, const char *path);
/* Hands out up to n_max lines, valid until the next call: at least one, and more only
 * while they come without waiting, so that answers to a slow pipe are not held back.
 * *n_out is 0 at the end. Returns CLI_DONE or an exit code, after a message. */
int cli_lines_next(struct cli_lines *lines, struct cli_line *out, int64_t n_max, int64_t *n_out);
void cli_lines_close(struct cli_lines *lines);

/* ---- rows.c ---- */

enum { CLI_BLOCK = 256 }; /* rows handed to the library at once */

/* A block of inputs: a line is a text, two texts with a tab between, or a JSON object. */
struct cli_rows {
    const char *text_column, *pair_column; /* of JSON objects */
    int32_t pairs;                         /* 1: every row has two texts */
    int32_t plain;                         /* 1: a line that begins with { is a text as well */
    int64_t n;
    const char *texts[CLI_BLOCK], *seconds[CLI_BLOCK];
    json_t *objects[CLI_BLOCK]; /* what texts of JSON rows point into */
};

/* Reads the next block; rows->n is 0 at the end. Returns CLI_DONE or an exit code. */
int cli_rows_next(struct cli_rows *rows, struct cli_lines *lines);
void cli_rows_clear(struct cli_rows *rows);

/* ---- columns.c ---- */

/* The options that say how a data file is to be read. */
struct cli_columns {
    const char *text, *text_pair, *label, *group, *separator, *quote, *encoding, *format;
    const char *header, *on_bad_row, *label_separator;
    const char *names[64]; /* header's own names */
    char *split;           /* what names point into; freed by cli_columns_free() */
};

/* Their entries in an option table. */
#define CLI_COLUMN_OPTIONS(c) \
    { "--text", CLI_TEXT, &(c).text, "COLUMN", "column with the text" }, \
        { "--text-pair", CLI_TEXT, &(c).text_pair, "COLUMN", "column with the second text" }, \
        { "--label", CLI_TEXT, &(c).label, "COLUMN", "column with the label or the number" }, \
        { "--label-separator", CLI_TEXT, &(c).label_separator, "TEXT", \
          "multilabel: between the labels in one column; default |" }, \
        { "--group", CLI_TEXT, &(c).group, "COLUMN", "column for metrics by group" }, \
        { "--separator", CLI_TEXT, &(c).separator, "CHARACTER", "between columns; \\t is a tab" }, \
        { "--quote", CLI_TEXT, &(c).quote, "KIND", "rfc4180 or none" }, \
        { "--header", CLI_TEXT, &(c).header, "WHAT", \
          "true, false, or the columns' names: a,b,c" }, \
        { "--encoding", CLI_TEXT, &(c).encoding, "NAME", "utf-8, latin-1 or cp1252" }, \
        { "--format", CLI_TEXT, &(c).format, "NAME", \
          "csv, tsv, jsonl, squad or conll; default by the file's name" }, \
    { \
        "--on-bad-row", CLI_TEXT, &(c).on_bad_row, "WHAT", "error or skip" \
    }

/* Lays what was given over what is in `options`. Returns CLI_DONE or CLI_USAGE. */
int cli_columns_apply(struct cli_columns *columns, const char *command,
                      struct fine_dataset_options *options);
void cli_columns_free(struct cli_columns *columns);

/* ---- the commands ---- */

int cli_train(int argc, char **argv);
int cli_evaluate(int argc, char **argv);
int cli_predict(int argc, char **argv);
int cli_generate(int argc, char **argv);
int cli_embed(int argc, char **argv);
int cli_tokenize(int argc, char **argv);
int cli_forward(int argc, char **argv);
int cli_overfit(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_inspect(int argc, char **argv);

#endif
