/*
 * yaml.h — the part of YAML that a recipe may use, as a tree with places.
 *
 * One document of mappings, sequences and scalars. Anchors, aliases, tags,
 * directives, merge keys, duplicate keys, more than 8 levels and more than 64 KB
 * are refused, each with its line and column.
 */
#ifndef FINE__YAML_H
#define FINE__YAML_H

#include "base/buf.h"

#define FINE__YAML_MAX_BYTES (64 * 1024)
#define FINE__YAML_MAX_DEPTH 8

enum fine__yaml_kind { FINE__YAML_SCALAR, FINE__YAML_LIST, FINE__YAML_MAP };

struct fine__yaml_node {
    enum fine__yaml_kind kind;
    bool plain;                 /* a scalar without quotes: may be a number, true, null */
    bool refused;               /* a finding about it stands already */
    int32_t first, next;        /* child and sibling; -1: none */
    const char *key;            /* in a mapping; NULL elsewhere */
    const char *text;           /* of a scalar, NUL-terminated, without NUL inside */
    int64_t key_line, key_column, line, column;     /* from 1; columns count characters */
    size_t key_at, text_at;     /* while reading: where they begin in bytes, which still moves */
};

struct fine__yaml {
    fine_context *ctx;
    struct fine__yaml_node *nodes;
    int64_t n_nodes, capacity;
    struct fine__buf bytes;
    int32_t root;               /* -1: an empty document */
    bool has_findings;          /* something was refused; the tree is whole nevertheless */
};

/*
 * Reads a text. name: the file in messages ("name:line:column: …"), or NULL for a
 * value that has no place. Adds findings (the caller has cleared the error).
 *
 * 0: there is a tree, to be freed, perhaps with has_findings. FINE_ERECIPE: there is
 * none, the text cannot be read on. FINE_ENOMEM.
 */
int fine__yaml_parse(struct fine__yaml *out, fine_context *ctx, const char *text, size_t length,
                     const char *name);
void fine__yaml_free(struct fine__yaml *yaml);

#endif
