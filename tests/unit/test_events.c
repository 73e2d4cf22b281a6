/*
 * test_events.c — event files, read back by a reader of its own; TensorBoard's reader
 * takes them too, which is tried by hand (docs/report.md).
 */
#include "runner.h"


#include "report/report.h"

/* CRC-32C by the polynomial division itself, and its mask. */
static uint32_t
masked_crc(const unsigned char *bytes, size_t n)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < 8 * n; i++) {
        const uint32_t bit = (crc ^ (uint32_t)(bytes[i / 8] >> i % 8)) & 1;

        crc = crc >> 1 ^ (bit ? UINT32_C(0x82f63b78) : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static uint64_t
little(const unsigned char *bytes, int n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

struct scalar {
    double time;
    int64_t step;
    char tag[64], version[64];
    float value;
    bool start;
};

static uint64_t
varint(const unsigned char **at)
{
    uint64_t value = 0;
    int shift = 0;

    for (; **at & 0x80; (*at)++, shift += 7)
        value |= (uint64_t)(**at & 0x7f) << shift;
    return value | (uint64_t)*(*at)++ << shift;
}

/* Reads fields of Event, Summary and Value alike: numbers don't meet twice. */
static void
read_message(const unsigned char *at, const unsigned char *end, int level, struct scalar *out)
{
    while (at < end) {
        const uint64_t key = varint(&at);
        uint64_t length;

        switch (key & 7) {
        case 0:
            length = varint(&at);
            if (level == 0)
                out->step = (int64_t)length;
            break;
        case 1:
            length = little(at, 8);
            memcpy(&out->time, &length, 8);
            at += 8;
            break;
        case 5: {
            const uint32_t bits = (uint32_t)little(at, 4);

            memcpy(&out->value, &bits, 4);
            at += 4;
            break;
        }
        default:
            ck_assert_uint_eq(key & 7, 2);
            length = varint(&at);
            ck_assert_uint_le(length, (uint64_t)(end - at));
            if (level == 2)
                memcpy(out->tag, at, length);
            else if (level == 0 && key >> 3 == 3)
                memcpy(out->version, at, length);
            else if (level == 0 && key >> 3 == 7)
                out->start = length == 2 && at[0] == 8 && at[1] == 1;
            else
                read_message(at, at + length, level + 1, out);
            at += length;
        }
    }
    ck_assert_ptr_eq(at, end);
}

static int
read_file(fine_context *ctx, const char *folder, const char *name, struct scalar *out, int max)
{
    char *path = fine__path_join(ctx, folder, name);
    struct fine__buf bytes;
    const unsigned char *at, *end;
    int n = 0;

    fine__buf_init(&bytes, ctx);
    ck_assert_int_eq(fine__file_read(ctx, path, 1 << 20, &bytes), 0);
    at = (const unsigned char *)bytes.data;
    for (end = at + bytes.length; at < end; n++) {
        const uint64_t length = little(at, 8);

        ck_assert_uint_eq(little(at + 8, 4), masked_crc(at, 8));
        ck_assert_uint_le(length, (uint64_t)(end - at) - 16);
        ck_assert_uint_eq(little(at + 12 + length, 4), masked_crc(at + 12, length));
        ck_assert_int_lt(n, max);
        memset(&out[n], 0, sizeof out[n]);
        read_message(at + 12, at + 12 + length, 0, &out[n]);
        at += 16 + length;
    }
    fine__free(ctx, path);
    fine__buf_free(&bytes);
    return n;
}

START_TEST(known_checksum)
{
    /* RFC 3720, B.4: 32 bytes of zeros have CRC-32C 8a9136aa. */
    static const unsigned char zeros[32];
    const uint32_t crc = UINT32_C(0x8a9136aa);

    ck_assert_uint_eq(masked_crc(zeros, 32), (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8));
}
END_TEST

START_TEST(scalars_read_back)
{
    fine_context *ctx = new_context(1);
    char *folder = new_folder();
    struct fine__events *events;
    struct fine__names names;
    struct scalar got[32];

    ck_assert_int_eq(fine__events_open(&events, ctx, folder), 0);
    ck_assert_int_eq(fine__events_scalar(events, 300, 12.5, "train/loss", 0.75), 0);
    ck_assert_int_eq(fine__events_add(events, "{\"event\":\"step\",\"step\":301,\"loss\":0.5,"
                                              "\"learning_rate\":5e-05,\"seconds\":3}"), 0);
    ck_assert_int_eq(fine__events_add(events, "{\"event\":\"evaluate\",\"step\":301,\"metrics\":"
                                              "{\"accuracy\":1,\"confusion\":[[1]]}}"), 0);
    ck_assert_int_eq(fine__events_add(events, "no event"), 0);
    fine__events_close(events);
    ck_assert_int_eq(fine__events_open(&events, ctx, folder), 0);   /* resumed at once */
    ck_assert_int_eq(fine__events_add(events, "{\"event\":\"step\",\"step\":1,\"loss\":2}"), 0);
    fine__events_close(events);
    fine__events_close(NULL);

    ck_assert_int_eq(fine__list_directory(ctx, folder, &names), 0);
    ck_assert_int_eq(names.count, 2);
    ck_assert_int_eq(strncmp(names.names[0], "events.out.tfevents.", 20), 0);
    ck_assert_int_eq(read_file(ctx, folder, names.names[0], got, 32), 6);
    ck_assert_str_eq(got[0].version, "brain.Event:2");
    ck_assert_double_gt(got[0].time, 1.6e9);
    ck_assert(got[1].start);
    ck_assert_int_eq(got[1].step, 300);
    ck_assert_str_eq(got[2].tag, "train/loss");
    ck_assert_double_eq(got[2].time, 12.5);
    ck_assert_int_eq(got[2].step, 300);
    ck_assert_double_eq((double)got[2].value, 0.75);
    ck_assert_str_eq(got[4].tag, "train/learning_rate");
    ck_assert(got[4].value == (float)5e-5);
    ck_assert_str_eq(got[5].tag, "validation/accuracy");
    ck_assert_int_eq(got[5].step, 301);
    ck_assert_int_eq(read_file(ctx, folder, names.names[1], got, 32), 3);
    ck_assert(got[1].start);
    fine__names_free(ctx, &names);
    remove_folder(ctx, folder);
    free_context(ctx);
}
END_TEST

START_TEST(no_folder_no_file)
{
    fine_context *ctx = new_context(1);
    struct fine__events *events = NULL;

    ck_assert_int_eq(fine__events_open(&events, ctx, "/nonexistent/folder"), FINE_EIO);
    ck_assert_ptr_null(events);
    free_context(ctx);
}
END_TEST

/* A folder of its own for each try: a file that is there already costs one more allocation
 * for its name, and the tries would never catch up with their number. */
START_TEST(out_of_memory)
{
    fine_context *plain = new_context(1);
    struct faulty faulty;
    int rc = FINE_ENOMEM;

    for (long long n = 1; rc != 0; n++) {
        fine_context *ctx = new_faulty_context(&faulty, 1);
        struct fine__events *events = NULL;
        char *folder = new_folder();

        faulty.fail_at = n;
        rc = fine__events_open(&events, ctx, folder);
        ck_assert_int_eq(rc == 0, events != NULL);
        if (rc == 0)
            rc = fine__events_scalar(events, 1, 2, "a", 3);
        ck_assert_msg(rc == 0 || rc == FINE_ENOMEM, "%d: %s", rc, fine_error_message());
        fine__events_close(events);
        free_context(ctx);
        remove_folder(plain, folder);
    }
    free_context(plain);
}
END_TEST

RUNNER("events", known_checksum, scalars_read_back, no_folder_no_file, out_of_memory)
