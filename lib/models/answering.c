/*
 * answering.c — options of the task `answer`: defaults, checks, and notes in finetune.json.
 *
 * They go with the model, since a question that is put otherwise than in training is answered
 * worse.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "models/answering.h"

enum { MAX_ANSWER = 30 };

void
fine__answering_default(struct fine__answering *out, int64_t max_length)
{
    *out = (struct fine__answering){ .windows = true, .stride = max_length / 3,
                                     .max_answer = MAX_ANSWER };
}

int
fine__answering_read(struct fine__answering *out, const struct fine_task_options *options,
                     enum fine__task task, int64_t max_length)
{
    if (task != FINE__ANSWER) {
        if (options->stride != 0 || options->max_answer_length != 0 || options->no_answer != 0 ||
            fabs(options->null_threshold) > 0)
            return fine__fail(FINE_EINVAL, "task: stride, max_answer_length, no_answer and "
                              "null_threshold are for answer; leave them out");
        return 0;
    }
    fine__answering_default(out, max_length);
    out->windows = options->overlong == NULL || strcmp(options->overlong, "window") == 0;
    if (options->stride != 0)
        out->stride = options->stride;
    if (options->max_answer_length != 0)
        out->max_answer = options->max_answer_length;
    out->no_answer = options->no_answer != 0;
    out->null_threshold = options->null_threshold;
    if (out->stride < 0 || 2 * (double)out->stride > (double)max_length)
        return fine__fail(FINE_EINVAL, "task: stride %lld is not within 1 and half of max_length "
                          "%lld", (long long)out->stride, (long long)max_length);
    if (out->max_answer < 1)
        return fine__fail(FINE_EINVAL, "task: max_answer_length %lld is not positive",
                          (long long)out->max_answer);
    if (!isfinite(out->null_threshold))
        return fine__fail(FINE_EINVAL, "task: null_threshold is not a finite number");
    return 0;
}

void
fine__answering_write(const struct fine__answering *how, struct fine__buf *out)
{
    fine__buf_printf(out, ", \"stride\": %lld, \"max_answer_length\": %lld, \"no_answer\": %s, "
                     "\"null_threshold\": ", (long long)how->stride, (long long)how->max_answer,
                     how->no_answer ? "true" : "false");
    fine__buf_number(out, how->null_threshold);
}

int
fine__answering_note(struct fine__answering *out, const struct fine__json *task,
                     int64_t max_length)
{
    const char *overlong = fine__json_string(fine__json_get(task, "overlong"), NULL);

    fine__answering_default(out, max_length);
    fine__error_clear();
    const int stride = fine__json_want_int(task, "stride", 0, max_length / 2, out->stride,
                                           &out->stride, "finetune.json");
    const int longest = fine__json_want_int(task, "max_answer_length", 1, INT32_MAX,
                                            out->max_answer, &out->max_answer, "finetune.json");
    const int threshold = fine__json_want_double(task, "null_threshold", -1e30, 1e30, 0,
                                                 &out->null_threshold, "finetune.json");

    out->windows = overlong == NULL || strcmp(overlong, "window") == 0;
    out->no_answer = fine__json_bool(fine__json_get(task, "no_answer"), false);
    return stride < 0 ? stride : longest < 0 ? longest : threshold;
}
