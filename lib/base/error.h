/*
 * error.h — what went wrong, for this thread.
 *
 * A failing function returns a negative FINE_E… and leaves one or more findings
 * here: full sentences that name the thing, the place and the remedy. Findings
 * are at most 512 bytes; control bytes and broken UTF-8 in them (names come from
 * files) are written as \xNN. Nothing is allocated.
 */
#ifndef FINE__ERROR_H
#define FINE__ERROR_H

#include "base/compiler.h"
#include <finetune/status.h>

/* Forgets earlier findings, records this one, and returns code. */
int fine__fail(int code, const char *format, ...) FINE__PRINTF(2, 3);

/* Adds a finding to those of the failure in progress, and returns code. The
 * caller has called fine__error_clear() before the first. When the store is
 * full, the last finding says how many more there were. */
int fine__also(int code, const char *format, ...) FINE__PRINTF(2, 3);

/* Puts "prefix: " before every finding ("data.train: cannot open …"). */
void fine__error_prefix(const char *format, ...) FINE__PRINTF(1, 2);

void fine__error_clear(void);
int fine__error_count(void);

/* The findings in order; "" and NULL where there are none (any more). */
const char *fine__error_first(void);
const char *fine__error_next(void);

/* For a failure with errno: "cannot open 'x': No such file or directory". */
int fine__fail_errno(int code, int error_number, const char *format, ...) FINE__PRINTF(3, 4);

/* Copies text for a message or a report, with what is unsafe to print escaped;
 * always terminates; returns out. */
char *fine__escape(char *out, size_t size, const char *text, size_t length);

#define FINE__TRY(expression)              \
    do {                                   \
        const int try_rc_ = (expression);  \
        if (try_rc_ < 0)                   \
            return try_rc_;                \
    } while (0)

#endif
