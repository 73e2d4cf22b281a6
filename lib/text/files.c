/*
 * files.c — see files.h.
 */
#include <string.h>

#include "base/number.h"
#include "text/files.h"

int
fine__read_flag(const struct fine__json *object, const char *key, bool *value, const char *what)
{
    const struct fine__json *member = fine__json_get(object, key);

    if (member == NULL)
        return 0;
    if (fine__json_type(member) != FINE__JSON_BOOL)
        return fine__fail(FINE_EFORMAT, "%s: '%s' must be true or false", what, key);
    *value = fine__json_bool(member, *value);
    return 0;
}

int
fine__read_vocabulary(fine_tokenizer *t, const struct fine__json *vocab,
                      int (*put)(fine_tokenizer *t, const char *piece, size_t length, int64_t id),
                      const char *what)
{
    if (fine__json_type(vocab) != FINE__JSON_OBJECT || fine__json_count(vocab) == 0)
        return fine__fail(FINE_EFORMAT, "%s: the vocabulary must be an object of pieces and their "
                          "ids", what);
    for (void *it = fine__json_first(vocab); it != NULL; it = fine__json_next(vocab, it)) {
        const struct fine__json *value = fine__json_value(it);
        const char *piece = fine__json_key(it);
        const int64_t id = fine__json_int(value, -1);

        if (fine__json_type(value) != FINE__JSON_INTEGER || id < 0 || id >= INT32_MAX)
            return fine__fail(FINE_EFORMAT, "%s: vocabulary: the id of '%s' must be an integer "
                              "from 0 to %d", what, piece, INT32_MAX - 1);
        FINE__TRY(put(t, piece, strlen(piece), id));
    }
    return 0;
}

int
fine__special_token(const struct fine__parsed *parsed, const char *key, const char *fallback,
                    const char **content, struct fine__added_token *token)
{
    static const enum fine__kept_name files[] = { FINE__TOKENIZER_CONFIG,
                                                  FINE__SPECIAL_TOKENS_MAP };

    *token = (struct fine__added_token){ .special = true };
    *content = fallback;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct fine__json *value = fine__json_get(parsed->json[files[i]], key);
        const char *what = parsed->path[files[i]];

        if (fine__json_type(value) == FINE__JSON_NULL)
            continue;
        *content = fine__json_string(value, NULL);
        if (*content == NULL)
            *content = fine__json_string(fine__json_get(value, "content"), NULL);
        if (*content == NULL)
            return fine__fail(FINE_EFORMAT, "%s: '%s' must be a string, or an object with a string "
                              "'content'", what, key);
        FINE__TRY(fine__read_flag(value, "single_word", &token->single_word, what));
        FINE__TRY(fine__read_flag(value, "lstrip", &token->lstrip, what));
        FINE__TRY(fine__read_flag(value, "rstrip", &token->rstrip, what));
        return fine__read_flag(value, "normalized", &token->normalized, what);
    }
    return 0;
}

int64_t
fine__added_id(const struct fine__parsed *parsed, const char *content)
{
    const struct fine__json *decoder =
        fine__json_get(parsed->json[FINE__TOKENIZER_CONFIG], "added_tokens_decoder");
    int64_t id;

    for (void *it = fine__json_first(decoder); it != NULL; it = fine__json_next(decoder, it)) {
        const char *text = fine__json_string(fine__json_get(fine__json_value(it), "content"), NULL);
        const char *key = fine__json_key(it);

        if (text != NULL && strcmp(text, content) == 0 && fine__parse_int64(key, strlen(key), &id)
            && id >= 0 && id < INT32_MAX)
            return id;
    }
    id = fine__json_int(fine__json_get(parsed->json[FINE__ADDED_TOKENS], content), -1);
    return id >= 0 && id < INT32_MAX ? id : -1;
}
