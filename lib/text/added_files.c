/*
 * added_files.c — reading added tokens and giving them their ids.
 *
 * A token that the model's vocabulary has keeps that id, whatever the file says. In
 * tokenizer.json the others are numbered from the vocabulary's size on, in the file's
 * order, as the tokenizers library does; elsewhere the id that is written counts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "text/added_files.h"

static int
by_id(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static int
read_flag(const struct fine__json *object, const char *key, bool *value, const char *what)
{
    const struct fine__json *member = fine__json_get(object, key);

    if (member == NULL)
        return 0;
    if (fine__json_type(member) != FINE__JSON_BOOL)
        return fine__fail(FINE_EFORMAT, "%s: '%s' of an added token must be true or false", what,
                          key);
    *value = fine__json_bool(member, *value);
    return 0;
}

static int
check_id(int64_t id, const char *content, const char *what)
{
    if (id < 0 || id >= INT32_MAX)
        return fine__fail(FINE_EFORMAT, "%s: the id of the added token '%s' must be an integer "
                          "from 0 to %d", what, content, INT32_MAX - 1);
    return 0;
}

/* next NULL: a token that isn't in the vocabulary gets the id that is written. */
static int
put(fine_tokenizer *t, struct fine__added_list *list, const struct fine__json *object,
    const char *content, int64_t written, int64_t *next, const char *what)
{
    const size_t length = strlen(content);
    struct fine__added_token token = { .normalized = true };
    int64_t id = t->kind->lookup(t, content, length);
    const int64_t known = fine__map_get(&list->by_content, content, length);

    if (length == 0)
        return 0;
    if (fine__json_type(object) == FINE__JSON_OBJECT) {
        FINE__TRY(read_flag(object, "special", &token.special, what));
        token.normalized = !token.special;
        FINE__TRY(read_flag(object, "single_word", &token.single_word, what));
        FINE__TRY(read_flag(object, "lstrip", &token.lstrip, what));
        FINE__TRY(read_flag(object, "rstrip", &token.rstrip, what));
        FINE__TRY(read_flag(object, "normalized", &token.normalized, what));
    }
    if (id < 0 && known >= 0)
        id = list->tokens[known].id;
    if (id < 0) {
        id = next != NULL ? (*next)++ : written;
        FINE__TRY(check_id(id, content, what));
        FINE__TRY(fine__pieces_add(&t->pieces, content, length, id));
    }
    if (id != written && !list->warned) {
        list->warned = true;   /* one line, however many there are */
        fine__log(t->ctx, FINE_LOG_WARNING, "%s: the added token '%s' has the id %lld, not %lld",
                  what, content, (long long)id, (long long)written);
    }
    token.id = (int32_t)id;
    return fine__added_list_put(list, &token, content, length);
}

/* [{"id": 0, "content": "[PAD]", …}, …] */
static int
read_list(fine_tokenizer *t, struct fine__added_list *list, const struct fine__json *array,
          const char *what)
{
    int64_t next = t->n_model;

    if (fine__json_type(array) == FINE__JSON_NULL)
        return 0;
    if (fine__json_type(array) != FINE__JSON_ARRAY)
        return fine__fail(FINE_EFORMAT, "%s: 'added_tokens' must be a list", what);
    for (int64_t i = 0; i < fine__json_count(array); i++) {
        const struct fine__json *item = fine__json_at(array, i);
        const struct fine__json *id = fine__json_get(item, "id");
        const char *content = fine__json_string(fine__json_get(item, "content"), NULL);

        if (content == NULL || fine__json_type(id) != FINE__JSON_INTEGER)
            return fine__fail(FINE_EFORMAT, "%s: added_tokens: item %lld must be an object with a "
                              "string 'content' and an integer 'id'", what, (long long)i);
        FINE__TRY(check_id(fine__json_int(id, -1), content, what));
        FINE__TRY(put(t, list, item, content, fine__json_int(id, -1), &next, what));
    }
    return 0;
}

/* {"0": {"content": "[PAD]", …}, …} */
static int
read_decoder(fine_tokenizer *t, struct fine__added_list *list, const struct fine__json *object,
             const char *what)
{
    for (void *it = fine__json_first(object); it != NULL; it = fine__json_next(object, it)) {
        const struct fine__json *item = fine__json_value(it);
        const char *content = fine__json_string(fine__json_get(item, "content"), NULL);
        const char *key = fine__json_key(it);
        int64_t id;

        if (content == NULL || !fine__parse_int64(key, strlen(key), &id))
            return fine__fail(FINE_EFORMAT, "%s: added_tokens_decoder: '%s' must be an id, and its "
                              "value an object with a string 'content'", what, key);
        FINE__TRY(put(t, list, item, content, id, NULL, what));
    }
    return 0;
}

/* {"[NEW]": 30522, …} */
static int
read_map(fine_tokenizer *t, struct fine__added_list *list, const struct fine__json *object,
         const char *what)
{
    for (void *it = fine__json_first(object); it != NULL; it = fine__json_next(object, it)) {
        const char *content = fine__json_key(it);

        if (fine__map_get(&list->by_content, content, strlen(content)) >= 0)
            continue;   /* added_tokens_decoder says more of it */
        FINE__TRY(put(t, list, fine__json_value(it), content,
                      fine__json_int(fine__json_value(it), -1), NULL, what));
    }
    return 0;
}

int
fine__added_read(fine_tokenizer *t, struct fine__added_list *list,
                 const struct fine__parsed *parsed)
{
    const struct fine__json *const *json = (const struct fine__json *const *)parsed->json;

    if (json[FINE__TOKENIZER_JSON] != NULL)
        return read_list(t, list, fine__json_get(json[FINE__TOKENIZER_JSON], "added_tokens"),
                         parsed->path[FINE__TOKENIZER_JSON]);
    FINE__TRY(t->kind->add_special(t, list, parsed));
    FINE__TRY(read_decoder(t, list,
                           fine__json_get(json[FINE__TOKENIZER_CONFIG], "added_tokens_decoder"),
                           parsed->path[FINE__TOKENIZER_CONFIG]));
    return read_map(t, list, json[FINE__ADDED_TOKENS], parsed->path[FINE__ADDED_TOKENS]);
}

/* The ids that decoding may leave out, in order. */
static int
keep_special(fine_tokenizer *t, const struct fine__added_list *list)
{
    t->special = fine__alloc_array(t->ctx, (size_t)list->count, sizeof *t->special);
    if (t->special == NULL)
        return FINE_ENOMEM;
    for (int64_t i = 0; i < list->count; i++)
        if (list->tokens[i].special)
            t->special[t->n_special++] = list->tokens[i].id;
    if (t->n_special > 0)
        qsort(t->special, (size_t)t->n_special, sizeof *t->special, by_id);
    return 0;
}

static int
build(fine_tokenizer *t, const struct fine__added_list *list, struct fine__scratch *s)
{
    for (int64_t i = 0; i < list->count; i++) {
        const struct fine__added_token *token = &list->tokens[i];
        const char *content = list->text.data + token->content;

        if (!token->normalized) {
            FINE__TRY(fine__added_put(&t->plain, token, content, token->length));
            continue;
        }
        fine__scratch_begin(s, content, token->length);
        FINE__TRY(t->kind->normalize(t, s, 0, token->length));
        FINE__TRY(fine__added_put(&t->normalized, token, s->norm, (size_t)s->n_norm));
    }
    FINE__TRY(fine__added_finish(&t->plain));
    return fine__added_finish(&t->normalized);
}

int
fine__added_build(fine_tokenizer *t, const struct fine__added_list *list)
{
    struct fine__scratch *s = fine__scratch_new(t->ctx);
    int rc;

    if (s == NULL)
        return FINE_ENOMEM;
    rc = build(t, list, s);
    if (rc == 0)
        rc = keep_special(t, list);
    fine__scratch_free(s);
    return rc;
}
