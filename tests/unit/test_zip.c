/* Directories of zip archives: what is accepted, and every way to be refused. */
#include "archive.h"
#include "io/zip.h"
#include "weight_files.h"

static struct fine__blob
blob_of(const struct fine__buf *file)
{
    return (struct fine__blob){ .file = { .fd = -1 },
                                .bytes = (const unsigned char *)file->data,
                                .size = (int64_t)file->length,
                                .name = (char *)"m.bin",
                                .ctx = file->ctx };
}

static int
try_archive(const struct fine__buf *file)
{
    struct fine__blob blob = blob_of(file);
    struct fine__zip zip;
    const int rc = fine__zip_open(&zip, file->ctx, &blob);

    if (rc == 0)
        fine__zip_free(&zip);
    return rc;
}

static void
make_two(struct archive *a, fine_context *ctx)
{
    archive_begin(a, ctx);
    archive_put(a, "x/one", "12345", 5);
    archive_put(a, "x/two", "", 0);
    archive_end(a);
}

START_TEST(finds_entries)
{
    fine_context *ctx = new_context(1);
    const struct fine__zip_entry *entry;
    struct fine__blob blob;
    struct fine__zip zip;
    struct archive a;

    make_two(&a, ctx);
    blob = blob_of(&a.file);
    ck_assert_int_eq(fine__zip_open(&zip, ctx, &blob), 0);
    ck_assert_int_eq(zip.count, 2);
    ck_assert_str_eq(zip.folder, "x/");
    ck_assert_int_eq(fine__zip_want(&zip, "one", 3, &entry), 0);
    ck_assert_int_eq(entry->bytes, 5);
    ck_assert_mem_eq(a.file.data + entry->from, "12345", 5);
    ck_assert_int_eq(fine__zip_check(ctx, &blob, entry->from, 5, entry->crc, "one"), 0);
    ck_assert_int_eq(fine__zip_check(ctx, &blob, entry->from, 4, entry->crc, "one"), FINE_EFORMAT);
    ck_assert(was_found("the checksum of one is not"));
    ck_assert_int_eq(fine__zip_want(&zip, "two", 3, &entry), 0);
    ck_assert_int_eq(entry->bytes, 0);
    ck_assert_ptr_null(fine__zip_find(&zip, "three", 5));
    ck_assert_int_eq(fine__zip_want(&zip, "three", 5, &entry), FINE_EFORMAT);
    ck_assert(was_found("has no 'three'"));
    fine__zip_free(&zip);
    fine__buf_free(&a.file);
    free_context(ctx);
}
END_TEST

START_TEST(an_archive_may_be_empty_or_have_a_comment)
{
    fine_context *ctx = new_context(1);
    struct archive a;

    archive_begin(&a, ctx);
    archive_end(&a);
    ck_assert_int_eq(try_archive(&a.file), 0);
    a.file.data[a.file.length - 2] = 3;
    ck_assert_int_eq(try_archive(&a.file), FINE_EFORMAT);
    fine__buf_text(&a.file, "abc");
    ck_assert_int_eq(try_archive(&a.file), 0);
    fine__buf_free(&a.file);
    free_context(ctx);
}
END_TEST

/* Sizes and places in the zip64 fields, as for files of 4 GB. */
START_TEST(reads_zip64)
{
    fine_context *ctx = new_context(1);
    const struct fine__zip_entry *entry;
    struct fine__buf file, directory;
    struct fine__blob blob;
    struct fine__zip zip;
    size_t at;

    fine__buf_init(&file, ctx);
    fine__buf_init(&directory, ctx);
    fine__buf_append(&file, "PK\3\4-\0\0\0\0\0\0\0\0\0", 14);
    put_number(&file, crc_of("12345", 5), 4);
    put_number(&file, UINT32_MAX, 4);
    put_number(&file, UINT32_MAX, 4);
    put_number(&file, 1, 2);
    put_number(&file, 0, 2);
    fine__buf_text(&file, "a12345");
    fine__buf_append(&directory, "PK\1\2\0\0-\0\0\0\0\0\0\0\0\0", 16);
    put_number(&directory, crc_of("12345", 5), 4);
    put_number(&directory, UINT32_MAX, 4);
    put_number(&directory, UINT32_MAX, 4);
    put_number(&directory, 1, 2);
    put_number(&directory, 6 + 28, 2);
    put_number(&directory, 0, 10);
    put_number(&directory, UINT32_MAX, 4);
    fine__buf_text(&directory, "a");
    fine__buf_append(&directory, "zz\2\0..\1\0\30\0", 10);
    put_number(&directory, 5, 8);
    put_number(&directory, 5, 8);
    put_number(&directory, 0, 8);
    at = file.length;
    fine__buf_append(&file, directory.data, directory.length);
    fine__buf_append(&file, "PK\6\6", 4);
    put_number(&file, 44, 8);
    put_number(&file, 0, 12);
    put_number(&file, 1, 8);
    put_number(&file, 1, 8);
    put_number(&file, directory.length, 8);
    put_number(&file, at, 8);
    fine__buf_append(&file, "PK\6\7\0\0\0\0", 8);
    put_number(&file, at + directory.length, 8);
    put_number(&file, 1, 4);
    fine__buf_append(&file, "PK\5\6\0\0\0\0\377\377\377\377\377\377\377\377\377\377\377\377\0\0",
                     22);
    ck_assert_int_eq(fine__buf_status(&file), 0);
    blob = blob_of(&file);
    ck_assert_int_eq(fine__zip_open(&zip, ctx, &blob), 0);
    ck_assert_int_eq(fine__zip_want(&zip, "a", 1, &entry), 0);
    ck_assert(entry->bytes == 5 && memcmp(file.data + entry->from, "12345", 5) == 0);
    fine__zip_free(&zip);
    /* Each number of the end and of the extra field, far too large. */
    for (size_t i = at; i < file.length; i++) {
        const char before = file.data[i];

        file.data[i] = '\x7f';
        if (try_archive(&file) != 0)
            ck_assert(was_found("m.bin: "));
        file.data[i] = before;
    }
    fine__buf_free(&directory);
    fine__buf_free(&file);
    free_context(ctx);
}
END_TEST

static void
refuse(struct archive *a, int code, const char *finding)
{
    fine_context *ctx = a->file.ctx;

    ck_assert_int_eq(try_archive(&a->file), code);
    ck_assert_msg(was_found(finding), "%s", fine_error_message());
    fine__buf_free(&a->file);
    ck_assert_int_eq(fine_context_used_bytes(ctx), 0);
}

START_TEST(refuses)
{
    fine_context *ctx = new_context(1);
    struct fine__blob blob;
    struct fine__zip zip;
    const struct fine__zip_entry *entry;
    struct archive a;

    archive_begin(&a, ctx);
    a.flags = 1;
    archive_put(&a, "x/a", "1", 1);
    archive_end(&a);
    refuse(&a, FINE_EUNSUPPORTED, "encrypted");

    archive_begin(&a, ctx);
    archive_put(&a, "x/a", "1", 1);
    archive_put(&a, "x/a", "2", 1);
    archive_end(&a);
    refuse(&a, FINE_EFORMAT, "two entries have the same name");

    /* One run of bytes as two entries. */
    archive_begin(&a, ctx);
    archive_put(&a, "x/a", "PK\3\4", 4);
    archive_list(&a, "x/a", "PK\3\4", 4, 0);
    a.directory.data[46 + 3 + 46 + 2] = 'b';
    archive_end(&a);
    refuse(&a, FINE_EFORMAT, "not where the directory says");
    archive_begin(&a, ctx);
    archive_put(&a, "x/a", "1234567", 7);
    archive_put(&a, "x/b", "1", 1);
    archive_end(&a);
    a.file.data[18] = a.file.data[22] = 8; /* its own header isn't asked for its size */
    {
        char *directory = a.file.data + a.file.length - 22 - 2 * 49;

        directory[20] = directory[24] = 8;
    }
    refuse(&a, FINE_EFORMAT, "two entries overlap");

    archive_begin(&a, ctx);
    a.method = 8;
    archive_put(&a, "x/a", "1", 1);
    archive_end(&a);
    blob = blob_of(&a.file);
    ck_assert_int_eq(fine__zip_open(&zip, ctx, &blob), 0);
    ck_assert_int_eq(fine__zip_want(&zip, "a", 1, &entry), FINE_EUNSUPPORTED);
    ck_assert(was_found("'a' is compressed"));
    fine__zip_free(&zip);
    fine__buf_free(&a.file);
    free_context(ctx);
}
END_TEST

/* Every truncation and every wrong byte: an error that names the file, or an archive. */
START_TEST(survives_damage)
{
    fine_context *ctx = new_context(1);
    struct archive a;

    make_two(&a, ctx);
    for (size_t n = 0; n < a.file.length; n++) {
        struct fine__buf cut = a.file;
        char *copy = malloc(n > 0 ? n : 1);

        memcpy(copy, a.file.data, n);
        cut.data = copy;
        cut.length = n;
        ck_assert_int_eq(try_archive(&cut), FINE_EFORMAT);
        ck_assert(was_found("m.bin: truncated"));
        free(copy);
    }
    for (size_t i = 0; i < a.file.length; i++)
        for (int value = 0; value < 256; value += 5) {
            const char before = a.file.data[i];

            a.file.data[i] = (char)value;
            if (try_archive(&a.file) != 0)
                ck_assert(was_found("m.bin: "));
            a.file.data[i] = before;
        }
    fine__buf_free(&a.file);
    free_context(ctx);
}
END_TEST

RUNNER("zip", finds_entries, an_archive_may_be_empty_or_have_a_comment, reads_zip64, refuses,
       survives_damage)
