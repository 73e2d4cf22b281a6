/*
 * bpe_files.c — the files of a byte-level BPE tokenizer: tokenizer.json, or vocab.json with
 * merges.txt.
 *
 * GPT-2 and RoBERTa have the same files. Without tokenizer.json, tokenizer_config.json says
 * by its tokenizer_class which of them it is, and else the vocabulary does: only RoBERTa's
 * has <s> and </s>. A vocabulary of GPT-2 alone makes nothing a special token: "<|endoftext|>"
 * in a text is text until a file names it.
 */
#include <string.h>

#include "text/bpe.h"
#include "text/files.h"

/* ---- merges ---- */

/* One merge as text: its two pieces. `where` says where it stands. */
static int
put_merge(fine_tokenizer *t, const char *left, size_t n_left, const char *right, size_t n_right,
          int64_t rank, const char *what, int64_t where)
{
    struct fine__bpe *model = t->model;
    const int64_t a = fine__map_get(&model->vocab, left, n_left);
    const int64_t b = fine__map_get(&model->vocab, right, n_right);
    struct fine__buf both;
    int64_t id;
    int rc;

    fine__buf_init(&both, t->ctx);
    fine__buf_append(&both, left, n_left);
    fine__buf_append(&both, right, n_right);
    rc = fine__buf_status(&both);
    id = rc == 0 ? fine__map_get(&model->vocab, both.data, both.length) : -1;
    if (rc == 0 && (a < 0 || b < 0 || id < 0))
        rc = fine__fail(FINE_EFORMAT, "%s: merge %lld, '%.*s' and '%.*s': the vocabulary lacks "
                        "%s; do these files belong together?", what, (long long)where, (int)n_left,
                        left, (int)n_right, right,
                        a < 0 ? "the first" : b < 0 ? "the second" : "what they make");
    fine__buf_free(&both);
    FINE__TRY(rc);
    return fine__bpe_put_merge(model, t->ctx, (int32_t)a, (int32_t)b, (uint32_t)rank, (int32_t)id);
}

/* "a b" → where the second piece begins, or 0. */
static size_t
second_piece(const char *text, size_t length)
{
    const char *space = memchr(text, ' ', length);
    const size_t at = space != NULL ? (size_t)(space - text) + 1 : 0;

    return at > 1 && at < length && memchr(text + at, ' ', length - at) == NULL ? at : 0;
}

static int
read_merges(fine_tokenizer *t, const struct fine__json *merges, const char *what)
{
    if (fine__json_type(merges) != FINE__JSON_ARRAY)
        return fine__fail(FINE_EFORMAT, "%s: model: 'merges' must be a list", what);
    for (int64_t i = 0; i < fine__json_count(merges); i++) {
        const struct fine__json *item = fine__json_at(merges, i);
        size_t n_left = 0, n_right = 0;
        const char *left = fine__json_string(item, &n_left), *right;

        if (left != NULL) {
            const size_t at = second_piece(left, n_left);

            right = at > 0 ? left + at : NULL;
            n_right = n_left - at;
            n_left = at > 0 ? at - 1 : 0;
        } else {
            left = fine__json_string(fine__json_at(item, 0), &n_left);
            right = fine__json_string(fine__json_at(item, 1), &n_right);
        }
        if (left == NULL || right == NULL || fine__json_count(item) > 2)
            return fine__fail(FINE_EFORMAT, "%s: model: merges: item %lld must be two pieces", what,
                              (long long)i);
        FINE__TRY(put_merge(t, left, n_left, right, n_right, i, what, i));
    }
    return 0;
}

/* A merge a line; "#version" lines and blank ones aren't counted. */
static int
read_lines(fine_tokenizer *t, const struct fine__buf *file, const char *what)
{
    static const char version[] = "#version";
    const char *text = fine__buf_cstr(file);
    size_t at = file->length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    int64_t rank = 0;

    if (!fine__utf8_valid(text, file->length))
        return fine__fail(FINE_EFORMAT, "%s: not UTF-8; merges are text with one merge a line",
                          what);
    for (int64_t line = 1; at < file->length; line++) {
        const char *newline = memchr(text + at, '\n', file->length - at);
        const size_t end = newline != NULL ? (size_t)(newline - text) : file->length;
        size_t length = end - at, second;

        while (length > 0 && (text[at + length - 1] == '\r' || text[at + length - 1] == ' '))
            length--;
        if (length > 0
            && (length < sizeof version - 1 || memcmp(text + at, version, sizeof version - 1) != 0)) {
            second = second_piece(text + at, length);
            if (second == 0)
                return fine__fail(FINE_EFORMAT, "%s:%lld: must be two pieces with a space between",
                                  what, (long long)line);
            FINE__TRY(put_merge(t, text + at, second - 1, text + at + second, length - second,
                                rank++, what, line));
        }
        at = end + 1;
    }
    return 0;
}

/* ---- tokenizer.json ---- */

/* A member that only one value of is supported, whatever its type; null counts as absent. */
static int
refuse(const struct fine__json *object, const char *key, bool is_other, const char *what)
{
    if (fine__json_type(fine__json_get(object, key)) == FINE__JSON_NULL || !is_other)
        return 0;
    return fine__fail(FINE_EUNSUPPORTED, "%s: model: '%s' isn't supported; a byte-level BPE model "
                      "without it is", what, key);
}

static int
read_model(fine_tokenizer *t, const struct fine__json *json, const char *what)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    struct fine__bpe *model = t->model;
    const struct fine__json *unknown = fine__json_get(json, "unk_token");
    const char *name = fine__json_string(unknown, NULL);
    bool byte_fallback = false;

    for (int i = 0; i < 2; i++) {
        const char *affix = fine__json_string(fine__json_get(json, affixes[i]), NULL);

        FINE__TRY(refuse(json, affixes[i], affix == NULL || affix[0] != '\0', what));
    }
    FINE__TRY(refuse(json, "dropout",
                     fine__json_double(fine__json_get(json, "dropout"), 1) > 0, what));
    FINE__TRY(fine__read_flag(json, "byte_fallback", &byte_fallback, what));
    FINE__TRY(refuse(json, "byte_fallback", byte_fallback, what));
    FINE__TRY(fine__read_flag(json, "fuse_unk", &model->fuse_unknown, what));
    FINE__TRY(fine__read_flag(json, "ignore_merges", &model->ignore_merges, what));
    FINE__TRY(fine__read_vocabulary(t, fine__json_get(json, "vocab"), fine__bpe_put, what));
    if (fine__json_type(unknown) != FINE__JSON_NULL && name == NULL)
        return fine__fail(FINE_EFORMAT, "%s: model: 'unk_token' must be a string or null", what);
    if (name != NULL && name[0] != '\0') {
        model->unknown = (int32_t)fine__map_get_cstr(&model->vocab, name);
        if (model->unknown < 0)
            return fine__fail(FINE_EFORMAT, "%s: the vocabulary lacks the unknown token '%s'", what,
                              name);
    }
    return read_merges(t, fine__json_get(json, "merges"), what);
}

static int
read_pre_tokenizer(struct fine__bpe *model, const struct fine__json *root, const char *what)
{
    const struct fine__json *pre = fine__json_get(root, "pre_tokenizer");
    const char *type = fine__json_string(fine__json_get(pre, "type"), NULL);
    const struct fine__json *normalizer = fine__json_get(root, "normalizer");
    const char *normal = fine__json_string(fine__json_get(normalizer, "type"), NULL);

    if (fine__json_type(normalizer) != FINE__JSON_NULL)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the normalizer '%s' isn't supported with a BPE "
                          "model; null is", what, normal != NULL ? normal : "?");
    if (type == NULL || strcmp(type, "ByteLevel") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the pre_tokenizer '%s' isn't supported with a "
                          "BPE model; ByteLevel is", what, type != NULL ? type : "null");
    model->prefix_space = true;
    FINE__TRY(fine__read_flag(pre, "add_prefix_space", &model->prefix_space, what));
    return fine__read_flag(pre, "use_regex", &model->use_pattern, what);
}

/* As AutoTokenizer does, add_prefix_space of tokenizer_config.json has the last word. */
static int
apply_config(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    struct fine__bpe *model = t->model;
    const char *what = parsed->path[FINE__TOKENIZER_CONFIG];
    const bool before = model->prefix_space;

    FINE__TRY(fine__read_flag(parsed->json[FINE__TOKENIZER_CONFIG], "add_prefix_space",
                              &model->prefix_space, what));
    if (parsed->json[FINE__TOKENIZER_JSON] != NULL && before != model->prefix_space)
        fine__log(t->ctx, FINE_LOG_WARNING, "%s: add_prefix_space differs from the pre_tokenizer "
                  "of %s and overrides it", what, parsed->path[FINE__TOKENIZER_JSON]);
    return 0;
}

int
fine__bpe_open_json(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const struct fine__json *root = parsed->json[FINE__TOKENIZER_JSON];
    const char *what = parsed->path[FINE__TOKENIZER_JSON];
    struct fine__bpe *model;

    FINE__TRY(fine__bpe_new(&model, t));
    FINE__TRY(read_pre_tokenizer(model, root, what));
    FINE__TRY(apply_config(t, parsed));
    FINE__TRY(read_model(t, fine__json_get(root, "model"), what));
    return fine__bpe_finish(t, what);
}

/* ---- vocab.json and merges.txt ---- */

int
fine__bpe_open_files(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const char *what = parsed->path[FINE__VOCAB_JSON];
    struct fine__bpe *model;

    FINE__TRY(fine__bpe_new(&model, t));
    if (!t->kept[FINE__MERGES_TXT].present)
        return fine__fail(FINE_EIO, "%s: there is no merges.txt beside it", what);
    FINE__TRY(apply_config(t, parsed));
    FINE__TRY(fine__read_vocabulary(t, parsed->json[FINE__VOCAB_JSON], fine__bpe_put, what));
    FINE__TRY(read_lines(t, &t->kept[FINE__MERGES_TXT].text, parsed->path[FINE__MERGES_TXT]));
    return fine__bpe_finish(t, what);
}

static const char *
class_name(const struct fine__parsed *parsed)
{
    const struct fine__json *config = parsed->json[FINE__TOKENIZER_CONFIG];

    return fine__json_string(fine__json_get(config, "tokenizer_class"), NULL);
}

static bool
begins_with(const char *text, const char *start)
{
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

static bool
is_roberta(const fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const char *class = class_name(parsed);

    if (begins_with(class, "Roberta") || begins_with(class, "GPT2"))
        return class[0] == 'R';
    return t->kind->lookup(t, "<s>", 3) >= 0 && t->kind->lookup(t, "</s>", 4) >= 0;
}

/* One special token: *id is -1 where there is none. */
static int
add_one(fine_tokenizer *t, struct fine__added_list *list, const struct fine__parsed *parsed,
        const char *key, const char *fallback, bool lstrip, int32_t *out)
{
    struct fine__added_token token;
    const char *content;
    int64_t id;

    *out = -1;
    FINE__TRY(fine__special_token(parsed, key, fallback, &content, &token));
    if (content == NULL)
        return 0;
    id = t->kind->lookup(t, content, strlen(content));
    if (id < 0 && (id = fine__added_id(parsed, content)) >= 0)
        FINE__TRY(fine__pieces_add(&t->pieces, content, strlen(content), id));
    if (id < 0)
        return 0;
    token.id = *out = (int32_t)id;
    token.lstrip = token.lstrip || lstrip;
    return fine__added_list_put(list, &token, content, strlen(content));
}

static int
want(int32_t id, const struct fine__parsed *parsed, const char *key)
{
    return id >= 0 ? 0
                   : fine__fail(FINE_EFORMAT, "%s: the vocabulary lacks the %s; add it, or name "
                                "the one that is there in tokenizer_config.json",
                                parsed->path[FINE__VOCAB_JSON], key);
}

int
fine__bpe_add_special(fine_tokenizer *t, struct fine__added_list *list,
                      const struct fine__parsed *parsed)
{
    enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, N };
    static const struct {
        const char *key, *roberta, *gpt2;
    } names[N] = {
        [BOS] = { "bos_token", "<s>", "<|endoftext|>" },
        [EOS] = { "eos_token", "</s>", "<|endoftext|>" },
        [UNK] = { "unk_token", "<unk>", "<|endoftext|>" },
        [SEP] = { "sep_token", "</s>", NULL },
        [PAD] = { "pad_token", "<pad>", NULL },
        [CLS] = { "cls_token", "<s>", NULL },
        [MASK] = { "mask_token", "<mask>", NULL },
    };
    const struct fine__json *config = parsed->json[FINE__TOKENIZER_CONFIG];
    const bool roberta = is_roberta(t, parsed), gpt2 = begins_with(class_name(parsed), "GPT2");
    const char *what = parsed->path[FINE__TOKENIZER_CONFIG];
    bool bos = false, trim = true;
    int32_t ids[N];

    for (int i = 0; i < N; i++)
        FINE__TRY(add_one(t, list, parsed, names[i].key,
                          roberta ? names[i].roberta : gpt2 ? names[i].gpt2 : NULL,
                          roberta && i == MASK, &ids[i]));
    FINE__TRY(fine__read_flag(config, "add_bos_token", &bos, what));
    FINE__TRY(fine__read_flag(config, "trim_offsets", &trim, what));
    if (roberta) {
        FINE__TRY(want(ids[CLS], parsed, "cls_token"));
        FINE__TRY(want(ids[SEP], parsed, "sep_token"));
        fine__template_roberta(&t->single, &t->pair, ids[CLS], ids[SEP]);
        t->single.trim = t->pair.trim = trim;
        t->single.trim_keeps_prefix = t->pair.trim_keeps_prefix =
            ((const struct fine__bpe *)t->model)->prefix_space;
    } else if (bos) {
        FINE__TRY(want(ids[BOS], parsed, "bos_token"));
        fine__template_bos(&t->single, &t->pair, ids[BOS]);
    } else {
        fine__template_plain(&t->single, &t->pair);
    }
    return 0;
}
