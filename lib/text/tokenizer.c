/*
 * tokenizer.c — opening, sharing and saving.
 *
 * tokenizer.json says of which kind a tokenizer is; without one, the name of the
 * vocabulary's file does. The texts of all files are kept, so that a model that was
 * fine-tuned is saved with the tokenizer that it came with, to the byte.
 */
#include <string.h>

#include "base/alloc.h"
#include "text/added_files.h"
#include "text/kind.h"

/* To add a kind: its file, and its line here. */
static const struct fine__kind *const kinds[] = { &fine__wordpiece, &fine__bpe };

static const struct {
    const char *name;
    bool is_json, beside_json;   /* beside_json: read although there is a tokenizer.json */
} files[FINE__N_KEPT] = {
    [FINE__TOKENIZER_JSON] = { "tokenizer.json", true, true },
    [FINE__VOCAB_TXT] = { "vocab.txt", false, false },
    [FINE__TOKENIZER_CONFIG] = { "tokenizer_config.json", true, true },
    [FINE__SPECIAL_TOKENS_MAP] = { "special_tokens_map.json", true, false },
    [FINE__ADDED_TOKENS] = { "added_tokens.json", true, false },
    [FINE__VOCAB_JSON] = { "vocab.json", true, false },
    [FINE__MERGES_TXT] = { "merges.txt", false, false },
};

enum { MAX_BYTES = 100 * 1000 * 1000 };

static void
destroy(fine_tokenizer *t)
{
    fine_context *ctx = t->ctx;

    if (t->kind != NULL)
        t->kind->close(t);
    fine__pieces_free(&t->pieces);
    fine__added_free(&t->plain);
    fine__added_free(&t->normalized);
    fine__free(ctx, t->special);
    for (int i = 0; i < FINE__N_KEPT; i++) {
        fine__buf_free(&t->kept[i].text);
        fine__free(ctx, t->kept[i].path);
    }
    fine__free(ctx, t);
    fine__context_unref(ctx);
}

static fine_tokenizer *
new_tokenizer(fine_context *ctx)
{
    fine_tokenizer *t = fine__alloc_array(ctx, 1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->ctx = fine__context_ref(ctx);
    atomic_init(&t->references, 1);
    fine__pieces_init(&t->pieces, ctx);
    fine__added_init(&t->plain, ctx);
    fine__added_init(&t->normalized, ctx);
    for (int i = 0; i < FINE__N_KEPT; i++)
        fine__buf_init(&t->kept[i].text, ctx);
    return t;
}

/* tokenizer.json as older versions wrote it has no model.type. */
static const char *
model_type(const struct fine__json *model)
{
    const char *type = fine__json_string(fine__json_get(model, "type"), NULL);

    if (type != NULL)
        return type;
    if (fine__json_get(model, "merges") != NULL)
        return "BPE";
    return fine__json_get(model, "continuing_subword_prefix") != NULL ? "WordPiece" : NULL;
}

static int
find_kind(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const struct fine__json *root = parsed->json[FINE__TOKENIZER_JSON];
    const char *type = model_type(fine__json_get(root, "model"));

    if (root != NULL && type == NULL)
        return fine__fail(FINE_EFORMAT, "%s: 'model' must be an object with a string 'type'",
                          parsed->path[FINE__TOKENIZER_JSON]);
    for (int64_t i = 0; i < FINE__COUNT(kinds); i++) {
        if (root != NULL ? strcmp(kinds[i]->type, type) == 0 : t->kept[kinds[i]->file].present) {
            t->kind = kinds[i];
            return 0;
        }
    }
    return fine__fail(FINE_EUNSUPPORTED, "%s: a tokenizer with the model '%s' isn't supported; "
                      "WordPiece and byte-level BPE are", parsed->path[FINE__TOKENIZER_JSON], type);
}

static int
open_parsed(fine_tokenizer *t, struct fine__added_list *list, const struct fine__parsed *parsed)
{
    const bool json = parsed->json[FINE__TOKENIZER_JSON] != NULL;
    int64_t largest;

    FINE__TRY(find_kind(t, parsed));
    FINE__TRY(json ? t->kind->open_json(t, parsed) : t->kind->open_files(t, parsed));
    if (json)
        FINE__TRY(fine__template_read(&t->single, &t->pair,
                                      fine__json_get(parsed->json[FINE__TOKENIZER_JSON],
                                                     "post_processor"),
                                      parsed->path[FINE__TOKENIZER_JSON]));
    if (t->single.trim && !t->kind->trims)
        return fine__fail(FINE_EUNSUPPORTED, "%s: post_processor: trim_offsets isn't supported "
                          "with a %s model", parsed->path[FINE__TOKENIZER_JSON], t->kind->type);
    FINE__TRY(fine__added_read(t, list, parsed));
    FINE__TRY(fine__added_build(t, list));
    fine__pieces_sort(&t->pieces);
    largest = t->pieces.items[t->pieces.count - 1].id;
    if (fine__template_largest_id(&t->single) > largest)
        largest = fine__template_largest_id(&t->single);
    if (fine__template_largest_id(&t->pair) > largest)
        largest = fine__template_largest_id(&t->pair);
    t->vocab_size = largest + 1;
    return 0;
}

/* Takes t over, whose files are read. */
static int
open_files(fine_tokenizer **out, fine_tokenizer *t)
{
    struct fine__parsed parsed = { { NULL }, { NULL } };
    struct fine__added_list list;
    int rc = 0;

    fine__added_list_init(&list, t->ctx);
    for (int i = 0; rc == 0 && i < FINE__N_KEPT; i++) {
        const struct fine__kept *kept = &t->kept[i];

        parsed.path[i] = kept->path;
        if (kept->present && files[i].is_json
            && (files[i].beside_json || !t->kept[FINE__TOKENIZER_JSON].present))
            rc = fine__json_parse(&parsed.json[i], t->ctx, fine__buf_cstr(&kept->text),
                                  kept->text.length, kept->path);
    }
    if (rc == 0)
        rc = open_parsed(t, &list, &parsed);
    for (int i = 0; i < FINE__N_KEPT; i++)
        fine__json_free(parsed.json[i]);
    fine__added_list_free(&list);
    if (rc < 0)
        destroy(t);
    else
        *out = t;
    return rc;
}

static int
read_files(fine_tokenizer *t, const struct fine__source *source)
{
    for (int i = 0; i < FINE__N_KEPT; i++) {
        struct fine__kept *kept = &t->kept[i];

        if (!fine__source_has(source, files[i].name))
            continue;
        kept->path = fine__path_join(t->ctx, fine__source_name(source), files[i].name);
        if (kept->path == NULL)
            return FINE_ENOMEM;
        FINE__TRY(fine__source_read(source, files[i].name, MAX_BYTES, &kept->text));
        kept->present = true;
    }
    if (!fine__tokenizer_is_in(source))
        return fine__fail(FINE_EIO, "%s: no tokenizer: neither tokenizer.json nor vocab.txt nor "
                          "vocab.json is there", fine__source_name(source));
    return 0;
}

bool
fine__tokenizer_is_in(const struct fine__source *source)
{
    bool is_in = fine__source_has(source, files[FINE__TOKENIZER_JSON].name);

    for (int64_t i = 0; i < FINE__COUNT(kinds); i++)
        is_in = is_in || fine__source_has(source, files[kinds[i]->file].name);
    return is_in;
}

int
fine__tokenizer_open(fine_tokenizer **out, fine_context *ctx, const struct fine__source *source)
{
    fine_tokenizer *t = new_tokenizer(ctx);
    int rc;

    if (t == NULL)
        return FINE_ENOMEM;
    rc = read_files(t, source);
    if (rc < 0) {
        destroy(t);
        return rc;
    }
    return open_files(out, t);
}

static int
read_file(fine_tokenizer *t, enum fine__kept_name name, const char *path)
{
    struct fine__kept *kept = &t->kept[name];

    kept->path = fine__strdup(t->ctx, path);
    if (kept->path == NULL)
        return FINE_ENOMEM;
    kept->present = true;
    return fine__file_read(t->ctx, path, MAX_BYTES, &kept->text);
}

/* "gpt2-vocab.json" brings "gpt2-merges.txt". */
static int
read_one(fine_tokenizer *t, const char *path)
{
    const char *vocab = files[FINE__VOCAB_JSON].name;
    struct fine__buf merges;
    int rc;

    if (!fine__path_has_suffix(path, vocab))
        return read_file(t, fine__path_has_suffix(path, ".json") ? FINE__TOKENIZER_JSON
                                                                 : FINE__VOCAB_TXT, path);
    FINE__TRY(read_file(t, FINE__VOCAB_JSON, path));
    fine__buf_init(&merges, t->ctx);
    fine__buf_append(&merges, path, strlen(path) - strlen(vocab));
    fine__buf_text(&merges, files[FINE__MERGES_TXT].name);
    rc = fine__buf_status(&merges);
    if (rc == 0)
        rc = read_file(t, FINE__MERGES_TXT, merges.data);
    fine__buf_free(&merges);
    return rc;
}

int
fine__tokenizer_open_path(fine_tokenizer **out, fine_context *ctx, const char *path)
{
    struct fine__source *source;
    fine_tokenizer *t;
    int rc;

    if (fine__is_directory(ctx, path)) {
        FINE__TRY(fine__source_open_folder(&source, ctx, path));
        rc = fine__tokenizer_open(out, ctx, source);
        fine__source_free(source);
        return rc;
    }
    t = new_tokenizer(ctx);
    if (t == NULL)
        return FINE_ENOMEM;
    rc = read_one(t, path);
    if (rc < 0) {
        destroy(t);
        return rc;
    }
    return open_files(out, t);
}

fine_tokenizer *
fine__tokenizer_ref(fine_tokenizer *tokenizer)
{
    if (tokenizer != NULL)
        atomic_fetch_add(&tokenizer->references, 1);
    return tokenizer;
}

void
fine__tokenizer_unref(fine_tokenizer *tokenizer)
{
    if (tokenizer != NULL && atomic_fetch_sub(&tokenizer->references, 1) == 1)
        destroy(tokenizer);
}

int64_t
fine__tokenizer_vocab_size(const fine_tokenizer *tokenizer)
{
    return tokenizer->vocab_size;
}

int64_t
fine__tokenizer_special(const fine_tokenizer *tokenizer, const int32_t **ids)
{
    *ids = tokenizer->special;
    return tokenizer->n_special;
}

const struct fine__template *
fine__tokenizer_template(const fine_tokenizer *tokenizer)
{
    return &tokenizer->single;
}

bool
fine__tokenizer_marks_words(const fine_tokenizer *tokenizer)
{
    return tokenizer->kind == &fine__wordpiece;
}

const char *
fine__tokenizer_piece(const fine_tokenizer *tokenizer, int64_t id)
{
    return fine__pieces_get(&tokenizer->pieces, id);
}

int
fine__tokenizer_save(const fine_tokenizer *tokenizer, fine_context *ctx, const char *folder)
{
    for (int i = 0; i < FINE__N_KEPT; i++) {
        const struct fine__kept *kept = &tokenizer->kept[i];
        char *path;
        int rc;

        if (!kept->present)
            continue;
        path = fine__path_join(ctx, folder, files[i].name);
        if (path == NULL)
            return FINE_ENOMEM;
        rc = fine__file_write(ctx, path, fine__buf_cstr(&kept->text), kept->text.length);
        fine__free(ctx, path);
        FINE__TRY(rc);
    }
    return 0;
}
