/*
 * json.h — reading JSON: the only includer of jansson.
 *
 * Strict: one value, duplicate keys refused, valid UTF-8, depth <= 64, numbers
 * that overflow refused. Getters that are asked for the wrong type answer with
 * the fallback; read with the fine__json_want_… functions where a wrong type is
 * the user's error.
 */
#ifndef FINE__JSON_H
#define FINE__JSON_H

#include "base/context.h"

struct fine__json;

enum fine__json_type {
    FINE__JSON_NULL, FINE__JSON_BOOL, FINE__JSON_INTEGER, FINE__JSON_REAL,
    FINE__JSON_STRING, FINE__JSON_ARRAY, FINE__JSON_OBJECT
};

/* `what` names the text in messages ("config.json"): "what:line:column: …".
 * Errors: FINE_EFORMAT, FINE_ENOMEM. The text is at most 100 MB. */
int fine__json_parse(struct fine__json **out, fine_context *ctx, const char *text, size_t length, const char *what);
int fine__json_read(struct fine__json **out, fine_context *ctx, const char *path, int64_t max_bytes);
void fine__json_free(struct fine__json *root);                   /* the root only; NULL is fine */

enum fine__json_type fine__json_type(const struct fine__json *value);   /* NULL pointer: FINE__JSON_NULL */
const struct fine__json *fine__json_get(const struct fine__json *object, const char *key);   /* NULL: absent, or not an object */
int64_t fine__json_count(const struct fine__json *value);        /* array or object, else 0 */
const struct fine__json *fine__json_at(const struct fine__json *array, int64_t index);
bool fine__json_bool(const struct fine__json *value, bool fallback);
int64_t fine__json_int(const struct fine__json *value, int64_t fallback);
double fine__json_double(const struct fine__json *value, double fallback);   /* integers too */
const char *fine__json_string(const struct fine__json *value, size_t *length); /* NULL when no string; length may be NULL; may hold no NUL */

/* Members in the order of the text:
 * for (it = fine__json_first(o); it; it = fine__json_next(o, it)) … */
void *fine__json_first(const struct fine__json *object);
void *fine__json_next(const struct fine__json *object, void *iterator);
const char *fine__json_key(void *iterator);
const struct fine__json *fine__json_value(void *iterator);

/* object[key] as an integer within [min, max]. Absent: *out = fallback, 0, unless
 * fallback is FINE__REQUIRED. Wrong type or range: adds a finding (fine__also)
 * "what: 'key' must be …" and returns FINE_EFORMAT. */
#define FINE__REQUIRED INT64_MIN
int fine__json_want_int(const struct fine__json *object, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *out, const char *what);
int fine__json_want_double(const struct fine__json *object, const char *key, double min, double max, double fallback, double *out, const char *what); /* fallback NaN: required */

/* Compact text of a value, for copying members through. */
struct fine__buf;
int fine__json_write(const struct fine__json *value, struct fine__buf *out);
int fine__json_write_indented(const struct fine__json *value, struct fine__buf *out, int indent);

#endif
