/*
 * result.c — the text as it was written, and its parsed form for lookups.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/number.h"
#include "base/result.h"

struct fine_report {
    fine_context *ctx;
    struct fine__buf text;
    struct fine__json *root;
};

void
fine__report_free(fine_report *report)
{
    fine_context *ctx;

    if (report == NULL)
        return;
    ctx = report->ctx;
    fine__json_free(report->root);
    fine__buf_free(&report->text);
    fine__free(ctx, report);
    fine__context_unref(ctx);
}

int
fine__report_new(fine_report **out, fine_context *ctx, struct fine__buf *json)
{
    fine_report *report;
    int rc;

    FINE__TRY(fine__buf_status(json));
    report = fine__alloc(ctx, sizeof *report);
    if (report == NULL)
        return FINE_ENOMEM;
    *report = (fine_report){ .ctx = fine__context_ref(ctx) };
    fine__buf_init(&report->text, ctx);
    rc = fine__json_parse(&report->root, ctx, fine__buf_cstr(json), json->length, "report");
    if (rc == 0 && fine__json_type(report->root) != FINE__JSON_OBJECT)
        rc = fine__fail(FINE_EFORMAT, "report: not a JSON object");
    if (rc == 0 && memchr(json->data, '\n', json->length) != NULL) {
        rc = fine__json_write(report->root, &report->text);
        if (rc == 0)
            rc = fine__buf_status(&report->text);
        if (rc == 0)
            fine__buf_free(json);
    } else if (rc == 0) {
        report->text = *json;
        fine__buf_init(json, json->ctx);
    }
    if (rc < 0) {
        fine__report_free(report);
        return rc;
    }
    *out = report;
    return 0;
}

const char *
fine__report_json(const fine_report *report)
{
    return fine__buf_cstr(&report->text);
}

const struct fine__json *
fine__report_root(const fine_report *report)
{
    return report->root;
}

/* The member whose key is the longest prefix of *path that ends at a dot or at the
 * end; moves *path behind it. */
static const struct fine__json *
longest_member(const struct fine__json *object, const char **path)
{
    const struct fine__json *found = NULL;
    size_t longest = 0;

    for (void *it = fine__json_first(object); it != NULL; it = fine__json_next(object, it)) {
        const char *key = fine__json_key(it);
        const size_t length = strlen(key);

        if (strncmp(*path, key, length) == 0
            && ((*path)[length] == '.' || (*path)[length] == '\0')
            && (found == NULL || length > longest)) {
            found = fine__json_value(it);
            longest = length;
        }
    }
    if (found != NULL)
        *path += longest;
    return found;
}

static const struct fine__json *
element(const struct fine__json *array, const char **path)
{
    const size_t length = strcspn(*path, ".");
    int64_t index;

    if (!fine__parse_int64(*path, length, &index) || index < 0
        || index >= fine__json_count(array))
        return NULL;
    *path += length;
    return fine__json_at(array, index);
}

int
fine__report_number(const fine_report *report, const char *path, double *out)
{
    const struct fine__json *value = report->root;
    const char *rest = path;

    for (;;) {
        const enum fine__json_type type = fine__json_type(value);

        if (type == FINE__JSON_OBJECT)
            value = longest_member(value, &rest);
        else if (type == FINE__JSON_ARRAY)
            value = element(value, &rest);
        else
            value = NULL;
        if (value == NULL)
            return fine__fail(FINE_EINVAL, "report: nothing at '%s' (of path '%s')", rest, path);
        if (*rest == '\0')
            break;
        rest++;
    }
    if (fine__json_type(value) != FINE__JSON_INTEGER && fine__json_type(value) != FINE__JSON_REAL)
        return fine__fail(FINE_EINVAL, "report: '%s' is not a number", path);
    *out = fine__json_double(value, 0);
    return 0;
}
