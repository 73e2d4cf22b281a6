/*
 * checkpoint.c — writing, replacing and removing complete folders.
 *
 * A rename is the only step that makes a folder appear or vanish, and everything that it
 * makes visible was synced before. A folder in the way is renamed aside first (a directory
 * can't be renamed over another); between the two renames the one aside stands in.
 * docs/checkpoints.md tells what a kill at each point leaves.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "io/checkpoint.h"
#include "io/leftover.h"
#include "io/manifest.h"

enum { ATTEMPTS = 100 };

struct fine__checkpoint_writer {
    fine_context *ctx;
    char *folder, *name;
    char *place, *temporary; /* folder/NAME, and where it is written */
    struct fine__manifest manifest;
};

static void
release(struct fine__checkpoint_writer *w)
{
    fine_context *ctx = w->ctx;

    fine__manifest_free(&w->manifest);
    fine__free(ctx, w->folder);
    fine__free(ctx, w->name);
    fine__free(ctx, w->place);
    fine__free(ctx, w->temporary);
    fine__free(ctx, w);
}

/* What the reader of the message can do about it. */
static int
not_saved(const struct fine__checkpoint_writer *w, int rc)
{
    if (rc == FINE_EIO)
        fine__error_prefix("checkpoint '%s' was not saved, earlier ones are as they were; make "
                           "room or choose another folder, then go on",
                           w->name);
    return rc;
}

static int
make_temporary(struct fine__checkpoint_writer *w)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        fine__free(w->ctx, w->temporary);
        w->temporary = fine__leftover_path(w->ctx, w->folder, w->name, FINE__LEFTOVER_TMP);
        if (w->temporary == NULL)
            return FINE_ENOMEM;
        if (w->ctx->io->mkdir(w->temporary, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return fine__fail_errno(FINE_EIO, errno, "cannot make the directory '%s'", w->temporary);
}

int
fine__checkpoint_begin(struct fine__checkpoint_writer **out, fine_context *ctx, const char *folder,
                       const char *name)
{
    struct fine__checkpoint_writer *w;
    int rc = FINE_ENOMEM;

    if (!fine__name_is_plain(name))
        return fine__fail(FINE_EINVAL, "'%s' cannot be the name of a checkpoint", name);
    w = fine__alloc_array(ctx, 1, sizeof *w);
    if (w == NULL)
        return FINE_ENOMEM;
    w->ctx = ctx;
    fine__manifest_init(&w->manifest, ctx);
    w->folder = fine__strdup(ctx, folder);
    w->name = fine__strdup(ctx, name);
    w->place = fine__path_join(ctx, folder, name);
    if (w->folder != NULL && w->name != NULL && w->place != NULL)
        rc = fine__mkdirs(ctx, folder);
    if (rc == 0)
        rc = make_temporary(w);
    if (rc < 0) {
        not_saved(w, rc);
        release(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* A file that will be in the checkpoint: either bytes or tensors. */
struct content {
    const void *bytes;
    size_t length;
    const struct fine__weight_out *entries;
    int64_t count;
};

static int
write_file(struct fine__checkpoint_writer *w, const char *path, const struct content *content,
           int64_t *bytes_out, char checksum[33])
{
    struct fine__writer writer;
    struct fine__hash *hash;
    int rc;

    FINE__TRY(fine__hash_new(&hash, w->ctx));
    rc = fine__writer_open_private(&writer, w->ctx, path);
    if (rc == 0) {
        writer.hash = hash;
        rc = content->entries != NULL
                 ? fine__safetensors_write_to(&writer, content->entries, content->count, NULL, 0)
                 : fine__writer_write(&writer, content->bytes, content->length);
        *bytes_out = writer.written;
        if (rc < 0)
            fine__writer_abandon(&writer);
        else
            rc = fine__writer_commit(&writer);
    }
    fine__hash_hex(hash, checksum);
    fine__hash_free(hash);
    return rc;
}

static int
add(struct fine__checkpoint_writer *w, const char *file, const struct content *content)
{
    char *path = fine__path_join(w->ctx, w->temporary, file);
    char checksum[33] = "";
    int64_t bytes = 0;
    int rc;

    if (path == NULL)
        return FINE_ENOMEM;
    /* Named in the manifest first: a name that it refuses is never written. */
    rc = fine__manifest_add(&w->manifest, file, 0, checksum);
    if (rc == 0)
        rc = write_file(w, path, content, &bytes, checksum);
    if (rc == 0) {
        struct fine__manifest_file *entry = &w->manifest.files[w->manifest.count - 1];

        entry->bytes = bytes;
        memcpy(entry->checksum, checksum, sizeof checksum);
    }
    fine__free(w->ctx, path);
    return not_saved(w, rc);
}

int
fine__checkpoint_add(struct fine__checkpoint_writer *writer, const char *file, const void *bytes,
                     size_t length)
{
    const struct content content = { .bytes = bytes, .length = length };

    return add(writer, file, &content);
}

int
fine__checkpoint_add_tensors(struct fine__checkpoint_writer *writer, const char *file,
                             const struct fine__weight_out *entries, int64_t count)
{
    static const struct fine__weight_out none;
    const struct content content = { .entries = count > 0 ? entries : &none, .count = count };

    return add(writer, file, &content);
}

static int
write_manifest(struct fine__checkpoint_writer *w)
{
    char *path = fine__path_join(w->ctx, w->temporary, FINE__MANIFEST_NAME);
    struct content content = { NULL, 0, NULL, 0 };
    struct fine__buf text;
    char checksum[33];
    int64_t bytes;
    int rc;

    fine__buf_init(&text, w->ctx);
    rc = path == NULL ? FINE_ENOMEM : fine__manifest_write(&w->manifest, &text);
    content.bytes = text.data;
    content.length = text.length;
    if (rc == 0)
        rc = write_file(w, path, &content, &bytes, checksum); /* syncs the directory too */
    fine__buf_free(&text);
    fine__free(w->ctx, path);
    return rc;
}

/* Puts the temporary in place of what may be there. */
static int
put_into_place(struct fine__checkpoint_writer *w)
{
    const struct fine__io *io = w->ctx->io;
    const int there = fine__presence(w->ctx, w->place);
    char *aside = NULL;
    int rc = there < 0 ? there : 0;

    if (there == 1) {
        aside = fine__leftover_path(w->ctx, w->folder, w->name, FINE__LEFTOVER_OLD);
        if (aside == NULL)
            return FINE_ENOMEM;
        if (io->rename(w->place, aside) < 0) {
            rc = fine__fail_errno(FINE_EIO, errno, "cannot rename '%s'", w->place);
            fine__free(w->ctx, aside);
            return rc;
        }
    }
    if (rc == 0 && io->rename(w->temporary, w->place) < 0)
        rc = fine__fail_errno(FINE_EIO, errno, "cannot put '%s' into place", w->place);
    else if (rc == 0) {
        rc = fine__sync_directory(w->ctx, w->folder);
        if (rc < 0)
            io->rename(w->place, w->temporary); /* it can't be relied on: as if never written */
    }
    if (rc < 0 && aside != NULL)
        io->rename(aside, w->place);
    fine__free(w->ctx, aside);
    return rc;
}

int
fine__checkpoint_commit(struct fine__checkpoint_writer *writer)
{
    int rc = write_manifest(writer);

    if (rc == 0)
        rc = put_into_place(writer);
    if (rc < 0) {
        not_saved(writer, rc);
        fine__checkpoint_abandon(writer);
        return rc;
    }
    /* The checkpoint is saved, whatever becomes of what it replaced. */
    if (fine__clean_leftovers(writer->ctx, writer->folder, writer->name, NULL) < 0)
        fine__log(writer->ctx, FINE_LOG_WARNING, "%s", fine__error_first());
    release(writer);
    return 0;
}

void
fine__checkpoint_abandon(struct fine__checkpoint_writer *writer)
{
    if (writer == NULL)
        return;
    fine__remove_tree(writer->ctx, writer->temporary);
    release(writer);
}

int
fine__checkpoint_remove(fine_context *ctx, const char *folder, const char *name)
{
    char *path;
    int rc;

    if (!fine__name_is_plain(name))
        return fine__fail(FINE_EINVAL, "'%s' cannot be the name of a checkpoint", name);
    rc = fine__presence(ctx, folder);
    if (rc != 1)
        return rc;
    /* First what would stand in for it afterwards. */
    FINE__TRY(fine__remove_leftovers(ctx, folder, name));
    path = fine__path_join(ctx, folder, name);
    rc = path == NULL ? FINE_ENOMEM : fine__presence(ctx, path);
    fine__free(ctx, path);
    return rc == 1 ? fine__discard(ctx, folder, name, name) : rc;
}
