/*
 * files.h — what the files of every kind of tokenizer have in common.
 */
#ifndef FINE__TEXT_FILES_H
#define FINE__TEXT_FILES_H

#include "text/kind.h"

/* object[key], which must be true or false where it is there. */
int fine__read_flag(const struct fine__json *object, const char *key, bool *value,
                    const char *what);

/* {"piece": id, …} → put. */
int fine__read_vocabulary(fine_tokenizer *t, const struct fine__json *vocab,
                          int (*put)(fine_tokenizer *t, const char *piece, size_t length,
                                     int64_t id),
                          const char *what);

/* The name of a special token in tokenizer_config.json or special_tokens_map.json, with its
 * flags; without one *content is the fallback. */
int fine__special_token(const struct fine__parsed *parsed, const char *key, const char *fallback,
                        const char **content, struct fine__added_token *token);

/* The id that added_tokens_decoder of tokenizer_config.json or added_tokens.json gives a
 * token; -1: none. */
int64_t fine__added_id(const struct fine__parsed *parsed, const char *content);

#endif
