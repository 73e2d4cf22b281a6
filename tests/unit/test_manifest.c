/* The list of a checkpoint's files: every byte of it counts. */
#include "base/hash.h"
#include "io/manifest.h"
#include "weight_files.h"

static const char checksum[] = "0123456789abcdef0123456789abcdef";

static void
write_two(fine_context *ctx, struct fine__buf *out)
{
    struct fine__manifest manifest;

    fine__manifest_init(&manifest, ctx);
    ck_assert_int_eq(fine__manifest_add(&manifest, "a \"b\"", 0, checksum), 0);
    ck_assert_int_eq(fine__manifest_add(&manifest, "model.safetensors", 123456789012, checksum), 0);
    ck_assert_int_eq(fine__manifest_write(&manifest, out), 0);
    fine__manifest_free(&manifest);
}

static int
parse(struct fine__manifest *manifest, fine_context *ctx, const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    int rc;

    memcpy(copy, text, length);
    fine__manifest_init(manifest, ctx);
    rc = fine__manifest_parse(manifest, copy, length, "manifest.json");
    free(copy);
    return rc;
}

START_TEST(reads_what_it_wrote)
{
    fine_context *ctx = new_context(1);
    struct fine__manifest manifest;
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    write_two(ctx, &text);
    ck_assert_int_eq(parse(&manifest, ctx, text.data, text.length), 0);
    ck_assert_int_eq(manifest.count, 2);
    ck_assert_str_eq(manifest.files[0].name, "a \"b\"");
    ck_assert_int_eq(manifest.files[0].bytes, 0);
    ck_assert_str_eq(manifest.files[1].name, "model.safetensors");
    ck_assert_int_eq(manifest.files[1].bytes, 123456789012);
    ck_assert_str_eq(manifest.files[1].checksum, checksum);
    fine__manifest_free(&manifest);
    fine__buf_free(&text);
    free_context(ctx);
}
END_TEST

/* The text of version 1 is read for ever. */
START_TEST(version_1_stays_readable)
{
    static const char text[] =
        "{\n \"format\": \"libfinetune checkpoint\",\n \"version\": 1,\n \"files\": [\n"
        "  {\"name\": \"state.json\", \"bytes\": 2, \"xxh3_128\": "
        "\"0123456789abcdef0123456789abcdef\"}\n ],\n"
        " \"checksum\": \"8f5794ac8ca6c3ca78e31e4acce9775a\"\n}\n";
    fine_context *ctx = new_context(1);
    struct fine__manifest manifest;

    ck_assert_int_eq(parse(&manifest, ctx, text, sizeof text - 1), 0);
    ck_assert_int_eq(manifest.count, 1);
    ck_assert_str_eq(manifest.files[0].name, "state.json");
    fine__manifest_free(&manifest);
    free_context(ctx);
}
END_TEST

START_TEST(every_damage_is_seen)
{
    fine_context *ctx = new_context(1);
    struct fine__manifest manifest;
    struct fine__buf text;

    fine__buf_init(&text, ctx);
    write_two(ctx, &text);
    for (size_t n = 0; n < text.length; n++)
        ck_assert_int_eq(parse(&manifest, ctx, text.data, n), FINE_EFORMAT);
    for (size_t i = 0; i < text.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
            ck_assert_int_eq(parse(&manifest, ctx, text.data, text.length), FINE_EFORMAT);
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
        }
    }
    fine__buf_byte(&text, '\n');
    ck_assert_int_eq(parse(&manifest, ctx, text.data, text.length), FINE_EFORMAT);
    ck_assert(was_found("its checksum is wrong"));
    fine__buf_free(&text);
    free_context(ctx);
}
END_TEST

#define HEAD "{\"format\": \"libfinetune checkpoint\", \"version\": 1, "
#define ENTRY(name, bytes, sum) \
    "{\"name\": \"" name "\", \"bytes\": " #bytes ", \"xxh3_128\": \"" sum "\"}"
#define SUM "0123456789abcdef0123456789abcdef"

/* With a right checksum, and yet not ours. */
static const struct {
    const char *text;
    int rc;
    const char *finding;
} foreign[] = {
    { "[ \"", FINE_EFORMAT, "an object is expected" },
    { "{\"checksum\": \"", FINE_EFORMAT, "no version" },
    { HEAD "\"checksum\": \"", FINE_EFORMAT, "no list of files" },
    { "{\"format\": \"other\", \"version\": 1, \"files\": [], \"checksum\": \"", FINE_EFORMAT,
      "the format is 'other'" },
    { "{\"format\": \"libfinetune checkpoint\", \"version\": 2, \"checksum\": \"",
      FINE_EUNSUPPORTED, "version 2" },
    { HEAD "\"files\": [], \"more\": 1, \"checksum\": \"", FINE_EFORMAT, "'more' is not expected" },
    { HEAD "\"files\": [" ENTRY("../x", 1, SUM) "], \"checksum\": \"", FINE_EFORMAT, "plain name" },
    { HEAD "\"files\": [" ENTRY("/etc/passwd", 1, SUM) "], \"checksum\": \"", FINE_EFORMAT,
      "plain" },
    { HEAD "\"files\": [" ENTRY("a\\u0000", 1, SUM) "], \"checksum\": \"", FINE_EFORMAT, "plain" },
    { HEAD "\"files\": [" ENTRY("a", 1, "12") "], \"checksum\": \"", FINE_EFORMAT, "xxh3_128" },
    { HEAD "\"files\": [" ENTRY("a", -1, SUM) "], \"checksum\": \"", FINE_EFORMAT, "not negative" },
    { HEAD "\"files\": [{\"name\": \"a\"}], \"checksum\": \"", FINE_EFORMAT, "needs a plain name" },
    { HEAD "\"files\": [" ENTRY("manifest.json", 1, SUM) "], \"checksum\": \"", FINE_EFORMAT,
      "'manifest.json' cannot be" },
    { HEAD "\"files\": [" ENTRY("a", 1, SUM) "," ENTRY("a", 1, SUM) "], \"checksum\": \"",
      FINE_EFORMAT, "twice" },
};

START_TEST(foreign_manifests_are_refused)
{
    fine_context *ctx = new_context(1);

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct fine__manifest manifest;
        struct fine__buf text;
        char digits[33];

        fine__buf_init(&text, ctx);
        fine__buf_text(&text, foreign[i].text);
        fine__hash_hex_once(text.data, text.length, digits);
        fine__buf_text(&text, digits);
        fine__buf_text(&text, "\"\n}\n");
        ck_assert_int_eq(parse(&manifest, ctx, text.data, text.length), foreign[i].rc);
        ck_assert_msg(was_found(foreign[i].finding), "%zu: %s", i, fine_error_message());
        fine__buf_free(&text);
    }
    free_context(ctx);
}
END_TEST

START_TEST(names_are_checked)
{
    fine_context *ctx = new_context(1);
    struct fine__manifest manifest;
    char name[] = "f000";

    fine__manifest_init(&manifest, ctx);
    ck_assert_int_eq(fine__manifest_add(&manifest, "manifest.json", 1, checksum), FINE_EINVAL);
    ck_assert_int_eq(fine__manifest_add(&manifest, "a/b", 1, checksum), FINE_EINVAL);
    ck_assert_int_eq(fine__manifest_add(&manifest, ".a", 1, checksum), FINE_EINVAL);
    for (int i = 0; i < 1000; i++) {
        name[1] = (char)('0' + i / 100);
        name[2] = (char)('0' + i / 10 % 10);
        name[3] = (char)('0' + i % 10);
        ck_assert_int_eq(fine__manifest_add(&manifest, name, 1, checksum), 0);
        ck_assert_int_eq(fine__manifest_add(&manifest, name, 1, checksum), FINE_EINVAL);
    }
    ck_assert_int_eq(fine__manifest_add(&manifest, "one more", 1, checksum), FINE_EINVAL);
    fine__manifest_free(&manifest);
    free_context(ctx);
}
END_TEST

RUNNER("manifest", reads_what_it_wrote, version_1_stays_readable, every_damage_is_seen,
       foreign_manifests_are_refused, names_are_checked)
