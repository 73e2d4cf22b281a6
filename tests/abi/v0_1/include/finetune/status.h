/*
 * status.h — error codes, messages, logging and progress.
 *
 * Functions return int: 0 (FINE_OK) is success, a negative value is one of the
 * codes below, and a positive value is a count or an answer where the function
 * says so. Codes keep their values for ever.
 */
#ifndef FINETUNE_STATUS_H
#define FINETUNE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined FINE_STATIC
#define FINE_API
#elif defined __GNUC__
#define FINE_API __attribute__((visibility("default")))
#else
#define FINE_API
#endif

/* name, value, what fine_strerror() says */
#define FINE_ERROR_MAP(X)                                         \
    X(FINE_EINVAL, -1, "invalid argument")                        \
    X(FINE_ENOMEM, -2, "out of memory")                           \
    X(FINE_EIO, -3, "cannot read or write")                       \
    X(FINE_EFORMAT, -4, "malformed file")                         \
    X(FINE_ESHAPE, -5, "weights do not fit the model")            \
    X(FINE_EUNSUPPORTED, -6, "not supported by this build")       \
    X(FINE_ERECIPE, -7, "recipe has errors")                      \
    X(FINE_ENUMERIC, -8, "not a finite number")                   \
    X(FINE_ESTATE, -9, "call not allowed now")                    \
    X(FINE_ECANCELLED, -10, "stopped by callback")                \
    X(FINE_EABI, -11, "caller is newer than the library")         \
    X(FINE_EBUSY, -12, "in use by another process or thread")     \
    X(FINE_EFORK, -13, "used on the wrong side of a fork")        \
    X(FINE_EDATA, -14, "data has errors")

enum {
    FINE_OK = 0,
#define FINE_ERROR_ENUM(name, value, text) name = value,
    FINE_ERROR_MAP(FINE_ERROR_ENUM)
#undef FINE_ERROR_ENUM
    FINE_ERROR_LAST = -14
};

/**
 * The class of an error code as a short English phrase, without a full stop.
 * Any value is accepted; an unknown one gives "unknown error".
 *
 * @return a string that lives for ever
 * @since 0.1
 */
FINE_API const char *fine_strerror(int code);

/**
 * The first finding of this thread's last failure: a sentence that names the
 * thing, the place and the remedy. At most 512 bytes of valid UTF-8 on one
 * line; control characters that came from files are escaped. Empty when nothing
 * has failed in this thread.
 *
 * @return borrowed; valid until the next call of this library in this thread
 * @since 0.1
 */
FINE_API const char *fine_error_message(void);

/**
 * The next finding of the same failure, where several were found (a recipe, a
 * model whose weights do not fit). fine_error_message() starts over.
 *
 * @return borrowed as fine_error_message(); NULL after the last
 * @since 0.1
 */
FINE_API const char *fine_error_next(void);

/* Levels of log messages. */
enum { FINE_LOG_WARNING = 1, FINE_LOG_INFO = 2, FINE_LOG_DEBUG = 3 };

/* Receives one line without a newline. Called in the thread that works, never
 * from several at once for one context unless sessions run in several threads.
 * It must not call back into the library with the handle at work. */
typedef void (*fine_log_fn)(int level, const char *message, void *user);

#ifdef __cplusplus
}
#endif
#endif
