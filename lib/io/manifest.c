/*
 * manifest.c — writing and reading a checkpoint's list of files.
 *
 * The text is only understood after its checksum was found right; so what is refused
 * after that is another program's doing, or a newer version's.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/source.h"
#include "io/manifest.h"
#include "io/scan.h"

static const char format_name[] = "libfinetune checkpoint";
static const char closing[] = "\"\n}\n";

/* The checksum's digits and what closes the text. */
enum { DIGITS = 32, TAIL = DIGITS + sizeof closing - 1, MAX_FILES = 1000 };

void
fine__manifest_init(struct fine__manifest *manifest, fine_context *ctx)
{
    *manifest = (struct fine__manifest){ .ctx = ctx };
}

void
fine__manifest_free(struct fine__manifest *manifest)
{
    for (int64_t i = 0; i < manifest->count; i++)
        fine__free(manifest->ctx, manifest->files[i].name);
    fine__free(manifest->ctx, manifest->files);
    fine__manifest_init(manifest, manifest->ctx);
}

int
fine__manifest_add(struct fine__manifest *manifest, const char *name, int64_t bytes,
                   const char *checksum)
{
    struct fine__manifest_file *file;

    if (!fine__name_is_plain(name) || strcmp(name, FINE__MANIFEST_NAME) == 0)
        return fine__fail(FINE_EINVAL, "'%s' cannot be the name of a checkpoint's file", name);
    if (manifest->count == MAX_FILES)
        return fine__fail(FINE_EINVAL, "a checkpoint cannot hold more than %d files", MAX_FILES);
    for (int64_t i = 0; i < manifest->count; i++)
        if (strcmp(manifest->files[i].name, name) == 0)
            return fine__fail(FINE_EINVAL, "a checkpoint cannot hold the file '%s' twice", name);
    FINE__TRY(fine__grow(manifest->ctx, &manifest->files, &manifest->capacity, manifest->count + 1,
                         sizeof *manifest->files));
    file = &manifest->files[manifest->count];
    file->name = fine__strdup(manifest->ctx, name);
    if (file->name == NULL)
        return FINE_ENOMEM;
    file->bytes = bytes;
    memcpy(file->checksum, checksum, sizeof file->checksum);
    manifest->count++;
    return 0;
}

int
fine__manifest_write(const struct fine__manifest *manifest, struct fine__buf *out)
{
    const size_t start = out->length;
    char checksum[33];

    fine__buf_printf(out, "{\n \"format\": \"%s\",\n \"version\": %d,\n \"files\": [", format_name,
                     FINE__MANIFEST_VERSION);
    for (int64_t i = 0; i < manifest->count; i++) {
        const struct fine__manifest_file *file = &manifest->files[i];

        fine__buf_printf(out, "%s\n  {\"name\": ", i > 0 ? "," : "");
        fine__buf_json_string(out, file->name, strlen(file->name));
        fine__buf_printf(out, ", \"bytes\": %lld, \"xxh3_128\": \"%s\"}", (long long)file->bytes,
                         file->checksum);
    }
    fine__buf_text(out, "\n ],\n \"checksum\": \"");
    FINE__TRY(fine__buf_status(out));
    fine__hash_hex_once(out->data + start, out->length - start, checksum);
    fine__buf_text(out, checksum);
    fine__buf_text(out, closing);
    return fine__buf_status(out);
}

static bool
read_file(struct fine__manifest *manifest, struct fine__scan *scan)
{
    bool first = true;
    char *key, *name = NULL, *checksum = NULL;
    size_t length, name_length = 0, checksum_length = 0;
    int64_t bytes = -1;

    if (!fine__scan_enter(scan, '{'))
        return false;
    while (fine__scan_member(scan, &first, &key, &length)) {
        if (strcmp(key, "name") == 0 && name == NULL)
            fine__scan_string(scan, &name, &name_length, "a file's name");
        else if (strcmp(key, "bytes") == 0 && bytes < 0)
            fine__scan_count(scan, &bytes, "a file's size");
        else if (strcmp(key, "xxh3_128") == 0 && checksum == NULL)
            fine__scan_string(scan, &checksum, &checksum_length, "a checksum");
        else
            fine__scan_fail(scan, "'%s' is not expected here", key);
    }
    if (scan->rc < 0)
        return false;
    if (name == NULL || bytes < 0 || checksum_length != DIGITS || strlen(checksum) != DIGITS ||
        strlen(name) != name_length || !fine__name_is_plain(name))
        return fine__scan_fail(scan, "a file needs a plain name, its bytes and its xxh3_128");
    scan->rc = fine__manifest_add(manifest, name, bytes, checksum);
    if (scan->rc == FINE_EINVAL)
        scan->rc = FINE_EFORMAT;
    return scan->rc == 0;
}

static bool
read_files(struct fine__manifest *manifest, struct fine__scan *scan)
{
    bool first = true;

    if (!fine__scan_enter(scan, '['))
        return false;
    while (fine__scan_element(scan, &first))
        if (!read_file(manifest, scan))
            return false;
    return scan->rc == 0;
}

static int
read_manifest(struct fine__manifest *manifest, struct fine__scan *scan)
{
    bool first = true, has_files = false;
    char *key, *text = NULL;
    size_t length;
    int64_t version = -1;

    fine__scan_enter(scan, '{');
    while (fine__scan_member(scan, &first, &key, &length)) {
        if (strcmp(key, "format") == 0) {
            if (fine__scan_string(scan, &text, &length, "the format's name") &&
                strcmp(text, format_name) != 0)
                fine__scan_fail(scan, "the format is '%s', not '%s'", text, format_name);
        } else if (strcmp(key, "version") == 0 && version < 0) {
            fine__scan_count(scan, &version, "the version");
            if (scan->rc == 0 && version != FINE__MANIFEST_VERSION)
                scan->rc = fine__fail(FINE_EUNSUPPORTED,
                                      "%s: written in version %lld of the format, and this build "
                                      "reads version %d: use the libfinetune that wrote it",
                                      scan->what, (long long)version, FINE__MANIFEST_VERSION);
        } else if (strcmp(key, "files") == 0 && !has_files) {
            has_files = read_files(manifest, scan);
        } else if (strcmp(key, "checksum") == 0) {
            fine__scan_string(scan, &text, &length, "the checksum");
        } else {
            fine__scan_fail(scan, "'%s' is not expected here", key);
        }
    }
    if (scan->rc == 0 && (version < 0 || !has_files))
        fine__scan_fail(scan, "there is no list of files, or no version");
    fine__scan_end(scan);
    return scan->rc;
}

int
fine__manifest_parse(struct fine__manifest *manifest, char *text, size_t length, const char *what)
{
    struct fine__scan scan;
    char checksum[33];
    int rc;

    if (length >= TAIL)
        fine__hash_hex_once(text, length - TAIL, checksum);
    if (length < TAIL || memcmp(text + length - TAIL, checksum, DIGITS) != 0 ||
        memcmp(text + length - TAIL + DIGITS, closing, sizeof closing - 1) != 0)
        return fine__fail(FINE_EFORMAT,
                          "%s: damaged, or not a checkpoint's manifest: its checksum "
                          "is wrong",
                          what);
    fine__scan_init(&scan, text, length, what);
    rc = read_manifest(manifest, &scan);
    if (rc < 0)
        fine__manifest_free(manifest);
    return rc;
}
