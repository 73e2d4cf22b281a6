/*
 * bert_text.h — BERT's basic tokenizer: how a text becomes words.
 */
#ifndef FINE__BERT_TEXT_H
#define FINE__BERT_TEXT_H

#include "text/scratch.h"

/* BertNormalizer's options, and the tables made from them. */
struct fine__bert_text {
    bool normalize;          /* false: the text as it is */
    bool clean_text, chinese, strip_accents, lowercase;
    bool split;              /* BertPreTokenizer; false: the text is one word */
    /* What an ASCII character becomes; 0: it takes the long way. */
    char ascii[256];
};

void fine__bert_text_prepare(struct fine__bert_text *bert);

/* Normalizes s->text[start, end) into s->norm. */
int fine__bert_normalize(const struct fine__bert_text *bert, struct fine__scratch *s, size_t start,
                         size_t end);

/* Finds the next word in norm[*at, end): false where there is none. */
bool fine__bert_next_word(const struct fine__bert_text *bert, const char *norm, size_t end,
                          size_t *at, size_t *word, size_t *word_end);

#endif
