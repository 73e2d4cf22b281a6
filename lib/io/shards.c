/*
 * shards.c — weights in several files, and the index that names a file for each tensor.
 *
 * The index is only checked against what the files say themselves; the list of tensors is
 * made from their headers. A shard is the plain name of a file in the same folder.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/scan.h"
#include "io/weights.h"

enum { MAX_INDEX = 100 * 1000 * 1000, MAX_SHARDS = 1024 };

struct index {
    struct fine__buf text; /* names point into it */
    struct fine__scan scan;
    struct fine__map tensors, files;
    struct named {
        const char *tensor;
        int64_t file;
    } * list;
    int64_t count, capacity;
    const char *names[MAX_SHARDS], *sorted[MAX_SHARDS];
    int64_t n_files;
};

static bool
read_weight_map(struct index *index, fine_context *ctx)
{
    struct fine__scan *scan = &index->scan;
    bool first = true;
    char *tensor, *file;
    size_t length, file_length;

    if (!fine__scan_enter(scan, '{'))
        return false;
    while (fine__scan_member(scan, &first, &tensor, &length)) {
        int64_t at;
        int rc;

        if (!fine__scan_string(scan, &file, &file_length, "the file of a tensor"))
            return false;
        if (strlen(tensor) != length)
            return fine__scan_fail(scan, "a tensor's name contains the character NUL");
        if (strlen(file) != file_length || !fine__name_is_plain(file))
            return fine__scan_fail(scan,
                                   "the shard '%s' is refused: it must be the name of a "
                                   "file in the model's folder itself",
                                   file);
        rc = fine__map_put(&index->tensors, tensor, length, index->count);
        if (rc > 0)
            return fine__scan_fail(scan, "tensor '%s' stands twice in weight_map", tensor);
        at = fine__map_get(&index->files, file, file_length);
        if (rc == 0 && at < 0) {
            if (index->n_files == MAX_SHARDS)
                return fine__scan_fail(scan, "more than %d shards", MAX_SHARDS);
            at = index->n_files++;
            index->names[at] = file;
            rc = fine__map_put(&index->files, file, file_length, at);
        }
        if (rc == 0)
            rc = fine__grow(ctx, &index->list, &index->capacity, index->count + 1,
                            sizeof *index->list);
        if (rc < 0) {
            scan->rc = rc;
            return false;
        }
        index->list[index->count++] = (struct named){ tensor, at };
    }
    return scan->rc == 0;
}

static int
read_index(struct index *index, fine_context *ctx, const char *what)
{
    struct fine__scan *scan = &index->scan;
    bool first = true, found = false;
    char *key;
    size_t length;

    fine__scan_init(scan, index->text.data, index->text.length, what);
    if (!fine__scan_enter(scan, '{'))
        return scan->rc;
    while (fine__scan_member(scan, &first, &key, &length)) {
        if (strcmp(key, "weight_map") == 0) {
            if (found)
                fine__scan_fail(scan, "weight_map stands twice");
            else
                read_weight_map(index, ctx);
            found = true;
        } else {
            fine__scan_skip(scan);
        }
    }
    if (scan->rc == 0 && fine__scan_end(scan) && !found)
        fine__scan_fail(scan, "there is no 'weight_map'");
    return scan->rc;
}

static int
find_missing_shards(const struct index *index, const struct fine__source *source, const char *what)
{
    int rc = 0;

    fine__error_clear();
    for (int64_t i = 0; i < index->n_files; i++)
        if (!fine__source_has(source, index->names[i]))
            rc = fine__also(FINE_EIO, "%s: the shard '%s' is not there: download it too", what,
                            index->names[i]);
    return rc;
}

/* Shards are opened in the order of their names. */
static int
by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int
open_shards(struct fine__weights *w, struct index *index, const struct fine__source *source)
{
    memcpy(index->sorted, index->names, sizeof index->names);
    qsort(index->sorted, (size_t)index->n_files, sizeof *index->sorted, by_name);
    fine__error_clear();
    for (int64_t i = 0; i < index->n_files; i++) {
        struct fine__blob blob;

        FINE__TRY(fine__blob_open(&blob, source, index->sorted[i]));
        FINE__TRY(fine__weights_add_part(w, &blob));
    }
    return 0;
}

/* Is every tensor where the index says? */
static void
compare_index(struct fine__weights *w, const struct index *index, const char *what)
{
    for (int64_t i = 0; i < index->count; i++) {
        const char *tensor = index->list[i].tensor, *said = index->names[index->list[i].file];
        const int64_t at = fine__map_get_cstr(&w->names, tensor);
        const char *is = at < 0 ? NULL : fine__path_name(w->parts[w->list[at].part].blob.name);

        if (is != NULL && strcmp(is, said) == 0)
            continue;
        w->bad = true;
        if (is == NULL)
            fine__also(FINE_EFORMAT, "%s: tensor '%s' should be in '%s' and is not there", what,
                       tensor, said);
        else
            fine__also(FINE_EFORMAT, "%s: tensor '%s' should be in '%s' and is in '%s'", what,
                       tensor, said, is);
    }
}

int
fine__shards_open(struct fine__weights **out, fine_context *ctx, const struct fine__source *source,
                  const char *name)
{
    struct index *index = fine__alloc_array(ctx, 1, sizeof *index);
    char *what = fine__path_join(ctx, fine__source_name(source), name);
    struct fine__weights *w = NULL;
    int rc = index == NULL || what == NULL ? FINE_ENOMEM : 0;

    if (index != NULL) {
        fine__buf_init(&index->text, ctx);
        fine__map_init(&index->tensors, ctx);
        fine__map_init(&index->files, ctx);
    }
    if (rc == 0)
        rc = fine__source_read(source, name, MAX_INDEX, &index->text);
    if (rc == 0)
        rc = read_index(index, ctx, what);
    if (rc == 0)
        rc = find_missing_shards(index, source, what);
    if (rc == 0)
        rc = fine__weights_new(&w, ctx);
    if (rc == 0)
        rc = open_shards(w, index, source);
    if (rc == 0) {
        compare_index(w, index, what);
        if (w->bad)
            rc = FINE_EFORMAT;
    }
    if (index != NULL) {
        fine__buf_free(&index->text);
        fine__map_free(&index->tensors);
        fine__map_free(&index->files);
        fine__free(ctx, index->list);
    }
    fine__free(ctx, index);
    fine__free(ctx, what);
    if (rc < 0) {
        fine__weights_free(w);
        return rc;
    }
    fine__weights_settle(w);
    *out = w;
    return 0;
}
