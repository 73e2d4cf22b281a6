/*
 * error.c — the findings of this thread's last failure.
 *
 * One thread-local store of 16 KB holds the sentences one after the other, each
 * NUL-terminated; no memory is needed to report that there is none. Every byte
 * passes through fine__escape() on its way in, here and nowhere else.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

enum { STORE = 16384, FINDING = 512, CLOSING = 48 };

static _Thread_local struct {
    size_t length;      /* bytes of text in use, terminators included */
    size_t cursor;      /* where fine__error_next() goes on */
    int count;          /* findings in text */
    int more;           /* findings that had no room */
    char text[STORE];   /* the last CLOSING bytes are for "and N more" */
} store;

/* Line and paragraph separators, and what turns the direction of text around. */
static int
is_treacherous(int32_t c)
{
    return c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e)
        || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0xfeff;
}

char *
fine__escape(char *out, size_t size, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    static const char ellipsis[] = "...";
    size_t n = 0, last = 0;   /* last: the end of a whole piece that leaves room for an ellipsis */

    if (size == 0)
        return out;
    for (size_t i = 0; i < length;) {
        int32_t c;
        bool valid;
        const size_t used = fine__utf8_decode(text + i, length - i, &c, &valid);
        const bool plain = valid && c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0)
            && !is_treacherous(c);
        const size_t need = plain ? used : 4 * used;

        if (n + need >= size) {
            if (size > sizeof ellipsis) {
                memcpy(out + last, ellipsis, sizeof ellipsis);
                return out;
            }
            break;
        }
        if (plain) {
            memcpy(out + n, text + i, used);
        } else {
            for (size_t k = 0; k < used; k++) {
                const unsigned char byte = (unsigned char)text[i + k];

                out[n + 4 * k] = '\\';
                out[n + 4 * k + 1] = 'x';
                out[n + 4 * k + 2] = hex[byte >> 4];
                out[n + 4 * k + 3] = hex[byte & 15];
            }
        }
        n += need;
        i += used;
        if (n + sizeof ellipsis <= size)
            last = n;
    }
    out[n] = '\0';
    return out;
}

/* The closing finding stands behind the others and isn't one of `count`. */
static void
write_closing(void)
{
    snprintf(store.text + store.length, CLOSING, "and %d more", store.more);
}

static void
add(const char *format, va_list arguments)
{
    char raw[2 * FINDING];
    const size_t room = STORE - CLOSING - store.length;

    if (room < FINDING) {
        store.more++;
        write_closing();
        return;
    }
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    fine__escape(store.text + store.length, FINDING, raw, strlen(raw));
    store.length += strlen(store.text + store.length) + 1;
    store.count++;
}

void
fine__error_clear(void)
{
    store.length = 0;
    store.cursor = 0;
    store.count = 0;
    store.more = 0;
    store.text[0] = '\0';
}

int
fine__error_count(void)
{
    return store.count + store.more;
}

const char *
fine__error_first(void)
{
    store.cursor = 0;
    if (store.count == 0)
        return "";
    store.cursor = strlen(store.text) + 1;
    return store.text;
}

const char *
fine__error_next(void)
{
    const char *finding = store.text + store.cursor;

    if (store.cursor > store.length || (store.cursor == store.length && store.more == 0))
        return NULL;
    store.cursor += strlen(finding) + 1;
    return finding;
}

int
fine__fail(int code, const char *format, ...)
{
    va_list arguments;

    fine__error_clear();
    va_start(arguments, format);
    add(format, arguments);
    va_end(arguments);
    return code;
}

int
fine__also(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(format, arguments);
    va_end(arguments);
    return code;
}

void
fine__error_prefix(const char *format, ...)
{
    char raw[FINDING], prefix[FINDING / 2];
    va_list arguments;
    size_t length, at = 0;
    int count = 0;

    va_start(arguments, format);
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);
    fine__escape(prefix, sizeof prefix - 2, raw, strlen(raw));
    strcat(prefix, ": ");
    length = strlen(prefix);

    while (at < store.length) {
        char whole[2 * FINDING];
        const size_t old = strlen(store.text + at) + 1;
        size_t fresh;

        memcpy(whole, prefix, length);
        memcpy(whole + length, store.text + at, old);
        fine__escape(raw, FINDING, whole, length + old - 1);
        fresh = strlen(raw) + 1;
        if (store.length - old + fresh > STORE - CLOSING) {   /* this and the rest have no room */
            store.more += store.count - count;
            store.length = at;
            break;
        }
        memmove(store.text + at + fresh, store.text + at + old, store.length - at - old);
        memcpy(store.text + at, raw, fresh);
        store.length = store.length - old + fresh;
        at += fresh;
        count++;
    }
    store.count = count;
    store.cursor = 0;
    if (store.more > 0)
        write_closing();
}

/* The C library's texts depend on the locale, and its strerror() on a buffer
 * that threads share. */
static const char *
errno_text(int number)
{
    switch (number) {
    case EACCES: return "permission denied";
    case EAGAIN: return "temporarily not available";
    case EBUSY: return "in use";
    case EDQUOT: return "disk quota used up; remove some files, or choose another folder";
    case EEXIST: return "exists already";
    case EFBIG: return "file too large";
    case EINTR: return "interrupted";
    case EINVAL: return "not possible for this file";
    case EIO: return "input/output error of the device";
    case EISDIR: return "is a directory";
    case ELOOP: return "is a symbolic link, or leads through too many";
    case EMFILE: return "this process has too many files open; close some, or raise the limit";
    case EMLINK: return "too many links";
    case ENAMETOOLONG: return "name too long";
    case ENFILE: return "the system has too many files open";
    case ENODEV: return "no such device";
    case ENOENT: return "no such file or directory";
    case ENOLCK: return "no locks available";
    case ENOMEM: return "out of memory";
    case ENOSPC: return "no space left on the device; make room, or choose another folder";
    case ENOTDIR: return "a part of the path is not a directory";
    case ENOTEMPTY: return "directory not empty";
    case ENXIO: return "no such device, or nobody reads it";
    case EOVERFLOW: return "file too large for this system";
    case EPERM: return "not permitted";
    case EPIPE: return "nobody reads it any more";
    case EROFS: return "read-only file system; choose another folder";
    case ESTALE: return "file vanished from the server";
    case ETXTBSY: return "being run as a program";
    case EXDEV: return "on another file system";
    default: return NULL;
    }
}

int
fine__fail_errno(int code, int error_number, const char *format, ...)
{
    const char *reason = errno_text(error_number);
    char raw[2 * FINDING], what[FINDING - 72];   /* a long path leaves room for the reason */
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);
    fine__escape(what, sizeof what, raw, strlen(raw));
    if (reason == NULL)
        return fine__fail(code, "%s: system error %d", what, error_number);
    return fine__fail(code, "%s: %s", what, reason);
}
