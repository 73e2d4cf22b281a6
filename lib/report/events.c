/*
 * events.c — curves for TensorBoard.
 *
 * An event file is a row of records: length (8 bytes, little-endian), masked CRC-32C of
 * those, payload, masked CRC-32C of it (TensorFlow, tensorflow/core/lib/io/record_writer.h).
 * The payload is the protocol-buffer message Event (tensorflow/core/util/event.proto), of
 * which these fields are needed:
 *     Event   { double wall_time = 1; int64 step = 2; string file_version = 3;
 *               Summary summary = 5; SessionLog session_log = 7; }
 *     Summary { repeated Value value = 1; }
 *     Value   { string tag = 1; float simple_value = 2; }
 *     SessionLog { enum { START = 1; } status = 1; }
 * A START at some step makes readers forget what earlier files say of that step and
 * later ones, which is what a run resumed from a checkpoint means.
 * Bytes are written once and in whole records.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "report/page.h"

#define FLUSH_BYTES 65536
#define PENDING_MAX (1 << 20)
#define TAG_MAX 128

struct fine__events {
    fine_context *ctx;
    char *path;
    struct fine__buf pending;
    bool started;
};

/* ---- records ---- */

/* Castagnoli's polynomial, bit by bit: records are short. */
static uint32_t
crc32c(const unsigned char *bytes, size_t length)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0x82f63b78 & (0 - (crc & 1)));
    }
    return ~crc;
}

static void
put_little(struct fine__buf *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        fine__buf_byte(out, (char)(value >> (8 * i) & 0xff));
}

/* A checksum of data that holds checksums is weak, so it is rotated and shifted. */
static void
put_masked_crc(struct fine__buf *out, const void *bytes, size_t length)
{
    const uint32_t crc = crc32c(bytes, length);

    put_little(out, (uint32_t)(((crc >> 15) | (crc << 17)) + 0xa282ead8), 4);
}

static void
put_record(struct fine__buf *out, const struct fine__buf *payload)
{
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)payload->length >> (8 * i) & 0xff);
    fine__buf_append(out, length, sizeof length);
    put_masked_crc(out, length, sizeof length);
    fine__buf_append(out, payload->data, payload->length);
    put_masked_crc(out, payload->data, payload->length);
}

/* ---- messages ---- */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void
put_varint(struct fine__buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        fine__buf_byte(out, (char)((value & 0x7f) | 0x80));
    fine__buf_byte(out, (char)value);
}

static void
put_key(struct fine__buf *out, unsigned field, enum wire wire)
{
    put_varint(out, field << 3 | (unsigned)wire);
}

static void
put_double(struct fine__buf *out, unsigned field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_key(out, field, FIXED64);
    put_little(out, bits, 8);
}

static void
put_bytes(struct fine__buf *out, unsigned field, const char *bytes, size_t length)
{
    put_key(out, field, BYTES);
    put_varint(out, length);
    fine__buf_append(out, bytes, length);
}

/* Appends a record around what `payload` holds, or nothing at all. */
static int
keep_record(struct fine__events *events, struct fine__buf *payload)
{
    const size_t before = events->pending.length;
    int rc = fine__buf_status(payload);

    if (rc == 0) {
        put_record(&events->pending, payload);
        rc = fine__buf_status(&events->pending);
    }
    fine__buf_free(payload);
    if (rc < 0 && events->pending.failed) {
        events->pending.failed = false;
        events->pending.length = before;
    }
    return rc;
}

static int
put_version(struct fine__events *events, double now)
{
    static const char version[] = "brain.Event:2";
    struct fine__buf event;

    fine__buf_init(&event, events->ctx);
    put_double(&event, 1, now);
    put_bytes(&event, 3, version, sizeof version - 1);
    return keep_record(events, &event);
}

static int
put_start(struct fine__events *events, int64_t step, double time)
{
    struct fine__buf event;

    fine__buf_init(&event, events->ctx);
    put_double(&event, 1, time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 7, "\x08\x01", 2);
    return keep_record(events, &event);
}

int
fine__events_scalar(struct fine__events *events, int64_t step, double time, const char *tag,
                    double value)
{
    const float simple = (float)value;
    struct fine__buf event, inner, summary;
    uint32_t bits;

    if (!events->started)
        FINE__TRY(put_start(events, step, time));
    events->started = true;
    memcpy(&bits, &simple, sizeof bits);
    fine__buf_init(&event, events->ctx);
    fine__buf_init(&inner, events->ctx);
    fine__buf_init(&summary, events->ctx);
    put_bytes(&inner, 1, tag, strlen(tag));
    put_key(&inner, 2, FIXED32);
    put_little(&inner, bits, 4);
    put_bytes(&summary, 1, fine__buf_cstr(&inner), inner.length);
    put_double(&event, 1, time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, fine__buf_cstr(&summary), summary.length);
    if (fine__buf_status(&inner) < 0 || fine__buf_status(&summary) < 0)
        event.failed = true;
    fine__buf_free(&inner);
    fine__buf_free(&summary);
    return keep_record(events, &event);
}

/* ---- the file ---- */

static double
now(void)
{
    struct timespec t;

    return clock_gettime(CLOCK_REALTIME, &t) == 0 ? (double)t.tv_sec + (double)t.tv_nsec * 1e-9
                                                  : 0;
}

/* A name that is not there yet; TensorBoard reads the files of a folder in the order of
 * their names. */
static int
choose_path(struct fine__events *events, const char *folder, int64_t seconds)
{
    char name[64];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, i > 0 ? "events.out.tfevents.%010lld.finetune.%03d"
                                          : "events.out.tfevents.%010lld.finetune",
                 (long long)seconds, i);
        events->path = fine__path_join(events->ctx, folder, name);
        if (events->path == NULL)
            return FINE_ENOMEM;
        if (!fine__file_exists(events->ctx, events->path))
            return 0;
        fine__free(events->ctx, events->path);
        events->path = NULL;
    }
    return fine__fail(FINE_EIO, "%s: a thousand event files of one second are there already",
                      folder);
}

static void
release(struct fine__events *events)
{
    fine_context *ctx = events->ctx;

    fine__buf_free(&events->pending);
    fine__free(ctx, events->path);
    fine__free(ctx, events);
    fine__context_unref(ctx);
}

int
fine__events_open(struct fine__events **out, fine_context *ctx, const char *folder)
{
    const double start = now();
    struct fine__events *events = fine__alloc(ctx, sizeof *events);
    int rc;

    if (events == NULL)
        return FINE_ENOMEM;
    *events = (struct fine__events){ .ctx = fine__context_ref(ctx) };
    fine__buf_init(&events->pending, ctx);
    if ((rc = choose_path(events, folder, (int64_t)start)) < 0
        || (rc = put_version(events, start)) < 0 || (rc = fine__events_flush(events)) < 0) {
        release(events);
        return rc;
    }
    *out = events;
    return 0;
}

int
fine__events_flush(struct fine__events *events)
{
    int rc = 0;

    if (events->pending.length > 0)
        rc = fine__file_append(events->ctx, events->path, events->pending.data,
                               events->pending.length);
    /* A disk that stays full must not fill memory too. */
    if (rc == 0 || events->pending.length >= PENDING_MAX)
        fine__buf_clear(&events->pending);
    return rc;
}

void
fine__events_close(struct fine__events *events)
{
    if (events == NULL)
        return;
    fine__events_flush(events);
    release(events);
}

/* ---- event lines ---- */

static int
add_number(struct fine__events *events, int64_t step, double time, const char *prefix,
           const char *name, double value)
{
    char tag[TAG_MAX];

    if (!isfinite(value) || strlen(prefix) + strlen(name) >= sizeof tag)
        return 0;
    snprintf(tag, sizeof tag, "%s%s", prefix, name);
    return fine__events_scalar(events, step, time, tag, value);
}

static int
add_step(struct fine__events *events, int64_t step, double time, const struct fine__json *event)
{
    static const char *const names[] = { "loss", "learning_rate", "gradient_norm" };

    for (int64_t i = 0; i < FINE__COUNT(names); i++)
        FINE__TRY(add_number(events, step, time, "train/", names[i],
                             fine__json_double(fine__json_get(event, names[i]), NAN)));
    return events->pending.length >= FLUSH_BYTES ? fine__events_flush(events) : 0;
}

static int
add_evaluation(struct fine__events *events, int64_t step, double time,
               const struct fine__json *event)
{
    const struct fine__json *metrics = fine__json_get(event, "metrics");

    for (void *it = fine__json_first(metrics); it != NULL; it = fine__json_next(metrics, it))
        FINE__TRY(add_number(events, step, time, "validation/", fine__json_key(it),
                             fine__json_double(fine__json_value(it), NAN)));
    return fine__events_flush(events);
}

int
fine__events_add(struct fine__events *events, const char *json_line)
{
    struct fine__json *event = NULL;
    const char *kind;
    int64_t step;
    int rc;

    rc = fine__json_parse(&event, events->ctx, json_line, strlen(json_line), "event");
    if (rc < 0)
        return rc == FINE_ENOMEM ? rc : 0;
    kind = fine__json_string(fine__json_get(event, "event"), NULL);
    step = fine__json_int(fine__json_get(event, "step"), -1);
    if (kind != NULL && strcmp(kind, "step") == 0 && step >= 0)
        rc = add_step(events, step, now(), event);
    else if (kind != NULL && strcmp(kind, "evaluate") == 0 && step >= 0)
        rc = add_evaluation(events, step, now(), event);
    else if (kind != NULL && strcmp(kind, "done") == 0)
        rc = fine__events_flush(events);
    fine__json_free(event);
    return rc;
}
