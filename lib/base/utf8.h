/*
 * utf8.h — code points and their properties: the only includer of utf8proc.
 *
 * Invalid bytes decode as U+FFFD, one for each maximal ill-formed subsequence
 * (Unicode 15, section 3.9, "substitution of maximal subparts"), everywhere.
 */
#ifndef FINE__UTF8_H
#define FINE__UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one code point at text (length >= 1); returns the bytes consumed (>= 1);
 * *valid (may be NULL) is false where U+FFFD stands for broken bytes. */
size_t fine__utf8_decode(const char *text, size_t length, int32_t *out, bool *valid);
size_t fine__utf8_encode(int32_t code_point, char out[4]);
bool fine__utf8_valid(const char *text, size_t length);
int64_t fine__utf8_count(const char *text, size_t length);      /* code points */

enum fine__category { FINE__LETTER, FINE__MARK, FINE__NUMBER, FINE__PUNCTUATION, FINE__SYMBOL, FINE__SEPARATOR, FINE__OTHER };
enum fine__category fine__utf8_category(int32_t c);             /* the first letter of the general category */
bool fine__utf8_is_nonspacing_mark(int32_t c);                  /* Mn */
bool fine__utf8_is_space_separator(int32_t c);                  /* Zs */
bool fine__utf8_is_control(int32_t c);                          /* Cc, Cf, Cs, Co, Cn */
bool fine__utf8_is_white_space(int32_t c);                      /* the property White_Space */
bool fine__utf8_is_word(int32_t c);                             /* what \w is to Unicode's UTS 18: letters, marks, digits, connectors, joiners */

/* Full lower case of one code point (U+0130 gives two); returns how many, <= 3. */
int fine__utf8_lower(int32_t c, int32_t out[3]);
/* Full canonical decomposition (NFD) of one code point; returns how many, <= 18. */
int fine__utf8_decompose(int32_t c, int32_t out[18]);
int fine__utf8_combining_class(int32_t c);

#endif
