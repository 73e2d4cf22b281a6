/*
 * torch_file.c — pytorch_model.bin, .pt, .pth and .th: weights as torch.save writes them.
 *
 * Today's form is a zip archive: data.pkl describes the tensors, data/KEY are their storages.
 * The form before 1.6 is a row of pickles (a magic number, a version, the machine, the
 * tensors, the keys of storages) and the storages behind them, each with its count. Either is
 * read without running anything; a storage's place is looked up once a tensor needs it.
 * Reference: torch/serialization.py (_load, _legacy_load).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "io/torch.h"
#include "io/weights.h"
#include "io/zip.h"

enum { MAX_KEY = 255, MAX_DEPTH = 4, TIMES_FILE = 64, AND_BYTES = 1 << 24 };

struct reading {
    struct fine__weights *weights;
    struct fine__blob *blob;
    struct fine__torch torch;
    struct fine__zip *zip; /* NULL: the old form */
    int64_t part, bytes;   /* of all tensors so far */
};

bool
fine__torch_begins(const unsigned char *bytes, size_t length)
{
    return (length >= 4 && memcmp(bytes, "PK\003\004", 4) == 0) ||
           (length >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5);
}

static int
damaged(const struct reading *r, const char *fault)
{
    return fine__fail(FINE_EFORMAT, "%s: damaged: %s: download or save it again", r->blob->name,
                      fault);
}

/* ---- the dictionary of tensors ---- */

/* What training scripts wrap the dictionary in, the commonest first. */
static const char *const wrappers[] = { "state_dict", "model_state_dict", "model", "module" };

static struct fine__pickle_value
unwrap(const struct fine__pickle *p, struct fine__pickle_value value)
{
    struct fine__pickle_value inner;

    for (int depth = 0; depth < MAX_DEPTH; depth++) {
        int64_t i = 0;

        while (i < FINE__COUNT(wrappers) && (!fine__pickle_get(p, value, wrappers[i], &inner) ||
                                             inner.kind != FINE__PICKLE_DICT))
            i++;
        if (i == FINE__COUNT(wrappers))
            break;
        value = inner;
    }
    return value;
}

static int
no_tensors(const struct reading *r, struct fine__pickle_value value)
{
    const struct fine__pickle *p = &r->torch.pickle;
    char keys[200] = "";
    size_t used = 0;

    if (value.kind != FINE__PICKLE_DICT)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: it holds no dictionary of tensors; save the model's state_dict()",
                          r->blob->name);
    for (int64_t i = p->objects[value.at].first; i >= 0; i = p->cells[i].next) {
        const struct fine__pickle_value key = p->cells[i].key;

        if (key.kind != FINE__PICKLE_TEXT || key.length + used + 3 > sizeof keys)
            break;
        memcpy(keys + used, used > 0 ? ", " : "", used > 0 ? 2 : 0);
        used += used > 0 ? 2 : 0;
        memcpy(keys + used, fine__pickle_text(p, key), key.length);
        used += key.length;
        keys[used] = '\0';
    }
    return fine__fail(FINE_EUNSUPPORTED,
                      "%s: there is no tensor in its dictionary, nor in 'state_dict', "
                      "'model_state_dict', 'model' or 'module'; its keys are: %s",
                      r->blob->name, keys);
}

/* ---- from tensors to entries ---- */

/* Where the storage's bytes are, and that they are all there. */
static int
find_storage(struct reading *r, struct fine__torch_storage *storage)
{
    const char *key = fine__pickle_text(&r->torch.pickle, storage->key);
    struct fine__weights *w = r->weights;
    const struct fine__zip_entry *entry;
    char name[MAX_KEY + 8] = "data/";

    if (storage->from >= 0)
        return 0;
    if (r->zip == NULL)
        return damaged(r, "a storage is missing");
    if (storage->key.length > MAX_KEY)
        return damaged(r, "a storage has a key of more than 255 bytes");
    memcpy(name + 5, key, storage->key.length);
    FINE__TRY(fine__zip_want(r->zip, name, storage->key.length + 5, &entry));
    if (entry->bytes != storage->bytes)
        return fine__fail(FINE_EFORMAT,
                          "%s: damaged: the storage '%s' has %lld bytes, and should have %lld: "
                          "download or save it again",
                          r->blob->name, key, (long long)entry->bytes, (long long)storage->bytes);
    FINE__TRY(
        fine__grow(w->ctx, &w->blocks, &w->blocks_capacity, w->n_blocks + 1, sizeof *w->blocks));
    w->blocks[w->n_blocks++] =
        (struct fine__weights_block){ r->part, entry->from, entry->bytes, entry->crc, false };
    storage->from = entry->from;
    storage->block = w->n_blocks;
    return 0;
}

static int
add_entry(struct reading *r, struct fine__pickle_value name,
          const struct fine__torch_tensor *tensor)
{
    const struct fine__torch_view *view = &r->torch.views[tensor->view];
    struct fine__torch_storage *storage = &r->torch.storages[view->storage];
    const char *text = fine__pickle_text(&r->torch.pickle, name);
    struct fine__weights *w = r->weights;
    struct fine__weights_entry *entry;
    const int64_t n = tensor->n_dims, n_shape = tensor->contiguous ? n : 2 * n;
    const int64_t bytes = tensor->count * (int64_t)fine__type_size(tensor->type);

    if (strlen(text) != name.length || !fine__utf8_valid(text, name.length))
        return damaged(r, "a tensor's name is not UTF-8, or contains the character NUL");
    if (bytes > r->bytes)
        return fine__fail(FINE_EFORMAT,
                          "%s: tensor '%s': the tensors add up to more than %d times the file, "
                          "which no checkpoint does",
                          r->blob->name, text, TIMES_FILE);
    r->bytes -= bytes;
    if (tensor->count > 0)
        FINE__TRY(find_storage(r, storage));
    FINE__TRY(fine__grow(w->ctx, &w->list, &w->capacity, w->count + 1, sizeof *w->list));
    FINE__TRY(fine__grow(w->ctx, &w->shapes, &w->shapes_capacity, w->n_shapes + n_shape + 1,
                         sizeof *w->shapes));
    entry = &w->list[w->count++];
    *entry = (struct fine__weights_entry){ .part = r->part };
    entry->weight = (struct fine__weight){
        .name = text, .n_dims = n, .count = tensor->count, .type = tensor->type
    };
    if (!tensor->contiguous && w->n_shapes == 0)
        w->shapes[w->n_shapes++] = 0; /* so that no strides are at 0 */
    entry->shape_at = w->n_shapes;
    if (!tensor->contiguous)
        entry->strides_at = w->n_shapes + n;
    if (n_shape > 0)
        memcpy(w->shapes + w->n_shapes, r->torch.dims + tensor->dims_at,
               (size_t)n_shape * sizeof *w->shapes);
    w->n_shapes += n_shape;
    if (tensor->count > 0) {
        entry->block = storage->block;
        entry->from = storage->from + view->from + tensor->offset;
        entry->to = entry->from + tensor->reach;
    }
    return 0;
}

static int
by_place(const void *left, const void *right)
{
    const struct fine__weights_entry *a = left, *b = right;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return strcmp(a->weight.name, b->weight.name);
}

/* Tensors that are values of the dictionary itself; all else in it is passed over. */
static int
add_entries(struct reading *r, struct fine__pickle_value root)
{
    struct fine__pickle *p = &r->torch.pickle;
    struct fine__weights *w = r->weights;
    const struct fine__pickle_value dict = unwrap(p, root);
    const int64_t begin = w->count;

    r->bytes = r->blob->size > (INT64_MAX - AND_BYTES) / TIMES_FILE
                   ? INT64_MAX
                   : r->blob->size * TIMES_FILE + AND_BYTES;
    if (dict.kind == FINE__PICKLE_DICT)
        for (int64_t i = p->objects[dict.at].first; i >= 0; i = p->cells[i].next) {
            const struct fine__pickle_cell *cell = &p->cells[i];

            if (cell->value.kind != FINE__TORCH_TENSOR)
                continue;
            if (cell->key.kind != FINE__PICKLE_TEXT)
                return damaged(r, "a tensor's name is not a text");
            FINE__TRY(add_entry(r, cell->key, &r->torch.tensors[cell->value.at]));
        }
    if (w->count == begin)
        return no_tensors(r, dict);
    qsort(w->list + begin, (size_t)(w->count - begin), sizeof *w->list, by_place);
    /* The names stay where they are for good. */
    w->parts[r->part].header = p->texts.data;
    fine__buf_init(&p->texts, w->ctx);
    return fine__weights_register(w, begin);
}

/* ---- the two forms ---- */

static int
is_little(const struct reading *r, bool little)
{
    return little ? 0
                  : fine__fail(FINE_EUNSUPPORTED,
                               "%s: the numbers are big-endian: save it again on a "
                               "little-endian machine",
                               r->blob->name);
}

static int
check_archive(struct reading *r)
{
    const struct fine__zip_entry *entry = fine__zip_find(r->zip, "byteorder", 9);
    char order[8] = "";

    if (fine__zip_find(r->zip, "constants.pkl", 13) != NULL)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: a TorchScript archive, which holds a program: save the model's "
                          "state_dict(), or with safetensors",
                          r->blob->name);
    if (fine__zip_find(r->zip, "data.pkl", 8) == NULL)
        return fine__fail(FINE_EFORMAT,
                          "%s: a zip archive without data.pkl, so not written by torch.save",
                          r->blob->name);
    if (entry == NULL)
        return 0;
    FINE__TRY(fine__zip_want(r->zip, "byteorder", 9, &entry));
    if (entry->bytes > 0 && entry->bytes < (int64_t)sizeof order)
        FINE__TRY(fine__blob_read_at(r->blob, order, (size_t)entry->bytes, entry->from));
    return is_little(r, strcmp(order, "little") == 0);
}

static int
read_archive(struct reading *r)
{
    const struct fine__zip_entry *entry;
    struct fine__pickle_value root;
    struct fine__feed feed;
    int rc;

    FINE__TRY(check_archive(r));
    FINE__TRY(fine__zip_want(r->zip, "data.pkl", 8, &entry));
    FINE__TRY(fine__zip_check(r->weights->ctx, r->blob, entry->from, entry->bytes, entry->crc,
                              "data.pkl"));
    fine__feed_init(&feed, r->blob, entry->from, entry->from + entry->bytes);
    rc = fine__pickle_run(&r->torch.pickle, &feed, &root);
    fine__feed_free(&feed, r->weights->ctx);
    return rc < 0 ? rc : add_entries(r, root);
}

/* Storages follow in the order of their keys, each behind its count. */
static int
find_storages(struct reading *r, struct fine__pickle_value keys, int64_t at)
{
    const struct fine__pickle *p = &r->torch.pickle;

    if (keys.kind != FINE__PICKLE_LIST)
        return damaged(r, "the list of its storages is missing");
    for (int64_t i = p->objects[keys.at].first; i >= 0; i = p->cells[i].next) {
        const struct fine__pickle_value key = p->cells[i].value;
        const int64_t found =
            key.kind == FINE__PICKLE_TEXT
                ? fine__map_get(&r->torch.keys, fine__pickle_text(p, key), key.length)
                : -1;
        struct fine__torch_storage *storage = found >= 0 ? &r->torch.storages[found] : NULL;
        unsigned char count[8];
        uint64_t n = 0;

        if (storage == NULL || storage->from >= 0)
            return damaged(r, "a storage is listed that no tensor has, or twice");
        FINE__TRY(fine__blob_read_at(r->blob, count, sizeof count, at));
        for (int k = 0; k < 8; k++)
            n |= (uint64_t)count[k] << 8 * k;
        at += 8;
        if (n > INT64_MAX / 8 ||
            (int64_t)(n * (storage->type == 0 ? 1 : fine__type_size(storage->type))) !=
                storage->bytes)
            return damaged(r, "a storage's count is not the one that its tensors have");
        if (storage->bytes > r->blob->size - at)
            return fine__fail(FINE_EFORMAT,
                              "%s: truncated: a storage of %lld bytes at %lld of %lld: download "
                              "or save it again",
                              r->blob->name, (long long)storage->bytes, (long long)at,
                              (long long)r->blob->size);
        storage->from = at;
        at += storage->bytes;
    }
    return 0;
}

/* 0x1950a86a20f9469cfc6c. */
static const unsigned char magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };

static int
read_pickles(struct reading *r, struct fine__feed *feed)
{
    struct fine__pickle *p = &r->torch.pickle;
    struct fine__pickle_value value, root, keys;

    FINE__TRY(fine__pickle_run(p, feed, &value));
    if (value.kind != FINE__PICKLE_LONG || value.length != sizeof magic ||
        memcmp(p->texts.data + value.at, magic, sizeof magic) != 0)
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: a Python pickle, but not one that torch.save wrote: save the "
                          "tensors with safetensors",
                          r->blob->name);
    FINE__TRY(fine__pickle_run(p, feed, &value));
    if (value.kind != FINE__PICKLE_INT || value.at != 1001)
        return fine__fail(FINE_EUNSUPPORTED, "%s: version %lld of PyTorch's old form is not known",
                          r->blob->name, (long long)value.at);
    FINE__TRY(fine__pickle_run(p, feed, &value));
    if (!fine__pickle_get(p, value, "little_endian", &value) || value.kind != FINE__PICKLE_BOOL)
        return damaged(r, "what machine wrote it is missing");
    FINE__TRY(is_little(r, value.at != 0));
    FINE__TRY(fine__pickle_run(p, feed, &root));
    FINE__TRY(fine__pickle_run(p, feed, &keys));
    FINE__TRY(find_storages(r, keys, fine__feed_place(feed)));
    return add_entries(r, root);
}

int
fine__torch_read(struct fine__weights *weights, int64_t part)
{
    struct fine__blob *blob = &weights->parts[part].blob;
    struct reading r = { .weights = weights, .blob = blob, .part = part };
    struct fine__zip zip;
    struct fine__feed feed;
    unsigned char first = 0;
    int rc;

    FINE__TRY(fine__blob_read_at(blob, &first, 1, 0));
    fine__torch_init(&r.torch, weights->ctx, blob->name);
    if (first == 'P') {
        rc = fine__zip_open(&zip, weights->ctx, blob);
        if (rc == 0) {
            r.zip = &zip;
            rc = read_archive(&r);
            fine__zip_free(&zip);
        }
    } else {
        fine__feed_init(&feed, blob, 0, blob->size);
        rc = read_pickles(&r, &feed);
        fine__feed_free(&feed, weights->ctx);
    }
    fine__torch_free(&r.torch);
    return rc;
}
