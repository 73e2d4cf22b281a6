/*
 * checkpoint.h — folders that are complete or absent.
 *
 * A folder is written under a temporary name beside its place, every file synced, a
 * manifest with sizes and XXH3-128 checksums last, and renamed into place. Opening one
 * verifies every byte against the manifest, so damage is an error and never silent.
 * What a checkpoint holds is the trainer's business.
 */
#ifndef FINE__CHECKPOINT_H
#define FINE__CHECKPOINT_H

#include "base/source.h"
#include "io/safetensors.h"

struct fine__checkpoint_writer;

int fine__checkpoint_begin(struct fine__checkpoint_writer **out, fine_context *ctx, const char *folder, const char *name);
int fine__checkpoint_add(struct fine__checkpoint_writer *writer, const char *file, const void *bytes, size_t length);
int fine__checkpoint_add_tensors(struct fine__checkpoint_writer *writer, const char *file,
                                 const struct fine__weight_out *entries, int64_t count);
/* Frees the writer in either case; on error nothing is left behind. A complete folder of
 * that name is replaced. */
int fine__checkpoint_commit(struct fine__checkpoint_writer *writer);
void fine__checkpoint_abandon(struct fine__checkpoint_writer *writer);

/* Verifies folder/name whole; the source reads its files. FINE_EFORMAT names the damaged file. */
int fine__checkpoint_open(struct fine__source **out, fine_context *ctx, const char *folder, const char *name);

/* Complete folders under `folder` whose names are prefix + decimal digits, ascending by the
 * number; leftovers of interrupted writes are removed when clean is set. */
int fine__checkpoint_list(fine_context *ctx, const char *folder, const char *prefix, bool clean,
                          int64_t **numbers_out, int64_t *count_out);
int fine__checkpoint_remove(fine_context *ctx, const char *folder, const char *name);

#endif
