/*
 * buf.h — a growable byte buffer, always NUL-terminated once written to.
 *
 * Failure is sticky: after memory ran out every further append does nothing and
 * fine__buf_status() says FINE_ENOMEM, so writers need one check at the end.
 */
#ifndef FINE__BUF_H
#define FINE__BUF_H

#include "base/context.h"

struct fine__buf {
    fine_context *ctx;
    char *data;
    size_t length, capacity;
    bool failed;
};

void fine__buf_init(struct fine__buf *buf, fine_context *ctx);
void fine__buf_free(struct fine__buf *buf);
void fine__buf_clear(struct fine__buf *buf);                        /* keeps the memory */
int fine__buf_reserve(struct fine__buf *buf, size_t capacity);
void fine__buf_append(struct fine__buf *buf, const void *bytes, size_t length);
void fine__buf_text(struct fine__buf *buf, const char *text);
void fine__buf_byte(struct fine__buf *buf, char byte);
void fine__buf_printf(struct fine__buf *buf, const char *format, ...) FINE__PRINTF(2, 3); /* no %f, %g, %e: locale */
void fine__buf_number(struct fine__buf *buf, double value);         /* shortest that reads back; NaN and Inf as null */
void fine__buf_json_string(struct fine__buf *buf, const char *text, size_t length); /* quoted, escaped, valid UTF-8 */
int fine__buf_status(const struct fine__buf *buf);                  /* 0 or FINE_ENOMEM */
const char *fine__buf_cstr(const struct fine__buf *buf);            /* "" when nothing was written */

#endif
