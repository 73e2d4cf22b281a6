/*
 * template.h — what is put around the texts: [CLS] A [SEP] B [SEP].
 */
#ifndef FINE__TEMPLATE_H
#define FINE__TEMPLATE_H

#include "base/json.h"

enum { FINE__TEMPLATE_MAX = 32 };   /* ids that a template may add, and texts */

struct fine__template {
    struct fine__slot {
        int32_t id, type;
        int text;             /* 0 or 1: that text stands here; -1: the id does */
    } slots[FINE__TEMPLATE_MAX];
    int count;
    int n_added;              /* ids */
    bool trim;                /* white space isn't part of an offset */
    bool trim_keeps_prefix;   /* save one space at the text's beginning */
};

/* Texts one after the other, nothing added. */
void fine__template_plain(struct fine__template *single, struct fine__template *pair);
/* [CLS] A [SEP] and [CLS] A [SEP] B [SEP]. */
void fine__template_bert(struct fine__template *single, struct fine__template *pair, int32_t cls,
                         int32_t sep);
/* <s> A </s> and <s> A </s></s> B </s>, all of type 0. */
void fine__template_roberta(struct fine__template *single, struct fine__template *pair,
                            int32_t cls, int32_t sep);
/* <s> A and <s> A B, the second of type 1. */
void fine__template_bos(struct fine__template *single, struct fine__template *pair, int32_t bos);
/* From the post_processor of tokenizer.json. */
int fine__template_read(struct fine__template *single, struct fine__template *pair,
                        const struct fine__json *processor, const char *what);
int64_t fine__template_largest_id(const struct fine__template *t);   /* -1: none */

#endif
