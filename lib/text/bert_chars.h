/*
 * bert_chars.h — what the characters are to BERT's basic tokenizer.
 */
#ifndef FINE__BERT_CHARS_H
#define FINE__BERT_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum fine__bert_kind {
    FINE__BERT_OTHER,
    FINE__BERT_CONTROL,       /* removed by clean_text, as are U+0000 and U+FFFD */
    FINE__BERT_MARK,          /* removed by strip_accents */
    FINE__BERT_PUNCTUATION,   /* a word of its own */
    FINE__BERT_MOVABLE        /* stays, but has a combining class, so that NFD may move it */
};

enum fine__bert_kind fine__bert_kind(int32_t c);
bool fine__bert_is_chinese(int32_t c);
int fine__bert_decompose(int32_t c, int32_t out[18]);   /* NFD of one character; returns how many */
int fine__bert_lower(int32_t c, int32_t out[3]);        /* full lower case; returns how many */

#endif
