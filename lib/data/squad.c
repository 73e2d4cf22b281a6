/*
 * squad.c — questions about texts, with the places of their answers.
 *
 * Two forms hold the same rows: SQuAD's one object (Rajpurkar et al., arXiv 1606.05250 and
 * 1806.03822), of which the whole is parsed, and one object a line, as the `datasets` library
 * has it. A place is counted in characters there and in bytes here; each answer must stand
 * where it is said to stand, since a model taught a shifted place learns nonsense quietly.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "data/squad.h"

/* ---- targets ---- */

/* SQuAD 2's flag must say what the list says. Where it is alone, it is enough. */
static int
read_target(struct fine__squad *s, const struct fine__passage *c, const struct fine__json *question,
            const struct fine__json *answers, struct fine__row *row)
{
    const struct fine__json *flag = fine__json_get(question, "is_impossible");
    const bool is_impossible = fine__json_bool(flag, false);

    if (answers == NULL || fine__json_type(answers) == FINE__JSON_NULL) {
        if (is_impossible)
            s->set->has_labels = true;
        else if (s->set->require_label)
            fine__squad_complain(s, "'%.60s' is missing", s->t->column[FINE__ROLE_LABEL]);
        return 0;
    }
    FINE__TRY(fine__squad_answers(s, c, answers, row));
    if (!s->is_bad && is_impossible && row->n_marks > 0)
        fine__squad_complain(s, "it is_impossible, but it has an answer");
    else if (!s->is_bad && fine__json_type(flag) == FINE__JSON_BOOL && !is_impossible &&
             row->n_marks == 0)
        fine__squad_complain(s, "it has no answer, but is_impossible is false");
    s->set->has_labels = s->set->has_labels || !s->is_bad;
    return 0;
}

/* ---- keeping texts ---- */

/* A JSON value as text: a string, or an integer where the column is no text to be read. */
static const char *
text_of(const struct fine__json *value, bool integers, char scratch[32], size_t *length)
{
    const char *text = fine__json_string(value, length);

    if (text == NULL && integers && fine__json_type(value) == FINE__JSON_INTEGER) {
        *length = (size_t)snprintf(scratch, 32, "%lld", (long long)fine__json_int(value, 0));
        text = scratch;
    }
    return text;
}

/* Where a text is kept, each once: rows share a context. In a file of lines texts move down
 * in the buffer that they were read from, and a line has room for all its values. */
static int
keep(struct fine__squad *s, const struct fine__json *value, struct fine__kept *out)
{
    struct fine__buf *bytes = &s->set->bytes;
    struct fine__kept found = { .value = value, .at = -1 };
    char scratch[32];
    size_t length;
    int i = 0;

    while (i < FINE__MEMO - 1 && s->memo[i].value != value)
        i++;
    if (s->memo[i].value == value) {
        found = s->memo[i];
    } else {
        const char *text = text_of(value, true, scratch, &length);

        found.at = (int64_t)bytes->length;
        found.length = (int32_t)length;
        if (s->line > 0) {
            memcpy(bytes->data + bytes->length, text, length);
            bytes->data[bytes->length + length] = '\0';
            bytes->length += length + 1;
            assert(bytes->length <= s->t->consumed);
        } else {
            fine__buf_append(bytes, text, length);
            fine__buf_byte(bytes, '\0');
        }
    }
    memmove(s->memo + 1, s->memo, (size_t)i * sizeof *s->memo);
    s->memo[0] = *out = found;
    return fine__buf_status(bytes);
}

/* ---- one question ---- */

/* What stands under a key in the question, its paragraph or its article. */
static const struct fine__json *
find(const struct fine__json *const levels[3], const char *key)
{
    const struct fine__json *value = NULL;

    for (int i = 0; i < 3 && value == NULL && key != NULL; i++)
        value = fine__json_get(levels[i], key);
    return value;
}

static void
check_value(struct fine__squad *s, const struct fine__json *value, const char *name, bool integers)
{
    char scratch[32];
    size_t length = 0;
    const char *text = text_of(value, integers, scratch, &length);

    if (value == NULL || fine__json_type(value) == FINE__JSON_NULL)
        fine__squad_complain(s, "'%.60s' is missing", name);
    else if (text == NULL)
        fine__squad_complain(s, "'%.60s' must be a string%s", name,
                             integers ? " or an integer" : "");
    else if (length > FINE__MAX_FIELD)
        fine__squad_complain(s, "'%.60s' has %zu bytes, more than the limit of %d", name, length,
                             FINE__MAX_FIELD);
}

static int
check_id(struct fine__squad *s, const struct fine__json *id)
{
    struct fine__map *ids = &s->t->questions.ids;
    char scratch[32];
    size_t length = 0;
    const char *text = text_of(id, true, scratch, &length);

    if (id == NULL || fine__json_type(id) == FINE__JSON_NULL)
        return 0;
    if (text == NULL || length > FINE__MAX_LABEL) {
        fine__squad_complain(s, "'id' must be a string of at most %d bytes, or an integer",
                             FINE__MAX_LABEL);
        return 0;
    }
    if (s->is_bad)
        return 0;
    const int rc = fine__map_put(ids, text, length, s->line > 0 ? s->line : s->number);

    if (rc > 0)
        fine__squad_complain(s, "its 'id' is that of %s %lld too",
                             s->line > 0 ? "line" : "question",
                             (long long)fine__map_get(ids, text, length));
    return rc < 0 ? rc : 0;
}

static int
keep_row(struct fine__squad *s, const struct fine__json *const levels[3], struct fine__row *row)
{
    const char *const *column = s->t->column;
    const struct fine__json *id = fine__json_get(levels[0], "id");
    struct fine__kept kept;

    FINE__TRY(keep(s, find(levels, column[FINE__ROLE_PAIR]), &kept));
    row->pair = kept.at;
    row->pair_length = kept.length;
    FINE__TRY(keep(s, find(levels, column[FINE__ROLE_TEXT]), &kept));
    row->text = kept.at;
    row->text_length = kept.length;
    if (id != NULL && fine__json_type(id) != FINE__JSON_NULL) {
        FINE__TRY(keep(s, id, &kept));
        row->id = kept.at;
    }
    if (column[FINE__ROLE_GROUP] != NULL) {
        FINE__TRY(keep(s, find(levels, column[FINE__ROLE_GROUP]), &kept));
        row->group = kept.at;
    }
    if (column[FINE__ROLE_SPLIT] != NULL) {
        FINE__TRY(keep(s, find(levels, column[FINE__ROLE_SPLIT]), &kept));
        row->split = kept.at;
    }
    return 0;
}

/* levels: the question, its paragraph and its article; a line is all three. */
static int
read_question(struct fine__squad *s, const struct fine__json *const levels[3],
              const struct fine__passage *c)
{
    const struct fine__table *t = s->t;
    struct fine__row row = fine__row_empty();
    const int64_t n_marks = s->set->n_marks;

    s->is_bad = false;
    s->id = fine__json_string(fine__json_get(levels[0], "id"), NULL);
    row.line = s->line;
    check_value(s, find(levels, t->column[FINE__ROLE_TEXT]), t->column[FINE__ROLE_TEXT], false);
    if (t->column[FINE__ROLE_GROUP] != NULL)
        check_value(s, find(levels, t->column[FINE__ROLE_GROUP]), t->column[FINE__ROLE_GROUP],
                    true);
    if (t->column[FINE__ROLE_SPLIT] != NULL &&
        t->column[FINE__ROLE_SPLIT] != t->column[FINE__ROLE_PAIR])
        check_value(s, find(levels, t->column[FINE__ROLE_SPLIT]), t->column[FINE__ROLE_SPLIT],
                    true);
    if (c->length == 0)
        fine__squad_complain(s, "its context is empty");
    else if (c->length <= FINE__MAX_FIELD)
        FINE__TRY(read_target(s, c, levels[0],
                              fine__json_get(levels[0], t->column[FINE__ROLE_LABEL]), &row));
    FINE__TRY(check_id(s, fine__json_get(levels[0], "id")));
    s->t->row_is_bad = false;
    if (s->is_bad) {
        s->set->n_marks = n_marks;
        s->set->skipped++;
        return 0;
    }
    s->t->questions.n_plausible += fine__json_count(fine__json_get(levels[0], "plausible_answers"));
    FINE__TRY(
        fine__grow(s->set->ctx, &s->set->rows, &s->set->capacity, s->set->n_rows + 1, sizeof row));
    FINE__TRY(keep_row(s, levels, &row));
    s->set->rows[s->set->n_rows++] = row;
    return 0;
}

int
fine__squad_row(struct fine__table *t, const struct fine__json *object, int64_t line)
{
    const struct fine__json *const levels[3] = { object };
    struct fine__squad s = { .t = t, .set = t->set, .line = line, .number = line };
    const struct fine__json *value = fine__json_get(object, t->column[FINE__ROLE_PAIR]);
    struct fine__passage c;
    size_t length = 0;
    const char *text = fine__json_string(value, &length);

    s.is_bad = false;
    check_value(&s, value, t->column[FINE__ROLE_PAIR], false);
    if (s.is_bad) {
        t->row_is_bad = false;
        t->set->skipped++;
        return 0;
    }
    FINE__TRY(fine__passage_open(&c, text, length, t->set->ctx, &t->questions.places,
                                 &t->questions.places_capacity));
    return read_question(&s, levels, &c);
}

/* ---- SQuAD's one object ---- */

static void
count_values(struct fine__squad *s, const struct fine__json *const levels[3])
{
    for (int r = 0; r < FINE__ROLES; r++)
        s->n_with[r] +=
            find(levels, s->t->column[r]) != NULL ||
            (r == FINE__ROLE_LABEL && fine__json_get(levels[0], "is_impossible") != NULL);
}

/* A column that no question has is one finding, whatever it did to them. */
static void
check_columns(struct fine__squad *s)
{
    static const struct {
        enum fine__role role;
        const char *key;
    } needed[] = { { FINE__ROLE_TEXT, "text" },
                   { FINE__ROLE_PAIR, "text_pair" },
                   { FINE__ROLE_LABEL, "label" },
                   { FINE__ROLE_GROUP, "group" } };
    bool all = true;

    for (int i = 0; i < FINE__COUNT(needed) && s->number > 0; i++) {
        if (s->n_with[needed[i].role] > 0 || !fine__table_needs(s->t, needed[i].role))
            continue;
        if (all) {
            fine__buf_clear(&s->t->findings);
            s->t->n_findings = 0;
        }
        all = false;
        fine__table_bad_file(s->t, 0,
                             "none of the %lld questions has '%.60s'; set data.%s to the "
                             "name it has",
                             (long long)s->number, s->t->column[needed[i].role], needed[i].key);
    }
}

static int
read_paragraph(struct fine__squad *s, const struct fine__json *paragraph,
               const struct fine__json *article)
{
    const struct fine__json *value = fine__json_get(paragraph, s->t->column[FINE__ROLE_PAIR]);
    const struct fine__json *questions = fine__json_get(paragraph, "qas");
    const int64_t n = fine__json_count(questions);
    struct fine__passage c;
    size_t length = 0;
    const char *text = fine__json_string(value, &length);

    if (fine__json_type(questions) != FINE__JSON_ARRAY) {
        fine__table_bad_file(s->t, 0, "a paragraph behind question %lld has no list 'qas'",
                             (long long)s->number);
        return 0;
    }
    if (text != NULL && length <= FINE__MAX_FIELD)
        FINE__TRY(fine__passage_open(&c, text, length, s->set->ctx, &s->t->questions.places,
                                     &s->t->questions.places_capacity));
    for (int64_t i = 0; i < n; i++) {
        const struct fine__json *const levels[3] = { fine__json_at(questions, i), paragraph,
                                                     article };

        s->number++;
        count_values(s, levels);
        if (text != NULL && length <= FINE__MAX_FIELD) {
            FINE__TRY(read_question(s, levels, &c));
            continue;
        }
        s->id = fine__json_string(fine__json_get(levels[0], "id"), NULL);
        check_value(s, value, s->t->column[FINE__ROLE_PAIR], false);
        s->t->row_is_bad = false;
        s->set->skipped++;
    }
    return 0;
}

static int
read_articles(struct fine__squad *s, const struct fine__json *root)
{
    const struct fine__json *articles = fine__json_get(root, "data");
    const int64_t n = fine__json_count(articles);

    if (fine__json_type(articles) != FINE__JSON_ARRAY) {
        fine__table_bad_file(s->t, 0,
                             "there is no list 'data' as SQuAD's files have it; write one "
                             "question a line to a .jsonl file instead");
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        const struct fine__json *article = fine__json_at(articles, i);
        const struct fine__json *paragraphs = fine__json_get(article, "paragraphs");
        const int64_t n_paragraphs = fine__json_count(paragraphs);

        if (fine__json_type(paragraphs) != FINE__JSON_ARRAY)
            fine__table_bad_file(s->t, 0, "article %lld has no list 'paragraphs'",
                                 (long long)i + 1);
        for (int64_t k = 0; k < n_paragraphs; k++)
            FINE__TRY(read_paragraph(s, fine__json_at(paragraphs, k), article));
    }
    return 0;
}

/* From "squad:LINE:COLUMN: reason near 'what the file says'" to what may be told. */
static void
note_broken(struct fine__table *t)
{
    const char *message = fine__error_first(), *at = strchr(message, ':');
    const char *column = at != NULL ? strchr(at + 1, ':') : NULL;
    const char *reason = column != NULL ? strstr(column + 1, ": ") : NULL;
    long long line = 0;

    for (const char *p = at != NULL ? at + 1 : ""; *p >= '0' && *p <= '9' && line < 1000000000; p++)
        line = 10 * line + (*p - '0');
    if (line == 0 || reason == NULL) {
        fine__table_bad_file(t, 0, "%s", at != NULL ? at + 2 : message);
        return;
    }
    const char *near = strstr(reason, " near "), *unicode = strstr(reason, " '\\u");
    const char *end = near != NULL ? near : unicode != NULL ? unicode : reason + strlen(reason);

    fine__table_bad_file(t, line, "character %.*s: %.*s", (int)(reason - column - 1), column + 1,
                         (int)(end - reason - 2), reason + 2);
}

/* Bytes that are no text, by their line. */
static bool
is_text(struct fine__table *t)
{
    const struct fine__buf *bytes = &t->set->bytes;
    const size_t bad = fine__encoding_scan(bytes->data, t->start, bytes->length);
    size_t line_start = t->start;
    int64_t line = 1;
    char why[200];

    if (bad >= bytes->length)
        return true;
    for (size_t i = t->start; i < bad; i++)
        if (bytes->data[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    fine__encoding_explain(why, sizeof why, t->encoding, bytes->data, bad, line_start);
    fine__table_bad_file(t, line, "%s", why);
    return false;
}

static int
list_columns(struct fine__table *t)
{
    static const enum fine__role roles[] = { FINE__ROLE_TEXT, FINE__ROLE_PAIR, FINE__ROLE_LABEL,
                                             FINE__ROLE_GROUP };
    fine_dataset *d = t->set;

    d->columns_used = fine__alloc_array(d->ctx, FINE__COUNT(roles), sizeof(char *));
    if (d->columns_used == NULL)
        return FINE_ENOMEM;
    for (int i = 0; i < FINE__COUNT(roles); i++) {
        char *name;

        if (t->column[roles[i]] == NULL)
            continue;
        name = fine__strdup(d->ctx, t->column[roles[i]]);
        if (name == NULL)
            return FINE_ENOMEM;
        d->columns_used[d->n_columns_used++] = name;
    }
    return 0;
}

int
fine__squad_read(struct fine__table *t)
{
    struct fine__buf *bytes = &t->set->bytes;
    struct fine__squad s = { .t = t, .set = t->set };
    struct fine__json *root = NULL;
    int rc;

    if (!is_text(t))
        return 0;
    rc = fine__json_parse(&root, t->set->ctx, bytes->data + t->start, bytes->length - t->start,
                          "squad");
    if (rc == FINE_EFORMAT) {
        note_broken(t);
        return 0;
    }
    FINE__TRY(rc);
    fine__buf_free(bytes); /* the tree has copies; kept texts come here anew */
    rc = read_articles(&s, root);
    if (rc == 0)
        check_columns(&s);
    if (rc == 0)
        rc = list_columns(t);
    fine__json_free(root);
    return rc;
}

void
fine__squad_warn(const struct fine__table *t)
{
    if (t->questions.n_plausible > 0)
        fine__log(t->set->ctx, FINE_LOG_INFO,
                  "%s: %lld plausible_answers are not looked at: such "
                  "questions have no answer",
                  t->set->name, (long long)t->questions.n_plausible);
}
