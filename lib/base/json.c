/*
 * json.c — jansson with a guard in front.
 *
 * jansson recurses and allocates as the text says, so a scan goes over it first:
 * it bounds the depth, estimates the memory, and finds integers that don't fit
 * 64 bits, which become reals ("model_max_length": 10^30 is common). Writing is
 * our own, because jansson prints 0.1 with 17 digits.
 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "base/numeric.h"

enum { MAX_DEPTH = 64, MAX_BYTES = 100000000, BYTES_A_VALUE = 160 };

static const json_t *
in(const struct fine__json *value)
{
    return (const json_t *)(const void *)value;
}

static const struct fine__json *
out_of(const json_t *value)
{
    return (const struct fine__json *)(const void *)value;
}

/* A place in a text, for messages. */
struct place {
    long long line, column;
};

static struct place
place_of(const char *text, size_t offset)
{
    struct place place = { 1, 1 };

    for (size_t i = 0; i < offset; i++) {
        place.column++;
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

/* The end of the string that starts at text[i] == '"'. */
static size_t
skip_string(const char *text, size_t length, size_t i)
{
    for (i++; i < length && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < length ? i + 1 : length;
}

static size_t
skip_digits(const char *text, size_t length, size_t i)
{
    while (i < length && text[i] >= '0' && text[i] <= '9')
        i++;
    return i;
}

/* text[start, end) are digits; what follows tells an integer from a real. */
static bool
is_large_integer(const char *text, size_t length, size_t start, size_t end)
{
    const size_t from = start > 0 && text[start - 1] == '-' ? start - 1 : start;
    int64_t value;

    if (end - start < 19 || (end < length && strchr(".eE", text[end]) != NULL))
        return false;
    return !fine__parse_int64(text + from, end - from, &value);
}

struct survey {
    size_t n_values;
    bool has_large_integer;
};

/* When copy isn't NULL, it receives the text with "e0" behind large integers. */
static int
survey(struct survey *found, struct fine__buf *copy, const char *text, size_t length,
       const char *what)
{
    int depth = 0;
    size_t copied = 0;

    *found = (struct survey){ 1, false };
    for (size_t i = 0; i < length;) {
        const char c = text[i];
        size_t end = i + 1;

        if (c == '"') {
            end = skip_string(text, length, i);
        } else if (c == '[' || c == '{') {
            found->n_values++;
            if (++depth > MAX_DEPTH) {
                const struct place at = place_of(text, i);

                return fine__fail(FINE_EFORMAT, "%s:%lld:%lld: nested deeper than %d", what,
                                  at.line, at.column, MAX_DEPTH);
            }
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            found->n_values++;
        } else if (c >= '0' && c <= '9') {
            end = skip_digits(text, length, i);
            /* Digits behind a point or an exponent are a part of a real. */
            if ((i == 0 || strchr(".eE+", text[i - 1]) == NULL
                 || text[i - 1] == '\0')
                && !(i > 1 && text[i - 1] == '-' && strchr("eE", text[i - 2]) != NULL
                     && text[i - 2] != '\0')
                && is_large_integer(text, length, i, end)) {
                found->has_large_integer = true;
                if (copy != NULL) {
                    fine__buf_append(copy, text + copied, end - copied);
                    fine__buf_text(copy, "e0");
                    copied = end;
                }
            }
        }
        i = end;
    }
    if (copy != NULL)
        fine__buf_append(copy, text + copied, length - copied);
    return 0;
}

/* jansson's memory isn't in the account, but it keeps to what is left of the limit. */
static int
check_budget(const fine_context *ctx, size_t n_values, size_t length, const char *what)
{
    const int64_t limit = ctx->options.memory_limit;
    const int64_t need = (int64_t)(n_values * BYTES_A_VALUE + length);

    if (limit > 0 && need > limit - (int64_t)atomic_load(&ctx->used_bytes))
        return fine__fail(FINE_ENOMEM,
                          "%s: reading it may take %lld bytes, more than memory_limit (%lld) leaves; "
                          "raise the limit", what, (long long)need, (long long)limit);
    return 0;
}

int
fine__json_parse(struct fine__json **out, fine_context *ctx, const char *text, size_t length,
                 const char *what)
{
    struct fine__numeric saved;
    struct fine__buf copy;
    struct survey found;
    json_error_t error;
    json_t *root;
    size_t i = 0;

    while (i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
        i++;
    if (i == length)
        return fine__fail(FINE_EFORMAT, "%s: is empty, but must hold JSON", what);
    if (length > MAX_BYTES)
        return fine__fail(FINE_EFORMAT, "%s: %zu bytes of JSON exceed the limit of %d", what,
                          length, MAX_BYTES);
    FINE__TRY(survey(&found, NULL, text, length, what));
    FINE__TRY(check_budget(ctx, found.n_values, length, what));

    fine__buf_init(&copy, ctx);
    if (found.has_large_integer) {
        survey(&found, &copy, text, length, what);
        if (fine__buf_status(&copy) < 0) {
            fine__buf_free(&copy);
            return FINE_ENOMEM;
        }
        text = copy.data;
        length = copy.length;
    }
    fine__numeric_enter(&saved);
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    fine__numeric_leave(&saved);
    fine__buf_free(&copy);
    if (root == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return fine__fail(FINE_ENOMEM, "out of memory while reading %s", what);
        return fine__fail(FINE_EFORMAT, "%s:%d:%d: not JSON: %s", what, error.line, error.column,
                          error.text);
    }
    *out = (struct fine__json *)(void *)root;
    return 0;
}

int
fine__json_read(struct fine__json **out, fine_context *ctx, const char *path, int64_t max_bytes)
{
    struct fine__buf text;
    int rc;

    fine__buf_init(&text, ctx);
    rc = fine__file_read(ctx, path, max_bytes, &text);
    if (rc == 0)
        rc = fine__json_parse(out, ctx, fine__buf_cstr(&text), text.length, path);
    fine__buf_free(&text);
    return rc;
}

void
fine__json_free(struct fine__json *root)
{
    json_decref((json_t *)(void *)root);
}

enum fine__json_type
fine__json_type(const struct fine__json *value)
{
    if (value == NULL)
        return FINE__JSON_NULL;
    switch (json_typeof(in(value))) {
    case JSON_OBJECT:
        return FINE__JSON_OBJECT;
    case JSON_ARRAY:
        return FINE__JSON_ARRAY;
    case JSON_STRING:
        return FINE__JSON_STRING;
    case JSON_INTEGER:
        return FINE__JSON_INTEGER;
    case JSON_REAL:
        return FINE__JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return FINE__JSON_BOOL;
    default:
        return FINE__JSON_NULL;
    }
}

const struct fine__json *
fine__json_get(const struct fine__json *object, const char *key)
{
    return out_of(json_object_get(in(object), key));
}

int64_t
fine__json_count(const struct fine__json *value)
{
    if (json_is_array(in(value)))
        return (int64_t)json_array_size(in(value));
    return (int64_t)json_object_size(in(value));   /* 0 for anything else */
}

const struct fine__json *
fine__json_at(const struct fine__json *array, int64_t index)
{
    return index < 0 ? NULL : out_of(json_array_get(in(array), (size_t)index));
}

bool
fine__json_bool(const struct fine__json *value, bool fallback)
{
    return fine__json_type(value) == FINE__JSON_BOOL ? json_is_true(in(value)) : fallback;
}

int64_t
fine__json_int(const struct fine__json *value, int64_t fallback)
{
    return fine__json_type(value) == FINE__JSON_INTEGER ? json_integer_value(in(value)) : fallback;
}

double
fine__json_double(const struct fine__json *value, double fallback)
{
    const enum fine__json_type type = fine__json_type(value);

    return type == FINE__JSON_INTEGER || type == FINE__JSON_REAL ? json_number_value(in(value))
                                                                 : fallback;
}

const char *
fine__json_string(const struct fine__json *value, size_t *length)
{
    const char *text = json_string_value(in(value));

    if (length != NULL)
        *length = json_string_length(in(value));
    return text;
}

void *
fine__json_first(const struct fine__json *object)
{
    return json_object_iter((json_t *)(uintptr_t)object);
}

void *
fine__json_next(const struct fine__json *object, void *iterator)
{
    return json_object_iter_next((json_t *)(uintptr_t)object, iterator);
}

const char *
fine__json_key(void *iterator)
{
    return json_object_iter_key(iterator);
}

const struct fine__json *
fine__json_value(void *iterator)
{
    return out_of(json_object_iter_value(iterator));
}

int
fine__json_want_int(const struct fine__json *object, const char *key, int64_t min, int64_t max,
                    int64_t fallback, int64_t *out, const char *what)
{
    const struct fine__json *value = fine__json_get(object, key);

    if (value == NULL) {
        if (fallback == FINE__REQUIRED)
            return fine__also(FINE_EFORMAT, "%s: '%s' is missing", what, key);
        *out = fallback;
        return 0;
    }
    if (fine__json_type(value) != FINE__JSON_INTEGER)
        return fine__also(FINE_EFORMAT, "%s: '%s' must be an integer from %lld to %lld", what, key,
                          (long long)min, (long long)max);
    if (fine__json_int(value, 0) < min || fine__json_int(value, 0) > max)
        return fine__also(FINE_EFORMAT, "%s: '%s' must be an integer from %lld to %lld, not %lld",
                          what, key, (long long)min, (long long)max,
                          (long long)fine__json_int(value, 0));
    *out = fine__json_int(value, 0);
    return 0;
}

int
fine__json_want_double(const struct fine__json *object, const char *key, double min, double max,
                       double fallback, double *out, const char *what)
{
    const struct fine__json *value = fine__json_get(object, key);
    const double number = fine__json_double(value, NAN);
    char low[32], high[32];

    if (value == NULL) {
        if (isnan(fallback))
            return fine__also(FINE_EFORMAT, "%s: '%s' is missing", what, key);
        *out = fallback;
        return 0;
    }
    if (!(number >= min && number <= max))   /* NaN: not a number at all */
        return fine__also(FINE_EFORMAT, "%s: '%s' must be a number from %s to %s", what, key,
                          fine__format_double(low, min), fine__format_double(high, max));
    *out = number;
    return 0;
}

static void
write_scalar(const json_t *value, struct fine__buf *out)
{
    char text[32];

    switch (json_typeof(value)) {
    case JSON_STRING:
        fine__buf_json_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        fine__buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        fine__buf_text(out, fine__format_double(text, json_real_value(value)));
        if (strpbrk(text, ".e") == NULL)   /* stays a real for the next reader */
            fine__buf_text(out, ".0");
        break;
    case JSON_TRUE:
        fine__buf_text(out, "true");
        break;
    case JSON_FALSE:
        fine__buf_text(out, "false");
        break;
    default:
        fine__buf_text(out, "null");
        break;
    }
}

static void
new_line(struct fine__buf *out, int depth, int indent)
{
    if (indent <= 0)
        return;
    fine__buf_byte(out, '\n');
    for (int i = 0; i < depth * indent; i++)
        fine__buf_byte(out, ' ');
}

/* A container that is being written, and how far. */
struct level {
    json_t *value;
    void *member;    /* of an object: the next one */
    size_t index;    /* of an array: the next one; of an object: how many were written */
};

/* The next element of a level, its key written; NULL at the end. */
static json_t *
next_element(struct level *level, struct fine__buf *out, int depth, int indent)
{
    json_t *element;
    const char *key = NULL;

    if (json_is_array(level->value)) {
        element = json_array_get(level->value, level->index);
    } else {
        element = level->member != NULL ? json_object_iter_value(level->member) : NULL;
        key = level->member != NULL ? json_object_iter_key(level->member) : NULL;
    }
    if (element == NULL)
        return NULL;
    if (level->index++ > 0)
        fine__buf_byte(out, ',');
    new_line(out, depth, indent);
    if (key != NULL) {
        fine__buf_json_string(out, key, strlen(key));
        fine__buf_text(out, indent > 0 ? ": " : ":");
        level->member = json_object_iter_next(level->value, level->member);
    }
    return element;
}

int
fine__json_write_indented(const struct fine__json *value, struct fine__buf *out, int indent)
{
    struct level levels[MAX_DEPTH];
    json_t *next = (json_t *)(uintptr_t)value;
    int depth = 0;

    if (value == NULL) {
        fine__buf_text(out, "null");
        return fine__buf_status(out);
    }
    for (;;) {
        if (json_is_array(next) || json_is_object(next)) {
            levels[depth++] = (struct level){ next, json_object_iter(next), 0 };
            fine__buf_byte(out, json_is_array(next) ? '[' : '{');
        } else {
            write_scalar(next, out);
        }
        while (depth > 0
               && (next = next_element(&levels[depth - 1], out, depth, indent)) == NULL) {
            const struct level *done = &levels[--depth];

            if (done->index > 0)
                new_line(out, depth, indent);
            fine__buf_byte(out, json_is_array(done->value) ? ']' : '}');
        }
        if (depth == 0)
            return fine__buf_status(out);
    }
}

int
fine__json_write(const struct fine__json *value, struct fine__buf *out)
{
    return fine__json_write_indented(value, out, 0);
}
