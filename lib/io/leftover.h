/*
 * leftover.h — the other names of a checkpoint's folder while it is written or replaced.
 *
 *     .NAME.tmp-R   being written
 *     .NAME.old-R   complete; stands in for NAME where a replacement was interrupted
 *     .NAME.del-R   being removed
 *
 * R is 16 hexadecimal digits drawn at random.
 */
#ifndef FINE__LEFTOVER_H
#define FINE__LEFTOVER_H

#include "base/file.h"

enum fine__leftover { FINE__LEFTOVER_TMP, FINE__LEFTOVER_OLD, FINE__LEFTOVER_DEL };

/* folder/.NAME.KIND-R with a new R. NULL: no memory. */
char *fine__leftover_path(fine_context *ctx, const char *folder, const char *name,
                          enum fine__leftover kind);
/* Is `entry` such a name? Then its kind, and the length of NAME at entry + 1. */
bool fine__leftover_parse(const char *entry, enum fine__leftover *kind, size_t *length);

/* 1: there; 0: certainly not; negative: that can't be told. */
int fine__presence(fine_context *ctx, const char *path);
/* 1: a manifest and every file with its size; 0: not so; negative: that can't be told. */
int fine__is_complete(fine_context *ctx, const char *path);

/* Removes folder/entry: under a name of kind DEL first, so that half of it is never taken
 * for more. NAME is what the entry belongs to. */
int fine__discard(fine_context *ctx, const char *folder, const char *entry, const char *name);
/* The complete folder that stands in for folder/name, which is absent: *out is its path, or
 * NULL where there is none. */
int fine__find_standin(fine_context *ctx, const char *folder, const char *name, char **out);
/* Repairs and removes leftovers: of `name`, or of all names where it is NULL that begin with
 * prefix and go on with digits. */
int fine__clean_leftovers(fine_context *ctx, const char *folder, const char *name,
                          const char *prefix);
/* Removes all leftovers of `name`, what could stand in for it too. */
int fine__remove_leftovers(fine_context *ctx, const char *folder, const char *name);

#endif
