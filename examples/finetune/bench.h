/*
 * bench.h — a benchmark's settings and inputs, shared by bench.c and bench_inputs.c.
 */
#ifndef BENCH_H
#define BENCH_H

#include "cli.h"

enum { BENCH_TEXTS = 1600 }; /* of a file, at most */

struct bench {
    const char *path, *mode, *precision, *texts, *architecture;
    int64_t image; /* side of made-up images; 0: as large as is usual */
    int64_t batch, tokens, classes, steps, seed, max_length;
    double dropout; /* below 0: as the configuration says */
    struct cli_columns columns;
    fine_context *context;
    fine_model *model;
    fine_dataset *data;     /* modes that train */
    fine_tensors **batches; /* infer, and images: what goes through the model */
    fine_optimizer *optimizer; /* images: of steps by hand */
    int64_t n_batches;      /* of a pass */
    double tokens_a_row;
    double *ms; /* a step's, or the mean of a pass */
    uint64_t random;
};

/* The made-up batch, or batches of a file's texts: into b->batches where that is there, else
 * into b->data. Return CLI_DONE or an exit code, after a message. */
int bench_make_up(struct bench *b);
int bench_read_texts(struct bench *b);

#endif
