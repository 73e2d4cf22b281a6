/*
 * scan.h — reading JSON in place, value by value, without a tree.
 *
 * The headers of weight files may have 100 MB and a million entries; here a value costs
 * no memory: strings are unescaped where they stand and end with a NUL, so they live as
 * long as the text. Failure is sticky: after the first error every call answers with
 * "no more", and `rc` holds the code of the recorded finding.
 */
#ifndef FINE__SCAN_H
#define FINE__SCAN_H

#include "base/context.h"

struct fine__scan {
    char *text;
    size_t length, at;
    const char *what; /* for messages: "model.safetensors" */
    int rc;
};

/* The text is changed by reading it. It must be valid UTF-8: broken is a finding. */
void fine__scan_init(struct fine__scan *scan, char *text, size_t length, const char *what);

/* An object or array begins ('{' or '['); false: it doesn't, and that is recorded. */
bool fine__scan_enter(struct fine__scan *scan, char bracket);
/* The next member or element: true, or false at the end. *first is true before the first
 * call. Then exactly one value must be read. */
bool fine__scan_member(struct fine__scan *scan, bool *first, char **key, size_t *length);
bool fine__scan_element(struct fine__scan *scan, bool *first);

/* `role` names the value in messages ("the file of 'a.weight'"). */
bool fine__scan_string(struct fine__scan *scan, char **out, size_t *length, const char *role);
bool fine__scan_count(struct fine__scan *scan, int64_t *out,
                      const char *role); /* a whole number >= 0 */
/* Any value, checked and passed over; depth <= 64. */
bool fine__scan_skip(struct fine__scan *scan);
/* Nothing but blanks is left. */
bool fine__scan_end(struct fine__scan *scan);
/* Records an error at the present place; returns false. */
bool fine__scan_fail(struct fine__scan *scan, const char *format, ...) FINE__PRINTF(2, 3);

#endif
