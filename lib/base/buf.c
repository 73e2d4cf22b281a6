/*
 * buf.c — growth by half, one byte kept for the terminator, failure sticky.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "base/utf8.h"

void
fine__buf_init(struct fine__buf *buf, fine_context *ctx)
{
    *buf = (struct fine__buf){ .ctx = ctx };
}

void
fine__buf_free(struct fine__buf *buf)
{
    fine__free(buf->ctx, buf->data);
    fine__buf_init(buf, buf->ctx);
}

void
fine__buf_clear(struct fine__buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Room for capacity bytes and the terminator. */
int
fine__buf_reserve(struct fine__buf *buf, size_t capacity)
{
    char *data;

    if (buf->failed)
        return FINE_ENOMEM;
    if (buf->data != NULL && capacity < buf->capacity)
        return 0;
    data = capacity < PTRDIFF_MAX ? fine__realloc(buf->ctx, buf->data, capacity + 1) : NULL;
    if (data == NULL) {
        if (capacity >= PTRDIFF_MAX)
            fine__fail(FINE_ENOMEM, "out of memory: %zu bytes exceed the address space", capacity);
        buf->failed = true;
        return FINE_ENOMEM;
    }
    if (buf->data == NULL)
        data[0] = '\0';
    buf->data = data;
    buf->capacity = capacity + 1;
    return 0;
}

/* Where length more bytes go, or NULL. */
static char *
extend(struct fine__buf *buf, size_t length)
{
    size_t capacity;

    if (buf->failed)
        return NULL;
    if (length >= PTRDIFF_MAX - buf->length) {
        fine__fail(FINE_ENOMEM, "out of memory: %zu more bytes exceed the address space", length);
        buf->failed = true;
        return NULL;
    }
    if (buf->data == NULL || buf->capacity - 1 - buf->length < length) {
        capacity = buf->length + length;
        if (capacity < buf->capacity + buf->capacity / 2)
            capacity = buf->capacity + buf->capacity / 2;
        if (fine__buf_reserve(buf, capacity < 63 ? 63 : capacity) < 0)
            return NULL;
    }
    return buf->data + buf->length;
}

void
fine__buf_append(struct fine__buf *buf, const void *bytes, size_t length)
{
    char *end = extend(buf, length);

    if (end == NULL)
        return;
    if (length > 0)
        memcpy(end, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void
fine__buf_text(struct fine__buf *buf, const char *text)
{
    fine__buf_append(buf, text, strlen(text));
}

void
fine__buf_byte(struct fine__buf *buf, char byte)
{
    fine__buf_append(buf, &byte, 1);
}

void
fine__buf_printf(struct fine__buf *buf, const char *format, ...)
{
    char small[256];
    va_list arguments;
    char *end;
    int length;

    va_start(arguments, format);
    length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length < sizeof small) {
        fine__buf_append(buf, small, (size_t)length);
        return;
    }
    end = extend(buf, (size_t)length);
    if (end == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(end, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buf->length += (size_t)length;
}

void
fine__buf_number(struct fine__buf *buf, double value)
{
    char text[32];

    fine__buf_text(buf, isfinite(value) ? fine__format_double(text, value) : "null");
}

void
fine__buf_json_string(struct fine__buf *buf, const char *text, size_t length)
{
    size_t start = 0;   /* of what can be copied as it is */

    fine__buf_byte(buf, '"');
    for (size_t i = 0; i < length;) {
        const unsigned char byte = (unsigned char)text[i];
        size_t used = 1;
        bool valid = true;
        int32_t c = byte;

        if (byte >= 0x80)
            used = fine__utf8_decode(text + i, length - i, &c, &valid);
        if (valid && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += used;
            continue;
        }
        fine__buf_append(buf, text + start, i - start);
        if (!valid)
            fine__buf_text(buf, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            fine__buf_printf(buf, "\\%c", (char)c);
        else if (c == '\n')
            fine__buf_text(buf, "\\n");
        else if (c == '\t')
            fine__buf_text(buf, "\\t");
        else if (c == '\r')
            fine__buf_text(buf, "\\r");
        else
            fine__buf_printf(buf, "\\u%04x", (unsigned)c);
        i += used;
        start = i;
    }
    fine__buf_append(buf, text + start, length - start);
    fine__buf_byte(buf, '"');
}

int
fine__buf_status(const struct fine__buf *buf)
{
    return buf->failed ? FINE_ENOMEM : 0;
}

const char *
fine__buf_cstr(const struct fine__buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}
