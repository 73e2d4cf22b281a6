/*
 * pickle.c — the opcodes: one table, one small function each.
 *
 * The stack holds values of 16 bytes; tuples, lists and dicts are chains of cells, so that
 * growing one through any of its references is seen by all, as in Python. The memo is an array;
 * a pickle numbers its values in order and writes at least a byte for each, so a number beyond
 * the bytes read so far is no pickler's.
 * Reference: CPython's Lib/pickletools.py, where every opcode is described.
 */
#include <string.h>

#include "base/alloc.h"
#include "io/pickle.h"

enum { MAX_BYTES = 100 * 1000 * 1000, LINE = 256, PIECE = 1 << 16 };

#define AGAIN "save it again with safetensors"

static int
malformed(const struct fine__pickle *p, const char *fault)
{
    return fine__fail(FINE_EFORMAT,
                      "%s: damaged pickle, at byte %lld: %s: download or save it again", p->what,
                      (long long)p->n_read, fault);
}

static int
take(struct fine__pickle *p, size_t n, const unsigned char **out)
{
    if (n > (size_t)(MAX_BYTES - p->n_read))
        return fine__fail(FINE_EUNSUPPORTED,
                          "%s: the pickle has more than 100 MB beside the tensors; " AGAIN,
                          p->what);
    FINE__TRY(fine__feed_take(p->feed, p->ctx, n, out));
    p->n_read += (int64_t)n;
    return 0;
}

static int
take_number(struct fine__pickle *p, int n, uint64_t *out)
{
    const unsigned char *bytes;

    FINE__TRY(take(p, (size_t)n, &bytes));
    *out = 0;
    for (int i = 0; i < n; i++)
        *out |= (uint64_t)bytes[i] << 8 * i;
    return 0;
}

/* ---- the stack ---- */

static int
push(struct fine__pickle *p, struct fine__pickle_value value)
{
    FINE__TRY(fine__pickle_grow(p, &p->stack, &p->stack_capacity, p->height, sizeof *p->stack));
    p->stack[p->height++] = value;
    return 0;
}

static int
push_kind(struct fine__pickle *p, int32_t kind, int64_t at)
{
    return push(p, (struct fine__pickle_value){ .kind = kind, .at = at });
}

static int64_t
mark(const struct fine__pickle *p)
{
    return p->n_marks > 0 ? p->marks[p->n_marks - 1] : 0;
}

static int
need(const struct fine__pickle *p, int64_t n)
{
    return p->height - mark(p) >= n ? 0 : malformed(p, "an opcode finds no value on the stack");
}

static int
pop(struct fine__pickle *p, struct fine__pickle_value *out)
{
    FINE__TRY(need(p, 1));
    *out = p->stack[--p->height];
    return 0;
}

/* The last mark goes; values from *from on are what stands behind it. */
static int
pop_to_mark(struct fine__pickle *p, int64_t *from)
{
    if (p->n_marks == 0)
        return malformed(p, "an opcode finds no mark on the stack");
    *from = p->marks[--p->n_marks];
    return 0;
}

/* ---- values ---- */

/* Values from `from` on leave the stack for an object of that kind. */
static int
gather(struct fine__pickle *p, int32_t kind, int64_t from)
{
    const struct fine__pickle_value none = { 0 };
    struct fine__pickle_value object;

    FINE__TRY(fine__pickle_new_object(p, kind, &object));
    if (kind == FINE__PICKLE_DICT && (p->height - from) % 2 != 0)
        return malformed(p, "a dictionary has a key without a value");
    for (int64_t i = from; i < p->height; i++) {
        if (kind == FINE__PICKLE_DICT)
            FINE__TRY(fine__pickle_append(p, object, p->stack[i], p->stack[i + 1]));
        else
            FINE__TRY(fine__pickle_append(p, object, none, p->stack[i]));
        i += kind == FINE__PICKLE_DICT;
    }
    p->height = from;
    return push(p, object);
}

static int
push_constant(struct fine__pickle *p, int argument)
{
    return push_kind(p, argument, 0);
}

static int
push_bool(struct fine__pickle *p, int argument)
{
    return push_kind(p, FINE__PICKLE_BOOL, argument);
}

static int
push_int(struct fine__pickle *p, int bytes)
{
    uint64_t value;

    FINE__TRY(take_number(p, bytes, &value));
    return push_kind(p, FINE__PICKLE_INT,
                     bytes == 4 && value > INT32_MAX ? (int64_t)value - (INT64_C(1) << 32)
                                                     : (int64_t)value);
}

static int
keep_text(struct fine__pickle *p, int32_t kind, const unsigned char *bytes, size_t n)
{
    const struct fine__pickle_value value = { kind, (uint32_t)n, (int64_t)p->texts.length };

    fine__buf_append(&p->texts, bytes, n);
    fine__buf_byte(&p->texts, '\0');
    FINE__TRY(fine__buf_status(&p->texts));
    return push(p, value);
}

/* Two's complement, little-endian, as short as it can be. */
static int
push_long(struct fine__pickle *p, int width)
{
    const unsigned char *bytes;
    uint64_t n, value = 0;

    FINE__TRY(take_number(p, width, &n));
    if (n > MAX_BYTES)
        return malformed(p, "a whole number of more than 100 MB");
    FINE__TRY(take(p, (size_t)n, &bytes));
    if (n > 8)
        return keep_text(p, FINE__PICKLE_LONG, bytes, (size_t)n);
    for (uint64_t i = 0; i < n; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    if (n > 0 && n < 8 && bytes[n - 1] & 0x80)
        value |= UINT64_MAX << 8 * n;
    return push_kind(p, FINE__PICKLE_INT,
                     value <= INT64_MAX ? (int64_t)value : -(int64_t)~value - 1);
}

static int
push_text(struct fine__pickle *p, int width)
{
    const unsigned char *bytes;
    uint64_t n;

    FINE__TRY(take_number(p, width, &n));
    if (n > MAX_BYTES)
        return malformed(p, "a text of more than 100 MB");
    FINE__TRY(take(p, (size_t)n, &bytes));
    return keep_text(p, FINE__PICKLE_TEXT, bytes, (size_t)n);
}

static int
pass_over(struct fine__pickle *p, uint64_t n)
{
    const unsigned char *bytes;

    while (n > 0) {
        const size_t piece = n < PIECE ? (size_t)n : PIECE;

        FINE__TRY(take(p, piece, &bytes));
        n -= piece;
    }
    return push_kind(p, FINE__PICKLE_OPAQUE, 0);
}

static int
push_bytes(struct fine__pickle *p, int width)
{
    uint64_t n;

    FINE__TRY(take_number(p, width, &n));
    return pass_over(p, n);
}

static int
push_real(struct fine__pickle *p, int bytes)
{
    return pass_over(p, (uint64_t)bytes);
}

static int
push_empty(struct fine__pickle *p, int kind)
{
    return gather(p, kind, p->height);
}

/* ---- stack and memo ---- */

static int
set_mark(struct fine__pickle *p, int argument)
{
    (void)argument;
    FINE__TRY(fine__pickle_grow(p, &p->marks, &p->marks_capacity, p->n_marks, sizeof *p->marks));
    p->marks[p->n_marks++] = p->height;
    return 0;
}

static int
drop(struct fine__pickle *p, int argument)
{
    (void)argument;
    if (p->height > mark(p)) {
        p->height--;
        return 0;
    }
    if (p->n_marks == 0)
        return need(p, 1);
    p->n_marks--;
    return 0;
}

static int
drop_to_mark(struct fine__pickle *p, int argument)
{
    (void)argument;
    return pop_to_mark(p, &p->height);
}

static int
duplicate(struct fine__pickle *p, int argument)
{
    (void)argument;
    FINE__TRY(need(p, 1));
    return push(p, p->stack[p->height - 1]);
}

static int
put(struct fine__pickle *p, int width)
{
    const int64_t before = p->memo_capacity;
    uint64_t at = (uint64_t)p->n_memo;

    FINE__TRY(need(p, 1));
    if (width > 0)
        FINE__TRY(take_number(p, width, &at));
    if (at >= (uint64_t)p->n_read || at >= FINE__PICKLE_MAX)
        return malformed(p, "the memo's number is too high");
    if ((int64_t)at >= before) {
        FINE__TRY(
            fine__grow(p->ctx, &p->memo, &p->memo_capacity, (int64_t)at + 1, sizeof *p->memo));
        memset(p->memo + before, 0, (size_t)(p->memo_capacity - before) * sizeof *p->memo);
    }
    p->n_memo += p->memo[at].kind == FINE__PICKLE_UNSET;
    p->memo[at] = p->stack[p->height - 1];
    return 0;
}

static int
get(struct fine__pickle *p, int width)
{
    uint64_t at = 0;

    FINE__TRY(take_number(p, width, &at));
    if (at >= (uint64_t)p->memo_capacity || p->memo[at].kind == FINE__PICKLE_UNSET)
        return malformed(p, "a value is asked for that the memo doesn't have");
    return push(p, p->memo[at]);
}

/* ---- containers ---- */

static int
gather_from_mark(struct fine__pickle *p, int kind)
{
    int64_t from = 0;

    FINE__TRY(pop_to_mark(p, &from));
    if (kind != FINE__PICKLE_OPAQUE)
        return gather(p, kind, from);
    p->height = from;
    return push_kind(p, kind, 0);
}

static int
gather_tuple(struct fine__pickle *p, int count)
{
    FINE__TRY(need(p, count));
    return gather(p, FINE__PICKLE_TUPLE, p->height - count);
}

/* Values from `from` on go into the container below them. */
static int
add_all(struct fine__pickle *p, int32_t kind, int64_t from)
{
    const struct fine__pickle_value none = { 0 };
    const bool pairs = kind == FINE__PICKLE_DICT;
    struct fine__pickle_value into;

    if (from <= mark(p))
        return malformed(p, "there is nothing that elements could be added to");
    into = p->stack[from - 1];
    if (into.kind != kind && into.kind != FINE__PICKLE_OPAQUE)
        return malformed(p, "elements are added to a value that takes none");
    if (pairs && (p->height - from) % 2 != 0)
        return malformed(p, "a dictionary has a key without a value");
    for (int64_t i = from; i < p->height && into.kind != FINE__PICKLE_OPAQUE; i += pairs ? 2 : 1)
        FINE__TRY(
            fine__pickle_append(p, into, pairs ? p->stack[i] : none, p->stack[pairs ? i + 1 : i]));
    p->height = from;
    return 0;
}

static int
add_from_mark(struct fine__pickle *p, int kind)
{
    int64_t from = 0;

    FINE__TRY(pop_to_mark(p, &from));
    return add_all(p, kind, from);
}

static int
add_one(struct fine__pickle *p, int kind)
{
    const int64_t n = kind == FINE__PICKLE_DICT ? 2 : 1;

    FINE__TRY(need(p, n));
    return add_all(p, kind, p->height - n);
}

/* ---- names, and what is made by them ---- */

static int
take_line(struct fine__pickle *p, char line[LINE])
{
    const unsigned char *byte;

    for (int i = 0; i < LINE; i++) {
        FINE__TRY(take(p, 1, &byte));
        if (*byte == '\0')
            break;
        line[i] = *byte == '\n' ? '\0' : (char)*byte;
        if (line[i] == '\0')
            return 0;
    }
    return malformed(p, "a name has no end");
}

static int
push_global(struct fine__pickle *p, const char *module, const char *name)
{
    struct fine__pickle_value value;

    FINE__TRY(p->owner.global(p->owner.user, module, name, &value));
    return push(p, value);
}

static int
read_global(struct fine__pickle *p, int argument)
{
    char module[LINE], name[LINE];

    (void)argument;
    FINE__TRY(take_line(p, module));
    FINE__TRY(take_line(p, name));
    return push_global(p, module, name);
}

static int
stack_global(struct fine__pickle *p, int argument)
{
    struct fine__pickle_value module, name;

    (void)argument;
    FINE__TRY(pop(p, &name));
    FINE__TRY(pop(p, &module));
    if (name.kind != FINE__PICKLE_TEXT || module.kind != FINE__PICKLE_TEXT ||
        strlen(fine__pickle_text(p, name)) != name.length ||
        strlen(fine__pickle_text(p, module)) != module.length)
        return malformed(p, "what is asked for has no name");
    return push_global(p, fine__pickle_text(p, module), fine__pickle_text(p, name));
}

static int
reduce(struct fine__pickle *p, int argument)
{
    struct fine__pickle_value callable, arguments, out;

    (void)argument;
    FINE__TRY(pop(p, &arguments));
    FINE__TRY(pop(p, &callable));
    if (callable.kind < FINE__PICKLE_OWNERS || arguments.kind != FINE__PICKLE_TUPLE)
        return malformed(p, "something is called that is nothing to call");
    FINE__TRY(p->owner.reduce(p->owner.user, callable, arguments, &out));
    return push(p, out);
}

/* Attributes of a dictionary (a state dict's _metadata) or of what nobody looks into. */
static int
build(struct fine__pickle *p, int argument)
{
    struct fine__pickle_value state;

    (void)argument;
    FINE__TRY(pop(p, &state));
    FINE__TRY(need(p, 1));
    if (p->stack[p->height - 1].kind != FINE__PICKLE_DICT &&
        p->stack[p->height - 1].kind != FINE__PICKLE_OPAQUE)
        return malformed(p, "attributes are set of a value that has none");
    return 0;
}

static int
persistent(struct fine__pickle *p, int argument)
{
    struct fine__pickle_value id, out;

    (void)argument;
    FINE__TRY(pop(p, &id));
    FINE__TRY(p->owner.persistent(p->owner.user, id, &out));
    return push(p, out);
}

static int
protocol(struct fine__pickle *p, int argument)
{
    uint64_t version;

    (void)argument;
    FINE__TRY(take_number(p, 1, &version));
    return version <= 5 ? 0
                        : fine__fail(FINE_EUNSUPPORTED,
                                     "%s: pickle protocol %d is not known to this version; " AGAIN,
                                     p->what, (int)version);
}

static int
frame(struct fine__pickle *p, int bytes)
{
    uint64_t length;

    return take_number(p, bytes, &length);
}

/* A name without a function: Python knows it, files of weights don't need it. */
static const struct {
    const char *name;
    int (*run)(struct fine__pickle *p, int argument);
    int argument;
} opcodes[256] = {
    ['.'] = { "STOP", NULL, 0 },
    ['I'] = { "INT", NULL, 0 },
    ['L'] = { "LONG", NULL, 0 },
    ['F'] = { "FLOAT", NULL, 0 },
    ['S'] = { "STRING", NULL, 0 },
    ['V'] = { "UNICODE", NULL, 0 },
    ['p'] = { "PUT", NULL, 0 },
    ['g'] = { "GET", NULL, 0 },
    ['i'] = { "INST", NULL, 0 },
    ['o'] = { "OBJ", NULL, 0 },
    ['P'] = { "PERSID", NULL, 0 },
    [0x82] = { "EXT1", NULL, 0 },
    [0x83] = { "EXT2", NULL, 0 },
    [0x84] = { "EXT4", NULL, 0 },
    [0x92] = { "NEWOBJ_EX", NULL, 0 },
    [0x97] = { "NEXT_BUFFER", NULL, 0 },
    [0x98] = { "READONLY_BUFFER", NULL, 0 },

    ['N'] = { "NONE", push_constant, FINE__PICKLE_NONE },
    [0x88] = { "NEWTRUE", push_bool, 1 },
    [0x89] = { "NEWFALSE", push_bool, 0 },
    ['K'] = { "BININT1", push_int, 1 },
    ['M'] = { "BININT2", push_int, 2 },
    ['J'] = { "BININT", push_int, 4 },
    [0x8a] = { "LONG1", push_long, 1 },
    [0x8b] = { "LONG4", push_long, 4 },
    ['G'] = { "BINFLOAT", push_real, 8 },
    ['X'] = { "BINUNICODE", push_text, 4 },
    [0x8c] = { "SHORT_BINUNICODE", push_text, 1 },
    [0x8d] = { "BINUNICODE8", push_text, 8 },
    ['T'] = { "BINSTRING", push_text, 4 },
    ['U'] = { "SHORT_BINSTRING", push_text, 1 },
    ['B'] = { "BINBYTES", push_bytes, 4 },
    ['C'] = { "SHORT_BINBYTES", push_bytes, 1 },
    [0x8e] = { "BINBYTES8", push_bytes, 8 },
    [0x96] = { "BYTEARRAY8", push_bytes, 8 },

    [')'] = { "EMPTY_TUPLE", push_empty, FINE__PICKLE_TUPLE },
    [']'] = { "EMPTY_LIST", push_empty, FINE__PICKLE_LIST },
    ['}'] = { "EMPTY_DICT", push_empty, FINE__PICKLE_DICT },
    [0x8f] = { "EMPTY_SET", push_constant, FINE__PICKLE_OPAQUE },
    ['t'] = { "TUPLE", gather_from_mark, FINE__PICKLE_TUPLE },
    ['l'] = { "LIST", gather_from_mark, FINE__PICKLE_LIST },
    ['d'] = { "DICT", gather_from_mark, FINE__PICKLE_DICT },
    [0x91] = { "FROZENSET", gather_from_mark, FINE__PICKLE_OPAQUE },
    [0x85] = { "TUPLE1", gather_tuple, 1 },
    [0x86] = { "TUPLE2", gather_tuple, 2 },
    [0x87] = { "TUPLE3", gather_tuple, 3 },
    ['a'] = { "APPEND", add_one, FINE__PICKLE_LIST },
    ['e'] = { "APPENDS", add_from_mark, FINE__PICKLE_LIST },
    ['s'] = { "SETITEM", add_one, FINE__PICKLE_DICT },
    ['u'] = { "SETITEMS", add_from_mark, FINE__PICKLE_DICT },
    [0x90] = { "ADDITEMS", add_from_mark, FINE__PICKLE_OPAQUE },

    ['('] = { "MARK", set_mark, 0 },
    ['0'] = { "POP", drop, 0 },
    ['1'] = { "POP_MARK", drop_to_mark, 0 },
    ['2'] = { "DUP", duplicate, 0 },
    ['q'] = { "BINPUT", put, 1 },
    ['r'] = { "LONG_BINPUT", put, 4 },
    [0x94] = { "MEMOIZE", put, 0 },
    ['h'] = { "BINGET", get, 1 },
    ['j'] = { "LONG_BINGET", get, 4 },

    ['c'] = { "GLOBAL", read_global, 0 },
    [0x93] = { "STACK_GLOBAL", stack_global, 0 },
    ['R'] = { "REDUCE", reduce, 0 },
    [0x81] = { "NEWOBJ", reduce, 0 },
    ['b'] = { "BUILD", build, 0 },
    ['Q'] = { "BINPERSID", persistent, 0 },
    [0x80] = { "PROTO", protocol, 1 },
    [0x95] = { "FRAME", frame, 8 },
};

int
fine__pickle_run(struct fine__pickle *p, struct fine__feed *feed, struct fine__pickle_value *out)
{
    const unsigned char *byte;

    p->feed = feed;
    p->n_read = p->height = p->n_marks = p->n_memo = 0;
    if (p->memo != NULL)
        memset(p->memo, 0, (size_t)p->memo_capacity * sizeof *p->memo);
    for (;;) {
        FINE__TRY(take(p, 1, &byte));
        const unsigned char opcode = *byte;

        if (opcode == '.')
            return pop(p, out);
        if (opcodes[opcode].name == NULL)
            return fine__fail(FINE_EFORMAT,
                              "%s: byte %lld of the pickle, 0x%02x, is no opcode: it is damaged, "
                              "or no pickle; nothing was run",
                              p->what, (long long)p->n_read - 1, (unsigned)opcode);
        if (opcodes[opcode].run == NULL)
            return fine__fail(FINE_EUNSUPPORTED,
                              "%s: the pickle uses the opcode %s, which no file of weights needs; "
                              "nothing was run; " AGAIN,
                              p->what, opcodes[opcode].name);
        FINE__TRY(opcodes[opcode].run(p, opcodes[opcode].argument));
    }
}
