/* The pickle machine: what it builds, what it refuses by name, and what it never grows to. */
#include "io/pickle.h"
#include "weight_files.h"

enum { THING = FINE__PICKLE_OWNERS };

struct owner {
    struct fine__pickle *p;
    int n_calls;
};

static int
on_global(void *user, const char *module, const char *name, struct fine__pickle_value *out)
{
    (void)user;
    if (strcmp(module, "good") != 0)
        return fine__fail(FINE_EUNSUPPORTED, "it asks for %s.%s", module, name);
    *out = (struct fine__pickle_value){ .kind = THING, .at = (int64_t)strlen(name) };
    return 0;
}

static int
on_call(void *user, struct fine__pickle_value callable, struct fine__pickle_value arguments,
        struct fine__pickle_value *out)
{
    struct owner *owner = user;

    owner->n_calls++;
    *out = (struct fine__pickle_value){
        .kind = FINE__PICKLE_INT, .at = 100 * callable.at + fine__pickle_count(owner->p, arguments)
    };
    return 0;
}

static int
on_persistent(void *user, struct fine__pickle_value id, struct fine__pickle_value *out)
{
    (void)user;
    *out = id;
    return 0;
}

struct run {
    struct fine__pickle p;
    struct owner owner;
    struct fine__feed feed;
    struct fine__pickle_value value;
    int rc;
};

static void
run_bytes(struct run *r, fine_context *ctx, const void *bytes, size_t length)
{
    struct fine__blob blob = { .file = { .fd = -1 },
                               .bytes = bytes,
                               .size = (int64_t)length,
                               .name = (char *)"m.bin",
                               .ctx = ctx };
    const struct fine__pickle_owner owner = { on_global, on_call, on_persistent, &r->owner };

    r->owner = (struct owner){ &r->p, 0 };
    fine__pickle_init(&r->p, ctx, "m.bin", &owner);
    fine__feed_init(&r->feed, &blob, 0, blob.size);
    r->rc = fine__pickle_run(&r->p, &r->feed, &r->value);
    fine__feed_free(&r->feed, ctx);
}

#define RUN(text) run_bytes(&r, ctx, text, sizeof text - 1)
#define DONE() fine__pickle_free(&r.p)

START_TEST(reads_numbers_and_texts)
{
    static const struct {
        const char *bytes;
        size_t length;
        int64_t value;
    } whole[] = {
#define WHOLE(text, value) { text, sizeof text - 1, value }
        WHOLE("K\xff.", 255),
        WHOLE("M\x01\x02.", 513),
        WHOLE("J\xff\xff\xff\x7f.", INT32_MAX),
        WHOLE("J\x00\x00\x00\x80.", INT32_MIN),
        WHOLE("J\xff\xff\xff\xff.", -1),
        WHOLE("\x8a\x00.", 0),
        WHOLE("\x8a\x01\xff.", -1),
        WHOLE("\x8a\x02\xff\x00.", 255),
        WHOLE("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", INT64_MIN),
        WHOLE("\x8b\x03\x00\x00\x00\x00\x00\x80.", -8388608),
    };
    fine_context *ctx = new_context(1);
    struct run r;

    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        run_bytes(&r, ctx, whole[i].bytes, whole[i].length);
        ck_assert_int_eq(r.rc, 0);
        ck_assert_int_eq(r.value.kind, FINE__PICKLE_INT);
        ck_assert_int_eq(r.value.at, whole[i].value);
        DONE();
    }
    RUN("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_LONG && r.value.length == 10);
    ck_assert_int_eq((unsigned char)r.p.texts.data[r.value.at], 0x6c);
    DONE();
    RUN("X\x03\0\0\0a\0b.");
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_TEXT && r.value.length == 3);
    ck_assert_mem_eq(fine__pickle_text(&r.p, r.value), "a\0b", 4);
    ck_assert(!fine__pickle_is_text(&r.p, r.value, "a"));
    DONE();
    RUN("\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x02hi\x94.");
    ck_assert(r.rc == 0 && fine__pickle_is_text(&r.p, r.value, "hi"));
    DONE();
    RUN("U\x02hi.");
    ck_assert(r.rc == 0 && fine__pickle_is_text(&r.p, r.value, "hi"));
    DONE();
    RUN("G\x3f\xf0\0\0\0\0\0\0.");
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_OPAQUE);
    DONE();
    free_context(ctx);
}
END_TEST

START_TEST(builds_containers)
{
    fine_context *ctx = new_context(1);
    struct fine__pickle_value part[3];
    struct run r;

    RUN("(K\1K\2K\3t.");
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_TUPLE);
    ck_assert(fine__pickle_elements(&r.p, r.value, 3, part) && part[2].at == 3);
    ck_assert(!fine__pickle_elements(&r.p, r.value, 4, part));
    DONE();
    RUN("]q\0(K\1K\2e2K\7a0h\0."); /* one list by three ways */
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_LIST);
    ck_assert(fine__pickle_elements(&r.p, r.value, 3, part) && part[2].at == 7);
    DONE();
    RUN("}(U\1aK\1U\1bK\2u(U\1aK\3U\1cK\4dU\1aK\5s0."); /* the second is dropped */
    ck_assert(r.rc == 0 && fine__pickle_get(&r.p, r.value, "b", part) && part[0].at == 2);
    ck_assert(!fine__pickle_get(&r.p, r.value, "c", part));
    DONE();
    RUN("}U\1aK\1sU\1aK\2s."); /* the last one counts */
    ck_assert(r.rc == 0 && fine__pickle_get(&r.p, r.value, "a", part) && part[0].at == 2);
    DONE();
    RUN("]2a."); /* a list that holds itself */
    ck_assert(r.rc == 0 && fine__pickle_count(&r.p, r.value) == 1);
    DONE();
    RUN("(1(0}(]NNu}b."); /* marks go, attributes are passed over */
    ck_assert(r.rc == FINE_EFORMAT && was_found("a key without a value"));
    DONE();
    RUN("(1(0}(]Nu}b.");
    ck_assert(r.rc == 0 && fine__pickle_count(&r.p, r.value) == 1);
    DONE();
    RUN("\x8f(K\1K\2\x90."); /* a set */
    ck_assert(r.rc == 0 && r.value.kind == FINE__PICKLE_OPAQUE);
    DONE();
    free_context(ctx);
}
END_TEST

START_TEST(asks_its_owner)
{
    fine_context *ctx = new_context(1);
    struct run r;

    RUN("cgood\nabc\n(K\1K\2tR.");
    ck_assert(r.rc == 0 && r.value.at == 302 && r.owner.n_calls == 1);
    DONE();
    RUN("\x8c\x04good\x8c\x02hi\x93)\x81.");
    ck_assert(r.rc == 0 && r.value.at == 200);
    DONE();
    RUN("K\7Q.");
    ck_assert(r.rc == 0 && r.value.at == 7);
    DONE();
    RUN("cos\nsystem\n(U\4truetR.");
    ck_assert(r.rc == FINE_EUNSUPPORTED && was_found("os.system") && r.owner.n_calls == 0);
    DONE();
    RUN("U\2osU\6system\x93.");
    ck_assert(r.rc == FINE_EUNSUPPORTED && was_found("os.system"));
    DONE();
    free_context(ctx);
}
END_TEST

/* Python knows these; no file of weights needs them. */
START_TEST(refuses_opcodes_by_name)
{
    static const struct {
        char opcode;
        const char *name;
    } refused[] = {
        { 'I', "INT" },
        { 'L', "LONG" },
        { 'F', "FLOAT" },
        { 'S', "STRING" },
        { 'V', "UNICODE" },
        { 'p', "PUT" },
        { 'g', "GET" },
        { 'i', "INST" },
        { 'o', "OBJ" },
        { 'P', "PERSID" },
        { '\x82', "EXT1" },
        { '\x83', "EXT2" },
        { '\x84', "EXT4" },
        { '\x92', "NEWOBJ_EX" },
        { '\x97', "NEXT_BUFFER" },
        { '\x98', "READONLY_BUFFER" },
    };
    fine_context *ctx = new_context(1);
    char finding[60];
    struct run r;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const char bytes[] = { 'N', refused[i].opcode, '.' };

        run_bytes(&r, ctx, bytes, 3);
        ck_assert_int_eq(r.rc, FINE_EUNSUPPORTED);
        snprintf(finding, sizeof finding, "the opcode %s, which", refused[i].name);
        ck_assert(was_found(finding) && was_found("nothing was run"));
        DONE();
    }
    RUN("N\xfe.");
    ck_assert(r.rc == FINE_EFORMAT && was_found("byte 1 of the pickle, 0xfe, is no opcode"));
    DONE();
    RUN("\x80\x06N.");
    ck_assert(r.rc == FINE_EUNSUPPORTED && was_found("protocol 6"));
    DONE();
    free_context(ctx);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    const char *finding;
} malformed[] = {
#define BAD(text, finding) \
    { \
        text, sizeof text - 1, finding \
    }
    BAD("", "truncated"),
    BAD("N", "truncated"),
    BAD("M\1", "truncated"),
    BAD("X\x05\0\0\0abc", "truncated"),
    BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "a text of more than 100 MB"),
    BAD("\x8b\xff\xff\xff\xff.", "a whole number of more than 100 MB"),
    BAD(".", "no value on the stack"),
    BAD("0.", "no value on the stack"),
    BAD("2.", "no value on the stack"),
    BAD("t.", "no mark"),
    BAD("1.", "no mark"),
    BAD("K\1\x86.", "no value on the stack"),
    BAD("K\1(\x85.", "no value on the stack"), /* not below the mark */
    BAD("K\1(.", "no value on the stack"),
    BAD("(K\1a.", "nothing that elements could be added to"),
    BAD("K\1K\2a.", "a value that takes none"),
    BAD("}K\1a.", "a value that takes none"),
    BAD("]K\1K\2s.", "a value that takes none"),
    BAD("}(K\1u.", "a key without a value"),
    BAD("(K\1d.", "a key without a value"),
    BAD("(K\1e.", "nothing that elements could be added to"),
    BAD("q\0.", "no value on the stack"),
    BAD("Nq\xff.", "the memo's number is too high"),
    BAD("Nr\xff\xff\xff\xff.", "the memo's number is too high"),
    BAD("h\0.", "that the memo doesn't have"),
    BAD("Nq\1h\0.", "that the memo doesn't have"),
    BAD("j\xff\xff\xff\xff.", "that the memo doesn't have"),
    BAD("NN\x93.", "has no name"),
    BAD("U\3a\0bU\1x\x93.", "has no name"),
    BAD("cgood\nx", "truncated"),
    BAD("cgo\0od\nx\n.", "a name has no end"),
    BAD("K\1)R.", "nothing to call"),
    BAD("cgood\nx\nK\1R.", "nothing to call"),
    BAD("K\1}b.", "attributes are set"),
};

START_TEST(refuses_what_is_malformed)
{
    fine_context *ctx = new_context(1);
    struct run r;

    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        run_bytes(&r, ctx, malformed[i].bytes, malformed[i].length);
        ck_assert_msg(r.rc == FINE_EFORMAT && was_found(malformed[i].finding), "%zu: %d %s", i,
                      r.rc, fine_error_message());
        DONE();
    }
    free_context(ctx);
}
END_TEST

/* A line without an end, as long as a file may be. */
START_TEST(names_are_short)
{
    fine_context *ctx = new_context(1);
    char bytes[1000];
    struct run r;

    memset(bytes, 'c', sizeof bytes);
    run_bytes(&r, ctx, bytes, sizeof bytes);
    ck_assert(r.rc == FINE_EFORMAT && was_found("a name has no end"));
    DONE();
    free_context(ctx);
}
END_TEST

/* What is made is bounded by what is read: 60 doublings are 60 pairs. */
START_TEST(bombs_stay_small)
{
    fine_context *ctx = new_context(1);
    char bytes[200] = "]";
    size_t n = 1;
    struct run r;

    for (int i = 0; i < 60; i++) {
        bytes[n++] = '2';
        bytes[n++] = '\x86';
    }
    bytes[n++] = '.';
    run_bytes(&r, ctx, bytes, n);
    ck_assert_int_eq(r.rc, 0);
    ck_assert_int_eq(r.p.n_cells, 120);
    DONE();
    ck_assert_int_lt(fine_context_peak_bytes(ctx), 200000);
    free_context(ctx);
}
END_TEST

/* A text longer than the window, and a second pickle behind the first. */
START_TEST(reads_on_through_the_window)
{
    enum { N = 200000 };
    fine_context *ctx = new_context(1);
    char *bytes = malloc(N + 20);
    struct fine__blob blob = { .file = { .fd = -1 },
                               .bytes = (unsigned char *)bytes,
                               .size = N + 6 + 3,
                               .name = (char *)"m.bin",
                               .ctx = ctx };
    const struct fine__pickle_owner owner = { on_global, on_call, on_persistent, NULL };
    struct fine__pickle_value text, value;
    struct fine__pickle p;
    struct fine__feed feed;

    memcpy(bytes, "X\x40\x0d\x03\0", 5);
    for (int i = 0; i < N; i++)
        bytes[5 + i] = (char)('a' + i % 23);
    memcpy(bytes + 5 + N, ".K\5.", 4);
    fine__pickle_init(&p, ctx, "m.bin", &owner);
    fine__feed_init(&feed, &blob, 0, blob.size);
    ck_assert_int_eq(fine__pickle_run(&p, &feed, &text), 0);
    ck_assert_int_eq(fine__feed_place(&feed), N + 6);
    ck_assert_int_eq(fine__pickle_run(&p, &feed, &value), 0);
    ck_assert_int_eq(fine__feed_place(&feed), N + 9);
    ck_assert_int_eq(value.at, 5);
    ck_assert_uint_eq(text.length, N);
    ck_assert_mem_eq(fine__pickle_text(&p, text), bytes + 5, N);
    fine__feed_free(&feed, ctx);
    fine__pickle_free(&p);
    free(bytes);
    free_context(ctx);
}
END_TEST

RUNNER("pickle", reads_numbers_and_texts, builds_containers, asks_its_owner,
       refuses_opcodes_by_name, refuses_what_is_malformed, names_are_short, bombs_stay_small,
       reads_on_through_the_window)
