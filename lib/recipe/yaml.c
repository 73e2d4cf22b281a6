/*
 * yaml.c — YAML text to a small tree: the only includer of libyaml.
 *
 * libyaml's event interface is used, not its documents: anchors, tags and depth are
 * seen where they stand, nothing is ever expanded, and no call recurses. What reaches
 * libyaml (which allocates by itself, and is slow on deep flow collections) is bounded
 * first: 64 KB of valid UTF-8, and eight levels, after which it isn't asked any more.
 * Reference: YAML 1.1, https://yaml.org/spec/1.1/.
 */
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/utf8.h"
#include "recipe/place.h"
#include "recipe/yaml.h"

struct level {
    int32_t node, last;         /* the collection, and its last child */
    bool has_key;               /* a mapping whose key was read and whose value comes next */
    bool refused_key;
    size_t key;                 /* offset in bytes */
    int64_t key_line, key_column;
};

struct reader {
    struct fine__yaml *out;
    const char *name;
    yaml_parser_t parser;
    struct level levels[FINE__YAML_MAX_DEPTH];
    int depth;
    int n_documents;
    size_t n_characters;        /* of the whole text */
    struct fine__map keys;      /* "node number:key" of all mappings */
    struct fine__buf scratch;
};

/* ---- before libyaml ---- */

static bool
is_allowed(int32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
           (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD && c != 0xFEFF) ||
           (c >= 0x10000 && c <= 0x10FFFF);
}

/* Size, encoding, control characters and directives. */
static int
examine(const char *text, size_t length, const char *name)
{
    int64_t line = 1, column = 1;

    if (length > FINE__YAML_MAX_BYTES)
        return fine__complain(name, 0, 0, "larger than 64 KB: this is not a recipe");
    for (size_t i = 0; i < length;) {
        int32_t c;
        bool valid;
        size_t n = fine__utf8_decode(text + i, length - i, &c, &valid);

        if (!valid)
            return fine__complain(name, line, column,
                                  "not valid UTF-8; save the file with that encoding");
        if (!is_allowed(c))
            return fine__complain(name, line, column,
                                  "control character U+%04X; take it out, or write it as an "
                                  "escape in double quotes", (unsigned)c);
        if (c == '%' && column == 1)
            return fine__complain(name, line, column,
                                  "directives (%%YAML, %%TAG) are not part of recipes; take the "
                                  "line out");
        i += n;
        if (c == '\n' || (c == '\r' && (i == length || text[i] != '\n'))) {
            line++;
            column = 1;
        } else {
            column++;
        }
    }
    return FINE_OK;
}

/* ---- building the tree ---- */

static int
refuse(struct reader *r, yaml_mark_t mark, const char *message)
{
    r->out->has_findings = true;
    return fine__complain(r->name, (int64_t)mark.line + 1, (int64_t)mark.column + 1, "%s",
                          message);
}

static size_t
keep(struct reader *r, const void *text, size_t length)
{
    size_t at = r->out->bytes.length;

    fine__buf_append(&r->out->bytes, text, length);
    fine__buf_byte(&r->out->bytes, '\0');
    return at;
}

#define NO_TEXT SIZE_MAX

static int
add(struct reader *r, enum fine__yaml_kind kind, yaml_mark_t mark, int32_t *out)
{
    struct fine__yaml *y = r->out;
    struct level *level = r->depth ? &r->levels[r->depth - 1] : NULL;
    int32_t i = (int32_t)y->n_nodes;
    struct fine__yaml_node *node;

    FINE__TRY(fine__grow(y->ctx, &y->nodes, &y->capacity, y->n_nodes + 1, sizeof *y->nodes));
    node = &y->nodes[y->n_nodes++];
    *node = (struct fine__yaml_node){
        .kind = kind, .first = -1, .next = -1,
        .line = (int64_t)mark.line + 1, .column = (int64_t)mark.column + 1,
        .key_at = NO_TEXT, .text_at = NO_TEXT,
    };
    *out = i;
    if (!level) {
        y->root = i;
        return FINE_OK;
    }
    if (level->last < 0)
        y->nodes[level->node].first = i;
    else
        y->nodes[level->last].next = i;
    level->last = i;
    if (y->nodes[level->node].kind == FINE__YAML_MAP) {
        node->key_at = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        node->refused = level->refused_key;
        level->has_key = false;
    }
    return FINE_OK;
}

/* A mapping's key: a scalar, met for the first time. */
static int
take_key(struct reader *r, const yaml_event_t *event)
{
    struct level *level = &r->levels[r->depth - 1];
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.plain_implicit != 0;
    int seen;

    level->refused_key = false;
    level->has_key = true;
    level->key_line = (int64_t)event->start_mark.line + 1;
    level->key_column = (int64_t)event->start_mark.column + 1;
    if (event->data.scalar.anchor || event->data.scalar.tag) {
        refuse(r, event->start_mark, "a key with an anchor or a tag; write the plain key");
        level->refused_key = true;
    }
    if (plain && length == 2 && memcmp(text, "<<", 2) == 0) {
        refuse(r, event->start_mark, "merge keys (<<) are not part of recipes; write the keys out");
        level->refused_key = true;
    }
    if (memchr(text, '\0', length)) {
        refuse(r, event->start_mark, "a key with a NUL character in it");
        level->refused_key = true;
    }
    fine__buf_clear(&r->scratch);
    fine__buf_printf(&r->scratch, "%d:", (int)level->node);
    fine__buf_append(&r->scratch, text, length);
    FINE__TRY(fine__buf_status(&r->scratch));
    seen = fine__map_put(&r->keys, r->scratch.data, r->scratch.length, level->key_line);
    if (seen < 0)
        return seen;
    if (seen == 1 && !level->refused_key) {
        r->out->has_findings = true;
        fine__complain(r->name, level->key_line, level->key_column,
                       "key '%.60s' stands in line %lld already; keep one of them", text,
                       (long long)fine__map_get(&r->keys, r->scratch.data, r->scratch.length));
        level->refused_key = true;
    }
    level->key = keep(r, text, length);
    return FINE_OK;
}

static bool
wants_key(const struct reader *r)
{
    return r->depth > 0 &&
           r->out->nodes[r->levels[r->depth - 1].node].kind == FINE__YAML_MAP &&
           !r->levels[r->depth - 1].has_key;
}

/* Anchors and tags of a value; true: refused. */
static bool
is_decorated(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
             const yaml_char_t *tag)
{
    if (anchor)
        refuse(r, event->start_mark, "anchors (&name) are not part of recipes; take it out");
    if (tag)
        refuse(r, event->start_mark, "tags (!name) are not part of recipes; for a text write quotes");
    return anchor || tag;
}

static int
take_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    int32_t node;

    if (wants_key(r))
        return take_key(r, event);
    FINE__TRY(add(r, FINE__YAML_SCALAR, event->start_mark, &node));
    if (is_decorated(r, event, event->data.scalar.anchor, event->data.scalar.tag))
        r->out->nodes[node].refused = true;
    if (memchr(text, '\0', length)) {
        refuse(r, event->start_mark, "a text with a NUL character in it");
        r->out->nodes[node].refused = true;
    }
    r->out->nodes[node].plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    r->out->nodes[node].text_at = keep(r, text, length);
    return FINE_OK;
}

static int
open_level(struct reader *r, const yaml_event_t *event, enum fine__yaml_kind kind,
           const yaml_char_t *anchor, const yaml_char_t *tag)
{
    int32_t node;

    if (wants_key(r))
        return refuse(r, event->start_mark, "a list or a mapping as a key; keys are words");
    if (r->depth == FINE__YAML_MAX_DEPTH)
        return refuse(r, event->start_mark, "nested deeper than 8 levels");
    FINE__TRY(add(r, kind, event->start_mark, &node));
    if (is_decorated(r, event, anchor, tag))
        r->out->nodes[node].refused = true;
    r->levels[r->depth++] = (struct level){ .node = node, .last = -1 };
    return FINE_OK;
}

static int
take_alias(struct reader *r, const yaml_event_t *event)
{
    int32_t node;

    refuse(r, event->start_mark, "aliases (*name) are not part of recipes; write the value out, "
                                 "or put quotes around a text that begins with *");
    if (wants_key(r))
        return FINE_ERECIPE;
    FINE__TRY(add(r, FINE__YAML_SCALAR, event->start_mark, &node));
    r->out->nodes[node].refused = true;
    r->out->nodes[node].text_at = keep(r, "", 0);
    return FINE_OK;
}

/* 1: the stream has ended; 0; or an error after which reading stops. */
static int
take(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->n_documents == 2)
            return refuse(r, event->start_mark, "a second document; a recipe is one");
        return FINE_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(r, event, FINE__YAML_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_level(r, event, FINE__YAML_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return FINE_OK;
    case YAML_ALIAS_EVENT:
        return take_alias(r, event);
    case YAML_STREAM_END_EVENT:
        return 1;
    default:
        return FINE_OK;
    }
}

/* What libyaml says, and what it means in a recipe. */
static const struct { const char *says, *means; } meanings[] = {
    { "mapping values are not allowed",
      "a ':' where no key can stand; put quotes around a text with ': ' in it, or look at the "
      "indentation" },
    { "could not find expected ':'", "a key without ':'; write 'key: value'" },
    { "',' or ']'", "a list in brackets is not closed before this" },
    { "',' or '}'", "a mapping in braces is not closed before this" },
    { "expected key", "no key where one is expected; look at the indentation, or put quotes around "
                      "the whole text" },
    { "'-' indicator", "a list's entries begin with '- ', in the same column" },
    { "<document start>", "this does not belong to what stands above; look at the indentation" },
    { "alphabetic or numeric", "put quotes around a text that begins with * or &" },
    { "cannot start any token", "put quotes around a text that begins with this character" },
    { "unexpected end of stream", "a quote is not closed" },
};

static int
explain(struct reader *r, const char *text, size_t length)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read", *means = NULL;
    size_t at = p->problem_mark.index;
    int64_t line = (int64_t)p->problem_mark.line + 1, column = (int64_t)p->problem_mark.column + 1;
    char opened[60] = "";

    if (p->error == YAML_MEMORY_ERROR)
        return fine__fail(FINE_ENOMEM, "out of memory while reading a recipe");
    for (int64_t i = 0; i < FINE__COUNT(meanings) && !means; i++)
        if (strstr(problem, meanings[i].says))
            means = meanings[i].means;
    /* index counts characters: right where only ASCII stands before it, which is enough */
    if (at < length && text[at] == '\t')
        means = "a tab where a value or an indentation is expected; indent with spaces";
    if (at >= r->n_characters && p->context && !strstr(problem, "':'")) {
        /* where it begins says more than where the text ends */
        if (p->context_mark.index < r->n_characters) {
            line = (int64_t)p->context_mark.line + 1;
            column = (int64_t)p->context_mark.column + 1;
        } else if (r->depth > 0) {
            line = r->out->nodes[r->levels[r->depth - 1].node].line;
            column = r->out->nodes[r->levels[r->depth - 1].node].column;
        }
        means = "what begins here has no end; a closing quote or bracket is missing";
    } else if (p->context && p->context_mark.line != p->problem_mark.line) {
        (void)snprintf(opened, sizeof opened, " (it begins in line %lld)",
                       (long long)p->context_mark.line + 1);
    }
    return fine__complain(r->name, line, column, "%s%s", means ? means : problem, opened);
}

static int
read_events(struct reader *r, const char *text, size_t length)
{
    if (!yaml_parser_initialize(&r->parser))
        return fine__fail(FINE_ENOMEM, "out of memory while reading a recipe");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, length);
    for (;;) {
        yaml_event_t event;
        int rc;

        if (!yaml_parser_parse(&r->parser, &event)) {
            rc = explain(r, text, length);
            yaml_parser_delete(&r->parser);
            return rc;
        }
        rc = take(r, &event);
        yaml_event_delete(&event);
        if (rc != FINE_OK) {
            yaml_parser_delete(&r->parser);
            return rc < 0 ? rc : FINE_OK;
        }
    }
}

/* Offsets to pointers. */
static int
settle(struct fine__yaml *y)
{
    FINE__TRY(fine__buf_status(&y->bytes));
    for (int64_t i = 0; i < y->n_nodes; i++) {
        struct fine__yaml_node *node = &y->nodes[i];

        if (node->key_at != NO_TEXT)
            node->key = y->bytes.data + node->key_at;
        if (node->text_at != NO_TEXT)
            node->text = y->bytes.data + node->text_at;
    }
    return FINE_OK;
}

int
fine__yaml_parse(struct fine__yaml *out, fine_context *ctx, const char *text, size_t length,
                 const char *name)
{
    struct reader r = { .out = out, .name = name };
    int rc;

    *out = (struct fine__yaml){ .ctx = ctx, .root = -1 };
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        length -= 3;
    }
    FINE__TRY(examine(text, length, name));
    r.n_characters = (size_t)fine__utf8_count(text, length);
    fine__buf_init(&out->bytes, ctx);
    fine__buf_init(&r.scratch, ctx);
    fine__map_init(&r.keys, ctx);
    rc = read_events(&r, text, length);
    if (rc == FINE_OK)
        rc = settle(out);
    fine__map_free(&r.keys);
    fine__buf_free(&r.scratch);
    if (rc < 0)
        fine__yaml_free(out);
    return rc;
}

void
fine__yaml_free(struct fine__yaml *yaml)
{
    if (!yaml->ctx)
        return;
    fine__free(yaml->ctx, yaml->nodes);
    fine__buf_free(&yaml->bytes);
    *yaml = (struct fine__yaml){ .root = -1 };
}
