/*
 * checkpoint.h — folders that are complete or absent.
 *
 * A folder is written under a temporary name beside its place, every file synced, a
 * manifest with sizes and XXH3-128 checksums last, and renamed into place. Opening one
 * verifies every byte against the manifest, so damage is an error and never silent.
 * What a checkpoint holds is the trainer's business. One process at a time writes in a
 * folder (it holds a lock); reading needs none.
 */
#ifndef FINE__CHECKPOINT_H
#define FINE__CHECKPOINT_H

#include "base/source.h"
#include "io/safetensors.h"

struct fine__checkpoint_writer;

/* Makes `folder` where it is missing. FINE_EINVAL: name isn't plain; FINE_EIO; FINE_ENOMEM. */
int fine__checkpoint_begin(struct fine__checkpoint_writer **out, fine_context *ctx,
                           const char *folder, const char *name);
/* After an error of these, only abandon() is allowed. */
int fine__checkpoint_add(struct fine__checkpoint_writer *writer, const char *file,
                         const void *bytes, size_t length);
int fine__checkpoint_add_tensors(struct fine__checkpoint_writer *writer, const char *file,
                                 const struct fine__weight_out *entries, int64_t count);
/* Frees the writer in either case; on error nothing is left behind. A complete folder of
 * that name is replaced: at any moment the old or the new one can be opened. */
int fine__checkpoint_commit(struct fine__checkpoint_writer *writer);
void fine__checkpoint_abandon(struct fine__checkpoint_writer *writer); /* NULL is fine */

/* Verifies folder/name whole; the source reads its files. FINE_EFORMAT names every damaged
 * file; FINE_EIO: there is none, or it can't be read. */
int fine__checkpoint_open(struct fine__source **out, fine_context *ctx, const char *folder,
                          const char *name);

/* Complete folders under `folder` whose names are prefix + decimal digits, ascending by the
 * number (sizes are compared, checksums not); none where there is no such folder. Leftovers
 * of interrupted writes are repaired and removed when clean is set: the lock must be held. */
int fine__checkpoint_list(fine_context *ctx, const char *folder, const char *prefix, bool clean,
                          int64_t **numbers_out, int64_t *count_out);
/* Absent is fine. */
int fine__checkpoint_remove(fine_context *ctx, const char *folder, const char *name);

#endif
