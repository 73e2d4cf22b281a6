/*
 * template.c — post-processors of tokenizer.json as templates.
 *
 * TemplateProcessing is one by itself; BertProcessing and RobertaProcessing are fixed
 * ones; ByteLevel adds nothing, but trims offsets. A template holds each text once and a
 * handful of ids, so what it adds is bounded.
 */
#include <string.h>

#include "text/template.h"

static void
add(struct fine__template *t, int text, int32_t id, int32_t type)
{
    t->slots[t->count++] = (struct fine__slot){ id, type, text };
    t->n_added += text < 0;
}

void
fine__template_plain(struct fine__template *single, struct fine__template *pair)
{
    *single = *pair = (struct fine__template){ .count = 0 };
    add(single, 0, 0, 0);
    add(pair, 0, 0, 0);
    add(pair, 1, 0, 1);
}

void
fine__template_bert(struct fine__template *single, struct fine__template *pair, int32_t cls,
                    int32_t sep)
{
    *single = (struct fine__template){ .count = 0 };
    add(single, -1, cls, 0);
    add(single, 0, 0, 0);
    add(single, -1, sep, 0);
    *pair = *single;
    add(pair, 1, 0, 1);
    add(pair, -1, sep, 1);
}

void
fine__template_roberta(struct fine__template *single, struct fine__template *pair, int32_t cls,
                       int32_t sep)
{
    *single = (struct fine__template){ .count = 0 };
    add(single, -1, cls, 0);
    add(single, 0, 0, 0);
    add(single, -1, sep, 0);
    *pair = *single;
    add(pair, -1, sep, 0);
    add(pair, 1, 0, 0);
    add(pair, -1, sep, 0);
}

void
fine__template_bos(struct fine__template *single, struct fine__template *pair, int32_t bos)
{
    *single = (struct fine__template){ .count = 0 };
    add(single, -1, bos, 0);
    add(single, 0, 0, 0);
    *pair = *single;
    add(pair, 1, 0, 1);
}

int64_t
fine__template_largest_id(const struct fine__template *t)
{
    int64_t largest = -1;

    for (int i = 0; i < t->count; i++)
        if (t->slots[i].text < 0 && t->slots[i].id > largest)
            largest = t->slots[i].id;
    return largest;
}

static bool
is_small(const struct fine__json *value)
{
    const int64_t n = fine__json_int(value, -1);

    return fine__json_type(value) == FINE__JSON_INTEGER && n >= 0 && n < INT32_MAX;
}

/* Room for the slots and for one text more, which a template never lacks. */
static int
add_special(struct fine__template *t, const struct fine__json *special, const char *name,
            int32_t type, const char *what)
{
    const struct fine__json *ids = fine__json_get(fine__json_get(special, name), "ids");

    if (fine__json_type(ids) != FINE__JSON_ARRAY)
        return fine__fail(FINE_EFORMAT, "%s: post_processor: the template uses '%s', which "
                          "special_tokens doesn't list with its ids", what, name);
    for (int64_t i = 0; i < fine__json_count(ids); i++) {
        const struct fine__json *id = fine__json_at(ids, i);

        if (!is_small(id))
            return fine__fail(FINE_EFORMAT, "%s: post_processor: the ids of '%s' must be integers "
                              "from 0 to %d", what, name, INT32_MAX - 1);
        if (t->count >= FINE__TEMPLATE_MAX - 2)
            return fine__fail(FINE_EUNSUPPORTED, "%s: post_processor: a template of more than %d "
                              "ids isn't supported", what, FINE__TEMPLATE_MAX - 2);
        add(t, -1, (int32_t)fine__json_int(id, 0), type);
    }
    return 0;
}

static int
read_template(struct fine__template *t, const struct fine__json *list,
              const struct fine__json *special, int n_texts, const char *what, const char *name)
{
    int seen[2] = { 0, 0 };

    *t = (struct fine__template){ .count = 0 };
    if (fine__json_type(list) != FINE__JSON_ARRAY)
        return fine__fail(FINE_EFORMAT, "%s: post_processor: '%s' must be a list", what, name);
    for (int64_t i = 0; i < fine__json_count(list); i++) {
        const struct fine__json *item = fine__json_at(list, i);
        const struct fine__json *text = fine__json_get(item, "Sequence");
        const struct fine__json *body = text != NULL ? text : fine__json_get(item, "SpecialToken");
        const struct fine__json *type = fine__json_get(body, "type_id");
        const char *id = fine__json_string(fine__json_get(body, "id"), NULL);

        if (id == NULL || !is_small(type))
            return fine__fail(FINE_EFORMAT, "%s: post_processor: item %lld of '%s' must be a "
                              "Sequence or a SpecialToken with an id and a type_id", what,
                              (long long)i, name);
        if (text == NULL) {
            FINE__TRY(add_special(t, special, id, (int32_t)fine__json_int(type, 0), what));
            continue;
        }
        if (strcmp(id, "A") != 0 && (strcmp(id, "B") != 0 || n_texts < 2))
            return fine__fail(FINE_EFORMAT, "%s: post_processor: '%s' has no text '%s'", what, name,
                              id);
        if (seen[id[0] - 'A']++ > 0)
            return fine__fail(FINE_EUNSUPPORTED, "%s: post_processor: '%s' uses the text '%s' "
                              "twice, which isn't supported", what, name, id);
        add(t, id[0] - 'A', 0, (int32_t)fine__json_int(type, 0));
    }
    if (seen[0] + seen[1] != n_texts)
        return fine__fail(FINE_EFORMAT, "%s: post_processor: '%s' must use %s", what, name,
                          n_texts == 1 ? "the text 'A'" : "the texts 'A' and 'B'");
    return 0;
}

/* ["[SEP]", 102] */
static int
read_bert_id(int32_t *out, const struct fine__json *processor, const char *key, const char *what)
{
    const struct fine__json *id = fine__json_at(fine__json_get(processor, key), 1);

    if (!is_small(id))
        return fine__fail(FINE_EFORMAT, "%s: post_processor: '%s' must be a token and its id", what,
                          key);
    *out = (int32_t)fine__json_int(id, 0);
    return 0;
}

/* trim_offsets and add_prefix_space, true where they are absent. */
static int
read_trimming(struct fine__template *single, struct fine__template *pair,
              const struct fine__json *processor, const char *what)
{
    static const char *const keys[] = { "trim_offsets", "add_prefix_space" };
    bool values[2];

    for (int i = 0; i < 2; i++) {
        const struct fine__json *value = fine__json_get(processor, keys[i]);

        if (value != NULL && fine__json_type(value) != FINE__JSON_BOOL)
            return fine__fail(FINE_EFORMAT, "%s: post_processor: '%s' must be true or false", what,
                              keys[i]);
        values[i] = fine__json_bool(value, true);
    }
    if (!values[0])
        return 0;
    single->trim = pair->trim = true;
    single->trim_keeps_prefix = pair->trim_keeps_prefix = values[1];
    return 0;
}

/* One that stands alone, or in a Sequence. */
static int
read_processor(struct fine__template *single, struct fine__template *pair,
               const struct fine__json *processor, const char *what)
{
    const char *type = fine__json_string(fine__json_get(processor, "type"), NULL);
    const struct fine__json *special = fine__json_get(processor, "special_tokens");
    const struct fine__template before = *single;
    int32_t cls = 0, sep = 0;

    if (type == NULL)
        return fine__fail(FINE_EFORMAT, "%s: post_processor: 'type' must be a string", what);
    if (strcmp(type, "ByteLevel") == 0)
        return read_trimming(single, pair, processor, what);
    if (strcmp(type, "BertProcessing") != 0 && strcmp(type, "RobertaProcessing") != 0
        && strcmp(type, "TemplateProcessing") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: the post_processor '%s' isn't supported; "
                          "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and a "
                          "Sequence of them are", what, type);
    if (before.n_added > 0)
        return fine__fail(FINE_EUNSUPPORTED, "%s: post_processor: two that add tokens aren't "
                          "supported", what);
    if (strcmp(type, "TemplateProcessing") == 0) {
        FINE__TRY(read_template(single, fine__json_get(processor, "single"), special, 1, what,
                                "single"));
        FINE__TRY(read_template(pair, fine__json_get(processor, "pair"), special, 2, what,
                                "pair"));
    } else {
        FINE__TRY(read_bert_id(&cls, processor, "cls", what));
        FINE__TRY(read_bert_id(&sep, processor, "sep", what));
        if (strcmp(type, "BertProcessing") == 0)
            fine__template_bert(single, pair, cls, sep);
        else
            fine__template_roberta(single, pair, cls, sep);
    }
    single->trim = pair->trim = before.trim;
    single->trim_keeps_prefix = pair->trim_keeps_prefix = before.trim_keeps_prefix;
    return strcmp(type, "RobertaProcessing") == 0 ? read_trimming(single, pair, processor, what)
                                                  : 0;
}

int
fine__template_read(struct fine__template *single, struct fine__template *pair,
                    const struct fine__json *processor, const char *what)
{
    const char *type = fine__json_string(fine__json_get(processor, "type"), NULL);
    const struct fine__json *list = fine__json_get(processor, "processors");

    fine__template_plain(single, pair);
    if (fine__json_type(processor) == FINE__JSON_NULL)
        return 0;
    if (type == NULL || strcmp(type, "Sequence") != 0)
        return read_processor(single, pair, processor, what);
    if (fine__json_type(list) != FINE__JSON_ARRAY)
        return fine__fail(FINE_EFORMAT, "%s: post_processor: 'processors' must be a list", what);
    for (int64_t i = 0; i < fine__json_count(list); i++)
        FINE__TRY(read_processor(single, pair, fine__json_at(list, i), what));
    return 0;
}
