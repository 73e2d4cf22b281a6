/*
 * placing.c — writing aside, in shards where a file would be too large, and renaming.
 *
 * A folder's weights are model.safetensors where it is there, else what the index names. So
 * the moment in which new weights take over is one rename or one removal: of model.safetensors
 * in front of old shards, of the index in front of older ones, or the removal of an old
 * model.safetensors once the index is in place.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "models/placing.h"

#define WHOLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

enum { NAME = 64, MAX_INDEX = 100 * 1000 * 1000, MAX_SHARDS = 1024 };

static const char aside_prefix[] = ".saving-";

/* ---- aside ---- */

static bool
is_aside(const char *name)
{
    const size_t prefix = sizeof aside_prefix - 1;

    return strncmp(name, aside_prefix, prefix) == 0 && strlen(name) == prefix + 16 &&
           strspn(name + prefix, "0123456789abcdef") == 16;
}

static int
remove_in(const struct fine__placing *p, const char *name)
{
    char *path = fine__path_join(p->ctx, p->folder, name);
    const int rc = path != NULL ? fine__remove_tree(p->ctx, path) : FINE_ENOMEM;

    fine__free(p->ctx, path);
    return rc;
}

/* Of the folder itself: all names that `wanted` accepts. */
static int
remove_all(const struct fine__placing *p,
           bool (*wanted)(const struct fine__placing *, const char *))
{
    struct fine__names names;
    int rc = 0;

    FINE__TRY(fine__list_directory(p->ctx, p->folder, &names));
    for (int64_t i = 0; rc == 0 && i < names.count; i++)
        if (wanted(p, names.names[i]))
            rc = remove_in(p, names.names[i]);
    fine__names_free(p->ctx, &names);
    return rc;
}

static bool
is_left_aside(const struct fine__placing *p, const char *name)
{
    (void)p;
    return is_aside(name);
}

int
fine__placing_begin(struct fine__placing *p, fine_context *ctx, const char *folder)
{
    char name[sizeof aside_prefix + 16];
    int rc;

    *p = (struct fine__placing){ .ctx = ctx, .folder = folder, .stem = "model" };
    FINE__TRY(fine__mkdirs(ctx, folder));
    FINE__TRY(remove_all(p, is_left_aside));
    (void)snprintf(name, sizeof name, "%s%016llx", aside_prefix,
                   (unsigned long long)fine__random_bits(p, 0));
    p->aside = fine__path_join(ctx, folder, name);
    rc = p->aside != NULL ? fine__mkdirs(ctx, p->aside) : FINE_ENOMEM;
    if (rc < 0)
        fine__placing_end(p);
    return rc;
}

void
fine__placing_end(struct fine__placing *p)
{
    /* What it says about failing must not hide why the save failed. */
    if (p->aside != NULL && fine__is_directory(p->ctx, p->aside))
        (void)fine__remove_tree(p->ctx, p->aside);
    fine__free(p->ctx, p->aside);
    p->aside = NULL;
}

/* ---- shards ---- */

static void
shard_name(const struct fine__placing *p, int64_t i, char out[NAME])
{
    (void)snprintf(out, NAME, "%s-%05d-of-%05d.safetensors", p->stem, (int)i + 1, (int)p->n_shards);
}

static int64_t
bytes_of(const struct fine__weight_out *entry)
{
    int64_t count = 0, bytes = 0;

    (void)fine__shape_size(entry->type, entry->n_dims, entry->shape, &count, &bytes);
    return bytes;
}

/* The end of the shard that begins at `from`: at least one tensor, else as many as fit. */
static int64_t
shard_end(const struct fine__weight_out *list, int64_t n, int64_t from, int64_t max_bytes)
{
    int64_t bytes = bytes_of(&list[from]), i = from + 1;

    while (i < n && bytes_of(&list[i]) <= max_bytes - bytes)
        bytes += bytes_of(&list[i++]);
    return i;
}

/* Names that the index in the folder doesn't use: the old weights stay whole until the new
 * index takes its place. */
static int
choose_stem(struct fine__placing *p)
{
    char name[NAME], *first, *index;
    struct fine__buf text;
    int rc = 0;

    shard_name(p, 0, name);
    fine__buf_init(&text, p->ctx);
    first = fine__path_join(p->ctx, p->folder, name);
    index = fine__path_join(p->ctx, p->folder, INDEX);
    if (first == NULL || index == NULL)
        rc = FINE_ENOMEM;
    else if (fine__file_exists(p->ctx, first) && fine__file_exists(p->ctx, index))
        rc = fine__file_read(p->ctx, index, MAX_INDEX, &text);
    if (rc == 0 && text.length > 0 && strstr(fine__buf_cstr(&text), "\"model.2-") == NULL)
        p->stem = "model.2";
    fine__buf_free(&text);
    fine__free(p->ctx, first);
    fine__free(p->ctx, index);
    return rc;
}

static int
write_file(const struct fine__placing *p, const char *name, const struct fine__weight_out *list,
           int64_t n)
{
    static const char *const metadata[] = { "format", "pt" };
    char *path = fine__path_join(p->ctx, p->aside, name);
    const int rc =
        path != NULL ? fine__safetensors_write(p->ctx, path, list, n, metadata, 1) : FINE_ENOMEM;

    fine__free(p->ctx, path);
    return rc;
}

static int
write_shards(const struct fine__placing *p, const struct fine__weight_out *list, int64_t n,
             int64_t max_bytes, struct fine__buf *index)
{
    int64_t total = 0, end;
    char name[NAME];

    for (int64_t i = 0; i < n; i++)
        total += bytes_of(&list[i]);
    fine__buf_printf(index,
                     "{\n  \"metadata\": {\n    \"total_size\": %lld\n  },\n"
                     "  \"weight_map\": {",
                     (long long)total);
    for (int64_t from = 0, shard = 0; from < n; from = end, shard++) {
        end = shard_end(list, n, from, max_bytes);
        shard_name(p, shard, name);
        FINE__TRY(write_file(p, name, list + from, end - from));
        for (int64_t i = from; i < end; i++) {
            fine__buf_text(index, i > 0 ? ",\n    " : "\n    ");
            fine__buf_json_string(index, list[i].name, strlen(list[i].name));
            fine__buf_printf(index, ": \"%s\"", name);
        }
    }
    fine__buf_text(index, "\n  }\n}\n");
    return fine__buf_status(index);
}

int
fine__placing_write(struct fine__placing *p, const struct fine__weight_out *list, int64_t n,
                    int64_t max_bytes)
{
    struct fine__buf index;
    char *path;
    int rc;

    p->n_shards = 0;
    for (int64_t i = 0; i < n; i = shard_end(list, n, i, max_bytes))
        p->n_shards++;
    if (p->n_shards <= 1) {
        p->n_shards = 1;
        return write_file(p, WHOLE, list, n);
    }
    if (p->n_shards > MAX_SHARDS)
        return fine__fail(FINE_EINVAL, "%s: %lld shards; at most %d are read: make them larger",
                          p->folder, (long long)p->n_shards, MAX_SHARDS);
    FINE__TRY(choose_stem(p));
    fine__buf_init(&index, p->ctx);
    rc = write_shards(p, list, n, max_bytes, &index);
    path = fine__path_join(p->ctx, p->aside, INDEX);
    if (rc == 0)
        rc = path != NULL ? fine__file_write(p->ctx, path, index.data, index.length) : FINE_ENOMEM;
    fine__free(p->ctx, path);
    fine__buf_free(&index);
    return rc;
}

/* ---- into place ---- */

int
fine__placing_move(struct fine__placing *p, const char *name)
{
    char *from = fine__path_join(p->ctx, p->aside, name);
    char *to = fine__path_join(p->ctx, p->folder, name);
    int rc = from == NULL || to == NULL ? FINE_ENOMEM : 0;

    if (rc == 0)
        rc = fine__rename(p->ctx, from, to);
    fine__free(p->ctx, from);
    fine__free(p->ctx, to);
    return rc;
}

/* model, or model.2, then -NNNNN-of-NNNNN.safetensors. */
static bool
is_shard(const char *name)
{
    const size_t stem = strncmp(name, "model.2-", 8) == 0 ? 8 : 6;

    return (stem == 8 || strncmp(name, "model-", 6) == 0) &&
           strspn(name + stem, "0123456789") == 5 && strncmp(name + stem + 5, "-of-", 4) == 0 &&
           strspn(name + stem + 9, "0123456789") == 5 &&
           strcmp(name + stem + 14, ".safetensors") == 0;
}

static bool
is_of_weights(const char *name)
{
    return is_shard(name) || strcmp(name, WHOLE) == 0 || strcmp(name, INDEX) == 0 ||
           strcmp(name, "adapter_config.json") == 0 ||
           strcmp(name, "adapter_model.safetensors") == 0;
}

/* The only folder that a model's folder has. */
static int
move_pooling(struct fine__placing *p)
{
    char *folder = fine__path_join(p->ctx, p->folder, "1_Pooling");
    const int rc = folder != NULL ? fine__mkdirs(p->ctx, folder) : FINE_ENOMEM;

    fine__free(p->ctx, folder);
    return rc < 0 ? rc : fine__placing_move(p, "1_Pooling/config.json");
}

int
fine__placing_move_files(struct fine__placing *p)
{
    struct fine__names names;
    int rc = 0;

    FINE__TRY(fine__list_directory(p->ctx, p->aside, &names));
    for (int64_t i = 0; rc == 0 && i < names.count; i++)
        if (strcmp(names.names[i], "1_Pooling") == 0)
            rc = move_pooling(p);
        else if (!is_of_weights(names.names[i]))
            rc = fine__placing_move(p, names.names[i]);
    fine__names_free(p->ctx, &names);
    return rc;
}

int
fine__placing_move_weights(struct fine__placing *p)
{
    char name[NAME];

    if (p->n_shards == 1)
        FINE__TRY(fine__placing_move(p, WHOLE));
    for (int64_t i = 0; p->n_shards > 1 && i < p->n_shards; i++) {
        shard_name(p, i, name);
        FINE__TRY(fine__placing_move(p, name));
    }
    if (p->n_shards > 1)
        FINE__TRY(fine__placing_move(p, INDEX));
    return fine__placing_remove_weights(p);
}

static bool
is_old_shard(const struct fine__placing *p, const char *name)
{
    char first[NAME];

    if (!is_shard(name))
        return false;
    /* Ours have the same name but for the shard's own number. */
    shard_name(p, 0, first);
    const size_t stem = strlen(p->stem) + 1;

    return p->n_shards <= 1 || strlen(name) != strlen(first) || strncmp(name, first, stem) != 0 ||
           strcmp(name + stem + 5, first + stem + 5) != 0;
}

int
fine__placing_remove_weights(struct fine__placing *p)
{
    if (p->n_shards != 1)
        FINE__TRY(remove_in(p, WHOLE));
    if (p->n_shards <= 1)
        FINE__TRY(remove_in(p, INDEX));
    return remove_all(p, is_old_shard);
}
