/*
 * wordpiece_files.c — the files of a WordPiece tokenizer: tokenizer.json, or vocab.txt
 * with tokenizer_config.json.
 *
 * What transformers does for BERT is done here: do_lower_case, strip_accents and
 * tokenize_chinese_chars of tokenizer_config.json, where they are written, have the
 * last word even over tokenizer.json; without any file they are true, null and true.
 */
#include <string.h>

#include "base/utf8.h"
#include "text/files.h"
#include "text/wordpiece.h"

/* strip_accents: true, false, or null, which follows lowercase: 1, 0, -1. */
static int
read_strip(const struct fine__json *object, int *value, const char *what)
{
    const struct fine__json *member = fine__json_get(object, "strip_accents");

    if (member == NULL)
        return 0;
    if (fine__json_type(member) == FINE__JSON_NULL)
        *value = -1;
    else if (fine__json_type(member) == FINE__JSON_BOOL)
        *value = fine__json_bool(member, false);
    else
        return fine__fail(FINE_EFORMAT, "%s: 'strip_accents' must be true, false or null", what);
    return 0;
}

/* A class that takes its normalizer from tokenizer.json alone. */
static bool
is_generic_class(const struct fine__json *config)
{
    const char *name = fine__json_string(fine__json_get(config, "tokenizer_class"), NULL);

    return name != NULL
        && (strcmp(name, "PreTrainedTokenizerFast") == 0 || strcmp(name, "TokenizersBackend") == 0);
}

static int
apply_config(fine_tokenizer *t, const struct fine__parsed *parsed, int strip)
{
    struct fine__wordpiece *model = t->model;
    const struct fine__json *config = parsed->json[FINE__TOKENIZER_CONFIG];
    const char *what = parsed->path[FINE__TOKENIZER_CONFIG];
    const struct fine__bert_text before = model->text;
    const int strip_before = strip;

    if (model->text.normalize && !is_generic_class(config)) {
        FINE__TRY(fine__read_flag(config, "do_lower_case", &model->text.lowercase, what));
        FINE__TRY(fine__read_flag(config, "tokenize_chinese_chars", &model->text.chinese, what));
        FINE__TRY(read_strip(config, &strip, what));
        if (parsed->json[FINE__TOKENIZER_JSON] != NULL
            && (before.lowercase != model->text.lowercase || before.chinese != model->text.chinese
                || strip != strip_before))
            fine__log(t->ctx, FINE_LOG_WARNING, "%s: do_lower_case, strip_accents or "
                      "tokenize_chinese_chars differs from the normalizer of %s and overrides it",
                      what, parsed->path[FINE__TOKENIZER_JSON]);
    }
    model->text.strip_accents = strip < 0 ? model->text.lowercase : strip > 0;
    return 0;
}

static int
read_normalizer(struct fine__wordpiece *model, const struct fine__json *normalizer, int *strip,
                const char *what)
{
    const char *type = fine__json_string(fine__json_get(normalizer, "type"), NULL);

    if (fine__json_type(normalizer) == FINE__JSON_NULL) {
        model->text = (struct fine__bert_text){ .normalize = false };
        *strip = 0;
        return 0;
    }
    if (type == NULL)
        return fine__fail(FINE_EFORMAT, "%s: normalizer: 'type' must be a string", what);
    if (strcmp(type, "BertNormalizer") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the normalizer '%s' isn't supported with a "
                          "WordPiece model; BertNormalizer is", what, type);
    FINE__TRY(fine__read_flag(normalizer, "clean_text", &model->text.clean_text, what));
    FINE__TRY(fine__read_flag(normalizer, "handle_chinese_chars", &model->text.chinese, what));
    FINE__TRY(fine__read_flag(normalizer, "lowercase", &model->text.lowercase, what));
    return read_strip(normalizer, strip, what);
}

static int
read_pre_tokenizer(struct fine__wordpiece *model, const struct fine__json *pre, const char *what)
{
    const char *type = fine__json_string(fine__json_get(pre, "type"), NULL);

    model->text.split = fine__json_type(pre) != FINE__JSON_NULL;
    if (!model->text.split)
        return 0;
    if (type == NULL)
        return fine__fail(FINE_EFORMAT, "%s: pre_tokenizer: 'type' must be a string", what);
    if (strcmp(type, "BertPreTokenizer") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the pre_tokenizer '%s' isn't supported with a "
                          "WordPiece model; BertPreTokenizer is", what, type);
    return 0;
}

/* A string member, or its default where it is absent. */
static int
read_string(const struct fine__json *object, const char *key, const char **value, const char *what)
{
    const struct fine__json *member = fine__json_get(object, key);

    if (member == NULL)
        return 0;
    *value = fine__json_string(member, NULL);
    if (*value == NULL)
        return fine__fail(FINE_EFORMAT, "%s: model: '%s' must be a string", what, key);
    return 0;
}

int
fine__wordpiece_open_json(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const struct fine__json *root = parsed->json[FINE__TOKENIZER_JSON];
    const struct fine__json *json = fine__json_get(root, "model");
    const char *what = parsed->path[FINE__TOKENIZER_JSON];
    const char *unknown = "[UNK]", *prefix = "##";
    struct fine__wordpiece *model;
    int strip = -1;

    FINE__TRY(fine__wordpiece_new(&model, t));
    fine__error_clear();
    FINE__TRY(fine__json_want_int(json, "max_input_chars_per_word", 1, FINE__WORDPIECE_MAX_CHARS,
                                  100, &model->max_chars, what));
    FINE__TRY(read_string(json, "unk_token", &unknown, what));
    FINE__TRY(read_string(json, "continuing_subword_prefix", &prefix, what));
    FINE__TRY(read_normalizer(model, fine__json_get(root, "normalizer"), &strip, what));
    FINE__TRY(read_pre_tokenizer(model, fine__json_get(root, "pre_tokenizer"), what));
    FINE__TRY(fine__read_flag(fine__json_get(root, "decoder"), "cleanup", &model->clean_up, what));
    FINE__TRY(apply_config(t, parsed, strip));
    FINE__TRY(fine__read_vocabulary(t, fine__json_get(json, "vocab"), fine__wordpiece_put, what));
    return fine__wordpiece_finish(t, unknown, prefix, what);
}

/* One piece a line, its number is the id. White space at the end of a line isn't part
 * of the piece; blank lines count, save at the end of the file. */
static int
read_lines(fine_tokenizer *t, const struct fine__buf *file, const char *what)
{
    const char *text = file->data;
    const size_t length = file->length;
    size_t at = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    for (int64_t line = 0; at < length; line++) {
        const char *newline = memchr(text + at, '\n', length - at);
        const size_t line_end = newline != NULL ? (size_t)(newline - text) : length;
        size_t end = at;

        for (size_t i = at; i < line_end;) {
            int32_t c;
            bool valid;

            i += fine__utf8_decode(text + i, line_end - i, &c, &valid);
            if (!valid || c == 0)
                return fine__fail(FINE_EFORMAT, "%s:%lld: %s; a vocabulary is UTF-8 text with one "
                                  "piece a line", what, (long long)line + 1,
                                  valid ? "a NUL byte" : "not UTF-8");
            if (!fine__utf8_is_white_space(c))
                end = i;
        }
        if (line >= INT32_MAX - 1)
            return fine__fail(FINE_EFORMAT, "%s: too many lines", what);
        if (end > at)
            FINE__TRY(fine__wordpiece_put(t, text + at, end - at, line));
        at = line_end + 1;
    }
    if (t->n_model == 0)
        return fine__fail(FINE_EFORMAT, "%s: is empty, but must hold one piece a line", what);
    return 0;
}

int
fine__wordpiece_open_files(fine_tokenizer *t, const struct fine__parsed *parsed)
{
    const char *what = parsed->path[FINE__VOCAB_TXT];
    struct fine__wordpiece *model;
    struct fine__added_token token;
    const char *unknown;

    FINE__TRY(fine__wordpiece_new(&model, t));
    FINE__TRY(apply_config(t, parsed, -1));
    FINE__TRY(fine__special_token(parsed, "unk_token", "[UNK]", &unknown, &token));
    FINE__TRY(read_lines(t, &t->kept[FINE__VOCAB_TXT].text, what));
    return fine__wordpiece_finish(t, unknown, "##", what);
}

int
fine__wordpiece_add_special(fine_tokenizer *t, struct fine__added_list *list,
                            const struct fine__parsed *parsed)
{
    static const struct {
        const char *key, *fallback;
    } names[] = { { "pad_token", "[PAD]" }, { "unk_token", "[UNK]" }, { "cls_token", "[CLS]" },
                  { "sep_token", "[SEP]" }, { "mask_token", "[MASK]" } };
    int64_t cls = -1, sep = -1;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fine__added_token token;
        const char *content;
        int64_t id;

        FINE__TRY(fine__special_token(parsed, names[i].key, names[i].fallback, &content, &token));
        id = t->kind->lookup(t, content, strlen(content));
        if (strcmp(names[i].key, "cls_token") == 0)
            cls = id;
        else if (strcmp(names[i].key, "sep_token") == 0)
            sep = id;
        else if (id < 0)
            continue;   /* no model knows a [PAD] or [MASK] that isn't in its vocabulary */
        if (id < 0)
            return fine__fail(FINE_EFORMAT, "%s: the vocabulary lacks the %s '%s'; add it, or name "
                              "the one that is there in tokenizer_config.json",
                              parsed->path[FINE__VOCAB_TXT], names[i].key, content);
        token.id = (int32_t)id;
        FINE__TRY(fine__added_list_put(list, &token, content, strlen(content)));
    }
    fine__template_bert(&t->single, &t->pair, (int32_t)cls, (int32_t)sep);
    return 0;
}
