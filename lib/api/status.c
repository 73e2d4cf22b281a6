/*
 * status.c — error codes as words, the thread's findings, and the version.
 */
#include <finetune/status.h>
#include <finetune/version.h>

#include "base/error.h"

const char *
fine_strerror(int code)
{
    switch (code) {
    case FINE_OK:
        return "success";
#define TEXT_OF(name, value, text) \
    case name:                     \
        return text;
        FINE_ERROR_MAP(TEXT_OF)
#undef TEXT_OF
    default:
        return "unknown error";
    }
}

const char *
fine_error_message(void)
{
    return fine__error_first();
}

const char *
fine_error_next(void)
{
    return fine__error_next();
}

const char *
fine_version(void)
{
    return FINE_VERSION_STRING;
}
