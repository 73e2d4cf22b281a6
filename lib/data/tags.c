/*
 * tags.c — see tags.h.
 * (Ramshaw and Marcus: Text Chunking using Transformation-Based Learning, 1995; seqeval's
 * default mode is that of the CoNLL-2000 task's script, conlleval.)
 */
#include <string.h>

#include "base/alloc.h"
#include "data/tags.h"

bool
fine__tag_parse(struct fine__tag *out, const char *text, size_t length)
{
    static const char letters[] = "BIESLU", places[] = "BIESES";
    const char *at;

    if (length == 1 && text[0] == 'O') {
        *out = (struct fine__tag){ 'O', 'O', "", 0 };
        return true;
    }
    if (length == 0 || text[0] == '\0' || (at = strchr(letters, text[0])) == NULL ||
        (length > 1 && (text[1] != '-' || length == 2)) || length > FINE__MAX_LABEL)
        return false;
    *out = (struct fine__tag){ places[at - letters], text[0], length > 1 ? text + 2 : "_",
                               length > 1 ? length - 2 : 1 };
    return true;
}

int
fine__scheme_parse(enum fine__scheme *out, const char *name)
{
    static const char *const names[] = { "auto", "iob1", "iob2", "bioes", "bilou" };

    *out = FINE__ANY_SCHEME;
    for (int i = 0; name != NULL && i < FINE__COUNT(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum fine__scheme)i;
            return 0;
        }
    return name == NULL ? 0
                        : fine__fail(FINE_EINVAL, "data.scheme: '%.40s' is none of auto, iob1, "
                                     "iob2, bioes, bilou", name);
}

bool
fine__scheme_has(enum fine__scheme scheme, char letter)
{
    static const char *const letters[] = { "OBIESLU", "OBI", "OBI", "OBIES", "OBILU" };

    return strchr(letters[scheme], letter) != NULL;
}

bool
fine__tag_ends(char before, char now, bool same_type)
{
    if (before == 'O')
        return false;
    return before == 'E' || before == 'S' || now == 'B' || now == 'S' || now == 'O' || !same_type;
}

bool
fine__tag_begins(char before, char now, bool same_type)
{
    if (now == 'O')
        return false;
    return now == 'B' || now == 'S' || before == 'O' || before == 'E' || before == 'S' ||
           !same_type;
}

int
fine__tags_give(fine_dataset *d, const char *const *names, int64_t n)
{
    struct fine__buf text;
    const char **list, *at;
    int rc = 0;

    if (n > FINE__MAX_LABELS / 2)
        return fine__fail(FINE_EINVAL, "task.labels: %lld labels are more than the limit of %d",
                          (long long)n, FINE__MAX_LABELS / 2);
    for (int64_t i = 0; i < n; i++)
        if (names[i] == NULL || names[i][0] == '\0' || strcmp(names[i], "O") == 0)
            return fine__dataset_give_labels(d, names, n);
    fine__buf_init(&text, d->ctx);
    list = fine__alloc_array(d->ctx, (size_t)(2 * n + 1), sizeof *list);
    for (int64_t i = 0; i < 2 * n; i++) {
        fine__buf_printf(&text, "%s-%s", i < n ? "B" : "I", names[i % n]);
        fine__buf_byte(&text, '\0');
    }
    fine__buf_append(&text, "O", 2);
    rc = list != NULL ? fine__buf_status(&text) : FINE_ENOMEM;
    if (rc == 0) {
        at = text.data;
        for (int64_t i = 0; i <= 2 * n; i++, at += strlen(at) + 1)
            list[i] = at;
        rc = fine__dataset_give_labels(d, list, 2 * n + 1);
    }
    fine__free(d->ctx, list);
    fine__buf_free(&text);
    return rc;
}

int64_t
fine__tags_label(fine_dataset *d, const char *type, size_t length)
{
    static const char letters[] = "BISELU";
    char name[FINE__MAX_LABEL + 4];

    memcpy(name + 2, type, length);
    name[1] = '-';
    for (size_t i = 0; i < sizeof letters - 1; i++) {
        int64_t id;

        name[0] = letters[i];
        id = fine__map_get(&d->label_ids, name, length + 2);
        if (id >= 0)
            return id;
    }
    if (d->labels_given)
        return fine__map_get(&d->label_ids, type, length);
    const int64_t outside = fine__dataset_label_id(d, "O", 1);

    if (outside < 0)
        return outside;
    name[0] = 'I';
    const int64_t inside = fine__dataset_label_id(d, name, length + 2);

    if (inside < 0)
        return inside;
    name[0] = 'B';
    return fine__dataset_label_id(d, name, length + 2);
}

const char *
fine__tags_type(const char *label)
{
    struct fine__tag tag;

    return fine__tag_parse(&tag, label, strlen(label)) && tag.place != 'O' ? tag.type : label;
}
