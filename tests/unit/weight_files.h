/*
 * weight_files.h — safetensors files made for tests: a header's text and zeros for data.
 */
#ifndef WEIGHT_FILES_H
#define WEIGHT_FILES_H

#include "base/source.h"
#include "io/safetensors.h"
#include "runner.h"
#include <finetune/model.h>

/* Frame, header and n_data bytes 0, 1, 2 …; declared < 0: the header's true length. */
static inline void
make_file(struct fine__buf *out, const char *header, size_t header_length, int64_t declared,
          int64_t n_data)
{
    const uint64_t length = declared < 0 ? header_length : (uint64_t)declared;

    for (int i = 0; i < 8; i++)
        fine__buf_byte(out, (char)(length >> 8 * i));
    fine__buf_append(out, header, header_length);
    for (int64_t i = 0; i < n_data; i++)
        fine__buf_byte(out, (char)i);
    ck_assert_int_eq(fine__buf_status(out), 0);
}

/* Opens bytes as one file of that name. */
static inline int
open_bytes(struct fine__weights **out, struct fine__source **source_out, fine_context *ctx,
           const char *name, const void *bytes, size_t length)
{
    const struct fine_memory_file file = { name, bytes, (int64_t)length };
    int rc = fine__source_open_memory(source_out, ctx, &file, 1);

    if (rc == 0) {
        rc = fine__weights_open_file(out, ctx, *source_out, name);
        if (rc < 0)
            fine__source_free(*source_out);
    }
    return rc;
}

/* Does any finding contain the text? */
static inline bool
was_found(const char *text)
{
    for (const char *finding = fine_error_message(); finding != NULL; finding = fine_error_next())
        if (strstr(finding, text) != NULL)
            return true;
    return false;
}

static inline int
n_findings(void)
{
    int n = 0;

    for (const char *finding = fine_error_message(); finding != NULL; finding = fine_error_next())
        n++;
    return n;
}

#endif
