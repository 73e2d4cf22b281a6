/*
 * added_files.h — the added tokens that a tokenizer's files list.
 */
#ifndef FINE__ADDED_FILES_H
#define FINE__ADDED_FILES_H

#include "text/kind.h"

/* added_tokens of tokenizer.json, or, without that file, the kind's special tokens,
 * added_tokens_decoder of tokenizer_config.json, and added_tokens.json. */
int fine__added_read(fine_tokenizer *t, struct fine__added_list *list,
                     const struct fine__parsed *parsed);

/* Makes the tokenizer's two automata of the list. */
int fine__added_build(fine_tokenizer *t, const struct fine__added_list *list);

#endif
