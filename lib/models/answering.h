/*
 * answering.h — how a question is put to a model, and an answer picked: the options of the
 * task `answer`, their defaults, and how they are kept beside the model.
 */
#ifndef FINE__ANSWERING_H
#define FINE__ANSWERING_H

#include "models/model.h"

struct fine__json;

/* Ids that an answer's windows have by default, where the model can read so many. */
enum { FINE__ANSWER_LENGTH = 384 };

/* The model's own, for a task that was found in a checkpoint. */
void fine__answering_default(struct fine__answering *out, int64_t max_length);
/* FINE_EINVAL. For other tasks: that none of them is given. */
int fine__answering_read(struct fine__answering *out, const struct fine_task_options *options,
                         enum fine__task task, int64_t max_length);
/* Members of finetune.json's "task"; FINE_EFORMAT. */
void fine__answering_write(const struct fine__answering *how, struct fine__buf *out);
int fine__answering_note(struct fine__answering *out, const struct fine__json *task,
                         int64_t max_length);

#endif
