/*
 * value.h — one key's value: read from a tree, checked, and written as YAML.
 */
#ifndef FINE__VALUE_H
#define FINE__VALUE_H

#include "recipe/keys.h"
#include "recipe/yaml.h"

enum fine__unit { FINE__UNIT_NONE, FINE__UNIT_STEPS, FINE__UNIT_EPOCHS };

struct fine__value {
    bool given;                 /* not the default */
    bool is_list;               /* items are a list, else there is one, or none: no value */
    bool is_number;             /* SPLIT: a share */
    bool flag;                  /* FLAG, HEADER without a list */
    enum fine__unit unit;
    int64_t integer;            /* INTEGER, STEPS, PERIOD in steps */
    double number;              /* NUMBER, POSITIVE, SPLIT, PERIOD in epochs */
    double pair[2];             /* BETAS */
    char **items;               /* TEXT, PATH, CHOICE, TEXTS, PATTERNS, HEADER, CHARACTER, SPLIT */
    int64_t n_items;
    int64_t line, column;       /* of the value; 0: not from a file */
};

/* Reads a node as the key's value. Findings are added; FINE_ERECIPE or FINE_ENOMEM leaves
 * *out untouched. name as for fine__yaml_parse(). */
int fine__value_read(struct fine__value *out, fine_context *ctx, const struct fine__key *key,
                     const struct fine__yaml *yaml, int32_t node, const char *name);
int fine__value_copy(struct fine__value *out, fine_context *ctx, const struct fine__value *value);
void fine__value_free(fine_context *ctx, struct fine__value *value);
bool fine__value_is_set(const struct fine__key *key, const struct fine__value *value);

/* Appends the value as YAML on one line; folder: put before relative paths (NULL: as
 * they are). */
void fine__value_write(struct fine__buf *out, const struct fine__key *key,
                       const struct fine__value *value, const char *folder);
/* A text, quoted where YAML readers would otherwise take it for something else. */
void fine__yaml_text(struct fine__buf *out, const char *text);
/* A number that every YAML reader takes for a real number: 5.0e-05. */
void fine__yaml_number(struct fine__buf *out, double value);

#endif
