/*
 * pickle.h — a machine for the part of Python's pickles that builds plain data.
 *
 * It runs nothing: what a pickle asks for by name is looked up by its owner, who knows a
 * handful of names and builds what they stand for; any other name, and any opcode that files
 * of weights don't need, is an error that names it. Every opcode costs bounded time, and every
 * value at least a byte of the pickle, so what it makes is bounded by what was read. Values
 * are small and point by index; nothing is nested in memory, nothing recurses.
 */
#ifndef FINE__PICKLE_H
#define FINE__PICKLE_H

#include "base/buf.h"
#include "base/source.h"

enum fine__pickle_kind {
    FINE__PICKLE_UNSET, /* of a memo's place */
    FINE__PICKLE_NONE,
    FINE__PICKLE_BOOL,   /* at: 0 or 1 */
    FINE__PICKLE_INT,    /* at: the value */
    FINE__PICKLE_LONG,   /* beyond 64 bits: at, length: its bytes in texts, little-endian */
    FINE__PICKLE_TEXT,   /* at, length: in texts, with a NUL behind */
    FINE__PICKLE_OPAQUE, /* a real, bytes, a set: nothing that anyone looks into */
    FINE__PICKLE_TUPLE,
    FINE__PICKLE_LIST,
    FINE__PICKLE_DICT,  /* these three: at: index in objects */
    FINE__PICKLE_OWNERS /* this and above: at is the owner's */
};

struct fine__pickle_value {
    int32_t kind;
    uint32_t length;
    int64_t at;
};

struct fine__pickle_cell {
    struct fine__pickle_value key, value; /* key: of a dict */
    int64_t next;                         /* index in cells; -1: the last */
};

struct fine__pickle_object {
    int64_t first, last, count; /* cells */
};

/* Bytes of a file in order, through a window. */
struct fine__feed {
    struct fine__blob *blob;
    int64_t at, end; /* next byte to fetch, where to stop */
    unsigned char *window;
    size_t begin, filled, capacity;
};

struct fine__pickle_owner {
    /* GLOBAL: the value for module.name, or a failure that names it. */
    int (*global)(void *user, const char *module, const char *name, struct fine__pickle_value *out);
    /* REDUCE: callable is of an owner's kind, arguments a tuple. */
    int (*reduce)(void *user, struct fine__pickle_value callable,
                  struct fine__pickle_value arguments, struct fine__pickle_value *out);
    /* BINPERSID. */
    int (*persistent)(void *user, struct fine__pickle_value id, struct fine__pickle_value *out);
    void *user;
};

struct fine__pickle {
    fine_context *ctx;
    const char *what; /* for messages: the file */
    struct fine__pickle_owner owner;
    struct fine__buf texts;
    struct fine__pickle_object *objects;
    struct fine__pickle_cell *cells;
    int64_t n_objects, objects_capacity, n_cells, cells_capacity;
    struct fine__pickle_value *stack, *memo;
    int64_t *marks; /* heights of the stack */
    int64_t height, stack_capacity, n_memo, memo_capacity, n_marks, marks_capacity;
    struct fine__feed *feed;
    int64_t n_read; /* bytes of the present pickle */
};

void fine__feed_init(struct fine__feed *feed, struct fine__blob *blob, int64_t from, int64_t end);
void fine__feed_free(struct fine__feed *feed, fine_context *ctx);
/* The next n bytes, valid until the next call; FINE_EFORMAT: there are fewer. */
int fine__feed_take(struct fine__feed *feed, fine_context *ctx, size_t n,
                    const unsigned char **out);
/* Where the next byte stands in the file. */
int64_t fine__feed_place(const struct fine__feed *feed);

void fine__pickle_init(struct fine__pickle *p, fine_context *ctx, const char *what,
                       const struct fine__pickle_owner *owner);
void fine__pickle_free(struct fine__pickle *p);
/* One pickle, to its STOP. Values of earlier ones stay. FINE_EFORMAT: malformed;
 * FINE_EUNSUPPORTED: asks for more than this machine does; FINE_ENOMEM; FINE_EIO. */
int fine__pickle_run(struct fine__pickle *p, struct fine__feed *feed,
                     struct fine__pickle_value *out);

/* ---- values ---- */

enum { FINE__PICKLE_MAX = 1 << 24 }; /* of each sort */

/* Room for one more after `count`. */
int fine__pickle_grow(struct fine__pickle *p, void *array, int64_t *capacity, int64_t count,
                      size_t size);
const char *fine__pickle_text(const struct fine__pickle *p, struct fine__pickle_value text);
bool fine__pickle_is_text(const struct fine__pickle *p, struct fine__pickle_value value,
                          const char *text);
int64_t fine__pickle_count(const struct fine__pickle *p, struct fine__pickle_value object);
/* The first count elements; false: it has fewer, or isn't of that kind. */
bool fine__pickle_elements(const struct fine__pickle *p, struct fine__pickle_value object,
                           int64_t count, struct fine__pickle_value *out);
/* The last value set for a text; false: none, or not a dict. */
bool fine__pickle_get(const struct fine__pickle *p, struct fine__pickle_value dict, const char *key,
                      struct fine__pickle_value *out);
int fine__pickle_new_object(struct fine__pickle *p, int32_t kind, struct fine__pickle_value *out);
int fine__pickle_append(struct fine__pickle *p, struct fine__pickle_value object,
                        struct fine__pickle_value key, struct fine__pickle_value value);

#endif
