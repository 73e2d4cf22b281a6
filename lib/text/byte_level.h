/*
 * byte_level.h — what comes before byte-level BPE: words, and bytes written as characters.
 *
 * The words are those of GPT-2's pattern. Vocabularies write each byte as one printable
 * character: itself where it is one in Latin-1, else one from U+0100 on, in order, so that
 * a space is U+0120.
 * (Radford et al.: Language models are unsupervised multitask learners, 2019.)
 */
#ifndef FINE__BYTE_LEVEL_H
#define FINE__BYTE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fine__byte_level_class {
    FINE__CLASS_OTHER, FINE__CLASS_SPACE, FINE__CLASS_LETTER, FINE__CLASS_NUMBER
};

enum fine__byte_level_class fine__byte_level_class(int32_t c);

/* Where the word ends that begins at text[at], at < end; text is UTF-8. With `spaced`
 * a space that isn't in text stands before it; the word may be that space alone. */
size_t fine__byte_level_word(const char *text, size_t at, size_t end, bool spaced);

int32_t fine__byte_level_char(unsigned char byte);
int fine__byte_level_byte(int32_t c);    /* -1: c stands for no byte */

/* A piece of a vocabulary as bytes into out, which has room for length: how many, or -1
 * where a character stands for no byte. */
int64_t fine__byte_level_bytes(const char *piece, size_t length, char *out);

#endif
