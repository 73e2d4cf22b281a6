/*
 * number.h — numbers as text, the same in every locale and strict.
 *
 * A number is the whole text: no blanks, no '+', no hexadecimal, no "inf", no
 * "nan", no "1.", no ".5". Sizes take K M G T (10^3…) and Ki Mi Gi Ti (2^10…),
 * each with an optional B.
 */
#ifndef FINE__NUMBER_H
#define FINE__NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool fine__parse_int64(const char *text, size_t length, int64_t *out);
bool fine__parse_double(const char *text, size_t length, double *out);    /* correctly rounded; finite */
bool fine__parse_size(const char *text, size_t length, int64_t *out);

/* The shortest text that reads back as the same value ("0.1", "5e-05", "3");
 * out holds at least 32 bytes. NaN is "nan", infinities are "inf" and "-inf". */
char *fine__format_double(char *out, double value);

#endif
