/*
 * finetune.h — fine-tune pre-trained models inside your program.
 *
 * The story in six lines: a context carries allocator, threads and log. A model is
 * opened from a folder as Hugging Face's tools write it, gets a task, and parts of it
 * are frozen. A dataset is rows of text with labels. An optimizer and a schedule say
 * how to learn. A trainer brings them together. A session predicts with the result.
 * A recipe is all of it in one YAML file.
 *
 * Errors. Functions return int: 0 is success, negative is an error code (status.h);
 * fine_error_message() says what, where and what to do. On error, out-parameters and
 * what you passed in are unchanged.
 *
 * Ownership. (1) What a function gives you in a `**out` is yours; free it with its
 * `_free`. (2) What a getter returns is borrowed; it lives as long as the handle and
 * until the next call on it that changes it. (3) What you pass in is copied. (4) Handles
 * keep what they need alive: free them in any order.
 *
 * Threads. A handle is used by one thread at a time. Different contexts, and what was
 * made from them, may be used by different threads at once; so may several sessions of
 * one model. There is no library-wide setting. After fork() a child may use contexts
 * made before it for new work; a trainer stays with the process that made it.
 *
 * Options structs start with struct_size and are filled by their _init function, which
 * keeps programs compiled against older headers working.
 */
#ifndef FINETUNE_H
#define FINETUNE_H

#include <finetune/context.h>
#include <finetune/dataset.h>
#include <finetune/model.h>
#include <finetune/recipe.h>
#include <finetune/report.h>
#include <finetune/status.h>
#include <finetune/tensors.h>
#include <finetune/tokenizer.h>
#include <finetune/train.h>
#include <finetune/version.h>

#endif
